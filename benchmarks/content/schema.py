"""What the benchmark of the content way writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.result import Machine, Software  # noqa: TC001 - `read` looks up the fields' types

Kind = Literal["talking", "close-up", "strikes"]
"""People who talk; those of them that `--without` leaves; things that strike."""


@dataclass(frozen=True, slots=True)
class Joins:
    """Joins of one kind and length, of one half of the sources."""

    kind: Kind
    seconds: float
    half: Literal["first", "other"]
    joins: int
    answered: int
    within_80_ms: int
    within_120_ms: int
    wrong_answered: int
    """Of as many with sound that is not theirs."""
    median_ms: float | None
    """Of how far answers are from what was planted."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What is answered from a confidence on, over all joins of one kind of material."""

    confidence: float
    is_talking: bool
    joins: int
    answered: int
    within_120_ms: int
    wrong_answered: int
    """Of as many with sound that is not theirs."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Joins in which the sound moves after `STEP_AFTER_S`."""

    step_ms: float
    """0 in those in which it does not; positive where it becomes earlier."""
    joins: int
    told: int
    """Within a minute of material after it, on the right side; in those without a step, any event at all."""
    median_s: float | None
    """From the step until it was told."""
    false_before: int
    """An event before the step."""


@dataclass(frozen=True, slots=True)
class ContentResult:
    """What `python -m benchmarks.content` writes."""

    schema: int
    benchmark: Literal["content"]
    created: str
    """UTC, ISO 8601."""
    machine: Machine
    software: Software
    weights: str
    """SHA-256 of the weights, first 12 digits."""
    talking_clips: int
    talking_s: float
    """Of shots that are long enough."""
    close_up_clips: int
    strikes_clips: int
    strikes_s: float
    skip: tuple[str, ...]
    """Patterns of names that were left out."""
    without: tuple[str, ...]
    """Those that "close-up" leaves out."""
    seed: int
    joins: tuple[Joins, ...]
    demands: tuple[Demand, ...]
    steps: tuple[Steps, ...]
    other_sound: Steps
    """Joins in which the sound of others goes on, or the sound backwards."""
