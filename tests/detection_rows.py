"""Rows of the detectors' benchmark: what was planted, and what was told of it."""

from __future__ import annotations

import dataclasses
from typing import Any

from benchmarks.detectors import material, plan


def truth(kind: str = "video.freeze", start_s: float = 4.0, end_s: float = 8.0) -> dict[str, Any]:
    return {"kind": kind, "start_s": start_s, "end_s": end_s, "fault": "freeze"}


def told(start_s: float, end_s: float, told_s: float | None = None, kind: str = "video.freeze", **more: Any) -> Any:
    event = {"kind": kind, "start_s": start_s, "end_s": end_s, "told_s": told_s, "severity": "major", "value": 0.5}
    return event | {"message": "it stands still", "consequences": None} | more


def row(clip: str, fault: str = "", **more: Any) -> dict[str, Any]:
    base = plan.Row(clip, f"{clip}.mp4", fault, 0, 4.0, 1, 12.0)
    return dataclasses.asdict(dataclasses.replace(base, **more))


def a_base(**changes: Any) -> material.Base:
    made = material.Base("a", True, "a.mp4", "a-sound.mp4", "a-long.mp4", 12.0, 640, 360, 25.0, "stereo")
    return dataclasses.replace(made, **changes)
