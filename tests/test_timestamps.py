from __future__ import annotations

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
    (sync,) = timestamp_sync(timestamp_step(stretch(from_s=start_s)))
    assert sync.start_offset_s == start_s
    assert sync.end_offset_s == 0.0


def test_a_track_that_ends_first_is_told_at_the_end_only() -> None:
    (sync,) = timestamp_sync(timestamp_step(stretch(sound_s=7.5, finished=False)))
    assert sync.end_offset_s is None
    (sync,) = timestamp_sync(timestamp_step(stretch(sound_s=7.5)))
    assert sync.end_offset_s == -2.5


def test_gaps_of_one_track_and_not_the_other_are_told_apart() -> None:
    carry = timestamp_step(stretch(gap("video", 2, 4), gap("audio", 3, 6)))
    (sync,) = timestamp_sync(carry)
    assert (sync.audio_gap_s, sync.video_gap_s) == (3.0, 2.0)
    assert (sync.audio_only_gap_s, sync.video_only_gap_s) == (2.0, 1.0)


def test_without_sound_or_picture_nothing_is_a_number() -> None:
    assert timestamp_sync(None) == []
    (sync,) = timestamp_sync(timestamp_step(stretch(sound_s=None)))
    assert sync.start_offset_s is None
    assert sync.end_offset_s is None
    (sync,) = timestamp_sync(timestamp_step(stretch(video_s=None)))
    assert sync.start_offset_s is None
    assert sync.end_offset_s is None


@given(st.lists(st.booleans(), min_size=6, max_size=6))
def test_any_cut_of_the_facts_gives_the_same(cuts: list[bool]) -> None:
    facts = [gap(("video", "audio")[i % 2], i, i + 1.25) for i in range(6)]
    whole = timestamp_sync(timestamp_step(stretch(*facts)))
    carry: TimestampCarry | None = None
    waiting: list[StreamFact] = []
    for fact, cut in zip(facts, cuts, strict=True):
        waiting.append(fact)
        if cut:
            carry = timestamp_step(stretch(*waiting, finished=False), carry)
            waiting = []
    assert timestamp_sync(timestamp_step(stretch(*waiting), carry)) == whole
