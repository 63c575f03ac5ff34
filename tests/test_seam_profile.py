from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpu_qa_kernels import Plane
from gpu_qa_kernels.luma_stats import Feature, luma_stats
from gpu_qa_kernels.seam_profile import seam_profile
from gpu_qa_kernels.seam_profile.reference import seam_profile_reference

DEPTHS = [(8, 0), (10, 0), (10, 6), (12, 4), (16, 0)]
SIZES = [(1, 1), (2, 3), (3, 2), (4, 4), (35, 40), (66, 33), (67, 70), (130, 300), (700, 9)]


def noise(width: int, height: int, bits: int, *, step: int = 1, pad: int = 3) -> Plane:
    kind: Any = np.uint8 if bits == 8 else np.uint16
    pitch = width * step + pad
    rng = np.random.default_rng(width * height + bits)
    data = rng.integers(0, np.iinfo(kind).max, 2 + pitch * height, endpoint=True).astype(kind)
    data.setflags(write=False)
    return Plane(data, 2, pitch, step, width, height)


@pytest.mark.parametrize(("bits", "shift"), DEPTHS)
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_cpu_version_equals_the_definition(width: int, height: int, bits: int, shift: int) -> None:
    upright = noise(width, height, bits)
    flipped = upright._replace(offset=upright.offset + (height - 1) * upright.pitch, pitch=-upright.pitch)
    for plane in (upright, flipped, noise(width, height, bits, step=2), noise(width, height, bits, pad=0)):
        got = seam_profile(plane, bit_depth=bits, shift=shift)
        expected = seam_profile_reference(plane, bit_depth=bits, shift=shift)
        np.testing.assert_array_equal(got.across, expected.across)
        np.testing.assert_array_equal(got.down, expected.down)


@pytest.mark.parametrize("bits", [8, 16])
def test_sums_of_the_sharpest_seams_do_not_overflow(bits: int) -> None:
    kind: Any = np.uint8 if bits == 8 else np.uint16
    for shape in ((1000, 200), (200, 20_000)):
        picture = np.zeros(shape, kind)
        picture[:, 100:] = np.iinfo(kind).max
        plane = Plane(picture.ravel(), 0, shape[1], 1, shape[1], shape[0])
        got = seam_profile(plane, bit_depth=bits, shift=0)
        assert got.across[100] == shape[0] * np.iinfo(kind).max
        assert got.across.sum() == got.across[100]
        turned = seam_profile(Plane(picture.T.ravel(), 0, shape[0], 1, *shape), bit_depth=bits, shift=0)
        np.testing.assert_array_equal(turned.down, got.across)


def test_it_is_what_luma_stats_sums_on_the_lines_of_a_grid() -> None:
    plane = noise(200, 150, 8)
    profile = seam_profile(plane, bit_depth=8, shift=0)
    tiles = luma_stats(plane, None, bit_depth=8, shift=0).tiles.sum(axis=(0, 1))
    for phase, across, down in (
        (0, Feature.SEAM_H0, Feature.SEAM_V0),
        (8, Feature.SEAM_H8, Feature.SEAM_V8),
        (4, Feature.SEAM_H4, Feature.SEAM_V4),
    ):
        assert tiles[across] == profile.across[phase::16].sum() > 0
        assert tiles[down] == profile.down[phase::16].sum() > 0


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="reaches out"):
        seam_profile(Plane(np.zeros(20, np.uint8), 0, 5, 1, 5, 5), bit_depth=8, shift=0)
