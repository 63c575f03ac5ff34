"""Stalled: told while it lasts, ended by the stream's own clock moving on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpu_qa.detectors.stalled import STALLED, StalledLimits
from gpu_qa.events import TrackerState, finish, track
from tests.series_builder import fact, stream_series

if TYPE_CHECKING:
    from gpu_qa.series import Event, StreamSeries


def quiet(at_s: float, waited_s: float) -> StreamSeries:
    """Nothing has come for `waited_s` after the stream had come to `at_s`."""
    return stream_series(at_s + waited_s, fact("stalled", at_s, at_s + waited_s), video_until_s=at_s)


def events(*series: StreamSeries, limits: StalledLimits | None = None, end: bool = True) -> list[Event]:
    state, told = TrackerState("s"), []
    carry: Any = None
    for part in series:
        evidence, carry = STALLED.weigh(part, STALLED.limits if limits is None else limits, carry)
        for found in evidence:
            state, more = track(state, found, STALLED.timing)
            told += more
    return told + (finish(state, series[-1].until_s)[1] if end else [])


def flowing(*ends_s: float) -> list[StreamSeries]:
    return [stream_series(end_s) for end_s in ends_s]


def test_stall_is_told_while_it_lasts_and_grows() -> None:
    growing = [quiet(20.0, waited_s / 4) for waited_s in range(4, 260)]
    told = events(*flowing(10.0, 20.0), *growing, end=False)
    assert [(event.state, event.severity) for event in told] == [
        ("open", "warn"),
        ("open", "major"),
        ("open", "critical"),
    ]
    assert told[0].value == 10.0
    assert told[0].message == "nothing has arrived for 10.0 s"
    assert {event.id for event in told} == {"s-stream.stalled:video-20"}


def test_pause_between_segments_is_none() -> None:
    assert events(*flowing(20.0), *(quiet(20.0, waited_s / 4) for waited_s in range(4, 30)), *flowing(26.0)) == []


def test_closes_once_the_stream_goes_on() -> None:
    told = events(quiet(20.0, 12.0), *flowing(20.4, 20.9, 21.2, 22.0), end=False)
    assert [(event.state, event.start_s, event.end_s) for event in told] == [
        ("open", 20.0, None),
        ("closed", 20.0, 32.0),
    ]


def test_two_stalls_are_two_events() -> None:
    told = events(quiet(20.0, 12.0), *flowing(40.0), quiet(60.0, 15.0), *flowing(70.0))
    assert [(event.start_s, event.end_s) for event in told if event.state == "closed"] == [(20.0, 32.0), (60.0, 75.0)]


def test_source_that_gave_up_is_told_whatever_its_limit() -> None:
    (*_, event) = events(stream_series(20.0, fact("stalled", 20.0, timeout_s=5.0), finished=True))
    assert (event.state, event.start_s, event.end_s, event.value) == ("closed", 20.0, 20.0, 5.0)
    assert event.details["given_up"] is True


def test_limit_is_the_callers() -> None:
    assert len(events(quiet(20.0, 2.0), limits=StalledLimits(stalled_s=2.0))) == 2


def test_stream_without_stall_says_nothing() -> None:
    assert STALLED.weigh(stream_series(5.0), STALLED.limits, None) == ([], None)
