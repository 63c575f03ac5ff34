"""Pixel formats: which are read as they are, which are converted, and what the stream says of its samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from gpu_qa.decode.planes import Component, samples_of
from gpu_qa.decode.pyav import PyavDecoder, _plane
from tests.decode_harness import (
    array,
    opened,
    planes,
)
from tests.test_decode import clip

if TYPE_CHECKING:
    from gpu_qa.media import Note, VideoFrame


def raw_frame(pixel_format: str, fill: Any, size: tuple[int, int] = (34, 18)) -> VideoFrame:
    """A picture of a pixel format as the decoder hands it on; `fill` gives the samples that repeat in each plane."""
    picture = av.VideoFrame(*size, pixel_format)
    for number, plane in enumerate(picture.planes):
        content = np.atleast_1d(np.asarray(fill(number))).view(np.uint8)
        line = plane.line_size or plane.buffer_size
        row = np.resize(content, line)
        plane.update(np.tile(row, plane.buffer_size // line).tobytes())
    with opened(clip("a.ts")) as (track, _):
        decoder = PyavDecoder(track)
    notes: list[Note] = []
    frame = decoder._frame(picture, notes)
    assert frame is not None
    assert notes == []
    return frame


@pytest.mark.parametrize(
    ("pixel_format", "words", "depth", "shift", "chroma"),
    [
        ("yuv420p", "<u1", 8, 0, (17, 9)),
        ("yuvj420p", "<u1", 8, 0, (17, 9)),
        ("yuva420p", "<u1", 8, 0, (17, 9)),
        ("yuv422p", "<u1", 8, 0, (17, 18)),
        ("yuv444p", "<u1", 8, 0, (34, 18)),
        ("yuv440p", "<u1", 8, 0, (34, 9)),
        ("yuv411p", "<u1", 8, 0, (9, 18)),
        ("yuv410p", "<u1", 8, 0, (9, 5)),
        ("yuv420p10le", "<u2", 10, 0, (17, 9)),
        ("yuv422p12le", "<u2", 12, 0, (17, 18)),
        ("yuv444p16le", "<u2", 16, 0, (34, 18)),
        ("nv12", "<u1", 8, 0, (17, 9)),
        ("nv21", "<u1", 8, 0, (17, 9)),
        ("nv16", "<u1", 8, 0, (17, 18)),
        ("p010le", "<u2", 10, 6, (17, 9)),
        ("p016le", "<u2", 16, 0, (17, 9)),
        ("p210le", "<u2", 10, 6, (17, 18)),
        ("gray", "<u1", 8, 0, None),
        ("gray10le", "<u2", 10, 0, None),
        ("gray16le", "<u2", 16, 0, None),
    ],
)
def test_formats_that_are_read_as_they_are(
    pixel_format: str, words: str, depth: int, shift: int, chroma: tuple[int, int] | None
) -> None:
    codes = [100, 90, 80, 255] if depth == 8 else [401, 402, 403, 511]
    swapped = pixel_format == "nv21"

    def fill(number: int) -> np.ndarray:
        if number and pixel_format.startswith(("nv", "p0", "p2")):
            pair = codes[2:0:-1] if swapped else codes[1:3]
            return np.array(pair, words) << shift
        return np.array([codes[number]], words) << shift

    frame = raw_frame(pixel_format, fill)
    assert frame.format.pixel_format == pixel_format
    assert (frame.format.bit_depth, frame.format.shift) == (depth, shift)
    # Views of the decoder's memory, nothing copied.
    assert isinstance(frame.luma.data, np.ndarray)
    assert not frame.luma.data.flags.owndata
    # They end with the last sample: what follows may belong to something else.
    assert len(frame.luma.data) == 17 * frame.luma.pitch + 34
    got = planes(frame)
    assert [plane.shape for plane in got] == [(18, 34)] + ([(chroma[1], chroma[0])] * 2 if chroma else [])
    for plane, code in zip(got, codes, strict=False):
        assert (plane == code).all()


@pytest.mark.parametrize(
    ("pixel_format", "pixel", "color_range", "expected"),
    [
        # Grey of 180: 16 + 180 · 219 / 255. BT.709 red: 63, 102, 240 (ITU-R BT.709-6, item 3.4, quantised).
        ("rgb24", [180, 180, 180], "limited", [171, 128, 128]),
        ("rgb24", [255, 0, 0], "limited", [63, 102, 240]),
        ("bgr24", [0, 0, 255], "limited", [63, 102, 240]),
        ("bgr0", [255, 255, 255, 0], "limited", [235, 128, 128]),
        ("rgba", [0, 0, 0, 9], "limited", [16, 128, 128]),
        ("gbrp", None, "limited", [63, 102, 240]),
        ("yuyv422", [50, 60, 50, 70], "limited", [50, 60, 70]),
        ("uyvy422", [60, 50, 70, 50], "limited", [50, 60, 70]),
        ("ya8", [77, 255], "limited", [77]),
        ("monow", [0], "full", [255]),
        ("monob", [0], "full", [0]),
    ],
)
def test_formats_that_are_converted(
    pixel_format: str, pixel: list[int] | None, color_range: str, expected: list[int]
) -> None:
    red = {0: 0, 1: 0, 2: 255}

    def fill(number: int) -> np.ndarray:
        return np.array([red[number]] if pixel is None else pixel, np.uint8)

    frame = raw_frame(pixel_format, fill, (48, 16))
    assert frame.format.pixel_format == pixel_format
    assert (frame.format.bit_depth, frame.format.color_range) == (8, color_range)
    got = planes(frame)
    assert len(got) == len(expected)
    for plane, code in zip(got, expected, strict=True):
        # libswscale rounds down here and there.
        assert np.abs(plane[4:-4, 4:-4].astype(int) - code).max() <= 1


@pytest.mark.parametrize(
    ("big", "depth"), [("yuv420p10be", 10), ("yuv422p16be", 16), ("gray16be", 16), ("gray12be", 12)]
)
def test_big_endian_samples_are_turned(big: str, depth: int) -> None:
    codes = [1000, 600, 300]
    frame = raw_frame(big, lambda number: np.array([codes[number]], ">u2"))
    assert (frame.format.pixel_format, frame.format.bit_depth) == (big, depth)
    for plane, code in zip(planes(frame), codes, strict=False):
        assert (plane == code).all()


def test_a_palette_is_looked_up() -> None:
    palette = np.array([0xFF0000FF], "<u4")  # one opaque blue, as libavutil has it: 0xAARRGGBB
    frame = raw_frame("pal8", lambda number: palette if number else np.array([7], np.uint8))
    # BT.709 blue.
    assert [int(plane[5, 5]) for plane in planes(frame)] == [32, 240, 118]


def test_every_direct_format_has_its_planes() -> None:
    for name in ("yuv420p", "yuva444p10le", "nv12", "p416le", "gray", "yuvj411p"):
        samples = samples_of(name, 35, 19)
        assert samples is not None
        frame = av.VideoFrame(35, 19, name)
        for component in (samples.luma, *(samples.chroma or ())):
            plane = frame.planes[component.plane]
            assert plane.height == component.height
            assert component.offset + (component.width - 1) * component.step < plane.line_size
    for name in ("rgb24", "pal8", "yuyv422", "yuv420p10be", "ya8", "monob", "gbrp", "yuv444p10msble"):
        assert samples_of(name, 32, 32) is None


def test_rows_from_bottom_to_top() -> None:
    class Flipped(bytearray):
        line_size = -8

    rows = np.arange(32, dtype=np.uint8).reshape(4, 8)
    plane = _plane([Flipped(rows.tobytes())], Component(0, 1, 2, 3, 4), np.uint8)
    assert plane.pitch > 0
    np.testing.assert_array_equal(array(plane), rows[::-1, 1:6:2])
