"""Power of sound in the bands that speech moves in, NumPy in single precision."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["BANDS", "EDGES_HZ", "FLOOR", "WINDOW_S", "speech_bands", "window_length"]

# fmt: off
EDGES_HZ = (80, 200, 300, 450, 650, 900, 1200, 1700, 2400, 3300, 4500, 6000, 7900)
# fmt: on
"""Edges of the bands: narrower where vowels differ, up to where hisses end."""
BANDS = len(EDGES_HZ) - 1
WINDOW_S = 0.025
"""Length of the Hann window before each place."""
FLOOR = 1e-9
"""Power that is added, full-scale square = 1: below −90 dBFS nothing is told apart."""


def speech_bands(samples: np.ndarray, ends: np.ndarray, rate: int) -> np.ndarray:
    """Bands in the window before each place.

    Args:
        samples: float32 [n], one channel.
        ends: int64 [T], in any order: the sample after each window, `window_length(rate)` to n.
        rate: Hz.

    Returns:
        float32 [T, 12]: log10 of the mean power per line, lines standing 40 Hz apart: the same for a sound at any rate;
        the floor in bands above half the rate.
    """
    window, lines, scale = _transform(rate)
    views = np.lib.stride_tricks.sliding_window_view(samples, len(window))[ends - len(window)]
    found = np.fft.rfft(views * window, axis=-1)
    # Sums along each row by itself: a matrix product's bits would depend on how many rows there are.
    power = np.add.reduceat(np.asarray(found.real**2 + found.imag**2, np.float32), lines, axis=-1)[:, :BANDS]
    return np.asarray(np.log10(power * scale + np.float32(FLOOR)), np.float32)


def window_length(rate: int) -> int:
    """Samples of a window at this rate."""
    return max(2 * round(rate * WINDOW_S / 2), 2)


@lru_cache(maxsize=32)
def _transform(rate: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Window float32 [n], first lines of the bands, and what a band's sum is multiplied by: 0 where it has no line."""
    length = window_length(rate)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length)
    lines = np.searchsorted(np.fft.rfftfreq(length, 1 / rate), EDGES_HZ)
    count = np.diff(lines)
    scale = np.where(count > 0, 2 / (length * (window**2).sum() * np.maximum(count, 1)), 0.0)
    return window.astype(np.float32), np.minimum(lines, length // 2), scale.astype(np.float32)
