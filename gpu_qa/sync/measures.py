"""What the content way looks at and listens to: movement of tiles at 25 Hz, and bands of sound at 100 Hz."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from gpu_qa_kernels.motion_tiles import SIDE, Motion
from gpu_qa_kernels.sync_net import BANDS, FRAMES_PER_S, RATIO

ROWS_PER_S = FRAMES_PER_S * RATIO
"""Rows of sound per second."""
# fmt: off
EDGES_HZ = (80, 200, 300, 450, 650, 900, 1200, 1700, 2400, 3300, 4500, 6000, 7900)
# fmt: on
"""Edges of the bands of sound."""
WINDOW_S = 0.025
"""Length of the Hann window around each row."""
FLOOR = 1e-9
"""Power below which nothing is told, full-scale square = 1: −90 dBFS."""
_AROUND = 12
"""Steps of the grid on either side over which a measure's own mean is taken: half a second."""
_SAMPLES = SIDE * SIDE


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
    return measures[at - 1] * (1 - share) + measures[at] * share


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
    """x [G, …] less its mean over the steps around each; fewer of them at the ends."""
    total = np.concatenate([np.zeros_like(x[:1], np.float64), np.cumsum(x, axis=0, dtype=np.float64)])
    step = np.arange(len(x))
    low, high = np.maximum(step - _AROUND, 0), np.minimum(step + _AROUND + 1, len(x))
    count = (high - low).reshape(-1, *(1,) * (x.ndim - 1))
    return x - ((total[high] - total[low]) / count).astype(np.float32)


@lru_cache(maxsize=32)
def _transform(rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Window float32 [n] and sums of lines over bands, float32 [n // 2 + 1, 12]."""
    length = max(2 * round(rate * WINDOW_S / 2), 2)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length)
    line_hz = np.fft.rfftfreq(length, 1 / rate)
    edges = np.array(EDGES_HZ)
    inside = (line_hz[:, None] >= edges[:-1]) & (line_hz[:, None] < edges[1:])
    share = inside / np.maximum(inside.sum(0), 1) * (2.0 / (length * (window**2).sum())) * length / 2
    return window.astype(np.float32), share.astype(np.float32)


def sound_rows(samples: np.ndarray, rate: int, first_row: int, rows: int) -> np.ndarray:
    """Bands of sound, row j around j / 100 s.

    Args:
        samples: float32 [n], one channel from time 0 on.
        rate: Hz.
        first_row: Number of the first row.
        rows: How many.

    Returns:
        float32 [rows, 12]: log10 of mean power per line in each band; the floor where a window is not full.
    """
    window, share = _transform(rate)
    half = len(window) // 2
    centres = np.round((first_row + np.arange(rows)) * rate / ROWS_PER_S).astype(np.int64)
    padded = np.concatenate([np.zeros(half, np.float32), samples, np.zeros(half, np.float32)])
    out = np.full((rows, BANDS), np.log10(FLOOR), np.float32)
    inside = (centres >= 0) & (centres < len(samples))
    if inside.any():
        views = np.lib.stride_tricks.sliding_window_view(padded, len(window))[centres[inside]]
        spectrum = np.fft.rfft(views * window, axis=-1)
        out[inside] = np.log10((spectrum.real**2 + spectrum.imag**2).astype(np.float32) @ share + FLOOR)
    return out
