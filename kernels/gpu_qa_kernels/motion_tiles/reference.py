"""The definition of `motion_tiles`, in NumPy and double precision: the other implementation agrees within 10⁻⁵."""

from __future__ import annotations

import numpy as np

from gpu_qa_kernels import TILE_COLS, TILE_ROWS
from gpu_qa_kernels.motion_tiles.contract import SIDE, Motion

__all__ = ["motion_tiles_reference"]


def motion_tiles_reference(small: np.ndarray, previous: np.ndarray | None) -> np.ndarray:
    """Arguments and result as `gpu_qa_kernels.motion_tiles.motion_tiles`."""
    now = small / 256.0
    before = now if previous is None else previous / 256.0
    change, mean = now - before, (now + before) / 2
    down, across = np.gradient(mean, axis=0), np.gradient(mean, axis=1)
    if previous is None:
        down = across = np.zeros_like(mean)
    terms = {
        Motion.LUMA: now,
        Motion.SQUARES: now * now,
        Motion.CHANGE: np.abs(change),
        Motion.SIGNED: change,
        Motion.DOWN: change * down,
        Motion.SLOPE_DOWN: down * down,
        Motion.ACROSS: change * across,
        Motion.SLOPE_ACROSS: across * across,
    }
    stacked = np.stack([terms[motion] for motion in Motion])
    sums = stacked.reshape(len(Motion), TILE_ROWS, SIDE, TILE_COLS, SIDE).sum(axis=(2, 4))
    return np.asarray(sums, np.float32)
