"""Drift: how a delay changes with time, apart from the moments at which it jumps."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Course", "Jump", "course"]

JUMP_S = 0.02
"""Two delays in a row, in seconds, that differ by more than this and by what drift explains are a jump: half a picture
at 25 per second, forty times the spread of delays that stay in copies of real clips; ours."""
MOST_PPM = 1000.0
"""Drift that is looked for; beyond it, 3.6 s an hour, delays jump all the time."""
LEAST_ANSWERS = 5
"""Delays from which on a drift is told."""
LEAST_S = 20.0
"""Least time that they span, seconds."""
MOST_ANSWERS = 400
"""A slope is taken from so many at most, evenly chosen: it is the median over all pairs."""


class Jump(NamedTuple):
    """A moment at which a delay changed at once."""

    at_s: float
    """Time of the probe, between the middles of two stretches."""
    by_s: float
    """How much more the delay was from then on: less than 0 where something was cut out, more where put in."""


class Course(NamedTuple):
    """A delay over time."""

    delay_s: float
    """Median of the longest part without a jump."""
    drift_ppm: float | None
    """Its slope there, millionths: positive where the probe runs slower; null where it is too short to tell."""
    sigma_ppm: float | None
    """Standard deviation of the slope."""
    jumps: tuple[Jump, ...]


def course(at_s: Sequence[float], delay_s: Sequence[float]) -> Course | None:
    """What a series of delays comes to; null without any.

    The slope is the median over all pairs of delays (Theil 1950, Sen 1968), so that single wrong ones do not matter.

    Args:
        at_s: Times of the probe, rising.
        delay_s: A delay at each.
    """
    if not len(at_s):
        return None
    times, delays = np.asarray(at_s, np.float64), np.asarray(delay_s, np.float64)
    allowed = JUMP_S + MOST_PPM * 1e-6 * np.diff(times)
    breaks = np.flatnonzero(np.abs(np.diff(delays)) > allowed) + 1
    parts = [part for part in np.split(np.arange(len(times)), breaks) if len(part)]
    # A single answer that no other one bears out is wrong, no jump.
    are_borne_out = any(len(part) > 1 for part in parts)
    kept: list[np.ndarray] = []
    for part in parts:
        if len(part) == 1 and are_borne_out:
            continue
        if kept and abs(delays[part[0]] - delays[kept[-1][-1]]) <= JUMP_S + MOST_PPM * 1e-6 * (
            times[part[0]] - times[kept[-1][-1]]
        ):
            kept[-1] = np.concatenate([kept[-1], part])
        else:
            kept.append(part)
    jumps = tuple(
        Jump(
            float((times[before[-1]] + times[after[0]]) / 2),
            float(np.median(delays[after[:5]]) - np.median(delays[before[-5:]])),
        )
        for before, after in itertools.pairwise(kept)
    )
    longest = max(kept, key=len)
    slope, sigma = _slope(times[longest], delays[longest])
    return Course(float(np.median(delays[longest])), slope, sigma, jumps)


def _slope(times: np.ndarray, delays: np.ndarray) -> tuple[float | None, float | None]:
    """Slope in millionths and its standard deviation."""
    if len(times) < LEAST_ANSWERS or times[-1] - times[0] < LEAST_S:
        return None, None
    if len(times) > MOST_ANSWERS:
        chosen = np.linspace(0, len(times) - 1, MOST_ANSWERS).astype(np.intp)
        times, delays = times[chosen], delays[chosen]
    one, other = np.triu_indices(len(times), 1)
    slope = float(np.median((delays[other] - delays[one]) / (times[other] - times[one])))
    rest = delays - slope * times
    spread = max(1.4826 * float(np.median(np.abs(rest - np.median(rest)))), 1e-4)
    # Neighbours share half of their stretch: half as many are independent.
    sigma = spread / float(np.sqrt(((times - times.mean()) ** 2).sum() / 2))
    return slope * 1e6, sigma * 1e6
