from __future__ import annotations

import numpy as np
import pytest

from gpu_qa_kernels.luma_stats import Feature
from gpu_qa_kernels.tile_cells import tile_cells
from gpu_qa_kernels.tile_cells.reference import tile_cells_reference


def means(count: int) -> np.ndarray:
    values = np.random.default_rng(count).normal(0, 1, (count, len(Feature), 24, 42)).astype(np.float32)
    values.setflags(write=False)
    return values


@pytest.mark.parametrize("count", [0, 1, 12, 13])
def test_the_cpu_version_equals_the_definition(count: int) -> None:
    got = tile_cells(means(count))
    assert got.dtype == np.float32
    assert got.shape == (count, len(Feature), 12, 21)
    np.testing.assert_array_equal(got, tile_cells_reference(means(count)))


def test_they_are_means_of_two_by_two_tiles() -> None:
    tiles = means(1).reshape(1, len(Feature), 12, 2, 21, 2)
    np.testing.assert_allclose(tile_cells(means(1)), tiles.mean((3, 5)), rtol=1e-5, atol=1e-6)


def test_they_are_written_where_they_are_wanted() -> None:
    out = np.zeros((5, len(Feature), 12, 21), np.float32)
    got = tile_cells(means(3), out=out[1:4])
    assert np.shares_memory(got, out)
    np.testing.assert_array_equal(out[1:4], tile_cells_reference(means(3)))
    for wrong in (out[:2], out.astype(np.float64)[:3], np.repeat(out, 2, axis=3)[:3, :, :, ::2]):
        with pytest.raises(ValueError, match="out: expected"):
            tile_cells(means(3), out=wrong)


def test_what_does_not_fit_is_named() -> None:
    for wrong in (means(1).astype(np.float64), means(1)[0], means(1)[:, :, ::2]):
        with pytest.raises(ValueError, match="means: expected"):
            tile_cells(wrong)
