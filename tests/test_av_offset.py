from __future__ import annotations

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
    state, last = TrackerState("s"), dict[str, Event]()
    for one in series:
        for evidence in weigh(one, limits, None)[0]:
            state, events = track(state, evidence, AV_OFFSET.timing)
            last |= {event.id: event for event in events}
    _, events = finish(state, 100.0)
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


@pytest.mark.parametrize(
    "wrong", [{"advance_ms": 100.0}, {"delay_ms": -1.0}, {"confidence": 1.5}, {"content_doubt_ms": float("nan")}]
)
def test_limits_that_contradict_one_another_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        AvOffsetLimits(**wrong)
