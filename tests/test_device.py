"""What the device path hands to the kernel and takes back, with the kernel's definition in the kernel's place."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from gpu_qa.features.device import DevicePictures
from gpu_qa.features.video import VideoFeatures
from gpu_qa.media import Plane, VideoFormat, VideoFrame
from gpu_qa_kernels.luma_stats import LumaStats, luma_stats
from gpu_qa_kernels.luma_stats.reference import luma_stats_reference

torch = pytest.importorskip("torch")
pytest.importorskip("numba_cuda", reason="needs numba-cuda")

WIDTH, HEIGHT = 50, 26


def definition(slab: Any, wide: Any, table: Any, previous_small: Any, *results: Any) -> None:
    """Measures the table's rows as the kernel does, by the definition."""
    from gpu_qa_kernels.luma_stats.cuda import Column

    for number, row in enumerate(table.numpy()):
        data = slab.numpy() if row[Column.SAMPLE_BYTES] == 1 else wide.numpy()

        def plane(offset: int, pitch: int, step: int, width: int, height: int, data: Any = data) -> Plane:
            return Plane(data, int(offset), int(pitch), int(step), int(width), int(height))

        size = (row[Column.WIDTH], row[Column.HEIGHT])
        chroma = [
            plane(
                row[first],
                row[Column.CHROMA_PITCH],
                row[Column.CHROMA_STEP],
                row[Column.CHROMA_WIDTH],
                row[Column.CHROMA_HEIGHT],
            )
            for first in (Column.CB, Column.CR)
        ]
        before = row[Column.PREVIOUS] >= 0
        got = luma_stats_reference(
            plane(row[Column.OFFSET], row[Column.PITCH], row[Column.STEP], *size),
            (chroma[0], chroma[1]),
            bit_depth=int(row[Column.BIT_DEPTH]),
            shift=int(row[Column.SHIFT]),
            previous=plane(row[Column.PREVIOUS], row[Column.PREVIOUS_PITCH], row[Column.STEP], *size)
            if before
            else None,
            previous_small=previous_small.numpy()[row[Column.PREVIOUS_SMALL]] if before else None,
        )
        for result, values in zip(results, got, strict=True):
            result.numpy()[number] = values


def pictures(bits: int, count: int = 4) -> list[VideoFrame]:
    """NV12 or P010 pictures in slots of one pool, as NVDEC gives them."""
    pool = torch.from_numpy(np.random.default_rng(bits).integers(0, 256, 40_000, dtype=np.uint8))
    data = pool if bits == 8 else pool.view(torch.uint16)
    shown = VideoFormat(WIDTH, HEIGHT, bits, 0 if bits == 8 else 6, "limited", "nv12" if bits == 8 else "p010")
    frames = []
    for number in range(count):
        first, pitch = number * 4096, 64
        below = first + pitch * HEIGHT
        chroma = tuple(Plane(data, below + i, pitch, 2, WIDTH // 2, HEIGHT // 2) for i in range(2))
        luma = Plane(data, first, pitch, 1, WIDTH, HEIGHT)
        frames.append(VideoFrame(number, 1, Fraction(1, 25), shown, luma, (chroma[0], chroma[1])))
    return frames


def on_card(frames: list[VideoFrame]) -> list[VideoFrame]:
    """The same pictures with their pool in a card's memory."""
    memory: Any = frames[0].luma.data
    # As bytes, as the pool is allocated.
    pool = memory.view(torch.uint8).cuda().view(memory.dtype)

    def moved(plane: Plane) -> Plane:
        return replace(plane, data=pool)

    return [
        replace(frame, luma=moved(frame.luma), chroma=(moved(frame.chroma[0]), moved(frame.chroma[1])))
        for frame in frames
        if frame.chroma is not None
    ]


def on_host(frame: VideoFrame, before: VideoFrame | None, small: np.ndarray | None) -> LumaStats:
    def plane(one: Plane) -> Plane:
        memory: Any = one.data
        return Plane(memory.numpy(), one.offset, one.pitch, one.step, one.width, one.height)

    assert frame.chroma is not None
    return luma_stats(
        plane(frame.luma),
        (plane(frame.chroma[0]), plane(frame.chroma[1])),
        bit_depth=frame.format.bit_depth,
        shift=frame.format.shift,
        previous=plane(before.luma) if before else None,
        previous_small=small,
    )


@pytest.mark.parametrize("bits", [8, 10])
def test_the_device_path_measures_what_the_host_path_does(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpu_qa_kernels.luma_stats.cuda.luma_stats_device", definition)
    device = DevicePictures()
    before: VideoFrame | None = None
    small: np.ndarray | None = None
    for frame in pictures(bits):
        got, expected = device.luma_stats(frame, before), on_host(frame, before, small)
        for name in LumaStats._fields:
            np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)
        before, small = frame, expected.small


@pytest.mark.needs_cuda
@pytest.mark.parametrize("bits", [8, 10])
def test_a_card_measures_what_the_host_does(bits: int) -> None:
    frames = pictures(bits)
    moved = on_card(frames)
    assert len(moved) == len(frames)
    device = DevicePictures()
    small: np.ndarray | None = None
    own = torch.cuda.Stream()
    for number, (frame, there) in enumerate(zip(frames, moved, strict=True)):
        before = frames[number - 1] if number else None
        expected = on_host(frame, before, small)
        # The caller's stream may be any.
        with torch.cuda.stream(own if number % 2 else torch.cuda.default_stream()):
            got = device.luma_stats(there, moved[number - 1] if number else None)
        for name in LumaStats._fields:
            np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=f"{name} of {number}")
        small = expected.small


def test_pictures_of_a_pool_in_host_memory_are_measured_there() -> None:
    features = VideoFeatures()
    for number, frame in enumerate(pictures(10)):
        features.add(frame, number / 25, 1 / 25)
    (series,) = features.flush()
    assert series.comparable.tolist() == [False, True, True, True]
    assert (series.coarse_change[1:] > 0).any()
