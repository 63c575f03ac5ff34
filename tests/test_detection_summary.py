"""What the benchmark of the detectors counts as found, and what it makes of all rows."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.detectors import summary
from tests.detection_rows import row, told, truth


@pytest.mark.parametrize(
    ("spans", "found", "exact"),
    [
        ([(4.0, 8.0)], True, True),
        ([(4.4, 8.4)], True, True),
        ([(4.6, 8.0)], True, False),
        ([(5.9, 8.0)], True, False),
        ([(6.1, 8.0)], False, False),
        ([(0.0, 20.0)], True, False),
        ([(4.0, 5.1), (7.0, 8.0)], True, False),
        ([(4.0, 5.2), (4.0, 5.2)], False, False),
        ([(4.0, 7.0), (4.5, 5.0), (6.5, 6.9)], True, False),
        ([(8.0, 12.0)], False, False),
        ([], False, False),
    ],
)
def test_found_is_half_of_the_fault(spans: list[tuple[float, float]], found: bool, exact: bool) -> None:
    assert summary.judged(spans, truth())[:2] == (found, exact)


@pytest.mark.parametrize(
    ("at_s", "found", "exact"), [(4.0, True, True), (4.8, True, False), (3.4, True, False), (5.2, False, False)]
)
def test_moments_are_found_by_their_start(at_s: float, found: bool, exact: bool) -> None:
    wanted = truth("stream.discontinuity", 4.0, 4.0)
    assert summary.judged([(at_s, at_s)], wanted)[:2] == (found, exact)


def test_a_score_has_errors_and_delays() -> None:
    rows = [
        ("a", truth(), [told(4.1, 8.2, 6.0)]),
        ("b", truth(), [told(1.0, 2.0, 2.0), told(3.8, 7.9, 6.4)]),
        ("c", truth(), []),
    ]
    score = summary.score(rows)
    assert (score.found, score.exact, score.missed) == (2, 2, ("c",))
    assert score.onset_s is not None
    assert (score.onset_s.median, score.onset_s.worst, score.onset_s.count) == (-0.05, -0.2, 2)
    assert score.end_s is not None
    assert score.end_s.median == pytest.approx(0.05)
    assert score.told_s is not None
    assert score.told_s.median == pytest.approx(2.2)


def test_what_is_told_where_nothing_is_planted() -> None:
    measured: list[dict[str, Any]] = [
        {"row": row("a"), "truth": None, "peer": {}, "events": [told(1.0, 2.0), told(9.0, 10.0, severity="info")]},
        {
            "row": row("a", "freeze"),
            "truth": truth(),
            "peer": {},
            "events": [
                told(4.0, 8.0),
                told(1.1, 1.9),  # the clean copy has it too
                told(8.5, 9.0, kind="video.blur"),  # within a second of the fault
                told(9.5, 10.5, kind="video.blur"),
            ],
        },
    ]
    quiet = summary.quiet(measured)
    assert [(alarm.kind, alarm.start_s) for alarm in quiet.alarms] == [("video.freeze", 1.0)]
    assert [(alarm.kind, alarm.start_s, alarm.fault) for alarm in quiet.strays] == [("video.blur", 9.5, "freeze")]
    assert quiet.hours == pytest.approx(12 / 3600, abs=1e-6)
    assert quiet.planted_hours == pytest.approx((12 - 4 - 2) / 3600, abs=1e-6)


def test_an_alarm_of_silence_has_no_value() -> None:
    alarm = told(1.0, 4.0, kind="audio.silence", value=float("-inf"))
    measured: list[dict[str, Any]] = [{"row": row("a"), "truth": None, "peer": {}, "events": [alarm]}]
    assert [one.value for one in summary.quiet(measured).alarms] == [None]


def test_cases_compare_with_ffmpeg_on_the_same_rows() -> None:
    answer = {"freezedetect": {"spans": [[4.1, 8.0]]}}
    measured = [
        {"row": row("a", "freeze"), "truth": truth(), "peer": answer, "events": [told(4.0, 8.0, 6.1)]},
        {"row": row("b", "freeze"), "truth": truth(), "peer": {"freezedetect": {"spans": []}}, "events": []},
    ]
    (case,) = summary.cases(measured, {})
    assert (case.fault, case.kind, case.detector, case.clips) == ("freeze", "video.freeze", "freeze", 2)
    assert (case.ours.found, case.ours.missed) == (1, ("b",))
    assert case.peer == "freezedetect"
    assert case.theirs is not None
    assert (case.theirs.found, case.theirs.told_s) == (1, None)
