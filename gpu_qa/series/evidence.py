"""What a detector makes of a series: evidence, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np


@dataclass(frozen=True, slots=True)
class Evidence:
    """A detector's view of a stretch of stream, step by step. Steps may overlap in time and may leave gaps."""

    kind: str
    """Event kind such as `video.freeze`."""
    scope: str
    """What of the stream: "" the picture, "1" or "1:front" an audio track and channel group. Part of an event's key."""
    start_s: np.ndarray
    """float64 [T]: start of what the step speaks of."""
    end_s: np.ndarray
    """float64 [T]: its end."""
    verdict: np.ndarray
    """int8 [T]: +1 raises, −1 clears, 0 leaves things as they are (hysteresis band, or nothing to judge by)."""
    value: np.ndarray
    """float32 [T]: the measured value, in `unit`."""
    limit: float | np.ndarray
    """The value from which on `value` is a defect, in `unit`; float [T] where it is not the same for all steps. NaN
    where the value is compared with nothing."""
    unit: str
    worst: Literal["max", "min"] = "max"
    """Which of an event's values stands for it."""
    confidence: np.ndarray | None = None
    """float32 [T] in 0…1; null is 1 throughout."""
    details: dict[str, np.ndarray] = field(default_factory=dict)
    """Arrays [T] of any dtype (object for JSON values); an event shows those of the step whose value stands for it, of
    the last such one."""
    latest: frozenset[str] = frozenset()
    """Names of details that grow with the event, such as counts: it shows those of its last raising step."""
    gathered: frozenset[str] = frozenset()
    """Names of details that are lists, such as channels: an event shows what is in the list of any raising step."""
    severity_cap: np.ndarray | None = None
    """int8 [T]: index into `SEVERITIES` that an event may not exceed; null is no cap."""
    message: str = ""
    """`str.format` template with `{value}`, `{limit}`, `{duration_s}` and the details' names."""

    def __len__(self) -> int:
        return len(self.start_s)

    @property
    def raises(self) -> bool:
        """Whether any step does. Of a few steps Python finds the largest sooner than NumPy."""
        return max(self.verdict.tolist(), default=0) > 0


@lru_cache(maxsize=1024, typed=True)
def constant(count: int, value: bool | int | float | str | None, dtype: type) -> np.ndarray:  # noqa: FBT001
    """`count` times the same value, read-only and shared: for evidence of frames in which there is nothing to tell."""
    array: np.ndarray = np.full(count, value, dtype)
    array.setflags(write=False)
    return array
