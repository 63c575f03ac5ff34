"""By turns: what comes back by design: it swings, it blinks, or its shots take turns.

Pictures are int16 [T, N]: the mean luma of N squares, in integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_BLINK_SHARE = 0.7
"""What changes by two steps that make up this share of all its change blinks."""
_CUT_SHARE = 0.4
"""A step is a cut when it is at least this share of what the squares change in all. Ours: cuts to another picture have
0.5 and more, motion 0.2 at most."""
_SAME_SHARE = 0.9
"""Of a period with cuts, at least this share of the pictures must be repeats in what moves between the cuts, too: a
picture that follows a cut is coded coarsely. Ours."""


@dataclass(frozen=True, slots=True)
class BetweenCuts:
    """What moves between the cuts of a period: what a cut changes says nothing of a repeat in a quiet shot."""

    at: np.ndarray
    """int64 [M]: squares."""
    most: float
    """How much a repeat may differ in them."""
    is_same: bool
    """Whether they were repeated."""


def swings(pictures: np.ndarray, most: float) -> bool:
    """Whether a period's pictures, int16 [P, N], run forward and then backward: what swings, or blinks, by design.

    A picture is then shown at another time within the period too, and what came after that is what came before this
    one, in reverse order. Two pictures are tried, because one may be where it turns.
    """
    period = len(pictures)
    steps = np.arange(period)
    for one in (period - 1, period * 2 // 3):
        twins = np.flatnonzero(differences(pictures, pictures[one : one + 1]) <= most)
        for twin in twins[np.abs(twins - one) > 1].tolist():
            if np.all(differences(pictures[(twin + steps) % period], pictures[(one - steps) % period]) <= most):
                return True
    return False


def blinks(pictures: np.ndarray) -> bool:
    """Whether a period's pictures, int16 [P + 1, N], are two that take turns, each for a while: a cursor, a lamp."""
    steps = np.sort(np.abs(np.diff(pictures.astype(np.int32), axis=0)).sum(axis=1))
    second, first = float(steps[-2]), float(steps[-1])
    return bool(first + second >= _BLINK_SHARE * steps.sum() and second >= first / 2.0)


def between_cuts(
    squares: np.ndarray, moving: np.ndarray, *, motion: float, area: float, likeness: float, noise: float
) -> BetweenCuts | None:
    """What moves between the cuts of the second of two periods; null where it is one shot, or its shots are stills.

    Args:
        squares: int16 [2 P, N]: the pictures of both.
        moving: bool [N]: squares that move in the period.
        motion: Squares move that change by more than this between cuts.
        area: At least this share of all squares must.
        likeness: A repeat differs by less than this share of what they change,
        noise: and this.
    """
    older, newer = np.split(squares, 2)
    most, away = _moves_between_cuts(newer[:, moving])
    own = most > motion
    if np.count_nonzero(own) < max(area * len(moving), 1.0):
        return None
    at = np.flatnonzero(moving)[own]
    allowed = likeness * float(most[own].mean(dtype=np.float64)) + noise
    apart = differences(newer[:, at], older[:, at])
    is_same = np.count_nonzero(apart <= allowed) >= _SAME_SHARE * len(apart) and apart.mean() <= away[own].mean() / 2.0
    return BetweenCuts(at, allowed, bool(is_same))


def _moves_between_cuts(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far each square moves between cuts.

    Returns:
        int16 [N]: how much it changes between two cuts at most; float64 [N]: how far it is away from its mean between
        them on average. 0 throughout where there is no cut.
    """
    steps = np.abs(pictures[1:] - pictures[:-1]).mean(axis=1, dtype=np.float64)
    cuts = np.flatnonzero(steps >= _CUT_SHARE * np.ptp(pictures, axis=0).mean(dtype=np.float64)) + 1
    most, away = np.zeros(pictures.shape[1], np.int16), np.zeros(pictures.shape[1])
    for shot in np.split(pictures, cuts) if len(cuts) else ():
        np.maximum(most, np.ptp(shot, axis=0), out=most)
        away += np.abs(shot - shot.mean(axis=0)).sum(axis=0)
    return most, away / len(pictures)


def differences(newer: np.ndarray, older: np.ndarray) -> np.ndarray:
    """Mean absolute differences of pictures, float64 [T]."""
    return np.asarray(np.abs(newer - older).mean(axis=1, dtype=np.float64))
