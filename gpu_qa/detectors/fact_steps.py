"""Fact steps: what happened to the stream at single moments, as evidence that raises there and clears in between."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.series import SEVERITIES, Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gpu_qa.series import Severity, StreamFact, StreamSeries

CLEAR_STEP_S = 0.5
"""Time without a fact clears in steps of this length, so that how a stream is cut into series changes nothing."""
LATE_S = 1.0
"""A fact may be told this much later than its time: pictures come in decoding order."""
INTERLEAVE_S = 5.0
"""A track that is this far behind the others will tell no more of that time."""


@dataclass(frozen=True, slots=True)
class JudgedFact:
    """What a detector makes of a fact."""

    fact: StreamFact
    value: float
    details: dict[str, Any]
    """JSON values under the names that the detector gives its evidence."""
    cap: Severity = "critical"
    """The severity that an event of such facts may not exceed."""
    limit: float | None = None
    """What the value was compared with, NaN for nothing; null is the limit of the kind."""
    confidence: float = 1.0
    """How sure it is, 0…1."""


@dataclass(frozen=True, slots=True)
class FactCarry:
    """Per track (`video` or `audio`): up to where time since its last fact has cleared; none before its first fact."""

    cleared_s: dict[str, float] = field(default_factory=dict)


def fact_evidence(
    series: StreamSeries,
    judged: Iterable[JudgedFact],
    carry: FactCarry | None,
    *,
    kind: str,
    limit: float,
    unit: str,
    details: tuple[str, ...],
    message: str,
    from_start: bool = False,
    undecided_s: Mapping[str, float] | None = None,
) -> tuple[list[Evidence], FactCarry]:
    """Evidence of the judged facts of a series, one per track that has any or had one before.

    Args:
        series: Where the facts come from; says how far each track has come.
        judged: The facts that raise, in order of their start.
        carry: From the series before; null at the start of a stream.
        kind: The events' kind.
        limit: The value from which on a fact is a defect, in `unit`.
        unit: Unit of the values.
        details: Names of the facts' details; `track` is added.
        message: The events' template.
        from_start: The picture, where there is one, has evidence from 0 on, so that it is known how far it has come.
        undecided_s: From there on a fact of a track may yet be told; null where none is waited for.

    Returns:
        The evidence, and the carry for the series that follows.
    """
    by_track: dict[str, list[JudgedFact]] = {}
    for item in judged:
        by_track.setdefault(item.fact.track, []).append(item)
    cleared_s = dict(carry.cleared_s) if carry is not None else {}
    if from_start and series.video_until_s is not None:
        cleared_s.setdefault("video", 0.0)
    found = []
    for track in sorted(cleared_s.keys() | by_track.keys()):
        steps = FactSteps()
        since_s = cleared_s.get(track)
        for item in by_track.get(track, []):
            if since_s is not None:
                since_s = steps.clear(since_s, item.fact.start_s, whole_steps=False)
            steps.add(item)
            since_s = item.fact.end_s if since_s is None else max(since_s, item.fact.end_s)
        if since_s is not None:
            until_s = min(known_until_s(series, track), (undecided_s or {}).get(track, float("inf")))
            cleared_s[track] = steps.clear(since_s, until_s, whole_steps=True)
        found += steps.evidence(kind=kind, track=track, limit=limit, unit=unit, details=details, message=message)
    return found, FactCarry(cleared_s)


def known_until_s(series: StreamSeries, track: str) -> float:
    """Up to where all facts of a track (`video` or `audio`) have been told."""
    own_s = series.video_until_s
    if track == "audio":
        own_s = min((until_s for until_s in series.audio_until_s.values() if until_s is not None), default=None)
    others_s = series.until_s - INTERLEAVE_S
    return others_s if own_s is None else max(own_s - LATE_S, others_s)


class FactSteps:
    """Steps of one track's evidence in the making."""

    def __init__(self) -> None:
        self._start_s: list[float] = []
        self._end_s: list[float] = []
        self._items: list[JudgedFact | None] = []

    def add(self, item: JudgedFact) -> None:
        """A step that raises, for as long as the fact lasted."""
        self._append(item.fact.start_s, item.fact.end_s, item)

    def clear(self, since_s: float, until_s: float, *, whole_steps: bool) -> float:
        """Steps that clear from `since_s` towards `until_s`.

        Args:
            since_s: Where the last step ended.
            until_s: Up to where there is no fact.
            whole_steps: Leave out the last one if it would be shorter than the others.

        Returns:
            How far they go.
        """
        while since_s + CLEAR_STEP_S <= until_s:
            self._append(since_s, since_s + CLEAR_STEP_S, None)
            since_s += CLEAR_STEP_S
        if not whole_steps and since_s < until_s:
            self._append(since_s, until_s, None)
            since_s = until_s
        return since_s

    def evidence(
        self, *, kind: str, track: str, limit: float, unit: str, details: tuple[str, ...], message: str
    ) -> list[Evidence]:
        """The steps as evidence; none without a step."""
        if not self._items:
            return []
        shown = {name: np.empty(len(self._items), object) for name in ("track", *details)}
        for index, item in enumerate(self._items):
            shown["track"][index] = track
            for name in details:
                shown[name][index] = None if item is None else item.details[name]
        caps = [SEVERITIES[-1] if item is None else item.cap for item in self._items]
        evidence = Evidence(
            kind=kind,
            scope=track,
            start_s=np.array(self._start_s),
            end_s=np.array(self._end_s),
            verdict=np.array([-1 if item is None else 1 for item in self._items], np.int8),
            value=np.array([0.0 if item is None else item.value for item in self._items], np.float32),
            limit=np.array([limit if item is None or item.limit is None else item.limit for item in self._items]),
            unit=unit,
            details=shown,
            confidence=np.array([1.0 if item is None else item.confidence for item in self._items], np.float32),
            severity_cap=np.array([SEVERITIES.index(cap) for cap in caps], np.int8),
            message=message,
        )
        return [evidence]

    def _append(self, start_s: float, end_s: float, item: JudgedFact | None) -> None:
        self._start_s.append(start_s)
        self._end_s.append(end_s)
        self._items.append(item)
