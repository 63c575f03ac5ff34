"""DASH through a source: servers that grow, lose segments, stall and lie."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from gpu_qa.errors import SourceError
from gpu_qa.sources import SourceSettings, open_source
from tests.clips import cached_clip
from tests.peers import Answer, HttpServer, files_of, segmented
from tests.source_checks import (  # noqa: F401 - fixtures are found by their names
    IMPATIENT,
    PATIENT,
    QUICK,
    assert_both_tracks,
    interrupted_after,
    movie_clip,
    no_child_stays,
    no_proxy,
    notes_of,
    read_until_stall,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.timeout(30), pytest.mark.usefixtures("no_proxy", "no_child_stays")]


def test_what_cannot_be_analyzed_is_said() -> None:
    template = '<SegmentTemplate duration="5" media="a"/>'
    body = (
        "<Period><AdaptationSet contentType='text'><Representation id='t'/></AdaptationSet>"
        "<AdaptationSet contentType='video'><EssentialProperty schemeIdUri='urn:trick'/></AdaptationSet>"
        f"<AdaptationSet contentType='video'><ContentProtection/><Representation id='p'>{template}</Representation>"
        "</AdaptationSet></Period>"
    )
    text = f'<MPD mediaPresentationDuration="PT10S">{body}</MPD>'
    with HttpServer(lambda _: text.encode()) as server, pytest.raises(SourceError) as caught:
        open_source(server.url("index.mpd"), QUICK)
    for told in ("neither picture nor sound", "track 0 text", "track 1 video: for special players", "track 2 is encry"):
        assert told in str(caught.value)


def read_dash(answer: Callable[[str], Any], settings: SourceSettings = QUICK) -> tuple[Any, list[Any]]:
    with HttpServer(answer) as server, open_source(server.url("index.mpd"), settings) as source:
        return source, list(source.packets())


@pytest.mark.needs_ffmpeg
@pytest.mark.parametrize("kind", ["dash", "dash-number"])
@pytest.mark.parametrize("way", ["http", "file"])
def test_dash_to_its_end(kind: str, way: str) -> None:
    folder = segmented(movie_clip(), kind)
    if way == "http":
        source, packets = read_dash(files_of(folder))
    else:
        with open_source(folder / "index.mpd", QUICK) as source:
            packets = list(source.packets())
    assert (source.facts.container, source.facts.live) == ("dash", False)
    assert source.facts.duration_s == pytest.approx(4, abs=0.1)
    assert_both_tracks(source, packets)
    assert sum(p.track.kind == "video" for p in packets) == 101
    assert source.complete
    assert notes_of(packets) == []
    times = [float(p.native.dts * p.track.time_base) for p in packets if p.native is not None]
    assert times == sorted(times)


@pytest.mark.needs_ffmpeg
def test_a_manifest_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    files = files_of(segmented(movie_clip(), "dash"))
    server = HttpServer(lambda path: files("index.mpd" if path == "manifest" else path))
    with server, open_source(server.url("manifest?token=1"), QUICK) as source:
        assert source.facts.container == "dash"


@pytest.mark.needs_ffmpeg
@pytest.mark.parametrize("broken", ["missing", "stalls", "breaks off"])
def test_a_lost_segment_is_skipped_and_told(broken: str) -> None:
    files = files_of(segmented(movie_clip(), "dash"))

    def answer(path: str) -> Answer | bytes | None:
        body = files(path)
        if path != "chunk-stream0-00003.m4s" or body is None:
            return body
        if broken == "missing":
            return None
        half = len(body) // 2
        return Answer(body, stall_after=half) if broken == "stalls" else Answer(body, break_after=half)

    source, packets = read_dash(answer)
    assert source.complete
    (note,) = notes_of(packets)
    assert (note.kind, note.track) == ("transport_error", "video")
    assert "a segment of 1 s is missing" in note.message
    assert note.details["url"].endswith("chunk-stream0-00003.m4s")
    assert note.pts is not None
    assert float(note.pts * note.time_base) == pytest.approx(2, abs=0.01)
    pts_s = sorted(float(p.native.pts * p.track.time_base) for p in packets if p.native and p.track.kind == "video")
    assert pts_s[-1] == pytest.approx(3.96, abs=0.01)
    assert len(pts_s) == 75


def live(folder: Path, shown_at_once: int, goes_on: bool) -> Callable[[str], bytes | None]:
    """A dynamic manifest in which a segment of half a second shows up every half second."""
    started: list[float] = []
    files = files_of(folder)

    def answer(path: str) -> bytes | None:
        if path != "index.mpd":
            return files(path)
        started.append(time.monotonic())
        shown = min(8, shown_at_once + (int((started[-1] - started[0]) * 4) if goes_on else 0))
        ended = goes_on and shown == 8
        sets = "".join(
            f'<AdaptationSet contentType="{kind}"><Representation id="{number}" bandwidth="1">'
            f'<SegmentTemplate timescale="2" media="chunk-stream{number}-$Number%05d$.m4s" '
            f'initialization="init-stream{number}.m4s" startNumber="1"><SegmentTimeline>'
            f'<S t="0" d="1" r="{shown - 1}"/></SegmentTimeline></SegmentTemplate></Representation></AdaptationSet>'
            for number, kind in enumerate(("video", "audio"))
        )
        state = (
            'type="static" mediaPresentationDuration="PT4S"' if ended else 'type="dynamic" minimumUpdatePeriod="PT0.2S"'
        )
        return f"<MPD {state}><Period id='1' start='PT0S'>{sets}</Period></MPD>".encode()

    return answer


@pytest.fixture
def half_seconds() -> Path:
    return segmented(cached_clip("clip.mp4", seconds=4, size=(96, 64), gop=12, rate=24), "dash-half")


@pytest.mark.needs_ffmpeg
def test_live_dash_grows_to_its_end(half_seconds: Path) -> None:
    source, packets = read_dash(live(half_seconds, 4, goes_on=True))
    assert source.facts.live
    assert source.facts.duration_s is None
    assert source.complete
    # It is joined three segments before the live edge.
    assert sum(p.track.kind == "video" for p in packets) == 1 + 12 * (3 + 4)


@pytest.mark.needs_ffmpeg
def test_live_dash_that_stops_growing_is_no_end(half_seconds: Path) -> None:
    server = HttpServer(live(half_seconds, 4, goes_on=False))
    with server, open_source(server.url("index.mpd"), IMPATIENT) as source:
        _, error, waited_s = read_until_stall(source, lambda: None, after=0)
        assert "nothing arrived for 0.8 s" in str(error)
        assert waited_s < 3


@pytest.mark.needs_ffmpeg
def test_interrupting_dash(half_seconds: Path) -> None:
    server = HttpServer(live(half_seconds, 4, goes_on=False))
    with server, open_source(server.url("index.mpd"), PATIENT) as source:
        assert interrupted_after(source, 5) < 1


@pytest.mark.needs_ffmpeg
def test_periods_are_strung_together_in_time() -> None:
    folder = segmented(movie_clip(), "dash")
    files = files_of(folder)

    def period(start_s: int, first: int) -> str:
        return f'<Period id="{start_s}" start="PT{start_s}S">' + "".join(
            f'<AdaptationSet contentType="{kind}"><Representation id="{number}" bandwidth="1"><SegmentTemplate '
            f'duration="1" media="chunk-stream{number}-$Number%05d$.m4s" initialization="init-stream{number}.m4s" '
            f'startNumber="{first}" presentationTimeOffset="{first - 1}"/></Representation></AdaptationSet>'
            for number, kind in enumerate(("video", "audio"))
        ) + "</Period>"  # fmt: skip

    text = f'<MPD mediaPresentationDuration="PT4S">{period(0, 3)}{period(2, 1)}</MPD>'
    source, packets = read_dash(lambda path: text.encode() if path == "index.mpd" else files(path))
    assert source.complete
    pts_s = [float(p.native.pts * p.track.time_base) for p in packets if p.native and p.track.kind == "video"]
    assert pts_s == pytest.approx([i / 25 for i in range(100)], abs=0.002)
    assert len({id(p.track) for p in packets}) == 2


@pytest.mark.needs_ffmpeg
def test_representations_are_chosen() -> None:
    folders = {
        "small": segmented(cached_clip("clip.mp4", seconds=2, size=(64, 48), gop=25), "dash"),
        "large": segmented(cached_clip("clip.mp4", seconds=2, size=(128, 96), gop=25), "dash"),
    }
    template = (
        '<SegmentTemplate duration="1" media="$RepresentationID$/chunk-stream{0}-$Number%05d$.m4s" '
        'initialization="$RepresentationID$/init-stream{0}.m4s"/>'
    )
    text = (
        '<MPD mediaPresentationDuration="PT2S"><Period>'
        f'<AdaptationSet contentType="video">{template.format(0)}<Representation id="small" width="64" height="48"/>'
        '<Representation id="large" width="128" height="96"/></AdaptationSet>'
        f'<AdaptationSet contentType="audio" lang="eng">{template.format(1)}<Representation id="small"/>'
        f'</AdaptationSet><AdaptationSet contentType="audio" lang="fra">{template.format(1)}'
        '<Representation id="large"/></AdaptationSet>'
        "</Period></MPD>"
    )

    def answer(path: str) -> bytes | None:
        folder, _, name = path.partition("/")
        return text.encode() if path == "index.mpd" else files_of(folders[folder])(name)

    source, packets = read_dash(answer)
    assert [(t.index, t.width, t.language) for t in source.facts.tracks] == [(0, 128, None), (1, None, "eng")]
    assert len(source.facts.ignored) == 2
    source, packets = read_dash(answer, SourceSettings(program=0, audio_tracks="all"))
    assert [(t.index, t.width, t.language) for t in source.facts.tracks] == [
        (0, 64, None),
        (1, None, "eng"),
        (2, None, "fra"),
    ]
    assert {p.track.index for p in packets} == {0, 1, 2}
    source, _ = read_dash(answer, SourceSettings(audio_tracks=(2,)))
    assert [t.index for t in source.facts.tracks] == [0, 2]
    with pytest.raises(SourceError, match=r"no audio track 7. Its audio tracks: 1, 2"):
        read_dash(answer, SourceSettings(audio_tracks=(7,)))
    with pytest.raises(SourceError, match="no video track 0 with a variant 9"):
        read_dash(answer, SourceSettings(program=9))


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a", "udp://127.0.0.1:9"])
def test_a_remote_manifest_may_not_reach_for_other_protocols(target: str) -> None:
    text = (
        '<MPD mediaPresentationDuration="PT2S"><Period><AdaptationSet contentType="video">'
        '<Representation id="v1" bandwidth="1000" width="64" height="48">'
        f'<SegmentTemplate duration="1" media="{target}" initialization="{target}"/>'
        "</Representation></AdaptationSet></Period></MPD>"
    )
    with HttpServer(lambda _: text.encode()) as server, pytest.raises(SourceError, match=r"not allowed|not known"):
        open_source(server.url("index.mpd"), QUICK)


def test_a_redirect_to_another_protocol_is_refused() -> None:
    def answer(path: str) -> Answer:
        return Answer(b"", status=302, headers={"Location": "file:///etc/passwd"})

    with HttpServer(answer) as server, pytest.raises(SourceError, match="not allowed"):
        open_source(server.url("index.mpd"), QUICK)


def test_a_manifest_that_is_missing() -> None:
    with HttpServer(lambda _: None) as server, pytest.raises(SourceError, match="HTTP 404"):
        open_source(server.url("index.mpd"), QUICK)
