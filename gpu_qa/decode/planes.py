"""Planes: how libavcodec's pixel formats lie in memory, and what those that do not fit are converted to.

A format fits where each component is 8 to 16 bits of little-endian samples at a fixed step: planar YUV of any
subsampling, the semi-planar ones of hardware decoders, and grey. RGB, palettes, packed YUV and big-endian samples do
not; libswscale turns them into planar YUV.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gpu_qa.media import ColorRange, Transfer

# Pixel formats: FFmpeg's libavutil/pixfmt.h and pixdesc.c.
_PLANAR = re.compile(r"yuv(?:j|a)?(410|411|420|422|440|444)p(?:(9|10|12|14|16)le)?")
_GREY = re.compile(r"gray(?:(9|10|12|14|16)le)?")
_SEMI_PLANAR: dict[str, tuple[int, int, bool]] = {
    "nv12": (8, 0, False),
    "nv21": (8, 0, True),
    "nv16": (8, 0, False),
    "nv24": (8, 0, False),
    "nv42": (8, 0, True),
    "nv20le": (10, 0, False),
    **{f"p{chroma}{bits}le": (bits, 16 - bits, False) for chroma in "024" for bits in (10, 12, 16)},
}
"""Name → bits, insignificant low bits, whether Cr comes before Cb."""
_SUBSAMPLING = {
    "410": (2, 2),
    "411": (2, 0),
    "420": (1, 1),
    "422": (1, 0),
    "440": (0, 1),
    "444": (0, 0),
    "nv12": (1, 1),
    "nv21": (1, 1),
    "nv16": (1, 0),
    "nv20": (1, 0),
    "nv24": (0, 0),
    "nv42": (0, 0),
    "p0": (1, 1),
    "p2": (1, 0),
    "p4": (0, 0),
}
"""Chroma width and height are those of luma shifted right by this, rounded up."""

_COLOR_SPACES = {
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    14: "ictcp",
}
"""AVColorSpace (matrix coefficients of ITU-T H.273, table 4) → name."""
_FULL = 2
"""AVCOL_RANGE_JPEG."""
_TRANSFERS: dict[int, Transfer] = {16: "pq", 18: "hlg"}
"""AVColorTransferCharacteristic (ITU-T H.273, table 3) → what is not `sdr`: SMPTE ST 2084 and ARIB STD-B67."""
_DEPTHS = (8, 10, 12, 16)
"""Bits that conversions go to."""


@dataclass(frozen=True, slots=True)
class Component:
    """Where one component's samples lie."""

    plane: int
    """Number of the memory plane."""
    offset: int
    """Samples before the first one of a row."""
    step: int
    """Samples from one to the next."""
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Samples:
    """How the samples of a pixel format lie in memory."""

    bit_depth: int
    shift: int
    luma: Component
    chroma: tuple[Component, Component] | None

    @property
    def dtype(self) -> type[np.uint8 | np.uint16]:
        """Type of a sample in memory."""
        return np.uint8 if self.bit_depth + self.shift <= 8 else np.uint16


def samples_of(name: str, width: int, height: int) -> Samples | None:
    """How a picture of pixel format `name` lies in memory; null where it must be converted first."""
    luma = Component(0, 0, 1, width, height)
    if match := _PLANAR.fullmatch(name):
        across, down = _SUBSAMPLING[match[1]]
        w, h = -(-width >> across), -(-height >> down)
        chroma = (Component(1, 0, 1, w, h), Component(2, 0, 1, w, h))
        return Samples(int(match[2] or 8), 0, luma, chroma)
    if match := _GREY.fullmatch(name):
        return Samples(int(match[1] or 8), 0, luma, None)
    if name in _SEMI_PLANAR:
        bits, shift, swapped = _SEMI_PLANAR[name]
        across, down = _SUBSAMPLING[name[:2] if name[0] == "p" else name[:4]]
        w, h = -(-width >> across), -(-height >> down)
        first, second = Component(1, 0, 2, w, h), Component(1, 1, 2, w, h)
        return Samples(bits, shift, luma, (second, first) if swapped else (first, second))
    return None


@dataclass(frozen=True, slots=True)
class Conversion:
    """What libswscale makes of a format that does not fit."""

    pixel_format: str
    color_range: ColorRange
    color_space: str | None
    arguments: dict[str, Any]
    """Of `av.video.reformatter.VideoReformatter.reformat`."""


def conversion_of(source: Any, color_range: ColorRange, color_space: str | None) -> Conversion:
    """What an `av.VideoFormat` that does not fit is converted to.

    RGB and palettes become limited-range BT.709 4:4:4, so that levels mean what they mean elsewhere; YUV keeps its
    range, matrix, subsampling and depth (depths above 8 are rounded up to one that libswscale writes).
    """
    bits = max(component.bits for component in source.components)
    depth = next((one for one in _DEPTHS if bits <= one), 16)
    suffix = "" if depth == 8 else f"{depth}le"
    # XYZ and Bayer patterns count as RGB: libswscale can only show them through it.
    if source.is_rgb or source.has_palette or source.name.startswith(("xyz", "bayer")):
        arguments = {"src_color_range": "JPEG", "dst_color_range": "MPEG", "dst_colorspace": "ITU709"}
        # Palette entries are RGB of 8 bits, whatever the index has.
        suffix = "" if source.has_palette else suffix
        return Conversion(f"yuv444p{suffix}", "limited", "bt709", {"format": f"yuv444p{suffix}", **arguments})
    if source.name.startswith("mono"):
        # One bit a sample is black and white, not 16 and 235.
        color_range = "full"
    same = "JPEG" if color_range == "full" else "MPEG"
    if sum(not component.is_alpha for component in source.components) < 3:
        name = f"gray{suffix}"
    else:
        across, down = (8 // source.chroma_width(8)).bit_length() - 1, (8 // source.chroma_height(8)).bit_length() - 1
        subsampling = next(key for key, value in _SUBSAMPLING.items() if value == (across, down))
        # libswscale writes 4:1:0 and 4:1:1 with 8 bits only.
        name = f"yuv{subsampling}p{suffix if subsampling[:2] != '41' else ''}"
    return Conversion(
        name, color_range, color_space, {"format": name, "src_color_range": same, "dst_color_range": same}
    )


def color_of(name: str, color_range: int, color_space: int) -> tuple[ColorRange, str | None]:
    """Range and matrix from libavcodec's numbers; unspecified ranges are limited, but for the JPEG formats."""
    full = color_range == _FULL or (name.startswith("yuvj") and color_range == 0)
    return "full" if full else "limited", _COLOR_SPACES.get(color_space)


def transfer_of(color_trc: int) -> Transfer:
    """How code values become light, from libavcodec's number; what a stream does not say is `sdr`."""
    return _TRANSFERS.get(color_trc, "sdr")
