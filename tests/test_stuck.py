"""Stuck sound: one value, one buffer over and over, and not tones, beats and noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.stuck import STUCK, StuckLimits
from tests.series_builder import assert_same_evidence, audio_series, cut, weighed
from tests.sounds import RATE, audio_of, drums, events, noise, tone, voice

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries


def repeated(sound: np.ndarray, start_s: float, end_s: float, samples: int, *, rate: int = RATE) -> np.ndarray:
    """The sound with one buffer over and over in a stretch."""
    first, last = round(start_s * rate), round(end_s * rate)
    made = sound.copy()
    made[:, first:last] = np.tile(sound[:, first : first + samples], -(-(last - first) // samples))[:, : last - first]
    return made


def held(sound: np.ndarray, start_s: float, end_s: float, value: float) -> np.ndarray:
    """The sound with one value in a stretch."""
    made = sound.copy()
    made[:, round(start_s * RATE) : round(end_s * RATE)] = value
    return made


@pytest.mark.parametrize("samples", [960, 1024, 1152, 2048])
def test_a_buffer_over_and_over(samples: int) -> None:
    (event,) = events(STUCK, audio_of(repeated(voice(8.0), 2.03, 4.5, samples)))
    assert (event.start_s, event.end_s) == pytest.approx((2.03, 4.5), abs=0.3)
    assert event.details["form"] == "buffer"
    periods = event.details["period_ms"] / (1000 * samples / RATE)
    assert periods == pytest.approx(round(periods), abs=0.1)


@pytest.mark.parametrize("value", [-0.2, 0.05])
def test_a_value_that_stays(value: float) -> None:
    (event,) = events(STUCK, audio_of(held(voice(6.0), 2.0, 3.0, value)))
    assert (event.start_s, event.end_s) == pytest.approx((2.0, 3.0), abs=0.11)
    assert event.details["form"] == "value"
    assert event.details["period_ms"] is None
    assert event.value == pytest.approx(20 * np.log10(abs(value)), abs=0.1)


@pytest.mark.parametrize("value", [-0.2, 0.0018])
def test_a_value_that_went_through_a_codec(value: float) -> None:
    """It has a ripple below hearing."""
    sound = held(voice(6.0), 2.0, 3.0, value)
    part = slice(2 * RATE, 3 * RATE)
    sound[:, part] *= np.asarray(1 + 0.05 * np.sin(2 * np.pi * 25 * np.arange(RATE) / RATE), np.float32)
    (event,) = events(STUCK, audio_of(sound))
    assert (event.start_s, event.end_s) == pytest.approx((2.0, 3.0), abs=0.11)
    assert event.details["form"] == "value"


@pytest.mark.parametrize(
    "sound",
    [
        voice(20.0),
        drums(6.0),
        drums(6.0, every_s=0.1),
        noise(6.0),
        tone(6.0, 440.0),
        tone(6.0, 1000.0),
        tone(6.0, 55.0),
        tone(4.0, 100.0) + tone(4.0, 200.0),
        held(voice(6.0), 2.0, 4.0, 0.0),
        held(voice(6.0), 2.0, 4.0, 0.0005),
        held(voice(6.0), 2.0, 2.1, 0.3),
        voice(12.0) + np.float32(0.1),
        tone(6.0, 3.0),
    ],
    ids=[
        "voice",
        "drums",
        "drum roll",
        "noise",
        "440 Hz",
        "1 kHz",
        "55 Hz",
        "hum",
        "silence",
        "offset",
        "too short",
        "room above an offset",
        "below hearing",
    ],
)
def test_other_sound_is_left_alone(sound: np.ndarray) -> None:
    assert events(STUCK, audio_of(sound)) == []


@pytest.mark.parametrize("room_dbfs", [-80.0, -65.0, -55.0])
@pytest.mark.parametrize("mains_hz", [50, 60])
@pytest.mark.parametrize("multiples", [(1, 2, 3, 5), (2, 4, 6, 8, 10), tuple(range(1, 17))])
def test_hum_that_sets_in_over_hardly_anything_is_hum(
    mains_hz: int, multiples: tuple[int, ...], room_dbfs: float
) -> None:
    """The room that it is heard over has far more bend than the hum, and does not repeat."""
    time_s = np.arange(8 * RATE) / RATE
    lines = sum(0.03 / part * np.sin(2 * np.pi * mains_hz * part * time_s) for part in multiples)
    sound = noise(8.0, level_dbfs=room_dbfs) + np.where(time_s >= 4.0, lines, 0.0)
    assert events(STUCK, audio_of(sound.astype(np.float32))) == []


def test_hum_under_clicks_is_hum() -> None:
    """What bends most comes now and then; between that the hum's own bends repeat."""
    time_s = np.arange(8 * RATE) / RATE
    lines = sum(0.05 / part * np.sin(2 * np.pi * 50 * part * time_s) for part in range(1, 11))
    sound = noise(8.0, level_dbfs=-90.0) + np.where(time_s >= 4.0, lines, 0.0)
    for at in np.arange(0.5, 7.5, 0.37):
        hit = slice(round(at * RATE), round(at * RATE) + 480)
        sound[:, hit] += 0.02 * noise(0.01) / noise(0.01).std() * np.exp(-np.arange(480) / 100)
    assert events(STUCK, audio_of(sound.astype(np.float32))) == []


@pytest.mark.parametrize("pitches_hz", [(350, 440), (440, 450), (440, 480), (480, 620), (853, 960)])
def test_tones_that_beat_are_not_stuck(pitches_hz: tuple[int, int]) -> None:
    """Signals of telephones and alarms: their beats repeat exactly."""
    beat = sum(tone(5.0, pitch_hz) for pitch_hz in pitches_hz)
    sound = np.concatenate([voice(5.0), beat + noise(5.0, level_dbfs=-100.0)], axis=1)
    assert events(STUCK, audio_of(sound.astype(np.float32))) == []


def test_a_tone_that_swells_is_not_stuck() -> None:
    time_s = np.arange(8 * RATE) / RATE
    swell = 0.25 * (0.75 + 0.25 * np.sin(2 * np.pi * 2 * time_s))
    sound = np.stack([swell * np.sin(2 * np.pi * pitch_hz * time_s) for pitch_hz in (440, 880)])
    sound += 0.002 * noise(8.0) / noise(8.0).std()
    assert events(STUCK, audio_of(sound.astype(np.float32))) == []


def test_limits_change_what_is_told() -> None:
    series = audio_of(held(voice(4.0), 1.0, 1.5, 0.05))
    assert len(events(STUCK, series)) == 1
    assert events(STUCK, series, limits=StuckLimits(value_dbfs=-20.0)) == []
    assert events(STUCK, series, limits=StuckLimits(value_s=1.0)) == []
    with pytest.raises(ValueError, match="buffer_s"):
        StuckLimits(buffer_s=0.1)


def test_a_gap_starts_the_watch_anew() -> None:
    first, second = audio_of(held(noise(1.1), 1.0, 1.1, 0.2)), audio_of(held(noise(1.0), 0.0, 0.1, 0.2), start_s=3.0)
    assert events(STUCK, first, second) == []


def test_nothing_in_nothing_out() -> None:
    assert STUCK.weigh(audio_series(0.0), STUCK.limits, None)[0] == []
    assert STUCK.weigh(audio_series(1.0, channels=()), STUCK.limits, None)[0] == []


@pytest.fixture(scope="module")
def long() -> AudioSeries:
    return audio_of(held(repeated(voice(20.0), 2.0, 4.0, 1024), 6.0, 7.0, 0.1))


@given(st.lists(st.integers(0, 2000), max_size=60))
@settings(max_examples=25, deadline=None)
def test_any_cut_gives_the_same_evidence(long: AudioSeries, at: list[int]) -> None:
    whole = weighed(STUCK, [long])
    assert whole
    assert_same_evidence(weighed(STUCK, cut(long, at)), whole)
