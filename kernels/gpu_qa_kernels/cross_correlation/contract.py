"""What `cross_correlation` and `correlation_peaks` take and give, shared by the definition and the fast version."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = [
    "CARD_BUDGET_BYTES",
    "FLAT",
    "HOST_BUDGET_BYTES",
    "REACH",
    "STEPS",
    "TAPER",
    "Correlation",
    "Peaks",
    "check_curves",
    "check_series",
]

HOST_BUDGET_BYTES = 16 * 2**20
"""Memory for the work on the CPU: what caches hold. With 64 MiB a hundred pairs take longer
(benchmarks/correlation.py)."""
CARD_BUDGET_BYTES = 256 * 2**20
"""Memory for the work on a card, for few and large launches; chosen without a measurement."""
FLAT = 1e-8
"""A series has no shape over an overlap where its variance there is at most this part of its variance as a whole: what
is left of it in sums of double precision is then too little to tell (benchmarks/correlation.py)."""
REACH = 16
"""Lags on either side of a peak that place it between two lags."""
STEPS = 16
"""Places per lag at which the curve is interpolated."""
TAPER = 10.0
"""β of the Kaiser window over the interpolating sinc."""


class Correlation(NamedTuple):
    """Curves of S pairs over L lags, in memory of the kind and place of the series."""

    coefficient: Any
    """float64 [S, L], −1 to 1; NaN where fewer than `min_overlap` samples overlap or a series is flat (`FLAT`)."""
    overlap: Any
    """int32 [S, L]: samples that are valid in both series at this lag."""


class Peaks(NamedTuple):
    """The highest place of S curves; all NaN where a curve has no number."""

    lag: Any
    """float64 [S]: samples, between lags; a whole number where `is_edge`."""
    coefficient: Any
    """float64 [S]: the curve's height there, at most 1; between lags it may exceed that of all of them."""
    margin: Any
    """float64 [S]: the highest coefficient less the highest one of those more than `apart` lags away; NaN where there
    is none so far away; below 0 where the highest of all may not be the peak."""
    is_edge: Any
    """bool [S]: the highest coefficient stands at an end of the lags, beside one without a coefficient, or, where only
    some may be the peak, beside a higher one: the true peak may lie beyond."""


def check_series(
    a: Any,
    b: Any,
    *,
    lags: tuple[int, int],
    min_overlap: int,
    a_valid: Any,
    b_valid: Any,
    budget_bytes: int | None,
) -> None:
    """Raise `ValueError` where the arguments of `cross_correlation` do not fit one another."""
    for name, series in (("a", a), ("b", b)):
        if series.ndim not in (2, 3) or _kind(series) != "float32":
            raise ValueError(f"{name}: expected float32 [S, T] or [S, F, T], got {_shown(series)}")
        if not series.shape[-1] or (series.ndim == 3 and not series.shape[1]):
            raise ValueError(f"{name}: expected at least one sample and one row, got {_shown(series)}")
    if a.ndim != b.ndim or a.shape[1:-1] != b.shape[1:-1]:
        raise ValueError(f"a and b: expected as many rows in both, got {_shown(a)} and {_shown(b)}")
    if a.shape[0] != b.shape[0] and 1 not in (a.shape[0], b.shape[0]):
        raise ValueError(
            f"a and b: expected as many series in both, or one in one of them, got {_shown(a)}, {_shown(b)}"
        )
    for name, series, valid in (("a_valid", a, a_valid), ("b_valid", b, b_valid)):
        expected = (series.shape[0], series.shape[-1])
        if valid is not None and (tuple(valid.shape) != expected or _kind(valid) != "bool"):
            raise ValueError(f"{name}: expected bool {list(expected)}, got {_shown(valid)}")
    given = [one for one in (a, b, a_valid, b_valid) if one is not None]
    places = {(type(one).__module__.partition(".")[0], str(one.device)) for one in given}
    if len(places) > 1:
        shown = ", ".join(" on ".join(place) for place in sorted(places))
        raise ValueError(f"a, b and their masks: expected in one place, got {shown}")
    first, last = lags
    if first > last:
        raise ValueError(f"lags: expected (first, last), got ({first}, {last})")
    if min_overlap < 2:
        raise ValueError(f"min_overlap: expected at least 2 samples, got {min_overlap}")
    if budget_bytes is not None and budget_bytes <= 0:
        raise ValueError(f"budget_bytes: expected more than 0, got {budget_bytes}")


def check_curves(coefficient: Any, apart: int, among: tuple[int, int] | None = None) -> None:
    """Raise `ValueError` where the arguments of `correlation_peaks` do not fit."""
    if coefficient.ndim != 2 or _kind(coefficient) != "float64" or not coefficient.shape[1]:
        raise ValueError(f"coefficient: expected float64 [S, L] of at least one lag, got {_shown(coefficient)}")
    if apart < 1:
        raise ValueError(f"apart: expected at least 1 lag, got {apart}")
    if among is not None and among[0] > among[1]:
        raise ValueError(f"among: expected (first, last), got {among}")


def _kind(array: Any) -> str:
    return str(array.dtype).rpartition(".")[2]


def _shown(array: Any) -> str:
    return f"{_kind(array)} {list(array.shape)}"
