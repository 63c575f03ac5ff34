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
_LEVELS = 8
"""The first of `_GROUP` column sums per row of cells."""
_COLUMN_SUMS = _LEVELS + _GROUP

_STRIP = 8
"""Rows that are taken at once: few enough to stay in the L1 cache, with the column sums, at usual widths."""

_inline = numba.njit(nogil=True, boundscheck=False)


@_inline
def _store(width: int, aligned: int) -> Any:
    """Memory for all column sums, zeroed, in which column `aligned`, 0 or 1, begins a cache line (a quarter faster)."""
    memory = np.zeros(_COLUMN_SUMS * ((width + 62) // 32 * 32) + 64, np.uint16)
    return memory[(-memory.ctypes.data) % 64 // 2 + 1 - aligned :]


@_inline
def _columns(store: Any, which: int, width: int) -> Any:
    start = which * ((width + 62) // 32 * 32) + 31
    return store[start : start + width]


def _add_rows(
    data: Any, start: int, above: int, pitch: int, previous: Any, previous_start: int, previous_pitch: int, rows: int,
    width: int, sums: Any, store: Any,
) -> None:  # fmt: skip
    """Add rows of luma to the column sums; `above` is where the row above the first one starts."""


@overload(_add_rows, jit_options={"nogil": True, "boundscheck": False})
def _choose_add_rows(
    data: Any, start: int, above: int, pitch: int, previous: Any, previous_start: int, previous_pitch: int, rows: int,
    width: int, sums: Any, store: Any,
) -> Callable[..., None]:  # fmt: skip
    # The casts keep the arithmetic in lanes of 8 and 16 bits; without them numba computes in 64 bits and the
    # compiler does not always find its way back.
    def add_rows_8(
        data: Any, start: int, above: int, pitch: int, previous: Any, previous_start: int, previous_pitch: int,
        rows: int, width: int, sums: Any, store: Any,
    ) -> None:  # fmt: skip
        across, down = _columns(store, _ACROSS, width), _columns(store, _DOWN, width)
        low, middle = _columns(store, _LOW, width), _columns(store, _MIDDLE, width)
        changed = _columns(store, _CHANGED, width)
        for _ in range(rows):
            row, upper = data[start : start + width], data[above : above + width]
            before = previous[previous_start : previous_start + width]
            for x in range(1, width):
                v = row[x]
                square = np.uint16(np.uint16(v) * np.uint16(v))
                sums[x] += v
                low[x] += square & np.uint16(255)
                middle[x] += square >> np.uint16(8)
                changed[x] += np.uint8(max(v, before[x]) - min(v, before[x]))
                across[x] += np.uint8(max(v, row[x - 1]) - min(v, row[x - 1]))
                down[x] += np.uint8(max(v, upper[x]) - min(v, upper[x]))
            v = row[0]
            square = np.uint16(np.uint16(v) * np.uint16(v))
            sums[0] += v
            low[0] += square & np.uint16(255)
            middle[0] += square >> np.uint16(8)
            changed[0] += np.uint8(max(v, before[0]) - min(v, before[0]))
            down[0] += np.uint8(max(v, upper[0]) - min(v, upper[0]))
            above = start
            start += pitch
            previous_start += previous_pitch

    def add_rows_16(
        data: Any, start: int, above: int, pitch: int, previous: Any, previous_start: int, previous_pitch: int,
        rows: int, width: int, sums: Any, store: Any,
    ) -> None:  # fmt: skip
        across, down = _columns(store, _ACROSS, width), _columns(store, _DOWN, width)
        low, middle, high = _columns(store, _LOW, width), _columns(store, _MIDDLE, width), _columns(store, _HIGH, width)
        changed = _columns(store, _CHANGED, width)
        for _ in range(rows):
            row, upper = data[start : start + width], data[above : above + width]
            before = previous[previous_start : previous_start + width]
            for x in range(1, width):
                v = row[x]
                square = np.uint32(v) * np.uint32(v)
                sums[x] += v
                low[x] += np.uint16(square) & np.uint16(255)
                middle[x] += np.uint16(square) >> np.uint16(8)
                high[x] += np.uint16(square >> np.uint32(16))
                changed[x] += np.uint16(max(v, before[x]) - min(v, before[x]))
                across[x] += np.uint16(max(v, row[x - 1]) - min(v, row[x - 1]))
                down[x] += np.uint16(max(v, upper[x]) - min(v, upper[x]))
            v = row[0]
            square = np.uint32(v) * np.uint32(v)
            sums[0] += v
            low[0] += np.uint16(square) & np.uint16(255)
            middle[0] += np.uint16(square) >> np.uint16(8)
            high[0] += np.uint16(square >> np.uint32(16))
            changed[0] += np.uint16(max(v, before[0]) - min(v, before[0]))
            down[0] += np.uint16(max(v, upper[0]) - min(v, upper[0]))
            above = start
            start += pitch
            previous_start += previous_pitch

    return add_rows_8 if data.dtype == types.uint8 else add_rows_16


@_inline
def _read_row(raw: Any, shift: int, mask: int, line: Any) -> None:
    """Code values of 16-bit memory. Shifts by constants are vector code: none, P010's, P012's; others take longer."""
    kept = np.uint16(mask)
    if shift == 0:
        for x in range(len(line)):
            line[x] = raw[x] & kept
    elif shift == 6:
        for x in range(len(line)):
            line[x] = (raw[x] >> np.uint16(6)) & kept
    elif shift == 4:
        for x in range(len(line)):
            line[x] = (raw[x] >> np.uint16(4)) & kept
    else:
        for x in range(len(line)):
            line[x] = (raw[x] >> np.uint16(shift)) & kept


def _rows(data: Any, start: int, pitch: int, rows: int, width: int, shift: int, mask: int, lines: Any) -> Any:
    """Rows as code values, with where they start and their pitch: 8-bit data itself, or what is read into `lines`."""


@overload(_rows, jit_options={"nogil": True, "boundscheck": False})
def _choose_rows(
    data: Any, start: int, pitch: int, rows: int, width: int, shift: int, mask: int, lines: Any
) -> Callable[..., Any]:
    def rows_8(
        data: Any, start: int, pitch: int, rows: int, width: int, shift: int, mask: int, lines: Any
    ) -> tuple[Any, int, int]:
        return data, start, pitch

    def rows_16(
        data: Any, start: int, pitch: int, rows: int, width: int, shift: int, mask: int, lines: Any
    ) -> tuple[Any, int, int]:
        for i in range(rows):
            at = start + i * pitch
            _read_row(data[at : at + width], shift, mask, lines[i * width : (i + 1) * width])
        return lines, 0, width

    return rows_8 if data.dtype == types.uint8 else rows_16


@_inline
def _add_distance(row: Any, above: Any, sums: Any) -> None:
    for x in range(len(row)):
        sums[x] += max(row[x], above[x]) - min(row[x], above[x])


@_inline
def _count(row: Any, shift: int, counts: Any) -> None:
    """Count samples in four interleaved histograms: in flat areas one bin would wait for its own last write."""
    whole = len(row) // 4 * 4
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
def _fold_tiles(store: Any, width: int, pairs: int, edges: Any, running: Any, tiles: Any) -> None:
    """Add the column sums to a row of tiles and clear them."""
    across = _columns(store, _ACROSS, width)
    for tile in range(TILE_COLS):
        total = np.int64(0)
        for x in range((edges[tile] + 7) // 8 * 8, edges[tile + 1], 8):
            total += across[x]
        tiles[tile, _EDGE_H] += total
    for pair in range(pairs):
        _running_pair(_columns(store, 2 * pair, width), _columns(store, 2 * pair + 1, width), running)
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
    for which in range(2 * pairs):
        _columns(store, which, width)[:] = 0


@_inline
def _fold_cells(store: Any, width: int, totals: Any, edges: Any, running: Any, cells: Any) -> None:
    """Fold the column sums of a group of rows of cells into cells, and clear them.

    Where a cell's sum may not fit 16 bits `totals` holds the column sums, else `store` does.
    """
    count = cells.shape[1]
    if totals.shape[1] == 0:
        first, second = _columns(store, _LEVELS, width), _columns(store, _LEVELS + 1, width)
        third, fourth = _columns(store, _LEVELS + 2, width), _columns(store, _LEVELS + 3, width)
        total = np.uint64(0)
        for x in range(width):
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
        first[:] = 0
        second[:] = 0
        third[:] = 0
        fourth[:] = 0
    else:
        for i in range(_GROUP):
            total = np.uint64(0)
            for x in range(width):
                total += totals[i, x]
                running[x + 1] = total
            for j in range(count):
                cells[i, j] = running[edges[j + 1]] - running[edges[j]]
        totals[:] = 0


@_inline
def _means(cells: Any, rows: int, of_columns: Any, scale: int, small: Any) -> None:
    """Means of cells of `rows` rows times 2^scale, rounded down.

    floor(a / n) = floor((a + ½) / n) for integers, and (a + ½) / n is at least ½ / n away from one: for a < 2^50 the
    roundings of the two reciprocals and of the product cannot reach it.
    """
    of_rows = 1.0 / rows
    for j in range(len(small)):
        small[j] = np.uint16(np.int32((np.float64(np.int64(cells[j]) << scale) + 0.5) * (of_rows * of_columns[j])))


@_inline
def _reciprocals(edges: Any) -> Any:
    reciprocals = np.empty(len(edges) - 1, np.float64)
    for j in range(len(reciprocals)):
        reciprocals[j] = 1.0 / max(1, edges[j + 1] - edges[j])
    return reciprocals


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
def _add_row(row: Any, sums: Any) -> None:
    for x in range(len(sums)):
        sums[x] += row[x]


@_inline
def _gather_row(data: Any, start: int, step: int, line: Any) -> None:
    if step == 2:
        raw = data[start : start + 2 * len(line) - 1]
        for x in range(len(line)):
            line[x] = raw[2 * x]
    else:
        for x in range(len(line)):
            line[x] = data[start + x * step]


def _add_chroma(data: Any, start: int, step: int, shift: int, mask: int, line: Any, sums: Any) -> None:
    """Add a row of chroma to the column sums; `line` is for what cannot be read in place."""


@overload(_add_chroma, jit_options={"nogil": True, "boundscheck": False})
def _choose_add_chroma(
    data: Any, start: int, step: int, shift: int, mask: int, line: Any, sums: Any
) -> Callable[..., None]:
    def add_chroma_8(data: Any, start: int, step: int, shift: int, mask: int, line: Any, sums: Any) -> None:
        if step == 1:
            _add_row(data[start : start + len(sums)], sums)
        else:
            _gather_row(data, start, step, line)
            _add_row(line, sums)

    def add_chroma_16(data: Any, start: int, step: int, shift: int, mask: int, line: Any, sums: Any) -> None:
        if step == 1:
            _read_row(data[start : start + len(sums)], shift, mask, line)
        else:
            _gather_row(data, start, step, line)
            _read_row(line, shift, mask, line)
        _add_row(line, sums)

    return add_chroma_8 if data.dtype == types.uint8 else add_chroma_16


@_inline
def _measure_chroma(
    data: Any, offset: int, pitch: int, step: int, width: int, height: int, shift: int, depth: int,
    tiles: Any, small: Any,
) -> None:  # fmt: skip
    mask = (1 << depth) - 1
    limit = 65535 // mask
    rows, columns = _edges(height, SMALL_CHROMA_ROWS), _edges(width, SMALL_CHROMA_COLS)
    store = _store(width, 0)
    of_columns = _reciprocals(columns)
    totals = _totals(rows, columns, limit)
    running = np.zeros(width + 1, np.uint64)
    cells = np.empty((_GROUP, SMALL_CHROMA_COLS), np.uint64)
    line = np.empty(width, data.dtype)
    for band in range(TILE_ROWS):
        for k in range(_GROUP):
            i = _GROUP * band + k
            sums = _columns(store, _LEVELS + k, width)
            for begin in range(rows[i], rows[i + 1], limit):
                for y in range(begin, min(begin + limit, rows[i + 1])):
                    _add_chroma(data, offset + y * pitch, step, shift, mask, line, sums)
                if totals.shape[1] > 0:
                    totals[k] += sums
                    sums[:] = 0
        _fold_cells(store, width, totals, columns, running, cells)
        for tile in range(TILE_COLS):
            total = np.uint64(0)
            for k in range(_GROUP):
                for j in range(_GROUP * tile, _GROUP * tile + _GROUP):
                    total += cells[k, j]
            tiles[band, tile] = total
        for k in range(_GROUP):
            i = _GROUP * band + k
            if rows[i] < rows[i + 1]:
                _means(cells[k], rows[i + 1] - rows[i], of_columns, 16 - depth, small[i])
    _fill_small(rows, columns, small)


@_inline
def _measure_luma(
    data: Any, offset: int, pitch: int, width: int, height: int, shift: int, depth: int,
    previous: Any, previous_offset: int, previous_pitch: int, has_previous: int,
    histogram_rows: int, tiles: Any, histogram: Any, small: Any,
) -> None:  # fmt: skip
    mask = (1 << depth) - 1
    limit = 65535 // mask
    strip = min(limit, _STRIP)
    pairs = 4 if data.itemsize > 1 else 3
    rows, small_columns = _edges(height, SMALL_ROWS), _edges(width, SMALL_COLS)
    tile_columns = _edges(width, TILE_COLS)
    copied = (_STRIP + 1) * width if data.itemsize > 1 else 0
    lines, previous_lines = np.empty(copied, np.uint16), np.empty(copied, np.uint16)
    store = _store(width, 1)
    of_columns = _reciprocals(small_columns)
    totals = _totals(rows, small_columns, limit)
    running = np.zeros(width + 1, np.uint64)
    cells = np.empty((_GROUP, SMALL_COLS), np.uint64)
    counts = np.zeros((4, 256), np.uint32)
    for band in range(TILE_ROWS):
        added = 0
        for k in range(2 * _GROUP):
            i = 2 * _GROUP * band + k
            sums = _columns(store, _LEVELS + k % _GROUP, width)
            for begin in range(rows[i], rows[i + 1], strip):
                count = min(strip, rows[i + 1] - begin)
                if added + count > limit:
                    _fold_tiles(store, width, pairs, tile_columns, running, tiles[band])
                    added = 0
                added += count
                over = min(begin, 1)
                source, above, stride = _rows(
                    data, offset + (begin - over) * pitch, pitch, count + over, width, shift, mask, lines
                )
                start = above + over * stride
                before, before_start, before_stride = source, start, stride
                if has_previous:
                    before, before_start, before_stride = _rows(
                        previous, previous_offset + begin * previous_pitch, previous_pitch, count, width, shift, mask,
                        previous_lines,
                    )  # fmt: skip
                _add_rows(source, start, above, stride, before, before_start, before_stride, count, width, sums, store)
                for y in range(begin, begin + count):
                    at = start + (y - begin) * stride
                    if y > 0 and y % 8 == 0:
                        _add_distance(
                            source[at : at + width], source[at - stride : at - stride + width],
                            _columns(store, _EDGE, width),
                        )  # fmt: skip
                    if y % histogram_rows == 0:
                        _count(source[at : at + width], depth - 8, counts)
                if totals.shape[1] > 0:
                    totals[k % _GROUP] += sums
                    sums[:] = 0
            if k % _GROUP == _GROUP - 1:
                _fold_cells(store, width, totals, small_columns, running, cells)
                for tile in range(TILE_COLS):
                    amount = np.uint64(0)
                    for m in range(_GROUP):
                        for j in range(8 * tile, 8 * tile + 8):
                            amount += cells[m, j]
                    tiles[band, tile, _SUM] += amount
                for m in range(_GROUP):
                    at = i - _GROUP + 1 + m
                    if rows[at] < rows[at + 1]:
                        _means(cells[m], rows[at + 1] - rows[at], of_columns, 16 - depth, small[at])
        _fold_tiles(store, width, pairs, tile_columns, running, tiles[band])
    _fill_small(rows, small_columns, small)
    for value in range(256):
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
