from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.sync.measures import unpacked
from gpu_qa.sync.shots import LONGEST, SHORTEST, ShotCarry, Window, cut_shots, end_shots
from gpu_qa_kernels.motion_tiles import Motion
from tests.series_builder import cut, video_series
from tests.sync_windows import packed

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries


def moving(frames: int, *, frame_rate: float = 25.0, cut_at: int | None = None, seed: int = 0) -> VideoSeries:
    series = video_series(frames, frame_rate=frame_rate)
    motion = np.abs(np.random.default_rng(seed).normal(20, 5, (frames, len(Motion), 24, 42))).astype(np.float32)
    motion[:, Motion.LUMA] = 100 * 64
    motion[:, Motion.SQUARES] = 100**2 * 64 + 50
    if cut_at is not None:
        motion[cut_at:, Motion.LUMA] = 160 * 64
    return dataclasses.replace(series, motion=motion)


def windows(series: VideoSeries, cuts: list[int] | None = None) -> list[Window]:
    carry, found = ShotCarry(), list[Window]()
    for piece in cut(series, cuts or []):
        fresh, carry = cut_shots(piece, carry)
        found += fresh
    return found + end_shots(carry)


@settings(max_examples=30, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 259), max_size=8, unique=True),
    rate=st.sampled_from([15.0, 24.0, 25.0, 29.97, 50.0]),
    cut_at=st.sampled_from([None, 40, 130]),
)
def test_any_cut_into_series_gives_the_same_windows(cuts: list[int], rate: float, cut_at: int | None) -> None:
    series = moving(260, frame_rate=rate, cut_at=cut_at)
    one, other = windows(series), windows(series, cuts)
    assert [(window.first, len(window)) for window in one] == [(window.first, len(window)) for window in other]
    for here, there in zip(one, other, strict=True):
        np.testing.assert_array_equal(here.motion, there.motion)


@pytest.mark.parametrize("rate", [15.0, 25.0, 50.0, 59.94])
def test_windows_follow_one_another_on_the_grid(rate: float) -> None:
    found = windows(moving(int(10 * rate), frame_rate=rate))
    assert [len(window) for window in found[:2]] == [LONGEST, LONGEST]
    assert found[1].first == found[0].first + LONGEST
    assert sum(map(len, found)) >= 245


def test_no_window_spans_a_cut() -> None:
    found = windows(moving(140, cut_at=60))
    assert next((window.first, window.first + len(window)) for window in found)[1] <= 60
    assert found[1].first >= 61


def test_short_shots_and_gaps_are_left_out() -> None:
    assert windows(moving(SHORTEST - 2)) == []
    series = moving(60)
    late = dataclasses.replace(series, pts_s=series.pts_s + np.where(np.arange(60) < 30, 0, 5.0))
    found = windows(late)
    assert [window.first >= 150 for window in found] == [False, True]


def test_a_ramp_is_interpolated_to_the_grid() -> None:
    series = moving(60, frame_rate=50.0)
    assert series.motion is not None
    series.motion[:, Motion.SIGNED] = 64 * series.pts_s[:, None, None]
    (window,) = windows(series)
    steps_s = (window.first + np.arange(len(window))) / 25
    # Half a picture earlier than the picture that shows it, and twice as much in 1/25 s as in 1/50 s.
    np.testing.assert_allclose(unpacked(window.motion)[2:, 1, 3, 3], 2 * (steps_s[2:] + 0.01), atol=0.1)


def test_a_byte_holds_what_the_net_looks_at() -> None:
    rng = np.random.default_rng(0)
    motion = np.stack(
        [
            rng.uniform(0, 6, 5000),
            np.sinh(rng.uniform(-4, 4, 5000)) * 4,
            rng.uniform(-3, 3, 5000),
            rng.uniform(-3, 3, 5000),
            rng.uniform(0, 255, 5000),
            rng.uniform(0, 127, 5000),
            rng.uniform(-127, 127, 5000),
        ],
    ).astype(np.float32)
    got = unpacked(packed(motion[None, :, None]))[0, :, 0]
    apart = np.abs(got - motion)
    apart[1] = np.abs(np.arcsinh(got[1] / 4) - np.arcsinh(motion[1] / 4))
    assert (apart.max(1) <= 0.5 / np.array([38, 25, 42, 42, 1, 2, 1]) + 1e-4).all()
