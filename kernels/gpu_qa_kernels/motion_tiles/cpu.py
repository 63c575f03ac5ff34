"""`motion_tiles` on the CPU: one thread, numba without the GIL."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numba
import numpy as np
from numba import types

from gpu_qa_kernels import SMALL_COLS, SMALL_ROWS, TILE_COLS, TILE_ROWS
from gpu_qa_kernels.compiled import compiled
from gpu_qa_kernels.motion_tiles.contract import SIDE, Motion

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["motion_tiles_cpu", "prepare_cpu"]

_SUMS = len(Motion)


@numba.njit(nogil=True, boundscheck=False)
def _fold(columns: np.ndarray, row: int, out: np.ndarray) -> None:
    """Sums of columns [N, 336] become those of a row of tiles of out [N, 24, 42], and are cleared."""
    for term in range(columns.shape[0]):
        for tile in range(TILE_COLS):
            total = np.float32(0.0)
            for column in range(tile * SIDE, tile * SIDE + SIDE):
                total += columns[term, column]
                columns[term, column] = np.float32(0.0)
            out[term, row, tile] = total


@numba.njit(nogil=True, boundscheck=False)
def _still(small: np.ndarray, out: np.ndarray) -> None:
    """The sums that need one picture: out [0] and [1]."""
    one = np.float32(1.0 / 256.0)
    columns = np.zeros((2, SMALL_COLS), np.float32)
    lumas, squares = columns[0], columns[1]
    for row in range(SMALL_ROWS):
        line = small[row]
        for column in range(SMALL_COLS):
            value = np.float32(line[column]) * one
            lumas[column] += value
            squares[column] += value * value
        if row % SIDE == SIDE - 1:
            _fold(columns, row // SIDE, out)


@numba.njit(nogil=True, boundscheck=False)
def _moving(small: np.ndarray, previous: np.ndarray, out: np.ndarray) -> None:
    """The sums that need the picture before too, out [2] to [7]: of columns first."""
    one = np.float32(1.0 / 256.0)
    columns = np.zeros((6, SMALL_COLS), np.float32)
    sizes, signed, by_down = columns[0], columns[1], columns[2]
    slopes_down, by_across, slopes_across = columns[3], columns[4], columns[5]
    # The mean of both pictures, continued by a column on either side.
    changes, mean = np.empty(SMALL_COLS, np.float32), np.empty(SMALL_COLS + 2, np.float32)
    inner, left, right = mean[1 : SMALL_COLS + 1], mean[:SMALL_COLS], mean[2:]
    for row in range(SMALL_ROWS):
        above, below = max(row - 1, 0), min(row + 1, SMALL_ROWS - 1)
        per_row = one * np.float32(0.5) / np.float32(below - above)
        now, before = small[row], previous[row]
        now_above, now_below, before_above, before_below = small[above], small[below], previous[above], previous[below]
        for column in range(SMALL_COLS):
            here, there = np.float32(now[column]), np.float32(before[column])
            change = (here - there) * one
            inner[column] = (here + there) * (one * np.float32(0.5))
            lower = np.float32(now_below[column]) + np.float32(before_below[column])
            upper = np.float32(now_above[column]) + np.float32(before_above[column])
            down = (lower - upper) * per_row
            changes[column] = change
            sizes[column] += abs(change)
            signed[column] += change
            by_down[column] += change * down
            slopes_down[column] += down * down
        mean[0] = 2 * mean[1] - mean[2]
        mean[SMALL_COLS + 1] = 2 * mean[SMALL_COLS] - mean[SMALL_COLS - 1]
        for column in range(SMALL_COLS):
            across = (right[column] - left[column]) * np.float32(0.5)
            by_across[column] += changes[column] * across
            slopes_across[column] += across * across
        if row % SIDE == SIDE - 1:
            _fold(columns, row // SIDE, out[2:])


def _sum(small: np.ndarray, previous: np.ndarray, moves: int, out: np.ndarray) -> None:
    _still(small, out)
    if moves:
        _moving(small, previous, out)


@cache
def _kernel() -> Callable[..., None]:
    picture = types.Array(types.uint16, 2, "C", readonly=True)
    return compiled(_sum, picture, picture, types.int64, types.Array(types.float32, 3, "C"))


def prepare_cpu() -> None:
    """Compile it, or load it from the cache."""
    _kernel()


def motion_tiles_cpu(small: np.ndarray, previous: np.ndarray | None) -> np.ndarray:
    """Arguments and result as `gpu_qa_kernels.motion_tiles.motion_tiles`, already checked."""
    out = np.zeros((_SUMS, TILE_ROWS, TILE_COLS), np.float32)
    _kernel()(small, small if previous is None else previous, int(previous is not None), out)
    return out
