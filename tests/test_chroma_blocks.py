"""Blocks that are damaged in their chroma only; coloured light, graphics and cuts are none."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gpu_qa.detectors.block_corruption import BLOCK_CORRUPTION
from tests.broken_pictures import events
from tests.picture_series import measured, scene
from tests.series_builder import assert_same_evidence, cut, weighed

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_qa.series import VideoSeries

_ROWS, _COLUMNS = 24, 42
_GREEN = np.array([-0.3, -0.3], np.float32)[:, None]


@cache
def _grey(pictures: int, frame_rate: int = 25) -> VideoSeries:
    return measured(scene(pictures, (160, 96), speed=0.3), frame_rate=frame_rate)


def colored(pictures: int = 125, frame_rate: int = 25) -> VideoSeries:
    """A picture that moves slowly, in soft colours: Cb and Cr up to 0.15."""
    y, x = np.mgrid[:_ROWS, :_COLUMNS]
    chroma = np.stack(
        [
            0.15 * np.stack([np.sin(0.2 * x + 0.1 * y - 0.01 * n), np.cos(0.15 * x - 0.2 * y + 0.01 * n)])
            for n in range(pictures)
        ]
    )
    return replace(_grey(pictures, frame_rate), chroma=chroma.astype(np.float32))


def green(series: VideoSeries, first: int, last: int, *, hold: int = 1000, share: float = 0.15) -> VideoSeries:
    """Pictures `first` to `last` (exclusive) have green tiles, others every `hold` pictures."""
    rng = np.random.default_rng(4)
    chroma = series.chroma.copy()
    tiles = np.zeros((_ROWS, _COLUMNS), bool)
    for n in range(first, last):
        if (n - first) % hold == 0:
            tiles = rng.random((_ROWS, _COLUMNS)) < share
        chroma[n][:, tiles] = _GREEN
    return replace(series, chroma=chroma)


@pytest.mark.parametrize("hold", [1000, 3])
def test_green_blocks_are_told_as_long_as_they_are_there(hold: int) -> None:
    (event,) = events(green(colored(), 40, 75, hold=hold))
    assert (event.start_s, event.end_s) == (1.6, 3.0)
    assert (event.details["cause"], event.details["evidence"], event.limit) == ("upstream", ["chroma"], None)
    assert event.value is not None
    assert 0.2 < event.value < 0.7
    assert "#" in "".join(event.details["tile_map"])


def test_chroma_that_turns_grey_is_damage_as_well() -> None:
    series = colored()
    chroma = series.chroma.copy()
    chroma[40:75, :, ::3, ::3] = 0
    (event,) = events(replace(series, chroma=chroma))
    assert (event.start_s, event.end_s) == (1.6, 3.0)


def _light(series: VideoSeries) -> VideoSeries:
    chroma = series.chroma.copy()
    for n in range(40, 75):
        chroma[n, :, :, :20] += 0.2 * (-1) ** n
    return replace(series, chroma=chroma)


def _graphic(series: VideoSeries) -> VideoSeries:
    damaged, change = green(series, 40, 75), series.coarse_change.copy()
    change[40] = change[75] = 0.3 * (np.abs(damaged.chroma[40] - series.chroma[40]).max(axis=0) > 0.04)
    return replace(damaged, coarse_change=change)


def _cut(series: VideoSeries) -> VideoSeries:
    chroma, change = series.chroma.copy(), series.coarse_change.copy()
    chroma[40:] = np.random.default_rng(5).uniform(-0.3, 0.3, chroma[0].shape)
    change[40] = 0.1
    return replace(series, chroma=chroma, coarse_change=change)


def _colourless(series: VideoSeries) -> VideoSeries:
    chroma = series.chroma.copy()
    chroma[40:75] = 0
    return replace(series, chroma=chroma)


def _few(series: VideoSeries) -> VideoSeries:
    return green(series, 40, 75, share=0.03)


def _colours_that_move(series: VideoSeries) -> VideoSeries:
    """From a picture that stood still on; in others every sixth tile has another colour each time."""
    rng, chroma = np.random.default_rng(6), series.chroma.copy()
    for n in (*range(60), *range(80, 125)):
        chroma[n] += 0.2 * (rng.random((_ROWS, _COLUMNS)) < 0.08)
    chroma[60:80] = chroma[59]
    change = series.coarse_change.copy()
    change[60:80] = 0
    return replace(series, chroma=chroma, coarse_change=change)


@pytest.mark.parametrize("done", [_light, _graphic, _cut, _colourless, _few, _colours_that_move])
def test_these_are_none(done: Callable[[VideoSeries], VideoSeries]) -> None:
    assert not events(done(colored()))


def test_blocks_whose_luma_changed_as_well_when_they_broke_are_no_damage_when_they_heal() -> None:
    series = colored()
    damaged, change = green(series, 40, 75, hold=3, share=0.4), series.coarse_change.copy()
    change[43:75:3, :, ::2] = 0.3
    (event,) = events(replace(damaged, coarse_change=change))
    assert (event.start_s, event.end_s) == (1.6, 3.0)


def test_healing_of_what_was_there_before_a_cut_is_no_damage() -> None:
    series = _cut(colored())
    steady = series.chroma.copy()
    steady[40:] = colored().chroma[40:]
    assert not events(green(replace(series, chroma=steady), 40, 75))


def test_what_stays_for_half_a_minute_is_how_it_looks() -> None:
    (event,) = events(green(colored(200, frame_rate=5), 10, 200))
    assert (event.start_s, event.end_s) == pytest.approx((2.0, 32.2), abs=0.3)


def test_any_cut_gives_the_same_evidence() -> None:
    series = green(colored(), 40, 75, hold=3)
    whole = weighed(BLOCK_CORRUPTION, [series])
    assert_same_evidence(weighed(BLOCK_CORRUPTION, cut(series, [1, 40, 41, 52, 75, 76])), whole)
