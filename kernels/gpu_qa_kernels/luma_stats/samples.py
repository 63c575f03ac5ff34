"""Tiles read sample by sample, for `luma_stats` on a CUDA device: those of pictures that do not lie on words."""

from __future__ import annotations

from numba import cuda, int32, int64

from gpu_qa_kernels.luma_stats.contract import Feature
from gpu_qa_kernels.luma_stats.seam_words import comb, seam

__all__ = ["cell_mean", "code", "sample_seams"]

_SEAM_H0, _SEAM_H8, _SEAM_H4 = int(Feature.SEAM_H0), int(Feature.SEAM_H8), int(Feature.SEAM_H4)
_SEAM_V0, _SEAM_V8, _SEAM_V4 = int(Feature.SEAM_V0), int(Feature.SEAM_V8), int(Feature.SEAM_V4)
_COMB, _FIELD_EVEN, _FIELD_ODD = int(Feature.COMB), int(Feature.FIELD_EVEN), int(Feature.FIELD_ODD)


@cuda.jit(device=True)
def code(slab, wide, index, sample_bytes, shift, mask):  # type: ignore[no-untyped-def]
    """A sample as a code value."""
    if sample_bytes == 1:
        return int32(slab[index])
    return (int32(wide[index]) >> shift) & mask


@cuda.jit(device=True)
def cell_mean(slab, wide, first, pitch, step, top, bottom, left, right, sample_bytes, shift, mask, scale):  # type: ignore[no-untyped-def]
    """Mean of a cell times 2^scale, rounded down."""
    total = int64(0)
    y = top
    while y < bottom:
        x = left
        while x < right:
            total += code(slab, wide, first + y * pitch + x * step, sample_bytes, shift, mask)
            x += 1
        y += 1
    return (total << scale) // ((bottom - top) * (right - left))


@cuda.jit(device=True)
def _line(slab, wide, first, apart, sample_bytes, shift, mask):  # type: ignore[no-untyped-def]
    """The seam before the sample at `first`; samples are `apart` from one another."""
    return seam(
        code(slab, wide, first - 2 * apart, sample_bytes, shift, mask),
        code(slab, wide, first - apart, sample_bytes, shift, mask),
        code(slab, wide, first, sample_bytes, shift, mask),
        code(slab, wide, first + apart, sample_bytes, shift, mask),
    )


@cuda.jit(device=True)
def sample_seams(  # type: ignore[no-untyped-def]
    slab, wide, partial, top, bottom, left, right, offset, pitch, step, before, before_pitch, width, height,
    sample_bytes, shift, mask, lane, line, lanes, lines,
):  # fmt: skip
    """What `word_seams` sums, sample by sample."""
    across_0, across_8, across_4 = int64(0), int64(0), int64(0)
    down_0, down_8, down_4 = int64(0), int64(0), int64(0)
    combs, even, odd = int64(0), int64(0), int64(0)
    y = top + line
    while y < bottom:
        x = left + lane
        while x < right:
            at = offset + y * pitch + x * step
            value = code(slab, wide, at, sample_bytes, shift, mask)
            if x & 3 == 0 and x & 15 != 12 and 2 <= x < width - 1:
                found = _line(slab, wide, at, step, sample_bytes, shift, mask)
                if x & 15 == 0:
                    across_0 += found
                elif x & 15 == 8:
                    across_8 += found
                else:
                    across_4 += found
            if y & 3 == 0 and y & 15 != 12 and 2 <= y < height - 1:
                found = _line(slab, wide, at, pitch, sample_bytes, shift, mask)
                if y & 15 == 0:
                    down_0 += found
                elif y & 15 == 8:
                    down_8 += found
                else:
                    down_4 += found
            if 1 <= y < height - 1:
                above = code(slab, wide, at - pitch, sample_bytes, shift, mask)
                below = code(slab, wide, at + pitch, sample_bytes, shift, mask)
                combs += comb(above, value, below)
            if before >= 0 and y ^ 1 < height:
                other = code(slab, wide, before + (y ^ 1) * before_pitch + x * step, sample_bytes, shift, mask)
                if y & 1:
                    odd += abs(value - other)
                else:
                    even += abs(value - other)
            x += lanes
        y += lines
    thread = line * lanes + lane
    partial[_SEAM_H0, thread], partial[_SEAM_H8, thread], partial[_SEAM_H4, thread] = across_0, across_8, across_4
    partial[_SEAM_V0, thread], partial[_SEAM_V8, thread], partial[_SEAM_V4, thread] = down_0, down_8, down_4
    partial[_COMB, thread], partial[_FIELD_EVEN, thread], partial[_FIELD_ODD, thread] = combs, even, odd
