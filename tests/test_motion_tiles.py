from __future__ import annotations

import numpy as np
import pytest

from gpu_qa_kernels.motion_tiles import SIDE, Motion, motion_tiles
from gpu_qa_kernels.motion_tiles.reference import motion_tiles_reference


def picture(seed: int) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 255 * 256, (192, 336)).astype(np.uint16)
    small.setflags(write=False)
    return small


@pytest.mark.parametrize("previous", [None, picture(1)], ids=["first", "second"])
def test_the_cpu_version_agrees_with_the_definition(previous: np.ndarray | None) -> None:
    got, wanted = motion_tiles(picture(0), previous), motion_tiles_reference(picture(0), previous)
    assert got.dtype == np.float32
    assert got.shape == (len(Motion), 24, 42)
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * max(float(np.abs(other).max()), 1.0))


def test_a_first_picture_does_not_move() -> None:
    assert not motion_tiles(picture(0), None)[Motion.CHANGE :].any()


@pytest.mark.parametrize(
    ("axis", "flow", "slope"), [(0, Motion.DOWN, Motion.SLOPE_DOWN), (1, Motion.ACROSS, Motion.SLOPE_ACROSS)]
)
def test_normal_flow_is_the_shift_of_a_slope(axis: int, flow: Motion, slope: Motion) -> None:
    """A ramp that moves by half a sample: −Σ ΔY ∂Y / Σ (∂Y)² is the shift."""
    place = np.indices((192, 336))[axis]
    before, after = ((100.0 + 0.4 * (place - shift)) * 256 for shift in (0.0, 0.5))
    sums = motion_tiles(after.round().astype(np.uint16), before.round().astype(np.uint16))
    inside = (slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(-sums[flow][inside] / sums[slope][inside], 0.5, atol=0.01)
    np.testing.assert_allclose(sums[Motion.SIGNED][inside] / SIDE**2, -0.2, atol=0.01)


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="small: expected contiguous uint16"):
        motion_tiles(picture(0).astype(np.float32), None)
    with pytest.raises(ValueError, match="previous: expected contiguous uint16"):
        motion_tiles(picture(0), picture(1)[:, ::2])
