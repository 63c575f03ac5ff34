"""What `tile_means` takes, shared by its implementations."""

from __future__ import annotations

import numpy as np

from gpu_qa_kernels import TILE_COLS, TILE_ROWS
from gpu_qa_kernels.luma_stats import Feature

__all__ = ["check_sums"]

_TILES = (TILE_ROWS, TILE_COLS, len(Feature))


def check_sums(sums: np.ndarray, scale: np.ndarray, offset: np.ndarray, out: np.ndarray | None = None) -> None:
    """Raise `ValueError` where the arguments of `tile_means` do not fit one another."""
    expected = (("sums", sums, np.int64, (len(sums), *_TILES)), ("scale", scale, np.float64, _TILES))
    for name, array, kind, shape in (*expected, ("offset", offset, np.float64, _TILES[-1:])):
        if array.dtype != kind or array.shape != shape:
            raise ValueError(f"{name}: expected {kind.__name__} {list(shape)}, got {array.dtype} {list(array.shape)}")
    if out is not None:
        shape = (len(sums), len(Feature), TILE_ROWS, TILE_COLS)
        if out.dtype != np.float32 or out.shape != shape or not out.flags.c_contiguous:
            raise ValueError(f"out: expected contiguous float32 {list(shape)}, got {out.dtype} {list(out.shape)}")
