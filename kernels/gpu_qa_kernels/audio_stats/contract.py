"""What `audio_stats` takes and gives, shared by its three implementations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["CLIP_LEVEL", "ENERGY_ONE", "MAX_LEVEL", "STATE", "AudioStats", "check_sound", "empty_audio_stats"]

CLIP_LEVEL = 32_767 / 32_768
"""Samples from here on count as clipped: what a full-scale 16-bit sample becomes."""
_QUANTUM = 2**20
"""Steps per full scale that samples are rounded to before squaring: −120 dBFS, finer than 16 bit by 30 dB."""
ENERGY_ONE = _QUANTUM**2
"""`energy` of one full-scale sample."""
MAX_LEVEL = 4.0
"""Larger samples count as this: with it a hop of 9600 samples cannot overflow int64."""
STATE = 4
"""Numbers of a channel's filter state: two biquads in transposed direct form II."""
QUANTUM = float(_QUANTUM)


class AudioStats(NamedTuple):
    """The measures of T hops of C channels."""

    peak: np.ndarray
    """float32 [T, C]: largest absolute sample."""
    energy: np.ndarray
    """int64 [T, C]: Σ q², q = ⌊x · 2²⁰ + ½⌋ of samples held within ±4; see `ENERGY_ONE`."""
    k_energy: np.ndarray
    """float64 [T, C]: Σ of squares behind the filter."""
    zero_run: np.ndarray
    """int32 [T, C]: longest run of exactly zero samples that lies within the hop."""
    clipped: np.ndarray
    """int32 [T, C]: samples of at least `CLIP_LEVEL`."""
    invalid: np.ndarray
    """int32 [T, C]: samples that are no number (NaN, infinity); they are measured as 0."""


def empty_audio_stats(hops: int, channels: int) -> AudioStats:
    """Arrays to measure into, contents undefined."""
    shape = (hops, channels)
    return AudioStats(
        np.empty(shape, np.float32),
        np.empty(shape, np.int64),
        np.empty(shape, np.float64),
        np.empty(shape, np.int32),
        np.empty(shape, np.int32),
        np.empty(shape, np.int32),
    )


def check_sound(samples: np.ndarray, edges: np.ndarray, coefficients: np.ndarray, state: np.ndarray) -> None:
    """Raise `ValueError` where the arguments of `audio_stats` do not fit one another."""
    if samples.ndim != 2 or samples.dtype != np.float32:
        raise ValueError(f"samples: expected float32 [C, N], got {samples.dtype} {list(samples.shape)}")
    if edges.ndim != 1 or edges.dtype != np.int64 or not len(edges):
        raise ValueError(f"edges: expected int64 [T + 1], got {edges.dtype} {list(edges.shape)}")
    length = edges[1:] - edges[:-1]
    if edges[0] < 0 or edges[-1] > samples.shape[1] or length.min(initial=0) < 0:
        raise ValueError("edges: must rise and lie within the samples")
    if length.max(initial=0) > 9600:
        raise ValueError("edges: a hop has more than 9600 samples")
    if coefficients.shape != (2, 5) or coefficients.dtype != np.float64:
        raise ValueError("coefficients: expected float64 [2, 5]: b0, b1, b2, a1, a2 of each biquad")
    if state.shape != (samples.shape[0], STATE) or state.dtype != np.float64:
        raise ValueError(f"state: expected float64 [{samples.shape[0]}, {STATE}]")
