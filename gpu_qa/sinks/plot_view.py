"""What the HTML report draws over time: a lane of events for each kind, and panels of curves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.sinks import phrases
from gpu_qa.sinks.json_document import json_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import Curve, Report

_PANELS: dict[str, tuple[str, str, str]] = {
    "change": ("change", "Change between frames", "whole picture"),
    "change_lively": ("change", "Change between frames", "liveliest 5 % of tiles"),
    "luma": ("luma", "Mean luma", ""),
    "block_edge": ("block_edge", "Block edges against other edges", ""),
    "peak_dbfs": ("sound", "Sound level", "peak"),
    "momentary_lufs": ("sound", "Sound level", "momentary loudness"),
    "short_term_lufs": ("sound", "Sound level", "short-term loudness"),
}
"""Stem of a curve's name → its panel, the panel's title, the curve's name within it. Others get panels of their own."""
_CHANGE_FLOOR = 1e-6
"""Share of full scale where the logarithmic panel ends; a frozen picture (0) is drawn here."""
_GAP_BINS = 4
_GAP_S = 0.5
"""A curve is interrupted where bins are missing for longer than both."""


def plot_view(report: Report, kinds: Sequence[dict[str, Any]], start_s: float, end_s: float) -> dict[str, Any]:
    """What the script draws: a lane of events per kind, then a panel per group of curves, all over one time axis.

    Args:
        report: Whose events and curves.
        kinds: The kinds of its events, each with `kind` and `label`, in the order of their lanes.
        start_s: From when on the axis goes, seconds on the stream's clock.
        end_s: Until when.
    """
    lane = {kind["kind"]: number for number, kind in enumerate(kinds)}
    panels: dict[str, dict[str, Any]] = {}
    for curve in report.curves:
        stem, _, track = curve.name.partition(":")
        key, title, name = _PANELS.get(stem, (curve.name, curve.label, ""))
        if track and sum(other.name.startswith(stem + ":") for other in report.curves) > 1:
            name += f", track {track}"
        panel = panels.setdefault(key, {"key": key, "title": phrases.printable(title), "curves": []})
        panel["curves"].append({"name": phrases.printable(name)} | _curve_view(curve, logarithmic=key == "change"))
    events = [
        {
            "lane": lane[event.kind],
            "start": event.start_s,
            "end": end_s if event.end_s is None else event.end_s,
            "severity": event.severity,
            "label": phrases.kind_label(event.kind),
            "message": phrases.printable(event.message),
        }
        for event in report.events
    ]
    return {
        "start": start_s,
        "end": max(end_s, start_s + 0.1),
        "lanes": [kind["label"] for kind in kinds],
        "events": json_value(events),
        "panels": list(panels.values()),
    }


def _curve_view(curve: Curve, *, logarithmic: bool) -> dict[str, Any]:
    """A curve with nulls where it is interrupted; fractions of full scale become per cent."""
    in_percent = curve.unit in ("full_scale", "fraction", "share")
    low, high = curve.low.astype(np.float64), curve.high.astype(np.float64)
    if logarithmic:
        low, high = np.maximum(low, _CHANGE_FLOOR), np.maximum(high, _CHANGE_FLOOR)
    if in_percent:
        low, high = 100 * low, 100 * high
    steps = np.diff(curve.pts_s)
    widest = max(_GAP_BINS * float(np.median(steps)), _GAP_S) if len(steps) else _GAP_S
    gaps = np.flatnonzero(steps > widest) + 1
    return {
        "label": phrases.printable(curve.label),
        "unit": "%" if in_percent else phrases.printable(phrases.UNIT_LABELS.get(curve.unit, curve.unit)),
        "x": _numbers(np.insert(curve.pts_s, gaps, curve.pts_s[gaps - 1] + 1e-3), ".3f"),
        "low": _numbers(np.insert(low, gaps, np.nan), ".4g"),
        "high": _numbers(np.insert(high, gaps, np.nan), ".4g"),
    }


def _numbers(values: np.ndarray, digits: str) -> list[float | None]:
    """Numbers short enough for a plot; what is no number is null."""
    return [float(format(value, digits)) if math.isfinite(value) else None for value in values.tolist()]
