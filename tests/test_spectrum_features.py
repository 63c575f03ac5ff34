"""Spectra of a track: at any rate, cut anywhere, across gaps, and only where somebody wants them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.features import StreamFeatures
from gpu_qa.features.spectrum import LINES, SpectrumFeatures
from gpu_qa.media import AudioSamples, Track
from tests.sounds import RATE, noise, spectra_of, tone

RATES = [5_512, 6_000, 8_000, 10_500, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000]


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_and_noise_have_their_power_at_any_rate(rate: int) -> None:
    series = spectra_of(tone(2.0, 300.0, rate=rate) + noise(2.0, rate=rate, level_dbfs=-43.0), rate=rate)
    assert series.low.shape == (20, 2, LINES)
    assert series.line_hz == pytest.approx(2.0, rel=5e-4)
    level = 10 * np.log10(series.low)
    assert (level.argmax(axis=2) == 150).all()
    np.testing.assert_allclose(level.max(axis=2), -23.0, atol=0.3)
    assert np.isfinite(series.edges_hz).all()
    assert series.edges_hz[0] == 0
    assert series.edges_hz[-1] == rate / 2
    assert (np.diff(series.edges_hz) > 0).all()
    assert series.bands.shape == series.band_floor.shape == (20, 2, len(series.edges_hz) - 1)
    total_dbfs = 10 * np.log10(series.bands.sum(axis=2))
    np.testing.assert_allclose(total_dbfs, 10 * np.log10(10**-2.3 + 10**-4.3), atol=0.3)
    assert (series.band_floor <= series.bands).all()


@pytest.mark.parametrize("rate", RATES)
def test_what_is_above_the_lines_does_not_fold_onto_them(rate: int) -> None:
    for frequency in (0.3 * rate, 0.45 * rate):
        if frequency > 2600:
            series = spectra_of(tone(1.0, frequency, rate=rate), rate=rate)
            assert 10 * np.log10(series.low.max()) < -23 - 60


def test_bands_are_those_of_hearing() -> None:
    edges_hz = spectra_of(noise(1.0)).edges_hz.tolist()
    assert edges_hz[:6] == [0, 100, 200, 300, 400, 510]
    assert edges_hz[-4:] == [12_000, 15_500, 20_000, 24_000]


def test_the_floor_is_what_a_short_pause_leaves() -> None:
    sound = noise(1.0)
    sound[:, round(0.53 * RATE) : round(0.58 * RATE)] = 0
    series = spectra_of(sound)
    assert series.band_floor[5].max() < 1e-12
    assert series.bands[5].sum() > 0.001
    assert series.band_floor[4].min() > 1e-9


def test_steps_follow_one_another_and_cover_the_sound() -> None:
    series = spectra_of(noise(3.07), start_s=12.5)
    np.testing.assert_allclose(series.pts_s, 12.5 + np.arange(30) / 10)
    np.testing.assert_array_equal(series.end_s[:-1], series.pts_s[1:])


def test_a_line_begins_and_ends_where_the_tone_does() -> None:
    """Half of the window lies on either side of a step's middle: there the line has lost 6 dB."""
    sound = np.pad(tone(1.0, 100.0), ((0, 0), (RATE, RATE)))
    series = spectra_of(sound)
    level = 10 * np.log10(series.low[:, 0, 50] + 1e-20)
    there = np.flatnonzero(level >= -23 - 6.5)
    middle_s = (series.pts_s + series.end_s) / 2
    assert middle_s[there[0]] == pytest.approx(1.0, abs=0.06)
    assert middle_s[there[-1]] == pytest.approx(2.0, abs=0.06)


def test_too_short_for_a_window() -> None:
    features = SpectrumFeatures(1)
    assert features.flush(ended=True) == []
    assert features.add(_samples(noise(0.45)), 0.0) == []
    assert features.flush() == []
    assert features.flush(ended=True) == []


def test_a_gap_starts_anew() -> None:
    features = SpectrumFeatures(1)
    series = features.add(_samples(noise(1.0)), 0.0)
    series += features.add(_samples(noise(1.0)), 5.0)
    series += features.flush(ended=True)
    pts_s = np.concatenate([one.pts_s for one in series])
    np.testing.assert_allclose(pts_s, np.concatenate([np.arange(10) / 10, 5 + np.arange(10) / 10]))
    low = np.concatenate([one.low for one in series])
    np.testing.assert_array_equal(low[:10], low[10:])


def test_a_new_format_starts_anew() -> None:
    features = SpectrumFeatures(1)
    series = features.add(_samples(noise(1.0)), 0.0)
    series += features.add(_samples(noise(1.0, rate=16_000), rate=16_000), 1.0)
    series += features.flush(ended=True)
    assert [sum(len(one) for one in series if one.sample_rate == rate) for rate in (48_000, 16_000)] == [10, 10]


@pytest.mark.parametrize("rate", [11_025, 44_100, 48_000])
@given(st.lists(st.integers(0, 200_000), max_size=60))
@settings(max_examples=8, deadline=None)
def test_any_cut_gives_the_same_bits(rate: int, at: list[int]) -> None:
    sound = noise(3.3, rate=rate)
    whole = spectra_of(sound, rate=rate)
    parts = spectra_of(sound, rate=rate, cuts=[cut % sound.shape[1] for cut in at])
    for name in ("pts_s", "end_s", "low", "bands", "band_floor"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


@pytest.mark.parametrize("wanted", [True, False])
def test_a_stream_measures_them_where_they_are_wanted(wanted: bool) -> None:
    track = Track(1, "audio", "pcm_s16le", Fraction(1, RATE))
    features = StreamFeatures([track], spectra=wanted)
    measured = [features.take([], [_samples(noise(2.0))]), features.flush(ended=True)]
    assert sum(len(series) for one in measured for series in one.spectrum) == (20 if wanted else 0)
    assert sum(len(series) for one in measured for series in one.audio) == 200


def _samples(sound: np.ndarray, *, rate: int = RATE) -> AudioSamples:
    track = Track(1, "audio", "pcm_s16le", Fraction(1, rate))
    return AudioSamples(track, None, Fraction(1, rate), rate, ("FL", "FR"), sound)
