"""Evidence of windows, summed: the answer, its confidence, and a step from one offset to another."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_qa.series import SYNC_SURE
from gpu_qa.sync.evidence import LAGS_S, Evidence, answer_of, gathered
from gpu_qa_kernels.sync_net import LAGS


def peak(at_s: float, height: float) -> np.ndarray:
    scores = height * np.exp(-0.5 * ((LAGS_S - at_s) / 0.03) ** 2)
    shares: np.ndarray = scores - np.log(np.exp(scores).sum())
    return shares


def heard(evidence: Evidence | None, at_s: float, count: int, height: float = 2.0, *, first: int = 0) -> list[Evidence]:
    """The evidence after each of so many windows of 2 s that speak of one offset."""
    course = []
    for number in range(first, first + count):
        evidence = gathered(evidence, peak(at_s, height), 2.0 * number, 2.0)
        course.append(evidence)
    return course


@pytest.mark.parametrize("at_s", [-0.513, 0.0, 0.126])
def test_the_answer_lies_between_lags(at_s: float) -> None:
    answer = answer_of(Evidence(peak(at_s, 9.0), 8.0))
    assert answer.offset_s == pytest.approx(at_s, abs=0.004)
    assert answer.confidence > SYNC_SURE


@pytest.mark.parametrize("at_s", [-1.0, -0.96, 0.96, 1.0])
def test_the_likeliest_lag_at_an_end_is_no_answer(at_s: float) -> None:
    """Nothing shows that it is a peak."""
    assert answer_of(Evidence(peak(at_s, 9.0), 8.0)).confidence == 0.0
    assert answer_of(Evidence(peak(at_s * 0.9, 9.0), 8.0)).confidence > SYNC_SURE


def test_a_lead_counts_less_where_more_material_was_needed_for_it() -> None:
    short, long = (answer_of(Evidence(peak(0.0, 3.0), length_s)).confidence for length_s in (8.0, 60.0))
    assert short > long
    assert answer_of(Evidence(np.zeros(LAGS), 10.0)).confidence < 0.3


def test_two_seconds_are_never_enough() -> None:
    assert answer_of(Evidence(peak(0.0, 50.0), 2.0)).confidence <= 0.25


def test_old_evidence_fades_and_an_offset_that_moves_a_little_is_followed() -> None:
    before = heard(None, 0.0, 30)[-1]
    assert before.length_s == pytest.approx(2 * (1 - 0.5**1) / (1 - 0.5 ** (2 / 60)))
    after = heard(before, 0.08, 60, first=30)[-1]
    assert answer_of(after).offset_s == pytest.approx(0.08, abs=0.02)
    assert np.isnan(after.before_s)


@pytest.mark.parametrize("to_s", [-0.15, 0.15, 0.6])
@pytest.mark.parametrize("seconds_before", [30, 600])
def test_a_step_is_followed_within_a_minute_however_long_it_was_steady(to_s: float, seconds_before: int) -> None:
    count = seconds_before // 2
    before = heard(None, 0.02, count)[-1]
    course = heard(before, to_s, 30, first=count)
    told = next(number for number, one in enumerate(course) if np.isfinite(one.since_s))
    assert course[told].since_s == pytest.approx(seconds_before, abs=2.0)
    assert all(np.isnan(one.before_s) for one in course[:told])
    for one in course[told:]:
        answer = answer_of(one)
        assert one.before_s == pytest.approx(0.02, abs=0.02)
        assert answer.offset_s == pytest.approx(to_s, abs=0.02)
        assert answer.confidence >= SYNC_SURE


def test_a_step_back_is_one_too() -> None:
    away = heard(heard(None, 0.0, 60)[-1], 0.3, 30, first=60)[-1]
    back = heard(away, 0.0, 30, first=90)[-1]
    assert back.before_s == pytest.approx(0.3, abs=0.02)
    assert answer_of(back).offset_s == pytest.approx(0.0, abs=0.02)


def test_what_speaks_for_nothing_or_for_too_short_a_while_is_no_step() -> None:
    steady = heard(None, 0.0, 60)[-1]
    for at_s, height, count in ((0.5, 0.05, 30), (0.5, 3.0, 3), (0.08, 2.0, 30)):
        assert all(np.isnan(one.since_s) for one in heard(steady, at_s, count, height, first=60))


def test_before_anything_was_sure_nothing_can_step() -> None:
    vague = heard(None, -0.4, 30, 0.05)[-1]
    assert answer_of(vague).confidence < SYNC_SURE
    assert all(np.isnan(one.since_s) for one in heard(vague, 0.3, 30, first=30))


def test_what_is_kept_is_bounded() -> None:
    evidence = heard(None, 0.0, 500)[-1]
    assert sum(one.length_s for one in evidence.recent) <= 60.0
