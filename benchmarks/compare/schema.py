"""What the benchmark of `gpu-qa compare` writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.result import Machine, Software  # noqa: TC001 - `read` looks up the fields' types


@dataclass(frozen=True, slots=True)
class Copies:
    """What was found of all copies of one kind."""

    way: str
    """What was done to them; `same rate`, `other rate` and `all` are of several."""
    copies: int
    answered: int
    """With a skew."""
    median_ms: float | None
    """Error of the skew, of those that were answered."""
    p95_ms: float | None
    p99_ms: float | None
    largest_ms: float | None
    within_20_ms: int
    called_other: int
    """Picture or sound called other content than the reference's, though some of it may match."""


@dataclass(frozen=True, slots=True)
class Others:
    """What was found of pairs of which one is not the other's programme."""

    kind: str
    """How they differ; `all` is of all."""
    pairs: int
    recognised: int
    """Picture, sound or both called other content, neither called the reference's."""
    least_share: float
    """Lower end of the 95 % interval of their share (Wilson 1927)."""
    most_share: float
    unknown: int
    """Nothing told."""
    picture_matched: int
    """The picture called the reference's, in a stretch at least."""
    sound_matched: int
    with_skew: int
    """Told a skew."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A programme of two minutes whose sound runs at another speed."""

    material: str
    planted_ppm: float
    """Positive where sound becomes earlier."""
    told_ppm: float | None
    sigma_ppm: float | None
    told_after_s: float | None
    """Of the copy, until the command calls it a problem; null: never."""


@dataclass(frozen=True, slots=True)
class CompareResult:
    """What `python -m benchmarks.compare` writes."""

    schema: int
    benchmark: Literal["compare"]
    created: str
    """UTC, ISO 8601."""
    machine: Machine
    software: Software
    clips: int
    programmes: int
    """That copies were made of."""
    joined: int
    """Of them, joined from shorter clips."""
    seconds: float
    """Of each, before it is delayed."""
    seed: int
    copies: tuple[Copies, ...]
    others: tuple[Others, ...]
    drifts: tuple[Drift, ...]
    cpu_ms_per_stretch: float
    """Of one core, to lay a stretch over the reference once both are measured; median over copies."""
