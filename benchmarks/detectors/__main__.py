"""Measure the detectors: `python -m benchmarks.detectors`; `--help` says how."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import result
from benchmarks.detectors import material, measure, peers, plan, summary, sweep
from benchmarks.detectors.schema import ClipRow, DetectionResult
from gpu_qa.bench.film import CACHE
from gpu_qa.config import known_detectors, unknown
from gpu_qa.inject import FAULTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.detectors.material import Base

RESULTS = result.ROOT / "benchmarks" / "results"
QUICK_CLIPS = 2


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write."""
    chosen = _parser().parse_args(arguments)
    faults = [name.strip() for name in chosen.faults.split(",") if name.strip()]
    for name in faults:
        if name not in FAULTS:
            print(f"detectors: {unknown('fault', name, FAULTS)}", file=sys.stderr)
            return 2
    started_s, load = time.monotonic(), result.load()
    with ProcessPoolExecutor(chosen.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            bases, skipped = _bases(chosen, pool)
        except ValueError as error:
            print(f"detectors: {error}", file=sys.stderr)
            return 2
        clips = tuple(_clip_row(one) for one in bases)
        rows = plan.rows(bases, _kinds(), faults, quick=chosen.quick, last=chosen.cases)
        if chosen.sweep:
            try:
                wishes = sweep.of_rows(sweep.wishes(chosen.sweep), rows)
            except ValueError as error:
                print(f"detectors: {error}", file=sys.stderr)
                return 2
            sweeps = sweep.run(wishes, rows, pool, chosen.work, _progress)
            document: Any = sweep.result_of(sweeps, clips, load, chosen.output or RESULTS / "detectors_sweep.json")
            print(sweep.text(document))
        else:
            found = _measured(rows, pool, chosen)
            document = _document(found, clips, skipped, load, time.monotonic() - started_s)
            from benchmarks.detectors.page import text

            print(text(document))
    if not chosen.no_write:
        result.write(document, chosen.output or RESULTS / _name(chosen))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.detectors", description=__doc__)
    parser.add_argument("--clips", type=Path, help="a folder of clips, or a text file that names one on each line")
    parser.add_argument("--faults", default="", metavar="A,B", help="only these faults")
    parser.add_argument("--cases", type=_cases, metavar="N", help="only the last N cases of each fault, the strongest")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_CLIPS} clips, each fault at its strongest")
    parser.add_argument("--sweep", default="", metavar="DETECTOR[.LIMIT[=V,V]],…", help="other limits; `all` is all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--no-peers", action="store_true", help="leave FFmpeg out")
    parser.add_argument("--work", type=Path, default=CACHE / "detectors", help="where clips and answers are kept")
    parser.add_argument("--output", type=Path, help="where to, instead of benchmarks/results")
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser


def _cases(text: str) -> int:
    """A number of cases."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text}: must be a whole number, 1 or more")
    return int(text)


def _name(chosen: argparse.Namespace) -> str:
    """Name of the result: that of a user's clips never takes the place of that of the synthesised ones."""
    if chosen.sweep:
        return "detectors_sweep.json"
    return "detectors.json" if chosen.clips is None else "detectors_real.json"


def _kinds() -> set[str]:
    """All that some detector tells in clips as short as these: benchmarks/content measures the A/V offset."""
    kinds = {kind for detector in known_detectors().values() for kind in detector.kinds}
    return {kind for kind in kinds if not kind.startswith("av.")}


def _bases(chosen: argparse.Namespace, pool: ProcessPoolExecutor) -> tuple[list[Base], dict[str, str]]:
    """The clips that are used, and why others are not."""
    listed = material.listed(chosen.clips) if chosen.clips else material.synthesised(chosen.work / "films")
    if chosen.quick:
        listed = listed[:QUICK_CLIPS]
    waiting = {
        name: pool.submit(material.base, name, path, chosen.work / "clips", is_synthesised=chosen.clips is None)
        for name, path in listed
    }
    bases: list[Base] = []
    skipped: dict[str, str] = {}
    for name, future in waiting.items():
        made = future.result()
        if isinstance(made, str):
            skipped[name] = made
        else:
            bases.append(made)
    if not bases:
        raise ValueError(f"no clip can be used: {skipped}")
    return bases, skipped


def _measured(rows: Sequence[plan.Row], pool: ProcessPoolExecutor, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """All rows, in their order; one that fails is told and left out."""
    ask = peers.available() and not chosen.no_peers
    waiting: dict[Future[dict[str, Any]], int] = {
        pool.submit(measure.measured, row, chosen.work / "rows", ask_peers=ask): number
        for number, row in enumerate(rows)
    }
    found: dict[int, dict[str, Any]] = {}
    pending, started_s = set(waiting), time.monotonic()
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            number = waiting[future]
            try:
                one = future.result()
            except Exception as error:  # noqa: BLE001 - the others go on
                one = {"error": f"{type(error).__name__}: {error}"}
            if "error" in one:
                row = rows[number]
                print(f"\n{row.clip}, {row.fault or 'clean'}: {one['error']}", file=sys.stderr)
            else:
                found[number] = one
        _progress(len(rows) - len(pending), len(rows), time.monotonic() - started_s)
    return [found[number] for number in sorted(found)]


def _progress(done: int, total: int, spent_s: float) -> None:
    """Say how far it has come, where somebody watches or now and then."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done} of {total} rows, {spent_s:.0f} s ")
        sys.stderr.flush()
    elif done % 100 == 0 or done == total:
        sys.stderr.write(f"{done} of {total} rows, {spent_s:.0f} s\n")


def _document(
    found: Sequence[dict[str, Any]], clips: tuple[ClipRow, ...], skipped: dict[str, str], load: float, wall_s: float
) -> DetectionResult:
    quiet = summary.quiet(found)
    return DetectionResult(
        schema=result.SCHEMA,
        benchmark="detectors",
        created=result.now(),
        machine=result.machine(load),
        software=result.software(),
        wall_s=round(wall_s, 1),
        clips=clips,
        skipped=skipped,
        cases=summary.cases(found, quiet.peer_limits),
        quiet=quiet,
    )


def _clip_row(one: Base) -> ClipRow:
    return ClipRow(
        one.name, one.synthesised, one.seconds, one.width, one.height, round(one.frame_rate, 3), one.channels
    )


if __name__ == "__main__":
    sys.exit(main())
