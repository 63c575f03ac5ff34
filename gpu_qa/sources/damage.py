"""Notes on damage that was seen on the way from an input to a packet."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from gpu_qa.media import Note
from gpu_qa.units import ticks_to_s

if TYPE_CHECKING:
    from gpu_qa.media import Track
    from gpu_qa.sources.transport_stream import Breaks, ContinuityScanner

_WINDOW = 32
"""Packets over which the share of marked ones is taken; ours."""


class DamageWatch:
    """Tells damage in the packets of one track, by what is known best.

    Where the bytes of a transport stream pass through our hands, its continuity counters decide. Elsewhere
    libavformat's own mark does (`is_corrupt`); in transport streams only while it is rare, because an encoder that
    misstates its PES lengths has it set on most of its packets although nothing is missing.
    """

    def __init__(self, track: Track, *, transport_stream: bool) -> None:
        self._track = track
        self._transport_stream = transport_stream
        self._scanner: ContinuityScanner | None = None
        self._pid = 0
        self._marks: deque[bool] = deque(maxlen=_WINDOW)
        self._unit_pts: int | None = None
        self._unit_is_corrupt = False

    def watch(self, scanner: ContinuityScanner, pid: int) -> None:
        """Decide by the continuity counters of this PID from here on."""
        self._scanner, self._pid = scanner, pid

    def see(self, native: Any) -> tuple[Note, ...]:
        """The notes that belong before a packet (`av.Packet`)."""
        corrupt = bool(native.is_corrupt)
        if self._scanner is None:
            rare = 2 * sum(self._marks) < len(self._marks)
            self._marks.append(corrupt)
            if corrupt and (rare or not self._transport_stream):
                return (self._note(native.pts, "the packet arrived damaged or cut short", {"is_corrupt": True}),)
            return ()
        if native.pos is None:
            # One of several frames in one PES packet: damage is told with the next one.
            self._unit_is_corrupt |= corrupt
            return ()
        # What is missing before this packet's first byte, or broke ahead of it, belongs to the one before it.
        found = self._broken(self._scanner.take(self._pid, before=native.pos + 1), fallback=native.pts)
        self._unit_pts, self._unit_is_corrupt = native.pts, corrupt
        return found

    def finish(self) -> tuple[Note, ...]:
        """The notes on what came after the last packet began."""
        return self._broken(self._scanner.take(self._pid, before=None), None) if self._scanner else ()

    def resync(self, breaks: Breaks | None) -> tuple[Note, ...]:
        """The notes on bytes between transport packets."""
        if breaks is None:
            return ()
        told = f"the grid of transport packets was lost {_times(breaks.resyncs)}"
        return (self._note(self._unit_pts, told, {"resyncs": breaks.resyncs, "byte": breaks.position}),)

    def _broken(self, breaks: Breaks | None, fallback: int | None) -> tuple[Note, ...]:
        if breaks is None:
            return ()
        told = []
        if breaks.continuity:
            told.append(f"at least {breaks.lost or 1} transport packets missing ({_times(breaks.continuity)})")
        if breaks.flagged:
            told.append(f"{breaks.flagged} transport packets flagged as damaged by a receiver upstream")
        details = {
            "pid": self._pid,
            "continuity_errors": breaks.continuity,
            "lost_packets": breaks.lost,
            "transport_error_indicators": breaks.flagged,
            "is_corrupt": self._unit_is_corrupt,
            "byte": breaks.position,
        }
        return (self._note(self._unit_pts if self._unit_pts is not None else fallback, "; ".join(told), details),)

    def _note(self, pts: int | None, message: str, details: dict[str, Any]) -> Note:
        return Note("transport_error", self._track.kind, pts, self._track.time_base, message, details)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


class ShortfallWatch:
    """Tells a track that ends well before its container says it does: a transfer or a recording that was cut short."""

    def __init__(self, track: Track, stated_s: float | None) -> None:
        """Watch a track of which the container states this duration; null never tells."""
        self._track = track
        self._stated_s = stated_s
        self._end_pts: int | None = None
        self._start_pts: int | None = None

    def see(self, native: Any) -> None:
        """Take note of how far the track has come."""
        if native.pts is None:
            return
        end = native.pts + (native.duration or 0)
        self._end_pts = end if self._end_pts is None else max(self._end_pts, end)
        self._start_pts = native.pts if self._start_pts is None else min(self._start_pts, native.pts)

    @property
    def _reached_s(self) -> float:
        if self._end_pts is None or self._start_pts is None:
            return 0.0
        # Whichever is more lenient: some containers count from 0, others from the first timestamp.
        return ticks_to_s(self._end_pts - min(self._start_pts, 0), self._track.time_base)

    @property
    def is_short(self) -> bool:
        """Whether the track is short by more than a second and a hundredth of its length."""
        return self._stated_s is not None and self._stated_s - self._reached_s > max(1.0, 0.01 * self._stated_s)

    def finish(self) -> tuple[Note, ...]:
        """The note, where the track is short."""
        if not self.is_short:
            return ()
        reached_s = self._reached_s
        told = f"the track ends after {reached_s:.1f} s, and its container says {self._stated_s:.1f} s: cut short?"
        details = {"stated_s": self._stated_s, "reached_s": reached_s}
        kind, base = self._track.kind, self._track.time_base
        return (Note("transport_error", kind, self._end_pts, base, told, details),)
