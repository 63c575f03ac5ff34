"""Faults of coded packets: damaged and lost slices, packets that are missing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from gpu_qa.inject.fault import Planting

_START = re.compile(rb"\x00\x00\x01")
_HEADER = 24
"""Bytes at a slice's beginning that stay whole, so that what follows is decoded, and wrongly."""
_SLICES = 8
SLICED = ("h264", "hevc", "mpeg2video")
"""Codecs whose pictures consist of slices that begin with a start code."""


class PacketLoss:
    """Coded pictures arrive damaged: bytes are wrong, or slices are missing. Key frames are spared.

    The first picture that may be hit is, so that damage begins where it is said to.
    """

    def __init__(self, planting: Planting, codec: str) -> None:
        self._codec = codec
        self._share = planting.strength
        self._loses = planting.word("how") == "slices"
        self.slices = _SLICES if self._loses else 0
        self._rng = planting.rng()
        self._has_hit = False

    def take(self, data: bytes, track: Literal["video", "audio"], is_key: bool) -> bytes | None:
        """See `PacketFault`."""
        if track != "video" or is_key or (self._rng.random() >= self._share and self._has_hit):
            return data
        self._has_hit = True
        return self._with_slices_lost(data) if self._loses else self._with_wrong_bytes(data)

    def _with_wrong_bytes(self, data: bytes) -> bytes:
        damaged = bytearray(data)
        for begin, end in slices(self._codec, data):
            start = begin + _HEADER
            if start >= end:
                continue
            count = max(1, (end - start) // 200)
            for at in self._rng.integers(start, end, count).tolist():
                # Never zero or one, so that no start code comes about.
                damaged[at] = int(self._rng.integers(4, 256))
        return bytes(damaged)

    def _with_slices_lost(self, data: bytes) -> bytes:
        units = slices(self._codec, data)
        if len(units) < 2:
            return self._with_wrong_bytes(data)
        # Not the first one: without it the decoder would leave out the whole picture.
        lost = self._rng.choice(len(units) - 1, max(1, len(units) // 3), replace=False) + 1
        kept = bytearray(data)
        for number in sorted(lost.tolist(), reverse=True):
            begin, end = units[number]
            del kept[begin:end]
        return bytes(kept)


class Missing:
    """Coded sound does not arrive, while the picture goes on."""

    slices = 0

    def __init__(self, planting: Planting, codec: str) -> None:
        self._track = planting.word("track") if "track" in planting.options else "audio"

    def take(self, data: bytes, track: Literal["video", "audio"], is_key: bool) -> bytes | None:
        """See `PacketFault`."""
        return None if self._track in ("both", track) else data


def slices(codec: str, data: bytes) -> list[tuple[int, int]]:
    """Where a coded picture's slices lie, from their start codes to their ends; none of codecs not in `SLICED`."""
    if codec not in SLICED:
        return []
    starts = [match.start() for match in _START.finditer(data)]
    ends = [*starts[1:], len(data)]
    return [
        (begin, end)
        for begin, end in zip(starts, ends, strict=True)
        if begin + 3 < len(data) and _is_slice(codec, data[begin + 3])
    ]


def _is_slice(codec: str, code: int) -> bool:
    if codec == "h264":
        return code & 0x1F in (1, 5)
    if codec == "hevc":
        return (code >> 1) & 0x3F < 32
    return 0x01 <= code <= 0xAF
