"""Pictures by libavcodec: what the stream says of them, damage, attribution."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gpu_qa.decode.pyav import PyavDecoder
from gpu_qa.errors import DecodeError
from gpu_qa.media import Packet
from tests.clips import cached_clip
from tests.decode_harness import (
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

    from gpu_qa.media import Decoded


def decoded(path: Path, **arguments: Any) -> Decoded:
    with opened(path) as (track, natives):
        return decode_all(open_back_end("pyav", track, **arguments), track, natives)


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
