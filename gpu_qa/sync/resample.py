"""Resampling by timestamps: what is shown or heard from one time to another becomes samples of an even grid."""

from __future__ import annotations

import numpy as np

__all__ = ["held", "smoothed"]


def held(
    pts_s: np.ndarray,
    end_s: np.ndarray,
    values: np.ndarray,
    *,
    start_s: float,
    step_s: float,
    count: int,
    hold_s: float = 0.002,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean over each step of values that hold from `pts_s` to `end_s`: what a viewer is shown, at any frame rate.

    Args:
        pts_s: float64 [T]: when each value begins, rising.
        end_s: float64 [T]: when it ends.
        values: float32 [T, F].
        start_s: Start of the first step, seconds.
        step_s: Length of a step, seconds.
        count: Number of steps.
        hold_s: A value goes on to hold until the next one where that comes at most so long after its end, seconds.

    Returns:
        float32 [F, count] and bool [count]: false where something is missing in the step; the sample is then 0.
    """
    following_s = np.append(pts_s[1:], end_s[-1])
    ends = np.where(following_s - end_s <= hold_s, following_s, end_s)
    edges = start_s + step_s * np.arange(count + 1)
    lengths = np.maximum(ends - pts_s, 0.0)
    weighted = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values * lengths[:, None], axis=0)])
    covered = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.clip(np.searchsorted(pts_s, edges, "right") - 1, 0, None)
    inside = np.clip(edges - pts_s[at], 0.0, lengths[at])
    sums = weighted[at] + values[at] * inside[:, None]
    cover = np.diff(covered[at] + inside)
    valid = cover >= 0.99 * step_s
    means = np.diff(sums, axis=0) / np.where(valid, cover, 1.0)[:, None]
    return np.where(valid, means.T, 0.0).astype(np.float32), valid


def smoothed(values: np.ndarray, valid: np.ndarray, width: int) -> np.ndarray:
    """Mean of the valid samples among `width` around each, float64 [F, N]; an odd number of samples."""
    half = width // 2

    def boxed(summed: np.ndarray) -> np.ndarray:
        total = np.concatenate([np.zeros((*summed.shape[:-1], 1)), np.cumsum(summed, axis=-1)], axis=-1)
        at = np.arange(summed.shape[-1])
        last, first = np.minimum(at + half + 1, summed.shape[-1]), np.maximum(at - half, 0)
        return np.asarray(total[..., last] - total[..., first])

    counted = boxed(valid.astype(np.float64))
    return np.asarray(boxed(np.where(valid, values, 0.0)) / np.maximum(counted, 1.0))
