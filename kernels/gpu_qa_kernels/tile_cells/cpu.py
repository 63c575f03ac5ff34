"""`tile_cells` on the CPU: one thread, numba without the GIL."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numba import types

from gpu_qa_kernels import TILE_COLS, TILE_ROWS
from gpu_qa_kernels.compiled import compiled
from gpu_qa_kernels.luma_stats import Feature

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["prepare_cpu", "tile_cells_cpu"]

_ROWS, _COLS = TILE_ROWS // 2, TILE_COLS // 2
_QUARTER = np.float32(0.25)


def _cells(means: np.ndarray, out: np.ndarray) -> None:
    """Means float32 [N, 24, 42] → out float32 [N, 12, 21]."""
    for n in range(means.shape[0]):
        for y in range(_ROWS):
            for x in range(_COLS):
                left = means[n, 2 * y, 2 * x] + means[n, 2 * y + 1, 2 * x]
                right = means[n, 2 * y, 2 * x + 1] + means[n, 2 * y + 1, 2 * x + 1]
                out[n, y, x] = (left + right) * _QUARTER


@cache
def _kernel() -> Callable[..., None]:
    means = types.Array(types.float32, 3, "C", readonly=True)
    return compiled(_cells, means, types.Array(types.float32, 3, "C"))


def prepare_cpu() -> None:
    """Compile it, or load it from the cache."""
    _kernel()


def tile_cells_cpu(means: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Arguments and result as `gpu_qa_kernels.tile_cells.tile_cells`, already checked."""
    count = len(means) * len(Feature)
    if out is None:
        out = np.empty((len(means), len(Feature), _ROWS, _COLS), np.float32)
    _kernel()(means.reshape(count, TILE_ROWS, TILE_COLS), out.reshape(count, _ROWS, _COLS))
    return out
