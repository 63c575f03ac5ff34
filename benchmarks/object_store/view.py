"""The result for people: tables, for the terminal and for docs/object_store.md alike.

`python -m benchmarks.object_store.view` writes them into the page, from `benchmarks/results/object_store.json`.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from benchmarks import result
from benchmarks.object_store.costs import VCPU_GB, formula
from benchmarks.object_store.usage import ObjectStoreResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.object_store.usage import RunUse, Share

PAGE = result.ROOT / "docs" / "object_store.md"
RESULT = result.ROOT / "benchmarks" / "results" / "object_store.json"
_RUNS = {
    "sparse": "a frame per second",
    "every": "every frame, JPEG",
    "raw": "every frame, raw",
    "long": "10 s in one object",
}
_PARTS = {
    "decode": "decode the stream",
    "pack": "pack frames",
    "store": "PUT",
    "fetch": "GET",
    "unpack": "unpack frames",
    "measure": "measure",
    "weigh": "judge",
    "track": "make events",
    "delete": "DELETE",
    "rest": "runtime, payloads",
}


def tables(document: ObjectStoreResult) -> dict[str, str]:
    """Each table by the name of its place in the page."""
    return {
        "measured": _measured(document),
        "cpu": _cpu(document),
        "shares": "\n\n".join(
            f"{_named(name)[0].upper()}{_named(name)[1:]}:\n\n{_shares(document.shares[name])}"
            for name in ("sparse", "every")
            if name in document.shares
        ),
        "cases": _cases(document),
        "formula": _formula(document),
        "where": _where(document),
    }


def text(document: ObjectStoreResult) -> str:
    """All tables for the terminal."""
    return "\n\n".join(part for part in tables(document).values() if part)


def filled(page: str, document: ObjectStoreResult) -> str:
    """The page with the tables in their places.

    Raises:
        ValueError: The page lacks a place.
    """
    for name, table in tables(document).items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        if begin not in page or end not in page:
            raise ValueError(f"the page has no {begin} … {end}")
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return page


def load() -> ObjectStoreResult:
    """The committed result.

    Raises:
        ValueError: It does not follow the schema.
    """
    return result.read(ObjectStoreResult, json.loads(RESULT.read_text(encoding="utf-8")))


def _measured(document: ObjectStoreResult) -> str:
    runs, one = document.measured.runs, document.measured.one_process
    names = " | ".join(_named(run.name) for run in runs)
    lines = [f"| per second of stream | {names} | one process |", "|---|" + "---:|" * (len(runs) + 1)]

    def row(name: str, values: Sequence[str], here: str) -> None:
        lines.append(f"| {name} | {' | '.join(values)} | {here} |")

    row("frames judged", [f"{run.frames_per_s:.3g}" for run in runs], f"{one.frames_per_s:.3g}")
    row("state transitions", [f"{run.transitions:.3g}" for run in runs], "0")
    for name, title in (("invocations", "calls of services"), ("puts", "PUT"), ("gets", "GET"), ("deletes", "DELETE")):
        row(title, [f"{_sum(run, name):.3g}" for run in runs], "0")
    row("MB written", [f"{_sum(run, 'put_bytes') / 1e6:.3g}" for run in runs], "0")
    row("MB read", [f"{_sum(run, 'get_bytes') / 1e6:.3g}" for run in runs], "0")
    cpu = [sum(service.cpu_s.median for service in run.services) for run in runs]
    row("CPU seconds, all services", [f"{cpu_s:.3f}" for cpu_s in cpu], f"{one.cpu_s.median:.3f}")
    row("CPU seconds of the object store", [f"{run.store_cpu_s.median:.3f}" for run in runs], "0")
    latency = [f"{run.latency_s.median:.2f} ({run.latency_s.q1:.2f} … {run.latency_s.q3:.2f})" for run in runs]
    row("seconds from a chunk's packets to its verdict", latency, f"{one.wall_s.median:.2f}")
    row("largest payload, KB", [f"{run.payload_bytes / 1e3:.3g}" for run in runs], "0")
    memory = [max(service.peak_mb for service in run.services) for run in runs]
    row("largest process, MB", [f"{mb:.0f}" for mb in memory], f"{one.peak_mb:.0f}")
    row("events", [_agreement(run) for run in runs], f"{len(one.events)}")
    return "\n".join(lines)


def _agreement(run: RunUse) -> str:
    found = run.agreement
    if found.identical:
        return f"the same {found.found}"
    other = [f"{found.found} found, off by up to {found.worst_s:.2g} s"]
    other += [f"missed: {', '.join(found.missed)}"] if found.missed else []
    other += [f"surplus: {', '.join(found.surplus)}"] if found.surplus else []
    return "; ".join(other)


def _cpu(document: ObjectStoreResult) -> str:
    runs = document.measured.runs
    lines = [f"| CPU ms per second of stream | {' | '.join(_named(run.name) for run in runs)} |"]
    lines.append("|---|" + "---:|" * len(runs))
    for part, title in _PARTS.items():
        values = [sum(service.parts.get(part, 0.0) for service in run.services) for run in runs]
        lines.append(f"| {title} | {' | '.join(f'{value * 1e3:.1f}' for value in values)} |")
    return "\n".join(lines)


def _shares(shares: Sequence[Share]) -> str:
    lines = [
        "| part | per second of stream | services, $/h | one process, $/h | of the saving |",
        "|---|---|---:|---:|---:|",
    ]
    for share in shares:
        here = f"{share.one_process:.4f}" if share.one_process else "–"
        lines.append(
            f"| {share.name} | {share.quantity} | {share.distributed:.4f} | {here} | {share.of_saving * 100:.1f} % |"
        )
    there, here_all = sum(share.distributed for share in shares), sum(share.one_process for share in shares)
    saving = 1 - here_all / there if there else 0.0
    lines.append(f"| **all** | | **{there:.4f}** | **{here_all:.4f}** | saving **{saving * 100:.1f} %** |")
    return "\n".join(lines)


def _cases(document: ObjectStoreResult) -> str:
    lines = [
        "| case | changed | services, $/h | one process, $/h | saving | busiest service |",
        "|---|---|---:|---:|---:|---|",
    ]
    for case in document.cases:
        changed = ", ".join(f"`{name}` {value}" for name, value in case.changed.items())
        run = "" if case.run == "sparse" else f"{_named(case.run)}{'; ' if changed else ''}"
        busy = f"{case.slowest} {case.busy * 100:.0f} %" + (", too slow" if case.busy > 1 else "")
        saving = f"{case.saving * 100:.1f} %"
        lines.append(
            f"| {case.name} | {run}{changed} | {case.distributed:.4f} | {case.one_process:.4f} | "
            f"{saving if case.saving >= 0.9 else f'**{saving}**'} | {busy} |"
        )
    return "\n".join(lines)


def _formula(document: ObjectStoreResult) -> str:
    """The back of an envelope beside the sum, with the measured quantities put into both."""
    lines = ["| run | envelope, $/h | all of it, $/h |", "|---|---:|---:|"]
    for run in document.measured.runs:
        if run.name not in document.shares:
            continue
        detectors = [service for service in run.services if service.role == "detector"]
        converter = sum(service.cpu_s.median for service in run.services if service.role == "converter")
        mean = sum(service.cpu_s.median for service in detectors) / len(detectors)
        estimate = formula(
            document.prices,
            frames=run.frames_per_s,
            detectors=len(detectors),
            transitions=run.transitions,
            detector_gb_s=mean * VCPU_GB,
            converter_gb_s=converter * VCPU_GB,
        )
        whole = sum(share.distributed for share in document.shares[run.name])
        lines.append(f"| {_named(run.name)} | {estimate:.4f} | {whole:.4f} |")
    return "\n".join(lines)


def _where(document: ObjectStoreResult) -> str:
    machine, software, clip = document.machine, document.software, document.clip
    packages = ", ".join(f"{name} {software.packages[name]}" for name in ("av", "numba") if name in software.packages)
    met = "; ".join(
        f"{target.name}: {target.value.median * 100:.1f} % (wanted {target.wanted} {(target.limit or 0) * 100:g} %: "
        f"{'met' if target.met else '**not met**'})"
        for target in document.targets
    )
    busy = " (other work kept it busy: waiting and latency are longer than on a quiet one)"
    busy = busy if machine.load_before > machine.cores / 2 else ""
    return (
        f"{met}. {document.created[:10]}, {document.measured.rounds} rounds, {machine.cores} cores of {machine.cpu}, "
        f"load average {machine.load_before:g} before and {machine.load_after:g} after{busy}; "
        f"{document.measured.store}; "
        f"Python {software.python}, {packages}; "
        f"{clip.seconds:.0f} s of {clip.width}×{clip.height} {clip.video_codec} at {clip.frame_rate:g} frames/s and "
        f"{clip.bit_rate / 1e6:.1f} Mbit/s with {clip.audio_codec}; detectors {', '.join(document.measured.detectors)}."
    )


def _named(run: str) -> str:
    return _RUNS.get(run, run)


def _sum(run: RunUse, quantity: str) -> float:
    return float(sum(getattr(service, quantity) for service in run.services))


def main() -> int:
    """Fill the page."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), load()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
