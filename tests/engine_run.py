"""An engine run to its end, and what of its reports must be as if each stream were alone."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

import gpu_qa
from gpu_qa.decode import DecodeSettings
from gpu_qa.sources import SourceSettings
from tests.faulty_clip import threads_of_ours

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_qa.series import Curve

CPU = gpu_qa.Settings(decode=DecodeSettings(device="cpu"))
LIVE = dataclasses.replace(CPU, source=SourceSettings(live=True, read_timeout_s=60, analyze_s=0.5))
PACED = dataclasses.replace(CPU, source=SourceSettings(real_time=True))


def content(report: gpu_qa.Report) -> dict[str, Any]:
    """All of a report that says something of the stream, bit for bit."""
    events = [dataclasses.asdict(event) for event in report.events]
    for event in events:
        event["id"] = event["id"].removeprefix(event.pop("stream"))
    measured = {
        name: value for name, value in report.measurements.items() if name not in ("wall_s", "real_time_factor")
    }
    curves = [
        {name: value.tobytes() if isinstance(value, np.ndarray) else value for name, value in vars_of(curve).items()}
        for curve in report.curves
    ]
    return {"events": events, "measurements": measured, "media": report.media, "curves": curves}


def vars_of(curve: Curve) -> dict[str, Any]:
    return {item.name: getattr(curve, item.name) for item in dataclasses.fields(curve)}


def alone(path: Path, settings: gpu_qa.Settings = CPU) -> dict[str, Any]:
    return content(gpu_qa.analyze(str(path), settings))


def run(engine: gpu_qa.Engine) -> dict[str, gpu_qa.Report]:
    """The reports by stream, each complete when it is told that the stream has ended."""
    reports: dict[str, gpu_qa.Report] = {}
    told: dict[str, list[gpu_qa.Event]] = {}
    for update in engine:
        if update.event is None:
            assert update.stream.ended
            assert update.stream.name not in reports
            reports[update.stream.name] = update.stream.report()
        else:
            assert update.event.stream == update.stream.name
            assert update.stream.name not in reports, "an event after the end"
            told.setdefault(update.stream.name, []).append(update.event)
    for name, report in reports.items():
        last = {event.id: event for event in told.get(name, [])}
        assert last == {event.id: event for event in report.events}
    assert threads_of_ours() == []
    return reports
