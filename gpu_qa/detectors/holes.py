"""Holes: short stretches at whose ends the level of a sound breaks off, and comes back, at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.units import power_to_db

if TYPE_CHECKING:
    from gpu_qa.detectors.dropout import DropoutLimits

CELL_S = 0.0025
"""Levels are looked at in quarters of a hop."""
QUARTERS = 4
AROUND = 40
"""Cells before and after a hole that say what the sound is like there: 0.1 s. Holes are judged so much later."""
_NOTHING_DBFS = -120.0
"""Levels count from here up: not even a step of 16 bit now and then."""
_LEVELS_DBFS = (-90.0, -80.0, -70.0, -60.0)
"""A hole lies at or below one of these: how low it gets depends on how far a codec has smeared its edges into it."""
_EDGE = 4
"""Cells within which the sound breaks off and comes back: 10 ms. Short blocks of a codec smear it by about as much."""
_BESIDE = 12
"""Cells before and after a hole that say how loud the sound is there: 30 ms."""
_SLACK_DB = 6.0
"""How much weaker than beside it the sound may be within `_EDGE` of a hole: what fades out is no hole. Twice as much
where it comes back: what begins there may swell."""
_SHORT_MS = 15.0
_SHORT_DB = 15.0
"""Holes shorter than `_SHORT_MS` must be this much deeper: between the beats of a low voice it is still for as long."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch that drops out."""

    first: int
    """Its first cell."""
    end: int
    """The cell after it."""
    drop_db: float
    """How far its middle level lies below the sound beside it."""
    digital: bool
    """At its deepest there are only zeros."""
    alone: bool
    """It is so deep, and the sound so even on both sides, that it says something by itself."""

    @property
    def length_ms(self) -> float:
        """How long it lasts."""
        return (self.end - self.first) * CELL_S * 1000

    @property
    def known_in(self) -> int:
        """The hop with which all that it is judged by is there."""
        return (self.end + AROUND - 1) // QUARTERS


def cell_levels(fine_power: np.ndarray) -> np.ndarray:
    """Levels of cells in dBFS, float64 [4 N, …] of the power of quarters [N, 4, …], full-scale square = 1."""
    cells = fine_power.reshape(QUARTERS * len(fine_power), *fine_power.shape[2:])
    return np.asarray(np.maximum(power_to_db(cells.astype(np.float64)), _NOTHING_DBFS))


def holes(levels: np.ndarray, seen: int, limits: DropoutLimits) -> list[Hole]:
    """Holes whose surroundings became complete after the first `seen` cells, in order, up to `lone_max_hole_ms` long.

    Args:
        levels: Of consecutive cells in dBFS, float64 [4 N].
        seen: How many of them were there before.
        limits: When a stretch is a hole.
    """
    found: dict[int, Hole] = {}
    deepest = levels.min()
    for level in _LEVELS_DBFS:
        if deepest > level:
            continue
        low = levels <= level
        edges = (np.flatnonzero(low[1:] != low[:-1]) + 1).tolist()
        if low[0]:
            edges = edges[1:]
        for a, b in zip(edges[::2], edges[1::2], strict=False):
            if a < AROUND or b in found or not seen < b + AROUND <= len(levels):
                continue
            hole = _hole(levels, a, b, limits)
            if hole is not None:
                found[b] = hole
    return [found[b] for b in sorted(found)]


def _hole(levels: np.ndarray, a: int, b: int, limits: DropoutLimits) -> Hole | None:
    """The cells `a` to `b` (exclusive) as a hole; null where they are none."""
    length_ms = (b - a) * CELL_S * 1000
    digital = bool(levels[a:b].min() <= _NOTHING_DBFS)
    if not least_ms(limits, digital=digital) <= length_ms <= limits.lone_max_hole_ms:
        return None
    edges = float(levels[a - _EDGE : a].max()), float(levels[b : b + _EDGE].max())
    beside = mean_dbfs(levels[a - _BESIDE : a]), mean_dbfs(levels[b : b + _BESIDE])
    short = length_ms < _SHORT_MS and not digital
    if min(edges) - float(levels[a:b].max()) < limits.drop_db + (_SHORT_DB if short else 0.0):
        return None
    if edges[0] < beside[0] - _SLACK_DB or edges[1] < beside[1] - 2 * _SLACK_DB:
        return None
    drop_db = min(edges) - float(np.median(levels[a:b]))
    # The cells next to the hole may hold a piece of it.
    around = min(float(levels[a - AROUND : a - 1].min()), float(levels[b + 1 : b + AROUND].min()))
    alone = (
        drop_db >= limits.lone_drop_db
        and abs(beside[0] - beside[1]) <= _SLACK_DB
        and around >= min(beside) - limits.lone_drop_db / 2
    )
    return Hole(a, b, drop_db, digital, alone)


def least_ms(limits: DropoutLimits, *, digital: bool) -> float:
    """From which length on a stretch is a hole."""
    return limits.min_hole_ms / (2 if digital else 1)


def mean_dbfs(levels: np.ndarray) -> float:
    """Level of the mean power of cells, of their levels in dBFS."""
    return float(power_to_db(float(np.mean(10.0 ** (levels / 10.0)))))
