"""Centre loss: the dialogue of a surround programme is gone; pauses, silence and stereo programmes are none."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_qa.detectors.channel_loss import CHANNEL_LOSS
from tests.series_builder import assert_same_evidence, cut, weighed
from tests.sounds import RATE, audio_of, events, noise, voice

_CENTRE, _SURROUNDS = 2, (4, 5)


def surround(duration_s: float) -> np.ndarray:
    """A voice in a room in the centre, ambience in the four others, nothing in the LFE: 5.1, float32 [6, N]."""
    around = [noise(duration_s, level_dbfs=-35.0, seed=seed) for seed in (1, 2)]
    sound = np.concatenate([around[0], np.zeros_like(around[0]), around[1]])
    sound[_CENTRE] = voice(duration_s)[0] + noise(duration_s, level_dbfs=-55.0, seed=3)[0]
    return sound


def muted(sound: np.ndarray, channels: tuple[int, ...], start_s: float, end_s: float) -> np.ndarray:
    sound = sound.copy()
    sound[list(channels), round(start_s * RATE) : round(end_s * RATE)] = 0.0
    return sound


def test_a_lost_centre_is_told_where_it_is_and_warns_at_most() -> None:
    (event,) = events(CHANNEL_LOSS, audio_of(muted(surround(48.0), (_CENTRE,), 12.0, 40.0)))
    assert (event.start_s, event.end_s) == pytest.approx((12.0, 40.0), abs=0.15)
    assert (event.details["channel"], event.details["onset"], event.severity) == ("FC", "centre", "warn")
    assert event.details["level_dbfs"] == -120.0
    assert event.value == pytest.approx(85.0, abs=4.0)


def test_it_must_last() -> None:
    assert not events(CHANNEL_LOSS, audio_of(muted(surround(30.0), (_CENTRE,), 12.0, 21.5)))


def test_a_mix_whose_centre_has_pauses_of_nothing_is_given_twice_as_long() -> None:
    sound = muted(surround(60.0), (_CENTRE,), 10.0, 18.0)
    assert not events(CHANNEL_LOSS, audio_of(muted(sound, (_CENTRE,), 40.0, 55.0)))
    (event,) = events(CHANNEL_LOSS, audio_of(muted(sound, (_CENTRE,), 40.0, 57.0)))
    assert event.start_s == pytest.approx(40.0, abs=0.15)


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(muted(surround(36.0), tuple(range(6)), 12.0, 30.0), id="silence"),
        pytest.param(muted(surround(36.0), (_CENTRE, *_SURROUNDS), 12.0, 30.0), id="a stereo programme"),
        pytest.param(muted(surround(36.0), (_CENTRE,), 0.0, 30.0), id="never there"),
        pytest.param(muted(surround(36.0), (_CENTRE,), 3.0, 30.0), id="hardly heard"),
        pytest.param(surround(36.0), id="clean"),
    ],
)
def test_these_are_none(sound: np.ndarray) -> None:
    assert not [event for event in events(CHANNEL_LOSS, audio_of(sound)) if event.details["channel"] == "FC"]


def test_a_quiet_room_in_the_centre_is_none() -> None:
    sound = muted(surround(36.0), (_CENTRE,), 12.0, 30.0)
    sound[_CENTRE] += noise(36.0, level_dbfs=-75.0, seed=5)[0]
    assert not events(CHANNEL_LOSS, audio_of(sound))


def test_what_a_codec_leaves_of_it_is_nothing() -> None:
    sound = muted(surround(36.0), (_CENTRE,), 12.0, 30.0)
    sound[_CENTRE] += noise(36.0, level_dbfs=-100.0, seed=5)[0]
    (event,) = events(CHANNEL_LOSS, audio_of(sound))
    assert (event.start_s, event.end_s) == pytest.approx((12.0, 30.0), abs=0.15)


def test_silence_of_all_within_it_does_not_end_it() -> None:
    sound = muted(surround(44.0), (_CENTRE,), 12.0, 38.0)
    (event,) = events(CHANNEL_LOSS, audio_of(muted(sound, tuple(range(6)), 25.0, 28.0)))
    assert (event.start_s, event.end_s) == pytest.approx((12.0, 38.0), abs=0.15)


def test_any_cut_gives_the_same_evidence() -> None:
    series = audio_of(muted(surround(30.0), (_CENTRE,), 10.0, 25.0))
    whole = weighed(CHANNEL_LOSS, [series])
    assert_same_evidence(weighed(CHANNEL_LOSS, cut(series, [3, 170, 171, 444, 1003, 2004, 2511])), whole)
