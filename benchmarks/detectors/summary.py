"""From the rows to what is told: found, exact, errors, delays, false alarms."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from benchmarks.detectors import peers
from benchmarks.detectors.plan import MOMENTS, options_of
from benchmarks.detectors.schema import Alarm, CaseResult, Quartiles, Quiet, Score
from gpu_qa.config import known_detectors
from gpu_qa.inject import FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FOUND_SHARE = 0.5
_EXACT_S = 0.5
_MOMENT_S = 1.0
"""An event of a moment belongs to a fault that begins so near."""
_MARGIN_S = 1.0
"""So near to a fault an event of another kind may come from it."""
Span = tuple[float, float]


def overlap(span: Span, start_s: float, end_s: float) -> float:
    """How long a stretch and another one last together; negative where there is room between them."""
    return min(span[1], end_s) - max(span[0], start_s)


def judged(spans: Sequence[Span], truth: dict[str, Any]) -> tuple[bool, bool, Span | None]:
    """Whether a fault was found, exactly, and the stretch that stands for it."""
    start_s, end_s = truth["start_s"], truth["end_s"]
    if truth["kind"] in MOMENTS:
        near = [span for span in spans if abs(span[0] - start_s) <= _MOMENT_S]
        if not near:
            return False, False, None
        best = min(near, key=lambda span: abs(span[0] - start_s))
        return True, abs(best[0] - start_s) <= _EXACT_S, best
    hits = [span for span in spans if overlap(span, start_s, end_s) > 0]
    if not hits:
        return False, False, None
    covered, until_s = 0.0, start_s
    for span in sorted(hits):
        # What several tell counts once.
        covered += max(0.0, overlap(span, until_s, end_s))
        until_s = max(until_s, span[1])
    if covered < _FOUND_SHARE * (end_s - start_s):
        return False, False, None
    exact = [span for span in hits if abs(span[0] - start_s) <= _EXACT_S and abs(span[1] - end_s) <= _EXACT_S]
    best = max(exact or hits, key=lambda span: overlap(span, start_s, end_s))
    return True, bool(exact), best


def quartiles(values: Sequence[float]) -> Quartiles | None:
    """How values scatter; null without any."""
    if not values:
        return None
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    worst = max(values, key=abs)
    return Quartiles(len(values), round(low, 3), round(middle, 3), round(high, 3), round(worst, 3))


def score(rows: Sequence[tuple[str, dict[str, Any], list[dict[str, Any]]]]) -> Score:
    """The score of one side over clips.

    Args:
        rows: Clip, truth, and what was told: `start_s`, `end_s`, and `told_s` where it is known.
    """
    found = exact = 0
    onset, end, told, missed = [], [], [], []
    for clip, truth, events in rows:
        spans = [(event["start_s"], event["end_s"]) for event in events]
        is_found, is_exact, best = judged(spans, truth)
        found, exact = found + is_found, exact + is_exact
        if best is None:
            missed.append(clip)
            continue
        onset.append(best[0] - truth["start_s"])
        if truth["kind"] not in MOMENTS:
            end.append(best[1] - truth["end_s"])
        event = events[spans.index(best)]
        if event.get("told_s") is not None:
            told.append(event["told_s"] - truth["start_s"])
    return Score(found, exact, quartiles(onset), quartiles(end), quartiles(told), tuple(missed))


def cases(measured: Sequence[dict[str, Any]], peer_limits: dict[str, float]) -> tuple[CaseResult, ...]:
    """A result for each fault and strength."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for one in measured:
        if one.get("truth") is not None:
            groups[one["row"]["fault"], one["row"]["case"]].append(one)
    detectors = {kind: detector.name for detector in known_detectors().values() for kind in detector.kinds}
    result = []
    for name, fault in FAULTS.items():
        for number, case in enumerate(fault.cases):
            group = groups.get((name, number))
            if not group:
                continue
            peer = peers.of_kind(fault.kind)
            asked = [one for one in group if peer is not None and peer in one["peer"]]
            also = Counter(
                kind
                for one in group
                for kind in {
                    event["kind"]
                    for event in one["events"]
                    if event["kind"] != fault.kind
                    and (event["kind"].startswith("audio.") or not one["row"]["sound_only"])
                    and overlap((event["start_s"], event["end_s"]), one["truth"]["start_s"], one["truth"]["end_s"]) > 0
                }
            )
            result.append(
                CaseResult(
                    fault=name,
                    kind=fault.kind,
                    detector=detectors.get(fault.kind, ""),
                    strength=case.strength,
                    unit=fault.strength.unit if fault.strength else "",
                    options=options_of(name, case),
                    clips=len(group),
                    ours=score([(one["row"]["clip"], one["truth"], _of_kind(one, fault.kind)) for one in group]),
                    peer=peer if asked else None,
                    theirs=score([_asked(one, str(peer), peer_limits) for one in asked]) if asked else None,
                    also=dict(sorted(also.items())),
                )
            )
    return tuple(result)


def _of_kind(one: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [event for event in one["events"] if event["kind"] == kind]


def _asked(
    one: dict[str, Any], peer: str, peer_limits: dict[str, float]
) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    spans = peers.spans(peer, one["peer"][peer], peer_limits.get(peer))
    return one["row"]["clip"], one["truth"], [{"start_s": low, "end_s": high} for low, high in spans]


def quiet(measured: Sequence[dict[str, Any]]) -> Quiet:
    """What was told where nothing was planted, of all rows."""
    clean: dict[str, list[dict[str, Any]]] = {}
    answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
    alarms: list[Alarm] = []
    hours = sound_hours = planted_s = 0.0
    for one in measured:
        row = one["row"]
        if row["fault"] or "events" not in one:
            continue
        wanted = [event for event in one["events"] if event["kind"].startswith("audio.") or not row["sound_only"]]
        clean[row["path"]] = wanted
        for name, answer in one["peer"].items():
            answers[name].append(answer)
        if not row["sound_only"]:
            hours += row["seconds"] / 3600
            alarms += _alarms(row, wanted)
        elif row["profile"] != "default":
            sound_hours += row["seconds"] / 3600
            alarms += _alarms(row, wanted)
    peer_limits = peers.limits(answers)
    peer_alarms = {
        name: sum(len(peers.spans(name, answer, peer_limits.get(name))) for answer in found)
        for name, found in sorted(answers.items())
    }
    strays: list[Alarm] = []
    for one in measured:
        truth = one.get("truth")
        if truth is None:
            continue
        row, hears = one["row"], one["truth"]["kind"].startswith("audio.")
        planted_s += max(0.0, row["seconds"] - (truth["end_s"] - truth["start_s"]) - 2 * _MARGIN_S)
        known = clean.get(row["path"], [])
        strange = [
            event
            for event in one["events"]
            if (not hears or event["kind"].startswith("audio."))
            and overlap((event["start_s"], event["end_s"]), truth["start_s"], truth["end_s"]) <= -_MARGIN_S
            and not any(_same(event, other) for other in known)
        ]
        strays += _alarms(row, strange)
    rounded = {name: round(value, 6) for name, value in sorted(peer_limits.items())}
    return Quiet(
        round(hours, 6),
        round(sound_hours, 6),
        tuple(alarms),
        round(planted_s / 3600, 6),
        tuple(strays),
        peer_alarms,
        rounded,
    )


def _same(event: dict[str, Any], other: dict[str, Any]) -> bool:
    return (
        event["kind"] == other["kind"]
        and overlap((event["start_s"], event["end_s"]), other["start_s"] - 1.0, other["end_s"] + 1.0) > 0
    )


def _finite(value: float | None) -> float | None:
    """A value as JSON has it; null where there is none, or silence's −∞ dBFS."""
    return None if value is None or not math.isfinite(float(value)) else float(value)


def _alarms(row: dict[str, Any], events: Iterable[dict[str, Any]]) -> list[Alarm]:
    return [
        Alarm(
            clip=row["clip"],
            fault=row["fault"],
            kind=event["kind"],
            start_s=round(event["start_s"], 3),
            end_s=round(event["end_s"], 3),
            value=_finite(event["value"]),
            severity=event["severity"],
            message=event["message"],
        )
        for event in events
        if event["severity"] != "info"
    ]
