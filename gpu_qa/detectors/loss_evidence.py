"""Evidence of a lost channel, of a pair's or of the centre."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.series import SEVERITIES, Evidence, constant
from gpu_qa.units import power_to_db

if TYPE_CHECKING:
    from gpu_qa.detectors.hop_cells import HopCells
    from gpu_qa.series import AudioSeries

_FLOOR_DBFS = -120.0
"""Given for digital silence, of which −∞ would be the level."""


@dataclass(slots=True)
class LossSteps:
    """Steps of one channel's evidence in the making: one per cell, which says nothing unless it is told."""

    start_s: np.ndarray
    end_s: np.ndarray
    verdict: np.ndarray
    onset: list[str | None]
    cap: np.ndarray

    @classmethod
    def of(cls, cells: HopCells, verdict: np.ndarray) -> LossSteps:
        """One per cell, none of them told.

        Args:
            cells: Their times.
            verdict: int8 [N].
        """
        return cls(
            start_s=cells.start_s.copy(),
            end_s=cells.end_s.copy(),
            verdict=verdict,
            onset=[None] * len(cells),
            cap=np.full(len(cells), SEVERITIES.index("critical"), np.int8),
        )


def mean_levels(power: np.ndarray, is_lost: np.ndarray) -> np.ndarray:
    """Mean level of each cell's lost hops in dBFS, float64 [N]."""
    mean = np.where(is_lost, power, 0.0).sum(axis=1) / np.maximum(is_lost.sum(axis=1), 1)
    return np.asarray(np.maximum(power_to_db(mean), _FLOOR_DBFS))


def loss_evidence(
    series: AudioSeries,
    steps: LossSteps,
    levels: tuple[np.ndarray, np.ndarray] | None,
    names: tuple[str, str],
    below_db: float,
) -> Evidence:
    """The steps as evidence; those that raise nothing have no levels.

    Args:
        series: Names the track and its channels.
        steps: N of them.
        levels: Of the channel and of the one that goes on, dBFS [N]; null where nothing is told.
        names: Of both.
        below_db: How far below counts.
    """
    count = len(steps.verdict)
    name, other = names
    own_dbfs = other_dbfs = np.full(count, np.nan)
    if levels is not None and (steps.verdict > 0).any():
        own_dbfs, other_dbfs = (np.where(steps.verdict > 0, level, np.nan) for level in levels)
    onset = np.empty(count, object)
    onset[:] = steps.onset
    return Evidence(
        kind="audio.channel_loss",
        scope=f"{series.track}:{name}",
        start_s=steps.start_s,
        end_s=steps.end_s,
        verdict=steps.verdict,
        value=(other_dbfs - own_dbfs).astype(np.float32),
        limit=below_db,
        unit="db",
        confidence=np.where(onset == "drop", 0.95, 0.6).astype(np.float32),
        details={
            "track": constant(count, series.track, int),
            "channel": np.full(count, name),
            "other": np.full(count, other),
            "level_dbfs": own_dbfs.astype(np.float32),
            "other_dbfs": other_dbfs.astype(np.float32),
            "onset": onset,
        },
        severity_cap=steps.cap,
        message="channel {channel} of audio track {track} lost for {duration_s:.1f} s while {other} goes on: "
        "{value:.0f} dB below it",
    )
