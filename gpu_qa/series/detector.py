"""A detector as the program sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_qa.series.event import EventTiming
    from gpu_qa.series.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Detector:
    """A detector as the program sees it: what it reads, what it tells, its settings and its one function."""

    name: str
    """Lower case, as in `--detectors` and the configuration: `freeze`."""
    kinds: tuple[str, ...]
    """The event kinds that its evidence has."""
    consumes: Literal["video", "audio", "spectrum", "sync", "stream"]
    """Which series `weigh` is given: `VideoSeries`, `AudioSeries`, `SpectrumSeries`, `SyncSeries` or `StreamSeries`."""
    weigh: Callable[[Any, Any, Any], tuple[list[Evidence], Any]]
    """`weigh(series, limits, carry) → (evidence, carry)`: pure. `carry` is null at a stream's start and opaque to the
    caller, who hands it back with the next series; any cut of a stream into series gives the same evidence."""
    limits: Any
    """The default limits: an instance of a frozen dataclass."""
    timing: EventTiming
    """The default timing of its events."""
    summary: str
    """One line: what a viewer notices."""
    source: str
    """Where the defaults come from: a standard with clause, a program, or our own measurement."""
    conclude: Callable[[Any, Any], list[Evidence]] | None = None
    """`conclude(limits, carry) → evidence`: what can only be said of a whole programme. Asked once, with the last
    carry, where a file has been read from its start to its end; null has nothing to say then."""
