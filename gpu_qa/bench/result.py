"""What a measurement writes: a JSON document that says what was measured, on what, and how much it scattered.

Frozen dataclasses are the schema. `read` refuses a document with a missing, surplus or mistyped key, or with a number
that is not finite.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import types
import typing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA = 1
ROOT = Path(__file__).resolve().parent.parent.parent
"""What holds the package: a checkout, or the folder of installed packages."""
_PACKAGES = ("av", "numba", "numba-cuda", "numpy", "PyNvVideoCodec", "torch")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spread:
    """A quantity that was measured several times."""

    median: float
    q1: float
    """First quartile; the interquartile range is `q3 - q1`."""
    q3: float
    values: tuple[float, ...]
    """In the order in which they were measured."""

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Median and quartiles of at least one value."""
        if not values:
            raise ValueError("nothing was measured")
        q1, median, q3 = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
        return cls(round(median, 4), round(q1, 4), round(q3, 4), tuple(round(value, 4) for value in values))


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured."""

    cpu: str
    cores: int
    """Logical processors that this process may use."""
    memory_mb: int
    system: str
    gpu: str | None
    """Name and driver version; null without one."""
    load_before: float
    """One-minute load average just before the first measurement: other work on the machine."""
    load_after: float
    """The same after the last one: own work included."""


@dataclass(frozen=True, slots=True)
class Software:
    """What was measured."""

    python: str
    packages: dict[str, str]
    """Distribution → version, of those that are installed."""
    ffmpeg: str | None
    """First line of `ffmpeg -version`; null where the command is missing."""
    commit: str
    """Of this tree; ends in `+` where it had changes; empty outside a checkout."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the things that are compared, each run of it in a process of its own."""

    name: str
    what: str
    """In words, or the command."""
    wall_s: Spread
    cpu_s: Spread
    """User and system time of all threads."""
    peak_mb: Spread
    """Largest resident set of the process, 10⁶ bytes."""
    elsewhere: Spread
    """Processors that other processes kept busy meanwhile, on average; negative readings are rounding."""
    frames_per_s: float
    """At the median wall time."""
    cpu_ms_per_frame: float
    """At the median CPU time."""


@dataclass(frozen=True, slots=True)
class Target:
    """A number that was asked for, and what came out."""

    name: str
    value: Spread
    """A ratio is taken within each round, between neighbours in time, and the median is over rounds."""
    limit: float | None
    """Null where it is only shown."""
    wanted: Literal["at most", "at least", "shown"]
    met: bool | None
    """By the median; null where nothing was asked for."""

    @classmethod
    def of(cls, name: str, values: Sequence[float], wanted: str = "shown", limit: float | None = None) -> Target:
        """Weigh the values' median against the limit."""
        value = Spread.of(values)
        if wanted == "at most" and limit is not None:
            return cls(name, value, limit, "at most", value.median <= limit)
        if wanted == "at least" and limit is not None:
            return cls(name, value, limit, "at least", value.median >= limit)
        return cls(name, value, None, "shown", None)


def side_of(
    name: str,
    what: str,
    *,
    frames: int,
    wall_s: Sequence[float],
    cpu_s: Sequence[float],
    peak_mb: Sequence[float],
    elsewhere: Sequence[float],
) -> Side:
    """A side of so many pictures per run, from the values of each run."""
    wall, cpu = Spread.of(wall_s), Spread.of(cpu_s)
    return Side(
        name=name,
        what=what,
        wall_s=wall,
        cpu_s=cpu,
        peak_mb=Spread.of(peak_mb),
        elsewhere=Spread.of(elsewhere),
        frames_per_s=round(frames / wall.median, 2),
        cpu_ms_per_frame=round(1000 * cpu.median / frames, 3),
    )


def now() -> str:
    """The time for a result's `created`."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def load() -> float:
    """The one-minute load average."""
    return round(os.getloadavg()[0], 2)


def machine(load_before: float) -> Machine:
    """This machine, with the load average from before and of now."""
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_mb=round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e6),
        system=platform.platform(),
        gpu=_first_line(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]),
        load_before=load_before,
        load_after=load(),
    )


def software() -> Software:
    """The versions in use."""
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    commit = ""
    if (ROOT / ".git").exists():  # else a repository around the installed package would answer
        commit = _first_line(["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"]) or ""
        if commit and _first_line(["git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no"]):
            commit += "+"
    return Software(platform.python_version(), packages, _first_line(["ffmpeg", "-version"]), commit)


def to_json(value: Any) -> Any:
    """JSON values of a result or a part of it."""
    return dataclasses.asdict(value)


def to_text(result: Any) -> str:
    """A result as a JSON document, after having read it back.

    Raises:
        ValueError: The result does not follow the schema.
    """
    text = json.dumps(to_json(result), indent=1, ensure_ascii=False, allow_nan=False)
    read(type(result), json.loads(text))
    return text + "\n"


def write(result: Any, path: Path) -> None:
    """Write a result after having read it back.

    Raises:
        ValueError: The result does not follow the schema.
    """
    text = to_text(result)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def read(kind: type[T], value: Any) -> T:
    """A result from its JSON values.

    Raises:
        ValueError: A key is missing, unknown or of another type, or a number is not finite; the message names it.
    """
    return typing.cast("T", _read(kind, value, kind.__name__))


def _read(kind: Any, value: Any, where: str) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        if not isinstance(value, dict) or set(value) != set(hints):
            found = sorted(value) if isinstance(value, dict) else type(value).__name__
            raise ValueError(f"{where}: found {found}, expected {sorted(hints)}")
        return kind(**{name: _read(hint, value[name], f"{where}.{name}") for name, hint in hints.items()})  # type: ignore[operator]
    if origin is Literal:
        if value in inner:
            return value
    elif origin in (typing.Union, types.UnionType):
        if value is None and type(None) in inner:
            return None
        return _read(next(one for one in inner if one is not type(None)), value, where)
    elif origin is tuple and isinstance(value, list | tuple):
        return tuple(_read(inner[0], one, f"{where}[{i}]") for i, one in enumerate(value))
    elif origin is dict and isinstance(value, dict):
        return {str(key): _read(inner[1], one, f"{where}.{key}") for key, one in value.items()}
    elif kind is float and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    elif isinstance(kind, type) and type(value) is kind and kind is not float:
        return value
    raise ValueError(f"{where} = {value!r}: expected {kind}")


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _first_line(command: list[str]) -> str | None:
    """First line that a command prints; null where it is missing, fails or prints nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.partition("\n")[0].strip() or None


def shown(spread: Spread) -> str:
    """A spread for people: median [first quartile … third quartile]."""
    return f"{spread.median:.2f} [{spread.q1:.2f} … {spread.q3:.2f}]"


def python_environment() -> dict[str, str]:
    """The environment in which a child finds this package, installed or not."""
    if not (ROOT / "kernels").is_dir():
        return dict(os.environ)
    known = os.environ.get("PYTHONPATH")
    paths = [str(ROOT), str(ROOT / "kernels"), *([known] if known else [])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def python_json(arguments: Sequence[str]) -> Any:
    """What a Python script prints as JSON on its last line.

    Raises:
        RuntimeError: It failed; the message holds what it said.
    """
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=python_environment(), cwd=ROOT, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.strip().rpartition("\n")[2])
