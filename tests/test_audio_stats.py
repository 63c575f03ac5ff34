from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.features.audio import k_weighting
from gpu_qa_kernels.audio_stats import ENERGY_ONE, AudioStats, audio_stats
from gpu_qa_kernels.audio_stats.reference import audio_stats_reference

PASS = np.array([[1.0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0]])


def state(channels: int) -> np.ndarray:
    return np.zeros((channels, 4))


def edges(*at: int) -> np.ndarray:
    return np.array(at, np.int64)


def noise(channels: int, count: int, level: float = 0.5) -> np.ndarray:
    return np.random.default_rng(count).normal(0, level, (channels, count)).astype(np.float32)


def test_the_cpu_version_equals_the_definition() -> None:
    samples = noise(3, 4000, 1.5)
    samples[0, 100:700] = 0
    samples[1, 5:9] = np.nan, np.inf, -np.inf, 9.0
    at = edges(0, 441, 882, 882, 1764, 4000)
    got, after = audio_stats(samples, at, k_weighting(44_100), state(3))
    expected, expected_after = audio_stats_reference(samples, at, k_weighting(44_100), state(3))
    for name in AudioStats._fields:
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)
    np.testing.assert_array_equal(after, expected_after)


def test_known_numbers() -> None:
    samples = np.array([[0.0, 0.0, 0.5, -1.0, 0.0, np.nan, 0.25, 1.0]], np.float32)
    stats, _ = audio_stats(samples, edges(0, 4, 8), PASS, state(1))
    assert stats.peak[:, 0].tolist() == [1.0, 1.0]
    assert (stats.energy[:, 0] / ENERGY_ONE).tolist() == [1.25, 1.0625]
    assert stats.k_energy[:, 0].tolist() == [1.25, 1.0625]
    assert stats.zero_run[:, 0].tolist() == [2, 2]
    assert stats.clipped[:, 0].tolist() == [1, 1]
    assert stats.invalid[:, 0].tolist() == [0, 1]


def test_the_loudest_hop_does_not_overflow() -> None:
    stats, _ = audio_stats(np.full((1, 9600), 100.0, np.float32), edges(0, 9600), PASS, state(1))
    assert stats.energy[0, 0] == 9600 * 16 * ENERGY_ONE


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 20), max_size=5))
def test_any_cut_at_hop_edges_gives_the_same_numbers(cuts: list[int]) -> None:
    samples, hop = noise(2, 2400), 120
    whole, after = audio_stats(samples, edges(*range(0, 2401, hop)), k_weighting(48_000), state(2))
    carried, parts = state(2), []
    for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), 20], strict=True):
        at = edges(*range(0, (last - first) * hop + 1, hop))
        stats, carried = audio_stats(samples[:, first * hop : last * hop], at, k_weighting(48_000), carried)
        parts.append(stats)
    for name in AudioStats._fields:
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name))
    np.testing.assert_array_equal(carried, after)


def test_k_weighting_at_48_khz_is_the_standards_table() -> None:
    """ITU-R BS.1770-5, tables 1 and 2."""
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585]
    high_pass = [1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621]
    np.testing.assert_allclose(k_weighting(48_000), [shelf, high_pass], atol=2e-6)


@pytest.mark.parametrize("at", [edges(0, 481), edges(4, 0), edges(-1, 3), np.array([0.0, 3.0]), edges()])
def test_edges_that_do_not_fit_are_refused(at: np.ndarray) -> None:
    with pytest.raises(ValueError, match="edges"):
        audio_stats(noise(1, 480), at, PASS, state(1))
