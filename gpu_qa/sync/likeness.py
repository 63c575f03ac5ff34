"""Likeness: whether a stream is its reference's programme, stretch by stretch, told once that is sure.

What is not found is other content only where the reference was there to be looked in. Before anything matched that is
all of the search, a minute to either side; afterwards it is the place where the stream stood last.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from gpu_qa.series import StreamFact
from gpu_qa.sync.placing import as_long
from gpu_qa.sync.summary import INSIDE_SHARE

if TYPE_CHECKING:
    from gpu_qa.sync.placing import Placing
    from gpu_qa.sync.reference import ReferenceLimits, Stretch

__all__ = ["Likeness"]

MOST_WAITING = 24
"""Stretches that wait for it to become sure that they are other content, two minutes of them."""
ENDS_S = 1.0
"""The reference's ends are known to this: what is searched need not reach closer to them."""
AT_LIMIT = 0.5
"""Confidence of what fits just badly enough; what fits nowhere at all has 1. Ours."""


class Likeness:
    """Judges the stretches of one stream, in order.

    Args:
        limits: Where the stream is looked for.
    """

    def __init__(self, limits: ReferenceLimits) -> None:
        self._limits = limits
        self._waiting: deque[Stretch] = deque(maxlen=MOST_WAITING)
        self._delay_s: float | None = None
        """Where it stood last."""

    def take(self, stretch: Stretch, reference: str) -> list[StreamFact]:
        """What has become sure with a stretch, in order of time.

        Args:
            stretch: The next one.
            reference: What the reference is called.
        """
        delays_s = [one.delay_s for one in (stretch.picture, stretch.sound) if one.delay_s is not None]
        if delays_s:
            self._delay_s = delays_s[0]
        if not _is_other(stretch):
            return [*self._settled(reference), self._fact(stretch, reference)] if delays_s else []
        if not self._was_looked_for(stretch):
            if self._delay_s is None:
                self._waiting.append(stretch)
            return []
        return [*self._settled(reference), self._fact(stretch, reference)]

    def rest(self, reference: str, *, whole: bool) -> list[StreamFact]:
        """What is told at the stream's end.

        Args:
            reference: What the reference is called.
            whole: Stream and reference are files and were read to their ends: there is nothing else to look in.
        """
        waiting, self._waiting = self._waiting, deque()
        return [self._fact(stretch, reference) for stretch in waiting] if whole and self._delay_s is None else []

    def _settled(self, reference: str) -> list[StreamFact]:
        """What waited, and is sure now: where it would have stood, or because it is nowhere so far."""
        waiting, self._waiting = self._waiting, deque(maxlen=MOST_WAITING)
        return [
            self._fact(stretch, reference)
            for stretch in waiting
            if self._delay_s is None or self._was_looked_for(stretch)
        ]

    def _was_looked_for(self, stretch: Stretch) -> bool:
        """Whether the reference was there where this stretch would be."""
        if stretch.looked_s is None:
            return False
        least_s, most_s = stretch.looked_s
        if self._delay_s is not None:
            beside_s = (1 - INSIDE_SHARE) * (stretch.end_s - stretch.start_s)
            return least_s - beside_s <= self._delay_s <= most_s + beside_s
        return least_s <= ENDS_S - self._limits.max_lead_s and most_s >= self._limits.max_delay_s - ENDS_S

    def _fact(self, stretch: Stretch, reference: str) -> StreamFact:
        others = [name for name, part in _parts(stretch) if part.state == "differs"]
        fits = [self._fits(part) for _, part in _parts(stretch) if part.state == "differs"]
        doubt = math.prod(AT_LIMIT * one / self._limits.differs_below for one in fits)
        what = " and ".join(others)
        return StreamFact(
            kind="reference",
            track="video",
            start_s=stretch.start_s,
            end_s=stretch.end_s,
            message=f"{what} not in the reference" if others else "as in the reference",
            details={
                "reference": reference,
                "what": what or None,
                "coefficient": max(fits, default=None),
                "confidence": 1.0 - doubt if others else 1.0,
            },
        )

    def _fits(self, part: Placing) -> float:
        """How well a part fits at its best place, as much as that says on a whole stretch: 0 … `differs_below`."""
        length_s = self._limits.stretch_s
        fits = as_long(part.coefficient or 0.0, length_s, length_s if part.overlap_s is None else part.overlap_s)
        return min(fits, self._limits.differs_below)


def _parts(stretch: Stretch) -> tuple[tuple[str, Placing], ...]:
    return ("picture", stretch.picture), ("sound", stretch.sound)


def _is_other(stretch: Stretch) -> bool:
    """Whether picture or sound is not in the reference."""
    return any(part.state == "differs" for _, part in _parts(stretch))
