"""Fused measuring passes over pictures and sound: arrays in, arrays out.

Every kernel is a package of its own with `reference.py` (NumPy, the definition), `cpu.py` (numba), `cuda.py`
(numba-cuda) and its contract in `__init__.py`. They accumulate integers, so all three agree bit for bit;
`cross_correlation`, by Fourier transforms, agrees with its definition within a tolerance. Nothing here knows of
streams, seconds or thresholds.

The grid is the same for any picture: 24 × 42 tiles, near-square at 16:9, and a small picture of 8 × 8 cells per
tile (4 × 4 for chroma). A side of n samples is cut into p parts [i·n // p, (i+1)·n // p); as 192 = 8 · 24 and
336 = 8 · 42, every cell lies in exactly one tile.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

__all__ = [
    "SMALL_CHROMA_COLS",
    "SMALL_CHROMA_ROWS",
    "SMALL_COLS",
    "SMALL_ROWS",
    "TILE_COLS",
    "TILE_ROWS",
    "Plane",
    "PlaneLike",
]

TILE_ROWS = 24
TILE_COLS = 42
SMALL_ROWS = 8 * TILE_ROWS
SMALL_COLS = 8 * TILE_COLS
SMALL_CHROMA_ROWS = 4 * TILE_ROWS
SMALL_CHROMA_COLS = 4 * TILE_COLS


class PlaneLike(Protocol):
    """One component of a picture in memory, read as `data[offset + y * pitch + x * step]`."""

    @property
    def data(self) -> Any:
        """1-D contiguous uint8 or uint16."""

    @property
    def offset(self) -> int:
        """Elements before the first sample."""

    @property
    def pitch(self) -> int:
        """Elements from a sample to the one below; negative for a picture stored bottom up."""

    @property
    def step(self) -> int:
        """Elements from a sample to the one on its right."""

    @property
    def width(self) -> int:
        """Samples."""

    @property
    def height(self) -> int:
        """Samples."""


class Plane(NamedTuple):
    """A `PlaneLike` for callers that have none of their own."""

    data: Any
    """1-D contiguous uint8 or uint16."""
    offset: int
    """Elements before the first sample."""
    pitch: int
    """Elements from a sample to the one below; negative for a picture stored bottom up."""
    step: int
    """Elements from a sample to the one on its right."""
    width: int
    """Samples."""
    height: int
    """Samples."""
