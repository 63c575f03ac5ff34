"""What of a probe is not as in its reference, by limits."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args, get_type_hints

import pytest

from gpu_qa import config
from gpu_qa.agreement import PROFILES, Compared, SkewLimits, exit_code, grade, problems
from gpu_qa.comparing import _table, show_compare
from gpu_qa.detectors.av_offset import AvOffsetLimits
from gpu_qa.sync.drift import Jump
from gpu_qa.sync.summary import Part, Summary

PART = Part("matches", None, 0.0, 0.0, 1.0, (), 10, 0)
SAME = Summary(PART, PART, 0.0, 0.0, 0.0, 0.001, 1.0, None, 0.0, 1.0, 0, 0)


def compared(**values: object) -> Compared:
    return Compared("reference", "probe", replace(SAME, **values), (), 60.0)  # type: ignore[arg-type]


def skewed(skew_s: float) -> Compared:
    return compared(skew_s=skew_s, skew_low_s=skew_s, skew_high_s=skew_s)


def told(one: Compared, limits: SkewLimits = SkewLimits()) -> str:
    return str(next(iter(_table([one], limits).columns[-1].cells)))


@pytest.mark.parametrize(
    ("skew_s", "words"),
    [
        (0.044, []),
        (-0.124, []),
        (0.08, ["sound up to 80 ms early, 45 allowed (noticeable)"]),
        (-0.15, ["sound up to 150 ms late, 125 allowed (noticeable)"]),
        (0.095, ["sound up to 95 ms early, 45 allowed (unacceptable)"]),
        (-0.19, ["sound up to 190 ms late, 125 allowed (unacceptable)"]),
    ],
)
def test_a_skew_that_is_noticed_is_told_as_an_analysis_tells_it(skew_s: float, words: list[str]) -> None:
    one = skewed(skew_s)
    assert problems(one) == words
    assert exit_code(one) == bool(words)
    assert ("in sync" in told(one)) == (grade(one) == "in sync") == (not words)


def test_more_may_be_allowed_and_is_called_what_it_is() -> None:
    one = skewed(0.08)
    limits = SkewLimits(max_advanced_ms=90.0)
    assert exit_code(one, limits) == 0
    assert grade(one) == "noticeable"
    assert "noticeable, but allowed, same content" in told(one, limits)


def test_profiles_are_those_of_an_analysis() -> None:
    assert set(PROFILES) == set(config.PROFILES)
    hints = get_type_hints(show_compare, include_extras=True)
    assert set(get_args(hints["profile"].__origin__)) == set(PROFILES)
    limits = AvOffsetLimits()
    assert PROFILES["default"] == SkewLimits(limits.advance_ms, limits.delay_ms, limits.drift_ppm)
    assert (PROFILES["ebu"].max_advanced_ms, PROFILES["ebu"].max_delayed_ms) == (40.0, 60.0)
    assert (PROFILES["contribution"].max_advanced_ms, PROFILES["contribution"].max_delayed_ms) == (15.0, 45.0)


def test_a_drift_is_judged_by_what_is_sure_of_it() -> None:
    one = compared(drift_ppm=-210.7, drift_sigma_ppm=5.3)
    assert problems(one) == ["sound becomes later and later: -210.7 ± 5.3 ppm, 10 allowed"]
    assert problems(one, SkewLimits(max_drift_ppm=250.0)) == []
    assert problems(compared(drift_ppm=40.0, drift_sigma_ppm=12.0)) == []
    assert "earlier and earlier" in problems(compared(drift_ppm=40.0, drift_sigma_ppm=3.0))[0]


def test_pictures_that_repeat_are_a_problem_as_missing_ones_are() -> None:
    one = compared(lost=1, repeated=12)
    assert problems(one) == ["1 picture is missing", "12 pictures are repeated"]
    assert problems(one, SkewLimits(max_lost=1, max_repeated=12)) == []


def test_jumps_of_both_are_told_and_those_they_share_once() -> None:
    picture = replace(PART, jumps=(Jump(20.0, -2.0), Jump(60.0, 0.5)))
    sound = replace(PART, jumps=(Jump(25.0, -2.005), Jump(40.0, 1.0)))
    assert problems(compared(picture=picture, sound=sound)) == [
        "2.00 s are missing at 0:00:20.000",
        "1.00 s of the sound are added at 0:00:40.000",
        "0.50 s of the picture are added at 0:01:00.000",
    ]
