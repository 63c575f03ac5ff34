"""Pictures with broken blocks, and what is told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.block_corruption import BLOCK_CORRUPTION, BlockCorruptionLimits
from gpu_qa.events import TrackerState, finish, track
from tests.series_builder import weighed

if TYPE_CHECKING:
    from gpu_qa.series import Event, VideoSeries


def broken(pictures: list[np.ndarray], first: int, last: int, share: float = 0.08, seed: int = 3) -> list[np.ndarray]:
    """The pictures, of which `first` to `last` (exclusive) have displaced blocks, others every third picture."""
    rng = np.random.default_rng(seed)
    rows, columns = pictures[0].shape[0] // 16, pictures[0].shape[1] // 16
    out = list(pictures)
    moves = np.zeros((0, 4), int)
    for n in range(first, min(last, len(pictures))):
        if (n - first) % 3 == 0:
            moves = rng.integers(0, [rows, columns, rows, columns], (max(4, int(share * rows * columns)), 4))
        out[n] = pictures[n].copy()
        for y, x, from_y, from_x in (16 * moves).tolist():
            out[n][y : y + 16, x : x + 16] = pictures[n][from_y : from_y + 16, from_x : from_x + 16]
    return out


def events(series: VideoSeries, limits: BlockCorruptionLimits | None = None) -> list[Event]:
    (evidence,) = weighed(BLOCK_CORRUPTION, [series], limits)
    state, told = track(TrackerState("s"), evidence, BLOCK_CORRUPTION.timing)
    told += finish(state, float(series.end_s[-1]))[1]
    return [event for event in told if event.state == "closed"]


def concealed(
    pictures: list[np.ndarray], first: int, healed: int, by: float = 40.0, reach: tuple[float, float] = (40.0, 60.0)
) -> list[np.ndarray]:
    """From `first` to `healed` a soft stain lies on the picture, without any seam."""
    height, width = pictures[0].shape
    y, x = np.mgrid[:height, :width]
    stain = by * np.exp(-(((y - height / 2) / reach[0]) ** 2) - ((x - width / 2) / reach[1]) ** 2)
    out = list(pictures)
    for n in range(first, healed):
        out[n] = np.clip(pictures[n] + stain, 0, 255).astype(np.uint8)
    return out
