"""The sums of `luma_stats` that need a sample's neighbours on both sides, on the CPU: seams, combs and fields.

They are taken of a row of tiles at a time, while it is still in the processor's cache. As in the main pass, columns
are summed a vector at a time and folded into tiles. A vector's columns are summed over all rows at once, so that its
sums are written, not added: the last vector of a row may overlap the one before.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from gpu_qa_kernels import TILE_COLS, lanes
from gpu_qa_kernels.luma_stats.contract import Feature

__all__ = ["add_seams", "seam_room"]

_SEAM_H0, _SEAM_V0 = int(Feature.SEAM_H0), int(Feature.SEAM_V0)
_COMB, _FIELD_EVEN, _FIELD_ODD = int(Feature.COMB), int(Feature.FIELD_EVEN), int(Feature.FIELD_ODD)
_FEATURES = len(Feature)

_V, _COMBED, _EVEN, _ODD = 0, 3, 4, 5
"""Lines of column sums: steps between rows for y ≡ 0, 8 and 4 modulo 16, then the others."""
_LINES = 6
_PAD = 128
"""Elements after a line of column sums that `total` may read."""
_LEAST = 4
"""Columns more than a vector that a picture must have to be read in place."""

_add, _apart, _excess, _larger, _smaller = lanes.add, lanes.apart, lanes.excess, lanes.larger, lanes.smaller
_load, _pairs, _second, _put_pairs, _zero_pairs = (
    lanes.load, lanes.pairs, lanes.second, lanes.put_pairs, lanes.zero_pairs
)  # fmt: skip
_quad_seams, _put_quads, _zero_quads = lanes.quad_seams, lanes.put_quads, lanes.zero_quads
_read_only, _total, _LANES_8, _LANES_16, _TOTAL = (
    lanes.read_only, lanes.total, lanes.LANES_8, lanes.LANES_16, lanes.TOTAL
)  # fmt: skip

_inline = numba.njit(nogil=True, boundscheck=False)


@_inline
def seam_room(width: int) -> Any:
    """Memory for column sums, and for those of four columns each, of a picture."""
    room = max(width, _LANES_8 + _LEAST) + _PAD
    return np.zeros((_LINES, room), np.uint16), np.zeros(room // 4, np.uint32)


@_inline
def _next(y: int, phase: int, period: int) -> int:
    """The first number from y on that is `phase` modulo `period`."""
    return y + (phase - y) % period


@_inline
def _columns(
    data: Any, offset: int, pitch: int, previous: Any, previous_offset: int, previous_pitch: int, has_previous: int,
    width: int, height: int, top: int, bottom: int, shift: int, mask: int, sums: Any, quads: Any,
) -> None:  # fmt: skip
    """Write the sums of all columns over the rows `top` to `bottom` of a picture at least a vector and 4 wide."""
    step = _LANES_8 if data.itemsize == 1 else _LANES_16
    inner_top, inner_bottom = max(top, 1), min(bottom, height - 1)
    for first in range(0, width, step):
        x = min(first, width - step)
        both = odd = _zero_pairs(data)
        # A picture of one row has none above: it is read instead, and nothing made of it.
        at = offset + min(inner_top, height - 1) * pitch + x
        above, here = _load(data, at - pitch * min(height - 1, 1), shift, mask), _load(data, at, shift, mask)
        for _ in range(inner_top, inner_bottom):
            at += pitch
            below = _load(data, at, shift, mask)
            high, low = _larger(above, below), _smaller(above, below)
            # Above both or below both: one of the two is zero.
            out = _larger(_excess(here, high), _excess(low, here))
            comb = _excess(out, _apart(high, low))
            both, odd = _add(both, _pairs(comb)), _add(odd, _second(comb))
            above, here = here, below
        _put_pairs(data, sums[_COMBED], x, both, odd)
        if has_previous:
            for line in range(2):
                both = odd = _zero_pairs(data)
                for y in range(_next(top, line, 2), min(bottom, height - 1 + line), 2):
                    value = _load(data, offset + y * pitch + x, shift, mask)
                    other = previous_offset + (y + 1 - 2 * line) * previous_pitch + x
                    change = _apart(value, _load(previous, other, shift, mask))
                    both, odd = _add(both, _pairs(change)), _add(odd, _second(change))
                _put_pairs(data, sums[_EVEN + line], x, both, odd)
        for line in range(3):
            both = odd = _zero_pairs(data)
            for y in range(_next(max(top, 2), 8 * line - line // 2 * 12, 16), inner_bottom, 16):
                at = offset + y * pitch + x
                above, here = _load(data, at - pitch, shift, mask), _load(data, at, shift, mask)
                before = _apart(above, _load(data, at - 2 * pitch, shift, mask))
                after = _apart(here, _load(data, at + pitch, shift, mask))
                seam = _excess(_apart(above, here), _larger(before, after))
                both, odd = _add(both, _pairs(seam)), _add(odd, _second(seam))
            _put_pairs(data, sums[_V + line], x, both, odd)
    # Vectors that begin two samples before a multiple of four: every four of them give that column's seam.
    last = (width - step - 2) // 4 * 4 + 2
    for first in range(2, last + step, step):
        x = min(first, last)
        total = _zero_quads(data)
        at = offset + top * pitch + x
        for _ in range(top, bottom):
            total = _add(total, _quad_seams(_load(data, at, shift, mask)))
            at += pitch
        _put_quads(quads, (x + 2) // 4, total)


@_inline
def _sum_line(sums: Any, begin: int, end: int) -> Any:
    total = np.int64(0)
    for x in range(begin, end, _TOTAL):
        total += _total(sums, x, min(_TOTAL, end - x))
    return total


@_inline
def _fold(sums: Any, quads: Any, has_previous: int, width: int, edges: Any, tiles: Any) -> None:
    """Add column sums to a row of tiles."""
    for tile in range(TILE_COLS):
        begin, end = edges[tile], edges[tile + 1]
        for line in range(3):
            tiles[tile, _SEAM_V0 + line] += _sum_line(sums[_V + line], begin, end)
            for x in range(_next(max(begin, 2), 8 * line - line // 2 * 12, 16), min(end, width - 1), 16):
                tiles[tile, _SEAM_H0 + line] += quads[x // 4]
        tiles[tile, _COMB] += _sum_line(sums[_COMBED], begin, end)
        if has_previous:
            tiles[tile, _FIELD_EVEN] += _sum_line(sums[_EVEN], begin, end)
            tiles[tile, _FIELD_ODD] += _sum_line(sums[_ODD], begin, end)


@_inline
def _copied(data: Any, offset: int, pitch: int, width: int, first: int, end: int, room: int) -> Any:
    """Rows `first` to `end` of a narrow picture, with zeros to their right."""
    block = np.zeros((end - first) * room, data.dtype)
    for y in range(first, end):
        for x in range(width):
            block[(y - first) * room + x] = data[offset + y * pitch + x]
    return block


@_inline
def add_seams(
    data: Any, offset: int, pitch: int, previous: Any, previous_offset: int, previous_pitch: int, has_previous: int,
    width: int, height: int, top: int, bottom: int, shift: int, mask: int,
    sums: Any, quads: Any, edges: Any, tiles: Any,
) -> None:  # fmt: skip
    """Set the sums of a row of tiles, whose rows of samples are `top` to `bottom`.

    `sums` and `quads` are as `seam_room` made them, `edges` where tiles begin across, `tiles` int64 [42, 19].
    """
    for tile in range(TILE_COLS):
        for feature in range(_SEAM_H0, _FEATURES):
            tiles[tile, feature] = 0
    room = (_LANES_8 if data.itemsize == 1 else _LANES_16) + _LEAST
    # As many rows as can be summed in 16 bits.
    limit = 65535 // mask
    for begin in range(top, bottom, limit):
        end = min(bottom, begin + limit)
        if width >= room:
            _columns(
                data, offset, pitch, previous, previous_offset, previous_pitch, has_previous,
                width, height, begin, end, shift, mask, sums, quads,
            )  # fmt: skip
        else:
            first, last = max(begin - 2, 0), min(end + 1, height)
            block = _copied(data, offset, pitch, width, first, last, room)
            before = _copied(previous, previous_offset, previous_pitch, width, first, last, room)
            _columns(
                _read_only(block), -first * room, room, _read_only(before), -first * room, room, has_previous,
                room, height, begin, end, shift, mask, sums, quads,
            )  # fmt: skip
        _fold(sums, quads, has_previous, width, edges, tiles)
