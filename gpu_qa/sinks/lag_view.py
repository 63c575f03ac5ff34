"""How well each A/V offset fits, as a picture for the report: evidence over lag, and the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.series import SYNC_SURE

if TYPE_CHECKING:
    from gpu_qa.series import LagEvidence

WIDTH, HEIGHT = 720, 150
"""Of the drawing without its labels, in its own units."""


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
    side = "early" if answer_ms > 0 else "late"
    text = f"{abs(answer_ms):.0f} ms {side}" if round(answer_ms) else "in sync"
    at = across(answer_ms)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "points": " ".join(f"{across(float(x))},{y:.1f}" for x, y in zip(ms, heights, strict=True)),
        "ticks": [
            {"x": across(float(at_ms)), "text": f"{at_ms:+d}".replace("-", "−") if at_ms else "0"}
            for at_ms in range(int(np.ceil(first / 250)) * 250, int(last) + 1, 250)
        ],
        "at": at,
        "label_at": round(at + (8 if at < WIDTH * 0.7 else -8), 1),
        "anchor": "start" if at < WIDTH * 0.7 else "end",
        "is_sure": is_sure,
        "label": f"{text}, confidence {lags.confidence:.2f}" + ("" if is_sure else ": no answer"),
    }
