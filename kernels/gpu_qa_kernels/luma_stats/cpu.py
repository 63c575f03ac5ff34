"""`luma_stats` on the CPU: one thread, one picture, numba without the GIL.

Every measure is first summed per column in uint16, in loops over contiguous x that the compiler turns into vector
code: each picture row is read from memory once. Columns are folded into cells and tiles afterwards, several measures
at a time: their sums are packed into one uint64, a running sum over x is formed, and the sum over columns a…b is the
difference of two of its values, exact modulo 2^64 whatever overflowed on the way as long as each packed sum fits its
own lane.

Numba's cache sees changes to this file only: what is compiled stays in it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import types
from numba.extending import overload

from gpu_qa_kernels import SMALL_CHROMA_COLS, SMALL_CHROMA_ROWS, SMALL_COLS, SMALL_ROWS, TILE_COLS, TILE_ROWS
from gpu_qa_kernels.compiled import compiled
from gpu_qa_kernels.luma_stats.contract import SMALL_GREY, Feature, LumaStats, histogram_step

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_qa_kernels import PlaneLike

__all__ = ["luma_stats_cpu", "prepare_cpu"]

_SUM = int(Feature.SUM)
_SUM_SQUARES = int(Feature.SUM_SQUARES)
_CHANGE = int(Feature.CHANGE)
_COARSE_CHANGE = int(Feature.COARSE_CHANGE)
_GRADIENT_H = int(Feature.GRADIENT_H)
_GRADIENT_V = int(Feature.GRADIENT_V)
_EDGE_H = int(Feature.EDGE_H)
_EDGE_V = int(Feature.EDGE_V)
_CB = int(Feature.CB)

_GROUP = 4
"""Rows of cells that are folded at once: four sums of 16 bits in a uint64."""

_ACROSS, _DOWN, _LOW, _MIDDLE, _CHANGED, _EDGE, _HIGH, _UNUSED = range(8)
"""Column sums per row of tiles, folded in pairs; squares are summed by their bytes 0, 1 and 2-3."""

_inline = numba.njit(nogil=True, boundscheck=False)


def _add_row(row: Any, left: Any, above: Any, before: Any, sums: Any, columns: Any) -> None:
    """Add a row to the column sums; all of the arrays but the columns' first axis have one element per sample."""


@overload(_add_row, jit_options={"nogil": True, "boundscheck": False})
def _choose_add_row(row: Any, left: Any, above: Any, before: Any, sums: Any, columns: Any) -> Callable[..., None]:
    # The casts keep the arithmetic in lanes of 8 and 16 bits; without them numba computes in 64 bits and the
    # compiler does not always find its way back.
    def add_row_8(row: Any, left: Any, above: Any, before: Any, sums: Any, columns: Any) -> None:
        across, down, low = columns[_ACROSS], columns[_DOWN], columns[_LOW]
        middle, changed = columns[_MIDDLE], columns[_CHANGED]
        for x in range(len(row)):
            v = row[x]
            square = np.uint16(np.uint16(v) * np.uint16(v))
            sums[x] += v
            low[x] += square & np.uint16(255)
            middle[x] += square >> np.uint16(8)
            changed[x] += np.uint8(max(v, before[x]) - min(v, before[x]))
            across[x] += np.uint8(max(v, left[x]) - min(v, left[x]))
            down[x] += np.uint8(max(v, above[x]) - min(v, above[x]))

    def add_row_16(row: Any, left: Any, above: Any, before: Any, sums: Any, columns: Any) -> None:
        across, down, low = columns[_ACROSS], columns[_DOWN], columns[_LOW]
        middle, changed, high = columns[_MIDDLE], columns[_CHANGED], columns[_HIGH]
        for x in range(len(row)):
            v = row[x]
            square = np.uint32(v) * np.uint32(v)
            product = np.uint16(square)
            sums[x] += v
            low[x] += product & np.uint16(255)
            middle[x] += product >> np.uint16(8)
            high[x] += np.uint16(square >> np.uint32(16))
            changed[x] += np.uint16(max(v, before[x]) - min(v, before[x]))
            across[x] += np.uint16(max(v, left[x]) - min(v, left[x]))
            down[x] += np.uint16(max(v, above[x]) - min(v, above[x]))

    return add_row_8 if row.dtype == types.uint8 else add_row_16


def _sample(raw: Any, shift: int, mask: int) -> Any:
    """Code value of what is in memory."""


@overload(_sample, jit_options={"nogil": True, "boundscheck": False})
def _choose_sample(raw: Any, shift: int, mask: int) -> Callable[..., Any]:
    def sample_8(raw: Any, shift: int, mask: int) -> Any:
        return raw

    def sample_16(raw: Any, shift: int, mask: int) -> Any:
        return np.uint16(np.uint16(raw >> (shift & 15)) & np.uint16(mask))

    return sample_8 if raw == types.uint8 else sample_16


def _row(data: Any, start: int, shift: int, mask: int, line: Any) -> Any:
    """A row of code values: 8-bit data itself, or what is read into `line`."""


@overload(_row, jit_options={"nogil": True, "boundscheck": False})
def _choose_row(data: Any, start: int, shift: int, mask: int, line: Any) -> Callable[..., Any]:
    def row_8(data: Any, start: int, shift: int, mask: int, line: Any) -> Any:
        return data[start : start + len(line)]

    def row_16(data: Any, start: int, shift: int, mask: int, line: Any) -> Any:
        raw = data[start : start + len(line)]
        for x in range(len(line)):
            line[x] = _sample(raw[x], shift, mask)
        return line

    return row_8 if data.dtype == types.uint8 else row_16


@_inline
def _add_distance(row: Any, above: Any, sums: Any) -> None:
    for x in range(len(row)):
        sums[x] += max(row[x], above[x]) - min(row[x], above[x])


@_inline
def _count(row: Any, shift: int, counts: Any) -> None:
    """Count samples in four interleaved histograms: in flat areas one bin would wait for its own last write."""
    whole = len(row) & ~3
    first, second, third, fourth = counts[0], counts[1], counts[2], counts[3]
    for x in range(0, whole, 4):
        first[row[x] >> shift] += np.uint32(1)
        second[row[x + 1] >> shift] += np.uint32(1)
        third[row[x + 2] >> shift] += np.uint32(1)
        fourth[row[x + 3] >> shift] += np.uint32(1)
    for x in range(whole, len(row)):
        first[row[x] >> shift] += np.uint32(1)


@_inline
def _edges(samples: int, parts: int) -> Any:
    edges = np.empty(parts + 1, np.int64)
    for i in range(parts + 1):
        edges[i] = i * samples // parts
    return edges


@_inline
def _running_pair(a: Any, b: Any, running: Any) -> None:
    total = np.uint64(0)
    for x in range(len(a)):
        total += np.uint64(a[x]) | (np.uint64(b[x]) << np.uint64(32))
        running[x + 1] = total


@_inline
def _fold_tiles(columns: Any, pairs: int, edges: Any, running: Any, tiles: Any) -> None:
    """Add the column sums to a row of tiles and clear them."""
    for tile in range(TILE_COLS):
        total = np.int64(0)
        for x in range((edges[tile] + 7) // 8 * 8, edges[tile + 1], 8):
            total += columns[_ACROSS, x]
        tiles[tile, _EDGE_H] += total
    for pair in range(pairs):
        _running_pair(columns[2 * pair], columns[2 * pair + 1], running)
        for tile in range(TILE_COLS):
            both = running[edges[tile + 1]] - running[edges[tile]]
            even, odd = np.int64(both & np.uint64(0xFFFFFFFF)), np.int64(both >> np.uint64(32))
            if 2 * pair == _ACROSS:
                tiles[tile, _GRADIENT_H] += even
                tiles[tile, _GRADIENT_V] += odd
            elif 2 * pair == _LOW:
                tiles[tile, _SUM_SQUARES] += even + (odd << 8)
            elif 2 * pair == _CHANGED:
                tiles[tile, _CHANGE] += even
                tiles[tile, _EDGE_V] += odd
            else:
                tiles[tile, _SUM_SQUARES] += even << 16
    columns[:] = 0


@_inline
def _fold_cells(sums: Any, totals: Any, edges: Any, running: Any, cells: Any) -> None:
    """Fold the column sums of a group of rows of cells into cells, and clear them.

    Where a cell's sum may not fit 16 bits `totals` holds the column sums, else `sums` does.
    """
    count = cells.shape[1]
    if totals.shape[1] == 0:
        first, second, third, fourth = sums[0], sums[1], sums[2], sums[3]
        total = np.uint64(0)
        for x in range(len(first)):
            total += (
                np.uint64(first[x])
                | (np.uint64(second[x]) << np.uint64(16))
                | (np.uint64(third[x]) << np.uint64(32))
                | (np.uint64(fourth[x]) << np.uint64(48))
            )
            running[x + 1] = total
        for j in range(count):
            packed = running[edges[j + 1]] - running[edges[j]]
            cells[0, j] = packed & np.uint64(0xFFFF)
            cells[1, j] = (packed >> np.uint64(16)) & np.uint64(0xFFFF)
            cells[2, j] = (packed >> np.uint64(32)) & np.uint64(0xFFFF)
            cells[3, j] = packed >> np.uint64(48)
        sums[:] = 0
    else:
        for i in range(_GROUP):
            total = np.uint64(0)
            for x in range(totals.shape[1]):
                total += totals[i, x]
                running[x + 1] = total
            for j in range(count):
                cells[i, j] = running[edges[j + 1]] - running[edges[j]]
        totals[:] = 0


@_inline
def _means(cells: Any, rows: int, edges: Any, scale: int, small: Any) -> None:
    """Means of cells of `rows` rows times 2^scale, rounded down.

    floor(a / n) = floor((a + ½) / n) for integers, and (a + ½) / n is at least ½ / n away from one: for a < 2^50 the
    roundings of the two reciprocals and of the product cannot reach it.
    """
    of_rows = 1.0 / rows
    for j in range(len(small)):
        of_columns = 1.0 / max(1, edges[j + 1] - edges[j])
        small[j] = np.uint16(np.int32((np.float64(np.int64(cells[j]) << scale) + 0.5) * (of_rows * of_columns)))


@_inline
def _fill_small(rows: Any, columns: Any, small: Any) -> None:
    """Give the cells without a sample of their own the one that their start falls on: it is to the right or below."""
    if rows[-1] < small.shape[0]:
        for i in range(small.shape[0] - 1, -1, -1):
            if rows[i] == rows[i + 1]:
                small[i] = small[i + 1]
    if columns[-1] < small.shape[1]:
        for j in range(small.shape[1] - 1, -1, -1):
            if columns[j] == columns[j + 1]:
                small[:, j] = small[:, j + 1]


@_inline
def _totals(rows: Any, columns: Any, limit: int) -> Any:
    """Wide column sums where the cells may have more than `limit` samples, whose sum fits 16 bits; else nothing."""
    largest = ((rows[-1] + len(rows) - 2) // (len(rows) - 1)) * ((columns[-1] + len(columns) - 2) // (len(columns) - 1))
    return np.zeros((_GROUP, 0 if largest <= limit else columns[-1]), np.uint64)


@_inline
def _measure_chroma(
    data: Any, offset: int, pitch: int, step: int, width: int, height: int, shift: int, depth: int,
    tiles: Any, small: Any,
) -> None:  # fmt: skip
    mask = (1 << depth) - 1
    limit = 65535 // mask
    rows, columns = _edges(height, SMALL_CHROMA_ROWS), _edges(width, SMALL_CHROMA_COLS)
    sums = np.zeros((_GROUP, width), np.uint16)
    totals = _totals(rows, columns, limit)
    running = np.zeros(width + 1, np.uint64)
    cells = np.empty((_GROUP, SMALL_CHROMA_COLS), np.uint64)
    for band in range(TILE_ROWS):
        for k in range(_GROUP):
            i = _GROUP * band + k
            for begin in range(rows[i], rows[i + 1], limit):
                for y in range(begin, min(begin + limit, rows[i + 1])):
                    _add_chroma(data, offset + y * pitch, step, shift, mask, sums[k])
                if totals.shape[1] > 0:
                    totals[k] += sums[k]
                    sums[k] = 0
        _fold_cells(sums, totals, columns, running, cells)
        for tile in range(TILE_COLS):
            total = np.uint64(0)
            for k in range(_GROUP):
                for j in range(_GROUP * tile, _GROUP * tile + _GROUP):
                    total += cells[k, j]
            tiles[band, tile] = total
        for k in range(_GROUP):
            i = _GROUP * band + k
            if rows[i] < rows[i + 1]:
                _means(cells[k], rows[i + 1] - rows[i], columns, 16 - depth, small[i])
    _fill_small(rows, columns, small)


@_inline
def _add_chroma(data: Any, start: int, step: int, shift: int, mask: int, sums: Any) -> None:
    if step == 1:
        line = data[start : start + len(sums)]
        for x in range(len(sums)):
            sums[x] += _sample(line[x], shift, mask)
    elif step == 2:
        line = data[start : start + 2 * len(sums) - 1]
        for x in range(len(sums)):
            sums[x] += _sample(line[2 * x], shift, mask)
    else:
        for x in range(len(sums)):
            sums[x] += _sample(data[start + x * step], shift, mask)


@_inline
def _measure_luma(
    data: Any, offset: int, pitch: int, width: int, height: int, shift: int, depth: int,
    previous: Any, previous_offset: int, previous_pitch: int, has_previous: int,
    histogram_rows: int, tiles: Any, histogram: Any, small: Any,
) -> None:  # fmt: skip
    mask = (1 << depth) - 1
    limit = 65535 // mask
    pairs = 4 if data.itemsize > 1 else 3
    rows, small_columns = _edges(height, SMALL_ROWS), _edges(width, SMALL_COLS)
    tile_columns = _edges(width, TILE_COLS)
    lines = np.empty((3, width), data.dtype)
    sums = np.zeros((_GROUP, width), np.uint16)
    columns = np.zeros((8, width), np.uint16)
    first, others, edge = columns[:, :1], columns[:, 1:], columns[_EDGE]
    totals = _totals(rows, small_columns, limit)
    running = np.zeros(width + 1, np.uint64)
    cells = np.empty((_GROUP, SMALL_COLS), np.uint64)
    counts = np.zeros((4, 1 << min(depth, 8)), np.uint32)
    above = _row(data, offset, shift, mask, lines[1])
    for band in range(TILE_ROWS):
        added = 0
        for k in range(2 * _GROUP):
            i = 2 * _GROUP * band + k
            total = sums[k % _GROUP]
            for begin in range(rows[i], rows[i + 1], limit):
                end = min(begin + limit, rows[i + 1])
                if added + end - begin > limit:
                    _fold_tiles(columns, pairs, tile_columns, running, tiles[band])
                    added = 0
                added += end - begin
                for y in range(begin, end):
                    row = _row(data, offset + y * pitch, shift, mask, lines[y & 1])
                    before = row
                    if has_previous:
                        before = _row(previous, previous_offset + y * previous_pitch, shift, mask, lines[2])
                    # The first column has no left neighbour: its distance to itself is 0.
                    _add_row(row[:1], row[:1], above[:1], before[:1], total[:1], first)
                    _add_row(row[1:], row[:-1], above[1:], before[1:], total[1:], others)
                    if y % 8 == 0:
                        _add_distance(row, above, edge)
                    if y % histogram_rows == 0:
                        _count(row, depth - 8, counts)
                    above = row
                if totals.shape[1] > 0:
                    totals[k % _GROUP] += total
                    total[:] = 0
            if k % _GROUP == _GROUP - 1:
                _fold_cells(sums, totals, small_columns, running, cells)
                for tile in range(TILE_COLS):
                    amount = np.uint64(0)
                    for m in range(_GROUP):
                        for j in range(8 * tile, 8 * tile + 8):
                            amount += cells[m, j]
                    tiles[band, tile, _SUM] += amount
                for m in range(_GROUP):
                    at = i - _GROUP + 1 + m
                    if rows[at] < rows[at + 1]:
                        _means(cells[m], rows[at + 1] - rows[at], small_columns, 16 - depth, small[at])
        _fold_tiles(columns, pairs, tile_columns, running, tiles[band])
    _fill_small(rows, small_columns, small)
    for value in range(len(histogram)):
        histogram[value] = np.int64(counts[0, value]) + counts[1, value] + counts[2, value] + counts[3, value]


@_inline
def _coarse_change(small: Any, previous_small: Any, tiles: Any) -> None:
    columns = np.empty(SMALL_COLS, np.uint32)
    for band in range(TILE_ROWS):
        columns[:] = 0
        for i in range(8 * band, 8 * band + 8):
            _add_distance(small[i], previous_small[i], columns)
        for tile in range(TILE_COLS):
            total = np.uint32(0)
            for j in range(8 * tile, 8 * tile + 8):
                total += columns[j]
            tiles[band, tile, _COARSE_CHANGE] = total


def _luma_stats(
    data: Any, offset: int, pitch: int, width: int, height: int, shift: int, depth: int,
    previous: Any, previous_offset: int, previous_pitch: int, previous_small: Any, has_previous: int,
    cb: Any, cb_offset: int, cb_pitch: int, cb_step: int, cr: Any, cr_offset: int, cr_pitch: int, cr_step: int,
    chroma_width: int, chroma_height: int, histogram_rows: int,
    tiles: Any, histogram: Any, small: Any, small_chroma: Any,
) -> None:  # fmt: skip
    tiles[:] = 0
    _measure_luma(
        data, offset, pitch, width, height, shift, depth,
        previous, previous_offset, previous_pitch, has_previous, histogram_rows, tiles, histogram, small,
    )  # fmt: skip
    if has_previous:
        _coarse_change(small, previous_small, tiles)
    if chroma_width == 0:
        small_chroma[:] = SMALL_GREY
    else:
        _measure_chroma(
            cb, cb_offset, cb_pitch, cb_step, chroma_width, chroma_height, shift, depth,
            tiles[:, :, _CB], small_chroma[0],
        )  # fmt: skip
        _measure_chroma(
            cr, cr_offset, cr_pitch, cr_step, chroma_width, chroma_height, shift, depth,
            tiles[:, :, _CB + 1], small_chroma[1],
        )  # fmt: skip


@cache
def _kernel(itemsize: int) -> Callable[..., None]:
    data = types.Array(types.uint8 if itemsize == 1 else types.uint16, 1, "C", readonly=True)
    n = types.int64
    pictures = types.Array(types.uint16, 2, "C")
    return compiled(
        _luma_stats,
        data, n, n, n, n, n, n,
        data, n, n, types.Array(types.uint16, 2, "C", readonly=True), n,
        data, n, n, n, data, n, n, n,
        n, n, n,
        types.Array(types.int64, 3, "C"), types.Array(types.int64, 1, "C"), pictures, types.Array(types.uint16, 3, "C"),
    )  # fmt: skip


def prepare_cpu(bit_depth: int) -> None:
    """Compile, or load from the cache, what pictures of this depth need."""
    _kernel(1 if bit_depth == 8 else 2)


def _contiguous(plane: PlaneLike) -> tuple[np.ndarray, int, int]:
    """Data, offset and pitch of a plane with step 1, copied where it has another (packed formats)."""
    if plane.step == 1:
        return plane.data, plane.offset, plane.pitch
    size = plane.data.itemsize
    samples = np.lib.stride_tricks.as_strided(
        plane.data[plane.offset :], (plane.height, plane.width), (plane.pitch * size, plane.step * size)
    )
    return np.ascontiguousarray(samples).ravel(), 0, plane.width


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
    data, offset, pitch = _contiguous(luma)
    if previous is None or previous_small is None:
        before = (data, 0, 0, out.small, 0)
    else:
        before = (*_contiguous(previous), previous_small, 1)
    if chroma is None:
        colors = (data, 0, 0, 0, data, 0, 0, 0, 0, 0)
    else:
        cb, cr = chroma
        colors = (
            cb.data, cb.offset, cb.pitch, cb.step, cr.data, cr.offset, cr.pitch, cr.step, cb.width, cb.height,
        )  # fmt: skip
    _kernel(data.itemsize)(
        data, offset, pitch, luma.width, luma.height, shift, bit_depth,
        *before, *colors, histogram_step(luma.height), *out,
    )  # fmt: skip
    return out
