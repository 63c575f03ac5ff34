"""A file delivered as a live input would be: no faster than it plays.

Rehearsals and benchmarks need live inputs that are the same each time. Time here is that of the packets (dts) on a
monotonic clock. Who asks late gets at once what is due by then, as the buffer of a network would hand it over, so a
delay is caught up and does not move the clock.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gpu_qa.units import ticks_to_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gpu_qa.media import Packet
    from gpu_qa.sources.background import PacketSource

GAP_S = 10.0
"""A longer step forward is a jump and takes no time, as on the stream's own clock (features/timeline.py)."""
BACK_S = 1.0
"""A longer step back is a jump; shorter ones come of packets that have only a presentation time, out of order."""
_SLICE_S = 0.1
"""The longest sleep, so that an interruption ends it soon without a lock that a signal handler could find taken."""


@dataclass(slots=True)
class _TrackClock:
    last_s: float
    """The track's own time of its last packet."""
    offset_s: float
    """What is taken from the track's own time to give the time of the input, 0 at its first packet."""


class PacedSource:
    """A `PacketSource` that gives each packet of another one when it is due, and calls itself live.

    Args:
        inner: What is delivered; it is read by whoever asks for packets.
        clock: Seconds of a clock that only runs forward.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        inner: PacketSource,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.facts = replace(inner.facts, live=True, duration_s=None)
        """Those of a live input, whose end is not known ahead."""
        self.limit_s = inner.limit_s
        """The longest that a packet may be waited for, once it is due."""
        self._inner = inner
        self._clock = clock
        self._sleep = sleep
        self._interrupted = False
        self._began_s: float | None = None
        self._position_s = 0.0
        self._tracks: dict[int, _TrackClock] = {}

    def packets(self) -> Iterator[Packet]:
        """The packets in the order of the input, none before it is due; the ends of the tracks at once.

        Raises:
            SourceError: As the inner source does.
        """
        for packet in self._inner.packets():
            if packet.native is not None:
                self._wait_until(self._due_s(packet))
            if self._interrupted and packet.native is not None:
                return
            yield packet

    def _due_s(self, packet: Packet) -> float:
        """When a packet is due, in seconds after the first one; without a time of its own, with the one before."""
        native, track = packet.native, packet.track
        ticks = native.dts if native.dts is not None else native.pts
        if ticks is None:
            return self._position_s
        own_s = ticks_to_s(ticks, native.time_base or track.time_base)
        known = self._tracks.get(track.index)
        if known is None:
            # A track joins by the clock of the others, unless it has one of its own.
            offset_s = next((other.offset_s for other in self._tracks.values()), own_s)
            if not -BACK_S <= own_s - offset_s - self._position_s <= GAP_S:
                offset_s = own_s - self._position_s
            known = self._tracks[track.index] = _TrackClock(own_s, offset_s)
        elif not -BACK_S <= own_s - known.last_s <= GAP_S:
            # Each track jumps when its own packets do: two that jump one after the other do not drag the clock along.
            known.offset_s = own_s - self._position_s
        known.last_s = own_s
        due_s = own_s - known.offset_s
        self._position_s = max(self._position_s, due_s)
        return due_s

    def _wait_until(self, due_s: float) -> None:
        if self._began_s is None:
            self._began_s = self._clock()
        while not self._interrupted and (left_s := self._began_s + due_s - self._clock()) > 0:
            self._sleep(min(left_s, _SLICE_S))

    def interrupt(self) -> None:
        """End `packets` soon, within a tenth of a second where it waits for the clock; from any thread."""
        self._interrupted = True
        self._inner.interrupt()

    def close(self) -> None:
        """Close the inner source."""
        self._inner.close()
