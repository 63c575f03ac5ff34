"""What the command makes of every file below a folder: exit code, speed, events by kind, and why it gave up.

    python benchmarks/outcomes.py DIR                                    # table on the terminal
    python benchmarks/outcomes.py DIR --output outcomes --limit-s 60     # and outcomes.md, outcomes.json

Each file is analyzed by a process of its own, so that one that crashes or hangs costs only its own time limit. The
folder is the user's: nothing of it is kept but names and counts.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parent.parent
FIELDS = ("file", "exit", "seconds", "× real time", "frames", "events", "error")
TIMED_OUT = -1000
"""Stands for the exit code of a process that had to be killed at its time limit; no signal has this number."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one file ended."""

    file: str
    """Path below the folder."""
    exit_code: int
    """The command's; negative is the signal that ended it, `TIMED_OUT` our own time limit."""
    wall_s: float
    """Start of the process to its end."""
    analyzed_s: float | None
    """Length of what was analyzed, on the stream's clock."""
    real_time_factor: float | None
    """Of the analysis itself, without the process's start."""
    frames: int | None
    events: dict[str, int] = field(default_factory=dict)
    """Event kind → number of events. Those of severity `info` have ` (info)` behind their kind."""
    error: str | None = None
    """Why the file could not be analyzed, or not to its end; of a broken process, its last words."""

    @property
    def broken(self) -> bool:
        """Whether the program failed, not the file: no document, a traceback, a fault of its own, or no end."""
        return self.exit_code not in (0, 1, 2) or "internal error" in (self.error or "")


def outcome(path: Path, name: str, arguments: Iterable[str], limit_s: float) -> Outcome:
    """Analyze one file in a process of its own, which is killed after `limit_s` seconds."""
    command = [sys.executable, "-m", "gpu_qa", "analyze", *arguments, "--format", "json", "--", str(path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])}
    started_s = time.perf_counter()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=limit_s)
            code = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            code = TIMED_OUT
    return read_outcome(name, code, time.perf_counter() - started_s, out, err)


def read_outcome(name: str, code: int, wall_s: float, out: bytes, err: bytes) -> Outcome:
    """What a finished process says.

    Args:
        name: The file's name in the table.
        code: The process's exit code.
        wall_s: How long it ran.
        out: Its standard output: one JSON document, or a piece of one.
        err: Its standard error.
    """
    words = err.decode(errors="replace").strip()
    last = words.splitlines()[-1] if words else ""
    wall_s = round(wall_s, 2)
    if code == TIMED_OUT:
        return Outcome(name, code, wall_s, None, None, None, error=f"killed at the time limit; {last}".rstrip("; "))
    try:
        document: dict[str, Any] = json.loads(out)
    except ValueError:
        # A code that is right without a document is still a failure of the program.
        code = code if code not in (0, 1) else -code - 1
        return Outcome(name, code, wall_s, None, None, None, error=f"no document; {last}".rstrip("; "))
    measured = document["measurements"]
    kinds = Counter(event["kind"] + (" (info)" if event["severity"] == "info" else "") for event in document["events"])
    error = document.get("error")
    if "Traceback" in words:
        error = f"internal error: {last}"
    return Outcome(
        file=name,
        exit_code=code,
        wall_s=wall_s,
        analyzed_s=measured.get("analyzed_s"),
        real_time_factor=measured.get("real_time_factor"),
        frames=measured.get("frames_decoded"),
        events=dict(sorted(kinds.items())),
        error=error,
    )


def markdown(outcomes: Iterable[Outcome]) -> str:
    """A table with a line per file, then how many files ended with which exit code."""
    lines = ["| " + " | ".join(FIELDS) + " |", "|" + "---|" * len(FIELDS)]
    codes: Counter[int] = Counter()
    broken = 0
    for one in outcomes:
        codes[one.exit_code] += 1
        broken += one.broken
        lines.append("| " + " | ".join(_cells(one)) + " |")
    ends = ", ".join(f"{_code(code)}: {count}" for code, count in sorted(codes.items()))
    return "\n".join([*lines, "", f"Exit codes: {ends}. Failures of the program itself: {broken}.", ""])


def _cells(one: Outcome) -> list[str]:
    events = ", ".join(f"{kind} × {count}" if count > 1 else kind for kind, count in one.events.items())
    return [
        _cell(one.file),
        _code(one.exit_code),
        f"{one.wall_s:.1f}",
        "" if one.real_time_factor is None else f"{one.real_time_factor:.1f}",
        "" if one.frames is None else str(one.frames),
        events,
        _cell(one.error or ""),
    ]


def _cell(text: str) -> str:
    """Text that cannot leave its cell."""
    return " ".join(text.replace("|", "\\|").split())


def _code(code: int) -> str:
    return "time limit" if code == TIMED_OUT else str(code)


def files_below(folder: Path) -> list[Path]:
    """Every regular file below a folder, in order of name, hidden ones left out."""
    found = [
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    return sorted(found)


def main() -> int:
    """Returns 1 where the program failed on any file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, help="without suffix: .md and .json are written")
    parser.add_argument("--limit-s", type=float, default=300.0, help="time limit per file (300)")
    parser.add_argument("--device", default="cpu", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--only", default="", help="only files whose path holds this text")
    chosen = parser.parse_args()
    if not chosen.folder.is_dir():
        parser.error(f"{chosen.folder} is no folder")
    outcomes: list[Outcome] = []
    for path in files_below(chosen.folder):
        name = str(path.relative_to(chosen.folder))
        if chosen.only in name:
            outcomes.append(outcome(path, name, ("--device", chosen.device), chosen.limit_s))
            print(" | ".join(_cells(outcomes[-1])), flush=True)
    text = markdown(outcomes)
    print("\n" + text.rstrip().splitlines()[-1])
    if chosen.output is not None:
        chosen.output.with_suffix(".md").write_text(text)
        chosen.output.with_suffix(".json").write_text(json.dumps([asdict(one) for one in outcomes], indent=1) + "\n")
    return int(any(one.broken for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
