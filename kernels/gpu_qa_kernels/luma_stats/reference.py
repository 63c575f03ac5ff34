"""The definition of `luma_stats`, in NumPy: clear, slow, and what the other implementations must equal bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpu_qa_kernels import SMALL_CHROMA_COLS, SMALL_CHROMA_ROWS, SMALL_COLS, SMALL_ROWS, TILE_COLS, TILE_ROWS
from gpu_qa_kernels.luma_stats.contract import (
    HISTOGRAM_BINS,
    SMALL_GREY,
    Feature,
    LumaStats,
    histogram_lattice,
    part_edges,
)

if TYPE_CHECKING:
    from gpu_qa_kernels import PlaneLike

__all__ = ["code_values", "luma_stats_reference", "seams"]


def code_values(plane: PlaneLike, shift: int, bit_depth: int) -> np.ndarray:
    """Code values of a plane as int64 [H, W]: the container's bits below `shift` and above the depth are ignored."""
    y = np.arange(plane.height)[:, None]
    x = np.arange(plane.width)[None, :]
    raw = np.asarray(plane.data)[plane.offset + y * plane.pitch + x * plane.step].astype(np.int64)
    return np.asarray((raw >> shift) & ((1 << bit_depth) - 1))


def _box_sums(
    values: np.ndarray, top: np.ndarray, bottom: np.ndarray, left: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Sums of int64 [H, W] over the rows `top[i]` to `bottom[i]` and columns `left[j]` to `right[j]`, exclusive."""
    integral = np.zeros((values.shape[0] + 1, values.shape[1] + 1), np.int64)
    integral[1:, 1:] = values.cumsum(0).cumsum(1)
    return np.asarray(
        integral[np.ix_(bottom, right)]
        - integral[np.ix_(top, right)]
        - integral[np.ix_(bottom, left)]
        + integral[np.ix_(top, left)]
    )


def _tile_sums(values: np.ndarray) -> np.ndarray:
    """Sums of int64 [H, W] over the tiles as int64 [24, 42]; empty tiles give 0."""
    rows, cols = part_edges(values.shape[0], TILE_ROWS), part_edges(values.shape[1], TILE_COLS)
    return _box_sums(values, rows[:-1], rows[1:], cols[:-1], cols[1:])


def _small(values: np.ndarray, rows: int, cols: int, bit_depth: int) -> np.ndarray:
    """Means of int64 [H, W] over cells as uint16 [rows, cols] in 1/256 of an 8-bit code, rounded down.

    Where a side has fewer samples than cells, a cell takes the sample that its start falls on.
    """
    y, x = part_edges(values.shape[0], rows), part_edges(values.shape[1], cols)
    top, left = np.minimum(y[:-1], values.shape[0] - 1), np.minimum(x[:-1], values.shape[1] - 1)
    bottom, right = np.maximum(y[1:], top + 1), np.maximum(x[1:], left + 1)
    sums = _box_sums(values, top, bottom, left, right)
    return np.asarray((sums << (16 - bit_depth)) // np.outer(bottom - top, right - left)).astype(np.uint16)


def seams(v: np.ndarray) -> np.ndarray:
    """By how much each step from the left stands out from both beside it, int64 [H, W]; 0 where one is missing."""
    found = np.zeros_like(v)
    steps = np.abs(np.diff(v, axis=1))
    found[:, 2:-1] = np.maximum(0, steps[:, 1:-1] - np.maximum(steps[:, :-2], steps[:, 2:]))
    return found


def _combs(v: np.ndarray) -> np.ndarray:
    """By how much more each row differs from both beside it than these do, int64 [H, W]; 0 where one is missing."""
    combs = np.zeros_like(v)
    above, here, below = v[:-2], v[1:-1], v[2:]
    is_out = (here > np.maximum(above, below)) | (here < np.minimum(above, below))
    nearer = np.minimum(np.abs(here - above), np.abs(here - below))
    combs[1:-1] = np.where(is_out, np.maximum(0, nearer - np.abs(above - below)), 0)
    return combs


def _field_changes(v: np.ndarray, previous: np.ndarray) -> np.ndarray:
    """Difference of even rows to the previous picture's row below, of odd ones to that above, int64 [H, W]."""
    changes = np.zeros_like(v)
    changes[: len(v) - 1 : 2] = np.abs(v[: len(v) - 1 : 2] - previous[1::2])
    changes[1::2] = np.abs(v[1::2] - previous[: len(v) - 1 : 2])
    return changes


def luma_stats_reference(
    luma: PlaneLike,
    chroma: tuple[PlaneLike, PlaneLike] | None,
    *,
    bit_depth: int,
    shift: int,
    previous: PlaneLike | None = None,
    previous_small: np.ndarray | None = None,
) -> LumaStats:
    """Measure one picture; arguments and result as `gpu_qa_kernels.luma_stats.luma_stats`."""
    v = code_values(luma, shift, bit_depth)
    tiles = np.zeros((TILE_ROWS, TILE_COLS, len(Feature)), np.int64)
    tiles[..., Feature.SUM] = _tile_sums(v)
    tiles[..., Feature.SUM_SQUARES] = _tile_sums(v * v)

    across = np.zeros_like(v)
    across[:, 1:] = np.abs(np.diff(v, axis=1))
    down = np.zeros_like(v)
    down[1:, :] = np.abs(np.diff(v, axis=0))
    tiles[..., Feature.GRADIENT_H] = _tile_sums(across)
    tiles[..., Feature.GRADIENT_V] = _tile_sums(down)
    tiles[..., Feature.EDGE_H] = _tile_sums(np.where(np.arange(luma.width)[None, :] % 8 == 0, across, 0))
    tiles[..., Feature.EDGE_V] = _tile_sums(np.where(np.arange(luma.height)[:, None] % 8 == 0, down, 0))

    lines, columns = np.arange(luma.height)[:, None], np.arange(luma.width)[None, :]
    seams_across, seams_down = seams(v), seams(v.T).T
    for feature_across, feature_down, phase in (
        (Feature.SEAM_H0, Feature.SEAM_V0, 0),
        (Feature.SEAM_H8, Feature.SEAM_V8, 8),
        (Feature.SEAM_H4, Feature.SEAM_V4, 4),
    ):
        tiles[..., feature_across] = _tile_sums(np.where(columns % 16 == phase, seams_across, 0))
        tiles[..., feature_down] = _tile_sums(np.where(lines % 16 == phase, seams_down, 0))
    tiles[..., Feature.COMB] = _tile_sums(_combs(v))

    small = _small(v, SMALL_ROWS, SMALL_COLS, bit_depth)
    if previous is not None and previous_small is not None:
        before = code_values(previous, shift, bit_depth)
        tiles[..., Feature.CHANGE] = _tile_sums(np.abs(v - before))
        changes = _field_changes(v, before)
        tiles[..., Feature.FIELD_EVEN] = _tile_sums(np.where(lines % 2 == 0, changes, 0))
        tiles[..., Feature.FIELD_ODD] = _tile_sums(np.where(lines % 2 == 1, changes, 0))
        tiles[..., Feature.COARSE_CHANGE] = _tile_sums(np.abs(small.astype(np.int64) - previous_small))

    small_chroma = np.full((2, SMALL_CHROMA_ROWS, SMALL_CHROMA_COLS), SMALL_GREY, np.uint16)
    for i, plane in enumerate(chroma or ()):
        c = code_values(plane, shift, bit_depth)
        tiles[..., Feature.CB + i] = _tile_sums(c)
        small_chroma[i] = _small(c, SMALL_CHROMA_ROWS, SMALL_CHROMA_COLS, bit_depth)

    step, lattice_shift = histogram_lattice(luma.width, luma.height)
    y, x = np.arange(luma.height)[:, None], np.arange(luma.width)[None, :]
    bins = v[x % step == lattice_shift * y % step] >> (bit_depth - 8)
    histogram = np.bincount(bins, minlength=HISTOGRAM_BINS).astype(np.int64)
    return LumaStats(tiles, histogram, small, small_chroma)
