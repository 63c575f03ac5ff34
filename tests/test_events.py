"""Events: hysteresis, ids, severities and messages."""

from __future__ import annotations

import copy
import pickle
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gpu_qa.events import TrackerState, finish, track
from gpu_qa.series import EventTiming
from tests.event_steps import TIMING, spans, steps, told


def test_opens_where_the_evidence_began_and_closes_where_it_ended() -> None:
    events = told(steps("-" * 10 + "+" * 30 + "-" * 10))
    assert spans(events) == [(1.0, None), (1.0, 4.0)]
    assert [event.state for event in events] == ["open", "closed"]
    assert {event.id for event in events} == {"stream-video.freeze-1"}


def test_tells_at_the_step_that_completes_raise_after() -> None:
    assert told(steps("+" * 19)) == []
    assert len(told(steps("+" * 20))) == 1
    assert told(steps("+"), timing=EventTiming(raise_after_s=0.0))[0].start_s == 0.0


def test_closes_at_the_step_that_completes_clear_after() -> None:
    assert len(told(steps("+" * 20 + "-" * 4))) == 1
    assert [event.state for event in told(steps("+" * 20 + "-" * 5))] == ["open", "closed"]


def test_hold_and_short_clear_do_not_break_a_run() -> None:
    assert spans(told(steps("+" * 5 + "0" * 20 + "+" * 5), end_s=3.0)) == [(0.0, None), (0.0, 3.0)]
    assert spans(told(steps("+" * 9 + "----" + "+" * 9), end_s=2.2)) == [(0.0, None), (0.0, 2.2)]
    assert spans(told(steps("+" * 9 + "_" * 9 + "+" * 9), end_s=2.7)) == [(0.0, None), (0.0, 2.7)]


def test_open_event_survives_any_number_of_short_clears() -> None:
    events = told(steps("+" * 20 + "----+" * 40 + "-" * 5))
    assert spans([events[0], events[-1]]) == [(0.0, None), (0.0, 22.0)]
    assert len({event.id for event in events}) == 1


def test_flicker_never_opens() -> None:
    """Every other moment raising is no lasting defect: strobing light is not a black picture."""
    assert told(steps("+-" * 200), end_s=40.0) == []


def test_long_clear_breaks_an_untold_run() -> None:
    assert told(steps("+" * 15 + "-" * 5 + "+" * 15), end_s=3.5) == []


def test_clear_counts_through_hold() -> None:
    assert [event.state for event in told(steps("+" * 20 + "-000-"))] == ["open", "closed"]


def test_overlapping_windows_clear_only_after_the_last_raising_one() -> None:
    start_s = np.arange(0, 10, 0.1)
    verdict = np.where((start_s > 2.95) & (start_s < 5.95), 1, -1).astype(np.int8)
    windows = steps("+" * 100, start_s=0, verdict=verdict)
    windows = replace(windows, start_s=start_s, end_s=start_s + 1.0)
    assert spans(told(windows, end_s=11.0)) == [(3.0, None), (3.0, 6.9)]


def test_events_of_one_key_never_overlap() -> None:
    wide = replace(steps("+" * 30 + "-" * 30 + "+" * 30), end_s=np.arange(90) * 0.1 + 3.0)
    events = [event for event in told(wide, end_s=12.0) if event.state == "closed"]
    assert len(events) == 2
    assert events[0].end_s is not None
    assert events[1].start_s >= events[0].end_s


def test_severity_grows_with_length_under_one_id() -> None:
    events = told(steps("+" * 200))
    assert [event.severity for event in events] == ["warn", "major", "critical"]
    assert [event.state for event in events] == ["open"] * 3
    assert len({event.id for event in events}) == 1
    assert told(steps("+" * 200), end_s=20.0)[-1].severity == "critical"


def test_severity_jumps_where_one_step_is_long() -> None:
    assert [event.severity for event in told(steps("+", step_s=60.0))] == ["critical"]


def test_severity_cap_holds_until_a_step_lifts_it() -> None:
    capped = steps("+" * 200, severity_cap=np.zeros(200, np.int8))
    assert [event.severity for event in told(capped)] == ["info"]
    lifted = steps("+" * 200, severity_cap=np.where(np.arange(200) < 100, 0, 3).astype(np.int8))
    assert [event.severity for event in told(lifted)] == ["info", "major", "critical"]


@pytest.mark.parametrize(("worst", "expected"), [("max", 0.9), ("min", 0.1)])
def test_value_is_the_worst_of_the_raising_steps(worst: Any, expected: float) -> None:
    value = np.full(30, 0.5, np.float32)
    value[[0, 29]], value[7], value[9], value[11] = (-5.0, 5.0), 0.1, 0.9, np.nan
    event = told(steps("-" + "+" * 28 + "-", value=value, worst=worst), end_s=3.0)[-1]
    assert event.value == expected


def test_value_without_a_measurement_is_null() -> None:
    event = told(steps("+" * 20, value=np.full(20, np.nan, np.float32), message="{value:.1f}"))[0]
    assert event.value is None
    assert event.message == "?"


def test_confidence_is_the_mean_of_the_raising_steps() -> None:
    confidence = np.array([1.0, 0.0] * 10 + [0.25] * 5, np.float32)
    event = told(steps("+" * 20 + "-" * 5, confidence=confidence))[-1]
    assert event.confidence == 0.5
    assert told(steps("+" * 20))[0].confidence == 1.0


def test_details_and_limit_are_those_of_the_worst_step() -> None:
    value = np.array([0.1] * 20 + [0.9, 0.9, 0.2, np.nan] + [0.0] * 6, np.float32)
    limit = np.where(np.arange(30) == 21, 0.7, 0.5)
    told_area = {"area": np.arange(30)}
    pattern, message = "+" * 24 + "-" * 6, "{area} of {limit:.1f}"
    opened, closed = told(steps(pattern, value=value, limit=limit, details=told_area, message=message))
    assert (opened.value, opened.limit, opened.message) == (0.1, 0.5, "19 of 0.5")
    assert (closed.value, closed.limit, closed.message) == (0.9, 0.7, "21 of 0.7")
    assert closed.details == {"area": 21}


def test_details_of_the_whole_run() -> None:
    value = np.array([0.9] + [0.1] * 29, np.float32)
    channels = np.array([["FR"]] + [["FL", "FR"]] * 22 + [["FC"], []] + [["LFE"]] * 5 + [None], object)[:-1]
    details = {"clicks": np.arange(30), "channels": channels}
    which: dict[str, Any] = {"latest": frozenset({"clicks"}), "gathered": frozenset({"channels"})}
    opened, closed = told(steps("+" * 25 + "-" * 5, value=value, details=details, **which))
    assert opened.details == {"clicks": 19, "channels": ["FR", "FL"]}
    assert closed.details == {"clicks": 24, "channels": ["FR", "FL", "FC"]}


def test_a_limit_that_nothing_was_compared_with_is_null() -> None:
    event = told(steps("+" * 20, limit=np.nan, message="{limit}"))[0]
    assert (event.limit, event.message) == (None, "?")


def test_details_are_json_values_of_the_last_of_equal_steps() -> None:
    details = {
        "area": np.linspace(0, 0.3, 26, dtype=np.float32),
        "count": np.arange(26, dtype=np.int32),
        "logo": np.arange(26) >= 20,
        "channels": np.array([["FL", "FR"]] * 26 + [None], object)[:-1],
    }
    opened, closed = told(steps("+" * 21 + "-" * 5, value=np.ones(26, np.float32), details=details))
    assert opened.details == {"area": 0.228, "count": 19, "logo": False, "channels": ["FL", "FR"]}
    assert closed.details == {"area": 0.24, "count": 20, "logo": True, "channels": ["FL", "FR"]}
    assert [type(value) for value in closed.details.values()] == [float, int, bool, list]


def test_message_tells_value_length_and_details() -> None:
    evidence = steps(
        "+" * 30 + "-" * 5,
        value=np.full(35, -np.inf, np.float32),
        worst="min",
        limit=-60.0,
        unit="dbfs",
        message="{group} silent for {duration_s:.1f} s at {value:.1f} dBFS (limit {limit:.0f})",
        details={"group": np.array(["front"] * 35)},
    )
    opened, closed = told(evidence)
    assert opened.message == "front silent for 2.0 s at −∞ dBFS (limit -60)"
    assert closed.message == "front silent for 3.0 s at −∞ dBFS (limit -60)"
    assert closed.value == -np.inf


@pytest.mark.parametrize("template", ["", "{missing}", "{value:q}", "{", "{value.nothing}", "{0}"])
def test_message_that_does_not_fit_is_replaced(template: str) -> None:
    event = told(steps("+" * 20, message=template))[0]
    assert event.message == "video.freeze for 2.0 s (1 share, limit 0.5)"


def test_finish_closes_what_ran_to_the_end_and_drops_what_was_short() -> None:
    assert spans(told(steps("+" * 30), end_s=3.0)) == [(0.0, None), (0.0, 3.0)]
    assert told(steps("+" * 19), end_s=1.9) == []
    assert spans(told(steps("+" * 30 + "--"), end_s=3.2))[-1] == (0.0, 3.0)
    assert spans(told(steps("+" * 30 + "00"), end_s=3.1))[-1] == (0.0, 3.1)
    # Sound that ended long before the picture did not go on being silent.
    assert spans(told(steps("+" * 30), end_s=60.0))[-1] == (0.0, 3.0)


def test_finish_leaves_nothing_to_close() -> None:
    state, _ = track(TrackerState("s"), steps("+" * 30), TIMING)
    state, events = finish(state, 3.0)
    assert len(events) == 1
    assert finish(state, 3.0) == (state, [])


def test_finish_orders_by_start() -> None:
    state = TrackerState("s")
    for scope, start_s in (("b", 5.0), ("a", 1.0)):
        state, _ = track(state, steps("+" * 30, start_s=start_s, scope=scope), TIMING)
    assert [event.start_s for event in finish(state, 9.0)[1]] == [1.0, 5.0]


def test_ids_differ_by_scope_and_start() -> None:
    state, events = TrackerState("s"), []
    for scope in ("", "1:front", "1:surround"):
        state, more = track(state, steps("+" * 20, scope=scope, start_s=0.04), TIMING)
        events += more
    assert [event.id for event in events] == [
        "s-video.freeze-0.04",
        "s-video.freeze:1:front-0.04",
        "s-video.freeze:1:surround-0.04",
    ]


def test_ids_differ_where_events_begin_in_the_same_instant() -> None:
    at_once = EventTiming(raise_after_s=0.0, clear_after_s=0.0)
    moment = np.zeros(8)
    evidence = replace(steps("+-+-+-+-"), start_s=moment, end_s=moment)
    ids = [event.id for event in told(evidence, timing=at_once) if event.state == "open"]
    assert ids == ["stream-video.freeze-0", *(f"stream-video.freeze-0+{n}" for n in (1, 2, 3))]


def test_keys_do_not_touch_each_other() -> None:
    state, _ = track(TrackerState("s"), steps("+" * 30), TIMING)
    state, events = track(state, steps("-" * 30, scope="other"), TIMING)
    assert events == []
    state, events = track(state, steps("-" * 30, kind="video.black"), TIMING)
    assert events == []
    assert len(finish(state, 3.0)[1]) == 1


def test_milliseconds_of_the_container_do_not_cost_an_event() -> None:
    begin_s = np.round(np.arange(51) / 25 + 0.0004, 3)
    evidence = replace(steps("+" * 50), start_s=begin_s[:-1], end_s=begin_s[1:] - 0.0009)
    assert len(told(evidence)) == 1


def test_state_is_a_value() -> None:
    half = steps("+" * 25)
    state, _ = track(TrackerState("s"), half, TIMING)
    before = copy.deepcopy(state)
    _, events = track(state, steps("+" * 5 + "-" * 5, start_s=2.5), TIMING)
    assert state == before
    thawed = pickle.loads(pickle.dumps(state))  # noqa: S301
    assert track(thawed, steps("+" * 5 + "-" * 5, start_s=2.5), TIMING)[1] == events
    assert [event.state for event in events] == ["closed"]


def test_quiet_evidence_is_cheap() -> None:
    """A chunk with nothing raising and nothing open: every stream has one per kind and second."""
    quiet, state = steps("-" * 100), TrackerState("s")
    best_s = min(_timed(lambda: track(state, quiet, TIMING)) for _ in range(20))
    assert best_s < 50e-6
    assert track(state, quiet, TIMING)[0] is state


def _timed(action: Any) -> float:
    started = time.perf_counter()
    for _ in range(10):
        action()
    return (time.perf_counter() - started) / 10
