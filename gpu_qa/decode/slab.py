"""Slab: one block of a card's memory for the pictures of all its streams, which join and leave for weeks.

One block, because one launch of a kernel then measures pictures of any mixture of streams by their offsets. A stream's
pictures lie side by side where there is a hole for them all, else in several holes: a stream finds room as long as the
free memory holds its pictures one by one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from threading import Lock
from typing import Any

ALIGNMENT = 512
"""Bytes: what cudaMalloc aligns to, enough for any vector load."""


def aligned(size: int) -> int:
    """The size in bytes, rounded up so that what comes behind it is aligned."""
    return -(-size // ALIGNMENT) * ALIGNMENT


class Holes:
    """Which parts of a block are free: holes in order of their place, no two of them side by side."""

    def __init__(self, size: int) -> None:
        self._starts: list[int] = [0] if size else []
        self._sizes: list[int] = [size] if size else []
        self.free = size
        """Bytes in all holes."""

    def __len__(self) -> int:
        return len(self._starts)

    def room_for(self, size: int) -> int:
        """How many pieces of `size` bytes the holes hold."""
        return sum(hole // size for hole in self._sizes)

    def take(self, count: int, size: int) -> list[int] | None:
        """Places for `count` pieces of `size` bytes each; null where they do not fit.

        Together in the smallest hole that holds them all; else one by one, from the smallest hole that holds one, so
        that large holes stay for those who need them.
        """
        whole = self._smallest(count * size)
        if whole is not None:
            first = self._cut(whole, count * size)
            return [first + number * size for number in range(count)]
        if self.room_for(size) < count:
            return None
        places = []
        for _ in range(count):
            hole = self._smallest(size)
            assert hole is not None  # noqa: S101 - counted above
            places.append(self._cut(hole, size))
        return places

    def give(self, start: int, size: int) -> None:
        """A piece that was taken is free again."""
        at = bisect_left(self._starts, start)
        self.free += size
        before = at > 0 and self._starts[at - 1] + self._sizes[at - 1] == start
        behind = at < len(self._starts) and start + size == self._starts[at]
        if before and behind:
            self._sizes[at - 1] += size + self._sizes[at]
            del self._starts[at], self._sizes[at]
        elif before:
            self._sizes[at - 1] += size
        elif behind:
            self._starts[at] = start
            self._sizes[at] += size
        else:
            self._starts.insert(at, start)
            self._sizes.insert(at, size)

    def _smallest(self, size: int) -> int | None:
        """Number of the smallest hole of at least `size` bytes, the first of equals."""
        fitting = ((hole, number) for number, hole in enumerate(self._sizes) if hole >= size)
        return min(fitting, default=(0, None))[1]

    def _cut(self, number: int, size: int) -> int:
        """Take the first `size` bytes of a hole."""
        start = self._starts[number]
        self.free -= size
        if self._sizes[number] == size:
            del self._starts[number], self._sizes[number]
        else:
            self._starts[number] += size
            self._sizes[number] -= size
        return start


class Slab:
    """A block of device memory and who has which part of it. Any thread may use it."""

    def __init__(self, memory: Any) -> None:
        """Divide a block.

        Args:
            memory: 1-D uint8 torch tensor, on a card or, for tests, on the host.
        """
        import torch

        self.bytes = memory
        """1-D uint8 tensor of the whole block."""
        self.words = memory[: len(memory) // 2 * 2].view(torch.uint16)
        """The same as uint16."""
        self.size = len(memory)
        """Bytes."""
        self.address = int(memory.data_ptr())
        """Of the first byte."""
        self._holes = Holes(self.size // ALIGNMENT * ALIGNMENT)
        self._lock = Lock()
        self._returned: deque[tuple[int, int]] = deque()

    @property
    def free(self) -> int:
        """Bytes that nobody has."""
        with self._lock:
            self._sweep()
            return self._holes.free

    def take(self, count: int, size: int) -> list[int] | None:
        """Offsets of `count` pieces of `size` (bytes, a multiple of `ALIGNMENT`); null where there is no room."""
        with self._lock:
            self._sweep()
            return self._holes.take(count, size)

    def give(self, offset: int, size: int) -> None:
        """Give a piece back. Takes no lock, for pictures are dropped anywhere, even within `take`."""
        self._returned.append((offset, size))

    def _sweep(self) -> None:
        while self._returned:
            self._holes.give(*self._returned.popleft())
