"""docs/detection.md and its charts, from the committed results: `python -m benchmarks.detectors.page`."""

from __future__ import annotations

import json
import statistics
import sys
from typing import TYPE_CHECKING

from benchmarks import result
from benchmarks.detectors.plot import Chart, Line, sheet
from benchmarks.detectors.schema import CaseResult, DetectionResult, Quartiles, Sweep, SweepPoint, SweepResult
from benchmarks.page import replaced
from gpu_qa.config import known_detectors
from gpu_qa.inject import FAULTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DOCS = result.ROOT / "docs"
RESULTS = result.ROOT / "benchmarks" / "results"
PAGE, CHARTS, SWEEPS = DOCS / "detection.md", DOCS / "images" / "detection.svg", DOCS / "images" / "sweeps.svg"
_MOST_ALARMS = 40
"""Alarms that are listed one by one."""


def load() -> tuple[DetectionResult, SweepResult | None, DetectionResult | None]:
    """The committed results, those of real clips last; null where there are none.

    Raises:
        ValueError: One does not follow its schema.
    """
    value = json.loads((RESULTS / "detectors.json").read_text(encoding="utf-8"))
    path = RESULTS / "detectors_sweep.json"
    sweeps = None
    if path.exists():
        sweeps = result.read(SweepResult, json.loads(path.read_text(encoding="utf-8")))
    path = RESULTS / "detectors_real.json"
    real = None
    if path.exists():
        real = result.read(DetectionResult, json.loads(path.read_text(encoding="utf-8")))
    return result.read(DetectionResult, value), sweeps, real


def filled(
    page: str, document: DetectionResult, sweeps: SweepResult | None, real: DetectionResult | None = None
) -> str:
    """The page with the results in their places `<!-- NAME -->` … `<!-- /NAME -->`.

    Raises:
        ValueError: The page has no such place.
    """
    places = {
        "summary": _summary(document),
        "detectors": "\n".join(_detector_table(document)),
        "charts": _picture(charts(document), "Share of clips in which a fault is found, over its strength", CHARTS),
        "cases": "\n".join(_case_table(document.cases)),
        "quiet": _quiet(document),
        "sweeps": _sweeps(sweeps),
        "where": _where(document),
        "real": "Not measured." if real is None else "\n".join(_real(real)),
    }
    for name, words in places.items():
        page = replaced(page, name, words)
    return page


def charts(document: DetectionResult) -> str:
    """Share of clips in which a fault is found, over its strength, from weak to strong."""
    found = []
    for (fault, options), cases in _series(document.cases).items():
        lines = [
            Line("found", tuple((at, case.ours.found / case.clips) for at, case in enumerate(cases))),
            Line(
                "both ends within 0.5 s",
                tuple((at, case.ours.exact / case.clips) for at, case in enumerate(cases)),
                color=1,
            ),
        ]
        if all(case.theirs is not None for case in cases):
            points = tuple((at, case.theirs.found / case.clips) for at, case in enumerate(cases) if case.theirs)
            lines.append(Line("found by FFmpeg's filter", points, color=2))
        steps = tuple(f"{case.strength:g}" for case in cases)
        title = f"{fault} ({options})" if options else fault
        found.append(Chart(title, _across(cases[0]), tuple(lines), steps=steps))
    return sheet(found)


def _across(case: CaseResult) -> str:
    """What a fault's strength says, with its unit."""
    allowed = FAULTS[case.fault].strength if case.fault in FAULTS else None
    what = allowed.what.partition(",")[0] if allowed is not None else ""
    return ", ".join(part for part in (what, case.unit if case.unit != "1" else "") if part)


def sweep_charts(sweeps: SweepResult) -> str:
    """Of each detector, the limit on which most depends."""
    chosen: dict[str, Sweep] = {}
    for sweep in sweeps.sweeps:
        if sweep.detector not in chosen or _effect(sweep) > _effect(chosen[sweep.detector]):
            chosen[sweep.detector] = sweep
    found = []
    for sweep in chosen.values():
        clips = max((point.clips for point in sweep.points), default=0)
        if not clips or not _effect(sweep):
            continue
        most = max(1, *(point.alarms for point in sweep.points))
        lines = (
            Line("found", tuple((point.value, point.found / clips) for point in sweep.points)),
            Line(
                "events on clean clips, as a part of the most",
                tuple((point.value, point.alarms / most) for point in sweep.points),
                color=2,
            ),
        )
        across = f"{sweep.limit}; events: at most {max(point.alarms for point in sweep.points)}"
        found.append(Chart(sweep.detector, across, lines, mark=sweep.default))
    return sheet(found)


def text(document: DetectionResult) -> str:
    """The result for a person at a terminal."""
    lines = [f"{'fault':<42}{'found':>10}{'exact':>7}{'onset':>8}{'end':>8}{'told':>8}   FFmpeg"]
    for case in document.cases:
        ours = case.ours
        peer = "" if case.theirs is None else f"{case.theirs.found:>4} {case.peer}"
        lines.append(
            f"{_name(case):<42}{f'{ours.found}/{case.clips}':>10}{ours.exact:>7}"
            f"{_middle(ours.onset_s):>8}{_middle(ours.end_s):>8}{_middle(ours.told_s):>8}   {peer}"
        )
    quiet = document.quiet
    lines.append(
        f"\n{len(quiet.alarms)} alarms on {60 * quiet.hours:.1f} clean minutes, {len(quiet.strays)} strays "
        f"in {60 * quiet.planted_hours:.1f} minutes beside faults"
    )
    lines += [
        f"  {alarm.clip}{f' ({alarm.fault})' if alarm.fault else ''} {alarm.start_s:.2f}–{alarm.end_s:.2f} "
        f"{alarm.kind}: {alarm.message}"
        for alarm in (*quiet.alarms, *quiet.strays)
    ]
    return "\n".join(lines)


def _picture(svg: str, words: str, path: Path) -> str:
    """The reference to a chart; nothing where it is empty."""
    return f"![{words}](images/{path.name})" if "<polyline" in svg else "Nothing was planted at two strengths."


def _sweeps(sweeps: SweepResult | None) -> str:
    if sweeps is None or not sweeps.sweeps:
        return "Not measured."
    lines = ["![Found, and events on clean clips, over a limit of each detector](images/sweeps.svg)", ""]
    return "\n".join([*lines, *_sweep_table(sweeps.sweeps)])


def _detector_table(document: DetectionResult) -> list[str]:
    """A line for each detector: all of its faults at all strengths."""
    lines = [
        (
            "| detector | faults | planted | found | at the strongest | exact | told after, s | FFmpeg found "
            "| where nothing was |"
        ),
        "|---|---|---:|---:|---:|---:|---:|---|---:|",
    ]
    told = [*document.quiet.alarms, *document.quiet.strays]
    for detector in known_detectors().values():
        cases = [case for case in document.cases if case.detector == detector.name]
        if not cases:
            continue
        strongest = list({case.fault: case for case in cases}.values())
        delays = [case.ours.told_s.median for case in cases if case.ours.told_s is not None]
        asked = [case for case in cases if case.theirs is not None]
        peer = ""
        if asked:
            theirs, of = sum(case.theirs.found for case in asked if case.theirs), sum(case.clips for case in asked)
            peer = f"{theirs} of {of} ({asked[0].peer})"
        where = sum(alarm.kind in detector.kinds for alarm in told)
        lines.append(
            f"| [{detector.name}](detectors/{detector.name}.md) | {', '.join(case.fault for case in strongest)} | "
            f"{sum(case.clips for case in cases)} | {_part(cases)} | {_part(strongest)} | "
            f"{sum(case.ours.exact for case in cases)} | {f'{statistics.median(delays):.1f}' if delays else ''} | "
            f"{peer} | {where} |"
        )
    return lines


def _part(cases: Sequence[CaseResult]) -> str:
    found, clips = sum(case.ours.found for case in cases), sum(case.clips for case in cases)
    return f"{found} of {clips} ({_share(found, clips)})" if found < clips else f"all {clips}"


def _series(cases: Sequence[CaseResult]) -> dict[tuple[str, str], list[CaseResult]]:
    """Cases that differ in strength only, where there are at least two."""
    groups: dict[tuple[str, str], list[CaseResult]] = {}
    for case in cases:
        if case.strength is not None:
            groups.setdefault((case.fault, case.options), []).append(case)
    return {key: group for key, group in groups.items() if len(group) > 1}


def _name(case: CaseResult) -> str:
    strength = "" if case.strength is None else f" {case.strength:g} {case.unit}"
    return f"{case.fault}{strength}{f' ({case.options})' if case.options else ''}"


def _middle(value: Quartiles | None) -> str:
    return "" if value is None else f"{value.median:+.2f}".replace("-", "−")


def _spread(value: Quartiles | None) -> str:
    return "" if value is None else f"{value.median:+.2f} ({value.worst:+.2f})".replace("-", "−")


def _summary(document: DetectionResult) -> str:
    clips = document.clips
    rows = sum(case.clips for case in document.cases)
    found = sum(case.ours.found for case in document.cases)
    exact = sum(case.ours.exact for case in document.cases)
    compared = [case for case in document.cases if case.theirs is not None]
    theirs = sum(case.theirs.found for case in compared if case.theirs)
    quiet = document.quiet
    made = "synthesised" if all(clip.synthesised for clip in clips) else "real"
    return "\n".join(
        [
            (
                f"{len({case.fault for case in document.cases})} faults in {len(clips)} {made} clips "
                f"of up to {max(clip.seconds for clip in clips):.0f} s:"
            ),
            "",
            "| | |",
            "|---|---:|",
            f"| planted, at all strengths | {rows} |",
            f"| found | {found} ({_share(found, rows)}) |",
            f"| both ends within 0.5 s | {exact} ({_share(exact, rows)}) |",
            (
                f"| found where FFmpeg has a filter, by gpu-qa | {sum(case.ours.found for case in compared)} of "
                f"{sum(case.clips for case in compared)} |"
            ),
            f"| the same, by FFmpeg's filter | {theirs} |",
            (
                f"| events on clean copies, {60 * quiet.hours:.1f} min, and "
                f"{60 * quiet.sound_hours:.0f} min of sound | "
                f"{len(quiet.alarms)} |"
            ),
            (
                f"| events beside faults that the clean copy does not have, {60 * quiet.planted_hours:.0f} min | "
                f"{len(quiet.strays)} ({len(quiet.strays) / max(quiet.planted_hours, 1e-9):.1f} per hour) |"
            ),
            "",
        ]
    )


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "none"


def _case_table(cases: Sequence[CaseResult]) -> list[str]:
    lines = [
        (
            "| fault | strength | should be told | found | exact | onset error, s | end error, s | told after, s "
            "| FFmpeg found |"
        ),
        "|---|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for case in cases:
        strength = "" if case.strength is None else f"{case.strength:g} {case.unit}"
        words = ", ".join(part for part in (strength, case.options) if part)
        peer = "" if case.theirs is None else f"{case.theirs.found} ({case.peer})"
        ours = case.ours
        lines.append(
            f"| {case.fault} | {words} | `{case.kind}` | {ours.found} of {case.clips} | {ours.exact} | "
            f"{_spread(ours.onset_s)} | {_spread(ours.end_s)} | {_spread(ours.told_s)} | {peer} |"
        )
    return lines


def _quiet(document: DetectionResult) -> str:
    quiet = document.quiet
    lines = [
        (
            f"Clean copies of all clips, {60 * quiet.hours:.1f} minutes, {60 * quiet.sound_hours:.0f} minutes of their "
            f"sound at −23 LUFS, and the clips with faults, without the fault "
            f"and a second on either side, {60 * quiet.planted_hours:.0f} minutes."
        ),
        "",
    ]
    alarms = [*quiet.alarms, *quiet.strays]
    if alarms:
        lines += ["| clip | planted elsewhere | event | from | to | it says |", "|---|---|---|---:|---:|---|"]
        lines += [
            f"| {alarm.clip} | {alarm.fault or 'nothing'} | `{alarm.kind}` | {alarm.start_s:.2f} | {alarm.end_s:.2f} | "
            f"{alarm.message.replace('|', '/')} |"
            for alarm in alarms[:_MOST_ALARMS]
        ]
        if len(alarms) > _MOST_ALARMS:
            lines.append(f"| and {len(alarms) - _MOST_ALARMS} more | | | | | |")
    else:
        lines.append("No event.")
    if quiet.peer_alarms:
        words = ", ".join(f"{name} {count}" for name, count in quiet.peer_alarms.items())
        lines += ["", f"Stretches that FFmpeg's filters tell on the same clean copies: {words}."]
    return "\n".join(lines)


def _real(document: DetectionResult) -> list[str]:
    """What was found in a user's clips, what was missed where, and what was told where nothing was planted."""
    missed = [f"| {_name(case)} | {', '.join(case.ours.missed)} |" for case in document.cases if case.ours.missed]
    return [
        _summary(document),
        *_case_table(document.cases),
        "",
        "Missed:",
        "",
        "| fault | in |",
        "|---|---|",
        *missed,
        "",
        _quiet(document),
        "",
        _where(document),
    ]


def _effect(sweep: Sweep) -> float:
    """How much depends on a limit within the values that were tried."""
    found = [point.found for point in sweep.points]
    alarms = [point.alarms for point in sweep.points]
    return (max(found) - min(found)) + (max(alarms) - min(alarms)) if sweep.points else 0.0


def _sweep_table(sweeps: Sequence[Sweep]) -> list[str]:
    lines = [
        (
            "| detector | limit | default | found | events on clean clips | found, over values tried "
            "| as good or better from … to |"
        ),
        "|---|---|---:|---:|---:|---|---|",
    ]
    for sweep in sweeps:
        usual = next((point for point in sweep.points if point.value == sweep.default), None)
        if usual is None:
            continue
        fine = [point.value for point in _neighbours(sweep, usual)]
        tried = ", ".join(f"{point.value:g}: {point.found}/{point.alarms}" for point in sweep.points)
        lines.append(
            f"| {sweep.detector} | `{sweep.limit}` | {sweep.default:g} | {usual.found} of {usual.clips} | "
            f"{usual.alarms} | {tried} | {min(fine):g} … {max(fine):g} |"
        )
    return lines


def _neighbours(sweep: Sweep, usual: SweepPoint) -> list[SweepPoint]:
    """The values around the default, without a break, at which no less is found and no more is told."""
    at = sweep.points.index(usual)
    found = [usual]
    for side in (sweep.points[at + 1 :], sweep.points[:at][::-1]):
        for point in side:
            if point.found < usual.found or point.alarms > usual.alarms:
                break
            found.append(point)
    return found


def _where(document: DetectionResult) -> str:
    machine, software = document.machine, document.software
    clips = ", ".join(
        f"{clip.name} ({clip.width}×{clip.height} at {clip.frame_rate:g}/s"
        f"{f', {clip.channels}' if clip.channels else ', no sound'})"
        for clip in document.clips
    )
    skipped = ", ".join(f"{name} ({why})" for name, why in document.skipped.items())
    left = f" Left out: {skipped}." if skipped else ""
    return (
        f"{document.created[:10]}, commit {software.commit}, {document.wall_s / 60:.0f} minutes on {machine.cores} "
        f"cores of {machine.cpu}.\n\nClips: {clips}.{left}"
    )


def main() -> int:
    """Write the page and its charts."""
    document, sweeps, real = load()
    CHARTS.parent.mkdir(parents=True, exist_ok=True)
    CHARTS.write_text(charts(document), encoding="utf-8")
    if sweeps is not None and sweeps.sweeps:
        SWEEPS.write_text(sweep_charts(sweeps), encoding="utf-8")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), document, sweeps, real), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
