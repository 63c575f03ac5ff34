"""What the HTML report shows of a `Report`: plain values, ready for its template and its script."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.series import SEVERITIES
from gpu_qa.sinks import phrases
from gpu_qa.sinks.json_document import json_value
from gpu_qa.sinks.lag_view import delay_view, lag_view
from gpu_qa.sinks.plot_view import plot_view
from gpu_qa.sinks.thumbnails import NEAR_S
from gpu_qa.units import s_to_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import Event, Report

EVENTS_AT_ONCE = 40
"""Events shown before "show more"."""
HANDFUL = 8
"""Up to so many inputs stand in the order given; more have the worst first."""

_SUFFIXES = {
    "_s": "s",
    "_ms": "ms",
    "_hz": "Hz",
    "_dbfs": "dBFS",
    "_dbtp": "dBTP",
    "_db": "dB",
    "_lufs": "LUFS",
    "_lu": "LU",
    "_bytes": "bytes",
    "_mb": "MB",
    "_fps": "frames/s",
    "_bps": "bit/s",
}
_NAMED_UNITS = {"frame_rate": "frames/s", "real_time_factor": "× real time"}
_PLAIN_WORDS = {
    "av": "A/V",
    "lra": "Loudness range",
    "lufs": "LUFS",
    "fps": "frame rate",
    "cpu": "CPU",
    "gpu": "GPU",
    "id": "id",
    "pts": "pts",
}


def page_view(index: Sequence[dict[str, Any]], left_out: int = 0) -> dict[str, Any]:
    """The head of the page: its title and, for several inputs, what they come down to together.

    Args:
        index: The `index_view` of every input.
        left_out: How many of them have no section.
    """
    if len(index) == 1:
        return {"title": f"{index[0]['verdict']['headline']}: {index[0]['name']}", "several": False}
    tally = {"clean": 0, "defects": 0, "partial": 0, "failed": 0}
    for entry in index:
        tally[entry["verdict"]["outcome"]] += 1
    defective = tally["defects"] + tally["partial"]
    if defective:
        outcome, headline = "defects", f"{defective:,} of {len(index):,} inputs have defects"
    elif tally["failed"]:
        outcome, headline = "failed", f"{phrases.count(tally['failed'], 'input')} could not be analyzed"
    else:
        outcome, headline = "clean", f"All {len(index):,} inputs are clean" if index else "No inputs"
    parts = [f"{tally['clean']:,} clean", f"{defective:,} with defects", f"{tally['failed']:,} not analyzed"]
    severities = [entry["verdict"]["severity"] for entry in index if entry["verdict"]["severity"]]
    return {
        "title": headline,
        "several": True,
        "worst_first": len(index) > HANDFUL,
        "left_out": left_out,
        "verdict": {
            "outcome": outcome,
            "severity": max(severities, key=SEVERITIES.index, default=None),
            "headline": headline,
            "detail": ", ".join(part for part in parts if not part.startswith("0 ")) + "." if index else "",
            "error": None,
        },
    }


def index_view(report: Report, number: int) -> dict[str, Any]:
    """What the table of all inputs shows of one."""
    verdict = phrases.verdict(report)
    start_s, end_s = _extent(report)
    return {
        "number": number,
        "name": phrases.printable(report.stream),
        "verdict": {
            "outcome": verdict.outcome,
            "severity": verdict.severity,
            "headline": verdict.headline,
            "detail": verdict.detail,
            "error": verdict.error,
        },
        "severities": [
            {"severity": severity, "count": tally}
            for severity in reversed(SEVERITIES)
            if (tally := sum(event.severity == severity for event in report.events))
        ],
        "duration": phrases.duration(end_s - start_s) if end_s > start_s else "",
        "first_defect": next((s_to_clock(e.start_s) for e in report.events if e.severity != "info"), ""),
    }


def badness(report: Report) -> tuple[int, float, int]:
    """How much an input needs looking at, more being larger.

    Those that could not be analyzed come before all others, then it goes by the worst severity, by the time that
    defects cover, and by the number of events.
    """
    verdict = phrases.verdict(report)
    if verdict.outcome == "failed":
        return len(SEVERITIES), 0.0, 0
    severity = SEVERITIES.index(verdict.severity) if verdict.severity else -1
    return severity, _affected_s(report.events, _extent(report)[1]), len(report.events)


def section_view(report: Report, number: int) -> dict[str, Any]:
    """Everything the page shows of one input."""
    start_s, end_s = _extent(report)
    affected_s = _affected_s(report.events, end_s)
    kinds = _kinds(report.events)
    events = [_event_view(event, number, i, report) for i, event in enumerate(report.events)]
    return {
        **index_view(report, number),
        "facts": _facts(report, end_s - start_s, affected_s),
        "events": events,
        "kinds": kinds,
        "at_once": EVENTS_AT_ONCE,
        "measurements": rows(report.measurements),
        "media": rows({key: value for key, value in report.media.items() if key != "tracks"}),
        "tracks": [_track_view(track) for track in _dicts(report.media.get("tracks"))],
        "settings": rows(report.settings),
        "lags": lag_view(report.lags) if report.lags is not None else None,
        "delays": delay_view(report.delays) if report.delays is not None else None,
        "plot": plot_view(report, kinds, start_s, end_s) if report.events or report.curves else None,
    }


def rows(mapping: dict[str, Any]) -> list[dict[str, Any]]:
    """JSON values as rows of a label, a text with its unit and, where the text is a null's reason, `missing`.

    Mappings inside give their own rows under `rows`. A `reason` that is null is that of nothing.
    """
    plain = json_value(mapping)
    shown: list[dict[str, Any]] = []
    for name, value in plain.items():
        is_told = name.endswith("_reason") and name.removesuffix("_reason") in plain
        if is_told or (name == "reason" and value is None):
            continue
        label, unit = _label_and_unit(name)
        row: dict[str, Any] = {
            "name": phrases.printable(name),
            "label": label,
            "text": "",
            "missing": False,
            "rows": [],
        }
        raw = mapping.get(name)
        if isinstance(raw, float) and math.isinf(raw):
            row["text"] = f"{'-' if raw < 0 else ''}∞ {unit}".rstrip()
        elif isinstance(value, dict) and value:
            row["rows"] = rows(value)
        elif value is None:
            reason = plain.get(f"{name}_reason")
            row["missing"] = True
            row["text"] = phrases.printable(str(reason)) if reason else "unknown"
        else:
            row["text"] = _text(value, unit)
        shown.append(row)
    return shown


def _label_and_unit(name: str) -> tuple[str, str]:
    unit = _NAMED_UNITS.get(name, "")
    stem = name
    if not unit:
        for suffix, its_unit in _SUFFIXES.items():
            if name.endswith(suffix) and len(name) > len(suffix):
                stem, unit = name.removesuffix(suffix), its_unit
                break
    if unit == "LUFS":
        stem += "_loudness"
    words = [_PLAIN_WORDS.get(word, word) for word in phrases.printable(stem).split("_") if word]
    label = " ".join(words) or phrases.printable(name)
    return label[:1].upper() + label[1:], unit


def _text(value: Any, unit: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        number = f"{value:,}" if isinstance(value, int) else f"{float(f'{value:.6g}'):,.12g}"
        return f"{number} {unit}".rstrip()
    if isinstance(value, list):
        if any(isinstance(item, dict | list) for item in value):
            return "; ".join(_text(item, unit) for item in value)
        return ", ".join(_text(item, "") for item in value) + (f" {unit}" if value and unit else "") or "none"
    if isinstance(value, dict):
        return ", ".join(f"{row['label']}: {row['text']}" for row in rows(value)) or "none"
    if unit and (number_of := _number(value)) is not None:
        return f"{number_of:.6g} {unit}"
    return phrases.printable(str(value)) or "—"


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list | tuple) else []


def _facts(report: Report, length_s: float, affected_s: float) -> list[tuple[str, str]]:
    """The line under the verdict: length, share affected, container, picture, sound."""
    facts: list[tuple[str, str]] = []
    if length_s > 0:
        facts.append(("Length", phrases.duration(length_s)))
        if affected_s > 0:
            facts.append(("Affected", f"{phrases.duration(affected_s)} ({_percent(affected_s / length_s)})"))
    if report.media.get("container"):
        facts.append(("Container", phrases.printable(str(report.media["container"]))))
    sound: list[str] = []
    for track in _dicts(report.media.get("tracks")):
        if track.get("kind") == "video":
            parts = [str(track.get("codec") or "")]
            if track.get("width") and track.get("height"):
                parts.append(f"{track['width']}×{track['height']}")
            if (rate := _number(track.get("frame_rate"))) is not None:
                parts.append(f"{rate:.5g} frames/s")
            facts.append(("Picture", phrases.printable(" · ".join(filter(None, parts)))))
        else:
            parts = [str(track.get("codec") or "")]
            if (sample_rate := _number(track.get("sample_rate_hz"))) is not None:
                parts.append(f"{sample_rate / 1000:g} kHz")
            if channels := track.get("channels"):
                many = len(channels) if isinstance(channels, list | tuple) else channels
                parts.append({1: "mono", 2: "stereo"}.get(many, f"{many} channels"))
            sound.append(" · ".join(filter(None, parts)))
    if sound:
        more = f" and {phrases.count(len(sound) - 1, 'more track')}" if len(sound) > 1 else ""
        facts.append(("Sound", phrases.printable(sound[0]) + more))
    return facts


def _track_view(track: dict[str, Any]) -> dict[str, Any]:
    """A track's facts; what the container does not state is left out."""
    title = f"{str(track.get('kind', 'track')).capitalize()} track {track.get('index', '')}".rstrip()
    stated = {name: value for name, value in track.items() if value not in (None, [], (), "")}
    return {
        "title": phrases.printable(title),
        "rows": rows({k: v for k, v in stated.items() if k not in ("kind", "index")}),
    }


def _number(value: Any) -> float | None:
    """A number, also one written as a fraction such as "30000/1001"; null for anything else."""
    try:
        if isinstance(value, str) and "/" in value:
            numerator, _, denominator = value.partition("/")
            return float(numerator) / float(denominator)
        return None if value is None else float(value)
    except (ValueError, TypeError, ZeroDivisionError):
        return None


def _percent(share: float) -> str:
    return "100 %" if share >= 0.995 else f"{100 * share:.1f} %" if share < 0.0995 else f"{100 * share:.0f} %"


def _event_view(event: Event, section: int, index: int, report: Report) -> dict[str, Any]:
    ended = event.end_s is not None
    lasted = event.end_s - event.start_s if event.end_s is not None else 0.0
    jpeg = report.thumbnails.get(event.id)
    return {
        "anchor": f"event-{section}-{index}",
        "index": index,
        "kind": event.kind,
        "label": phrases.kind_label(event.kind),
        "severity": event.severity,
        "start": s_to_clock(event.start_s),
        "end": s_to_clock(event.end_s) if event.end_s is not None else "",
        "open": not ended,
        "duration": phrases.duration(lasted) if lasted > 0 else "",
        "value": phrases.quantity(event.value, event.unit),
        "limit": phrases.limit(event.limit, event.unit),
        "message": phrases.printable(event.message),
        "details": rows({**event.details, "confidence": event.confidence, "id": event.id}),
        "thumbnail": None if jpeg is None else "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii"),
        "shows": _shown_at(event, report.thumbnail_s.get(event.id, event.start_s)),
    }


def _shown_at(event: Event, shown_s: float) -> str:
    """What an event's picture shows: the moment where it began, or another one near it."""
    label, later_s = phrases.kind_label(event.kind), shown_s - event.start_s
    if abs(later_s) <= NEAR_S:
        return f"The programme at {s_to_clock(event.start_s)}, where “{label}” began"
    side = "after" if later_s > 0.0 else "before"
    return f"The programme at {s_to_clock(shown_s)}, {phrases.duration(abs(later_s))} {side} “{label}” began"


def _kinds(events: Sequence[Event]) -> list[dict[str, Any]]:
    """The kinds that occur, in the order of the known kinds, each with its number of events."""
    known = list(phrases.KIND_LABELS)
    kinds = sorted(
        {event.kind for event in events}, key=lambda kind: (known.index(kind) if kind in known else 99, kind)
    )
    return [
        {"kind": kind, "label": phrases.kind_label(kind), "count": sum(event.kind == kind for event in events)}
        for kind in kinds
    ]


def _extent(report: Report) -> tuple[float, float]:
    """From when to when the stream was seen, in seconds on its clock."""
    times = [time for event in report.events for time in (event.start_s, event.end_s) if time is not None]
    drawn = [curve.pts_s for curve in report.curves if len(curve.pts_s)]
    # Answers come at greater intervals than bins, and stand at their ends.
    step_s = min((float(np.median(np.diff(pts_s))) for pts_s in drawn if len(pts_s) > 1), default=0.0)
    times += [time for pts_s in drawn for time in (float(pts_s[0]), float(pts_s[-1]) + step_s)]
    times = [time for time in times if math.isfinite(time)]
    stated = _number(report.media.get("duration_s"))
    if not report.curves and stated is not None and stated > 0:
        times.append(stated)
    # Streams begin at 0 but for sound that starts earlier and clocks that do not.
    return (min(0.0, *times), max(times)) if times else (0.0, 0.0)


def _affected_s(events: Sequence[Event], end_s: float) -> float:
    """Length of what the defects cover together, each second counted once."""
    covered, reached = 0.0, -math.inf
    for event in sorted(events, key=lambda event: event.start_s):
        if event.severity == "info":
            continue
        until = end_s if event.end_s is None else event.end_s
        covered += max(0.0, until - max(event.start_s, reached))
        reached = max(reached, until)
    return covered
