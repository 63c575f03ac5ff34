"""`luma_stats` on the CPU: one thread, one picture, numba without the GIL.

Rows are copied once into small buffers that stay in the L1 cache, and every measure is first summed per column in
loops over contiguous x, which the compiler turns into vector code; columns are folded into cells and tiles at the end
of each row of cells or tiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from gpu_qa_kernels import SMALL_CHROMA_COLS, SMALL_CHROMA_ROWS, SMALL_COLS, SMALL_ROWS, TILE_COLS, TILE_ROWS
from gpu_qa_kernels.luma_stats.contract import SMALL_GREY, Feature, LumaStats, histogram_step

if TYPE_CHECKING:
    from typing import Any

    from gpu_qa_kernels import PlaneLike

__all__ = ["luma_stats_cpu"]

_SUM = int(Feature.SUM)
_SUM_SQUARES = int(Feature.SUM_SQUARES)
_CHANGE = int(Feature.CHANGE)
_COARSE_CHANGE = int(Feature.COARSE_CHANGE)
_GRADIENT_H = int(Feature.GRADIENT_H)
_GRADIENT_V = int(Feature.GRADIENT_V)
_EDGE_H = int(Feature.EDGE_H)
_EDGE_V = int(Feature.EDGE_V)
_CB = int(Feature.CB)

_FLUSH_ROWS = 256
"""Rows that the column sums hold before they could overflow: 256 · 255 in uint16, 256 · 4095² in uint32."""


@numba.njit(nogil=True, boundscheck=False)
def _copy_row(data: Any, start: int, step: int, shift: int, mask: int, row: Any) -> None:
    if step == 1:
        line = data[start : start + len(row)]
        for x in range(len(row)):
            row[x] = (line[x] >> shift) & mask
    else:
        for x in range(len(row)):
            row[x] = (data[start + x * step] >> shift) & mask


@numba.njit(nogil=True, boundscheck=False)
def _add_levels(row: Any, sums: Any, squares: Any) -> None:
    for x in range(len(row)):
        value = np.uint32(row[x])
        sums[x] += value
        squares[x] += value * value


@numba.njit(nogil=True, boundscheck=False)
def _add_row(row: Any, sums: Any) -> None:
    for x in range(len(row)):
        sums[x] += row[x]


@numba.njit(nogil=True, boundscheck=False)
def _add_differences(row: Any, other: Any, sums: Any) -> None:
    for x in range(len(row)):
        sums[x] += max(row[x], other[x]) - min(row[x], other[x])


@numba.njit(nogil=True, boundscheck=False)
def _fold(columns: Any, edges: Any, first: int, every: int, tiles: Any, feature: int) -> None:
    """Add the columns first, first + every, … to a row of tiles."""
    for tile in range(TILE_COLS):
        total = np.int64(0)
        begin = edges[tile] + (first - edges[tile]) % every
        for x in range(begin, edges[tile + 1], every):
            total += columns[x]
        tiles[tile, feature] += total


@numba.njit(nogil=True, boundscheck=False)
def _cells(columns: Any, edges: Any, rows: int, scale: int, sums: Any, cells: Any) -> None:
    """Fold columns of `rows` rows into a row of cells: their sums, and their means times 2^scale, rounded down.

    A cell without a column of its own has sum 0 and the mean of the cell to its right, which holds the column that
    its start falls on.
    """
    for j in range(len(cells) - 1, -1, -1):
        total = np.int64(0)
        for x in range(edges[j], edges[j + 1]):
            total += columns[x]
        sums[j] = total
        if edges[j] < edges[j + 1]:
            cells[j] = (total << scale) // (rows * (edges[j + 1] - edges[j]))
        else:
            cells[j] = cells[j + 1]


@numba.njit(nogil=True, boundscheck=False)
def _part_edges(samples: int, parts: int) -> Any:
    edges = np.empty(parts + 1, np.int64)
    for i in range(parts + 1):
        edges[i] = i * samples // parts
    return edges


@numba.njit(nogil=True, boundscheck=False)
def _measure_chroma(
    data: Any, offset: int, pitch: int, step: int, width: int, height: int, shift: int, depth: int,
    row: Any, sums: Any, tiles: Any, feature: int, small: Any,
) -> None:  # fmt: skip
    mask = (1 << depth) - 1
    columns = _part_edges(width, SMALL_CHROMA_COLS)
    rows = _part_edges(height, SMALL_CHROMA_ROWS)
    totals = np.empty(SMALL_CHROMA_COLS, np.int64)
    tiles[:, :, feature] = 0
    first = 0
    for i in range(SMALL_CHROMA_ROWS):
        if rows[i] == rows[i + 1]:
            continue
        totals_of_rows = np.zeros(width, np.int64)
        for begin in range(rows[i], rows[i + 1], _FLUSH_ROWS):
            end = min(begin + _FLUSH_ROWS, rows[i + 1])
            sums[:width] = 0
            for y in range(begin, end):
                _copy_row(data, offset + y * pitch, step, shift, mask, row[:width])
                _add_row(row[:width], sums[:width])
            totals_of_rows += sums[:width]
        _cells(totals_of_rows, columns, rows[i + 1] - rows[i], 16 - depth, totals, small[i])
        for j in range(SMALL_CHROMA_COLS):
            tiles[i // 4, j // 4, feature] += totals[j]
        for k in range(first, i):
            small[k] = small[i]
        first = i + 1


@numba.njit(nogil=True, boundscheck=False)
def _measure(
    data: Any, offset: int, pitch: int, step: int, width: int, height: int, shift: int, depth: int,
    has_previous: bool, previous: Any, previous_offset: int, previous_pitch: int, previous_step: int,
    previous_small: Any, histogram_rows: int, rows_buffer: Any, columns_buffer: Any, squares: Any,
    tiles: Any, histogram: Any, small: Any,
) -> None:  # fmt: skip
    mask = (1 << depth) - 1
    above, row, other = rows_buffer[0], rows_buffer[1], rows_buffer[2]
    sums, change, across, down, edge = (
        columns_buffer[0], columns_buffer[1], columns_buffer[2], columns_buffer[3], columns_buffer[4],
    )  # fmt: skip
    tile_columns = _part_edges(width, TILE_COLS)
    columns = _part_edges(width, SMALL_COLS)
    rows = _part_edges(height, SMALL_ROWS)
    totals = np.empty(SMALL_COLS, np.int64)
    totals_of_rows = np.empty(width, np.int64)
    tiles[:, :, :_CB] = 0
    histogram[:] = 0
    limit = min(_FLUSH_ROWS, max(1, ((1 << 32) - 1) // (mask * mask)))
    first = 0
    for i in range(SMALL_ROWS):
        if rows[i] == rows[i + 1]:
            continue
        band = tiles[i // 8]
        totals_of_rows[:] = 0
        for begin in range(rows[i], rows[i + 1], limit):
            end = min(begin + limit, rows[i + 1])
            columns_buffer[:] = 0
            squares[:] = 0
            for y in range(begin, end):
                _copy_row(data, offset + y * pitch, step, shift, mask, row)
                _add_levels(row, sums, squares)
                _add_differences(row[1:], row[:-1], across[1:])
                if y > 0:
                    _add_differences(row, above, down)
                    if y % 8 == 0:
                        _add_differences(row, above, edge)
                if has_previous:
                    _copy_row(previous, previous_offset + y * previous_pitch, previous_step, shift, mask, other)
                    _add_differences(row, other, change)
                if y % histogram_rows == 0:
                    for x in range(width):
                        histogram[row[x] >> (depth - 8)] += 1
                above, row = row, above
            totals_of_rows += sums
            _fold(squares, tile_columns, 0, 1, band, _SUM_SQUARES)
            _fold(change, tile_columns, 0, 1, band, _CHANGE)
            _fold(across, tile_columns, 0, 1, band, _GRADIENT_H)
            _fold(across, tile_columns, 0, 8, band, _EDGE_H)
            _fold(down, tile_columns, 0, 1, band, _GRADIENT_V)
            _fold(edge, tile_columns, 0, 1, band, _EDGE_V)
        _cells(totals_of_rows, columns, rows[i + 1] - rows[i], 16 - depth, totals, small[i])
        for j in range(SMALL_COLS):
            band[j // 8, _SUM] += totals[j]
        for k in range(first, i):
            small[k] = small[i]
        first = i + 1
    if has_previous:
        for i in range(SMALL_ROWS):
            for j in range(SMALL_COLS):
                now, then = small[i, j], previous_small[i, j]
                tiles[i // 8, j // 8, _COARSE_CHANGE] += max(now, then) - min(now, then)


@numba.njit(nogil=True, boundscheck=False, cache=True)
def _measure_luma(
    data: Any, offset: int, pitch: int, step: int, width: int, height: int, shift: int, depth: int,
    has_previous: bool, previous: Any, previous_offset: int, previous_pitch: int, previous_step: int,
    previous_small: Any, histogram_rows: int, tiles: Any, histogram: Any, small: Any,
) -> None:  # fmt: skip
    _measure(
        data, offset, pitch, step, width, height, shift, depth,
        has_previous, previous, previous_offset, previous_pitch, previous_step, previous_small, histogram_rows,
        np.empty((3, width), np.uint16), np.empty((5, width), np.uint32), np.empty(width, np.uint32),
        tiles, histogram, small,
    )  # fmt: skip


@numba.njit(nogil=True, boundscheck=False, cache=True)
def _measure_plane(
    data: Any, offset: int, pitch: int, step: int, width: int, height: int, shift: int, depth: int,
    tiles: Any, feature: int, small: Any,
) -> None:  # fmt: skip
    _measure_chroma(
        data, offset, pitch, step, width, height, shift, depth,
        np.empty(width, np.uint16), np.empty(width, np.uint32), tiles, feature, small,
    )  # fmt: skip


def luma_stats_cpu(
    luma: PlaneLike,
    chroma: tuple[PlaneLike, PlaneLike] | None,
    *,
    bit_depth: int,
    shift: int,
    previous: PlaneLike | None,
    previous_small: np.ndarray | None,
    out: LumaStats,
) -> LumaStats:
    """Measure one picture into `out`; arguments as `gpu_qa_kernels.luma_stats.luma_stats`, already checked."""
    before = luma if previous is None else previous
    _measure_luma(
        luma.data, luma.offset, luma.pitch, luma.step, luma.width, luma.height, shift, bit_depth,
        previous is not None, before.data, before.offset, before.pitch, before.step,
        out.small if previous_small is None else previous_small,
        histogram_step(luma.height), out.tiles, out.histogram, out.small,
    )  # fmt: skip
    if chroma is None:
        out.tiles[:, :, _CB:] = 0
        out.small_chroma[:] = SMALL_GREY
    else:
        for i, plane in enumerate(chroma):
            _measure_plane(
                plane.data, plane.offset, plane.pitch, plane.step, plane.width, plane.height, shift, bit_depth,
                out.tiles, _CB + i, out.small_chroma[i],
            )  # fmt: skip
    return out
