"""Measuring pictures where they are: on the device that decoded them. Only sums and small pictures come to the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa_kernels import SMALL_CHROMA_COLS, SMALL_CHROMA_ROWS, SMALL_COLS, SMALL_ROWS, TILE_COLS, TILE_ROWS
from gpu_qa_kernels.luma_stats import HISTOGRAM_BINS, Feature, LumaStats

if TYPE_CHECKING:
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
        self._results: tuple[Any, Any] | None = None
        """Device memory of two results, used in turn: the small picture of one is what the next is compared with."""
        self._turn = 0

    def luma_stats(self, frame: VideoFrame, before: VideoFrame | None) -> LumaStats:
        """Measure a picture; the results are in host memory and the picture is no longer read when this returns.

        Args:
            frame: A picture whose planes are torch tensors.
            before: The picture that the last call measured, in the same memory; null where there is none.
        """
        import torch

        from gpu_qa_kernels.luma_stats.cuda import described, luma_stats_device

        memory: Any = frame.luma.data
        if self._results is None or self._results[0].device != memory.device:
            size = sum(int(np.prod(shape)) * np.dtype(kind).itemsize for shape, kind in _SHAPES)
            self._results = tuple(torch.empty(size, dtype=torch.uint8, device=memory.device) for _ in range(2))
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
        tiles, histogram, small, small_chroma = _views(now)
        histogram.zero_()
        if memory.is_cuda:
            # numba launches on a stream of its own: what torch has begun must be done before.
            torch.cuda.current_stream(memory.device).synchronize()
        batch = (_views(then)[2], tiles, histogram, small, small_chroma)
        luma_stats_device(memory.view(torch.uint8), memory.view(torch.uint16), table, *(one[None] for one in batch))
        return LumaStats(*_host_views(now))


def _views(result: Any) -> list[Any]:
    """The arrays of a result as tensors on its device."""
    import torch

    views, at = [], 0
    for shape, kind in _SHAPES:
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        views.append(result[at : at + size].view(getattr(torch, np.dtype(kind).name)).view(shape))
        at += size
    return views


def _host_views(result: Any) -> list[np.ndarray]:
    """The arrays of a result in host memory, copied in one go once the device has written them."""
    host = result.cpu().numpy()
    views, at = [], 0
    for shape, kind in _SHAPES:
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        views.append(host[at : at + size].view(kind).reshape(shape))
        at += size
    return views
