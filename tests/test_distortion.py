"""Distortion: sound that wraps around, or has few levels."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_qa.detectors.distortion import DISTORTION
from tests.series_builder import assert_same_evidence, cut, weighed
from tests.sounds import audio_of, events, noise, tone, voice

PART = slice(6 * 48_000, 9 * 48_000)


def wrapped() -> np.ndarray:
    """A voice that overflows and comes out at the other end."""
    sound = voice(12.0)
    sound[:, PART] = (sound[:, PART] * 6 + 1) % 2 - 1
    return sound


def crushed(bits: int) -> np.ndarray:
    """A voice that is left with so many bits."""
    sound = voice(12.0)
    steps = 2 ** (bits - 1)
    sound[:, PART] = np.round(sound[:, PART] * 2 * steps) / steps
    return sound


def test_wrapped_sound_is_told_where_it_is() -> None:
    found = events(DISTORTION, audio_of(wrapped()))
    assert found
    assert (found[0].start_s, found[-1].end_s) == pytest.approx((6.0, 9.0), abs=1.0)


def test_few_bits_are_told_where_they_are() -> None:
    found = events(DISTORTION, audio_of(crushed(4)))
    assert found
    assert (found[0].start_s, found[-1].end_s) == pytest.approx((6.0, 9.0), abs=1.0)


def test_whole_sound_is_none() -> None:
    assert not events(DISTORTION, audio_of(voice(12.0)))
    assert not events(DISTORTION, audio_of(noise(8.0, level_dbfs=-12.0)))
    assert not events(DISTORTION, audio_of(tone(6.0, 440.0)))


def test_sixteen_bits_are_enough() -> None:
    assert not events(DISTORTION, audio_of(crushed(12)))


def test_any_cut_gives_the_same_evidence() -> None:
    series = audio_of(wrapped())
    assert_same_evidence(weighed(DISTORTION, cut(series, [4, 301, 302, 650])), weighed(DISTORTION, [series]))
