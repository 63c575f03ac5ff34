"""`audio_stats` on a CUDA device: one thread per channel of any number of tracks, in one launch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import config, cuda, int64

from gpu_qa_kernels.audio_stats.contract import CLIP_LEVEL, MAX_LEVEL, QUANTUM

__all__ = ["COLUMNS", "THREADS", "audio_stats_kernel"]

COLUMNS = ("samples", "edges", "hops", "coefficients", "state", "out")
"""A row of the table, one per channel, all int64: where in the flat arrays its samples, its hops' edges (counted from
its first sample), its filter (10 numbers), its state (4 numbers) and its results begin, and how many hops it has."""
THREADS = 32

_CLIP = np.float32(CLIP_LEVEL)
_ZERO = np.float32(0.0)
_TINY = 1e-25


def _multiplied(a: float, b: float) -> float:
    return a * b


def _added(a: float, b: float) -> float:
    return a + b


if config.ENABLE_CUDASIM:
    _mul: Any = cuda.jit(device=True)(_multiplied)
    _add: Any = cuda.jit(device=True)(_added)
else:
    from numba.cuda import libdevice

    # Rounded one by one: a fused multiply-add would round once where the definition rounds twice.
    _mul, _add = libdevice.dmul_rn, libdevice.dadd_rn


@cuda.jit
def audio_stats_kernel(  # type: ignore[no-untyped-def]
    samples, table, edges, coefficients, state, peak, energy, k_energy, zero_run, clipped, invalid
):
    """Measure the channels of `table`: samples float32, the rest flat arrays as in `AudioStats`; `state` is updated."""
    row = cuda.grid(1)
    if row >= table.shape[0]:
        return
    first, edge, hops = table[row, 0], table[row, 1], table[row, 2]
    k, s, out = table[row, 3], table[row, 4], table[row, 5]
    s0, s1, s2, s3 = state[s], state[s + 1], state[s + 2], state[s + 3]
    for t in range(hops):
        most, total, weighted = _ZERO, int64(0), 0.0
        run, longest, over, bad = 0, 0, 0, 0
        for i in range(first + edges[edge + t], first + edges[edge + t + 1]):
            x = samples[i]
            if not math.isfinite(x):
                x = _ZERO
                bad += 1
            level = abs(x)
            most = max(most, level)
            if level >= _CLIP:
                over += 1
            run = run + 1 if x == _ZERO else 0
            longest = max(longest, run)
            v = float(x)
            q = int64(math.floor(_add(_mul(min(max(v, -MAX_LEVEL), MAX_LEVEL), QUANTUM), 0.5)))
            total += q * q
            y = _add(_mul(coefficients[k], v), s0)
            s0 = _add(_add(_mul(coefficients[k + 1], v), -_mul(coefficients[k + 3], y)), s1)
            s1 = _add(_mul(coefficients[k + 2], v), -_mul(coefficients[k + 4], y))
            z = _add(_mul(coefficients[k + 5], y), s2)
            s2 = _add(_add(_mul(coefficients[k + 6], y), -_mul(coefficients[k + 8], z)), s3)
            s3 = _add(_mul(coefficients[k + 7], y), -_mul(coefficients[k + 9], z))
            weighted = _add(weighted, _mul(z, z))
        s0 = 0.0 if abs(s0) < _TINY else s0
        s1 = 0.0 if abs(s1) < _TINY else s1
        s2 = 0.0 if abs(s2) < _TINY else s2
        s3 = 0.0 if abs(s3) < _TINY else s3
        peak[out + t] = most
        energy[out + t] = total
        k_energy[out + t] = weighted
        zero_run[out + t] = longest
        clipped[out + t] = over
        invalid[out + t] = bad
    state[s], state[s + 1], state[s + 2], state[s + 3] = s0, s1, s2, s3
