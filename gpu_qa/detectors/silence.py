"""Silence: no channel of a group carries a sound anybody would hear."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.series import SEVERITIES, Detector, EventTiming, Evidence
from gpu_qa.units import power_to_db

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import AudioSeries

_FRONT = ("FL", "FR", "FC", "FLC", "FRC", "DL", "DR", "mono")
"""Channels of the front by libavutil's names; DL and DR are a stereo downmix."""
_BASS = ("LFE", "LFE2")


@dataclass(frozen=True, slots=True)
class SilenceLimits:
    """When a group of channels counts as silent."""

    raise_dbfs: float = -60.0
    """Silent when the loudest channel's level over 10 ms is at or below this (FFmpeg silencedetect's `noise`)."""
    clear_margin_db: float = 6.0
    """Not silent when it is this much above `raise_dbfs`; ours: 10 ms of a steady noise vary by less."""

    def __post_init__(self) -> None:
        if not self.clear_margin_db >= 0:
            raise ValueError("clear_margin_db must be 0 or more")


def channel_groups(channels: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Which channels are judged together.

    Mono, stereo and whatever else has no surround channel is one group, "main". With surround channels there are
    "front" and "surround". The LFE channel is silent most of the time and counts only where there is no other.

    Args:
        channels: Names in order, such as ("FL", "FR").

    Returns:
        Group → indices of its channels.
    """
    full = [index for index, name in enumerate(channels) if name not in _BASS] or list(range(len(channels)))
    front = [index for index in full if channels[index] in _FRONT]
    surround = [index for index in full if channels[index] not in _FRONT]
    if not front or not surround:
        return {"main": tuple(full)} if full else {}
    return {"front": tuple(front), "surround": tuple(surround)}


@lru_cache(maxsize=64)
def _groups(channels: tuple[str, ...]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple(channel_groups(channels).items())


def silence(
    series: AudioSeries,
    limits: SilenceLimits = SilenceLimits(),
    carry: None = None,  # noqa: ARG001 - every detector has one
) -> tuple[list[Evidence], None]:
    """Weigh the level of every group of channels in every hop of 10 ms.

    Args:
        series: Consecutive hops of one track.
        limits: When a group counts as silent.
        carry: Nothing: every hop is judged by itself.

    Returns:
        Evidence per group with one step per hop, whose value is the level of its loudest channel in dBFS.
    """
    if not len(series):
        return [], None
    found = []
    count = len(series)
    for group, members in _groups(series.channels):
        chosen = slice(None) if len(members) == len(series.channels) else list(members)
        level_dbfs = power_to_db(series.power[:, chosen].max(axis=1).astype(np.float64)).astype(np.float32)
        is_sound = level_dbfs > limits.raise_dbfs + limits.clear_margin_db
        verdict = np.where(level_dbfs <= limits.raise_dbfs, 1, np.where(is_sound, -1, 0)).astype(np.int8)
        names = [series.channels[index] for index in members]
        found.append(
            Evidence(
                kind="audio.silence",
                scope=f"{series.track}:{group}",
                start_s=series.pts_s,
                end_s=series.end_s,
                verdict=verdict,
                value=level_dbfs,
                limit=limits.raise_dbfs,
                unit="dbfs",
                worst="min",
                details={
                    "track": np.full(count, series.track),
                    "group": np.full(count, group),
                    "channels": _repeated(names, count),
                    "digital": series.peak[:, chosen].max(axis=1) == 0.0,
                },
                severity_cap=np.full(count, SEVERITIES.index("info"), np.int8) if group == "surround" else None,
                message="silence for {duration_s:.1f} s in the {group} channels of audio track {track}, "
                "down to {value:.1f} dBFS",
            )
        )
    return found, None


def _repeated(value: object, count: int) -> np.ndarray:
    """Object [T]: the same value in every step."""
    one = np.empty(1, object)
    one[0] = value
    return one.repeat(count)


SILENCE = Detector(
    name="silence",
    kinds=("audio.silence",),
    consumes="audio",
    weigh=silence,
    limits=SilenceLimits(),
    timing=EventTiming(raise_after_s=2.0, clear_after_s=0.07, major_after_s=5.0, critical_after_s=15.0),
    summary="No sound in any channel of a group: main, or front and surround.",
    source="FFmpeg silencedetect: −60 dB for 2 s (AWS Elemental MediaLive: −50 dBFS)",
)
