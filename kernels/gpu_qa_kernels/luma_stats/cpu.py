"""`luma_stats` on the CPU: one thread, one picture, numba without the GIL.

Rows are taken in strips of a row of cells or a part of it. A strip is read once and its columns summed
(`columns_cpu.py`). The column sums, in 16 bits, are folded into cells after every row of cells (`cells_cpu.py`) and
into tiles after every row of tiles, before they could overflow; then the row of tiles is read for seams
(`seams_cpu.py`).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import types

from gpu_qa_kernels import SMALL_CHROMA_COLS, SMALL_CHROMA_ROWS, SMALL_COLS, SMALL_ROWS, TILE_COLS, TILE_ROWS, lanes
from gpu_qa_kernels.compiled import compiled
from gpu_qa_kernels.luma_stats.cells_cpu import (
    REACH,
    cell_means,
    fill_small,
    fold_cells,
    reciprocal_widths,
    wide_totals,
)
from gpu_qa_kernels.luma_stats.columns_cpu import PAD, STRIP, add_chroma, add_strip, fold_tiles, gather
from gpu_qa_kernels.luma_stats.contract import SMALL_GREY, Feature, LumaStats, histogram_lattice, planar
from gpu_qa_kernels.luma_stats.loops_cpu import accumulate, clear, part_edges, total_of
from gpu_qa_kernels.luma_stats.seams_cpu import add_seams, seam_room

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_qa_kernels import PlaneLike

__all__ = ["luma_stats_cpu", "prepare_cpu"]

_SUM = int(Feature.SUM)
_COARSE_CHANGE = int(Feature.COARSE_CHANGE)
_CB = int(Feature.CB)

_read_only, _LANES_8, _LANES_16 = lanes.read_only, lanes.LANES_8, lanes.LANES_16

_inline = numba.njit(nogil=True, boundscheck=False)


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


def _measure_chroma(
    data: Any, offset: int, pitch: int, step: int, width: int, height: int, shift: int, depth: int,
    which: int, tiles: Any, small_chroma: Any,
) -> None:  # fmt: skip
    small = small_chroma[which]
    mask = (1 << depth) - 1
    strip = min(65535 // mask, STRIP)
    lane_count = _LANES_8 if data.itemsize == 1 else _LANES_16
    # Whole vectors are read in place; what remains at the right, and interleaved samples, are copied first.
    whole = width // lane_count * lane_count if step == 1 else 0
    room = (width - whole + lane_count - 1) // lane_count * lane_count
    block = np.empty(strip * room, data.dtype)
    rows, columns = part_edges(height, SMALL_CHROMA_ROWS), part_edges(width, SMALL_CHROMA_COLS)
    reciprocals, totals = reciprocal_widths(columns), wide_totals(rows, columns, mask)
    sums, windows = np.zeros(width + REACH, np.uint16), np.empty(width + REACH, np.uint16)
    band, cells = np.empty(SMALL_CHROMA_COLS, np.int64), np.empty(SMALL_CHROMA_COLS, np.int64)
    for i in range(SMALL_CHROMA_ROWS):
        if i % 4 == 0:
            clear(band, 0, len(band))
        if rows[i] < rows[i + 1]:
            for begin in range(rows[i], rows[i + 1], strip):
                count = min(strip, rows[i + 1] - begin)
                start = offset + begin * pitch
                add_chroma(data, start, pitch, count, shift, mask, whole, sums, 0)
                if room > 0:
                    gather(data, start + whole * step, pitch, step, count, width - whole, block, room)
                    add_chroma(_read_only(block), 0, room, count, shift, mask, room, sums, whole)
                if len(totals) > 0:
                    accumulate(sums, totals)
                    clear(sums, 0, width)
            fold_cells(sums, totals, columns, windows, cells)
            accumulate(cells, band)
            cell_means(cells, rows[i + 1] - rows[i], reciprocals, 16 - depth, small[i])
        if i % 4 == 3:
            for tile in range(TILE_COLS):
                tiles[i // 4, tile, _CB + which] = total_of(band, 4 * tile, 4 * tile + 4)
    fill_small(rows, columns, small)


@_inline
def _coarse_change(small: Any, previous_small: Any, tiles: Any) -> None:
    columns = np.empty(SMALL_COLS, np.uint32)
    for band in range(TILE_ROWS):
        clear(columns, 0, SMALL_COLS)
        for i in range(8 * band, 8 * band + 8):
            now, then = small[i], previous_small[i]
            for j in range(SMALL_COLS):
                columns[j] += max(now[j], then[j]) - min(now[j], then[j])
        for tile in range(TILE_COLS):
            tiles[band, tile, _COARSE_CHANGE] = total_of(columns, 8 * tile, 8 * tile + 8)


def _measure_luma(
    data: Any, offset: int, pitch: int, width: int, height: int, shift: int, depth: int,
    previous: Any, previous_offset: int, previous_pitch: int, previous_small: Any, has_previous: int,
    lattice_step: int, lattice_shift: int, tiles: Any, histogram: Any, small: Any,
) -> None:  # fmt: skip
    mask = (1 << depth) - 1
    limit = 65535 // mask
    strip = min(limit, STRIP)
    rows, columns = part_edges(height, SMALL_ROWS), part_edges(width, SMALL_COLS)
    tile_columns = part_edges(width, TILE_COLS)
    reciprocals, totals = reciprocal_widths(columns), wide_totals(rows, columns, mask)
    line = width + PAD
    sums, windows = np.zeros(8 * line + REACH, np.uint16), np.empty(width + REACH, np.uint16)
    block, previous_block = np.empty((STRIP + 1) * (PAD + 1), data.dtype), np.empty(STRIP * (PAD + 1), data.dtype)
    band, cells = np.empty(SMALL_COLS, np.int64), np.empty(SMALL_COLS, np.int64)
    counts = np.zeros((4, 256), np.uint32)
    seam_sums, seam_quads = seam_room(width)
    for row in range(TILE_ROWS):
        for tile in range(TILE_COLS):
            clear(tiles[row, tile], 0, _CB)
    added = 0
    for i in range(SMALL_ROWS):
        if i % 8 == 0:
            clear(band, 0, len(band))
        if rows[i] < rows[i + 1]:
            for begin in range(rows[i], rows[i + 1], strip):
                count = min(strip, rows[i + 1] - begin)
                if added + count > limit:
                    fold_tiles(sums, line, tile_columns, tiles[i // 8])
                    added = 0
                added += count
                add_strip(
                    data, offset, pitch, previous, previous_offset, previous_pitch, width, begin, count, shift, mask,
                    sums, line, block, previous_block,
                )  # fmt: skip
                for y in range(begin, begin + count):
                    first, end = lattice_shift * y % lattice_step, offset + y * pitch + width
                    _count(data[end - max(0, width - first) : end], lattice_step, shift, mask, depth - 8, counts)
                if len(totals) > 0:
                    accumulate(sums, totals)
                    clear(sums, 0, width)
            fold_cells(sums, totals, columns, windows, cells)
            accumulate(cells, band)
            cell_means(cells, rows[i + 1] - rows[i], reciprocals, 16 - depth, small[i])
        if i % 8 == 7:
            fold_tiles(sums, line, tile_columns, tiles[i // 8])
            added = 0
            for tile in range(TILE_COLS):
                tiles[i // 8, tile, _SUM] = total_of(band, 8 * tile, 8 * tile + 8)
            add_seams(
                data, offset, pitch, previous, previous_offset, previous_pitch, has_previous, width, height,
                rows[i - 7], rows[i + 1], shift, mask, seam_sums, seam_quads, tile_columns, tiles[i // 8],
            )  # fmt: skip
    fill_small(rows, columns, small)
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
