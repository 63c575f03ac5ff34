"""Turn what `luma_stats` summed over each tile into means and a deviation, in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa_kernels.tile_means.contract import check_sums
from gpu_qa_kernels.tile_means.cpu import tile_means_cpu

if TYPE_CHECKING:
    import numpy as np

__all__ = ["tile_means"]


def tile_means(sums: np.ndarray, scale: np.ndarray, offset: np.ndarray, *, out: np.ndarray | None = None) -> np.ndarray:
    """Measures of T pictures of one format in host memory, without the GIL.

    Args:
        sums: int64 [T, 24, 42, 19]: `LumaStats.tiles` of each picture.
        scale: float64 [24, 42, 19]: what to multiply a sum by: a unit over the number of its terms.
        offset: float64 [19]: what to add then.
        out: float32 [T, 19, 24, 42], C-contiguous, to be written and returned; null makes it.

    Returns:
        float32 [T, 19, 24, 42] by `Feature`, rounded once from double precision: sum · scale + offset; at
        SUM_SQUARES the standard deviation √(mean square − mean²) within the tile, 0 where rounding made that negative.

    Raises:
        ValueError: Types or shapes do not fit.
    """
    check_sums(sums, scale, offset, out)
    return tile_means_cpu(sums, scale, offset, out)
