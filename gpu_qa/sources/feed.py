"""Bytes for a demuxer from where it cannot fetch them itself: pipes, and files that Python has opened.

A feed never raises out of `read`: PyAV prints an exception when libavformat asks on, and loses a KeyboardInterrupt.
It ends the stream and keeps the reason in `failure`.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import stat
import time
import weakref
from typing import IO, TYPE_CHECKING, Protocol

from gpu_qa.errors import SourceError, SourceTimeout
from gpu_qa.sources.transport_stream import ContinuityScanner

if TYPE_CHECKING:
    from collections.abc import Callable


class Feed(Protocol):
    """What a demuxer reads from in place of a URL."""

    failure: BaseException | None
    """Why the bytes ended, where that was not their end: a `SourceError`, or what interrupted the program."""
    scanner: ContinuityScanner | None
    """Looks at the bytes as they go by."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end, or once there is a `failure`."""

    def set_limit(self, timeout_s: float, deadline: float | None = None) -> None:
        """How long one read may wait, and until when (`time.monotonic`) any may."""

    def interrupt(self) -> None:
        """End the stream, a read under way too; from any thread, and from a signal handler."""

    def close(self) -> None:
        """Release what the feed itself has opened."""


class FileFeed:
    """A Python file object that can seek and whose reads never wait: a file, or bytes in memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self.failure: BaseException | None = None
        self.scanner: ContinuityScanner | None = ContinuityScanner()
        self._file = file
        self._name = str(getattr(file, "name", "the file object"))

    def read(self, size: int) -> bytes:
        """At most `size` bytes."""
        try:
            position = self._file.tell()
            data = self._file.read(size) or b""
            if self.scanner:
                self.scanner.feed(data, position)
        except (OSError, ValueError) as error:
            self.failure = SourceError(f"{self._name} cannot be read: {error}.")
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised again by the demuxer
            self.failure = error
        else:
            return data
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """As in `io`."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As in `io`."""
        return self._file.tell()

    def seekable(self) -> bool:
        """True."""
        return True

    def set_limit(self, timeout_s: float, deadline: float | None = None) -> None:
        """Reads never wait."""

    def interrupt(self) -> None:
        """Reads never wait."""

    def close(self) -> None:
        """The file is its opener's to close."""


class PipeFeed:
    """A pipe, FIFO, socket or terminal, read when it has something, with a time limit and an emergency exit."""

    def __init__(
        self, name: str, fd: int, read: Callable[[int], bytes] | None = None, *, owns_fd: bool = False
    ) -> None:
        """Read from `fd`, or by `read(size)` (which may wait no longer than `fd` has nothing to read)."""
        self.failure: BaseException | None = None
        self.scanner: ContinuityScanner | None = ContinuityScanner()
        self._name = name
        self._fd = fd
        self._owns_fd = owns_fd
        self._read = read or (lambda size: os.read(fd, size))
        self._position = 0
        self._timeout_s = 10.0
        self._deadline: float | None = None
        self._ended = False
        self._wake_r, self._wake_w = wake = os.pipe()
        os.set_blocking(self._wake_w, False)
        # Not closed by `close`: whoever is about to write to it holds this object, and needs no lock then.
        weakref.finalize(self, _close_all, wake)
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._poll.register(self._wake_r, select.POLLIN)

    def set_limit(self, timeout_s: float, deadline: float | None = None) -> None:
        """How long one read may wait, and until when (`time.monotonic`) any may."""
        self._timeout_s, self._deadline = timeout_s, deadline

    def read(self, size: int) -> bytes:
        """At most `size` bytes, as soon as there are any."""
        if self._ended:
            return b""
        data = b""
        try:
            while is_ready := self._wait():
                with contextlib.suppress(BlockingIOError):
                    data = self._read(size) or b""
                    break
            if self.scanner:
                self.scanner.feed(data, self._position)
            self._position += len(data)
            if not data:
                self._ended = True
                if is_ready:
                    self._at_end()
        except (OSError, ValueError) as error:
            self.failure = SourceError(f"{self._name} cannot be read: {error}.")
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised again by the demuxer
            self.failure = error
        self._ended = self._ended or self.failure is not None
        return b"" if self._ended else data

    def _wait(self) -> bool:
        """Wait until there is something to read, or its end; false after an interruption."""
        until = time.monotonic() + self._timeout_s
        if self._deadline is not None:
            until = min(until, self._deadline)
        while True:
            wait_s = max(0.0, until - time.monotonic())
            ready = [fd for fd, _ in self._poll.poll(wait_s * 1000)]
            if ready:
                return self._wake_r not in ready
            if wait_s == 0:
                raise SourceTimeout(f"{self._name}: nothing arrived in time.")

    def _at_end(self) -> None:
        """For feeds that know more of why their bytes ended."""

    def interrupt(self) -> None:
        """End the stream, a read under way too; from any thread, and from a signal handler: there is no lock in it."""
        # A full pipe has woken the reader long ago.
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_w, b"x")

    def close(self) -> None:
        """Release what the feed itself has opened."""
        self._ended = True
        fd, self._fd = self._fd, -1
        if self._owns_fd and fd >= 0:
            os.close(fd)


def _close_all(fds: tuple[int, ...]) -> None:
    for fd in fds:
        os.close(fd)


class BlockingFeed:
    """A Python file object of which only `read` is known; only for demuxers that have a thread of their own."""

    def __init__(self, file: IO[bytes]) -> None:
        self.failure: BaseException | None = None
        self.scanner: ContinuityScanner | None = ContinuityScanner()
        self._name = str(getattr(file, "name", "the file object"))
        self._read = getattr(file, "read1", None) or file.read
        self._position = 0
        self._ended = False

    def read(self, size: int) -> bytes:
        """At most `size` bytes, whenever they come."""
        if self._ended:
            return b""
        try:
            data: bytes = self._read(size) or b""
        except Exception as error:  # noqa: BLE001 - the object is the caller's own, and may fail as it likes
            self.failure = SourceError(f"{self._name} cannot be read: {error}.")
            data = b""
        self._ended = not data
        if self.scanner:
            self.scanner.feed(data, self._position)
        self._position += len(data)
        return data

    def set_limit(self, timeout_s: float, deadline: float | None = None) -> None:
        """Whoever waits for this feed's thread keeps the limit."""

    def interrupt(self) -> None:
        """Takes effect once the read under way returns."""
        self._ended = True

    def close(self) -> None:
        """The file is its opener's to close."""
        self._ended = True


def feed_of_file(file: IO[bytes], name: str) -> Feed:
    """The fitting feed for a Python binary file object.

    Raises:
        SourceError: It is closed, or opened as text, or a terminal.
    """
    if getattr(file, "closed", False):
        raise SourceError(f"{name} is closed.")
    if hasattr(file, "encoding") or not callable(getattr(file, "read", None)):
        raise SourceError(f"{name} gives no bytes: open it in binary mode.")
    try:
        fd = file.fileno()
        mode = os.fstat(fd).st_mode
    except (OSError, AttributeError, ValueError):
        seekable = getattr(file, "seekable", None)
        return FileFeed(file) if seekable is not None and seekable() else BlockingFeed(file)
    # Only what is known to hold nothing back from the descriptor may be waited for on the descriptor.
    raw = file.raw if isinstance(file, io.BufferedReader) else file
    if not isinstance(raw, io.FileIO):
        return BlockingFeed(file)
    if stat.S_ISREG(mode):
        return FileFeed(file)
    return PipeFeed(name, fd, file.read1 if isinstance(file, io.BufferedReader) else None)


def feed_of_fd(fd: int, name: str, *, owns_fd: bool = False) -> Feed:
    """The fitting feed for a file descriptor, such as standard input.

    Raises:
        SourceError: It is closed, or a terminal.
    """
    try:
        mode = os.fstat(fd).st_mode
    except OSError as error:
        raise SourceError(f"{name} is closed.") from error
    if os.isatty(fd):
        raise SourceError(f"{name} is a terminal: redirect a file or a pipe to it.")
    if stat.S_ISREG(mode):
        return FileFeed(_DescriptorFile(fd))
    return PipeFeed(name, fd, owns_fd=owns_fd)


class _DescriptorFile(io.FileIO):
    """A regular file under a descriptor that stays open."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, "rb", closefd=False)
