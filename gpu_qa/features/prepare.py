"""Preparing: load the compiled kernels, or compile them, before a live input waits for them."""

from __future__ import annotations

import numpy as np

from gpu_qa_kernels import Plane
from gpu_qa_kernels.audio_stats import TAPS, audio_stats, start_state
from gpu_qa_kernels.luma_stats import luma_stats
from gpu_qa_kernels.motion_grid import packed_on_grid, tile_measures
from gpu_qa_kernels.motion_tiles import motion_tiles
from gpu_qa_kernels.seam_profile import seam_profile
from gpu_qa_kernels.sync_net import prepare_cpu as prepare_sync_net
from gpu_qa_kernels.tile_cells import tile_cells
from gpu_qa_kernels.tile_means import tile_means


def prepare(*bit_depths: int, sync: bool = False) -> None:
    """Have the kernels for sound and for pictures ready: some 0.2 s, or 30 s when they were never compiled here.

    Args:
        bit_depths: Of the pictures; 8 where none is given. Others compile when the first such picture comes.
        sync: Those of the A/V offset too.
    """
    silence, taps = np.zeros((1, 1), np.float32), np.zeros((0, TAPS), np.float32)
    audio_stats(silence, np.array([0, 1]), np.zeros((2, 5)), taps, start_state(1))
    for bits in bit_depths or (8,):
        data = np.zeros(4, np.uint8 if bits == 8 else np.uint16)
        data.setflags(write=False)  # as decoders hand pictures over
        plane = Plane(data, 0, 2, 1, 2, 2)
        stats = luma_stats(plane, (plane, plane), bit_depth=bits, shift=0)
        luma_stats(plane, (plane, plane), bit_depth=bits, shift=0, previous=plane, previous_small=stats.small)
        seam_profile(plane, bit_depth=bits, shift=0)
        tile_cells(tile_means(stats.tiles[None], np.ones(stats.tiles.shape), np.zeros(stats.tiles.shape[2])))
    if sync:
        sums = motion_tiles(stats.small, stats.small)[None]
        measures = tile_measures(sums, sums[:, 0], np.ones(1, np.float32))
        packed_on_grid(np.concatenate([measures] * 2), np.ones((2, 1), np.int64), np.ones((2, 1), np.float32))
        prepare_sync_net()
