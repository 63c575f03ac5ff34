"""What `seam_profile` gives, shared by its three implementations."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

__all__ = ["SeamProfile"]


class SeamProfile(NamedTuple):
    """Sums of seams, max(0, d − the larger of both steps beside it) for a step d between neighbouring code values."""

    across: np.ndarray
    """int64 [width]: down each column, of the steps from the column to its left; 0 in columns 0, 1 and the last."""
    down: np.ndarray
    """int64 [height]: along each row, of the steps from the row above; 0 in rows 0, 1 and the last."""
