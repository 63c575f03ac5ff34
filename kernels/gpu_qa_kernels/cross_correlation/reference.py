"""The definition of `cross_correlation` and `correlation_peaks`: sums over each overlap, clear and slow."""

from __future__ import annotations

import math

import numpy as np

from gpu_qa_kernels.cross_correlation.contract import FLAT, REACH, STEPS, TAPER, Correlation, Peaks

__all__ = ["correlation_peaks_reference", "cross_correlation_reference"]


def cross_correlation_reference(
    a: np.ndarray,
    b: np.ndarray,
    *,
    lags: tuple[int, int],
    min_overlap: int,
    a_valid: np.ndarray | None = None,
    b_valid: np.ndarray | None = None,
) -> Correlation:
    """Correlate series; arguments and result as `gpu_qa_kernels.cross_correlation.cross_correlation`."""
    pairs = len(a) if len(b) == 1 else len(b)
    numbers = range(lags[0], lags[1] + 1)
    coefficient = np.full((pairs, len(numbers)), np.nan)
    overlap = np.zeros((pairs, len(numbers)), np.int32)
    for s in range(pairs):
        x, x_valid = _one(a, a_valid, s)
        y, y_valid = _one(b, b_valid, s)
        x_flat, y_flat = FLAT * _variance(x[:, x_valid]), FLAT * _variance(y[:, y_valid])
        for i, lag in enumerate(numbers):
            # x[t + lag] stands beside y[t].
            begin, end = max(0, -lag), min(y.shape[1], x.shape[1] - lag)
            if begin >= end:
                continue
            both = x_valid[begin + lag : end + lag] & y_valid[begin:end]
            overlap[s, i] = both.sum()
            if overlap[s, i] < min_overlap:
                continue
            u, v = x[:, begin + lag : end + lag][:, both], y[:, begin:end][:, both]
            if _variance(u) <= x_flat or _variance(v) <= y_flat:
                continue
            u, v = u - u.mean(1, keepdims=True), v - v.mean(1, keepdims=True)
            coefficient[s, i] = np.clip((u * v).sum() / math.sqrt((u * u).sum() * (v * v).sum()), -1.0, 1.0)
    return Correlation(coefficient, overlap)


def _one(series: np.ndarray, valid: np.ndarray | None, s: int) -> tuple[np.ndarray, np.ndarray]:
    """One series as float64 [F, T] and which of its samples count."""
    i = 0 if len(series) == 1 else s
    rows = np.atleast_2d(series[i]).astype(np.float64)
    counted: np.ndarray = np.asarray(np.isfinite(rows).all(0))
    rows = np.where(counted, rows, 0.0)
    return rows, counted if valid is None else counted & valid[i]


def _variance(rows: np.ndarray) -> float:
    """Sum of the rows' variances; exactly 0 for constant rows, in which a mean would leave rounding errors."""
    return float(np.var(rows - rows[:, :1], axis=1).sum()) if rows.size else 0.0


def correlation_peaks_reference(
    coefficient: np.ndarray, *, first_lag: int, apart: int, among: tuple[int, int] | None = None
) -> Peaks:
    """Find peaks; arguments and result as `gpu_qa_kernels.cross_correlation.correlation_peaks`."""
    first, last = (0, coefficient.shape[1] - 1) if among is None else (one - first_lag for one in among)
    found = [_peak(curve, apart, max(first, 0), max(last + 1, 0)) for curve in coefficient]
    lag, height, margin, is_edge = (np.array(values) for values in zip(*found, strict=True))
    return Peaks(lag + first_lag, height, margin, is_edge)


def _peak(curve: np.ndarray, apart: int, begin: int, end: int) -> tuple[float, float, float, bool]:
    if np.isnan(curve[begin:end]).all():
        return math.nan, math.nan, math.nan, False
    top = begin + int(np.nanargmax(curve[begin:end]))
    far = [value for i, value in enumerate(curve) if abs(i - top) > apart and math.isfinite(value)]
    margin = curve[top] - max(far) if far else math.nan
    if not 0 < top < len(curve) - 1 or np.isnan(curve[top - 1 : top + 2]).any():
        return top, curve[top], margin, True
    if max(curve[top - 1], curve[top + 1]) > curve[top]:
        # Where only some lags may be the peak, the last of them may stand on a slope.
        return top, curve[top], margin, True
    near = curve[max(0, top - REACH) : top + REACH + 1]
    if len(near) < 2 * REACH + 1 or np.isnan(near).any():
        at, height = _parabola(curve[top - 1], curve[top], curve[top + 1])
        return top + at, min(height, 1.0), margin, False
    fine = [_between(near, step / STEPS) for step in range(-STEPS, STEPS + 1)]
    best = min(max(int(np.argmax(fine)), 1), len(fine) - 2)
    at, height = _parabola(*fine[best - 1 : best + 2])
    return top + (best - STEPS + at) / STEPS, min(height, 1.0), margin, False


def _parabola(before: float, here: float, after: float) -> tuple[float, float]:
    """Where a parabola through three neighbours has its top, in steps from the middle one, and how high it is."""
    bend = before - 2 * here + after
    at = (before - after) / (2 * bend) if bend < 0 else 0.0
    return at, here - at * (before - after) / 4


def _between(near: np.ndarray, place: float) -> float:
    """The curve at a place between lags: sinc under a Kaiser window, weights of sum 1."""
    weights = []
    for k in range(-REACH, REACH + 1):
        inside = 1.0 - ((place - k) / REACH) ** 2
        weights.append(float(np.sinc(place - k) * np.i0(TAPER * math.sqrt(inside))) if inside > 0 else 0.0)
    return math.fsum(w * c for w, c in zip(weights, near, strict=True)) / math.fsum(weights)
