"""The definition of `audio_stats`: clear, slow, and what the other implementations must equal bit for bit."""

from __future__ import annotations

import math

import numpy as np

from gpu_qa_kernels.audio_stats.contract import CLIP_LEVEL, MAX_LEVEL, QUANTUM, AudioStats, empty_audio_stats

__all__ = ["audio_stats_reference"]

_TINY = 1e-25
"""Filter states below this become 0 at the end of a hop, so that silence does not end in slow denormal numbers."""


def audio_stats_reference(
    samples: np.ndarray, edges: np.ndarray, coefficients: np.ndarray, state: np.ndarray
) -> tuple[AudioStats, np.ndarray]:
    """Measure hops; arguments and result as `gpu_qa_kernels.audio_stats.audio_stats`."""
    stats = empty_audio_stats(len(edges) - 1, len(samples))
    after = state.copy()
    for c, channel in enumerate(samples):
        s = [float(value) for value in state[c]]
        (b0, b1, b2, a1, a2), (d0, d1, d2, c1, c2) = coefficients.tolist()
        for t in range(len(edges) - 1):
            raw = channel[edges[t] : edges[t + 1]]
            finite = np.isfinite(raw)
            hop = np.where(finite, raw, np.float32(0.0))
            level = np.abs(hop)
            q = np.floor(np.clip(hop.astype(np.float64), -MAX_LEVEL, MAX_LEVEL) * QUANTUM + 0.5).astype(np.int64)
            k_energy = 0.0
            for x in hop.tolist():
                y = b0 * x + s[0]
                s[0] = b1 * x - a1 * y + s[1]
                s[1] = b2 * x - a2 * y
                z = d0 * y + s[2]
                s[2] = d1 * y - c1 * z + s[3]
                s[3] = d2 * y - c2 * z
                k_energy = k_energy + z * z
            s = [0.0 if math.fabs(value) < _TINY else value for value in s]
            stats.peak[t, c] = level.max(initial=np.float32(0.0))
            stats.energy[t, c] = (q * q).sum()
            stats.k_energy[t, c] = k_energy
            stats.zero_run[t, c] = max(
                (len(run) for run in "".join("0" if x == 0 else " " for x in hop).split()), default=0
            )
            stats.clipped[t, c] = (level >= np.float32(CLIP_LEVEL)).sum()
            stats.invalid[t, c] = (~finite).sum()
        after[c] = s
    return stats, after
