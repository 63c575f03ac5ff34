"""Schedule: which stretches of a probe can be laid over its reference by now, and in which order.

What comes when depends on how far both streams have come and on nothing else: any cut of them into series, any
interleaving and any time of asking give the same stretches. Laying them over takes long and is done elsewhere, from the
strips that each `Due` holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from gpu_qa.sync.reference import MOST_SKEW_S, Asked, ReferenceLimits, laid_together, unlaid
from gpu_qa.sync.strip import trimmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.sync.placing import Placing
    from gpu_qa.sync.reference import Stretch
    from gpu_qa.sync.strip import Strip

__all__ = ["Alignment", "Due", "Unsettled", "due", "laid_abreast", "lay", "needed_from_s", "next_turn_s"]

LAG_S = 3.0
"""A track that lags so much behind the other has nothing then."""
LEAST_REST_S = 1.0
"""What is left at a probe's end is a stretch from this length on, seconds."""


class Turn(NamedTuple):
    """A stretch that is to be laid over once more, with all of the lead."""

    start_s: float
    end_s: float
    covered_s: float


@dataclass(frozen=True, slots=True)
class Alignment:
    """How far a probe has been laid over its reference: the carry of `due`. A new one begins at the probe's start."""

    next_s: float = 0.0
    """Start of the next stretch, on the probe's clock; infinite after the last."""
    covered_s: float = 0.0
    """End of the last stretch."""
    again: tuple[Turn, ...] = ()
    """Stretches that may have to be laid over once more, in order."""
    done: bool = False
    """Both have ended, and all is laid."""


@dataclass(frozen=True, slots=True)
class Due:
    """A stretch that can be laid over now."""

    start_s: float
    """On the probe's clock."""
    end_s: float
    covered_s: float
    """Until when lost and repeated pictures have been told of."""
    reference: Strip
    probe: Strip
    """What is needed of it; empty where `is_again`: it was handed over before."""
    limits: ReferenceLimits
    """Where it is looked for."""
    is_again: bool = False
    """It was laid over before, with less lead."""
    is_last: bool = True
    """Nothing more is waited for: what is not found now is not there."""
    shift_s: float = 0.0
    """How much later the probe's clock began than the reference's: delays grow by it."""
    gone_until_s: float = -math.inf
    """Up to here the reference has been let go of, seconds of its clock."""
    passed_over: str | None = None
    """Why it is not laid over at all; null: it is."""


class Unsettled(NamedTuple):
    """A stretch that was not found with little lead."""

    found: Stretch
    probe: Strip | None
    """What of the probe is needed; null where it was passed over."""


def needed_from_s(alignment: Alignment, limits: ReferenceLimits = ReferenceLimits()) -> tuple[float, float]:
    """From when on the probe and the reference are still needed, seconds of their clocks; what is older may go."""
    # The last stretch of a stream reaches back to where no stretch was due yet.
    probe_s = alignment.next_s - limits.stretch_s
    oldest_s = min([probe_s, *(turn.start_s for turn in alignment.again)])
    return probe_s, oldest_s - limits.max_delay_s - 1.0


def next_turn_s(alignment: Alignment, limits: ReferenceLimits = ReferenceLimits()) -> float:
    """How far the reference must come for the next stretch to be laid over, seconds of its clock."""
    first_s = alignment.next_s + limits.stretch_s + _first_lead_s(limits)
    return min([first_s, *(turn.end_s + limits.max_lead_s for turn in alignment.again[:1])])


def due(
    reference: Strip, probe: Strip, limits: ReferenceLimits = ReferenceLimits(), carry: Alignment = Alignment()
) -> tuple[list[Due], Alignment]:
    """What has become possible since the last call.

    Args:
        reference: As far as it has come; from `needed_from_s` on at least.
        probe: The same.
        limits: How it is done.
        carry: What the last call gave; at the start a new one.

    Returns:
        The stretches, in order of how far the reference must have come for each, and what to carry on.
    """
    found: list[Due] = []
    lead_s = _first_lead_s(limits)
    while not carry.done:
        again = carry.again[:1]
        whole_s = carry.next_s + limits.stretch_s
        end_s = min(whole_s, probe.until_s) if probe.ended else whole_s
        # Where the reference has ended before, a second look would find nothing more.
        has_more = not reference.ended or reference.until_s > end_s + lead_s
        if again and (again[0].end_s + limits.max_lead_s <= whole_s + lead_s or not has_more):
            if not _has_come(reference, again[0].end_s + limits.max_lead_s):
                break
            found.append(Due(*again[0], reference, replace(probe, pictures=(), sound=()), limits, is_again=True))
            carry = replace(carry, again=carry.again[1:])
        elif math.isinf(carry.next_s):
            carry = replace(carry, done=True)
        elif not (_has_come(probe, end_s) and _has_come(reference, end_s + lead_s)):
            break
        elif end_s < whole_s and end_s - carry.covered_s <= LEAST_REST_S:
            carry = replace(carry, next_s=math.inf)
        else:
            is_rest = end_s < whole_s
            start_s = max(0.0, end_s - limits.stretch_s) if is_rest else carry.next_s
            turn = Turn(start_s, end_s, carry.covered_s)
            looks_twice = lead_s < limits.max_lead_s and has_more
            first = replace(limits, max_lead_s=lead_s, first_lead_s=None)
            found.append(Due(*turn, reference, trimmed(probe, start_s), first, is_last=not looks_twice))
            next_s = math.inf if is_rest else carry.next_s + limits.step_s
            carry = Alignment(next_s, end_s, (*carry.again, turn) if looks_twice else carry.again)
    return found, carry


def laid_abreast(dues: Sequence[Due]) -> list[Stretch | None]:
    """What `lay` makes of each, of one probe or of many, to the bit; null where it was handed over before.

    What is laid over the same reference is laid over it at once, which costs less.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for number, one in enumerate(dues):
        if not one.is_again and one.passed_over is None:
            groups.setdefault((id(one.reference.pictures), id(one.reference.sound)), []).append(number)
    found: list[Stretch | None] = [None] * len(dues)
    for numbers in groups.values():
        asked = [_asked(dues[number]) for number in numbers]
        for number, stretch in zip(numbers, laid_together(dues[numbers[0]].reference, asked), strict=True):
            found[number] = stretch
    return found


def lay(
    one: Due, unsettled: tuple[Unsettled, ...] = (), laid: Stretch | None = None
) -> tuple[list[Stretch], tuple[Unsettled, ...]]:
    """Lay over what is due.

    Args:
        one: What `due` gives, in its order.
        unsettled: What the last call gave; at the start none.
        laid: What `laid_abreast` made of it; null: it is laid over now.

    Returns:
        What has become known, in order, and what to carry on.
    """
    if one.is_again:
        if not unsettled or unsettled[0].found.start_s != one.start_s:
            return [], unsettled
        first, rest = unsettled[0], unsettled[1:]
        if first.probe is None or one.passed_over is not None:
            return [first.found], rest
        return [_laid(replace(one, probe=first.probe))], rest
    if one.passed_over is not None:
        found, probe, is_known = unlaid((one.start_s, one.end_s), one.passed_over), None, one.is_last
    else:
        found, probe = _laid(one, laid), one.probe
        is_known = one.is_last or _is_settled(found, one)
    if not is_known:
        return [], (*unsettled, Unsettled(found, probe))
    # Where this one was found, those before it come later as well, and are not there.
    return [*(first.found for first in unsettled), found], ()


def _first_lead_s(limits: ReferenceLimits) -> float:
    return limits.max_lead_s if limits.first_lead_s is None else min(limits.first_lead_s, limits.max_lead_s)


def _has_come(strip: Strip, time_s: float) -> bool:
    """Whether all that a strip has up to a time is there: a track that lags more than 3 s behind has nothing then."""
    if strip.ended:
        return True
    tracks = [until_s for until_s in (strip.pictures_until_s, strip.sound_until_s) if until_s > 0]
    return bool(tracks) and ((len(tracks) == 2 and min(tracks) >= time_s) or strip.until_s >= time_s + LAG_S)


def _asked(one: Due) -> Asked:
    return Asked(one.probe, (one.start_s, one.end_s), one.covered_s, one.limits)


def _laid(one: Due, laid: Stretch | None = None) -> Stretch:
    found = laid if laid is not None else laid_together(one.reference, [_asked(one)])[0]
    if one.gone_until_s > one.start_s - one.limits.max_delay_s + one.limits.stretch_s:
        found = replace(found, picture=_beside_what_is_gone(found.picture), sound=_beside_what_is_gone(found.sound))
    return replace(
        found,
        picture=_later(found.picture, one.shift_s),
        sound=_later(found.sound, one.shift_s),
        looked_s=_looked_s(one),
    )


def _looked_s(one: Due) -> tuple[float, float]:
    """Least and most delay at which all of a stretch lies over what there is of the reference."""
    least_s = max(one.end_s - one.reference.until_s, -one.limits.max_lead_s)
    most_s = min(one.start_s - max(0.0, one.gone_until_s), one.limits.max_delay_s)
    return least_s + one.shift_s, most_s + one.shift_s


def _beside_what_is_gone(placing: Placing) -> Placing:
    """What is not in the rest of the reference may be in what is gone of it."""
    if placing.state != "differs":
        return placing
    return replace(placing, state="outside", reason="the reference was let go of before this came")


def _later(placing: Placing, by_s: float) -> Placing:
    if placing.fits_s is None or not by_s:
        return placing
    delay_s = None if placing.delay_s is None else placing.delay_s + by_s
    around = placing.around
    if around is not None:
        around = around._replace(first_s=around.first_s + by_s)
    return replace(placing, delay_s=delay_s, fits_s=placing.fits_s + by_s, around=around)


def _is_settled(found: Stretch, one: Due) -> bool:
    """Whether more of the reference would say no more: what there is to look for was found, or is not beside it."""
    parts = found.picture, found.sound
    sought = [part for part in parts if part.state != "unknown" or part.coefficient is not None]
    delays_s = [part.delay_s - one.shift_s for part in sought if part.delay_s is not None]
    beside = bool(delays_s) and min(delays_s) >= MOST_SKEW_S - one.limits.max_lead_s
    return beside or len(delays_s) == len(sought)
