"""Hiss: steady noise under a programme, with both ends, and not rooms, consonants or music."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.hiss import HISS, HissLimits
from tests.series_builder import assert_same_evidence, cut, spectrum_series, weighed
from tests.sounds import RATE, drums, events, noise, spectra_of, tone, voice

if TYPE_CHECKING:
    from gpu_qa.series import SpectrumSeries


def colored(made: np.ndarray, db_per_octave: float, *, rate: int = RATE) -> np.ndarray:
    """White noise as it is above 1 kHz, tilted around 4 kHz."""
    lines = np.fft.rfft(made)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(made.shape[1], 1 / rate), 1000.0) / 4000.0)
    return np.asarray(np.fft.irfft(lines * 10.0 ** (db_per_octave * octaves / 20.0), made.shape[1]), np.float32)


def hissed(
    sound: np.ndarray, start_s: float, end_s: float, *, level_dbfs: float = -45.0, tilt: float = 0.0, rate: int = RATE
) -> np.ndarray:
    """The sound with noise over a stretch, in each channel its own."""
    first, last = round(start_s * rate), min(round(end_s * rate), sound.shape[1])
    added = noise((last - first) / rate, rate=rate, level_dbfs=level_dbfs, seed=5)
    made = sound.copy()
    made[:, first:last] += colored(added, tilt, rate=rate)
    return made


@pytest.mark.parametrize("tilt", [0.0, -3.0, 2.0], ids=["white", "pink", "tape"])
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_hiss_is_told_with_both_ends(tilt: float, rate: int) -> None:
    sound = hissed(voice(12.0, rate=rate), 4.03, 7.58, tilt=tilt, rate=rate)
    (event,) = events(HISS, spectra_of(sound, rate=rate))
    assert (event.start_s, event.end_s) == pytest.approx((4.03, 7.58), abs=0.25)
    assert event.severity == "warn"
    assert event.details["onset"] == "sudden"
    assert event.details["tilt_db_per_octave"] == pytest.approx(tilt, abs=1.5)
    assert event.value is not None
    assert -52.0 < event.value < -42.0
    assert event.confidence == pytest.approx(0.9)


def test_hiss_that_was_always_there_is_for_information() -> None:
    (event,) = events(HISS, spectra_of(hissed(voice(12.0), 0.0, 12.0)))
    assert (event.start_s, event.end_s) == pytest.approx((0.0, 12.0), abs=0.11)
    assert (event.severity, event.details["onset"]) == ("info", "steady")


def test_the_programme_may_cover_it_for_a_while() -> None:
    sound = hissed(voice(14.0), 2.0, 12.0)
    sound[:, 6 * RATE : 8 * RATE] += noise(2.0, level_dbfs=-15.0, seed=8)
    (event,) = events(HISS, spectra_of(sound))
    assert (event.start_s, event.end_s) == pytest.approx((2.0, 12.0), abs=0.25)


def test_hiss_does_not_begin_with_the_end_of_a_silence() -> None:
    """It is the programme's own, before and after."""
    sound = hissed(voice(16.0), 0.0, 16.0)
    sound[:, 5 * RATE : 8 * RATE] = 0.0
    told = events(HISS, spectra_of(sound))
    assert told
    assert all((event.severity, event.details["onset"]) == ("info", "steady") for event in told)
    assert told[-1].start_s == pytest.approx(8.0, abs=0.11)


def test_hiss_that_comes_between_words_with_silence_around_them_is_sudden() -> None:
    gated = voice(14.0)
    pauses = np.convolve(np.abs(gated[0]), np.ones(2400) / 2400, "same") < 0.004
    gated[:, pauses] = 0.0
    (event,) = events(HISS, spectra_of(hissed(gated, 6.0, 14.0)))
    assert (event.severity, event.details["onset"]) == ("warn", "sudden")
    assert event.start_s == pytest.approx(6.0, abs=0.6)


def test_hiss_that_swells_is_told_when_it_has_stayed() -> None:
    swell = np.linspace(-80.0, -40.0, 4 * RATE)
    added = noise(14.0, level_dbfs=0.0, seed=5) * 10 ** (np.concatenate([swell, np.full(10 * RATE, -40.0)]) / 20)
    told = events(HISS, spectra_of((voice(14.0) + added).astype(np.float32)))
    assert [event.details["onset"] for event in told] == ["steady"]


def surf(duration_s: float) -> np.ndarray:
    """Noise that comes and goes, and falls off towards high frequencies."""
    t = np.arange(round(duration_s * RATE)) / RATE
    swell = 10.0 ** (6.0 * np.sin(2 * np.pi * 0.3 * t) / 20.0)
    return np.asarray(colored(noise(duration_s, level_dbfs=-30.0), -4.0) * swell, np.float32)


@pytest.mark.parametrize(
    "sound",
    [
        voice(12.0),
        hissed(voice(12.0), 3.0, 9.0, level_dbfs=-65.0),
        hissed(voice(12.0), 3.0, 4.2),
        hissed(voice(12.0), 0.0, 12.0, tilt=-7.0),
        surf(12.0),
        drums(12.0),
        noise(12.0),
        noise(12.0, level_dbfs=-40.0),
        tone(6.0, 1000.0),
        np.zeros((2, 6 * RATE), np.float32),
    ],
    ids=[
        "voice",
        "too weak",
        "too short",
        "room",
        "surf",
        "drums",
        "noise alone",
        "weak noise alone",
        "tone",
        "nothing",
    ],
)
def test_other_sound_is_left_alone(sound: np.ndarray) -> None:
    assert events(HISS, spectra_of(sound)) == []


def test_limits_change_what_is_told() -> None:
    series = spectra_of(hissed(voice(10.0), 3.0, 7.0))
    assert len(events(HISS, series)) == 1
    assert events(HISS, series, limits=HissLimits(raise_dbfs=-30.0)) == []
    with pytest.raises(ValueError, match="confirm_s"):
        HissLimits(confirm_s=0.1)


def test_nothing_in_nothing_out() -> None:
    assert HISS.weigh(spectrum_series(0.0), HISS.limits, None)[0] == []
    assert HISS.weigh(spectrum_series(1.0, channels=()), HISS.limits, None)[0] == []


def test_too_few_bands_say_nothing() -> None:
    assert events(HISS, spectra_of(noise(8.0, rate=4000, level_dbfs=-40.0), rate=4000)) == []


@pytest.fixture(scope="module")
def long() -> SpectrumSeries:
    return spectra_of(hissed(hissed(voice(18.0), 2.0, 6.0), 9.0, 17.0, level_dbfs=-40.0, tilt=-3.0))


@given(st.lists(st.integers(0, 180), max_size=40))
@settings(max_examples=25, deadline=None)
def test_any_cut_gives_the_same_evidence(long: SpectrumSeries, at: list[int]) -> None:
    whole = weighed(HISS, [long])
    assert whole
    assert_same_evidence(weighed(HISS, cut(long, at)), whole)
