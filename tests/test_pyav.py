"""Pictures by libavcodec: pixel formats, damage, attribution."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from gpu_qa.decode.notes import KEYLESS_PICTURES, DamageNotes, Rarity
from gpu_qa.decode.planes import Component, samples_of
from gpu_qa.decode.pyav import PyavDecoder, _plane
from gpu_qa.errors import DecodeError
from gpu_qa.media import Packet
from tests.clips import cached_clip
from tests.decode_harness import (
    array,
    damaged,
    decode_all,
    of_kind,
    open_back_end,
    opened,
    planes,
    reference,
    same_pictures,
)
from tests.test_decode import B_FRAMES, clip

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_qa.media import Decoded, Note, VideoFrame


def decoded(path: Path, **arguments: Any) -> Decoded:
    with opened(path) as (track, natives):
        return decode_all(open_back_end("pyav", track, **arguments), track, natives)


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


def test_sample_aspect_ratio_and_interlacing() -> None:
    path = clip("a.ts", codec="mpeg2video", size=(176, 144), codec_options={"flags": "+ildct+ilme", "aspect": "16:9"})
    with opened(path) as (track, natives):
        track.native.codec_context.sample_aspect_ratio = Fraction(16, 11)
        result = decode_all(open_back_end("pyav", track), track, natives)
    assert {frame.format.interlaced for frame in result.frames} == {True}
    assert result.notes == ()


@pytest.mark.parametrize(
    ("codec", "options", "top_first"),
    [
        ("libx264", {"x264-params": "tff=1"}, True),
        ("libx264", {"x264-params": "bff=1"}, False),
        ("mpeg2video", {"flags": "+ildct+ilme"}, False),
        ("libx264", {}, None),
    ],
)
def test_field_order_is_what_the_stream_says(codec: str, options: dict[str, str], top_first: bool | None) -> None:
    with opened(clip("a.ts", codec=codec, size=(176, 144), codec_options=options)) as (track, natives):
        result = decode_all(open_back_end("pyav", track), track, natives)
    assert {frame.format.top_field_first for frame in result.frames} == {top_first}
    assert {frame.format.interlaced for frame in result.frames} == {top_first is not None}
    assert result.notes == ()


@pytest.mark.parametrize(("number", "transfer"), [(1, "sdr"), (2, "sdr"), (16, "pq"), (18, "hlg")])
@pytest.mark.parametrize("back_end", ["pyav", "nvdec"])
def test_transfer_is_what_the_stream_says(back_end: str, number: int, transfer: str) -> None:
    """Numbers are those of ITU-T H.273, table 3."""
    options = {"x264-params": f"transfer={_X264_TRANSFERS[number]}"}
    with opened(clip("a.ts", pixel_format="yuv420p10le", codec_options=options)) as (track, natives):
        result = decode_all(open_back_end(back_end, track), track, natives)
    assert {frame.format.transfer for frame in result.frames} == {transfer}


_X264_TRANSFERS = {1: "bt709", 2: "undef", 16: "smpte2084", 18: "arib-std-b67"}


@pytest.mark.parametrize("name", ["h264 in MPEG-TS", "mpeg2video"])
def test_mended_pictures_are_flagged_and_told_once(name: str) -> None:
    from tests.test_decode import CLIPS

    path = clip(**CLIPS[name])
    with opened(path) as (track, natives):
        fed = list(natives)
        for at in (4, 9, 14):
            content = bytes(natives[at])
            fed[at] = damaged(natives[at], content[: len(content) * 2 // 3])
        result = decode_all(open_back_end("pyav", track, threads=3), track, fed)
    told = of_kind(result.notes, "decode_error")
    assert told
    assert any(note.details["cause"] == "concealed" for note in told)
    assert {note.pts for note in told} <= {natives[at].pts for at in (4, 9, 14)}
    assert len({note.pts for note in told}) == len(told)
    assert {note.details["cause"] for note in told} <= {"concealed", "refused"}
    assert {frame.pts for frame in result.frames if frame.is_corrupt} == {
        note.pts for note in told if note.details["cause"] == "concealed"
    }


def test_mpeg4_is_decoded_by_one_thread() -> None:
    """Its frame threads flag damage when they get to it: run by run, other pictures would be told."""
    with opened(cached_clip("b.avi", codec="mpeg4", seconds=1.0, audio=None)) as (track, _):
        assert PyavDecoder(track, threads=4)._context.thread_count == 1
    with opened(clip("a.ts")) as (track, _):
        assert PyavDecoder(track, threads=4)._context.thread_count == 4


@pytest.mark.parametrize("threads", [1, 3])
def test_a_lost_slice_is_noticed(threads: int) -> None:
    """What arrived is flawless; only what is missing tells. With slice threads the H.264 decoder would not look."""
    with opened(clip("a.ts", codec_options={"x264-params": "slices=4"})) as (track, natives):
        fed = list(natives)
        first, *rest = bytes(natives[9]).split(b"\0\0\1\x41")
        assert len(rest) == 4
        fed[9] = damaged(natives[9], b"\0\0\1\x41".join([first, *rest[:2], rest[3]]))
        result = decode_all(open_back_end("pyav", track, threads=threads), track, fed)
    (note,) = result.notes
    assert (note.pts, note.details["cause"]) == (natives[9].pts, "concealed")
    assert [frame.pts for frame in result.frames if frame.is_corrupt] == [natives[9].pts]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_refused_packet_is_told_with_its_own_time(threads: int) -> None:
    """With frame threads the decoder tells it several packets late."""
    with opened(clip("a.ts")) as (track, natives):
        fed = list(natives)
        fed[12] = damaged(natives[12], b"\0\0\0\1\x41\xff\xff\xff\xff\xff")
        result = decode_all(open_back_end("pyav", track, threads=threads), track, fed)
    (note,) = [note for note in result.notes if note.details["cause"] == "refused"]
    assert note.pts == natives[12].pts
    assert note.message == "h264: a packet cannot be decoded"
    assert note.details["reason"].startswith("Invalid data")


def test_parameter_sets_on_their_own_are_no_error() -> None:
    path = clip("a.ts")
    with opened(path) as (track, natives):
        fed = []
        for native in natives:
            filler = damaged(native, b"\0\0\0\1\x0c\xff\xff\x80")
            filler.pts = (native.pts or 0) + 1800
            fed += [native, filler]
        result = decode_all(open_back_end("pyav", track), track, fed)
    assert result.notes == ()
    same_pictures(result.frames, reference(path))


def pan(index: int) -> np.ndarray:
    """Large soft blocks that pan: some hundred bytes a picture in HEVC."""
    blocks = np.random.default_rng(1).integers(40, 200, (40, 80)).astype(np.uint8)
    return blocks.repeat(8, 0).repeat(8, 1)[:108, 2 * index : 2 * index + 192]


def hevc_clip() -> Path:
    return cached_clip("pan.mp4", codec="libx265", seconds=2.0, audio=None, picture=pan)


def test_damaged_hevc_is_shown_and_told() -> None:
    """The decoder shows damaged HEVC without a word; the notes come from its strict mode, the pictures all the same."""
    path = hevc_clip()
    expected = {pts: samples[0] for pts, samples in reference(path)}
    with opened(path) as (track, natives):
        fed = list(natives)
        rng = np.random.default_rng(2)
        hit = (8, 15, 21, 34, 40)
        for at in hit:
            content = bytearray(bytes(natives[at]))
            for place in rng.integers(len(content) // 4, len(content), 6):
                content[place] ^= 0x55
            fed[at] = damaged(natives[at], bytes(content))
        result = decode_all(open_back_end("pyav", track), track, fed)
        hurt = {natives[at].pts for at in hit}
    shown = {frame.pts: frame for frame in result.frames}
    told = [note.pts for note in of_kind(result.notes, "decode_error")]
    assert len(shown) > 40
    assert len(set(told) & hurt) >= 2
    assert len(set(told)) == len(told)
    for pts in told:
        # Hit, or without what it refers to: missing, or not what it was.
        assert pts in hurt or pts not in shown or not np.array_equal(planes(shown[pts])[0], expected[pts])
        assert pts not in shown or shown[pts].is_corrupt


def test_strictness_is_given_up_where_it_costs_pictures() -> None:
    """A stream with a broken message in front of each picture plays everywhere, and must here."""
    path = hevc_clip()
    with opened(path) as (track, natives):
        # A message (SEI) that ends in the middle of its payload, in front of each picture.
        broken = b"\0\0\0\x06\x4e\x01\x88\xff\x01\x80"
        fed = [damaged(native, broken + bytes(native)) for native in natives]
        decoder = open_back_end("pyav", track)
        assert isinstance(decoder, PyavDecoder)
        first = decode_all(decoder, track, fed)
        assert not decoder._strict
        second = decode_all(decoder, track, fed)
    # Given up within the first second, so that the key frame of the second is the first picture.
    assert [frame.pts for frame in first.frames] == [pts for pts, _ in reference(path)[25:]]
    assert second.notes == ()
    same_pictures(second.frames, reference(path))


def test_clean_streams_are_silent() -> None:
    from tests.test_decode import CLIPS

    for arguments in CLIPS.values():
        assert decoded(clip(**arguments), threads=3).notes == ()


def test_decoding_times_stand_in_for_missing_presentation_times() -> None:
    """AVI knows no presentation times; with B-frames libavformat cannot make them up."""
    path = cached_clip("b.avi", codec="mpeg4", seconds=1.0, audio=None)
    with opened(path) as (track, natives):
        fed = []
        for native in natives:
            packet = damaged(native, bytes(native))
            packet.pts = None
            fed.append(packet)
        result = decode_all(open_back_end("pyav", track), track, fed)
    assert [frame.pts for frame in result.frames] == [native.dts for native in natives]


def test_a_format_that_cannot_be_read_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpu_qa.decode.pyav.samples_of", lambda *_: None)
    result = decoded(clip("a.ts"))
    assert result.frames == ()
    (first, *_) = result.notes
    assert (first.details["cause"], first.message) == (
        "conversion",
        "h264: pictures of pixel format yuv420p cannot be read",
    )
    assert sum(note.details["cause"] == "conversion" for note in result.notes) == 1


def test_a_decoder_that_does_not_open() -> None:
    with opened(cached_clip("b.mkv", codec="ffv1", seconds=0.2, audio=None)) as (track, _):
        track.native.codec_context.extradata = b"\xff" * 40
        with pytest.raises(DecodeError, match="the ffv1 decoder cannot be opened"):
            PyavDecoder(track)


def test_a_second_decoder_of_a_track_starts_afresh() -> None:
    path = clip("a.mp4", codec_options=B_FRAMES)
    with opened(path) as (track, natives):
        first = open_back_end("pyav", track)
        for native in natives[:10]:
            first.decode(Packet(track, native))
        first.close()
        result = decode_all(open_back_end("pyav", track), track, natives)
    same_pictures(result.frames, reference(path))


def test_the_first_key_frame_ends_the_excuse() -> None:
    track: Any = SimpleNamespace(kind="video", time_base=Fraction(1, 90_000))
    notes = DamageNotes(track, "h264")
    assert notes.write("concealed", 1, "x").details["before_first_key"]
    notes.passed(is_key=False)
    assert notes.before_first_key
    notes.passed(is_key=True)
    assert not notes.write("concealed", 2, "x").details["before_first_key"]
    notes.restart()
    # A stream that never marks a key frame is excused for a while only.
    for _ in range(KEYLESS_PICTURES):
        assert notes.before_first_key
        notes.passed(is_key=False)
    assert not notes.before_first_key


def test_an_alarm_is_heard_while_it_is_rare() -> None:
    rarity = Rarity()
    assert not rarity.heard(rings=True)
    for _ in range(20):
        assert not rarity.heard(rings=False)
    assert [rarity.heard(rings=True) for _ in range(8)] == [True] * 6 + [False] * 2
