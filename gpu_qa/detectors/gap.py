"""Gap: the stream's clock runs on, but for a while it brings no picture, or no sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpu_qa.detectors.fact_steps import FactCarry, JudgedFact, fact_evidence
from gpu_qa.series import Detector, EventTiming

if TYPE_CHECKING:
    from gpu_qa.series import Evidence, Severity, StreamFact, StreamSeries


@dataclass(frozen=True, slots=True)
class GapLimits:
    """When missing time is a defect."""

    gap_s: float = 0.5
    """A gap from this length on. Ours: streams must not go without a timestamp for more than 0.7 s (ISO/IEC 13818-1,
    2.7.4; ETSI TR 101 290, 2.5 "PTS error"), and the picture that stands still for half a second is seen to."""
    usual_intervals: float = 3.0
    """A gap from this many times the stream's own interval between pictures on: slides may come every few seconds."""
    variable_rate: float = 2.5
    """Where the longest of the last intervals is more than this many times the shortest, the rate varies: pictures
    come when something changes, and a gap is for information. Ours: a lost picture in a steady stream doubles one."""
    same_picture: float = 0.006
    """Where all but 1 % of the tiles of the picture after a gap differ from the one before by at most this, as a
    fraction of full scale, nothing was missed: the recording left out pictures that were the same, and the gap is for
    information. As `noise_ceiling` of the detector `freeze`."""
    sound_until_s: float = 2.0
    """Gaps in the sound from this length on are left to the detector `missing`, which tells them while they last."""


def gap(
    series: StreamSeries, limits: GapLimits = GapLimits(), carry: FactCarry | None = None
) -> tuple[list[Evidence], FactCarry]:
    """Weigh the gaps in the timestamps of picture and sound.

    Args:
        series: The facts of a stretch of stream.
        limits: When missing time is a defect.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence for `video` and `audio`, whose value is the gap's length in seconds, and the carry. Where there is a
        picture its evidence clears from 0 on: gaps in the sound are held against it.
    """
    judged = [_judged(fact, limits) for fact in series.facts if fact.kind == "gap" and _is_defect(fact, limits)]
    return fact_evidence(
        series,
        judged,
        carry,
        kind="stream.gap",
        limit=limits.gap_s,
        unit="s",
        details=("what", "usual_interval_s", "variable_rate", "same_picture"),
        message="no {what} for {value:.2f} s",
        from_start=True,
    )


def _is_defect(fact: StreamFact, limits: GapLimits) -> bool:
    length_s = fact.end_s - fact.start_s
    if fact.track == "audio" and length_s >= limits.sound_until_s:
        return False
    return length_s >= _limit_s(fact, limits)


def _limit_s(fact: StreamFact, limits: GapLimits) -> float:
    return max(limits.gap_s, limits.usual_intervals * float(fact.details.get("usual_interval_s", 0.0)))


def _judged(fact: StreamFact, limits: GapLimits) -> JudgedFact:
    usual_s, shortest_s = fact.details.get("usual_interval_s"), fact.details.get("shortest_interval_s")
    varies = fact.track == "video" and bool(usual_s and shortest_s and usual_s > limits.variable_rate * shortest_s)
    change = fact.details.get("change")
    rests = change is not None and change <= limits.same_picture
    details = {
        "what": "picture" if fact.track == "video" else "sound",
        "usual_interval_s": usual_s,
        "variable_rate": varies,
        "same_picture": rests,
    }
    cap: Severity = "info" if varies or rests else "critical"
    return JudgedFact(fact, fact.end_s - fact.start_s, details, cap, _limit_s(fact, limits))


GAP = Detector(
    name="gap",
    kinds=("stream.gap",),
    consumes="stream",
    weigh=gap,
    limits=GapLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=1.0, major_after_s=2.0, critical_after_s=10.0),
    summary="The clock runs on, but no picture or no sound comes with it.",
    source="0.5 s: ours, below the 0.7 s of ISO/IEC 13818-1 2.7.4 and ETSI TR 101 290 2.5",
)
