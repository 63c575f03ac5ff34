"""True peak: between its samples the sound goes higher than the profile allows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.series import Detector, EventTiming, Evidence
from gpu_qa.units import amplitude_to_db

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries

_STRETCH_S = 2.0
"""Peaks nearer than this are one stretch."""
_TOGETHER_S = 60.0
"""Peaks nearer than this are one event."""
_KEPT = 16
"""Stretches of an event that are kept, for its details."""


@dataclass(frozen=True, slots=True)
class TruePeakLimits:
    """How high the sound may go. Without a limit it is measured and nothing is judged."""

    max_dbtp: float | None = None
    """Raised above this true peak of any channel; profiles set it: `ebu` and `streaming` −1, `atsc` −2."""


@dataclass(frozen=True, slots=True)
class _Peaks:
    """Where the stretches of a track's event began, in seconds, and where the last one has come to."""

    times_s: tuple[float, ...]
    until_s: float


@dataclass(frozen=True, slots=True)
class TruePeakCarry:
    """The last peaks of every track."""

    tracks: dict[int, _Peaks] = field(default_factory=dict)


def true_peak(
    series: AudioSeries, limits: TruePeakLimits = TruePeakLimits(), carry: TruePeakCarry | None = None
) -> tuple[list[Evidence], TruePeakCarry]:
    """Weigh the highest channel's true peak in every hop of 10 ms.

    Args:
        series: Consecutive hops of one track.
        limits: How high it may go.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence with one step per hop, whose value is the true peak in dBTP; none without a limit. And the carry.
    """
    known = carry if carry is not None else TruePeakCarry()
    if limits.max_dbtp is None or not series.true_peak.size:
        return [], known
    highest = series.true_peak.max(axis=1)
    dbtp = amplitude_to_db(highest.astype(np.float64)).astype(np.float32)
    is_over = dbtp > np.float32(limits.max_dbtp)
    count = len(series)
    names = np.array(series.channels, object)
    times_s, peaks = _times(series, is_over, known.tracks.get(series.track))
    evidence = [
        Evidence(
            kind="audio.true_peak",
            scope=str(series.track),
            start_s=series.pts_s,
            end_s=series.end_s,
            verdict=np.where(is_over, 1, -1).astype(np.int8),
            value=dbtp,
            limit=limits.max_dbtp,
            unit="dbtp",
            details={
                "track": np.full(count, series.track),
                "channel": names[series.true_peak.argmax(axis=1)],
                "sample_peak_dbfs": amplitude_to_db(series.peak.max(axis=1).astype(np.float64)).astype(np.float32),
                "times_s": times_s,
            },
            latest=frozenset({"times_s"}),
            message="true peaks up to {value:.1f} dBTP in audio track {track}, highest in {channel} "
            "(limit {limit:.1f} dBTP)",
        )
    ]
    return evidence, known if peaks is None else TruePeakCarry({**known.tracks, series.track: peaks})


def _times(series: AudioSeries, is_over: np.ndarray, peaks: _Peaks | None) -> tuple[np.ndarray, _Peaks | None]:
    """Per hop that is over where the last stretches began, as a list, object [T]; and the peaks after them."""
    times_s = np.empty(len(is_over), object)
    shown: list[float] = [] if peaks is None else list(peaks.times_s)
    for hop in np.flatnonzero(is_over).tolist():
        start_s, end_s = float(series.pts_s[hop]), float(series.end_s[hop])
        if peaks is None or start_s - peaks.until_s >= _STRETCH_S:
            is_same = peaks is not None and start_s - peaks.until_s < _TOGETHER_S
            shown = [*(shown if is_same else []), round(start_s, 2)][-_KEPT:]
        times_s[hop] = shown
        peaks = _Peaks(tuple(shown), end_s)
    return times_s, peaks


TRUE_PEAK = Detector(
    name="true_peak",
    kinds=("audio.true_peak",),
    consumes="audio",
    weigh=true_peak,
    limits=TruePeakLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=_TOGETHER_S, major_after_s=60.0, critical_after_s=600.0),
    summary="The sound goes higher between its samples than the profile allows: players distort it.",
    source="ITU-R BS.1770-5, Annex 2; limits: EBU R 128, ATSC A/85, AES TD1008, none in the default profile",
)
