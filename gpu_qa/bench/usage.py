"""What a process uses: memory as Linux counts it, and how busy others keep the machine meanwhile."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

QUIET_PROCESSORS = 0.25
"""Others keep fewer processors busy than this: quiet enough to begin a run."""


def cores() -> int:
    """Logical processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_mb() -> float:
    """Largest resident set of this process so far, 10⁶ bytes.

    Linux's `VmHWM` and not `ru_maxrss`, which a child inherits from the process that started it.
    """
    found = _kilobytes(Path("/proc/self/status"), "VmHWM")
    return (found if found is not None else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * 1024 / 1e6


def resident_mb(pid: int | None = None) -> float:
    """Resident set of a process, by default this one, 10⁶ bytes."""
    found = _kilobytes(_proc(pid) / "status", "VmRSS")
    return (found or 0) * 1024 / 1e6


def proportional_mb(pid: int | None = None) -> float:
    """The same with each page that is shared by k processes counted as 1/k of a page (PSS), 10⁶ bytes.

    The resident set where the kernel does not tell.
    """
    found = _kilobytes(_proc(pid) / "smaps_rollup", "Pss")
    return resident_mb(pid) if found is None else found * 1024 / 1e6


def _proc(pid: int | None) -> Path:
    return Path("/proc") / ("self" if pid is None else str(pid))


def _kilobytes(path: Path, name: str) -> int | None:
    """The value of a line `NAME:  123 kB`; null where there is none."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), None)


class Elsewhere:
    """How many processors others keep busy during a block, by /proc/stat; children count once they have ended."""

    processors = 0.0

    def __enter__(self) -> Elsewhere:
        self._busy_s, self._own_s, self._since_s = _busy_s(), _own_s(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        wall_s = time.perf_counter() - self._since_s
        self.processors = (_busy_s() - self._busy_s - (_own_s() - self._own_s)) / wall_s


def _busy_s() -> float:
    """CPU time that the machine has spent on anything since its start; 0 where /proc is missing."""
    try:
        user, nice, system, _, _, irq, softirq, steal = (
            int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
        )
    except (OSError, ValueError):
        return 0.0
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    """CPU time of this process and of its ended children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def wait_for_quiet(limit_s: float) -> None:
    """Wait until others leave the machine alone for a second, but no longer than `limit_s`."""
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        with Elsewhere() as elsewhere:
            time.sleep(1.0)
        if elsewhere.processors < QUIET_PROCESSORS:
            return
