"""The slab: streams of any size that join and leave for long, and never a byte that two have."""

from __future__ import annotations

import gc
import random
import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.decode.pool import MOST_LENT, FramePool, Tenant
from gpu_qa.decode.slab import ALIGNMENT, Holes, Slab, aligned

SIZES = [
    aligned(width * height * 3 // 2 * depth)
    for width, height in ((720, 576), (1280, 720), (1920, 1080), (3840, 2160))
    for depth in (1, 2)
]
"""Bytes of pictures from SD to 2160p, 8 and 10 bits."""


def test_pieces_lie_together_where_they_can() -> None:
    holes = Holes(1000)
    assert holes.take(3, 100) == [0, 100, 200]
    assert holes.take(1, 100) == [300]
    holes.give(100, 100)
    # The smallest hole that holds them, the rest behind.
    assert holes.take(1, 60) == [100]
    assert holes.take(6, 100) == [400, 500, 600, 700, 800, 900]
    assert (holes.free, len(holes)) == (40, 1)


def test_pieces_may_lie_apart() -> None:
    holes = Holes(600)
    assert holes.take(6, 100) == [0, 100, 200, 300, 400, 500]
    for start in (100, 300, 500):
        holes.give(start, 100)
    assert holes.take(2, 150) is None
    assert holes.take(4, 100) is None
    assert holes.free == 300
    assert sorted(holes.take(3, 100) or ()) == [100, 300, 500]
    assert (holes.free, len(holes), holes.take(1, 1)) == (0, 0, None)


def test_holes_side_by_side_become_one() -> None:
    for order in ([0, 1, 2], [2, 1, 0], [0, 2, 1], [1, 0, 2]):
        holes = Holes(300)
        holes.take(3, 100)
        for piece in order:
            holes.give(piece * 100, 100)
        assert (len(holes), holes.take(1, 300)) == (1, [0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(1, 40)), max_size=60))
def test_nobody_has_what_another_has(steps: list[tuple[int, int, int]]) -> None:
    """Against a map of single bytes."""
    size = 512
    holes, taken = Holes(size), np.zeros(size, bool)
    held: list[tuple[int, int]] = []
    for what, count, piece in steps:
        if what == 0 and held:
            start, length = held.pop(count % len(held))
            assert taken[start : start + length].all()
            taken[start : start + length] = False
            holes.give(start, length)
        else:
            edges = np.flatnonzero(np.diff(np.r_[True, taken, True].astype(np.int8)))
            fits = sum((end - start) // piece for start, end in edges.reshape(-1, 2)) >= count
            places = holes.take(count, piece)
            assert (places is not None) == fits
            for start in places or ():
                assert not taken[start : start + piece].any()
                taken[start : start + piece] = True
                held.append((start, piece))
        assert holes.free == size - taken.sum()
    for start, length in held:
        holes.give(start, length)
    assert (holes.free, len(holes)) == (size, 1)


@pytest.mark.parametrize("seed", range(3))
def test_weeks_of_joining_and_leaving(seed: int) -> None:
    """6,000 changes at nine tenths of the memory: who would fit without gaps finds room at all times."""
    rng = random.Random(seed)
    total = 16 << 30
    holes = Holes(total)
    streams: list[tuple[list[int], int]] = []
    refused = most = 0
    for _ in range(6_000):
        size, count = rng.choice(SIZES), rng.choice((12, 13, 16, 20))
        if streams and (holes.free - size * count < total // 10 or rng.random() < 0.4):
            places, length = streams.pop(rng.randrange(len(streams)))
            for start in places:
                holes.give(start, length)
            continue
        found = holes.take(count, size)
        refused += found is None
        if found is not None:
            streams.append((found, size))
        most = max(most, len(holes))
    assert refused == 0
    assert most < 1000
    for places, length in streams:
        for start in places:
            holes.give(start, length)
    assert (holes.free, len(holes)) == (total, 1)


def test_pictures_outlive_their_pools_in_other_threads() -> None:
    """Streams join and leave in threads, pictures are dropped in another: all memory comes back, none is shared."""
    slab = Slab(torch.zeros(400 * ALIGNMENT, dtype=torch.uint8))
    marks = slab.bytes.numpy()
    dropped: list[Tenant] = []
    faults: list[str] = []

    def stream(number: int) -> None:
        rng = random.Random(number)
        for _ in range(60):
            size = aligned(rng.randint(1, 4 * ALIGNMENT))
            offsets = slab.take(5, size)
            if offsets is None:
                continue
            pool = FramePool(slab, offsets, size)
            held = [pool.take(0.0) for _ in range(rng.randint(1, 5))]
            for one in held:
                marks[one.room.offset : one.room.offset + size] = number
            parts = [marks[one.room.offset : one.room.offset + size] for one in held]
            faults.extend(f"another wrote where {number} did" for part in parts if not (part == number).all())
            pool.close()
            dropped.extend(held)
            del held
            if len(dropped) > 20:
                dropped.clear()

    threads = [threading.Thread(target=stream, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    dropped.clear()
    gc.collect()
    assert slab.free == slab.size


def test_what_is_lent_goes_back_to_the_slab() -> None:
    slab = Slab(torch.empty(40 * ALIGNMENT, dtype=torch.uint8))
    offsets = slab.take(4, ALIGNMENT)
    assert offsets is not None
    pool = FramePool(slab, offsets, ALIGNMENT)
    held = [pool.take(0.0) for _ in range(4 + MOST_LENT)]
    assert slab.free == (40 - 4 - MOST_LENT) * ALIGNMENT
    held.clear()
    assert (slab.free, pool.free) == (36 * ALIGNMENT, 4)
    pool.close()
    pool.close()
    assert slab.free == slab.size


def test_a_slab_is_one_tensor_of_bytes_and_words() -> None:
    slab = Slab(torch.arange(5 * ALIGNMENT, dtype=torch.int64).to(torch.uint8))
    assert slab.words.data_ptr() == slab.bytes.data_ptr() == slab.address
    assert (slab.words.dtype, len(slab.words)) == (torch.uint16, slab.size // 2)
