"""`luma_stats` on a CUDA device: frames of any mixture of sizes and depths in one launch.

A block measures one tile of one frame. Its threads read the tile by words of four bytes where it lies so (`words.py`),
else sample by sample (`samples.py`), keep their sums in registers and fold them in shared memory. Cells of the small
pictures lie wholly inside a tile, so the block makes its own and compares them with those of the frame before. Only the
histogram is added up over blocks, with atomic additions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba import cuda, int32, int64, uint32

from gpu_qa_kernels import SMALL_CHROMA_COLS, SMALL_CHROMA_ROWS, SMALL_COLS, SMALL_ROWS, TILE_COLS, TILE_ROWS
from gpu_qa_kernels.luma_stats.contract import HISTOGRAM_BINS, SMALL_GREY, Feature
from gpu_qa_kernels.luma_stats.samples import cell_mean, code, sample_seams
from gpu_qa_kernels.luma_stats.seam_words import word_seams
from gpu_qa_kernels.luma_stats.table import Column
from gpu_qa_kernels.luma_stats.words import (
    CELLS,
    CHROMA_CELLS,
    MOST_WORDS,
    byte_columns,
    chroma_columns,
    column_sum,
    pair_columns,
)

if TYPE_CHECKING:
    from typing import Any

__all__ = ["BLOCK", "luma_stats_device", "luma_stats_kernel"]

BLOCK = (32, 4)
"""Threads of a block along x and y, so that a warp reads neighbouring samples; smaller powers of two do as well."""
_MOST_THREADS = BLOCK[0] * BLOCK[1]

_SUM = int(Feature.SUM)
_SUM_SQUARES = int(Feature.SUM_SQUARES)
_CHANGE = int(Feature.CHANGE)
_COARSE_CHANGE = int(Feature.COARSE_CHANGE)
_GRADIENT_H = int(Feature.GRADIENT_H)
_GRADIENT_V = int(Feature.GRADIENT_V)
_EDGE_H = int(Feature.EDGE_H)
_EDGE_V = int(Feature.EDGE_V)
_CB = int(Feature.CB)
_FEATURES = len(Feature)
_CELLS, _CHROMA_CELLS = CELLS, CHROMA_CELLS
_EDGES = _CELLS + 1
_COLUMNS = 2 * MOST_WORDS
_SEGMENTS = 8
"""Into which the threads' sums are folded first."""
_PADDED = _MOST_THREADS + 8
"""Keeps features that are folded side by side in other banks of the shared memory."""

_OFFSET, _PITCH, _WIDTH, _HEIGHT, _PREVIOUS, _PREVIOUS_PITCH, _KEPT = (int(Column(i)) for i in range(7))
_CB_OFFSET, _CR_OFFSET, _CHROMA_PITCH, _CHROMA_STEP, _CHROMA_WIDTH, _CHROMA_HEIGHT = (
    int(Column(i)) for i in range(7, 13)
)
_SAMPLE_BYTES, _SHIFT, _BIT_DEPTH, _LATTICE_SHIFT, _STEP, _LATTICE_STEP, _ON_WORDS = (
    int(Column(i)) for i in range(13, 20)
)


@cuda.jit(device=True)
def _fold(partial, thread, threads):  # type: ignore[no-untyped-def]
    """Add the numbers of all threads into column 0 of `partial`: shared memory, int64, a column per thread.

    First into eight columns, by a thread for each of them and feature, then these: two waits instead of seven.
    """
    cuda.syncthreads()
    segments = min(_SEGMENTS, threads)
    index = thread
    while index < _FEATURES * segments:
        feature, segment = index // _SEGMENTS if segments == _SEGMENTS else index // segments, index % segments
        column = segment + segments
        total = partial[feature, segment]
        while column < threads:
            total += partial[feature, column]
            column += segments
        partial[feature, segment] = total
        index += threads
    cuda.syncthreads()
    feature = thread
    while feature < _FEATURES:
        total = partial[feature, 0]
        for segment in range(1, segments):
            total += partial[feature, segment]
        partial[feature, 0] = total
        feature += threads
    cuda.syncthreads()


@cuda.jit
def luma_stats_kernel(slab, wide, quad, table, first_frame, kept, tiles, histogram, small, small_chroma):  # type: ignore[no-untyped-def]
    """Measure frames of `table`, the first and what follows; grid (tiles, frames), block `BLOCK`; `histogram` zeros."""
    frame, tile = first_frame + cuda.blockIdx.y, cuda.blockIdx.x
    row, col = tile // TILE_COLS, tile % TILE_COLS
    lane, line = cuda.threadIdx.x, cuda.threadIdx.y
    lanes, lines = cuda.blockDim.x, cuda.blockDim.y
    thread, threads = line * lanes + lane, lanes * lines
    partial = cuda.shared.array((_FEATURES, _PADDED), int64)
    columns = cuda.shared.array((_CELLS, _COLUMNS), uint32)
    counts = cuda.shared.array(HISTOGRAM_BINS, int32)
    edges = cuda.shared.array((4, _EDGES), int64)

    offset, pitch, step = table[frame, _OFFSET], table[frame, _PITCH], table[frame, _STEP]
    width, height = table[frame, _WIDTH], table[frame, _HEIGHT]
    before, before_pitch = table[frame, _PREVIOUS], table[frame, _PREVIOUS_PITCH]
    chroma_pitch, chroma_step = table[frame, _CHROMA_PITCH], table[frame, _CHROMA_STEP]
    chroma_width, chroma_height = table[frame, _CHROMA_WIDTH], table[frame, _CHROMA_HEIGHT]
    sample_bytes, shift, depth = table[frame, _SAMPLE_BYTES], table[frame, _SHIFT], table[frame, _BIT_DEPTH]
    lattice_step, lattice_shift = table[frame, _LATTICE_STEP], table[frame, _LATTICE_SHIFT]
    mask = (1 << depth) - 1

    # Loops are spelt out with `while`: to `range` with a step, numba adds a division of 64 bits each time.
    index = thread
    while index < HISTOGRAM_BINS:
        counts[index] = 0
        index += threads
    index = thread
    while index <= _CELLS:
        edges[0, index] = (row * _CELLS + index) * height // SMALL_ROWS
        edges[1, index] = (col * _CELLS + index) * width // SMALL_COLS
        if index <= _CHROMA_CELLS:
            edges[2, index] = (row * _CHROMA_CELLS + index) * chroma_height // SMALL_CHROMA_ROWS
            edges[3, index] = (col * _CHROMA_CELLS + index) * chroma_width // SMALL_CHROMA_COLS
        index += threads
    cuda.syncthreads()

    top, bottom, left, right = edges[0, 0], edges[0, _CELLS], edges[1, 0], edges[1, _CELLS]
    on_words = table[frame, _ON_WORDS]
    words = int32(0)
    if on_words and sample_bytes == 1:
        words = int32((right + 3 - (left & ~3)) >> 2)
        byte_columns(quad, columns, partial, edges, words, offset, pitch, before, before_pitch, thread, threads)
    elif on_words:
        words = int32((right + 1 - (left & ~1)) >> 1)
        pair_columns(
            quad, columns, partial, edges, words, offset, pitch, before, before_pitch, shift, mask, thread, threads
        )
    else:
        total, squares, change = int64(0), int64(0), int64(0)
        across, down, edge_across, edge_down = int64(0), int64(0), int64(0), int64(0)
        y = top + line
        while y < bottom:
            start = offset + y * pitch
            other_start = before + y * before_pitch
            x = left + lane
            while x < right:
                value = code(slab, wide, start + x * step, sample_bytes, shift, mask)
                total += value
                squares += int64(value) * value
                if x > 0:
                    difference = abs(value - code(slab, wide, start + (x - 1) * step, sample_bytes, shift, mask))
                    across += difference
                    if x & 7 == 0:
                        edge_across += difference
                if y > 0:
                    difference = abs(value - code(slab, wide, start - pitch + x * step, sample_bytes, shift, mask))
                    down += difference
                    if y & 7 == 0:
                        edge_down += difference
                if before >= 0:
                    change += abs(value - code(slab, wide, other_start + x * step, sample_bytes, shift, mask))
                x += lanes
            y += lines
        partial[_SUM, thread], partial[_SUM_SQUARES, thread], partial[_CHANGE, thread] = total, squares, change
        partial[_GRADIENT_H, thread], partial[_GRADIENT_V, thread] = across, down
        partial[_EDGE_H, thread], partial[_EDGE_V, thread] = edge_across, edge_down
        sample_seams(
            slab, wide, partial, top, bottom, left, right, offset, pitch, step, before, before_pitch, width, height,
            sample_bytes, shift, mask, lane, line, lanes, lines,
        )  # fmt: skip
    if on_words:
        word_seams(
            quad, partial, edges, words, offset, pitch, before, before_pitch, width, height, sample_bytes, shift, mask,
            thread, threads,
        )  # fmt: skip

    y = top + thread
    while y < bottom:
        x = left + (lattice_shift * y - left) % lattice_step
        while x < right:
            value = code(slab, wide, offset + y * pitch + x * step, sample_bytes, shift, mask)
            cuda.atomic.add(counts, value >> (depth - 8), 1)
            x += lattice_step
        y += threads

    coarse = int64(0)
    if on_words:
        cuda.syncthreads()
        base = left & ~3 if sample_bytes == 1 else left & ~1
        index = thread
        while index < _CELLS * _CELLS:
            i, j = index // _CELLS, index % _CELLS
            total = column_sum(columns, i, edges[1, j], edges[1, j + 1], base, 1, sample_bytes)
            area = uint32((edges[0, i + 1] - edges[0, i]) * (edges[1, j + 1] - edges[1, j]))
            mean = int64(uint32(uint32(total << uint32(16 - depth)) // area))
            i, j = row * _CELLS + i, col * _CELLS + j
            small[frame, i, j] = mean
            # Nobody else reads this cell of the frame before.
            if before >= 0:
                coarse += abs(mean - int64(kept[table[frame, _KEPT], i, j]))
            kept[table[frame, _KEPT], i, j] = mean
            index += threads
        first = table[frame, _CB_OFFSET]
        if first >= 0:
            cuda.syncthreads()
            per_word = 4 // sample_bytes
            base = 2 * edges[3, 0] // per_word * per_word
            words = int32((2 * edges[3, _CHROMA_CELLS] - base + per_word - 1) // per_word)
            chroma_columns(
                quad, columns, partial, edges, words, first, chroma_pitch, sample_bytes, shift, mask, thread, threads
            )
            cuda.syncthreads()
        else:
            partial[_CB, thread], partial[_CB + 1, thread] = 0, 0
        index = thread
        while index < 2 * _CHROMA_CELLS * _CHROMA_CELLS:
            plane, cell = index // (_CHROMA_CELLS * _CHROMA_CELLS), index % (_CHROMA_CELLS * _CHROMA_CELLS)
            i, j = cell // _CHROMA_CELLS, cell % _CHROMA_CELLS
            mean = int64(SMALL_GREY)
            if first >= 0:
                start, end = 2 * edges[3, j] + plane, 2 * edges[3, j + 1] + plane
                total = column_sum(columns, i, start, end, base, 2, sample_bytes)
                area = uint32((edges[2, i + 1] - edges[2, i]) * (edges[3, j + 1] - edges[3, j]))
                mean = int64(uint32(uint32(total << uint32(16 - depth)) // area))
            small_chroma[frame, plane, row * _CHROMA_CELLS + i, col * _CHROMA_CELLS + j] = mean
            index += threads
    else:
        for plane in range(2):
            first = table[frame, _CB_OFFSET + plane]
            total = int64(0)
            if first >= 0:
                y = edges[2, 0] + line
                while y < edges[2, _CHROMA_CELLS]:
                    x = edges[3, 0] + lane
                    while x < edges[3, _CHROMA_CELLS]:
                        place = first + y * chroma_pitch + x * chroma_step
                        total += code(slab, wide, place, sample_bytes, shift, mask)
                        x += lanes
                    y += lines
            partial[_CB + plane, thread] = total

        # A thread per cell: what it reads is in the cache by now, where a cell's samples lie beside its neighbours'.
        index = thread
        while index < _CELLS * _CELLS + 2 * _CHROMA_CELLS * _CHROMA_CELLS:
            if index < _CELLS * _CELLS:
                i, j = index // _CELLS, index % _CELLS
                # Where a side has fewer samples than cells, a cell takes the sample that its start falls on.
                top, left = min(edges[0, i], height - 1), min(edges[1, j], width - 1)
                bottom, right = max(top + 1, edges[0, i + 1]), max(left + 1, edges[1, j + 1])
                mean = cell_mean(
                    slab, wide, offset, pitch, step, top, bottom, left, right, sample_bytes, shift, mask, 16 - depth
                )
                i, j = row * _CELLS + i, col * _CELLS + j
                small[frame, i, j] = mean
                # Nobody else reads this cell of the frame before.
                if before >= 0:
                    coarse += abs(mean - int64(kept[table[frame, _KEPT], i, j]))
                kept[table[frame, _KEPT], i, j] = mean
            else:
                cell = index - _CELLS * _CELLS
                plane, cell = cell // (_CHROMA_CELLS * _CHROMA_CELLS), cell % (_CHROMA_CELLS * _CHROMA_CELLS)
                i, j = cell // _CHROMA_CELLS, cell % _CHROMA_CELLS
                first, mean = table[frame, _CB_OFFSET + plane], int64(SMALL_GREY)
                if first >= 0:
                    top, left = min(edges[2, i], chroma_height - 1), min(edges[3, j], chroma_width - 1)
                    bottom, right = max(top + 1, edges[2, i + 1]), max(left + 1, edges[3, j + 1])
                    mean = cell_mean(
                        slab, wide, first, chroma_pitch, chroma_step, top, bottom, left, right,
                        sample_bytes, shift, mask, 16 - depth,
                    )  # fmt: skip
                small_chroma[frame, plane, row * _CHROMA_CELLS + i, col * _CHROMA_CELLS + j] = mean
            index += threads
    partial[_COARSE_CHANGE, thread] = coarse

    _fold(partial, thread, threads)
    feature = thread
    while feature < _FEATURES:
        tiles[frame, row, col, feature] = partial[feature, 0]
        feature += threads
    index = thread
    while index < HISTOGRAM_BINS:
        if counts[index] > 0:
            cuda.atomic.add(histogram, (frame, index), int64(counts[index]))
        index += threads


def luma_stats_device(
    slab: Any,
    wide: Any,
    quad: Any,
    table: Any,
    kept: Any,
    tiles: Any,
    histogram: Any,
    small: Any,
    small_chroma: Any,
    first: int = 0,
    count: int | None = None,
) -> None:
    """Measure frames in one launch; returns before it has run.

    Args:
        slab: uint8 [B]: device memory that holds all pictures (anything with the CUDA array interface).
        wide: uint16 [B / 2]: the same memory.
        quad: uint32 [B / 4]: the same memory.
        table: int64 [N, 20]: a row per frame as `described` makes them.
        kept: uint16 [P, 192, 336]: small pictures of the frames before, which those of these frames replace; each
            frame of a launch has a row of its own.
        tiles: int64 [N, 24, 42, 19]: written, as `LumaStats.tiles`.
        histogram: int64 [N, 256]: added to; zeros at first.
        small: uint16 [N, 192, 336]: written.
        small_chroma: uint16 [N, 2, 96, 168]: written.
        first: Row of the table, and of the results, with the first frame.
        count: How many frames; all from there on if null.
    """
    frames = table.shape[0] - first if count is None else count
    luma_stats_kernel[(TILE_ROWS * TILE_COLS, frames), BLOCK](
        slab, wide, quad, table, first, kept, tiles, histogram, small, small_chroma
    )
