"""Sums, runs and levels of a hop, for `audio_stats` on the CPU: integers, so that vectors may add in any order."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from gpu_qa_kernels.audio_stats.contract import CLIP_LEVEL, LEVEL_EDGES, LEVELS, MAX_LEVEL, QUANTUM

__all__ = ["bend", "count_levels", "largest_of", "level_table", "product_of", "runs", "take", "total_of"]

_CLIP = np.float32(CLIP_LEVEL)
_ZERO = np.float32(0.0)
_LARGEST = np.float32(np.finfo(np.float32).max)
_MOST = np.float32(MAX_LEVEL)
_QUANTUM, _HALF = np.float32(QUANTUM), np.float32(0.5)
_LAST = LEVELS - 1

_CELL_BITS = 15
"""A cell of the table are the numbers alike but for these bits: 256 to the octave, 0.03 dB, far less than a bin."""
_FIRST_CELL = (int(LEVEL_EDGES[-2:-1].view(np.int32)[0]) >> _CELL_BITS) - 1
_CELLS = (int(LEVEL_EDGES[:1].view(np.int32)[0]) >> _CELL_BITS) - _FIRST_CELL + 2

_inline = numba.njit(nogil=True, boundscheck=False)


def level_table() -> np.ndarray:
    """int32 [cells]: the bin of the largest number of each cell; smaller ones of it lie there or in the next bin.

    The first cell stands for all below as well, the last one for all above.
    """
    last = ((np.arange(_CELLS, dtype=np.int64) + _FIRST_CELL + 1 << _CELL_BITS) - 1).astype(np.int32).view(np.float32)
    return np.asarray(LEVELS - np.searchsorted(LEVEL_EDGES[::-1], last, side="right"), np.int32)


# Loops run from 0 over slices: only then does the compiler know that no index is negative, and makes vector code.


@_inline
def take(source: Any, line: Any, codes: Any) -> Any:
    """Copy a hop, with 0 for what is no number, and round it; gives how many samples were none, and how many clipped.

    The difference to the next lower step is ½ or more in single precision wherever it is so in truth, and there are no
    zeros below 0 left in `line`.
    """
    bad, over = np.int32(0), np.int32(0)
    for i in range(len(source)):
        x = source[i]
        is_number = abs(x) <= _LARGEST
        x = (x if is_number else _ZERO) + _ZERO
        bad += np.int32(0) if is_number else np.int32(1)
        over += np.int32(1) if abs(x) >= _CLIP else np.int32(0)
        line[i] = x
        steps = max(min(x, _MOST), -_MOST) * _QUANTUM
        lower = np.floor(steps)
        codes[i] = np.int32(lower) + (np.int32(1) if steps - lower >= _HALF else np.int32(0))
    return bad, over


@_inline
def largest_of(bits: Any) -> Any:
    """Largest absolute number, of the bits of numbers and as such."""
    largest = np.int32(0)
    for i in range(len(bits)):
        largest = max(largest, bits[i] & np.int32(0x7FFFFFFF))
    return largest


@_inline
def total_of(codes: Any) -> Any:
    """Sum of the rounded samples."""
    total = np.int64(0)
    for i in range(len(codes)):
        total += np.int64(codes[i])
    return total


@_inline
def product_of(one: Any, other: Any) -> Any:
    """Sum of products of rounded samples."""
    total = np.int64(0)
    for i in range(len(one)):
        total += np.int64(one[i]) * np.int64(other[i])
    return total


@_inline
def bend(codes: Any, bends: Any) -> Any:
    """Fill `bends` with the second differences of rounded samples, which are two more; gives the largest."""
    later, middle = codes[2:], codes[1:]
    largest = np.int32(0)
    for i in range(len(bends)):
        value = later[i] - np.int32(2) * middle[i] + codes[i]
        bends[i] = value
        largest = max(largest, abs(value))
    return largest


@_inline
def runs(bits: Any) -> Any:
    """Longest runs of zero and of equal samples, of their bits."""
    alike, zeros, later = np.int32(0), np.int32(0), bits[1:]
    for i in range(len(bits)):
        zeros += np.int32(1) if bits[i] == 0 else np.int32(0)
    for i in range(len(later)):
        alike += np.int32(1) if bits[i] == later[i] else np.int32(0)
    if alike == 0:
        return min(zeros, 1), min(len(bits), 1)
    run, longest, of_zeros = 1, 1, min(zeros, 1)
    for i in range(len(later)):
        run = run + 1 if bits[i] == later[i] else 1
        longest = max(longest, run)
        of_zeros = max(of_zeros, run if later[i] == 0 else 0)
    return of_zeros, longest


@_inline
def _bin(level: Any, bits: Any, table: Any, edges: Any) -> Any:
    cell = max((bits & np.int32(0x7FFFFFFF)) >> _CELL_BITS, _FIRST_CELL) - _FIRST_CELL
    found = table[np.uint32(min(cell, _CELLS - 1))]
    return np.uint32(found + (np.int32(1) if abs(level) < edges[np.uint32(found)] else np.int32(0)))


@_inline
def count_levels(line: Any, bits: Any, table: Any, edges: Any, counts: Any, levels: Any) -> None:
    """Fill the histogram `levels` of absolute samples.

    Two samples that follow one another count in histograms of their own, `counts` [2, 64], for neighbours are often
    alike, and adding to a number that was just written waits for it.
    """
    even, odd = counts[0], counts[1]
    for k in range(_LAST + 1):
        even[k] = odd[k] = 0
    for i in range(0, len(line) - 1, 2):
        even[_bin(line[i], bits[i], table, edges)] += 1
        odd[_bin(line[i + 1], bits[i + 1], table, edges)] += 1
    if len(line) % 2:
        even[_bin(line[-1], bits[-1], table, edges)] += 1
    for k in range(_LAST + 1):
        levels[k] = even[k] + odd[k]
