"""Sequence headers, against what libavcodec decodes."""

from __future__ import annotations

from typing import Any

import av
import pytest

from gpu_qa.decode.bits import BitReader
from gpu_qa.decode.headers import Header, has_picture, length_size, picture_header
from tests.clips import cached_clip
from tests.decode_harness import opened

FORMATS = {"yuv420p": (1, 8), "yuv422p": (2, 8), "yuv444p": (3, 8), "yuv420p10le": (1, 10), "yuv422p10le": (2, 10)}


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize(
    ("codec", "name", "size"),
    [
        ("libx264", "a.ts", (192, 108)),
        ("libx264", "a.ts", (322, 246)),
        ("libx265", "a.ts", (192, 108)),
        ("libx265", "a.ts", (326, 242)),
    ],
)
def test_annex_b(codec: str, name: str, size: tuple[int, int], pixel_format: str) -> None:
    path = cached_clip(name, codec=codec, size=size, pixel_format=pixel_format, seconds=0.2, audio=None)
    with opened(path) as (track, natives):
        header = picture_header(track.codec, bytes(natives[0]))
        assert header == Header(*size, *FORMATS[pixel_format])
        assert picture_header(track.codec, bytes(natives[1])) is None


def test_interlaced_h264_with_scaling_lists() -> None:
    options = {"x264-params": "interlaced=1:cqm=jvt", "preset": "medium"}
    with av.open("/dev/null", "w", format="h264") as out:
        stream: Any = out.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 720, 576, "yuv420p"
        frame = av.VideoFrame(720, 576, "yuv420p")
        packets = [bytes(packet) for packet in [*stream.encode(frame), *stream.encode(None)]]
    assert picture_header("h264", packets[0]) == Header(720, 576, 1, 8)


@pytest.mark.parametrize(
    ("codec", "name", "size"),
    [
        ("mpeg2video", "a.ts", (192, 108)),
        ("mpeg1video", "a.mpg", (192, 112)),
        ("libvpx", "a.webm", (175, 143)),
        ("libvpx-vp9", "a.webm", (175, 143)),
    ],
)
def test_others(codec: str, name: str, size: tuple[int, int]) -> None:
    path = cached_clip(name, codec=codec, size=size, seconds=0.2, audio=None)
    with opened(path) as (track, natives):
        assert picture_header(track.codec, bytes(natives[0])) == Header(*size, 1, 8)
        assert picture_header(track.codec, bytes(natives[2])) is None


@pytest.mark.parametrize(("pixel_format", "chroma", "depth"), [("yuv444p", 3, 8), ("yuv440p", 2, 8)])
def test_vp9_profiles(pixel_format: str, chroma: int, depth: int) -> None:
    path = cached_clip("a.webm", codec="libvpx-vp9", pixel_format=pixel_format, seconds=0.1, audio=None)
    with opened(path) as (_, natives):
        assert picture_header("vp9", bytes(natives[0])) == Header(192, 108, chroma, depth)


@pytest.mark.parametrize(("pixel_format", "depth"), [("yuv420p", 8), ("yuv420p10le", 10)])
def test_av1(pixel_format: str, depth: int) -> None:
    path = cached_clip("a.mp4", codec="libsvtav1", pixel_format=pixel_format, seconds=0.2, audio=None)
    with opened(path) as (_, natives):
        assert picture_header("av1", bytes(natives[0])) == Header(192, 108, 1, depth)
        assert picture_header("av1", bytes(natives[1])) is None


def test_nonsense_gives_nothing() -> None:
    for codec in ("h264", "hevc", "mpeg2video", "vp8", "vp9", "av1"):
        for data in (b"", b"\0", b"\0\0\1", b"\xff" * 100, bytes(100), b"\0\0\1\x67", b"\0\0\1\x42\x01", b"\0\0\1\xb3"):
            assert picture_header(codec, data) is None
    assert picture_header("prores", b"\0\0\1\x67\x64\0\x28") is None


def test_length_size() -> None:
    with opened(cached_clip("a.mp4", codec="libx264", seconds=0.2, audio=None)) as (track, natives):
        size = length_size("h264", track.native.codec_context.extradata)
        assert size == 4
        assert has_picture("h264", bytes(natives[0]), size)
    with opened(cached_clip("a.mp4", codec="libx265", seconds=0.2, audio=None)) as (track, natives):
        size = length_size("hevc", track.native.codec_context.extradata)
        assert size == 4
        assert has_picture("hevc", bytes(natives[0]), size)
    assert length_size("h264", None) == 0
    assert length_size("h264", b"\0\0\0\1\x67\x64\0\x28") == 0
    assert length_size("av1", b"\x81" + bytes(30)) == 0


def test_has_picture() -> None:
    assert has_picture("h264", b"\0\0\0\1\x09\xf0\0\0\1\x41\x9a", 0)
    assert not has_picture("h264", b"\0\0\0\1\x09\xf0\0\0\1\x67\x64\0\0\1\x06\x05", 0)
    assert not has_picture("h264", b"\0\0\0\2\x09\xf0\0\0\0\3\x06\x05\x01", 4)
    assert has_picture("h264", b"\0\0\0\2\x09\xf0\0\0\0\3\x65\x05\x01", 4)
    assert has_picture("hevc", b"\0\0\1\x02\x01\xd0", 0)
    assert not has_picture("hevc", b"\0\0\1\x40\x01\x0c\0\0\1\x4e\x01\x05", 0)
    assert has_picture("vp9", b"", 0)


def test_bits() -> None:
    bits = BitReader(b"\xa6\x42\x98")  # 1 010 011 00100 0010 10011 000
    assert [bits.ue() for _ in range(4)] == [0, 1, 2, 3]
    assert not bits.exhausted
    past = BitReader(b"\xff")
    past.skip(9)
    assert past.exhausted
    assert past.u(8) == 0
    signed = BitReader(b"\xa6\x42\x80")
    assert [signed.se() for _ in range(4)] == [0, 1, -1, 2]
    assert BitReader(b"").ue() == 0
