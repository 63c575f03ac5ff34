"""Cells of the small pictures of `luma_stats` on the CPU: column sums become sums over cells, and these means."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from gpu_qa_kernels import lanes
from gpu_qa_kernels.luma_stats.loops_cpu import clear, total_of

__all__ = ["REACH", "cell_means", "fill_small", "fold_cells", "reciprocal_widths", "wide_totals"]

REACH = 4 * lanes.LANES_16 + 257
"""Elements after the last line that sums over cells reach into: a cell whose sum fits 16 bits has at most 257."""

_add, _load, _put, _zero, _LANES_16 = lanes.add, lanes.load, lanes.put, lanes.zero, lanes.LANES_16

_inline = numba.njit(nogil=True, boundscheck=False)


@_inline
def wide_totals(rows: Any, columns: Any, mask: int) -> Any:
    """Wide column sums where the sum of a cell may not fit 16 bits; else nothing."""
    height = (rows[-1] + len(rows) - 2) // (len(rows) - 1)
    width = (columns[-1] + len(columns) - 2) // (len(columns) - 1)
    return np.zeros(columns[-1] if height * width * mask > 65535 else 0, np.int64)


@_inline
def fold_cells(sums: Any, totals: Any, edges: Any, windows: Any, cells: Any) -> None:
    """Fold column sums into a row of cells and clear them.

    Where a cell's sum may not fit 16 bits, `totals` holds the column sums and `sums` nothing. Else all cells are w or
    w + 1 columns wide: a cell is the sum over w columns, taken for all x at once, and perhaps one more column.
    """
    width, count = edges[-1], len(cells)
    if len(totals) > 0:
        for j in range(count):
            cells[j] = total_of(totals, edges[j], edges[j + 1])
        clear(totals, 0, width)
        return
    narrow = width // count
    for x in range(0, width, 4 * _LANES_16):
        first = second = third = fourth = _zero(sums)
        for k in range(x, x + narrow):
            first = _add(first, _load(sums, k, 0, 65535))
            second = _add(second, _load(sums, k + _LANES_16, 0, 65535))
            third = _add(third, _load(sums, k + 2 * _LANES_16, 0, 65535))
            fourth = _add(fourth, _load(sums, k + 3 * _LANES_16, 0, 65535))
        _put(windows, x, first)
        _put(windows, x + _LANES_16, second)
        _put(windows, x + 2 * _LANES_16, third)
        _put(windows, x + 3 * _LANES_16, fourth)
    for j in range(count):
        begin = np.uint64(edges[j])
        # All ones where the cell has one more column: a branch here would be mispredicted half of the time.
        more = np.uint16(narrow - (edges[j + 1] - edges[j]))
        cells[j] = np.int64(windows[begin]) + (sums[begin + np.uint64(narrow)] & more)
    clear(sums, 0, width)


@_inline
def reciprocal_widths(edges: Any) -> Any:
    """One over the width of each cell, float64; where it has none, one."""
    reciprocals = np.empty(len(edges) - 1, np.float64)
    for j in range(len(reciprocals)):
        reciprocals[j] = 1.0 / max(1, edges[j + 1] - edges[j])
    return reciprocals


@_inline
def cell_means(cells: Any, rows: int, reciprocals: Any, scale: int, small: Any) -> None:
    """Means of cells of `rows` rows times 2^scale, rounded down; `reciprocals` of their widths.

    floor(a / n) = floor((a + ½) / n) for integers, and (a + ½) / n is at least ½ / n away from one: for a < 2^50 the
    roundings of the two reciprocals and of the products cannot reach it.
    """
    of_rows = 1.0 / rows
    for j in range(len(small)):
        small[j] = np.uint16(np.int32((np.float64(cells[j] << scale) + 0.5) * (of_rows * reciprocals[j])))


@_inline
def fill_small(rows: Any, columns: Any, small: Any) -> None:
    """Give the cells without a sample of their own the one that their start falls on: it is to the right or below."""
    if rows[-1] < small.shape[0]:
        for i in range(small.shape[0] - 1, -1, -1):
            if rows[i] == rows[i + 1]:
                for j in range(small.shape[1]):
                    small[i, j] = small[i + 1, j]
    if columns[-1] < small.shape[1]:
        for i in range(small.shape[0]):
            for j in range(small.shape[1] - 1, -1, -1):
                if columns[j] == columns[j + 1]:
                    small[i, j] = small[i, j + 1]
