"""Measuring pictures: a decoded picture becomes a few thousand numbers, by the kernel `luma_stats`, and is let go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction  # noqa: TC003 - a field's type, which tools look up
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa_kernels.luma_stats import LumaStats, empty_luma_stats, luma_stats

if TYPE_CHECKING:
    from gpu_qa.media import Plane, VideoFormat, VideoFrame

ROWS_PER_BLOCK = 12
"""Pictures that are measured into one block of memory, which a series then takes as it is: short enough to tell soon,
long enough to judge cheaply."""


@dataclass(frozen=True, slots=True)
class MeasuredPicture:
    """A picture's measures, and when and how it is to be shown."""

    pts: int | None
    """Presentation time in ticks of `time_base`."""
    duration: int
    """Ticks; 0 where unknown."""
    time_base: Fraction
    format: VideoFormat
    chroma_size: tuple[int, int]
    """Width and height of a chroma plane in samples; (0, 0) for a grey picture."""
    block: LumaStats
    """Arrays [ROWS_PER_BLOCK, …] that hold this picture's measures and its neighbours'."""
    row: int
    """Which of them are its own."""
    comparable: bool
    """False where it was measured without the picture before it: the first one, or one of another format."""
    is_corrupt: bool
    is_key: bool

    @property
    def stats(self) -> LumaStats:
        """Its own measures: views, not copies."""
        return LumaStats(*(array[self.row] for array in self.block))


class Rows:
    """Memory for one stream's measures: row after row of a block, then a new block."""

    def __init__(self) -> None:
        self._block: LumaStats | None = None
        self._row = 0

    def take(self) -> tuple[LumaStats, int]:
        """A block and the number of its next free row, contents undefined."""
        if self._block is None or self._row >= ROWS_PER_BLOCK:
            one = empty_luma_stats()
            self._block = LumaStats(*(np.empty((ROWS_PER_BLOCK, *array.shape), array.dtype) for array in one))
            self._row = 0
        self._row += 1
        return self._block, self._row - 1

    def restart(self) -> None:
        """Begin a new block with the next row, as a new series does."""
        self._block = None


class HostPictures:
    """Measures one stream's pictures in host memory, each against the one before it. Belongs to one thread."""

    def __init__(self) -> None:
        self._before: VideoFrame | None = None
        self._small_before: np.ndarray | None = None
        self._rows = Rows()

    def measure(self, frame: VideoFrame) -> MeasuredPicture:
        """Measure a picture, without the GIL; its memory is needed until the next one has been measured.

        Args:
            frame: A decoded picture whose planes are NumPy arrays or torch tensors in host memory.
        """
        before = self._before if self._before is not None and self._before.format == frame.format else None
        if before is None:
            self._rows.restart()
        block, row = self._rows.take()
        measured = measured_picture(frame, block, row, comparable=before is not None)
        out = measured.stats
        luma_stats(
            _on_host(frame.luma),
            (_on_host(frame.chroma[0]), _on_host(frame.chroma[1])) if frame.chroma else None,
            bit_depth=frame.format.bit_depth,
            shift=frame.format.shift,
            previous=_on_host(before.luma) if before else None,
            previous_small=self._small_before if before else None,
            out=out,
        )
        self._before, self._small_before = frame, out.small
        return measured

    def skip(self) -> None:
        """A picture is left out: the next one has none to be compared with."""
        self._before = self._small_before = None


def measured_picture(frame: VideoFrame, block: LumaStats, row: int, *, comparable: bool) -> MeasuredPicture:
    """What is known of a picture beside its measures, which are in, or will be written to, a row of a block."""
    chroma = frame.chroma
    return MeasuredPicture(
        pts=frame.pts,
        duration=frame.duration,
        time_base=frame.time_base,
        format=frame.format,
        chroma_size=(chroma[0].width, chroma[0].height) if chroma else (0, 0),
        block=block,
        row=row,
        comparable=comparable,
        is_corrupt=frame.is_corrupt,
        is_key=frame.is_key,
    )


def is_on_device(frame: VideoFrame) -> bool:
    """Whether a picture lies in the memory of a card."""
    memory: Any = frame.luma.data
    return bool(getattr(memory, "is_cuda", False))


def _on_host(plane: Plane) -> Plane:
    """The plane with its memory as a NumPy array; torch tensors in host memory are viewed, not copied."""
    return plane if isinstance(plane.data, np.ndarray) else replace(plane, data=plane.data.numpy())
