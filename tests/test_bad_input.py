"""Input that is broken, odd or hostile ends in a report with exit code 0, 1 or 2: never in an exception or a hang."""

from __future__ import annotations

import dataclasses
import faulthandler
import io
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

import gpu_qa
from gpu_qa.decode import DecodeSettings
from gpu_qa.sources import SourceSettings
from tests.clips import cached_clip, make_clip, moving_picture, truncate
from tests.peers import Answer, HttpServer, free_port, silent_server

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = gpu_qa.Settings(
    source=SourceSettings(open_timeout_s=3, read_timeout_s=3), decode=DecodeSettings(device="cpu", threads=1)
)
SIZE = (96, 54)
CASE_LIMIT_S = 20.0


def analyzed(source: Any, settings: gpu_qa.Settings = SETTINGS) -> gpu_qa.Report:
    """The report of an input; ends this process with every thread's stack where it does not come in time."""
    faulthandler.dump_traceback_later(CASE_LIMIT_S, exit=True)
    try:
        report = gpu_qa.analyze(source, settings)
    finally:
        faulthandler.cancel_dump_traceback_later()
    assert report.exit_code in (0, 1, 2)
    assert all(event.state == "closed" for event in report.events)
    assert all(event.end_s is not None and event.start_s <= event.end_s for event in report.events)
    return report


def kinds(report: gpu_qa.Report) -> set[str]:
    return {event.kind for event in report.events if event.severity != "info"}


def test_what_is_no_media_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("No media, just words.\n" * 50)
    (tmp_path / "noise.ts").write_bytes(np.random.default_rng(3).bytes(20_000))
    for name, words in (
        ("missing.mp4", "no such file"),
        ("empty.mp4", "empty"),
        ("text.mp4", "text file"),
        ("noise.ts", "not a media format"),
        (".", "directory"),
    ):
        report = analyzed(str(tmp_path / name))
        assert report.exit_code == 2
        assert report.error is not None
        assert words in report.error
        assert (report.events, report.media) == ((), {})
        assert report.measurements["analyzed_s"] == 0


@pytest.mark.parametrize("name", ["clip.ts", "clip.mkv", "fragments.mp4"])
def test_a_file_cut_anywhere_is_analyzed_as_far_as_it_goes(name: str, tmp_path: Path) -> None:
    options = {"movflags": "frag_keyframe+empty_moov"} if name.startswith("frag") else None
    data = make_clip(tmp_path / name, seconds=2, size=SIZE, gop=5, container_options=options).read_bytes()
    frames = []
    for part in (0.02, 0.3, 0.6, 0.9):
        path = tmp_path / f"{part}{name}"
        path.write_bytes(data)
        report = analyzed(str(truncate(path, part)))
        frames.append(report.measurements["frames_decoded"])
        assert kinds(report) <= {"stream.decode_error", "stream.gap"}
    assert frames == sorted(frames)
    assert frames[0] < 5 < 15 < frames[2] < frames[3] < 50


def _flip(data: bytearray, rng: np.random.Generator) -> None:
    for at in rng.integers(0, len(data), rng.integers(1, 60)):
        data[at] ^= 1 << int(rng.integers(8))


def _cut(data: bytearray, rng: np.random.Generator) -> None:
    del data[int(rng.integers(len(data))) :]


def _lose(data: bytearray, rng: np.random.Generator) -> None:
    at = int(rng.integers(len(data)))
    del data[at : at + int(rng.integers(1, 3000))]


def _repeat(data: bytearray, rng: np.random.Generator) -> None:
    at, into = rng.integers(0, len(data), 2)
    data[into:into] = data[at : at + int(rng.integers(1, 3000))]


def _blank(data: bytearray, rng: np.random.Generator) -> None:
    at = int(rng.integers(len(data)))
    end = min(len(data), at + int(rng.integers(1, 3000)))
    data[at:end] = bytes([int(rng.choice([0, 255]))]) * (end - at)


def _swap_numbers(data: bytearray, rng: np.random.Generator) -> None:
    """Large and negative numbers where lengths, counts and times may stand."""
    for at in rng.integers(0, len(data) - 4, 4):
        data[at : at + 4] = int(rng.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1])).to_bytes(4, "big")


_HARMS = (_flip, _cut, _lose, _repeat, _blank, _swap_numbers)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["fuzz.mp4", "fuzz.ts"])
def test_two_hundred_ways_to_break_a_clip(name: str) -> None:
    options = {"movflags": "faststart"} if name.endswith("mp4") else None
    clip = make_clip_bytes(name, seconds=1, size=SIZE, gop=5, container_options=options)
    codes = {0: 0, 1: 0, 2: 0}
    for case in range(100):
        rng = np.random.default_rng(case)
        data = bytearray(clip)
        if case % 4 == 3:  # where the container says what is in it
            head = data[:2000]
            _HARMS[int(rng.integers(len(_HARMS)))](head, rng)
            data[:2000] = head
        else:
            _HARMS[case % len(_HARMS)](data, rng)
        codes[analyzed(io.BytesIO(bytes(data))).exit_code] += 1
    assert codes[1] > 20
    assert codes[0] + codes[1] > codes[2]


def make_clip_bytes(name: str, **arguments: Any) -> bytes:
    """A clip's bytes; its file is gone."""
    options = arguments.pop("container_options", None)
    if options is None:
        return cached_clip(name, **arguments).read_bytes()
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return make_clip(Path(folder) / name, container_options=options, **arguments).read_bytes()


def _remuxed(source: Path, target: Path, change: Callable[[Any, int], bool]) -> Path:
    """A copy whose packets `change(packet, number)` may alter; false leaves one out."""
    with av.open(str(source)) as given, av.open(str(target), "w") as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in given.streams}
        for number, packet in enumerate(packet for packet in given.demux() if packet.dts is not None):
            if change(packet, number):
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    return target


def test_tracks_without_content(tmp_path: Path) -> None:
    clip = cached_clip("both.mkv", seconds=4, size=SIZE)

    no_sound = _remuxed(clip, tmp_path / "no_sound.mkv", lambda p, _: p.stream.type == "video")
    report = analyzed(str(no_sound))
    assert "audio.missing" in kinds(report)
    assert report.measurements["frames_decoded"] == 100

    no_picture = _remuxed(clip, tmp_path / "no_picture.mkv", lambda p, _: p.stream.type == "audio")
    report = analyzed(str(no_picture))
    assert report.measurements["frames_decoded"] == 0
    assert report.measurements["integrated_lufs"] is not None

    nothing = _remuxed(clip, tmp_path / "nothing.mkv", lambda *_: False)
    report = analyzed(str(nothing))
    assert report.exit_code == 2
    assert report.measurements["frames_decoded"] == 0
    assert report.error


def test_one_frame_and_one_packet(tmp_path: Path) -> None:
    one = make_clip(tmp_path / "one.mp4", seconds=0.04, size=SIZE, audio=None)
    report = analyzed(str(one))
    assert (report.exit_code, report.events) == (0, ())
    assert report.measurements["frames_decoded"] == 1


def test_time_stamps_that_begin_below_zero() -> None:
    clip = cached_clip("early.mkv", seconds=3, size=SIZE, start_s=-1.5, container_options=None)
    report = analyzed(str(clip))
    assert report.exit_code == 0
    assert report.measurements["analyzed_s"] == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("jump_s", [-5.0, -0.6, 60.0, 36_000.0])
def test_time_stamps_that_jump(jump_s: float, tmp_path: Path) -> None:
    first = make_clip(tmp_path / "first.ts", seconds=2, size=SIZE, start_s=40)
    second = make_clip(tmp_path / "second.ts", seconds=2, size=SIZE, start_s=42 + jump_s)
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    report = analyzed(str(both))
    assert report.measurements["frames_decoded"] == 100
    assert report.measurements["analyzed_s"] == pytest.approx(4, abs=0.3)
    told = [event for event in report.events if event.kind == "stream.discontinuity"]
    assert told
    assert all(event.start_s == pytest.approx(2, abs=0.3) for event in told)
    streams = {kind for kind in kinds(report) if kind.startswith("stream.")}
    assert streams <= {"stream.discontinuity", "stream.decode_error"}


def test_ten_hours_in(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "late.ts", seconds=5, size=SIZE, start_s=36_000, black=(1, 4))
    (event,) = analyzed(str(clip)).events
    assert event.kind == "video.black"
    assert (event.start_s, event.end_s) == pytest.approx((1, 4), abs=0.06)


def test_across_the_wrap_of_the_clock(tmp_path: Path) -> None:
    wrap_s = 2**33 / 90_000
    clip = make_clip(tmp_path / "wrap.ts", seconds=4, size=SIZE, start_s=wrap_s - 3.4)  # the muxer adds 1.4 s
    report = analyzed(str(clip))
    assert not {kind for kind in kinds(report) if kind.startswith("stream.")}
    assert report.measurements["analyzed_s"] == pytest.approx(4, abs=0.1)


def test_sizes_that_change_again_and_again(tmp_path: Path) -> None:
    sizes = ((96, 54), (64, 64), (32, 18), (128, 36), (96, 54))
    data = b""
    for number, size in enumerate(sizes):
        part = make_clip(tmp_path / f"{number}.ts", seconds=1, size=size, audio=None, start_s=number)
        data += part.read_bytes()
    report = analyzed(io.BytesIO(data))
    assert report.measurements["frames_decoded"] == 125
    assert "stream.format_change" in kinds(report)


@pytest.mark.parametrize("size", [(2, 2), (16, 2), (8, 64), (34, 18), (1000, 4)])
def test_tiny_and_narrow_pictures(size: tuple[int, int], tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "small.mkv", seconds=1, size=size, codec="ffv1", picture=moving_picture(*size))
    report = analyzed(str(clip))
    assert report.error is None
    assert report.measurements["frames_decoded"] == 25


def test_sound_that_sets_in_late_and_picture_that_does(tmp_path: Path) -> None:
    late = make_clip(tmp_path / "late.mp4", seconds=5, size=SIZE, audio_start_s=2.5)
    assert kinds(analyzed(str(late))) == {"audio.missing"}

    clip = cached_clip("both.mkv", seconds=4, size=SIZE)
    headless = _remuxed(
        clip, tmp_path / "headless.mkv", lambda p, _: p.stream.type == "audio" or (p.pts or 0) * p.time_base >= 2
    )
    report = analyzed(str(headless))
    assert report.error is None
    assert report.measurements["frames_decoded"] == 50


@pytest.mark.parametrize(
    "name",
    [
        "two words.mp4",
        "100%d.mp4",
        "-format.mp4",
        "a:b.mp4",
        "part#2.mp4",
        "line\nbreak.mp4",
        "größe 電影 🎬.mp4",
        "what?x=1&token=abc.mp4",
        "[bold]red[/bold].mp4",
        "'quotes\" and {braces}.mp4",
        "http:/example.org.mp4",
    ],
)
def test_odd_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = cached_clip("dark.mp4", seconds=3, size=SIZE, black=(0, 3)).read_bytes()
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    monkeypatch.chdir(tmp_path)
    for given in (name, str(path)):
        report = analyzed(given)
        assert report.error is None
        assert report.stream == given
        assert [event.kind for event in report.events] == ["video.black"]


def test_servers_that_do_not_answer() -> None:
    report = analyzed(f"http://127.0.0.1:{free_port()}/clip.ts")
    assert report.exit_code == 2
    assert report.error is not None
    assert "refused" in report.error

    quick = dataclasses.replace(SETTINGS, source=SourceSettings(open_timeout_s=1, read_timeout_s=1))
    with silent_server() as port:
        began_s = time.monotonic()
        report = analyzed(f"http://127.0.0.1:{port}/clip.ts", quick)
        assert time.monotonic() - began_s < 8
    assert report.exit_code == 2


@pytest.mark.parametrize("how", ["stall", "break"])
def test_servers_that_give_up_half_way(how: str) -> None:
    data = cached_clip("dark.ts", seconds=8, size=SIZE, black=(0, 8), gop=12).read_bytes()
    quick = dataclasses.replace(SETTINGS, source=SourceSettings(open_timeout_s=5, read_timeout_s=1))
    given = len(data) * 3 // 4
    answer = Answer(data, stall_after=given) if how == "stall" else Answer(data, break_after=given)
    with HttpServer(lambda _: answer) as server:
        report = analyzed(server.url("clip.ts"), quick)
    (black,) = (event for event in report.events if event.kind == "video.black")
    assert 3 < (black.end_s or 0) < 7.9
    assert report.exit_code == 1
    assert report.measurements["frames_decoded"] > 75


def test_a_file_object_that_fails() -> None:
    data = cached_clip("loud.mkv", seconds=8, size=SIZE, black=(0, 8), audio="pcm_s16le").read_bytes()

    class Failing(io.RawIOBase):
        at = 0

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            if self.at > len(data) * 3 // 4:
                raise OSError("the disk is gone")
            self.at += size
            return data[self.at - size : self.at]

    report = analyzed(Failing())
    assert report.exit_code == 1
    assert report.error is not None
    assert "the disk is gone" in report.error
    assert "video.black" in kinds(report)


def test_one_broken_input_does_not_disturb_another(tmp_path: Path) -> None:
    good = cached_clip("dark.ts", seconds=8, size=SIZE, black=(0, 8), gop=12)
    bad = tmp_path / "bad.ts"
    data = bytearray(good.read_bytes())
    _flip(data, np.random.default_rng(1))
    _blank(data, np.random.default_rng(2))
    bad.write_bytes(data)
    alone = gpu_qa.analyze(str(good), SETTINGS)
    reports: dict[str, gpu_qa.Report] = {}

    def run(key: str, path: Path) -> None:
        reports[key] = gpu_qa.analyze(str(path), SETTINGS)

    inputs = (good, bad, bad, good)
    threads = [threading.Thread(target=run, args=(f"{path.stem}{i}", path)) for i, path in enumerate(inputs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(reports) == 4
    assert reports["dark0"].events == reports["dark3"].events == alone.events
    assert reports["bad1"].events == reports["bad2"].events != alone.events
