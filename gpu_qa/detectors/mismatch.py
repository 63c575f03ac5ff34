"""Mismatch: a stream that has a reference shows, or plays, something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.series import Detector, EventTiming, Evidence
from gpu_qa.series.evidence import constant

if TYPE_CHECKING:
    from gpu_qa.series import StreamFact, StreamSeries

_MAJOR = 2
"""Index into `SEVERITIES`: a wrong programme is as bad after a second minute as after the first."""


@dataclass(frozen=True, slots=True)
class MismatchLimits:
    """When a stream is not its reference's programme."""

    coefficient: float = 0.5
    """Pearson's, below which picture or sound is not in the reference, where it fits best: that of `gpu-qa compare`,
    which calls nothing from 0.5 on other content, so more changes nothing. Copies reach 0.85 and more."""
    sound_alone: bool = True
    """Whether other sound is told where the picture is the reference's, or says nothing: another language."""

    def __post_init__(self) -> None:
        """Refuse what is no coefficient."""
        if not 0 < self.coefficient <= 1:
            raise ValueError("coefficient must be above 0 and at most 1")


def mismatch(
    series: StreamSeries,
    limits: MismatchLimits = MismatchLimits(),
    carry: None = None,  # noqa: ARG001 - each stretch speaks for itself
) -> tuple[list[Evidence], None]:
    """Weigh how stretches of the stream lie over its reference.

    Args:
        series: Holds a fact of kind `reference` for each stretch of which it is sure whether it is the reference's.
        limits: When it is not.
        carry: Nothing is carried.

    Returns:
        Evidence whose value is the coefficient at the best place, of the part that fits better, and null.
    """
    facts = [fact for fact in series.facts if fact.kind == "reference"]
    if not facts:
        return [], None
    values = [_coefficient(fact) for fact in facts]
    count = len(facts)
    evidence = Evidence(
        kind="stream.mismatch",
        scope="",
        start_s=np.array([fact.start_s for fact in facts], np.float64),
        end_s=np.array([fact.end_s for fact in facts], np.float64),
        verdict=np.array([_verdict(*one, limits) for one in zip(facts, values, strict=True)], np.int8),
        value=np.array(values, np.float32),
        limit=limits.coefficient,
        unit="correlation",
        worst="min",
        confidence=np.array([fact.details.get("confidence", 1.0) for fact in facts], np.float32),
        details={
            "reference": np.array([fact.details.get("reference") for fact in facts], object),
            "what": np.array([fact.details.get("what") for fact in facts], object),
        },
        severity_cap=constant(count, _MAJOR, np.int8),
        message="other content than the reference {reference}: {what} not found in it "
        "(fits at {value:.2f} at best, limit {limit:.2f})",
    )
    return [evidence], None


def _coefficient(fact: StreamFact) -> float:
    coefficient = fact.details.get("coefficient")
    return float("nan") if coefficient is None else float(coefficient)


def _verdict(fact: StreamFact, coefficient: float, limits: MismatchLimits) -> int:
    what = fact.details.get("what")
    if what is None:
        return -1
    return 1 if coefficient < limits.coefficient and (what != "sound" or limits.sound_alone) else 0


MISMATCH = Detector(
    name="mismatch",
    kinds=("stream.mismatch",),
    consumes="stream",
    weigh=mismatch,
    limits=MismatchLimits(),
    timing=EventTiming(raise_after_s=12.0, clear_after_s=5.0, major_after_s=12.0, critical_after_s=12.0),
    summary="A stream with a reference shows or plays something else: a wrong feed, another language.",
    source="0.5: ours, by copies and other content of docs/compare.md; 12 s: two stretches that overlap",
)
