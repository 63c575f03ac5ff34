"""Column sums of `luma_stats` on the CPU: rows are read once, a vector of columns at a time, and summed.

Rows come in strips. Every measure is summed over a strip's rows in a register (`lanes`) and added to 16 bits a column:
who calls folds them into tiles and cells before they could overflow.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from gpu_qa_kernels import TILE_COLS, lanes
from gpu_qa_kernels.luma_stats.contract import Feature
from gpu_qa_kernels.luma_stats.loops_cpu import clear

__all__ = ["PAD", "STRIP", "add_chroma", "add_strip", "fold_tiles", "gather"]

_SUM_SQUARES = int(Feature.SUM_SQUARES)
_CHANGE = int(Feature.CHANGE)
_GRADIENT_H = int(Feature.GRADIENT_H)
_GRADIENT_V = int(Feature.GRADIENT_V)
_EDGE_H = int(Feature.EDGE_H)
_EDGE_V = int(Feature.EDGE_V)

_LEVELS, _LOW, _MIDDLE, _HIGH, _CHANGED, _ACROSS, _DOWN, _EDGE = range(8)
"""Column sums in the order that they are stored in; squares are summed by their bytes 0, 1 and 2-3."""

STRIP = 8
"""Rows of a strip at most: then one of them at most has a y divisible by 8."""
_AHEAD = STRIP
"""So many rows ahead memory is called for: about the next strip, when it is time for it. A column of a strip lies in as
many places as it has rows, which a processor does not guess; waiting for them took 0.6 ms of 1.6 for 1080 rows that
were in no cache. 6 to 12 rows ahead give the same."""
PAD = 64
"""Elements after a line of column sums that a vector may reach into."""

_add, _add_to, _call_for, _distance, _level = lanes.add, lanes.add_to, lanes.call_for, lanes.distance, lanes.level
_load, _read_only, _square_byte, _total, _zero = lanes.load, lanes.read_only, lanes.square_byte, lanes.total, lanes.zero
_LANES_8, _LANES_16, _TOTAL = lanes.LANES_8, lanes.LANES_16, lanes.TOTAL

_inline = numba.njit(nogil=True, boundscheck=False)


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
def add_chroma(
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
def gather(data: Any, start: int, pitch: int, step: int, rows: int, count: int, block: Any, room: int) -> None:
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
        clear(line, count, room)


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
        clear(line, 1 + count, room)


@_inline
def add_strip(
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
def fold_tiles(sums: Any, line: int, edges: Any, tiles: Any) -> None:
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
    clear(sums, _LOW * line, len(sums))
