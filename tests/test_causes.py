"""Causes: one thing that went wrong is one event, and what follows from it is named in it."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpu_qa.detectors import DETECTORS
from gpu_qa.events import CauseState, TrackerState, explain, finish, settle, track
from gpu_qa.events.causes import CAUSES
from gpu_qa.series import Event, EventTiming, Evidence

TIMING = EventTiming(raise_after_s=1.0, clear_after_s=0.2, major_after_s=5.0, critical_after_s=15.0)


def evidence(kind: str, raised: tuple[float, float], *, scope: str = "", until_s: float = 10.0) -> Evidence:
    """Steps of 0.1 s that raise within a stretch and clear outside of it."""
    start_s = np.arange(round(until_s * 10)) / 10
    verdict = np.where((start_s >= raised[0] - 1e-9) & (start_s < raised[1] - 1e-9), 1, -1).astype(np.int8)
    value = np.ones(len(start_s), np.float32)
    return Evidence(kind, scope, start_s, start_s + 0.1, verdict, value, 1.0, "share")


def cut(whole: Evidence, first: int, last: int) -> Evidence:
    """Some of its steps."""
    steps = slice(first, last)
    return Evidence(
        whole.kind, whole.scope, whole.start_s[steps], whole.end_s[steps], whole.verdict[steps], whole.value[steps],
        whole.limit, whole.unit,
    )  # fmt: skip


def told(*of: Evidence, steps: int = 12, timings: dict[str, EventTiming] | None = None) -> list[Event]:
    """All events, with the evidence of all kinds given so many steps at a time."""
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
        causes, shown = explain(causes, found, fresh, min(first + steps, length) / 10)
        events += shown
    tracker, closed = finish(tracker, length / 10)
    return events + settle(causes, closed, length / 10)


def final(events: list[Event]) -> dict[str, tuple[float, float | None, Any]]:
    """Kind → start, end and consequences, as last told."""
    return {
        event.kind: (round(event.start_s, 3), event.end_s and round(event.end_s, 3), event.details.get("consequences"))
        for event in events
    }


@pytest.mark.parametrize("steps", [1, 3, 12, 1000])
def test_a_consequence_is_named_by_its_cause_and_not_told(steps: int) -> None:
    events = told(evidence("video.freeze", (2, 6)), evidence("video.black", (2, 6)), steps=steps)
    assert final(events) == {"video.black": (2.0, 6.0, ["video.freeze"])}


def test_the_order_of_the_detectors_does_not_matter() -> None:
    of = [evidence("video.freeze", (2, 6)), evidence("video.black", (2, 6)), evidence("video.blur", (2.2, 6.1))]
    expected = {"video.black": (2.0, 6.0, ["video.blur", "video.freeze"])}
    for order in itertools.permutations(of):
        assert final(told(*order)) == expected


def test_what_is_alone_is_told_at_once() -> None:
    events = told(evidence("video.freeze", (2, 6)), evidence("video.black", (20, 21)))
    assert [(event.kind, event.state) for event in events] == [("video.freeze", "open"), ("video.freeze", "closed")]


def test_another_time_is_another_thing() -> None:
    events = told(evidence("video.freeze", (5, 9)), evidence("video.black", (0, 3)))
    assert final(events) == {"video.black": (0.0, 3.0, None), "video.freeze": (5.0, 9.0, None)}


def test_what_began_long_before_its_cause_is_told() -> None:
    events = told(evidence("video.freeze", (1, 9)), evidence("video.black", (5, 9)))
    assert final(events)["video.freeze"] == (1.0, 9.0, None)


def test_what_outlasts_its_cause_is_told_from_there() -> None:
    events = told(evidence("video.freeze", (1, 9.5)), evidence("video.black", (1, 4)))
    assert final(events) == {"video.black": (1.0, 4.0, ["video.freeze"]), "video.freeze": (4.0, 9.5, None)}


def test_a_cause_that_comes_to_nothing_explains_nothing() -> None:
    """Black that is too short to be told does not hide a freeze."""
    slow = EventTiming(raise_after_s=4.0, clear_after_s=0.2, major_after_s=5.0, critical_after_s=15.0)
    events = told(evidence("video.freeze", (2, 5)), evidence("video.black", (2, 5)), timings={"video.black": slow})
    assert [(event.kind, event.state) for event in events] == [("video.freeze", "open"), ("video.freeze", "closed")]
    assert final(events) == {"video.freeze": (2.0, 5.0, None)}


def test_tracks_are_kept_apart() -> None:
    silent = evidence("audio.silence", (2, 6), scope="1:main")
    events = told(silent, evidence("audio.dropout", (2, 6), scope="2"))
    assert set(final(events)) == {"audio.silence", "audio.dropout"}
    events = told(silent, evidence("audio.dropout", (2, 6), scope="1"))
    assert final(events) == {"audio.silence": (2.0, 6.0, ["audio.dropout"])}


def test_what_runs_at_the_end_is_settled() -> None:
    events = told(evidence("video.freeze", (7, 10)), evidence("video.black", (7, 10)))
    assert final(events) == {"video.black": (7.0, 10.0, ["video.freeze"])}


def test_open_and_closed_come_in_pairs() -> None:
    """Whatever is told as open is told as closed, and nothing is closed that was not open."""
    rng = np.random.default_rng(5)
    kinds = ["video.black", "video.freeze", "video.blur", "video.flash", "video.block_corruption", "video.stutter"]
    for _ in range(60):
        of = []
        for kind in kinds:
            start = float(rng.integers(0, 70)) / 10
            of.append(evidence(kind, (start, start + float(rng.integers(2, 50)) / 10)))
        events = told(*of, steps=int(rng.integers(1, 15)))
        states: dict[str, list[str]] = {}
        for event in events:
            states.setdefault(event.id, []).append(event.state)
        assert all(seen[-1] == "closed" and seen.count("closed") == 1 and seen[0] == "open" for seen in states.values())


def test_causes_and_consequences_are_kinds_that_are_told() -> None:
    kinds = {kind for detector in DETECTORS for kind in detector.kinds}
    assert set(CAUSES) | {cause for causes in CAUSES.values() for cause in causes} <= kinds


def test_the_page_lists_them() -> None:
    page = (Path(__file__).parent.parent / "docs" / "events.md").read_text(encoding="utf-8")
    rows = page.split("<!-- causes: begin -->")[1].split("<!-- causes: end -->")[0].strip().splitlines()[2:]
    names = [re.findall(r"`([a-z_.]+)`", row) for row in rows]
    assert {first: tuple(others) for first, *others in names} == dict(CAUSES)


def test_nothing_explains_itself() -> None:
    """No kind is, through others, a cause of its own: else each would hide the other."""

    def explained_by(kind: str, seen: frozenset[str] = frozenset()) -> set[str]:
        found: set[str] = set()
        for cause in set(CAUSES.get(kind, ())) - seen:
            found |= {cause} | explained_by(cause, seen | {cause})
        return found

    assert not [kind for kind in CAUSES if kind in explained_by(kind)]
