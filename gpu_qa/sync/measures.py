"""What the content way looks at and listens to: movement of tiles at 25 Hz, and bands of sound at 100 Hz."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from gpu_qa_kernels.motion_grid import tile_measures
from gpu_qa_kernels.sync_net import AROUND, FRAMES_PER_S, MOVING, PACKED_STEPS, PACKED_ZERO, RATIO, SIGNED

ROWS_PER_S = FRAMES_PER_S * RATIO
"""Rows of sound per second."""
_ZERO, _STEPS = (np.array(one, np.float32)[:, None, None] for one in (PACKED_ZERO, PACKED_STEPS))


def tile_motion(sums: np.ndarray, redness: np.ndarray, step_s: np.ndarray) -> np.ndarray:
    """Measures of T pictures.

    Args:
        sums: float32 [T, 8, R, K] by `Motion`.
        redness: float32 [T, R, K]: mean Cr − Cb in 8-bit codes.
        step_s: float64 [T]: time since the picture before.

    Returns:
        float32 [T, 7, R, K]: log change, signed change, flow down, flow across, each per 1/25 s; mean luma, its
        deviation, redness. The first four, `MOVING`, hold midway between two pictures.
    """
    per_s = (1.0 / (FRAMES_PER_S * np.maximum(step_s, 1e-3))).astype(np.float32)
    return tile_measures(sums, redness, per_s)


def between(times_s: np.ndarray, mids_s: np.ndarray, grid_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which pictures stand around each step of a grid.

    Args:
        times_s: float64 [T]: when the pictures are shown, two at least.
        mids_s: float64 [T]: what the first `MOVING` measures are of: midway between a picture and the one before.
        grid_s: float64 [G].

    Returns:
        int64 [2, G]: the later one, of those measures and of the others; float32 [2, G]: its share, 1 or 0 where a step
        lies beyond the ends.
    """
    places, shares = np.empty((2, len(grid_s)), np.int64), np.empty((2, len(grid_s)), np.float32)
    for place, share, known_s in zip(places, shares, (mids_s, times_s), strict=True):
        place[:] = np.clip(np.searchsorted(known_s, grid_s), 1, len(known_s) - 1)
        before_s, after_s = known_s[place - 1], known_s[place]
        share[:] = np.clip((grid_s - before_s) / np.maximum(after_s - before_s, 1e-6), 0.0, 1.0)
    return places, shares


def on_grid(measures: np.ndarray, times_s: np.ndarray, mids_s: np.ndarray, grid_s: np.ndarray) -> np.ndarray:
    """Interpolate measures linearly to a grid; the nearest one beyond the ends.

    Args:
        measures: float32 [T, 7, R, K], two pictures at least.
        times_s: As for `between`.
        mids_s: As for `between`.
        grid_s: float64 [G].

    Returns:
        float32 [G, 7, R, K].
    """
    out = np.empty((len(grid_s), *measures.shape[1:]), np.float32)
    groups = slice(MOVING), slice(MOVING, None)
    for which, places, shares in zip(groups, *between(times_s, mids_s, grid_s), strict=True):
        for row, index, part in zip(out[:, which], places, shares, strict=True):
            np.multiply(measures[index - 1, which], 1 - part, out=row)
            np.add(row, measures[index, which] * part, out=row)
    return out


def unpacked(codes: Any, xp: Any = np) -> Any:
    """What `packed_on_grid` packed, float32.

    Args:
        codes: uint8 […, T, 7, R, K].
        xp: The module that its type is of, NumPy or torch.
    """
    zero, step = (xp.asarray(one, device=codes.device) for one in (_ZERO, 1 / _STEPS))
    motion = (codes - zero) * step
    motion[..., SIGNED, :, :] = 4 * xp.sinh(motion[..., SIGNED, :, :])
    return motion


def mean_change(codes: np.ndarray) -> float:
    """Mean log change of packed measures [T, 7, R, K]."""
    return float(codes[:, 0].mean()) / float(_STEPS[0, 0, 0])


def net_picture(motion: Any, xp: Any = np) -> Any:
    """Measures on the grid as the net takes them: against the half second around.

    Args:
        motion: float32 […, G, 7, R, K].
        xp: The module that its type is of, NumPy or torch.

    Returns:
        float32 […, G, R, K, 7].
    """
    out = xp.empty_like(motion)
    out[:] = motion
    around = xp.asarray(_around(motion.shape[-4]), device=motion.device)
    for one in (0, *range(MOVING, motion.shape[-3])):
        flat = motion[..., one, :, :].reshape(*motion.shape[:-3], -1)
        out[..., one, :, :] -= (around @ flat).reshape(*motion.shape[:-3], *motion.shape[-2:])
    for one in (SIGNED, *range(MOVING, motion.shape[-3])):
        out[..., one, :, :] = 0.7 * xp.arcsinh(out[..., one, :, :] / 4)
    out[..., 2:MOVING, :, :] *= 1.5
    return xp.moveaxis(out, -3, -1)


@lru_cache(maxsize=4)
def _around(count: int) -> np.ndarray:
    """What makes, of so many steps, the mean over the steps around each; fewer of them at the ends: float32 [G, G]."""
    step = np.arange(count)
    is_near = np.abs(step[:, None] - step) <= AROUND
    return np.asarray(is_near / is_near.sum(1, keepdims=True), np.float32)
