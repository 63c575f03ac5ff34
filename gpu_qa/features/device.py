"""Measuring pictures where they are: on the card that decoded them. Only sums and small pictures come to the host.

The pictures of all streams are measured together. A stream's pictures are each compared with the one before, so they
are taken in waves, the k-th of every stream in wave k: a launch per wave, whatever the pictures' sizes, rates and
depths. One table goes to the card and one block of results comes back for all of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gpu_qa.features.card_buffers import CardBuffers, address_of
from gpu_qa.features.picture import Looks, MeasuredPicture, Rows
from gpu_qa.features.tensors import launching_on

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy as np

    from gpu_qa.media import VideoFrame

MOST_AT_ONCE = 256
"""Pictures measured before the results are fetched: 71 MB of them. More than that are done in several goes."""


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
        self._cards: dict[Any, CardBuffers] = {}
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
        with launching_on(device):
            card = self._cards.get(device)
            if card is None:
                card = self._cards[device] = CardBuffers(device)
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
                if before is not None and (before.format != frame.format or address_of(before) != address_of(frame)):
                    before = None
                _describe(state, frame, before, card.rows[number])
                comparable.append(before is not None)
                held.append(before)
                state.before = frame
            profiles = card.run([frame for _, frame in pictures], [state.kept for state in states], due)
            del held
        return [
            card.fetched(number, frame, state.rows, comparable=is_comparable, profile=profiles.get(number))
            for number, ((_, frame), state, is_comparable) in enumerate(zip(pictures, states, comparable, strict=True))
        ]

    def _state(self, device: Any, card: CardBuffers, stream: Hashable) -> _Stream:
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
