"""Discontinuity: the stream's timestamps jump to another time base, or those of one track alone shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpu_qa.detectors.fact_steps import FactCarry, JudgedFact, fact_evidence
from gpu_qa.series import Detector, EventTiming

if TYPE_CHECKING:
    from gpu_qa.series import Evidence, StreamFact, StreamSeries

_DOUBTFUL = 0.5
"""Confidence of a shift that no order of packets bears out: as likely as not so much is missing, or comes twice."""


@dataclass(frozen=True, slots=True)
class DiscontinuityLimits:
    """When a jump is a defect. What counts as a jump, the stream's timeline decides."""

    jump_s: float = 0.0
    """A jump from this length on, in either direction."""
    shift_s: float = 0.1
    """A shift of one track alone from this length on, in either direction. Ours: two frames of AAC that a splice leaves
    over are 43 to 93 ms; sound is noticed to be late from 125 ms on (ITU-R BT.1359-1)."""
    missing_s: float = 0.5
    """A shift ahead from this length on that may as well be missing sound is left to the detectors `gap` and `missing`,
    which tell it as that. As the `gap_s` of the former."""


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
    judged = [
        judgement
        for fact in series.facts
        if fact.kind in ("discontinuity", "shift")
        if (judgement := _judged(fact, limits)) is not None
    ]
    return fact_evidence(
        series,
        judged,
        carry,
        kind="stream.discontinuity",
        limit=limits.jump_s,
        unit="s",
        details=("jump_s", "alone", "text"),
        message="{text}",
        undecided_s=series.undecided_s,
    )


def _judged(fact: StreamFact, limits: DiscontinuityLimits) -> JudgedFact | None:
    jump_s = float(fact.details.get("jump_s", 0.0))
    is_shift = fact.kind == "shift"
    limit_s = limits.shift_s if is_shift else limits.jump_s
    is_sure = not is_shift or bool(fact.details.get("borne_out", True))
    if abs(jump_s) < limit_s or (not is_sure and jump_s >= limits.missing_s):
        return None
    details = {"jump_s": jump_s, "alone": is_shift, "text": fact.message}
    return JudgedFact(fact, abs(jump_s), details, limit=limit_s, confidence=1.0 if is_sure else _DOUBTFUL)


DISCONTINUITY = Detector(
    name="discontinuity",
    kinds=("stream.discontinuity",),
    consumes="stream",
    weigh=discontinuity,
    limits=DiscontinuityLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=1.0, major_after_s=5.0, critical_after_s=15.0),
    summary="Timestamps jump, or those of one track alone shift: players may skip, stall or lose lip sync.",
    source="ours: any jump that nothing explains (ETSI TR 101 290 2.3b for the PCR), of one track alone from 0.1 s",
)
