"""Overload: whether a live input outruns this machine, and which packets are left undecoded because of it.

A live input that is read late is behind by what was spent on it less what it played meanwhile. A burst, such as a
segment of HLS, is worked off faster than it plays and never falls behind. When the input has been behind for too long,
its pictures are left out up to a key frame at which it is not any more; skipped packets cost next to nothing.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

from gpu_qa.media import Note, SkippedFrame

if TYPE_CHECKING:
    from fractions import Fraction

    from gpu_qa.media import Packet, Track

LIVE_PATIENCE_S = 2.0
"""A live input may fall this far behind before pictures are left out."""
CAUGHT_UP_S = 0.005
"""The reader has caught up with an input whose next packet takes longer than this."""
_STEP_S = 1.0
"""The longest step of timestamps that counts as time played; longer ones are jumps."""
_REORDERED = 17
"""Packets come in decoding order: of this many the earliest is shown before all later ones (H.264, HEVC: 16)."""
_KEYLESS = 300
"""After so many packets without a key frame none is waited for: there are streams that refresh their pictures bit by
bit. Decoders give up on one after as many."""
_TELL_FRAMES = 25
"""It is told again after this many further pictures."""


class Turn(NamedTuple):
    """What is to become of a packet."""

    decode: bool
    begins: bool = False
    """The first one that is left out: what is inside its decoder is to be taken out."""
    left_out: tuple[SkippedFrame, ...] = ()
    """Pictures that are left out, in the order in which they would be shown."""
    notes: tuple[Note, ...] = ()


class Overload:
    """Watches one live input, packet by packet."""

    def __init__(self) -> None:
        self.behind_s = 0.0
        """How far the reading is behind the input."""
        self._read_s: float | None = None
        self._clock: Track | None = None
        self._ticks = 0
        """Where the clock stands: the decoding time of its last packet; the time of presentation where it has none."""
        self._skipping = False
        self._frames = self._told_frames = 0
        self._worst_s = 0.0
        self._held: list[tuple[int, int]] = []
        """pts and duration of packets that were left out, a heap."""
        self._untimed: list[int] = []
        """Durations of those that have no time of their own."""
        self._since_key = 0
        """Packets that were left out since the last key frame."""

    def next(self, packet: Packet, waited_s: float, read_s: float) -> Turn:
        """Decide on a packet.

        Args:
            packet: As it was read.
            waited_s: How long the reader waited for it.
            read_s: When it was read, by the monotonic clock.
        """
        spent_s = 0.0 if self._read_s is None else read_s - self._read_s
        self._read_s = read_s
        if waited_s > CAUGHT_UP_S:
            self.behind_s = 0.0
        else:
            self.behind_s = max(0.0, self.behind_s + spent_s - self._played_s(packet))
        if packet.track.kind != "video":
            return Turn(decode=True)
        if packet.native is None:
            return Turn(decode=not self._skipping, left_out=self._released(packet.track.time_base, 0))
        self._since_key = 0 if packet.native.is_keyframe else self._since_key + 1
        begins_anew = packet.native.is_keyframe or self._since_key > _KEYLESS
        if self._skipping and begins_anew and self.behind_s < LIVE_PATIENCE_S / 2:
            self._skipping = False
            left_out = self._released(packet.track.time_base, 0)
            return Turn(decode=True, left_out=left_out, notes=self._notes(packet, at_once=True))
        if not self._skipping and self.behind_s <= LIVE_PATIENCE_S:
            return Turn(decode=True)
        begins, self._skipping = not self._skipping, True
        if begins:
            self._since_key = 0
            self._frames = self._told_frames = 0
            self._worst_s = 0.0
        self._worst_s = max(self._worst_s, self.behind_s)
        if packet.native.pts is not None:
            heapq.heappush(self._held, (packet.native.pts, packet.native.duration or 0))
        else:
            self._untimed.append(packet.native.duration or 0)
        self._frames += 1
        # What comes out of the decoder as it begins is shown before any that is left out.
        left_out = () if begins else self._released(packet.track.time_base, _REORDERED)
        return Turn(decode=False, begins=begins, left_out=left_out, notes=self._notes(packet, at_once=begins))

    def _played_s(self, packet: Packet) -> float:
        """How much the input has played since the packet before, by the track that is its clock."""
        native, track = packet.native, packet.track
        ticks = None if native is None else native.pts if native.dts is None else native.dts
        if ticks is None:
            return 0.0
        if self._clock is None or (track.kind == "video" and self._clock.kind != "video"):
            self._clock, self._ticks = track, ticks
            return 0.0
        if track.index != self._clock.index:
            return 0.0
        step_s = float((ticks - self._ticks) * track.time_base)
        if native.dts is None and -_STEP_S <= step_s < 0.0:
            return 0.0  # out of order, as times of presentation are: the latest so far counts
        self._ticks = ticks
        return step_s if 0.0 <= step_s <= _STEP_S else 0.0

    def _released(self, time_base: Fraction, keep: int) -> tuple[SkippedFrame, ...]:
        released = [SkippedFrame(None, duration, time_base) for duration in self._untimed]
        self._untimed.clear()
        while len(self._held) > keep:
            pts, duration = heapq.heappop(self._held)
            released.append(SkippedFrame(pts, duration, time_base))
        return tuple(released)

    def _notes(self, packet: Packet, *, at_once: bool) -> tuple[Note, ...]:
        if not at_once and self._frames < self._told_frames + _TELL_FRAMES:
            return ()
        self._told_frames = self._frames
        return (overload_note(packet.native.pts, packet.track.time_base, self._frames, self._worst_s),)


def overload_note(pts: int | None, time_base: Fraction, frames: int, behind_s: float) -> Note:
    """Says that pictures were left out.

    Args:
        pts: Time of the last one, in ticks.
        time_base: Seconds per tick.
        frames: How many in a row.
        behind_s: How far the analysis was behind the input, at worst.
    """
    message = f"{frames} pictures were not analyzed: this machine was {behind_s:.1f} s behind the input"
    details = {"frames": frames, "behind_s": round(behind_s, 3)}
    return Note("overload", "video", pts, time_base, message, details)
