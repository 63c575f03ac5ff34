"""Discontinuity: the stream's timestamps jump to another time base."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpu_qa.detectors.fact_steps import FactCarry, JudgedFact, fact_evidence
from gpu_qa.series import Detector, EventTiming

if TYPE_CHECKING:
    from gpu_qa.series import Evidence, StreamSeries


@dataclass(frozen=True, slots=True)
class DiscontinuityLimits:
    """When a jump is a defect. What counts as a jump, the stream's timeline decides."""

    jump_s: float = 0.0
    """A jump from this length on, in either direction."""


def discontinuity(
    series: StreamSeries, limits: DiscontinuityLimits = DiscontinuityLimits(), carry: FactCarry | None = None
) -> tuple[list[Evidence], FactCarry]:
    """Weigh the jumps of the timestamps.

    Args:
        series: The facts of a stretch of stream.
        limits: When a jump is a defect.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence for `video` and `audio`, whose value is the jump's length in seconds without its sign, and the carry.
    """
    judged = []
    for fact in series.facts:
        if fact.kind == "discontinuity":
            jump_s = float(fact.details.get("jump_s", 0.0))
            if abs(jump_s) >= limits.jump_s:
                judged.append(JudgedFact(fact, abs(jump_s), {"jump_s": jump_s, "text": fact.message}))
    return fact_evidence(
        series,
        judged,
        carry,
        kind="stream.discontinuity",
        limit=limits.jump_s,
        unit="s",
        details=("jump_s", "text"),
        message="{text}",
    )


DISCONTINUITY = Detector(
    name="discontinuity",
    kinds=("stream.discontinuity",),
    consumes="stream",
    weigh=discontinuity,
    limits=DiscontinuityLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=1.0, major_after_s=5.0, critical_after_s=15.0),
    summary="Timestamps jump: players may skip, stall or lose lip sync.",
    source="ours: any jump that the timeline cannot explain (ETSI TR 101 290 2.3b for the PCR)",
)
