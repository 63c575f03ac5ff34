"""Reports as the pipeline would give them, made from a few words."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpu_qa.series import Curve, Event, Report, Severity


def event(
    kind: str = "video.freeze",
    start_s: float = 1.0,
    end_s: float | None = 4.0,
    *,
    severity: Severity = "warn",
    value: float | None = 0.0004,
    limit: float | None = 0.001,
    unit: str = "full_scale",
    message: str = "The picture stands still",
    stream: str = "channel 5",
    **details: Any,
) -> Event:
    """An event, closed where it has an end."""
    return Event(
        id=f"{stream}-{kind}-{start_s:.3f}",
        stream=stream,
        kind=kind,
        state="open" if end_s is None else "closed",
        severity=severity,
        start_s=start_s,
        end_s=end_s,
        value=value,
        limit=limit,
        unit=unit,
        confidence=0.9,
        message=message,
        details=details,
    )


def curve(name: str = "luma", label: str = "Mean luma", unit: str = "full_scale", bins: int = 100) -> Curve:
    """A wave of two bins per second, 0.1 wide."""
    pts_s = np.arange(bins) / 2
    low = (0.5 + 0.2 * np.sin(pts_s)).astype(np.float32)
    return Curve(name, label, unit, pts_s, low, low + np.float32(0.1))


def report(
    *events: Event,
    stream: str = "channel 5",
    media: dict[str, Any] | None = None,
    measurements: dict[str, Any] | None = None,
    curves: tuple[Curve, ...] = (),
    thumbnails: dict[str, bytes] | None = None,
    thumbnail_s: dict[str, float] | None = None,
    settings: dict[str, Any] | None = None,
    error: str | None = None,
) -> Report:
    """A report of these events."""
    return Report(
        stream=stream,
        media=media or {},
        events=events,
        measurements=measurements or {},
        curves=curves,
        thumbnails=thumbnails or {},
        thumbnail_s=thumbnail_s or {},
        settings=settings or {},
        error=error,
    )
