"""A picture that is frozen under a spot that moves on in its middle; what only looks like that is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.freeze import FREEZE, FreezeLimits
from tests.frozen_pictures import dissolved, events_of, frozen, moving_luma, series_of, with_spot
from tests.series_builder import TILES, assert_same_evidence, cut, weighed


@pytest.mark.parametrize("period", [1, 2, 3, 25])
@pytest.mark.parametrize("from_frame", [0, 100, 113, 125, 180])
def test_a_freeze_under_a_spot_in_the_middle_is_told_from_its_start(from_frame: int, period: int) -> None:
    """A clock that was always there, or the ring of a player that waits and shows it soon or late."""
    luma = with_spot(frozen(400, 104, 300), slice(from_frame, 300), period=period)
    (event,) = events_of(series_of(luma))
    assert (event.start_s, event.end_s) == (4.16, 12.0)
    assert (event.details["onset"], event.details["verdict"]) == ("motion", "dead")
    assert 0.97 < event.details["frozen_area"] <= 1.0
    assert 0.8 <= event.confidence < 0.9


def test_what_moves_alone_for_a_moment_is_no_spot() -> None:
    luma = with_spot(frozen(300, 100, 172), slice(0, 300))
    assert events_of(series_of(luma)) == []
    (event,) = events_of(series_of(luma), FreezeLimits(spot_after_s=2.5))
    assert (event.start_s, event.end_s) == (4.0, 6.88)


@pytest.mark.parametrize(("side", "at"), [(9, (8, 16)), (4, (10, 2)), (4, (4, 19))], ids=["large", "beside", "above"])
def test_what_moves_elsewhere_or_is_large_is_no_spot(side: int, at: tuple[int, int]) -> None:
    assert events_of(series_of(with_spot(frozen(400, 100, 300), slice(0, 300), side, at))) == []


def test_two_things_that_move_are_no_spot() -> None:
    luma = with_spot(with_spot(frozen(400, 100, 300), slice(0, 300), 2, (8, 14)), slice(0, 300), 2, (14, 26))
    assert events_of(series_of(luma)) == []


def test_what_moves_before_a_still_background_is_no_spot() -> None:
    still = np.repeat(moving_luma(1), 400, axis=0)
    assert events_of(series_of(with_spot(still, slice(0, 400)))) == []
    cut_to = frozen(400, 100, 300)
    cut_to[100:300] = moving_luma(1, seed=7)[0]
    cut_to[75:100] = cut_to[75]
    assert events_of(series_of(with_spot(cut_to, slice(100, 300)))) == []


def lively_until_a_slate(speed: float, duration: int = 0, frames: int = 500) -> np.ndarray:
    """Everything moves, by `speed` each frame, until a still is complete at frame 104, after a dissolve so long."""
    phase = np.random.default_rng(3).uniform(0, 2 * np.pi, TILES)
    luma = 0.5 + 0.3 * np.sin(phase + speed * np.arange(frames)[:, None, None])
    share = np.clip((np.arange(frames) - 104 + duration + 1) / (duration + 1), 0, 1)[:, None, None]
    return np.asarray(luma * (1 - share) + moving_luma(1, seed=9)[0] * share, np.float32)


@pytest.mark.parametrize(("side", "at", "period"), [(2, (11, 20), 12), (4, (10, 19), 1)], ids=["prompt", "ring"])
@pytest.mark.parametrize(
    ("speed", "duration"), [*((speed, duration) for speed in (0.04, 0.1) for duration in (0, 1, 4, 8, 15)), (0.4, 0)]
)
def test_a_cut_out_of_lively_motion_to_a_slate_with_a_spot_is_no_freeze(
    speed: float, duration: int, side: int, at: tuple[int, int], period: int
) -> None:
    luma = with_spot(lively_until_a_slate(speed, duration), slice(104, 500), side, at, period)
    assert events_of(series_of(luma)) == []


@pytest.mark.parametrize("speed", [0.04, 0.4])
def test_a_cut_to_a_still_is_seen_however_lively_the_picture_before(speed: float) -> None:
    (event,) = events_of(series_of(lively_until_a_slate(speed)))
    assert (event.start_s, event.details["onset"], event.severity) == (4.16, "cut", "info")


@pytest.mark.parametrize("after", [2, 10])
def test_a_picture_that_stops_soon_after_a_cut_is_told_under_a_spot(after: int) -> None:
    luma = frozen(400, 104, 300)
    luma[: 104 - after] = moving_luma(104 - after, seed=7)
    (event,) = events_of(series_of(with_spot(luma, slice(104, 300))))
    assert (event.start_s, event.end_s, event.details["onset"]) == (4.16, 12.0, "motion")


def test_a_freeze_under_a_spot_is_never_critical() -> None:
    (event,) = events_of(series_of(with_spot(frozen(600, 104, 600), slice(104, 600))))
    assert (event.start_s, event.end_s, event.severity) == (4.16, 24.0, "major")


def test_a_camera_that_comes_to_rest_leaves_no_freeze_under_what_moves_on() -> None:
    """It slows down for 1.5 s, with noise too small to count as motion, or stops at once, with its noise."""
    speed = np.concatenate([np.full(100, 1.0), np.linspace(1.0, 0.02, 38), np.zeros(262)])
    path = np.cumsum(speed)[:, None, None] * np.random.default_rng(3).choice([-0.004, 0.004], TILES)
    slowing = (0.5 + np.sin(path) * 0.3).astype(np.float32)
    assert events_of(series_of(with_spot(slowing, slice(0, 400)))) == []
    assert events_of(series_of(with_spot(frozen(400, 100, 300), slice(0, 300)), noise=0.0013)) == []
    assert events_of(series_of(with_spot(frozen(400, 100, 300), slice(0, 300)), noise=0.0007)) != []


@settings(max_examples=10, deadline=None)
@given(at=st.lists(st.integers(0, 300), max_size=12))
def test_any_cut_of_a_freeze_under_a_spot_gives_the_same_evidence(at: list[int]) -> None:
    series = series_of(with_spot(frozen(300, 100, 260), slice(110, 260), period=3), noise=0.0005)
    assert_same_evidence(weighed(FREEZE, cut(series, at)), weighed(FREEZE, [series]))
    series = series_of(dissolved(300), noise=0.0005)
    assert_same_evidence(weighed(FREEZE, cut(series, at)), weighed(FREEZE, [series]))
