"""What the benchmark of the detectors writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.result import Machine, Software  # noqa: TC001 - `read` looks up the fields' types


@dataclass(frozen=True, slots=True)
class ClipRow:
    """A clip that faults were planted in."""

    name: str
    synthesised: bool
    seconds: float
    """Of it that were used."""
    width: int
    height: int
    frame_rate: float
    channels: str | None
    """Layout of the sound; null without one."""


@dataclass(frozen=True, slots=True)
class Quartiles:
    """How a quantity scatters over clips."""

    count: int
    q1: float
    median: float
    q3: float
    worst: float
    """The one farthest from 0."""


@dataclass(frozen=True, slots=True)
class Score:
    """How one side found a fault at one strength, over all clips."""

    found: int
    """Clips in which an event of the right kind covers at least half of the fault; of what has no length, begins
    within a second of it."""
    exact: int
    """Both ends within 0.5 s; of what has no length, the start."""
    onset_s: Quartiles | None
    """Start of the event, less that of the fault; null where nothing was found."""
    end_s: Quartiles | None
    """The same of the ends; null also for what has no length."""
    told_s: Quartiles | None
    """How far the stream had been read, less the fault's start, when the event was told; null for FFmpeg."""
    missed: tuple[str, ...]
    """Clips in which it was not found."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One fault at one strength."""

    fault: str
    kind: str
    """The event that should be told."""
    detector: str
    strength: float | None
    unit: str
    options: str
    """Those that differ from the fault's defaults, such as `look=grey`."""
    clips: int
    """In how many clips it was planted."""
    ours: Score
    peer: str | None
    """FFmpeg's filter that was asked the same; null where it has none."""
    theirs: Score | None
    also: dict[str, int]
    """Other kinds that were told during the fault, and in how many clips."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """An event where nothing was planted."""

    clip: str
    fault: str
    """What was planted elsewhere in the clip; empty for a clean copy."""
    kind: str
    start_s: float
    end_s: float
    value: float | None
    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """What was told where nothing was planted. Events of severity `info` are no alarms."""

    hours: float
    """Of clean copies."""
    sound_hours: float
    """Of clean sound at −23 LUFS besides, judged with profile `ebu`."""
    alarms: tuple[Alarm, ...]
    """On clean copies: false alarms, or defects that the clips have of their own."""
    planted_hours: float
    """Of clips with a fault, without the fault and a second on either side."""
    strays: tuple[Alarm, ...]
    """There, and not on the clean copy of the same clip."""
    peer_alarms: dict[str, int]
    """FFmpeg's filter → stretches that it tells on clean copies."""
    peer_limits: dict[str, float]
    """Limit of filters that only measure: the largest value of any second on a clean copy, so that none is told."""


@dataclass(frozen=True, slots=True)
class DetectionResult:
    """What `python -m benchmarks.detectors` writes."""

    schema: int
    benchmark: Literal["detectors"]
    created: str
    """UTC, ISO 8601."""
    machine: Machine
    software: Software
    wall_s: float
    clips: tuple[ClipRow, ...]
    skipped: dict[str, str]
    """Clip that could not be used → why."""
    cases: tuple[CaseResult, ...]
    quiet: Quiet


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """What a detector tells at one value of a limit."""

    value: float
    clips: int
    """With a fault of its kinds."""
    found: int
    exact: int
    alarms: int
    """Events on clean copies, severity `info` left out."""
    by_fault: dict[str, int]
    """Fault → in how many clips it was found."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One limit of one detector at several values, the others at their defaults."""

    detector: str
    limit: str
    default: float
    clean_hours: float
    points: tuple[SweepPoint, ...]


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What `python -m benchmarks.detectors --sweep` writes."""

    schema: int
    benchmark: Literal["detectors_sweep"]
    created: str
    machine: Machine
    software: Software
    clips: tuple[ClipRow, ...]
    sweeps: tuple[Sweep, ...]
