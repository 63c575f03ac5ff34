"""The delay between two series of the same thing on even grids, by the place where they fit best."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpu_qa_kernels.cross_correlation import correlation_peaks, cross_correlation

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Around", "Fit", "Rows", "Sought", "best_fits"]


AROUND_S = 1.0
"""How far around the best place coefficients are kept, for people to see how it stands out."""


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


class Around(NamedTuple):
    """Coefficients within `AROUND_S` of the best place, as far as enough overlaps."""

    first_s: float
    """Delay of the first."""
    step_s: float
    """From each to the next."""
    coefficient: tuple[float, ...]


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
    around: Around
    """The coefficients beside it."""


@dataclass(frozen=True, slots=True, eq=False)
class Sought:
    """A fit that is looked for."""

    probe: Rows
    """As many rows as the reference, on a grid of the same step."""
    reference: Rows
    """What it is laid over; where many are laid over the same, the same object."""
    within_s: tuple[float, float]
    """Delays that are tried, from and to, seconds."""
    least_s: float
    """Least overlap that is judged, seconds."""
    apart_s: float
    """What lies farther from the peak is another peak, seconds."""
    peak_s: tuple[float, float] | None = None
    """Delays among which it is, from and to, seconds; null: any that is tried."""

    @property
    def shift_s(self) -> float:
        """The delay at lag 0."""
        return self.probe.start_s - self.reference.start_s

    @property
    def lags(self) -> tuple[int, int] | None:
        """First and last lag that is tried; null where no step overlaps."""
        step_s = self.probe.step_s
        first = math.ceil((self.within_s[0] - self.shift_s) / step_s - 1e-6)
        last = math.floor((self.within_s[1] - self.shift_s) / step_s + 1e-6)
        first, last = max(first, 1 - self.reference.values.shape[1]), min(last, self.probe.values.shape[1] - 1)
        return None if first > last else (first, last)


def best_fits(sought: Sequence[Sought]) -> list[Fit | None]:
    """The delay of each probe against its reference at which they fit best; null where none can be told.

    Those of the same shape are correlated in one call, which costs less than half and tells the same to the bit.
    """
    groups: dict[Any, list[int]] = {}
    for number, one in enumerate(sought):
        shapes = one.probe.values.shape, one.reference.values.shape
        groups.setdefault((one.lags, shapes, one.least_s, one.probe.step_s), []).append(number)
    found: list[Fit | None] = [None] * len(sought)
    for (lags, _, least_s, step_s), numbers in groups.items():
        if lags is None:
            continue
        asked = [sought[number] for number in numbers]
        # One that all share is transformed once.
        shared = asked[:1] if all(one.reference is asked[0].reference for one in asked) else asked
        curves = cross_correlation(
            np.stack([one.probe.values for one in asked]),
            np.stack([one.reference.values for one in shared]),
            lags=lags,
            min_overlap=max(2, round(least_s / step_s)),
            a_valid=np.stack([one.probe.valid for one in asked]),
            b_valid=np.stack([one.reference.valid for one in shared]),
        )
        for row, number in enumerate(numbers):
            found[number] = _fit(sought[number], curves.coefficient[row], curves.overlap[row], lags[0])
    return found


def _fit(sought: Sought, curve: np.ndarray, overlap: np.ndarray, first: int) -> Fit | None:
    """Where one curve over the lags from `first` on is highest."""
    step_s, shift_s = sought.probe.step_s, sought.shift_s
    among: tuple[int, int] | None = None
    if sought.peak_s is not None:
        among = round((sought.peak_s[0] - shift_s) / step_s), round((sought.peak_s[1] - shift_s) / step_s)
    apart = max(1, round(sought.apart_s / step_s))
    peaks = correlation_peaks(curve[None], first_lag=first, apart=apart, among=among)
    lag, coefficient, margin = (float(one[0]) for one in peaks[:3])
    if math.isnan(lag):
        return None
    overlap_s = float(overlap[round(lag) - first]) * step_s
    return Fit(
        lag * step_s + shift_s,
        coefficient,
        coefficient if math.isnan(margin) else margin,
        overlap_s,
        _sigma_s(curve, round(lag) - first, coefficient, overlap_s, step_s),
        _told_by_s(sought.probe, sought.reference, round(lag)),
        _around(curve, first, round(lag), step_s, shift_s),
    )


def _around(curve: np.ndarray, first: int, lag: int, step_s: float, shift_s: float) -> Around:
    """Up to where too little overlaps."""
    reach, at = round(AROUND_S / step_s), lag - first
    unknown = np.flatnonzero(~np.isfinite(curve))
    begin = max([0, at - reach, *(unknown[unknown < at][-1:] + 1).tolist()])
    end = min([len(curve), at + reach + 1, *unknown[unknown > at][:1].tolist()])
    return Around((first + begin) * step_s + shift_s, step_s, tuple(curve[begin:end].tolist()))


def _told_by_s(probe: Rows, reference: Rows, lag: int) -> float:
    """(Σ|c|)² / Σc² steps, of what each of them adds to the covariance: the participation ratio."""
    first, last = max(0, lag), min(probe.values.shape[1], reference.values.shape[1] + lag)
    ours, theirs = slice(first, last), slice(first - lag, last - lag)
    added = np.einsum("ft,ft->t", probe.values[:, ours], reference.values[:, theirs], dtype=np.float64)
    added = np.abs(added * (probe.valid[ours] & reference.valid[theirs]))
    return float(added.sum() ** 2 / max(float((added**2).sum()), 1e-30)) * probe.step_s


def _sigma_s(curve: np.ndarray, at: int, height: float, overlap_s: float, step_s: float) -> float:
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
