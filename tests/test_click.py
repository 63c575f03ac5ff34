"""Clicks: single samples and pops, and not drums, plosives and knocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.click import CLICK, ClickLimits
from tests.series_builder import assert_same_evidence, audio_series, cut, weighed
from tests.sounds import RATE, audio_of, drums, events, noise, tone, voice

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries

TIMES_S = (1.003, 1.5061, 2.2, 2.9175, 3.4)


def clicked(
    sound: np.ndarray, times_s: tuple[float, ...] = TIMES_S, *, level: float = 0.5, length: int = 1, rate: int = RATE
) -> np.ndarray:
    """The sound with pulses of some samples that die away."""
    made = sound.copy()
    for at_s in times_s:
        at = round(at_s * rate)
        made[:, at : at + length] += level * np.exp(-np.arange(length) * 4 / length).astype(np.float32)
    return made


@pytest.mark.parametrize("rate", [32_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("length", [1, 60])
def test_clicks_that_follow_one_another_are_one_event(rate: int, length: int) -> None:
    (event,) = events(CLICK, audio_of(clicked(hum_of_a_room(rate), length=length, rate=rate), rate=rate))
    assert (event.start_s, event.end_s) == pytest.approx((TIMES_S[0], TIMES_S[-1]), abs=0.0101)
    assert event.details["clicks"] == len(TIMES_S)
    assert event.details["times_s"] == pytest.approx(TIMES_S, abs=0.0101)
    assert event.details["per_second"] == pytest.approx(len(TIMES_S) / 2.4, abs=0.02)
    assert event.details["channels"] == ["FL", "FR"]
    assert event.value > 20.0  # type: ignore[operator]


def test_one_loud_click_is_told_and_one_weaker_is_not() -> None:
    quiet = noise(3.0, level_dbfs=-64.0)
    (event,) = events(CLICK, audio_of(clicked(quiet, (1.5,))))
    assert (event.details["clicks"], event.confidence) == (1, pytest.approx(0.6))  # type: ignore[comparison-overlap]
    weak = clicked(quiet, (1.5,), level=0.1)
    assert events(CLICK, audio_of(weak), limits=ClickLimits(alone_above_db=60.0)) == []
    assert len(events(CLICK, audio_of(weak), limits=ClickLimits(above_db=10.0, alone_above_db=10.0))) == 1


def test_the_channel_is_named() -> None:
    sound = noise(5.0, level_dbfs=-64.0)
    (event,) = events(CLICK, audio_of(np.stack([sound[0], clicked(sound)[1]])))
    assert event.details["channels"] == ["FR"]


def test_a_click_on_the_edge_of_two_hops() -> None:
    sound = clicked(noise(4.0, level_dbfs=-64.0), (1.01, 1.5 - 1 / RATE))
    (event,) = events(CLICK, audio_of(sound))
    assert event.details["clicks"] == 2


def hum_of_a_room(rate: int) -> np.ndarray:
    """Low voices behind a wall and a little noise, 5 s."""
    low = sum(tone(5.0, frequency, rate=rate, level_dbfs=-30.0) for frequency in (110.0, 173.0, 261.0, 402.0))
    return np.asarray(low + noise(5.0, rate=rate, level_dbfs=-70.0), np.float32)


def knocks() -> np.ndarray:
    """Wood on wood: begins at once, rings for 30 ms."""
    rng = np.random.default_rng(4)
    sound = noise(6.0, level_dbfs=-60.0)
    length = RATE // 5
    ring = np.exp(-np.arange(length) / (0.012 * RATE)) * rng.normal(size=length)
    for at in range(RATE, 5 * RATE, RATE // 3):
        sound[:, at : at + length] += np.asarray(0.3 * ring, np.float32)
    return sound


@pytest.mark.parametrize(
    "sound",
    [voice(20.0), drums(6.0), drums(6.0, every_s=0.125), knocks(), noise(5.0)],
    ids=["voice", "drums", "fast drums", "knocks", "applause"],
)
def test_other_sound_is_left_alone(sound: np.ndarray) -> None:
    assert events(CLICK, audio_of(sound)) == []


@pytest.mark.parametrize("scale", [1.0, 0.05])
def test_sharp_clicks_are_told_in_sound_that_is_nearly_as_strong(scale: float) -> None:
    told = events(CLICK, audio_of(scale * clicked(noise(5.0, level_dbfs=-38.0), level=0.6)))
    assert [event.details["clicks"] for event in told] == ([len(TIMES_S)] if scale == 1.0 else [])
    for event in told:
        assert event.limit == CLICK.limits.sharp_above_db
        assert event.value == pytest.approx(7.5, abs=1.5)


def test_one_sharp_click_is_not_told() -> None:
    assert events(CLICK, audio_of(clicked(noise(5.0, level_dbfs=-38.0), (2.5,), level=0.6))) == []


@pytest.mark.parametrize("rate", [11_025, 16_000, 22_050])
def test_loud_sharp_clicks_are_told_at_low_rates(rate: int) -> None:
    pauses = voice(5.0, rate=rate, level_dbfs=-40.0)
    (event,) = events(CLICK, audio_of(clicked(pauses, rate=rate), rate=rate))
    assert event.details["clicks"] == len(TIMES_S)
    assert events(CLICK, audio_of(clicked(pauses, level=0.1, rate=rate), rate=rate)) == []
    assert events(CLICK, audio_of(voice(20.0, rate=rate), rate=rate)) == []


def test_the_lowest_rates_are_not_judged() -> None:
    assert events(CLICK, audio_of(clicked(noise(5.0, rate=8_000, level_dbfs=-64.0), rate=8_000), rate=8_000)) == []


def test_clicks_long_after_one_another_are_events_of_their_own() -> None:
    told = events(CLICK, audio_of(clicked(noise(8.0, level_dbfs=-64.0), (1.0, 1.3, 5.0, 5.2))))
    assert [event.start_s for event in told] == pytest.approx([1.0, 5.0], abs=0.0101)


def test_a_gap_is_no_click() -> None:
    first, second = audio_of(noise(2.0)), audio_of(noise(2.0, seed=1), start_s=5.0)
    assert events(CLICK, first, second) == []


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="above_db"):
        ClickLimits(above_db=30.0)
    with pytest.raises(ValueError, match="short_db"):
        ClickLimits(short_db=0.0)
    with pytest.raises(ValueError, match="sharp_above_db"):
        ClickLimits(sharp_above_db=16.0)
    with pytest.raises(ValueError, match="sharp_db"):
        ClickLimits(sharp_db=5.0)


def test_nothing_in_nothing_out() -> None:
    assert CLICK.weigh(audio_series(0.0), CLICK.limits, None)[0] == []
    assert CLICK.weigh(audio_series(1.0, channels=()), CLICK.limits, None)[0] == []


@pytest.fixture(scope="module")
def long() -> AudioSeries:
    return audio_of(clicked(voice(20.0), (*TIMES_S, 5.0, 5.4, 5.41, 18.9)))


@given(st.lists(st.integers(0, 2000), max_size=60))
@settings(max_examples=25, deadline=None)
def test_any_cut_gives_the_same_evidence(long: AudioSeries, at: list[int]) -> None:
    whole = weighed(CLICK, [long])
    assert whole
    assert_same_evidence(weighed(CLICK, cut(long, at)), whole)
