"""What was measured, and what the benchmark writes. Quantities are per second of stream unless they say otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.object_store.payload import FrameFormat  # noqa: TC001 - `read` looks up the fields' types
from benchmarks.result import Machine, Software, Spread, Target  # noqa: TC001
from gpu_qa.bench.film import Clip  # noqa: TC001

Role = Literal["converter", "detector", "collector"]


@dataclass(frozen=True, slots=True)
class ServiceUse:
    """What one service needed."""

    name: str
    role: Role
    invocations: float
    cpu_s: Spread
    """User and system time of its process, one value per round."""
    parts: dict[str, float]
    """CPU seconds by what they were spent on, median over rounds: decode, pack, store (converter); fetch, unpack,
    measure, weigh (detector); track, delete (collector); rest (the runtime and the payloads)."""
    wait_s: float
    """Wall time during which only requests were under way, median over rounds."""
    waits: float
    """How often it waited: requests under way together count once."""
    puts: float
    gets: float
    deletes: float
    put_bytes: float
    get_bytes: float
    peak_mb: float
    """Largest resident set of its process, 10⁶ bytes."""


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """An event, as far as it is compared."""

    kind: str
    start_s: float
    end_s: float
    value: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the events of a run compare with those of one process."""

    identical: bool
    """The same events, times to the microsecond and values to the bit."""
    found: int
    """Of the one process's events, those that the run has too: same kind, overlapping in time."""
    missed: tuple[str, ...]
    """Those that it has not."""
    surplus: tuple[str, ...]
    """Those that it has beside."""
    worst_s: float
    """Largest difference in start or end of those found, seconds."""


@dataclass(frozen=True, slots=True)
class RunUse:
    """The services on one clip, laid out in one way."""

    name: str
    frames_per_s: float
    """Frames stored."""
    encoding: FrameFormat
    chunk_s: float
    """Length of what one run of the workflow works on."""
    bundled: bool
    """One object per chunk, instead of one per frame and one for the sound."""
    connections: int
    """Requests that a service may have under way at once."""
    transitions: float
    """States executed."""
    executions: float
    """Runs of the workflow."""
    payload_bytes: int
    """The largest input or output of a state, in all."""
    latency_s: Spread
    """From having a chunk's packets to having its verdict; the runs of the workflow of all rounds, thinned to 200."""
    store_cpu_s: Spread
    """CPU time of the object store's servers; nobody is charged for it but by the request."""
    services: tuple[ServiceUse, ...]
    events: tuple[SeenEvent, ...]
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class OneProcessUse:
    """`gpu_qa.analyze` on the same clip with the same detectors, every frame of it."""

    frames_per_s: float
    """Frames judged."""
    cpu_s: Spread
    """User and system time of all threads, one value per round."""
    wall_s: Spread
    """The same stretch of wall time."""
    peak_mb: float
    events: tuple[SeenEvent, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """Both designs on one clip."""

    store: str
    """The server program and its version."""
    detectors: tuple[str, ...]
    rounds: int
    runs: tuple[RunUse, ...]
    one_process: OneProcessUse


@dataclass(frozen=True, slots=True)
class Share:
    """A part of what the distributed design costs, and of what the step to one process saves."""

    name: str
    quantity: str
    """How much of what, per second of stream, for a person."""
    distributed: float
    """USD per stream-hour."""
    one_process: float
    """USD per stream-hour; 0 where one process has no such part."""
    of_saving: float
    """This part's share of the whole saving, 0…1; negative where one process costs more."""


@dataclass(frozen=True, slots=True)
class Case:
    """The two designs under one set of assumptions."""

    name: str
    run: str
    """Name of the run whose quantities it takes."""
    changed: dict[str, str]
    """Assumptions and prices that differ from the default, by name."""
    distributed: float
    """USD per stream-hour."""
    one_process: float
    """USD per stream-hour."""
    saving: float
    """1 − one process / distributed; negative where one process costs more."""
    slowest: str
    """The service that takes longest for a chunk."""
    busy: float
    """How long that is, as a share of the chunk's length; beyond 1 it does not keep up with a live stream."""


@dataclass(frozen=True, slots=True)
class ObjectStoreResult:
    """What `python -m benchmarks.object_store` writes."""

    schema: int
    benchmark: Literal["object_store"]
    created: str
    """UTC, ISO 8601."""
    machine: Machine
    software: Software
    clip: Clip
    measured: Measured
    assumptions: dict[str, str]
    """By name, as they would be given on the command line."""
    prices: dict[str, float]
    """USD, by name; `prices.toml` has units, dates and sources."""
    shares: dict[str, tuple[Share, ...]]
    """Break-down of the default case, and of the same at the full frame rate, by the run's name."""
    cases: tuple[Case, ...]
    targets: tuple[Target, ...]
