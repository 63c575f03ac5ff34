"""Stutter: told where pictures begin to repeat in the middle of a shot, not for cadences that were there before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.stutter import STUTTER
from gpu_qa.events import TrackerState, finish, track
from tests.series_builder import PER_FRAME, TILES, assert_same_evidence, cut, joined, video_series, weighed

if TYPE_CHECKING:
    from gpu_qa.series import Event, VideoSeries

CUT = 0.25
"""Change at a cut."""


def moving(shown: np.ndarray, *, frame_rate: float = 25.0, area: float = 0.5, **more: Any) -> VideoSeries:
    """Pictures of a scene that moves on by `shown` steps in each: 0 repeats the one before, but for an encoder's noise.

    Args:
        shown: float [T].
        frame_rate: Pictures per second.
        area: Share of the tiles that move.
        **more: For `video_series`.
    """
    rng = np.random.default_rng(len(shown))
    steps = np.asarray(shown, np.float64)
    change = 0.02 * steps[:, None, None] ** 0.7 * rng.uniform(0.7, 1.3, (len(steps), *TILES))
    change = np.where(np.arange(TILES[0] * TILES[1]).reshape(TILES) < area * TILES[0] * TILES[1], change, 0.0)
    noise = rng.uniform(0.0, 0.0006, (len(steps), *TILES))
    return video_series(len(steps), frame_rate=frame_rate, change=change + noise, **more)


def events(series: VideoSeries) -> list[Event]:
    (evidence,) = weighed(STUTTER, [series])
    state, told = track(TrackerState("s"), evidence, STUTTER.timing)
    return told + finish(state, float(series.end_s[-1]))[1]


def pattern(smooth_s: float, stutter_s: float, steps: list[float], *, frame_rate: float = 25.0) -> np.ndarray:
    """Smooth motion, then `steps` again and again, then smooth motion for two seconds."""
    smooth, inside = round(smooth_s * frame_rate), round(stutter_s * frame_rate)
    return np.concatenate([np.ones(smooth), np.resize(steps, inside), np.ones(round(2 * frame_rate))])


@pytest.mark.parametrize("frame_rate", [24.0, 25.0, 30000 / 1001, 50.0, 60.0])
@pytest.mark.parametrize(
    ("steps", "share"),
    [([2, 0], 0.5), ([3, 0, 0], 0.667), ([1, 2, 0], 0.333), ([1, 1, 2, 0], 0.25), ([1, 1, 1, 2, 0], 0.2)],
    ids=["every second", "two of three", "every third", "every fourth", "every fifth"],
)
def test_repeats_are_told_with_their_ends(steps: list[float], share: float, frame_rate: float) -> None:
    series = moving(pattern(3.0, 4.0, steps, frame_rate=frame_rate), frame_rate=frame_rate)
    opened, closed = events(series)
    assert opened.kind == "video.stutter"
    assert opened.start_s == pytest.approx(3.0, abs=0.25)
    assert closed.end_s == pytest.approx(7.0, abs=0.25)
    assert opened.state == "open"
    assert closed.details["repeated_share"] == pytest.approx(share, abs=0.12)
    assert closed.details["usual_share"] < 0.05
    assert closed.message.startswith(f"picture stutters for {closed.end_s - closed.start_s:.1f} s")  # type: ignore[operator]


def test_random_repeats_are_told() -> None:
    shown = np.ones(300)
    shown[100:200][np.random.default_rng(3).random(100) < 0.3] = 0.0
    (_, closed) = events(moving(shown))
    assert closed.start_s == pytest.approx(4.0, abs=0.5)
    assert closed.end_s == pytest.approx(8.0, abs=0.5)


def test_it_is_told_while_it_goes_on() -> None:
    shown = pattern(3.0, 4.0, [2, 0])
    assert [event.state for event in events(moving(shown[: round(4.3 * 25)]))] == ["open", "closed"]


@pytest.mark.parametrize(
    "steps",
    [[1], [1, 0], [1, 0, 1, 0, 0], [1, 1, 1, 1, 0], [1, 0, 0], [1, 0, 0, 0], [0]],
    ids=["full rate", "25 in 50", "film in 60", "24 in 30", "animation on threes", "on fours", "still"],
)
@pytest.mark.parametrize("frame_rate", [25.0, 60.0])
def test_a_cadence_from_the_start_is_none(steps: list[float], frame_rate: float) -> None:
    assert events(moving(np.resize(steps, round(12 * frame_rate)), frame_rate=frame_rate)) == []


@pytest.mark.parametrize(
    ("usual", "steps"),
    [([2, 0], [2, 0, 0, 1, 3, 0]), ([2, 0, 0], [2, 0, 0, 0, 2, 0]), ([2, 0, 2, 0, 0], [2, 0, 0, 0, 2, 0, 2, 0, 0, 3])],
    ids=["twos", "threes", "film in 60"],
)
def test_uneven_repeats_in_a_cadence_are_told(usual: list[float], steps: list[float]) -> None:
    """The share of repeats stays about as it was, but pictures that were shown evenly no longer are."""
    shown = np.concatenate([np.resize(usual, 200), np.resize(steps, 240), np.resize(usual, 160)])
    opened, *_, closed = events(moving(shown, frame_rate=50.0))
    assert opened.start_s == pytest.approx(4.0, abs=0.4)
    assert closed.end_s == pytest.approx(8.8, abs=0.4)
    assert closed.value is not None
    assert closed.value >= STUTTER.limits.raise_excess


@pytest.mark.parametrize(
    "shown",
    [
        np.concatenate([np.resize([2, 0], 150), [0], np.resize([2, 0], 150)]),
        np.concatenate([np.resize([2, 0], 150), np.resize([3, 0, 0], 150)]),
        np.concatenate([np.resize([2, 0, 2, 0, 0], 150), np.resize([2, 0], 150)]),
    ],
    ids=["one picture longer", "from twos to threes", "from 2:3 to twos"],
)
def test_other_even_cadences_are_none(shown: np.ndarray) -> None:
    assert events(moving(shown)) == []


@pytest.mark.parametrize("pictures", [6, 8, 12])
def test_it_may_begin_soon_after_a_cut(pictures: int) -> None:
    """And last until the next one."""
    shot = np.concatenate([np.full(1, 20.0), np.ones(pictures - 1), np.resize([2, 0], 50)])
    (_, closed) = events(moving(np.concatenate([np.ones(60), shot, np.full(1, 20.0), np.ones(60)])))
    assert closed.start_s == pytest.approx((60 + pictures) / 25, abs=0.12)
    assert closed.end_s == pytest.approx((110 + pictures) / 25, abs=0.4)


def test_a_cut_to_another_brightness_is_one() -> None:
    """Film cut into video, and darker: what is taken off for light leaves little of the cut."""
    film = np.resize([1, 0], 100)
    luma = np.concatenate([np.full(100, 0.6), np.full(100, 0.3)])
    series = moving(np.concatenate([np.ones(100), film]), luma=luma[:, None, None])
    series.coarse_change[100] = np.where(np.arange(TILES[1]) < 15, 0.6, 0.25)
    assert events(series) == []


def without(series: VideoSeries, missing: np.ndarray) -> VideoSeries:
    """The series without some pictures; those before them are shown for longer, those behind have moved on."""
    kept = np.flatnonzero(~missing)
    taken = {name: getattr(series, name)[kept] for name in PER_FRAME}
    taken["end_s"] = np.append(taken["pts_s"][1:], taken["end_s"][-1])
    gone = np.add.reduceat(np.ones(len(missing)), kept)[:, None, None]
    taken["coarse_change"] = np.asarray(taken["coarse_change"] * np.roll(gone, 1, axis=0) ** 0.7, np.float32)
    return replace(series, **taken)


@pytest.mark.parametrize("frame_rate", [25.0, 30.0, 50.0])
@pytest.mark.parametrize("every", [2, 3, 5])
def test_pictures_that_do_not_come_are_told(every: int, frame_rate: float) -> None:
    index = np.arange(round(9 * frame_rate))
    missing = (index >= 3 * frame_rate) & (index < 7 * frame_rate) & (index % every == 0)
    opened, closed = events(without(moving(np.ones(len(index)), frame_rate=frame_rate), missing))
    assert opened.start_s == pytest.approx(3.0, abs=0.3)
    assert closed.end_s == pytest.approx(7.0, abs=0.3)
    assert closed.details["repeated_share"] == pytest.approx(1 / every, abs=0.1)
    assert closed.details["shown_rate"] == pytest.approx(frame_rate * (1 - 1 / every), rel=0.12)


def test_variable_frame_rates_from_the_start_are_none() -> None:
    missing = np.random.default_rng(8).random(300) < 0.3
    assert events(without(moving(np.ones(300)), missing)) == []


def test_pictures_that_wait_for_motion_are_none() -> None:
    """An encoder that leaves out pictures where little moves: those that come do not leap."""
    series = moving(np.ones(225))
    missing = (np.arange(225) >= 75) & (np.arange(225) % 2 == 0)
    slower = without(series, missing)
    slower.coarse_change[76:] /= 2**0.7
    assert events(slower) == []


def test_stamps_that_jitter_are_none() -> None:
    """Pictures that are late by half a period or more, made up for by the next one."""
    series = moving(np.ones(225))
    late = np.zeros(225)
    late[100:200:4] = 0.03
    assert events(replace(series, pts_s=series.pts_s + late, end_s=series.end_s + np.append(late[1:], 0.0))) == []


def by_turns(series: VideoSeries, frame_rate: float) -> VideoSeries:
    """The series with pictures that last by turns half and one and a half times as long."""
    at_s = np.concatenate([[0.0], np.cumsum(np.resize([0.5, 1.5], len(series)))]) / frame_rate
    return replace(series, pts_s=at_s[:-1], end_s=at_s[1:])


@pytest.mark.parametrize("frame_rate", [25.0, 30.0, 50.0])
@pytest.mark.parametrize("smooth", [[1.0], [0.5, 1.5]], ids=["by pictures", "by time"])
def test_repeats_are_told_whatever_the_time_stamps(smooth: list[float], frame_rate: float) -> None:
    """Pictures last by turns half and one and a half times as long; motion goes by pictures or by time."""
    shown = np.resize(smooth, round(9 * frame_rate))
    assert events(by_turns(moving(shown, frame_rate=frame_rate), frame_rate)) == []
    during = slice(round(3 * frame_rate), round(5 * frame_rate))
    shown[during] = np.resize([2, 0], len(shown[during]))
    (_, closed) = events(by_turns(moving(shown, frame_rate=frame_rate), frame_rate))
    assert closed.start_s == pytest.approx(3.0, abs=0.3)
    assert closed.end_s == pytest.approx(5.0, abs=0.3)


def test_regular_repeats_are_told_after_a_short_time_of_none() -> None:
    """Every fifth picture, the one behind it leaps; before, thirty pictures had no repeat."""
    shown = np.concatenate([np.ones(34), np.resize([1, 1, 1, 0, 2], 60), np.ones(50)])
    (_, closed) = events(moving(shown))
    assert closed.start_s == pytest.approx(34 / 25, abs=0.3)
    assert closed.end_s == pytest.approx(94 / 25, abs=0.5)


def test_another_cadence_after_a_cut_is_none() -> None:
    """Film cut into video: the new shot repeats from its beginning."""
    smooth, film = moving(np.ones(100)), moving(np.resize([1, 0], 100), start_s=4.0, first=False)
    film.coarse_change[0] = CUT
    assert events(joined(smooth, film)) == []


def test_a_pause_is_none() -> None:
    """Somebody stands still for a moment, twitches, and goes on."""
    shown = np.concatenate([np.ones(100), np.zeros(40), [1.0], np.zeros(20), np.ones(100)])
    assert events(moving(shown)) == []


def test_single_repeats_are_none() -> None:
    shown = np.ones(300)
    shown[[60, 130, 220]] = 0.0
    assert events(moving(shown)) == []


def test_little_motion_is_enough_and_a_cursor_is_not() -> None:
    shown = pattern(3.0, 3.0, [2, 0])
    assert len(events(moving(shown, area=0.1))) == 2
    assert events(moving(shown, area=0.01)) == []


def test_fades_and_flashes_are_no_motion() -> None:
    """The light changes by steps every few pictures, all over the picture, after a scene that moved."""
    still = np.repeat(0.3 + 0.3 * (np.arange(25) % 2), 3)
    luma = np.concatenate([np.full(75, 0.3), still])
    change = np.full((150, *TILES), 0.0003)
    change[:75] = 0.02 * np.random.default_rng(1).uniform(0.7, 1.3, (75, *TILES))
    change[75:] += np.abs(np.diff(luma, prepend=0.3))[75:, None, None]
    assert events(video_series(150, luma=luma[:, None, None], change=change)) == []


def test_blocks_that_jump_are_no_stutter() -> None:
    """Corruption changes every third picture; in between everything moves as before."""
    shown = np.concatenate([np.ones(100), np.resize([60.0, 1.0, 1.0], 75), np.ones(50)])
    assert events(moving(shown)) == []


def test_a_stutter_goes_on_through_a_cut() -> None:
    series = moving(pattern(3.0, 5.0, [2, 0]))
    series.coarse_change[150] = CUT
    (_, *_, closed) = events(series)
    assert (closed.start_s, closed.end_s) == (pytest.approx(3.0, abs=0.25), pytest.approx(8.0, abs=0.25))  # type: ignore[comparison-overlap]


@pytest.mark.parametrize("pictures", [6, 8, 10])
def test_it_may_begin_just_before_a_cut(pictures: int) -> None:
    """And not with the shot that follows, in which all pictures are on twos."""
    shot = np.concatenate([np.ones(60), np.resize([2, 0], pictures), np.full(1, 20.0), np.resize([0, 2], 59)])
    (_, closed) = events(moving(np.concatenate([shot, np.ones(60)])))
    assert closed.start_s == pytest.approx(60 / 25, abs=0.12)
    assert closed.end_s == pytest.approx((120 + pictures) / 25, abs=0.3)
    film = np.concatenate([np.ones(60 + pictures), np.full(1, 20.0), np.resize([0, 2], 59), np.ones(60)])
    assert events(moving(film)) == []


def test_nothing_is_judged_across_a_discontinuity() -> None:
    smooth, film = moving(np.ones(100)), moving(np.resize([1, 0], 100), start_s=4.0, first=True)
    assert events(joined(smooth, film)) == []


def test_a_series_may_start_in_the_middle() -> None:
    series = moving(pattern(3.0, 4.0, [2, 0]), start_s=3600.0, first=False)
    opened, closed = events(series)
    assert opened.start_s == pytest.approx(3603.0, abs=0.25)
    assert closed.end_s == pytest.approx(3607.0, abs=0.25)


def test_a_low_rate_is_not_judged() -> None:
    """At three pictures a second neighbours are too far apart to say what moves."""
    assert events(moving(pattern(10.0, 20.0, [2, 0], frame_rate=3.0), frame_rate=3.0)) == []


def test_nothing_in_nothing_out() -> None:
    assert STUTTER.weigh(video_series(0), STUTTER.limits, None) == ([], None)


@given(
    st.lists(st.sampled_from(["smooth", "twos", "threes", "still", "cut"]), min_size=1, max_size=6),
    st.lists(st.integers(0, 150), max_size=12),
    st.sampled_from([25.0, 120.0]),
    st.sampled_from(["steady", "lost", "by turns", "by turns later"]),
)
@settings(max_examples=60, deadline=None)
def test_any_cut_gives_the_same_evidence(scenes: list[str], at: list[int], frame_rate: float, stamps: str) -> None:
    looks = {"smooth": [1], "twos": [2, 0], "threes": [3, 0, 0], "still": [0], "cut": [30, 1, 1, 1, 1]}
    shown = np.concatenate([np.resize(looks[scene], 25) for scene in ["smooth", *scenes]])
    whole = moving(shown, frame_rate=frame_rate)
    if stamps == "lost":
        whole = without(whole, (np.arange(len(shown)) > 20) & (np.arange(len(shown)) % 3 == 0))
    if stamps.startswith("by turns"):
        whole = by_turns(whole, frame_rate)
    if stamps == "by turns later":
        steady = moving(np.ones(25), frame_rate=frame_rate)
        whole = replace(whole, pts_s=whole.pts_s + 25 / frame_rate, end_s=whole.end_s + 25 / frame_rate)
        whole = joined(steady, whole)
    pieces = cut(whole, [min(index, len(whole)) for index in at])
    assert_same_evidence(weighed(STUTTER, pieces), weighed(STUTTER, [whole]))
