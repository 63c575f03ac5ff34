"""The other side of live inputs, on loopback: publishers and servers that end with the test, however it ends.

Every peer takes a free port of its own. What is not installed skips the test, with the reason.
"""

from __future__ import annotations

import contextlib
import http.server
import shutil
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from gpu_qa.errors import SourceError
from gpu_qa.sources import Source, SourceSettings, open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

_SYSTEM_PYTHON = "/usr/bin/python3"
_RTSP_SERVER = """
import sys
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
for name in ("qtdemux", "h264parse", "rtph264pay", "aacparse", "rtpmp4gpay"):
    if Gst.ElementFactory.find(name) is None:
        sys.exit(f"no GStreamer element {name}")
if len(sys.argv) == 1:
    sys.exit(0)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f'( filesrc location="{sys.argv[1]}" ! qtdemux name=d d. ! queue ! h264parse '
    "! rtph264pay name=pay0 pt=96 config-interval=-1 d. ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97 )"
)
server.get_mount_points().add_factory("/clip", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
"""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nobody has."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require(command: str, package: str) -> str:
    """The path of a command; without it the test is skipped."""
    path = shutil.which(command)
    if path is None:
        pytest.skip(f"{command} is not installed (Debian: {package})")
    return path


@cache
def _ffmpeg_protocols() -> str:
    return subprocess.run(["ffmpeg", "-hide_banner", "-protocols"], capture_output=True, text=True, check=True).stdout


class Child:
    """A process that is killed at the end of the `with` block; `pause` makes it fall silent without leaving."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def first_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()


def publisher(clip: Path, url: str, format_name: str, *, loop: bool = True, options: tuple[str, ...] = ()) -> Child:
    """FFmpeg sending a clip at the speed of its clock; skips where FFmpeg or its protocol is missing."""
    ffmpeg = require("ffmpeg", "ffmpeg")
    protocol = url.partition(":")[0]
    if f"  {protocol}\n" not in _ffmpeg_protocols().partition("Output:")[2]:
        pytest.skip(f"this ffmpeg does not speak {protocol}")
    again = ["-stream_loop", "-1"] if loop else []
    source = [ffmpeg, "-nostdin", "-v", "error", "-re", *again, "-i", str(clip)]
    return Child([*source, "-c", "copy", *options, "-f", format_name, url])


@cache
def _missing_for_rtsp() -> str:
    """What keeps GStreamer's RTSP server from running here; empty where nothing does."""
    if not Path(_SYSTEM_PYTHON).exists():
        return _SYSTEM_PYTHON
    command = [_SYSTEM_PYTHON, "-W", "ignore", "-c", _RTSP_SERVER]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    return (done.stderr.strip().splitlines() or ["unknown"])[-1] if done.returncode else ""


def rtsp_server(clip: Path) -> tuple[Child, str]:
    """GStreamer's RTSP server with one MP4 clip, and the clip's URL; skips where it is missing."""
    missing = _missing_for_rtsp()
    if missing:
        pytest.skip(f"GStreamer's RTSP server is missing ({missing}); Debian: gir1.2-gst-rtsp-server-1.0, python3-gi")
    child = Child([_SYSTEM_PYTHON, "-W", "ignore", "-c", _RTSP_SERVER, str(clip)])
    return child, f"rtsp://127.0.0.1:{child.first_line()}/clip"


def open_when_up(url: str, settings: SourceSettings, patience_s: float = 5.0) -> Source:
    """Open an input whose server may need a moment before it listens."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return open_source(url, settings)
        except SourceError as error:
            if "refused" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.05)


@dataclass
class Answer:
    """What an `HttpServer` says to a request."""

    body: bytes
    stall_after: int | None = None
    """Falls silent after this many bytes, with the connection open."""
    break_after: int | None = None
    """Hangs up after this many bytes, having promised all of them."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class HttpServer:
    """An HTTP server whose answers a function gives: path without its slash → `Answer`, bytes, or null for 404."""

    def __init__(self, answer: Callable[[str], Answer | bytes | None], *, serves_parts: bool = True) -> None:
        self.requests: list[str] = []
        self.released = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 1.0

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                pass

            def _range(self, size: int) -> tuple[int | None, int]:
                unit, _, span = self.headers.get("Range", "").partition("=")
                if unit != "bytes" or not serves_parts:
                    return None, size - 1
                first, _, last = span.partition("-")
                return int(first), int(last) if last else size - 1

            def do_GET(self) -> None:
                outer.requests.append(self.path)
                given = answer(self.path.lstrip("/").partition("?")[0])
                if given is None:
                    self.send_error(404)
                    return
                reply = given if isinstance(given, Answer) else Answer(given)
                size = len(reply.body)
                first, last = self._range(size)
                if first is not None and isinstance(given, bytes):
                    headers = {"Content-Range": f"bytes {first}-{last}/{size}"}
                    reply = Answer(given[first : last + 1], status=206, headers=headers)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                cut = reply.stall_after if reply.stall_after is not None else reply.break_after
                self.wfile.write(reply.body[:cut])
                self.wfile.flush()
                if cut is not None:
                    if reply.stall_after is not None:
                        outer.released.wait(30)
                    self.close_connection = True

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = False

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # The client went away, which is what many tests are about.

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/{path}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def files_of(folder: Path) -> Callable[[str], bytes | None]:
    """Answers of an `HttpServer` that serves a folder."""

    def answer(path: str) -> bytes | None:
        file = folder / path
        return file.read_bytes() if file.is_file() else None

    return answer


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """A server that takes every connection and never says a word; gives its port."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(listener.accept()[0])

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in kept:
                connection.close()


@cache
def _segmented(clip: Path, kind: str) -> Path:
    folder = clip.parent / kind
    folder.mkdir(exist_ok=True)
    ffmpeg = require("ffmpeg", "ffmpeg")
    how = {
        "hls": ["-f", "hls", "-hls_time", "1", "-hls_list_size", "0", str(folder / "index.m3u8")],
        "dash": ["-f", "dash", "-seg_duration", "1", str(folder / "index.mpd")],
        "dash-half": ["-f", "dash", "-seg_duration", "0.5", str(folder / "index.mpd")],
        "dash-number": ["-f", "dash", "-seg_duration", "1", "-use_timeline", "0", str(folder / "index.mpd")],
    }[kind]
    command = [ffmpeg, "-nostdin", "-v", "error", "-y", "-i", str(clip), "-c", "copy", *how]
    subprocess.run(command, check=True, timeout=30)
    return folder


def segmented(clip: Path, kind: str) -> Path:
    """A folder with a clip as HLS (`index.m3u8`) or DASH (`index.mpd`), in segments of a second."""
    return _segmented(clip, kind)
