"""NVDEC over the fake: what is done about the real library's bad habits."""

from __future__ import annotations

import gc
import types
from typing import Any

import numpy as np
import pytest
import torch

from gpu_qa.decode import nvdec
from gpu_qa.decode.headers import Header, kept_parameters, probed_header
from gpu_qa.decode.nvdec import NvdecDecoder
from gpu_qa.errors import DeviceError
from gpu_qa.media import Packet
from tests import fake_nvdec
from tests.decode_harness import damaged, decode_all, of_kind, open_back_end, opened, reference, same_pictures
from tests.fake_nvdec import Driver, cudaVideoChromaFormat, cudaVideoCodec
from tests.test_decode import B_FRAMES, clip


def test_the_fake_has_the_habits() -> None:
    """What the decoder must cope with does happen here, or the other tests would prove nothing."""
    with opened(clip("a.ts")) as (_, natives):
        raw = fake_nvdec.PyNvDecoder(cudaVideoCodec.H264, {})
        seen: list[tuple[Any, np.ndarray]] = []
        for number, native in enumerate(natives):
            data = fake_nvdec.PacketData()
            data.bsl_data, data.bsl, data.pts = native.buffer_ptr, native.buffer_size, number
            seen += [(frame, torch.from_dlpack(frame).numpy().copy()) for frame in raw.Decode(data)]
        early, then = seen[0]
        now = torch.from_dlpack(early).numpy()
        assert not np.array_equal(now, then)
        del raw
        gc.collect()
        assert (now == fake_nvdec.POISON).all()
    with opened(clip("a.mp4")) as (_, natives):
        raw = fake_nvdec.PyNvDecoder(cudaVideoCodec.H264, {})
        data = fake_nvdec.PacketData()
        data.bsl_data, data.bsl = natives[0].buffer_ptr, natives[0].buffer_size
        assert raw.Decode(data) == []
    with pytest.raises(AssertionError, match="NULL stream"):
        Driver().CreateDecoder(usedevicememory=True)


def test_formats_have_the_surfaces_names() -> None:
    for pixel_format, name in (("yuv420p", "nv12"), ("yuv420p10le", "p016"), ("yuv444p", "yuv444")):
        with opened(clip("a.mkv", pixel_format=pixel_format)) as (track, natives):
            frames = decode_all(open_back_end("nvdec", track), track, natives).frames
        assert {frame.format.pixel_format for frame in frames} == {name}


def test_interlaced_pictures_are_said_to_be_deinterlaced() -> None:
    path = clip("a.ts", codec="mpeg2video", size=(192, 112), codec_options={"flags": "+ildct", "field_order": "tt"})
    with opened(path) as (track, natives):
        frames = decode_all(open_back_end("nvdec", track), track, natives).frames
    assert {(frame.format.pixel_format, frame.format.interlaced) for frame in frames} == {("nv12 deinterlaced", False)}


def test_one_decoder_per_size_on_a_stream_of_its_own() -> None:
    made = Driver()
    with opened(clip("a.ts")) as (track, first), opened(clip("a.ts", size=(128, 96), start_s=10.0)) as (_, second):
        decode_all(open_back_end("nvdec", track, driver=made), track, [*first, *second])
    first_stream, second_stream = (one["cudastream"] for one in made.created)
    assert first_stream == second_stream != 0


def test_a_new_depth_makes_a_new_decoder() -> None:
    after = clip("a.ts", pixel_format="yuv420p10le", start_s=10.0)
    with opened(clip("a.ts")) as (track, first), opened(after) as (_, second):
        result = decode_all(open_back_end("nvdec", track), track, [*first, *second])
    same_pictures(result.frames[30:], reference(after))
    (note,) = result.notes
    assert (note.details["old"]["bit_depth"], note.details["new"]["bit_depth"]) == (8, 10)


@pytest.mark.parametrize("size", [(256, 144), (128, 96)])
def test_a_size_change_that_no_header_announces(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvdec, "picture_header", lambda *_: None)
    made = Driver()
    after = clip("a.ts", size=size, start_s=10.0)
    with opened(clip("a.ts")) as (track, first), opened(after) as (_, second):
        result = decode_all(open_back_end("nvdec", track, driver=made), track, [*first, *second])
    if size[0] > 192:
        # Error 801: the key frame is given to a new decoder.
        assert len(made.created) == 2
        assert len(result.frames) == 60
    else:
        # Scaled in silence: without headers there is no knowing.
        assert (len(made.created), {frame.format.width for frame in result.frames}) == (1, {192})


def test_a_card_is_asked_once_per_kind_of_stream() -> None:
    made = Driver()
    for _ in range(3):
        with opened(clip("a.mp4", pixel_format="yuv420p10le")) as (track, natives):
            decode_all(open_back_end("nvdec", track, driver=made), track, natives)
    assert made.asked == [(0, cudaVideoCodec.H264, cudaVideoChromaFormat["420"], 10)]


@pytest.mark.parametrize(
    ("capabilities", "message"),
    [
        ({"supported": 0}, "does not decode h264 420 of 8 bits"),
        ({"num_decoder_engines": 0}, "does not decode h264 420 of 8 bits"),
        ({"width_min": 256}, "from 256×16 to 4096×4096, not 192×108"),
        ({"height_max": 100}, "from 16×16 to 4096×100, not 192×108"),
        ({"mb_num_max": 80}, "not 192×108"),
    ],
)
def test_what_a_card_cannot_decode(capabilities: dict[str, int], message: str) -> None:
    with opened(clip("a.ts")) as (track, _), pytest.raises(DeviceError, match=message):
        open_back_end("nvdec", track, driver=Driver(**capabilities))


def test_codecs_that_stay_on_the_cpu() -> None:
    with opened(clip("a.mkv", codec="ffv1")) as (track, _), pytest.raises(DeviceError, match="not used for ffv1"):
        open_back_end("nvdec", track)


def test_a_card_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Driver()

    def fails(**_: object) -> dict[str, int]:
        raise RuntimeError("cuvid: libnvcuvid.so.1: cannot open shared object file\nmore")

    monkeypatch.setattr(made, "GetDecoderCaps", fails)
    with opened(clip("a.ts")) as (track, _), pytest.raises(DeviceError, match=r"libnvcuvid\.so\.1: cannot open[^\n]*$"):
        open_back_end("nvdec", track, driver=made)


def test_a_format_that_the_card_stops_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = clip("a.ts"), clip("a.ts", size=(128, 96), start_s=10.0)
    with opened(before) as (track, first), opened(after) as (_, second):
        result = decode_all(open_back_end("nvdec", track, driver=Driver(width_min=144)), track, [*first, *second])
    same_pictures(result.frames, reference(before))
    # One per key frame: 25 frames a GOP.
    assert [note.pts for note in result.notes] == [second[0].pts, second[25].pts]
    assert all("not 128×96" in note.details["reason"] for note in result.notes)


def test_a_failing_decoder_is_made_anew_at_the_next_key_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    path = clip("a.ts")
    made = Driver()
    calls = 0
    decode = fake_nvdec.PyNvDecoder.Decode

    def sometimes(self: fake_nvdec.PyNvDecoder, packet: fake_nvdec.PacketData) -> list[Any]:
        nonlocal calls
        calls += 1
        if calls == 12:
            raise fake_nvdec.PyNvVCException("cuvidParseVideoData returned error 999")
        return decode(self, packet)

    monkeypatch.setattr(fake_nvdec.PyNvDecoder, "Decode", sometimes)
    expected = reference(path)
    with opened(path) as (track, natives):
        result = decode_all(open_back_end("nvdec", track, driver=made), track, natives)
    same_pictures([frame for frame in result.frames if frame.pts >= expected[25][0]], expected[25:])  # type: ignore[operator]
    (note,) = [note for note in result.notes if note.details["cause"] == "refused"]
    assert (note.pts, note.details["before_first_key"]) == (natives[11].pts, False)
    assert note.details["reason"] == "cuvidParseVideoData returned error 999"
    assert len(made.created) == 2


def test_a_picture_that_never_comes_out_is_told() -> None:
    with opened(clip("a.ts", codec_options=B_FRAMES)) as (track, natives):
        fed = list(natives)
        fed[15] = damaged(natives[15], b"\0\0\0\1\x09\xf0")
        result = decode_all(open_back_end("nvdec", track), track, fed)
    (note,) = of_kind(result.notes, "decode_error")
    assert (note.pts, note.details["cause"]) == (natives[15].pts, "lost")


def test_a_loss_is_told_once_later_pictures_have_come() -> None:
    """Not only at the end, which in a live channel never comes; and with the clock jumping as well."""
    with opened(clip("a.ts", seconds=4.0)) as (track, natives):
        fed = [damaged(native, bytes(native)) for native in natives]
        fed[15] = damaged(natives[15], b"\0\0\0\1\x09\xf0")
        for packet in fed[30:]:
            packet.pts = packet.dts = packet.pts - 9_000_000
        decoder = open_back_end("nvdec", track)
        parts = [decoder.decode(Packet(track, native)) for native in fed]
    notes = [(number, note) for number, part in enumerate(parts) for note in part.notes]
    ((told, note),) = notes
    assert (note.pts, note.details["cause"]) == (natives[15].pts, "lost")
    assert 15 < told <= 15 + 40
    assert sum(len(part.frames) for part in parts) + len(decoder.drain().frames) == 99


def test_field_pictures_are_no_losses() -> None:
    """Where every other packet gives no picture, that is how the stream is made."""
    with opened(clip("a.ts")) as (track, natives):
        fed = []
        for native in natives:
            second = damaged(native, b"\0\0\0\1\x09\xf0")
            second.pts = (native.pts or 0) + 1800
            fed += [native, second]
        result = decode_all(open_back_end("nvdec", track), track, fed)
    assert len(result.frames) == 30
    assert result.notes == ()


def test_leading_pictures_of_the_first_key_frame_are_left_out() -> None:
    """They are shown before it and need what came before it: after joining in mid-GOP they are garbage."""
    options = {"preset": "fast", "x264-params": "open-gop=1:keyint=10:min-keyint=10:bframes=3:b-adapt=0:scenecut=0"}
    path = clip("a.ts", codec_options=options, gop=10)
    with opened(path) as (track, natives):
        start = next(at for at, native in enumerate(natives) if at and native.is_keyframe)
        decoder = open_back_end("nvdec", track)
        result = decode_all(decoder, track, natives[start:])
    first = natives[start].pts
    assert first is not None
    assert any((native.pts or 0) < first for native in natives[start:])
    assert result.frames[0].pts == first
    assert of_kind(result.notes, "decode_error") == []


def test_parameter_sets_may_stay_with_the_container() -> None:
    """An RTSP camera names them in its session description and need not send them with the pictures."""
    path = clip("a.ts")
    with opened(path) as (track, natives):
        first = bytes(natives[0])
        at = first.index(b"\0\0\1\x65")
        sets = first[: at - (first[at - 1] == 0)]
        context: Any = track.native.codec_context
        context.extradata = sets
        fed = [damaged(natives[0], first[at:]), *natives[1:25]]
        result = decode_all(open_back_end("nvdec", track), track, fed)
    same_pictures(result.frames, reference(path)[:25])


def test_av1_parameters_come_after_the_delimiter(monkeypatch: pytest.MonkeyPatch) -> None:
    header, picture = b"\x0a\x0b" + bytes(11), b"\x32\x01\x10"
    fed: list[bytes] = []

    def taken(self: NvdecDecoder, chunk: Any, sent: object) -> list[Any]:
        fed.append(bytes(chunk))
        return []

    monkeypatch.setattr(NvdecDecoder, "_decode", taken)
    with opened(clip("a.ts")) as (track, natives):
        decoder = open_back_end("nvdec", track)
        assert isinstance(decoder, NvdecDecoder)
        decoder._codec, decoder._parameters = "av1", kept_parameters("av1", b"\x81\x00\x0c\x00" + header)
        decoder.decode(Packet(track, damaged(natives[0], b"\x12\0" + picture)))
    assert fed == [b"\x12\0" + header + picture]


def test_what_the_container_says_of_the_pictures() -> None:
    for name, chroma, depth in (
        ("yuv420p", 1, 8),
        ("yuvj422p", 2, 8),
        ("yuv444p12le", 3, 12),
        ("gray10le", 0, 10),
        ("gbrp", 3, 8),
        ("p010le", 1, 10),
        ("nv12", 1, 8),
        (None, 1, 8),
    ):
        context = types.SimpleNamespace(pix_fmt=name, width=640, height=360)
        assert probed_header(context) == Header(640, 360, chroma, depth)


def test_a_reset_drops_what_is_inside_without_a_new_decoder() -> None:
    made = Driver()
    with opened(clip("a.mp4", codec_options=B_FRAMES)) as (track, natives):
        decoder = open_back_end("nvdec", track, driver=made)
        for native in natives[:9]:
            decoder.decode(Packet(track, native))
        decoder.reset()
        assert decoder.drain().frames == ()
        assert len(decode_all(decoder, track, natives).frames) == 30
    assert len(made.created) == 1


def test_a_packet_that_the_filter_refuses() -> None:
    """H.264 in MP4 whose lengths make no sense cannot be brought into Annex B form."""
    path = clip("a.mp4")
    with opened(path) as (track, natives):
        fed = list(natives)
        fed[10] = damaged(natives[10], b"\x7f\xff\xff\xff" + bytes(natives[10])[4:])
        result = decode_all(open_back_end("nvdec", track), track, fed)
    refused = [note for note in result.notes if note.details["cause"] == "refused"]
    assert [note.pts for note in refused] == [natives[10].pts]
