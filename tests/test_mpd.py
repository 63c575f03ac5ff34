"""Manifests of DASH: every addressing scheme, and what is refused."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gpu_qa.errors import SourceError
from gpu_qa.sources.mpd import Manifest, parse_manifest

pytestmark = pytest.mark.timeout(30)

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
    tracemalloc.start()
    found = manifest(body, 'mediaPresentationDuration="PT1900S"')
    assert all(r.has_segments for r in found.periods[0].representations)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Thirty-eight million of them would take more memory than there is.
    assert peak < 20e6
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
