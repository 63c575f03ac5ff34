"""Frame loss: a stream that has a reference lacks pictures of it, or shows some of them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa.series import Detector, EventTiming, Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_qa.series import StreamFact, StreamSeries


@dataclass(frozen=True, slots=True)
class FrameLossLimits:
    """When lost and repeated pictures are a defect."""

    pictures: int = 2
    """Told from so many on that are lost, or so many that are repeated. Ours: what is counted is a lower bound, some
    quarter of all (docs/compare.md), and one alone is hardly noticed."""
    together_s: float = 10.0
    """They lie within so much of one another; ours."""

    def __post_init__(self) -> None:
        """Refuse what counts nothing."""
        if self.pictures < 1 or not self.together_s > 0:
            raise ValueError("pictures must be 1 or more, and together_s above 0")


class _Picture(NamedTuple):
    """A picture that was lost, or came again."""

    at_s: float
    is_lost: bool


class _Row(NamedTuple):
    """A step of evidence; without pictures it clears."""

    start_s: float
    end_s: float
    lost: int = 0
    repeated: int = 0

    @property
    def value(self) -> int:
        """A picture in whose place the one before came again counts as both, and here once."""
        return max(self.lost, self.repeated)


@dataclass(frozen=True, slots=True)
class FrameLossCarry:
    """The pictures that those to come are counted with, oldest first."""

    recent: tuple[_Picture, ...] = ()


def frame_loss(
    series: StreamSeries, limits: FrameLossLimits = FrameLossLimits(), carry: FrameLossCarry | None = None
) -> tuple[list[Evidence], FrameLossCarry]:
    """Weigh the pictures that are lost, or repeated, against the reference.

    Args:
        series: Holds a fact of kind `frames` for each stretch, without any picture where nothing of the reference
            matches it: what was told before ends there.
        limits: When they are too many.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence whose value is the number of pictures lost, or of those repeated, whichever is more, in `together_s`;
        and the carry.
    """
    recent = () if carry is None else carry.recent
    rows: list[tuple[_Row, StreamFact]] = []
    for fact in series.facts:
        if fact.kind == "frames":
            found, recent = _rows(fact, recent, limits)
            rows += [(row, fact) for row in found]
    return ([_evidence(rows, limits)] if rows else []), FrameLossCarry(recent)


def _rows(
    fact: StreamFact, recent: tuple[_Picture, ...], limits: FrameLossLimits
) -> tuple[list[_Row], tuple[_Picture, ...]]:
    """The steps of one stretch, and what is carried on."""
    rows: list[_Row] = []
    until_s = fact.start_s
    for picture in _pictures(fact):
        recent = (*(one for one in recent if one.at_s > picture.at_s - limits.together_s), picture)
        lost = sum(one.is_lost for one in recent)
        row = _Row(recent[0].at_s, picture.at_s, lost, len(recent) - lost)
        if row.value < limits.pictures:
            continue
        if row.start_s > until_s:
            rows.append(_Row(until_s, row.start_s))
        rows.append(row)
        until_s = max(until_s, row.end_s)
    if fact.end_s > until_s:
        rows.append(_Row(until_s, fact.end_s))
    return rows, recent


def _pictures(fact: StreamFact) -> Iterable[_Picture]:
    """The pictures of a stretch in order of time; of one time the repeated one first."""
    lost = [_Picture(at_s, is_lost=True) for at_s in fact.details["lost_s"]]
    return sorted([*lost, *(_Picture(at_s, is_lost=False) for at_s in fact.details["repeated_s"])])


def _evidence(rows: list[tuple[_Row, StreamFact]], limits: FrameLossLimits) -> Evidence:
    return Evidence(
        kind="stream.frame_loss",
        scope="",
        start_s=np.array([row.start_s for row, _ in rows], np.float64),
        end_s=np.array([row.end_s for row, _ in rows], np.float64),
        verdict=np.array([1 if row.value else -1 for row, _ in rows], np.int8),
        value=np.array([row.value for row, _ in rows], np.float32),
        limit=float(limits.pictures),
        unit="frames",
        details={
            "reference": np.array([fact.details["reference"] for _, fact in rows], object),
            "lost": np.array([row.lost for row, _ in rows], np.int64),
            "repeated": np.array([row.repeated for row, _ in rows], np.int64),
        },
        message="against the reference {reference} pictures are missing: {lost}, and come again: {repeated}, "
        f"within {limits.together_s:g} s",
    )


FRAME_LOSS = Detector(
    name="frame_loss",
    kinds=("stream.frame_loss",),
    consumes="stream",
    weigh=frame_loss,
    limits=FrameLossLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=10.0, major_after_s=30.0, critical_after_s=120.0),
    summary="A stream with a reference lacks pictures of it, or shows some again: motion jerks.",
    source="2 within 10 s: ours, by copies that lost none, and others that did, of docs/compare.md",
)
