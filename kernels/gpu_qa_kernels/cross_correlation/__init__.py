"""Correlate many pairs of series over a range of lags, and find where they fit best.

The coefficient is Pearson's, taken anew at every lag over the samples that overlap there and are valid in both series,
so gaps, unequal lengths and a slow change of level do not pull it. Series may have several rows that share the lag;
then covariances and variances are summed over the rows: a row counts as much as it varies, and rows that are to count
alike are scaled before.

**Sign.** At lag n, a[t + n] stands beside b[t]: a peak at a positive lag says that an event comes later in `a` than in
`b`. With the picture as `a` and the sound as `b`, sampled alike from the same moment on, the lag is t_vision − t_sound,
and positive means that sound is advanced.

Series in host memory are correlated by NumPy, torch tensors by torch on the device that holds them, by the same lines
and both in double precision. torch is not imported here. They agree with the definition (`reference.py`), with one
another, and with themselves in batches of any size within 10⁻⁹; where a series varies much less over an overlap than
elsewhere, within 10⁻⁶. The same call gives the same bits on the same machine.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from gpu_qa_kernels.cross_correlation.contract import (
    CARD_BUDGET_BYTES,
    HOST_BUDGET_BYTES,
    Correlation,
    Peaks,
    check_curves,
    check_series,
)
from gpu_qa_kernels.cross_correlation.peak import correlation_peaks_batched
from gpu_qa_kernels.cross_correlation.spectral import cross_correlation_spectral

__all__ = [
    "CARD_BUDGET_BYTES",
    "HOST_BUDGET_BYTES",
    "Correlation",
    "Peaks",
    "correlation_peaks",
    "cross_correlation",
]


def cross_correlation(
    a: Any,
    b: Any,
    *,
    lags: tuple[int, int],
    min_overlap: int,
    a_valid: Any = None,
    b_valid: Any = None,
    budget_bytes: int | None = None,
) -> Correlation:
    """Correlate S pairs of series at every lag of a range.

    Args:
        a: float32 [S, T] or [S, F, T], NumPy or torch; samples that are no number in one of the rows are missing.
        b: The same, of its own length T in the same place; S may be 1 in either: that one goes with all of the other.
        lags: First and last lag, samples, both included; positive where `a` comes later. They may lie beyond any
            overlap.
        min_overlap: Samples, 2 at least; with fewer there is no coefficient.
        a_valid: bool [S, T]; false where a sample is missing: a gap, a still picture, the end of a short series. None:
            all are there.
        b_valid: The same of `b`.
        budget_bytes: Memory for the work, beside arguments and result; as many pairs are done at a time as keep to it,
            one at least. None: `HOST_BUDGET_BYTES`, for tensors on a card `CARD_BUDGET_BYTES`.

    Raises:
        ValueError: Types, shapes, places or numbers do not fit.
    """
    check_series(a, b, lags=lags, min_overlap=min_overlap, a_valid=a_valid, b_valid=b_valid, budget_bytes=budget_bytes)
    if budget_bytes is None:
        budget_bytes = HOST_BUDGET_BYTES if str(a.device) == "cpu" else CARD_BUDGET_BYTES
    return cross_correlation_spectral(
        _module(a),
        a,
        b,
        lags=lags,
        min_overlap=min_overlap,
        a_valid=a_valid,
        b_valid=b_valid,
        budget_bytes=budget_bytes,
    )


def correlation_peaks(coefficient: Any, *, first_lag: int, apart: int, among: tuple[int, int] | None = None) -> Peaks:
    """Find the highest place of S curves, between lags.

    Sampled series hold nothing above half their rate, so 16 lags on either side say what lies between two of them:
    within 0.003 samples for series of up to 0.8 of that band, 0.03 for all of it. Where some of the 16 are missing, a
    parabola through the peak and its neighbours has to do, which is up to 0.1 samples off for wide-band series and good
    for smooth ones. Only positive correlation counts.

    Args:
        coefficient: float64 [S, L]: `Correlation.coefficient`, or a mean of several; NaN: not known.
        first_lag: The lag of the first column, samples.
        apart: Lags; what lies farther from the peak is another peak. Half the width of a peak of these series, or more.
        among: First and last lag that may be the peak, both included; the others are other peaks and what is
            interpolated with. None: all may.

    Raises:
        ValueError: Types, shapes or numbers do not fit.
    """
    check_curves(coefficient, apart, among)
    return correlation_peaks_batched(_module(coefficient), coefficient, first_lag=first_lag, apart=apart, among=among)


def _module(array: Any) -> Any:
    """NumPy or torch, whichever the array is of."""
    return np if isinstance(array, np.ndarray) else sys.modules["torch"]
