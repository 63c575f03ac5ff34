"""DASH: manifests of every addressing scheme, against servers that grow, lose segments, stall and lie."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gpu_qa.errors import SourceError
from gpu_qa.sources import SourceSettings, open_source
from gpu_qa.sources.mpd import Manifest, parse_manifest
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

URL = "http://host/live/index.mpd"


def manifest(body: str, attributes: str = 'mediaPresentationDuration="PT10S"', now_s: float = 0.0) -> Manifest:
    text = f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" {attributes}>{body}</MPD>'
    return parse_manifest(text.encode(), URL, now_s)


def video(addressing: str, period: str = "", attributes: str = "") -> str:
    return (
        f'<Period {period}><AdaptationSet contentType="video" {attributes}>'
        f'<Representation id="v1" bandwidth="1000" width="64" height="48">{addressing}</Representation>'
        "</AdaptationSet></Period>"
    )


def spans(found: Manifest, period: int = 0) -> list[tuple[str, float, float]]:
    segments = found.periods[period].representations[0].segments
    return [(s.url.removeprefix("http://host/live/"), s.start_s, s.duration_s) for s in segments]


# --- manifests ------------------------------------------------------------------------------------------------------


def test_template_with_numbers() -> None:
    found = manifest(
        video(
            '<SegmentTemplate timescale="10" duration="40" startNumber="5" '
            'media="$RepresentationID$/$Number%03d$.m4s" initialization="$RepresentationID$-$Bandwidth$$$.mp4"/>'
        )
    )
    assert spans(found) == [("v1/005.m4s", 0, 4), ("v1/006.m4s", 4, 4), ("v1/007.m4s", 8, 4)]
    init = found.periods[0].representations[0].init
    assert init is not None
    assert init.url == "http://host/live/v1-1000$.mp4"
    assert not found.dynamic


def test_template_with_a_timeline_from_an_outer_level() -> None:
    body = (
        '<Period><SegmentTemplate timescale="100" presentationTimeOffset="1000"><SegmentTimeline>'
        '<S t="1000" d="200" r="1"/><S d="100"/><S t="2000" d="300" r="-1"/>'
        '</SegmentTimeline></SegmentTemplate><AdaptationSet mimeType="audio/mp4" lang="fra">'
        '<SegmentTemplate media="a-$Time$.m4s"/><Representation id="a" bandwidth="7"/></AdaptationSet></Period>'
    )
    found = manifest(body, 'mediaPresentationDuration="PT16S"')
    times = [(1000, 2), (1200, 2), (1400, 1), (2000, 3), (2300, 3)]
    assert spans(found) == [(f"a-{t}.m4s", t / 100, length) for t, length in times]
    representation = found.periods[0].representations[0]
    assert (representation.kind, representation.language, representation.offset_s) == ("audio", "fra", 10)


def test_lists_ranges_and_base_urls() -> None:
    found = manifest(
        "<BaseURL>http://cdn/a/</BaseURL>"
        + video(
            '<BaseURL>b/</BaseURL><SegmentList duration="5"><Initialization sourceURL="all.mp4" range="0-99"/>'
            '<SegmentURL media="all.mp4" mediaRange="100-199"/><SegmentURL mediaRange="200-"/></SegmentList>'
        )
    )
    one = found.periods[0].representations[0]
    assert [(s.url, s.byte_range) for s in one.segments] == [
        ("http://cdn/a/b/all.mp4", (100, 199)),
        ("http://cdn/a/b/", (200, None)),
    ]
    assert one.init is not None
    assert one.init.byte_range == (0, 99)


def test_a_single_file() -> None:
    found = manifest(video("<BaseURL>film.mp4</BaseURL><SegmentBase indexRange='0-99'/>"))
    (segment,) = found.periods[0].representations[0].segments
    assert (segment.url, segment.is_whole) == ("http://host/live/film.mp4", True)


def test_a_live_template_lists_what_exists_by_now() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    attributes = 'type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z" timeShiftBufferDepth="PT10S"'
    template = '<SegmentTemplate duration="4" media="$Number$.m4s"/>'
    for elapsed_s, numbers in ((0, []), (4.1, [1]), (41, [8, 9, 10])):
        now = (start + timedelta(seconds=elapsed_s)).timestamp()
        assert [u for u, _, _ in spans(manifest(video(template), attributes, now))] == [f"{n}.m4s" for n in numbers]


def test_periods_follow_one_another() -> None:
    template = '<SegmentTemplate duration="2" media="$Number$.m4s"/>'
    found = manifest(video(template, 'duration="PT4S"') + video(template, "") + video(template, 'start="PT8S"'))
    assert [p.start_s for p in found.periods] == [0, 4, 8]
    assert [len(spans(found, i)) for i in range(3)] == [2, 2, 1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<MPD/>", "without a period"),
        ("<MPD><Period>", "cannot be understood"),
        ("<html/>", "no DASH manifest"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><MPD/>', "document type declaration"),
        ('<MPD mediaPresentationDuration="ten"><Period/></MPD>', "no duration"),
        ("<MPD>" + video('<SegmentTemplate media="a"/>') + "</MPD>", "how long its segments are"),
        (
            "<MPD>"
            + video(
                '<SegmentTemplate media="a"><SegmentTimeline><S d="1" r="9999999"/></SegmentTimeline></SegmentTemplate>'
            )
            + "</MPD>",
            "more segments than make sense",
        ),
        (
            "<MPD>"
            + video('<SegmentTemplate media="a"><SegmentTimeline><S d="0" r="9"/></SegmentTimeline></SegmentTemplate>')
            + "</MPD>",
            "segments of no length",
        ),
    ],
)
def test_bad_manifests(text: str, told: str) -> None:
    def segments() -> list[Any]:
        found = parse_manifest(text.encode(), URL, 0.0)
        return [r.segments for period in found.periods for r in period.representations]

    with pytest.raises(SourceError, match=told):
        segments()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_declaration_is_refused_in_every_encoding(encoding: str) -> None:
    entities = '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    text = f'<?xml version="1.0"?><!DOCTYPE MPD [{entities}]><MPD><Period id="&b;"/></MPD>'
    with pytest.raises(SourceError, match="document type declaration"):
        parse_manifest(text.encode(encoding), URL, 0.0)


def test_manifests_in_utf_16_are_read() -> None:
    text = '<?xml version="1.0" encoding="utf-16"?><MPD><Period id="é"/></MPD>'
    assert parse_manifest(text.encode("utf-16"), URL, 0.0).periods[0].identity == "é"
    with pytest.raises(SourceError, match="cannot be understood"):
        parse_manifest(text.replace("utf-16", "no-such").encode(), URL, 0.0)


def test_numbers_are_padded_to_two_digits_of_width_at_most() -> None:
    found = manifest(video('<SegmentTemplate duration="10" media="$Number%09d$-$Number%050000000d$"/>'))
    assert spans(found) == [("000000001-$Number%050000000d$", 0, 10)]


def test_segments_are_listed_only_where_they_are_asked_for() -> None:
    template = '<SegmentTemplate duration="1" timescale="100" media="$Number$.m4s"/>'
    many = "".join(f'<Representation id="{n}">{template}</Representation>' for n in range(200))
    body = f'<Period><AdaptationSet contentType="video">{many}</AdaptationSet></Period>'
    before = time.monotonic()
    found = manifest(body, 'mediaPresentationDuration="PT1900S"')
    assert all(r.has_segments for r in found.periods[0].representations)
    # Forty million of them would take minutes, and more memory than there is.
    assert time.monotonic() - before < 1
    assert len(spans(found)) == 190_000


def test_addresses_have_a_limit_together() -> None:
    body = video(f'<SegmentTemplate duration="1" timescale="100" media="{"a" * 1000}$Number$"/>')
    found = manifest(body, 'mediaPresentationDuration="PT1900S"')
    with pytest.raises(SourceError, match="longer addresses"):
        spans(found)


@pytest.mark.parametrize("depth", ["", 'timeShiftBufferDepth="PT10S"'])
def test_a_live_template_that_has_been_on_for_decades(depth: str) -> None:
    attributes = f'type="dynamic" availabilityStartTime="1970-01-01T00:00:00Z" {depth}'
    found = manifest(video('<SegmentTemplate duration="2" media="$Number$"/>'), attributes, 1_800_000_001.0)
    assert spans(found)[-1] == ("900000000", 1_799_999_998, 2)


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


# --- through a source -----------------------------------------------------------------------------------------------


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
        '<MPD mediaPresentationDuration="PT2S">'
        + video(f'<SegmentTemplate duration="1" media="{target}" initialization="{target}"/>')
        + "</MPD>"
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
