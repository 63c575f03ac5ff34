"""Means over cells of two by two tiles: what detectors judge that need not look so closely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa_kernels.tile_cells.contract import check_means
from gpu_qa_kernels.tile_cells.cpu import tile_cells_cpu

if TYPE_CHECKING:
    import numpy as np

__all__ = ["tile_cells"]


def tile_cells(means: np.ndarray, *, out: np.ndarray | None = None) -> np.ndarray:
    """Means of the tiles of T pictures in host memory over cells, without the GIL.

    Args:
        means: float32 [T, 19, 24, 42], C-contiguous: measures of tiles as from `tile_means`.
        out: float32 [T, 19, 12, 21], C-contiguous, to be written and returned; null makes it.

    Returns:
        float32 [T, 19, 12, 21]: tiles above one another are added first, then both sums, then a quarter is taken.

    Raises:
        ValueError: Types or shapes do not fit.
    """
    check_means(means, out)
    return tile_cells_cpu(means, out)
