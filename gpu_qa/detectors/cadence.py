"""Cadence: how often each picture is shown, and since when that has been another than before.

A run is a picture with its repeats: runs of 1, 1, 1 are the full rate, of 2, 2, 2 pictures on twos, of 2, 3, 2, 3 film
in 60 Hz. Two things tell that a cadence has changed: the share of pictures that repeat, and the lengths of the runs,
which see a change sooner where both cadences are regular, and see one that leaves the share as it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

LENGTHS = 5
"""Runs of 1, 2, 3, 4 pictures, and of more."""
_SPARSE = 0.2
"""How much each length is taken to have been seen before anything is: a cadence has few lengths."""
_FULL_RATE = 0.3
"""A cadence with no more repeats than this share is the full rate; some pictures look like repeats by chance."""
_UNLIKE = 3
"""Fewer runs that are unlike those before them are the step from one even cadence to another."""
_MOST = 1.0
"""A single run speaks no louder for the old cadence than this, as a natural logarithm: a repeat may be missed."""
_REGULAR, _WIDE, _MISSING = 6, 3.0, 2.0
"""Regular repeats are more than the first, at least so many pictures apart. How much each that was due and is not there
speaks, as a natural logarithm: one in seven is not seen."""
_LEAP = 1.2
"""A picture leaps that changes by so many times as much as usual; ours: pictures behind repeats of every third to fifth
one measured 1.3 to 1.9."""
_LOG_SEEN = np.array([math.lgamma(count + _SPARSE) - math.lgamma(_SPARSE) for count in range(1024)])
_LOG_ALL = np.array([math.lgamma(count + LENGTHS * _SPARSE) - math.lgamma(LENGTHS * _SPARSE) for count in range(1024)])


@dataclass(frozen=True, slots=True)
class Change:
    """Since when a cadence has been another."""

    at: int
    """Index of the first picture of the new cadence that repeats the one before."""
    share: float
    """Share of repeats since then."""
    usual: float
    """Share of repeats before."""
    excess: float
    """By how much more repeats there are, or by how much more of the pictures are shown unevenly, as a share."""
    odds: tuple[float, ...] | None = None
    """By how much likelier a run of each of `LENGTHS` is in the old cadence, as a natural logarithm; null where the
    share of repeats told, not the runs."""


def share_change(
    repeat: np.ndarray, onsets: np.ndarray, *, raise_excess: float, surprise: float, nearly: float
) -> Change | None:
    """The change of the share of repeats that is likely enough; null without one.

    Args:
        repeat: float64 [J]: how much each picture counts as a repeat, 0…1.
        onsets: int [K]: where the new cadence may begin.
        raise_excess: The share must be this much above the one before.
        surprise: So much likelier must it be than no change, as a natural logarithm.
        nearly: Of the onsets that are so nearly as likely as the likeliest, the latest is taken.
    """
    so_far = np.concatenate([[0.0], np.cumsum(repeat)])
    before, count, total = so_far[onsets], len(repeat), so_far[-1]
    after, pictures = total - before, count - onsets
    shares, usuals = after / pictures, before / onsets
    gain = _likelihood(after, pictures) + _likelihood(before, onsets) - _likelihood(total, np.asarray(count))
    # Of a cadence with repeats the lengths of runs tell.
    gain[(shares - usuals < raise_excess) | (usuals >= _FULL_RATE)] = 0.0
    if gain.max() < surprise:
        return None
    best = int(np.flatnonzero(gain >= gain.max() - nearly)[-1])
    share, usual = float(shares[best]), float(usuals[best])
    return Change(int(onsets[best]), share, usual, share - usual)


def _likelihood(repeats: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """Logarithm of how likely so many repeats among so many pictures are at the share that they have."""
    share = np.clip(repeats / pictures, 1e-9, 1.0 - 1e-9)
    return np.asarray(repeats * np.log(share) + (pictures - repeats) * np.log(1.0 - share))


def run_change(
    is_repeat: np.ndarray, first: int, last: int, *, raise_excess: float, surprise: float, nearly: float
) -> Change | None:
    """The change of the lengths of runs that is likely enough; null without one.

    Both cadences are unknown, so that the likelihoods are those of all cadences on average (a Dirichlet prior).

    Args:
        is_repeat: bool [J].
        first: The new cadence begins at this picture at the earliest.
        last: And at this one at the latest.
        raise_excess: The share of repeats must be this much above the one before, or as much of the pictures must be
            shown unevenly that were not before.
        surprise: So much likelier must it be than no change, as a natural logarithm.
        nearly: Of the onsets that are so nearly as likely as the likeliest, the latest is taken.
    """
    begins = np.flatnonzero(~is_repeat)
    # The first run began before what is known, the last one has not ended.
    lengths = np.minimum(np.diff(begins), LENGTHS)
    if len(lengths) < 2 or (lengths == lengths[0]).all():
        return None
    seen = np.zeros((len(lengths) + 1, LENGTHS), np.intp)
    np.cumsum(lengths[:, None] == np.arange(1, LENGTHS + 1), axis=0, out=seen[1:])
    low, high = np.searchsorted(begins, [first, last])
    splits = np.arange(max(int(low), 1), min(int(high), len(lengths)))
    splits = splits[lengths[splits] > 1]
    if not len(splits):
        return None
    before, total = seen[splits], seen[-1]
    after = total - before
    gain = _average(before) + _average(after) - _average(total[None])
    if gain.max() < surprise:
        return None
    # Where runs of 2 and 3 take turns they are even; the first two of a new cadence are unlike those of the old.
    shares, usuals, step = _share(after), _share(before), np.abs(np.diff(lengths))
    uneven = np.zeros(len(lengths) + 1, np.intp)
    uneven[3:] = np.cumsum((step[1:] > 1) | ((step[1:] == 1) & (lengths[2:] != lengths[:-2])))
    unlike = uneven[-1] - uneven[np.minimum(splits + 2, len(lengths))]
    more_uneven = unlike / (len(lengths) - splits) - uneven[splits] / splits
    # From one even cadence to another, as from twos to threes, is design, unless the first was the full rate.
    is_worse = (shares - usuals >= raise_excess) & (usuals < _FULL_RATE)
    is_worse |= (unlike >= _UNLIKE) & (more_uneven >= raise_excess) & (shares >= usuals - raise_excess)
    gain[~is_worse] = 0.0
    if gain.max() < surprise:
        return None
    best = int(np.flatnonzero(gain >= gain.max() - nearly)[-1])
    old, new = before[best] + _SPARSE, after[best] + _SPARSE
    odds = np.log(old / old.sum()) - np.log(new / new.sum())
    share, usual = float(shares[best]), float(usuals[best])
    return Change(
        at=int(begins[splits[best]]) + 1,
        share=share,
        usual=usual,
        excess=max(share - usual, float(more_uneven[best])),
        odds=tuple(float(one) for one in np.minimum(odds, _MOST)),
    )


def regular_change(is_repeat: np.ndarray, level: np.ndarray, first: int, *, surprise: float) -> Change | None:
    """Single repeats that come as regularly as clockwork, where none did before; null without them.

    Repeats that were usual would have come before too; each that did not, speaks. The picture behind each must leap, as
    the one that was due has been left out: where 24 pictures a second are shown in 30 none does.

    Args:
        is_repeat: bool [J].
        level: float64 [J]: how much each picture changes.
        first: The new cadence begins at this picture at the earliest.
        surprise: So much likelier must it be than no change, as a natural logarithm.
    """
    at = np.flatnonzero(is_repeat[:-1])
    if len(at) <= _REGULAR:
        return None
    gaps = np.diff(at)
    gap = float(np.median(gaps[-_REGULAR:]))
    # A repeat that was not seen leaves a gap of two.
    is_regular = (np.abs(gaps - gap) <= 1.0) | (np.abs(gaps - 2.0 * gap) <= 1.0)
    broken = np.flatnonzero(~is_regular)
    start = int(broken[-1]) + 1 if len(broken) else 0
    onset = int(at[start])
    missing = onset / gap - start
    if gap < _WIDE or len(at) - start <= _REGULAR or onset < first or missing * _MISSING < surprise:
        return None
    new, behind = at[start:], at[start:] + 1
    moving = level[onset:][~is_repeat[onset:]]
    if level[behind].mean() < _LEAP * np.median(moving) or np.median(level[new]) > np.median(moving):
        return None
    share, usual = len(new) / (len(is_repeat) - onset), start / onset
    return Change(onset, share, usual, share - usual)


def _average(seen: np.ndarray) -> np.ndarray:
    """Logarithm of how likely runs with such counts of lengths, int [K, L], are in all cadences on average."""
    return np.asarray(_LOG_SEEN[seen].sum(axis=1) - _LOG_ALL[seen.sum(axis=1)])


def _share(seen: np.ndarray) -> np.ndarray:
    """Share of repeats in runs with such counts of lengths, int [K, L]."""
    return np.asarray(1.0 - seen.sum(axis=1) / (seen @ np.arange(1, LENGTHS + 1)))
