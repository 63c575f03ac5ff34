"""Pixelation: blocks of one colour each, side by side on the macroblock grid: a face made unrecognisable, a transition.

Its seams are as sharp as those of damage. Two things tell it apart: within its blocks nothing changes, and it stays
where it is, or drifts, while damage is elsewhere a moment later. The same goes for the corners of graphics that lie on
the grid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.seam_grid import cell_means

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

Flats = tuple[tuple[float, np.ndarray], ...]
"""When cells of flat blocks stood out lately, and which, bool [12, 21]; oldest first."""

_FLAT = 0.55
"""Share of a cell's steps that lie on the grid where blocks are of one colour each: 0.7 to 0.9 of pixelated faces,
below 0.5 of displaced blocks of anything that has shades. Ours."""
_PART = 1 / 3
"""Pixelation is looked for where at least this part of the cells that stand out is flat."""
_FEW = 8
"""So few cells, wherever they lie, are the corners of graphics as long as they stay; ours."""
_STAYS = 0.65
"""It stays where it is where the cells agree this well with those of a moment before: 1 wholly, 0 as by chance."""
_SOONEST_S, _LATEST_S = 0.15, 0.5
"""How long ago that moment was."""
_MOST = 16
"""Pictures that are remembered."""


def pixelated(series: VideoSeries, i: int, cells: np.ndarray, flats: Flats) -> tuple[float, Flats]:
    """How much of what stands out in a picture is pixelated on purpose, or may be as far as is known.

    Args:
        series: Consecutive frames of one format.
        i: The picture.
        cells: bool [12, 21]: those of its cells that stand out on the grid.
        flats: As returned for the picture before; empty at the start of a stream.

    Returns:
        Share of the picture's cells, and what the next picture needs.
    """
    now_s = float(series.pts_s[i])
    flat, count = cells & _flat(series.seam[i, :, 0], series.gradient[i]), np.count_nonzero(cells)
    if count > _FEW and np.count_nonzero(flat) < _PART * count:
        return 0.0, flats
    flats = (*(known for known in flats if known[0] > now_s - _LATEST_S), (now_s, cells))[-_MOST:]
    since_s, before = flats[0]
    if now_s - since_s >= _SOONEST_S and _agreement(cells, before) < _STAYS:
        return 0.0, flats
    return float((cells if count <= _FEW else cells & _with_neighbours(flat)).mean()), flats


def _flat(seam: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Cells in which nearly all that changes changes on the grid's lines, bool [r, k]."""
    # Not every tile of a small picture has a line of the grid.
    lined = np.array([(seam[0] > 0).any(axis=0).mean(), (seam[1] > 0).any(axis=1).mean()], np.float32)
    steps = cell_means(seam) / np.maximum(lined, 0.02)[:, None, None]
    return np.asarray((steps / (16.0 * cell_means(gradient) + 1e-6)).min(axis=0) >= _FLAT)


def _agreement(cells: np.ndarray, before: np.ndarray) -> float:
    """How far two sets of cells are the same, beyond what as many cells at random would be: 1 the same, 0 random."""
    now, then = float(cells.mean()), float(before.mean())
    chance = now * then
    return (float((cells & before).mean()) - chance) / max(min(now, then) - chance, 1e-6)


def _with_neighbours(cells: np.ndarray) -> np.ndarray:
    """The cells and those beside, above and below them, bool [r, k]: a pixelated area's edge has content in it."""
    wider = cells.copy()
    wider[1:] |= cells[:-1]
    wider[:-1] |= cells[1:]
    wider[:, 1:] |= cells[:, :-1]
    wider[:, :-1] |= cells[:, 1:]
    return wider
