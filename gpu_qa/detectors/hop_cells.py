"""Hop cells: the hops of a track gathered into cells of 0.1 s, the same ones however the stream is cut into series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import AudioSeries

CELL_HOPS = 10
"""Hops of a cell."""
CELL_S = 0.1
_JOINT_S = 0.001
"""Series that are this close follow one another."""


@dataclass(frozen=True, slots=True)
class HopsKept:
    """The hops at the end of a series that the next one's cells need."""

    next_s: float
    """Where the next hop begins if nothing is missing."""
    channels: tuple[str, ...]
    hops: dict[str, np.ndarray]
    """Per measure [H, …]: whole cells that were asked for, then fewer than `CELL_HOPS`."""


@dataclass(frozen=True, slots=True)
class HopCells:
    """N consecutive cells of one track."""

    start_s: np.ndarray
    """float64 [N]."""
    end_s: np.ndarray
    """float64 [N]."""
    hops: dict[str, np.ndarray]
    """Per measure [N, `CELL_HOPS`, …], as in the series."""
    anew: bool
    """They do not continue the cells before: the track begins, has a gap here, or has other channels."""

    def __len__(self) -> int:
        return len(self.start_s)


def hop_cells(
    series: AudioSeries, measures: Sequence[str], kept: HopsKept | None, earlier: int = 0
) -> tuple[HopCells, HopsKept]:
    """Gather a series into cells.

    Cells are counted from where the track began or from its last gap; hops before a gap that fill no cell are left
    out.

    Args:
        series: At least one hop of the track.
        measures: Names of the series' arrays to gather.
        kept: From the series before; null at the track's start.
        earlier: How many cells of the series before to give again, for windows that reach back.

    Returns:
        Up to `earlier` cells that were given before and those that are newly complete, and what to hand back.
    """
    hops: dict[str, np.ndarray] = {name: getattr(series, name) for name in ("pts_s", "end_s", *measures)}
    anew = kept is None or kept.channels != series.channels or abs(float(series.pts_s[0]) - kept.next_s) > _JOINT_S
    if kept is not None and not anew and len(kept.hops["pts_s"]):
        hops = {name: np.concatenate([kept.hops[name], values]) for name, values in hops.items()}
    cells = len(hops["pts_s"]) // CELL_HOPS
    whole = cells * CELL_HOPS
    again = max(cells - earlier, 0) * CELL_HOPS
    found = HopCells(
        start_s=hops["pts_s"][:whole:CELL_HOPS],
        end_s=hops["end_s"][CELL_HOPS - 1 : whole : CELL_HOPS],
        hops={name: hops[name][:whole].reshape(cells, CELL_HOPS, *hops[name].shape[1:]) for name in measures},
        anew=anew,
    )
    # Copies: views would hold on to whole series.
    rest = {name: values[again:].copy() for name, values in hops.items()}
    return found, HopsKept(float(series.end_s[-1]), series.channels, rest)


def repeated(value: object, count: int) -> np.ndarray:
    """Object [count]: the same value in every step."""
    one = np.empty(1, object)
    one[0] = value
    return one.repeat(count)
