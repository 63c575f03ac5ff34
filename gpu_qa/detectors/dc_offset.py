"""DC offset: the waveform does not swing around zero, but around a value beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.hop_cells import CELL_HOPS, hop_cells, repeated
from gpu_qa.series import SEVERITIES, Detector, EventTiming, Evidence

if TYPE_CHECKING:
    from gpu_qa.detectors.hop_cells import HopCells, HopsKept
    from gpu_qa.series import AudioSeries

WINDOW_CELLS = 10
"""Means are taken over a second, one every 0.1 s; ours: over shorter times the bass of music has a mean of its own."""


@dataclass(frozen=True, slots=True)
class DcOffsetLimits:
    """When a channel counts as offset. How long it must be is `raise_after_s`."""

    raise_level: float = 0.025
    """Offset from this absolute mean over a second on, full scale = 1. Ours: thumps and bass reach 0.021 for a moment,
    programmes stay below 0.009 otherwise; it costs 0.2 dB of headroom and clicks where the sound is cut."""

    def __post_init__(self) -> None:
        if not 0 < self.raise_level < 1:
            raise ValueError("raise_level must be between 0 and 1")


@dataclass(frozen=True, slots=True)
class DcOffsetCarry:
    """Per track: the last hops, which the next windows need."""

    tracks: dict[int, HopsKept] = field(default_factory=dict)


def dc_offset(
    series: AudioSeries, limits: DcOffsetLimits = DcOffsetLimits(), carry: DcOffsetCarry | None = None
) -> tuple[list[Evidence], DcOffsetCarry]:
    """Weigh the mean of the samples of every second.

    Args:
        series: Consecutive hops of one track.
        limits: When a channel counts as offset.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence per track with one step per 0.1 s, whose value is the mean of the channel where it is largest; a step
        reaches from the first tenth of its second that is offset to the last one.
    """
    tracks = dict(carry.tracks) if carry is not None else {}
    if not len(series) or not series.channels:
        return [], DcOffsetCarry(tracks)
    cells, tracks[series.track] = hop_cells(series, ("mean",), tracks.get(series.track), WINDOW_CELLS - 1)
    if len(cells) < WINDOW_CELLS:
        return [], DcOffsetCarry(tracks)
    return [_evidence(series, cells, limits)], DcOffsetCarry(tracks)


def _evidence(series: AudioSeries, cells: HopCells, limits: DcOffsetLimits) -> Evidence:
    windows = len(cells) - WINDOW_CELLS + 1
    of_cells = cells.hops["mean"].astype(np.float64).sum(axis=1) / CELL_HOPS
    of_windows = np.zeros((windows, len(series.channels)))
    for cell in range(WINDOW_CELLS):  # one after the other, so that a cut between two series changes no bit
        of_windows += of_cells[cell : cell + windows]
    of_windows /= WINDOW_CELLS
    size = np.abs(of_windows)
    worst = size.argmax(axis=1)
    value = of_windows[np.arange(windows), worst]
    largest = np.abs(value)
    verdict = np.where(largest >= limits.raise_level, 1, -(largest < 0.5 * limits.raise_level).astype(int))
    from_s, until_s = cells.start_s[:windows].copy(), cells.end_s[WINDOW_CELLS - 1 :].copy()
    names = repeated([], windows)
    for window in np.flatnonzero(verdict > 0).tolist():
        own = of_cells[window : window + WINDOW_CELLS, worst[window]] * np.sign(value[window])
        # Half the limit is where an offset as large as the limit stands out from none at all.
        offset = np.flatnonzero(own >= 0.5 * limits.raise_level)
        from_s[window], until_s[window] = cells.start_s[window + offset[0]], cells.end_s[window + offset[-1]]
        over = np.flatnonzero(size[window] >= limits.raise_level)
        names[window] = [series.channels[channel] for channel in over.tolist()]
    return Evidence(
        kind="audio.dc_offset",
        scope=str(series.track),
        start_s=from_s,
        end_s=until_s,
        verdict=verdict.astype(np.int8),
        value=largest.astype(np.float32),
        limit=limits.raise_level,
        unit="full_scale",
        details={
            "track": np.full(windows, series.track),
            "channels": names,
            "mean": value.astype(np.float32),
        },
        gathered=frozenset({"channels"}),
        severity_cap=np.full(windows, SEVERITIES.index("warn"), np.int8),
        message="sound of audio track {track} off centre for {duration_s:.1f} s, by {value:.1%} of full scale",
    )


DC_OFFSET = Detector(
    name="dc_offset",
    kinds=("audio.dc_offset",),
    consumes="audio",
    weigh=dc_offset,
    limits=DcOffsetLimits(),
    timing=EventTiming(raise_after_s=2.0, clear_after_s=0.5, major_after_s=5.0, critical_after_s=15.0),
    summary="A constant offset under the sound: clicks at cuts, less headroom.",
    source="ours: 2.5 % of full scale for 2 s, above what bass and thumps of programmes reach",
)
