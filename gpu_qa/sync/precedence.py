"""Precedence: which answers count where several ways to know the A/V offset speak of the same stream.

The stronger way counts while it is sure, and for a minute after: a marker says what the offset is, to a millisecond, a
reference what was added to its own, content only to some tens. And content is heeded nowhere near a marker signal, sure
or not, for it is sure of what is wrong there. An answer by content waits until the reference is known up to there, so
what counts does not depend on which way is told first.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa.series import SYNC_STALE_S, SYNC_SURE, SYNC_WAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import SyncSeries

__all__ = ["Precedence", "Told", "counting"]

SIGNAL = 3
"""Pairs by marker that make a signal, near which content is not heeded: it is sure of what is wrong there; ours."""


@dataclass(frozen=True, slots=True)
class Precedence:
    """The carry of `counting`: answers that wait, and when stronger ways were sure. A new one is empty."""

    waiting: tuple[SyncSeries, ...] = ()
    """By content, one answer each, in order of their end."""
    sure_s: tuple[tuple[str, float], ...] = ()
    """Way and end of sure answers that may still matter."""
    pairs_s: tuple[float, ...] = ()
    """Ends of answers by marker, sure or not, that may still matter."""


class Told(NamedTuple):
    """An answer whose turn has come."""

    answer: SyncSeries
    """One answer alone."""
    is_heeded: bool
    """False of content near a marker signal: it stands beside the others, and is no answer to anything."""
    counts: bool
    """It is judged: heeded, and no stronger way is sure."""


def counting(carry: Precedence, answers: Sequence[SyncSeries], known_s: float) -> tuple[list[Told], Precedence]:
    """The answers whose turn has come.

    Args:
        carry: What the last call gave.
        answers: Those that became known since.
        known_s: Until when the reference has told all, seconds; infinite where there is none.

    Returns:
        All of them in order of time, and what to carry on.
    """
    ready = [part for one in answers if one.way != "content" for part in _single(one)]
    waiting = sorted(
        [*carry.waiting, *(part for one in answers if one.way == "content" for part in _single(one))], key=_end_s
    )
    ready += [one for one in waiting if _end_s(one) <= known_s]
    kept = tuple(one for one in waiting if _end_s(one) > known_s)
    ready.sort(key=lambda one: (_end_s(one), SYNC_WAYS.index(one.way)))
    sure_s, pairs_s = list(carry.sure_s), list(carry.pairs_s)
    told = []
    for one in ready:
        end_s = _end_s(one)
        stronger = SYNC_WAYS[: SYNC_WAYS.index(one.way)]
        is_rivalled = any(way in stronger and at_s <= end_s <= at_s + SYNC_STALE_S for way, at_s in sure_s)
        is_heeded = not (one.way == "content" and _is_signal(pairs_s, end_s))
        told.append(Told(one, is_heeded, is_heeded and not is_rivalled))
        if one.way == "marker":
            pairs_s.append(end_s)
        if float(one.confidence[-1]) >= SYNC_SURE:
            sure_s.append((one.way, end_s))
    newest_s = max((at_s for _, at_s in sure_s), default=0.0)
    last = dict(sure_s)
    sure_s = [(way, at_s) for way, at_s in sure_s if at_s == last[way] or at_s > newest_s - SYNC_STALE_S]
    oldest_s = max(pairs_s, default=0.0) - SYNC_STALE_S
    pairs_s = [at_s for at_s in pairs_s if at_s > oldest_s or at_s in pairs_s[-SIGNAL:]]
    return told, Precedence(kept, tuple(sure_s), tuple(pairs_s))


def _is_signal(pairs_s: Sequence[float], at_s: float) -> bool:
    """Whether markers are there, or were there shortly before."""
    before = [pair_s for pair_s in pairs_s if pair_s <= at_s]
    return len(before) >= SIGNAL and before[-1] >= at_s - SYNC_STALE_S


def _end_s(answer: SyncSeries) -> float:
    return float(answer.end_s[-1])


def _single(series: SyncSeries) -> list[SyncSeries]:
    """One series for each answer."""
    if len(series) <= 1:
        return [series] if len(series) else []
    names = [one.name for one in fields(series) if isinstance(getattr(series, one.name), np.ndarray)]
    return [
        replace(series, **{name: getattr(series, name)[at : at + 1] for name in names}) for at in range(len(series))
    ]
