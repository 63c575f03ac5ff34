"""A demuxer in a thread of its own, so that no wait of libavformat, the name server or the kernel is a wait of ours.

Some waits nothing can end, such as the system's name look-up. So whatever may wait on a network is opened and read by a
daemon thread; who asks for packets waits for that thread, never in it. The read of an interrupted or overdue thread is
ended where that is possible; where it is not, the thread is left to itself and closes what it opened when it is done.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from gpu_qa.sources.interruption import end_reads_of, forget_this_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gpu_qa.errors import SourceError
    from gpu_qa.media import MediaFacts, Packet

_DEPTH = 64
"""Packets read ahead."""
_GRACE_S = 1.0
"""How much longer than its own time limit the thread is waited for: it knows best what went wrong."""
_PARTING_S = 0.2
"""How long closing waits for the thread to be gone."""
_EXIT_S = 1.0
"""How long the interpreter's end waits for all of them."""

_running: set[BackgroundSource] = set()


@atexit.register
def _end_all() -> None:
    """A thread that asks for the interpreter's lock while the interpreter goes away would crash the process."""
    until = time.monotonic() + _EXIT_S
    left = list(_running)
    for source in left:
        source.interrupt()
    for source in left:
        source.join(until - time.monotonic())


class PacketSource(Protocol):
    """What demuxers have in common."""

    facts: MediaFacts
    limit_s: float
    """The longest that a packet may be waited for."""

    def packets(self) -> Iterator[Packet]:
        """The packets of the chosen tracks, then their ends."""

    def interrupt(self) -> None:
        """End `packets` soon; from any thread."""

    def close(self) -> None:
        """Release everything."""


class BackgroundSource:
    """A `PacketSource` that is opened and read in a thread of its own."""

    facts: MediaFacts
    limit_s: float

    def __init__(
        self,
        open_inner: Callable[[], PacketSource],
        open_limit_s: float,
        overdue: Callable[[float, bool], SourceError],
    ) -> None:
        """Open, waiting for at most `open_limit_s` and a little.

        `overdue(limit_s, opening)` makes the error for a thread that does not come back.

        Raises:
            SourceError: As `open_inner` does, or because it does not return in time.
        """
        self._open_inner = open_inner
        self._overdue = overdue
        self._inner: PacketSource | None = None
        self._opened = False
        self._queue: deque[Packet] = deque()
        self._changed = threading.Condition()
        self._stopped = False
        self._done = False
        self._closed = False
        self._gone = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="source", daemon=True)
        _running.add(self)
        self._thread.start()
        try:
            until = time.monotonic() + open_limit_s + _GRACE_S
            with self._changed:
                while not self._opened and not self._done:
                    if not self._changed.wait(max(0.0, until - time.monotonic())) and time.monotonic() >= until:
                        raise overdue(open_limit_s, True)
                self._raise_failure()
        except BaseException:
            self.close()
            raise

    def _run(self) -> None:
        inner: PacketSource | None = None
        try:
            inner = self._open_inner()
            with self._changed:
                self._inner = inner
                self.facts, self.limit_s = inner.facts, inner.limit_s
                self._opened = True
                self._changed.notify_all()
                if self._stopped:
                    inner.interrupt()
            for packet in inner.packets():
                with self._changed:
                    while len(self._queue) >= _DEPTH and not self._stopped:
                        self._changed.wait()
                    if self._stopped:
                        break
                    self._queue.append(packet)
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised again where the packets are asked for
            self._failure = error
        finally:
            with self._changed:
                self._done = True
                self._changed.notify_all()
                is_abandoned = self._closed
            # Until `close` is called, the tracks' handles into the container stay good.
            if inner and is_abandoned:
                inner.close()
            with self._changed:
                self._gone = True
                forget_this_thread()
            _running.discard(self)

    def packets(self) -> Iterator[Packet]:
        """The packets in order, as the thread hands them over.

        Raises:
            SourceError: As the demuxer does, after the packets before; or because the thread does not come back.
        """
        while True:
            until = time.monotonic() + self.limit_s + _GRACE_S
            with self._changed:
                while not self._queue and not self._done and not self._stopped:
                    if not self._changed.wait(max(0.0, until - time.monotonic())) and time.monotonic() >= until:
                        self._stopped = True
                        raise self._overdue(self.limit_s, False)
                if self._stopped:
                    return
                if not self._queue:
                    break
                packet = self._queue.popleft()
                self._changed.notify_all()
            yield packet
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure:
            raise self._failure

    def interrupt(self) -> None:
        """End `packets` at once; from any thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
            if not self._gone:
                end_reads_of(self._thread)
        if self._inner:
            self._inner.interrupt()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to be gone."""
        self._thread.join(max(0.0, timeout_s))

    def close(self) -> None:
        """Release everything; what a read under way still needs, its thread releases once the read returns."""
        self.interrupt()
        self._thread.join(_PARTING_S)
        with self._changed:
            is_ours = self._done and not self._closed
            self._closed = True
        if is_ours and self._inner:
            self._inner.close()
