"""What a detector would find with another limit: one limit varies, the others stay.

A row is decoded and measured once; the series then go to as many copies of the detector as there are values to try.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import result
from benchmarks.detectors import measure, summary
from benchmarks.detectors.schema import ClipRow, Sweep, SweepPoint, SweepResult
from gpu_qa.config import known_detectors, unknown
from gpu_qa.decode import open_decoder
from gpu_qa.events import TrackerState, finish, track
from gpu_qa.features import HostPictures, StreamFeatures
from gpu_qa.inject import FAULTS
from gpu_qa.sources import open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.detectors.plan import Row
    from gpu_qa.series import Detector

FACTORS = (0.25, 0.5, 0.71, 0.84, 1.0, 1.19, 1.41, 2.0, 4.0)
"""Values that are tried unless others are named, times the default."""
STEPS = (-12.0, -6.0, -3.0, -1.5, 0.0, 1.5, 3.0, 6.0, 12.0)
"""The same for limits in decibels, added to the default."""
_LOGARITHMIC = ("_db", "_dbfs", "_dbtp", "_lufs", "_lu")
Point = tuple[str, str, float]
"""Detector, limit, value."""


def wishes(text: str) -> list[Point]:
    """What `--sweep` asks for: `all`, or detectors, or their limits, or limits with values.

    Raises:
        ValueError: There is no such detector or limit, or a value that the detector refuses.
    """
    known = known_detectors()
    found: list[Point] = []
    parts = [*known] if text == "all" else _parts(text)
    for part in parts:
        name, _, values = part.partition("=")
        name, _, limit = name.partition(".")
        if name not in known:
            raise ValueError(unknown("detector", name, known))
        limits = known[name].limits
        numeric = [item.name for item in dataclasses.fields(limits) if _is_number(getattr(limits, item.name))]
        if limit and limit not in numeric:
            raise ValueError(unknown(f"limit of {name}", limit, numeric))
        for one in [limit] if limit else numeric:
            default = getattr(limits, one)
            wanted = [float(value) for value in values.split("/")] if values else _around(one, float(default))
            for value in wanted:
                point = (name, one, float(round(value)) if isinstance(default, int) else value)
                if point not in found and (_changed(known[name], point) is not None or values):
                    found.append(point)
                    if _changed(known[name], point) is None:
                        raise ValueError(f"{name}.{one} = {value:g}: the detector refuses it")
    return found


def of_rows(points: Sequence[Point], rows: Sequence[Row]) -> list[Point]:
    """The points of detectors for which a fault is planted in some row."""
    known, planted = known_detectors(), {FAULTS[row.fault].kind for row in rows if row.fault}
    return [point for point in points if planted & set(known[point[0]].kinds)]


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _around(limit: str, default: float) -> list[float]:
    if limit.endswith(_LOGARITHMIC):
        return [round(default + step, 6) for step in STEPS]
    return [float(f"{default * factor:.4g}") for factor in FACTORS] if default else []


def _changed(detector: Detector, point: Point) -> Any:
    """The detector's limits with one of them at another value; null where it refuses."""
    _, limit, value = point
    kind = type(getattr(detector.limits, limit))
    try:
        return dataclasses.replace(detector.limits, **{limit: kind(value)})
    except ValueError:
        return None


def told(path: Path, points: Sequence[Point]) -> dict[Point, list[dict[str, Any]]]:
    """What detectors tell of a clip at each point, each on its own: nothing is held back as following from another."""
    known = known_detectors()
    judges = {point: [known[point[0]], _changed(known[point[0]], point), None] for point in points}
    states = {point: TrackerState("row") for point in points}
    events: dict[Point, dict[str, Any]] = {point: {} for point in points}
    consumed = {known[name].consumes for name, _, _ in points}
    end_s = 0.0
    for what, series, until_s in recorded(path):
        end_s = until_s
        if what not in consumed:
            continue
        for point, judge in judges.items():
            detector, limits, carry = judge
            if detector.consumes != what:
                continue
            evidence, judge[2] = detector.weigh(series, limits, carry)
            for one in evidence:
                states[point], found = track(states[point], one, detector.timing)
                events[point].update((event.id, event) for event in found)
    for point in points:
        _, found = finish(states[point], end_s)
        events[point].update((event.id, event) for event in found)
    return {
        point: [
            {
                "kind": event.kind,
                "start_s": event.start_s,
                "end_s": event.start_s if event.end_s is None else event.end_s,
                "severity": event.severity,
            }
            for event in found.values()
        ]
        for point, found in events.items()
    }


def recorded(path: Path) -> Iterator[tuple[str, Any, float]]:
    """The series of a clip, in the order in which detectors are given them, and how far the stream has come."""
    settings = measure.SETTINGS
    with open_source(path, settings.source) as source:
        features = StreamFeatures(source.facts.tracks)
        pictures = HostPictures()
        decoders: dict[int, Any] = {}

        def series(measured: Any, *, finished: bool = False) -> Iterator[tuple[str, Any, float]]:
            until_s = features.timeline.until_s
            names = [item.name for item in dataclasses.fields(measured)]
            for what in names:
                for one in getattr(measured, what):
                    yield what, one, until_s
            if finished or features.has_facts or any(getattr(measured, what) for what in names):
                yield "stream", features.stream_series(finished=finished), until_s

        for packet in source.packets():
            if packet.track.index not in decoders:
                decoders[packet.track.index] = open_decoder(packet.track, settings.decode)
            decoder = decoders[packet.track.index]
            decoded = decoder.drain() if packet.native is None else decoder.decode(packet)
            measured = [pictures.measure(frame) for frame in decoded.frames]
            yield from series(features.take(measured, decoded.sound, (*packet.notes, *decoded.notes)))
        yield from series(features.flush(ended=True), finished=True)


def counted(row: Row, folder: Path, points: Sequence[Point]) -> dict[str, Any]:
    """What the detectors tell of a row at each point, as JSON values. Runs in a process of its own."""
    made: dict[str, Any] = measure.built(row, folder) if row.fault else {"path": row.path, "truth": None}
    if "error" in made:
        return {"row": dataclasses.asdict(row), **made}
    return {"row": dataclasses.asdict(row), "truth": made["truth"], "told": told(Path(made["path"]), points)}


def run(
    points: Sequence[Point],
    rows: Sequence[Row],
    pool: ProcessPoolExecutor,
    work: Path,
    progress: Callable[[int, int, float], None],
) -> tuple[Sweep, ...]:
    """Sweep all limits over the rows of their detectors' kinds and over the clean copies, but for rows that fail."""
    known = known_detectors()
    waiting: dict[Future[dict[str, Any]], Row] = {}
    for row in rows:
        wanted = [point for point in points if _concerns(row, known[point[0]])]
        if wanted:
            waiting[pool.submit(counted, row, work / "rows", wanted)] = row
    found, pending, started_s = [], set(waiting), time.monotonic()
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        found += [_result(future, waiting[future]) for future in done]
        progress(len(found), len(waiting), time.monotonic() - started_s)
    pairs: dict[tuple[str, str], list[float]] = defaultdict(list)
    for name, limit, value in points:
        pairs[name, limit].append(value)
    return tuple(
        Sweep(
            detector=name,
            limit=limit,
            default=float(getattr(known[name].limits, limit)),
            clean_hours=round(_clean_s(found, name) / 3600, 6),
            points=tuple(_point(found, (name, limit, value)) for value in sorted(values)),
        )
        for (name, limit), values in pairs.items()
    )


def _result(future: Future[dict[str, Any]], row: Row) -> dict[str, Any]:
    """What came of a row; where nothing did, that is told and the others go on."""
    try:
        one = future.result()
    except Exception as error:  # noqa: BLE001 - the others go on
        one = {"error": f"{type(error).__name__}: {error}"}
    if "error" in one:
        print(f"\n{row.clip}, {row.fault or 'clean'}: {one['error']}", file=sys.stderr)
    return one


def _concerns(row: Row, detector: Detector) -> bool:
    """Whether a row says something about a detector: a fault of its kinds, or a clean copy."""
    if row.fault:
        return FAULTS[row.fault].kind in detector.kinds
    # What is judged with a profile has no default limit that could be swept.
    return not row.sound_only and row.profile == "default"


def _clean_s(found: Sequence[dict[str, Any]], name: str) -> float:
    return sum(
        float(one["row"]["seconds"])
        for one in found
        if "told" in one and one["truth"] is None and any(point[0] == name for point in one["told"])
    )


def _point(found: Sequence[dict[str, Any]], point: Point) -> SweepPoint:
    clips = right = exact = alarms = 0
    by_fault: Counter[str] = Counter()
    for one in found:
        events = one.get("told", {}).get(point)
        if events is None:
            continue
        truth = one["truth"]
        if truth is None:
            alarms += sum(event["severity"] != "info" for event in events)
            continue
        spans = [(event["start_s"], event["end_s"]) for event in events if event["kind"] == truth["kind"]]
        is_found, is_exact, _ = summary.judged(spans, truth)
        clips, right, exact = clips + 1, right + is_found, exact + is_exact
        by_fault[truth["fault"]] += is_found
    return SweepPoint(point[2], clips, right, exact, alarms, dict(sorted(by_fault.items())))


def result_of(sweeps: tuple[Sweep, ...], clips: tuple[ClipRow, ...], load: float, path: Path) -> SweepResult:
    """The result, with what an earlier one says of other limits of the same clips."""
    earlier: tuple[Sweep, ...] = ()
    if path.exists():
        before = result.read(SweepResult, json.loads(path.read_text(encoding="utf-8")))
        new = {(sweep.detector, sweep.limit) for sweep in sweeps}
        if before.clips == clips:
            earlier = tuple(sweep for sweep in before.sweeps if (sweep.detector, sweep.limit) not in new)
    order = list(known_detectors())
    joined = sorted(
        (one for one in (*earlier, *sweeps) if one.detector in order), key=lambda one: order.index(one.detector)
    )
    return SweepResult(
        result.SCHEMA, "detectors_sweep", result.now(), result.machine(load), result.software(), clips, tuple(joined)
    )


def text(document: SweepResult) -> str:
    """The sweeps for a person."""
    lines = []
    for sweep in document.sweeps:
        lines.append(f"\n{sweep.detector}.{sweep.limit} (default {sweep.default:g})")
        lines.append(f"{'value':>12}{'found':>14}{'exact':>8}{'alarms':>8}")
        lines += [
            f"{point.value:>12g}{f'{point.found} of {point.clips}':>14}{point.exact:>8}{point.alarms:>8}"
            + (" ←" if point.value == sweep.default else "")
            for point in sweep.points
        ]
    return "\n".join(lines)
