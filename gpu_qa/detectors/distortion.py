"""Distortion: the waveform is broken by arithmetic: it wraps around at full scale, or has but a few levels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.hop_cells import HopsKept, hop_cells, repeated
from gpu_qa.detectors.sample_levels import (
    LAST_BIN,
    LAST_BIN_LEAST,
    lone_steps,
    resolution_bits,
    smeared_steps,
    stands_out,
    step_bits,
)
from gpu_qa.series import Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from gpu_qa.detectors.hop_cells import HopCells
    from gpu_qa.series import AudioSeries

WINDOW_CELLS = 10
"""Jumps are counted, and levels that a codec has smeared are looked for, over a second."""
_MEASURES = ("peak", "power", "bend_peak", "bend_power", "same_run", "levels")
_FULL_RATE, _LOWEST_RATE = 32_000, 11_000
"""Hz: below the first, sound of high frequency jumps nearly as far from sample to sample as an overflow does; below the
second, as far."""
_LOW_RATE_BEND, _LOW_RATE_CREST = 1.5, 6.0
"""What a leap must have below `_FULL_RATE`, where that is more than `jump_bend` and `jump_crest`. Ours: in 33 minutes
of other sound at 11, 16 and 22 kHz, as it is, clipped, and limited by 12 dB, no second has more than 4, but for one of
11 kHz in µ-law that was limited: 7."""
_JUMP_PEAK = 0.8
"""An overflow leaps from one end of full scale to the other, so that its hop's peak is near it."""
_TOP_BINS, _TOP_SHARE = 10, 0.3
"""What wraps around is at any level; where so large a share of a hop is above −1.5 dBFS, it is clipped instead."""
_LOUD_POWER = 10.0**-4.5
"""Levels are counted where a hop is above −45 dBFS."""
_RUN = 4
"""Sound of few levels stays on one for so many samples in every hop."""
_SURE, _LIKELY = np.float32(0.9), np.float32(0.75)
"""Confidence in levels that are exact, and in levels that a codec has smeared."""


@dataclass(frozen=True, slots=True)
class DistortionLimits:
    """When a waveform counts as broken. All of it is ours, measured by planted damage on real programmes."""

    raise_jumps: float = 6.0
    """Wrapped around from so many hops of 10 ms with a leap on, within a second."""
    jump_bend: float = 1.1
    """A leap bends the waveform by this much or more, full scale = 1: an overflow does by 2 to 4, after MP2 1.3."""
    jump_crest: float = 4.7
    """And this many times its hop's root mean square bend; loud noise reaches 4."""
    raise_bits: float = 6.0
    """Of few levels at this resolution or less. Ours: 36 dB of noise below full scale is heard in any programme."""

    def __post_init__(self) -> None:
        if not self.raise_jumps > 0 or not self.jump_bend > 0 or not self.jump_crest > 0 or not self.raise_bits > 0:
            raise ValueError("raise_jumps, jump_bend, jump_crest and raise_bits must be above 0")


@dataclass(frozen=True, slots=True)
class _TrackCarry:
    kept: HopsKept
    jumps: np.ndarray
    """int64 [N, C], N < `WINDOW_CELLS`: hops with a leap in each of the last cells."""
    start_s: np.ndarray
    """float64 [N]: their starts."""
    end_s: np.ndarray
    """float64 [N]: their ends."""
    levels: np.ndarray
    """int64 [N, C, 64]: samples by level in each of them."""
    near_zero: np.ndarray
    """int64 [N, C]: those of the last level in hops that have others too."""


@dataclass(frozen=True, slots=True)
class DistortionCarry:
    """Per track: the last second."""

    tracks: dict[int, _TrackCarry] = field(default_factory=dict)


def distortion(
    series: AudioSeries, limits: DistortionLimits = DistortionLimits(), carry: DistortionCarry | None = None
) -> tuple[list[Evidence], DistortionCarry]:
    """Count leaps between the ends of full scale, and see whether the samples lie on a few levels only.

    Args:
        series: Consecutive hops of one track.
        limits: When a waveform counts as broken.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence per track and cause with one step per 0.1 s. Scope "1:wrap": the value is how many hops of the last
        second leap; scope "1:levels": it is the resolution in bits. And the carry.
    """
    tracks = dict(carry.tracks) if carry is not None else {}
    if not len(series) or not series.channels:
        return [], DistortionCarry(tracks)
    before = tracks.get(series.track)
    cells, kept = hop_cells(series, _MEASURES, before.kept if before is not None else None)
    jumps, start_s, end_s = _jumps(series, cells, limits), cells.start_s, cells.end_s
    levels = cells.hops["levels"].sum(axis=1, dtype=np.int64)
    near_zero = _near_zero(cells)
    if before is not None and not cells.anew:
        jumps = np.concatenate([before.jumps, jumps])
        start_s, end_s = np.concatenate([before.start_s, start_s]), np.concatenate([before.end_s, end_s])
        levels, near_zero = np.concatenate([before.levels, levels]), np.concatenate([before.near_zero, near_zero])
    last = slice(max(len(jumps) - WINDOW_CELLS + 1, 0), None)
    tracks[series.track] = _TrackCarry(
        kept,
        jumps[last].copy(),
        start_s[last].copy(),
        end_s[last].copy(),
        levels[last].copy(),
        near_zero[last].copy(),
    )
    if not len(cells):
        return [], DistortionCarry(tracks)
    wrap = _wrap_evidence(series, len(cells), (jumps, start_s, end_s), limits)
    return [wrap, _levels_evidence(series, cells, (levels, near_zero, start_s, end_s), limits)], DistortionCarry(tracks)


def _jumps(series: AudioSeries, cells: HopCells, limits: DistortionLimits) -> np.ndarray:
    """Hops with a leap, int64 [N, C]."""
    if series.sample_rate < _LOWEST_RATE:
        return np.zeros((len(cells), len(series.channels)), np.int64)
    bend, least_bend, least_crest = cells.hops["bend_peak"], limits.jump_bend, limits.jump_crest
    if series.sample_rate < _FULL_RATE:
        least_bend, least_crest = max(least_bend, _LOW_RATE_BEND), max(least_crest, _LOW_RATE_CREST)
    leaps = bend >= least_bend
    if leaps.any():
        leaps &= bend >= least_crest * np.sqrt(cells.hops["bend_power"])
        leaps &= cells.hops["peak"] >= _JUMP_PEAK
        levels = cells.hops["levels"]
        leaps &= levels[..., :_TOP_BINS].sum(axis=-1) < _TOP_SHARE * levels.sum(axis=-1)
    return np.asarray(leaps.sum(axis=1))


def _near_zero(cells: HopCells) -> np.ndarray:
    """Samples of the last level in hops that have others too, int64 [N, C]."""
    last = cells.hops["levels"][..., LAST_BIN + 1]
    return np.asarray((last * (cells.hops["peak"] >= LAST_BIN_LEAST)).sum(axis=1, dtype=np.int64))


def _wrap_evidence(
    series: AudioSeries, count: int, known: tuple[np.ndarray, np.ndarray, np.ndarray], limits: DistortionLimits
) -> Evidence:
    """Evidence of the last `count` cells, from the leaps and times of these and of those before."""
    jumps, start_s, end_s = known
    first = len(jumps) - count
    from_s, until_s = start_s[first:].copy(), end_s[first:].copy()
    names = repeated([], count)
    value, ends, of_windows = np.zeros(count, np.int64), np.arange(first, len(jumps)) + 1, jumps[first:]
    if jumps.any():
        sums = np.concatenate([np.zeros((1, jumps.shape[1]), np.int64), np.cumsum(jumps, axis=0)])
        of_windows = sums[ends] - sums[np.maximum(ends - WINDOW_CELLS, 0)]
        value = of_windows.max(axis=1)
    for step in np.flatnonzero(value >= limits.raise_jumps).tolist():
        window = slice(max(ends[step] - WINDOW_CELLS, 0), ends[step])
        leaping = np.flatnonzero(jumps[window].any(axis=1))
        from_s[step], until_s[step] = start_s[window][leaping[0]], end_s[window][leaping[-1]]
        names[step] = [series.channels[channel] for channel in np.flatnonzero(of_windows[step] > 0).tolist()]
    verdict = np.where(value >= limits.raise_jumps, 1, -(value == 0).astype(int))
    return Evidence(
        kind="audio.distortion",
        scope=f"{series.track}:wrap",
        start_s=from_s,
        end_s=until_s,
        verdict=verdict.astype(np.int8),
        value=value.astype(np.float32),
        limit=limits.raise_jumps,
        unit="per_s",
        confidence=np.clip(0.6 + value / 60.0, 0.0, 0.95).astype(np.float32),
        details={
            "track": constant(count, series.track, int),
            "channels": names,
            "cause": np.full(count, "wrap_around"),
        },
        gathered=frozenset({"channels"}),
        message="sound of audio track {track} wraps around at full scale for {duration_s:.1f} s, "
        "up to {value:.0f} times a second",
    )


def _levels_evidence(
    series: AudioSeries,
    cells: HopCells,
    known: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    limits: DistortionLimits,
) -> Evidence:
    """Evidence of the new cells, from the levels and times of these and of those before."""
    levels, near_zero, start_s, end_s = known
    count, first = len(cells), len(levels) - len(cells)
    loud = cells.hops["power"] > _LOUD_POWER
    stepped = (loud & (cells.hops["same_run"] >= _RUN)).sum(axis=1)
    sounding = loud.sum(axis=1)
    is_likely = (sounding >= 5) & (stepped >= 0.8 * sounding)
    bits = np.full(count, np.nan, np.float32)
    from_s, until_s = cells.start_s.copy(), cells.end_s.copy()
    names = repeated([], count)
    for cell, channel in _places(is_likely):
        found = resolution_bits(levels[first + cell, channel])
        if found is not None and found <= limits.raise_bits:
            bits[cell] = np.fmin(bits[cell], found)
            names[cell] = [*names[cell], series.channels[channel]]
    is_exact = np.isfinite(bits)
    in_windows = _over_windows(levels)[first:]
    steps = smeared_steps(in_windows)
    steps = np.where(steps > 0, steps, lone_steps(in_windows, _over_windows(near_zero)[first:]))
    for cell, channel in _places((steps > 0) & ~is_exact[:, None]):
        step, window = int(steps[cell, channel]), slice(max(first + cell + 1 - WINDOW_CELLS, 0), first + cell + 1)
        clear = np.flatnonzero(stands_out(levels[window, channel], step))
        if step_bits(step) <= limits.raise_bits and len(clear):
            start, end = start_s[window][clear[0]], end_s[window][clear[-1]]
            is_other = np.isfinite(bits[cell])
            from_s[cell], until_s[cell] = (
                (min(from_s[cell], start), max(until_s[cell], end)) if is_other else (start, end)
            )
            bits[cell] = np.fmin(bits[cell], step_bits(step))
            names[cell] = [*names[cell], series.channels[channel]]
    return Evidence(
        kind="audio.distortion",
        scope=f"{series.track}:levels",
        start_s=from_s,
        end_s=until_s,
        verdict=np.where(np.isfinite(bits), 1, -(sounding >= 5).any(axis=1).astype(int)).astype(np.int8),
        value=bits,
        limit=limits.raise_bits,
        unit="bit",
        worst="min",
        confidence=np.where(is_exact, _SURE, _LIKELY),
        details={
            "track": constant(count, series.track, int),
            "channels": names,
            "cause": np.full(count, "few_levels"),
        },
        gathered=frozenset({"channels"}),
        message="sound of audio track {track} has the levels of {value:.0f} bits only for {duration_s:.1f} s",
    )


def _places(marked: np.ndarray) -> list[list[int]]:
    """Cell and channel of what is marked, bool [N, C]: nothing in nearly all sound."""
    return np.argwhere(marked).tolist() if marked.any() else []


def _over_windows(levels: np.ndarray) -> np.ndarray:
    """Sums over each cell and up to `WINDOW_CELLS` − 1 before it, int64 [N, …]."""
    sums = levels.copy()
    for back in range(1, min(WINDOW_CELLS, len(levels))):
        sums[back:] += levels[:-back]
    return sums


DISTORTION = Detector(
    name="distortion",
    kinds=("audio.distortion",),
    consumes="audio",
    weigh=distortion,
    limits=DistortionLimits(),
    timing=EventTiming(raise_after_s=0.3, clear_after_s=1.0, major_after_s=1.0, critical_after_s=10.0),
    summary="Sound broken by arithmetic: it wraps around at full scale, or has the levels of a few bits.",
    source="ours: leaps per second and gaps between levels, by overflow and requantisation planted in programmes",
)
