"""One card's buffers: what is measured there is described in one table and comes back in one block of results."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.features.picture import measured_picture
from gpu_qa.features.tensors import empty, for_kernel, pinned
from gpu_qa_kernels import SMALL_CHROMA_COLS, SMALL_CHROMA_ROWS, SMALL_COLS, SMALL_ROWS, TILE_COLS, TILE_ROWS
from gpu_qa_kernels.luma_stats import HISTOGRAM_BINS, Feature
from gpu_qa_kernels.seam_profile import SeamProfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gpu_qa.features.picture import MeasuredPicture, Rows
    from gpu_qa.media import VideoFrame

_SHAPES: tuple[tuple[tuple[int, ...], Any], ...] = (
    ((TILE_ROWS, TILE_COLS, len(Feature)), np.int64),
    ((HISTOGRAM_BINS,), np.int64),
    ((SMALL_ROWS, SMALL_COLS), np.uint16),
    ((2, SMALL_CHROMA_ROWS, SMALL_CHROMA_COLS), np.uint16),
)
"""Shape and type of `LumaStats`' arrays, widest type first, so that each lies aligned behind the one before."""
RECORD_BYTES = sum(int(np.prod(shape)) * np.dtype(kind).itemsize for shape, kind in _SHAPES)
"""A picture's results, one array behind the other."""
_FEWEST_ROWS = 16
"""What buffers have room for at first; they double."""


class CardBuffers:
    """The table, the results, and a small picture of each stream."""

    def __init__(self, device: Any) -> None:
        self._device = device
        self._room = 0
        self._kept: Any = empty((0, SMALL_ROWS, SMALL_COLS), np.uint16, device)
        self._free: list[int] = []
        self._slabs: dict[int, tuple[Any, tuple[Any, Any, Any]]] = {}
        """By address: the memory, and the kernel's views of it by one, two and four bytes."""
        self.rows: Any = None
        """The table in host memory, int64 [room, columns]."""

    def keep(self) -> int:
        """A row for a stream's small picture."""
        if not self._free:
            old = self._kept
            rows = max(_FEWEST_ROWS, 2 * len(old))
            self._kept = empty((rows, SMALL_ROWS, SMALL_COLS), np.uint16, self._device)
            self._kept[: len(old)].copy_(old)
            self._free = list(range(rows - 1, len(old) - 1, -1))
        return self._free.pop()

    def release(self, kept: int) -> None:
        """A row is free again."""
        self._free.append(kept)

    def make_room(self, count: int) -> None:
        """Have buffers for so many pictures."""
        if count <= self._room:
            return
        from gpu_qa_kernels.luma_stats.table import Column

        self._room = max(_FEWEST_ROWS, 1 << (count - 1).bit_length())
        shape = (self._room, len(Column))
        self._host_table = pinned(shape, np.int64, self._device)
        self._table = empty(shape, np.int64, self._device)
        self.rows = self._host_table.numpy()
        shape = (self._room, RECORD_BYTES)
        self._host_results = pinned(shape, np.uint8, self._device)
        self._results = empty(shape, np.uint8, self._device)
        self._outputs = _arrays(self._results)
        self._fetched = [array.numpy() for array in _arrays(self._host_results)]
        self._kernel_table = for_kernel(self._table)
        self._kernel_outputs = [for_kernel(array) for array in self._outputs]

    def run(self, frames: Sequence[VideoFrame], kept: Sequence[int], due: Sequence[int]) -> dict[int, SeamProfile]:
        """Measure what the table describes, and have the results in host memory.

        Args:
            frames: The pictures.
            kept: Rows of their streams' small pictures.
            due: Numbers of the pictures to look at as a whole.

        Returns:
            The profiles of these, by number.
        """
        from gpu_qa_kernels.luma_stats.cuda import luma_stats_device

        count = len(frames)
        self._wait_for(frames)
        self._table[:count].copy_(self._host_table[:count], non_blocking=True)
        self._outputs[1][:count].zero_()
        before = for_kernel(self._kept)
        for first, end in _launches(frames, kept):
            memory: Any = frames[first].luma.data
            slab, wide, quad = self._slab(memory)
            tiles, histogram, small, small_chroma = self._kernel_outputs
            luma_stats_device(
                slab, wide, quad, self._kernel_table, before, tiles, histogram, small, small_chroma, first, end - first
            )
        looks = _Looked(self._device, frames, due)
        looks.launch(self._slab, self._kernel_table)
        self._host_results[:count].copy_(self._results[:count], non_blocking=True)
        if self._device.type == "cuda":
            import torch

            torch.cuda.current_stream(self._device).synchronize()
        return looks.profiles()

    def fetched(
        self, number: int, frame: VideoFrame, rows: Rows, *, comparable: bool, profile: SeamProfile | None
    ) -> MeasuredPicture:
        """The measures of a picture, copied out of what the next run writes over."""
        if not comparable:
            rows.restart()
        block, row = rows.take()
        for array, values in zip(block, self._fetched, strict=True):
            array[row] = values[number]
        return measured_picture(frame, block, row, comparable=comparable, profile=profile)

    def _wait_for(self, frames: Sequence[VideoFrame]) -> None:
        """Have the launch come behind the copies that the pictures are made by."""
        events = {id(frame.ready): frame.ready for frame in frames if frame.ready is not None}
        if self._device.type != "cuda":
            for event in events.values():
                event.synchronize()
            return
        import torch

        stream = torch.cuda.current_stream(self._device)
        for event in events.values():
            stream.wait_event(event)

    def _slab(self, memory: Any) -> tuple[Any, Any, Any]:
        """The kernel's views of a block of memory, made once."""
        import torch

        address = int(memory.data_ptr())
        known = self._slabs.get(address)
        size = memory.numel() * memory.element_size()
        if known is None or known[0].numel() * known[0].element_size() != size:
            whole = memory.view(torch.uint8)
            wide, quad = (whole[: size // n * n].view(kind) for n, kind in ((2, torch.uint16), (4, torch.uint32)))
            known = self._slabs[address] = (memory, (for_kernel(whole), for_kernel(wide), for_kernel(quad)))
        return known[1]


class _Looked:
    """Profiles of some of the pictures that a run measures."""

    def __init__(self, device: Any, frames: Sequence[VideoFrame], due: Sequence[int]) -> None:
        # Those in one block of memory are neighbours, so that a launch per block takes them.
        self._due = sorted(due, key=lambda number: (address_of(frames[number]), number))
        self._frames, self._device = frames, device
        sizes = [frames[number].format.width + frames[number].format.height for number in self._due]
        self._places = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])

    def launch(self, slab: Callable[[Any], tuple[Any, Any, Any]], table: Any) -> None:
        """Measure them, and have the results copied to host memory."""
        if not self._due:
            return
        import torch

        from gpu_qa_kernels.seam_profile.cuda import blocks, seam_profile_device

        rows = pinned((len(self._due), 2), np.int64, self._device)
        rows.numpy()[:] = np.stack([self._due, self._places[:-1]], axis=1)
        looks = rows.to(self._device, non_blocking=True)
        found = torch.zeros(int(self._places[-1]), dtype=torch.int64, device=self._device)
        first = 0
        for _, group in itertools.groupby(self._due, key=lambda number: address_of(self._frames[number])):
            numbers = list(group)
            bytes_, wide, _ = slab(self._frames[numbers[0]].luma.data)
            most = max(blocks(self._frames[i].format.width, self._frames[i].format.height) for i in numbers)
            seam_profile_device(bytes_, wide, table, for_kernel(looks), for_kernel(found), most, first, len(numbers))
            first += len(numbers)
        self._kept = (rows, looks, found)
        self._host = pinned((len(found),), np.int64, self._device)
        self._host.copy_(found, non_blocking=True)

    def profiles(self) -> dict[int, SeamProfile]:
        """They by number, once the card is done."""
        profiles = {}
        for number, first in zip(self._due, self._places.tolist(), strict=False):
            form = self._frames[number].format
            whole = self._host.numpy()[first : first + form.width + form.height].copy()
            profiles[number] = SeamProfile(whole[: form.width], whole[form.width :])
        return profiles


def _launches(frames: Sequence[VideoFrame], kept: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The pictures of each launch, first and end: one of each stream, all in one block of memory."""
    first, streams = 0, set[int]()
    for number, (frame, stream) in enumerate(zip(frames, kept, strict=True)):
        if stream in streams or address_of(frame) != address_of(frames[first]):
            yield first, number
            first = number
            streams.clear()
        streams.add(stream)
    yield first, len(frames)


def address_of(frame: VideoFrame) -> int:
    """Of the block of memory that a picture lies in."""
    memory: Any = frame.luma.data
    return int(memory.data_ptr())


def _arrays(records: Any) -> list[Any]:
    """The arrays of `LumaStats` in records, as tensors [N, …]."""
    import torch

    arrays, at = [], 0
    for shape, kind in _SHAPES:
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        array = records[:, at : at + size].view(getattr(torch, np.dtype(kind).name))
        arrays.append(array.unflatten(1, shape))
        at += size
    return arrays
