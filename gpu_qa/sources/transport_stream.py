"""Continuity of an MPEG transport stream, read from its own packets.

libavformat marks a packet as corrupt for two unlike reasons: transport packets are missing, or the encoder stated a PES
length that is off by a byte, as some do all day. Only the first is damage, and only the counters in the transport
packets tell them apart, so they are read here wherever the bytes pass through our hands.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_SIZES = (188, 192, 204)
"""Bytes of a transport packet: plain, with a timestamp before it (M2TS), with a Reed-Solomon code behind it."""
_SYNC = 0x47
_NULL_PID = 0x1FFF
_PROBED = 5
"""Sync bytes in a row that make a transport stream."""
_PROBE_LIMIT = 1 << 16
"""Bytes without a sync pattern after which the input is taken for something else."""
_FILE_CHUNK = 1 << 18
_HELD = 1000
"""Breaks kept apart per PID until they are asked for; later ones are counted into the last."""


@dataclass(slots=True)
class Breaks:
    """Where a stream of transport packets broke, summed over a stretch."""

    position: int
    """Byte of the first one, from the start of the input."""
    continuity: int = 0
    """Jumps of the continuity counter."""
    lost: int = 0
    """Transport packets missing, as far as the counter, modulo 16, tells: at least this many."""
    flagged: int = 0
    """Packets that a receiver before us marked as uncorrectable (transport error indicator)."""
    resyncs: int = 0
    """Places where the packet grid itself was lost."""

    def add(self, other: Breaks) -> None:
        """Count another stretch in."""
        self.continuity += other.continuity
        self.lost += other.lost
        self.flagged += other.flagged
        self.resyncs += other.resyncs


class ContinuityScanner:
    """Follows the continuity counters of every PID while the bytes of a transport stream go by.

    Bytes are handed over with their position; what was seen already is skipped, and a look ahead that leaves a hole
    is not looked at, so the reads of a demuxer that seeks about while it opens a file can all be handed over.
    """

    def __init__(self) -> None:
        self._at = 0
        self._rest = b""
        self._size = 0
        self._dead = False
        self._wanted: frozenset[int] | None = None
        self._counter = np.full(8192, -1, np.int16)
        self._breaks: dict[int | None, list[Breaks]] = defaultdict(list)

    @property
    def position(self) -> int:
        """How far the stream has been looked at, in bytes."""
        return self._at

    @property
    def found(self) -> bool:
        """Whether this is a transport stream."""
        return self._size > 0

    def select(self, pids: frozenset[int]) -> None:
        """Keep breaks of these PIDs only; before the call, those of all are kept."""
        self._wanted = pids
        self._breaks = defaultdict(list, {k: v for k, v in self._breaks.items() if k is None or k in pids})

    def feed(self, data: bytes, position: int) -> None:
        """Look at bytes that stand at `position` of the input."""
        skip = self._at - position
        if self._dead or skip < 0 or skip >= len(data):
            return
        self._at = position + len(data)
        buffer = self._rest + data[skip:]
        origin = self._at - len(buffer)
        used = 0
        if not self._size:
            found = _find_grid(buffer, _PROBED)
            if found is None:
                self._dead = len(buffer) > _PROBE_LIMIT
                self._rest = buffer
                return
            used, self._size = found
        size = self._size
        while (count := (len(buffer) - used) // size) > 0:
            grid = np.frombuffer(buffer, np.uint8, count * size, used).reshape(count, size)
            good = count
            off = np.flatnonzero(grid[:, 0] != _SYNC)
            if off.size:
                good = int(off[0])
            if good:
                self._scan(grid[:good], origin + used)
                used += good * size
            if good == count:
                break
            found = _find_grid(buffer[used:], 3, size)
            if found is None:
                # Nothing to hold on to yet: wait for more, but do not hoard what cannot be a packet any more.
                if len(buffer) - used > 4 * size:
                    used = len(buffer) - 4 * size
                break
            self._note(None, Breaks(origin + used, resyncs=1))
            used += found[0]
        self._rest = buffer[used:]

    def take(self, pid: int | None, before: int | None) -> Breaks | None:
        """The breaks of a PID at positions below `before` (null: all), which are then forgotten."""
        held = self._breaks.get(pid)
        if not held:
            return None
        count = len(held) if before is None else sum(b.position < before for b in held)
        if not count:
            return None
        total = held[0]
        for more in held[1:count]:
            total.add(more)
        del held[:count]
        return total

    def take_resyncs(self, before: int | None) -> Breaks | None:
        """The same for losses of the packet grid, which belong to no PID."""
        return self.take(None, before)

    def _note(self, pid: int | None, found: Breaks) -> None:
        if pid is not None and self._wanted is not None and pid not in self._wanted:
            return
        held = self._breaks[pid]
        if len(held) < _HELD:
            held.append(found)
        else:
            held[-1].add(found)

    def _scan(self, grid: np.ndarray, position: int) -> None:
        """Check the counters of whole packets, uint8 [N, size], the first of them at `position`."""
        head = grid[:, 1:6].astype(np.int16)
        pid = (head[:, 0] & 0x1F) << 8 | head[:, 1]
        control = head[:, 2] >> 4 & 3
        counter = head[:, 2] & 15
        payload = control & 1
        # A packet without payload and without adaptation field is reserved and to be thrown away.
        valid = (pid != _NULL_PID) & (control != 0)
        flagged = head[:, 0] >> 7 == 1
        announced = (control & 2 != 0) & (head[:, 3] > 0) & (head[:, 4] & 0x80 != 0)
        rows = np.flatnonzero(valid)
        order = rows[np.argsort(pid[rows], kind="stable")]
        pids, counters, payloads = pid[order], counter[order], payload[order]
        before = np.empty_like(counters)
        before[1:] = counters[:-1]
        first = np.ones(len(order), bool)
        first[1:] = pids[1:] != pids[:-1]
        before[first] = self._counter[pids[first]]
        expected = (before + payloads) & 15
        # ISO/IEC 13818-1 2.4.3.3: a packet may be sent twice, with the same counter.
        repeated = (counters == before) & (payloads == 1)
        broken = (before >= 0) & (counters != expected) & ~repeated & ~announced[order]
        self._counter[pids] = counters
        for i in np.flatnonzero(broken | flagged[order]):
            row = int(order[i])
            lost = int((counters[i] - expected[i]) & 15) if broken[i] else 0
            at = position + row * self._size
            self._note(int(pids[i]), Breaks(at, int(broken[i]), lost, int(flagged[row])))


class ContinuityFile:
    """The continuity of a transport stream in a file that somebody else is reading."""

    def __init__(self, path: str) -> None:
        self.scanner = ContinuityScanner()
        self._file = Path(path).open("rb", buffering=0)  # noqa: SIM115 - open until `close`

    def advance(self, position: int | None) -> None:
        """Look at everything before `position`, or at all there is."""
        while position is None or self.scanner.position <= position:
            try:
                data = self._file.read(_FILE_CHUNK)
            except OSError:
                return
            if not data:
                return
            self.scanner.feed(data, self.scanner.position)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _find_grid(data: bytes, packets: int, size: int | None = None) -> tuple[int, int] | None:
    """Offset of the first sync byte that is followed by others at the pace of a packet, and that pace in bytes."""
    codes = np.frombuffer(data, np.uint8)
    for pace in (size,) if size else _SIZES:
        span = (packets - 1) * pace
        if len(codes) <= span:
            continue
        hit = np.ones(len(codes) - span, bool)
        for number in range(packets):
            hit &= codes[number * pace : number * pace + len(hit)] == _SYNC
        at = np.flatnonzero(hit)
        if at.size:
            return int(at[0]), pace
    return None
