"""Discontinuity: every jump is told, with its size and direction."""

from __future__ import annotations

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
    assert closed.details == {"track": "video", "jump_s": -3600.0, "text": "jump by -3600.000 s"}
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
