"""Plain loops over arrays, for `luma_stats` on the CPU.

Slices are not assigned to, nor arrays added: numba compiles seconds of error messages for that.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["accumulate", "clear", "part_edges", "total_of"]

_inline = numba.njit(nogil=True, boundscheck=False)


@_inline
def clear(values: Any, begin: int, end: int) -> None:
    """Set `values[begin:end]` to zero."""
    cleared = values[begin:end]
    for x in range(len(cleared)):
        cleared[x] = 0


@_inline
def accumulate(values: Any, totals: Any) -> None:
    """Add to each of `totals` the value in its place."""
    for x in range(len(totals)):
        totals[x] += values[x]


@_inline
def total_of(values: Any, begin: int, end: int) -> Any:
    """Sum of `values[begin:end]`, int64."""
    total, summed = np.int64(0), values[begin:end]
    for x in range(len(summed)):
        total += summed[x]
    return total


@_inline
def part_edges(samples: int, parts: int) -> Any:
    """Where parts of a side of `samples` begin, and the last one ends: int64 [parts + 1]."""
    edges = np.empty(parts + 1, np.int64)
    for i in range(parts + 1):
        edges[i] = i * samples // parts
    return edges
