"""`tile_means` on the CPU: one thread, numba without the GIL."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numba import types

from gpu_qa_kernels import TILE_COLS, TILE_ROWS
from gpu_qa_kernels.compiled import compiled
from gpu_qa_kernels.luma_stats import Feature

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["prepare_cpu", "tile_means_cpu"]

_FEATURES = len(Feature)
_SUM, _SQUARES = int(Feature.SUM), int(Feature.SUM_SQUARES)


def _means(sums: np.ndarray, scale: np.ndarray, offset: np.ndarray, out: np.ndarray) -> None:
    """Sums int64 [T, N, F], scale float64 [N, F], offset float64 [F] → out float32 [T, F, N], as the sums lie."""
    for t in range(sums.shape[0]):
        for n in range(sums.shape[1]):
            for f in range(_FEATURES):
                out[t, f, n] = sums[t, n, f] * scale[n, f] + offset[f]
            mean = sums[t, n, _SUM] * scale[n, _SUM]
            variance = sums[t, n, _SQUARES] * scale[n, _SQUARES] - mean * mean
            out[t, _SQUARES, n] = math.sqrt(max(variance, 0.0))


@cache
def _kernel() -> Callable[..., None]:
    sums = types.Array(types.int64, 3, "C", readonly=True)
    scale, offset = (types.Array(types.float64, axes, "C", readonly=True) for axes in (2, 1))
    return compiled(_means, sums, scale, offset, types.Array(types.float32, 3, "C"))


def prepare_cpu() -> None:
    """Compile it, or load it from the cache."""
    _kernel()


def tile_means_cpu(
    sums: np.ndarray, scale: np.ndarray, offset: np.ndarray, out: np.ndarray | None = None
) -> np.ndarray:
    """Arguments and result as `gpu_qa_kernels.tile_means.tile_means`, already checked."""
    count, tiles = len(sums), TILE_ROWS * TILE_COLS
    if out is None:
        out = np.empty((count, _FEATURES, TILE_ROWS, TILE_COLS), np.float32)
    _kernel()(
        np.ascontiguousarray(sums).reshape(count, tiles, _FEATURES),
        np.ascontiguousarray(scale).reshape(tiles, _FEATURES),
        np.ascontiguousarray(offset),
        out.reshape(count, _FEATURES, tiles),
    )
    return out
