"""Seam grid: where steps of luma stand on the macroblock grid that stand on no other line.

Picture content has its steps anywhere. Counted on the grid of 16 samples, half way between its lines, and a quarter
beside them, content gives the same three times over; a block that shows what belongs elsewhere gives more on the first.
A block has four sides: a cell of the picture counts only for what stands out both across and down.
"""

from __future__ import annotations

import numpy as np

PHASES = 3
"""The grid, between its lines, and beside them: the order of `VideoSeries.seam`."""


def standing_out(cells: np.ndarray) -> np.ndarray:
    """How far the seams of each phase stand out from those of the two others, in cells of two by two tiles.

    A tile of a small picture may have no line of a phase; of two by two tiles nearly all have.

    Args:
        cells: float32 [T, 2 (across, down), 3, r, k], as `seam_cells` in `VideoSeries`.

    Returns:
        float32 [3, T, r, k], fractions of full scale: the smaller of both directions.
    """
    # Phase before direction before picture: then each of the sums below is over one piece of memory.
    own = np.ascontiguousarray(cells.transpose(2, 1, 0, 3, 4))
    out = np.empty((PHASES, *own.shape[2:]), np.float32)
    over = np.empty_like(own[0])
    for phase, (one, other) in enumerate(((1, 2), (0, 2), (0, 1))):
        np.maximum(own[one], own[other], out=over)
        np.subtract(own[phase], over, out=over)
        np.minimum(over[0], over[1], out=out[phase])
    return out


def cell_means(values: np.ndarray) -> np.ndarray:
    """Means over cells of two by two tiles: float32 [..., R / 2, K / 2] of float32 [..., R, K]."""
    cells = _cell_sums(values)
    cells *= np.float32(0.25)
    return cells


def _cell_sums(values: np.ndarray) -> np.ndarray:
    rows = values[..., 0::2, :] + values[..., 1::2, :]
    # Columns are even in number: pairs in memory are pairs in a row, and one long loop is faster than many short ones.
    flat = rows.reshape(-1)
    return np.asarray((flat[0::2] + flat[1::2]).reshape(*rows.shape[:-1], rows.shape[-1] // 2))


def excess(over: np.ndarray, limit: float) -> float:
    """Share of the cells that stand out on the grid, less the share that do on the worse of the two other phases.

    Args:
        over: float32 [3, r, k]: how far each cell stands out per phase.
        limit: From where on a cell counts, as a fraction of full scale.

    Returns:
        −1…1; about 0 for content, whatever it shows.
    """
    grid, between, beside = standing_cells(over, limit).tolist()
    return float((grid - max(between, beside)) / over[0].size)


def standing_cells(over: np.ndarray, limit: float) -> np.ndarray:
    """How many cells of each picture stand out, int64 [...] of float32 [..., r, k]; `limit` as in `excess`."""
    stands_out = (over > limit).reshape(*over.shape[:-2], -1).view(np.uint8)
    # Fewer than 65,536: NumPy adds short integers many at a time.
    return np.asarray(np.add.reduce(stands_out, axis=-1, dtype=np.uint16), np.int64)
