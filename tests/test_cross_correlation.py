"""Correlation of many pairs of series at every lag: as defined, wherever they lie, within a budget of memory."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa_kernels.cross_correlation import correlation_peaks, cross_correlation
from gpu_qa_kernels.cross_correlation.reference import correlation_peaks_reference, cross_correlation_reference
from gpu_qa_kernels.cross_correlation.spectral import good_length
from tests.correlated import PLACES, Place, correlated, holes, noise, peaks, placed


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    return placed(request.param)


CASES: dict[str, dict[str, Any]] = {
    "random": {"a": noise(3, 240), "b": noise(3, 240, seed=1), "lags": (-239, 239)},
    "unequal lengths": {"a": noise(2, 301), "b": noise(2, 97, seed=1), "lags": (-96, 300)},
    "few lags": {"a": noise(2, 200), "b": noise(2, 200, seed=1), "lags": (-7, 12)},
    "one lag": {"a": noise(2, 200), "b": noise(2, 200, seed=1), "lags": (0, 0)},
    "later only": {"a": noise(2, 200), "b": noise(2, 150, seed=1), "lags": (5, 60)},
    "earlier only": {"a": noise(2, 200), "b": noise(2, 150, seed=1), "lags": (-80, -9)},
    "beyond the series": {"a": noise(2, 50), "b": noise(2, 60, seed=1), "lags": (-90, 70)},
    "never together": {"a": noise(2, 50), "b": noise(2, 60, seed=1), "lags": (50, 55)},
    "masked": {
        "a": noise(3, 240),
        "b": noise(3, 300, seed=1),
        "a_valid": holes(3, 240),
        "b_valid": holes(3, 300, seed=1),
        "lags": (-150, 150),
    },
    "rows": {"a": noise(2, 5, 180), "b": noise(2, 5, 140, seed=1), "a_valid": holes(2, 180), "lags": (-100, 100)},
    "one for all": {"a": noise(3, 2, 180), "b": noise(1, 2, 90, seed=1), "b_valid": holes(1, 90), "lags": (-50, 120)},
    "all for one": {"a": noise(1, 180), "b": noise(3, 90, seed=1), "b_valid": holes(3, 90), "lags": (-50, 120)},
    "high level": {"a": noise(2, 240) + 3e4, "b": noise(2, 240, seed=1) * 1e-4 - 1, "lags": (-60, 60)},
}


@pytest.mark.parametrize("name", CASES)
def test_equals_the_definition(place: Place, name: str) -> None:
    case = CASES[name] | {"min_overlap": 12}
    got, expected = correlated(place, **case), cross_correlation_reference(**case)
    assert got.coefficient.dtype == np.float64
    assert got.overlap.dtype == np.int32
    np.testing.assert_array_equal(got.overlap, expected.overlap)
    np.testing.assert_allclose(got.coefficient, expected.coefficient, rtol=0, atol=1e-9)
    if name != "never together":
        assert np.isfinite(got.coefficient).any()
    located = correlation_peaks_reference(expected.coefficient, first_lag=case["lags"][0], apart=4)
    for got_one, expected_one in zip(
        peaks(place, got.coefficient, first_lag=case["lags"][0], apart=4), located, strict=True
    ):
        np.testing.assert_allclose(got_one, expected_one, rtol=0, atol=1e-6)


def test_known_numbers(place: Place) -> None:
    a = np.array([[0, 0, 1, 0, 0, 0]], np.float32)
    b = np.array([[1, 0, 0, 0]], np.float32)
    got = correlated(place, a, b, lags=(-1, 3), min_overlap=2)
    assert got.overlap[0].tolist() == [3, 4, 4, 4, 3]
    # At lag −1 no 1 of `b` is left, which makes it flat; at lag 3 none of `a`.
    np.testing.assert_allclose(got.coefficient[0], [np.nan, -1 / 3, -1 / 3, 1, np.nan], atol=1e-12)


def test_flat_series_have_no_coefficient(place: Place) -> None:
    a, b = noise(4, 200), noise(4, 200, seed=1)
    a[0] = 7.3
    b[1] = 0.1
    a[2, :100] = 2.7
    a[3], b[3] = -1.1, 1e30
    got = correlated(place, a, b, lags=(-150, 150), min_overlap=10)
    assert np.isnan(got.coefficient[[0, 1, 3]]).all()
    # From lag −100 back only the constant half of the third one is left.
    np.testing.assert_array_equal(np.isnan(got.coefficient[2]), np.arange(-150, 151) <= -100)
    assert (got.overlap[0] == 200 - np.abs(np.arange(-150, 151))).all()


def test_rows_count_as_much_as_they_vary(place: Place) -> None:
    a, b = noise(1, 2, 200), noise(1, 2, 200, seed=1)
    b[0, 0] = a[0, 0]
    rest: dict[str, Any] = {"lags": (-3, 3), "min_overlap": 10}
    only = np.array([[1], [0]], np.float32)
    first_only = correlated(place, a * only, b * only, **rest)
    assert first_only.coefficient[0, 3] == pytest.approx(1, abs=1e-12)
    mixed = correlated(place, a, b, **rest).coefficient[0, 3]
    assert 0.3 < mixed < 0.7
    assert correlated(place, a * np.float32(9), b + np.float32(5), **rest).coefficient[0, 3] == pytest.approx(mixed)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_missing_samples_do_not_matter(place: Place, bad: float) -> None:
    a, b, valid = noise(2, 3, 300), noise(2, 3, 300, seed=1), holes(2, 300)
    spoilt = a.copy()
    spoilt.transpose(0, 2, 1)[~valid] = bad
    rest = {"lags": (-40, 40), "min_overlap": 10}
    clean = correlated(place, a, b, a_valid=valid, **rest)
    np.testing.assert_array_equal(correlated(place, spoilt, b, a_valid=valid, **rest).coefficient, clean.coefficient)
    if not np.isfinite(bad):
        one_row = a.copy()
        one_row[:, 1][~valid] = bad
        got = correlated(place, one_row, b, **rest)
        np.testing.assert_array_equal(got.overlap, clean.overlap)
        np.testing.assert_array_equal(got.coefficient, clean.coefficient)


def test_nothing_valid(place: Place) -> None:
    valid = np.zeros((2, 120), bool)
    valid[1] = True
    got = correlated(place, noise(2, 120), noise(2, 120, seed=1), b_valid=valid, lags=(-20, 20), min_overlap=5)
    assert np.isnan(got.coefficient[0]).all()
    assert not got.overlap[0].any()
    assert np.isfinite(got.coefficient[1]).all()


def test_small_overlaps_have_no_coefficient(place: Place) -> None:
    got = correlated(place, noise(1, 100), noise(1, 100, seed=1), lags=(-99, 99), min_overlap=30)
    np.testing.assert_array_equal(np.isnan(got.coefficient[0]), np.abs(np.arange(-99, 100)) > 70)
    least = correlated(place, noise(1, 100), noise(1, 100, seed=1), lags=(-98, 98), min_overlap=2)
    assert np.abs(least.coefficient[0, [0, -1]]) == pytest.approx(1, abs=1e-9)  # two points lie on a line


def test_long_series_with_steps_of_level(place: Place) -> None:
    """Where single precision fails: what varies is small beside the steps, which lie outside many overlaps."""
    steps = np.where(np.arange(9000) > 8500, 1e3, 0)
    a, b = (noise(2, 9000) + steps).astype(np.float32), (noise(2, 9000) * 0.5 + np.roll(steps, 40)).astype(np.float32)
    b += noise(2, 9000, seed=1)
    for lags in ((-8800, -8600), (-300, 300), (8600, 8800)):
        case = {"lags": lags, "min_overlap": 200}
        got, expected = correlated(place, a, b, **case), cross_correlation_reference(a, b, **case)  # type: ignore[arg-type]
        np.testing.assert_array_equal(got.overlap, expected.overlap)
        np.testing.assert_allclose(got.coefficient, expected.coefficient, rtol=0, atol=1e-6)


def test_nearly_flat_overlaps_are_right_or_unknown(place: Place) -> None:
    """200 samples of 36 000, with ever less of the whole's variance."""
    shape, other = noise(1, 36_000), noise(1, 36_000, seed=1)
    known = 0
    for level in 10.0 ** np.arange(2, 7):
        a = np.where(np.arange(36_000) < 200, shape, shape * np.float32(level)).astype(np.float32)
        case = {"lags": (-35_800, -35_800), "min_overlap": 200}
        got = correlated(place, a, other, **case).coefficient
        expected = cross_correlation_reference(a, other, **case).coefficient  # type: ignore[arg-type]
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)
        known += int(np.isfinite(expected).sum())
    assert 1 <= known < 5


def test_a_batch_is_what_its_pairs_are_one_by_one(place: Place) -> None:
    a, b, valid = noise(7, 2, 500), noise(7, 2, 400, seed=1), holes(7, 500)
    rest: dict[str, Any] = {"lags": (-90, 130), "min_overlap": 50}
    whole = correlated(place, a, b, a_valid=valid, **rest)
    found = peaks(place, whole.coefficient, first_lag=-90, apart=5)
    for s in range(7):
        one = slice(s, s + 1)
        alone = correlated(place, a[one], b[one], a_valid=valid[one], **rest)
        np.testing.assert_array_equal(alone.overlap, whole.overlap[one])
        np.testing.assert_allclose(alone.coefficient, whole.coefficient[one], rtol=0, atol=1e-12)
        for together, apart in zip(found, peaks(place, alone.coefficient, first_lag=-90, apart=5), strict=True):
            np.testing.assert_allclose(together[one], apart, rtol=0, atol=1e-9)


def test_any_budget_gives_the_same(place: Place) -> None:
    a, b, valid = noise(7, 500), noise(1, 400, seed=1), holes(7, 500)
    rest: dict[str, Any] = {"a_valid": valid, "lags": (-90, 130), "min_overlap": 50}
    whole = correlated(place, a, b, **rest)
    for budget in (1, 300_000, 700_000):
        parts = correlated(place, a, b, budget_bytes=budget, **rest)
        np.testing.assert_array_equal(parts.overlap, whole.overlap)
        np.testing.assert_allclose(parts.coefficient, whole.coefficient, rtol=0, atol=1e-12)


def test_the_same_call_gives_the_same_bits(place: Place) -> None:
    case = CASES["masked"] | {"min_overlap": 12}
    np.testing.assert_array_equal(correlated(place, **case).coefficient, correlated(place, **case).coefficient)


@pytest.mark.parametrize(("rows", "lags"), [(1, (-100, 100)), (1, (-2999, 2999)), (6, (-2999, 2999))])
def test_memory_keeps_to_the_budget(rows: int, lags: tuple[int, int]) -> None:
    a, b, valid = noise(40, rows, 3000), noise(40, rows, 3000, seed=1), holes(40, 3000)
    budget = 8 * 2**20
    tracemalloc.start()
    try:
        result = cross_correlation(a, b, lags=lags, min_overlap=9, a_valid=valid, b_valid=valid, budget_bytes=budget)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    kept = sum(array.nbytes for array in result)
    assert budget / 3 < peak - kept < budget


@settings(max_examples=40, deadline=None)
@given(
    first=st.integers(-150, 150),
    count=st.integers(1, 120),
    sizes=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    seed=st.integers(0, 9),
)
def test_any_range_of_lags(first: int, count: int, sizes: tuple[int, int], seed: int) -> None:
    """Lags outside the range wrap around; none may reach into it."""
    a, b = noise(1, sizes[0], seed=seed), noise(1, sizes[1], seed=seed + 10)
    case: dict[str, Any] = {"lags": (first, first + count - 1), "min_overlap": 3}
    got, expected = cross_correlation(a, b, **case), cross_correlation_reference(a, b, **case)
    np.testing.assert_array_equal(got.overlap, expected.overlap)
    np.testing.assert_allclose(got.coefficient, expected.coefficient, rtol=0, atol=1e-9)


def test_no_pairs(place: Place) -> None:
    none = np.zeros((0, 10), np.float32)
    got = correlated(place, none, none, lags=(-3, 3), min_overlap=2)
    assert got.coefficient.shape == got.overlap.shape == (0, 7)
    assert peaks(place, got.coefficient, first_lag=-3, apart=1).lag.shape == (0,)


def test_lengths_of_transforms() -> None:
    def is_smooth(number: int) -> bool:
        for factor in (2, 3, 5, 7):
            while number % factor == 0:
                number //= factor
        return number == 1

    smooth = [number for number in range(2, 3001, 2) if is_smooth(number)]
    for least in range(1, 2900):
        assert good_length(least) == next(number for number in smooth if number >= least)


GOOD: dict[str, Any] = {"a": noise(2, 3, 50), "b": noise(2, 3, 40), "lags": (-5, 5), "min_overlap": 10}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a": noise(50)}, r"a: expected float32 \[S, T\] or \[S, F, T\], got float32 \[50\]"),
        ({"b": noise(2, 3, 40).astype(np.float64)}, "b: expected float32 .* got float64"),
        ({"a": noise(2, 3, 0)}, "a: expected at least one sample"),
        ({"a": noise(2, 50)}, "a and b: expected as many rows"),
        ({"a": noise(2, 4, 50)}, "a and b: expected as many rows"),
        ({"a": noise(3, 3, 50)}, "a and b: expected as many series"),
        ({"a_valid": np.ones((2, 40), bool)}, r"a_valid: expected bool \[2, 50\], got bool \[2, 40\]"),
        ({"b_valid": np.ones((2, 40), np.float32)}, "b_valid: expected bool"),
        ({"lags": (5, -5)}, r"lags: expected \(first, last\), got \(5, -5\)"),
        ({"min_overlap": 1}, "min_overlap: expected at least 2"),
        ({"budget_bytes": 0}, "budget_bytes: expected more than 0"),
        ({"b": torch.zeros(2, 3, 40)}, "expected in one place, got numpy on cpu, torch on cpu"),
        ({"a_valid": torch.ones(2, 50, dtype=torch.bool)}, "expected in one place"),
    ],
)
def test_bad_arguments(changes: dict[str, Any], message: str) -> None:
    cross_correlation(**GOOD)
    with pytest.raises(ValueError, match=message):
        cross_correlation(**(GOOD | changes))


def test_torch_is_not_needed() -> None:
    """NumPy arrays are correlated where torch cannot be imported."""
    code = """
import sys
sys.modules["torch"] = None
import numpy as np
from gpu_qa_kernels.cross_correlation import correlation_peaks, cross_correlation
series = np.random.default_rng(0).normal(size=(2, 300)).astype(np.float32)
found = cross_correlation(series, np.roll(series, 7, 1), lags=(-20, 20), min_overlap=50)
assert (abs(correlation_peaks(found.coefficient, first_lag=-20, apart=3).lag + 7) < 0.1).all()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_nothing_comes_back_to_the_host_meanwhile() -> None:
    """A device without memory refuses whatever asks for a value, and to meet a tensor of another device."""
    a, b = torch.zeros(5, 2, 300, device="meta"), torch.zeros(1, 2, 200, device="meta")
    valid = torch.ones(5, 300, dtype=torch.bool, device="meta")
    curves = cross_correlation(a, b, lags=(-50, 60), min_overlap=20, a_valid=valid, budget_bytes=200_000)
    found = correlation_peaks(curves.coefficient, first_lag=-50, apart=4)
    assert {array.device.type for array in (*curves, *found)} == {"meta"}
    assert {tuple(array.shape) for array in found} == {(5,)}
