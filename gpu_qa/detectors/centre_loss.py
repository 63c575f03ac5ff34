"""Centre loss: the centre, with the dialogue in it, falls silent while all the other channels go on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.hop_cells import CELL_S
from gpu_qa.detectors.loss_evidence import LossSteps, loss_evidence, mean_levels
from gpu_qa.series import SEVERITIES
from gpu_qa.units import db_to_power

if TYPE_CHECKING:
    from gpu_qa.detectors.channel_loss import ChannelLossLimits
    from gpu_qa.detectors.hop_cells import HopCells
    from gpu_qa.series import AudioSeries, Evidence

_HISTORY_CELLS = 600
"""Cells with sound that a centre's history is made of: a minute."""
_LEAST_HEARD_S = 5.0
"""A centre that was heard for less is not missed. Ours."""
_USUAL_SHARE = 0.5
"""A channel that was heard in this share of the history is expected to go on. Ours."""
_NO_DIALOGUE = frozenset({"FC", "LFE", "LFE2"})


@dataclass(frozen=True, slots=True)
class _Cell:
    """0.1 s in which the front pair sounds."""

    heard: frozenset[int]
    """Channels that are audible."""
    is_lost: bool
    """The centre is silent, far below the front pair."""


@dataclass(frozen=True, slots=True)
class _Loss:
    """A stretch in which the centre is lost."""

    start_s: float
    needed: int
    """Cells after which it is told; 0 where it never is."""
    expected: frozenset[int]
    """Channels that must be heard in it."""
    cells: int = 0
    heard: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Centre:
    """What is known of the centre of a track."""

    history: tuple[_Cell, ...] = ()
    loss: _Loss | None = None


def centre_of(channels: tuple[str, ...]) -> tuple[int, int, int] | None:
    """Indices of the centre, the front left and the front right; null where a layout has not all three."""
    names = ("FC", "FL", "FR")
    return None if any(name not in channels for name in names) else tuple(channels.index(name) for name in names)  # type: ignore[return-value]


def centre_weighed(
    series: AudioSeries, cells: HopCells, centre: Centre, limits: ChannelLossLimits
) -> tuple[Evidence, Centre]:
    """Evidence of the centre, and what is known of it afterwards.

    A stereo programme in a surround track also leaves the centre silent, with its dialogue in front left and right: the
    surrounds fall silent with it. So every channel that is usually heard must go on.

    Args:
        series: Names the track and its channels, with a centre.
        cells: Powers and times, one cell or more.
        centre: What was known before.
        limits: When a channel counts as lost.
    """
    places = centre_of(series.channels)
    assert places is not None  # noqa: S101 - the caller has looked
    own = places[0]
    power = cells.hops["power"].astype(np.float64)
    front = np.maximum(power[..., places[1]], power[..., places[2]])
    mean = power.mean(axis=1)
    is_floor = power[..., own].max(axis=1) <= db_to_power(limits.centre_dbfs)
    sounds = front.mean(axis=1) > db_to_power(limits.audible_dbfs)
    is_lost = is_floor & sounds & (mean[:, own] <= front.mean(axis=1) * db_to_power(-limits.raise_below_db))
    audible = mean > db_to_power(limits.audible_dbfs)
    steps = LossSteps.of(cells, np.where(is_floor, 0, -1).astype(np.int8))
    steps.cap[:] = SEVERITIES.index("warn")
    loss = None if cells.anew else centre.loss
    history = list(centre.history)
    for cell in range(len(cells)):
        now = _Cell(frozenset(np.flatnonzero(audible[cell]).tolist()), bool(is_lost[cell]))
        if not is_floor[cell]:
            loss = None
        elif now.is_lost:
            known = loss or _begun(history, float(cells.start_s[cell]), series.channels, own, limits)
            loss = replace(known, cells=known.cells + 1, heard=known.heard | now.heard)
            if loss.needed and loss.cells >= loss.needed and loss.expected <= loss.heard:
                steps.verdict[cell], steps.start_s[cell], steps.onset[cell] = 1, loss.start_s, "centre"
        if sounds[cell]:
            history.append(now)
            del history[:-_HISTORY_CELLS]
    ones = np.ones(front.shape, bool)
    levels = mean_levels(power[..., own], ones), mean_levels(front, ones)
    evidence = loss_evidence(series, steps, levels, ("FC", "the front pair"), limits.raise_below_db)
    return evidence, Centre(tuple(history), loss)


def _begun(
    history: list[_Cell], start_s: float, channels: tuple[str, ...], own: int, limits: ChannelLossLimits
) -> _Loss:
    """A loss that begins now, by the sound before it."""
    heard = sum(own in cell.heard for cell in history)
    is_missed = heard * CELL_S >= _LEAST_HEARD_S and heard >= limits.heard_share * len(history)
    losses = [len(list(run)) for is_lost, run in groupby(history, lambda cell: cell.is_lost) if is_lost]
    needed = max(round(limits.centre_after_s / CELL_S), 2 * max(losses, default=0))
    expected = frozenset(
        channel
        for channel, name in enumerate(channels)
        if name not in _NO_DIALOGUE and sum(channel in cell.heard for cell in history) >= _USUAL_SHARE * len(history)
    )
    return _Loss(start_s, needed if is_missed else 0, expected)
