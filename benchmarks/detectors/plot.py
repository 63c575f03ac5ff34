"""Small charts as SVG, many on one sheet: no scripts, no fonts of their own, readable on any background."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH, _HEIGHT = 230, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 12, 30, 34
_COLUMNS = 4
_COLORS = ("#1f77b4", "#9ecae1", "#d95f02")
"""Blue, light blue, orange."""
_DIGIT = 5.6
"""Width of a character of the smaller text."""


@dataclass(frozen=True, slots=True)
class Line:
    """Values over places."""

    name: str
    points: tuple[tuple[float, float], ...]
    """Place, value."""
    color: int = 0
    """Blue, light blue, orange: 0, 1, 2."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A few lines over one axis."""

    title: str
    across: str
    """What the axis says."""
    lines: tuple[Line, ...]
    top: float = 1.0
    """Value at the upper edge."""
    percent: bool = True
    mark: float | None = None
    """A place that is marked by a line from top to bottom."""
    steps: tuple[str, ...] = ()
    """Where places are the numbers 0, 1, 2, … of steps, what these are called; the steps are as far apart as each
    other. Empty where places are quantities."""


def sheet(charts: Sequence[Chart]) -> str:
    """All charts as one SVG document."""
    columns = min(_COLUMNS, max(1, len(charts)))
    rows = max(1, -(-len(charts) // columns))
    names = list(dict.fromkeys((line.name, line.color) for chart in charts for line in chart.lines))
    width, height = columns * _WIDTH, rows * _HEIGHT + 22
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'font-family="sans-serif" font-size="10">'
        ),
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for number, (name, color) in enumerate(names):
        x = 10 + number * 220
        parts.append(f'<rect x="{x}" y="8" width="14" height="4" fill="{_COLORS[color]}"/>')
        parts.append(f'<text x="{x + 19}" y="14">{escape(name)}</text>')
    for number, chart in enumerate(charts):
        x, y = number % columns * _WIDTH, number // columns * _HEIGHT + 22
        parts += [f'<g transform="translate({x},{y})">', *_drawn(chart), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _drawn(chart: Chart) -> list[str]:
    places = sorted({place for line in chart.lines for place, _ in line.points})
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    low, high = _LEFT + 8, right - 8
    at = _stairs(places, low, high) if chart.steps else _scale(places, low, high)

    def height(value: float) -> float:
        return bottom - (bottom - _TOP) * min(1.0, max(0.0, value / chart.top if chart.top else 0.0))

    label = "100 %" if chart.percent else f"{chart.top:g}"
    parts = [
        f'<text x="{_LEFT}" y="{_TOP - 10}" font-weight="bold">{escape(chart.title)}</text>',
        f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="#444"/>',
        f'<path d="M{_LEFT} {_TOP}H{right}" stroke="#ddd"/>',
        f'<text x="{_LEFT - 4}" y="{_TOP + 4}" text-anchor="end">{label}</text>',
        f'<text x="{_LEFT - 4}" y="{bottom + 3}" text-anchor="end">0</text>',
        (
            f'<text x="{_WIDTH / 2:.0f}" y="{_HEIGHT - 6}" text-anchor="middle" fill="#444" font-size="9">'
            f"{escape(chart.across)}</text>"
        ),
    ]
    if chart.mark is not None and chart.mark in at:
        parts.append(f'<path d="M{at[chart.mark]:.1f} {_TOP}V{bottom}" stroke="#999" stroke-dasharray="3 3"/>')
    taken: list[tuple[float, float]] = []
    # A marked place is named first, others where there is room.
    for place in sorted(places, key=lambda one: (one != chart.mark, one)):
        words = (chart.steps[int(place)] if chart.steps else f"{place:.3g}").replace("-", "−")
        half = _DIGIT * len(words) / 2 + 2
        if all(abs(at[place] - x) >= half + other for x, other in taken):
            taken.append((at[place], half))
            parts.append(f'<text x="{at[place]:.1f}" y="{bottom + 12}" text-anchor="middle">{escape(words)}</text>')
    for line in chart.lines:
        color = _COLORS[line.color]
        points = [(at[place], height(value)) for place, value in sorted(line.points)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{color}"/>' for x, y in points]
    return parts


def _stairs(places: Sequence[float], low: float, high: float) -> dict[float, float]:
    """Where each step lies: as far from the next one as all others."""
    most = max(1.0, *places) if places else 1.0
    return {place: low + (high - low) * (place / most) for place in places}


def _scale(places: Sequence[float], low: float, high: float) -> dict[float, float]:
    """Where each place lies: by its logarithm where all are positive and far apart."""
    if not places:
        return {}
    wide = places[0] > 0 and places[-1] / places[0] > 4
    values = [math.log(place) if wide else place for place in places]
    span = values[-1] - values[0]
    return {
        place: low + (high - low) * ((value - values[0]) / span if span else 0.5)
        for place, value in zip(places, values, strict=True)
    }
