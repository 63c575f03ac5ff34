"""Clipping: tops that are cut off, at full scale or below."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_qa.detectors.clipping import CLIPPING
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
