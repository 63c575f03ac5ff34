"""Sums, runs and levels of a hop, for `audio_stats` on the CPU: integers, so that vectors may add in any order."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from gpu_qa_kernels.audio_stats.contract import BEFORE, CLIP_LEVEL, LEVEL_EDGES, LEVELS, MAX_LEVEL, QUANTUM

__all__ = ["bends", "count_levels", "energy_of", "level_table", "peak_of", "product_of", "runs", "take", "total_of"]

_CLIP = np.float32(CLIP_LEVEL)
_ZERO = np.float32(0.0)
_LARGEST = np.float32(np.finfo(np.float32).max)
_MOST = np.float32(MAX_LEVEL)
_BEFORE, _QUANTUM, _LAST = BEFORE, QUANTUM, LEVELS - 1

_CELL_BITS = 15
"""A cell of the table are the numbers alike but for these bits: 256 to the octave, 0.03 dB, far less than a bin."""
_FIRST_CELL = int(LEVEL_EDGES[-2:-1].view(np.int32)[0]) >> _CELL_BITS
_CELLS = (int(LEVEL_EDGES[:1].view(np.int32)[0]) >> _CELL_BITS) - _FIRST_CELL + 2

_inline = numba.njit(nogil=True, boundscheck=False)


def level_table() -> np.ndarray:
    """int32 [cells]: the bin of the largest number of each cell; smaller ones of it lie there or in the next bin."""
    last = ((np.arange(_CELLS, dtype=np.int64) + _FIRST_CELL + 1 << _CELL_BITS) - 1).astype(np.int32).view(np.float32)
    return np.asarray(LEVELS - np.searchsorted(LEVEL_EDGES[::-1], last, side="right"), np.int32)


@_inline
def take(source: Any, begin: int, count: int, line: Any, codes: Any) -> Any:
    """Copy a hop to where its measures look, with 0 for what is no number; gives how many were none, and clipped.

    `line` gets the samples behind the `BEFORE` before, `codes` the rounded ones behind the two before.
    """
    bad, over = np.int32(0), np.int32(0)
    for i in range(count):
        x = source[begin + i]
        is_number = abs(x) <= _LARGEST
        x = x if is_number else _ZERO
        bad += np.int32(0) if is_number else np.int32(1)
        over += np.int32(1) if abs(x) >= _CLIP else np.int32(0)
        line[_BEFORE + i] = x
        held = max(min(x, _MOST), -_MOST)
        codes[2 + i] = np.int32(np.floor(np.float64(held) * _QUANTUM + 0.5))
    return bad, over


@_inline
def peak_of(bits: Any, count: int) -> Any:
    """Largest absolute sample, as its bits."""
    largest = np.int32(0)
    for i in range(_BEFORE, _BEFORE + count):
        largest = max(largest, bits[i] & np.int32(0x7FFFFFFF))
    return largest


@_inline
def total_of(codes: Any, count: int) -> Any:
    """Sum of the rounded samples."""
    total = np.int64(0)
    for i in range(2, 2 + count):
        total += np.int64(codes[i])
    return total


@_inline
def energy_of(codes: Any, begin: int, end: int) -> Any:
    """Sum of squares of the rounded samples `begin` to `end` (exclusive) of the hop."""
    total = np.int64(0)
    for i in range(2 + begin, 2 + end):
        total += np.int64(codes[i]) * np.int64(codes[i])
    return total


@_inline
def product_of(one: Any, other: Any, count: int) -> Any:
    """Sum of products of two channels' rounded samples."""
    total = np.int64(0)
    for i in range(2, 2 + count):
        total += np.int64(one[i]) * np.int64(other[i])
    return total


@_inline
def bends(codes: Any, known: int, count: int) -> Any:
    """Largest and sum of squares of second differences, of which `known` samples before the hop can take part."""
    largest, total = np.int32(0), np.int64(0)
    for i in range(4 - known, 2 + count):
        bend = codes[i] - np.int32(2) * codes[i - 1] + codes[i - 2]
        largest = max(largest, abs(bend))
        total += np.int64(bend) * np.int64(bend)
    return largest, total


@_inline
def runs(line: Any, count: int) -> Any:
    """Longest runs of zero and of equal samples."""
    alike, zeros = np.int32(0), np.int32(0)
    for i in range(_BEFORE, _BEFORE + count):
        zeros += np.int32(1) if line[i] == _ZERO else np.int32(0)
    for i in range(_BEFORE + 1, _BEFORE + count):
        alike += np.int32(1) if line[i] == line[i - 1] else np.int32(0)
    if alike == 0:
        return min(zeros, 1), min(count, 1)
    run, longest, of_zeros = 1, 1, 0
    for i in range(_BEFORE + 1, _BEFORE + count):
        run = run + 1 if line[i] == line[i - 1] else 1
        longest = max(longest, run)
        of_zeros = max(of_zeros, run if line[i] == _ZERO else 0)
    return max(of_zeros, min(zeros, 1)), longest


@_inline
def count_levels(line: Any, bits: Any, count: int, table: Any, edges: Any, levels: Any) -> None:
    """Fill the histogram `levels` of absolute samples."""
    for k in range(_LAST + 1):
        levels[k] = 0
    for i in range(_BEFORE, _BEFORE + count):
        cell = ((bits[i] & np.int32(0x7FFFFFFF)) >> _CELL_BITS) - _FIRST_CELL
        if cell < 0:
            levels[_LAST] += 1
        else:
            found = table[min(cell, _CELLS - 1)]
            levels[found + (abs(line[i]) < edges[found])] += 1
