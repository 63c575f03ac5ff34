"""`cross_correlation` by Fourier transforms, written once for NumPy and torch: `xp` is either module.

Sums over the overlap at every lag are correlations themselves, of the series and of their squares with the masks
(D. Padfield, "Masked object registration in the Fourier domain", IEEE Transactions on Image Processing 21(5), 2012).
All in double precision: the variance over an overlap is a small difference of large sums.
"""

from __future__ import annotations

from typing import Any

from gpu_qa_kernels.cross_correlation.contract import FLAT, Correlation

__all__ = ["cross_correlation_spectral", "good_length"]

_POINTS = 24
"""Numbers of 8 bytes per point of the transform that a pair needs at once, at most; a test holds it to that."""


def good_length(least: int) -> int:
    """The smallest even number from `least` on that has no prime factor above 7: transforms of it are fast."""
    length = max(2, least + least % 2)
    while True:
        rest = length
        for factor in (2, 3, 5, 7):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 2


def cross_correlation_spectral(
    xp: Any,
    a: Any,
    b: Any,
    *,
    lags: tuple[int, int],
    min_overlap: int,
    a_valid: Any = None,
    b_valid: Any = None,
    budget_bytes: int,
    precision: str = "float64",
) -> Correlation:
    """Correlate series, as many pairs at a time as the budget allows.

    The rest as in `gpu_qa_kernels.cross_correlation.cross_correlation`; `xp` is NumPy or torch, whose the arrays are.
    The precision `float32` exists for the benchmark that shows why it is not used.
    """
    pairs = len(a) if len(b) == 1 else len(b)
    (first, last), T_a, T_b = lags, a.shape[-1], b.shape[-1]
    coefficient = xp.full((pairs, last - first + 1), xp.nan, dtype=xp.float64, device=a.device)
    overlap = xp.zeros((pairs, last - first + 1), dtype=xp.int32, device=a.device)
    low, high = max(first, 1 - T_b), min(last, T_a - 1)
    if low > high:
        return Correlation(coefficient, overlap)
    # Lags wrap around: the length keeps those outside of low … high, down to 1 − T_b and up to T_a − 1, off it.
    length = good_length(max(T_a, T_b, high + T_b, T_a - low))
    at_once = max(1, budget_bytes // (8 * _POINTS * length))
    columns = slice(low - first, high - first + 1)
    for begin in range(0, pairs, at_once):
        part = slice(begin, begin + at_once)
        coefficient[part, columns], overlap[part, columns] = _correlated(
            xp,
            (_part(a, part), _part(a_valid, part)),
            (_part(b, part), _part(b_valid, part)),
            window=(low, high, length),
            min_overlap=min_overlap,
            kind=getattr(xp, precision),
        )
    return Correlation(coefficient, overlap)


def _part(array: Any, part: slice) -> Any:
    """Some of the pairs; one array that all of them share stays."""
    return array if array is None or len(array) == 1 else array[part]


def _correlated(
    xp: Any, a: tuple[Any, Any], b: tuple[Any, Any], *, window: tuple[int, int, int], min_overlap: int, kind: Any
) -> tuple[Any, Any]:
    """Coefficient and overlap at the lags `low` … `high` of `window`, by transforms of its `length`."""
    low, high, length = window
    (a_series, a_mask), (b_series, b_mask) = a, b
    a_mask, b_mask = _counted(xp, a_series, a_mask), _counted(xp, b_series, b_mask)
    a_spans, b_spans = (xp.fft.rfft(xp.asarray(mask, dtype=kind), length) for mask in (a_mask, b_mask))

    def summed(product: Any) -> Any:
        """Σ over t of left[t + lag] · right[t], from left's spectrum times the conjugate of right's."""
        whole = xp.fft.irfft(product, length)
        if low >= 0:
            return whole[:, low : high + 1]
        if high < 0:
            return whole[:, length + low : length + high + 1]
        return xp.concat([whole[:, length + low :], whole[:, : high + 1]], -1)

    overlap = xp.round(summed(a_spans * b_spans.conj()))
    count = xp.clip(overlap, 1.0, None)
    a_energy: Any = 0.0
    b_energy: Any = 0.0
    cross: Any = 0.0
    products: Any = 0.0
    a_squares: Any = 0.0
    b_squares: Any = 0.0
    for row in range(1 if a_series.ndim == 2 else a_series.shape[1]):
        x, y = _centred(xp, a_series, a_mask, row, kind), _centred(xp, b_series, b_mask, row, kind)
        a_energy, b_energy = a_energy + x * x, b_energy + y * y
        x, y = xp.fft.rfft(x, length), xp.fft.rfft(y, length)
        cross = cross + x * y.conj()
        x, y = summed(x * b_spans.conj()), summed(a_spans * y.conj())
        products, a_squares, b_squares = products + x * y, a_squares + x * x, b_squares + y * y
    covariance = summed(cross) - products / count
    a_variance = summed(xp.fft.rfft(a_energy, length) * b_spans.conj()) - a_squares / count
    b_variance = summed(a_spans * xp.fft.rfft(b_energy, length).conj()) - b_squares / count
    a_flat, b_flat = (
        FLAT * (energy.sum(-1) / xp.clip(xp.asarray(mask.sum(-1), dtype=kind), 1.0, None))[:, None]
        for energy, mask in ((a_energy, a_mask), (b_energy, b_mask))
    )
    known = (overlap >= min_overlap) & (a_variance > a_flat * count) & (b_variance > b_flat * count)
    scale = xp.sqrt(xp.where(known, a_variance * b_variance, 1.0))
    coefficient = xp.where(known, xp.clip(covariance / scale, -1.0, 1.0), xp.nan)
    return coefficient, xp.asarray(overlap, dtype=xp.int32)


def _counted(xp: Any, series: Any, mask: Any) -> Any:
    """The samples that are valid and a number in every row, bool [S, T]."""
    for row in (series,) if series.ndim == 2 else (series[:, i] for i in range(series.shape[1])):
        finite = xp.isfinite(row)
        mask = finite if mask is None else mask & finite
    return mask


def _centred(xp: Any, series: Any, mask: Any, row: int, kind: Any) -> Any:
    """One row of each series less its mean, [S, T]; 0 where nothing counts, exactly 0 if it is constant."""
    values = xp.where(mask, xp.asarray(series if series.ndim == 2 else series[:, row], dtype=kind), 0.0)
    least = xp.amin(xp.where(mask, values, xp.inf), -1)
    values = xp.where(mask, values - xp.where(xp.isfinite(least), least, 0.0)[:, None], 0.0)
    mean = values.sum(-1) / xp.clip(xp.asarray(mask.sum(-1), dtype=kind), 1.0, None)
    return xp.where(mask, values - mean[:, None], 0.0)
