"""Inputs by HTTP, among them HLS, against servers that grow, stall, break off and lie."""

from __future__ import annotations

import base64
import http.server
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from gpu_qa.errors import SourceError
from gpu_qa.sources import SourceSettings, open_source
from gpu_qa.sources.fetch import Fetcher
from tests.clips import cached_clip
from tests.peers import (
    Answer,
    HttpServer,
    files_of,
    segmented,
)
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
    transport_clip,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gpu_qa.media import Packet

pytestmark = [pytest.mark.timeout(30), pytest.mark.usefixtures("no_proxy", "no_child_stays")]


def test_http_file() -> None:
    with HttpServer(files_of(movie_clip().parent)) as server, open_source(server.url("clip.mp4"), QUICK) as source:
        assert not source.facts.live
        assert source.facts.duration_s == pytest.approx(4, abs=0.1)
        packets = list(source.packets())
        assert_both_tracks(source, packets)
        assert sum(p.track.kind == "video" for p in packets) == 101
        assert source.complete


def test_http_server_that_stalls_mid_stream() -> None:
    body = transport_clip().read_bytes()
    server = HttpServer(lambda _: Answer(body, stall_after=len(body) * 2 // 3))
    with server, open_source(server.url("clip.ts"), QUICK) as source:
        packets, error, waited_s = read_until_stall(source, lambda: None, after=0)
        assert "nothing arrived for" in str(error)
        assert len(packets) > 50
        assert waited_s < 3.5


def test_http_connection_that_breaks_is_an_error_with_what_was_read() -> None:
    body = transport_clip().read_bytes()
    packets: list[Packet] = []
    with HttpServer(lambda _: Answer(body, break_after=len(body) // 2)) as server:
        with open_source(server.url("clip.ts"), QUICK) as source, pytest.raises(SourceError, match="broke off"):
            packets.extend(source.packets())
        assert not source.complete
    assert len(packets) > 50
    assert [p.native for p in packets[-2:]] == [None, None]
    assert {n.kind for n in notes_of(packets)} == {"transport_error"}


@pytest.mark.parametrize(
    ("status", "told"),
    [(401, "user and a password"), (403, "denies access"), (404, "no such address"), (503, "server failed")],
)
def test_http_errors(status: int, told: str) -> None:
    with HttpServer(lambda _: Answer(b"no", status=status)) as server, pytest.raises(SourceError, match=told):
        open_source(server.url("clip.mp4"), QUICK)


def test_http_page_in_place_of_a_stream() -> None:
    page = b"<html><body>Please log in</body></html>" * 50
    with HttpServer(lambda _: page) as server, pytest.raises(SourceError, match="a web page"):
        open_source(server.url("live"), QUICK)


@pytest.mark.needs_ffmpeg
def test_hls_to_its_end() -> None:
    server = HttpServer(files_of(segmented(movie_clip(), "hls")))
    with server, open_source(server.url("index.m3u8"), QUICK) as source:
        assert (source.facts.container, source.facts.live) == ("hls", False)
        packets = list(source.packets())
        assert_both_tracks(source, packets)
        assert sum(p.track.kind == "video" for p in packets) == 101
        assert source.complete
        assert notes_of(packets) == []


@pytest.mark.needs_ffmpeg
def test_hls_goes_on_after_a_segment_that_stalls_or_is_missing() -> None:
    files = files_of(segmented(movie_clip(), "hls"))
    for broken in ("stalls", "is missing"):

        def answer(path: str) -> Answer | bytes | None:
            body = files(path)
            if path == "index2.ts":
                return Answer(body or b"", stall_after=1000) if broken == "stalls" else None  # noqa: B023
            return body

        with HttpServer(answer) as server, open_source(server.url("index.m3u8"), QUICK) as source:
            times = [float(p.native.pts * p.native.time_base) for p in source.packets() if p.native is not None]
            assert source.complete
            assert max(times) - min(times) == pytest.approx(4, abs=0.2)


def growing_playlist(folder: Path, per_s: float, last: int | None) -> Any:
    """Answers of an HLS server whose playlist gains segments as time goes by, up to a last one."""
    lines = (folder / "index.m3u8").read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("#EXTINF"))
    head, segments = lines[:at], lines[at:-1]
    files = files_of(folder)
    started = time.monotonic()

    def answer(path: str) -> bytes | None:
        if path != "index.m3u8":
            return files(path)
        count = 1 + int((time.monotonic() - started) * per_s)
        shown = segments[: 2 * (count if last is None else min(count, last))]
        end = ["#EXT-X-ENDLIST"] if last is None and len(shown) == len(segments) else []
        return "\n".join([*head, *shown, *end]).encode()

    return answer


@pytest.mark.needs_ffmpeg
def test_live_hls_grows_to_its_end() -> None:
    folder = segmented(movie_clip(), "hls")
    with HttpServer(growing_playlist(folder, per_s=2, last=None)) as server:
        with open_source(server.url("index.m3u8"), QUICK) as source:
            assert source.facts.live
            packets = list(source.packets())
            assert sum(p.track.kind == "video" for p in packets) == 101
            assert source.complete
        assert server.requests.count("/index.m3u8") > 2


@pytest.mark.needs_ffmpeg
def test_live_hls_that_stops_growing_is_no_end() -> None:
    folder = segmented(movie_clip(), "hls")
    server = HttpServer(growing_playlist(folder, per_s=1e6, last=2))
    with server, open_source(server.url("index.m3u8"), IMPATIENT) as source:
        packets, _, _ = read_until_stall(source, lambda: None, after=0)
        assert sum(p.track.kind == "video" for p in packets) == 51


def test_an_mp4_that_wants_parts_from_a_server_that_has_none_to_give() -> None:
    server = HttpServer(files_of(movie_clip().parent), serves_parts=False)
    refused = pytest.raises(SourceError, match=r"\(Range\)")
    with server, open_source(server.url("clip.mp4"), QUICK) as source, refused:
        list(source.packets())


@pytest.mark.parametrize(
    "entry",
    ["file:///etc/passwd", "file:///tmp/a.ts", "gopher://127.0.0.1/a.ts", "rtmp://127.0.0.1/a", "udp://127.0.0.1:9"],
)
def test_a_remote_playlist_may_not_reach_for_other_protocols(entry: str) -> None:
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{entry}\n#EXT-X-ENDLIST\n"
    told = r"the playlist reaches for .*may reach http and https only"
    with HttpServer(lambda _: text.encode()) as server, pytest.raises(SourceError, match=told):
        open_source(server.url("list.m3u8"), QUICK)


@pytest.mark.needs_ffmpeg
def test_the_largest_variant_is_taken_unless_one_is_chosen() -> None:
    small = segmented(cached_clip("clip.mp4", seconds=4, size=(64, 48), gop=25), "hls")
    large = segmented(cached_clip("clip.mp4", seconds=4, size=(128, 96), gop=25), "hls")
    master = (
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=200000\nsmall/index.m3u8\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=400000\nlarge/index.m3u8\n"
    )

    def answer(path: str) -> bytes | None:
        folder, _, name = path.partition("/")
        return master.encode() if path == "master.m3u8" else files_of({"small": small, "large": large}[folder])(name)

    with HttpServer(answer) as server:
        with open_source(server.url("master.m3u8"), QUICK) as source:
            assert source.facts.tracks[0].width == 128
            assert len(source.facts.ignored) == 2
            list(source.packets())
            # What nobody looks at is not downloaded beyond the probe.
            assert "/small/index3.ts" not in server.requests
            assert "/large/index3.ts" in server.requests
        with open_source(server.url("master.m3u8"), SourceSettings(program=0)) as source:
            assert source.facts.tracks[0].width == 64


def test_interrupting_http() -> None:
    body = transport_clip().read_bytes()
    server = HttpServer(lambda _: Answer(body, stall_after=len(body) * 2 // 3))
    with server, open_source(server.url("clip.ts"), PATIENT) as source:
        assert interrupted_after(source, 20) < 1


_BASIC = "Basic " + base64.b64encode(b"user:secret").decode()


@contextmanager
def guarded_server(redirects: dict[str, str]) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """A server that wants a user and a password: its host and port, and path and `Authorization` of every request."""
    seen: list[tuple[str, str | None]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = self.headers["Authorization"]
            seen.append((self.path, given))
            if given is None:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="all"')
            elif self.path in redirects:
                self.send_response(302)
                self.send_header("Location", redirects[self.path])
            else:
                self.send_response(200)
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


def test_credentials_go_along_with_a_redirect_only_to_the_same_server() -> None:
    with (
        guarded_server({}) as (other, seen_there),
        guarded_server({"/near": "/end", "/far": f"http://{other}/a"}) as (
            own,
            seen,
        ),
    ):
        fetcher = Fetcher(["http"], 2.0)
        assert fetcher.get(f"http://user:secret@{own}/near", 10) == b""
        assert seen == [("/near", _BASIC), ("/end", _BASIC)]
        with pytest.raises(SourceError, match="401"):
            fetcher.get(f"http://user:secret@{own}/far", 10)
        assert seen_there == [("/a", None)]


def test_credentials_in_a_redirect_are_for_its_target() -> None:
    with guarded_server({}) as (other, seen_there), guarded_server({"/far": f"http://me:too@{other}/a"}) as (own, _):
        assert Fetcher(["http"], 2.0).get(f"http://user:secret@{own}/far", 10) == b""
        assert seen_there == [("/a", "Basic " + base64.b64encode(b"me:too").decode())]


def test_libavformat_keeps_credentials_from_other_servers() -> None:
    with guarded_server({}) as (other, seen_there), guarded_server({"/far.ts": f"http://{other}/a.ts"}) as (own, seen):
        with pytest.raises(SourceError):
            open_source(f"http://user:secret@{own}/far.ts", QUICK)
        assert ("/far.ts", _BASIC) in seen
        assert seen_there
        assert {given for _, given in seen_there} == {None}
