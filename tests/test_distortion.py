"""Distortion: sound that wraps around, or has few levels."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_qa.detectors.clipping import CLIPPING
from gpu_qa.detectors.distortion import DISTORTION
from gpu_qa.detectors.sample_levels import resolution_bits
from tests.series_builder import assert_same_evidence, cut, weighed
from tests.sounds import audio_of, events, noise, tone, voice

PART = slice(6 * 48_000, 9 * 48_000)


def wrapped() -> np.ndarray:
    """A voice that overflows and comes out at the other end."""
    sound = voice(12.0)
    sound[:, PART] = (sound[:, PART] * 6 + 1) % 2 - 1
    return sound


def rumble(rate: int, level_dbfs: float, samples: int) -> np.ndarray:
    """Noise that hardly changes within so many samples, 12 s."""
    made = [np.convolve(one, np.full(samples, samples**-0.5), "same") for one in noise(12.0, rate=rate)]
    return np.asarray(made, np.float32) * np.float32(10 ** ((level_dbfs + 23.0) / 20))


def crushed(bits: int) -> np.ndarray:
    """A voice that is left with so many bits."""
    sound = voice(12.0)
    steps = 2 ** (bits - 1)
    sound[:, PART] = np.round(sound[:, PART] * 2 * steps) / steps
    return sound


def test_wrapped_sound_is_told_where_it_is() -> None:
    found = events(DISTORTION, audio_of(wrapped()))
    assert found
    assert (found[0].start_s, found[-1].end_s) == pytest.approx((6.0, 9.0), abs=1.0)


def test_few_bits_are_told_where_they_are() -> None:
    found = events(DISTORTION, audio_of(crushed(4)))
    assert found
    assert (found[0].start_s, found[-1].end_s) == pytest.approx((6.0, 9.0), abs=1.0)


def test_whole_sound_is_none() -> None:
    assert not events(DISTORTION, audio_of(voice(12.0)))
    assert not events(DISTORTION, audio_of(noise(8.0, level_dbfs=-12.0)))
    assert not events(DISTORTION, audio_of(tone(6.0, 440.0)))


def test_sixteen_bits_are_enough() -> None:
    assert not events(DISTORTION, audio_of(crushed(12)))


def test_any_cut_gives_the_same_evidence() -> None:
    series = audio_of(wrapped())
    assert_same_evidence(weighed(DISTORTION, cut(series, [4, 301, 302, 650])), weighed(DISTORTION, [series]))


@pytest.mark.parametrize("bits", [3, 4, 5, 6])
def test_the_resolution_is_given(bits: int) -> None:
    found = events(DISTORTION, audio_of(crushed(bits)))
    assert [event.value for event in found] == pytest.approx([bits] * len(found), abs=0.2)
    assert found
    assert {event.details["cause"] for event in found} == {"few_levels"}


def test_a_square_wave_has_too_few_levels_to_say() -> None:
    assert resolution_bits(np.bincount([8] * 480, minlength=64)) is None
    assert not events(DISTORTION, audio_of(np.sign(tone(6.0, 440.0)) * np.float32(0.25)))


def test_hard_clipping_is_no_overflow() -> None:
    sound = voice(12.0)
    assert not events(DISTORTION, audio_of(np.clip(sound * 16, -1, 1)))


def overflowing(rate: int) -> np.ndarray:
    """Rumble that is loud from 6 to 9 s, and overflows."""
    sound = rumble(rate, -26.0, 64)
    sound[:, 6 * rate : 9 * rate] *= 10
    return (sound + 1) % 2 - 1


@pytest.mark.parametrize("rate", [11_025, 16_000, 22_050, 48_000])
def test_overflow_is_told_at_low_rates(rate: int) -> None:
    (event,) = events(DISTORTION, audio_of(overflowing(rate), rate=rate))
    assert event.details["cause"] == "wrap_around"
    assert (event.start_s, event.end_s) == pytest.approx((6.0, 9.0), abs=0.3)
    for loud in (voice(12.0, rate=rate, level_dbfs=-14.0), np.clip(voice(12.0, rate=rate) * 16, -1, 1)):
        assert not events(DISTORTION, audio_of(loud, rate=rate))


def test_the_lowest_rates_are_not_judged_for_overflow() -> None:
    assert not events(DISTORTION, audio_of(overflowing(8_000), rate=8_000))


def smeared(sound: np.ndarray) -> np.ndarray:
    """What a codec makes of it: no highs, and noise that follows the sound."""
    spectrum = np.fft.rfft(sound.astype(np.float64))
    spectrum[:, round(16_000 / 24_000 * spectrum.shape[1]) :] = 0
    made = np.fft.irfft(spectrum, sound.shape[1])
    level = np.sqrt(np.convolve((made**2).mean(axis=0), np.full(960, 1 / 960), "same"))
    return np.asarray(made + 0.02 * level * np.random.default_rng(1).normal(size=made.shape), np.float32)


@pytest.mark.parametrize("bits", [4, 5])
def test_few_levels_are_seen_after_a_codec(bits: int) -> None:
    (event,) = events(DISTORTION, audio_of(smeared(crushed(bits))))
    assert (event.start_s, event.end_s) == pytest.approx((6.0, 9.0), abs=0.5)
    assert event.value == pytest.approx(bits, abs=0.2)
    assert sorted(event.details["channels"]) == ["FL", "FR"]
    assert event.confidence == pytest.approx(0.75)
    assert not events(CLIPPING, audio_of(smeared(crushed(bits))))


@pytest.mark.parametrize("is_smeared", [False, True])
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_quiet_sound_that_few_bits_leave_one_level_of(rate: int, *, is_smeared: bool) -> None:
    sound = rumble(rate, -28.0, 128)
    part = slice(6 * rate, 9 * rate)
    sound[:, part] = np.round(sound[:, part] * 8) / 8
    series = audio_of(smeared(sound) if is_smeared else sound, rate=rate)
    (event,) = events(DISTORTION, series)
    assert (event.start_s, event.end_s) == pytest.approx((6.0, 9.0), abs=0.5)
    assert event.details["cause"] == "few_levels"
    assert event.value == pytest.approx(4.0, abs=0.2)
    assert_same_evidence(weighed(DISTORTION, cut(series, [4, 655, 702, 703])), weighed(DISTORTION, [series]))


def test_beeps_of_a_square_wave_over_silence_are_none() -> None:
    beeps = np.sign(tone(6.0, 440.0)) * np.float32(0.25)
    beeps[:, (np.arange(beeps.shape[1]) // 2_400) % 4 > 0] = 0
    assert not events(DISTORTION, audio_of(beeps))
    assert not events(DISTORTION, audio_of(smeared(beeps)))


def test_smeared_sound_that_had_all_its_levels_is_none() -> None:
    assert not events(DISTORTION, audio_of(smeared(crushed(12))))
    assert not events(DISTORTION, audio_of(smeared(np.clip(voice(12.0) * 8, -0.5, 0.5))))


def test_any_cut_gives_the_same_levels() -> None:
    series = audio_of(smeared(crushed(5)))
    assert_same_evidence(weighed(DISTORTION, cut(series, [4, 301, 655, 702])), weighed(DISTORTION, [series]))
