"""`correlation_peaks` for many curves at once, written once for NumPy and torch: `xp` is either module."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from gpu_qa_kernels.cross_correlation.contract import REACH, STEPS, TAPER, Peaks

__all__ = ["correlation_peaks_batched"]


def correlation_peaks_batched(
    xp: Any, coefficient: Any, *, first_lag: int, apart: int, among: tuple[int, int] | None = None
) -> Peaks:
    """Find peaks; arguments and result as `gpu_qa_kernels.cross_correlation.correlation_peaks`."""
    curves, lags = coefficient.shape
    pair, index = xp.arange(curves, device=coefficient.device), xp.arange(lags, device=coefficient.device)
    known = xp.isfinite(coefficient)
    heights = xp.where(known, coefficient, -xp.inf)
    looked = heights
    if among is not None:
        inside = (index >= among[0] - first_lag) & (index <= among[1] - first_lag)
        looked = xp.where(inside, heights, -xp.inf)
    top = xp.argmax(looked, -1)
    highest = looked[pair, top]
    far = xp.where(xp.abs(index - top[:, None]) > apart, heights, -xp.inf)
    second = xp.amax(far, -1)

    around = top[:, None] + xp.arange(-REACH, REACH + 1, device=coefficient.device)
    near = coefficient[pair[:, None], xp.clip(around, 0, lags - 1)]
    near = xp.where((around >= 0) & (around < lags), near, xp.nan)
    before, after = near[:, REACH - 1], near[:, REACH + 1]
    # Where only some lags may be the peak, the last of them may stand on a slope.
    is_inner = (before <= highest) & (after <= highest)
    is_whole = is_inner & xp.isfinite(near).all(-1)

    coarse_at, coarse_height = _parabola(xp, before, highest, after)
    # Not a matrix product, whose order of summation depends on how many curves there are.
    weights = xp.asarray(_weights(), device=coefficient.device)
    fine = (xp.where(is_whole[:, None], near, 0.0)[:, None, :] * weights).sum(-1)
    best = xp.clip(xp.argmax(fine, -1), 1, 2 * STEPS - 1)
    fine_at, fine_height = _parabola(xp, fine[pair, best - 1], fine[pair, best], fine[pair, best + 1])

    at = xp.where(is_whole, (best - STEPS + fine_at) / STEPS, xp.where(is_inner, coarse_at, 0.0))
    height = xp.where(is_whole, fine_height, xp.where(is_inner, coarse_height, highest))
    has_peak = xp.isfinite(highest)
    return Peaks(
        xp.where(has_peak, top + at + first_lag, xp.nan),
        xp.where(has_peak, xp.clip(height, None, 1.0), xp.nan),
        xp.where(has_peak & xp.isfinite(second), highest - xp.where(xp.isfinite(second), second, 0.0), xp.nan),
        has_peak & ~is_inner,
    )


def _parabola(xp: Any, before: Any, here: Any, after: Any) -> tuple[Any, Any]:
    """Where parabolas through three neighbours have their tops, in steps from the middle one, and how high they are."""
    bend = before - 2 * here + after
    at = xp.where(bend < 0, (before - after) / (2 * xp.where(bend < 0, bend, 1.0)), 0.0)
    return at, here - at * (before - after) / 4


@functools.cache
def _weights() -> np.ndarray:
    """Of the lags around a peak, for places from a lag before it to one after: [2 · STEPS + 1, 2 · REACH + 1]."""
    distance = np.arange(-STEPS, STEPS + 1)[:, None] / STEPS - np.arange(-REACH, REACH + 1)
    inside = np.clip(1 - (distance / REACH) ** 2, 0, None)
    weights = np.where(inside > 0, np.sinc(distance) * np.i0(TAPER * np.sqrt(inside)), 0.0)
    normed: np.ndarray = weights / weights.sum(1, keepdims=True)
    return normed
