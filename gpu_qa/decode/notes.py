"""Notes: what a decoder tells of damage and of change, worded once for all back ends."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Literal

from gpu_qa.media import Note

if TYPE_CHECKING:
    from gpu_qa.media import Track, VideoFormat

KEYLESS_PICTURES = 300
"""Pictures after which a stream counts as one that marks no key frames: 10 s at 30 Hz, longer than any GOP in
broadcast. From then on its errors are its own."""

Cause = Literal["refused", "concealed", "transport", "lost", "nothing", "conversion"]
"""What a `decode_error` is about: a packet the decoder would not take; a picture that it mended; a packet that arrived
damaged; a picture that never came out; a track that gave nothing; a picture whose format cannot be read."""

# fmt: off
_FORMAT_FIELDS = (
    "width", "height", "pixel_format", "bit_depth", "color_range", "color_space", "transfer", "sample_aspect_ratio",
)
# fmt: on


class DamageNotes:
    """Writes one track's `decode_error` notes and knows whether its first key frame has come.

    What is damaged before it misses its references: the input was joined in mid-GOP, which is no fault of the stream.
    Such notes have `before_first_key` in their details.
    """

    def __init__(self, track: Track, codec: str) -> None:
        self._track = track
        self._codec = codec
        self._keyless = 0
        self.before_first_key = True
        """No key frame has come out since the start or the last `restart()`."""

    def restart(self) -> None:
        """The decoder starts anew; it may be in mid-GOP again."""
        self._keyless = 0
        self.before_first_key = True

    def passed(self, is_key: bool) -> None:  # noqa: FBT001 - called per picture
        """A picture came out; needed only while `before_first_key`."""
        self._keyless += 1
        if is_key or self._keyless >= KEYLESS_PICTURES:
            self.before_first_key = False

    def write(self, cause: Cause, pts: int | None, message: str, **details: Any) -> Note:
        """A `decode_error` at `pts` (ticks); the message is completed with the codec's name."""
        before = self.before_first_key and cause != "nothing"
        return Note(
            kind="decode_error",
            track=self._track.kind,
            pts=pts,
            time_base=self._track.time_base,
            message=f"{self._codec}: {message}",
            details={"codec": self._codec, "cause": cause, "before_first_key": before, **details},
        )


class Rarity:
    """Tells whether an alarm is worth hearing: one that rings for a quarter of all units says nothing about this one.

    MPEG-TS marks packets as damaged whose PES length field is wrong, and some multiplexers get it wrong throughout.
    """

    def __init__(self) -> None:
        self._rang: deque[bool] = deque(maxlen=32)

    def heard(self, rings: bool) -> bool:  # noqa: FBT001 - called per packet
        """Note whether the alarm rings for the next unit; true where it does and has been rare."""
        rare = rings and len(self._rang) >= 8 and 4 * sum(self._rang) < len(self._rang)
        self._rang.append(rings)
        return rare


def format_change(track: Track, pts: int | None, old: VideoFormat, new: VideoFormat) -> Note | None:
    """The note on a new picture format; null where nothing that counts has changed."""
    changed = [name for name in _FORMAT_FIELDS if getattr(old, name) != getattr(new, name)]
    if not changed:
        return None
    before, after = ({name: _json(getattr(it, name)) for name in changed} for it in (old, new))
    return _change(track, pts, before, after, "picture")


def sound_change(track: Track, pts: int | None, old: dict[str, Any], new: dict[str, Any]) -> Note | None:
    """The note on a new sample rate or channel layout; null where both are as before."""
    changed = [name for name in new if old[name] != new[name]]
    if not changed:
        return None
    return _change(track, pts, {name: old[name] for name in changed}, {name: new[name] for name in changed}, "sound")


def _change(track: Track, pts: int | None, old: dict[str, Any], new: dict[str, Any], what: str) -> Note:
    said = ", ".join(f"{name} {_text(old[name])} → {_text(new[name])}" for name in new)
    return Note(
        kind="format_change",
        track=track.kind,
        pts=pts,
        time_base=track.time_base,
        message=f"{what} changed: {said}",
        details={"old": old, "new": new},
    )


def _json(value: Any) -> Any:
    return value if isinstance(value, int | str) or value is None else str(value)


def _text(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def why(error: Exception) -> str:
    """What libavcodec says of an error, without its number and the failed call."""
    return str(getattr(error, "strerror", None) or error)
