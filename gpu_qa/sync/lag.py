"""The delay between two series of the same thing on even grids, by the place where they fit best."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa_kernels.cross_correlation import correlation_peaks, cross_correlation

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Fit", "Rows", "best_fit"]


@dataclass(frozen=True, slots=True)
class Rows:
    """F series that share a grid."""

    values: np.ndarray
    """float32 [F, N]."""
    valid: np.ndarray
    """bool [N]."""
    start_s: float
    """Start of the first step, seconds."""
    step_s: float
    """Length of a step, seconds."""


class Fit(NamedTuple):
    """Where a probe's series fit the reference's best."""

    delay_s: float
    """How much later the same comes in the probe."""
    coefficient: float
    """Pearson's, at most 1."""
    margin: float
    """By how much it exceeds the best one elsewhere; the coefficient itself where there is no elsewhere."""
    overlap_s: float
    """How much of both was laid over one another there."""
    sigma_s: float
    """Standard deviation of the delay, by the sharpness of the peak."""
    told_by_s: float
    """How long what decides lasts: little of the overlap where a single cut in both makes up the coefficient."""


def best_fit(
    probe: Rows,
    reference: Rows,
    *,
    within_s: tuple[float, float],
    least_s: float,
    apart_s: float,
    peak_s: tuple[float, float] | None = None,
) -> Fit | None:
    """The delay of the probe against the reference at which they fit best; null where none can be told.

    Args:
        probe: As many rows as the reference, on a grid of the same step.
        reference: What it is laid over.
        within_s: Delays that are tried, from and to, seconds.
        least_s: Least overlap that is judged, seconds.
        apart_s: What lies farther from the peak is another peak, seconds.
        peak_s: Delays among which it is, from and to, seconds; null: any that is tried.
    """
    step_s, shift_s = probe.step_s, probe.start_s - reference.start_s
    first = math.ceil((within_s[0] - shift_s) / step_s - 1e-6)
    last = math.floor((within_s[1] - shift_s) / step_s + 1e-6)
    # Beyond these no step overlaps.
    first, last = max(first, 1 - reference.values.shape[1]), min(last, probe.values.shape[1] - 1)
    if first > last:
        return None
    found = cross_correlation(
        probe.values[None],
        reference.values[None],
        lags=(first, last),
        min_overlap=max(2, round(least_s / step_s)),
        a_valid=probe.valid[None],
        b_valid=reference.valid[None],
    )
    among = None if peak_s is None else (round((peak_s[0] - shift_s) / step_s), round((peak_s[1] - shift_s) / step_s))
    apart = max(1, round(apart_s / step_s))
    peaks = correlation_peaks(found.coefficient, first_lag=first, apart=apart, among=among)
    lag, coefficient, margin = (float(one[0]) for one in peaks[:3])
    if math.isnan(lag):
        return None
    overlap_s = float(found.overlap[0, round(lag) - first]) * step_s
    return Fit(
        lag * step_s + shift_s,
        coefficient,
        coefficient if math.isnan(margin) else margin,
        overlap_s,
        _sigma_s(found.coefficient[0], round(lag) - first, coefficient, overlap_s, step_s),
        _told_by_s(probe, reference, round(lag)),
    )


def _told_by_s(probe: Rows, reference: Rows, lag: int) -> float:
    """(Σ|c|)² / Σc² steps, of what each of them adds to the covariance: the participation ratio."""
    first, last = max(0, lag), min(probe.values.shape[1], reference.values.shape[1] + lag)
    ours, theirs = slice(first, last), slice(first - lag, last - lag)
    added = np.einsum("ft,ft->t", probe.values[:, ours], reference.values[:, theirs], dtype=np.float64)
    added = np.abs(added * (probe.valid[ours] & reference.valid[theirs]))
    return float(added.sum() ** 2 / max(float((added**2).sum()), 1e-30)) * probe.step_s


def _sigma_s(curve: Sequence[float], at: int, height: float, overlap_s: float, step_s: float) -> float:
    """Standard deviation of a peak's place: σ² = (1 − ρ²) / (ρ · n · κ).

    κ is the curve's bend at its peak, in s⁻², and n the number of independent samples, taken as the overlap over the
    peak's own width 1/√κ: the bound of Cramér and Rao for the delay of a signal in white noise (Knapp and Carter 1976).
    """
    if not 0 < at < len(curve) - 1 or not height > 0:
        return math.inf
    bend = (2 * curve[at] - curve[at - 1] - curve[at + 1]) / step_s**2
    if not bend > 0:
        return math.inf
    independent = max(1.0, overlap_s * math.sqrt(bend))
    return math.sqrt(max(0.0, 1 - min(height, 1.0) ** 2) / (height * independent * bend))
