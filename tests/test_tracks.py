"""Which tracks and programmes of an input are read, and which are passed over."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from gpu_qa.errors import SourceError
from gpu_qa.sources import SourceSettings, open_source
from tests.clips import cached_clip, make_clip
from tests.source_checks import open_and_read, read

if TYPE_CHECKING:
    from pathlib import Path


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
