"""Silence: per group of channels, at its exact time, and not for a quiet room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.silence import SILENCE, SilenceLimits, channel_groups
from gpu_qa.events import TrackerState, finish, track
from tests.series_builder import assert_same_evidence, audio_series, cut, joined, weighed

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries, Event

SURROUND = ("FL", "FR", "FC", "LFE", "SL", "SR")


def events(series: AudioSeries, limits: SilenceLimits | None = None) -> list[Event]:
    state, told = TrackerState("s"), []
    for evidence in weighed(SILENCE, [series], limits):
        state, more = track(state, evidence, SILENCE.timing)
        told += more
    return told + finish(state, float(series.end_s[-1]))[1]


def closed(series: AudioSeries, limits: SilenceLimits | None = None) -> list[Event]:
    return [event for event in events(series, limits) if event.state == "closed"]


def levels(*parts: tuple[float, Any]) -> AudioSeries:
    """Stretches of (seconds, dBFS) after one another."""
    made, at_s = [], 0.0
    for duration_s, level in parts:
        made.append(audio_series(duration_s, start_s=at_s, rms_dbfs=level))
        at_s += duration_s
    return joined(*made)


def test_silence_is_told_with_its_exact_ends() -> None:
    told = events(levels((1.0, -20.0), (3.0, -np.inf), (1.0, -20.0)))
    assert [(event.state, event.start_s, event.end_s) for event in told] == [
        ("open", 1.0, None),
        ("closed", 1.0, pytest.approx(4.0)),
    ]
    assert told[1].details == {"track": 1, "group": "main", "channels": ["FL", "FR"], "digital": True}
    assert told[1].value == -np.inf
    assert told[1].message == "silence for 3.0 s in the main channels of audio track 1, down to −∞ dBFS"


def test_clicks_do_not_end_a_silence_and_short_beats_do() -> None:
    def struck(beat_s: float) -> AudioSeries:
        return levels((1.0, -20.0), *[(0.7, -90.0), (beat_s, -20.0)] * 5, (1.0, -20.0))

    (event,) = closed(struck(0.02))
    assert (event.start_s, event.end_s) == pytest.approx((1.0, 4.58))
    assert closed(struck(0.08)) == []


def test_quiet_but_not_digital_silence_has_a_level() -> None:
    (event,) = closed(levels((1.0, -20.0), (3.0, -72.0), (1.0, -20.0)))
    assert event.value == pytest.approx(-72.0, abs=0.01)
    assert event.details["digital"] is False


@pytest.mark.parametrize(("level", "expected"), [(-60.5, 1), (-59.0, 0), (-55.0, 0), (-53.5, -1), (np.nan, 0)])
def test_levels_have_verdicts(level: float, expected: int) -> None:
    (evidence,) = weighed(SILENCE, [audio_series(1.0, rms_dbfs=level)])
    assert set(evidence.verdict.tolist()) == {expected}


def test_too_short_to_tell() -> None:
    assert closed(levels((1.0, -20.0), (1.9, -np.inf), (1.0, -20.0))) == []


def test_click_does_not_end_silence_and_speech_does() -> None:
    assert len(closed(levels((3.0, -80.0), (0.05, -30.0), (3.0, -80.0)))) == 1
    assert len(closed(levels((3.0, -80.0), (0.5, -30.0), (3.0, -80.0)))) == 2


def test_one_channel_with_sound_is_no_silence() -> None:
    """That is a lost channel, another kind of defect."""
    assert closed(levels((4.0, [-20.0, -np.inf]))) == []


def test_profile_is_a_limit() -> None:
    quiet = levels((4.0, -52.0))
    assert closed(quiet) == []
    assert len(closed(quiet, SilenceLimits(raise_dbfs=-50.0))) == 1


def test_surround_silence_is_for_information() -> None:
    series = audio_series(20.0, channels=SURROUND, rms_dbfs=[-20, -20, -15, -30, -np.inf, -np.inf])
    (event,) = closed(series)
    assert (event.severity, event.details["group"], event.details["channels"]) == ("info", "surround", ["SL", "SR"])


def test_front_silence_is_a_defect_whatever_lfe_and_surround_do() -> None:
    series = audio_series(20.0, channels=SURROUND, rms_dbfs=[-np.inf, -np.inf, -90, -20, -30, -30], track=3)
    (event,) = closed(series)
    assert (event.severity, event.details["group"], event.details["track"]) == ("critical", "front", 3)
    assert event.details["digital"] is False
    assert event.id == "s-audio.silence:3:front-0"


@pytest.mark.parametrize(
    ("channels", "groups"),
    [
        ((), {}),
        (("mono",), {"main": (0,)}),
        (("FC",), {"main": (0,)}),
        (("FL", "FR"), {"main": (0, 1)}),
        (("DL", "DR"), {"main": (0, 1)}),
        (("FL", "FR", "LFE"), {"main": (0, 1)}),
        (("LFE",), {"main": (0,)}),
        (("FL", "FR", "FC"), {"main": (0, 1, 2)}),
        (SURROUND, {"front": (0, 1, 2), "surround": (4, 5)}),
        (("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"), {"front": (0, 1, 2), "surround": (4, 5, 6, 7)}),
        (("BL", "BR", "FL", "FR"), {"front": (2, 3), "surround": (0, 1)}),
        (("USR0", "USR1", "USR2"), {"main": (0, 1, 2)}),
    ],
    ids=str,
)
def test_groups(channels: tuple[str, ...], groups: dict[str, tuple[int, ...]]) -> None:
    assert channel_groups(channels) == groups


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="clear_margin_db"):
        SilenceLimits(clear_margin_db=-1.0)


def test_nothing_in_nothing_out() -> None:
    assert SILENCE.weigh(audio_series(0.0), SILENCE.limits, None) == ([], None)
    assert SILENCE.weigh(audio_series(1.0, channels=()), SILENCE.limits, None) == ([], None)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 300)))
@settings(max_examples=30, deadline=None)
def test_any_cut_gives_the_same_evidence(seed: int, at: list[int]) -> None:
    rng = np.random.default_rng(seed)
    rms_dbfs = np.where(rng.random((300, 6)) < 0.5, -np.inf, rng.uniform(-90, -20, (300, 6)))
    whole = audio_series(3.0, channels=SURROUND, rms_dbfs=rms_dbfs)
    assert_same_evidence(weighed(SILENCE, cut(whole, at)), weighed(SILENCE, [whole]))
