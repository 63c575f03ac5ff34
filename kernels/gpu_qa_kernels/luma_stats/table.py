"""The table that tells the CUDA kernel of `luma_stats` where its pictures lie and how they are to be read."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa_kernels.luma_stats.contract import histogram_lattice
from gpu_qa_kernels.luma_stats.words import lies_on_words

if TYPE_CHECKING:
    from gpu_qa_kernels import PlaneLike

__all__ = ["Column", "described"]


class Column(IntEnum):
    """Columns of the table of frames, int64 [N, 20]. Offsets, pitches and steps are in samples, not bytes."""

    OFFSET = 0
    """First luma sample, counted in samples from the slab's start."""
    PITCH = 1
    WIDTH = 2
    HEIGHT = 3
    PREVIOUS = 4
    """First luma sample of the frame before; −1 where there is none."""
    PREVIOUS_PITCH = 5
    KEPT = 6
    """Row of `kept` with the small picture of the frame before, which this frame's replaces."""
    CB = 7
    """First sample of Cb; −1 without chroma."""
    CR = 8
    CHROMA_PITCH = 9
    CHROMA_STEP = 10
    CHROMA_WIDTH = 11
    CHROMA_HEIGHT = 12
    SAMPLE_BYTES = 13
    """1 or 2."""
    SHIFT = 14
    BIT_DEPTH = 15
    LATTICE_SHIFT = 16
    """Of `histogram_lattice`."""
    STEP = 17
    LATTICE_STEP = 18
    ON_WORDS = 19
    """1 where the picture can be read by words (`lies_on_words`)."""


def described(
    luma: PlaneLike,
    chroma: tuple[PlaneLike, PlaneLike] | None,
    *,
    bit_depth: int,
    shift: int,
    sample_bytes: int,
    previous: PlaneLike | None = None,
    kept: int = 0,
) -> np.ndarray:
    """A row of the kernel's table, int64 [20].

    Args:
        luma: The picture; offsets, pitches and steps in samples from the slab's start.
        chroma: Cb and Cr, which have one pitch, step and size; null for a grey picture.
        bit_depth: Significant bits, 8 to 16.
        shift: Insignificant low bits below them.
        sample_bytes: 1 or 2.
        previous: Luma of the picture before in the same slab; null where there is none.
        kept: Row of `kept` with the previous picture's small one, and for this one's.
    """
    row = np.zeros(len(Column), np.int64)
    row[Column.OFFSET], row[Column.PITCH], row[Column.STEP] = luma.offset, luma.pitch, luma.step
    row[Column.WIDTH], row[Column.HEIGHT] = luma.width, luma.height
    row[Column.PREVIOUS], row[Column.PREVIOUS_PITCH] = (previous.offset, previous.pitch) if previous else (-1, 0)
    row[Column.KEPT] = kept
    row[Column.CB], row[Column.CR] = (chroma[0].offset, chroma[1].offset) if chroma else (-1, -1)
    if chroma:
        row[Column.CHROMA_PITCH], row[Column.CHROMA_STEP] = chroma[0].pitch, chroma[0].step
        row[Column.CHROMA_WIDTH], row[Column.CHROMA_HEIGHT] = chroma[0].width, chroma[0].height
    row[Column.SAMPLE_BYTES], row[Column.SHIFT], row[Column.BIT_DEPTH] = sample_bytes, shift, bit_depth
    row[Column.ON_WORDS] = lies_on_words(luma, chroma, previous, bit_depth=bit_depth, sample_bytes=sample_bytes)
    row[Column.LATTICE_STEP], row[Column.LATTICE_SHIFT] = histogram_lattice(luma.width, luma.height)
    return row
