"""What the content way looks at and listens to: movement of tiles at 25 Hz, and bands of sound at 100 Hz."""

from __future__ import annotations

import numpy as np

from gpu_qa_kernels.motion_tiles import SIDE, Motion
from gpu_qa_kernels.sync_net import FRAMES_PER_S, RATIO

ROWS_PER_S = FRAMES_PER_S * RATIO
"""Rows of sound per second."""
_AROUND = 12
"""Steps of the grid on either side over which a measure's own mean is taken: half a second."""
_SAMPLES = SIDE * SIDE
_STEPS = np.array([38, 25, 42, 42, 1, 2, 1], np.float32)
"""Steps of each packed measure per unit of it: a byte holds what each can be, and half a step is below the noise that
the net is trained with."""
_ZERO = np.array([0, 128, 128, 128, 0, 0, 128], np.float32)
"""The byte that stands for 0 of each measure."""
_SIGNED = 1
"""Which measure is packed by its arsinh: signed change."""


def tile_motion(sums: np.ndarray, redness: np.ndarray, step_s: np.ndarray) -> np.ndarray:
    """Measures of T pictures.

    Args:
        sums: float32 [T, 8, R, K] by `Motion`.
        redness: float32 [T, R, K]: mean Cr − Cb in 8-bit codes.
        step_s: float64 [T]: time since the picture before.

    Returns:
        float32 [T, R, K, 7]: log change, signed change, flow down, flow across, each per 1/25 s; mean luma, its
        deviation, redness. The first four hold midway between two pictures.
    """
    per_s = (1.0 / (FRAMES_PER_S * np.maximum(step_s, 1e-3))).astype(np.float32)[:, None, None]
    mean = sums[:, Motion.LUMA] / _SAMPLES
    deviation = np.sqrt(np.maximum(sums[:, Motion.SQUARES] / _SAMPLES - mean * mean, 0.0))
    flows = [
        np.clip(-sums[:, product] / (sums[:, slope] + 4.0 * _SAMPLES) * per_s, -3.0, 3.0)
        for product, slope in ((Motion.DOWN, Motion.SLOPE_DOWN), (Motion.ACROSS, Motion.SLOPE_ACROSS))
    ]
    return np.stack(
        [
            np.log1p(sums[:, Motion.CHANGE] / _SAMPLES * per_s),
            sums[:, Motion.SIGNED] / _SAMPLES * per_s,
            *flows,
            mean,
            deviation,
            redness,
        ],
        -1,
    ).astype(np.float32)


def on_grid(measures: np.ndarray, times_s: np.ndarray, grid_s: np.ndarray) -> np.ndarray:
    """Interpolate measures [T, …] at these times linearly to a grid [G]; the nearest one beyond the ends."""
    at = np.clip(np.searchsorted(times_s, grid_s), 1, len(times_s) - 1)
    before, after = times_s[at - 1], times_s[at]
    share = np.clip((grid_s - before) / np.maximum(after - before, 1e-6), 0.0, 1.0).astype(np.float32)
    share = share.reshape(-1, *(1,) * (measures.ndim - 1))
    return np.asarray(measures[at - 1] * (1 - share) + measures[at] * share)


def packed(motion: np.ndarray) -> np.ndarray:
    """Measures [..., 7] in a byte each, uint8: what waits for its sound takes a quarter of the memory."""
    scaled = motion * _STEPS
    scaled[..., _SIGNED] = np.arcsinh(motion[..., _SIGNED] / 4) * _STEPS[_SIGNED]
    return np.asarray(np.clip(np.rint(scaled + _ZERO), 0, 255), np.uint8)


def unpacked(codes: np.ndarray) -> np.ndarray:
    """What `packed` packed, float32."""
    motion = (codes.astype(np.float32) - _ZERO) / _STEPS
    motion[..., _SIGNED] = 4 * np.sinh(motion[..., _SIGNED])
    return motion


def net_picture(motion: np.ndarray) -> np.ndarray:
    """Measures on the grid [G, R, K, 7] as the net takes them, float32: each against its own half second around."""
    change, signed, flow, still = motion[..., :1], motion[..., 1:2], motion[..., 2:4], motion[..., 4:]
    return np.concatenate(
        [
            _around_taken_off(change),
            0.7 * np.arcsinh(signed / 4),
            1.5 * flow,
            0.7 * np.arcsinh(_around_taken_off(still) / 4),
        ],
        -1,
    ).astype(np.float32)


def _around_taken_off(x: np.ndarray) -> np.ndarray:
    """X [G, …] less its mean over the steps around each; fewer of them at the ends."""
    total = np.concatenate([np.zeros_like(x[:1], np.float64), np.cumsum(x, axis=0, dtype=np.float64)])
    step = np.arange(len(x))
    low, high = np.maximum(step - _AROUND, 0), np.minimum(step + _AROUND + 1, len(x))
    count = (high - low).reshape(-1, *(1,) * (x.ndim - 1))
    return np.asarray(x - ((total[high] - total[low]) / count).astype(np.float32))
