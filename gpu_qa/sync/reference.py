"""By reference: the probe is the same programme as the reference elsewhere in the chain, later and perhaps skewed.

Every few seconds a stretch of the probe is laid over the reference, its picture and its sound each by itself. What the
picture is delayed more than the sound is the skew, t_vision − t_sound: positive where the sound of the probe is
advanced against the reference's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa.sync.abreast import Once, abreast, alone
from gpu_qa.sync.picture_alignment import activity, full_area, moving_s, picture_search
from gpu_qa.sync.picture_freeze import Freeze, frozen_runs, still_runs, without
from gpu_qa.sync.picture_matching import match, place, uneven_s
from gpu_qa.sync.placing import SEVERAL, Placing, as_sure, placed
from gpu_qa.sync.sound_alignment import heard, sound_search
from gpu_qa.sync.strip import Sound, pictures_between, sound_between

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.sync.abreast import Search
    from gpu_qa.sync.picture_alignment import PictureFit
    from gpu_qa.sync.picture_matching import Match
    from gpu_qa.sync.strip import Pictures, Strip

__all__ = ["MOST_SKEW_S", "Asked", "ReferenceLimits", "Stretch", "laid", "laid_together", "unlaid"]

RIGHT_S = 0.045
"""What a confidence speaks of: an offset that is right within this (the narrowest limit of ITU-R BT.1359-1)."""

SURE_S = 5.0
"""What rests on less in common is less sure in proportion, seconds; ours."""

FROZEN_S = 0.4
"""From here on a picture that stays while the reference moves is told as frozen; ours."""

MOST_SKEW_S = 2.0
"""Picture and sound of a copy are no farther apart, as far as looking a second time goes, seconds."""
SAME_S = 0.05
"""Two places that are no farther apart are one: a picture at 20 per second; ours."""

AT_ONCE = 8
"""Stretches that are laid over at a time: more save little."""

NEAR_S = 0.5
"""Where only the sound says what the delay is, that of the picture may be off by this: more is another problem."""


@dataclass(frozen=True, slots=True)
class ReferenceLimits:
    """How a probe is laid over its reference, and when it is the same programme."""

    max_delay_s: float = 60.0
    """The probe may come so much later."""
    max_lead_s: float = 60.0
    """It may come so much earlier on its own clock: it was joined later, or its beginning was cut off. An answer waits
    until the reference has come so much further than the stretch that it is about. Less than 0: it comes later by that
    at least."""
    first_lead_s: float | None = None
    """Each stretch is first looked for with this lead, and with `max_lead_s` only where neither its picture nor its
    sound is there: who waits for answers has most of them sooner. Null looks once, with `max_lead_s`."""
    stretch_s: float = 10.0
    """Length of a stretch."""
    step_s: float = 5.0
    """From the start of one stretch to that of the next."""
    least_s: float = 3.0
    """What is laid over one another must have so much in common time."""
    picture_coefficient: float = 0.7
    """The picture matches from here on where a whole stretch lies over the reference; what rests on less must fit
    better (`as_sure`): laid over other content whole stretches reached 0.45, those on 3 to 5 s 0.86, which says as much
    as 0.68 on a whole one; 95 % of the copies' that match reach 0.90 (docs/compare.md)."""
    picture_margin: float = 0.15
    """And where it exceeds any other place by this, on less than a stretch by more as 1/√overlap; ours."""
    sound_coefficient: float = 0.65
    """The sound matches from here on, in the same way: laid over other content whole stretches reached 0.58, music on
    7 s 0.92, though not by the margin; 95 % of the copies' that match reach 0.87 (docs/compare.md)."""
    sound_margin: float = 0.15
    """And where it exceeds any other place by this, in the same way; ours."""
    differs_below: float = 0.5
    """Below this coefficient it is not in the reference; from here up to where it matches nothing is said."""
    still: float = 0.0015
    """Root mean square of the change in 0.1 s up to which a picture is still, fraction of full scale."""
    heard_s: float = 1.0
    """With less sound above −60 dBFS in it a stretch is silent."""

    def __post_init__(self) -> None:
        if not 0 < self.step_s <= self.stretch_s:
            raise ValueError("0 < step_s ≤ stretch_s must hold")
        if not 0 < self.least_s <= self.stretch_s:
            raise ValueError("0 < least_s ≤ stretch_s must hold")
        if self.max_delay_s + self.max_lead_s < 0:
            raise ValueError("max_delay_s + max_lead_s must be 0 or more")


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is known of a stretch of the probe."""

    start_s: float
    """On the probe's clock."""
    end_s: float
    picture: Placing
    sound: Placing
    lost: tuple[float, ...] | None = None
    """Probe time in seconds of each picture of the reference that is missing, in the part of the stretch that no
    earlier one covers; null where rates differ or nothing matches."""
    repeated: tuple[float, ...] | None = None
    """The same of pictures that come once more."""
    frozen: tuple[Freeze, ...] = ()
    """Where the picture stays though the reference moves, in the part of the stretch that no earlier one covers."""
    looked_s: tuple[float, float] | None = None
    """Least and most delay at which all of it was laid over the reference, as far as that had come and was kept; the
    first is larger where there is none; null where nothing was laid over."""

    @property
    def skew_s(self) -> float | None:
        """t_vision − t_sound against the reference, seconds; null where either delay is not known."""
        if self.picture.delay_s is None or self.sound.delay_s is None:
            return None
        return self.picture.delay_s - self.sound.delay_s

    @property
    def skew_sigma_s(self) -> float | None:
        """Standard deviation of the skew."""
        if self.picture.sigma_s is None or self.sound.sigma_s is None:
            return None
        return float(np.hypot(self.picture.sigma_s, self.sound.sigma_s))

    @property
    def confidence(self) -> float:
        """0…1, that the skew is right within 45 ms; 0 where there is none.

        How well the parts fit is not in it: from where they match on it says nothing of the error (docs/compare.md).
        """
        if self.skew_sigma_s is None:
            return 0.0
        overlaps_s = [one.overlap_s for one in (self.picture, self.sound) if one.overlap_s is not None]
        sure = min(1.0, min(overlaps_s, default=SURE_S) / SURE_S)
        return float(sure * min(1.0, RIGHT_S / max(3 * self.skew_sigma_s, 1e-9)))


def laid(
    reference: Strip,
    probe: Strip,
    stretch_s: tuple[float, float],
    covered_s: float,
    limits: ReferenceLimits = ReferenceLimits(),
) -> Stretch:
    """Lay a stretch of a probe over its reference.

    Args:
        reference: From `max_delay_s` and a second before the stretch to `max_lead_s` after it, as far as there is any.
        probe: The stretch at least.
        stretch_s: From and to, seconds of the probe's clock.
        covered_s: Until when lost and repeated pictures have been told of, seconds of the probe's clock.
        limits: How it is done.
    """
    return laid_together(reference, [Asked(probe, stretch_s, covered_s, limits)])[0]


class Asked(NamedTuple):
    """A stretch that is to be laid over, as `laid` takes it."""

    probe: Strip
    stretch_s: tuple[float, float]
    covered_s: float
    limits: ReferenceLimits

    @property
    def searched_s(self) -> tuple[float, float]:
        """From and to where in the reference it is looked for."""
        limits = self.limits
        return self.stretch_s[0] - limits.max_delay_s - 1.0, self.stretch_s[1] + limits.max_lead_s


def laid_together(reference: Strip, asked: Sequence[Asked]) -> list[Stretch]:
    """As `laid` for each, to the bit; those that are looked for in the same part of the reference at once.

    Args:
        reference: What all are laid over.
        asked: Stretches, of one probe or of many.
    """
    begins_s = min([float(part[0].pts_s[0]) for part in (reference.pictures, reference.sound) if part], default=0.0)
    groups: dict[tuple[float, float], list[int]] = {}
    for number, one in enumerate(asked):
        # All of a short reference is the same part of it, wherever it is looked in.
        from_s, until_s = one.searched_s
        part_s = max(from_s, begins_s - 1.0), min(until_s, reference.until_s)
        groups.setdefault(part_s, []).append(number)
    found: dict[int, Stretch] = {}
    for searched_s, numbers in groups.items():
        pictures, sound = pictures_between(reference, *searched_s), sound_between(reference, *searched_s)
        for first in range(0, len(numbers), AT_ONCE):
            some = [asked[number] for number in numbers[first : first + AT_ONCE]]
            found |= dict(zip(numbers[first:], _laid_there(pictures, sound, some), strict=False))
    return [found[number] for number in range(len(asked))]


def _laid_there(theirs: Pictures | None, heard_there: Sound | None, asked: Sequence[Asked]) -> list[Stretch]:
    """Lay stretches over the same part of the reference."""
    ours = [pictures_between(one.probe, *one.stretch_s) for one in asked]
    seen, listened = Once(), Once()
    searches: list[Search[tuple[Placing, Match | None, list[Freeze]]]] = [
        *(_picture(mine, theirs, seen, one.limits) for mine, one in zip(ours, asked, strict=True)),
        *(_sound(sound_between(one.probe, *one.stretch_s), heard_there, listened, one.limits) for one in asked),
    ]
    found = abreast(searches)
    seen_parts, heard_parts = found[: len(asked)], found[len(asked) :]
    for number, one in enumerate(asked):
        picture, sound = seen_parts[number][0], heard_parts[number][0]
        if (beside := _beside(picture, sound, one.limits)) is not None:
            again = alone(_picture(ours[number], theirs, seen, beside))
            seen_parts[number] = again if _agree(picture, again[0]) else seen_parts[number]
        elif (beside := _beside(sound, picture, one.limits)) is not None:
            again = alone(_sound(sound_between(one.probe, *one.stretch_s), heard_there, listened, beside))
            heard_parts[number] = again if _agree(sound, again[0]) else heard_parts[number]
    parts = zip(ours, seen_parts, heard_parts, asked, strict=True)
    return [_stretch(mine, theirs, picture, sound[0], one) for mine, picture, sound, one in parts]


def _beside(part: Placing, other: Placing, limits: ReferenceLimits) -> ReferenceLimits | None:
    """Where a part that fits several places best beside the other part, whose place is known, is looked for again.

    Music that comes again after bars fits other places about as well, but none of them where it would be in step.
    """
    if part.reason != SEVERAL or part.fits_s is None or other.delay_s is None:
        return None
    if abs(part.fits_s - other.delay_s) > MOST_SKEW_S:
        return None
    delay_s, lead_s = other.delay_s + MOST_SKEW_S, MOST_SKEW_S - other.delay_s
    return replace(limits, max_delay_s=min(limits.max_delay_s, delay_s), max_lead_s=min(limits.max_lead_s, lead_s))


def _agree(part: Placing, again: Placing) -> bool:
    """Whether it fits best where it did."""
    if part.fits_s is None or again.fits_s is None:
        return False
    return abs(part.fits_s - again.fits_s) <= SAME_S


def _stretch(
    ours: Pictures | None,
    theirs: Pictures | None,
    seen: tuple[Placing, Match | None, list[Freeze]],
    sound: Placing,
    asked: Asked,
) -> Stretch:
    picture, matched, frozen = seen
    covered_s = asked.covered_s
    if picture.delay_s is None and sound.delay_s is not None and ours is not None and theirs is not None:
        # What stands still says not where; what is heard with it does.
        frozen = _frozen(ours, theirs, None, sound.delay_s)
    lost = repeated = None
    if matched is not None:
        lost = tuple(at_s for at_s in matched.lost if at_s > covered_s)
        repeated = tuple(at_s for at_s in matched.repeated if at_s > covered_s)
    new = tuple(Freeze(max(one.start_s, covered_s), one.end_s) for one in frozen if one.end_s > covered_s)
    return Stretch(*asked.stretch_s, picture, sound, lost, repeated, new)


def unlaid(stretch_s: tuple[float, float], reason: str) -> Stretch:
    """A stretch of which nothing is known, and why."""
    return Stretch(*stretch_s, Placing("unknown", reason), Placing("unknown", reason))


def _picture(
    ours: Pictures | None, theirs: Pictures | None, once: Once, limits: ReferenceLimits
) -> Search[tuple[Placing, Match | None, list[Freeze]]]:
    if ours is None:
        return Placing("unknown", "no picture in the probe"), None, []
    if activity(ours) <= limits.still:
        return Placing("unknown", "the picture is still"), None, []
    if moving_s(ours, limits.still) < limits.least_s:
        return Placing("unknown", "the picture moves for too short a time"), None, []
    if theirs is None:
        return Placing("outside", "no picture in the reference"), None, []
    within_s = (-limits.max_lead_s, limits.max_delay_s)
    found = yield from picture_search(ours, theirs, once, within_s=within_s, least_s=limits.least_s)
    if found is None:
        return Placing("outside", "too little of both at the same time"), None, []
    placing = _fitted(found, limits)
    if placing.state != "matches":
        again = yield from _search_without_freezes(ours, theirs, once, limits)
        if again is None:
            return placing, None, []
        found, placing = again, _fitted(again, limits)
    fit = found.fit
    held = frozen_runs(ours, theirs, (found.probe_area, found.reference_area), fit.delay_s)
    matched = match(ours, theirs, found, held)
    if matched is not None and not np.isnan(matched.delay_s) and abs(matched.delay_s - fit.delay_s) < 0.05:
        sigma_s = max(matched.sigma_s, 0.0005)
        placing = replace(placing, delay_s=matched.delay_s, sigma_s=sigma_s)
    spread_s = 0.0 if matched is not None else uneven_s(ours, theirs)
    if spread_s:
        at = place(ours, theirs, found)
        if at is None:
            placing = replace(placing, sigma_s=max(fit.sigma_s, spread_s))
        else:
            placing = replace(placing, delay_s=at.delay_s, sigma_s=max(at.sigma_s, 0.0005))
    return placing, matched, _frozen(ours, theirs, found, fit.delay_s)


def _fitted(found: PictureFit, limits: ReferenceLimits) -> Placing:
    differs_below = as_sure(limits.differs_below, limits.stretch_s, found.fit.overlap_s)
    return placed(found.fit, differs_below, limits.picture_coefficient, limits.picture_margin, limits.stretch_s)


def _search_without_freezes(
    ours: Pictures, theirs: Pictures, once: Once, limits: ReferenceLimits
) -> Search[PictureFit | None]:
    """The place of what moves in a stretch, where that matches, and the rest is still where the reference moves."""
    runs = still_runs(ours, full_area, least_s=FROZEN_S)
    if not runs:
        return None
    within_s = (-limits.max_lead_s, limits.max_delay_s)
    moving = without(ours, runs)
    found = yield from picture_search(
        moving, theirs, once, within_s=within_s, least_s=limits.least_s, hold_s=FROZEN_S / 2
    )
    if found is None or _fitted(found, limits).state != "matches":
        return None
    return found if _frozen(ours, theirs, found, found.fit.delay_s) else None


def _frozen(ours: Pictures, theirs: Pictures, found: PictureFit | None, delay_s: float) -> list[Freeze]:
    """Where it stays for long though the reference moves; without a place by the picture the delay may be off."""
    areas = (full_area, full_area) if found is None else (found.probe_area, found.reference_area)
    edge_s = NEAR_S if found is None else 0.0
    runs = frozen_runs(ours, theirs, areas, delay_s, least_s=FROZEN_S, edge_s=edge_s)
    return [Freeze(float(ours.pts_s[run.first]), float(ours.end_s[run.last])) for run in runs]


def _sound(
    ours: Sound | None, theirs: Sound | None, once: Once, limits: ReferenceLimits
) -> Search[tuple[Placing, None, list[Freeze]]]:
    """As `_picture`, without what only pictures say."""
    if ours is None:
        return Placing("unknown", "no sound in the probe"), None, []
    if heard(ours) < limits.heard_s:
        return Placing("unknown", "silence in the probe"), None, []
    if theirs is None:
        return Placing("outside", "no sound in the reference"), None, []
    if heard(theirs) < limits.heard_s:
        return Placing("outside", "silence in the reference"), None, []
    within_s = (-limits.max_lead_s, limits.max_delay_s)
    fit = yield from sound_search(ours, theirs, once, within_s=within_s, least_s=limits.least_s)
    if fit is None:
        return Placing("outside", "too little of both at the same time"), None, []
    sure, margin = limits.sound_coefficient, limits.sound_margin
    return placed(fit, limits.differs_below, sure, margin, limits.stretch_s), None, []
