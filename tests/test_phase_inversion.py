"""Phase inversion: one channel upside down; wide stereo and mono are none."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_qa.detectors.phase_inversion import PHASE_INVERSION
from tests.series_builder import assert_same_evidence, cut, weighed
from tests.sounds import audio_of, events, noise, voice


def inverted(start_s: float = 3.0, end_s: float = 7.0) -> np.ndarray:
    """A voice whose right channel is the left one upside down for a while."""
    sound = voice(12.0) + noise(12.0, level_dbfs=-50.0)
    part = slice(round(start_s * 48_000), round(end_s * 48_000))
    sound[1, part] = -sound[0, part]
    return np.asarray(sound)


def test_an_inverted_channel_is_told_where_it_is() -> None:
    (event,) = events(PHASE_INVERSION, audio_of(inverted()))
    assert (event.start_s, event.end_s) == pytest.approx((3.0, 7.0), abs=0.3)
    assert event.value == pytest.approx(-1.0, abs=0.01)


def test_mono_and_wide_stereo_are_none() -> None:
    assert not events(PHASE_INVERSION, audio_of(voice(12.0)))
    assert not events(PHASE_INVERSION, audio_of(noise(12.0)))


def test_half_of_the_sound_upside_down_is_width() -> None:
    """A middle that is as loud as the sides: correlation 0."""
    middle, side = noise(12.0, seed=1)[0], noise(12.0, seed=2)[0]
    assert not events(PHASE_INVERSION, audio_of(np.stack([middle + side, middle - side])))


def test_any_cut_gives_the_same_evidence() -> None:
    series = audio_of(inverted())
    assert_same_evidence(weighed(PHASE_INVERSION, cut(series, [1, 299, 300, 702])), weighed(PHASE_INVERSION, [series]))
