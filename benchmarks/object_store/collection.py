"""The collector: evidence of all detectors becomes events, and what is no longer needed leaves the object store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpu_qa.config import known_detectors
from gpu_qa.events import TrackerState, finish, track

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.object_store.meter import Meter
    from benchmarks.object_store.payload import Chunk
    from benchmarks.object_store.store import Store
    from gpu_qa.series import Event, Evidence


@dataclass(frozen=True, slots=True)
class Collected:
    """What the collector hands on from chunk to chunk."""

    tracker: TrackerState
    keys: tuple[str, ...] = ()
    """Objects that the next chunk may still need."""


class Collection:
    """Joins what the detectors found in a chunk.

    Args:
        store: Where the chunk's objects are.
        meter: Counts the CPU time.
    """

    def __init__(self, store: Store, meter: Meter) -> None:
        self._store = store
        self._meter = meter

    def collect(
        self, chunk: Chunk, evidence: Mapping[str, Sequence[Evidence]], state: Collected
    ) -> tuple[list[Event], Collected]:
        """Follow the evidence, detector by detector, and remove the objects of the chunk before.

        Its last frame is needed until this chunk has been judged.
        """
        events: list[Event] = []
        tracker = state.tracker
        with self._meter.part("track"):
            for name, steps in evidence.items():
                for one in steps:
                    tracker, told = track(tracker, one, known_detectors()[name].timing)
                    events += told
            if chunk.last:
                tracker, told = finish(tracker, chunk.until_s)
                events += told
        keys = tuple(chunk.keys())
        with self._meter.part("delete"):
            self._store.delete([*state.keys, *(keys if chunk.last else ())])
        return events, Collected(tracker, () if chunk.last else keys)
