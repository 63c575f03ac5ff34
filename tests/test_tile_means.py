from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpu_qa_kernels import Plane
from gpu_qa_kernels.luma_stats import Feature, feature_counts, luma_stats
from gpu_qa_kernels.tile_means import tile_means
from gpu_qa_kernels.tile_means.reference import tile_means_reference

TILES = (24, 42, len(Feature))


def sums(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 1 << 45, (count, *TILES))


def scale(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1e-9, 1e-3, TILES)


def offset(seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, len(Feature))


@pytest.mark.parametrize("count", [0, 1, 12, 13])
def test_the_cpu_version_equals_the_definition(count: int) -> None:
    got = tile_means(sums(count), scale(), offset())
    assert got.dtype == np.float32
    assert got.shape == (count, len(Feature), 24, 42)
    np.testing.assert_array_equal(got, tile_means_reference(sums(count), scale(), offset()))


def test_they_are_written_where_they_are_wanted() -> None:
    out = np.zeros((5, len(Feature), 24, 42), np.float32)
    got = tile_means(sums(3), scale(), offset(), out=out[1:4])
    assert np.shares_memory(got, out)
    np.testing.assert_array_equal(out[1:4], tile_means_reference(sums(3), scale(), offset()))
    for wrong in (out[:2], out.astype(np.float64)[:3], np.repeat(out, 2, axis=3)[:3, :, :, ::2]):
        with pytest.raises(ValueError, match="out: expected"):
            tile_means(sums(3), scale(), offset(), out=wrong)


def test_arrays_may_be_read_only_and_lie_apart() -> None:
    apart = np.repeat(sums(4), 2, axis=0)[::2]
    arrays = [apart, np.repeat(scale(), 2, axis=0)[::2], offset()]
    for array in arrays:
        array.setflags(write=False)
    np.testing.assert_array_equal(tile_means(*arrays), tile_means_reference(sums(4), scale(), offset()))


def test_of_a_picture_they_are_what_its_samples_say() -> None:
    luma = np.random.default_rng(3).integers(0, 256, (240, 420)).astype(np.uint8)
    stats = luma_stats(Plane(luma.ravel(), 0, 420, 1, 420, 240), None, bit_depth=8, shift=0)
    shift = np.zeros(len(Feature))
    shift[Feature.SUM] = -16.0
    (means,) = tile_means(stats.tiles[None], 1.0 / np.maximum(feature_counts(420, 240), 1), shift)
    tiles = luma.reshape(24, 10, 42, 10).astype(np.float64)
    np.testing.assert_allclose(means[Feature.SUM], tiles.mean((1, 3)) - 16.0, rtol=1e-6)
    np.testing.assert_allclose(means[Feature.SUM_SQUARES], tiles.std((1, 3)), rtol=1e-6)
    assert not means[Feature.CHANGE].any()


def test_rounding_makes_no_negative_variance() -> None:
    level = np.arange(24 * 42).reshape(24, 42)
    flat = np.zeros((1, *TILES), np.int64)
    flat[0, ..., Feature.SUM], flat[0, ..., Feature.SUM_SQUARES] = 49 * level, 49 * level**2
    share = np.full(TILES, 1 / 49)
    mean, square = (flat[..., feature] * (1 / 49) for feature in (Feature.SUM, Feature.SUM_SQUARES))
    assert (square - mean * mean < 0).any()
    deviation = tile_means(flat, share, np.zeros(len(Feature)))[:, Feature.SUM_SQUARES]
    assert (deviation >= 0).all()
    assert (deviation < 1e-3).all()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((sums(1).astype(np.float64), scale(), offset()), "sums: expected int64"),
        ((sums(1)[0], scale(), offset()), "sums: expected int64"),
        ((sums(1), scale()[None], offset()), "scale: expected float64"),
        ((sums(1), scale(), offset().astype(np.float32)), r"offset: expected float64 \[19\]"),
    ],
)
def test_what_does_not_fit_is_named(arguments: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        tile_means(*arguments)
