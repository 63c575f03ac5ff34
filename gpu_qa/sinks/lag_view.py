"""How well each A/V offset, or each delay, fits, as a picture for the report: evidence over lag, and the answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.series import SYNC_SURE

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_qa.series import DelayCurve, DelayEvidence, LagEvidence

WIDTH, HEIGHT = 720, 150
"""Of the drawing without its labels, in its own units."""
_TICKS_MS, _MOST_TICKS = (250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000), 10
"""Delays may be a minute apart."""


def lag_view(lags: LagEvidence) -> dict[str, Any]:
    """Points of the curve, where the answer and the ticks stand, and a sentence for who does not see it.

    The axis of evidence goes from the least likely lag to the likeliest.
    """
    ms = lags.lag_s * 1000
    first, last = float(ms[0]), float(ms[-1])
    low, high = float(lags.evidence.min()), float(lags.evidence.max())

    def across(at_ms: float) -> float:
        return round((at_ms - first) / (last - first) * WIDTH, 1)

    heights = (high - lags.evidence) / max(high - low, 1e-9) * HEIGHT
    answer_ms = float(np.clip(lags.offset_s * 1000, first, last))
    is_sure = lags.confidence >= SYNC_SURE
    text = _offset_text(answer_ms)
    at = across(answer_ms)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "points": " ".join(f"{across(float(x))},{y:.1f}" for x, y in zip(ms, heights, strict=True)),
        "ticks": _ticks(first, last, across, lambda at_ms: _signed(at_ms, 0)),
        "at": at,
        "label_at": round(at + (8 if at < WIDTH * 0.7 else -8), 1),
        "anchor": "start" if at < WIDTH * 0.7 else "end",
        "is_sure": is_sure,
        "label": f"{text}, confidence {lags.confidence:.2f}" + ("" if is_sure else ": no answer"),
    }


def delay_view(delays: DelayEvidence) -> dict[str, Any]:
    """The curves of picture and sound over the probe's delay, their places, ticks, and a sentence.

    The axis of the coefficient goes from 0, or from the least where that is less, to 1.
    """
    curves = {"picture": delays.picture, "sound": delays.sound}
    first_s = min(curve.delay_s[0] for curve in curves.values())
    last_s = max(curve.delay_s[-1] for curve in curves.values())
    low = min(0.0, *(min(curve.coefficient) for curve in curves.values()))

    def across(at_ms: float) -> float:
        return round((at_ms / 1000 - first_s) / max(last_s - first_s, 1e-9) * WIDTH, 1)

    def drawn(name: str, curve: DelayCurve) -> dict[str, Any]:
        places = zip(curve.delay_s, curve.coefficient, strict=True)
        return {
            "name": name,
            "points": " ".join(
                f"{across(at_s * 1000)},{(1.0 - fits) / (1.0 - low) * HEIGHT:.1f}" for at_s, fits in places
            ),
            "at": across(curve.answer_s * 1000),
            "text": f"{name} {_delay_text(curve.answer_s)}, correlation {max(curve.coefficient):.2f}",
        }

    skew_ms = (delays.picture.answer_s - delays.sound.answer_s) * 1000
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "reference": delays.reference,
        "start_s": delays.start_s,
        "end_s": delays.end_s,
        "curves": [drawn(name, curve) for name, curve in curves.items()],
        "zero": round((1.0 / (1.0 - low)) * HEIGHT, 1),
        "ticks": _ticks(first_s * 1000, last_s * 1000, across, lambda at_ms: _signed(at_ms / 1000, 2)),
        "label": f"sound {_offset_text(skew_ms)}" if round(skew_ms) else "in sync",
    }


def _ticks(
    first_ms: float, last_ms: float, across: Callable[[float], float], text: Callable[[float], str]
) -> list[dict[str, Any]]:
    """Where an axis has its ticks, and what stands at them."""
    step = next((step for step in _TICKS_MS if (last_ms - first_ms) / step <= _MOST_TICKS), _TICKS_MS[-1])
    first, last = math.ceil(round(first_ms, 3) / step), math.floor(round(last_ms, 3) / step)
    return [{"x": across(number * step), "text": text(number * step)} for number in range(first, last + 1)]


def _offset_text(offset_ms: float) -> str:
    return f"{abs(offset_ms):.0f} ms {'early' if offset_ms > 0 else 'late'}" if round(offset_ms) else "in sync"


def _delay_text(delay_s: float) -> str:
    return f"{abs(delay_s):.3f} s {'later' if delay_s > 0 else 'earlier'}" if round(delay_s, 3) else "at the same time"


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "−") if round(value, digits) else f"{0:.{digits}f}"
