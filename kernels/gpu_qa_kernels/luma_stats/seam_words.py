"""Seams, combs and fields by words of four bytes: what the CUDA kernel sums where a picture lies on words.

As in `words.py` a thread takes a column of words and walks down the rows of a cell of the small picture. It knows the
word above already and reads the one below ahead. By then these words are in the cache: this walk comes behind the one
of `byte_columns` or `pair_columns`, whose registers it does not share.
"""

from __future__ import annotations

from numba import cuda, int32, uint32, uint64

from gpu_qa_kernels.luma_stats.contract import Feature
from gpu_qa_kernels.luma_stats.words import CELLS, byte_differences, pair_differences, part_mask

__all__ = ["comb", "seam", "word_seams"]

_SEAM_H0, _SEAM_H8, _SEAM_H4 = int(Feature.SEAM_H0), int(Feature.SEAM_H8), int(Feature.SEAM_H4)
_SEAM_V0, _SEAM_V8, _SEAM_V4 = int(Feature.SEAM_V0), int(Feature.SEAM_V8), int(Feature.SEAM_V4)
_COMB, _FIELD_EVEN, _FIELD_ODD = int(Feature.COMB), int(Feature.FIELD_EVEN), int(Feature.FIELD_ODD)


@cuda.jit(device=True)
def seam(a, b, c, d):  # type: ignore[no-untyped-def]
    """By how much the step from b to c stands out from those beside it."""
    return max(abs(c - b) - max(abs(b - a), abs(d - c)), 0)


@cuda.jit(device=True)
def comb(above, here, below):  # type: ignore[no-untyped-def]
    """By how much more a sample differs from both beside it, to one side, than these do."""
    high, low = max(above, below), min(above, below)
    return max(max(here - high, low - here) - (high - low), 0)


@cuda.jit(device=True)
def _sample(word, at, mask):  # type: ignore[no-untyped-def]
    """The sample of a word that begins at a bit."""
    return int32(uint32(word >> uint32(at)) & uint32(mask))


@cuda.jit(device=True)
def word_seams(  # type: ignore[no-untyped-def]
    quad, partial, edges, words, offset, pitch, before, before_pitch, width, height, sample_bytes, shift, mask,
    thread, threads,
):  # fmt: skip
    """Sums of a tile.

    Args:
        quad: uint32: the slab.
        partial: int64 [features, threads] in shared memory: gets the thread's sums.
        edges: int64 in shared memory: rows 0 and 1 hold where cells begin, down and across.
        words: Words across the tile.
        offset: First sample of the picture.
        pitch: Samples of a row.
        before: First sample of the picture before; −1 without one.
        before_pitch: Samples of its rows.
        width: Of the picture.
        height: Of the picture.
        sample_bytes: 1 or 2.
        shift: Insignificant low bits.
        mask: Of the significant ones above them.
        thread: Number of the thread in its block.
        threads: Of the block.
    """
    left, right = edges[1, 0], edges[1, CELLS]
    per_word, bits = int32(4 // sample_bytes), int32(8 * sample_bytes)
    low_bits, both = uint32(shift), uint32(mask)
    across_0, across_8, across_4 = uint32(0), uint32(0), uint32(0)
    down_0, down_8, down_4 = uint32(0), uint32(0), uint32(0)
    combs, even, odd = uint32(0), uint32(0), uint32(0)
    step, before_step = uint64(pitch // per_word), uint64(before_pitch // per_word)
    item = thread
    while item < words * CELLS:
        cell = int32(uint32(item) // uint32(words))
        word = item - cell * words
        x = (left // per_word + word) * per_word
        meant = part_mask((left - x) * sample_bytes, (right - x) * sample_bytes)
        # Lines of the grids lie at multiples of four, which are first samples of words.
        is_line = x >= left and x & 3 == 0 and x & 15 != 12 and 2 <= x < width - 1
        y, bottom = int32(edges[0, cell]), int32(edges[0, cell + 1])
        at = uint64((offset + y * pitch + x) // per_word)
        other = uint64((before + y * before_pitch + x) // per_word) if before >= 0 else at
        here = uint32(quad[at] >> low_bits)
        above = uint32(quad[at - step] >> low_bits) if y > 0 else here
        across = uint32(0)
        while y < bottom:
            is_inner = 0 < y < height - 1
            below = uint32(quad[at + step] >> low_bits) if y < height - 1 else here
            if is_line:
                beside = uint32(quad[at - uint64(1)] >> low_bits)
                if sample_bytes == 1:
                    across += uint32(
                        seam(_sample(beside, 16, 255), _sample(beside, 24, 255), _sample(here, 0, 255),
                             _sample(here, 8, 255))
                    )  # fmt: skip
                else:
                    across += uint32(
                        seam(_sample(beside, 0, both), _sample(beside, 16, both), _sample(here, 0, both),
                             _sample(here, 16, both))
                    )  # fmt: skip
            if is_inner:
                now, upper, lower = here & meant, above & meant, below & meant
                bit = int32(0)
                while bit < 32:
                    combs += uint32(comb(_sample(upper, bit, both), _sample(now, bit, both), _sample(lower, bit, both)))
                    bit += bits
                if y & 3 == 0 and y & 15 != 12 and y >= 2:
                    upmost = uint32(quad[at - uint64(2) * step] >> low_bits) & meant
                    total = uint32(0)
                    bit = int32(0)
                    while bit < 32:
                        total += uint32(
                            seam(_sample(upmost, bit, both), _sample(upper, bit, both), _sample(now, bit, both),
                                 _sample(lower, bit, both))
                        )  # fmt: skip
                        bit += bits
                    if y & 15 == 0:
                        down_0 += total
                    elif y & 15 == 8:
                        down_8 += total
                    else:
                        down_4 += total
            if before >= 0:
                is_odd = y & 1 == 1
                if is_odd or y < height - 1:
                    beside = uint32(quad[other - before_step if is_odd else other + before_step] >> low_bits)
                    if sample_bytes == 1:
                        change = byte_differences(here & meant, beside & meant, uint32(0))
                    else:
                        kept = uint32(both | uint32(both << uint32(16))) & meant
                        change = pair_differences(here & kept, beside & kept)
                    if is_odd:
                        odd += change
                    else:
                        even += change
                other += before_step
            above = here
            here = below
            at += step
            y += 1
        if x & 15 == 0:
            across_0 += across
        elif x & 15 == 8:
            across_8 += across
        else:
            across_4 += across
        item += threads
    partial[_SEAM_H0, thread], partial[_SEAM_H8, thread], partial[_SEAM_H4, thread] = across_0, across_8, across_4
    partial[_SEAM_V0, thread], partial[_SEAM_V8, thread], partial[_SEAM_V4, thread] = down_0, down_8, down_4
    partial[_COMB, thread], partial[_FIELD_EVEN, thread], partial[_FIELD_ODD, thread] = combs, even, odd
