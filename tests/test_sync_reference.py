"""A stretch laid over its reference: what it needs to match, and how sure it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gpu_qa.sync.lag import Around, Fit
from gpu_qa.sync.placing import SEVERAL, Placing, as_sure, placed
from gpu_qa.sync.reference import Asked, ReferenceLimits, Stretch, laid, laid_together, unlaid
from gpu_qa.sync.strip import Sound, Strip, extended
from gpu_qa_kernels.cross_correlation import Correlation, cross_correlation
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


def fit(coefficient: float, margin: float = 0.5, overlap_s: float = 10.0, told_by_s: float = 5.0) -> str:
    found = Fit(1.0, coefficient, margin, overlap_s, 0.001, told_by_s, Around(0.0, 0.1, ()))
    return placed(found, 0.5, 0.7, 0.15, 10.0).state


def test_what_is_told_by_a_short_moment_must_fit_better() -> None:
    assert fit(0.75) == "matches"
    assert fit(0.75, told_by_s=0.4) == "unknown"
    assert fit(0.94, told_by_s=0.2) == "unknown"
    assert fit(0.985, told_by_s=0.2) == "matches"


def test_places_are_told_apart_by_what_is_left_to_a_full_fit() -> None:
    """0.97 and 0.87 are farther apart than 0.8 and 0.7, and on a short overlap neither is far."""
    assert fit(0.8, margin=0.1) == "unknown"
    assert fit(0.97, margin=0.1) == "matches"
    assert fit(0.97, margin=0.1, overlap_s=4.0) == "unknown"
    assert fit(0.95, margin=0.17, overlap_s=4.0) == "unknown"
    assert fit(0.995, margin=0.001) == "unknown"


def strip_that_cuts(at_s: tuple[float, ...], seed: int) -> Strip:
    """A picture that is as good as still, but for cuts to another one and back; from the first cut to the last 4 s."""
    rng = np.random.default_rng(seed)
    scenes = rng.uniform(0.3, 0.7, (2, 24, 42)).astype(np.float32)
    if seed > 1:
        # Both programmes darken where they cut: half of the cells alike.
        scenes[:, :16] = np.random.default_rng(1).uniform(0.3, 0.7, (2, 24, 42)).astype(np.float32)[:, :16]
    times_s = np.arange(20 * RATE) / RATE
    shown = np.searchsorted(np.array(at_s), times_s, "right") % 2
    luma = scenes[shown] + rng.normal(0, 0.0005, (len(times_s), 24, 42)).astype(np.float32)
    return extended(Strip(), [video_series(len(times_s), frame_rate=RATE, luma=luma)], ended=True)


def test_a_picture_that_cuts_alike_and_is_still_besides_is_not_taken_for_the_same() -> None:
    limits = ReferenceLimits(max_delay_s=8.0, max_lead_s=8.0)
    reference, other = strip_that_cuts((8.0, 12.5), 1), strip_that_cuts((6.0, 10.5), 2)
    wrong = laid(reference, other, (3.0, 13.0), 0.0, limits).picture
    assert wrong.coefficient is not None
    assert wrong.coefficient > limits.picture_coefficient
    assert wrong.state != "matches"
    right = laid(reference, strip_that_cuts((6.0, 10.5), 1), (3.0, 13.0), 0.0, limits).picture
    assert right.delay_s == pytest.approx(-2.0, abs=0.05)


def test_other_sound_is_not_taken_for_the_same_where_only_its_end_lies_over_the_reference() -> None:
    """On 3 s in common other sound fits somewhere: the same must fit better than over a whole stretch."""
    assert as_sure(0.65, 10.0, 3.0) > 0.88
    matched, others = 0, 0
    for seed in range(2, 8):
        reference = Programme().strip(10.0, ended=True)
        for start_s in (0.0, 5.0):
            sound = laid(reference, Programme(seed).strip(20.0, ended=True), (start_s, start_s + 10.0), 0.0).sound
            others += 1
            matched += sound.state == "matches"
    assert matched == 0, (matched, others)


def buzz(later_s: float, seed: int) -> Strip:
    """An engine of about 55 Hz whose strokes are heard in the envelope of quarter hops, under a changing load."""
    rng = np.random.default_rng(1)
    quarters = np.arange(4 * 2200) / 400
    load = np.interp(quarters, np.arange(0, 25, 0.15), rng.uniform(-4, 0, 167))
    turns = 55 * quarters + 0.3 * np.sin(quarters / 2)
    strokes = 2.0 * (np.floor(turns) != np.floor(np.roll(turns, 1)))
    other = np.random.default_rng(seed).normal(0, 1.2, len(quarters))
    fine = np.roll(load + strokes + other, round(later_s * 400)).reshape(-1, 4)[:2000].astype(np.float32) - 8
    hops = np.log(np.exp(load).reshape(-1, 4).mean(axis=1))
    hops = np.roll(hops, round(later_s * 100))[:2000].astype(np.float32) - 8
    pts_s = np.arange(2000) / 100
    heard = Sound(pts_s, pts_s + 0.01, fine, np.repeat(hops[:, None], 3, axis=1), np.full(2000, 0.01, np.float32))
    return Strip(sound=(heard,), until_s=20.0, sound_until_s=20.0, ended=True)


def test_sound_that_fits_a_period_later_too_is_placed_where_its_loudness_says() -> None:
    limits = ReferenceLimits(max_delay_s=5.0, max_lead_s=5.0)
    for seed in range(8, 16):
        found = laid(buzz(0.0, 1), buzz(1.0, seed), (5.0, 15.0), 0.0, limits).sound
        assert found.delay_s == pytest.approx(1.0, abs=0.004), seed


def test_many_probes_are_laid_over_together_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit, and the reference is transformed for all of them together."""
    reference = Programme().strip(60.0, ended=True)
    limits = ReferenceLimits(max_delay_s=30.0, max_lead_s=30.0)
    probes = [Programme(later_s=2.0, skew_s=0.1), Programme(later_s=3.0), Programme(2), Programme(skew_s=-0.5)]
    strips = [one.strip(40.0, ended=True) for one in probes]
    strips.append(replace(strips[0], pictures=()))
    asked = [Asked(strip, (start_s, start_s + 10.0), 0.0, limits) for strip in strips for start_s in (10.0, 25.0, 30.0)]
    calls: list[int] = []

    def counted(a: np.ndarray, b: np.ndarray, **rest: Any) -> Correlation:
        calls.append(len(a))
        return cross_correlation(a, b, **rest)

    monkeypatch.setattr("gpu_qa.sync.lag.cross_correlation", counted)
    alone = [laid(reference, one.probe, one.stretch_s, one.covered_s, limits) for one in asked]
    times, calls[:] = len(calls), []
    assert laid_together(reference, asked) == alone
    assert len(calls) < times / 2
    assert max(calls) >= 4
    assert {one.picture.state for one in alone} == {"matches", "differs", "unknown"}


def with_bars(strip: Strip, later_s: float, seed: int) -> Strip:
    """The strip with music in place of its sound: a bar of 2.5 s that comes again, never quite the same."""
    count = round(strip.until_s * 100)
    bar = np.repeat(np.random.default_rng(1).uniform(-8, 0, 25), 10)
    at = np.arange(-1000, count)
    varied = np.repeat(np.random.default_rng(5).normal(0, 0.7, len(at) // 10 + 1), 10)[: len(at)]
    noise = np.random.default_rng(seed).normal(0, 0.4, len(at))
    level = np.roll(bar[at % 250] + varied + noise, round(later_s * 100))[-count:].astype(np.float32) - 8
    pts_s = np.arange(count) / 100
    hops = np.repeat(level[:, None], 3, axis=1)
    music = Sound(pts_s, pts_s + 0.01, np.repeat(level[:, None], 4, axis=1), hops, np.full(count, 0.01, np.float32))
    return replace(strip, sound=(music,))


def test_music_whose_bars_are_alike_is_placed_where_it_fits_best_if_that_is_beside_the_picture() -> None:
    limits = ReferenceLimits(max_delay_s=12.0, max_lead_s=12.0)
    reference = with_bars(Programme().strip(40.0, ended=True), 0.0, 2)

    def laid_with(sound_s: float, *, has_picture: bool = True) -> Placing:
        probe = with_bars(Programme(later_s=3.0).strip(40.0, ended=True), sound_s, 3)
        probe = probe if has_picture else replace(probe, pictures=())
        return laid(reference, probe, (15.0, 25.0), 0.0, limits).sound

    alone = laid_with(2.8, has_picture=False)
    assert alone.reason == SEVERAL
    assert alone.fits_s == pytest.approx(2.8, abs=0.01)
    assert laid_with(2.8).delay_s == pytest.approx(2.8, abs=0.01)
    # What fits best is not in step: nor is it taken for a bar that would be.
    assert laid_with(5.8).reason == SEVERAL
