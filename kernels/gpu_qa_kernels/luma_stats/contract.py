"""What `luma_stats` takes and gives, shared by its three implementations."""

from __future__ import annotations

import math
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa_kernels import SMALL_CHROMA_COLS, SMALL_CHROMA_ROWS, SMALL_COLS, SMALL_ROWS, TILE_COLS, TILE_ROWS

if TYPE_CHECKING:
    from gpu_qa_kernels import PlaneLike

__all__ = [
    "HISTOGRAM_BINS",
    "SMALL_GREY",
    "Feature",
    "LumaStats",
    "check_picture",
    "empty_luma_stats",
    "feature_counts",
    "histogram_lattice",
    "part_edges",
    "planar",
]

HISTOGRAM_BINS = 256
SMALL_GREY = 128 * 256
"""What the small chroma of a picture without chroma holds."""


class Feature(IntEnum):
    """What is summed over each tile; v(y, x) is a luma code value. Terms that reach out of the picture are left out."""

    SUM = 0
    """Σ v."""
    SUM_SQUARES = 1
    """Σ v²."""
    CHANGE = 2
    """Σ |v − previous v|; 0 without a previous picture."""
    COARSE_CHANGE = 3
    """Σ |small − previous small| over the tile's 8 × 8 cells; 0 without a previous picture."""
    GRADIENT_H = 4
    """Σ |v(y, x) − v(y, x − 1)|."""
    GRADIENT_V = 5
    """Σ |v(y, x) − v(y − 1, x)|."""
    EDGE_H = 6
    """The terms of GRADIENT_H with x divisible by 8."""
    EDGE_V = 7
    """The terms of GRADIENT_V with y divisible by 8."""
    CB = 8
    """Σ of the first chroma plane, whose own size is cut into the same tiles; 0 without chroma."""
    CR = 9
    """Σ of the second chroma plane."""
    SEAM_H0 = 10
    """Σ over x ≡ 0 (mod 16), 2 ≤ x < width − 1, of max(0, d(x) − max(d(x − 1), d(x + 1))), where
    d(x) = |v(y, x) − v(y, x − 1)|: a step that stands out from both beside it, on the grid of macroblocks."""
    SEAM_H8 = 11
    """The same over x ≡ 8 (mod 16): between the lines of that grid, on that of 8 samples."""
    SEAM_H4 = 12
    """The same over x ≡ 4 (mod 16): off both grids."""
    SEAM_V0 = 13
    """The same down the columns: over y ≡ 0 (mod 16), 2 ≤ y < height − 1, of the steps between rows."""
    SEAM_V8 = 14
    """Over y ≡ 8 (mod 16)."""
    SEAM_V4 = 15
    """Over y ≡ 4 (mod 16)."""
    COMB = 16
    """Σ over 1 ≤ y < height − 1 of max(0, min(|a|, |b|) − |v(y − 1, x) − v(y + 1, x)|) where a = v − v(y − 1, x) and
    b = v − v(y + 1, x) have the same sign: a line unlike both beside it, which are alike."""
    FIELD_EVEN = 17
    """Σ over even y of |v(y, x) − previous v(y + 1, x)|; 0 without a previous picture."""
    FIELD_ODD = 18
    """Σ over odd y of |v(y, x) − previous v(y − 1, x)|; 0 without a previous picture."""


class LumaStats(NamedTuple):
    """The measures of one picture."""

    tiles: np.ndarray
    """int64 [24, 42, 19]: sums per tile, last axis by `Feature`."""
    histogram: np.ndarray
    """int64 [256]: luma samples per 1/256 of the code range, of those on the `histogram_lattice`."""
    small: np.ndarray
    """uint16 [192, 336]: mean luma per cell in 1/256 of an 8-bit code, rounded down."""
    small_chroma: np.ndarray
    """uint16 [2, 96, 168]: mean Cb and Cr likewise; 128 · 256 where there is no chroma."""


def empty_luma_stats() -> LumaStats:
    """Arrays to measure into, contents undefined."""
    return LumaStats(
        np.empty((TILE_ROWS, TILE_COLS, len(Feature)), np.int64),
        np.empty(HISTOGRAM_BINS, np.int64),
        np.empty((SMALL_ROWS, SMALL_COLS), np.uint16),
        np.empty((2, SMALL_CHROMA_ROWS, SMALL_CHROMA_COLS), np.uint16),
    )


def histogram_lattice(width: int, height: int) -> tuple[int, int]:
    """Which samples the histogram counts: those with x ≡ shift · y modulo step; returned as (step, shift).

    Every row and every column has some, which are spread as in a square lattice, so that stripes cannot hide between
    them. About 57,600 samples, of a picture of 1080 rows one in 36, give the share of any area to a fraction of a
    percent; counting them all would take as long as all other measures together.
    """
    step = max(1, round(width * height / 57_600))
    shift = math.isqrt(step) + 1
    while math.gcd(step, shift) > 1:
        shift += 1
    return step, shift


def part_edges(samples: int, parts: int) -> np.ndarray:
    """Where `parts` even parts of a side of `samples` begin and end, as int64 [parts + 1]."""
    return np.arange(parts + 1, dtype=np.int64) * samples // parts


def _lines(samples: int, parts: int, first: int, every: int, last: int = 0) -> np.ndarray:
    """How many of the positions first, first + every, …, but for the `last` ones of the side, lie in each part.

    Returns:
        int64 [parts].
    """
    marks = np.zeros(samples + 1, np.int64)
    marks[first + 1 : samples + 1 - last : every] = 1
    return np.diff(marks.cumsum()[part_edges(samples, parts)])


@lru_cache(maxsize=64)
def feature_counts(width: int, height: int, chroma_width: int = 0, chroma_height: int = 0) -> np.ndarray:
    """How many terms each tile's sums have, to make means of them: int64 [24, 42, 19], read-only, 0 where it has none.

    Those that need a previous picture are counted as with one. The chroma size is 0 without chroma.
    """
    rows, cols = np.diff(part_edges(height, TILE_ROWS)), np.diff(part_edges(width, TILE_COLS))
    counts = np.empty((TILE_ROWS, TILE_COLS, len(Feature)), np.int64)
    for feature in (Feature.SUM, Feature.SUM_SQUARES, Feature.CHANGE):
        counts[..., feature] = np.outer(rows, cols)
    counts[..., Feature.COARSE_CHANGE] = 64
    counts[..., Feature.GRADIENT_H] = np.outer(rows, _lines(width, TILE_COLS, 1, 1))
    counts[..., Feature.GRADIENT_V] = np.outer(_lines(height, TILE_ROWS, 1, 1), cols)
    counts[..., Feature.EDGE_H] = np.outer(rows, _lines(width, TILE_COLS, 8, 8))
    counts[..., Feature.EDGE_V] = np.outer(_lines(height, TILE_ROWS, 8, 8), cols)
    chroma_rows = np.diff(part_edges(chroma_height, TILE_ROWS))
    chroma_cols = np.diff(part_edges(chroma_width, TILE_COLS))
    for feature in (Feature.CB, Feature.CR):
        counts[..., feature] = np.outer(chroma_rows, chroma_cols)
    for across, down, first in (
        (Feature.SEAM_H0, Feature.SEAM_V0, 16),
        (Feature.SEAM_H8, Feature.SEAM_V8, 8),
        (Feature.SEAM_H4, Feature.SEAM_V4, 4),
    ):
        counts[..., across] = np.outer(rows, _lines(width, TILE_COLS, first, 16, 1))
        counts[..., down] = np.outer(_lines(height, TILE_ROWS, first, 16, 1), cols)
    counts[..., Feature.COMB] = np.outer(_lines(height, TILE_ROWS, 1, 1, 1), cols)
    counts[..., Feature.FIELD_EVEN] = np.outer(_lines(height, TILE_ROWS, 0, 2, 1), cols)
    counts[..., Feature.FIELD_ODD] = np.outer(_lines(height, TILE_ROWS, 1, 2), cols)
    counts.setflags(write=False)
    return counts


def _check_plane(name: str, plane: PlaneLike, data: np.ndarray, dtype: np.dtype[np.generic]) -> None:
    """Raise `ValueError` where a plane reaches out of its memory."""
    if plane.data.dtype != dtype or data.ndim != 1:
        raise ValueError(f"{name}: expected 1-D {dtype}, got {data.ndim}-D {data.dtype}")
    if plane.width < 1 or plane.height < 1 or plane.step < 1:
        raise ValueError(f"{name}: {plane.width} × {plane.height} with step {plane.step} is no picture")
    down = (plane.height - 1) * plane.pitch
    if plane.offset + min(0, down) < 0 or plane.offset + max(0, down) + (plane.width - 1) * plane.step >= len(data):
        raise ValueError(f"{name}: reaches out of its {len(data)} elements")


def check_picture(
    luma: PlaneLike,
    chroma: tuple[PlaneLike, PlaneLike] | None,
    bit_depth: int,
    shift: int,
    previous: PlaneLike | None,
    previous_small: np.ndarray | None,
) -> None:
    """Raise `ValueError` where the arguments of `luma_stats` do not describe a picture in memory."""
    dtype = luma.data.dtype
    if dtype == np.uint8:
        if bit_depth != 8 or shift != 0:
            raise ValueError(f"uint8 holds 8 bits without a shift, not {bit_depth} with {shift}")
    elif dtype != np.uint16 or not 8 <= bit_depth <= 16 - shift or shift < 0:
        raise ValueError(f"cannot read {bit_depth} bits with a shift of {shift} from {dtype}")
    _check_plane("luma", luma, luma.data, dtype)
    if (previous is None) != (previous_small is None):
        raise ValueError("a previous picture needs both its luma and its small picture")
    if previous is not None and previous_small is not None:
        _check_plane("previous luma", previous, previous.data, dtype)
        if (previous.width, previous.height) != (luma.width, luma.height):
            raise ValueError("the previous picture has another size")
        if previous_small.shape != (SMALL_ROWS, SMALL_COLS) or previous_small.dtype != np.uint16:
            raise ValueError("the previous small picture is not uint16 [192, 336]")
    if chroma is not None:
        _check_plane("cb", chroma[0], chroma[0].data, dtype)
        _check_plane("cr", chroma[1], chroma[1].data, dtype)


def planar(plane: PlaneLike) -> tuple[np.ndarray, int, int]:
    """Data, offset and pitch of a plane with step 1, copied where it has another (packed formats)."""
    if plane.step == 1:
        return plane.data, plane.offset, plane.pitch
    size = plane.data.itemsize
    samples = np.lib.stride_tricks.as_strided(
        plane.data[plane.offset :], (plane.height, plane.width), (plane.pitch * size, plane.step * size)
    )
    return np.ascontiguousarray(samples).ravel(), 0, plane.width
