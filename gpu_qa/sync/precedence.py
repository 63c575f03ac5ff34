"""Precedence: which answers count where several ways to know the A/V offset speak of the same stream.

The stronger way counts while it is sure, and for a minute after: what is added to a reference is known to a
millisecond or two, the marker's own offset too, what content tells only to some tens. An answer of a weaker way waits
until the reference is known up to there, so what counts does not depend on which way is told first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gpu_qa.series import SYNC_STALE_S, SYNC_SURE, SYNC_WAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import SyncSeries

__all__ = ["Precedence", "counting"]


@dataclass(frozen=True, slots=True)
class Precedence:
    """The carry of `counting`: answers that wait, and when stronger ways were sure. A new one is empty."""

    waiting: tuple[SyncSeries, ...] = ()
    """Of ways other than the reference, one answer each, in order of their end."""
    sure_s: tuple[tuple[str, float], ...] = ()
    """Way and end of sure answers that may still matter, in order of their end."""


def counting(
    carry: Precedence, answers: Sequence[SyncSeries], known_s: float
) -> tuple[list[SyncSeries], list[SyncSeries], Precedence]:
    """The answers whose turn has come.

    Args:
        carry: What the last call gave.
        answers: Those that became known since.
        known_s: Until when the reference has told all, seconds; infinite where there is none.

    Returns:
        All of them in order of time, those of them that count, and what to carry on.
    """
    told = [one for one in answers if one.way == "reference"]
    others = [part for one in answers if one.way != "reference" for part in _single(one)]
    waiting = sorted([*carry.waiting, *others], key=_end_s)
    told += [one for one in waiting if _end_s(one) <= known_s]
    kept = tuple(one for one in waiting if _end_s(one) > known_s)
    told.sort(key=lambda one: (_end_s(one), SYNC_WAYS.index(one.way)))
    sure_s = list(carry.sure_s)
    counted = []
    for one in told:
        end_s = _end_s(one)
        stronger = SYNC_WAYS[: SYNC_WAYS.index(one.way)]
        if not any(way in stronger and at_s <= end_s <= at_s + SYNC_STALE_S for way, at_s in sure_s):
            counted.append(one)
        if float(one.confidence[-1]) >= SYNC_SURE:
            sure_s.append((one.way, end_s))
    newest_s = max((at_s for _, at_s in sure_s), default=0.0)
    last = dict(sure_s)
    sure_s = [(way, at_s) for way, at_s in sure_s if at_s == last[way] or at_s > newest_s - SYNC_STALE_S]
    return told, counted, Precedence(kept, tuple(sure_s))


def _end_s(answer: SyncSeries) -> float:
    return float(answer.end_s[-1])


def _single(series: SyncSeries) -> list[SyncSeries]:
    """One series for each answer."""
    if len(series) <= 1:
        return [series] if len(series) else []
    names = ("start_s", "end_s", "offset_s", "sigma_s", "confidence")
    return [
        replace(series, **{name: getattr(series, name)[at : at + 1] for name in names}) for at in range(len(series))
    ]
