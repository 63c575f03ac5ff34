"""Inputs from this machine: files of any name and container, tracks and programmes, bad input, addresses."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import subprocess
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from gpu_qa.errors import SourceError
from gpu_qa.sources import Source, SourceSettings, open_source
from gpu_qa.sources.address import PROTOCOLS, libav_whitelist, parse_address, without_credentials
from tests.clips import cached_clip, flip_bits, make_clip, truncate

if TYPE_CHECKING:
    from gpu_qa.media import Packet

IMAGE: dict[str, Any] = {"format_name": "image2", "container_options": {"update": "1"}}


def read(source: Source) -> list[Packet]:
    """All packets of a source, checked for what every source promises."""
    packets = list(source.packets())
    ends = [p.track.index for p in packets if p.native is None]
    assert sorted(ends) == sorted(t.index for t in source.facts.tracks)
    for track in source.facts.tracks:
        own = [p for p in packets if p.track is track or p.track.index == track.index]
        assert own[-1].native is None
        assert all(p.native is not None for p in own[:-1])
    return packets


def open_and_read(url: str | Path, settings: SourceSettings = SourceSettings()) -> tuple[Source, list[Packet]]:
    with open_source(url, settings) as source:
        return source, read(source)


@pytest.mark.parametrize(
    ("name", "codec", "audio", "container"),
    [
        ("clip.mp4", "libx264", "aac", "mov,mp4,m4a,3gp,3g2,mj2"),
        ("clip.ts", "libx264", "aac", "mpegts"),
        ("clip.mkv", "ffv1", "pcm_s16le", "matroska,webm"),
        ("clip.avi", "mpeg4", "mp2", "avi"),
        ("clip.mpg", "mpeg2video", "mp2", "mpeg"),
        ("clip.webm", "libvpx", "libopus", "matroska,webm"),
        ("clip.flv", "libx264", "aac", "flv"),
    ],
)
def test_any_container(name: str, codec: str, audio: str, container: str) -> None:
    source, packets = open_and_read(cached_clip(name, seconds=1, codec=codec, audio=audio))
    assert source.facts.container == container
    assert not source.facts.live
    assert source.complete
    assert source.facts.duration_s == pytest.approx(1, abs=0.1)
    video, sound = source.facts.tracks
    assert (video.kind, video.width, video.height, video.frame_rate) == ("video", 192, 108, Fraction(25))
    assert (sound.kind, sound.sample_rate, sound.channels) == ("audio", 48_000, ("FL", "FR"))
    # Matroska does not say which channel of PCM is which.
    assert sound.channels_assumed == (audio == "pcm_s16le")
    assert sum(p.native is not None and p.track.kind == "video" for p in packets) == 25
    assert not any(p.notes for p in packets)


@pytest.mark.parametrize(
    "name",
    [
        "with space.mp4",
        "-dash.mp4",
        "100%d.mp4",
        "%03d.ts",
        "pipe:0.mp4",
        "http:colon.mkv",
        "ümläut 雪.mp4",
        "quote\"'`$;&|.mp4",
        "?query=1#fragment.mp4",
        "a%20b.mp4",
        "[glob]*{a,b}.mp4",
        os.fsdecode(b"not-utf8-\xff.mp4"),
        "new\nline.mp4",
        "noextension",
        "wrong.txt",
    ],
)
def test_a_file_is_a_file_whatever_its_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suffix = Path(name).suffix if Path(name).suffix in (".ts", ".mkv") else ".mp4"
    clip = cached_clip(f"clip{suffix}", seconds=1)
    (tmp_path / name).write_bytes(clip.read_bytes())
    monkeypatch.chdir(tmp_path)
    for way in (name, tmp_path / name, str(tmp_path / name), f"file:{name}"):
        source, packets = open_and_read(way)
        assert len(packets) > 25
        assert source.complete


def test_file_urls_are_unquoted(tmp_path: Path) -> None:
    path = tmp_path / "a b%.mp4"
    path.write_bytes(cached_clip("clip.mp4", seconds=1).read_bytes())
    source, packets = open_and_read(path.as_uri())
    assert len(packets) > 25
    assert source.name == path.as_uri()


def test_a_picture_file_with_a_pattern_in_its_name_is_one_picture(tmp_path: Path) -> None:
    for name in ("shot%d.png", "shot1.png", "shot2.png"):
        make_clip(tmp_path / name, seconds=0.04, codec="png", audio=None, pixel_format="rgb24", picture=None, **IMAGE)
    _, packets = open_and_read(tmp_path / "shot%d.png")
    assert len([p for p in packets if p.native is not None]) == 1


def test_sound_alone_and_picture_alone() -> None:
    source, _ = open_and_read(cached_clip("clip.m4a", seconds=1, codec=None))
    assert [t.kind for t in source.facts.tracks] == ["audio"]
    source, _ = open_and_read(cached_clip("clip.mkv", seconds=1, audio=None))
    assert [t.kind for t in source.facts.tracks] == ["video"]


def test_audio_tracks_are_the_first_all_or_some() -> None:
    clip = cached_clip("clip.mkv", seconds=1, audio_tracks=3, audio_languages=("eng", "fra", "deu"))

    def indices(audio_tracks: object) -> list[int]:
        source, packets = open_and_read(clip, SourceSettings(audio_tracks=audio_tracks))  # type: ignore[arg-type]
        assert {p.track.index for p in packets} == {t.index for t in source.facts.tracks}
        return [t.index for t in source.facts.tracks]

    assert indices("first") == [0, 1]
    assert indices("all") == [0, 1, 2, 3]
    assert indices((3, 2)) == [0, 2, 3]
    assert indices(()) == [0]
    source, _ = open_and_read(clip)
    assert source.facts.tracks[1].language == "eng"
    assert source.facts.ignored == (
        "track 2 audio aac (fra): not chosen (setting `audio_tracks`)",
        "track 3 audio aac (deu): not chosen (setting `audio_tracks`)",
    )
    with pytest.raises(SourceError, match=r"no audio track 0. Its audio tracks: 1, 2, 3"):
        open_source(clip, SourceSettings(audio_tracks=(0,)))
    with pytest.raises(SourceError, match=r"no video track 5. Its video tracks: 0"):
        open_source(clip, SourceSettings(video_track=5))


SUBTITLES = "1\n00:00:00,000 --> 00:00:01,000\nHello\n\n2\n00:00:01,000 --> 00:00:02,000\nWorld\n"


def remux(path: Path, *clips: Path, cover: bool = False) -> Path:
    """All tracks of some clips in one file, with a cover picture or without."""
    inputs = [av.open(str(clip)) for clip in clips]
    with av.open(str(path), "w") as out:
        pairs = [(stream, out.add_stream_from_template(stream)) for source in inputs for stream in source.streams]
        picture = None
        if cover:
            picture = out.add_stream("mjpeg", rate=1)
            picture.width, picture.height, picture.pix_fmt = 32, 32, "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 32), np.uint8), "yuvj420p")
            out.mux(picture.encode(frame))
            out.mux(picture.encode(None))
        for source in inputs:
            mapped = {old.index: new for old, new in pairs if old.container is source}
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = mapped[packet.stream.index]
                    out.mux(packet)
    for source in inputs:
        source.close()
    return path


def test_cover_art_is_no_picture(tmp_path: Path) -> None:
    clip = remux(tmp_path / "song.mp4", cached_clip("clip.m4a", seconds=1, codec=None), cover=True)
    source, _ = open_and_read(clip)
    assert [t.kind for t in source.facts.tracks] == ["audio"]
    assert len(source.facts.ignored) == 1
    assert "attached picture" in source.facts.ignored[0]


def test_subtitles_are_ignored_and_nothing_else_is_an_error(tmp_path: Path) -> None:
    subtitles = tmp_path / "only.srt"
    subtitles.write_text(SUBTITLES)
    clip = remux(tmp_path / "film.mkv", cached_clip("clip.mp4", seconds=1), subtitles)
    source, _ = open_and_read(clip)
    assert len(source.facts.tracks) == 2
    assert source.facts.ignored == ("track 2 subtitle subrip: subtitles are not analyzed",)
    with pytest.raises(SourceError, match=r"neither picture nor sound to analyze \(track 0 subtitle"):
        open_source(subtitles)


@pytest.fixture(scope="module")
def two_programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transport stream with a radio programme (number 3) before two of television (7 and 9)."""
    folder = tmp_path_factory.mktemp("programs")
    television = cached_clip("clip.mkv", seconds=1, audio_tracks=2, audio_languages=("eng", "fra"))
    radio = cached_clip("clip.m4a", seconds=1, codec=None)
    other = cached_clip("clip.mp4", seconds=1, size=(96, 64))
    path = folder / "programs.ts"
    try:
        subprocess.run(
            ["ffmpeg", "-nostdin", "-v", "error"]
            + [a for clip in (radio, television, other) for a in ("-i", str(clip))]
            + ["-map", "0", "-map", "1", "-map", "2", "-c", "copy"]
            + ["-program", "program_num=3:st=0", "-program", "program_num=7:st=1:st=2:st=3"]
            + ["-program", "program_num=9:st=4:st=5", str(path)],
            check=True,
            timeout=30,
        )
    except FileNotFoundError:
        pytest.skip("ffmpeg is not installed")
    return path


@pytest.mark.needs_ffmpeg
def test_the_first_programme_with_picture_and_sound_is_taken(two_programs: Path) -> None:
    source, _ = open_and_read(two_programs, SourceSettings(audio_tracks="all"))
    assert [t.index for t in source.facts.tracks] == [1, 2, 3]
    assert source.facts.ignored[0] == "track 0 audio aac: of programme 3; analyzed is 7"
    assert len(source.facts.ignored) == 3


@pytest.mark.needs_ffmpeg
def test_a_programme_can_be_chosen(two_programs: Path) -> None:
    source, _ = open_and_read(two_programs, SourceSettings(program=9))
    assert [(t.index, t.width) for t in source.facts.tracks] == [(4, 96), (5, None)]
    source, _ = open_and_read(two_programs, SourceSettings(program=3))
    assert [t.index for t in source.facts.tracks] == [0]
    source, _ = open_and_read(two_programs, SourceSettings(video_track=4))
    assert [t.index for t in source.facts.tracks] == [4, 5]
    with pytest.raises(SourceError, match=r"no programme 8\. Its programmes: 3, 7, 9"):
        open_source(two_programs, SourceSettings(program=8))
    with pytest.raises(SourceError, match=r"no programme 1\. Its programmes: none"):
        open_source(cached_clip("clip.mp4", seconds=1), SourceSettings(program=1))
    assert av.logging.get_level() is None


def test_a_track_that_appears_later_does_not_disturb(tmp_path: Path) -> None:
    first = cached_clip("clip.ts", seconds=1, audio=None).read_bytes()
    second = cached_clip("clip.ts", seconds=1, audio_tracks=2).read_bytes()
    path = tmp_path / "late.ts"
    path.write_bytes(first * 4 + second)
    # By a pipe, so that libavformat cannot look ahead.
    with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        with open_source(child.stdout, SourceSettings(probe_size=5000, analyze_s=0.1)) as source:
            packets = read(source)
    assert source.complete
    assert [t.kind for t in source.facts.tracks] == ["video"]
    assert len([p for p in packets if p.native is not None]) == 125


def test_ten_hour_time_stamps_stay_whole() -> None:
    _, packets = open_and_read(cached_clip("clip.ts", seconds=1, start_s=36_000))
    first = next(p.native for p in packets if p.track.kind == "video")
    assert first.pts * first.time_base == pytest.approx(36_000, abs=2)
    assert isinstance(first.pts, int)


@cache
def long_clip(name: str) -> Path:
    options = {"movflags": "faststart"} if name == "clip.mp4" else None
    folder = cached_clip(name, seconds=1, size=(64, 48)).parent
    return make_clip(folder / f"long-{name}", seconds=12, size=(64, 48), container_options=options)


@pytest.mark.parametrize("fraction", [0.5, 0.8])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.flv"])
def test_a_file_cut_short_ends_with_a_note(name: str, fraction: float, tmp_path: Path) -> None:
    whole = long_clip(name)
    clip = truncate(Path(shutil.copy(whole, tmp_path)), fraction)
    source, packets = open_and_read(clip)
    notes = [note for p in packets for note in p.notes]
    assert source.complete
    assert len(packets) > 100
    assert {n.kind for n in notes} == {"transport_error"}
    assert all(n.pts is not None for n in notes)
    if name != "clip.flv":
        short = [n for n in notes if "cut short?" in n.message]
        assert short
        assert short[0].details["stated_s"] == pytest.approx(12, abs=0.1)
        assert short[0].details["reached_s"] == pytest.approx(12 * fraction, abs=2)


def test_tracks_without_a_packet_are_an_error(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv", seconds=1)
    data = clip.read_bytes()
    clip.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75") + 8])  # Matroska's first cluster
    with open_source(clip) as source, pytest.raises(SourceError, match="its tracks are empty"):
        read(source)
    assert not source.complete


def test_a_short_sound_track_is_not_cut_short(tmp_path: Path) -> None:
    long, short = cached_clip("clip.mkv", seconds=8, audio=None), cached_clip("clip.m4a", seconds=1, codec=None)
    for name in ("both.mkv", "both.mp4"):
        _, packets = open_and_read(remux(tmp_path / name, long, short))
        assert not any(p.notes for p in packets), name


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts", "clip.avi"])
def test_flipped_bits_never_raise(name: str, tmp_path: Path) -> None:
    codec = {"codec": "mpeg4", "audio": "mp2"} if name.endswith("avi") else {}
    clip = cached_clip(name, seconds=1, size=(64, 48), **codec).read_bytes()
    path = tmp_path / name
    opened = 0
    for seed in range(15):
        path.write_bytes(clip)
        flip_bits(path, count=1 + 20 * (seed % 3), seed=seed)
        with contextlib.suppress(SourceError):
            open_and_read(path)
            opened += 1
    assert opened > 5


def test_bad_files_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def message(path: str | Path) -> str:
        with pytest.raises(SourceError) as caught:
            open_source(path)
        assert str(path) in str(caught.value)
        return str(caught.value)

    empty, text, page, noise = (tmp_path / n for n in ("empty.mp4", "text.mp4", "page.mp4", "noise.mp4"))
    empty.touch()
    text.write_text("Dear diary,\n" * 300 + "ü" * 40_000)
    page.write_text("<!DOCTYPE html><html><body>Not found</body></html>")
    noise.write_bytes(np.random.default_rng(1).integers(0, 256, 5000, np.uint8).tobytes())
    assert "no such file" in message(tmp_path / "missing.mp4")
    assert "is empty" in message(empty)
    assert "is a directory" in message(tmp_path)
    assert "a text file" in message(text)
    assert "a web page" in message(page)
    assert "not a media format" in message(noise)
    assert "begins with its protocol" in message("127.0.0.1:5000")
    unfinished = truncate(make_clip(tmp_path / "unfinished.mp4", seconds=1), 0.7)
    assert "without its index (moov)" in message(unfinished)
    assert "Not a directory" in message(empty / "below.mp4")
    assert "File name too long" in message("x" * 5000)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "permission denied" in message(noise)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", "no address"),
        ("a\0b", "no address"),
        ("gopher://host/x", "protocol gopher is not known"),
        ("concat://a|b", "protocol concat is not known"),
        ("file://otherhost/clip.mp4", "another machine"),
    ],
)
def test_bad_addresses(address: str, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        open_source(address)


def test_only_allowed_protocols_are_opened(tmp_path: Path) -> None:
    clip = cached_clip("clip.mp4", seconds=1)
    settings = SourceSettings(protocols=("https",))
    for address in (str(clip), clip.as_uri(), "http://127.0.0.1/x", "-", "udp://127.0.0.1:1"):
        with pytest.raises(SourceError, match=r"are not allowed here. Allowed are: https"):
            open_source(address, settings)
    with clip.open("rb") as file, pytest.raises(SourceError, match="not allowed here"):
        open_source(file, settings)


def test_a_playlist_reaches_no_further_than_its_kind() -> None:
    for protocol in ("http", "https", "rtmp", "rtsp", "udp", "rtp"):
        assert "file" not in libav_whitelist(protocol, tuple(PROTOCOLS)).split(",")
    assert libav_whitelist("file", tuple(PROTOCOLS)) == "file,crypto,data"
    assert "http" not in libav_whitelist("https", ("https",)).split(",")


@pytest.mark.parametrize("entry", ["http://127.0.0.1:1/a.ts", "udp://127.0.0.1:1", "gopher://127.0.0.1/a.ts"])
def test_a_local_playlist_stays_on_this_machine(entry: str, tmp_path: Path) -> None:
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{entry}\n#EXT-X-ENDLIST\n")
    with pytest.raises(SourceError, match=r"the playlist reaches for .*may reach file only"):
        open_source(playlist)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("rtsp://user:secret@host:554/a", "rtsp://host:554/a"),
        ("http://user@host/a?x=1&token=abc&y=2", "http://host/a?x=1&token=…&y=2"),
        ("srt://host:9000?passphrase=secret&mode=caller", "srt://host:9000?passphrase=…&mode=caller"),
        ("https://host/a@b?Signature=abc&Key-Pair-Id=k", "https://host/a@b?Signature=…&Key-Pair-Id=…"),
        ("udp://@239.1.1.1:1234?localaddr=10.0.0.1", "udp://@239.1.1.1:1234?localaddr=10.0.0.1"),
        ("http://a:b@c:d@host/x", "http://host/x"),
    ],
)
def test_names_hold_no_credentials(url: str, name: str) -> None:
    assert without_credentials(url) == name
    assert parse_address(url, PROTOCOLS).name == name
    assert parse_address(url, PROTOCOLS).url == url


def test_settings_are_checked() -> None:
    bad: dict[str, Any]
    for bad in (
        {"open_timeout_s": 0},
        {"read_timeout_s": float("nan")},
        {"segment_timeout_s": -1},
        {"probe_size": 1},
        {"analyze_s": -1},
        {"rtsp_transport": "carrier pigeon"},
        {"audio_tracks": "second"},
        {"protocols": ("file", "gopher")},
    ):
        with pytest.raises(ValueError, match=r"must be|not known"):
            SourceSettings(**bad)
    assert dataclasses.replace(SourceSettings(), read_timeout_s=1).read_timeout_s == 1


def test_frame_rates_are_exact() -> None:
    source, _ = open_and_read(cached_clip("clip.mp4", seconds=1, rate=Fraction(30_000, 1001)))
    assert source.facts.tracks[0].frame_rate == Fraction(30_000, 1001)
    assert source.facts.tracks[0].time_base.numerator == 1


def test_interrupting_a_file_ends_its_tracks() -> None:
    with open_source(cached_clip("clip.mp4", seconds=1)) as source:
        packets = source.packets()
        first = next(packets)
        assert first.native is not None
        source.interrupt()
        source.interrupt()
        rest = list(packets)
        assert all(p.native is None for p in rest)
        assert len(rest) == 2
        assert not source.complete
