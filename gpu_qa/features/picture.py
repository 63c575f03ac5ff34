"""Measuring pictures: a decoded picture becomes a few thousand numbers, by the kernel `luma_stats`, and is let go."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.features.fractions import code_range, tile_fractions
from gpu_qa.features.grid import grids
from gpu_qa_kernels.luma_stats import Feature, LumaStats, empty_luma_stats, luma_stats
from gpu_qa_kernels.motion_tiles import Motion, motion_tiles
from gpu_qa_kernels.seam_profile import SeamProfile, seam_profile
from gpu_qa_kernels.tile_cells import tile_cells

if TYPE_CHECKING:
    from gpu_qa.media import Plane, VideoFormat, VideoFrame

ROWS_PER_BLOCK = 12
"""Pictures that are measured into one block of memory, which a series then takes as it is: short enough to tell soon,
long enough to judge cheaply."""
ROWS_OF_FILES = 24
"""The same of what need not be told within half a second: judging costs a fifth less a picture."""
LOOK_EVERY_S = Fraction(9, 10)
"""Whole pictures are looked at for grids so far apart: not in step with key frames once a second or every two, which
differ from others."""
_FRAME_S = Fraction(1, 25)
"""How long a picture without a timestamp is taken to be shown."""


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
    """Arrays [rows, …] that hold this picture's measures and its neighbours'."""
    row: int
    """Which of them are its own."""
    comparable: bool
    """False where it was measured without the picture before it: the first one, or one of another format."""
    is_corrupt: bool
    is_key: bool
    profile: SeamProfile | None = None
    """Where in the picture steps stand out; null where it was not looked at."""
    grid: np.ndarray | None = None
    """float32 [2, 2]: what `grids` finds in that; null where it is left to the series."""
    means: np.ndarray | None = None
    """float32 [rows, 19, 24, 42]: means of the block's sums by `tile_fractions`; null where they are left
    to the series."""
    cells: np.ndarray | None = None
    """float32 [rows, 19, 12, 21]: the means by `tile_cells`; null where `means` is."""
    motion: np.ndarray | None = None
    """float32 [rows, 8, 24, 42]: the block's pictures by `motion_tiles`; null where that is not wanted, or
    left to the series."""

    @property
    def is_last(self) -> bool:
        """Whether its block is full."""
        return self.row == len(self.block.tiles) - 1

    @property
    def stats(self) -> LumaStats:
        """Its own measures: views, not copies."""
        return LumaStats(*(array[self.row] for array in self.block))


class Rows:
    """Memory for one stream's measures: row after row of a block, then a new block.

    Args:
        rows: Of a block.
    """

    def __init__(self, rows: int = ROWS_PER_BLOCK) -> None:
        self._rows = rows
        self._block: LumaStats | None = None
        self._row = 0

    def take(self) -> tuple[LumaStats, int]:
        """A block and the number of its next free row, contents undefined."""
        if self._block is None or self._row >= self._rows:
            one = empty_luma_stats()
            self._block = LumaStats(*(np.empty((self._rows, *array.shape), array.dtype) for array in one))
            self._row = 0
        self._row += 1
        return self._block, self._row - 1

    def restart(self) -> None:
        """Begin a new block with the next row, as a new series does."""
        self._block = None


class Looks:
    """Which of a stream's pictures are looked at as a whole: by their timestamps alone, wherever they are measured."""

    def __init__(self) -> None:
        self._format: VideoFormat | None = None
        self._pts: int | None = None
        self._every = 0
        self._waited_s = Fraction(0)

    def is_due(self, frame: VideoFrame) -> bool:
        """Whether to look at the stream's next picture: the first one of a format, and one every `LOOK_EVERY_S`."""
        if frame.format == self._format:
            if frame.pts is None or self._pts is None:
                self._waited_s += _FRAME_S
                is_due = self._waited_s >= LOOK_EVERY_S
            else:
                is_due = abs(frame.pts - self._pts) >= self._every
            if not is_due:
                return False
        self._format, self._pts, self._waited_s = frame.format, frame.pts, Fraction(0)
        self._every = math.ceil(LOOK_EVERY_S / frame.time_base)
        return True


class HostPictures:
    """Measures one stream's pictures in host memory, each against the one before it. Belongs to one thread.

    Args:
        motion: Whether the motion of tiles is wanted.
        rows: Pictures in a block of memory, and so in a series.
    """

    def __init__(self, *, motion: bool = False, rows: int = ROWS_PER_BLOCK) -> None:
        self._with_motion = motion
        self._motion: np.ndarray | None = None
        self._before: VideoFrame | None = None
        self._small_before: np.ndarray | None = None
        self._rows = Rows(rows)
        self._means = self._cells = np.empty(0, np.float32)
        self._looks = Looks()

    def measure(self, frame: VideoFrame) -> MeasuredPicture:
        """Measure a picture, without the GIL; its memory is needed until the next one has been measured.

        Args:
            frame: A decoded picture whose planes are NumPy arrays or torch tensors in host memory.
        """
        before = self._before if self._before is not None and self._before.format == frame.format else None
        if before is None:
            self._rows.restart()
        block, row = self._rows.take()
        luma, form, profile, grid = _on_host(frame.luma), frame.format, None, None
        if self._looks.is_due(frame):
            profile = seam_profile(luma, bit_depth=form.bit_depth, shift=form.shift)
            black, white = code_range(form)
            grid = grids(profile, form, white - black)
        if row == 0:
            count, rows, columns = block.tiles.shape[:3]
            self._means = np.empty((count, len(Feature), rows, columns), np.float32)
            self._cells = np.empty((count, len(Feature), rows // 2, columns // 2), np.float32)
            if self._with_motion:
                self._motion = np.empty((count, len(Motion), rows, columns), np.float32)
        measured = measured_picture(
            frame,
            block,
            row,
            comparable=before is not None,
            profile=profile,
            grid=grid,
            means=self._means,
            cells=self._cells,
            motion=self._motion,
        )
        out = measured.stats
        luma_stats(
            luma,
            (_on_host(frame.chroma[0]), _on_host(frame.chroma[1])) if frame.chroma else None,
            bit_depth=form.bit_depth,
            shift=form.shift,
            previous=_on_host(before.luma) if before else None,
            previous_small=self._small_before if before else None,
            out=out,
        )
        # At once, while the sums are in the cache.
        means = tile_fractions(out.tiles[None], form, measured.chroma_size, out=self._means[row : row + 1])
        tile_cells(means, out=self._cells[row : row + 1])
        if self._motion is not None:
            self._motion[row] = motion_tiles(out.small, self._small_before if before else None)
        self._before, self._small_before = frame, out.small
        return measured

    def skip(self) -> None:
        """A picture is left out: the next one has none to be compared with."""
        self._before = self._small_before = None


def measured_picture(
    frame: VideoFrame,
    block: LumaStats,
    row: int,
    *,
    comparable: bool,
    profile: SeamProfile | None,
    grid: np.ndarray | None = None,
    means: np.ndarray | None = None,
    cells: np.ndarray | None = None,
    motion: np.ndarray | None = None,
) -> MeasuredPicture:
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
        profile=profile,
        grid=grid,
        means=means,
        cells=cells,
        motion=motion,
    )


def is_on_device(frame: VideoFrame) -> bool:
    """Whether a picture lies in the memory of a card."""
    memory: Any = frame.luma.data
    return bool(getattr(memory, "is_cuda", False))


def _on_host(plane: Plane) -> Plane:
    """The plane with its memory as a NumPy array; torch tensors in host memory are viewed, not copied."""
    return plane if isinstance(plane.data, np.ndarray) else replace(plane, data=plane.data.numpy())
