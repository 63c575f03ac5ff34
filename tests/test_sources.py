"""Inputs from this machine: files of any name and container, and bad ones."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpu_qa.errors import SourceError
from gpu_qa.sources import SourceSettings, open_source
from tests.clips import cached_clip, flip_bits, make_clip, truncate
from tests.source_checks import open_and_read

IMAGE: dict[str, Any] = {"format_name": "image2", "container_options": {"update": "1"}}


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
