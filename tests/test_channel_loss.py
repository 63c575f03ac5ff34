"""Channel loss: one channel of a pair falls silent; pauses, mono and quiet programmes are none."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_qa.detectors.channel_loss import CHANNEL_LOSS
from tests.series_builder import assert_same_evidence, audio_series, cut, weighed
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


def test_times_are_exact_to_a_hop_and_levels_are_given() -> None:
    sound = stereo(12.0)
    sound[1, round(3.33 * 48_000) : round(6.72 * 48_000)] = 0.0
    (event,) = events(CHANNEL_LOSS, audio_of(sound))
    assert (event.start_s, event.end_s) == pytest.approx((3.33, 6.72), abs=0.02)
    assert (event.details["channel"], event.details["other"], event.details["onset"]) == ("FR", "FL", "drop")
    assert event.details["level_dbfs"] == -120.0
    assert event.value is not None
    assert event.value > 60


def test_a_pause_of_both_within_a_loss_does_not_end_it() -> None:
    sound = stereo(14.0)
    sound[1, 3 * 48_000 : 9 * 48_000] = 0.0
    sound[:, 5 * 48_000 : 7 * 48_000] = 0.0
    (event,) = events(CHANNEL_LOSS, audio_of(sound))
    assert (event.start_s, event.end_s) == pytest.approx((3.0, 9.0), abs=0.05)


def test_what_a_codec_leaves_of_a_channel_is_no_sound() -> None:
    sound = stereo(12.0)
    part = slice(3 * 48_000, 7 * 48_000)
    sound[1, part] = 0.01 * sound[0, part]
    (event,) = events(CHANNEL_LOSS, audio_of(sound))
    assert (event.start_s, event.end_s) == pytest.approx((3.0, 7.0), abs=0.3)


def test_voices_panned_left_and_right_are_none() -> None:
    """Each channel is silent half of the time, and nobody misses it."""
    sound = stereo(24.0)
    for second in range(0, 24, 4):
        sound[1, second * 48_000 : (second + 2) * 48_000] = 0.0
        sound[0, (second + 2) * 48_000 : (second + 4) * 48_000] = 0.0
    assert not events(CHANNEL_LOSS, audio_of(sound))


def test_loss_in_a_quiet_passage_is_told() -> None:
    """Below where speech is, above silence."""
    sound = stereo(12.0)
    sound[:, 3 * 48_000 : 8 * 48_000] = noise(5.0, level_dbfs=-55.0)
    sound[1, 4 * 48_000 : 6 * 48_000] = 0.0
    (event,) = events(CHANNEL_LOSS, audio_of(sound))
    assert (event.start_s, event.end_s) == pytest.approx((4.0, 6.0), abs=0.05)


def test_loss_in_a_near_silence_is_none() -> None:
    sound = stereo(12.0)
    sound[:, 3 * 48_000 : 7 * 48_000] *= 1e-3
    sound[1, 3 * 48_000 : 7 * 48_000] = 0.0
    assert not events(CHANNEL_LOSS, audio_of(sound))


def test_a_channel_that_never_sounds_is_told_for_information() -> None:
    sound = np.tile(stereo(12.0), 7)
    sound[1] = 0.0
    (event,) = events(CHANNEL_LOSS, audio_of(sound))
    assert (event.severity, event.details["onset"]) == ("info", "start")
    assert (event.start_s, event.end_s) == pytest.approx((0.0, 84.0), abs=0.2)


def test_pairs_of_a_layout_are_judged_each() -> None:
    names = ("FL", "FR", "FC", "LFE", "SL", "SR")
    rms_dbfs = np.full((800, 6), -23.0)
    rms_dbfs[:, 3] = -np.inf
    rms_dbfs[300:600, 5] = -np.inf
    (event,) = events(CHANNEL_LOSS, audio_series(8.0, channels=names, rms_dbfs=rms_dbfs))
    assert (event.details["channel"], event.details["other"]) == ("SR", "SL")
    assert (event.start_s, event.end_s) == pytest.approx((3.0, 6.0))
    assert not events(CHANNEL_LOSS, audio_series(8.0, channels=("mono",)))
