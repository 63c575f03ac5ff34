"""Stalled: a live input stays connected but delivers nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpu_qa.detectors.fact_steps import FactSteps, JudgedFact
from gpu_qa.series import Detector, EventTiming

if TYPE_CHECKING:
    from gpu_qa.series import Evidence, StreamFact, StreamSeries


@dataclass(frozen=True, slots=True)
class StalledLimits:
    """When waiting is a defect."""

    stalled_s: float = 10.0
    """Nothing for this long, in seconds of wall clock; where the source gives up sooner, that is told all the same.
    Ours: segmented streams (HLS, DASH) bring nothing between two segments, which last 6 s by Apple's authoring
    specification; 2 s suits RTSP, SRT and UDP."""


@dataclass(frozen=True, slots=True)
class StalledCarry:
    """The last stall that was told."""

    track: str
    start_s: float
    """How far the stream had come when it stalled."""
    cleared_s: float
    """Up to where time since its end has cleared."""
    end_s: float


def stalled(
    series: StreamSeries, limits: StalledLimits = StalledLimits(), carry: StalledCarry | None = None
) -> tuple[list[Evidence], StalledCarry | None]:
    """Weigh how long nothing has come. A stall that lasts is seen again and again, each time longer.

    Args:
        series: The facts of a stretch of stream.
        limits: When waiting is a defect.
        carry: From the series before; null until a stall is told.

    Returns:
        Evidence whose value is how long nothing has come in seconds, and the carry. A stall ends where the stream's own
        clock moves on.
    """
    steps = FactSteps()
    for fact in series.facts:
        if fact.kind == "stalled" and (_waited_s(fact) >= limits.stalled_s or _is_given_up(fact)):
            if carry is not None and fact.start_s > carry.start_s:
                carry = _resumed(steps, carry, fact.start_s)
            steps.add(_judged(fact, limits))
            carry = StalledCarry(fact.track, fact.start_s, fact.end_s, fact.end_s)
    if carry is not None:
        carry = _resumed(steps, carry, _progress_s(series))
    evidence = steps.evidence(
        kind="stream.stalled",
        track="" if carry is None else carry.track,
        limit=limits.stalled_s,
        unit="s",
        details=("given_up", "text"),
        message="nothing has arrived for {value:.1f} s",
    )
    return evidence, carry


def _resumed(steps: FactSteps, carry: StalledCarry, progress_s: float) -> StalledCarry:
    """Clear as much time after the stall as the stream has brought since."""
    cleared_s = steps.clear(carry.cleared_s, carry.end_s + (progress_s - carry.start_s), whole_steps=True)
    return StalledCarry(carry.track, carry.start_s, cleared_s, carry.end_s)


def _progress_s(series: StreamSeries) -> float:
    """How far the stream has come by its own timestamps."""
    ends_s = [series.video_until_s, *series.audio_until_s.values()]
    return max((end_s for end_s in ends_s if end_s is not None), default=0.0)


def _judged(fact: StreamFact, limits: StalledLimits) -> JudgedFact:
    waited_s = _waited_s(fact)
    details = {"given_up": _is_given_up(fact), "text": fact.message}
    return JudgedFact(fact, waited_s, details, limit=limits.stalled_s if waited_s >= limits.stalled_s else math.nan)


def _waited_s(fact: StreamFact) -> float:
    """How long nothing had come; a source that gives up at a moment of the stream has waited for its time limit."""
    return max(fact.end_s - fact.start_s, float(fact.details.get("timeout_s", 0.0)))


def _is_given_up(fact: StreamFact) -> bool:
    return "timeout_s" in fact.details


STALLED = Detector(
    name="stalled",
    kinds=("stream.stalled",),
    consumes="stream",
    weigh=stalled,
    limits=StalledLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=1.0, major_after_s=20.0, critical_after_s=60.0),
    summary="A live input is connected but delivers nothing.",
    source="10 s: ours, longer than the 6 s segments of Apple's HLS authoring specification",
)
