"""`seam_profile` on a CUDA device: some pictures of a table of `luma_stats`, of any sizes and depths, in one launch.

A block takes a part of a picture, a thread a column of it. The sums of columns and rows that reach over several blocks
are added up with atomic additions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba import cuda, int32, int64

from gpu_qa_kernels.luma_stats.seam_words import seam
from gpu_qa_kernels.luma_stats.table import Column

if TYPE_CHECKING:
    from typing import Any

__all__ = ["BLOCK", "ROWS", "blocks", "seam_profile_device", "seam_profile_kernel"]

BLOCK = 128
"""Threads of a block, and columns that it takes."""
ROWS = 64
"""Rows that a block takes."""

_OFFSET, _PITCH, _STEP = int(Column.OFFSET), int(Column.PITCH), int(Column.STEP)
_WIDTH, _HEIGHT = int(Column.WIDTH), int(Column.HEIGHT)
_SAMPLE_BYTES, _SHIFT, _BIT_DEPTH = int(Column.SAMPLE_BYTES), int(Column.SHIFT), int(Column.BIT_DEPTH)


def blocks(width: int, height: int) -> int:
    """Blocks that a picture needs."""
    return -(-width // BLOCK) * -(-height // ROWS)


@cuda.jit(device=True)
def _code(slab, wide, index, sample_bytes, shift, mask):  # type: ignore[no-untyped-def]
    """A sample as a code value."""
    if sample_bytes == 1:
        return int32(slab[index])
    return (int32(wide[index]) >> shift) & mask


@cuda.jit
def seam_profile_kernel(slab, wide, table, looks, first_look, out):  # type: ignore[no-untyped-def]
    """Add to the profiles in `out`, zeros at first; grid (most `blocks` of a picture, pictures), block `BLOCK`."""
    look = first_look + cuda.blockIdx.y
    frame, place = looks[look, 0], looks[look, 1]
    width, height = table[frame, _WIDTH], table[frame, _HEIGHT]
    offset, pitch, step = table[frame, _OFFSET], table[frame, _PITCH], table[frame, _STEP]
    sample_bytes, shift = table[frame, _SAMPLE_BYTES], table[frame, _SHIFT]
    mask = (1 << table[frame, _BIT_DEPTH]) - 1
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    parts = (width + BLOCK - 1) // BLOCK
    part = cuda.blockIdx.x
    left, top = part % parts * BLOCK, part // parts * ROWS
    bottom = min(top + ROWS, height)
    rows = cuda.shared.array(ROWS, int32)
    index = thread
    while index < ROWS:
        rows[index] = 0
        index += threads
    cuda.syncthreads()
    x = left + thread
    while x < min(left + BLOCK, width):
        across = int64(0)
        y = top
        while y < bottom:
            at = offset + y * pitch + x * step
            here = _code(slab, wide, at, sample_bytes, shift, mask)
            if 2 <= x < width - 1:
                across += seam(
                    _code(slab, wide, at - 2 * step, sample_bytes, shift, mask),
                    _code(slab, wide, at - step, sample_bytes, shift, mask),
                    here,
                    _code(slab, wide, at + step, sample_bytes, shift, mask),
                )
            if 2 <= y < height - 1:
                found = seam(
                    _code(slab, wide, at - 2 * pitch, sample_bytes, shift, mask),
                    _code(slab, wide, at - pitch, sample_bytes, shift, mask),
                    here,
                    _code(slab, wide, at + pitch, sample_bytes, shift, mask),
                )
                if found > 0:
                    cuda.atomic.add(rows, y - top, found)
            y += 1
        if across > 0:
            cuda.atomic.add(out, place + x, across)
        x += threads
    cuda.syncthreads()
    index = thread
    while index < bottom - top:
        if rows[index] > 0:
            cuda.atomic.add(out, place + width + top + index, int64(rows[index]))
        index += threads


def seam_profile_device(
    slab: Any, wide: Any, table: Any, looks: Any, out: Any, most_blocks: int, first: int, count: int
) -> None:
    """Profiles of pictures in one launch; returns before it has run.

    Args:
        slab: uint8 [B]: device memory that holds all pictures (anything with the CUDA array interface).
        wide: uint16 [B / 2]: the same memory.
        table: int64 [N, 20]: a row per picture as `luma_stats.table.described` makes them.
        looks: int64 [L, 2]: per picture its row in the table, and where its results begin.
        out: int64: added to, zeros at first: the profile across, width numbers, and behind it that down.
        most_blocks: What `blocks` says of the largest of the pictures.
        first: First row of `looks` to measure.
        count: How many.
    """
    seam_profile_kernel[(most_blocks, count), BLOCK](slab, wide, table, looks, first, out)
