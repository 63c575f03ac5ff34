"""The definition of `seam_profile`, in NumPy: what the other implementations must equal bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa_kernels.luma_stats.reference import code_values, seams
from gpu_qa_kernels.seam_profile.contract import SeamProfile

if TYPE_CHECKING:
    from gpu_qa_kernels import PlaneLike

__all__ = ["seam_profile_reference"]


def seam_profile_reference(luma: PlaneLike, *, bit_depth: int, shift: int) -> SeamProfile:
    """Arguments and result as `gpu_qa_kernels.seam_profile.seam_profile`."""
    values = code_values(luma, shift, bit_depth)
    return SeamProfile(seams(values).sum(axis=0), seams(values.T).sum(axis=0))
