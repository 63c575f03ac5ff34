"""What a service's invocation cost: CPU time by part, requests, bytes, waiting."""

from __future__ import annotations

import contextlib
import resource
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.object_store.store import Traffic

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class Cost:
    """Of one invocation, or of several together."""

    invocations: int = 0
    wall_s: float = 0.0
    """From the request's arrival to its answer."""
    cpu_s: float = 0.0
    """User and system time of the process, all threads."""
    parts: dict[str, float] = field(default_factory=dict)
    """CPU seconds by what they were spent on; the rest is the runtime's own."""
    traffic: Traffic = field(default_factory=Traffic)
    peak_mb: float = 0.0
    """Largest resident set of the process, 10⁶ bytes."""

    def add(self, other: Cost) -> None:
        """Take another invocation's cost to this one."""
        self.invocations += other.invocations
        self.wall_s += other.wall_s
        self.cpu_s += other.cpu_s
        for name, cpu_s in other.parts.items():
            self.parts[name] = self.parts.get(name, 0.0) + cpu_s
        for name in Traffic.__slots__:
            setattr(self.traffic, name, getattr(self.traffic, name) + getattr(other.traffic, name))
        self.peak_mb = max(self.peak_mb, other.peak_mb)


class Meter:
    """Tells where CPU time goes within a process."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the CPU time of what is done inside under this name."""
        begun_s = time.process_time()
        try:
            yield
        finally:
            self.parts[name] = self.parts.get(name, 0.0) + time.process_time() - begun_s

    def taken(self) -> dict[str, float]:
        """The parts since the last call."""
        parts, self.parts = self.parts, {}
        return parts


def process_cpu_s() -> float:
    """User and system time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
