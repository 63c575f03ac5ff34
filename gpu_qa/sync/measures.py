"""What the content way looks at and listens to: movement of tiles at 25 Hz, and bands of sound at 100 Hz."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from gpu_qa_kernels.motion_tiles import SIDE, Motion
from gpu_qa_kernels.sync_net import FRAMES_PER_S, RATIO

ROWS_PER_S = FRAMES_PER_S * RATIO
"""Rows of sound per second."""
_AROUND = 12
"""Steps of the grid on either side over which a measure's own mean is taken: half a second."""
_SAMPLES = SIDE * SIDE
_STEPS = np.array([38, 25, 42, 42, 1, 2, 1], np.float32)[:, None, None]
"""Steps of each packed measure per unit of it: a byte holds what each can be, and half a step is below the noise that
the net is trained with."""
_ZERO = np.array([0, 128, 128, 128, 0, 0, 128], np.float32)[:, None, None]
"""The byte that stands for 0 of each measure."""
_SIGNED = 1
"""Which measure is packed by its arsinh: signed change."""
MOVING = 4
"""So many measures hold midway between two pictures, the others at a picture."""


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
    per_s = (1.0 / (FRAMES_PER_S * np.maximum(step_s, 1e-3))).astype(np.float32)[:, None, None]
    out = np.empty((len(sums), 7, *sums.shape[2:]), np.float32)
    change, signed, down, across, mean, deviation, red = np.moveaxis(out, 1, 0)
    np.log1p(sums[:, Motion.CHANGE] * (per_s / _SAMPLES), out=change)
    np.multiply(sums[:, Motion.SIGNED], per_s / _SAMPLES, out=signed)
    for flow, product, slope in (
        (down, Motion.DOWN, Motion.SLOPE_DOWN),
        (across, Motion.ACROSS, Motion.SLOPE_ACROSS),
    ):
        np.divide(sums[:, product], sums[:, slope] + 4.0 * _SAMPLES, out=flow)
        np.multiply(flow, -per_s, out=flow)
        np.clip(flow, -3.0, 3.0, out=flow)
    np.multiply(sums[:, Motion.LUMA], 1 / _SAMPLES, out=mean)
    np.subtract(sums[:, Motion.SQUARES] * (1 / _SAMPLES), mean * mean, out=deviation)
    np.maximum(deviation, 0.0, out=deviation)
    np.sqrt(deviation, out=deviation)
    red[:] = redness
    return out


def on_grid(measures: np.ndarray, times_s: np.ndarray, mids_s: np.ndarray, grid_s: np.ndarray) -> np.ndarray:
    """Interpolate measures linearly to a grid; the nearest one beyond the ends.

    Args:
        measures: float32 [T, 7, R, K], two pictures at least.
        times_s: float64 [T]: when the pictures are shown.
        mids_s: float64 [T]: what the first four measures are of: midway between a picture and the one before.
        grid_s: float64 [G].

    Returns:
        float32 [G, 7, R, K].
    """
    out = np.empty((len(grid_s), *measures.shape[1:]), np.float32)
    for which, known_s in ((slice(MOVING), mids_s), (slice(MOVING, None), times_s)):
        at = np.clip(np.searchsorted(known_s, grid_s), 1, len(known_s) - 1)
        before_s, after_s = known_s[at - 1], known_s[at]
        share = np.clip((grid_s - before_s) / np.maximum(after_s - before_s, 1e-6), 0.0, 1.0).astype(np.float32)
        for row, index, part in zip(out[:, which], at, share, strict=True):
            np.multiply(measures[index - 1, which], 1 - part, out=row)
            np.add(row, measures[index, which] * part, out=row)
    return out


def packed(motion: np.ndarray) -> np.ndarray:
    """Measures [T, 7, R, K] in a byte each, uint8: what waits for its sound takes a quarter of the memory."""
    scaled = motion * _STEPS
    scaled[:, _SIGNED] = np.arcsinh(motion[:, _SIGNED] / 4) * _STEPS[_SIGNED]
    scaled += _ZERO
    np.rint(scaled, out=scaled)
    return np.asarray(np.clip(scaled, 0, 255, out=scaled), np.uint8)


def unpacked(codes: Any, xp: Any = np) -> Any:
    """What `packed` packed, float32.

    Args:
        codes: uint8 […, T, 7, R, K].
        xp: The module that its type is of, NumPy or torch.
    """
    zero, step = (xp.asarray(one, device=codes.device) for one in (_ZERO, 1 / _STEPS))
    motion = (codes - zero) * step
    motion[..., _SIGNED, :, :] = 4 * xp.sinh(motion[..., _SIGNED, :, :])
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
    for one in (_SIGNED, *range(MOVING, motion.shape[-3])):
        out[..., one, :, :] = 0.7 * xp.arcsinh(out[..., one, :, :] / 4)
    out[..., 2:MOVING, :, :] *= 1.5
    return xp.moveaxis(out, -3, -1)


@lru_cache(maxsize=4)
def _around(count: int) -> np.ndarray:
    """What makes, of so many steps, the mean over the steps around each; fewer of them at the ends: float32 [G, G]."""
    step = np.arange(count)
    is_near = np.abs(step[:, None] - step) <= _AROUND
    return np.asarray(is_near / is_near.sum(1, keepdims=True), np.float32)
