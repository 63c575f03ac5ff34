"""A picture as planes of code values, of any planar YUV format of 8 to 16 bits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import av
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction

_FULL_RANGE = 2
"""AVCOL_RANGE_JPEG."""
_BT709 = 1
"""AVCOL_SPC_BT709."""
_BT2020 = (9, 10)
"""AVCOL_SPC_BT2020_NCL, AVCOL_SPC_BT2020_CL."""
_UNKNOWN = 2
_HD_ROWS = 720
"""Pictures of at least so many rows are BT.709 where they do not say."""


@dataclass(frozen=True, slots=True)
class PictureForm:
    """What all pictures of a clip have in common."""

    width: int
    height: int
    pixel_format: str
    """libavutil's name; planar, little endian."""
    bit_depth: int
    across: int
    """Luma samples per chroma sample in a row."""
    down: int
    """The same in a column."""
    full_range: bool
    luma_weights: tuple[float, float]
    """Of red and blue in luma (ITU-R BT.601, BT.709 or BT.2020)."""
    top_field_first: bool | None = None
    """Which field of woven pictures is shown first; null where pictures are progressive."""

    @property
    def unit(self) -> int:
        """Codes of the picture's depth per 8-bit code."""
        return 1 << (self.bit_depth - 8)

    @property
    def black(self) -> int:
        """Luma code of black."""
        return 0 if self.full_range else 16 * self.unit

    @property
    def white(self) -> int:
        """Luma code of white."""
        return (1 << self.bit_depth) - 1 if self.full_range else 235 * self.unit

    @property
    def grey(self) -> int:
        """Chroma code of grey."""
        return 128 * self.unit

    @property
    def top(self) -> int:
        """Largest code."""
        return (1 << self.bit_depth) - 1

    @property
    def dtype(self) -> Any:
        """Of the planes."""
        return np.uint8 if self.bit_depth == 8 else np.uint16

    def color(self, red: float, green: float, blue: float) -> tuple[int, int, int]:
        """Codes of luma, Cb and Cr of a colour whose R′, G′, B′ lie in 0…1."""
        of_red, of_blue = self.luma_weights
        luma = of_red * red + (1 - of_red - of_blue) * green + of_blue * blue
        span = self.top if self.full_range else 224 * self.unit
        cb = self.grey + span * (blue - luma) / (2 * (1 - of_blue))
        cr = self.grey + span * (red - luma) / (2 * (1 - of_red))
        y = self.black + (self.white - self.black) * luma
        return round(y), min(self.top, round(cb)), min(self.top, round(cr))

    def shape(self, plane: int) -> tuple[int, int]:
        """Rows and columns of a plane: 0 luma, 1 Cb, 2 Cr."""
        if plane == 0:
            return self.height, self.width
        return -(-self.height // self.down), -(-self.width // self.across)


def form_of(frame: av.VideoFrame, pixel_format: str, *, top_field_first: bool | None = None) -> PictureForm:
    """What pictures like this one, with their fields in this order, are in a pixel format."""
    form = av.VideoFormat(pixel_format, frame.width, frame.height)
    chroma = form.components[1]
    space = int(frame.colorspace)
    if space in _BT2020:
        weights = (0.2627, 0.0593)
    elif space == _BT709 or (space == _UNKNOWN and frame.height >= _HD_ROWS):
        weights = (0.2126, 0.0722)
    else:
        weights = (0.299, 0.114)
    return PictureForm(
        width=frame.width,
        height=frame.height,
        pixel_format=pixel_format,
        bit_depth=form.components[0].bits,
        across=-(-frame.width // chroma.width),
        down=-(-frame.height // chroma.height),
        full_range=int(frame.color_range) == _FULL_RANGE or frame.format.name.startswith("yuvj"),
        luma_weights=weights,
        top_field_first=top_field_first,
    )


@dataclass(frozen=True)
class Picture:
    """A picture and when it is shown. Never changed: faults make new ones."""

    form: PictureForm
    pts: int
    """On the clip's own clock, in ticks of its time base; 0 is the first picture."""
    at_s: float
    """The same in seconds."""
    frame: av.VideoFrame | None
    """As it was decoded; null where it has been changed."""
    changed: tuple[np.ndarray, ...] | None = None
    """Planes where it has been changed."""

    @cached_property
    def planes(self) -> tuple[np.ndarray, ...]:
        """Code values of luma, Cb and Cr, uint8 or uint16 [H, W]. Read only."""
        if self.changed is not None:
            return self.changed
        frame = self.frame
        if frame is None:
            raise ValueError("a picture has a frame or planes")
        itemsize = np.dtype(self.form.dtype).itemsize
        planes = []
        for number, plane in enumerate(frame.planes):
            rows, columns = self.form.shape(number)
            pitch = plane.line_size // itemsize
            memory: np.ndarray = np.frombuffer(memoryview(plane), self.form.dtype, count=(rows - 1) * pitch + columns)
            padded = np.lib.stride_tricks.as_strided(
                memory, (rows, columns), (pitch * itemsize, itemsize), writeable=False
            )
            planes.append(padded)
        return tuple(planes)

    def showing(self, planes: Sequence[np.ndarray]) -> Picture:
        """The same moment with other planes, whose values may be of any type; they are rounded and clipped."""
        top = self.form.top
        codes = tuple(
            plane if plane.dtype == self.form.dtype else np.clip(np.rint(plane), 0, top).astype(self.form.dtype)
            for plane in planes
        )
        return replace(self, frame=None, changed=codes)

    def like(self, other: Picture) -> Picture:
        """This moment with the content of another picture."""
        return replace(self, frame=other.frame, changed=other.changed)

    def filled(self, luma: int, cb: int, cr: int) -> Picture:
        """The same moment in one colour."""
        codes = (luma, cb, cr)
        return self.showing(
            [np.full(self.form.shape(plane), code, self.form.dtype) for plane, code in enumerate(codes)]
        )

    def each(self, change: Callable[[np.ndarray, int], np.ndarray]) -> Picture:
        """The same moment with every plane changed by `change(plane, number)`."""
        return self.showing([change(plane, number) for number, plane in enumerate(self.planes)])

    def to_frame(self, time_base: Fraction) -> av.VideoFrame:
        """A frame for an encoder."""
        if self.frame is not None:
            frame = self.frame
        else:
            form = self.form
            frame = av.VideoFrame(form.width, form.height, form.pixel_format)
            for plane, codes in zip(frame.planes, self.planes, strict=True):
                rows = np.zeros((plane.height, plane.line_size // np.dtype(form.dtype).itemsize), form.dtype)
                rows[:, : codes.shape[1]] = codes
                plane.update(rows.tobytes())
        frame.pts = self.pts
        frame.time_base = time_base
        return frame


def resized(plane: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """A plane in another size, float32, by linear interpolation between sample centres."""

    def places(target: int, source: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
        low = np.floor(at).astype(np.int64)
        return low, np.minimum(low + 1, source - 1), (at - low).astype(np.float32)

    low, high, share = places(rows, plane.shape[0])
    value = plane.astype(np.float32)
    value = value[low] * (1 - share[:, None]) + value[high] * share[:, None]
    low, high, share = places(columns, plane.shape[1])
    return np.asarray(value[:, low] * (1 - share) + value[:, high] * share)
