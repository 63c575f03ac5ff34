"""The contract of a decoder, the same for both back ends. NVDEC runs over a fake with the real library's bad habits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from gpu_qa.decode import DecodeSettings, open_decoder
from gpu_qa.errors import DecodeError, DeviceError
from gpu_qa.media import Decoded, Packet, Track
from tests.clips import cached_clip, make_clip, moving_picture
from tests.decode_harness import (
    BACK_ENDS,
    damaged,
    decode_all,
    merged,
    of_kind,
    open_back_end,
    opened,
    planes,
    reference,
    same_pictures,
    zeroed,
)

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_qa.media import VideoFrame

B_FRAMES = {"preset": "veryfast", "bf": "3", "b_strategy": "0"}

CLIPS: dict[str, dict[str, Any]] = {
    "h264 in MP4 with B-frames": {"name": "a.mp4", "codec_options": tuple(B_FRAMES.items())},
    "h264 in MPEG-TS": {"name": "a.ts"},
    "h264 of 10 bits": {"name": "a.mkv", "pixel_format": "yuv420p10le"},
    "h264 4:4:4": {"name": "a.mkv", "pixel_format": "yuv444p"},
    "hevc in MP4": {"name": "a.mp4", "codec": "libx265"},
    "hevc of 10 bits": {"name": "a.ts", "codec": "libx265", "pixel_format": "yuv420p10le"},
    "mpeg2video": {"name": "a.ts", "codec": "mpeg2video", "size": (192, 112)},
    "vp8": {
        "name": "a.webm",
        "codec": "libvpx",
        "audio": None,
        "codec_options": (("deadline", "realtime"), ("cpu-used", "8")),
    },
    "vp9 of odd size": {
        "name": "a.webm",
        "codec": "libvpx-vp9",
        "size": (191, 107),
        "audio": None,
        "codec_options": (("deadline", "realtime"), ("cpu-used", "8")),
    },
}


def clip(name: str = "a.ts", **arguments: Any) -> Path:
    """A short silent clip, made once."""
    options = arguments.pop("codec_options", None)
    if options:
        # Hashable for the cache of clips.
        arguments["codec_options"] = _Options(options)
    return cached_clip(name, **{"seconds": 1.2, "audio": None} | arguments)


class _Options(dict[str, str]):
    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self.items()))


@pytest.fixture(params=BACK_ENDS)
def back_end(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("name", CLIPS)
def test_pictures_are_those_of_the_stream(name: str, back_end: str) -> None:
    path = clip(**CLIPS[name])
    with opened(path) as (track, natives):
        decoder = open_back_end(back_end, track)
        result = decode_all(decoder, track, natives)
        decoder.close()
    assert len(result.frames) == 30
    assert result.notes == ()
    same_pictures(result.frames, reference(path))


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_threads_change_nothing(threads: int) -> None:
    path = clip(**CLIPS["h264 in MP4 with B-frames"])
    with opened(path) as (track, natives):
        result = decode_all(open_back_end("pyav", track, threads=threads), track, natives)
    same_pictures(result.frames, reference(path))


def test_frames_say_what_they_are(back_end: str) -> None:
    path = clip("a.mp4", full_range=True, pixel_format="yuv420p10le", codec_options={"aspect": "4:3"}, start_s=5.0)
    with opened(path) as (track, natives):
        result = decode_all(open_back_end(back_end, track), track, natives)
    first = result.frames[0]
    assert (first.format.width, first.format.height) == (192, 108)
    assert first.format.bit_depth == 10
    assert first.format.shift == (0 if back_end == "pyav" else 6)
    assert first.format.color_range == "full"
    assert not first.format.interlaced
    assert first.time_base == track.time_base
    assert first.pts is not None
    assert float(first.pts * track.time_base) == pytest.approx(5.0)
    assert float(first.duration * track.time_base) == pytest.approx(0.04)
    assert [frame.is_key for frame in result.frames] == [number in (0, 25) for number in range(30)]
    assert first.chroma is not None
    assert [plane.width for plane in (first.luma, *first.chroma)] == [192, 96, 96]
    # One object for one format: the stages that follow compare it for every picture.
    assert all(frame.format is first.format for frame in result.frames)


def test_frames_stay_as_they_are(back_end: str) -> None:
    path = clip("a.mp4", codec_options=B_FRAMES)
    with opened(path) as (track, natives):
        decoder = open_back_end(back_end, track)
        held: list[tuple[VideoFrame, list[np.ndarray]]] = []
        for native in natives:
            held += [(frame, planes(frame)) for frame in decoder.decode(Packet(track, native)).frames]
        decoder.drain()
        decoder.reset()
        decoder.close()
        decoder.close()
    assert len(held) > 20
    for frame, seen in held:
        for now, then in zip(planes(frame), seen, strict=True):
            np.testing.assert_array_equal(now, then)


def test_the_callers_packets_are_left_alone(back_end: str) -> None:
    with opened(clip("a.mp4")) as (track, natives):
        before = [bytes(native) for native in natives]
        decode_all(open_back_end(back_end, track), track, natives)
        assert [bytes(native) for native in natives] == before


def test_a_packet_without_content_drains(back_end: str) -> None:
    path = clip("a.mp4", codec_options=B_FRAMES)
    with opened(path) as (track, natives):
        decoder = open_back_end(back_end, track)
        fed = merged(decoder.decode(Packet(track, native)) for native in natives)
        rest = decoder.decode(Packet(track, None))
        assert decoder.drain() == Decoded()
    assert rest.frames
    same_pictures([*fed.frames, *rest.frames], reference(path))


def test_it_goes_on_after_draining(back_end: str) -> None:
    path = clip("a.mp4")
    with opened(path) as (track, natives):
        decoder = open_back_end(back_end, track)
        first = decode_all(decoder, track, natives)
        decoder.reset()
        second = decode_all(decoder, track, natives)
        third = decode_all(decoder, track, natives)
    for result in (first, second, third):
        assert result.notes == ()
        same_pictures(result.frames, reference(path))


def test_a_reset_forgets_the_past(back_end: str) -> None:
    path = clip("a.mp4", codec_options=B_FRAMES)
    expected = reference(path)
    with opened(path) as (track, natives):
        decoder = open_back_end(back_end, track)
        for native in natives[:8]:
            decoder.decode(Packet(track, native))
        decoder.reset()
        # From the middle of the first second: nothing can be shown before the key frame of the next one.
        rest = decode_all(decoder, track, natives[12:])
    same_pictures(rest.frames, expected[25:])
    assert of_kind(rest.notes, "format_change") == []
    assert all(note.details["before_first_key"] for note in rest.notes)


def test_joining_in_mid_gop_is_no_fault_of_the_stream(back_end: str) -> None:
    for name in ("h264 in MPEG-TS", "hevc in MP4", "mpeg2video"):
        with opened(clip(**CLIPS[name])) as (track, natives):
            result = decode_all(open_back_end(back_end, track), track, natives[7:])
        assert all(note.details["before_first_key"] for note in of_kind(result.notes, "decode_error"))
        assert sum(frame.is_key for frame in result.frames) == 1


@pytest.mark.parametrize("sizes", [((192, 108), (128, 96)), ((128, 96), (192, 108))], ids=["smaller", "larger"])
def test_a_new_size_is_shown_as_it_is(sizes: tuple[tuple[int, int], ...], back_end: str) -> None:
    before, after = (clip("a.ts", size=size, start_s=10.0 * at) for at, size in enumerate(sizes))
    with opened(before) as (track, first), opened(after) as (_, second):
        result = decode_all(open_back_end(back_end, track), track, [*first, *second])
    same_pictures(result.frames, [*reference(before), *reference(after)])
    (note,) = result.notes
    assert note.kind == "format_change"
    assert note.pts == result.frames[30].pts
    assert note.details["old"] == {"width": sizes[0][0], "height": sizes[0][1]}
    assert note.details["new"] == {"width": sizes[1][0], "height": sizes[1][1]}
    assert f"width {sizes[0][0]} → {sizes[1][0]}" in note.message


def test_empty_packets_are_no_end(back_end: str) -> None:
    path = clip("a.ts")
    with opened(path) as (track, natives):
        decoder = open_back_end(back_end, track)
        parts = []
        for native in natives:
            parts += [decoder.decode(Packet(track, av.Packet())), decoder.decode(Packet(track, native))]
        result = merged([*parts, decoder.drain()])
    same_pictures(result.frames, reference(path))


def test_times_are_not_made_up(back_end: str) -> None:
    with opened(clip("a.ts")) as (track, natives):
        stripped = []
        for native in natives:
            packet = damaged(native, bytes(native))
            packet.pts = packet.dts = None
            stripped.append(packet)
        result = decode_all(open_back_end(back_end, track), track, stripped)
    assert [frame.pts for frame in result.frames] == [None] * 30


@pytest.mark.parametrize("at", [3, 13, 25])
@pytest.mark.parametrize("jump_s", [-100, 100, -(2**33) // 90_000, -1])
def test_a_jump_of_the_clock_costs_no_picture(jump_s: int, at: int, back_end: str) -> None:
    """Clips joined end to end and clocks of 33 bits jump; the pictures come all the same, each with its own time."""
    path = clip("a.ts", codec_options=B_FRAMES, start_s=200.0)
    expected = reference(path)
    with opened(path) as (track, natives):
        ticks = round(jump_s / track.time_base)
        fed = []
        for number, native in enumerate(natives):
            packet = damaged(native, bytes(native))
            if number >= at:
                packet.pts, packet.dts = (native.pts or 0) + ticks, (native.dts or 0) + ticks
            fed.append(packet)
        shifted = {native.pts for native in natives[at:]}
        decoder = open_back_end(back_end, track)
        result = decode_all(decoder, track, fed)
    same_pictures(result.frames, [((pts or 0) + ticks * (pts in shifted), picture) for pts, picture in expected])
    assert result.notes == ()


@pytest.mark.parametrize("name", ["h264 in MP4 with B-frames", "hevc in MP4", "mpeg2video", "vp9 of odd size"])
@pytest.mark.parametrize("harm", ["hole", "stump", "noise"])
def test_damage_never_raises_and_the_next_key_frame_heals(name: str, harm: str, back_end: str) -> None:
    path = clip(**CLIPS[name])
    rng = np.random.default_rng(3)
    with opened(path) as (track, natives):
        fed = list(natives)
        for at in (5, 6, 11):
            content = bytes(natives[at])
            content = {
                "hole": zeroed(natives[at]),
                "stump": content[: max(1, len(content) // 3)],
                "noise": rng.bytes(len(content)),
            }[harm]
            fed[at] = damaged(natives[at], content)
        result = decode_all(open_back_end(back_end, track), track, fed)
    expected = reference(path)
    healed = [frame for frame in result.frames if frame.pts is not None and frame.pts >= (expected[25][0] or 0)]
    same_pictures(healed, expected[25:])
    assert {note.kind for note in result.notes} <= {"decode_error", "format_change"}


def test_a_packet_marked_as_damaged_is_told_once(back_end: str) -> None:
    path = clip("a.webm", codec="libvpx", codec_options={"deadline": "realtime", "cpu-used": "8"})
    with opened(path) as (track, natives):
        fed = [damaged(native, bytes(native), marked=at == 20) for at, native in enumerate(natives)]
        result = decode_all(open_back_end(back_end, track), track, fed)
    (note,) = result.notes
    assert (note.kind, note.track, note.pts) == ("decode_error", "video", natives[20].pts)
    assert note.details == {"codec": "vp8", "cause": "transport", "before_first_key": False}
    assert [frame.pts for frame in result.frames if frame.is_corrupt] == [natives[20].pts]


def test_a_mark_on_every_packet_says_nothing(back_end: str) -> None:
    with opened(clip("a.webm", codec="libvpx", codec_options={"deadline": "realtime", "cpu-used": "8"})) as (
        track,
        natives,
    ):
        fed = [damaged(native, bytes(native), marked=True) for native in natives]
        result = decode_all(open_back_end(back_end, track), track, fed)
    assert result.notes == ()
    assert not any(frame.is_corrupt for frame in result.frames)


def test_a_track_that_gives_nothing_says_so(back_end: str) -> None:
    with opened(clip("a.ts")) as (track, natives):
        fed = [damaged(native, b"\xff" * 100) for native in natives]
        result = decode_all(open_back_end(back_end, track), track, fed)
    assert result.frames == ()
    last = result.notes[-1]
    assert (last.kind, last.pts, last.details["cause"]) == ("decode_error", None, "nothing")
    assert last.message == "h264: none of 30 packets gave a picture"
    assert not last.details["before_first_key"]


def test_names(back_end: str) -> None:
    with opened(clip("a.ts")) as (track, _):
        assert open_back_end(back_end, track).name == f"{back_end} h264"


def test_settings_are_checked() -> None:
    for wrong in ({"device": "gpu"}, {"gpu": -1}, {"threads": -1}, {"threads": 65}, {"pool_frames": 3}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            DecodeSettings(**wrong)


def test_a_track_that_nothing_decodes() -> None:
    with opened(clip("a.ts")) as (track, _):
        nameless = Track(index=3, kind="video", codec="unknown", time_base=track.time_base)
    with pytest.raises(DecodeError, match="track 3: codec unknown is not known"):
        open_decoder(nameless)


def test_auto_falls_back_to_the_cpu_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_card(*_: object) -> None:
        raise DeviceError("no NVIDIA driver: libcuda.so.1 is missing")

    monkeypatch.setattr("gpu_qa.decode.nvdec.load_driver", no_card)
    with opened(clip("a.ts")) as (track, natives):
        decoder = open_decoder(track, DecodeSettings(device="auto"))
        assert (decoder.name, decoder.reason) == ("pyav h264", "no NVIDIA driver: libcuda.so.1 is missing")
        assert len(decode_all(decoder, track, natives).frames) == 30
        with pytest.raises(DeviceError, match=r"libcuda\.so\.1 is missing"):
            open_decoder(track, DecodeSettings(device="cuda"))


def test_the_cpu_asks_no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> None:
        raise AssertionError("a card was looked for")

    monkeypatch.setattr("gpu_qa.decode.nvdec.load_driver", asked)
    with opened(clip("a.ts")) as (track, _):
        decoder = open_decoder(track, DecodeSettings(device="cpu"))
    assert (decoder.name, decoder.reason) == ("pyav h264", "")


def test_repeated_pictures_do_not_share_memory(tmp_path: Path, back_end: str) -> None:
    still = moving_picture(192, 108)
    path = make_clip(tmp_path / "still.mp4", seconds=1.0, audio=None, picture=lambda index: still(index // 5))
    with opened(path) as (track, natives):
        result = decode_all(open_back_end(back_end, track), track, natives)
    same_pictures(result.frames, reference(path))
    owners = {id(frame.owner) for frame in result.frames}
    assert len(owners) == len(result.frames)
