"""Damage marks: which picture is the first to show what decoder or transport have complained of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa.units import ticks_to_s

if TYPE_CHECKING:
    from gpu_qa.features.picture import MeasuredPicture
    from gpu_qa.media import Note

_NEW_TIME_BASE_S = 10.0
"""A picture this much earlier than a note counts by another clock (FFmpeg's `dts_delta_threshold`)."""
_MOST = 256
"""Notes that wait for their picture; with more the oldest goes: a picture that never comes must not fill memory."""


class DamageMarks:
    """The notes on damage of one video track that wait for their picture.

    Notes come no later than the picture that shows them, but often earlier: in decoding order. The decoder's note is
    about the picture with its own timestamp; the transport's is about bytes after the beginning of a packet, whose
    picture may have come out already: it marks the one after.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[float | None, bool]] = []
        """Timestamp in seconds as the stream has it, null where none is known, and whether it is the transport's."""

    def hear(self, note: Note) -> None:
        """Take a note, where it is on damage of the picture."""
        if note.track != "video" or note.kind not in ("decode_error", "transport_error"):
            return
        at_s = None if note.pts is None else ticks_to_s(note.pts, note.time_base)
        self._waiting = [*self._waiting[1 - _MOST :], (at_s, note.kind == "transport_error")]

    def marks(self, picture: MeasuredPicture) -> bool:
        """Whether the next picture, in the order that they are shown, is damaged or follows on damage."""
        if not self._waiting:
            return picture.is_corrupt
        raw_s = None if picture.pts is None else ticks_to_s(picture.pts, picture.time_base)
        waiting = [one for one in self._waiting if not _is_due(*one, raw_s)]
        due = len(waiting) < len(self._waiting)
        self._waiting = waiting
        return due or picture.is_corrupt


def _is_due(at_s: float | None, is_transport: bool, raw_s: float | None) -> bool:  # noqa: FBT001 - private
    """Whether a picture at `raw_s` is the one that a note at `at_s` is about, or comes after it."""
    if at_s is None or raw_s is None or raw_s < at_s - _NEW_TIME_BASE_S:
        return True
    return raw_s > at_s if is_transport else raw_s >= at_s
