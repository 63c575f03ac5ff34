"""The definition of `tile_means`, in NumPy: what the other implementation must equal bit for bit."""

from __future__ import annotations

import numpy as np

from gpu_qa_kernels.luma_stats import Feature

__all__ = ["tile_means_reference"]


def tile_means_reference(sums: np.ndarray, scale: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Arguments and result as `gpu_qa_kernels.tile_means.tile_means`."""
    mean = sums * scale
    variance = mean[..., Feature.SUM_SQUARES] - mean[..., Feature.SUM] * mean[..., Feature.SUM]
    mean += offset
    mean[..., Feature.SUM_SQUARES] = np.sqrt(np.maximum(variance, 0.0))
    return np.ascontiguousarray(np.moveaxis(mean, -1, 1), np.float32)
