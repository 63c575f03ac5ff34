"""Picture matching: which picture of the reference each picture of the probe is.

The pictures are compared by the luma of 48 cells. Where both have the same rate, the likeliest course through the
candidates is found by dynamic programming (Viterbi): it moves on by one picture a time unless the pictures say
otherwise. From it follow what was lost and repeated, and the delay, without anything in between: timestamps are
subtracted.

Where rates differ a picture is shown for longer or shorter than in the reference, and some of them earlier, some later,
so the delay is the mean difference of the middles of the times at which the same picture is shown: over seconds, early
and late ones are equally many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa.sync.picture_alignment import cells
from gpu_qa.sync.picture_freeze import SHARE
from gpu_qa.sync.strip import Pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.sync.picture_alignment import Area, PictureFit
    from gpu_qa.sync.picture_freeze import Run

__all__ = ["Match", "Place", "match", "place", "uneven_s"]

REACH = 4
"""Pictures before and after the expected one that are tried."""
SAME_RATE = 0.01
"""Rates that differ by less than this share are the same."""
STEP_COST = 120.0
"""What a lost or repeated picture costs: as much as so many cells that differ by their own noise. With 12, 7 of 40
copies that lost nothing were told to; with 120 none. Of planted losses about a quarter are counted: many clips
hardly move."""
TELLING = 2.0
"""A picture says which one it is where the next best differs by this many times what the best one does."""
CLEARLY = 0.25
"""A change fits a step clearly where it is off by no more than this share of what it is off another, squared; ours."""
FITS = 3.0
"""A picture that comes again fits the one it is taken for as the others fit theirs: the squared difference is no larger
than so many times the median; ours."""
CHANGES = 1.5 / 255
"""And what it should have changed to is so far in one cell, a fraction of full scale: coders hold what changes less."""
STAYS = 2 / 255
"""It stays where no cell changes more: so no picture was told to in 31 copies of nine clips that repeated nothing."""
REPEATS = 0.05
"""Between rates a picture comes again where its squared change is below this share of the largest one among the two
before and the two after it. Of 56 copies from 29.97 to 25 per second the median error is 1.4 to 1.7 ms with 0.03 to
0.1, and 2.6 ms with 0.2 as with nothing."""
LEAST_TELLING = 20
"""Pictures that say which ones they are, from which on a delay between different rates is taken from them: with an even
spread over 33 ms their mean is then uncertain by 2 ms."""
EVEN_S = 0.2
"""A lost and a repeated picture so close together are one that a coarse copy made look like its neighbour; ours."""


class Match(NamedTuple):
    """What matching tells of a stretch."""

    delay_s: float
    """Median of differences of timestamps; NaN where no picture says which one it is."""
    sigma_s: float
    """Its standard deviation, by their spread."""
    lost: tuple[float, ...]
    """Probe time in seconds of each picture of the reference that does not come."""
    repeated: tuple[float, ...]
    """Probe time of each picture that comes once more."""


class Place(NamedTuple):
    """Where a stretch of another rate stands."""

    delay_s: float
    """Mean of differences of the middles of times."""
    sigma_s: float
    """Its standard deviation, by their spread."""


def uneven_s(probe: Pictures, reference: Pictures) -> float:
    """By how much pictures come early or late where rates differ and neither is a multiple of the other, else 0.

    Seconds, standard deviation: of an even spread over the longer of both distances between pictures.
    """
    if len(probe) < 2 or len(reference) < 2:
        return 0.0
    short_s, long_s = sorted(float(np.median(np.diff(one.pts_s))) for one in (probe, reference))
    if not short_s > 0 or abs(long_s / short_s - round(long_s / short_s)) <= SAME_RATE * long_s / short_s:
        return 0.0
    return long_s / 12**0.5


def place(probe: Pictures, reference: Pictures, found: PictureFit) -> Place | None:
    """The delay by single pictures, at any rates; null where too few of them say which ones they are.

    Pictures that come again are one: a film of 25 per second that was made 29.97 repeats every fifth, and of two that
    are alike neither says which one it is. The others alone would stand to one side of their places. What is more than
    half a picture away from where the changes fit is a picture off.

    Args:
        probe: The stretch.
        reference: All that it may stand in.
        found: Where it stands, within some pictures.
    """
    once = _once(probe, found.probe_area), _once(reference, found.reference_area)
    half_s = max(float(np.median(one.end_s - one.pts_s)) for one in (probe, reference)) / 2
    for pair in (once, (probe, reference)):
        at = _place(*pair, found)
        if at is not None and abs(at.delay_s - found.fit.delay_s) <= half_s:
            return at
    return None


def _once(pictures: Pictures, area: Area) -> Pictures:
    """Pictures, those that come again as one."""
    change = (np.diff(cells(pictures.luma, area), axis=0) ** 2).sum(axis=1)
    around = np.concatenate([np.zeros(2), change, np.zeros(2)])
    beside = np.stack([around[:-4], around[1:-3], around[3:-1], around[4:]]).max(axis=0)
    first = np.flatnonzero(np.concatenate([[True], change >= REPEATS * beside]))
    last = np.append(first[1:], len(pictures)) - 1
    kept = (getattr(pictures, name)[first] for name in ("luma", "rows_lit", "columns_lit"))
    return Pictures(pictures.pts_s[first], pictures.end_s[last], *kept)


def _place(probe: Pictures, reference: Pictures, found: PictureFit) -> Place | None:
    """As `place`, with the pictures as they are."""
    if len(probe) < LEAST_TELLING or len(reference) <= 2 * REACH:
        return None
    ours_s, theirs_s = (one.pts_s + (one.end_s - one.pts_s) / 2 for one in (probe, reference))
    expected_s = ours_s - found.fit.delay_s
    inside = (expected_s >= theirs_s[REACH]) & (expected_s <= theirs_s[-1 - REACH])
    if inside.sum() < LEAST_TELLING:
        return None
    expected = np.searchsorted(theirs_s, expected_s[inside])
    first, candidates, ours, theirs = _tried(probe, reference, found, inside, expected)
    apart = ((ours[:, None] - theirs[candidates]) ** 2).sum(axis=2)
    noise = np.median(apart.min(axis=1)) + 1e-9
    nearest = apart.argmin(axis=1)
    rest = apart.copy()
    rest[np.arange(len(rest)), nearest] = np.inf
    # One at the edge may have its own beyond.
    is_inner = (nearest > 0) & (nearest < 2 * REACH)
    telling = is_inner & (rest.min(axis=1) > TELLING * apart.min(axis=1) + 0.5 * noise)
    chosen = first + candidates[np.arange(len(rest)), nearest]
    differences = (ours_s[inside] - theirs_s[chosen])[telling]
    if len(differences) < LEAST_TELLING:
        return None
    reach_s = float(np.median(probe.end_s - probe.pts_s) + np.median(reference.end_s - reference.pts_s)) / 2
    differences = differences[np.abs(differences - np.median(differences)) <= reach_s]
    if len(differences) < LEAST_TELLING:
        return None
    return Place(float(differences.mean()), float(differences.std() / np.sqrt(len(differences))))


def match(probe: Pictures, reference: Pictures, found: PictureFit, held: Sequence[Run] = ()) -> Match | None:
    """Match the pictures of a stretch; null where the rates differ or there are too few.

    Args:
        probe: The stretch.
        reference: All that it may stand in.
        found: Where it stands.
        held: Where it shows one picture while the reference moves on.
    """
    delay_s = found.fit.delay_s
    if len(probe) < 2 * REACH or len(reference) < 2 * REACH:
        return None
    ours_s, theirs_s = (float(np.median(np.diff(one.pts_s))) for one in (probe, reference))
    if not ours_s > 0 or abs(ours_s / theirs_s - 1) > SAME_RATE:
        return None
    inside = (probe.pts_s - delay_s >= reference.pts_s[REACH]) & (probe.pts_s - delay_s <= reference.pts_s[-1 - REACH])
    stays = np.zeros(len(probe), bool)
    for run in held:
        stays[run.first + 1 : run.last + 1] = True
    moves = inside & ~stays
    at_s = probe.pts_s[moves]
    if len(at_s) < 2 * REACH:
        return None
    expected = np.searchsorted(reference.pts_s, at_s - delay_s - theirs_s / 2)
    first, candidates, ours, theirs = _tried(probe, reference, found, moves, expected)
    apart = ((ours[:, None] - theirs[candidates]) ** 2).sum(axis=2)
    noise = np.median(apart.min(axis=1)) / ours.shape[1] + 1e-9
    wanted = np.diff(np.flatnonzero(moves))
    chosen = _course(apart / noise, candidates, wanted)
    others = np.where(candidates == chosen[:, None], np.inf, apart).min(axis=1)
    mine = np.take_along_axis(apart, np.argmax(candidates == chosen[:, None], axis=1)[:, None], axis=1)[:, 0]
    telling = others > TELLING * mine + 4 * noise
    if not telling.any():
        return Match(np.nan, np.inf, (), ())
    differences = at_s[telling] - reference.pts_s[first + chosen[telling]]
    spread = 1.4826 * float(np.median(np.abs(differences - np.median(differences))))
    steps = np.diff(chosen)
    # A step is sure where the pictures on both its sides say which ones they are.
    sure = telling[1:] & telling[:-1] & (wanted == 1)
    fits = mine <= FITS * np.median(mine) + 4 * noise
    skips, stays_too = _seen_steps(ours, theirs, chosen)
    shown_s = (reference.end_s - reference.pts_s)[first + chosen[1:]]
    # What the reference itself shows for as long comes no more often.
    again = (steps == 0) & sure & stays_too & fits[1:] & fits[:-1] & (shown_s < 1.5 * theirs_s)
    lost, repeated = _uneven(at_s[1:], steps * (wanted == 1), sure & skips, again)
    frozen = probe.pts_s[inside & stays].tolist()
    # Where the course goes on with fewer pictures left out than were held, time was put in.
    put_in = int(np.maximum(wanted - np.maximum(steps, 1), 0)[wanted > 1].sum())
    return Match(
        float(np.median(differences)),
        spread / np.sqrt(telling.sum()),
        tuple(sorted(lost + frozen[put_in:])),
        tuple(sorted(repeated + frozen)),
    )


def _tried(
    probe: Pictures, reference: Pictures, found: PictureFit, inside: np.ndarray, expected: np.ndarray
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """The pictures that are compared.

    Args:
        probe: The stretch.
        reference: All that it may stand in.
        found: Where it stands.
        inside: bool [T]: pictures of the probe that are placed, N of them.
        expected: int64 [N]: the picture of the reference that each is expected to be.

    Returns:
        The first picture of the reference that any is compared with; the pictures from there on that each is compared
        with, int64 [N, 2 `REACH` + 1]; and the cells of both sides.
    """
    expected = np.clip(expected, REACH, len(reference) - 1 - REACH)
    first, last = int(expected[0]) - REACH, int(expected[-1]) + REACH + 1
    ours = cells(probe.luma[inside], found.probe_area)[:, found.kept]
    theirs = cells(reference.luma[first:last], found.reference_area)[:, found.kept]
    ours, theirs = _alike(ours, theirs, expected - first)
    return first, expected[:, None] - first + np.arange(-REACH, REACH + 1), ours, theirs


def _uneven(
    at_s: np.ndarray, steps: np.ndarray, skips: np.ndarray, again: np.ndarray
) -> tuple[list[float], list[float]]:
    """Times of lost and of repeated pictures.

    A picture that comes again has one that is lost for it close by, in place of which it came. One that only seems to
    come again was made to look like its neighbour by a coarse copy: what seems lost for it is not.

    Args:
        at_s: float64 [T]: of each step's second picture.
        steps: int64 [T]: from each picture to the next, in pictures of the reference.
        skips: bool [T]: a step of two or more that is sure.
        again: bool [T]: a step of none that is sure.
    """
    left = np.maximum(steps - 1, 0)
    lost, repeated = list[float](), at_s[again].tolist()
    for is_sure in (True, False):
        for time_s in at_s[(steps == 0) & (again == is_sure)]:
            near = np.flatnonzero((left > 0) & (np.abs(at_s - time_s) <= EVEN_S))
            if not len(near):
                continue
            pair = near[np.abs(at_s[near] - time_s).argmin()]
            left[pair] -= 1
            if is_sure:
                lost.append(float(at_s[pair]))
    lost += [float(time_s) for time_s in np.repeat(at_s, left * skips)]
    return sorted(lost), repeated


def _seen_steps(ours: np.ndarray, theirs: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether each picture clearly skips one after the one before it, and clearly stays with it, bool [T − 1] each.

    That it looks like a neighbour is not enough in a coarse copy: its change must say so too. And such a copy holds
    what changes little, but not what changes most: that must stay too.
    """
    change, at = np.diff(ours, axis=0), chosen[1:]

    def step(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.asarray(theirs[np.clip(second, 0, len(theirs) - 1)] - theirs[np.clip(first, 0, len(theirs) - 1)])

    def apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.asarray(((change - step(first, second)) ** 2).sum(axis=1))

    skips = apart(chosen[:-1], at) < CLEARLY * apart(at - 1, at)
    stays = (change**2).sum(axis=1) < CLEARLY * apart(at, at + 1)
    most = np.abs(step(at, at + 1)).max(axis=1)
    return skips, stays & (most >= CHANGES) & (np.abs(change).max(axis=1) <= np.minimum(SHARE * most, STAYS))


def _alike(ours: np.ndarray, theirs: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both with the same level and spread of each cell over the stretch: copies may be brighter or flatter."""
    beside = theirs[np.unique(expected)]
    spread = ours.std(axis=0), beside.std(axis=0)
    gain = np.where(spread[1] > 0.01, spread[0] / np.maximum(spread[1], 0.01), 1.0)
    gain = np.clip(gain, 0.5, 2.0)
    return ours - ours.mean(axis=0), (theirs - beside.mean(axis=0)) * gain


def _course(costs: np.ndarray, candidates: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The cheapest course through candidates, one for each picture, never back: int [T].

    Args:
        costs: float [T, N]: of each candidate.
        candidates: int [T, N]: indices of pictures, rising by one along N.
        wanted: int [T − 1]: the steps that cost nothing.
    """
    total = costs[0]
    came = np.zeros(costs.shape, np.intp)
    for number in range(1, len(costs)):
        steps = candidates[number][:, None] - candidates[number - 1][None, :]
        price = np.where(steps < 0, np.inf, np.abs(steps - wanted[number - 1]) * STEP_COST) + total[None, :]
        came[number] = price.argmin(axis=1)
        total = price[np.arange(len(price)), came[number]] + costs[number]
    at = int(total.argmin())
    course = np.empty(len(costs), np.intp)
    for number in range(len(costs) - 1, -1, -1):
        course[number] = candidates[number, at]
        at = int(came[number, at])
    return course
