"""`audio_stats` on the CPU: one thread, numba without the GIL, two channels at a time, hop by hop in the cache."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import types

from gpu_qa_kernels.audio_stats import cpu_filter, cpu_sums
from gpu_qa_kernels.audio_stats.contract import (
    BEFORE,
    LEVEL_EDGES,
    LEVELS,
    MAX_LEVEL,
    QUANTUM,
    QUARTERS,
    STATE,
    AudioStats,
    empty_audio_stats,
)
from gpu_qa_kernels.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["audio_stats_cpu", "prepare_cpu"]

_BEFORE, _FILTER, _LEVELS, _QUARTERS, _STATE = BEFORE, STATE - BEFORE, LEVELS, QUARTERS, STATE
_MAX_LEVEL, _QUANTUM, _MOST = MAX_LEVEL, QUANTUM, np.float32(MAX_LEVEL)
_take, _largest_of, _total_of, _product_of = cpu_sums.take, cpu_sums.largest_of, cpu_sums.total_of, cpu_sums.product_of
_bend, _runs, _count_levels = cpu_sums.bend, cpu_sums.runs, cpu_sums.count_levels
_weigh_two, _between = cpu_filter.weigh_two, cpu_filter.between
_TABLE = cpu_sums.level_table()

_inline = numba.njit(nogil=True, boundscheck=False)


@_inline
def _look_back(state: Any, line: Any, codes: Any, count: int) -> int:
    """Put the samples before a hop before it; gives how many of the last two are known."""
    first = line[_BEFORE] if count else np.float32(0.0)
    for j in range(_BEFORE - 1, -1, -1):
        before = np.float32(state[_FILTER + j])
        # The oldest known one, or the hop's first, stands in for those that are not known.
        first = first if np.isnan(before) else before
        line[j] = first
    known = 0
    for j in range(2):
        before = state[_STATE - 2 + j]
        known += 0 if np.isnan(before) else 1
        held = 0.0 if np.isnan(before) else min(max(before, -_MAX_LEVEL), _MAX_LEVEL)
        codes[j] = np.int32(np.floor(held * _QUANTUM + 0.5))
    return known


@_inline
def _remember(state: Any, line: Any, count: int) -> None:
    """Keep the last samples for the next hop."""
    for j in range(_BEFORE):
        is_old = count + j < _BEFORE
        state[_FILTER + j] = state[_FILTER + count + j] if is_old else np.float64(line[count + j])


@_inline
def _hold(line: Any, count: int) -> None:
    """Bring the samples, those before included, within `MAX_LEVEL`."""
    for i in range(_BEFORE + count):
        line[i] = min(max(line[i], -_MOST), _MOST)


def _measure(
    samples: Any, edges: Any, coefficients: Any, taps: Any, table: Any, level_edges: Any, state: Any, peak: Any,
    energy: Any, quarter_energy: Any, total: Any, cross: Any, k_energy: Any, zero_run: Any, same_run: Any, clipped: Any,
    invalid: Any, true_peak: Any, bend_peak: Any, bend_energy: Any, levels: Any,
) -> None:  # fmt: skip
    hops, channels, phases = len(edges) - 1, samples.shape[0], taps.shape[0]
    longest = 0
    for t in range(hops):
        longest = max(longest, edges[t + 1] - edges[t])
    lines = np.zeros((2, _BEFORE + longest), np.float32)
    codes = np.zeros((2, 2 + longest), np.int32)
    scratch = np.zeros(max(phases, 1) * longest, np.float32)
    bits, scratch_bits = lines.view(np.int32), scratch.view(np.int32)
    counts = np.zeros((2, _LEVELS), np.int32)
    found = np.zeros(1, np.int32)
    number = found.view(np.float32)
    spare = np.zeros(_STATE)
    for first in range(0, channels, 2):
        pair = min(channels - first, 2)
        if pair == 1:
            lines[1, :] = 0
        for t in range(hops):
            begin, count = edges[t], edges[t + 1] - edges[t]
            for k in range(pair):
                c = first + k
                hop, code = lines[k, _BEFORE : _BEFORE + count], codes[k, 2 : 2 + count]
                hop_bits = bits[k, _BEFORE : _BEFORE + count]
                invalid[t, c], clipped[t, c] = _take(samples[c, begin : begin + count], hop, code)
                found[0] = _largest_of(hop_bits)
                peak[t, c] = number[0]
                total[t, c] = _total_of(code)
                whole = np.int64(0)
                for part in range(_QUARTERS):
                    of_part = code[count * part // _QUARTERS : count * (part + 1) // _QUARTERS]
                    quarter_energy[t, part, c] = part_energy = _product_of(of_part, of_part)
                    whole += part_energy
                energy[t, c] = whole
                zero_run[t, c], same_run[t, c] = _runs(hop_bits)
                _count_levels(hop, hop_bits, table, level_edges, counts, levels[t, c])
                known = _look_back(state[c], lines[k], codes[k], count)
                bends = scratch_bits[: max(count + known - 2, 0)]
                bend_peak[t, c] = _bend(codes[k, 2 - known : 2 + count], bends)
                bend_energy[t, c] = _product_of(bends, bends)
            for k in range(pair):
                _remember(state[first + k], lines[k], count)
                _hold(lines[k], count)
            one, other = lines[0, _BEFORE : _BEFORE + count], lines[1, _BEFORE : _BEFORE + count]
            if pair == 2:
                cross[t, first // 2] = _product_of(codes[0, 2 : 2 + count], codes[1, 2 : 2 + count])
                weighed = _weigh_two(one, other, coefficients, state[first], state[first + 1])
                k_energy[t, first], k_energy[t, first + 1] = weighed
            else:
                k_energy[t, first] = _weigh_two(one, other, coefficients, state[first], spare)[0]
            for k in range(pair):
                for p in range(phases):
                    _between(lines[k], taps[p], scratch[p * count : (p + 1) * count])
                found[0] = _largest_of(scratch_bits[: phases * count])
                true_peak[t, first + k] = max(peak[t, first + k], number[0])


@cache
def _kernel() -> Callable[..., None]:
    def array(kind: Any, axes: int, *, readonly: bool = False) -> Any:
        return types.Array(kind, axes, "C", readonly=readonly)

    f32, f64, i32, i64 = types.float32, types.float64, types.int32, types.int64
    sources = [array(kind, axes, readonly=True) for kind, axes in ((f32, 2), (i64, 1), (f64, 2), (f32, 2))]
    tables = [array(kind, 1, readonly=True) for kind in (i32, f32)]
    results = [array(numba.from_dtype(values.dtype), values.ndim) for values in empty_audio_stats(0, 0)]
    return compiled(_measure, *sources, *tables, array(f64, 2), *results)


def prepare_cpu() -> None:
    """Compile it, or load it from the cache."""
    _kernel()


def audio_stats_cpu(
    samples: np.ndarray, edges: np.ndarray, coefficients: np.ndarray, taps: np.ndarray, state: np.ndarray
) -> tuple[AudioStats, np.ndarray]:
    """Measure hops; arguments and result as `gpu_qa_kernels.audio_stats.audio_stats`, already checked."""
    stats = empty_audio_stats(len(edges) - 1, len(samples))
    after = state.copy()
    sources = [np.ascontiguousarray(values) for values in (samples, edges, coefficients, taps)]
    _kernel()(*sources, _TABLE, LEVEL_EDGES, after, *stats)
    return stats, after
