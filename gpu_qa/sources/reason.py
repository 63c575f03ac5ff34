"""What went wrong with an input, in words that say what helps."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import av

from gpu_qa.errors import SourceError, SourceTimeout
from gpu_qa.sources.fetch import Fetcher
from gpu_qa.sources.playlist import forbidden_entry

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_qa.sources.address import Address
    from gpu_qa.sources.settings import SourceSettings

_HEAD = 1 << 16
_MP4_SUFFIXES = (".mp4", ".mov", ".m4v", ".m4a")

_TIMEOUT_HELP = {
    "udp": "is the sender running, and is this the right port, group and interface?",
    "rtp": "is the sender running, and is this the right port, group and interface?",
    "srt": "is the other side running, and in the other mode (caller, listener)?",
    "pipe": "is the program that feeds it running?",
}

_HTTP_HELP = {
    400: "the server does not understand the request",
    401: "the server wants a user and a password: http://USER:PASSWORD@HOST/…",
    403: "the server denies access: the link may have expired, or wants a user, a password or a token",
    404: "the server knows no such address: check the path",
    429: "the server says too many requests: ask less often",
}


class DashFoundError(SourceError):
    """What is no media for libavformat is a DASH manifest."""


def timed_out(name: str, protocol: str, limit_s: float, *, opening: bool) -> SourceTimeout:
    """An input that kept us waiting for `limit_s` seconds."""
    asked = _TIMEOUT_HELP.get(protocol, "does the server answer, and does it send?")
    if opening:
        return SourceTimeout(f"{name} did not open within {limit_s:g} s: {asked} (setting `open_timeout_s`)")
    return SourceTimeout(f"{name}: nothing arrived for {limit_s:g} s: {asked} (setting `read_timeout_s`)")


_NO_WAY_BACK = " What has to be read back and forth, such as MP4 with its index at the end, cannot come by a pipe."


_NO_PARTS = " An MP4 with its index at the end needs a server that sends parts of a file (Range)."


def nothing_read(address: Address, failure: SourceError | None) -> SourceError:
    """An input that has tracks, but not one packet of them; `failure` is what ended it."""
    if failure is None:
        tail = _NO_WAY_BACK if address.protocol == "pipe" else " It is cut short, or nothing was ever written to them."
        return SourceError(f"{address.name}: its tracks are empty.{tail}")
    if address.protocol in ("http", "https") and address.url.partition("?")[0].lower().endswith(_MP4_SUFFIXES):
        return type(failure)(f"{failure}{_NO_PARTS}")
    return failure


def explain(error: Exception, address: Address, settings: SourceSettings) -> SourceError:
    """The error that tells a person why an input could not be opened or read."""
    name = address.name
    if isinstance(error, (FileNotFoundError, av.error.FileNotFoundError)) and address.protocol == "file":
        return SourceError(f"{name}: no such file.")
    if isinstance(error, PermissionError):
        return SourceError(f"{name}: permission denied: make it readable for this user.")
    if isinstance(error, ConnectionRefusedError):
        return SourceError(f"{name}: connection refused: nothing listens there. Check host and port.")
    if isinstance(error, av.error.HTTPClientError | av.error.HTTPServerError):
        return _http_error(error, name)
    if isinstance(error, av.error.ProtocolNotFoundError):
        return SourceError(f"{name}: this build of PyAV does not speak {address.protocol}.")
    if isinstance(error, OSError) and error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return SourceError(f"{name}: the host cannot be reached from here.")
    if isinstance(error, OSError) and error.errno == errno.EIO and address.protocol not in ("file", "pipe"):
        return SourceError(f"{name}: {_connection_failure(address)}")
    if isinstance(error, av.error.InvalidDataError | av.error.ArgumentError) or (
        isinstance(error, OSError | ValueError) and getattr(error, "errno", None) == errno.EINVAL
    ):
        kind, told = _why_no_media(address, settings)
        return kind(f"{name}: {told}")
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return SourceError(f"{name}: {words}.")


def _http_error(error: av.error.FFmpegError, name: str) -> SourceError:
    words = error.strerror or "the server refused"
    code = next((int(word) for word in words.split() if word.isdigit()), None)
    if code is None and isinstance(error, av.error.HTTPForbiddenError):
        code = 403
    told = _HTTP_HELP.get(code or 0, "the server failed: try again later" if code is None or code >= 500 else words)
    return SourceError(f"{name}: {words}: {told}.")


def _connection_failure(address: Address) -> str:
    """Why a connection could not be made, where libavformat says no more than “input/output error”."""
    host = urlsplit(address.url).hostname
    if host:
        try:
            socket.getaddrinfo(host, None)
        except OSError:
            return f"the host name {host} cannot be resolved. Check its spelling and the name server."
    return "the connection failed or broke off. Check the address, and that the server is up."


def _why_no_media(address: Address, settings: SourceSettings) -> tuple[type[SourceError], str]:
    head, tail = b"", ""
    if address.protocol == "file":
        try:
            with address.path.open("rb") as file:
                head = file.read(_HEAD)
        except OSError:
            return SourceError, "cannot be read."
        if head[4:8] == b"ftyp" and not _has_atom(address.path, b"moov"):
            return SourceError, (
                "an MP4 or QuickTime file without its index (moov): the recording or the transfer was cut short, and "
                "nothing can be read of it. Get the file again, or repair it from an intact one of the same recorder."
            )
    elif address.protocol in ("http", "https"):
        try:
            head = Fetcher(settings.protocols, min(2.0, settings.read_timeout_s)).get(address.url, limit=_HEAD)
        except SourceError:
            head = b""
    elif address.protocol == "pipe":
        tail = _NO_WAY_BACK
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"#EXTM3U"):
        entry = forbidden_entry(text.decode("utf-8", "replace"), address, settings.protocols)
        if entry:
            return SourceError, entry
        return SourceError, "a playlist of which nothing could be read: its first segments are missing or are no media."
    if b"<MPD" in text[:4096]:
        return DashFoundError, "a DASH manifest."
    if text[:200].lower().startswith((b"<!doctype html", b"<html")):
        return SourceError, "a web page, not media: give the address of the stream itself."
    if head and _is_text(head):
        return SourceError, "a text file, not media."
    return SourceError, f"not a media format that libavformat knows, or damaged at its start.{tail}"


def _is_text(head: bytes) -> bool:
    if any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # Cut in the middle of a character at the end of what was read is still text.
        return error.start > len(head) - 4
    return True


def _has_atom(path: Path, wanted: bytes) -> bool:
    """Whether a top-level box of this type is in an ISO base media file."""
    with path.open("rb") as file:
        size_all = path.stat().st_size
        at = 0
        while at + 8 <= size_all:
            file.seek(at)
            head = file.read(16)
            size = int.from_bytes(head[:4], "big")
            if size == 1 and len(head) == 16:
                size = int.from_bytes(head[8:], "big")
            if head[4:8] == wanted:
                return size == 0 or at + size <= size_all
            if size < 8:
                return False
            at += size
    return False
