"""Mismatch: other content than the reference's, once it is sure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gpu_qa.detectors.mismatch import MISMATCH, MismatchLimits
from gpu_qa.events import TrackerState, finish, track
from gpu_qa.sync.likeness import Likeness
from gpu_qa.sync.placing import Placing, as_long, as_sure
from gpu_qa.sync.reference import ReferenceLimits, Stretch
from tests.series_builder import stream_series

if TYPE_CHECKING:
    from gpu_qa.series import Event, StreamFact

ALL_S = (-60.0, 60.0)
"""Delays at which a stretch was laid over the reference: wherever it is looked for."""
OTHER = Placing("differs", "not in the reference", None, None, 0.2, 0.0, 10.0)
STILL = Placing("unknown", "the picture is still")


def same(delay_s: float = 0.0) -> Placing:
    return Placing("matches", None, delay_s, 0.001, 0.95, 0.5, 10.0)


def stretch(
    number: int, picture: Placing, sound: Placing, looked_s: tuple[float, float] | None = ALL_S, from_s: float = 0.0
) -> Stretch:
    start_s = from_s + 5.0 * number
    return Stretch(start_s, start_s + 10.0, picture, sound, looked_s=looked_s)


def judged(*stretches: Stretch, whole: bool = False) -> list[StreamFact]:
    likeness = Likeness(ReferenceLimits())
    facts = [fact for one in stretches for fact in likeness.take(one, "studio")]
    return facts + likeness.rest("studio", whole=whole)


def events(facts: list[StreamFact], limits: MismatchLimits | None = None) -> list[Event]:
    state, told = TrackerState("s"), []
    for fact in facts:
        series = stream_series(fact.end_s + 25.0, fact)
        evidence, _ = MISMATCH.weigh(series, MISMATCH.limits if limits is None else limits, None)
        for found in evidence:
            state, more = track(state, found, MISMATCH.timing)
            told += more
    return told + finish(state, 1000.0)[1]


def others(facts: list[StreamFact]) -> list[tuple[float, Any]]:
    return [(fact.start_s, fact.details["what"]) for fact in facts if fact.details["what"] is not None]


def test_other_content_is_told_and_over_when_it_matches_again() -> None:
    parts = [same()] * 4 + [OTHER] * 6 + [same()] * 4
    told = events(judged(*(stretch(number, part, part) for number, part in enumerate(parts))))
    assert [(event.state, event.severity, event.start_s, event.end_s) for event in told] == [
        ("open", "major", 20.0, None),
        ("closed", "major", 20.0, 55.0),
    ]
    event = told[-1]
    assert (event.kind, event.unit, event.limit) == ("stream.mismatch", "correlation", 0.5)
    assert event.value == pytest.approx(0.2, abs=0.001)
    assert event.confidence == pytest.approx(0.96, abs=0.001)
    assert event.details == {"reference": "studio", "what": "picture and sound"}
    assert event.message.startswith("other content than the reference studio: picture and sound not found in it")


def test_one_stretch_alone_may_be_wrong() -> None:
    parts = [same()] * 3 + [OTHER] + [same()] * 3
    assert events(judged(*(stretch(number, part, part) for number, part in enumerate(parts)))) == []


def test_still_pictures_and_silence_say_nothing() -> None:
    assert judged(*(stretch(n, STILL, STILL) for n in range(9)), whole=True) == []
    parts = [same()] * 2 + [OTHER] * 4 + [STILL] * 4 + [OTHER] * 2
    told = events(judged(*(stretch(n, part, part) for n, part in enumerate(parts))))
    assert [event.state for event in told] == ["open", "closed"]


def test_sound_alone_is_told_if_wanted() -> None:
    facts = judged(*(stretch(n, same(), OTHER) for n in range(6)))
    assert {what for _, what in others(facts)} == {"sound"}
    assert [event.details["what"] for event in events(facts)] == ["sound", "sound"]
    assert events(facts, MismatchLimits(sound_alone=False)) == []
    with_picture = judged(*(stretch(n, OTHER, OTHER) for n in range(6)))
    assert events(with_picture, MismatchLimits(sound_alone=False))


def test_before_anything_matched_all_of_the_search_must_have_been_possible() -> None:
    """A copy that is a minute late begins with what came before its reference did."""
    late = [stretch(n, OTHER, OTHER, (-60.0, 5.0 * n)) for n in range(10)]
    assert judged(*late) == []
    assert others(judged(*late, stretch(10, same(50.0), same(50.0)))) == []
    sure = judged(*late, stretch(12, OTHER, OTHER))
    assert [start_s for start_s, _ in others(sure)] == [5.0 * n for n in [*range(10), 12]]


def test_what_waited_is_told_where_it_would_have_stood() -> None:
    """Known is then that the stream is 20 s late; the reference was there from 24 s on, give or take four tenths."""
    waiting = [stretch(n, OTHER, OTHER, (-60.0, 5.0 * n)) for n in range(8)]
    found = others(judged(*waiting, stretch(8, same(20.0), same(20.0), (-60.0, 40.0))))
    assert [start_s for start_s, _ in found] == [20.0, 25.0, 30.0, 35.0]


def test_beside_a_reference_that_has_ended_or_stands_still_nothing_is_sure() -> None:
    ended = [stretch(n, OTHER, OTHER, (5.0 * n, 60.0)) for n in range(1, 20)]
    assert others(judged(stretch(0, same(), same()), *ended)) == []


def test_of_files_that_were_read_whole_what_is_nowhere_is_other() -> None:
    short = [stretch(n, OTHER, OTHER, (-10.0, 5.0 * n)) for n in range(4)]
    assert others(judged(*short)) == []
    assert len(others(judged(*short, whole=True))) == 4
    assert events(judged(*short, whole=True))[0].start_s == 0.0


def test_confidence_falls_towards_the_limit() -> None:
    near = replace(OTHER, coefficient=0.5)
    (fact,) = judged(stretch(0, near, STILL))
    assert fact.details["confidence"] == pytest.approx(0.5, abs=0.001)
    (surer,) = judged(stretch(0, near, OTHER))
    assert surer.details["confidence"] == pytest.approx(0.9, abs=0.001)


def test_as_long_undoes_as_sure() -> None:
    assert as_long(as_sure(0.4, 10.0, 3.0), 10.0, 3.0) == pytest.approx(0.4)


def test_wrong_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="coefficient"):
        MismatchLimits(coefficient=0.0)
