"""Measures of the picture, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class VideoSeries:
    """Measures of T consecutive frames of one format on the fixed grid of tiles.

    Tile measures are means over a tile's samples; luma ones are fractions of full scale, where 0 is black and 1 is
    white of the frame's own color range (limited range: code 16 → 0, 235 → 1 at 8 bit), not clipped.
    """

    pts_s: np.ndarray
    """float64 [T]."""
    end_s: np.ndarray
    """float64 [T]: when the frame gives way to the next one, as far as known (its own duration else)."""
    luma: np.ndarray
    """float32 [T, R, K]: mean luma."""
    luma_std: np.ndarray
    """float32 [T, R, K]: standard deviation of luma within the tile."""
    change: np.ndarray
    """float32 [T, R, K]: mean absolute difference to the frame before; 0 where `comparable` is false."""
    coarse_change: np.ndarray
    """float32 [T, R, K]: the same between the area-averaged small pictures, in which noise is averaged out."""
    gradient: np.ndarray
    """float32 [T, 2, R, K]: mean absolute difference to the left (0) and upper (1) neighbour."""
    block_edge: np.ndarray
    """float32 [T, 2, R, K]: the same on the 8-sample grid only."""
    seam: np.ndarray
    """float32 [T, 2, 3, R, K]: by how much steps across (0) and down (1) stand out from those on both their sides,
    mean over grid lines of every 16 samples (0), over the lines midway between those (1), and over lines 4 after the
    former, which lie on no codec's grid (2); 0 where a tile has no such line."""
    luma_cells: np.ndarray
    """float32 [T, R / 2, K / 2]: mean of `luma` over cells of two by two tiles; so are the other cells."""
    chroma_cells: np.ndarray
    """float32 [T, 2, R / 2, K / 2]: of `chroma`."""
    coarse_cells: np.ndarray
    """float32 [T, R / 2, K / 2]: of `coarse_change`."""
    gradient_cells: np.ndarray
    """float32 [T, 2, R / 2, K / 2]: of `gradient`."""
    seam_cells: np.ndarray
    """float32 [T, 2, 3, R / 2, K / 2]: of `seam`."""
    comb: np.ndarray
    """float32 [T, R, K]: by how much more a line differs from both beside it than these differ from one another."""
    field_change: np.ndarray
    """float32 [T, 2, R, K]: mean absolute difference of even lines (0) to the line below in the frame before, of odd
    ones (1) to the line above; 0 where `comparable` is false."""
    grid: np.ndarray
    """float32 [T, 2, 2]: the strongest periodic grid of steps across (0) and down (1) in the whole frame, as its period
    in samples, 6…64, perhaps fractional, and its strength: the mean by which steps on its lines stand out more than
    others. Both are 0 where no grid stands out from chance, and NaN in frames that were not looked at: one in 0.9 s is.
    """
    chroma: np.ndarray
    """float32 [T, 2, R, K]: mean Cb and Cr, −0.5…0.5, 0 is grey."""
    histogram: np.ndarray
    """float32 [T, 256]: share of samples per 1/256 of the code range (raw codes, not full-scale fractions)."""
    comparable: np.ndarray
    """bool [T]: the frame before exists and has the same format."""
    is_corrupt: np.ndarray
    """bool [T]: the decoder concealed damage."""
    damaged: np.ndarray
    """bool [T]: decoder or transport reported damage of the track at the frame or since the one before."""
    is_key: np.ndarray
    """bool [T]."""
    small: np.ndarray
    """uint16 [T, 192, 336]: area-averaged luma in 1/256 of an 8-bit code."""
    small_chroma: np.ndarray
    """uint16 [T, 2, 96, 168]: area-averaged Cb, Cr in 1/256 of an 8-bit code; 128 · 256 is grey."""
    black_code: float
    """8-bit code of black (16 or 0)."""
    white_code: float
    """8-bit code of white (235 or 255)."""
    display_aspect_ratio: float
    """Width over height of the picture as shown."""
    transfer: Literal["sdr", "pq", "hlg"] = "sdr"
    """How code values become light: `pq` and `hlg` as in ITU-R BT.2100-2, `sdr` all else (ITU-R BT.1886)."""
    color_space: str | None = None
    """Matrix coefficients such as `bt709`; null where the stream does not say."""
    interlaced: bool = False
    """The lines are two fields of different times, woven."""
    top_field_first: bool | None = None
    """Which field the stream says is shown first; null where it is not interlaced or does not say."""
    motion: np.ndarray | None = None
    """float32 [T, 8, R, K]: sums over the tiles of `small` by `motion_tiles`; null where nothing that runs asks for
    them."""

    def __len__(self) -> int:
        return len(self.pts_s)

    @cached_property
    def median_luma(self) -> np.ndarray:
        """float32 [T]: median of the tiles' luma; made when a detector first asks, for all of them."""
        return _median(self.luma.reshape(len(self), -1))

    @cached_property
    def median_chroma(self) -> np.ndarray:
        """float32 [T, 2]: medians of the tiles' Cb and Cr."""
        return _median(self.chroma.reshape(len(self), 2, -1))


def _median(values: np.ndarray) -> np.ndarray:
    """Median along the last axis. Sorting with the processor's vectors is faster than `np.median`."""
    ordered, count = np.sort(values, axis=-1), values.shape[-1]
    return np.asarray((ordered[..., (count - 1) // 2] + ordered[..., count // 2]) / 2)
