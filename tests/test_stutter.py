"""Stutter: told where pictures begin to repeat in the middle of a shot, not for cadences that were there before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.stutter import STUTTER
from gpu_qa.events import TrackerState, finish, track
from tests.series_builder import TILES, assert_same_evidence, cut, joined, video_series, weighed

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
)
@settings(max_examples=40, deadline=None)
def test_any_cut_gives_the_same_evidence(scenes: list[str], at: list[int], frame_rate: float) -> None:
    looks = {"smooth": [1], "twos": [2, 0], "threes": [3, 0, 0], "still": [0], "cut": [30, 1, 1, 1, 1]}
    shown = np.concatenate([np.resize(looks[scene], 25) for scene in ["smooth", *scenes]])
    whole = moving(shown, frame_rate=frame_rate)
    pieces = cut(whole, [min(index, len(whole)) for index in at])
    assert_same_evidence(weighed(STUTTER, pieces), weighed(STUTTER, [whole]))
