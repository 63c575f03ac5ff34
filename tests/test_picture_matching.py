"""Which picture of the reference each picture of the probe is, at the same rate and at others."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_qa.sync.picture_alignment import moving_s
from gpu_qa.sync.picture_matching import place, uneven_s
from gpu_qa.sync.strip import Pictures
from tests.strips import picture_fit

RATE = 30000 / 1001
WALK = np.random.default_rng(2).normal(0, 0.02, (900, 6, 7)).cumsum(axis=0) % 1


def pictures(shown: np.ndarray, pts_s: np.ndarray, hold_s: float) -> Pictures:
    """Pictures of a walk; which one is shown from each time on."""
    luma = WALK[shown].repeat(4, axis=1).repeat(6, axis=2).astype(np.float32)
    lit = np.ones((len(shown), 10), np.float32)
    return Pictures(pts_s, pts_s + hold_s, luma, lit, lit)


def converted(rate: float, delay_s: float, active: np.ndarray | None = None) -> tuple[Pictures, Pictures]:
    """A stretch of 10 s at another rate, each picture the last whose time rounds to its own, and 14 s of reference."""
    count = round(14 * RATE)
    shown = np.arange(count) if active is None else np.cumsum(active[:count])
    reference = pictures(shown, np.arange(count) / RATE, 1 / RATE)
    ours = np.arange(round(10 * rate))
    last = np.array([np.flatnonzero(np.round((np.arange(count) / RATE - 2.0) * rate) <= number)[-1] for number in ours])
    return pictures(shown[last], ours / rate + 2.0 + delay_s, 1 / rate), reference


@pytest.mark.parametrize("rate", [24.0, 25.0, 50.0, 30.0 / 1.7])
@pytest.mark.parametrize("delay_s", [0.0, 0.013])
def test_pictures_of_another_rate_are_placed_by_the_middle_of_their_time(rate: float, delay_s: float) -> None:
    probe, reference = converted(rate, delay_s)
    found = picture_fit(probe, reference)
    assert found is not None
    assert uneven_s(probe, reference) == pytest.approx(1 / min(rate, RATE) / 12**0.5, rel=0.02)
    at = place(probe, reference, found)
    assert at is not None
    assert at.delay_s == pytest.approx(delay_s, abs=0.0025)
    assert at.sigma_s < 0.002


def test_pictures_that_come_again_do_not_pull_the_delay() -> None:
    """25 per second made 29.97, which repeats every fifth, and 25 again; each as FFmpeg's filter `fps` rounds."""
    source = np.round(np.arange(16 * 25) / 25 * RATE)
    shown = np.searchsorted(source, np.arange(round(14 * RATE)), "right") - 1
    reference = pictures(shown, np.arange(len(shown)) / RATE, 1 / RATE)
    errors = []
    for later in range(10):
        delay_s = later / RATE
        copied = np.round((np.arange(len(shown)) / RATE + delay_s) * 25)
        ours = np.arange(round(2.0 * 25), round(12.0 * 25))
        last = np.searchsorted(copied, ours, "right") - 1
        probe = pictures(shown[last], ours / 25, 1 / 25)
        found = picture_fit(probe, reference)
        assert found is not None
        at = place(probe, reference, found)
        assert at is not None
        errors.append(abs(at.delay_s - delay_s))
    assert np.median(errors) < 0.002
    assert max(errors) < 0.005


def test_where_little_moves_single_pictures_tell_better_than_the_whole() -> None:
    """All that moves lies in a few tenths of a second at a time, where pictures come early or late by chance."""
    errors = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        active = np.zeros(900, bool)
        for start in rng.integers(70, 330, 5):
            active[start : start + 9] = True
        probe, reference = converted(25.0, 0.0, active)
        found = picture_fit(probe, reference)
        assert found is not None
        at = place(probe, reference, found)
        errors.append((abs(found.fit.delay_s), np.nan if at is None else abs(at.delay_s)))
    fit, placed = np.array(errors).T
    assert np.isfinite(placed).sum() >= 5
    assert np.nanmax(placed) < 0.008
    assert np.nanmedian(placed) < np.median(fit)


def test_rates_that_are_multiples_or_the_same_are_not_uneven() -> None:
    for rate, other in ((25.0, 25.0), (25.0, 50.0), (50.0, 25.0), (RATE, 30.0)):
        ours, theirs = (pictures(np.zeros(50, int), np.arange(50) / one, 1 / one) for one in (rate, other))
        assert uneven_s(ours, theirs) == 0.0


def test_still_pictures_are_not_placed() -> None:
    still = np.zeros(900, bool)
    probe, reference = converted(25.0, 0.0, still)
    moving = converted(25.0, 0.0)
    found = picture_fit(*moving)
    assert found is not None
    assert place(probe, reference, found) is None


def test_how_long_a_picture_moves_is_from_the_first_change_to_the_last() -> None:
    shown = np.zeros(250, int)
    times = np.arange(250) / 25
    assert moving_s(pictures(shown, times, 0.04), 0.0015) == 0.0
    shown[100:] = 1
    assert moving_s(pictures(shown, times, 0.04), 0.0015) < 0.2
    shown[200:] = 2
    assert moving_s(pictures(shown, times, 0.04), 0.0015) == pytest.approx(4.0, abs=0.2)


def test_a_place_far_from_where_the_changes_fit_is_none() -> None:
    """Pictures that are taken for their neighbours are all wrong by the same."""
    probe, reference = converted(25.0, 0.0)
    found = picture_fit(probe, reference)
    assert found is not None
    assert place(probe, reference, found) is not None
    assert place(probe, reference, found._replace(fit=found.fit._replace(delay_s=0.03))) is None
