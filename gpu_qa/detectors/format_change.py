"""Format change: picture or sound come in another format than before: size, color range, sample rate, channels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpu_qa.detectors.fact_steps import FactCarry, JudgedFact, fact_evidence
from gpu_qa.series import Detector, EventTiming

if TYPE_CHECKING:
    from gpu_qa.series import Evidence, StreamFact, StreamSeries


@dataclass(frozen=True, slots=True)
class FormatChangeLimits:
    """When another format is a defect."""

    size_is_defect: bool = True
    """True: another picture size is a warning, since players may rebuild their decoder and show it. False: like any
    other change it is for information."""


def format_change(
    series: StreamSeries, limits: FormatChangeLimits = FormatChangeLimits(), carry: FactCarry | None = None
) -> tuple[list[Evidence], FactCarry]:
    """Weigh the changes of format.

    Args:
        series: The facts of a stretch of stream.
        limits: When another format is a defect.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence for `video` and `audio`, whose value is 1 for a change of the picture's size and 0 for others, and the
        carry.
    """
    judged = []
    for fact in series.facts:
        if fact.kind == "format_change":
            is_defect = limits.size_is_defect and is_size_change(fact)
            details = {"old": fact.details.get("old"), "new": fact.details.get("new"), "text": fact.message}
            size, limit = float(is_size_change(fact)), 1.0 if is_defect else math.nan
            judged.append(JudgedFact(fact, size, details, "warn" if is_defect else "info", limit))
    return fact_evidence(
        series,
        judged,
        carry,
        kind="stream.format_change",
        limit=1.0,
        unit="size changes",
        details=("old", "new", "text"),
        message="{text}",
    )


def is_size_change(fact: StreamFact) -> bool:
    """Whether width or height are among what the fact says has changed."""
    old, new = fact.details.get("old") or {}, fact.details.get("new") or {}
    return any(name in old and name in new and old[name] != new[name] for name in ("width", "height"))


FORMAT_CHANGE = Detector(
    name="format_change",
    kinds=("stream.format_change",),
    consumes="stream",
    weigh=format_change,
    limits=FormatChangeLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=1.0, major_after_s=60.0, critical_after_s=60.0),
    summary="Picture or sound go on in another format.",
    source="ours: adaptive streams change size on purpose, broadcast does not",
)
