"""Missing: a track that starts late, has a hole, ends early or never begins."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.missing import MISSING, MissingLimits
from gpu_qa.events import TrackerState, finish, track
from tests.series_builder import assert_same_evidence, fact, stream_series, weighed

if TYPE_CHECKING:
    from gpu_qa.series import Event, StreamSeries


def programme(
    *sounds: tuple[float, float], end_s: float = 60.0, every_s: float = 0.5, late_s: float = 0.0, index: int = 1
) -> list[StreamSeries]:
    """A stream whose track has sound in the given stretches, read in steps; sound comes `late_s` after its picture."""
    series, told_s, at_s = [], 0.0, 0.0
    while at_s < end_s:
        at_s = min(at_s + every_s, end_s)
        heard_s = end_s if at_s == end_s else at_s - late_s
        series.append(_stretch(sounds, told_s, heard_s, at_s, at_s == end_s, index))
        told_s = heard_s
    return series


def _stretch(
    sounds: tuple[tuple[float, float], ...], told_s: float, heard_s: float, picture_s: float, last: bool, index: int
) -> StreamSeries:
    begun = [sound for sound in sounds if sound[0] < heard_s]
    until_s = min(begun[-1][1], heard_s) if begun else None
    holes = [(a[1], b[0]) for a, b in itertools.pairwise(sounds) if told_s <= b[0] < heard_s]
    return stream_series(
        picture_s,
        *(_gap(*hole, index) for hole in holes),
        audio_until_s={index: until_s},
        audio_from_s={index: begun[0][0]} if begun else {},
        finished=last,
    )


def _gap(start_s: float, end_s: float, index: int) -> Any:
    made = fact("gap", start_s, end_s, track="audio")
    made.details["track"] = index
    return made


def events(series: list[StreamSeries], limits: MissingLimits | None = None) -> list[Event]:
    state, told = TrackerState("s"), []
    carry: Any = None
    for part in series:
        evidence, carry = MISSING.weigh(part, MISSING.limits if limits is None else limits, carry)
        for found in evidence:
            state, more = track(state, found, MISSING.timing)
            told += more
    return told + finish(state, series[-1].until_s)[1]


def spans(series: list[StreamSeries], limits: MissingLimits | None = None) -> list[tuple[float, float | None]]:
    return [(event.start_s, event.end_s) for event in events(series, limits) if event.state == "closed"]


@pytest.mark.parametrize("late_s", [0.0, 0.7, 4.0])
def test_sound_throughout_is_not_missing(late_s: float) -> None:
    assert events(programme((0.0, 60.0), late_s=late_s)) == []


@pytest.mark.parametrize("from_s", [-0.4, 0.2, 0.9, 1.9])
def test_broadcast_may_start_its_sound_a_little_apart(from_s: float) -> None:
    assert events(programme((from_s, 60.0))) == []


def test_late_start_is_missing_from_the_beginning() -> None:
    assert spans(programme((12.3, 60.0))) == [(0.0, 12.3)]
    assert spans(programme((2.1, 60.0))) == [(0.0, 2.1)]


@pytest.mark.parametrize("late_s", [0.0, 0.7, 4.0])
def test_hole_has_its_exact_ends(late_s: float) -> None:
    assert spans(programme((0.0, 20.13), (28.61, 60.0), late_s=late_s)) == [(20.13, 28.61)]
    assert spans(programme((0.0, 20.13), (23.0, 60.0), late_s=late_s)) == [(20.13, 23.0)]
    assert spans(programme((0.0, 20.13), (22.0, 60.0), late_s=late_s)) == []


def test_two_holes_are_two_events() -> None:
    assert spans(programme((0.0, 10.0), (14.0, 30.0), (40.0, 60.0))) == [(10.0, 14.0), (30.0, 40.0)]


def test_early_end_lasts_to_the_end_of_the_picture() -> None:
    assert spans(programme((0.0, 57.3))) == [(57.3, 60.0)]
    assert spans(programme((0.0, 58.3))) == []


def test_told_once_it_can_no_longer_be_late() -> None:
    """The sound stops at 20 s, has 5 s to come late and must be missing for 2 s."""
    carry, state = None, TrackerState("s")
    for part in programme((0.0, 20.0)):
        evidence, carry = MISSING.weigh(part, MISSING.limits, carry)
        for found in evidence:
            state, told = track(state, found, MISSING.timing)
            if told:
                assert part.until_s == 27.0
                assert told[0].start_s == 20.0
                return
    pytest.fail("was not told")


def test_track_that_never_delivers() -> None:
    (*_, event) = events(programme())
    assert (event.start_s, event.end_s, event.severity) == (0.0, 60.0, "critical")
    assert event.details == {"track": 1}
    assert event.message == "no sound for 60.0 s from audio track 1"
    assert event.value == 60.0


def test_tracks_are_judged_apart() -> None:
    one, two = programme((0.0, 60.0), index=1), programme((0.0, 30.0), index=2)
    both = [
        stream_series(
            a.until_s,
            *a.facts,
            *b.facts,
            audio_until_s={**a.audio_until_s, **b.audio_until_s},
            audio_from_s={**a.audio_from_s, **b.audio_from_s},
            finished=a.finished,
        )
        for a, b in zip(one, two, strict=True)
    ]
    (event,) = [event for event in events(both) if event.state == "closed"]
    assert (event.start_s, event.end_s, event.details["track"], event.id) == (30.0, 60.0, 2, "s-audio.missing:2-30")


def test_gap_of_another_track_is_not_this_ones() -> None:
    series = [stream_series(20.0, _gap(5.0, 15.0, 2), audio_until_s={1: 20.0, 2: 20.0}, finished=True)]
    (event,) = [event for event in events(series) if event.state == "closed"]
    assert event.details["track"] == 2


def test_gap_without_a_track_is_the_only_tracks() -> None:
    series = [stream_series(20.0, fact("gap", 5.0, 15.0, track="audio"), audio_until_s={1: 20.0}, finished=True)]
    assert spans(series) == [(5.0, 15.0)]


def test_no_audio_track_is_missing_only_where_it_is_expected() -> None:
    silent = [stream_series(float(at), finished=at == 20) for at in range(1, 21)]
    assert events(silent) == []
    (*_, event) = events(silent, MissingLimits(expect_audio=True))
    assert (event.start_s, event.end_s, event.details) == (0.0, 20.0, {"track": None})
    assert event.message == "no sound for 20.0 s from an input without audio"


def test_without_a_picture_the_stream_is_the_clock() -> None:
    series = [stream_series(float(at), audio_until_s={1: float(at)}, finished=at == 9) for at in range(1, 10)]
    for part in series:
        object.__setattr__(part, "video_until_s", None)
    assert events(series) == []


def test_picture_that_ends_first_is_not_missing_sound() -> None:
    series = [
        stream_series(30.0, video_until_s=10.0, audio_until_s={1: 30.0}, finished=False),
        stream_series(60.0, video_until_s=10.0, audio_until_s={1: 60.0}, finished=True),
    ]
    assert events(series) == []


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="interleave_s"):
        MissingLimits(interleave_s=-1.0)


def merged(series: list[StreamSeries]) -> StreamSeries:
    """Several stretches of a stream read as one."""
    last = series[-1]
    return stream_series(
        last.until_s,
        *(told for part in series for told in part.facts),
        video_until_s=last.video_until_s,
        audio_until_s=last.audio_until_s,
        audio_from_s=last.audio_from_s,
        finished=last.finished,
    )


@given(
    st.lists(st.floats(0.0, 60.0), max_size=6, unique=True),
    st.sampled_from([0.0, 0.3, 3.0]),
    st.lists(st.integers(1, 119), max_size=6, unique=True),
)
@settings(max_examples=100, deadline=None)
def test_any_cut_gives_the_same_evidence(edges: list[float], late_s: float, at: list[int]) -> None:
    ordered = sorted(edges)
    sounds = list(zip(ordered[::2], ordered[1::2], strict=False))
    fine = programme(*sounds, late_s=late_s)
    bounds = [0, *sorted(at), len(fine)]
    pieces = [merged(fine[a:b]) for a, b in itertools.pairwise(bounds)]
    assert_same_evidence(weighed(MISSING, pieces), weighed(MISSING, fine))
    assert_same_evidence(weighed(MISSING, [merged(fine)]), weighed(MISSING, fine))
