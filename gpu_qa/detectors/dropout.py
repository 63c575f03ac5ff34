"""Dropout: short holes torn into running sound, as lost packets and buffers leave them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.burst import Burst, BurstRules, Mark, Step, followed, objects, step_arrays
from gpu_qa.series import Detector, EventTiming, Evidence
from gpu_qa.units import power_to_db

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries

CELL_S = 0.0025
"""Levels are looked at in quarters of a hop."""
_QUARTERS = 4
_LEVELS_DBFS = (-90.0, -80.0, -70.0, -60.0)
"""A hole lies at or below one of these: how low it gets depends on how far a codec has smeared its edges into it."""
_EDGE = 4
"""Cells within which the sound breaks off and comes back: 10 ms. Short blocks of a codec smear it by about as much."""
_BESIDE = 12
"""Cells before and after a hole that say how loud the sound is there: 30 ms."""
_AROUND = 40
"""Cells before and after a lone hole that must be sound throughout: 0.1 s. Holes are judged so much later."""
_SLACK_DB = 6.0
"""How much weaker than beside it the sound may be within `_EDGE` of a hole: what fades out is no hole. Twice as much
where it comes back: what begins there may swell."""
_SHORT_MS = 15.0
_SHORT_DB = 15.0
"""Holes shorter than `_SHORT_MS` must be this much deeper: between the beats of a low voice it is still for as long."""
_NOTHING_DBFS = -120.0
"""Levels count from here up: not even a step of 16 bit now and then."""
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

    def __post_init__(self) -> None:
        if not 0 < self.drop_db <= self.lone_drop_db:
            raise ValueError("0 < drop_db ≤ lone_drop_db must hold")
        if not 0 < self.min_hole_ms <= self.max_hole_ms <= self.lone_max_hole_ms <= 1000:
            raise ValueError("0 < min_hole_ms ≤ max_hole_ms ≤ lone_max_hole_ms ≤ 1000 must hold")
        if not self.join_s > 0:
            raise ValueError("join_s must be more than 0")


@dataclass(frozen=True, slots=True)
class _Hole:
    """What is kept of a stretch in which all channels drop out."""

    drop_db: float
    """How far its middle level lies below the sound beside it."""
    digital: bool
    """At its deepest there are only zeros."""


@dataclass(frozen=True, slots=True)
class _TrackCarry:
    """What is kept of one track."""

    channels: tuple[str, ...]
    pts_s: np.ndarray
    """float64 [N]: the last hops."""
    levels_dbfs: np.ndarray
    """float64 [4 N]: their cells' level in the loudest channel."""
    until_s: float
    burst: Burst | None = None


@dataclass(frozen=True, slots=True)
class DropoutCarry:
    """Where the judgement of every track stands."""

    tracks: dict[int, _TrackCarry] = field(default_factory=dict)


def dropout(
    series: AudioSeries, limits: DropoutLimits = DropoutLimits(), carry: DropoutCarry | None = None
) -> tuple[list[Evidence], DropoutCarry]:
    """Weigh the holes that all channels of a track have together.

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
    at = known.tracks.get(series.track)
    levels = power_to_db(series.fine_power.max(axis=2).reshape(-1).astype(np.float64))
    levels = np.maximum(levels, _NOTHING_DBFS)
    if at is None or at.channels != series.channels or abs(float(series.pts_s[0]) - at.until_s) > CELL_S:
        at = _TrackCarry(series.channels, np.zeros(0), np.zeros(0), 0.0, at.burst if at is not None else None)
    pts_s = np.concatenate([at.pts_s, series.pts_s])
    whole = np.concatenate([at.levels_dbfs, levels])
    marks = _holes(whole, pts_s, len(at.levels_dbfs), limits)
    wait_s = limits.join_s + limits.lone_max_hole_ms / 1000 + _AROUND * CELL_S
    rules = BurstRules(join_s=limits.join_s, need=2, wait_s=wait_s)
    seen = len(at.pts_s)
    steps, burst = followed((series.pts_s, series.end_s), [(hop - seen, mark) for hop, mark in marks], at.burst, rules)
    keep = round(limits.lone_max_hole_ms / 1000 / CELL_S / _QUARTERS) + 2 * _AROUND // _QUARTERS + 1
    after = _TrackCarry(series.channels, pts_s[-keep:], whole[-keep * _QUARTERS :], float(series.end_s[-1]), burst)
    evidence = [_evidence(series, steps, limits)] if steps else []
    return evidence, DropoutCarry({**known.tracks, series.track: after})


def _holes(levels: np.ndarray, pts_s: np.ndarray, seen: int, limits: DropoutLimits) -> list[tuple[int, Mark]]:
    """Holes whose surroundings became complete after the first `seen` cells, with the hop that completed them."""
    found: dict[int, tuple[int, Mark]] = {}
    deepest = levels.min()
    for level in _LEVELS_DBFS:
        if deepest > level:
            continue
        low = levels <= level
        edges = (np.flatnonzero(low[1:] != low[:-1]) + 1).tolist()
        if low[0]:
            edges = edges[1:]
        for a, b in zip(edges[::2], edges[1::2], strict=False):
            if a < _AROUND or b in found or not seen < b + _AROUND <= len(levels):
                continue
            hole = _hole(levels, pts_s, a, b, limits)
            if hole is not None:
                found[b] = (b + _AROUND - 1) // _QUARTERS, hole
    return [found[b] for b in sorted(found)]


def _hole(levels: np.ndarray, pts_s: np.ndarray, a: int, b: int, limits: DropoutLimits) -> Mark | None:
    """The cells `a` to `b` (exclusive) as a hole; null where they are none."""
    length_ms = (b - a) * CELL_S * 1000
    digital = bool(levels[a:b].min() <= _NOTHING_DBFS)
    if not _least_ms(_Hole(0.0, digital), limits) <= length_ms <= limits.lone_max_hole_ms:
        return None
    edges = float(levels[a - _EDGE : a].max()), float(levels[b : b + _EDGE].max())
    beside = _mean_dbfs(levels[a - _BESIDE : a]), _mean_dbfs(levels[b : b + _BESIDE])
    short = length_ms < _SHORT_MS and not digital
    if min(edges) - float(levels[a:b].max()) < limits.drop_db + (_SHORT_DB if short else 0.0):
        return None
    if edges[0] < beside[0] - _SLACK_DB or edges[1] < beside[1] - 2 * _SLACK_DB:
        return None
    drop_db = min(edges) - float(np.median(levels[a:b]))
    # The cells next to the hole may hold a piece of it.
    around = min(float(levels[a - _AROUND : a - 1].min()), float(levels[b + 1 : b + _AROUND].min()))
    lone = (
        drop_db >= limits.lone_drop_db
        and abs(beside[0] - beside[1]) <= _SLACK_DB
        and around >= min(beside) - limits.lone_drop_db / 2
    )
    if length_ms > limits.max_hole_ms and not lone:
        return None
    start_s, end_s = (float(pts_s[cell // _QUARTERS]) + cell % _QUARTERS * CELL_S for cell in (a, b))
    return Mark(start_s, end_s, lone, _Hole(drop_db, digital))


def _mean_dbfs(levels: np.ndarray) -> float:
    return float(power_to_db(float(np.mean(10.0 ** (levels / 10.0)))))


def _evidence(series: AudioSeries, steps: list[Step], limits: DropoutLimits) -> Evidence:
    bursts = [step.burst for step in steps]
    start_s, end_s, verdict = step_arrays(steps)
    holes = [[mark.about for mark in burst.marks] for burst in bursts]
    lengths_ms = [[round((mark.end_s - mark.start_s) * 1000, 1) for mark in burst.marks] for burst in bursts]
    longest = [int(np.argmax(lengths)) for lengths in lengths_ms]
    least_ms = [_least_ms(some[at], limits) for some, at in zip(holes, longest, strict=True)]
    confidence = [_CONFIDENCE[min(burst.count, len(_CONFIDENCE)) - 1] for burst in bursts]
    return Evidence(
        kind="audio.dropout",
        scope=str(series.track),
        start_s=start_s,
        end_s=end_s,
        verdict=verdict,
        value=np.array([lengths[at] for lengths, at in zip(lengths_ms, longest, strict=True)], np.float32),
        limit=np.array(least_ms, np.float64),
        unit="ms",
        confidence=np.array(confidence, np.float32),
        details={
            "track": np.full(len(steps), series.track),
            "holes": np.array([burst.count for burst in bursts]),
            "lost_ms": np.array([round(burst.length_s * 1000, 1) for burst in bursts]),
            "drop_db": np.array([round(min(hole.drop_db for hole in some), 1) for some in holes]),
            "digital": np.array([all(hole.digital for hole in some) for some in holes]),
            "times_s": objects([burst.times_s for burst in bursts]),
            "lengths_ms": objects(lengths_ms),
        },
        latest=frozenset({"holes", "lost_ms", "drop_db", "digital", "times_s", "lengths_ms"}),
        message="sound of audio track {track} drops out for moments (holes: {holes}): {lost_ms:.1f} ms in all, "
        "the longest {value:.1f} ms",
    )


def _least_ms(hole: _Hole, limits: DropoutLimits) -> float:
    """From which length on it is a hole."""
    return limits.min_hole_ms / (2 if hole.digital else 1)


DROPOUT = Detector(
    name="dropout",
    kinds=("audio.dropout",),
    consumes="audio",
    weigh=dropout,
    limits=DropoutLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=0.5, major_after_s=2.0, critical_after_s=10.0),
    summary="Short holes torn into running sound, in all channels together.",
    source="ours: benchmarks/detectors",
)
