"""Gap: what counts as missing time, for picture and sound, and that near ones are one event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.gap import GAP, GapLimits
from gpu_qa.events import TrackerState, finish, track
from tests.series_builder import assert_same_evidence, fact, stream_series, weighed

if TYPE_CHECKING:
    from gpu_qa.series import Event, StreamFact, StreamSeries


def events(*facts: StreamFact, until_s: float = 60.0, limits: GapLimits | None = None) -> list[Event]:
    state, told = TrackerState("s"), []
    for evidence in weighed(GAP, [stream_series(until_s, *facts)], limits):
        state, more = track(state, evidence, GAP.timing)
        told += more
    return [event for event in told + finish(state, until_s)[1] if event.state == "closed"]


def test_gap_has_its_ends_and_length() -> None:
    (event,) = events(fact("gap", 10.0, 11.5, usual_interval_s=0.04))
    assert (event.kind, event.start_s, event.end_s, event.value) == ("stream.gap", 10.0, 11.5, 1.5)
    assert event.details == {
        "track": "video",
        "what": "picture",
        "usual_interval_s": 0.04,
        "variable_rate": False,
        "same_picture": False,
    }
    assert (event.message, event.severity) == ("no picture for 1.50 s", "warn")


@pytest.mark.parametrize(("length_s", "count"), [(0.3, 0), (0.49, 0), (0.5, 1), (3.0, 1)])
def test_short_gaps_are_ordinary(length_s: float, count: int) -> None:
    assert len(events(fact("gap", 10.0, 10.0 + length_s))) == count


def test_slides_come_rarely() -> None:
    assert events(fact("gap", 10.0, 14.0, usual_interval_s=2.0)) == []
    assert len(events(fact("gap", 10.0, 17.0, usual_interval_s=2.0))) == 1


@pytest.mark.parametrize(("shortest_s", "severity"), [(0.2, "warn"), (0.1, "warn"), (0.067, "info"), (None, "warn")])
def test_rests_of_a_variable_frame_rate_are_for_information(shortest_s: float | None, severity: str) -> None:
    (event,) = events(fact("gap", 10.0, 11.2, usual_interval_s=0.2, shortest_interval_s=shortest_s))
    assert event.severity == severity


@pytest.mark.parametrize(("change", "severity"), [(0.0, "info"), (0.006, "info"), (0.007, "warn"), (None, "warn")])
def test_a_gap_over_which_the_picture_stays_the_same_is_for_information(change: float | None, severity: str) -> None:
    (event,) = events(fact("gap", 10.0, 11.2, usual_interval_s=0.04, change=change))
    assert event.severity == severity
    assert event.details["same_picture"] is (severity == "info")


def test_sound_has_short_gaps_and_long_ones_are_missing_sound() -> None:
    (event,) = events(fact("gap", 10.0, 11.0, track="audio"))
    assert event.message == "no sound for 1.00 s"
    assert events(fact("gap", 10.0, 13.0, track="audio")) == []


def test_near_gaps_are_one_event_and_far_ones_two() -> None:
    (event,) = events(fact("gap", 10.0, 10.6), fact("gap", 11.2, 12.0))
    assert (event.start_s, event.end_s) == (10.0, 12.0)
    assert event.value == pytest.approx(0.8)
    assert len(events(fact("gap", 10.0, 10.6), fact("gap", 11.9, 12.5))) == 2


def test_picture_and_sound_are_told_apart() -> None:
    ids = {event.id for event in events(fact("gap", 10.0, 11.0), fact("gap", 10.0, 11.0, track="audio"))}
    assert ids == {"s-stream.gap:video-10", "s-stream.gap:audio-10"}


def test_closes_while_the_stream_goes_on() -> None:
    carry, state, states = None, TrackerState("s"), []
    for at in range(10, 20):
        facts = [fact("gap", 9.0, 10.0)] if at == 10 else []
        evidence, carry = GAP.weigh(stream_series(float(at), *facts), GAP.limits, carry)
        for found in evidence:
            state, told = track(state, found, GAP.timing)
            states += [(at, event.state) for event in told]
    assert states == [(10, "open"), (12, "closed")]


def test_track_that_has_died_closes_by_the_clock_of_the_others() -> None:
    carry, state, states = None, TrackerState("s"), []
    for at in range(10, 20):
        facts = [fact("gap", 9.0, 10.0)] if at == 10 else []
        series = stream_series(float(at), *facts, video_until_s=10.0, audio_until_s={1: float(at)})
        evidence, carry = GAP.weigh(series, GAP.limits, carry)
        for found in evidence:
            state, told = track(state, found, GAP.timing)
            states += [(at, event.state) for event in told]
    assert states == [(10, "open"), (16, "closed")]


def test_other_facts_are_not_gaps() -> None:
    assert events(fact("discontinuity", 1.0), fact("decode_error", 2.0)) == []
    assert not any(evidence.raises for evidence in GAP.weigh(stream_series(10.0), GAP.limits, None)[0])


def test_the_picture_says_how_far_it_has_come() -> None:
    """A gap in the sound waits for that: the picture may have the same one."""
    evidence, _ = GAP.weigh(stream_series(10.0), GAP.limits, None)
    assert [(one.scope, float(one.end_s[-1])) for one in evidence] == [("video", 9.0)]


@given(st.lists(st.integers(0, 400), max_size=8, unique=True), st.lists(st.integers(1, 79), max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_cut_gives_the_same_evidence(starts: list[int], at: list[int]) -> None:
    facts = [
        fact("gap", start / 10, start / 10 + 0.2 + start % 9 / 10, track=("video", "audio")[start % 2])
        for start in sorted(starts)
    ]
    ends = [*sorted({cut / 2 for cut in at}), 60.0]

    def series(ends_s: list[float]) -> list[StreamSeries]:
        made: list[StreamSeries] = []
        before = -1.0
        for end_s in ends_s:
            found = [one for one in facts if before < one.end_s <= end_s]
            audio_s: Any = {1: end_s}
            made.append(stream_series(end_s, *found, audio_until_s=audio_s))
            before = end_s
        return made

    assert_same_evidence(weighed(GAP, series(ends)), weighed(GAP, series([60.0])))
