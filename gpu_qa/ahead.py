"""Ahead: a thread makes items while earlier ones are being used, as many in advance as there is room for."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import closing
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Self

T = TypeVar("T")


def ahead(items: Generator[T], share: Callable[[T], float]) -> Generator[T]:
    """The items, in order, made in a thread of their own.

    What ends their making, an error too, ends the iteration where it belongs, behind the items before it. Closing the
    iteration closes `items`, in the thread that makes them, and waits for it: until the item that is being made is
    done. Where the system gives no more threads, items are made when they are asked for.

    Args:
        items: Makes them. Belongs to the thread from now on.
        share: The share of the room that an item takes, more than 0; the next one is made while less than 1 is taken.
    """
    made = _Made(items, share)
    thread = threading.Thread(target=made.make, name="gpu-qa ahead", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        yield from items
        return
    try:
        yield from made
    finally:
        made.stop()
        thread.join()


class _Made(Generic[T]):
    """Items that wait to be used, and who makes them."""

    def __init__(self, items: Generator[T], share: Callable[[T], float]) -> None:
        self._items = items
        self._share = share
        self._waiting: deque[tuple[T, float]] = deque()
        self._taken = 0.0
        """Share of the room that is taken."""
        self._changed = threading.Condition()
        self._stopping = self._ended = False
        self._error: BaseException | None = None
        """What ended the making."""

    def make(self) -> None:
        """Make all of them, or as many as are wanted."""
        try:
            with closing(self._items):
                for item in self._items:
                    if not self._put(item):
                        break
        except BaseException as error:  # noqa: BLE001 - raised where the items are used
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _put(self, item: T) -> bool:
        share = self._share(item)
        with self._changed:
            self._waiting.append((item, share))
            self._taken += share
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._taken < 1 or self._stopping)
            return not self._stopping

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            if self._waiting:
                item, share = self._waiting.popleft()
                self._taken -= share
                self._changed.notify_all()
                return item
        if self._error is not None:
            raise self._error
        raise StopIteration

    def stop(self) -> None:
        """Make no more; what waits is let go."""
        with self._changed:
            self._stopping = True
            self._waiting.clear()
            self._changed.notify_all()
