"""Surface: how the pictures of an NVDEC decoder lie in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gpu_qa.media import Plane, VideoFormat

if TYPE_CHECKING:
    from fractions import Fraction

    from gpu_qa.decode.headers import Header
    from gpu_qa.decode.slab import Slab
    from gpu_qa.media import ColorRange, Transfer

_WIDE = ("P016", "P216", "YUV444_16Bit")
"""Formats with two bytes a sample."""


class Look(NamedTuple):
    """What the stream says of its pictures beside their size."""

    color_range: ColorRange
    color_space: str | None
    aspect: Fraction
    deinterlaced: bool
    transfer: Transfer


class Surface(NamedTuple):
    """How pictures lie in memory: rows without gaps, plane after plane."""

    format: VideoFormat
    pitch: int
    """Elements."""
    itemsize: int
    size: int
    """Bytes of a picture."""
    chroma: tuple[int, int, int, int, int] | None
    """Offsets of Cb and Cr in elements, step, width, height."""

    def planes(self, slab: Slab, offset: int) -> tuple[Plane, tuple[Plane, Plane] | None]:
        """Luma and chroma of a picture that lies `offset` bytes into the slab."""
        data = slab.bytes if self.itemsize == 1 else slab.words
        base = offset // self.itemsize
        luma = Plane(data, base, self.pitch, 1, self.format.width, self.format.height)
        if self.chroma is None:
            return luma, None
        cb, cr, step, width, height = self.chroma
        return luma, (
            Plane(data, base + cb, self.pitch, step, width, height),
            Plane(data, base + cr, self.pitch, step, width, height),
        )


def surface_of(decoder: Any, pixel_format: str, header: Header, look: Look) -> Surface:
    """How a decoder's pictures lie in memory, from what it says once the first has come.

    Args:
        decoder: The library's decoder.
        pixel_format: Its name for the pictures' format.
        header: What the stream's sequence header says of them.
        look: What else the stream says.
    """
    itemsize = 2 if pixel_format in _WIDE else 1
    pitch, rows, size = (int(get()) for get in (decoder.GetWidth, decoder.GetHeight, decoder.GetFrameSize))
    size = max(size, pitch * rows * itemsize)
    width, height = min(header.width, pitch), min(header.height, rows)
    depth = header.bit_depth if itemsize == 2 else 8
    chroma = None
    luma = pitch * rows
    below = size // itemsize // pitch - rows
    if header.chroma == 0 or below <= 0:
        pass
    elif pixel_format.startswith("YUV444"):
        chroma = (luma, 2 * luma, 1, width, height)
    elif pixel_format in ("NV16", "P216"):
        chroma = (luma, luma + 1, 2, -(-width // 2), height)
    else:
        chroma = (luma, luma + 1, 2, -(-width // 2), min(below, -(-height // 2)))
    shown = VideoFormat(
        width=width,
        height=height,
        bit_depth=depth,
        shift=8 * itemsize - depth,
        color_range=look.color_range,
        pixel_format=pixel_format.lower() + (" deinterlaced" if look.deinterlaced else ""),
        color_space=look.color_space,
        sample_aspect_ratio=look.aspect,
        transfer=look.transfer,
    )
    return Surface(shown, pitch, itemsize, size, chroma)
