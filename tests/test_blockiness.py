"""Blockiness: told where coarse compression shows all over the picture, on its own grid or a scaled one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.blockiness import BLOCKINESS
from gpu_qa.events import TrackerState, finish, track
from tests.picture_series import measured, scene
from tests.series_builder import assert_same_evidence, cut, video_series, weighed

if TYPE_CHECKING:
    from gpu_qa.series import Event, VideoSeries


def coarse(pictures: list[np.ndarray], strength: float, side: int = 8) -> list[np.ndarray]:
    """Blocks of `side` samples, which keep 1 − `strength` of what differs from their mean."""
    out = []
    for picture in pictures:
        rows, columns = picture.shape[0] // side, picture.shape[1] // side
        means = np.kron(picture.reshape(rows, side, columns, side).mean(axis=(1, 3)), np.ones((side, side)))
        out.append((strength * means + (1 - strength) * picture).astype(np.uint8))
    return out


def events(series: VideoSeries) -> list[Event]:
    (evidence,) = weighed(BLOCKINESS, [series])
    state, told = track(TrackerState("s"), evidence, BLOCKINESS.timing)
    told += finish(state, float(series.end_s[-1]))[1]
    return [event for event in told if event.state == "closed"]


@pytest.mark.parametrize("frame_rate", [24, 30, 60])
@pytest.mark.parametrize("side", [8, 16])
def test_coarse_blocks_are_told_with_their_size(side: int, frame_rate: int) -> None:
    still = scene(frame_rate // 2)
    pictures = still + coarse(scene(3 * frame_rate, seed=2), 0.9, side)
    (event,) = events(measured(pictures, frame_rate=frame_rate))
    assert event.start_s == pytest.approx(len(still) / frame_rate, abs=0.25)
    assert event.details["grid_period"] == side
    assert event.details["direction"] == "both"


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("size", [(176, 144), (640, 352), (1280, 720)])
def test_any_size_and_range(size: tuple[int, int], full_range: bool) -> None:
    assert len(events(measured(coarse(scene(60, size), 0.9), full_range=full_range))) == 1


def test_the_coarser_the_worse() -> None:
    values = []
    for strength in (0.0, 0.3, 0.6, 0.9):
        (evidence,) = weighed(BLOCKINESS, [measured(coarse(scene(24), strength))])
        values.append(float(np.median(evidence.value)))
    assert values == sorted(values)
    assert values[0] < 0.1
    assert values[-1] > 0.4


def test_severity_follows_how_much_shows() -> None:
    mild = video_series(400, seam=np.array([[0.012, 0.012, 0.004]]).reshape(1, 1, 3, 1, 1), gradient=0.02)
    strong = video_series(400, seam=np.array([[0.03, 0.03, 0.004]]).reshape(1, 1, 3, 1, 1), gradient=0.02)
    assert [event.severity for event in events(mild)] == ["warn"]
    assert [event.severity for event in events(strong)] == ["major"]


def test_a_strip_of_squares_is_no_compression() -> None:
    """A ticker of square letters over a picture of ordinary quality."""
    seam = np.empty((1, 1, 3, 24, 42), np.float32)
    seam[:] = np.array([0.0079, 0.0079, 0.004])[:, None, None]
    seam[..., :2, 21:, :] = 0.05
    assert events(video_series(200, seam=seam, gradient=0.02)) == []


def test_a_scaled_grid_is_told_with_its_period() -> None:
    grid = np.full((75, 2, 2), np.nan, np.float32)
    grid[::22] = [[12.0, 0.008], [12.0, 0.007]]
    (event,) = events(video_series(75, grid=grid, gradient=0.02))
    assert event.details["grid_period"] == 12.0
    grid[::22, :, 1] = 0.001
    assert events(video_series(75, grid=grid, gradient=0.02)) == []


def test_an_own_grid_is_left_to_the_look_at_tiles() -> None:
    grid = np.full((75, 2, 2), np.nan, np.float32)
    grid[::22] = [[8.0, 0.02], [8.0, 0.02]]
    assert events(video_series(75, grid=grid, gradient=0.02)) == []


def lines(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """Lines of text that lie on the grid."""
    out = [picture.copy() for picture in pictures]
    for picture in out:
        picture[:] = 60
        picture[16:224:32] = 200
    return out


@pytest.mark.parametrize(
    "pictures",
    [scene(75), scene(75, speed=12.0), lines(scene(75)), [np.full((240, 320), 16, np.uint8)] * 75],
    ids=["a moving picture", "fast motion", "lines on the grid", "black"],
)
def test_what_is_not_coarse_is_not_told(pictures: list[np.ndarray]) -> None:
    assert events(measured(pictures)) == []


_MIXED = measured(scene(30) + coarse(scene(40, seed=4), 0.8) + scene(20, seed=5))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 90), max_size=6))
def test_any_cut_gives_the_same_evidence(at: list[int]) -> None:
    assert_same_evidence(weighed(BLOCKINESS, cut(_MIXED, at)), weighed(BLOCKINESS, [_MIXED]))


def test_a_stream_that_is_joined_in_the_middle() -> None:
    (evidence,) = weighed(BLOCKINESS, cut(_MIXED, [40])[1:])
    assert (evidence.verdict[:25] == 1).all()
