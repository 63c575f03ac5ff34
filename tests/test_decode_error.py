"""Decode error: damage is counted, merged and blamed; tuning in between key frames is not the stream's fault."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.decode_error import DECODE_ERROR, DecodeErrorLimits
from gpu_qa.events import TrackerState, finish, track
from tests.series_builder import assert_same_evidence, fact, stream_series, weighed

if TYPE_CHECKING:
    from gpu_qa.series import Event, StreamFact


def events(*facts: StreamFact, limits: DecodeErrorLimits | None = None) -> list[Event]:
    state, told = TrackerState("s"), []
    for evidence in weighed(DECODE_ERROR, [stream_series(60.0, *facts)], limits):
        state, more = track(state, evidence, DECODE_ERROR.timing)
        told += more
    return told + finish(state, 60.0)[1]


def closed(*facts: StreamFact, limits: DecodeErrorLimits | None = None) -> list[Event]:
    return [event for event in events(*facts, limits=limits) if event.state == "closed"]


def test_one_error_is_told_at_once() -> None:
    opened, shut = events(fact("decode_error", 7.0, cause="refused"))
    assert (opened.state, opened.severity, opened.value) == ("open", "warn", 1.0)
    assert (shut.start_s, shut.end_s) == (7.0, 7.0)
    assert shut.message == "video damaged, errors: 1 (decode), last: decode_error at 7.0"


def test_errors_that_follow_one_another_are_one_event() -> None:
    (event,) = closed(*(fact("decode_error", 5.0 + index * 0.4) for index in range(20)))
    assert (event.start_s, event.value) == (5.0, 20.0)
    assert event.end_s == pytest.approx(12.6)
    assert event.severity == "major"
    assert event.details["decode_errors"] == 20


def test_errors_further_apart_are_events_of_their_own() -> None:
    first, second = closed(fact("decode_error", 5.0), fact("decode_error", 6.5))
    assert (first.value, second.value) == (1.0, 1.0)


def test_transport_takes_the_blame_for_what_the_decoder_sees() -> None:
    (event,) = closed(fact("transport_error", 5.0), fact("decode_error", 5.1), fact("decode_error", 5.2))
    assert event.details["cause"] == "transport"
    assert (event.details["transport_errors"], event.details["decode_errors"]) == (1, 2)
    (event,) = closed(fact("decode_error", 5.0, cause="transport"))
    assert event.details["cause"] == "transport"


def test_before_the_first_key_frame_is_for_information() -> None:
    (event,) = closed(*(fact("decode_error", index * 0.5, before_first_key=True) for index in range(40)))
    assert (event.severity, event.details["before_first_key"], event.value) == ("info", True, 40.0)


def test_damage_after_the_first_key_frame_counts_in_full() -> None:
    (event,) = closed(fact("decode_error", 0.0, before_first_key=True), fact("decode_error", 0.5))
    assert (event.severity, event.details["before_first_key"]) == ("warn", False)


def test_tracks_are_told_apart() -> None:
    assert len(closed(fact("decode_error", 1.0), fact("decode_error", 1.0, track="audio"))) == 2


def test_a_few_errors_may_be_tolerated() -> None:
    limits = DecodeErrorLimits(errors=3)
    assert closed(fact("decode_error", 1.0), fact("decode_error", 1.2), limits=limits) == []
    (event,) = closed(*(fact("decode_error", 1.0 + index / 10) for index in range(5)), limits=limits)
    assert (event.start_s, event.value) == (1.2, 5.0)


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="errors"):
        DecodeErrorLimits(errors=0)


@given(st.lists(st.integers(0, 300), max_size=20), st.lists(st.integers(0, 20), max_size=5))
@settings(max_examples=60, deadline=None)
def test_any_cut_gives_the_same_evidence(times: list[int], at: list[int]) -> None:
    facts = [
        fact(("decode_error", "transport_error")[time % 2], time / 10, before_first_key=time < 20)
        for time in sorted(times)
    ]
    edges = [0, *sorted(min(cut, len(facts)) for cut in at), len(facts)]
    pieces = []
    for first, last in itertools.pairwise(edges):
        until_s = facts[last].start_s if last < len(facts) else 60.0
        pieces.append(stream_series(until_s, *facts[first:last]))
    assert_same_evidence(weighed(DECODE_ERROR, pieces), weighed(DECODE_ERROR, [stream_series(60.0, *facts)]))
