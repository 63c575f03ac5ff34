"""Dropout: short holes torn into running sound, as lost packets and buffers leave them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.burst import Burst, BurstRules, Mark, Step, followed, objects, step_arrays
from gpu_qa.detectors.channel_holes import channel_holes
from gpu_qa.detectors.channel_pairs import channel_pairs
from gpu_qa.detectors.holes import AROUND, CELL_S, QUARTERS, cell_levels, holes, least_ms
from gpu_qa.series import Detector, EventTiming, Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_qa.detectors.holes import Hole
    from gpu_qa.series import AudioSeries

_ALL = ("", "")
_CONFIDENCE = (0.6, 0.75, 0.85, 0.95)
"""Of one hole, two, three, and more."""


@dataclass(frozen=True, slots=True)
class DropoutLimits:
    """When a stretch of low level is a hole, and when holes are a defect."""

    min_hole_ms: float = 5.0
    """Shortest hole; ours. One of nothing but zeros may be half as long."""
    max_hole_ms: float = 150.0
    """Longest hole of several; ours: pauses between notes and syllables that break off so suddenly are longer."""
    drop_db: float = 15.0
    """Within 10 ms of either end the sound stands this far above all of the hole; ours."""
    join_s: float = 0.9
    """Holes less than this apart belong together; ours: lost packets come in bursts."""
    lone_drop_db: float = 40.0
    """A hole without others near it is told when it is this deep and the sound runs evenly on both sides; ours."""
    lone_max_hole_ms: float = 400.0
    """Longest such hole; ours: what lasts longer is a pause or silence."""
    channel_holes: int = 3
    """So many holes of one channel of a pair are told, in which the other goes on; ours."""
    channel_join_s: float = 2.0
    """Those less than this apart belong together; ours."""
    alike: float = 0.3
    """The two are correlated by this much or more, 0.1 s before and after such a hole; ours."""

    def __post_init__(self) -> None:
        if not 0 < self.drop_db <= self.lone_drop_db:
            raise ValueError("0 < drop_db ≤ lone_drop_db must hold")
        if not 0 < self.min_hole_ms <= self.max_hole_ms <= self.lone_max_hole_ms <= 1000:
            raise ValueError("0 < min_hole_ms ≤ max_hole_ms ≤ lone_max_hole_ms ≤ 1000 must hold")
        if not self.join_s > 0 or not self.channel_join_s > 0:
            raise ValueError("join_s and channel_join_s must be more than 0")
        if not self.channel_holes >= 1 or not 0 < self.alike <= 1:
            raise ValueError("channel_holes ≥ 1 and 0 < alike ≤ 1 must hold")


@dataclass(frozen=True, slots=True)
class _Hops:
    """The last N hops of a track."""

    pts_s: np.ndarray
    """float64 [N]."""
    loudest: np.ndarray
    """float64 [4 N]: level of each cell in the loudest channel, dBFS."""
    levels: np.ndarray
    """float64 [C, 4 N]: level of each cell in each channel of a pair, dBFS."""
    power: np.ndarray
    """float64 [C, N]: their mean square."""
    cross: np.ndarray
    """float64 [C / 2, N]: mean product of the two channels of each pair."""


@dataclass(frozen=True, slots=True)
class _TrackCarry:
    """What is kept of one track."""

    channels: tuple[str, ...]
    hops: _Hops
    until_s: float
    bursts: dict[tuple[str, str], Burst] = field(default_factory=dict)
    """By the channel and the one that goes on; both "" are all channels together."""


@dataclass(frozen=True, slots=True)
class DropoutCarry:
    """Where the judgement of every track stands."""

    tracks: dict[int, _TrackCarry] = field(default_factory=dict)


def dropout(
    series: AudioSeries, limits: DropoutLimits = DropoutLimits(), carry: DropoutCarry | None = None
) -> tuple[list[Evidence], DropoutCarry]:
    """Weigh the holes that all channels of a track have together, and those that one of a pair has alone.

    Args:
        series: Consecutive hops of one track.
        limits: When a hole is one.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence whose steps reach back to where the holes began and whose value is the length of the
        longest hole in ms, and the carry.
    """
    known = carry if carry is not None else DropoutCarry()
    if not len(series) or not series.channels:
        return [], known
    before, hops = known.tracks.get(series.track), _hops(series)
    seen, bursts = 0, before.bursts if before is not None else {}
    is_next = before is not None and before.channels == series.channels
    if before is not None and is_next and abs(float(series.pts_s[0]) - before.until_s) <= CELL_S:
        hops, seen = _joined(before.hops, hops), len(before.hops.pts_s)
    found = dict(_found(series.channels, hops, seen, limits))
    evidence, after = [], dict[tuple[str, str], Burst]()
    # What was told of a channel that is there no more ends too.
    for names in {**found, **bursts}:
        is_single = names != _ALL
        marks = [(hole.known_in - seen, _mark(hole, hops.pts_s, single=is_single)) for hole in found.get(names, [])]
        rules = _rules(limits, single=is_single)
        steps, burst = followed((series.pts_s, series.end_s), marks, bursts.get(names), rules)
        if burst is not None:
            after[names] = burst
        if steps:
            evidence.append(_evidence(series, steps, names, limits))
    keep = round(limits.lone_max_hole_ms / 1000 / CELL_S / QUARTERS) + 2 * AROUND // QUARTERS + 1
    now = _TrackCarry(series.channels, _last(hops, keep), float(series.end_s[-1]), after)
    return evidence, DropoutCarry({**known.tracks, series.track: now})


def _hops(series: AudioSeries) -> _Hops:
    paired = [channel for pair in channel_pairs(series.channels) for channel in (2 * pair, 2 * pair + 1)]
    return _Hops(
        pts_s=series.pts_s,
        loudest=cell_levels(series.fine_power.max(axis=2)),
        levels=cell_levels(series.fine_power[..., paired]).T,
        power=series.power[:, paired].T.astype(np.float64),
        cross=series.cross[:, list(channel_pairs(series.channels))].T.astype(np.float64),
    )


def _joined(first: _Hops, second: _Hops) -> _Hops:
    return _Hops(*(np.concatenate([getattr(first, name), getattr(second, name)], axis=-1) for name in _Hops.__slots__))


def _last(hops: _Hops, count: int) -> _Hops:
    """The last of them; copies, for views would hold on to whole series."""
    return _Hops(
        pts_s=hops.pts_s[-count:].copy(),
        loudest=hops.loudest[-count * QUARTERS :].copy(),
        levels=hops.levels[:, -count * QUARTERS :].copy(),
        power=hops.power[:, -count:].copy(),
        cross=hops.cross[:, -count:].copy(),
    )


def _found(
    channels: tuple[str, ...], hops: _Hops, seen: int, limits: DropoutLimits
) -> Iterator[tuple[tuple[str, str], list[Hole]]]:
    """What `_TrackCarry.bursts` are named by, and the holes that became known after the first `seen` hops."""
    cells = seen * QUARTERS
    short = limits.max_hole_ms
    yield _ALL, [hole for hole in holes(hops.loudest, cells, limits) if hole.alone or hole.length_ms <= short]
    for place, pair in enumerate(channel_pairs(channels)):
        for own in (0, 1):
            order = [2 * place + own, 2 * place + 1 - own]
            found = channel_holes(hops.levels[order], hops.power[order], hops.cross[place], cells, limits)
            yield (channels[2 * pair + own], channels[2 * pair + 1 - own]), found


def _rules(limits: DropoutLimits, *, single: bool) -> BurstRules:
    """When holes are told, of a single channel or of all."""
    join_s = limits.channel_join_s if single else limits.join_s
    wait_s = join_s + limits.lone_max_hole_ms / 1000 + AROUND * CELL_S
    return BurstRules(join_s=join_s, need=limits.channel_holes if single else 2, wait_s=wait_s)


def _mark(hole: Hole, pts_s: np.ndarray, *, single: bool) -> Mark:
    start_s, end_s = (float(pts_s[cell // QUARTERS]) + cell % QUARTERS * CELL_S for cell in (hole.first, hole.end))
    return Mark(start_s, end_s, hole.alone and not single, hole)


def _evidence(series: AudioSeries, steps: list[Step], names: tuple[str, str], limits: DropoutLimits) -> Evidence:
    """Steps of all channels together, or of the channel named first while the other goes on."""
    channel, other = names
    bursts = [step.burst for step in steps]
    start_s, end_s, verdict = step_arrays(steps)
    found: list[list[Hole]] = [[mark.about for mark in burst.marks] for burst in bursts]
    lengths_ms = [[round((mark.end_s - mark.start_s) * 1000, 1) for mark in burst.marks] for burst in bursts]
    longest = [int(np.argmax(lengths)) for lengths in lengths_ms]
    least = [least_ms(limits, digital=some[at].digital) for some, at in zip(found, longest, strict=True)]
    confidence = [_CONFIDENCE[min(burst.count, len(_CONFIDENCE)) - 1] for burst in bursts]
    single = {"channel": np.full(len(steps), channel), "other": np.full(len(steps), other)} if channel else {}
    what = "channel {channel} of audio track {track}" if channel else "audio track {track}"
    meanwhile = " while {other} goes on" if channel else ""
    return Evidence(
        kind="audio.dropout",
        scope=f"{series.track}:{channel}" if channel else str(series.track),
        start_s=start_s,
        end_s=end_s,
        verdict=verdict,
        value=np.array([lengths[at] for lengths, at in zip(lengths_ms, longest, strict=True)], np.float32),
        limit=np.array(least, np.float64),
        unit="ms",
        confidence=np.array(confidence, np.float32),
        details={
            "track": np.full(len(steps), series.track),
            **single,
            "holes": np.array([burst.count for burst in bursts]),
            "lost_ms": np.array([round(burst.length_s * 1000, 1) for burst in bursts]),
            "drop_db": np.array([round(min(hole.drop_db for hole in some), 1) for some in found]),
            "digital": np.array([all(hole.digital for hole in some) for some in found]),
            "times_s": objects([burst.times_s for burst in bursts]),
            "lengths_ms": objects(lengths_ms),
        },
        latest=frozenset({"holes", "lost_ms", "drop_db", "digital", "times_s", "lengths_ms"}),
        message=f"sound of {what} drops out for moments{meanwhile} (holes: {{holes}}): {{lost_ms:.1f}} ms in all, "
        "the longest {value:.1f} ms",
    )


DROPOUT = Detector(
    name="dropout",
    kinds=("audio.dropout",),
    consumes="audio",
    weigh=dropout,
    limits=DropoutLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=0.5, major_after_s=2.0, critical_after_s=10.0),
    summary="Short holes torn into running sound, in all channels together or in one of a pair.",
    source="ours: benchmarks/detectors",
)
