"""What `audio_stats` takes and gives, shared by its three implementations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = [
    "BEFORE",
    "CLIP_LEVEL",
    "ENERGY_ONE",
    "LEVELS",
    "LEVEL_EDGES",
    "MAX_LEVEL",
    "QUANTUM",
    "QUARTERS",
    "STATE",
    "TAPS",
    "TINY",
    "AudioStats",
    "check_sound",
    "empty_audio_stats",
    "forget_samples",
    "start_state",
]

CLIP_LEVEL = 32_767 / 32_768
"""Samples from here on count as clipped: what a full-scale 16-bit sample becomes."""
QUANTUM = float(2**20)
"""Steps per full scale that samples are rounded to before summing: −120 dBFS, finer than 16 bit by 30 dB. The rounded
samples are called q = ⌊x · 2²⁰ + ½⌋, of samples held within `MAX_LEVEL`."""
ENERGY_ONE = int(QUANTUM) ** 2
"""`energy` of one full-scale sample."""
MAX_LEVEL = 4.0
"""Larger samples count as this: with it a hop of 9600 samples cannot overflow int64."""
QUARTERS = 4
"""Parts of a hop of n samples whose energy is summed by itself: part k is the samples n·k // 4 to n·(k + 1) // 4."""
TAPS = 12
"""Taps of each phase of the interpolation filter (ITU-R BS.1770-5, Annex 2)."""
BEFORE = TAPS - 1
"""Samples before a hop that its measures look back at."""
_FILTER = 4
STATE = _FILTER + BEFORE
"""Numbers of a channel's state: two biquads in transposed direct form II, and the last samples, oldest first; a sample
that is not known (before a stream's start) is NaN there."""
TINY = 1e-25
"""Filter states below this become 0 at the end of a hop, so that silence does not end in slow denormal numbers."""

LEVELS = 64
"""Bins of the histogram of absolute samples, 0.75 dB wide: bin 0 from +5.25 dBFS up, the last one all the rest."""
LEVEL_EDGES = np.append(10.0 ** ((5.25 - 0.75 * np.arange(LEVELS - 1)) / 20.0), 0.0).astype(np.float32)
"""float32 [64]: the lower edge of each bin, which belongs to it."""
LEVEL_EDGES.setflags(write=False)


class AudioStats(NamedTuple):
    """The measures of T hops of C channels."""

    peak: np.ndarray
    """float32 [T, C]: largest absolute sample."""
    energy: np.ndarray
    """int64 [T, C]: Σ q²; see `ENERGY_ONE`."""
    quarter_energy: np.ndarray
    """int64 [T, 4, C]: Σ q² of each quarter of the hop."""
    total: np.ndarray
    """int64 [T, C]: Σ q."""
    cross: np.ndarray
    """int64 [T, C // 2]: Σ q · q' of the channels 2i and 2i + 1."""
    k_energy: np.ndarray
    """float64 [T, C]: Σ of squares behind the filter, of samples held within `MAX_LEVEL`."""
    zero_run: np.ndarray
    """int32 [T, C]: longest run of exactly zero samples that lies within the hop."""
    same_run: np.ndarray
    """int32 [T, C]: longest run of equal samples, zero or not, that lies within the hop; 1 where no two are equal."""
    clipped: np.ndarray
    """int32 [T, C]: samples of at least `CLIP_LEVEL`."""
    invalid: np.ndarray
    """int32 [T, C]: samples that are no number (NaN, infinity); they are measured as 0."""
    true_peak: np.ndarray
    """float32 [T, C]: largest absolute value of the samples and of those the interpolation filter puts between them,
    which lie half a filter's length (5 to 6 samples) before the sample that completes them."""
    bend_peak: np.ndarray
    """int32 [T, C]: largest |q(n) − 2 q(n − 1) + q(n − 2)|, n in the hop."""
    bend_energy: np.ndarray
    """int64 [T, C]: Σ of the squares of these; where a sample before is not known, it counts 0."""
    levels: np.ndarray
    """int32 [T, C, 64]: samples by absolute value, see `LEVEL_EDGES`."""


def empty_audio_stats(hops: int, channels: int) -> AudioStats:
    """Arrays to measure into, contents undefined."""
    shape = (hops, channels)
    return AudioStats(
        peak=np.empty(shape, np.float32),
        energy=np.empty(shape, np.int64),
        quarter_energy=np.empty((hops, QUARTERS, channels), np.int64),
        total=np.empty(shape, np.int64),
        cross=np.empty((hops, channels // 2), np.int64),
        k_energy=np.empty(shape, np.float64),
        zero_run=np.empty(shape, np.int32),
        same_run=np.empty(shape, np.int32),
        clipped=np.empty(shape, np.int32),
        invalid=np.empty(shape, np.int32),
        true_peak=np.empty(shape, np.float32),
        bend_peak=np.empty(shape, np.int32),
        bend_energy=np.empty(shape, np.int64),
        levels=np.empty((hops, channels, LEVELS), np.int32),
    )


def start_state(channels: int) -> np.ndarray:
    """State at a stream's start, float64 [C, 15]: filters at rest, no sample known."""
    state = np.zeros((channels, STATE))
    forget_samples(state)
    return state


def forget_samples(state: np.ndarray) -> None:
    """Change a state to one after a gap: the filters go on, the samples before are not known."""
    state[:, _FILTER:] = np.nan


def check_sound(
    samples: np.ndarray, edges: np.ndarray, coefficients: np.ndarray, taps: np.ndarray, state: np.ndarray
) -> None:
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
    if taps.ndim != 2 or taps.shape[1] != TAPS or taps.dtype != np.float32:
        raise ValueError(f"taps: expected float32 [P, {TAPS}]: the filter of each phase")
    if state.shape != (samples.shape[0], STATE) or state.dtype != np.float64:
        raise ValueError(f"state: expected float64 [{samples.shape[0]}, {STATE}]")
