"""`motion_grid` as it is defined, in NumPy."""

from __future__ import annotations

import numpy as np

from gpu_qa_kernels.motion_tiles import SIDE, Motion
from gpu_qa_kernels.sync_net.contract import MOVING, PACKED_STEPS, PACKED_ZERO, SIGNED

__all__ = ["packed_on_grid_reference", "tile_measures_reference"]

_SAMPLES = SIDE * SIDE


def tile_measures_reference(sums: np.ndarray, redness: np.ndarray, per_s: np.ndarray) -> np.ndarray:
    """Arguments and result as `gpu_qa_kernels.motion_grid.tile_measures`."""
    scale = per_s[:, None, None]
    mean = sums[:, Motion.LUMA] / _SAMPLES
    down, across = (
        np.clip(-scale * sums[:, product] / (sums[:, slope] + 4 * _SAMPLES), -3, 3)
        for product, slope in ((Motion.DOWN, Motion.SLOPE_DOWN), (Motion.ACROSS, Motion.SLOPE_ACROSS))
    )
    measures = (
        np.log1p(scale * sums[:, Motion.CHANGE] / _SAMPLES),
        scale * sums[:, Motion.SIGNED] / _SAMPLES,
        down,
        across,
        mean,
        np.sqrt(np.maximum(sums[:, Motion.SQUARES] / _SAMPLES - mean**2, 0)),
        redness,
    )
    return np.stack(measures, 1).astype(np.float32)


def packed_on_grid_reference(measures: np.ndarray, at: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Arguments and result as `gpu_qa_kernels.motion_grid.packed_on_grid`."""
    kinds = measures.shape[1]
    group = np.where(np.arange(kinds) < MOVING, 0, 1)
    places, shares = at[group].T, share[group].T[..., None, None]
    each = np.arange(kinds)
    motion = measures[places - 1, each] * (1 - shares) + measures[places, each] * shares
    motion[:, SIGNED] = np.arcsinh(motion[:, SIGNED] / 4)
    steps, zero = (np.array(one, np.float32)[:, None, None] for one in (PACKED_STEPS, PACKED_ZERO))
    return np.asarray(np.clip(np.rint(motion * steps + zero), 0, 255), np.uint8)
