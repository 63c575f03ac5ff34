from __future__ import annotations

import pytest

from gpu_qa.features.timeline import MPEG_WRAP_S, Timeline

VIDEO, AUDIO = 0, 1


def run(timeline: Timeline, raw_s: list[float | None], duration_s: float = 0.04) -> tuple[list[float], list[str]]:
    times: list[float] = []
    kinds: list[str] = []
    for raw in raw_s:
        start_s, facts = timeline.place(VIDEO, "video", raw, duration_s)
        times.append(start_s)
        kinds += [fact.kind for fact in facts]
    return times, kinds


def frames(start_s: float, count: int) -> list[float | None]:
    return [start_s + i * 0.04 for i in range(count)]


@pytest.mark.parametrize("origin_s", [0.0, -3.2, 1.4, 36_000.0])
def test_the_clock_starts_at_0_wherever_the_timestamps_do(origin_s: float) -> None:
    times, kinds = run(Timeline(), frames(origin_s, 5))
    assert times == pytest.approx([0.0, 0.04, 0.08, 0.12, 0.16], abs=1e-9)
    assert kinds == []


def test_sound_keeps_its_distance_to_the_picture() -> None:
    timeline = Timeline()
    timeline.start(10.0)
    start_s, facts = timeline.place(AUDIO, "audio", 9.5, 0.02)
    assert start_s == pytest.approx(-0.5)
    assert facts == []


def test_a_gap_passes_time_and_is_told_with_its_length() -> None:
    timeline = Timeline()
    run(timeline, frames(0, 10))
    start_s, (fact,) = timeline.place(VIDEO, "video", 2.4, 0.04)
    assert start_s == pytest.approx(2.4)
    assert fact.kind == "gap"
    assert (fact.start_s, fact.end_s) == pytest.approx((0.4, 2.4))
    assert fact.details == {"length_s": 2.0, "usual_interval_s": 0.04, "shortest_interval_s": 0.04}


def test_a_gap_is_told_with_the_intervals_before_it() -> None:
    timeline = Timeline()
    run(timeline, [0.0, 0.04, 0.24, 0.28])
    _, (fact,) = timeline.place(VIDEO, "video", 2.4, 0.04)
    assert fact.details == {"length_s": 2.08, "usual_interval_s": 0.2, "shortest_interval_s": 0.04}


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0, -5.0, 50.0])
def test_a_jump_is_a_discontinuity_and_the_clock_runs_on(jump_s: float) -> None:
    timeline = Timeline()
    times, kinds = run(timeline, [*frames(100, 10), *frames(100.4 + jump_s, 10)])
    assert times == pytest.approx([i * 0.04 for i in range(20)], abs=1e-6)
    assert kinds == ["discontinuity"]


@pytest.mark.parametrize("wrong_s", [4.0, 98.0, 5000.0, -3.0])
def test_one_wrong_timestamp_does_not_stretch_the_clock(wrong_s: float) -> None:
    times, kinds = run(Timeline(), [*frames(100, 10), 100 + wrong_s, *frames(100.44, 10)])
    if wrong_s > 10 or wrong_s < 0:
        assert times == pytest.approx([i * 0.04 for i in range(21)], abs=1e-6)
        assert kinds == ["discontinuity"]
    else:  # a step ahead that could be a gap is taken for one; the step back is then a jump
        assert kinds == ["gap", "discontinuity"]
        assert times == sorted(times)


def test_both_tracks_jump_with_one_fact_and_keep_their_distance() -> None:
    timeline = Timeline()
    facts = []
    for base_s in (0.0, 5000.0):
        for i in range(25):
            facts += timeline.place(VIDEO, "video", base_s + i * 0.04, 0.04)[1]
            facts += timeline.place(AUDIO, "audio", base_s + i * 0.04 - 0.015, 0.04)[1]
    assert [(fact.kind, fact.track) for fact in facts] == [("discontinuity", "video")]
    assert timeline.track_until_s(AUDIO) == pytest.approx(timeline.until_s - 0.015)


def test_a_track_that_has_not_jumped_yet_stays_on_the_old_time_base() -> None:
    timeline = Timeline()
    timeline.place(VIDEO, "video", 0.0, 1.0)
    timeline.place(AUDIO, "audio", 0.0, 0.5)
    timeline.place(VIDEO, "video", 5000.0, 1.0)
    for raw_s, expected_s in ((0.5, 0.5), (5000.0, 1.0)):
        start_s, facts = timeline.place(AUDIO, "audio", raw_s, 0.5)
        assert start_s == pytest.approx(expected_s)
        assert facts == []


def test_a_33_bit_wrap_is_no_event() -> None:
    start_s = MPEG_WRAP_S - 0.2
    raw = [(start_s + i * 0.04) % MPEG_WRAP_S for i in range(10)]
    times, kinds = run(Timeline(), list(raw))
    assert times == pytest.approx([i * 0.04 for i in range(10)], abs=1e-6)
    assert kinds == []


def test_frames_without_a_timestamp_follow_the_one_before() -> None:
    times, kinds = run(Timeline(), [None, None, None, 0.12])
    assert times == pytest.approx([0.0, 0.04, 0.08, 0.12])
    assert kinds == []


def test_a_short_step_back_is_held_and_not_told() -> None:
    times, kinds = run(Timeline(), [0.0, 0.04, 0.08, 0.05, 0.12])
    assert times == sorted(times)
    assert kinds == []


def test_locating_does_not_move_the_clock() -> None:
    timeline = Timeline()
    run(timeline, frames(100.0, 25))
    assert timeline.locate(VIDEO, 100.4) == pytest.approx(0.4)
    assert timeline.locate(VIDEO, None) == pytest.approx(1.0)
    assert timeline.locate(VIDEO, 99_999.0) == pytest.approx(1.0)
    assert timeline.until_s == pytest.approx(1.0)


def test_a_picture_that_seems_to_outlast_the_next_is_no_jump() -> None:
    # MP4 with a varying rate and B-frames: durations are those between pictures as they are decoded.
    timeline = Timeline()
    steps = [(0.0, 0.2), (1.4, 0.2), (1.6, 0.2), (2.0, 1.2), (2.2, 0.2), (2.4, 0.2), (4.0, 0.667)]
    placed = [timeline.place(VIDEO, "video", raw_s, duration_s) for raw_s, duration_s in steps]
    assert [start_s for start_s, _ in placed] == [raw_s for raw_s, _ in steps]
    assert {fact.kind for _, facts in placed for fact in facts} == {"gap"}
