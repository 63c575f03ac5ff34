"""Measuring pictures where they are: on the card that decoded them. Only sums and small pictures come to the host.

The pictures of all streams are measured together. A stream's pictures are each compared with the one before, so they
are taken in waves, the k-th of every stream in wave k: a launch per wave, whatever the pictures' sizes, rates and
depths. One table goes to the card and one block of results comes back for all of it.
"""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.features.picture import Looks, MeasuredPicture, Rows, measured_picture
from gpu_qa_kernels import SMALL_CHROMA_COLS, SMALL_CHROMA_ROWS, SMALL_COLS, SMALL_ROWS, TILE_COLS, TILE_ROWS
from gpu_qa_kernels.luma_stats import HISTOGRAM_BINS, Feature
from gpu_qa_kernels.seam_profile import SeamProfile

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

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
MOST_AT_ONCE = 256
"""Pictures measured before the results are fetched: 71 MB of them. More than that are done in several goes."""
_FEWEST_ROWS = 16
"""What buffers have room for at first; they double."""


@dataclass(slots=True)
class _Stream:
    """What is remembered of a stream."""

    kept: int
    """Row of its latest small picture on the card."""
    before: VideoFrame | None = None
    """The picture measured last; null where the next one has none to be compared with."""
    rows: Rows = field(default_factory=Rows)
    """Where its measures go."""
    looks: Looks = field(default_factory=Looks)
    """Which of its pictures are looked at as a whole."""
    layout: tuple[Any, ...] = ()
    """What `described` is of."""
    described: Any = None
    """Its pictures' row of the table, but for their places; null until there is one."""


class DevicePictures:
    """Measures the pictures of many streams in device memory. Belongs to one thread."""

    def __init__(self) -> None:
        self._cards: dict[Any, _Card] = {}
        """By torch device."""
        self._streams: dict[Hashable, tuple[Any, _Stream]] = {}
        """Device and state."""

    def measure(self, pictures: Sequence[tuple[Hashable, VideoFrame]]) -> list[MeasuredPicture]:
        """Measure pictures, each against the one before it in its stream.

        Args:
            pictures: Of any streams, several of one in their order. Planes are torch tensors on a card; pictures that
                are not complete are waited for there.

        Returns:
            Their measures, in the same order. Nothing of them is read or written any more.

        Raises:
            RuntimeError: The card fails; the streams' next pictures have none to be compared with.
        """
        found: list[MeasuredPicture | None] = [None] * len(pictures)
        waves: dict[Any, dict[int, list[int]]] = {}
        seen: dict[Hashable, int] = {}
        for number, (stream, frame) in enumerate(pictures):
            wave = seen[stream] = seen.get(stream, -1) + 1
            memory: Any = frame.luma.data
            waves.setdefault(memory.device, {}).setdefault(wave, []).append(number)
        try:
            for device, of_device in waves.items():
                order = [number for wave in sorted(of_device) for number in of_device[wave]]
                for first in range(0, len(order), MOST_AT_ONCE):
                    numbers = order[first : first + MOST_AT_ONCE]
                    measured = self._measured(device, [pictures[number] for number in numbers])
                    for number, one in zip(numbers, measured, strict=True):
                        found[number] = one
        except BaseException:
            for stream in seen:
                self.skip(stream)
            raise
        return [one for one in found if one is not None]

    def skip(self, stream: Hashable) -> None:
        """A stream's picture is left out: the next one has none to be compared with."""
        if stream in self._streams:
            self._streams[stream][1].before = None

    def forget(self, stream: Hashable) -> None:
        """A stream has ended."""
        self._release(stream)
        if not self._streams:
            # The slab may be gone; a later one is another.
            self._cards.clear()

    def _measured(self, device: Any, pictures: Sequence[tuple[Hashable, VideoFrame]]) -> list[MeasuredPicture]:
        """Measure pictures on one card, in the order of their waves."""
        with _launching_on(device):
            card = self._cards.get(device)
            if card is None:
                card = self._cards[device] = _Card(device)
            states = [self._state(device, card, stream) for stream, _ in pictures]
            card.make_room(len(pictures))
            # Pictures that were compared with are needed until the card is done.
            held = [state.before for state in states]
            comparable = []
            due = [
                number
                for number, (state, (_, frame)) in enumerate(zip(states, pictures, strict=True))
                if state.looks.is_due(frame)
            ]
            for number, (state, (_, frame)) in enumerate(zip(states, pictures, strict=True)):
                before = state.before
                if before is not None and (before.format != frame.format or _address(before) != _address(frame)):
                    before = None
                _describe(state, frame, before, card.rows[number])
                comparable.append(before is not None)
                held.append(before)
                state.before = frame
            profiles = card.run([frame for _, frame in pictures], states, due)
            del held
        return [
            card.fetched(number, frame, state.rows, comparable=is_comparable, profile=profiles.get(number))
            for number, ((_, frame), state, is_comparable) in enumerate(zip(pictures, states, comparable, strict=True))
        ]

    def _state(self, device: Any, card: _Card, stream: Hashable) -> _Stream:
        known = self._streams.get(stream)
        if known is not None and known[0] == device:
            return known[1]
        self._release(stream)
        state = _Stream(card.keep())
        self._streams[stream] = (device, state)
        return state

    def _release(self, stream: Hashable) -> None:
        device, state = self._streams.pop(stream, (None, None))
        if state is not None:
            self._cards[device].release(state.kept)


class _Card:
    """One card's buffers: the table, the results, and a small picture of each stream."""

    def __init__(self, device: Any) -> None:
        self._device = device
        self._room = 0
        self._kept: Any = _empty((0, SMALL_ROWS, SMALL_COLS), np.uint16, device)
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
            self._kept = _empty((rows, SMALL_ROWS, SMALL_COLS), np.uint16, self._device)
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
        self._host_table = _pinned(shape, np.int64, self._device)
        self._table = _empty(shape, np.int64, self._device)
        self.rows = self._host_table.numpy()
        shape = (self._room, RECORD_BYTES)
        self._host_results = _pinned(shape, np.uint8, self._device)
        self._results = _empty(shape, np.uint8, self._device)
        self._outputs = _arrays(self._results)
        self._fetched = [array.numpy() for array in _arrays(self._host_results)]
        self._kernel_table = _for_kernel(self._table)
        self._kernel_outputs = [_for_kernel(array) for array in self._outputs]

    def run(
        self, frames: Sequence[VideoFrame], states: Sequence[_Stream], due: Sequence[int]
    ) -> dict[int, SeamProfile]:
        """Measure what the table describes, and have the results in host memory.

        Args:
            frames: The pictures.
            states: Of their streams.
            due: Numbers of the pictures to look at as a whole.

        Returns:
            The profiles of these, by number.
        """
        from gpu_qa_kernels.luma_stats.cuda import luma_stats_device

        count = len(frames)
        self._wait_for(frames)
        self._table[:count].copy_(self._host_table[:count], non_blocking=True)
        self._outputs[1][:count].zero_()
        kept = _for_kernel(self._kept)
        for first, end in _launches(frames, states):
            memory: Any = frames[first].luma.data
            slab, wide, quad = self._slab(memory)
            tiles, histogram, small, small_chroma = self._kernel_outputs
            luma_stats_device(
                slab, wide, quad, self._kernel_table, kept, tiles, histogram, small, small_chroma, first, end - first
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
            known = self._slabs[address] = (memory, (_for_kernel(whole), _for_kernel(wide), _for_kernel(quad)))
        return known[1]


class _Looked:
    """Profiles of some of the pictures that a run measures."""

    def __init__(self, device: Any, frames: Sequence[VideoFrame], due: Sequence[int]) -> None:
        # Those in one block of memory are neighbours, so that a launch per block takes them.
        self._due = sorted(due, key=lambda number: (_address(frames[number]), number))
        self._frames, self._device = frames, device
        sizes = [frames[number].format.width + frames[number].format.height for number in self._due]
        self._places = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])

    def launch(self, slab: Callable[[Any], tuple[Any, Any, Any]], table: Any) -> None:
        """Measure them, and have the results copied to host memory."""
        if not self._due:
            return
        import torch

        from gpu_qa_kernels.seam_profile.cuda import blocks, seam_profile_device

        rows = _pinned((len(self._due), 2), np.int64, self._device)
        rows.numpy()[:] = np.stack([self._due, self._places[:-1]], axis=1)
        looks = rows.to(self._device, non_blocking=True)
        found = torch.zeros(int(self._places[-1]), dtype=torch.int64, device=self._device)
        first = 0
        for _, group in itertools.groupby(self._due, key=lambda number: _address(self._frames[number])):
            numbers = list(group)
            bytes_, wide, _ = slab(self._frames[numbers[0]].luma.data)
            most = max(blocks(self._frames[i].format.width, self._frames[i].format.height) for i in numbers)
            seam_profile_device(bytes_, wide, table, _for_kernel(looks), _for_kernel(found), most, first, len(numbers))
            first += len(numbers)
        self._kept = (rows, looks, found)
        self._host = _pinned((len(found),), np.int64, self._device)
        self._host.copy_(found, non_blocking=True)

    def profiles(self) -> dict[int, SeamProfile]:
        """They by number, once the card is done."""
        profiles = {}
        for number, first in zip(self._due, self._places.tolist(), strict=False):
            form = self._frames[number].format
            whole = self._host.numpy()[first : first + form.width + form.height].copy()
            profiles[number] = SeamProfile(whole[: form.width], whole[form.width :])
        return profiles


def _describe(state: _Stream, frame: VideoFrame, before: VideoFrame | None, row: np.ndarray) -> None:
    """Fill a picture's row of the table."""
    from gpu_qa_kernels.luma_stats.table import Column, described

    luma, chroma, form = frame.luma, frame.chroma, frame.format
    layout: tuple[Any, ...] = (form, luma.pitch, luma.step, luma.offset % 4)
    if chroma is not None:
        layout += (chroma[0].pitch, chroma[0].step, chroma[0].offset - luma.offset, chroma[1].offset - luma.offset)
    if state.described is None or state.layout != layout:
        memory: Any = luma.data
        state.layout = layout
        state.described = described(
            luma,
            chroma,
            bit_depth=form.bit_depth,
            shift=form.shift,
            sample_bytes=memory.element_size(),
            kept=state.kept,
        )
    row[:] = state.described
    row[Column.OFFSET] = luma.offset
    if chroma is not None:
        row[Column.CB], row[Column.CR] = chroma[0].offset, chroma[1].offset
    if before is not None:
        if before.luma.pitch != luma.pitch or before.luma.offset % 4:
            row[Column.ON_WORDS] = 0
        row[Column.PREVIOUS], row[Column.PREVIOUS_PITCH] = before.luma.offset, before.luma.pitch
    else:
        row[Column.PREVIOUS], row[Column.PREVIOUS_PITCH] = -1, 0


def _launches(frames: Sequence[VideoFrame], states: Sequence[_Stream]) -> Iterator[tuple[int, int]]:
    """The pictures of each launch, first and end: one of each stream, all in one block of memory."""
    first, streams = 0, set[int]()
    for number, (frame, state) in enumerate(zip(frames, states, strict=True)):
        if state.kept in streams or _address(frame) != _address(frames[first]):
            yield first, number
            first = number
            streams.clear()
        streams.add(state.kept)
    yield first, len(frames)


def _address(frame: VideoFrame) -> int:
    """Of the block of memory that a picture lies in."""
    memory: Any = frame.luma.data
    return int(memory.data_ptr())


def _empty(shape: tuple[int, ...], kind: Any, device: Any) -> Any:
    import torch

    return torch.empty(shape, dtype=getattr(torch, np.dtype(kind).name), device=device)


def _pinned(shape: tuple[int, ...], kind: Any, device: Any) -> Any:
    """Host memory that a card can copy from and to without help of the CPU."""
    import torch

    return torch.empty(shape, dtype=getattr(torch, np.dtype(kind).name), pin_memory=device.type == "cuda")


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


def _for_kernel(tensor: Any) -> Any:
    """A tensor as numba's kernels take it: making that costs more than a launch, so it is kept where it can be."""
    if not tensor.is_cuda:
        return tensor.numpy()
    from numba import cuda

    return cuda.as_cuda_array(tensor)


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
