"""Events of any evidence: no cut changes them, and they follow the rules step by step."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.series import SEVERITIES, EventTiming, Evidence
from tests.event_steps import told


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    count = draw(st.integers(0, 60))
    verdict = draw(st.lists(st.sampled_from([1, 1, 0, -1]), min_size=count, max_size=count))
    gap = draw(st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.3, -0.05]), min_size=count, max_size=count))
    length = draw(st.lists(st.sampled_from([0.0, 0.1, 0.2, 1.0]), min_size=count, max_size=count))
    start_s = np.cumsum(np.array(gap) + np.concatenate(([0.0], length[:-1])) if count else np.zeros(0))
    value = draw(st.lists(st.sampled_from([0.1, 0.5, 2.0, float("nan"), -np.inf]), min_size=count, max_size=count))
    confidence = draw(st.lists(st.floats(0, 1, width=32), min_size=count, max_size=count))
    cap = draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    limits: list[Any] = [0.5, np.linspace(0, 1, count)]
    return Evidence(
        kind="video.freeze",
        scope="",
        start_s=start_s,
        end_s=start_s + np.array(length, np.float64),
        verdict=np.array(verdict, np.int8),
        value=np.array(value, np.float32),
        limit=draw(st.sampled_from(limits)),
        unit="share",
        worst=draw(st.sampled_from(["max", "min"])),
        confidence=draw(st.sampled_from([None, np.array(confidence, np.float32)])),
        details={name: np.arange(count) for name in ("step", "so_far")} | {"names": _lists(count)},
        latest=draw(st.sampled_from([frozenset(), frozenset({"so_far"})])),
        gathered=draw(st.sampled_from([frozenset(), frozenset({"names"})])),
        severity_cap=draw(st.sampled_from([None, np.array(cap, np.int8)])),
        message="{value:.2f} {duration_s:.2f} {step}",
    )


def _lists(count: int) -> np.ndarray:
    lists = np.empty(count, object)
    for index in range(count):
        lists[index] = [index % 3, index % 5]
    return lists


TIMINGS = st.builds(
    lambda up, down, major, critical: EventTiming(up, down, up + major, up + major + critical),
    st.sampled_from([0.0, 0.2, 1.0]),
    st.sampled_from([0.0, 0.1, 0.5]),
    st.sampled_from([0.0, 0.5, 2.0]),
    st.sampled_from([0.0, 1.0]),
)


@given(evidences(), TIMINGS, st.lists(st.integers(0, 60), max_size=8))
@settings(max_examples=300, deadline=None)
def test_any_cut_gives_the_same_events(evidence: Evidence, timing: EventTiming, at: list[int]) -> None:
    end_s = float(evidence.end_s.max(initial=0.0)) + 0.05
    edges = [0, *sorted(min(cut, len(evidence)) for cut in at), len(evidence)]
    pieces = [_slice(evidence, slice(*edge)) for edge in itertools.pairwise(edges)]
    whole = told(evidence, timing=timing, end_s=end_s)
    assert repr(told(*pieces, timing=timing, end_s=end_s)) == repr(whole)
    one_by_one = [_slice(evidence, slice(i, i + 1)) for i in range(len(evidence))]
    assert repr(told(*one_by_one, timing=timing, end_s=end_s)) == repr(whole)


@given(evidences(), TIMINGS)
@settings(max_examples=300, deadline=None)
def test_follows_the_rules_step_by_step(evidence: Evidence, timing: EventTiming) -> None:
    end_s = float(evidence.end_s.max(initial=0.0))
    events = told(evidence, timing=timing, end_s=end_s)
    assert [(e.state, e.start_s, e.end_s, e.severity) for e in events] == _by_the_rules(evidence, timing, end_s)
    assert len({e.id for e in events}) == sum(e.state == "closed" for e in events)


def _by_the_rules(evidence: Evidence, timing: EventTiming, end_s: float) -> list[tuple[str, float, float | None, str]]:
    """The tracker's rules, written down one step at a time with nothing in mind but the rules."""
    out: list[tuple[str, float, float | None, str]] = []
    start = until = held = floor = clear_from = clear_until = None
    level, cap, spent = -1, 0, 0.0
    limits = [x - 0.001 for x in (timing.raise_after_s, timing.major_after_s, timing.critical_after_s)]
    for i in range(len(evidence)):
        a, b, verdict = float(evidence.start_s[i]), float(evidence.end_s[i]), evidence.verdict[i]
        if verdict == 1:
            if start is None:
                start = a if floor is None else max(a, floor)
                until = held = start
                level, cap, spent, clear_from = -1, 0, 0.0, None
            if clear_from is not None and clear_until is not None:
                spent += clear_until - clear_from if level < 0 else 0.0
                clear_from = None
            assert until is not None
            until = max(until, b)
            cap = max(cap, 3 if evidence.severity_cap is None else int(evidence.severity_cap[i]))
            grown = sum(until - start >= limit for limit in limits)
            if grown and min(grown, cap) > level:
                level = min(grown, cap)
                out.append(("open", start, None, SEVERITIES[level]))
        elif verdict == 0 and held is not None:
            held = max(held, b)
        elif verdict == -1 and start is not None and until is not None:
            clear_until = max(b, clear_until) if clear_from is not None and clear_until is not None else b
            clear_from = max(a, until) if clear_from is None else clear_from
            clear_until = max(clear_until, clear_from)
            if clear_until - clear_from + (spent if level < 0 else 0.0) >= timing.clear_after_s - 0.001:
                if level >= 0:
                    out.append(("closed", start, until, SEVERITIES[level]))
                    floor = until
                start = None
    if start is not None and level >= 0 and until is not None and held is not None:
        end = until if clear_from is not None else max(until, min(held, end_s))
        out.append(("closed", start, end, SEVERITIES[level]))
    return out


def _slice(evidence: Evidence, which: slice) -> Evidence:
    names = ("start_s", "end_s", "verdict", "value", "limit", "confidence", "severity_cap")
    arrays = {name: getattr(evidence, name) for name in names}
    cut: dict[str, Any] = {name: array[which] for name, array in arrays.items() if isinstance(array, np.ndarray)}
    return replace(evidence, **cut, details={name: array[which] for name, array in evidence.details.items()})
