"""Channel loss: one channel of a pair falls silent; pauses, mono and quiet programmes are none."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_qa.detectors.channel_loss import CHANNEL_LOSS
from tests.series_builder import assert_same_evidence, cut, weighed
from tests.sounds import audio_of, events, noise, voice


def stereo(duration_s: float) -> np.ndarray:
    """A voice in both channels over a room that differs between them."""
    return np.asarray(voice(duration_s) + noise(duration_s, level_dbfs=-45.0, seed=3))


@pytest.mark.parametrize("channel", [0, 1])
def test_a_muted_channel_is_told_where_it_is(channel: int) -> None:
    sound = stereo(12.0)
    sound[channel, 3 * 48_000 : 7 * 48_000] = 0.0
    (event,) = events(CHANNEL_LOSS, audio_of(sound))
    assert (event.start_s, event.end_s) == pytest.approx((3.0, 7.0), abs=0.3)
    assert event.scope.startswith("1")


def test_running_sound_pauses_and_silence_are_none() -> None:
    assert not events(CHANNEL_LOSS, audio_of(stereo(12.0)))
    silent = stereo(12.0)
    silent[:, 3 * 48_000 : 7 * 48_000] = 0.0
    assert not events(CHANNEL_LOSS, audio_of(silent))


def test_a_quieter_channel_is_none() -> None:
    sound = stereo(12.0)
    sound[1] *= 0.1
    assert not events(CHANNEL_LOSS, audio_of(sound))


def test_a_programme_in_one_channel_from_its_start_is_not_told_soon() -> None:
    sound = stereo(12.0)
    sound[1] = 0.0
    assert not events(CHANNEL_LOSS, audio_of(sound))


def test_any_cut_gives_the_same_evidence() -> None:
    sound = stereo(8.0)
    sound[1, 3 * 48_000 : 5 * 48_000] = 0.0
    series = audio_of(sound)
    whole = weighed(CHANNEL_LOSS, [series])
    assert_same_evidence(weighed(CHANNEL_LOSS, cut(series, [3, 170, 171, 444])), whole)
