"""Evidence step by step, and the events that are told of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpu_qa.events import TrackerState, finish, track
from gpu_qa.series import Event, EventTiming, Evidence

TIMING = EventTiming(raise_after_s=2.0, clear_after_s=0.5, major_after_s=5.0, critical_after_s=15.0)


def steps(pattern: str, *, step_s: float = 0.1, start_s: float = 0.0, **more: Any) -> Evidence:
    """One step per letter: `+` raises, `-` clears, `0` holds, `_` leaves a gap in time."""
    at = [index for index, letter in enumerate(pattern) if letter != "_"]
    verdict = np.array([{"+": 1, "-": -1, "0": 0}[pattern[index]] for index in at], np.int8)
    begin_s = start_s + np.array(at, np.float64) * step_s
    values: dict[str, Any] = {
        "kind": "video.freeze",
        "scope": "",
        "start_s": begin_s,
        "end_s": begin_s + step_s,
        "verdict": verdict,
        "value": np.linspace(0, 1, len(at), dtype=np.float32),
        "limit": 0.5,
        "unit": "share",
    }
    return Evidence(**{**values, **more})


def told(*evidence: Evidence, timing: EventTiming = TIMING, end_s: float | None = None) -> list[Event]:
    """All events of the evidence in turn, with the stream's end where `end_s` is given."""
    state, events = TrackerState("stream"), []
    for part in evidence:
        state, more = track(state, part, timing)
        events += more
    if end_s is not None:
        events += finish(state, end_s)[1]
    return events


def spans(events: list[Event]) -> list[tuple[float, float | None]]:
    return [(round(event.start_s, 6), None if event.end_s is None else round(event.end_s, 6)) for event in events]
