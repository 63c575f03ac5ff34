"""`audio_stats` on the CPU: one thread, numba without the GIL."""

from __future__ import annotations

import numba
import numpy as np

from gpu_qa_kernels.audio_stats.contract import CLIP_LEVEL, MAX_LEVEL, QUANTUM, AudioStats, empty_audio_stats

__all__ = ["audio_stats_cpu"]

_CLIP = np.float32(CLIP_LEVEL)
_ZERO = np.float32(0.0)
_TINY = 1e-25


@numba.njit(nogil=True, cache=True)  # no fastmath: the order of the filter's sums is part of the definition
def _measure(
    samples: np.ndarray,
    edges: np.ndarray,
    coefficients: np.ndarray,
    state: np.ndarray,
    peak: np.ndarray,
    energy: np.ndarray,
    k_energy: np.ndarray,
    zero_run: np.ndarray,
    clipped: np.ndarray,
    invalid: np.ndarray,
) -> None:
    b0, b1, b2, a1, a2 = coefficients[0]
    d0, d1, d2, c1, c2 = coefficients[1]
    for c in range(samples.shape[0]):
        s0, s1, s2, s3 = state[c]
        for t in range(edges.shape[0] - 1):
            most, total, weighted = _ZERO, np.int64(0), 0.0
            run, longest, over, bad = 0, 0, 0, 0
            for i in range(edges[t], edges[t + 1]):
                x = samples[c, i]
                if not np.isfinite(x):
                    x = _ZERO
                    bad += 1
                level = abs(x)
                most = max(most, level)
                over += level >= _CLIP
                run = run + 1 if x == _ZERO else 0
                longest = max(longest, run)
                v = np.float64(x)
                q = np.int64(np.floor(min(max(v, -MAX_LEVEL), MAX_LEVEL) * QUANTUM + 0.5))
                total += q * q
                y = b0 * v + s0
                s0 = b1 * v - a1 * y + s1
                s1 = b2 * v - a2 * y
                z = d0 * y + s2
                s2 = d1 * y - c1 * z + s3
                s3 = d2 * y - c2 * z
                weighted += z * z
            s0 = 0.0 if abs(s0) < _TINY else s0
            s1 = 0.0 if abs(s1) < _TINY else s1
            s2 = 0.0 if abs(s2) < _TINY else s2
            s3 = 0.0 if abs(s3) < _TINY else s3
            peak[t, c], energy[t, c], k_energy[t, c] = most, total, weighted
            zero_run[t, c], clipped[t, c], invalid[t, c] = longest, over, bad
        state[c, 0], state[c, 1], state[c, 2], state[c, 3] = s0, s1, s2, s3


def audio_stats_cpu(
    samples: np.ndarray, edges: np.ndarray, coefficients: np.ndarray, state: np.ndarray
) -> tuple[AudioStats, np.ndarray]:
    """Measure hops; arguments and result as `gpu_qa_kernels.audio_stats.audio_stats`."""
    stats = empty_audio_stats(len(edges) - 1, len(samples))
    after = state.copy()
    _measure(np.ascontiguousarray(samples), edges, coefficients, after, *stats)
    return stats, after
