"""What a viewer would notice, how severe it is, and how long evidence must last for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["info", "warn", "major", "critical"]
State = Literal["open", "closed"]

SEVERITIES: tuple[Severity, ...] = ("info", "warn", "major", "critical")


@dataclass(frozen=True, slots=True)
class Event:
    """Something a viewer would notice, from when to when. Same id from open to closed."""

    id: str
    """`STREAM-KIND-START`: stable over runs of the same input."""
    stream: str
    kind: str
    state: State
    severity: Severity
    start_s: float
    end_s: float | None
    """Null while open."""
    value: float | None
    """The worst measured value; null where none could be measured."""
    limit: float | None
    """What the value was compared with; null where it was with nothing."""
    unit: str
    confidence: float
    """0…1."""
    message: str
    details: dict[str, Any] = field(default_factory=dict)
    """Kind-specific JSON values. `consequences` are the kinds that would be told too if this were not their cause."""
    scope: str = ""
    """What of the stream, as in `Evidence`: "" the picture, "1" or "1:front" an audio track and channel group."""


@dataclass(frozen=True, slots=True)
class EventTiming:
    """How long evidence must last before it is told, and how an event's severity grows."""

    raise_after_s: float = 2.0
    """Evidence must raise for this long before an event opens (it then starts where the evidence did)."""
    clear_after_s: float = 0.5
    """Evidence must stay away for this long before an event closes (it then ended where the evidence did)."""
    major_after_s: float = 5.0
    """`warn` becomes `major` at this length."""
    critical_after_s: float = 15.0
    """`major` becomes `critical` at this length."""

    def __post_init__(self) -> None:
        if not self.raise_after_s >= 0 or not self.clear_after_s >= 0:
            raise ValueError("raise_after_s and clear_after_s must be 0 or more")
        if not self.raise_after_s <= self.major_after_s <= self.critical_after_s:
            raise ValueError("raise_after_s ≤ major_after_s ≤ critical_after_s must hold")
