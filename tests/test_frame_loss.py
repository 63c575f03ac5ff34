"""Frame loss: pictures that a stream lacks against its reference, or shows again, are told with their number."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_qa.detectors.frame_loss import FRAME_LOSS, FrameLossLimits
from gpu_qa.events import TrackerState, finish, track
from gpu_qa.sync.frames import frames
from gpu_qa.sync.placing import Placing
from gpu_qa.sync.reference import Stretch
from tests.series_builder import assert_same_evidence, stream_series, weighed

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from gpu_qa.series import Event, StreamFact

SAME = Placing("matches", None, 0.0, 0.001, 0.95, 0.5, 10.0)
Times = tuple[float, ...]


def facts(
    lost_s: Sequence[float] = (),
    repeated_s: Sequence[float] = (),
    *,
    count: int = 12,
    unmatched: Container[int] = (),
) -> list[StreamFact]:
    """Those of stretches of 10 s, one every 5 s, each with what no earlier one covers; of some nothing is known."""
    found, covered_s = [], 0.0
    for number in range(count):
        start_s, end_s = 5.0 * number, 5.0 * number + 10.0
        lost, again = (
            tuple(sorted(at_s for at_s in times if covered_s < at_s <= end_s)) for times in (lost_s, repeated_s)
        )
        matched = () if number in unmatched else (lost, again)
        fact = frames(Stretch(start_s, end_s, SAME, SAME, *matched), covered_s, "studio")
        found.append(fact)
        covered_s = end_s
    return found


def events(told: list[StreamFact], limits: FrameLossLimits | None = None) -> list[Event]:
    state, found, carry = TrackerState("s"), [], None
    for fact in told:
        series = stream_series(fact.end_s + 25.0, fact)
        evidence, carry = FRAME_LOSS.weigh(series, FRAME_LOSS.limits if limits is None else limits, carry)
        for one in evidence:
            state, more = track(state, one, FRAME_LOSS.timing)
            found += more
    return [event for event in found + finish(state, 1000.0)[1] if event.state == "closed"]


def test_lost_pictures_are_told_with_their_number() -> None:
    (event,) = events(facts(lost_s=(21.0, 23.0, 24.2)))
    assert (event.kind, event.severity, event.unit, event.limit) == ("stream.frame_loss", "warn", "frames", 2.0)
    assert (event.start_s, event.end_s, event.value) == (21.0, 24.2, 3.0)
    assert event.details == {"reference": "studio", "lost": 3, "repeated": 0}
    assert event.message == ("against the reference studio pictures are missing: 3, and come again: 0, within 10 s")


def test_a_picture_in_whose_place_the_one_before_came_counts_once() -> None:
    assert events(facts(lost_s=(21.04,), repeated_s=(21.0,))) == []
    (event,) = events(facts(lost_s=(21.04, 25.04), repeated_s=(21.0, 25.0)))
    assert event.value == 2.0
    assert event.details == {"reference": "studio", "lost": 2, "repeated": 2}


@pytest.mark.parametrize("times", [(), (21.0,), (5.0, 21.0, 40.0), (21.0, 31.1)])
def test_single_ones_are_not_told(times: Times) -> None:
    assert events(facts(lost_s=times)) == []
    assert events(facts(repeated_s=times)) == []


def test_limits_are_heeded() -> None:
    times = (21.0, 31.1)
    (event,) = events(facts(repeated_s=times), FrameLossLimits(together_s=12.0))
    assert (event.start_s, event.end_s) == times
    first, second = events(facts(lost_s=times), FrameLossLimits(pictures=1))
    assert (first.start_s, second.start_s) == times
    assert events(facts(lost_s=(21.0, 22.0)), FrameLossLimits(pictures=3)) == []
    with pytest.raises(ValueError, match="pictures"):
        FrameLossLimits(pictures=0)
    with pytest.raises(ValueError, match="together_s"):
        FrameLossLimits(together_s=0.0)


def test_losses_that_go_on_are_one_event_and_become_worse() -> None:
    (event,) = events(facts(lost_s=[10.0 + 2 * n for n in range(20)]))
    assert (event.start_s, event.end_s, event.severity) == (10.0, 48.0, "major")
    assert event.value == 5.0


def test_losses_far_apart_are_events_of_their_own() -> None:
    first, second = events(facts(lost_s=(11.0, 12.0, 41.0, 42.0)))
    assert (first.end_s, second.start_s) == (12.0, 41.0)


@pytest.mark.parametrize("unmatched", [range(4, 100), range(4, 99)])
def test_where_nothing_matches_any_more_what_was_told_ends(unmatched: range) -> None:
    """The reference ends, or other content follows; in one case for an hour only."""
    state, carry = TrackerState("s"), None
    for fact in facts(lost_s=(21.0, 22.0), count=100, unmatched=unmatched):
        (evidence,), carry = FRAME_LOSS.weigh(stream_series(fact.end_s + 25.0, fact), FRAME_LOSS.limits, carry)
        state, told = track(state, evidence, FRAME_LOSS.timing)
        for event in told:
            assert event.start_s == 21.0
            # As soon as it was told, and `clear_after_s` later.
            assert fact.end_s == {"open": 25.0, "closed": 35.0}[event.state]
    assert not state.runs


def test_where_single_pictures_are_not_known_nothing_is_said() -> None:
    unknown = frames(Stretch(0.0, 10.0, SAME, SAME), 0.0, "studio")
    assert (unknown.details["lost_s"], unknown.details["repeated_s"]) == ((), ())
    assert events([unknown]) == []
    assert FRAME_LOSS.weigh(stream_series(30.0), FRAME_LOSS.limits, None)[0] == []


@given(
    st.lists(st.floats(0.1, 60.0), max_size=12, unique=True),
    st.lists(st.floats(0.1, 60.0), max_size=12, unique=True),
    st.lists(st.booleans(), min_size=11, max_size=11),
    st.frozensets(st.integers(0, 11)),
)
def test_any_cut_gives_the_same(
    lost_s: list[float], repeated_s: list[float], cuts: list[bool], unmatched: frozenset[int]
) -> None:
    told = facts(lost_s, repeated_s, unmatched=unmatched)
    bounds = [0, *(number for number, cut in enumerate(cuts, 1) if cut), len(told)]
    pieces = [stream_series(100.0, *told[first:last]) for first, last in itertools.pairwise(bounds)]
    assert_same_evidence(weighed(FRAME_LOSS, pieces), weighed(FRAME_LOSS, [stream_series(100.0, *told)]))
