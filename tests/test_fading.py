"""Fading: maxima that fade are the same in whatever series the pictures come."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.fading import EPOCH_S, clock, weights

PTS_S = np.concatenate([np.arange(250) / 25, 40 + np.arange(50) / 25, 3 + np.arange(50) / 25])
"""With a gap and a step back."""
VALUES = np.random.default_rng(4).random(len(PTS_S)).astype(np.float32) ** 8


def faded(at: list[int], fade_s: float = 0.4) -> list[np.float32]:
    """The maximum after each picture, in series cut before the pictures `at`."""
    out, last_s, clock_s, scaled = [], float(PTS_S[0]), 0.0, np.float32(0)
    bounds = [0, *sorted(set(at)), len(PTS_S)]
    for first, end in pairwise(bounds):
        times_s = clock(PTS_S[first:end], last_s, clock_s)
        scales = weights(times_s, fade_s)
        for i in range(end - first):
            scaled = np.float32(max(scaled * scales.drops.get(i, np.float32(1)), VALUES[first + i] * scales.now[i]))
            out.append(np.float32(scaled / scales.now[i]))
        last_s, clock_s = float(PTS_S[end - 1]), float(times_s[-1])
    return out


@pytest.mark.parametrize("fade_s", [EPOCH_S / 40, 0.4, 2.0])
def test_it_is_the_largest_lately(fade_s: float) -> None:
    expected, last_s = 0.0, PTS_S[0]
    for value, now_s, got in zip(VALUES.tolist(), PTS_S.tolist(), faded([], fade_s), strict=True):
        expected = max(expected * np.exp(-min(max(now_s - last_s, 0.0), 1.0) / fade_s), value)
        last_s = now_s
        assert got == pytest.approx(expected, rel=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, len(PTS_S) - 1), max_size=12))
def test_any_cut_gives_the_same(at: list[int]) -> None:
    assert faded(at) == faded([])


def test_the_clock_never_goes_back_nor_leaps() -> None:
    steps = np.diff(clock(PTS_S, -7.0, 100.0))
    assert steps.min() >= 0
    assert steps.max() == pytest.approx(1.0)
