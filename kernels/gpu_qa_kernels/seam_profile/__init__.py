"""Where in a whole picture steps stand out from those beside them: summed down each column and along each row.

Any grid shows in these profiles, whatever its period: `luma_stats` sums the same measure on the usual grid per tile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa_kernels.luma_stats.contract import check_picture
from gpu_qa_kernels.seam_profile.contract import SeamProfile
from gpu_qa_kernels.seam_profile.cpu import seam_profile_cpu

if TYPE_CHECKING:
    from gpu_qa_kernels import PlaneLike

__all__ = ["SeamProfile", "seam_profile"]


def seam_profile(luma: PlaneLike, *, bit_depth: int, shift: int) -> SeamProfile:
    """Profiles of one picture in host memory, without the GIL.

    Args:
        luma: The picture; any size from 1 × 1.
        bit_depth: Significant bits of a sample, 8 to 16. uint8 data has 8.
        shift: Insignificant low bits below them (6 for P010).

    Raises:
        ValueError: The plane reaches out of its memory, or type and depth do not fit.
    """
    check_picture(luma, None, bit_depth, shift, None, None)
    return seam_profile_cpu(luma, bit_depth=bit_depth, shift=shift)
