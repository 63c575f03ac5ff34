"""Missing: an audio track of the input delivers no sound at all while the picture goes on.

Not the same as silence: silence is delivered. Late starts, holes and early ends all show as time that no sound covers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.series import Detector, EventTiming, Evidence

if TYPE_CHECKING:
    from gpu_qa.series import StreamFact, StreamSeries

CELL_S = 0.25
"""Time is judged in cells of this length, so that how a stream is cut into series changes nothing."""
NO_TRACK = -1
"""Stands for the track of an input that has none."""


@dataclass(frozen=True, slots=True)
class MissingLimits:
    """When sound counts as missing. How long it must be missing is `raise_after_s`."""

    interleave_s: float = 5.0
    """Sound may come this much later in the input than the picture it belongs to; ours: files interleave by a second
    or less, broadcast multiplexes by less than that (ISO/IEC 13818-1 allows a buffer of 1 s)."""
    expect_audio: bool = False
    """True: an input without any audio track is missing its sound. False: only tracks that exist must deliver."""

    def __post_init__(self) -> None:
        if not self.interleave_s >= 0:
            raise ValueError("interleave_s must be 0 or more")


@dataclass(frozen=True, slots=True)
class _TrackCarry:
    """Where the judgement of one track stands."""

    judged_s: float = 0.0
    """Up to here all is judged."""
    missing_from_s: float | None = None
    """Where the sound stopped; null while there is some."""
    holes: tuple[tuple[float, float], ...] = ()
    """Known stretches without sound that reach beyond `judged_s`."""


@dataclass(frozen=True, slots=True)
class MissingCarry:
    """Where the judgement of every track stands."""

    tracks: dict[int, _TrackCarry] = field(default_factory=dict)


@dataclass(slots=True)
class _Steps:
    """Steps of one track's evidence in the making."""

    start_s: list[float] = field(default_factory=list)
    end_s: list[float] = field(default_factory=list)
    missing_s: list[float] = field(default_factory=list)
    """How long sound has been missing at the step's end; 0 where it is there."""

    def add(self, start_s: float, end_s: float, missing_s: float) -> None:
        """One more step."""
        self.start_s.append(start_s)
        self.end_s.append(end_s)
        self.missing_s.append(missing_s)


def missing(
    series: StreamSeries, limits: MissingLimits = MissingLimits(), carry: MissingCarry | None = None
) -> tuple[list[Evidence], MissingCarry]:
    """Weigh which stretches of the stream no sound covers, track by track.

    Args:
        series: How far the picture and each audio track have come, and the gaps that were seen on the way.
        limits: How long to wait for sound that comes late.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence per audio track, whose value is the length without sound so far in seconds, and the carry.
    """
    tracks = dict(carry.tracks) if carry is not None else {}
    until_s = dict(series.audio_until_s)
    if not until_s and limits.expect_audio:
        until_s = {NO_TRACK: None}
    picture_s = series.until_s if series.video_until_s is None else series.video_until_s
    found = []
    for track, sound_s in until_s.items():
        known = tracks.get(track, _TrackCarry())
        holes = known.holes + tuple(
            (fact.start_s, fact.end_s) for fact in series.facts if _is_hole(fact, track, len(until_s))
        )
        starts_s = series.audio_from_s.get(track)
        if starts_s is not None and known.judged_s < starts_s:
            holes = ((known.judged_s, starts_s), *(hole for hole in holes if hole[0] >= starts_s))
        # Up to where sound has come, its holes are known; beyond, sound may still be on its way.
        certain_s = picture_s if series.finished else max(sound_s or 0.0, picture_s - limits.interleave_s)
        if sound_s is None or sound_s < certain_s:
            holes = (*holes, (max(sound_s or 0.0, 0.0), math.inf))
        steps, tracks[track] = _judged(known, holes, certain_s, whole_cells=not series.finished)
        if steps.start_s:
            found.append(_evidence(track, steps))
    return found, MissingCarry(tracks)


def _is_hole(fact: StreamFact, track: int, track_count: int) -> bool:
    """Whether a fact tells of a stretch without sound in the track; one that names no track speaks of the only one."""
    if fact.kind != "gap" or fact.track != "audio":
        return False
    named = fact.details.get("track")
    return named == track if named is not None else track_count == 1


def _judged(
    known: _TrackCarry, holes: tuple[tuple[float, float], ...], certain_s: float, *, whole_cells: bool
) -> tuple[_Steps, _TrackCarry]:
    """Judge a track up to `certain_s`, or up to the last cell's end before it."""
    steps, missing_from_s, at_s = _Steps(), known.missing_from_s, known.judged_s
    cell = round(at_s / CELL_S)
    until_s = math.floor(certain_s / CELL_S) * CELL_S if whole_cells else certain_s
    holes = tuple(sorted(hole for hole in holes if hole[1] > at_s))
    while at_s < until_s:
        cell += 1
        end_s = min(cell * CELL_S, until_s)
        while at_s < end_s:
            hole = next(((start_s, stop_s) for start_s, stop_s in holes if stop_s > at_s), (math.inf, math.inf))
            is_missing = hole[0] <= at_s
            edge_s = min(end_s, hole[1] if is_missing else hole[0])
            if not is_missing:
                missing_from_s = None
            elif missing_from_s is None:
                missing_from_s = at_s
            steps.add(at_s, edge_s, 0.0 if missing_from_s is None else edge_s - missing_from_s)
            at_s = edge_s
    kept = tuple(hole for hole in holes if at_s < hole[1] < math.inf)
    return steps, _TrackCarry(at_s, missing_from_s, kept)


def _evidence(track: int, steps: _Steps) -> Evidence:
    count = len(steps.start_s)
    missing_s = np.array(steps.missing_s)
    has_track = track != NO_TRACK
    whence = f"audio track {track}" if has_track else "an input without audio"
    return Evidence(
        kind="audio.missing",
        scope=str(track) if has_track else "",
        start_s=np.array(steps.start_s),
        end_s=np.array(steps.end_s),
        verdict=np.where(missing_s > 0, 1, -1).astype(np.int8),
        value=missing_s.astype(np.float32),
        limit=0.0,
        unit="s",
        details={"track": np.full(count, track if has_track else None, np.int64 if has_track else object)},
        message=f"no sound for {{duration_s:.1f}} s from {whence}",
    )


MISSING = Detector(
    name="missing",
    kinds=("audio.missing",),
    consumes="stream",
    weigh=missing,
    limits=MissingLimits(),
    timing=EventTiming(raise_after_s=2.0, clear_after_s=0.5, major_after_s=5.0, critical_after_s=15.0),
    summary="An audio track delivers nothing while the picture goes on: it starts late, has a hole or ends early.",
    source="ours: broadcast starts without sound for up to 0.9 s, so 2 s; as long as for silence",
)
