"""Overload: this machine does not keep up with a live input, so that pictures of it are not analyzed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpu_qa.detectors.fact_steps import JudgedFact, fact_evidence
from gpu_qa.series import Detector, EventTiming

if TYPE_CHECKING:
    from gpu_qa.detectors.fact_steps import FactCarry
    from gpu_qa.series import Evidence, StreamSeries


@dataclass(frozen=True, slots=True)
class OverloadLimits:
    """When missing pictures are told."""

    frames: int = 1
    """Told from this many pictures on that are left out in a row."""

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError("frames must be 1 or more")


def overload(
    series: StreamSeries, limits: OverloadLimits = OverloadLimits(), carry: FactCarry | None = None
) -> tuple[list[Evidence], FactCarry]:
    """Weigh how many pictures were left out.

    Args:
        series: The facts of a stretch of stream.
        limits: When missing pictures are told.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence whose value is the number of pictures left out in a row so far, and the carry.
    """
    judged = [
        JudgedFact(fact, float(frames), {"behind_s": fact.details.get("behind_s", 0.0)}, "warn")
        for fact in series.facts
        if fact.kind == "overload" and (frames := fact.details.get("frames", 1)) >= limits.frames
    ]
    return fact_evidence(
        series,
        judged,
        carry,
        kind="stream.overload",
        limit=limits.frames,
        unit="frames",
        details=("behind_s",),
        message="{value:.0f} pictures in a row were not analyzed: this machine does not keep up",
    )


OVERLOAD = Detector(
    name="overload",
    kinds=("stream.overload",),
    consumes="stream",
    weigh=overload,
    limits=OverloadLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=2.0),
    summary="This machine does not keep up with a live input: pictures of it are not analyzed.",
    source="ours: every picture that is left out",
)
