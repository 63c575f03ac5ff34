"""Ends a read of libavformat in another thread.

PyAV gives libavformat a callback that compares the clock with a time limit set before the read, and offers nothing
else to end one. The clock is what can be reached: PyAV's module looks `time.monotonic` up anew each time, so a clock
that runs ahead for the one thread whose read is to end makes its limit expire at once. Where a version of PyAV takes
its time from elsewhere, reads end by their own limit, and `works` is false.
"""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import av.container.core

_FAR_S = 1e9
_ended: dict[int, int] = {}
"""Threads whose reads are to end, and how often their clock was asked since."""


def _monotonic() -> float:
    ident = threading.get_ident()
    asked = _ended.get(ident)
    if asked is None:
        return time.monotonic()
    # Further ahead each time: a read that begins only now is over before it began, too.
    _ended[ident] = asked + 1
    return time.monotonic() + _FAR_S * (asked + 1)


def end_reads_of(thread: threading.Thread) -> None:
    """Let every read of libavformat in this thread end within about a tenth of a second, from now on."""
    if thread.ident is not None and thread.is_alive():
        _ended.setdefault(thread.ident, 0)


def forget_this_thread() -> None:
    """To be called by a thread as its last act: another one may get its number."""
    _ended.pop(threading.get_ident(), None)


works = getattr(av.container.core, "time", None) is time
if works:
    av.container.core.time = SimpleNamespace(monotonic=_monotonic)  # type: ignore[attr-defined]
