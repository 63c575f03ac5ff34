"""`audio_stats` on a CUDA device: one thread per channel of any number of tracks, in one launch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import config, cuda, float32, int32, int64

from gpu_qa_kernels.audio_stats.contract import (
    BEFORE,
    CLIP_LEVEL,
    LEVEL_EDGES,
    LEVELS,
    MAX_LEVEL,
    QUANTUM,
    QUARTERS,
    STATE,
    TAPS,
    TINY,
)

__all__ = ["COLUMNS", "THREADS", "audio_stats_kernel"]

COLUMNS = ("samples", "edges", "hops", "coefficients", "taps", "phases", "state", "out", "partner", "pair")
"""A row of the table, one per channel, all int64: where in the flat arrays its samples, its hops' edges (counted from
its first sample), its filter (10 numbers), its interpolation filter (12 numbers for each of `phases`), its state (15
numbers) and its results begin (counted in hops), and how many hops it has; where the samples of the channel begin that
it is multiplied with for `cross`, −1 where there is none, and where the results of that begin."""
THREADS = 32

_CLIP, _MOST, _ZERO = np.float32(CLIP_LEVEL), np.float32(MAX_LEVEL), np.float32(0.0)
_FILTER, _BEFORE, _TAPS, _LAST, _QUARTERS = STATE - BEFORE, BEFORE, TAPS, LEVELS - 1, QUARTERS
_TINY, _MAX_LEVEL, _QUANTUM = TINY, MAX_LEVEL, QUANTUM


def _multiplied(a: Any, b: Any) -> Any:
    return a * b


def _added(a: Any, b: Any) -> Any:
    return a + b


if config.ENABLE_CUDASIM:
    _mul: Any = cuda.jit(device=True)(_multiplied)
    _add: Any = cuda.jit(device=True)(_added)
    _mul_single, _add_single = _mul, _add
else:
    from numba.cuda import libdevice

    # Rounded one by one: a fused multiply-add would round once where the definition rounds twice.
    _mul, _add = libdevice.dmul_rn, libdevice.dadd_rn
    _mul_single, _add_single = libdevice.fmul_rn, libdevice.fadd_rn


@cuda.jit(device=True)
def _code(x):  # type: ignore[no-untyped-def]
    """A sample in steps of 1 / `QUANTUM`."""
    return int64(math.floor(_add(_mul(min(max(float(x), -_MAX_LEVEL), _MAX_LEVEL), _QUANTUM), 0.5)))


@cuda.jit(device=True)
def _bin(level):  # type: ignore[no-untyped-def]
    """Bin of an absolute sample: the first one whose lower edge is not above it."""
    edges = cuda.const.array_like(LEVEL_EDGES)
    low, high = 0, _LAST
    while low < high:
        middle = (low + high) // 2
        if level >= edges[middle]:
            high = middle
        else:
            low = middle + 1
    return low


@cuda.jit
def audio_stats_kernel(  # type: ignore[no-untyped-def]
    samples, table, edges, coefficients, taps, state, peak, energy, quarter_energy, total, cross, k_energy, zero_run,
    same_run, clipped, invalid, true_peak, bend_peak, bend_energy, levels,
):  # fmt: skip
    """Measure the channels of `table`: samples float32, the rest flat arrays as in `AudioStats`; `state` is updated.

    Of a channel, results of several numbers per hop (`quarter_energy`, `levels`) lie hop after hop.
    """
    row = cuda.grid(1)
    if row >= table.shape[0]:
        return
    first, edge, hops = table[row, 0], table[row, 1], table[row, 2]
    k, tap, phases = table[row, 3], table[row, 4], table[row, 5]
    s, out, partner, pair = table[row, 6], table[row, 7], table[row, 8], table[row, 9]
    s0, s1, s2, s3 = state[s], state[s + 1], state[s + 2], state[s + 3]
    b0, a1, a2 = coefficients[k], coefficients[k + 3], coefficients[k + 4]
    b1, b2 = _add(coefficients[k + 1], -_mul(a1, b0)), _add(coefficients[k + 2], -_mul(a2, b0))
    d0, c1, c2 = coefficients[k + 5], coefficients[k + 8], coefficients[k + 9]
    d1, d2 = _add(coefficients[k + 6], -_mul(c1, d0)), _add(coefficients[k + 7], -_mul(c2, d0))
    line = cuda.local.array(_TAPS, float32)  # the last samples, oldest first, NaN while not known
    for j in range(_BEFORE):
        line[j + 1] = float32(state[s + _FILTER + j])
    for t in range(hops):
        at = out + t
        most, between, summed, weighted, product = _ZERO, _ZERO, int64(0), 0.0, int64(0)
        zeros, run, longest_zeros, longest, over, bad = 0, 0, 0, 0, 0, 0
        bend_most, bend_sum, whole = int64(0), int64(0), int64(0)
        for j in range(_LAST + 1):
            levels[at * (_LAST + 1) + j] = 0
        begin, end = edges[edge + t], edges[edge + t + 1]
        for part in range(_QUARTERS):
            of_part = int64(0)
            for i in range(begin + (end - begin) * part // _QUARTERS, begin + (end - begin) * (part + 1) // _QUARTERS):
                x = samples[first + i]
                if not math.isfinite(x):
                    x = _ZERO
                    bad += 1
                for j in range(_BEFORE):
                    line[j] = line[j + 1]
                line[_BEFORE] = x
                level = abs(x)
                most = max(most, level)
                if level >= _CLIP:
                    over += 1
                zeros = zeros + 1 if x == _ZERO else 0
                longest_zeros = max(longest_zeros, zeros)
                run = run + 1 if i > begin and x == line[_BEFORE - 1] else 1
                longest = max(longest, run)
                levels[at * (_LAST + 1) + _bin(level)] += 1
                q = _code(x)
                summed += q
                of_part += q * q
                if partner >= 0:
                    beside = samples[partner + i]
                    product += q * _code(beside if math.isfinite(beside) else _ZERO)
                if not math.isnan(line[_BEFORE - 2]):
                    bend = abs(q - 2 * _code(line[_BEFORE - 1]) + _code(line[_BEFORE - 2]))
                    bend_most = max(bend_most, bend)
                    bend_sum += bend * bend
                # The oldest sample that is known stands in for those before it.
                oldest = _BEFORE
                while oldest > 0 and not math.isnan(line[oldest - 1]):
                    oldest -= 1
                for p in range(phases):
                    value = _ZERO
                    for j in range(_TAPS):
                        known = min(max(line[max(j, oldest)], -_MOST), _MOST)
                        value = _add_single(value, _mul_single(taps[tap + p * _TAPS + _BEFORE - j], known))
                    between = max(between, abs(value))
                v = min(max(float(x), -_MAX_LEVEL), _MAX_LEVEL)
                y = _add(_mul(b0, v), s0)
                s0, s1 = _add(_add(_mul(b1, v), s1), -_mul(a1, s0)), _add(_mul(b2, v), -_mul(a2, s0))
                z = _add(_mul(d0, y), s2)
                s2, s3 = _add(_add(_mul(d1, y), s3), -_mul(c1, s2)), _add(_mul(d2, y), -_mul(c2, s2))
                weighted = _add(weighted, _mul(z, z))
            quarter_energy[at * _QUARTERS + part] = of_part
            whole += of_part
        s0 = 0.0 if abs(s0) < _TINY else s0
        s1 = 0.0 if abs(s1) < _TINY else s1
        s2 = 0.0 if abs(s2) < _TINY else s2
        s3 = 0.0 if abs(s3) < _TINY else s3
        peak[at], energy[at], total[at], k_energy[at] = most, whole, summed, weighted
        zero_run[at], same_run[at], clipped[at], invalid[at] = longest_zeros, longest, over, bad
        true_peak[at], bend_peak[at], bend_energy[at] = max(most, between), int32(bend_most), bend_sum
        if partner >= 0:
            cross[pair + t] = product
    state[s], state[s + 1], state[s + 2], state[s + 3] = s0, s1, s2, s3
    for j in range(_BEFORE):
        state[s + _FILTER + j] = line[j + 1]
