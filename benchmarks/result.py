"""What the benchmarks of this folder write; the parts that `gpu-qa bench` shares stand in `gpu_qa/bench/result.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gpu_qa.bench.film import Clip  # noqa: TC001 - `read` looks up the fields' types
from gpu_qa.bench.result import (
    ROOT,
    SCHEMA,
    Machine,
    Side,
    Software,
    Spread,
    Target,
    load,
    machine,
    now,
    python_environment,
    python_json,
    read,
    shown,
    software,
    to_json,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ROOT",
    "SCHEMA",
    "CorrelationAccuracy",
    "CorrelationCase",
    "CorrelationPlacing",
    "CorrelationResult",
    "Machine",
    "MemoryResult",
    "MemorySample",
    "PipelineResult",
    "Side",
    "Software",
    "Spread",
    "Target",
    "load",
    "machine",
    "now",
    "python_environment",
    "python_json",
    "read",
    "software",
    "table",
    "to_json",
    "write",
]


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """What `benchmarks/pipeline.py` writes."""

    schema: int
    benchmark: Literal["pipeline"]
    created: str
    """UTC, ISO 8601."""
    machine: Machine
    software: Software
    device: Literal["cpu", "cuda"]
    clip: Clip
    rounds: int
    sides: tuple[Side, ...]
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class MemorySample:
    """Resident set of the process after so much of the stream."""

    position_s: float
    resident_mb: float


@dataclass(frozen=True, slots=True)
class MemoryResult:
    """What `benchmarks/memory.py` writes."""

    schema: int
    benchmark: Literal["memory"]
    created: str
    """UTC, ISO 8601."""
    machine: Machine
    software: Software
    clip: Clip
    wall_s: float
    events: int
    samples: tuple[MemorySample, ...]
    """Largest resident set within each stretch of the stream, at the stretch's end."""
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class CorrelationCase:
    """One way to correlate so many pairs of series."""

    name: str
    side: str
    streams: int
    series_s: float
    """Length of each series."""
    reach_s: float
    """Lags to both sides."""
    wall_ms: Spread
    """Of a call, or of as many calls as there are streams."""
    cpu_ms: Spread
    """All threads."""
    cpu_us_per_stream_s: float
    """At the median CPU time."""


@dataclass(frozen=True, slots=True)
class CorrelationAccuracy:
    """How far coefficients are from the definition's, which lie in −1 to 1; 2 where one of both has none."""

    name: str
    samples: int
    float64: float
    """Largest error in double precision."""
    float32: float
    """The same in single precision, which is not used."""


@dataclass(frozen=True, slots=True)
class CorrelationPlacing:
    """How far peaks are from the fractional delays of noise, root mean square, samples."""

    band: float
    """Part of half the series' rate that the noise fills."""
    own_noise: float
    """Level of other noise in either series, as a part of the shared one's."""
    parabola: float
    """Through the highest coefficient and its neighbours."""
    interpolation: float
    """By all coefficients around, as `correlation_peaks` does where there are enough."""


@dataclass(frozen=True, slots=True)
class CorrelationResult:
    """What `benchmarks/correlation.py` writes."""

    schema: int
    benchmark: Literal["correlation"]
    created: str
    """UTC, ISO 8601."""
    machine: Machine
    software: Software
    rounds: int
    cases: tuple[CorrelationCase, ...]
    targets: tuple[Target, ...]
    accuracy: tuple[CorrelationAccuracy, ...]
    placing: tuple[CorrelationPlacing, ...]


def table(sides: Sequence[Side], targets: Sequence[Target]) -> str:
    """The numbers for a person: median [first quartile … third quartile]."""
    lines = [f"{'':<28}{'wall s':>24}{'CPU s':>24}{'peak MB':>9}{'frames/s':>10}{'elsewhere':>11}"]
    lines += [
        f"{side.name:<28}{shown(side.wall_s):>24}{shown(side.cpu_s):>24}{side.peak_mb.median:>9.0f}"
        f"{side.frames_per_s:>10.1f}{side.elsewhere.median:>11.2f}"
        for side in sides
    ]
    lines.append("")
    for target in targets:
        wanted = f"{target.wanted} {target.limit:g}: {'met' if target.met else 'NOT MET'}" if target.limit else "shown"
        lines.append(f"{target.name:<58}{shown(target.value):>26}  {wanted}")
    return "\n".join(lines)
