"""True peak: between its samples the sound goes higher than the profile allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.series import Detector, EventTiming, Evidence
from gpu_qa.units import amplitude_to_db

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries


@dataclass(frozen=True, slots=True)
class TruePeakLimits:
    """How high the sound may go. Without a limit it is measured and nothing is judged."""

    max_dbtp: float | None = None
    """Raised above this true peak of any channel; profiles set it: `ebu` and `streaming` −1, `atsc` −2."""


def true_peak(
    series: AudioSeries,
    limits: TruePeakLimits = TruePeakLimits(),
    carry: None = None,  # noqa: ARG001 - every detector has one
) -> tuple[list[Evidence], None]:
    """Weigh the highest channel's true peak in every hop of 10 ms.

    Args:
        series: Consecutive hops of one track.
        limits: How high it may go.
        carry: Nothing: every hop is judged by itself.

    Returns:
        Evidence with one step per hop, whose value is the true peak in dBTP; none without a limit.
    """
    if limits.max_dbtp is None or not series.true_peak.size:
        return [], None
    highest = series.true_peak.max(axis=1)
    dbtp = amplitude_to_db(highest.astype(np.float64)).astype(np.float32)
    is_over = dbtp > np.float32(limits.max_dbtp)
    count = len(series)
    names = np.array(series.channels, object)
    return [
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
            },
            message="true peaks up to {value:.1f} dBTP in audio track {track}, highest in {channel} "
            "(limit {limit:.1f} dBTP)",
        )
    ], None


TRUE_PEAK = Detector(
    name="true_peak",
    kinds=("audio.true_peak",),
    consumes="audio",
    weigh=true_peak,
    limits=TruePeakLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=2.0, major_after_s=5.0, critical_after_s=15.0),
    summary="The sound goes higher between its samples than the profile allows: players distort it.",
    source="ITU-R BS.1770-5, Annex 2; limits: EBU R 128, ATSC A/85, AES TD1008, none in the default profile",
)
