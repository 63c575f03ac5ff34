"""Discontinuity: every jump is told, with its size and direction."""

from __future__ import annotations

import pytest

from gpu_qa.detectors.discontinuity import DISCONTINUITY, DiscontinuityLimits
from gpu_qa.events import TrackerState, finish, track
from gpu_qa.series import StreamFact
from tests.series_builder import stream_series, weighed


def jump(at_s: float, jump_s: float) -> StreamFact:
    return StreamFact("discontinuity", "video", at_s, at_s, f"jump by {jump_s:+.3f} s", {"jump_s": jump_s})


def test_jump_is_an_event_without_length() -> None:
    (evidence,) = weighed(DISCONTINUITY, [stream_series(60.0, jump(12.0, -3600.0))])
    state, told = track(TrackerState("s"), evidence, DISCONTINUITY.timing)
    opened, closed = told
    assert (opened.start_s, closed.end_s, closed.severity, closed.value) == (12.0, 12.0, "warn", 3600.0)
    assert closed.details == {
        "track": "video",
        "jump_s": -3600.0,
        "alone": False,
        "text": "jump by -3600.000 s",
    }
    assert closed.message == "jump by -3600.000 s"
    assert finish(state, 60.0)[1] == []


def test_limit_counts_both_directions() -> None:
    limits = DiscontinuityLimits(jump_s=1.0)
    series = stream_series(60.0, jump(1.0, 0.5), jump(2.0, -0.9), jump(3.0, -1.5), jump(4.0, 2.0))
    (evidence,) = weighed(DISCONTINUITY, [series], limits)
    assert evidence.start_s[evidence.verdict == 1].tolist() == [3.0, 4.0]


def test_jumps_at_the_same_instant_are_one_event() -> None:
    (evidence,) = weighed(DISCONTINUITY, [stream_series(60.0, jump(3.0, 5.0), jump(3.0, -7.0))])
    _, told = track(TrackerState("s"), evidence, DISCONTINUITY.timing)
    assert [(event.state, event.value) for event in told] == [("open", 5.0), ("closed", 7.0)]


def shift(at_s: float, jump_s: float, *, borne_out: bool = True) -> StreamFact:
    details = {"jump_s": jump_s, "borne_out": borne_out, "track": 1}
    return StreamFact("shift", "audio", at_s, at_s, "alone", details)


@pytest.mark.parametrize(
    ("jump_s", "borne_out", "confidence"), [(0.12, True, 1.0), (-0.3, True, 1.0), (5.0, True, 1.0), (0.3, False, 0.5)]
)
def test_a_shift_of_one_track_is_told_as_surely_as_it_is_known(
    jump_s: float, borne_out: bool, confidence: float
) -> None:
    (evidence,) = weighed(DISCONTINUITY, [stream_series(60.0, shift(12.0, jump_s, borne_out=borne_out))])
    opened, closed = track(TrackerState("s"), evidence, DISCONTINUITY.timing)[1]
    assert (opened.severity, opened.confidence, opened.limit) == ("warn", confidence, 0.1)
    assert (closed.start_s, closed.end_s) == (12.0, 12.0)
    assert closed.value == pytest.approx(abs(jump_s))
    assert closed.details == {"track": "audio", "jump_s": jump_s, "alone": True, "text": "alone"}


def test_what_may_as_well_be_missing_is_left_to_who_tells_that() -> None:
    long = shift(12.0, 0.5, borne_out=False)
    assert weighed(DISCONTINUITY, [stream_series(60.0, long)]) == []
    assert len(weighed(DISCONTINUITY, [stream_series(60.0, long)], DiscontinuityLimits(missing_s=10.0))) == 1


def test_a_shift_has_a_limit_of_its_own() -> None:
    series = stream_series(60.0, shift(1.0, 0.09), shift(5.0, -0.11), jump(9.0, 0.09))
    raised = {one.scope: one.start_s[one.verdict == 1].tolist() for one in weighed(DISCONTINUITY, [series])}
    assert raised == {"audio": [5.0], "video": [9.0]}
    strict = DiscontinuityLimits(jump_s=1.0, shift_s=0.05)
    raised = {one.scope: one.start_s[one.verdict == 1].tolist() for one in weighed(DISCONTINUITY, [series], strict)}
    assert raised == {"audio": [1.0, 5.0]}


def test_while_a_step_is_undecided_an_event_of_that_track_stays_open() -> None:
    state, told = TrackerState("s"), []
    carry = None
    for until_s, undecided_s, facts in (
        (4.0, 2.5, (shift(2.0, 0.3),)),
        (5.0, 2.5, ()),
        (6.0, None, (shift(2.5, 0.4),)),
    ):
        undecided = {} if undecided_s is None else {"audio": undecided_s}
        series = stream_series(until_s, *facts, audio_until_s={1: until_s}, undecided_s=undecided)
        found, carry = DISCONTINUITY.weigh(series, DISCONTINUITY.limits, carry)
        for evidence in found:
            state, events = track(state, evidence, DISCONTINUITY.timing)
            told += events
    assert [event.state for event in told] == ["open", "closed"]
    assert (told[-1].start_s, told[-1].end_s) == (2.0, 2.5)


def test_a_step_of_the_sound_holds_no_event_of_the_picture_open() -> None:
    state, told, carry = TrackerState("s"), [], None
    for until_s, facts in ((4.0, (shift(2.0, 0.3), jump(2.0, 20.0))), (9.0, ())):
        series = stream_series(until_s, *facts, audio_until_s={1: until_s}, undecided_s={"audio": 2.5})
        found, carry = DISCONTINUITY.weigh(series, DISCONTINUITY.limits, carry)
        for evidence in found:
            state, events = track(state, evidence, DISCONTINUITY.timing)
            told += [(event.state, event.details["track"]) for event in events]
    assert sorted(told) == [("closed", "video"), ("open", "audio"), ("open", "video")]
