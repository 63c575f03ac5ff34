"""Who is let onto a card: sizes, limits, and what is said to those who are not."""

from __future__ import annotations

import dataclasses
import gc
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from gpu_qa.decode import DecodeSettings, open_decoder
from gpu_qa.decode.headers import Header
from gpu_qa.decode.memory import SPARE_BYTES, DeviceMemory, device_memory, dpb_pictures, planned_slab, stream_need
from gpu_qa.decode.nvdec import NvdecDecoder
from gpu_qa.errors import AdmissionError
from gpu_qa.media import Packet
from tests.decode_harness import decode_all, of_kind, opened, reference, same_pictures
from tests.fake_nvdec import Driver, HostCard
from tests.test_decode import clip

if TYPE_CHECKING:
    from gpu_qa.media import VideoFrame

HD = Header(1920, 1080, 1, 8)
MIB = 1 << 20


def test_pictures_that_codecs_keep() -> None:
    found = {
        (codec, size): dpb_pictures(codec, *size)
        for codec, size in (
            ("h264", (720, 576)),
            ("h264", (1280, 720)),
            ("h264", (1920, 1080)),
            ("h264", (3840, 2160)),
            ("h264", (7680, 4320)),
            ("hevc", (1920, 1080)),
            ("av1", (3840, 2160)),
            ("mpeg2video", (720, 576)),
        )
    }
    assert list(found.values()) == [16, 9, 4, 5, 1, 6, 8, 2]


def test_what_a_stream_takes() -> None:
    need = stream_need("h264", HD)
    assert (need.pictures, need.picture_bytes) == (12, 1920 * 1620)
    assert need.pool_bytes / MIB == pytest.approx(35.6, abs=0.1)
    # 38 MB of surfaces, and what the session takes beside them.
    assert need.surface_bytes - 32 * MIB == 12 * 1920 * 1620
    assert need.bytes == need.pool_bytes + need.surface_bytes
    large = stream_need("hevc", Header(3840, 2160, 1, 10))
    assert (large.pictures, large.pool_bytes // MIB) == (12, 284)
    assert stream_need("hevc", HD, pool_frames=30).pictures == 30
    # Rows of even width, odd heights, and all planes.
    assert stream_need("h264", Header(101, 51, 1, 8)).picture_bytes == -(-102 * (51 + 26) // 512) * 512
    assert stream_need("hevc", Header(64, 64, 3, 10)).picture_bytes == 64 * 64 * 3 * 2


def test_the_slab_leaves_room_for_decoders() -> None:
    for free in (4 << 30, 22 << 30):
        slab = planned_slab(free, "a card that is not in the table", DecodeSettings())
        need = stream_need("hevc", Header(1920, 1080, 1, 10))
        streams = slab // need.pool_bytes
        assert streams > 10
        assert slab + streams * need.surface_bytes <= free - SPARE_BYTES


def test_the_slab_is_no_larger_than_what_can_be_decoded() -> None:
    # 7 engines × 1158 / 25 are 324 streams, more than may be at a time.
    assert planned_slab(138 << 30, "NVIDIA H200", DecodeSettings()) == 200 * 12 * 1920 * 1620 * 2
    # 2 × 1158 / 25.
    assert planned_slab(138 << 30, "Tesla T4", DecodeSettings()) == 92 * 12 * 1920 * 1620 * 2
    few = planned_slab(138 << 30, "NVIDIA H200", DecodeSettings(planned_streams=1))
    assert few == 2 * stream_need("hevc", Header(3840, 2160, 1, 10)).pool_bytes
    assert planned_slab(1 << 30, "NVIDIA H200", DecodeSettings(slab_mib=100)) == 100 * MIB


def test_a_stream_that_does_not_fit_the_slab_is_refused() -> None:
    memory = DeviceMemory(HostCard(), DecodeSettings(slab_mib=100))
    places = [memory.reserve(stream_need("h264", HD)) for _ in range(2)]
    with pytest.raises(AdmissionError) as caught:
        memory.reserve(stream_need("h264", HD))
    assert str(caught.value).endswith(
        "has no room for another stream's pictures: 12 need 36 MiB, 29 MiB of 100 MiB are free; "
        "2 streams hold the rest (decode.slab_mib, decode.pool_frames)"
    )
    # A smaller one fits, and the same when another has gone.
    memory.reserve(stream_need("h264", Header(640, 360, 1, 8)))
    places.pop().leave()
    memory.reserve(stream_need("h264", HD))
    assert memory.streams == 3


def test_a_stream_whose_decoder_does_not_fit_is_refused() -> None:
    need = stream_need("h264", HD)
    room = 200 * MIB + SPARE_BYTES + 3 * need.surface_bytes + MIB
    memory = DeviceMemory(HostCard(room=room), DecodeSettings(slab_mib=200))
    for _ in range(3):
        memory.reserve(need)
    with pytest.raises(
        AdmissionError, match=r"another decoder: it needs 68 MiB beside its pictures, 1 MiB are free; 3 "
    ):
        memory.reserve(need)


def test_measuring_corrects_the_estimate() -> None:
    """Decoders that take half of what was guessed let more of them in; those that take thrice as much, fewer."""
    need = stream_need("h264", HD)

    def admitted(per_decoder: int) -> int:
        card, made = HostCard(room=1600 * MIB + SPARE_BYTES, per_decoder=per_decoder), Driver()
        card.driver = made
        memory = DeviceMemory(card, DecodeSettings(slab_mib=800))
        decoders: list[object] = []
        while True:
            try:
                place = memory.reserve(need)
            except AdmissionError:
                return len(decoders)
            decoders.append(made.CreateDecoder(cudastream=1, usedevicememory=True))
            place.settle()

    guessed = 800 * MIB // need.surface_bytes
    assert guessed == 11
    half, same, thrice = (admitted(int(need.surface_bytes * factor)) for factor in (0.5, 1.0, 3.0))
    assert thrice < same == guessed < half
    # Never more than there is, although four are let in before it is known.
    assert thrice * 3 * need.surface_bytes <= 800 * MIB + SPARE_BYTES


def test_sessions_are_counted() -> None:
    memory = DeviceMemory(HostCard(), DecodeSettings(slab_mib=100, max_sessions=2))
    small = stream_need("h264", Header(192, 108, 1, 8))
    first, _ = memory.reserve(small), memory.reserve(small)
    with pytest.raises(
        AdmissionError, match=r"2 decoders run on card \d+ \(NVIDIA Stand-in\), and decode.max_sessions"
    ):
        memory.reserve(small)
    first.leave()
    first.leave()
    memory.reserve(small)
    assert memory.streams == 2


def test_the_load_of_nvdec_is_counted() -> None:
    """A T4 decodes 1542 pictures of 1080p H.264 per second."""
    memory = DeviceMemory(HostCard(name="Tesla T4"), DecodeSettings(slab_mib=100, max_load=0.5))
    need = dataclasses.replace(stream_need("h264", Header(192, 108, 1, 8)), load=0.2)
    first, _ = memory.reserve(need), memory.reserve(need)
    with pytest.raises(
        AdmissionError,
        match=r"needs 20.0% of it in real time, the 2 that are there need 40.0%, and decode.max_load is 50%",
    ):
        memory.reserve(need)
    first.leave()
    memory.reserve(need)


@pytest.mark.parametrize(("name", "load"), [("Tesla T4", 30 / (2 * 771) * (12 * 7) / (120 * 68)), ("Stand-in", 0.0)])
def test_a_decoder_counts_by_its_header(name: str, load: float) -> None:
    with opened(clip("a.ts")) as (track, _):
        decoder = NvdecDecoder(track, DecodeSettings(slab_mib=16), Driver(), HostCard(name=name))
        assert decoder._place is not None
        assert decoder._place.need.load == pytest.approx(load)


def test_a_full_card_is_refused_before_anything_is_allocated() -> None:
    with pytest.raises(
        AdmissionError, match=r"has no room for pictures: 512 MiB are to be set aside, 100 MiB are free"
    ):
        DeviceMemory(HostCard(room=100 * MIB), DecodeSettings())
    with pytest.raises(AdmissionError, match=r"2048 MiB are to be set aside, 1024 MiB are free"):
        DeviceMemory(HostCard(room=1024 * MIB), DecodeSettings(slab_mib=2048))


def test_streams_of_a_card_share_its_memory_until_the_last_has_gone() -> None:
    card = HostCard()
    settings = DecodeSettings(slab_mib=4)
    first, second = device_memory(card, settings), device_memory(card, DecodeSettings(slab_mib=8))
    assert first is second
    assert first.slab.size == 4 * MIB
    del first, second
    gc.collect()
    assert device_memory(card, DecodeSettings(slab_mib=8)).slab.size == 8 * MIB


def test_a_refused_stream_is_decoded_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `auto`; with `cuda` it is an error."""
    card = HostCard()
    made = Driver()
    monkeypatch.setattr("gpu_qa.decode.nvdec.load_driver", lambda gpu: made)
    monkeypatch.setattr("gpu_qa.decode.nvdec.CudaCard", lambda gpu: card)
    path = clip("a.ts")
    with ExitStack() as stack:
        tracks = [stack.enter_context(opened(path)) for _ in range(4)]
        settings = DecodeSettings(slab_mib=4, max_sessions=2)
        names = []
        decoders = []
        for track, _ in tracks[:3]:
            decoders.append(open_decoder(track, settings))
            names.append(decoders[-1].name)
        assert names == ["nvdec h264", "nvdec h264", "pyav h264"]
        assert decoders[2].reason.startswith("2 decoders run on card ")
        with pytest.raises(AdmissionError):
            open_decoder(tracks[3][0], DecodeSettings(device="cuda", slab_mib=4))
        # All decode the same, side by side.
        for (track, natives), decoder in zip(tracks[:3], decoders, strict=True):
            assert len(decode_all(decoder, track, natives[:10]).frames) == 10
            decoder.close()


def test_a_new_size_that_does_not_fit_is_tried_again_at_each_key_frame() -> None:
    before, after = clip("a.ts"), clip("a.ts", size=(1024, 576), start_s=10.0)
    other = stream_need("h264", Header(640, 360, 1, 8))
    with opened(before) as (track, first), opened(after) as (_, second):
        decoder = NvdecDecoder(track, DecodeSettings(slab_mib=16), Driver(), HostCard())
        neighbour = decoder._memory.reserve(other)
        result = decode_all(decoder, track, [*first, *second[:20]])
        same_pictures(result.frames, reference(before))
        (note,) = of_kind(result.notes, "decode_error")
        assert note.details["cause"] == "refused"
        assert "no room for another stream's pictures: 18 need 15 MiB" in note.details["reason"]
        del result
        neighbour.leave()
        later = decode_all(decoder, track, second[20:])
        key = next(number for number, native in enumerate(second) if number >= 20 and native.is_keyframe)
        same_pictures(later.frames, reference(after)[key:])


def test_a_card_that_is_full_all_the_same() -> None:
    """What was planned was too little: the stream says so and goes on trying; its neighbour sees nothing of it."""
    path = clip("a.ts")
    made, card = Driver(memory=1), HostCard()
    settings = DecodeSettings(slab_mib=8)
    with opened(path) as (track, natives), opened(path) as (second, others):
        neighbour = NvdecDecoder(track, settings, made, card)
        shown = [frame for native in natives[:5] for frame in neighbour.decode(Packet(track, native)).frames]
        refused = NvdecDecoder(second, settings, made, card)
        result = decode_all(refused, second, others)
        reasons = {note.details["reason"] for note in result.notes if note.details["cause"] == "refused"}
        (reason,) = reasons
        assert (
            reason == "the card's memory is full (m_api.cuvidCreateDecoder(...) returned error 2 at NvDecoder.cpp:482)"
        )
        shown += decode_all(neighbour, track, natives[5:]).frames
        same_pictures(shown, reference(path))


def test_a_decoder_that_dies_costs_its_neighbours_nothing() -> None:
    path = clip("a.ts")
    made, card = Driver(), HostCard(lazy=True)
    settings = DecodeSettings(slab_mib=8)
    with ExitStack() as stack:
        inputs = [stack.enter_context(opened(path)) for _ in range(3)]
        decoders = [NvdecDecoder(track, settings, made, card) for track, _ in inputs]
        frames: list[list[VideoFrame]] = [[] for _ in decoders]
        notes = []
        for number in range(30):
            for which, ((track, natives), decoder) in enumerate(zip(inputs, decoders, strict=True)):
                if number == 0:
                    made.fails_at = 7 if which == 1 else -1
                found = decoder.decode(Packet(track, natives[number]))
                frames[which] += found.frames
                notes += [(which, note) for note in found.notes]
        for which, decoder in enumerate(decoders):
            frames[which] += decoder.drain().frames
            decoder.close()
    expected = reference(path)
    for which in (0, 2):
        same_pictures(frames[which], expected)
    assert {which for which, _ in notes} == {1}
    assert any("error 719" in note.details.get("reason", "") for _, note in notes)
    # It goes on with the next key frame.
    same_pictures([one for one in frames[1] if one.pts >= expected[25][0]], expected[25:])  # type: ignore[operator]
