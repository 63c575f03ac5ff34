from __future__ import annotations

import numpy as np

from gpu_qa.sync.measures import between, on_grid, unpacked
from gpu_qa_kernels.motion_grid import packed_on_grid, tile_measures
from gpu_qa_kernels.motion_grid.reference import packed_on_grid_reference, tile_measures_reference
from gpu_qa_kernels.motion_tiles import Motion
from gpu_qa_kernels.sync_net import CHANNELS, PACKED_STEPS


def sums(pictures: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = (rng.gamma(1, 30, (pictures, len(Motion), 24, 42)) * 64).astype(np.float32)
    for one in (Motion.SIGNED, Motion.DOWN, Motion.ACROSS):
        found[:, one] *= rng.choice([-1, 1], found[:, one].shape)
    found[:, Motion.LUMA] = np.minimum(found[:, Motion.LUMA], 250 * 64)
    found[:, Motion.SQUARES] = found[:, Motion.LUMA] ** 2 / 64 * rng.uniform(0.9, 1.4, found[:, 0].shape)
    return found


def test_measures_agree_with_the_definition() -> None:
    rng = np.random.default_rng(1)
    redness, per_s = rng.normal(0, 20, (9, 24, 42)).astype(np.float32), rng.uniform(0.3, 3, 9).astype(np.float32)
    got, wanted = tile_measures(sums(9), redness, per_s), tile_measures_reference(sums(9), redness, per_s)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-3)
    assert np.abs(got[:, 2:4]).max() == 3.0
    assert got[:, 5].min() == 0.0


def test_what_is_packed_on_the_grid_agrees_with_the_definition_and_with_what_is_trained_on() -> None:
    rng = np.random.default_rng(2)
    measures = tile_measures(sums(30), rng.normal(0, 20, (30, 24, 42)).astype(np.float32), np.ones(30, np.float32))
    times_s = np.cumsum(rng.uniform(0.01, 0.09, 30))
    mids_s = times_s - np.diff(times_s, prepend=times_s[0] - 0.04) / 2
    grid_s = np.arange(-1, int(times_s[-1] * 25) + 3) / 25
    places, shares = between(times_s, mids_s, grid_s)
    got = packed_on_grid(measures, places, shares)
    assert got.dtype == np.uint8
    assert got.shape == (len(grid_s), CHANNELS, 24, 42)
    assert (got == packed_on_grid_reference(measures, places, shares)).mean() > 0.9999
    apart = np.abs(unpacked(got) - on_grid(measures, times_s, mids_s, grid_s))
    for kind in (0, 2, 3, 4, 6):
        assert apart[:, kind].max() <= 0.5 / PACKED_STEPS[kind] + 1e-4


def test_bytes_hold_what_each_measure_can_be() -> None:
    ends = np.zeros((2, CHANNELS, 1, 2), np.float32)
    ends[1] = 1e6
    ends[0] = -1e6
    got = packed_on_grid(ends, np.array([[1, 1], [1, 1]]), np.array([[0, 1], [0, 1]], np.float32))
    assert (got[0] == 0).all()
    assert (got[1, [0, 2, 3, 4, 5, 6]] == 255).all()
    assert got[1, 1, 0, 0] == 255
