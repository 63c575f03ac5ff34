from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from gpu_qa.detectors.av_offset import AV_OFFSET, AvOffsetLimits, weigh
from gpu_qa.events import TrackerState, finish, track
from gpu_qa.series import Event, SyncSeries


def answers(
    *offsets_ms: float, way: Any = "marker", confidence: float = 0.99, start_s: float = 0.0, track: int = 1
) -> SyncSeries:
    count = len(offsets_ms)
    start = start_s + 4.0 * np.arange(count)
    return SyncSeries(
        way=way,
        track=track,
        start_s=start,
        end_s=start + 4.0,
        offset_s=np.array(offsets_ms) / 1000,
        sigma_s=np.full(count, 0.005),
        confidence=np.full(count, confidence, np.float32),
    )


def told(*series: SyncSeries, limits: AvOffsetLimits = AvOffsetLimits()) -> list[Event]:
    state, last, carry = TrackerState("s"), dict[str, Event](), None
    for one in series:
        found, carry = weigh(one, limits, carry)
        for evidence in found:
            state, events = track(state, evidence, AV_OFFSET.timing)
            last |= {event.id: event for event in events}
    _, events = finish(state, max(one.end_s[-1] for one in series))
    last |= {event.id: event for event in events}
    return sorted(last.values(), key=lambda event: event.start_s)


@pytest.mark.parametrize(
    ("offset_ms", "side", "severity"),
    [
        (44.0, None, None),
        (46.0, "early", "warn"),
        (-124.0, None, None),
        (-126.0, "late", "warn"),
        (95.0, "early", "critical"),
        (-190.0, "late", "critical"),
    ],
)
def test_limits_are_those_of_bt_1359(offset_ms: float, side: str | None, severity: str | None) -> None:
    events = told(answers(*[offset_ms] * 6))
    assert [(event.details["side"], event.severity) for event in events] == ([(side, severity)] if side else [])
    for event in events:
        assert event.kind == "av.offset"
        assert (event.start_s, event.end_s) == (0.0, 24.0)
        assert event.value == pytest.approx(abs(offset_ms))
        assert event.unit == "ms"
        assert event.details["offset_s"] == pytest.approx(offset_ms / 1000)


def test_an_answer_that_is_not_sure_is_not_judged() -> None:
    assert told(answers(300.0, 300.0, confidence=0.89)) == []
    assert told(answers(np.nan, np.nan)) == []


def test_an_unsure_answer_between_does_not_end_what_is_wrong() -> None:
    events = told(answers(200.0), answers(0.0, confidence=0.3, start_s=4.0), answers(200.0, start_s=8.0))
    assert [(event.start_s, event.end_s) for event in events] == [(0.0, 12.0)]


def test_it_ends_where_a_sure_answer_is_within_the_limits() -> None:
    (event,) = told(answers(200.0, 200.0, 10.0, 10.0))
    assert (event.start_s, event.end_s) == (0.0, 8.0)


def test_early_and_late_are_two_events() -> None:
    events = told(answers(200.0, -300.0))
    assert [event.details["side"] for event in events] == ["early", "late"]


def test_content_alone_must_pass_the_limits_by_more() -> None:
    doubt_ms = AvOffsetLimits().content_doubt_ms
    assert told(answers(45.0 + doubt_ms - 1, way="content")) == []
    assert len(told(answers(45.0 + doubt_ms + 1, way="content"))) == 1


def after_a_step(before_ms: float, to_ms: float, count: int = 5) -> SyncSeries:
    """Answers by content, 100 s into a stream; the first one makes sure that there was a step 20 s before."""
    series = answers(*[to_ms] * count, way="content", start_s=100.0)
    since_s = np.full(count, np.nan)
    since_s[0] = 80.0
    return dataclasses.replace(series, before_s=np.full(count, before_ms / 1000), since_s=since_s)


@pytest.mark.parametrize(
    ("before_ms", "to_ms", "side", "value_ms", "against"),
    [
        (40.0, -110.0, "late", 150.0, "what it was before"),
        (-60.0, 90.0, "early", 150.0, "what it was before"),
        (0.0, 150.0, "early", 150.0, "the picture"),
        (20.0, -200.0, "late", 200.0, "the picture"),
        (-30.0, -135.0, "late", 135.0, "the picture"),
    ],
)
def test_a_step_is_told_from_where_it_lies(
    before_ms: float, to_ms: float, side: str, value_ms: float, against: str
) -> None:
    (event,) = told(answers(*[before_ms] * 25, way="content"), after_a_step(before_ms, to_ms))
    assert (event.details["side"], event.details["against"]) == (side, against)
    assert event.value == pytest.approx(value_ms)
    assert (event.start_s, event.end_s) == (80.0, 120.0)
    assert f"{value_ms:.0f} ms {side} against {against}" in event.message


def stepped(before_ms: float, *to_ms: float) -> SyncSeries:
    """Answers by content after a step, from 100 s on; the first one makes sure of it."""
    series = after_a_step(before_ms, 0.0, len(to_ms))
    return dataclasses.replace(series, offset_s=np.array(to_ms) / 1000)


def test_what_a_step_led_out_stays_out_until_it_is_well_within() -> None:
    (event,) = told(stepped(0.0, 101.0, 96.0, 99.0, 94.0, 100.0, 79.0, 70.0, 70.0))
    assert (event.start_s, event.end_s, event.details["against"]) == (80.0, 124.0, "the picture")


def test_a_step_may_turn_out_within_a_minute_to_have_led_out_but_not_later() -> None:
    (event,) = told(stepped(-20.0, *[-120.0] * 10, *[-130.0] * 5))
    assert event.start_s == 140.0
    assert told(stepped(-20.0, *[-120.0] * 16, *[-130.0] * 5)) == []
    assert told(answers(*[-130.0] * 5, way="content", start_s=100.0)) == []


def test_any_cut_tells_the_same_of_a_step() -> None:
    series = stepped(-20.0, *[-120.0] * 4, -130.0, -110.0, -140.0, -100.0, -130.0, -130.0)
    whole = [(one.start_s, one.end_s, one.value) for one in told(series)]
    for at in range(1, len(series)):
        parts = []
        for part in (slice(at), slice(at, None)):
            columns: dict[str, Any] = {
                field.name: value[part]
                for field in dataclasses.fields(series)
                if isinstance(value := getattr(series, field.name), np.ndarray)
            }
            parts.append(dataclasses.replace(series, **columns))
        assert [(one.start_s, one.end_s, one.value) for one in told(*parts)] == whole


@pytest.mark.parametrize(
    ("before_ms", "to_ms"),
    [(-60.0, 68.0), (64.0, -64.0), (150.0, 0.0), (-180.0, 0.0), (-60.0, -135.0), (-20.0, -124.0), (0.0, 96.0)],
)
def test_steps_between_programmes_and_back_into_step_are_none(before_ms: float, to_ms: float) -> None:
    assert told(after_a_step(before_ms, to_ms)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"advance_ms": 100.0},
        {"delay_ms": -1.0},
        {"confidence": 1.5},
        {"content_doubt_ms": float("nan")},
        {"drift_ppm": 0.0},
        {"drift_ms": -1.0},
    ],
)
def test_limits_that_contradict_one_another_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        AvOffsetLimits(**wrong)


def drifting(ppm: float, length_s: float, *, jitter_ms: float = 0.5, **more: Any) -> SyncSeries:
    times = np.arange(0.0, length_s, 4.0)
    return answers(*(ppm * 1e-3 * times + np.random.default_rng(5).normal(0, jitter_ms, len(times))), **more)


def drifts(*series: SyncSeries) -> list[Event]:
    return [event for event in told(*series) if event.kind == "av.drift"]


@pytest.mark.parametrize("ppm", [50.0, -200.0, 1000.0, -5000.0])
def test_a_drift_is_told_with_its_slope_and_side(ppm: float) -> None:
    (event,) = drifts(drifting(ppm, 600.0))
    assert event.details["drift_ppm"] == pytest.approx(ppm, rel=0.03)
    assert event.value == pytest.approx(abs(ppm), rel=0.1)
    assert event.details["moved_ms"] == pytest.approx(ppm * 0.6, rel=0.05)
    assert event.details["becomes"] == ("earlier" if ppm > 0 else "later")
    assert (event.unit, event.severity, event.details["way"]) == ("ppm", "warn", "marker")
    assert event.details["becomes"] in event.message


@pytest.mark.parametrize("by_ms", [0.0, 5.0, 20.0, 50.0, 90.0, 300.0])
def test_a_jump_is_no_drift(by_ms: float) -> None:
    times = np.arange(0.0, 1200.0, 4.0)
    assert drifts(answers(*(np.where(times > 444.0, by_ms, 0.0) + drifting(0.0, 1200.0).offset_s * 1000))) == []


def test_a_drift_that_stops_ends() -> None:
    times = np.arange(0.0, 900.0, 4.0)
    (event,) = drifts(answers(*np.minimum(times, 300.0) * 0.5))
    assert event.end_s is not None
    assert 300.0 < event.end_s < 500.0


def test_a_drift_that_goes_on_after_a_rest_is_another_event() -> None:
    times = np.arange(0.0, 1500.0, 4.0)
    one, other = drifts(answers(*(np.minimum(times, 300.0) + np.maximum(times - 700.0, 0.0)) * 0.5))
    assert one.id != other.id
    assert one.end_s is not None
    assert other.start_s >= one.end_s


def test_a_drift_by_content_must_move_by_more_and_for_longer() -> None:
    assert drifts(drifting(3000.0, 280.0, jitter_ms=10.0, way="content")) == []
    assert drifts(drifting(300.0, 400.0, jitter_ms=10.0, way="content")) == []
    assert len(drifts(drifting(1000.0, 400.0, jitter_ms=10.0, way="content"))) == 1


def test_unsure_answers_do_not_drift() -> None:
    assert drifts(drifting(1000.0, 600.0, confidence=0.89)) == []


@pytest.mark.parametrize("size", [1, 7, 40])
def test_any_cut_of_the_answers_gives_the_same_drift(size: int) -> None:
    whole = drifting(200.0, 400.0)
    parts = [
        answers(*whole.offset_s[first : first + size] * 1000, start_s=4.0 * first)
        for first in range(0, len(whole), size)
    ]
    evidence, carry = weigh(whole, AvOffsetLimits(), None)
    cut, state = [], None
    for part in parts:
        found, state = weigh(part, AvOffsetLimits(), state)
        cut.append(found[-1])
    assert state == carry
    for name in ("start_s", "end_s", "verdict", "value"):
        np.testing.assert_array_equal(np.concatenate([getattr(one, name) for one in cut]), getattr(evidence[-1], name))
    assert evidence[-1].verdict.max() == 1


def test_the_carry_is_bounded() -> None:
    _, carry = weigh(drifting(10.0, 8000.0), AvOffsetLimits(), None)
    assert len(carry.drifts["marker", 1].course.at_s) == 360


def test_what_content_told_ends_where_it_was_sure_last_and_that_of_a_marker_goes_on() -> None:
    silence = [answers(*[np.nan] * 5, way="content", confidence=0.0, start_s=20.0 * at) for at in range(1, 7)]
    (event,) = told(answers(*[300.0] * 5, way="content"), *silence)
    assert (event.start_s, event.end_s, event.state) == (0.0, 20.0, "closed")
    (event,) = told(answers(*[300.0] * 5), *silence)
    assert event.end_s == 140.0
    (event,) = told(answers(*[300.0] * 5, way="content"), silence[0])
    assert event.end_s == 40.0
