"""Clipping: tops that are cut off, at full scale or below."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_qa.detectors.clipping import CLIPPING, ClippingLimits
from gpu_qa.series import SEVERITIES
from tests.series_builder import assert_same_evidence, cut, weighed
from tests.sounds import audio_of, events, noise, tone, voice


def clipped(gain_db: float = 24.0, level: float = 1.0) -> np.ndarray:
    """A voice that is driven into the stops for three seconds, at this level."""
    sound = voice(12.0)
    part = slice(6 * 48_000, 9 * 48_000)
    sound[:, part] = np.clip(sound[:, part] * 10 ** (gain_db / 20), -1, 1) * level
    return sound


@pytest.mark.parametrize(("gain_db", "level"), [(18.0, 1.0), (24.0, 1.0), (30.0, 1.0), (24.0, 0.5)])
def test_clipped_sound_is_told_where_it_is(gain_db: float, level: float) -> None:
    (event,) = events(CLIPPING, audio_of(clipped(gain_db, level)))
    assert (event.start_s, event.end_s) == pytest.approx((6.0, 9.0), abs=0.6)


def test_loud_sound_with_whole_peaks_is_none() -> None:
    loud = voice(12.0)
    assert not events(CLIPPING, audio_of(loud / np.abs(loud).max() * np.float32(0.99)))
    assert not events(CLIPPING, audio_of(noise(8.0, level_dbfs=-14.0)))


def test_a_full_tone_is_none() -> None:
    assert not events(CLIPPING, audio_of(tone(6.0, 997.0, level_dbfs=-3.2)))


def test_any_cut_gives_the_same_evidence() -> None:
    series = audio_of(clipped())
    assert_same_evidence(weighed(CLIPPING, cut(series, [5, 305, 306, 690])), weighed(CLIPPING, [series]))


def test_an_attenuated_plateau_is_told_with_its_level() -> None:
    (event,) = events(CLIPPING, audio_of(clipped(24.0, 0.5)))
    assert event.details["level_dbfs"] == pytest.approx(-6.0, abs=1.0)
    assert (event.details["full_scale"], event.details["channels"]) == (False, ["FL", "FR"])
    (event,) = events(CLIPPING, audio_of(clipped(24.0, 1.0)))
    assert event.details["full_scale"] is True
    assert event.value is not None
    assert 0.12 <= event.value <= 1.0


def test_one_clipped_channel_is_named() -> None:
    sound = voice(12.0)
    sound[1] = clipped()[1]
    (event,) = events(CLIPPING, audio_of(sound))
    assert event.details["channels"] == ["FR"]


def test_severity_grows_with_the_share() -> None:
    def severity(gain_db: float) -> int:
        (event,) = events(CLIPPING, audio_of(clipped(gain_db)))
        return SEVERITIES.index(event.severity)

    assert severity(15.0) < severity(30.0)


def test_square_waves_and_beeps_are_none() -> None:
    """Their samples all lie at one level, but nothing moves under it."""
    square = np.sign(tone(6.0, 440.0)) * np.float32(0.5)
    assert not events(CLIPPING, audio_of(square))
    beeps = tone(6.0, 1000.0, level_dbfs=-9.0)
    beeps[:, np.arange(beeps.shape[1]) // 24_000 % 2 == 1] = 0.0
    assert not events(CLIPPING, audio_of(beeps))


def ticks(drive: float, *, length_s: float = 0.04) -> np.ndarray:
    """Noisy ticks every half second with digital silence between, those of three seconds driven into the stops."""
    made = np.zeros((2, 12 * 48_000), np.float32)
    ring = colored(length_s) * np.exp(-np.arange(round(length_s * 48_000)) / (0.3 * length_s * 48_000))
    ring *= 0.6 / np.abs(ring).max()
    for at in range(0, made.shape[1], 24_000):
        made[:, at : at + ring.shape[1]] = ring
    part = slice(6 * 48_000, 9 * 48_000)
    made[:, part] = np.clip(made[:, part] * drive, -1, 1)
    return made


def colored(duration_s: float) -> np.ndarray:
    """Noise below 2 kHz, the same in both channels."""
    lines = np.fft.rfft(noise(duration_s)[:1])
    lines[:, round(2000 * duration_s) :] = 0
    return np.repeat(np.fft.irfft(lines, round(duration_s * 48_000)), 2, axis=0).astype(np.float32)


def test_short_sounds_between_silences_are_judged_by_themselves() -> None:
    (event,) = events(CLIPPING, audio_of(ticks(60.0)))
    assert (event.start_s, event.end_s) == pytest.approx((6.0, 8.6), abs=0.15)
    assert not events(CLIPPING, audio_of(ticks(1.6)))
    assert not events(CLIPPING, audio_of(ticks(60.0, length_s=0.01)))


@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000])
def test_any_rate(rate: int) -> None:
    sound = voice(12.0, rate=rate)
    part = slice(6 * rate, 9 * rate)
    sound[:, part] = np.clip(sound[:, part] * 16, -1, 1)
    (event,) = events(CLIPPING, audio_of(sound, rate=rate))
    assert (event.start_s, event.end_s) == pytest.approx((6.0, 9.0), abs=0.6)


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="raise_share"):
        ClippingLimits(raise_share=0.0)
    with pytest.raises(ValueError, match="raise_contrast"):
        ClippingLimits(raise_contrast=0.0)
    with pytest.raises(ValueError, match="lowest_level_dbfs"):
        ClippingLimits(lowest_level_dbfs=-60.0)


@pytest.mark.parametrize("offset", [0.1, -0.3])
def test_pauses_of_sound_that_is_off_centre_are_no_plateau(offset: float) -> None:
    assert not events(CLIPPING, audio_of(voice(12.0) + np.float32(offset)))
    held = voice(6.0)
    held[:, 2 * 48_000 : 4 * 48_000] = offset
    assert not events(CLIPPING, audio_of(held))
