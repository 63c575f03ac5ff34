"""Evidence of several kinds, and which events are told of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gpu_qa.events import CauseState, TrackerState, explain, finish, settle, track
from gpu_qa.series import Event, EventTiming, Evidence

AT_ONCE = EventTiming(raise_after_s=0.0, clear_after_s=0.2, major_after_s=5.0, critical_after_s=15.0)
TIMING = EventTiming(raise_after_s=1.0, clear_after_s=0.2, major_after_s=5.0, critical_after_s=15.0)


def evidence(
    kind: str,
    *raised: tuple[float, float],
    scope: str = "",
    until_s: float = 10.0,
    channels: list[str] | None = None,
) -> Evidence:
    """Steps of 0.1 s that raise within stretches and clear outside of them."""
    start_s = np.arange(round(until_s * 10)) / 10
    verdict = np.full(len(start_s), -1, np.int8)
    for from_s, to_s in raised:
        verdict[(start_s >= from_s - 1e-9) & (start_s < to_s - 1e-9)] = 1
    named = np.empty(len(start_s), object)
    named[:] = [channels] * len(start_s)
    return Evidence(
        kind,
        scope,
        start_s,
        start_s + 0.1,
        verdict,
        np.ones(len(start_s), np.float32),
        1.0,
        "share",
        details={} if channels is None else {"channels": named},
        message="for {duration_s:.1f} s",
    )


def cut(whole: Evidence, first: int, last: int) -> Evidence:
    """Some of its steps."""
    steps = slice(first, last)
    arrays = {name: getattr(whole, name)[steps] for name in ("start_s", "end_s", "verdict", "value")}
    return replace(whole, **arrays, details={name: values[steps] for name, values in whole.details.items()})


def told(
    *of: Evidence,
    steps: int = 12,
    timings: dict[str, EventTiming] | None = None,
    lead_s: float = 0.0,
    clock: dict[str, float] | None = None,
) -> list[Event]:
    """All events, with the evidence of all kinds given so many steps at a time.

    Args:
        of: The evidence.
        steps: How many of it at a time.
        timings: By kind; `TIMING` for all others.
        lead_s: How far the stream's clock is ahead of the evidence.
        clock: Gets how far the evidence had come when an event was told first, by kind.
    """
    tracker, causes, events = TrackerState("s"), CauseState(), []
    length = max(len(one) for one in of)
    for first in range(0, length, steps):
        found: list[tuple[Evidence, EventTiming]] = []
        fresh: list[Event] = []
        for whole in of:
            part = cut(whole, first, first + steps)
            timing = (timings or {}).get(whole.kind, TIMING)
            tracker, more = track(tracker, part, timing)
            found.append((part, timing))
            fresh += more
        now_s = min(first + steps, length) / 10
        causes, tracker, shown = explain(causes, tracker, found, fresh, now_s + lead_s)
        events += shown
        for event in shown:
            (clock if clock is not None else {}).setdefault(event.kind, now_s)
    tracker, closed = finish(tracker, length / 10)
    return events + settle(causes, tracker, closed, length / 10)


def final(events: list[Event]) -> dict[str, tuple[float, float | None, Any]]:
    """Kind → start, end and consequences, as last told."""
    return {
        event.kind: (round(event.start_s, 3), event.end_s and round(event.end_s, 3), event.details.get("consequences"))
        for event in events
    }
