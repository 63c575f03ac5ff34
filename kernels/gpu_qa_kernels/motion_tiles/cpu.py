"""`motion_tiles` on the CPU: one thread, numba without the GIL."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numba import types

from gpu_qa_kernels import SMALL_COLS, SMALL_ROWS, TILE_COLS, TILE_ROWS
from gpu_qa_kernels.compiled import compiled
from gpu_qa_kernels.motion_tiles.contract import SIDE, Motion

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["motion_tiles_cpu", "prepare_cpu"]

_SUMS = len(Motion)


def _still(small: np.ndarray, out: np.ndarray) -> None:
    """The sums that need one picture: out [0] and [1]."""
    one = np.float32(1.0 / 256.0)
    for row in range(SMALL_ROWS):
        for tile in range(TILE_COLS):
            luma, squares = np.float32(0.0), np.float32(0.0)
            for column in range(tile * SIDE, tile * SIDE + SIDE):
                value = np.float32(small[row, column]) * one
                luma += value
                squares += value * value
            out[0, row // SIDE, tile] += luma
            out[1, row // SIDE, tile] += squares


def _moving(small: np.ndarray, previous: np.ndarray, out: np.ndarray) -> None:
    """The sums that need the picture before too: out [2] to [7], a row at a time in terms that vectorise."""
    one = np.float32(1.0 / 256.0)
    terms = np.empty((6, SMALL_COLS), np.float32)
    mean = np.empty(SMALL_COLS, np.float32)
    for row in range(SMALL_ROWS):
        above, below = max(row - 1, 0), min(row + 1, SMALL_ROWS - 1)
        per_row = one * np.float32(0.5) / np.float32(below - above)
        for column in range(SMALL_COLS):
            now, before = np.float32(small[row, column]), np.float32(previous[row, column])
            change = (now - before) * one
            mean[column] = (now + before) * (one * np.float32(0.5))
            down = (
                np.float32(small[below, column])
                + np.float32(previous[below, column])
                - np.float32(small[above, column])
                - np.float32(previous[above, column])
            ) * per_row
            terms[0, column] = abs(change)
            terms[1, column] = change
            terms[2, column] = change * down
            terms[3, column] = down * down
        for column in range(1, SMALL_COLS - 1):
            across = (mean[column + 1] - mean[column - 1]) * np.float32(0.5)
            terms[4, column] = terms[1, column] * across
            terms[5, column] = across * across
        for column in (0, SMALL_COLS - 1):
            left, right = max(column - 1, 0), min(column + 1, SMALL_COLS - 1)
            across = mean[right] - mean[left]
            terms[4, column] = terms[1, column] * across
            terms[5, column] = across * across
        for term in range(6):
            for tile in range(TILE_COLS):
                at = tile * SIDE
                total = terms[term, at]
                for step in range(1, SIDE):
                    total += terms[term, at + step]
                out[2 + term, row // SIDE, tile] += total


@cache
def _kernels() -> tuple[Callable[..., None], Callable[..., None]]:
    picture = types.Array(types.uint16, 2, "C", readonly=True)
    out = types.Array(types.float32, 3, "C")
    return compiled(_still, picture, out), compiled(_moving, picture, picture, out)


def prepare_cpu() -> None:
    """Compile it, or load it from the cache."""
    _kernels()


def motion_tiles_cpu(small: np.ndarray, previous: np.ndarray | None) -> np.ndarray:
    """Arguments and result as `gpu_qa_kernels.motion_tiles.motion_tiles`, already checked."""
    out = np.zeros((_SUMS, TILE_ROWS, TILE_COLS), np.float32)
    still, moving = _kernels()
    still(small, out)
    if previous is not None:
        moving(small, previous, out)
    return out
