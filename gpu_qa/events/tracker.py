"""Tracker: evidence becomes events, with one hysteresis for all kinds.

An event opens when its evidence has raised for `raise_after_s`, is told again whenever its severity rises, and closes
when its evidence has stayed clear for `clear_after_s`. State is a value that the caller hands back: any cut of the
evidence gives the same events, and each is told at the first step that makes it certain.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.events import run as runs
from gpu_qa.events.message import rendered
from gpu_qa.series import SEVERITIES, Event

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gpu_qa.events.run import Run
    from gpu_qa.series import EventTiming, Evidence

Key = tuple[str, str]
"""An event's kind and scope."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """The event of a key that was the last to close."""

    id: str
    end_s: float
    run: Run
    """As it was closed."""


@dataclass(frozen=True, slots=True)
class TrackerState:
    """What the tracker knows of one stream. Never changed in place: keep it, copy it, send it elsewhere."""

    stream: str
    """Name of the stream, for the events."""
    runs: Mapping[Key, Run] = field(default_factory=dict)
    """What is raised now, told or not yet."""
    ended: Mapping[Key, _Ended] = field(default_factory=dict)


def track(state: TrackerState, evidence: Evidence, timing: EventTiming) -> tuple[TrackerState, list[Event]]:
    """Follow one key's evidence onwards.

    Args:
        state: As the call before returned it; `TrackerState(stream)` at a stream's start.
        evidence: The next steps, in order, of one kind and scope. Steps may overlap; a gap between steps leaves
            things as they are.
        timing: When an event of this kind is told.

    Returns:
        The new state, and the events that these steps made certain, in order: opened, risen in severity, closed.
    """
    key = (evidence.kind, evidence.scope)
    run = state.runs.get(key)
    if not len(evidence) or (run is None and not evidence.raises):
        return state, []
    ended = state.ended.get(key)
    events: list[Event] = []
    for verdict, first, last in _stretches(evidence.verdict):
        if verdict > 0:
            if run is None:
                run = _begun(state.stream, evidence, first, ended)
            run, told = runs.raised(run, evidence, first, last, timing)
            events += [_event(state.stream, key, step, None) for step in told]
        elif run is None:
            continue
        elif verdict == 0:
            run = runs.held(run, evidence, first, last)
        else:
            before, run = run, runs.cleared(run, evidence, first, last, timing)
            if run is None and before.told >= 0:
                events.append(_event(state.stream, key, before, before.raised_until_s))
                ended = _Ended(before.id, before.raised_until_s, before)
    return _with(state, key, run, ended), events


def finish(state: TrackerState, end_s: float) -> tuple[TrackerState, list[Event]]:
    """Close what is open at the stream's end; runs too short to be told are dropped.

    Args:
        state: As the last call of `track` returned it.
        end_s: Where the stream ended, in seconds on its clock.

    Returns:
        The state without runs, and the closed events in order of their start.
    """
    events, ended = [], dict(state.ended)
    for key, run in state.runs.items():
        if run.told >= 0:
            until_s = runs.final_end_s(run, end_s)
            events.append(_event(state.stream, key, run, until_s))
            ended[key] = _Ended(run.id, until_s, run)
    events.sort(key=lambda event: (event.start_s, event.id))
    return TrackerState(state.stream, {}, ended), events


def retold(state: TrackerState, event: Event, start_s: float, timing: EventTiming) -> tuple[TrackerState, Event]:
    """An event as it would be told had its evidence raised from a later time on only.

    Args:
        state: As the last call of `track` or `finish` returned it.
        event: The event, open, or the last of its kind and scope to close.
        start_s: When it is to begin, in seconds on the stream's clock.
        timing: When an event of this kind is told, and how its severity grows.

    Returns:
        The state, in which an open event begins then, and the event; its id stays.
    """
    key = (event.kind, event.scope)
    run, ended = state.runs.get(key), state.ended.get(key)
    if run is not None and run.id == event.id:
        later = runs.begun_later(run, start_s, timing)
        return _with(state, key, later, None), _event(state.stream, key, later, None)
    if ended is not None and ended.id == event.id:
        return state, _event(state.stream, key, runs.begun_later(ended.run, start_s, timing), event.end_s)
    # Another of its kind has closed since: its run is forgotten, its message stays.
    length_s = (start_s if event.end_s is None else event.end_s) - start_s
    severity = min(SEVERITIES.index(event.severity), runs.reached(length_s, timing))
    return state, replace(event, start_s=start_s, severity=SEVERITIES[severity])


def _stretches(verdict: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Runs of equal verdict: the verdict, the first step and the one after the last."""
    sign = np.sign(verdict)
    edges = [0, *(np.flatnonzero(sign[1:] != sign[:-1]) + 1).tolist(), len(sign)]
    for first, last in itertools.pairwise(edges):
        yield int(sign[first]), first, last


def _begun(stream: str, evidence: Evidence, first: int, ended: _Ended | None) -> Run:
    """A run that starts with step `first`, but not within the event before (steps may overlap)."""
    start_s = float(evidence.start_s[first])
    if ended is not None:
        start_s = max(start_s, ended.end_s)
    scope = f":{evidence.scope}" if evidence.scope else ""
    run_id = f"{stream}-{evidence.kind}{scope}-{round(start_s, 6) + 0.0:.12g}"
    if ended is not None and (ended.id == run_id or ended.id.startswith(f"{run_id}+")):
        # Only where `clear_after_s` is 0 do two events of a key begin in the same instant.
        run_id = f"{run_id}+{int(ended.id[len(run_id) + 1 :] or 0) + 1}"
    return runs.Run(id=run_id, start_s=start_s, raised_until_s=start_s, held_until_s=start_s)


def _with(state: TrackerState, key: Key, run: Run | None, ended: _Ended | None) -> TrackerState:
    kept = {other: value for other, value in state.runs.items() if other != key}
    if run is not None:
        kept[key] = run
    known = state.ended if ended is None else {**state.ended, key: ended}
    return TrackerState(state.stream, kept, known)


def _event(stream: str, key: Key, run: Run, end_s: float | None) -> Event:
    kind, scope = key
    return Event(
        id=run.id,
        stream=stream,
        kind=kind,
        state="open" if end_s is None else "closed",
        severity=run.severity,
        start_s=run.start_s,
        end_s=end_s,
        value=None if math.isnan(run.worst) else runs.json_scalar(np.float32(run.worst)),
        limit=None if math.isnan(run.limit) else run.limit,
        unit=run.unit,
        confidence=run.confidence,
        message=rendered(kind, run, run.length_s if end_s is None else end_s - run.start_s),
        details=run.details,
        scope=scope,
    )
