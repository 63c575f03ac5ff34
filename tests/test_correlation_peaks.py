"""The peaks of correlations: where series are alike, between samples, and which end of them comes later."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_qa_kernels.cross_correlation import correlation_peaks
from gpu_qa_kernels.cross_correlation.reference import correlation_peaks_reference
from tests.correlated import PLACES, Place, correlated, noise, peaks, placed


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    return placed(request.param)


def moved_noise(delays: np.ndarray, samples: int, band: float) -> tuple[np.ndarray, np.ndarray]:
    """Noise of up to `band` of half the rate, and the same earlier by `delays` samples: float32 [S, T] each."""
    whole = 4 * samples
    frequency = np.fft.rfftfreq(whole)
    rng = np.random.default_rng(3)
    spectra = rng.normal(size=(len(delays), len(frequency), 2)) @ np.array([1, 1j]) * (frequency < band / 2)
    late = np.fft.irfft(spectra, whole)
    early = np.fft.irfft(spectra * np.exp(2j * np.pi * frequency * delays[:, None]), whole)
    return (late[:, samples : 2 * samples].astype(np.float32), early[:, samples : 2 * samples].astype(np.float32))


def test_a_peak_at_a_positive_lag_says_that_a_comes_later(place: Place) -> None:
    """With the picture as `a`, av_offset = t_vision − t_sound: the clap is seen 12 hops of 10 ms after it is heard."""
    seen, heard = np.zeros((2, 1, 400), np.float32)
    seen[0, 212], heard[0, 200] = 1.0, 1.0
    for a, b, lag in ((seen, heard, 12), (heard, seen, -12)):
        curve = correlated(place, a, b, lags=(-50, 50), min_overlap=100)
        assert peaks(place, curve.coefficient, first_lag=-50, apart=5).lag[0] == pytest.approx(lag, abs=1e-4)


@pytest.mark.parametrize("offset", [-5800, -1, 4321, 5999])
def test_large_offsets(place: Place, offset: int) -> None:
    """Up to 60 s in series of 90 s of 100 hops/s, noisier than they are alike."""
    programme = noise(1, 21_000)
    a = programme[:, 6050 - offset :][:, :9000] + 1.5 * noise(1, 9000, seed=1)
    b = programme[:, 6050:][:, :9000] + 1.5 * noise(1, 9000, seed=2)
    got = correlated(place, a, b, lags=(-6000, 6000), min_overlap=2000)
    found = peaks(place, got.coefficient, first_lag=-6000, apart=10)
    assert found.lag[0] == pytest.approx(offset, abs=0.1)
    assert found.coefficient[0] == pytest.approx(1 / (1 + 1.5**2), abs=0.06)
    assert found.margin[0] > 0.15
    assert not found.is_edge[0]


@pytest.mark.parametrize(("band", "error"), [(0.1, 0.003), (0.3, 0.003), (0.8, 0.003), (1.0, 0.03)])
def test_fractional_delays(place: Place, band: float, error: float) -> None:
    delays = np.random.default_rng(5).uniform(-9, 9, 40)
    a, b = moved_noise(delays, 1500, band)
    got = correlated(place, a, b, lags=(-40, 40), min_overlap=1000)
    found = peaks(place, got.coefficient, first_lag=-40, apart=20)
    np.testing.assert_allclose(found.lag, delays, rtol=0, atol=error)
    assert found.coefficient.min() > 0.95
    assert found.coefficient.max() <= 1
    assert not found.is_edge.any()


def test_fractional_delays_near_the_end_of_the_lags(place: Place) -> None:
    delays = np.array([-9.4, 8.7, 3.3])
    a, b = moved_noise(delays, 1500, 0.3)
    got = correlated(place, a, b, lags=(-12, 12), min_overlap=1000)
    found = peaks(place, got.coefficient, first_lag=-12, apart=10)
    np.testing.assert_allclose(found.lag, delays, rtol=0, atol=0.02)
    outside = correlated(place, a, b, lags=(-9, 8), min_overlap=1000)
    found = peaks(place, outside.coefficient, first_lag=-9, apart=10)
    assert found.is_edge.tolist() == [True, True, False]
    assert found.lag[:2].tolist() == [-9, 8]


@given(
    curves=st.lists(st.lists(st.sampled_from([np.nan, -0.5, 0.0, 0.3, 0.31, 0.9, 1.0]), min_size=50, max_size=50)),
    among=st.none() | st.tuples(st.integers(-30, 40), st.integers(0, 60)).map(lambda one: (one[0], sum(one))),
)
def test_peaks_of_any_curves_equal_the_definition(curves: list[list[float]], among: tuple[int, int] | None) -> None:
    table = np.array([[np.nan] * 50, *curves])
    got = correlation_peaks(table, first_lag=-20, apart=3, among=among)
    wanted = correlation_peaks_reference(table, first_lag=-20, apart=3, among=among)
    for got_one, expected in zip(got, wanted, strict=True):
        np.testing.assert_allclose(got_one, expected, rtol=0, atol=1e-9)


def test_a_peak_may_be_looked_for_among_some_lags() -> None:
    curves = np.array([np.sinc(np.arange(-40, 41) / 2) + np.sinc((np.arange(-40, 41) - 15.4) / 2) * 1.1])
    assert correlation_peaks(np.clip(curves, -1, 1), first_lag=-40, apart=10).lag[0] == pytest.approx(15.4, abs=0.2)
    near = correlation_peaks(curves, first_lag=-40, apart=10, among=(-3, 3))
    assert near.lag[0] == pytest.approx(0.0, abs=0.2)
    assert near.margin[0] < 0
    slope = correlation_peaks(curves, first_lag=-40, apart=10, among=(12, 14))
    assert (slope.lag[0], slope.is_edge[0]) == (14, True)
    assert slope.coefficient[0] == curves[0, 54]
    with pytest.raises(ValueError, match="among"):
        correlation_peaks(curves, first_lag=-40, apart=10, among=(3, -3))


def test_peaks(place: Place) -> None:
    curves = np.full((5, 9), 0.1)
    curves[0, 3:6] = 0.5, 0.8, 0.5
    curves[0, 8] = 0.6
    curves[1] = np.nan
    curves[2, 0] = 0.9
    curves[3, 4], curves[3, 5] = 0.7, np.nan
    curves[4, 4], curves[4, [0, 1, 7, 8]] = 0.7, np.nan
    found = peaks(place, curves, first_lag=-4, apart=2)
    np.testing.assert_allclose(found.lag, [0, np.nan, -4, 0, 0], atol=1e-12)
    np.testing.assert_allclose(found.coefficient, [0.8, np.nan, 0.9, 0.7, 0.7], atol=1e-12)
    np.testing.assert_allclose(found.margin, [0.2, np.nan, 0.8, 0.6, np.nan], atol=1e-12)
    assert found.is_edge.tolist() == [False, False, True, True, False]


@pytest.mark.parametrize(
    ("curves", "apart", "message"),
    [
        (np.zeros(5), 1, r"expected float64 \[S, L\] of at least one lag, got float64 \[5\]"),
        (np.zeros((2, 0)), 1, "at least one lag"),
        (np.zeros((2, 5), np.float32), 1, "got float32"),
        (np.zeros((2, 5)), 0, "apart: expected at least 1 lag, got 0"),
    ],
)
def test_bad_curves(curves: np.ndarray, apart: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        correlation_peaks(curves, first_lag=0, apart=apart)
