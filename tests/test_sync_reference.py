"""A stretch laid over its reference: what it needs to match, and how sure it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpu_qa.sync.reference import Placing, ReferenceLimits, Stretch, as_sure, laid, unlaid
from gpu_qa.sync.strip import extended
from tests.series_builder import video_series
from tests.strips import RATE, Programme


def test_what_rests_on_less_must_fit_better() -> None:
    assert as_sure(0.7, 10.0, 10.0) == pytest.approx(0.7)
    assert as_sure(0.7, 10.0, 20.0) == pytest.approx(0.7)
    assert as_sure(0.7, 10.0, 5.0) == pytest.approx(0.842, abs=0.001)
    assert as_sure(0.7, 10.0, 3.0) == pytest.approx(0.919, abs=0.001)


def test_an_answer_on_little_is_less_sure() -> None:
    part = Placing("matches", None, 1.0, 0.0005, 0.99, 0.5, 10.0)
    assert Stretch(0.0, 10.0, part, part).confidence == 1.0
    assert Stretch(0.0, 10.0, replace(part, overlap_s=3.0), part).confidence == pytest.approx(0.6)
    assert Stretch(0.0, 10.0, replace(part, sigma_s=0.03), part).confidence == pytest.approx(0.5, abs=0.001)
    assert unlaid((0.0, 10.0), "why").confidence == 0.0


def test_how_well_a_match_fits_says_nothing_of_its_error() -> None:
    part = Placing("matches", None, 1.0, 0.0005, 0.5, 0.5, 10.0)
    assert Stretch(0.0, 10.0, part, replace(part, coefficient=0.99)).confidence == 1.0


def test_a_picture_that_only_cuts_once_is_not_laid_over() -> None:
    """The programme begins with the last second of the stretch: what it looks like would fit by chance."""
    reference, late = Programme().strip(30.0), Programme(later_s=9.0)
    before = video_series(9 * RATE, frame_rate=RATE, luma=0.05)
    probe = extended(late.strip(0.1), [before, late.video(9.0, 10.0)])
    limits = ReferenceLimits(max_delay_s=12.0, max_lead_s=12.0)
    picture = laid(reference, probe, (0.0, 10.0), 0.0, limits).picture
    assert (picture.state, picture.reason) == ("unknown", "the picture moves for too short a time")
    whole = laid(reference, late.strip(20.0), (9.0, 19.0), 0.0, limits).picture
    assert whole.delay_s == pytest.approx(9.0, abs=0.001)
