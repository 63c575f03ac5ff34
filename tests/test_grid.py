from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpu_qa.features.grid import grids, strongest_grid
from gpu_qa.media import VideoFormat
from gpu_qa_kernels import Plane
from gpu_qa_kernels.seam_profile import seam_profile


def lined(size: int, period: float, height: float, *, phase: float = 0.0, seed: int = 1) -> np.ndarray:
    """A profile of noise of mean 1 with lines that stand out of it; those between two samples are in both."""
    profile = np.random.default_rng(seed).exponential(1.0, size)
    for line in np.arange(phase, size - 1, period):
        first, share = int(line), line % 1.0
        profile[first] += height * (1 - share)
        profile[first + 1] += height * share
    return profile


@pytest.mark.parametrize(
    ("period", "size"),
    # Fewer than 20 lines may be taken for chance.
    [
        (period, size)
        for period in (6, 7, 8, 10, 12, 16, 24, 32, 48, 64)
        for size in (480, 1080, 1920, 3840)
        if size >= 20 * period
    ],
)
def test_grids_of_whole_samples(period: int, size: int) -> None:
    found = strongest_grid(lined(size, period, 8.0, phase=period // 3))
    assert found.period == pytest.approx(period, abs=0.05)
    # Of the noise, of mean 1, about as much as stands over four of its neighbours is lost.
    assert found.strength == pytest.approx(7.0, abs=1.5)


@pytest.mark.parametrize("period", [8 * 4 / 3, 8 * 2.25, 16 * 1920 / 1280, 8 * 1920 / 854, 16 * 1.2])
def test_grids_that_were_scaled(period: float) -> None:
    found = strongest_grid(lined(1920, period, 12.0, phase=2.7))
    assert found.period == pytest.approx(period, abs=0.03)
    assert found.strength > 3.0


def test_noise_has_no_grid() -> None:
    found = [strongest_grid(np.random.default_rng(seed).exponential(1.0, 1080)) for seed in range(60)]
    assert sum(one.strength > 0 for one in found) <= 1
    assert all((one.period == 0) == (one.strength == 0) for one in found)


@pytest.mark.parametrize("size", [0, 1, 5, 31, 40])
def test_what_is_too_short_has_no_grid(size: int) -> None:
    assert strongest_grid(np.tile([5.0, 0, 0, 0, 0, 0, 0, 0], 5)[:size]) == (0.0, 0.0)


def test_flat_pictures_have_no_grid() -> None:
    assert strongest_grid(np.zeros(1920)) == (0.0, 0.0)


def test_strong_edges_of_the_content_make_no_grid() -> None:
    profile = np.random.default_rng(3).exponential(1.0, 1080)
    profile[[8, 200, 640, 1000]] += 400.0
    assert strongest_grid(profile) == (0.0, 0.0)
    assert strongest_grid(lined(1080, 16, 8.0) + profile - 1).period == pytest.approx(16, abs=0.05)


def test_the_ripple_of_scaling_is_no_grid() -> None:
    """Enlarged by half, interpolation differs every three samples, and so every six as well."""
    profile = np.random.default_rng(4).exponential(1.0, 1920)
    profile[::3] += 6.0
    assert strongest_grid(profile) == (0.0, 0.0)


def blocky(width: int, height: int, block: int, step: int, bits: int = 8) -> Plane:
    rng = np.random.default_rng(5)
    levels = rng.integers(100, 100 + step, (-(-height // block), -(-width // block)))
    picture = np.kron(levels, np.ones((block, block)))[:height, :width] + rng.integers(0, 3, (height, width))
    kind: Any = np.uint8 if bits == 8 else np.uint16
    return Plane((picture * 2 ** (bits - 8)).astype(kind).ravel(), 0, width, 1, width, height)


@pytest.mark.parametrize("bits", [8, 10])
def test_the_grid_of_a_picture_is_a_fraction_of_full_scale(bits: int) -> None:
    plane = blocky(640, 360, 10, 30, bits)
    shown = VideoFormat(640, 360, bits, 0, "limited", "yuv420p")
    found = grids(seam_profile(plane, bit_depth=bits, shift=0), shown, 219.0)
    assert found.shape == (2, 2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 0], 10.0, atol=0.02)
    # Two levels from 0…29 are 10 codes apart on average, less the noise beside them.
    np.testing.assert_allclose(found[:, 1], 9.2 / 219.0, rtol=0.1)
