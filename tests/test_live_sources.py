"""Live inputs, each against a real peer on loopback, and against peers that fall silent."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gpu_qa.errors import SourceError, SourceTimeout
from gpu_qa.sources import SourceSettings, open_source
from gpu_qa.sources.address import PROTOCOLS, parse_address
from gpu_qa.sources.background import BackgroundSource
from gpu_qa.sources.demux import Demuxer
from tests.clips import cached_clip
from tests.peers import (
    free_port,
    open_when_up,
    publisher,
    rtsp_server,
    silent_server,
)
from tests.source_checks import (  # noqa: F401 - fixtures are found by their names
    IMPATIENT,
    PATIENT,
    QUICK,
    assert_both_tracks,
    movie_clip,
    no_child_stays,
    no_proxy,
    notes_of,
    read_until_stall,
    some,
    transport_clip,
)

pytestmark = [pytest.mark.timeout(30), pytest.mark.usefixtures("no_proxy", "no_child_stays")]


@pytest.mark.needs_ffmpeg
def test_udp_transport_stream() -> None:
    url = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    with publisher(transport_clip(), f"{url}?pkt_size=1316", "mpegts") as peer, open_source(url, QUICK) as source:
        assert source.facts.live
        assert source.facts.duration_s is None
        packets, error, waited_s = read_until_stall(source, peer.pause, after=40)
        assert_both_tracks(source, packets)
        assert "is the sender running" in str(error)
        assert waited_s < 3


@pytest.mark.needs_ffmpeg
def test_lost_datagrams_are_told() -> None:
    port, inner = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    stop = threading.Event()

    def relay() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
            listener.bind(("127.0.0.1", inner))
            listener.settimeout(0.1)
            number = 0
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    data = listener.recv(2000)
                    number += 1
                    if number % 20 != 15:
                        listener.sendto(data, ("127.0.0.1", port))

    thread = threading.Thread(target=relay)
    thread.start()
    try:
        with (
            publisher(transport_clip(), f"udp://127.0.0.1:{inner}?pkt_size=1316", "mpegts"),
            open_source(f"udp://127.0.0.1:{port}", QUICK) as source,
        ):
            packets = some(source, 160)
    finally:
        stop.set()
        thread.join()
    notes = notes_of(packets)
    assert notes
    assert {n.kind for n in notes} == {"transport_error"}
    assert all(n.details["is_corrupt"] for n in notes)


@pytest.mark.needs_ffmpeg
def test_rtp() -> None:
    url = f"rtp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    with publisher(transport_clip(), url, "rtp_mpegts"), open_source(url, QUICK) as source:
        assert source.facts.live
        assert_both_tracks(source, some(source, 30))


@pytest.mark.needs_ffmpeg
def test_rtmp() -> None:
    url = f"rtmp://127.0.0.1:{free_port()}/live/stream"
    clip = cached_clip("clip.flv", seconds=4, size=(96, 64))
    with publisher(clip, url, "flv", options=("-listen", "1")) as peer, open_when_up(url, QUICK) as source:
        assert source.facts.live
        packets, _, waited_s = read_until_stall(source, peer.pause, after=40)
        assert_both_tracks(source, packets)
        assert waited_s < 3


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_rtsp(transport: Any) -> None:
    server, url = rtsp_server(movie_clip())
    settings = SourceSettings(open_timeout_s=5, read_timeout_s=1, rtsp_transport=transport)
    with server, open_source(url, settings) as source:
        assert source.facts.live
        packets, _, waited_s = read_until_stall(source, server.pause, after=20)
        assert_both_tracks(source, packets)
        assert waited_s < 3


def test_rtsp_to_its_end() -> None:
    server, url = rtsp_server(cached_clip("clip.mp4", seconds=1, size=(96, 64)))
    with server, open_source(url, QUICK) as source:
        packets = list(source.packets())
        assert_both_tracks(source, packets)
        assert source.complete
        assert sum(p.track.kind == "video" for p in packets) == 26


@pytest.mark.needs_ffmpeg
@pytest.mark.parametrize("listens", ["peer", "we"])
def test_srt(listens: str) -> None:
    port = free_port(socket.SOCK_DGRAM)
    theirs, ours = ("listener", "caller") if listens == "peer" else ("caller", "listener")
    url = f"srt://127.0.0.1:{port}?mode={ours}&passphrase=0123456789ab"
    peer = publisher(transport_clip(), url.replace(f"mode={ours}", f"mode={theirs}"), "mpegts")
    with peer, open_source(url, QUICK) as source:
        assert source.name == f"srt://127.0.0.1:{port}?mode={ours}&passphrase=…"
        assert source.facts.live
        packets, _, waited_s = read_until_stall(source, peer.pause, after=40)
        assert_both_tracks(source, packets)
        assert waited_s < 3


@pytest.mark.needs_ffmpeg
def test_srt_to_its_end() -> None:
    url = f"srt://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    clip = cached_clip("clip.ts", seconds=1, size=(96, 64))
    with publisher(clip, f"{url}?mode=listener", "mpegts", loop=False), open_source(url, QUICK) as source:
        packets = list(source.packets())
        assert_both_tracks(source, packets)
        assert source.complete
        assert notes_of(packets) == []


@pytest.mark.needs_ffmpeg
def test_srt_with_the_wrong_passphrase_says_so() -> None:
    url = f"srt://127.0.0.1:{free_port(socket.SOCK_DGRAM)}?mode="
    with publisher(transport_clip(), f"{url}listener&passphrase=0123456789ab", "mpegts"):
        time.sleep(0.3)
        with pytest.raises(SourceError, match=r"no SRT connection: .*Incorrect passphrase"):
            open_source(f"{url}caller&passphrase=wrong-wrong-wrong", QUICK)


def test_srt_without_the_program_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SourceError, match=r"apt install srt-tools"):
        open_source("srt://127.0.0.1:9000", QUICK)


def test_srt_that_nobody_answers() -> None:
    if not any(os.access(f"{folder}/srt-live-transmit", os.X_OK) for folder in os.environ["PATH"].split(":")):
        pytest.skip("srt-live-transmit is not installed (Debian: srt-tools)")
    for mode in ("caller", "listener"):
        with pytest.raises(SourceTimeout, match=r"did not open within 0.8 s"):
            open_source(f"srt://127.0.0.1:{free_port(socket.SOCK_DGRAM)}?mode={mode}", IMPATIENT)


def test_silent_servers_time_out_and_hold_up_nobody_else() -> None:
    addresses = [
        *("http://{}/a.ts", "https://{}/a.ts", "http://{}/a.m3u8", "http://{}/a.mpd"),
        *("rtmp://{}/a/b", "rtmps://{}/a/b", "rtsp://{}/a", "rtsps://{}/a"),
    ]

    def opened(address: str) -> float:
        started = time.monotonic()
        with pytest.raises(SourceTimeout, match="did not"):
            open_source(address.format(f"127.0.0.1:{port}"), IMPATIENT)
        return time.monotonic() - started

    with silent_server() as port, ThreadPoolExecutor(len(addresses)) as pool:
        assert max(pool.map(opened, addresses)) < 3


@pytest.mark.parametrize("protocol", ["udp", "rtp"])
def test_no_sender_times_out(protocol: str) -> None:
    started = time.monotonic()
    with pytest.raises(SourceTimeout, match=r"did not open within 0.8 s: is the sender running"):
        open_source(f"{protocol}://127.0.0.1:{free_port(socket.SOCK_DGRAM)}", IMPATIENT)
    assert time.monotonic() - started < 2.5


@pytest.mark.parametrize("protocol", ["http", "https", "rtmp", "rtsp"])
def test_connection_refused(protocol: str) -> None:
    with pytest.raises(SourceError, match=r"connection refused: nothing listens there"):
        open_source(f"{protocol}://127.0.0.1:{free_port()}/a", QUICK)


def test_host_that_does_not_exist() -> None:
    with pytest.raises(SourceError, match=r"the host name nowhere.invalid cannot be resolved"):
        open_source("http://user:secret@nowhere.invalid/a.ts", QUICK)


def test_a_name_server_that_hangs_does_not_hang_us(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr("gpu_qa.sources.demux.av.open", lambda *_, **__: released.wait(10))
    started = time.monotonic()
    try:
        with pytest.raises(SourceTimeout, match=r"did not open within 0.8 s"):
            open_source("http://example.invalid/a.ts", IMPATIENT)
        assert time.monotonic() - started < 3
    finally:
        released.set()


@pytest.mark.needs_ffmpeg
def test_interrupting_srt() -> None:
    url = f"srt://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    with publisher(transport_clip(), f"{url}?mode=listener", "mpegts") as peer, open_source(url, PATIENT) as source:
        packets = source.packets()
        next(packets)
        peer.pause()
        started = time.monotonic()
        threading.Timer(0.3, source.interrupt).start()
        assert list(packets)[-1].native is None
        assert time.monotonic() - started < 2


def test_interrupting_what_never_sends() -> None:
    """Whoever gives up on an opening, such as by Ctrl-C, leaves no thread behind."""
    with silent_server() as port:
        for address in ("http://{}/a.ts", "rtmp://{}/a/b", "rtsp://{}/a"):
            closing = threading.Event()
            opening = threading.Thread(target=open_and_give_up, args=(address.format(f"127.0.0.1:{port}"), closing))
            opening.start()
            opening.join(5)
            assert closing.is_set()


def open_and_give_up(url: str, closing: threading.Event) -> None:
    class GaveUp(Exception):  # noqa: N818
        pass

    def overdue(limit_s: float, opening: bool) -> SourceError:
        raise GaveUp

    address = parse_address(url, PROTOCOLS)
    with pytest.raises(GaveUp):
        BackgroundSource(lambda: Demuxer(address, PATIENT), -0.7, overdue)
    until = time.monotonic() + 1
    while any(t.name == "source" for t in threading.enumerate()) and time.monotonic() < until:
        time.sleep(0.01)
    if not any(t.name == "source" for t in threading.enumerate()):
        closing.set()


def test_a_thread_that_waits_does_not_outlive_the_program() -> None:
    code = (
        "import contextlib, sys, threading, time\n"
        "from gpu_qa.errors import SourceError\n"
        "from gpu_qa.sources import open_source\n"
        "def wait():\n"
        "    with contextlib.suppress(SourceError): open_source(sys.argv[1])\n"
        "threading.Thread(target=wait, daemon=True).start()\n"
        "time.sleep(1)\n"
        "assert any(t.name == 'source' for t in threading.enumerate())\n"
    )
    with silent_server() as port:
        started = time.monotonic()
        command = [sys.executable, "-c", code, f"http://127.0.0.1:{port}/a.ts"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=8)
        assert time.monotonic() - started < 5
    assert (done.returncode, done.stderr) == (0, "")
