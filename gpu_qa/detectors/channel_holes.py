"""Channel holes: what one channel of a pair loses for moments while the other goes on with the same programme."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.holes import AROUND, QUARTERS, holes, mean_dbfs
from gpu_qa.units import power_to_db

if TYPE_CHECKING:
    from gpu_qa.detectors.dropout import DropoutLimits
    from gpu_qa.detectors.holes import Hole

_HOPS = AROUND // QUARTERS
"""Hops before and after a hole over which the channels are compared: 0.1 s."""
_LOWEST_DBFS = -60.0
"""Holes lie below it, see `holes`."""


def channel_holes(
    levels: np.ndarray, power: np.ndarray, cross: np.ndarray, seen: int, limits: DropoutLimits
) -> list[Hole]:
    """Holes of a channel that are not in its partner, though the two are alike right before and after.

    What both share says how loud the channel should be in the hole: as loud as the partner, by how they compare
    beside it. A voice or an effect that the mix has in this channel only may break off as suddenly, but leaves the
    shared part.

    Args:
        levels: Of consecutive cells of the channel and of its partner in dBFS, float64 [2, 4 N].
        power: Mean square of their hops, float64 [2, N].
        cross: Mean product of the two in each hop, float64 [N].
        seen: Cells that were there before.
        limits: When a stretch is a hole.
    """
    own, other = levels
    # Costs next to nothing, and leaves nothing of most sound.
    if not ((own <= _LOWEST_DBFS) & (other >= own + limits.drop_db)).any():
        return []
    return [
        hole
        for hole in holes(own, seen, limits)
        if _expected_dbfs(other, power, cross, hole, limits.alike) - float(own[hole.first : hole.end].max())
        >= limits.drop_db
    ]


def _expected_dbfs(other: np.ndarray, power: np.ndarray, cross: np.ndarray, hole: Hole, alike: float) -> float:
    """How loud the part of a channel should be in a hole that its partner has too; −∞ where they are not alike."""
    first, end = hole.first // QUARTERS, -(-hole.end // QUARTERS)
    sides = slice(first - _HOPS, first), slice(end, end + _HOPS)
    shared = [float(cross[side].sum()) for side in sides]
    own, partner = ([float(channel[side].sum()) for side in sides] for channel in power)
    correlation = [product / max(a * b, 1e-30) ** 0.5 for product, a, b in zip(shared, own, partner, strict=True)]
    if min(map(abs, correlation)) < alike or correlation[0] * correlation[1] < 0:
        return -np.inf
    # Of two signals, b = (cross / own power of a) a + what has nothing to do with a.
    share = (sum(shared) / sum(partner)) ** 2
    return mean_dbfs(other[hole.first : hole.end]) + float(power_to_db(share))
