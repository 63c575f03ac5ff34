"""What `tile_cells` takes, shared by its implementations."""

from __future__ import annotations

import numpy as np

from gpu_qa_kernels import TILE_COLS, TILE_ROWS
from gpu_qa_kernels.luma_stats import Feature

__all__ = ["check_means"]


def check_means(means: np.ndarray, out: np.ndarray | None = None) -> None:
    """Raise `ValueError` where the arguments of `tile_cells` do not fit one another."""
    count, features = len(means), len(Feature)
    shapes = {
        "means": (means, (count, features, TILE_ROWS, TILE_COLS)),
        "out": (out, (count, features, TILE_ROWS // 2, TILE_COLS // 2)),
    }
    for name, (array, shape) in shapes.items():
        if array is not None and (array.dtype != np.float32 or array.shape != shape or not array.flags.c_contiguous):
            raise ValueError(
                f"{name}: expected contiguous float32 {list(shape)}, got {array.dtype} {list(array.shape)}"
            )
