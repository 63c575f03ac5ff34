"""What `motion_tiles` takes and gives, shared by its implementations."""

from __future__ import annotations

import enum

import numpy as np

from gpu_qa_kernels import SMALL_COLS, SMALL_ROWS, TILE_COLS, TILE_ROWS

__all__ = ["SIDE", "Motion", "check_pair"]

SIDE = SMALL_ROWS // TILE_ROWS
"""Samples along a side of a tile in a small picture: the same in both directions."""


class Motion(enum.IntEnum):
    """Sums over a tile's samples, luma in 8-bit codes.

    Δ is the change since the picture before, ∂ the slope of the mean of both pictures per sample. All but the first two
    are 0 in a picture without one before it.
    """

    LUMA = 0
    """Σ Y."""
    SQUARES = 1
    """Σ Y²."""
    CHANGE = 2
    """Σ |ΔY|."""
    SIGNED = 3
    """Σ ΔY."""
    DOWN = 4
    """Σ ΔY · ∂Y/∂y."""
    SLOPE_DOWN = 5
    """Σ (∂Y/∂y)²."""
    ACROSS = 6
    """Σ ΔY · ∂Y/∂x."""
    SLOPE_ACROSS = 7
    """Σ (∂Y/∂x)²."""


def check_pair(small: np.ndarray, previous: np.ndarray | None) -> None:
    """Raise `ValueError` where the arguments of `motion_tiles` do not fit."""
    if SMALL_COLS // TILE_COLS != SIDE:
        raise AssertionError("tiles of a small picture are square")
    for name, picture in (("small", small), ("previous", previous)):
        if picture is None:
            continue
        if picture.dtype != np.uint16 or picture.shape != (SMALL_ROWS, SMALL_COLS) or not picture.flags.c_contiguous:
            shape = f"{picture.dtype} {list(picture.shape)}"
            raise ValueError(f"{name}: expected contiguous uint16 [{SMALL_ROWS}, {SMALL_COLS}], got {shape}")
