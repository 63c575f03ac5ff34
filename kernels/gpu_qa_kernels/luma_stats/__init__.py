"""Measure a picture in one pass: sums per tile, a histogram, and small pictures.

All results are integers of code values; `feature_counts` tells what to divide by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa_kernels.luma_stats.contract import (
    HISTOGRAM_BINS,
    SMALL_GREY,
    Feature,
    LumaStats,
    check_picture,
    empty_luma_stats,
    feature_counts,
    histogram_lattice,
)
from gpu_qa_kernels.luma_stats.cpu import luma_stats_cpu

if TYPE_CHECKING:
    import numpy as np

    from gpu_qa_kernels import PlaneLike

__all__ = [
    "HISTOGRAM_BINS",
    "SMALL_GREY",
    "Feature",
    "LumaStats",
    "empty_luma_stats",
    "feature_counts",
    "histogram_lattice",
    "luma_stats",
]


def luma_stats(
    luma: PlaneLike,
    chroma: tuple[PlaneLike, PlaneLike] | None,
    *,
    bit_depth: int,
    shift: int,
    previous: PlaneLike | None = None,
    previous_small: np.ndarray | None = None,
    out: LumaStats | None = None,
) -> LumaStats:
    """Measure one picture in host memory, without the GIL.

    Args:
        luma: The picture; any size from 1 × 1.
        chroma: Cb and Cr of any subsampling, same dtype, depth and shift; null for a grey picture.
        bit_depth: Significant bits of a sample, 8 to 16. uint8 data has 8.
        shift: Insignificant low bits below them (6 for P010).
        previous: Luma of the picture before, of the same size and format; null where there is none.
        previous_small: What was measured for it as `LumaStats.small`; given exactly where `previous` is.
        out: Arrays to write to, as made by `empty_luma_stats`; fresh ones where null. `previous_small` may be
            `out.small` of the call before, but not of this one.

    Raises:
        ValueError: A plane reaches out of its memory, or sizes or types do not fit.
    """
    check_picture(luma, chroma, bit_depth, shift, previous, previous_small)
    return luma_stats_cpu(
        luma,
        chroma,
        bit_depth=bit_depth,
        shift=shift,
        previous=previous,
        previous_small=previous_small,
        out=empty_luma_stats() if out is None else out,
    )
