"""One row: plant the fault, analyze the clip as users do, ask FFmpeg's filter, and keep what came out.

What is built and what is measured lie in a folder outside of the checkout under names that follow from all that they
depend on, so that a run that was broken off goes on where it was.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.detectors import peers
from gpu_qa.analysis import Analysis
from gpu_qa.config import Settings, override
from gpu_qa.decode import DecodeSettings
from gpu_qa.errors import ConfigError, GpuQaError
from gpu_qa.inject import FAULTS, InjectSettings, inject, truth_json
from gpu_qa.inject.writer import Coding

if TYPE_CHECKING:
    from benchmarks.detectors.plan import Row

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = Settings(decode=DecodeSettings(device="cpu", threads=1))
"""As by default, on one core: several rows are measured side by side."""
CODING = Coding(preset="superfast", audio_bit_rate=256_000)


def measured(row: Row, folder: Path, *, ask_peers: bool) -> dict[str, Any]:
    """What is known of a row, as JSON values.

    `truth` is null for a clean copy, `events` are those of the analysis, each with how far the stream had been read
    when it was told, `peer` is what FFmpeg's filters said, by filter. `error` says why a row could not be measured.
    """
    if row.fault:
        made = built(row, folder)
        if "error" in made:
            return {"row": asdict(row), **made}
        path, truth = Path(made["path"]), made["truth"]
    else:
        path, truth = Path(row.path), None
    names = peers.of_row(row) if ask_peers else ()
    known = _known(row, path, folder, "events", _code_key(), lambda: events(path, row.profile))
    asked = {name: _known(row, path, folder, name, "ffmpeg", lambda name=name: peers.ask(name, path)) for name in names}
    return {"row": asdict(row), "truth": truth, "events": known, "peer": asked}


def built(row: Row, folder: Path) -> dict[str, Any]:
    """The clip with its fault and the truth; made unless it is there."""
    fault = FAULTS[row.fault]
    case = fault.cases[row.case]
    words = f"{row.path}:{row.fault}:{case}:{row.start_s}:{row.duration_s}:{row.seed}:{CODING}:{_inject_key()}"
    suffix = ".ts" if fault.stage in ("coding", "packets", "transport") else ".mp4"
    path = folder / f"{row.fault}-{hashlib.sha256(words.encode()).hexdigest()[:14]}{suffix}"
    note = path.with_suffix(".truth.json")
    if not (path.exists() and note.exists()):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            truth = inject(row.path, path, [row.planting()], InjectSettings(coding=CODING))
        except ConfigError as error:
            return {"error": str(error)}
        _write(note, truth_json(truth)["faults"][0])
    return {"path": str(path), "truth": json.loads(note.read_text(encoding="utf-8"))}


def events(path: Path, profile: str = "default") -> list[dict[str, Any]]:
    """Every event of a clip as it ended, and when it was told first."""
    analysis = Analysis(path, override(SETTINGS, {"profile": profile}))
    told: dict[str, float] = {}
    for event in analysis:
        told.setdefault(event.id, analysis.progress.position_s)
    report = analysis.report()
    if analysis.failure is not None:
        raise analysis.failure
    if report.error is not None and not report.events:
        raise GpuQaError(f"{path}: {report.error}")
    return [
        {
            "kind": event.kind,
            "start_s": event.start_s,
            "end_s": event.start_s if event.end_s is None else event.end_s,
            "told_s": told.get(event.id, event.end_s),
            "severity": event.severity,
            "value": event.value,
            "message": event.message,
            "consequences": event.details.get("consequences"),
        }
        for event in report.events
    ]


def _known(row: Row, path: Path, folder: Path, what: str, key: str, work: Any) -> Any:
    """What was measured before of this file with this code, or is measured now."""
    base = hashlib.sha256(f"{path}:{what}:{key}".encode()).hexdigest()[:16]
    note = folder / "measured" / f"{row.fault or 'clean'}-{base}.json"
    if note.exists():
        return json.loads(note.read_text(encoding="utf-8"))
    found = work()
    _write(note, found)
    return found


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}-{path.name}")
    part.write_text(json.dumps(value, default=str), encoding="utf-8")
    part.replace(path)


@functools.cache
def _code_key() -> str:
    """Names the code that judges."""
    return _key([ROOT / "gpu_qa", ROOT / "kernels"], leave_out=("inject", "bench", "fleet"))


@functools.cache
def _inject_key() -> str:
    """Names the code that plants."""
    return _key([ROOT / "gpu_qa" / "inject"])


def _key(folders: list[Path], leave_out: tuple[str, ...] = ()) -> str:
    summary = hashlib.sha256()
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            if not set(file.relative_to(folder).parts) & set(leave_out):
                summary.update(file.read_bytes())
    return summary.hexdigest()[:16]
