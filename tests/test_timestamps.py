from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_qa.series import StreamFact, StreamSeries
from gpu_qa.sync.timestamps import TimestampCarry, timestamp_step, timestamp_sync


def gap(track: str, start_s: float, end_s: float) -> StreamFact:
    details = {"track": 1} if track == "audio" else {}
    return StreamFact("gap", "audio" if track == "audio" else "video", start_s, end_s, "", details)


def stretch(
    *facts: StreamFact,
    video_s: float | None = 10.0,
    sound_s: float | None = 10.0,
    finished: bool = True,
    from_s: float = 0,
) -> StreamSeries:
    return StreamSeries(facts, 10.0, video_s, {1: sound_s}, finished, {} if sound_s is None else {1: from_s})


@pytest.mark.parametrize("start_s", [-0.9, -0.2, 0.0, 1.5])
def test_the_start_of_sound_is_told_against_the_first_picture(start_s: float) -> None:
    (sync,) = timestamp_sync(timestamp_step(stretch(from_s=start_s))[1])
    assert sync.start_offset_s == start_s
    assert sync.end_offset_s == 0.0


def test_a_track_that_ends_first_is_told_at_the_end_only() -> None:
    (sync,) = timestamp_sync(timestamp_step(stretch(sound_s=7.5, finished=False))[1])
    assert sync.end_offset_s is None
    (sync,) = timestamp_sync(timestamp_step(stretch(sound_s=7.5))[1])
    assert sync.end_offset_s == -2.5


def test_gaps_of_one_track_and_not_the_other_are_told_apart() -> None:
    _, carry = timestamp_step(stretch(gap("video", 2, 4), gap("audio", 3, 6)))
    (sync,) = timestamp_sync(carry)
    assert (sync.audio_gap_s, sync.video_gap_s) == (3.0, 2.0)
    assert (sync.audio_only_gap_s, sync.video_only_gap_s) == (2.0, 1.0)


def test_without_sound_or_picture_nothing_is_a_number() -> None:
    assert timestamp_sync(None) == []
    (sync,) = timestamp_sync(timestamp_step(stretch(sound_s=None))[1])
    assert sync.start_offset_s is None
    assert sync.end_offset_s is None
    (sync,) = timestamp_sync(timestamp_step(stretch(video_s=None))[1])
    assert sync.start_offset_s is None
    assert sync.end_offset_s is None


@given(st.lists(st.booleans(), min_size=6, max_size=6))
def test_any_cut_of_the_facts_gives_the_same(cuts: list[bool]) -> None:
    facts = [gap(("video", "audio")[i % 2], i, i + 1.25) for i in range(6)]
    whole = timestamp_sync(timestamp_step(stretch(*facts))[1])
    carry: TimestampCarry | None = None
    waiting: list[StreamFact] = []
    for fact, cut in zip(facts, cuts, strict=True):
        waiting.append(fact)
        if cut:
            _, carry = timestamp_step(stretch(*waiting, finished=False), carry)
            waiting = []
    assert timestamp_sync(timestamp_step(stretch(*waiting), carry)[1]) == whole


def played(until_s: float, sound_s: float, *facts: StreamFact, audio_zero_s: float = 0.0) -> StreamSeries:
    return StreamSeries(
        facts,
        until_s,
        until_s,
        {1: until_s},
        audio_from_s={1: 0.0},
        audio_sound_s={1: sound_s},
        audio_zero_s={1: audio_zero_s},
        video_zero_s=0.0,
    )


@pytest.mark.parametrize("ppm", [-80.0, 0.0, 50.0])
def test_the_drift_of_samples_against_timestamps_is_measured(ppm: float) -> None:
    carry = None
    for second in range(1, 121):
        _, carry = timestamp_step(played(second, second * (1 - ppm * 1e-6)), carry)
    (sync,) = timestamp_sync(carry)
    assert sync.drift_ppm == pytest.approx(ppm, abs=1.0)
    assert sync.overlap_s == 0.0


def test_small_holes_and_overlaps_are_no_drift() -> None:
    carry, missing_s = None, 0.0
    for second in range(1, 61):
        missing_s += {20: 0.1, 40: -0.06}.get(second, 0.0)
        _, carry = timestamp_step(played(second, second - missing_s), carry)
    (sync,) = timestamp_sync(carry)
    assert sync.small_gap_s == pytest.approx(0.1)
    assert sync.overlap_s == pytest.approx(0.06)
    assert sync.drift_ppm == pytest.approx(0.0, abs=1.0)
    assert sync.jitter_ms == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("follows_after_s", [None, 2])
def test_a_jump_of_one_track_only_is_a_shift(follows_after_s: int | None) -> None:
    carry, answers = None, []
    for second in range(1, 31):
        jump = [StreamFact("discontinuity", "audio", 10.0, 10.0, "", {"track": 1})] if second == 10 else []
        shifted = second >= 10 and (follows_after_s is None or second < 10 + follows_after_s)
        found, carry = timestamp_step(played(second, second, *jump, audio_zero_s=-1.0 if shifted else 0.0), carry)
        answers += found
    if follows_after_s is not None:
        assert answers == []
        return
    (answer,) = answers
    assert answer.offset_s.tolist() == [1.0]
    assert answer.start_s.tolist() == [10.0]


def shift(track: Literal["video", "audio"], at_s: float, *, borne_out: bool = True, number: int = 1) -> StreamFact:
    return StreamFact("shift", track, at_s, at_s, "", {"jump_s": 0.3, "borne_out": borne_out, "track": number})


@pytest.mark.parametrize(("moved", "offset_s"), [("audio", -0.3), ("video", 0.3)])
def test_a_shift_in_which_the_clock_follows_is_one_too(moved: Literal["video", "audio"], offset_s: float) -> None:
    carry, answers = None, []
    for second in range(1, 31):
        told = [shift(moved, 10.0)] if second == 13 else []
        found, carry = timestamp_step(played(second, second, *told), carry)
        answers += found
    (answer,) = answers
    assert answer.way == "timestamps"
    assert answer.offset_s.tolist() == [pytest.approx(offset_s)]
    assert answer.start_s.tolist() == [10.0]
    (sync,) = timestamp_sync(carry)
    assert sync.shift_s == pytest.approx(offset_s)


def test_a_shift_of_one_track_of_sound_is_not_the_others() -> None:
    answers, carry = timestamp_step(played(20.0, 20.0, shift("audio", 10.0, number=2)))
    assert answers == []
    assert timestamp_sync(carry)[0].shift_s == 0.0


@pytest.mark.parametrize("moved", ["audio", "video"])
def test_what_may_as_well_be_missing_is_no_shift_however_often_it_comes(moved: Literal["video", "audio"]) -> None:
    carry, answers = None, []
    for second in range(1, 121):
        told = [shift(moved, second - 2.0, borne_out=False)] if second % 40 == 0 else []
        found, carry = timestamp_step(played(second, second, *told), carry)
        answers += found
    assert answers == []
    assert timestamp_sync(carry)[0].shift_s == 0.0
    found, carry = timestamp_step(
        played(140.0, 140.0, shift(moved, 122.0), shift(moved, 126.0, borne_out=False)), carry
    )
    (answer,) = found
    assert answer.start_s.tolist() == [122.0]
    assert answer.offset_s.tolist() == [pytest.approx(-0.3 if moved == "audio" else 0.3)]
