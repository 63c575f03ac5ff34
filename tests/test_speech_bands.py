from __future__ import annotations

import numpy as np
import pytest

from gpu_qa.features.speech import SpeechBands
from gpu_qa_kernels.speech_bands import BANDS, EDGES_HZ, FLOOR, speech_bands, window_length


def sine(rate: int, hz: float, seconds: float = 0.5) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("band", range(BANDS))
def test_a_tone_stands_in_its_band_whatever_the_rate(rate: int, band: int) -> None:
    hz = (EDGES_HZ[band] + EDGES_HZ[band + 1]) / 2
    got = speech_bands(sine(rate, hz), np.array([rate // 4]), rate)[0]
    assert got.argmax() == band
    lines = (EDGES_HZ[band + 1] - EDGES_HZ[band]) / 40
    # Its power of 0.125, spread over the lines of the band; the lines that a window leaks into add a little.
    assert got[band] == pytest.approx(np.log10(0.125 / lines), abs=0.25)


def test_bands_above_half_the_rate_hold_nothing() -> None:
    got = speech_bands(sine(8_000, 1_000), np.array([2_000]), 8_000)[0]
    np.testing.assert_allclose(got[-3:], np.log10(FLOOR), atol=1.0)
    assert got[-1] == pytest.approx(np.log10(FLOOR))


@pytest.mark.parametrize("cuts", [(), (7,), (1, 2, 3), (30, 31)])
def test_any_cut_of_the_sound_gives_the_same_bands(cuts: tuple[int, ...]) -> None:
    rate = 44_100
    sound = np.random.default_rng(0).normal(0, 0.1, (2, rate // 2)).astype(np.float32)
    edges = -(-np.arange(51) * rate // 100)
    whole = SpeechBands().add(sound, edges, rate)
    bands, parts = SpeechBands(), []
    for first, last in zip((0, *cuts), (*cuts, 50), strict=True):
        begin = edges[first]
        parts.append(bands.add(sound[:, begin : edges[last]], edges[first : last + 1] - begin, rate))
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_after_a_gap_nothing_is_remembered() -> None:
    rate = 48_000
    loud, bands = np.ones((1, 480), np.float32) * 0.5, SpeechBands()
    bands.add(loud, np.array([0, 480]), rate)
    bands.forget()
    after = bands.add(np.zeros((1, 480), np.float32), np.array([0, 480]), rate)
    np.testing.assert_allclose(after, np.log10(FLOOR))
    assert window_length(rate) == 1200
