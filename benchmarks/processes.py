"""Commands that run beside one another: what they cost in time and memory, to their end or watched for a while."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import result
from gpu_qa.bench import usage

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Group:
    """Processes that ran at the same time."""

    wall_s: float
    cpu_s: float
    proportional_mb: float
    """Sum of their PSS, at the highest of the samples, or at the end of a watch."""
    resident_mb: float
    """Sum of their resident sets: what they share counts for each."""


def analyze_command(clips: Sequence[str], *options: str) -> list[str]:
    """The command of users, on the CPU, its result thrown away."""
    command = [sys.executable, "-m", "gpu_qa", "analyze", "--quiet", "--format", "jsonl", "--device", "cpu"]
    return [*command, *options, "--", *clips]


def run_to_end(commands: Sequence[list[str]]) -> Group:
    """Run commands at once, to the end of the last; memory is sampled meanwhile.

    Raises:
        RuntimeError: One could not analyze.
    """
    began_s = time.perf_counter()
    processes = [_started(command) for command in commands]
    memory = _MemoryWatch([process.pid for process in processes])
    cpu_s = 0.0
    try:
        for process in processes:
            _, status, spent = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            cpu_s += spent.ru_utime + spent.ru_stime
            if process.returncode not in (0, 1):
                raise RuntimeError(f"one of {len(processes)} analyses ended with {process.returncode}")
        wall_s = time.perf_counter() - began_s
    finally:
        memory.stop()
        _end(processes)
    return Group(wall_s, cpu_s, memory.proportional_mb, memory.resident_mb)


def watch_live(commands: Sequence[list[str]], wait_s: float, watched_s: float) -> Group:
    """Run commands that last longer, and look at them from `wait_s` seconds on.

    Raises:
        RuntimeError: One ended before the watch was over.
    """
    processes = [_started(command) for command in commands]
    try:
        time.sleep(wait_s)
        began_s, cpu_s = time.perf_counter(), sum(_cpu_s(process.pid) for process in processes)
        time.sleep(watched_s)
        wall_s, spent_s = time.perf_counter() - began_s, sum(_cpu_s(process.pid) for process in processes) - cpu_s
        if any(process.poll() is not None for process in processes):
            raise RuntimeError("a live run ended before the watch was over")
        pids = [process.pid for process in processes]
        return Group(
            wall_s, spent_s, sum(map(usage.proportional_mb, pids)), sum(usage.resident_mb(pid) for pid in pids)
        )
    finally:
        _end(processes)


def settle_s(streams: int) -> float:
    """How long so many processes may take to be under way."""
    return 4.0 + 0.5 * streams


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=result.python_environment(),
        cwd=ROOT,
    )


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.returncode is None:
            process.kill()
    for process in processes:
        if process.returncode is None:
            process.wait()


def _cpu_s(pid: int) -> float:
    """CPU time of a process so far, user and system, all threads."""
    fields = (Path("/proc") / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class _MemoryWatch(threading.Thread):
    """Keeps the largest sums of several processes' memory, looked at four times a second."""

    def __init__(self, pids: Sequence[int]) -> None:
        super().__init__(daemon=True)
        self._pids = pids
        self._over = threading.Event()
        self.proportional_mb = self.resident_mb = 0.0
        self.start()

    def run(self) -> None:
        while not self._over.wait(0.25):
            self.proportional_mb = max(self.proportional_mb, sum(map(usage.proportional_mb, self._pids)))
            self.resident_mb = max(self.resident_mb, sum(usage.resident_mb(pid) for pid in self._pids))

    def stop(self) -> None:
        self._over.set()
        self.join()
