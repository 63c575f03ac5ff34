"""Items made ahead: in order, no further than there is room, and nothing left behind however it ends."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from gpu_qa import reader
from gpu_qa.ahead import ahead
from gpu_qa.decode import DecodeSettings
from gpu_qa.sources import open_source
from tests.clips import cached_clip

if TYPE_CHECKING:
    from collections.abc import Generator

_PATIENCE_S = 60.0


class Making:
    """Makes numbers, and notes what is done to it in which thread."""

    def __init__(self, until: int, error: Exception | None = None) -> None:
        self.made = 0
        self.threads: set[str] = set()
        self.closed_in: list[str] = []
        self._until, self._error = until, error

    def numbers(self) -> Generator[int]:
        try:
            while self.made < self._until:
                self.threads.add(threading.current_thread().name)
                self.made += 1
                yield self.made
            if self._error is not None:
                raise self._error
        finally:
            self.closed_in.append(threading.current_thread().name)


def settled(making: Making, count: int) -> int:
    """How many are made once so many are, and a moment later."""
    until_s = time.monotonic() + _PATIENCE_S
    while making.made < count and time.monotonic() < until_s:
        time.sleep(0.001)
    time.sleep(0.1)
    return making.made


def test_items_come_in_order_from_a_thread_of_their_own() -> None:
    making = Making(1000)
    assert list(ahead(making.numbers(), lambda _: 0.3)) == list(range(1, 1001))
    assert making.threads == {"gpu-qa ahead"}
    assert making.closed_in == ["gpu-qa ahead"]


@pytest.mark.parametrize(("share", "room"), [(1 / 8, 8), (0.4, 3), (1.0, 1), (7.0, 1)])
def test_no_more_are_made_than_there_is_room_for(share: float, room: int) -> None:
    making = Making(100)
    items = ahead(making.numbers(), lambda _: share)
    assert next(items) == 1
    assert settled(making, room + 1) == room + 1
    assert next(items) == 2
    assert settled(making, room + 2) == room + 2
    assert list(items) == list(range(3, 101))


def test_an_error_comes_behind_the_items_before_it() -> None:
    making = Making(3, ValueError("no fourth"))
    items = ahead(making.numbers(), lambda _: 0.1)
    assert [next(items) for _ in range(3)] == [1, 2, 3]
    with pytest.raises(ValueError, match="no fourth"):
        next(items)
    assert making.closed_in == ["gpu-qa ahead"]


def test_closing_ends_who_waits_for_room() -> None:
    making = Making(100)
    items = ahead(making.numbers(), lambda _: 0.5)
    assert next(items) == 1
    settled(making, 3)
    before = threading.active_count()
    items.close()
    assert (making.made, making.closed_in) == (3, ["gpu-qa ahead"])
    assert threading.active_count() == before - 1


def test_nothing_is_made_before_anything_is_asked_for() -> None:
    before = threading.active_count()
    making = Making(100)
    ahead(making.numbers(), lambda _: 0.5).close()
    assert (making.made, threading.active_count()) == (0, before)


def test_without_a_further_thread_items_are_made_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    making = Making(5)
    items = ahead(making.numbers(), lambda _: 0.1)
    assert next(items) == 1
    assert making.made == 1
    assert list(items) == [2, 3, 4, 5]
    assert making.threads == {threading.current_thread().name}


def _read(threads: int) -> tuple[list[reader.Delivery], set[str]]:
    path = str(cached_clip("one.ts", seconds=7, size=(160, 90), gop=12, freeze=(1, 5), silence=(3, 6)))
    taking = reader.Reader(lambda: open_source(path), DecodeSettings(device="cpu", threads=threads))
    taking.start()
    deliveries: list[reader.Delivery] = []
    seen: set[str] = set()
    until_s = time.monotonic() + _PATIENCE_S
    while not taking.ended and time.monotonic() < until_s:
        seen |= {thread.name for thread in threading.enumerate()}
        deliveries += taking.take()
    taking.close()
    assert taking.error is None
    return deliveries, seen


def test_a_reader_alone_decodes_ahead_and_measures_the_same() -> None:
    alone, threads_alone = _read(0)
    beside, threads_beside = _read(2)
    assert ("gpu-qa ahead" in threads_alone, "gpu-qa ahead" in threads_beside) == (True, False)
    pictures = [[picture for one in way for picture in one.pictures] for way in (alone, beside)]
    assert len(pictures[0]) == 175
    for ours, theirs in zip(*pictures, strict=True):
        assert (ours.pts, ours.is_key) == (theirs.pts, theirs.is_key)
        assert [part.tobytes() for part in ours.stats] == [part.tobytes() for part in theirs.stats]


def test_a_reader_that_is_closed_half_way_leaves_no_thread() -> None:
    path = str(cached_clip("guest.ts", seconds=30, size=(64, 48), gop=12))
    taking = reader.Reader(lambda: open_source(path), DecodeSettings(device="cpu"))
    taking.start()
    until_s = time.monotonic() + _PATIENCE_S
    while not taking.has_more and time.monotonic() < until_s:
        time.sleep(0.001)
    taking.close()
    assert taking.finished
    assert "gpu-qa ahead" not in {thread.name for thread in threading.enumerate()}
