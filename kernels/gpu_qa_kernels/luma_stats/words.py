"""Four bytes at a time: how the CUDA kernel reads the samples of a tile where they lie so that it can.

A word holds four samples of one byte, or two of two bytes. A thread takes a column of words and walks down the rows of
a cell of the small picture: the word above is in a register already. Each column leaves its samples' sums behind, from
which the cells' means follow. Pictures that do not lie on words are read sample by sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir
from numba import config, cuda, int32, types, uint32, uint64

from gpu_qa_kernels import SMALL_CHROMA_COLS, SMALL_CHROMA_ROWS, SMALL_COLS, SMALL_ROWS, TILE_COLS, TILE_ROWS
from gpu_qa_kernels.luma_stats.contract import Feature

if TYPE_CHECKING:
    from gpu_qa_kernels import PlaneLike

__all__ = [
    "CELLS",
    "CHROMA_CELLS",
    "MOST_WORDS",
    "byte_columns",
    "byte_differences",
    "chroma_columns",
    "column_sum",
    "lies_on_words",
    "pair_columns",
    "pair_differences",
    "part_mask",
]

CELLS = SMALL_ROWS // TILE_ROWS
"""Of the small picture along a tile's side."""
CHROMA_CELLS = SMALL_CHROMA_ROWS // TILE_ROWS
MOST_WORDS = 96
"""Words across a tile that there is room for: of two bytes a sample 8000 of them across a picture."""
_DEEPEST = 12
"""Bits of a sample up to which a column's sums fit 16 bits and those of squares 32."""
_TALLEST_CELL = {8: 257, 9: 128, 10: 64, 11: 32, 12: 16}
"""Bits of a sample → rows whose sum fits 16 bits."""

_SUM, _SUM_SQUARES, _CHANGE = int(Feature.SUM), int(Feature.SUM_SQUARES), int(Feature.CHANGE)
_GRADIENT_H, _GRADIENT_V = int(Feature.GRADIENT_H), int(Feature.GRADIENT_V)
_EDGE_H, _EDGE_V = int(Feature.EDGE_H), int(Feature.EDGE_V)
_CB = int(Feature.CB)


def lies_on_words(
    luma: PlaneLike,
    chroma: tuple[PlaneLike, PlaneLike] | None,
    previous: PlaneLike | None,
    *,
    bit_depth: int,
    sample_bytes: int,
) -> bool:
    """Whether a picture can be read by words: as NVDEC's pictures are, of even a multiple of four bytes per row.

    Args:
        luma: The picture.
        chroma: Cb and Cr; null for a grey picture, which can.
        previous: Luma of the picture before; null where there is none.
        bit_depth: Significant bits of a sample.
        sample_bytes: 1 or 2.
    """
    planes = [luma, *((previous,) if previous else ()), *((chroma[0],) if chroma else ())]
    if any(plane.offset * sample_bytes % 4 or plane.pitch * sample_bytes % 4 for plane in planes):
        return False
    if luma.step != 1 or (previous is not None and previous.step != 1):
        return False
    if chroma is not None and not (
        chroma[0].step == chroma[1].step == 2
        and chroma[1].offset == chroma[0].offset + 1
        and chroma[0].pitch >= 2 * chroma[0].width
        and chroma[0].width >= SMALL_CHROMA_COLS
        and chroma[0].height >= SMALL_CHROMA_ROWS
    ):
        return False
    widest = max(luma.width, 2 * chroma[0].width if chroma else 0)
    tallest = max(-(-luma.height // SMALL_ROWS), -(-chroma[0].height // SMALL_CHROMA_ROWS) if chroma else 0)
    return (
        luma.pitch >= luma.width >= SMALL_COLS
        and luma.height >= SMALL_ROWS
        and bit_depth <= _DEEPEST
        and tallest <= _TALLEST_CELL[bit_depth]
        and (-(-widest // TILE_COLS) + 3) * sample_bytes // 4 + 1 < MOST_WORDS
    )


def _inline(code: str) -> Any:
    """A function of three uint32 that is one instruction of the device."""
    from numba.cuda.extending import intrinsic

    @intrinsic
    def instruction(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            word = ir.IntType(32)
            asm = ir.InlineAsm(ir.FunctionType(word, [word] * 3), f"{code} $0, $1, $2, $3;", "=r,r,r,r")
            return builder.call(asm, arguments)

        return types.uint32(types.uint32, types.uint32, types.uint32), generate

    return instruction


if config.ENABLE_CUDASIM:

    def byte_differences(a: Any, b: Any, total: Any) -> Any:
        """Sum of the absolute differences of four bytes each, added to a total; all uint32."""
        a, b = int(a), int(b)
        return uint32(int(total) + sum(abs((a >> at & 255) - (b >> at & 255)) for at in (0, 8, 16, 24)))

    def _products(a: Any, b: Any, total: Any) -> Any:
        """Sum of the products of four bytes each, added to a total; all uint32."""
        a, b = int(a), int(b)
        return uint32(int(total) + sum((a >> at & 255) * (b >> at & 255) for at in (0, 8, 16, 24)))

else:
    byte_differences = _inline("vabsdiff4.u32.u32.u32.add")
    _products = _inline("dp4a.u32.u32")


@cuda.jit(device=True)
def part_mask(low, high):  # type: ignore[no-untyped-def]
    """A mask of the bytes `low` to `high`, exclusive, of a word, of which there is at least one."""
    low, high = max(low, 0), min(high, 4)
    return uint32(uint32(0xFFFFFFFF) << uint32(8 * low)) & uint32(uint32(0xFFFFFFFF) >> uint32(32 - 8 * high))


@cuda.jit(device=True)
def byte_columns(quad, columns, partial, edges, words, offset, pitch, before, before_pitch, thread, threads):  # type: ignore[no-untyped-def]
    """Sums of a tile whose samples are bytes.

    Args:
        quad: uint32: the slab.
        columns: uint32 [CELLS, 2 * MOST_WORDS] in shared memory: gets the sums of each column of samples in a row of
            cells, bytes 0 and 2 of a word in one element, 1 and 3 in the next.
        partial: int64 [features, threads] in shared memory: gets the thread's sums.
        edges: int64 in shared memory: rows 0 and 1 hold where cells begin, down and across.
        words: Words across the tile.
        offset: First sample of the picture.
        pitch: Bytes of a row.
        before: First sample of the picture before; −1 without one.
        before_pitch: Bytes of its rows.
        thread: Number of the thread in its block.
        threads: Of the block.
    """
    left, right = edges[1, 0], edges[1, CELLS]
    even = uint32(0x00FF00FF)
    total, squares, change = uint32(0), uint32(0), uint32(0)
    across, down, edge_across, edge_down = uint32(0), uint32(0), uint32(0), uint32(0)
    step, before_step = uint64(pitch >> 2), uint64(before_pitch >> 2)
    item = thread
    while item < words * CELLS:
        cell = int32(uint32(item) // uint32(words))
        word = item - cell * words
        x = (left & ~3) + 4 * word
        meant = part_mask(left - x, right - x)
        # To the left of the picture there is nothing to differ from.
        inner = meant if x > 0 else meant & uint32(0xFFFFFF00)
        # Edges of blocks lie at multiples of eight, which are first bytes of words.
        edge = uint32(0) if x & 4 else inner & uint32(0xFF)
        y, bottom = int32(edges[0, cell]), int32(edges[0, cell + 1])
        at = uint64((offset + y * pitch + x) >> 2)
        beside = at - uint64(1) if x > 0 else at
        other = uint64((before + y * before_pitch + x) >> 2) if before >= 0 else at
        # Nor above it: the first row is compared with itself.
        above = quad[at - step] & meant if y > 0 else quad[at] & meant
        first, second = uint32(0), uint32(0)
        while y < bottom:
            word_here = quad[at]
            word_left = uint32(word_here << uint32(8)) | uint32(quad[beside] >> uint32(24))
            value = word_here & meant
            squares = _products(value, value, squares)
            first += value & even
            second += uint32(value >> uint32(8)) & even
            across = byte_differences(word_here & inner, word_left & inner, across)
            edge_across = byte_differences(word_here & edge, word_left & edge, edge_across)
            step_down = byte_differences(value, above, uint32(0))
            down += step_down
            if y & 7 == 0:
                edge_down += step_down
            if before >= 0:
                change = byte_differences(value, quad[other] & meant, change)
                other += before_step
            above = value
            at += step
            beside += step
            y += 1
        columns[cell, 2 * word], columns[cell, 2 * word + 1] = first, second
        total += (first & uint32(0xFFFF)) + (first >> uint32(16)) + (second & uint32(0xFFFF)) + (second >> uint32(16))
        item += threads
    partial[_SUM, thread], partial[_SUM_SQUARES, thread], partial[_CHANGE, thread] = total, squares, change
    partial[_GRADIENT_H, thread], partial[_GRADIENT_V, thread] = across, down
    partial[_EDGE_H, thread], partial[_EDGE_V, thread] = edge_across, edge_down


@cuda.jit(device=True)
def pair_differences(a, b):  # type: ignore[no-untyped-def]
    """Sum of the absolute differences of both samples of two words."""
    low = int32(a & uint32(0xFFFF)) - int32(b & uint32(0xFFFF))
    high = int32(a >> uint32(16)) - int32(b >> uint32(16))
    return uint32(abs(low) + abs(high))


@cuda.jit(device=True)
def pair_columns(  # type: ignore[no-untyped-def]
    quad, columns, partial, edges, words, offset, pitch, before, before_pitch, shift, mask, thread, threads
):
    """Sums of a tile whose samples have two bytes; `columns` gets both columns of a word in one element.

    Args:
        quad: As of `byte_columns`.
        columns: uint32 [CELLS, 2 * MOST_WORDS].
        partial: As of `byte_columns`.
        edges: As of `byte_columns`.
        words: Words across the tile.
        offset: In samples, as all that follow.
        pitch: Samples of a row.
        before: −1 without one.
        before_pitch: Samples of a row.
        shift: Insignificant low bits.
        mask: Of the significant ones above them.
        thread: As of `byte_columns`.
        threads: As of `byte_columns`.
    """
    left, right = edges[1, 0], edges[1, CELLS]
    both = uint32(uint32(mask) | uint32(uint32(mask) << uint32(16)))
    low_bits = uint32(shift)
    total, squares, change = uint32(0), uint32(0), uint32(0)
    across, down, edge_across, edge_down = uint32(0), uint32(0), uint32(0), uint32(0)
    step, before_step = uint64(pitch >> 1), uint64(before_pitch >> 1)
    item = thread
    while item < words * CELLS:
        cell = int32(uint32(item) // uint32(words))
        word = item - cell * words
        x = (left & ~1) + 2 * word
        meant = part_mask(2 * (left - x), 2 * (right - x)) & both
        inner = meant if x > 0 else meant & uint32(0xFFFF0000)
        edge = uint32(0) if x & 6 else inner & uint32(0xFFFF)
        y, bottom = int32(edges[0, cell]), int32(edges[0, cell + 1])
        at = uint64((offset + y * pitch + x) >> 1)
        beside = at - uint64(1) if x > 0 else at
        other = uint64((before + y * before_pitch + x) >> 1) if before >= 0 else at
        above = uint32(quad[at - step] >> low_bits) & meant if y > 0 else uint32(quad[at] >> low_bits) & meant
        columns_here = uint32(0)
        while y < bottom:
            word_here = uint32(quad[at] >> low_bits) & both
            word_left = uint32(word_here << uint32(16)) | uint32(
                (uint32(quad[beside] >> low_bits) & both) >> uint32(16)
            )
            value = word_here & meant
            low, high = value & uint32(0xFFFF), value >> uint32(16)
            squares += low * low + high * high
            columns_here += value
            across += pair_differences(word_here & inner, word_left & inner)
            edge_across += pair_differences(word_here & edge, word_left & edge)
            step_down = pair_differences(value, above)
            down += step_down
            if y & 7 == 0:
                edge_down += step_down
            if before >= 0:
                change += pair_differences(value, uint32(quad[other] >> low_bits) & meant)
                other += before_step
            above = value
            at += step
            beside += step
            y += 1
        columns[cell, word] = columns_here
        total += (columns_here & uint32(0xFFFF)) + (columns_here >> uint32(16))
        item += threads
    partial[_SUM, thread], partial[_SUM_SQUARES, thread], partial[_CHANGE, thread] = total, squares, change
    partial[_GRADIENT_H, thread], partial[_GRADIENT_V, thread] = across, down
    partial[_EDGE_H, thread], partial[_EDGE_V, thread] = edge_across, edge_down


@cuda.jit(device=True)
def chroma_columns(quad, columns, partial, edges, words, offset, pitch, sample_bytes, shift, mask, thread, threads):  # type: ignore[no-untyped-def]
    """Sums of a tile of interleaved chroma.

    Args:
        quad: As of `byte_columns`.
        columns: uint32 [CELLS, 2 * MOST_WORDS]: gets the sums of both columns of Cb in a word in one element and those
            of Cr in the next; of samples of two bytes, which have one column a word, both in one element.
        partial: As of `byte_columns`.
        edges: Rows 2 and 3 hold where cells begin, down and across.
        words: Words across the tile.
        offset: First sample of Cb.
        pitch: Samples of a row, those of Cb and Cr.
        sample_bytes: 1 or 2.
        shift: Insignificant low bits.
        mask: Of the significant ones above them.
        thread: As of `byte_columns`.
        threads: As of `byte_columns`.
    """
    left, right = 2 * sample_bytes * edges[3, 0], 2 * sample_bytes * edges[3, CHROMA_CELLS]
    even = uint32(0x00FF00FF)
    both, low_bits = uint32(uint32(mask) | uint32(uint32(mask) << uint32(16))), uint32(shift)
    blue, red = uint32(0), uint32(0)
    step = uint64(pitch * sample_bytes >> 2)
    item = thread
    while item < words * CHROMA_CELLS:
        cell = int32(uint32(item) // uint32(words))
        word = item - cell * words
        place = (left & ~3) + 4 * word
        meant = part_mask(left - place, right - place)
        y, bottom = int32(edges[2, cell]), int32(edges[2, cell + 1])
        at = uint64(((offset + y * pitch) * sample_bytes + place) >> 2)
        first, second = uint32(0), uint32(0)
        if sample_bytes == 1:
            while y < bottom:
                value = quad[at] & meant
                first += value & even
                second += uint32(value >> uint32(8)) & even
                at += step
                y += 1
            columns[cell, 2 * word], columns[cell, 2 * word + 1] = first, second
            blue += (first & uint32(0xFFFF)) + (first >> uint32(16))
            red += (second & uint32(0xFFFF)) + (second >> uint32(16))
        else:
            while y < bottom:
                first += uint32(quad[at] >> low_bits) & both & meant
                at += step
                y += 1
            columns[cell, word] = first
            blue += first & uint32(0xFFFF)
            red += first >> uint32(16)
        item += threads
    partial[_CB, thread], partial[_CB + 1, thread] = blue, red


@cuda.jit(device=True)
def column_sum(columns, cell, start, end, base, spacing, sample_bytes):  # type: ignore[no-untyped-def]
    """Sum of a cell's columns.

    Args:
        columns: As the functions above left them.
        cell: Row of cells.
        start: First sample of the cell in its row, counted with those that lie between its own.
        end: Behind its last.
        base: First sample of the tile's first word.
        spacing: 1, or 2 where samples of two planes alternate.
        sample_bytes: 1 or 2.
    """
    total = uint32(0)
    place, last = int32(start - base), int32(end - base)
    while place < last:
        if sample_bytes == 1:
            pair = columns[cell, 2 * (place >> 2) + (place & 1)]
            total += uint32(pair >> uint32(8 * (place & 2))) & uint32(0xFFFF)
        else:
            pair = columns[cell, place >> 1]
            total += uint32(pair >> uint32(16 * (place & 1))) & uint32(0xFFFF)
        place += spacing
    return total
