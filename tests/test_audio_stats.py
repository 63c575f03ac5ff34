from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.features.audio import k_weighting, true_peak_taps
from gpu_qa_kernels.audio_stats import (
    ENERGY_ONE,
    LEVEL_EDGES,
    LEVELS,
    QUANTUM,
    STATE,
    TAPS,
    AudioStats,
    audio_stats,
    forget_samples,
    start_state,
)
from gpu_qa_kernels.audio_stats.reference import audio_stats_reference

PASS = np.array([[1.0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0]])
NOTHING_BETWEEN = np.zeros((0, TAPS), np.float32)


def edges(*at: int) -> np.ndarray:
    return np.array(at, np.int64)


def noise(channels: int, count: int, level: float = 0.5) -> np.ndarray:
    return np.random.default_rng(count).normal(0, level, (channels, count)).astype(np.float32)


def plain(*samples: float, at: np.ndarray | None = None) -> AudioStats:
    """Measures of one channel through filters that change nothing."""
    line = np.array([samples], np.float32)
    return audio_stats(line, edges(0, len(samples)) if at is None else at, PASS, NOTHING_BETWEEN, start_state(1))[0]


def assert_equal(one: AudioStats, other: AudioStats) -> None:
    for name in AudioStats._fields:
        mine, theirs = getattr(one, name), getattr(other, name)
        assert mine.dtype == theirs.dtype, name
        np.testing.assert_array_equal(mine, theirs, err_msg=name)


def test_samples_beyond_all_bounds_weigh_as_the_loudest() -> None:
    """Float sound can hold any number; in single precision the square of this one would be none."""
    filters, state = (k_weighting(48_000), true_peak_taps(48_000)), start_state(2)
    wild = noise(2, 960)
    wild[0, 100:110], wild[1, 400] = 1e30, -3e38
    held = np.clip(wild, -4, 4)
    for measure in (audio_stats, audio_stats_reference):
        got, after = measure(wild, edges(0, 480, 960), *filters, state)
        wanted, _ = measure(held, edges(0, 480, 960), *filters, state)
        np.testing.assert_array_equal(got.k_energy, wanted.k_energy)
        assert np.isfinite(after[:, :4]).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
@pytest.mark.parametrize("rate", [44_100, 96_000, 192_000])
def test_the_cpu_version_equals_the_definition(channels: int, rate: int) -> None:
    samples = noise(channels, 4000, 1.5)
    samples[0, 100:700] = 0
    samples[0, 900:950] = -0.25
    samples[channels // 2, 5:9] = np.nan, np.inf, -np.inf, 9.0
    samples[-1, :441] *= np.float32(0.01)
    filters, state = (k_weighting(rate), true_peak_taps(rate)), start_state(channels)
    for at in (edges(0, 1, 3, 8, 8, 441, 882, 882, 1764), edges(1764, 1774, 1775, 2500, 4000)):
        got, after = audio_stats(samples, at, *filters, state)
        expected, expected_after = audio_stats_reference(samples, at, *filters, state)
        assert_equal(got, expected)
        np.testing.assert_array_equal(after, expected_after)
        state = after


def test_known_numbers() -> None:
    stats = plain(0.0, 0.0, 0.5, -1.0, 0.0, np.nan, 0.25, 1.0, at=edges(0, 4, 8))
    assert stats.peak[:, 0].tolist() == [1.0, 1.0]
    assert (stats.energy[:, 0] / ENERGY_ONE).tolist() == [1.25, 1.0625]
    assert (stats.quarter_energy[:, :, 0] / ENERGY_ONE).tolist() == [[0, 0, 0.25, 1], [0, 0, 0.0625, 1]]
    assert (stats.total[:, 0] / QUANTUM).tolist() == [-0.5, 1.25]
    assert stats.k_energy[:, 0].tolist() == [1.25, 1.0625]
    assert stats.zero_run[:, 0].tolist() == [2, 2]
    assert stats.same_run[:, 0].tolist() == [2, 2]
    assert stats.clipped[:, 0].tolist() == [1, 1]
    assert stats.invalid[:, 0].tolist() == [0, 1]
    assert stats.true_peak[:, 0].tolist() == [1.0, 1.0]
    # Second differences 0.5 and −2, then 2.5, −1, 0.25 and 0.5.
    assert (stats.bend_peak[:, 0] / QUANTUM).tolist() == [2.0, 2.5]
    assert (stats.bend_energy[:, 0] / ENERGY_ONE).tolist() == [4.25, 7.5625]
    assert stats.cross.shape == (2, 0)


def test_channels_are_multiplied_in_pairs() -> None:
    samples = np.array([[0.5, 0.5], [0.5, -1.0], [1.0, 1.0], [-1.0, -0.25], [1.0, 1.0]], np.float32)
    stats, _ = audio_stats(samples, edges(0, 2), PASS, NOTHING_BETWEEN, start_state(5))
    assert (stats.cross / ENERGY_ONE).tolist() == [[-0.25, -1.25]]


def test_runs_of_equal_samples_lie_within_a_hop() -> None:
    stats = plain(0.25, 0.25, 0.25, -0.25, 0.0, 0.0, 0.0, 0.5, 0.5, at=edges(0, 2, 6, 9))
    assert stats.same_run[:, 0].tolist() == [2, 2, 2]
    assert stats.zero_run[:, 0].tolist() == [0, 2, 1]
    rising = plain(0.0, 0.25, 0.5, 0.0)
    assert (rising.same_run[0, 0], rising.zero_run[0, 0]) == (1, 1)


def test_levels_are_counted_in_bins_of_three_quarters_of_a_decibel() -> None:
    assert 20 * np.log10(LEVEL_EDGES[:3].astype(float)) == pytest.approx([5.25, 4.5, 3.75], abs=1e-6)
    below = np.nextafter(LEVEL_EDGES[:-1], np.float32(0))
    for samples in (LEVEL_EDGES, -LEVEL_EDGES):
        assert plain(*samples).levels[0, 0].tolist() == [1] * LEVELS
    assert plain(*below).levels[0, 0].tolist() == [0] + [1] * (LEVELS - 1)
    ends = plain(9.0, 1e30, 1.0, -1e-30, np.nan).levels[0, 0]
    assert (ends[0], ends[7], ends[63]) == (2, 1, 2)


def test_peaks_between_samples_are_found() -> None:
    """A tone of a quarter of the rate whose samples lie 45° beside its peaks reads 3 dB low in them."""
    at = np.arange(4800)
    tone = (0.5 * np.sin(np.pi / 2 * at + np.pi / 4)).astype(np.float32)[None]
    hops = edges(*range(0, 4801, 480))
    stats, _ = audio_stats(tone, hops, PASS, true_peak_taps(48_000), start_state(1))
    assert 20 * np.log10(stats.peak[:, 0]) == pytest.approx(-9.03, abs=0.01)
    assert 20 * np.log10(stats.true_peak[1:, 0]) == pytest.approx(-6.02, abs=0.25)


@pytest.mark.parametrize(("rate", "phases"), [(44_100, 4), (48_000, 4), (96_000, 2), (192_000, 0), (384_000, 0)])
def test_interpolation_reaches_192_khz(rate: int, phases: int) -> None:
    taps = true_peak_taps(rate)
    assert taps.shape == (phases, TAPS)
    # Each phase passes 0 Hz, and delays it by 5.5 samples less or more an odd number of eighths.
    assert taps.sum(axis=1) == pytest.approx(1.0, abs=0.06)
    delay = (taps * np.arange(TAPS)).sum(axis=1) / taps.sum(axis=1)
    assert delay == pytest.approx([5.875, 5.625, 5.375, 5.125][:: 4 // max(phases, 1)][:phases], abs=0.08)


def test_nothing_before_the_first_sample_is_no_bend_and_no_peak() -> None:
    """A stream joined in the middle begins with whatever its sound is worth."""
    hold = np.full((1, 96), 0.5, np.float32)
    for state in (start_state(1), audio_stats(-hold, edges(0, 96), PASS, true_peak_taps(48_000), start_state(1))[1]):
        forget_samples(state)
        stats, _ = audio_stats(hold, edges(0, 48, 96), PASS, true_peak_taps(48_000), state)
        assert stats.bend_peak.max() == 0
        assert stats.true_peak == pytest.approx(0.5, abs=0.03)
    stats, _ = audio_stats(hold, edges(0, 48), PASS, NOTHING_BETWEEN, np.zeros((1, STATE)))
    assert stats.bend_peak[0, 0] / QUANTUM == 0.5


def test_the_loudest_hop_does_not_overflow() -> None:
    samples = np.full((2, 9600), 100.0, np.float32)
    samples[1, ::2] = -100.0
    stats, _ = audio_stats(samples, edges(0, 9600), PASS, true_peak_taps(48_000), start_state(2))
    assert stats.energy[0].tolist() == [9600 * 16 * ENERGY_ONE] * 2
    assert stats.bend_energy[0, 1] == 9598 * 256 * ENERGY_ONE
    assert stats.true_peak[0].tolist() == [100.0, 100.0]


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 20), max_size=5), hop=st.sampled_from([1, 3, 120]), channels=st.integers(1, 3))
def test_any_cut_at_hop_edges_gives_the_same_numbers(cuts: list[int], hop: int, channels: int) -> None:
    samples, filters = noise(channels, 20 * hop), (k_weighting(48_000), true_peak_taps(48_000))
    whole, after = audio_stats(samples, edges(*range(0, 20 * hop + 1, hop)), *filters, start_state(channels))
    carried, parts = start_state(channels), []
    for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), 20], strict=True):
        at = edges(*range(0, (last - first) * hop + 1, hop))
        stats, carried = audio_stats(samples[:, first * hop : last * hop], at, *filters, carried)
        parts.append(stats)
    assert_equal(AudioStats(*(np.concatenate(values) for values in zip(*parts, strict=True))), whole)
    np.testing.assert_array_equal(carried, after)


def test_channels_of_many_streams_are_measured_in_one_call_as_each_alone() -> None:
    rng = np.random.default_rng(5)
    streams = [rng.normal(0, 0.3, (channels, 4800)).astype(np.float32) for channels in (2, 6, 1, 2, 1)]
    filters, at = (k_weighting(48_000), true_peak_taps(48_000)), edges(*range(0, 4801, 480))
    together, after = audio_stats(np.concatenate(streams), at, *filters, start_state(12))
    first = 0
    for samples in streams:
        alone, alone_after = audio_stats(samples, at, *filters, start_state(len(samples)))
        for name in AudioStats._fields:
            if name != "cross":  # pairs are those of the call
                mine = getattr(together, name)
                axis = 2 if name == "quarter_energy" else 1
                np.testing.assert_array_equal(
                    mine.take(range(first, first + len(samples)), axis), getattr(alone, name), err_msg=name
                )
        np.testing.assert_array_equal(after[first : first + len(samples)], alone_after)
        first += len(samples)


def test_k_weighting_at_48_khz_is_the_standards_table() -> None:
    """ITU-R BS.1770-5, tables 1 and 2."""
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585]
    high_pass = [1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621]
    np.testing.assert_allclose(k_weighting(48_000), [shelf, high_pass], atol=2e-6)


@pytest.mark.parametrize("at", [edges(0, 481), edges(4, 0), edges(-1, 3), np.array([0.0, 3.0]), edges()])
def test_edges_that_do_not_fit_are_refused(at: np.ndarray) -> None:
    with pytest.raises(ValueError, match="edges"):
        audio_stats(noise(1, 480), at, PASS, NOTHING_BETWEEN, start_state(1))


def test_filters_and_states_that_do_not_fit_are_refused() -> None:
    samples, at = noise(1, 480), edges(0, 480)
    with pytest.raises(ValueError, match="taps"):
        audio_stats(samples, at, PASS, np.zeros((4, 11), np.float32), start_state(1))
    with pytest.raises(ValueError, match="state"):
        audio_stats(samples, at, PASS, NOTHING_BETWEEN, start_state(2))
    with pytest.raises(ValueError, match="coefficients"):
        audio_stats(samples, at, PASS[:1], NOTHING_BETWEEN, start_state(1))
