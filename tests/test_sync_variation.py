from __future__ import annotations

import numpy as np
import pytest

from gpu_qa.sync_training import variation
from gpu_qa.sync_training.variation import varied_picture, varied_sound
from gpu_qa_kernels.speech_bands import BANDS
from gpu_qa_kernels.sync_net import CHANNELS


def _windows(count: int = 40) -> tuple[np.random.Generator, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    picture = rng.normal(0, 0.5, (count, CHANNELS, 24, 42)).astype(np.float32)
    return rng, picture, rng.normal(-5, 1, (4 * count + 320, BANDS))


def test_what_is_varied_is_as_long_and_finite_and_left_alone_itself() -> None:
    rng, picture, rows = _windows()
    before = picture.copy(), rows.copy()
    for _ in range(60):
        seen, heard = varied_picture(rng, picture), varied_sound(rng, rows, rows[::-1])
        assert seen.shape == picture.shape
        assert heard.shape == rows.shape
        assert seen.dtype == heard.dtype == np.float32
        assert np.isfinite(seen).all()
        assert np.isfinite(heard).all()
    np.testing.assert_array_equal(picture, before[0])
    np.testing.assert_array_equal(rows, before[1])


def test_chance_alone_decides_how_it_is_varied() -> None:
    _, picture, rows = _windows()
    one, same, other = (
        (varied_picture(rng, picture), varied_sound(rng, rows, rows[::-1]))
        for rng in map(np.random.default_rng, (5, 5, 6))
    )
    np.testing.assert_array_equal(one[0], same[0])
    np.testing.assert_array_equal(one[1], same[1])
    assert not np.array_equal(one[0], other[0])
    assert not np.array_equal(one[1], other[1])


@pytest.mark.parametrize("rate", [10.0, 15.0, 20.0])
@pytest.mark.parametrize("phase", [0.0, 0.3, 0.8])
def test_at_a_lower_rate_things_happen_when_they_did(rate: float, phase: float) -> None:
    step = np.arange(60)
    picture = np.zeros((60, CHANNELS, 24, 42), np.float32)
    picture[...] = np.exp(-0.5 * ((step - 30) / 3) ** 2)[:, None, None, None]
    slow = variation._slower(picture, rate, phase)
    for measure in range(CHANNELS):
        course = slow[:, measure, 0, 0]
        assert (course * step).sum() / course.sum() == pytest.approx(30, abs=0.1)
    assert slow[:, 0].max() < picture.max()
    still = np.ones_like(picture)
    np.testing.assert_allclose(variation._slower(still, rate, phase), still, atol=1e-5)


def test_farther_away_there_is_nothing_around() -> None:
    for seed in range(20):
        line = variation._zoomed(42, 0.5, np.random.default_rng(seed)).sum(1)
        inside = np.flatnonzero(line)
        assert 20 <= len(inside) <= 23
        np.testing.assert_allclose(line[inside[2:-2]], 1.0, atol=1e-6)
    near = variation._zoomed(42, 1.25, np.random.default_rng(0))
    np.testing.assert_allclose(near.sum(1), 1.0, atol=1e-6)
    np.testing.assert_allclose(np.diff(near @ np.arange(42)), 1 / 1.25, atol=1e-5)


def test_a_room_adds_a_tail_that_falls() -> None:
    rows = np.full((100, BANDS), -8.0)
    rows[50] = -2.0
    heard = variation._in_a_room(rows, 0.05, 0.5)
    np.testing.assert_allclose(heard[:50], -8.0, atol=0.3)
    np.testing.assert_allclose(heard[50], -2.0, atol=1e-3)
    assert (np.diff(heard[51:85, 0]) < 0).all()
    assert (10 ** heard[51:, 0]).sum() == pytest.approx(0.5 * 10**-2.0, rel=0.01)
