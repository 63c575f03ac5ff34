"""`luma_stats` on the CPU: one thread, one picture, numba without the GIL.

Rows are taken in strips of a row of cells or a part of it. A strip is read once, a vector of columns at a time, and
every measure summed over its rows in a register (`lanes`); the column sums, in 16 bits, are folded into cells after
every row of cells and into tiles after every row of tiles, before they could overflow.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import types

from gpu_qa_kernels import SMALL_CHROMA_COLS, SMALL_CHROMA_ROWS, SMALL_COLS, SMALL_ROWS, TILE_COLS, TILE_ROWS, lanes
from gpu_qa_kernels.compiled import compiled
from gpu_qa_kernels.luma_stats.contract import SMALL_GREY, Feature, LumaStats, histogram_lattice, planar
from gpu_qa_kernels.luma_stats.seams_cpu import add_seams, seam_room

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

_LEVELS, _LOW, _MIDDLE, _HIGH, _CHANGED, _ACROSS, _DOWN, _EDGE = range(8)
"""Column sums in the order that they are stored in; squares are summed by their bytes 0, 1 and 2-3."""

_STRIP = 8
"""Rows of a strip at most: then one of them at most has a y divisible by 8."""
_AHEAD = _STRIP
"""So many rows ahead memory is called for: about the next strip, when it is time for it. A column of a strip lies in as
many places as it has rows, which a processor does not guess; waiting for them took 0.6 ms of 1.6 for 1080 rows that
were in no cache. 6 to 12 rows ahead give the same."""
_PAD = 64
"""Elements after a line of column sums that a vector may reach into."""
_REACH = 4 * lanes.LANES_16 + 257
"""Elements after the last line that sums over cells reach into: a cell whose sum fits 16 bits has at most 257."""

_add, _add_to, _call_for, _distance, _level = lanes.add, lanes.add_to, lanes.call_for, lanes.distance, lanes.level
_load, _put, _read_only, _square_byte = lanes.load, lanes.put, lanes.read_only, lanes.square_byte
_total, _zero, _LANES_8, _LANES_16, _TOTAL = lanes.total, lanes.zero, lanes.LANES_8, lanes.LANES_16, lanes.TOTAL

_inline = numba.njit(nogil=True, boundscheck=False)


# Slices are not assigned to, nor arrays added: numba compiles seconds of error messages for that.


@_inline
def _clear(values: Any, begin: int, end: int) -> None:
    cleared = values[begin:end]
    for x in range(len(cleared)):
        cleared[x] = 0


@_inline
def _accumulate(values: Any, totals: Any) -> None:
    for x in range(len(totals)):
        totals[x] += values[x]


@_inline
def _sum(values: Any, begin: int, end: int) -> Any:
    total, summed = np.int64(0), values[begin:end]
    for x in range(len(summed)):
        total += summed[x]
    return total


@_inline
def _edges(samples: int, parts: int) -> Any:
    edges = np.empty(parts + 1, np.int64)
    for i in range(parts + 1):
        edges[i] = i * samples // parts
    return edges


@_inline
def _add_luma(
    data: Any, start: int, above: int, pitch: int, previous: Any, previous_start: int, previous_pitch: int,
    rows: int, edge_row: int, shift: int, mask: int, count: int, sums: Any, at: int, line: int,
) -> None:  # fmt: skip
    """Add vectors of `count` columns, of rows from `start` on, to the column sums from `at` on.

    `above` is where the row above the first one is, `edge_row` the one with a y divisible by 8, `line` the distance
    between column sums of one kind and the next. What is left of the first column must be readable.
    """
    step = _LANES_8 if data.itemsize == 1 else _LANES_16
    for x in range(0, count, step):
        levels = low = middle = high = changed = across = down = _zero(data)
        upper = _load(data, above + x, shift, mask)
        here, before = start + x, previous_start + x
        for row in range(rows):
            _call_for(data, here + _AHEAD * pitch)
            _call_for(previous, before + _AHEAD * previous_pitch)
            v = _load(data, here, shift, mask)
            levels = _add(levels, _level(v))
            low = _add(low, _square_byte(v, 0))
            middle = _add(middle, _square_byte(v, 1))
            high = _add(high, _square_byte(v, 2))
            changed = _add(changed, _distance(v, _load(previous, before, shift, mask)))
            across = _add(across, _distance(v, _load(data, here - 1, shift, mask)))
            step_down = _distance(v, upper)
            down = _add(down, step_down)
            if row == edge_row:
                _add_to(sums, at + x + _EDGE * line, step_down)
            upper = v
            here += pitch
            before += previous_pitch
        _add_to(sums, at + x + _LEVELS * line, levels)
        _add_to(sums, at + x + _LOW * line, low)
        _add_to(sums, at + x + _MIDDLE * line, middle)
        _add_to(sums, at + x + _HIGH * line, high)
        _add_to(sums, at + x + _CHANGED * line, changed)
        _add_to(sums, at + x + _ACROSS * line, across)
        _add_to(sums, at + x + _DOWN * line, down)


@_inline
def _add_chroma(
    data: Any, start: int, pitch: int, rows: int, shift: int, mask: int, count: int, sums: Any, at: int
) -> None:
    """Add vectors of `count` columns, of rows from `start` on, to the column sums from `at` on."""
    step = _LANES_8 if data.itemsize == 1 else _LANES_16
    for x in range(0, count, step):
        levels = _zero(data)
        here = start + x
        for _ in range(rows):
            _call_for(data, here + _AHEAD * pitch)
            levels = _add(levels, _level(_load(data, here, shift, mask)))
            here += pitch
        _add_to(sums, at + x, levels)


@_inline
def _gather(data: Any, start: int, pitch: int, step: int, rows: int, count: int, block: Any, room: int) -> None:
    """Copy `count` columns to rows of `room`, which is more than there are, with zeros to their right."""
    for row in range(rows):
        line, source = block[row * room : (row + 1) * room], start + row * pitch
        if step == 2:
            pairs = data[source : source + 2 * count - 1]
            for x in range(count):
                line[x] = pairs[2 * x]
        else:
            for x in range(count):
                line[x] = data[source + x * step]
        _clear(line, count, room)


@_inline
def _copy_block(data: Any, start: int, pitch: int, rows: int, x: int, width: int, block: Any, room: int) -> None:
    """Copy up to `room` − 1 columns from x on to rows of `room`, with the one to their left and zeros to their right.

    The first column of a picture stands for what is left of it.
    """
    count = min(room - 1, width - x)
    for row in range(rows):
        line, source = block[row * room : (row + 1) * room], start + row * pitch
        line[0] = data[source + max(x - 1, 0)]
        for i in range(count):
            line[1 + i] = data[source + x + i]
        _clear(line, 1 + count, room)


@_inline
def _add_strip(
    data: Any, offset: int, pitch: int, previous: Any, previous_offset: int, previous_pitch: int, width: int,
    begin: int, rows: int, shift: int, mask: int, sums: Any, line: int, block: Any, previous_block: Any,
) -> None:  # fmt: skip
    """Add the rows of luma from y = `begin` on to the column sums."""
    step = _LANES_8 if data.itemsize == 1 else _LANES_16
    edge_row = (-begin) % 8 if begin > 0 else -1
    over = min(begin, 1)
    start, before = offset + begin * pitch, previous_offset + begin * previous_pitch
    # Whole vectors are read in place, but at the very start of the memory, which nothing is left of.
    whole = width // step * step
    first = min(step, whole) if min(start, start + (rows - 1) * pitch) == 0 else 0
    _add_luma(
        data, start + first, start + first - over * pitch, pitch, previous, before + first, previous_pitch,
        rows, edge_row, shift, mask, whole - first, sums, first, line,
    )  # fmt: skip
    room = step + 1
    for x, is_left in ((0, first > 0), (whole, whole < width)):
        if is_left:
            _copy_block(data, start - over * pitch, pitch, rows + over, x, width, block, room)
            _copy_block(previous, before, previous_pitch, rows, x, width, previous_block, room)
            _add_luma(
                _read_only(block), over * room + 1, 1, room, _read_only(previous_block), 1, room,
                rows, edge_row, shift, mask, step, sums, x, line,
            )  # fmt: skip


@_inline
def _count(row: Any, step: int, shift: int, mask: int, drop: int, counts: Any) -> None:
    """Count samples in four histograms by turns: in flat areas one bin would wait for its own last write."""
    first, second, third, fourth = counts[0], counts[1], counts[2], counts[3]
    taken = (len(row) + step - 1) // step
    for i in range(taken // 4):
        x = 4 * i * step
        a, b, c, d = row[x], row[x + step], row[x + 2 * step], row[x + 3 * step]
        if row.itemsize > 1:
            a, b = ((a >> shift) & mask) >> drop, ((b >> shift) & mask) >> drop
            c, d = ((c >> shift) & mask) >> drop, ((d >> shift) & mask) >> drop
        first[a] += np.uint32(1)
        second[b] += np.uint32(1)
        third[c] += np.uint32(1)
        fourth[d] += np.uint32(1)
    for i in range(taken // 4 * 4, taken):
        first[((row[i * step] >> shift) & mask) >> drop] += np.uint32(1)


@_inline
def _fold_tiles(sums: Any, line: int, edges: Any, tiles: Any) -> None:
    """Add the column sums to a row of tiles and clear them."""
    # Column 0 has no left neighbour; what was summed there is its distance to whatever lies before it in memory.
    sums[_ACROSS * line] = 0
    for tile in range(TILE_COLS):
        low = middle = high = changed = across = down = edge = np.int64(0)
        for x in range(edges[tile], edges[tile + 1], _TOTAL):
            count = min(_TOTAL, edges[tile + 1] - x)
            low += _total(sums, x + _LOW * line, count)
            middle += _total(sums, x + _MIDDLE * line, count)
            high += _total(sums, x + _HIGH * line, count)
            changed += _total(sums, x + _CHANGED * line, count)
            across += _total(sums, x + _ACROSS * line, count)
            down += _total(sums, x + _DOWN * line, count)
            edge += _total(sums, x + _EDGE * line, count)
        tiles[tile, _SUM_SQUARES] += low + (middle << 8) + (high << 16)
        tiles[tile, _CHANGE] += changed
        tiles[tile, _GRADIENT_H] += across
        tiles[tile, _GRADIENT_V] += down
        tiles[tile, _EDGE_V] += edge
        for x in range((edges[tile] + 7) // 8 * 8, edges[tile + 1], 8):
            tiles[tile, _EDGE_H] += sums[x + _ACROSS * line]
    _clear(sums, _LOW * line, len(sums))


@_inline
def _fold_cells(sums: Any, totals: Any, edges: Any, windows: Any, cells: Any) -> None:
    """Fold column sums into a row of cells and clear them.

    Where a cell's sum may not fit 16 bits, `totals` holds the column sums and `sums` nothing. Else all cells are w or
    w + 1 columns wide: a cell is the sum over w columns, taken for all x at once, and perhaps one more column.
    """
    width, count = edges[-1], len(cells)
    if len(totals) > 0:
        for j in range(count):
            cells[j] = _sum(totals, edges[j], edges[j + 1])
        _clear(totals, 0, width)
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
    _clear(sums, 0, width)


@_inline
def _means(cells: Any, rows: int, reciprocals: Any, scale: int, small: Any) -> None:
    """Means of cells of `rows` rows times 2^scale, rounded down; `reciprocals` of their widths.

    floor(a / n) = floor((a + ½) / n) for integers, and (a + ½) / n is at least ½ / n away from one: for a < 2^50 the
    roundings of the two reciprocals and of the products cannot reach it.
    """
    of_rows = 1.0 / rows
    for j in range(len(small)):
        small[j] = np.uint16(np.int32((np.float64(cells[j] << scale) + 0.5) * (of_rows * reciprocals[j])))


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
                for j in range(small.shape[1]):
                    small[i, j] = small[i + 1, j]
    if columns[-1] < small.shape[1]:
        for i in range(small.shape[0]):
            for j in range(small.shape[1] - 1, -1, -1):
                if columns[j] == columns[j + 1]:
                    small[i, j] = small[i, j + 1]


@_inline
def _wide_totals(rows: Any, columns: Any, mask: int) -> Any:
    """Wide column sums where the sum of a cell may not fit 16 bits; else nothing."""
    height = (rows[-1] + len(rows) - 2) // (len(rows) - 1)
    width = (columns[-1] + len(columns) - 2) // (len(columns) - 1)
    return np.zeros(columns[-1] if height * width * mask > 65535 else 0, np.int64)


def _measure_chroma(
    data: Any, offset: int, pitch: int, step: int, width: int, height: int, shift: int, depth: int,
    which: int, tiles: Any, small_chroma: Any,
) -> None:  # fmt: skip
    small = small_chroma[which]
    mask = (1 << depth) - 1
    strip = min(65535 // mask, _STRIP)
    lane_count = _LANES_8 if data.itemsize == 1 else _LANES_16
    # Whole vectors are read in place; what remains at the right, and interleaved samples, are copied first.
    whole = width // lane_count * lane_count if step == 1 else 0
    room = (width - whole + lane_count - 1) // lane_count * lane_count
    block = np.empty(strip * room, data.dtype)
    rows, columns = _edges(height, SMALL_CHROMA_ROWS), _edges(width, SMALL_CHROMA_COLS)
    reciprocals, totals = _reciprocals(columns), _wide_totals(rows, columns, mask)
    sums, windows = np.zeros(width + _REACH, np.uint16), np.empty(width + _REACH, np.uint16)
    band, cells = np.empty(SMALL_CHROMA_COLS, np.int64), np.empty(SMALL_CHROMA_COLS, np.int64)
    for i in range(SMALL_CHROMA_ROWS):
        if i % 4 == 0:
            _clear(band, 0, len(band))
        if rows[i] < rows[i + 1]:
            for begin in range(rows[i], rows[i + 1], strip):
                count = min(strip, rows[i + 1] - begin)
                start = offset + begin * pitch
                _add_chroma(data, start, pitch, count, shift, mask, whole, sums, 0)
                if room > 0:
                    _gather(data, start + whole * step, pitch, step, count, width - whole, block, room)
                    _add_chroma(_read_only(block), 0, room, count, shift, mask, room, sums, whole)
                if len(totals) > 0:
                    _accumulate(sums, totals)
                    _clear(sums, 0, width)
            _fold_cells(sums, totals, columns, windows, cells)
            _accumulate(cells, band)
            _means(cells, rows[i + 1] - rows[i], reciprocals, 16 - depth, small[i])
        if i % 4 == 3:
            for tile in range(TILE_COLS):
                tiles[i // 4, tile, _CB + which] = _sum(band, 4 * tile, 4 * tile + 4)
    _fill_small(rows, columns, small)


@_inline
def _coarse_change(small: Any, previous_small: Any, tiles: Any) -> None:
    columns = np.empty(SMALL_COLS, np.uint32)
    for band in range(TILE_ROWS):
        _clear(columns, 0, SMALL_COLS)
        for i in range(8 * band, 8 * band + 8):
            now, then = small[i], previous_small[i]
            for j in range(SMALL_COLS):
                columns[j] += max(now[j], then[j]) - min(now[j], then[j])
        for tile in range(TILE_COLS):
            tiles[band, tile, _COARSE_CHANGE] = _sum(columns, 8 * tile, 8 * tile + 8)


def _measure_luma(
    data: Any, offset: int, pitch: int, width: int, height: int, shift: int, depth: int,
    previous: Any, previous_offset: int, previous_pitch: int, previous_small: Any, has_previous: int,
    lattice_step: int, lattice_shift: int, tiles: Any, histogram: Any, small: Any,
) -> None:  # fmt: skip
    mask = (1 << depth) - 1
    limit = 65535 // mask
    strip = min(limit, _STRIP)
    rows, columns, tile_columns = _edges(height, SMALL_ROWS), _edges(width, SMALL_COLS), _edges(width, TILE_COLS)
    reciprocals, totals = _reciprocals(columns), _wide_totals(rows, columns, mask)
    line = width + _PAD
    sums, windows = np.zeros(8 * line + _REACH, np.uint16), np.empty(width + _REACH, np.uint16)
    block, previous_block = np.empty((_STRIP + 1) * (_PAD + 1), data.dtype), np.empty(_STRIP * (_PAD + 1), data.dtype)
    band, cells = np.empty(SMALL_COLS, np.int64), np.empty(SMALL_COLS, np.int64)
    counts = np.zeros((4, 256), np.uint32)
    seam_sums, seam_quads = seam_room(width)
    for row in range(TILE_ROWS):
        for tile in range(TILE_COLS):
            _clear(tiles[row, tile], 0, _CB)
    added = 0
    for i in range(SMALL_ROWS):
        if i % 8 == 0:
            _clear(band, 0, len(band))
        if rows[i] < rows[i + 1]:
            for begin in range(rows[i], rows[i + 1], strip):
                count = min(strip, rows[i + 1] - begin)
                if added + count > limit:
                    _fold_tiles(sums, line, tile_columns, tiles[i // 8])
                    added = 0
                added += count
                _add_strip(
                    data, offset, pitch, previous, previous_offset, previous_pitch, width, begin, count, shift, mask,
                    sums, line, block, previous_block,
                )  # fmt: skip
                for y in range(begin, begin + count):
                    first, end = lattice_shift * y % lattice_step, offset + y * pitch + width
                    _count(data[end - max(0, width - first) : end], lattice_step, shift, mask, depth - 8, counts)
                if len(totals) > 0:
                    _accumulate(sums, totals)
                    _clear(sums, 0, width)
            _fold_cells(sums, totals, columns, windows, cells)
            _accumulate(cells, band)
            _means(cells, rows[i + 1] - rows[i], reciprocals, 16 - depth, small[i])
        if i % 8 == 7:
            _fold_tiles(sums, line, tile_columns, tiles[i // 8])
            added = 0
            for tile in range(TILE_COLS):
                tiles[i // 8, tile, _SUM] = _sum(band, 8 * tile, 8 * tile + 8)
            add_seams(
                data, offset, pitch, previous, previous_offset, previous_pitch, has_previous, width, height,
                rows[i - 7], rows[i + 1], shift, mask, seam_sums, seam_quads, tile_columns, tiles[i // 8],
            )  # fmt: skip
    _fill_small(rows, columns, small)
    if has_previous:
        _coarse_change(small, previous_small, tiles)
    for value in range(256):
        histogram[value] = np.int64(counts[0, value]) + counts[1, value] + counts[2, value] + counts[3, value]


@cache
def _kernels(itemsize: int) -> tuple[Callable[..., None], Callable[..., None]]:
    """What measures luma, and what measures a chroma plane."""
    data = types.Array(types.uint8 if itemsize == 1 else types.uint16, 1, "C", readonly=True)
    n, tiles, histogram = types.int64, types.Array(types.int64, 3, "C"), types.Array(types.int64, 1, "C")
    small, small_chroma = types.Array(types.uint16, 2, "C"), types.Array(types.uint16, 3, "C")
    previous_small = types.Array(types.uint16, 2, "C", readonly=True)
    luma_types = (data, *6 * [n], data, n, n, previous_small, n, n, n, tiles, histogram, small)
    chroma_types = (data, *8 * [n], tiles, small_chroma)
    return compiled(_measure_luma, *luma_types), compiled(_measure_chroma, *chroma_types)


def prepare_cpu(bit_depth: int) -> None:
    """Compile, or load from the cache, what pictures of this depth need."""
    _kernels(1 if bit_depth == 8 else 2)


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
    data, offset, pitch = planar(luma)
    before: tuple[Any, ...] = (data, offset, pitch, out.small, 0)
    if previous is not None and previous_small is not None:
        before = (*planar(previous), previous_small, 1)
    measure_luma, measure_chroma = _kernels(data.itemsize)
    measure_luma(
        data, offset, pitch, luma.width, luma.height, shift, bit_depth,
        *before, *histogram_lattice(luma.width, luma.height), out.tiles, out.histogram, out.small,
    )  # fmt: skip
    if chroma is None:
        out.tiles[:, :, _CB : _CB + 2] = 0
        out.small_chroma[:] = SMALL_GREY
    else:
        for which, plane in enumerate(chroma):
            measure_chroma(
                plane.data, plane.offset, plane.pitch, plane.step, plane.width, plane.height, shift, bit_depth,
                which, out.tiles, out.small_chroma,
            )  # fmt: skip
    return out
