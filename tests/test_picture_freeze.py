"""A probe that stands still, or repeats single pictures, while its reference moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gpu_qa.agreement import Compared, problems
from gpu_qa.sync.picture_alignment import full_area
from gpu_qa.sync.picture_freeze import Freeze, Run, frozen_runs
from gpu_qa.sync.picture_matching import match
from gpu_qa.sync.placing import Placing
from gpu_qa.sync.reference import Stretch, laid
from gpu_qa.sync.strip import Pictures, Strip
from gpu_qa.sync.summary import summarize
from tests.strips import picture_fit

RATE = 25
WALK = np.random.default_rng(5).normal(0, 0.02, (RATE * 20, 6, 7)).cumsum(axis=0) % 1
PART = Placing("matches", None, 0.0, 0.001, 0.99, 0.9, 10.0)


def pictures(shown: np.ndarray, noise: float = 0.0) -> Pictures:
    """Which picture of a walk is shown at each moment, as a coder leaves it."""
    luma = WALK[shown].repeat(4, axis=1).repeat(6, axis=2)
    luma = luma + np.random.default_rng(1).normal(0, noise, luma.shape) if noise else luma
    pts_s, lit = np.arange(len(shown)) / RATE, np.ones((len(shown), 10), np.float32)
    return Pictures(pts_s, pts_s + 1 / RATE, luma.astype(np.float32), lit, lit)


def strip(shown: np.ndarray) -> Strip:
    until_s = len(shown) / RATE
    return Strip((pictures(shown),), until_s=until_s, pictures_until_s=until_s, ended=True)


WHOLE = np.arange(RATE * 14)


def frozen_at(first: int, count: int) -> np.ndarray:
    shown = WHOLE.copy()
    shown[first : first + count + 1] = first
    return shown


@pytest.mark.parametrize("count", [25, 75])
def test_a_frozen_picture_is_told_and_its_stretch_placed_by_the_rest(count: int) -> None:
    found = laid(strip(WHOLE), strip(frozen_at(100, count)), (0.0, 10.0), 0.0)
    assert found.picture.delay_s == pytest.approx(0.0, abs=0.002)
    ((start_s, end_s),) = found.frozen
    assert start_s == pytest.approx(4.0)
    assert end_s == pytest.approx(4.0 + (count + 1) / RATE)
    assert found.lost is not None
    assert found.repeated is not None
    assert len(found.lost) == len(found.repeated) == count
    assert laid(strip(WHOLE), strip(frozen_at(100, count)), (0.0, 10.0), 9.0).frozen == ()


def test_a_picture_that_stands_still_in_both_is_not_frozen() -> None:
    shown = frozen_at(100, 25)
    found = laid(strip(shown), strip(shown), (0.0, 10.0), 0.0)
    assert (found.frozen, found.lost, found.repeated) == ((), (), ())


def test_a_freeze_across_stretches_is_one_and_a_problem() -> None:
    one = Stretch(0.0, 10.0, PART, PART, (), (), (Freeze(8.0, 10.0),))
    other = replace(one, start_s=5.0, end_s=15.0, frozen=(Freeze(10.0, 12.5),))
    summary = summarize([one, other], 0.0, 20.0)
    assert summary.frozen == (Freeze(8.0, 12.5),)
    told = problems(Compared("reference", "probe", summary, (one, other), 15.0))
    assert told == ["the picture is frozen for 4.5 s at 0:00:08.000, the reference's is not"]


def test_what_is_not_in_the_reference_is_not_judged() -> None:
    shown = frozen_at(100, 75)
    areas = (full_area, full_area)
    assert frozen_runs(pictures(shown), pictures(WHOLE), areas, 0.0) == [Run(100, 175)]
    assert frozen_runs(pictures(shown), pictures(WHOLE[:150]), areas, 0.0) == []


def test_pictures_that_are_replaced_by_the_one_before_count_as_lost_and_repeated() -> None:
    shown = WHOLE[:250].copy()
    at = np.arange(20, 240, 25)
    shown[at] -= 1
    probe, reference = pictures(shown, noise=0.002), pictures(WHOLE)
    found = picture_fit(probe, reference)
    assert found is not None
    matched = match(probe, reference, found)
    assert matched is not None
    # A lower bound: one may fit what should have come too.
    assert set(np.round(matched.repeated, 6)) <= set(np.round(at / RATE, 6))
    assert len(matched.repeated) >= len(at) - 1
    assert len(matched.lost) == len(matched.repeated)


def test_a_part_that_a_coder_holds_is_no_repeat() -> None:
    """All but the last row of the picture stays for a moment."""
    whole = pictures(WHOLE[:250], noise=0.0005)
    luma = whole.luma.copy()
    for at in range(20, 240, 25):
        luma[at, :20] = luma[at - 1, :20]
    probe, reference = replace(whole, luma=luma), pictures(WHOLE)
    found = picture_fit(probe, reference)
    assert found is not None
    matched = match(probe, reference, found)
    assert matched is not None
    assert (matched.lost, matched.repeated) == ((), ())
