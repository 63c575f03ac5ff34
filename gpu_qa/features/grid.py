"""The strongest periodic grid of seams in a picture's profile, of whatever period: a codec's, perhaps scaled since.

A seam of a grid stands alone: of the profile only what exceeds its surroundings is kept, which leaves little of content
and nothing of the fine ripple of interpolation. The spectrum of that names periods, by three harmonics of each; of the
likeliest ones the lines are laid out and what lies on them is summed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from gpu_qa.media import VideoFormat
    from gpu_qa_kernels.seam_profile import SeamProfile

__all__ = ["Grid", "grids", "strongest_grid"]

LEAST_PERIOD = 6.0
MOST_PERIOD = 64.0
"""Samples: those of 8 of a codec made smaller by a quarter, up to blocks of 32 twice as large."""
LEAST_SIDE = 32
"""Samples of the shortest profile that is searched."""
_CANDIDATES = 3
"""Periods that are tried."""
_LEAST_LINES = 6
"""Lines of a grid: fewer may stand evenly by chance."""
_LEAST_SCORE = 6.5
"""A period's three harmonics together, in standard deviations of such a sum's parts, from which on it is tried.

The best of all periods had 5.3 (240 samples) to 6.1 (1920) in the median profile of noise and 7.3 in one of 100; of
2640 profiles of coded pictures with a grid 2580 had more than 9."""
_CHANCE = 7.0
"""A grid's excess, in standard deviations of a sum of as many lines anywhere, up to which it is taken for chance.

The best of all periods in profiles of noise had 4 to 5 at the median and, in 99 of 100, less than 8 where they were
100 samples long, 6.5 at 1080 and 6 at 1920; grids of coded pictures had 8 to 30."""
_SHIFTS = np.arange(-1.5, 1.6, 0.75)
"""Samples by which lines are tried to lie beside where the spectrum's phase has them."""


class Grid(NamedTuple):
    """A grid in one direction."""

    period: float
    """Samples."""
    strength: float
    """Mean excess of seams on its lines over those off them, in the unit of the profile; 0 without a grid."""


NO_GRID = Grid(0.0, 0.0)


def grids(profile: SeamProfile, shown: VideoFormat, full_scale: float) -> np.ndarray:
    """The strongest grids of a picture, float32 [2 (across, down), 2 (period, strength)].

    Args:
        profile: Of the picture.
        shown: Its format.
        full_scale: White minus black in 8-bit codes.
    """
    code = 2.0 ** (shown.bit_depth - 8) * full_scale
    across = strongest_grid(profile.across / (code * shown.height))
    down = strongest_grid(profile.down / (code * shown.width))
    return np.array([across, down], np.float32)


def strongest_grid(profile: np.ndarray) -> Grid:
    """The grid that stands out most from chance; none (0, 0) where none does, or in less than `LEAST_SIDE` samples.

    Args:
        profile: float64 [N], 0 or more: mean seam per line.
    """
    size = len(profile)
    if size < LEAST_SIDE:
        return NO_GRID
    alone = _alone(profile)
    if not alone.any():
        return NO_GRID
    # One strong edge of the content must not outweigh a grid.
    values = np.minimum(alone, 3.0 * alone[alone > 0].mean())
    values -= values.mean()
    deviation = values.std()
    candidates = _candidates(values, _LEAST_SCORE * deviation * np.sqrt(size))
    if not candidates:
        return NO_GRID
    most, lines, numbers = max((_laid_out(values, *candidate) for candidate in candidates), key=lambda one: one[0])
    if most <= _CHANCE * deviation:
        return NO_GRID
    strength = _strength(alone, lines)
    return Grid(_period(alone, lines, numbers), strength) if strength > 0 else NO_GRID


def _alone(profile: np.ndarray) -> np.ndarray:
    """By how much each value exceeds those two and three places off on both sides: scaling spreads a line over two."""
    alone = np.zeros_like(profile)
    beside = np.maximum.reduce([profile[:-6], profile[1:-5], profile[5:-1], profile[6:]])
    np.maximum(profile[3:-3] - beside, 0.0, out=alone[3:-3])
    return alone


@lru_cache(maxsize=64)
def _bins(size: int) -> tuple[int, tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    """Of a profile's spectrum: the transform's length, the bins of each period's harmonics, and its weight.

    Returns:
        Length; intp [B] each: bins of the first, second and third harmonic; float64 [B]: the period to the power of ¼.
        Half a grid's period has the same harmonics as the period itself, which is therefore preferred; twice the period
        has one of the three.
    """
    length = 1 << (4 * size - 1).bit_length()
    most = min(MOST_PERIOD, size / _LEAST_LINES)
    third = np.arange(-int(-3 * length // most), int(3 * length / LEAST_PERIOD) + 1)
    first, second = np.rint(third / 3).astype(np.intp), np.rint(2 * third / 3).astype(np.intp)
    return length, (first, second, third), (3 * length / third) ** 0.25


def _candidates(values: np.ndarray, least: float) -> list[tuple[float, float]]:
    """The likeliest periods with harmonics of at least so much, and where a line is near the profile's middle."""
    length, (first, second, third), weight = _bins(len(values))
    spectrum = np.fft.rfft(values, length)
    power = np.abs(spectrum)
    score = power.take(first)
    score += power.take(second)
    score += power.take(third)
    if not score.max(initial=0.0) >= least:
        return []
    score = np.where(score >= least, score * weight, 0.0)
    beside = np.pad(score, 1)
    peaks = np.flatnonzero((score > beside[:-2]) & (score >= beside[2:]))
    best = peaks[np.argsort(-score[peaks], kind="stable")[:_CANDIDATES]]
    middle = len(values) / 2
    found = []
    for one, three in zip(first[best].tolist(), third[best].tolist(), strict=True):
        period = 3 * length / three
        turns = -np.angle(spectrum[one]) / (2 * np.pi) - one / length * middle
        found.append((period, middle + turns % 1.0 * period))
    return found


def _laid_out(values: np.ndarray, period: float, phase: float) -> tuple[float, np.ndarray, np.ndarray]:
    """The best grid of about this period and phase: Σ over its n lines / √n, their places and their numbers."""
    size = len(values)
    # The spectrum tells periods apart that drift by 1/12 of one over the whole profile; a step here is a sample of it.
    reach = int(np.ceil(period / 12))
    periods = period + np.arange(-reach, reach + 1) * (period / size)
    count = int(size / 2 / period) + 2
    numbers = np.arange(-count, count + 1)
    lines = np.rint(phase + _SHIFTS[None, :, None] + periods[:, None, None] * numbers).astype(np.intp)
    inside = (lines >= 0) & (lines < size)
    summed = np.where(inside, values[np.clip(lines, 0, size - 1)], 0.0).sum(axis=2)
    summed /= np.sqrt(inside.sum(axis=2))
    i, j = np.unravel_index(summed.argmax(), summed.shape)
    chosen = inside[i, j]
    return float(summed[i, j]), lines[i, j][chosen], numbers[chosen]


def _period(alone: np.ndarray, lines: np.ndarray, numbers: np.ndarray) -> float:
    """The period of the straight line through the lines' centers of mass, weighted by their strength."""
    places = np.clip(lines[:, None] + np.arange(-1, 2), 0, len(alone) - 1)
    # What stands alone counts as much as it does at most lines, not more.
    weights = alone[places]
    weights = np.minimum(weights, 2.0 * np.median(weights.max(axis=1)))
    total = weights.sum(axis=1)
    if np.count_nonzero(total) < 2:
        return float(np.diff(lines).mean())
    centers = (weights * places).sum(axis=1) / np.maximum(total, np.finfo(np.float64).tiny)
    mean = np.average(numbers, weights=total)
    spread = (total * (numbers - mean) ** 2).sum()
    return float((total * (numbers - mean) * centers).sum() / spread)


def _strength(alone: np.ndarray, lines: np.ndarray) -> float:
    off = np.ones(len(alone), np.bool_)
    off[lines] = False
    most = 2.0 * np.median(alone[lines])
    return float(np.minimum(alone[lines], most).mean() - np.minimum(alone[off], most).mean())
