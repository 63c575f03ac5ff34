"""Counts of what was answered and told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from benchmarks.content.schema import Demand, Joins, Steps
from gpu_qa.series import SYNC_SURE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.content.measure import Answered, StepTold
    from benchmarks.content.run import JoinTask
    from benchmarks.content.schema import Kind

DEMANDS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)

Found = tuple["JoinTask", "Answered", "Answered"]
"""A join, and what was said of it with its own sound and with wrong sound."""


def joins_of(found: Sequence[Found], rows: Sequence[tuple[Kind, float]]) -> tuple[Joins, ...]:
    """A row for each kind, length and half."""
    out = []
    halves: tuple[Literal["first", "other"], ...] = ("first", "other")
    for number, (kind, seconds) in enumerate(rows):
        for half in halves:
            those = [(right, wrong) for task, right, wrong in found if (task.row, task.half) == (number, half)]
            errors_s = _errors_s([right for right, _ in those], SYNC_SURE)
            out.append(
                Joins(
                    kind=kind,
                    seconds=seconds,
                    half=half,
                    joins=len(those),
                    answered=len(errors_s),
                    within_80_ms=int((errors_s <= 0.08).sum()),
                    within_120_ms=int((errors_s <= 0.12).sum()),
                    wrong_answered=sum(wrong.confidence >= SYNC_SURE for _, wrong in those),
                    median_ms=round(1000 * float(np.median(errors_s)), 1) if len(errors_s) else None,
                )
            )
    return tuple(out)


def demands_of(found: Sequence[Found], rows: Sequence[tuple[Kind, float]]) -> tuple[Demand, ...]:
    """What other demands would answer, of those who talk and of things that strike."""
    out = []
    for is_talking in (True, False):
        those = [(right, wrong) for task, right, wrong in found if (rows[task.row][0] != "strikes") == is_talking]
        for confidence in DEMANDS:
            errors_s = _errors_s([right for right, _ in those], confidence)
            out.append(
                Demand(
                    confidence=confidence,
                    is_talking=is_talking,
                    joins=len(those),
                    answered=len(errors_s),
                    within_120_ms=int((errors_s <= 0.12).sum()),
                    wrong_answered=sum(wrong.confidence >= confidence for _, wrong in those),
                )
            )
    return tuple(out)


def steps_of(found: Sequence[Sequence[StepTold]], steps_ms: Sequence[float]) -> tuple[Steps, ...]:
    """A row for each step."""
    out = []
    for number, step_ms in enumerate(steps_ms):
        those = [one[number] for one in found]
        delays_s = [one.delay_s for one in those if one.delay_s is not None]
        out.append(
            Steps(
                step_ms=step_ms,
                joins=len(those),
                told=len(delays_s) if step_ms else sum(one.told_after for one in those),
                median_s=round(float(np.median(delays_s)), 1) if delays_s and step_ms else None,
                false_before=sum(one.false_before for one in those),
            )
        )
    return tuple(out)


def _errors_s(answers: Sequence[Answered], confidence: float) -> np.ndarray:
    """How far those answers are from what was planted that are as sure as this."""
    return np.abs([one.error_s for one in answers if one.confidence >= confidence])
