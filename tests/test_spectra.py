"""The kernel `spectra`: the definition, NumPy and torch agree, and no window depends on what else is in the call."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa_kernels.spectra import MAX_LEVEL, band_powers, line_powers
from gpu_qa_kernels.spectra.reference import band_powers_reference, line_powers_reference

if TYPE_CHECKING:
    from collections.abc import Callable

    Place = Callable[[Any], Any]

TAPS = np.asarray(np.hanning(37) / np.hanning(37).sum(), np.float32)
WINDOW = np.asarray(np.hanning(162)[1:-1], np.float32)
LINES = {"taps": TAPS, "step": 5, "window": WINDOW, "bins": 100}
BANDS = {"window": WINDOW, "edges": np.array([0, 3, 4, 20, 81])}


@pytest.fixture(params=["numpy", "torch", pytest.param("cuda", marks=pytest.mark.needs_cuda)])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "numpy":
        return lambda array: array
    device = "cuda" if request.param == "cuda" else "cpu"
    return lambda array: torch.from_numpy(array).to(device)


def host(array: Any) -> np.ndarray:
    values: np.ndarray = array if isinstance(array, np.ndarray) else array.cpu().numpy()
    return values


def sounds(channels: int = 3, samples: int = 3000, seed: int = 0) -> np.ndarray:
    made = np.random.default_rng(seed).normal(size=(channels, samples)) * 0.1
    return np.asarray(made + 0.3 * np.sin(np.arange(samples) * 0.05), np.float32)


def lines(place: Place, samples: np.ndarray, starts: Any, **rest: Any) -> np.ndarray:
    moved = {name: place(value) if isinstance(value, np.ndarray) else value for name, value in (LINES | rest).items()}
    return host(line_powers(place(samples), starts, **moved))  # type: ignore[arg-type]


def bands(place: Place, samples: np.ndarray, starts: Any, **rest: Any) -> tuple[np.ndarray, np.ndarray]:
    given = BANDS | rest
    found = band_powers(place(samples), starts, window=place(given["window"]), edges=given["edges"])
    return host(found.mean), host(found.least)


def close(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.dtype == expected.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5 * float(expected.max(initial=0)), rtol=0)


def test_lines_are_as_defined(place: Place) -> None:
    starts = np.array([0, 7, 300])
    close(lines(place, sounds(), starts), line_powers_reference(sounds(), starts, **LINES))  # type: ignore[arg-type]


def test_lines_of_samples_that_are_not_thinned(place: Place) -> None:
    rest = {"taps": np.ones(1, np.float32), "step": 1}
    starts = np.array([0, 200])
    close(lines(place, sounds(), starts, **rest), line_powers_reference(sounds(), starts, **(LINES | rest)))  # type: ignore[arg-type]


def test_bands_are_as_defined(place: Place) -> None:
    starts = np.array([[0, 60], [500, 900], [2000, 2840]])
    for found, expected in zip(
        bands(place, sounds(), starts), band_powers_reference(sounds(), starts, **BANDS), strict=True
    ):
        close(found, expected)


def test_an_odd_window(place: Place) -> None:
    window, starts = WINDOW[:-1], np.array([[0], [500]])
    rest = {"window": np.ascontiguousarray(window), "edges": np.array([0, 10, 80])}
    for found, expected in zip(
        bands(place, sounds(), starts, **rest), band_powers_reference(sounds(), starts, **rest), strict=True
    ):
        close(found, expected)


def test_a_sine_has_the_power_it_has(place: Place) -> None:
    """At a line of the thin rate, through a filter that passes it."""
    t = np.arange(3000)
    sine = np.asarray(0.5 * np.sin(2 * np.pi * t * 8 / (5 * len(WINDOW))), np.float32)[None]
    flat = {"taps": np.ones(1, np.float32)}
    found = lines(place, sine, [3], **flat)
    assert found[0, 0].argmax() == 8
    assert found[0, 0, 8] == pytest.approx(0.125, rel=1e-3)
    mean, least = bands(place, sine, [[0, 160]], edges=np.array([0, 81]))
    assert mean[0, 0, 0] == pytest.approx((sine[0, :320] ** 2).mean(), rel=0.15)
    assert least[0, 0, 0] <= mean[0, 0, 0]


def test_bands_of_noise_add_up_to_its_mean_square(place: Place) -> None:
    noise = np.random.default_rng(1).normal(size=(1, 160 * 400)).astype(np.float32)
    mean, _ = bands(place, noise, np.arange(400)[None] * 160)
    assert mean.sum() == pytest.approx((noise**2).mean(), rel=0.03)


def test_what_is_no_number_is_nothing(place: Place) -> None:
    bad, good = sounds(), sounds()
    bad[0, 100:130], bad[1, 7], bad[2, 50] = np.nan, np.inf, 1e30
    good[0, 100:130], good[1, 7], good[2, 50] = 0.0, 0.0, MAX_LEVEL
    np.testing.assert_array_equal(lines(place, bad, [0, 3]), lines(place, good, [0, 3]))
    for one, other in zip(bands(place, bad, [[0, 50]]), bands(place, good, [[0, 50]]), strict=True):
        np.testing.assert_array_equal(one, other)


@given(st.lists(st.integers(0, 400), min_size=1, max_size=20), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_a_window_does_not_depend_on_the_others(starts: list[int], channels: int) -> None:
    """Bit for bit, alone or among others, of one channel or many, wherever the array begins."""
    sound = sounds(channels)
    together = line_powers(sound, starts, **LINES)  # type: ignore[arg-type]
    rows = [[start, start + 90] for start in starts]
    mean, least = band_powers(sound, rows, **BANDS)
    for index, start in enumerate(starts):
        for channel in range(channels):
            alone = line_powers(sound[channel : channel + 1, start * 5 :].copy(), [0], **LINES)  # type: ignore[arg-type]
            np.testing.assert_array_equal(alone[0, 0], together[channel, index])
            one = band_powers(sound[channel : channel + 1, start:].copy(), [[0, 90]], **BANDS)
            np.testing.assert_array_equal(one.mean[0, 0], mean[channel, index])
            np.testing.assert_array_equal(one.least[0, 0], least[channel, index])


def test_nothing_in_nothing_out(place: Place) -> None:
    assert lines(place, sounds(), []).shape == (3, 0, 100)
    assert lines(place, sounds(0), [1, 2]).shape == (0, 2, 100)
    assert [one.shape for one in bands(place, sounds(), [])] == [(3, 0, 4)] * 2


def test_lines_above_half_the_rate_are_nothing(place: Place) -> None:
    found = lines(place, sounds(), [0])
    assert (found[..., len(WINDOW) // 2 + 1 :] == 0).all()
    assert (found[..., : len(WINDOW) // 2 + 1] > 0).all()


@pytest.mark.parametrize(
    ("rest", "complaint"),
    [
        ({"starts": [500]}, "leave"),
        ({"starts": [-1]}, "leave"),
        ({"step": 0}, "at least 1"),
        ({"bins": 0}, "at least 1"),
        ({"taps": np.ones(3)}, "taps: expected float32"),
        ({"window": np.ones((2, 2), np.float32)}, "window: expected float32 of one axis"),
        ({"samples": sounds().astype(np.float64)}, "samples: expected float32"),
        ({"window": torch.ones(9)}, "window: expected where the samples are"),
    ],
)
def test_lines_that_do_not_fit(rest: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        line_powers(**({"samples": sounds(), "starts": [0]} | LINES | rest))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rest", "complaint"),
    [
        ({"starts": [[2900]]}, "leave"),
        ({"starts": [[0], [0, 1]]}, "as many windows"),
        ({"starts": [[]]}, "as many windows"),
        ({"edges": [0]}, "rise"),
        ({"edges": [0, 5, 5]}, "rise"),
        ({"edges": [0, 99]}, "rise"),
    ],
)
def test_bands_that_do_not_fit(rest: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        band_powers(**({"samples": sounds(), "starts": [[0]]} | BANDS | rest))


def test_torch_is_not_imported() -> None:
    code = "import sys; import gpu_qa_kernels.spectra; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, env={"PYTHONPATH": "kernels"}).returncode == 0
