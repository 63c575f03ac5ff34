"""Measure sound in short hops: level, energy, balance, runs, peaks between samples, bends, a histogram.

The filters are the caller's: two biquads in cascade (K-weighting, say) and the phases of an interpolation filter. Sums
are of integers, and the filters run in a fixed order of operations, so every implementation gives the same bits, and so
does any cut of the sound into calls at hop edges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa_kernels.audio_stats.contract import (
    CLIP_LEVEL,
    ENERGY_ONE,
    LEVEL_EDGES,
    LEVELS,
    MAX_LEVEL,
    QUANTUM,
    QUARTERS,
    STATE,
    TAPS,
    AudioStats,
    check_sound,
    empty_audio_stats,
    forget_samples,
    start_state,
)
from gpu_qa_kernels.audio_stats.cpu import audio_stats_cpu

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "CLIP_LEVEL",
    "ENERGY_ONE",
    "LEVELS",
    "LEVEL_EDGES",
    "MAX_LEVEL",
    "QUANTUM",
    "QUARTERS",
    "STATE",
    "TAPS",
    "AudioStats",
    "audio_stats",
    "empty_audio_stats",
    "forget_samples",
    "start_state",
]


def audio_stats(
    samples: np.ndarray, edges: np.ndarray, coefficients: np.ndarray, taps: np.ndarray, state: np.ndarray
) -> tuple[AudioStats, np.ndarray]:
    """Measure T hops in host memory, without the GIL.

    The channels may be those of many streams of one rate whose hops have the same edges: no channel's results depend
    on another's, but for `cross`, which pairs channels 2i and 2i + 1.

    Args:
        samples: float32 [C, N], full scale ±1.
        edges: int64 [T + 1], rising: hop t is the samples `edges[t]` to `edges[t + 1]` (exclusive), 9600 at most.
        coefficients: float64 [2, 5]: b0, b1, b2, a1, a2 of each biquad (a0 = 1), first one first.
        taps: float32 [P, 12]: of each phase of the interpolation filter, that of the newest sample first. P = 0
            interpolates nothing.
        state: float64 [C, 15]: as the call before returned it, `start_state(C)` at a stream's start.

    Returns:
        The measures and the state for the samples from `edges[-1]` on.

    Raises:
        ValueError: Types, shapes or edges do not fit.
    """
    check_sound(samples, edges, coefficients, taps, state)
    return audio_stats_cpu(samples, edges, coefficients, taps, state)
