"""Phase inversion: one channel of a pair carries the other one upside down, so that a mono listener hears nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.channel_pairs import channel_pairs, pair_balance
from gpu_qa.detectors.hop_cells import repeated
from gpu_qa.series import Detector, EventTiming, Evidence

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries


@dataclass(frozen=True, slots=True)
class PhaseInversionLimits:
    """When a pair counts as inverted."""

    raise_correlation: float = -0.7
    """Inverted when the correlation of the two channels over 10 ms is at or below this. Ours: wide stereo, reverb and
    music for a surround matrix stay above −0.6 over 0.1 s; an inverted channel is at −0.95 and below under any
    codec."""
    clear_correlation: float = -0.4
    """Not inverted above this; ours."""
    quiet_dbfs: float = -55.0
    """Sound below this level says nothing: interference on a balanced line is in opposite phase, and inaudible."""

    def __post_init__(self) -> None:
        if not -1 <= self.raise_correlation <= self.clear_correlation <= 1:
            raise ValueError("-1 ≤ raise_correlation ≤ clear_correlation ≤ 1 must hold")


def phase_inversion(
    series: AudioSeries,
    limits: PhaseInversionLimits = PhaseInversionLimits(),
    carry: None = None,  # noqa: ARG001 - every detector has one
) -> tuple[list[Evidence], None]:
    """Weigh the correlation of every pair of channels in every hop of 10 ms.

    Args:
        series: Consecutive hops of one track.
        limits: When a pair counts as inverted.
        carry: Nothing: every hop is judged by itself.

    Returns:
        Evidence per pair with one step per hop, whose value is the correlation, −1…1.
    """
    if not len(series):
        return [], None
    return [_evidence(series, pair, limits) for pair in channel_pairs(series.channels)], None


def _evidence(series: AudioSeries, pair: int, limits: PhaseInversionLimits) -> Evidence:
    left, right, product = pair_balance(series.power, series.cross, pair)
    both = np.sqrt(left * right)
    is_sound = both > 10.0 ** (limits.quiet_dbfs / 10.0)
    correlation = np.divide(product, both, out=np.zeros_like(both), where=is_sound)
    verdict = np.where(
        correlation <= limits.raise_correlation, 1, -(correlation > limits.clear_correlation).astype(int)
    )
    count = len(series)
    names = series.channels[2 * pair : 2 * pair + 2]
    return Evidence(
        kind="audio.phase_inversion",
        scope=f"{series.track}:{names[0]}",
        start_s=series.pts_s,
        end_s=series.end_s,
        verdict=np.where(is_sound, verdict, 0).astype(np.int8),
        value=correlation.astype(np.float32),
        limit=limits.raise_correlation,
        unit="correlation",
        worst="min",
        confidence=np.clip(0.5 - 0.5 * correlation, 0.0, 1.0).astype(np.float32),
        details={"track": np.full(count, series.track), "channels": repeated(list(names), count)},
        message="one of two channels of audio track {track} upside down for {duration_s:.1f} s: correlation "
        "{value:.2f}, lost to a mono listener",
    )


PHASE_INVERSION = Detector(
    name="phase_inversion",
    kinds=("audio.phase_inversion",),
    consumes="audio",
    weigh=phase_inversion,
    limits=PhaseInversionLimits(),
    timing=EventTiming(raise_after_s=1.0, clear_after_s=0.3, major_after_s=5.0, critical_after_s=30.0),
    summary="Left and right in opposite phase: hollow in stereo, gone in mono.",
    source="ours: correlation −0.7, which planted inversions pass under any codec and programmes do not reach",
)
