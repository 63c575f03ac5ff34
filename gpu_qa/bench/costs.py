"""What `gpu-qa bench` writes and `gpu-qa plan` reads: what analyzing streams costs on one machine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gpu_qa.bench import result
from gpu_qa.bench.film import Clip  # noqa: TC001 - `read` looks up the fields' types
from gpu_qa.bench.result import Machine, Side, Software, Spread, Target  # noqa: TC001
from gpu_qa.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class DetectorCost:
    """What one detector takes, its events' hysteresis included."""

    name: str
    per: Literal["picture", "second"]
    """What the time is for: a picture, or a second of stream (detectors of sound and of the stream itself)."""
    ms: Spread
    """CPU time in milliseconds."""


@dataclass(frozen=True, slots=True)
class Parts:
    """CPU time by what it is spent on, each part timed by itself in one thread, the decoder with one thread.

    `demux` to `measure` run in the stream's own thread, the rest in the one thread that judges all streams.
    """

    demux_ms: Spread
    """Per picture, the packets of its sound included."""
    decode_ms: Spread
    """Per picture. On a card the processor's share only."""
    measure_ms: Spread
    """Per picture. On a card the processor's share of launching and copying back, streams by themselves."""
    series_ms: Spread
    """Per picture: placed in time, sums turned into series."""
    record_ms: Spread
    """Per picture: counts, curves and thumbnails for the report."""
    sound_decode_ms: Spread
    """Per second of stream, in the stream's own thread; 0 without sound."""
    sound_measure_ms: Spread
    """Per second of stream, in the judging thread; 0 without sound."""
    detectors: tuple[DetectorCost, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """So many copies of a stream at once in one process, each delivered no faster than it plays."""

    streams: int
    seconds: float
    """How long it was watched, once all streams had begun."""
    behind_s: float
    """The furthest that any stream was behind what had been delivered to it, at any time."""
    frames_dropped: int
    cpu_cores: float
    """Processors that the process kept busy on average."""
    judging_cores: float
    """Of these, in the one thread that judges."""
    elsewhere: float
    """Processors that other processes kept busy meanwhile."""
    resident_mb: float
    """Resident set, 10⁶ bytes."""
    proportional_mb: float
    """The same with memory that is shared with other processes counted in part (PSS)."""
    device_mb: float | None
    """Memory in use on the card, all processes, 10⁶ bytes; null without a card."""
    decoder_load: float | None
    """Load of the card's decoding engines as its driver tells it, 0…1; null without a card."""
    held: bool
    """Whether all streams stayed at most so far behind as allowed, and no picture was left out."""


@dataclass(frozen=True, slots=True)
class Latency:
    """From a picture to the event that it made certain."""

    streams: int
    events: int
    p50_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class RealTime:
    """How many streams one process carries as they play."""

    streams: int
    """The most that held."""
    at_least: bool
    """True where the search ended before a number failed."""
    allowed_s: float
    """How far behind a stream may be."""
    seconds: float
    """For how long it had to hold."""
    probes: tuple[Probe, ...]
    """Every number that was tried, in order of number."""
    latency: Latency | None
    """At a load that leaves headroom; null where it was not measured or no event came."""


@dataclass(frozen=True, slots=True)
class FormatCost:
    """What streams of one kind cost."""

    codec: str
    width: int
    height: int
    frame_rate: float
    clip: Clip
    parallel: int
    """Streams that each side of the comparison analyzed at once."""
    sides: tuple[Side, ...]
    ratios: tuple[Target, ...]
    """Between sides, within rounds."""
    parts: Parts
    overhead: float
    """CPU time of the whole program per picture over the sum of its parts: threads, hand-over, caches."""
    memory_mb: float | None
    """What one more stream adds to the process (PSS), 10⁶ bytes; null where it was not measured."""
    device_mb: float | None
    """What one more stream adds on the card, 10⁶ bytes; null where it was not measured."""
    real_time: RealTime | None
    """Null where it was not searched for."""


@dataclass(frozen=True, slots=True)
class BenchResult:
    """What `gpu-qa bench` writes."""

    schema: int
    benchmark: Literal["bench"]
    created: str
    """UTC, ISO 8601."""
    machine: Machine
    software: Software
    device: Literal["cpu", "cuda"]
    rounds: int
    complete: bool
    """False where it was interrupted: formats that were not finished are missing."""
    base_mb: float
    """Memory of a process that is ready and analyzes nothing (PSS), 10⁶ bytes."""
    formats: tuple[FormatCost, ...]

    @property
    def detectors(self) -> frozenset[str]:
        """Detectors whose cost is known for every format."""
        known = [frozenset(cost.name for cost in one.parts.detectors) for one in self.formats]
        return frozenset.intersection(*known) if known else frozenset()


def load_costs(path: Path) -> BenchResult:
    """Read what `gpu-qa bench --output` has written.

    Raises:
        ConfigError: The file cannot be read or does not follow the schema; the message says where.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        found = result.read(BenchResult, value)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: is no result of `gpu-qa bench --output`: {error}") from None
    if found.schema != result.SCHEMA:
        raise ConfigError(f"{path}: has schema {found.schema}, this version reads {result.SCHEMA}")
    if not found.formats:
        raise ConfigError(f"{path}: holds no measured format: the bench was interrupted too early")
    return found
