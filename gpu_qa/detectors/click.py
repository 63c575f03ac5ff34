"""Click: single samples or splices that crack, unlike any sound of the programme."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.burst import Burst, BurstRules, Mark, Step, followed, objects, step_arrays
from gpu_qa.series import Detector, EventTiming, Evidence
from gpu_qa.units import db_to_amplitude, db_to_power, power_to_db

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries

_AROUND = 6
"""Hops before and after one that it is compared with: drums, knocks and plosives ring on for longer than a hop."""
_IMPULSE_SAMPLES = 2 / 3
"""A single sample that stands out has a bend whose peak is this many times a hop's samples above its mean square."""
_FULL_RATE, _LOWEST_RATE = 32_000, 11_000
"""Hz. Below the first, hops have so few samples that a peak which is but short does not stand out of a voice's; below
the second, sharp ones do not either."""
_SHARP_DBFS, _LOW_RATE_DBFS = -20.0, -10.0
"""Sharp bends count from the first up, below `_FULL_RATE` from the second. Ours: in 9 minutes of other sound at 32 kHz
and more no hop is above the first, in 11 minutes at 16 kHz one is above the second, and one in 12 at 11 kHz."""
_TINY = 1e-13
_NEED = 2
"""Clicks that are told together; a louder one is told alone."""


@dataclass(frozen=True, slots=True)
class ClickLimits:
    """When a hop holds a click."""

    above_db: float = 15.0
    """The bend of the wave is this much stronger than in the hops around; ours."""
    short_db: float = 4.5
    """Its peak comes this close to that of a single sample; ours: drums stay 8 dB below, MP2 takes 4 dB off."""
    sharp_above_db: float = 6.0
    """So much is enough where its peak is sharp and loud; ours."""
    sharp_db: float = 3.5
    """A sharp peak comes this close to that of a single sample; ours: a single step comes within 1.2 dB."""
    alone_above_db: float = 22.0
    """So much stronger than around, one click is told by itself; ours."""
    min_peak_dbfs: float = -45.0
    """Weaker bends count for nothing (full scale = 0 dBFS); ours."""
    join_s: float = 1.0
    """Clicks less than this apart belong together; ours."""

    def __post_init__(self) -> None:
        if not 0 < self.sharp_above_db <= self.above_db <= self.alone_above_db:
            raise ValueError("0 < sharp_above_db ≤ above_db ≤ alone_above_db must hold")
        if not self.sharp_db <= self.short_db or not self.short_db > 0 or not self.join_s > 0:
            raise ValueError("sharp_db ≤ short_db must hold, and short_db and join_s be more than 0")


@dataclass(frozen=True, slots=True)
class _Click:
    """What is kept of a click."""

    above_db: float
    """How far it stands above what is around it, in the channel where it is strongest."""
    limit_db: float
    """How far it had to."""
    channels: tuple[int, ...]
    """Those that it is in."""


@dataclass(frozen=True, slots=True)
class _TrackCarry:
    """What is kept of one track."""

    format: tuple[tuple[str, ...], int]
    """Channels and sample rate."""
    times_s: np.ndarray
    """float64 [N, 2]: start and end of the last hops."""
    bend: np.ndarray
    """float32 [N, 2, C]: their bend's power and peak."""
    burst: Burst | None = None


@dataclass(frozen=True, slots=True)
class ClickCarry:
    """Where the judgement of every track stands."""

    tracks: dict[int, _TrackCarry] = field(default_factory=dict)


def click(
    series: AudioSeries, limits: ClickLimits = ClickLimits(), carry: ClickCarry | None = None
) -> tuple[list[Evidence], ClickCarry]:
    """Weigh how suddenly the wave bends in each hop, against the hops around it.

    Args:
        series: Consecutive hops of one track.
        limits: When a hop holds a click.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence whose value is how far the strongest of the last clicks stands above its surroundings in dB, and the
        carry.
    """
    known = carry if carry is not None else ClickCarry()
    if not len(series) or not series.channels or series.sample_rate < _LOWEST_RATE:
        return [], known
    at, form = known.tracks.get(series.track), (series.channels, series.sample_rate)
    gap_s = float(series.end_s[0] - series.pts_s[0]) / 2
    if at is None or at.format != form or abs(float(series.pts_s[0]) - float(at.times_s[-1, 1])) > gap_s:
        nothing = np.zeros((0, 2, len(series.channels)), np.float32)
        at = _TrackCarry(form, np.zeros((0, 2)), nothing, at.burst if at is not None else None)
    times_s = np.concatenate([at.times_s, np.stack([series.pts_s, series.end_s], 1)])
    bend = np.concatenate([at.bend, np.stack([series.bend_power, series.bend_peak], 1)])
    marks = _clicks(times_s, bend, len(at.bend), series.sample_rate, limits)
    rules = BurstRules(join_s=limits.join_s, need=_NEED, wait_s=limits.join_s + 0.1)
    steps, burst = followed((series.pts_s, series.end_s), marks, at.burst, rules)
    keep = 2 * _AROUND
    tracks = {**known.tracks, series.track: _TrackCarry(form, times_s[-keep:], bend[-keep:], burst)}
    return ([_evidence(series, steps)] if steps else []), ClickCarry(tracks)


def _clicks(times_s: np.ndarray, bend: np.ndarray, seen: int, rate: int, limits: ClickLimits) -> list[tuple[int, Mark]]:
    """Clicks whose surroundings became complete after the first `seen` hops, with the hop that completed them."""
    first, last = max(seen - _AROUND, _AROUND), len(bend) - _AROUND
    if first >= last:
        return []
    power, peak = bend[:, 0].astype(np.float64), bend[:, 1].astype(np.float64)
    samples = rate * (float(times_s[first, 1]) - float(times_s[first, 0]))
    is_full = rate >= _FULL_RATE
    bound = power * (samples * _IMPULSE_SAMPLES)
    short = (
        (peak**2 >= bound * db_to_power(-limits.short_db)) & (peak >= db_to_amplitude(limits.min_peak_dbfs)) & is_full
    )
    sharp = (peak**2 >= bound * db_to_power(-limits.sharp_db)) & (
        peak >= db_to_amplitude(_SHARP_DBFS if is_full else _LOW_RATE_DBFS)
    )
    needed_db = np.where(sharp, limits.sharp_above_db, np.where(short, limits.above_db, np.inf))
    marks = []
    for hop in (first + np.flatnonzero(np.isfinite(needed_db[first:last]).any(axis=1))).tolist():
        near = power[hop - _AROUND : hop + _AROUND + 1]
        # A click on the edge of two hops shows in both, and counts in the one that has more of it.
        before, after = near[_AROUND - 1], near[_AROUND + 1]
        around = np.maximum(
            np.concatenate([near[: _AROUND - 1], near[_AROUND + 2 :]]).max(axis=0), np.minimum(before, after)
        )
        most = (power[hop] > before) & (power[hop] >= after)
        above_db = power_to_db(np.where(most, power[hop] / np.maximum(around, _TINY), _TINY))
        is_click = above_db >= needed_db[hop]
        if not is_click.any():
            continue
        strongest = int(np.argmax(np.where(is_click, above_db, -np.inf)))
        strongest_db, limit_db = float(above_db[strongest]), float(needed_db[hop, strongest])
        channels = tuple(np.flatnonzero(is_click).tolist())
        start_s, end_s = times_s[hop].tolist()
        alone = is_full and strongest_db >= limits.alone_above_db
        marks.append((hop + _AROUND - seen, Mark(start_s, end_s, alone, _Click(strongest_db, limit_db, channels))))
    return marks


def _evidence(series: AudioSeries, steps: list[Step]) -> Evidence:
    bursts = [step.burst for step in steps]
    start_s, end_s, verdict = step_arrays(steps)
    per_s = [burst.count / max(burst.end_s - burst.start_s, 1.0) for burst in bursts]
    clicks: list[list[_Click]] = [[mark.about for mark in burst.marks] for burst in bursts]
    strongest = [max(some, key=lambda one: one.above_db) for some in clicks]
    return Evidence(
        kind="audio.click",
        scope=str(series.track),
        start_s=start_s,
        end_s=end_s,
        verdict=verdict,
        value=np.array([one.above_db for one in strongest], np.float32),
        limit=np.array([one.limit_db for one in strongest], np.float64),
        unit="db",
        confidence=np.array(
            [0.6 if burst.count == 1 else 0.8 if burst.count < 4 else 0.9 for burst in bursts], np.float32
        ),
        details={
            "track": np.full(len(steps), series.track),
            "clicks": np.array([burst.count for burst in bursts]),
            "per_second": np.array([round(rate, 2) for rate in per_s]),
            "times_s": objects([burst.times_s for burst in bursts]),
            "above_db": objects([[round(one.above_db, 1) for one in some] for some in clicks]),
            "channels": objects([_names(series, burst) for burst in bursts]),
        },
        latest=frozenset({"clicks", "per_second", "times_s", "above_db"}),
        gathered=frozenset({"channels"}),
        message="clicks in audio track {track} over {duration_s:.1f} s ({clicks}), up to {value:.0f} dB above the "
        "sound around them",
    )


def _names(series: AudioSeries, burst: Burst) -> list[str]:
    """The channels in which a burst's clicks are."""
    heard = {index for mark in burst.marks for index in mark.about.channels}
    return [name for index, name in enumerate(series.channels) if index in heard]


CLICK = Detector(
    name="click",
    kinds=("audio.click",),
    consumes="audio",
    weigh=click,
    limits=ClickLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=0.5, major_after_s=5.0, critical_after_s=30.0),
    summary="Clicks and cracks: single samples and splices that stand out of the sound around them.",
    source="ours: benchmarks/detectors",
)
