"""The clip of twelve seconds that whole analyses are tested with, and what is found in it."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Any

import pytest

import gpu_qa
from gpu_qa.decode import DecodeSettings
from gpu_qa.sources import SourceSettings
from tests.clips import cached_clip

if TYPE_CHECKING:
    from pathlib import Path

CPU = gpu_qa.Settings(decode=DecodeSettings(device="cpu"))
SIZE = (160, 90)
FRAME_S = 0.04


def faulty(name: str = "faulty.ts") -> Path:
    """Twelve seconds: still from 1 to 4, black from 5 to 8, silent from 8.5 to 11."""
    return cached_clip(name, seconds=12, size=SIZE, gop=12, freeze=(1, 4), black=(5, 8), silence=(8.5, 11))


def found(report: gpu_qa.Report) -> dict[str, list[tuple[float, float]]]:
    """Kind → from, to, of the events that are defects."""
    spans: dict[str, list[tuple[float, float]]] = {}
    for event in report.events:
        assert event.state == "closed"
        assert event.end_s is not None
        if event.severity != "info":
            spans.setdefault(event.kind, []).append((event.start_s, event.end_s))
    return spans


def same_but_for_the_name(report: gpu_qa.Report) -> list[dict[str, Any]]:
    """The events, bit for bit, without what comes from the name of the input."""
    events = [dataclasses.asdict(event) for event in report.events]
    for event in events:
        assert event["stream"] == report.stream
        assert event.pop("stream") in event["id"]
        event["id"] = event["id"].replace(report.stream, "")
    return events


def near(*spans: tuple[float, float], tolerance_s: float = 1.5 * FRAME_S) -> Any:
    return [pytest.approx(span, abs=tolerance_s) for span in spans]


FREEZE = near((1, 4), tolerance_s=0.3)
"""The encoder goes on refining a picture that has stopped."""
LIVE = dataclasses.replace(CPU, source=SourceSettings(live=True))


def threads_of_ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("gpu-qa ")]
