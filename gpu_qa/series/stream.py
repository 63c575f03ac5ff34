"""What happens to the stream itself, and how far its tracks have come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class StreamFact:
    """Something that happened to the stream itself, placed on its clock."""

    kind: Literal[
        "gap",
        "discontinuity",
        "shift",
        "decode_error",
        "transport_error",
        "format_change",
        "stalled",
        "overload",
        "reference",
        "frames",
    ]
    track: Literal["video", "audio"]
    start_s: float
    end_s: float
    """Equal to `start_s` for what has no length."""
    message: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StreamSeries:
    """The facts of a stretch of stream, and how far each track has come by its end."""

    facts: tuple[StreamFact, ...]
    """In order of `start_s`."""
    until_s: float
    """How far the stream has been read."""
    video_until_s: float | None
    """End of the last frame; null before the first or where there is no video."""
    audio_until_s: dict[int, float | None]
    """End of the last sound per audio track of the input; null before the first."""
    finished: bool = False
    """True in a stream's last series."""
    audio_from_s: dict[int, float] = field(default_factory=dict)
    """Start of the first sound per audio track that has begun."""
    audio_sound_s: dict[int, float] = field(default_factory=dict)
    """Length of all sound so far by its samples, per audio track that has begun, seconds."""
    audio_zero_s: dict[int, float] = field(default_factory=dict)
    """Timestamp that stands for the clock's 0 now, per audio track that has begun, seconds: it changes with the
    track's discontinuities."""
    video_zero_s: float | None = None
    """The same of the picture; null before the first frame."""
    undecided_s: Mapping[str, float] = field(default_factory=dict)
    """Where the earliest step of timestamps lies that may yet turn out to be a shift, by the kind of track that has
    one."""
