"""Pictures that move and stop, as the freeze detector is given them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.detectors.freeze import FREEZE, FreezeLimits
from gpu_qa.events import TrackerState, finish, track
from tests.series_builder import TILES, video_series, weighed

if TYPE_CHECKING:
    from gpu_qa.series import Event, VideoSeries

RATE = 25.0


def moving_luma(frames: int, seed: int = 1) -> np.ndarray:
    """A camera that wanders over a textured scene: every tile's mean drifts, float32 [T, R, K]."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(0, 0.01, (frames, *TILES)), axis=0)
    return np.asarray(0.4 + 0.2 * rng.random(TILES) + walk, np.float32)


def series_of(luma: np.ndarray, noise: float = 0.0, seed: int = 2, **more: Any) -> VideoSeries:
    """Series whose coarse change follows from the tiles' luma, plus noise that stays in a tile's samples."""
    rng = np.random.default_rng(seed)
    change = np.abs(np.diff(luma, axis=0, prepend=luma[:1])) * 1.5
    change += noise * rng.uniform(0.8, 1.2, luma.shape)
    return video_series(len(luma), frame_rate=RATE, luma=luma, change=change * 3, coarse_change=change, **more)


def events_of(series: VideoSeries, limits: FreezeLimits | None = None) -> list[Event]:
    state = TrackerState("clip")
    told: list[Event] = []
    for evidence in weighed(FREEZE, [series], limits):
        state, events = track(state, evidence, FREEZE.timing)
        told += events
    _, last = finish(state, float(series.end_s[-1]))
    return [event for event in [*told, *last] if event.state == "closed"]


def frozen(frames: int = 250, start: int = 100, stop: int = 175) -> np.ndarray:
    luma = moving_luma(frames)
    luma[start:stop] = luma[start]
    return luma


def with_overlay(luma: np.ndarray, rows: slice, columns: slice, period: int = 1) -> np.ndarray:
    rng = np.random.default_rng(9)
    height, width = luma[0, rows, columns].shape
    shown = rng.random((len(luma) // period + 1, height, width)).astype(np.float32)
    luma[:, rows, columns] = np.repeat(shown, period, axis=0)[: len(luma)]
    return luma


def with_spot(
    luma: np.ndarray, shown: slice, side: int = 4, at: tuple[int, int] = (10, 19), period: int = 1
) -> np.ndarray:
    """A square of tiles that change every `period` frames, as long as it is shown."""
    luma = luma.copy()
    rows, columns = slice(at[0], at[0] + side), slice(at[1], at[1] + side)
    luma[shown] = with_overlay(luma[shown], rows, columns, period)
    return luma


def dissolved(frames: int, start: int = 100, duration: int = 15) -> np.ndarray:
    """A moving picture that dissolves into a still one, which is complete at `start`."""
    luma = moving_luma(frames)
    still = moving_luma(1, seed=8)[0] + 0.1
    share = np.clip((np.arange(frames) - start + duration) / duration, 0, 1).astype(np.float32)[:, None, None]
    return np.asarray(luma * (1 - share) + still * share)
