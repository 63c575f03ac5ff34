"""Loudness of whole programmes per audio track, kept in bounded memory over streams of any length."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.loudness import add_counts, counted, integrated_lufs, no_counts, range_lu
from gpu_qa.units import amplitude_to_db

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries

MEASUREMENTS = ("integrated_lufs", "lra_lu", "max_momentary_lufs", "max_short_term_lufs", "true_peak_dbtp")
"""Names of what is measured."""


class _Track:
    """The running state of one track."""

    __slots__ = ("blocks", "blocks_full", "max_momentary", "max_short_term", "peak", "windows", "windows_full")

    def __init__(self) -> None:
        self.blocks, self.windows = no_counts(), no_counts()
        self.blocks_full = self.windows_full = 0
        self.max_momentary = self.max_short_term = math.nan
        self.peak = math.nan


class LoudnessRecorder:
    """Programme loudness, loudness range, and the largest of what changes, per audio track."""

    def __init__(self) -> None:
        self._tracks: dict[int, _Track] = {}

    def add(self, series: AudioSeries) -> np.ndarray:
        """Take the next hops of a track.

        A gap in the sound, or other channels, begin new windows; what was there before still counts.

        Args:
            series: Hops of one track in order; any cut into series gives the same results.

        Returns:
            Indices of the hops that end a 400 ms block that counts (ten per second), int64 [N].
        """
        track = self._tracks.get(series.track)
        if track is None:
            track = self._tracks[series.track] = _Track()
        if not len(series):
            return np.empty(0, np.int64)
        blocks, track.blocks_full = counted(series.momentary_lufs, track.blocks_full)
        windows, track.windows_full = counted(series.short_term_lufs, track.windows_full)
        add_counts(track.blocks, series.momentary_lufs[blocks])
        add_counts(track.windows, series.short_term_lufs[windows])
        track.max_momentary = float(np.fmax.reduce(series.momentary_lufs, initial=track.max_momentary))
        track.max_short_term = float(np.fmax.reduce(series.short_term_lufs, initial=track.max_short_term))
        if series.true_peak.size:
            track.peak = float(np.fmax(track.peak, series.true_peak.max()))
        return blocks

    def integrated_lufs(self) -> dict[int, float | None]:
        """Loudness of everything so far per track: gated mean in LUFS, null where no block was above the gate."""
        return {index: integrated_lufs(track.blocks) for index, track in sorted(self._tracks.items())}

    def measurements(self) -> dict[str, Any]:
        """What a report's measurements hold of it, as JSON values.

        Those named in `MEASUREMENTS` are of the first track; `NAME_tracks` has those of all tracks where there are
        several, under the index of the track as text. Null has its reason under `NAME_reason`.
        """
        tracks = {index: _measured(track) for index, track in sorted(self._tracks.items())}
        first = next(iter(tracks.values()), dict.fromkeys(MEASUREMENTS, "no audio track"))
        measured: dict[str, Any] = {}
        for name in MEASUREMENTS:
            value = first[name]
            measured[name] = None if isinstance(value, str) else value
            if isinstance(value, str):
                measured[f"{name}_reason"] = value
            if len(tracks) > 1:
                measured[f"{name}_tracks"] = {
                    str(index): None if isinstance(values[name], str) else values[name]
                    for index, values in tracks.items()
                }
        return measured


def _measured(track: _Track) -> dict[str, float | str]:
    """What was measured, or why it was not."""
    lufs, lra = integrated_lufs(track.blocks), range_lu(track.windows)
    return {
        "integrated_lufs": "no sound of at least 400 ms above -70 LUFS" if lufs is None else round(lufs, 2),
        "lra_lu": "no sound of at least 3 s above -70 LUFS" if lra is None else round(lra, 2),
        "max_momentary_lufs": _largest(track.max_momentary, "no sound of at least 400 ms"),
        "max_short_term_lufs": _largest(track.max_short_term, "no sound of at least 3 s"),
        "true_peak_dbtp": _largest(float(amplitude_to_db(track.peak)), "no sound"),
    }


def _largest(value: float, none: str) -> float | str:
    if math.isnan(value):
        return none
    return "digital silence" if value == -math.inf else round(value, 2)
