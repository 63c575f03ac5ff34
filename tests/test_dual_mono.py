"""Dual mono: a stereo programme that has turned mono, for information."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gpu_qa.detectors.dual_mono import DUAL_MONO
from tests.series_builder import assert_same_evidence, cut, weighed
from tests.sounds import audio_of, events, noise

if TYPE_CHECKING:
    import numpy as np

RATE = 8_000


def turned_mono(stereo_s: float = 30.0, mono_s: float = 70.0) -> np.ndarray:
    sound = noise(stereo_s + mono_s, rate=RATE)
    sound[1, round(stereo_s * RATE) :] = sound[0, round(stereo_s * RATE) :]
    return sound


def test_stereo_that_turns_mono_is_told_as_information() -> None:
    (event,) = events(DUAL_MONO, audio_of(turned_mono(), rate=RATE))
    assert (event.start_s, event.end_s) == pytest.approx((30.0, 100.0), abs=1.0)
    assert event.severity == "info"


def test_stereo_and_short_mono_are_not_told() -> None:
    assert not events(DUAL_MONO, audio_of(noise(80.0, rate=RATE), rate=RATE))
    assert not events(DUAL_MONO, audio_of(turned_mono(30.0, 40.0), rate=RATE))


def test_a_programme_that_never_was_stereo_is_not_told() -> None:
    assert not events(DUAL_MONO, audio_of(turned_mono(0.0, 90.0), rate=RATE))


def test_any_cut_gives_the_same_evidence() -> None:
    series = audio_of(turned_mono(25.0, 5.0), rate=RATE)
    assert_same_evidence(weighed(DUAL_MONO, cut(series, [7, 2499, 2500])), weighed(DUAL_MONO, [series]))
