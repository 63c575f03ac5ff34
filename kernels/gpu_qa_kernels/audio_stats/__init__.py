"""Measure sound in short hops: peak, energy, filtered energy, zero runs, clipped samples.

The filter is the caller's (K-weighting, say): two biquads in cascade. Energy is summed in integers and the filter runs
in a fixed order of double-precision operations, so every implementation gives the same bits, and so does any cut of the
sound into calls at hop edges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa_kernels.audio_stats.contract import (
    CLIP_LEVEL,
    ENERGY_ONE,
    MAX_LEVEL,
    STATE,
    AudioStats,
    check_sound,
    empty_audio_stats,
)
from gpu_qa_kernels.audio_stats.cpu import audio_stats_cpu

if TYPE_CHECKING:
    import numpy as np

__all__ = ["CLIP_LEVEL", "ENERGY_ONE", "MAX_LEVEL", "STATE", "AudioStats", "audio_stats", "empty_audio_stats"]


def audio_stats(
    samples: np.ndarray, edges: np.ndarray, coefficients: np.ndarray, state: np.ndarray
) -> tuple[AudioStats, np.ndarray]:
    """Measure T hops in host memory, without the GIL.

    Args:
        samples: float32 [C, N], full scale ±1.
        edges: int64 [T + 1], rising: hop t is the samples `edges[t]` to `edges[t + 1]` (exclusive), 9600 at most.
        coefficients: float64 [2, 5]: b0, b1, b2, a1, a2 of each biquad (a0 = 1), first one first.
        state: float64 [C, 4]: the filter's state, zeros at a stream's start.

    Returns:
        The measures and the filter's state for the samples from `edges[-1]` on.

    Raises:
        ValueError: Types, shapes or edges do not fit.
    """
    check_sound(samples, edges, coefficients, state)
    return audio_stats_cpu(samples, edges, coefficients, state)
