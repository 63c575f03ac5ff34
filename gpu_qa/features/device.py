"""Measuring pictures where they are: on the device that decoded them. Only sums and small pictures come to the host."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa_kernels import SMALL_CHROMA_COLS, SMALL_CHROMA_ROWS, SMALL_COLS, SMALL_ROWS, TILE_COLS, TILE_ROWS
from gpu_qa_kernels.luma_stats import HISTOGRAM_BINS, Feature, LumaStats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_qa.media import VideoFrame

_SHAPES = (
    ((TILE_ROWS, TILE_COLS, len(Feature)), np.int64),
    ((HISTOGRAM_BINS,), np.int64),
    ((SMALL_ROWS, SMALL_COLS), np.uint16),
    ((2, SMALL_CHROMA_ROWS, SMALL_CHROMA_COLS), np.uint16),
)
"""Shape and type of `LumaStats`' arrays, widest type first, so that each lies aligned behind the one before."""


class DevicePictures:
    """Measures one stream's pictures in device memory, each against the one before it."""

    def __init__(self) -> None:
        self._results: tuple[_Result, _Result] | None = None
        """Two results, used in turn: the small picture of one is what the next is compared with."""
        self._turn = 0

    def luma_stats(self, frame: VideoFrame, before: VideoFrame | None) -> LumaStats:
        """Measure a picture; the results are in host memory and the picture is no longer read when this returns.

        Args:
            frame: A picture whose planes are torch tensors, on any card, and complete.
            before: The picture that the last call measured, in the same memory; null where there is none.
        """
        memory: Any = frame.luma.data
        with _launching_on(memory.device):
            return self._measured(frame, before, memory)

    def _measured(self, frame: VideoFrame, before: VideoFrame | None, memory: Any) -> LumaStats:
        import torch

        from gpu_qa_kernels.luma_stats.cuda import described, luma_stats_device

        if self._results is None or self._results[0].memory.device != memory.device:
            self._results = (_Result(memory.device), _Result(memory.device))
        now, then = self._results[self._turn], self._results[1 - self._turn]
        self._turn = 1 - self._turn
        row = described(
            frame.luma,
            frame.chroma,
            bit_depth=frame.format.bit_depth,
            shift=frame.format.shift,
            sample_bytes=memory.element_size(),
            previous=before.luma if before is not None else None,
        )
        table = torch.from_numpy(row[None]).to(memory.device)
        now.histogram.zero_()
        luma_stats_device(memory.view(torch.uint8), memory.view(torch.uint16), table, then.small, *now.arrays)
        return LumaStats(*_host_views(now.memory))


class _Result:
    """Device memory of one picture's `LumaStats`, and its arrays as tensors of one row each."""

    def __init__(self, device: Any) -> None:
        import torch

        size = sum(int(np.prod(shape)) * np.dtype(kind).itemsize for shape, kind in _SHAPES)
        self.memory: Any = torch.empty(size, dtype=torch.uint8, device=device)
        self.arrays: list[Any] = []
        at = 0
        for shape, kind in _SHAPES:
            size = int(np.prod(shape)) * np.dtype(kind).itemsize
            self.arrays.append(self.memory[at : at + size].view(getattr(torch, np.dtype(kind).name)).view(1, *shape))
            at += size
        _, self.histogram, self.small, _ = self.arrays


@contextmanager
def _launching_on(device: Any) -> Iterator[None]:
    """Within it torch and numba work on this device, both on its legacy default stream, and hence in order.

    Numba launches there unless told otherwise, on whichever device is current. Torch's other streams are non-blocking:
    they neither wait for that stream nor it for them.
    """
    if device.type != "cuda":
        yield
        return
    import torch
    from numba import cuda

    stream = torch.cuda.default_stream(device)
    with torch.cuda.device(device), torch.cuda.stream(stream), cuda.gpus[stream.device.index]:
        yield


def _host_views(result: Any) -> list[np.ndarray]:
    """The arrays of a result in host memory, copied in one go once the device has written them."""
    host = result.cpu().numpy()
    views, at = [], 0
    for shape, kind in _SHAPES:
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        views.append(host[at : at + size].view(kind).reshape(shape))
        at += size
    return views
