"""Bursts: short marks that belong together, such as holes or clicks, followed over time into steps of evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

KEPT = 16
"""Marks of a burst that are kept, for its details."""
_CLEAR_S = 10.0
"""How long after the last mark it is said that there are none."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something short that was found."""

    start_s: float
    end_s: float
    alone: bool
    """Worth telling without others near it."""
    about: Any = None
    """What its detector wants to keep of it."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Marks that belong together."""

    start_s: float
    marks: tuple[Mark, ...]
    """The last `KEPT`."""
    count: int = 1
    length_s: float = 0.0
    """Of all marks together."""
    told: bool = False
    open: bool = False
    """An event may be open that this burst or one before it began."""

    @property
    def end_s(self) -> float:
        """Of the last mark."""
        return self.marks[-1].end_s

    @property
    def times_s(self) -> list[float]:
        """Starts of its marks."""
        return [round(mark.start_s, 4) for mark in self.marks]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of evidence in the making."""

    start_s: float
    end_s: float
    verdict: int
    burst: Burst


@dataclass(frozen=True, slots=True)
class BurstRules:
    """When marks belong together, and when they are told."""

    join_s: float
    """Marks less than this apart belong together."""
    need: int
    """As many marks are told that are not told alone."""
    wait_s: float
    """How long after a mark's end it may take until the next one that belongs to it is known."""


def followed(
    hops: tuple[np.ndarray, np.ndarray],
    marks: Sequence[tuple[int, Mark]],
    burst: Burst | None,
    rules: BurstRules,
) -> tuple[list[Step], Burst | None]:
    """Follow a burst hop by hop, so that any cut of a stream gives the same steps.

    Args:
        hops: Start and end of each hop in seconds.
        marks: In order, each with the hop in which it became known.
        burst: As it stood before; null for none.
        rules: When marks belong together.
    """
    steps: list[Step] = []
    if not marks and burst is None:
        return steps, burst
    left = list(marks)
    for hop, (from_s, now_s) in enumerate(zip(hops[0].tolist(), hops[1].tolist(), strict=True)):
        while left and left[0][0] == hop:
            mark = left.pop(0)[1]
            if burst is not None and mark.start_s < burst.end_s:
                continue
            if burst is not None and burst.told and mark.start_s - burst.end_s > rules.join_s:
                steps.append(Step(burst.end_s, mark.start_s, -1, burst))
            burst, told_from_s = _with(burst, mark, rules)
            if told_from_s is not None:
                steps.append(Step(told_from_s, mark.end_s, 1, burst))
        if burst is None or now_s - burst.end_s <= rules.wait_s:
            continue
        if not burst.open or now_s - burst.end_s > rules.wait_s + _CLEAR_S:
            burst = None
            continue
        clear_s = burst.end_s if burst.told else from_s - rules.wait_s
        burst = replace(burst, told=False)
        steps.append(Step(clear_s, max(clear_s, now_s - rules.wait_s), -1, burst))
    return steps, burst


def _with(burst: Burst | None, mark: Mark, rules: BurstRules) -> tuple[Burst, float | None]:
    """The burst with one more mark, and from when on it is now told; null where it is not."""
    length_s = mark.end_s - mark.start_s
    if burst is None or mark.start_s - burst.end_s > rules.join_s:
        longer = Burst(mark.start_s, (mark,), length_s=length_s, open=burst is not None and burst.open)
    else:
        longer = replace(
            burst, marks=(*burst.marks, mark)[-KEPT:], count=burst.count + 1, length_s=burst.length_s + length_s
        )
    if longer.count < rules.need and not mark.alone and not longer.told:
        return longer, None
    from_s = longer.marks[-2].end_s if longer.told else longer.start_s
    return replace(longer, told=True, open=True), from_s


def step_arrays(steps: Sequence[Step]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start, end and verdict of steps, as `Evidence` takes them."""
    start_s, end_s = (np.array(values, np.float64) for values in ([s.start_s for s in steps], [s.end_s for s in steps]))
    return start_s, end_s, np.array([step.verdict for step in steps], np.int8)


def objects(values: Sequence[Any]) -> np.ndarray:
    """Object [T] of JSON values; lists stay lists."""
    array = np.empty(len(values), object)
    for index, value in enumerate(values):
        array[index] = value
    return array
