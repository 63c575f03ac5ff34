"""Loop: the same pictures again and again; still pictures and what moves to and fro are none."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.loop import LOOP
from gpu_qa.events import TrackerState, finish, track
from tests.programme import Fault, Form, Programme, told
from tests.series_builder import TILES, assert_same_evidence, cut, joined, video_series, weighed

if TYPE_CHECKING:
    from gpu_qa.series import Event, VideoSeries

FORM = Form(640, 360, Fraction(25))


def test_a_loop_is_told_where_it_is() -> None:
    programme = Programme(FORM, [Fault("loop", "video.loop", 4.0, 9.0)], 12.0)
    (event,) = told(programme.frames(), ["loop"])
    assert event.kind == "video.loop"
    assert [event.start_s, event.end_s] == pytest.approx([4.0, 9.0], abs=0.6)


def test_a_running_programme_is_none() -> None:
    assert not told(Programme(FORM, [], 12.0).frames(), ["loop"])


@pytest.mark.parametrize("name", ["freeze", "black", "blur", "grey"])
def test_other_faults_are_none(name: str) -> None:
    programme = Programme(FORM, [Fault(name, "", 4.0, 8.0)], 10.0)
    assert not told(programme.frames(), ["loop"])


def shown(order: Any, *, frame_rate: float = 25.0, motion: float = 0.08, area: float = 0.5, **more: Any) -> VideoSeries:
    """Pictures in the given order: each number is one of a sequence that moves on without returning.

    Args:
        order: int [T]: which picture is shown.
        frame_rate: Pictures per second.
        motion: How far the moving tiles' luma walks, as a fraction of full scale.
        area: Share of the picture's width in which something moves.
        **more: For `video_series`.
    """
    rng = np.random.default_rng(5)
    order = np.asarray(order, np.intp)
    walk = np.cumsum(rng.normal(0, motion / 6, (int(order.max()) + 1, TILES[0] // 3, TILES[1] // 3)), axis=0)
    walk[:, :, round(area * TILES[1] / 3) :] = 0.0
    still = rng.uniform(0.2, 0.8, (TILES[0] // 3, TILES[1] // 3))
    pictures = np.repeat(np.repeat(still + walk, 3, axis=1), 3, axis=2)[order]
    return video_series(
        len(order), luma=pictures + rng.normal(0, 0.0006, pictures.shape), frame_rate=frame_rate, **more
    )


def again(before: int, period: int, repeats: float, after: int) -> np.ndarray:
    """A sequence in which `period` pictures from `before` on are shown `repeats` times more; then it goes on."""
    extra = np.resize(np.arange(before, before + period), round(repeats * period))
    return np.concatenate([np.arange(before + period), extra, before + period + np.arange(after)])


def events(series: VideoSeries) -> list[Event]:
    (evidence,) = weighed(LOOP, [series])
    state, told_ = track(TrackerState("s"), evidence, LOOP.timing)
    return told_ + finish(state, float(series.end_s[-1]))[1]


@pytest.mark.parametrize("frame_rate", [24.0, 25.0, 30.0, 60.0])
@pytest.mark.parametrize(("period", "repeats"), [(2, 40), (5, 16), (25, 4), (100, 1.5)])
def test_loops_are_told_with_their_ends(period: int, repeats: float, frame_rate: float) -> None:
    order = again(100, period, repeats, 60)
    opened, *_, closed = events(shown(order, frame_rate=frame_rate))
    end = 100 + period + round(repeats * period)
    assert opened.start_s == pytest.approx(100 / frame_rate, abs=0.1)
    assert closed.end_s == pytest.approx(end / frame_rate, abs=0.1)
    assert closed.details["period_frames"] == period
    assert closed.details["period_s"] == pytest.approx(period / frame_rate, abs=0.001)
    assert f"for {(closed.end_s or 0.0) - closed.start_s:.1f} s: {period} pictures" in closed.message
    assert closed.value == pytest.approx(repeats, rel=0.2)
    assert closed.details["verdict"] == "stuck"
    assert closed.severity != "info"


def two_shots(first: int, second: int, motion: float) -> np.ndarray:
    """Two quiet shots with a cut between, each of a camera that stands: little moves in them, float [T, R, K]."""
    rng = np.random.default_rng(7)
    luma = rng.uniform(0.2, 0.8, (2, *TILES))[np.repeat([0, 1], [first, second])]
    walk = np.cumsum(rng.normal(0, motion, (len(luma), 12, 9)), axis=0)
    luma[:, 6:18, 15:24] += walk
    return np.asarray(luma)


def played(luma: np.ndarray, order: Any) -> VideoSeries:
    """Pictures in the given order, with what an encoder adds."""
    noise = np.random.default_rng(8).normal(0, 0.0006, (len(order), *TILES))
    return video_series(len(order), luma=luma[order] + noise)


@pytest.mark.parametrize(("before", "period"), [(10, 60), (30, 60), (90, 100), (4, 30)])
def test_a_loop_of_quiet_shots_with_a_cut_is_told(before: int, period: int) -> None:
    opened, *_, closed = events(played(two_shots(100 + before, 200, 0.02), again(100, period, 3.0, 20)))
    assert opened.start_s == pytest.approx(4.0, abs=0.1)
    assert closed.end_s == pytest.approx((100 + 4 * period) / 25, abs=0.1)
    assert closed.details["period_frames"] == period
    assert f"{period} pictures" in closed.message


def test_two_stills_that_take_turns_are_none() -> None:
    assert events(played(two_shots(50, 50, 0.0), np.resize(np.arange(100), 500))) == []


def test_quiet_shots_cut_in_the_same_rhythm_are_none() -> None:
    """A talk between two cameras that stand: what moves in them is never the same again."""
    luma = two_shots(50, 50, 0.0)[np.resize(np.arange(100), 500)]
    luma[:, 6:18, 15:24] += np.cumsum(np.random.default_rng(9).normal(0, 0.02, (500, 12, 9)), axis=0)
    assert events(video_series(500, luma=luma)) == []


def test_to_and_fro_is_none() -> None:
    swing = np.concatenate([np.arange(25), np.arange(25)[::-1]])
    assert events(shown(np.concatenate([np.resize(swing, 300), np.arange(25, 60)]))) == []


def test_once_forward_and_once_backward_is_none() -> None:
    assert events(shown(np.concatenate([np.arange(150), np.arange(150)[::-1]]))) == []


def test_blinking_is_none() -> None:
    assert events(shown(np.resize(np.repeat([0, 40], 12), 300))) == []


def test_blinking_beside_something_that_moves_is_none() -> None:
    """A lamp that blinks in a screen recording, with a pointer on its way."""
    series = shown(np.resize(np.repeat([0, 40], [5, 3]), 300))
    for index in range(300):
        series.luma[index, 9, index % TILES[1]] += 0.1
    assert events(series) == []


def test_a_seamless_loop_is_only_information() -> None:
    """An animated background that leads back into itself, made to loop."""
    phase = 2 * np.pi * np.arange(300) / 50
    fields = np.random.default_rng(2).uniform(-1, 1, (2, *TILES))
    luma = 0.5 + 0.1 * (np.cos(phase)[:, None, None] * fields[0] + np.sin(phase)[:, None, None] * fields[1])
    closed = events(video_series(300, luma=luma))[-1]
    assert (closed.severity, closed.details["verdict"]) == ("info", "seamless")


@pytest.mark.parametrize(("motion", "area"), [(0.0, 0.5), (0.08, 0.0)])
def test_still_pictures_are_none(motion: float, area: float) -> None:
    assert events(shown(again(100, 10, 10, 50), motion=motion, area=area)) == []


def test_a_scene_shown_twice_with_another_between_is_none() -> None:
    order = np.concatenate([np.arange(60), np.arange(100, 140), np.arange(20, 60), np.arange(140, 200)])
    assert events(shown(order)) == []


def test_flashes_without_content_are_none() -> None:
    luma = np.resize(np.repeat([0.0, 1.0], 3), 200)
    assert events(video_series(200, luma=luma[:, None, None])) == []


def test_periods_beyond_the_limit_are_none() -> None:
    assert events(shown(again(20, 60, 2, 20), frame_rate=5.0)) == []


def test_a_series_may_start_in_the_middle() -> None:
    opened, closed = events(shown(again(100, 10, 8, 60), start_s=3600.0, first=False))
    assert opened.start_s == pytest.approx(3604.0, abs=0.1)
    assert closed.end_s == pytest.approx(3607.6, abs=0.1)


def test_nothing_in_nothing_out() -> None:
    assert LOOP.weigh(video_series(0), LOOP.limits, None) == ([], None)


@given(
    st.lists(st.sampled_from([2, 5, 12, 30]), min_size=1, max_size=3),
    st.lists(st.integers(0, 300), max_size=12),
    st.sampled_from([25.0, 120.0]),
)
@settings(max_examples=25, deadline=None)
def test_any_cut_gives_the_same_evidence(periods: list[int], at: list[int], frame_rate: float) -> None:
    parts = []
    for index, period in enumerate(periods):
        order = again(20, period, max(40 / period, 2), 20)
        parts.append(shown(order, frame_rate=frame_rate, start_s=10.0 * index, first=index == 1))
    whole = joined(*parts)
    pieces = cut(whole, [min(index, len(whole)) for index in at])
    assert_same_evidence(weighed(LOOP, pieces), weighed(LOOP, [whole]))
