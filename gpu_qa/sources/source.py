"""The entrance: any address, or any Python binary file object, becomes a `Source`."""

from __future__ import annotations

import os
import stat
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from gpu_qa.errors import SourceError
from gpu_qa.media import Packet
from gpu_qa.sources.address import STDIN, Address, parse_address
from gpu_qa.sources.settings import SourceSettings
from gpu_qa.units import ticks_to_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

    from gpu_qa.media import MediaFacts
    from gpu_qa.sources.background import PacketSource
    from gpu_qa.sources.feed import Feed

_STDIN_FD = 0


class Source:
    """An open input: what it says of itself, and the packets of its chosen tracks, once through."""

    def __init__(self, name: str, inner: PacketSource) -> None:
        self.name = name
        """The address as given, without credentials."""
        self.facts: MediaFacts = inner.facts
        """What the input says of itself."""
        self._inner = inner
        self._interrupted = False
        self._finished: set[int] = set()
        self._complete = False
        self._picture_s: float | None = None
        """Decoding time of the picture's last packet, seconds."""

    @property
    def complete(self) -> bool:
        """Whether the input has been read to its end: not interrupted, not timed out, no broken connection."""
        return self._complete

    def packets(self) -> Iterator[Packet]:
        """The packets in the order of the input; each track ends with one whose `native` is null, on an error too.

        Damage in the middle of the input comes as notes.

        Raises:
            SourceTimeout: Nothing arrived within the time limit; raised after the ends of the tracks.
            SourceError: The connection broke off; likewise.
        """
        failure: SourceError | None = None
        try:
            for packet in self._inner.packets():
                if packet.native is None:
                    self._finished.add(packet.track.index)
                yield self._in_order(packet)
                if self._interrupted:
                    break
        except SourceError as error:
            failure = error
        for track in self.facts.tracks:
            if track.index not in self._finished:
                self._finished.add(track.index)
                yield Packet(track, None)
        if failure:
            raise failure
        self._complete = not self._interrupted

    def _in_order(self, packet: Packet) -> Packet:
        """A packet of sound with its lead over the picture's packets."""
        native, track = packet.native, packet.track
        if track.kind == "video":
            if native is not None and native.dts is not None:
                self._picture_s = ticks_to_s(native.dts, track.time_base)
            return packet
        if native is None or native.pts is None or self._picture_s is None:
            return packet
        lead_s = ticks_to_s(native.pts, track.time_base) - self._picture_s
        return Packet(track, native, packet.notes, lead_s)

    def interrupt(self) -> None:
        """End `packets` soon, also where it waits; from any thread or signal handler, and more than once."""
        self._interrupted = True
        self._inner.interrupt()

    def close(self) -> None:
        """Release the input. What was read stays valid; the tracks' `native` does not."""
        self._inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_source(url: str | os.PathLike[str] | IO[bytes], settings: SourceSettings = SourceSettings()) -> Source:
    """Open an input: a file's path, a URL, `-` for standard input, or a Python file object opened in binary mode.

    Raises:
        SourceTimeout: It did not open within `settings.open_timeout_s`.
        SourceError: It cannot be opened, is not allowed by `settings.protocols`, or has neither picture nor sound.
    """
    if isinstance(url, str | os.PathLike):
        address = parse_address(os.fspath(url), settings.protocols) if isinstance(url, str) else _path(url, settings)
        return Source(address.name, _paced(_open_address(address, settings), settings))
    from gpu_qa.sources.feed import feed_of_file

    name = getattr(url, "name", None)
    address = Address("pipe", STDIN, name if isinstance(name, str) else f"<{type(url).__name__}>")
    if "pipe" not in settings.protocols:
        parse_address(STDIN, settings.protocols)
    feed = feed_of_file(url, address.name)
    return Source(address.name, _paced(_open_feed(feed, address, settings), settings))


def _paced(inner: PacketSource, settings: SourceSettings) -> PacketSource:
    """The input at the pace at which it plays, where that is wished for; what is live has its pace already."""
    if not settings.real_time or inner.facts.live:
        return inner
    from gpu_qa.sources.paced import PacedSource

    return PacedSource(inner)


def _path(path: os.PathLike[str], settings: SourceSettings) -> Address:
    """A path object is a file whatever it looks like."""
    text = os.fspath(path)
    return parse_address(text if "://" not in text and text != STDIN else os.path.join(".", text), settings.protocols)  # noqa: PTH118


def _open_address(address: Address, settings: SourceSettings) -> PacketSource:
    if address.protocol == "file":
        return _open_file(address, settings)
    if address.protocol == "pipe":
        from gpu_qa.sources.feed import feed_of_fd

        return _open_feed(feed_of_fd(_STDIN_FD, address.name), address, settings)
    if address.protocol == "srt":
        from gpu_qa.sources.srt import SrtFeed

        return _open_feed(SrtFeed(address.url, address.name), address, settings)
    return _in_background(lambda: _open_container(address, settings), address, settings)


def _open_container(address: Address, settings: SourceSettings) -> PacketSource:
    from gpu_qa.sources.dash import DashSource
    from gpu_qa.sources.demux import Demuxer
    from gpu_qa.sources.reason import DashFoundError

    if _looks_like_dash(address):
        return DashSource(address, settings)
    try:
        return Demuxer(address, settings)
    except DashFoundError:
        return DashSource(address, settings)


def _looks_like_dash(address: Address) -> bool:
    path = address.url if address.protocol == "file" else urlsplit(address.url).path
    return address.protocol in ("file", "http", "https") and path.lower().endswith(".mpd")


def _open_file(address: Address, settings: SourceSettings) -> PacketSource:
    from gpu_qa.sources.feed import feed_of_fd

    try:
        status = address.path.stat()
    except FileNotFoundError:
        raise SourceError(f"{address.name}: no such file.{_hint(address)}") from None
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else error
        raise SourceError(f"{address.name}: {words}.") from None
    if stat.S_ISDIR(status.st_mode):
        raise SourceError(f"{address.name} is a directory: name a file in it.")
    if not os.access(address.path, os.R_OK):
        raise SourceError(f"{address.name}: permission denied: make it readable for this user.")
    if stat.S_ISSOCK(status.st_mode):
        raise SourceError(f"{address.name} is a socket, which cannot be opened as a file.")
    if stat.S_ISREG(status.st_mode):
        if status.st_size == 0:
            raise SourceError(f"{address.name} is empty.")
        return _open_container(address, settings)
    # A FIFO or a device: opened so that not even the opening waits for a writer.
    try:
        fd = os.open(address.path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise SourceError(f"{address.name}: {error.strerror}.") from None
    try:
        feed = feed_of_fd(fd, address.name, owns_fd=True)
    except SourceError:
        os.close(fd)
        raise
    return _open_feed(feed, address, settings)


def _hint(address: Address) -> str:
    """What a missing file's name suggests was meant."""
    host, colon, port = address.url.partition(":")
    if colon and host and "/" not in host and port[:1].isdigit():
        return " An input from the network begins with its protocol, such as http:// or udp://."
    return ""


def _open_feed(feed: Feed, address: Address, settings: SourceSettings) -> PacketSource:
    from gpu_qa.sources.demux import Demuxer
    from gpu_qa.sources.feed import BlockingFeed

    if isinstance(feed, BlockingFeed):
        return _in_background(lambda: Demuxer(address, settings, feed), address, settings)
    return Demuxer(address, settings, feed)


def _in_background(open_inner: Callable[[], PacketSource], address: Address, settings: SourceSettings) -> PacketSource:
    from gpu_qa.sources.background import BackgroundSource
    from gpu_qa.sources.reason import timed_out

    return BackgroundSource(
        open_inner,
        settings.open_timeout_s,
        lambda limit_s, opening: timed_out(address.name, address.protocol, limit_s, opening=opening),
    )
