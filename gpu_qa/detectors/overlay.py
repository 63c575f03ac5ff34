"""Overlay: what a station keeps on top of a picture that is gone: a logo, a clock, a ticker.

Overlays live in the upper and the lower fifth of the picture. What lies between them is content: a title card's line
in the middle of a black picture is meant to be seen, the logo over a lost feed is not what anybody came for.
"""

from __future__ import annotations

import numpy as np

ZONE = 0.2
"""Height of the upper and of the lower zone, as a fraction of the picture's. Ours: of 16:9 the safe area for
graphics (EBU R 95: 5 % of the height from each edge) and a ticker, a clock or a logo beside it."""
_SPOT_AREA = 0.06
"""Area of the box around a spot at most, as a fraction of the picture's: of 16:9 a square of 0.32 of the height."""
_SPOT_FILL = 0.4
"""Share of that box that moves at least: of a ring, half."""


def overlay_and_inside_area(odd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much of the picture differs from the rest where an overlay may be, and where none is.

    Args:
        odd: bool [T, R, K]: tiles that do not look like the rest of the picture.

    Returns:
        float64 [T] each: odd tiles in the overlay zones, and odd tiles between these, as fractions of all tiles.
    """
    depth, rows = _depth(odd), odd.shape[1]
    inside = _counts(odd[:, depth : rows - depth])
    tiles = rows * odd.shape[2]
    return (_counts(odd) - inside) / tiles, inside / tiles


def inside_area(odd: np.ndarray) -> np.ndarray:
    """What `overlay_and_inside_area` gives second, alone."""
    depth, rows = _depth(odd), odd.shape[1]
    return np.asarray(_counts(odd[:, depth : rows - depth]) / (rows * odd.shape[2]))


def _depth(odd: np.ndarray) -> int:
    """Rows of tiles of a zone."""
    return round(ZONE * len(odd[0]))


def _counts(odd: np.ndarray) -> np.ndarray:
    """How many tiles are odd, int64 [T]: one by one, which NumPy counts faster than along an axis."""
    return np.array([np.count_nonzero(tiles) for tiles in odd], np.int64)


def dark_area(histogram: np.ndarray, limit_code: float) -> np.ndarray:
    """Share of the samples whose code is at most `limit_code`.

    Args:
        histogram: float32 [T, 256]: share of samples per code.
        limit_code: 8-bit code, with fractions.

    Returns:
        float64 [T], 0…1.
    """
    return np.asarray(histogram[:, : int(limit_code) + 1].sum(axis=1, dtype=np.float64))


def _is_at_edge(top: int, bottom: int, rows: int) -> bool:
    """Whether the tile rows `top` to `bottom` (exclusive) lie in the upper or in the lower quarter of the picture."""
    return bottom <= rows // 4 or top >= rows - rows // 4


def _bounds(at: np.ndarray, columns: int) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of the box around these places, ascending, in rows so long; the ends exclusive."""
    x = at % columns
    return int(at[0]) // columns, int(at[-1]) // columns + 1, int(x.min()), int(x.max()) + 1


def overlay_box(live: np.ndarray) -> tuple[slice, slice] | None:
    """Box around the live tiles, bool [R, K], with a margin of one, where it is shaped like an overlay; null elsewhere.

    Overlays that move are strips along the upper or lower edge, and boxes in a corner.
    """
    rows, columns = live.shape
    at = np.flatnonzero(live)
    if not at.size:
        return None
    top, bottom, left, right = _bounds(at, columns)
    in_corner = right <= columns // 3 or left >= columns - columns // 3
    is_strip = right - left >= columns // 2
    if not (_is_at_edge(top, bottom, rows) and (is_strip or in_corner)):
        return None
    return slice(max(0, top - 1), bottom + 1), slice(max(0, left - 1), right + 1)


def spot_box(live: np.ndarray, *, filled: bool = True) -> tuple[slice, slice] | None:
    """Box around the live tiles with a margin of one, where it is shaped like a spot; null elsewhere.

    A spot is what turns or ticks in the middle of a picture, such as the ring of a player that waits: compact, and
    wholly in the middle half of the picture's width and of its height.

    Args:
        live: bool [R, K].
        filled: Whether much of the box must be live, as it is after a moment, but not at each of its moves.
    """
    rows, columns = live.shape
    at = np.flatnonzero(live)
    if not 0 < at.size <= _SPOT_AREA * live.size:
        return None
    top, bottom, left, right = _bounds(at, columns)
    area = (bottom - top) * (right - left)
    is_inside = min(top, rows - bottom) >= rows // 4 and min(left, columns - right) >= columns // 4
    is_compact = area <= _SPOT_AREA * live.size and (not filled or at.size >= _SPOT_FILL * area)
    if not (is_inside and is_compact):
        return None
    return slice(top - 1, bottom + 1), slice(left - 1, right + 1)
