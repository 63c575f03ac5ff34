"""Sides: a reference and the probes that are laid over it, each kept as far back as a stretch may still need it.

Whoever reads the streams hands over what has come of them, in one thread at a time.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from gpu_qa.sync.reference import ReferenceLimits
from gpu_qa.sync.schedule import Alignment, due, laid_abreast, lay, needed_from_s, next_turn_s
from gpu_qa.sync.strip import Strip, extended, trimmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import AudioSeries, VideoSeries
    from gpu_qa.sync.reference import Stretch
    from gpu_qa.sync.schedule import Due, Unsettled

__all__ = ["LIVE_LEAD_S", "Probe", "Reference"]

LIVE_LEAD_S = 5.0
"""With how much lead a live probe is looked for at first: an answer about it waits for so long, and longer only where
it comes still earlier or is not there at all."""
AHEAD_S = 10.0
"""How much further than is needed a file is read, so that both sides keep busy."""
PATIENCE_S = 30.0
"""A live probe waits so much longer for a reference that stands still; then its stretch is told as unknown. And so long
a reference that is a file waits for a live probe that stands still while others come."""
LATER_S = 3.0
"""A live stream that for `WINDOW_S` comes so much later than it used to has lost time on its clock, as by a
reconnection: what it is laid over moves along. Segments of some seconds come no more unevenly."""
WINDOW_S = 30.0
"""Seconds of the wall clock, several segments long."""


class _Side:
    """A stream on its way."""

    def __init__(self) -> None:
        self.strip = Strip()
        self.live = False
        """It comes when it comes, and is not held back."""
        self.zero_s: float | None = None
        """When its clock's 0 came, by the wall clock, had it all come as promptly as its promptest part; null where
        nobody says when things come."""
        self._window: tuple[float, float] | None = None
        """When it began, and the earliest `zero_s` in it."""

    def extend(
        self,
        video: Sequence[VideoSeries] = (),
        audio: Sequence[AudioSeries] = (),
        *,
        until_s: float | None = None,
        now_s: float | None = None,
        ended: bool = False,
    ) -> None:
        """Take what came next.

        Args:
            video: Series of the picture, in order.
            audio: Series of sound.
            until_s: How far the stream has come, seconds on its clock; null: as far as these series.
            now_s: When this came, of live streams, seconds of a wall clock that all share; null: nobody says.
            ended: Nothing follows.
        """
        self.strip = extended(self.strip, video, audio, until_s=until_s, ended=ended)
        if now_s is not None and (video or audio):
            self._place(now_s)

    def _place(self, now_s: float) -> None:
        zero_s = now_s - self.strip.until_s
        self.zero_s = zero_s if self.zero_s is None else min(self.zero_s, zero_s)
        since_s, earliest_s = self._window or (now_s, zero_s)
        self._window = since_s, min(earliest_s, zero_s)
        if now_s - since_s >= WINDOW_S:
            if earliest_s - self.zero_s > LATER_S:
                self.zero_s = earliest_s
            self._window = None


class Reference(_Side):
    """The programme as it should be.

    Args:
        limits: How probes are laid over it.
    """

    def __init__(self, limits: ReferenceLimits = ReferenceLimits()) -> None:
        super().__init__()
        self.limits = limits
        self.name = ""
        """What its stream is called."""
        self.gone_until_s = -math.inf
        """Up to here it has been let go of, seconds of its clock."""
        self._probes: list[Probe] = []

    def add(self) -> Probe:
        """Have a probe laid over it, until it leaves."""
        probe = Probe(self)
        self._probes.append(probe)
        return probe

    def remove(self, probe: Probe) -> None:
        """Nothing is asked of a probe any more."""
        if probe in self._probes:
            self._probes.remove(probe)
        self.forget()

    def is_ahead(self, until_s: float, now_s: float | None = None) -> bool:
        """Whether it waits for its probes: a file is read no further than can be compared.

        The slowest probe is waited for, for files can wait. Live ones cannot: of these the furthest has what it needs,
        and the others as far back as that is kept; one that stands still, or does not open, holds none of the others.

        Args:
            until_s: How far it has been read.
            now_s: Seconds of the wall clock; null: nobody says, and nobody stands still.
        """
        if self.live or not self._probes:
            return False
        coming = [probe for probe in self._probes if not probe.strip.ended and probe.is_waited_for(now_s)]
        awaited_s = [probe.strip.until_s for probe in coming if not probe.live]
        live_s = [probe.strip.until_s for probe in coming if probe.live]
        if live_s:
            awaited_s.append(max(min(live_s), max(live_s) - AHEAD_S))
        unfinished_s = [probe.strip.until_s for probe in self._probes if not probe.carry.done]
        furthest_s = min(awaited_s) if awaited_s else max(unfinished_s, default=0.0)
        return until_s > furthest_s + self.limits.max_lead_s + self.limits.stretch_s + AHEAD_S

    def align(self, *, by_arrival: bool = True) -> list[tuple[Probe, Stretch]]:
        """What has become known of its probes, laid over together; each probe's in order.

        Args:
            by_arrival: As `Probe.align` has it.
        """
        dues = [(probe, one) for probe in self._probes for one in probe.due()]
        found = laid_abreast([one for _, one in dues])
        return [
            (probe, stretch)
            for (probe, one), laid in zip(dues, found, strict=True)
            for stretch in probe.settle(one, laid, by_arrival=by_arrival)
        ]

    def forget(self) -> None:
        """Let go of what no stretch needs any more."""
        asking = [probe for probe in self._probes if not probe.carry.done]
        from_s = min(
            (needed_from_s(probe.carry, probe.limits)[1] for probe in asking), default=self.strip.until_s + 1.0
        )
        self.gone_until_s = max(self.gone_until_s, from_s, self.kept_from_s(self.strip))
        self.strip = trimmed(self.strip, self.gone_until_s)

    def kept_from_s(self, strip: Strip) -> float:
        """What a strip holds at most, whatever one stream waits for the other."""
        limits = self.limits
        most_s = limits.max_delay_s + limits.max_lead_s + 2 * limits.stretch_s + AHEAD_S + PATIENCE_S
        return strip.until_s - most_s


class Probe(_Side):
    """The same programme elsewhere in the chain. Made by `Reference.add`."""

    def __init__(self, reference: Reference) -> None:
        super().__init__()
        self.reference = reference
        self.carry = Alignment()
        self._unsettled: tuple[Unsettled, ...] = ()
        self._stands: tuple[float, float] = math.nan, 0.0
        """How far it had come when the reference last asked, and since when it stands there by the wall clock."""

    def is_waited_for(self, now_s: float | None) -> bool:
        """Whether the reference waits for it: not where it is live, or has not begun, and stands still for long.

        A file that has begun is waited for however slow it is: nothing of it is lost meanwhile.

        Args:
            now_s: Seconds of the wall clock; null: nobody says.
        """
        if now_s is None or (not self.live and self.strip.until_s > 0):
            return True
        if self._stands[0] != self.strip.until_s:
            self._stands = self.strip.until_s, now_s
        return now_s - self._stands[1] <= PATIENCE_S

    @property
    def limits(self) -> ReferenceLimits:
        """Where it is looked for: of two live streams from when each came, of others from each one's start."""
        limits, shift_s = self.reference.limits, self._shift_s
        first_s = limits.max_lead_s if limits.first_lead_s is None else limits.first_lead_s
        if self.is_live:
            first_s = min(first_s, LIVE_LEAD_S)
        return replace(
            limits,
            first_lead_s=first_s + shift_s,
            max_lead_s=limits.max_lead_s + shift_s,
            max_delay_s=limits.max_delay_s - shift_s,
        )

    @property
    def is_live(self) -> bool:
        """Whether it or its reference cannot be held back."""
        return self.live or self.reference.live

    @property
    def _shift_s(self) -> float:
        ours, theirs = self.zero_s, self.reference.zero_s
        return 0.0 if ours is None or theirs is None else ours - theirs

    def is_ahead(self, until_s: float, *, ended: bool = False) -> bool:
        """Whether it waits for the reference: a file is read, or told to have ended, no sooner than can be compared.

        Args:
            until_s: How far it has been read.
            ended: Nothing follows.
        """
        if self.live or self.reference.strip.ended:
            return False
        limits = self.limits
        reach_s = limits.max_lead_s if ended else limits.max_lead_s - limits.stretch_s - AHEAD_S
        return until_s + reach_s > self.reference.strip.until_s

    def due(self, *, finished: bool = False) -> list[Due]:
        """What has become possible to lay over the reference since the last call.

        Args:
            finished: The reference is not waited for.
        """
        if any(strip.ended and not strip.until_s for strip in (self.strip, self.reference.strip)):
            # Nothing came of one of them.
            self.carry = replace(self.carry, again=(), done=True)
            return []
        reference, shift_s, limits = self.reference.strip, self._shift_s, self.limits
        if finished or self._has_waited:
            reference = replace(reference, ended=True)
        found, self.carry = due(reference, self.strip, limits, self.carry)
        kept_from_s = self.reference.kept_from_s(self.strip)
        self.strip = trimmed(self.strip, max(needed_from_s(self.carry, limits)[0], kept_from_s))
        return [replace(one, shift_s=shift_s, gone_until_s=self.reference.gone_until_s) for one in found]

    def align(self, *, finished: bool = False, by_arrival: bool = True) -> list[Stretch]:
        """As `due`, laid over at once.

        Args:
            finished: The reference is not waited for.
            by_arrival: Of two live streams delays count from when they came, which is known better as time goes on;
                else, as those of others, each on its own clock.
        """
        dues = self.due(finished=finished)
        found = zip(dues, laid_abreast(dues), strict=True)
        return [stretch for one, laid in found for stretch in self.settle(one, laid, by_arrival=by_arrival)]

    def settle(self, one: Due, laid: Stretch | None, *, by_arrival: bool = True) -> list[Stretch]:
        """What is known once what was due has been laid over, in its order.

        Args:
            one: What was due.
            laid: What `laid_abreast` made of it.
            by_arrival: As `align` has it.
        """
        one = one if by_arrival else replace(one, shift_s=0.0)
        found, self._unsettled = lay(one, self._unsettled, laid)
        return found

    @property
    def _has_waited(self) -> bool:
        if not self.live:
            return False
        limits = self.limits
        return self.strip.until_s > next_turn_s(self.carry, limits) - self._shift_s + PATIENCE_S
