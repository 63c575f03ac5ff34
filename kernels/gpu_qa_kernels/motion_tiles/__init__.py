"""How each tile of a small picture moves: signed change and normal flow, as sums over 8 × 8 samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa_kernels.motion_tiles.contract import SIDE, Motion, check_pair
from gpu_qa_kernels.motion_tiles.cpu import motion_tiles_cpu

if TYPE_CHECKING:
    import numpy as np

__all__ = ["SIDE", "Motion", "motion_tiles"]


def motion_tiles(small: np.ndarray, previous: np.ndarray | None) -> np.ndarray:
    """Sums over the tiles of a small picture in host memory, without the GIL.

    Args:
        small: uint16 [192, 336]: area-averaged luma in 1/256 of an 8-bit code.
        previous: The same of the picture before; None where there is none.

    Returns:
        float32 [8, 24, 42] by `Motion`. Slopes are central differences within the picture, one-sided at its edges.

    Raises:
        ValueError: Types or shapes do not fit.
    """
    check_pair(small, previous)
    return motion_tiles_cpu(small, previous)
