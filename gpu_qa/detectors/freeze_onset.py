"""How a picture came to a standstill: out of motion, with a cut or a fade, or as the rest of a still."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.freeze_history import BEFORE_S, HALT_S

if TYPE_CHECKING:
    from gpu_qa.detectors.freeze_history import FreezeHistory

_ONSETS_OF_STILLS = ("start", "cut", "fade", "rest")
"""How no picture begins that died."""
_LIVELY, _LIVELY_SHARE = 0.01, 0.25
"""A picture was alive before it stopped where more than this share of its tiles moved in this share of the steps: what
less moves over is a pointer, a clock or a line of text, and the picture behind it was a still. Ours: screen recordings
move up to 0.010 of their tiles."""
_LIVELY_REST, _LIVELY_REST_SHARE = 0.02, 0.8
"""What stopped under a spot was lively: more than this share of its tiles moved in this share of the steps."""
_CUT_S = 0.2
"""What was shown so long before, in seconds, is compared, for a dissolve too short for `_FADE_S`, and what was shown
two steps before, for a cut."""
_CUT_LIKENESS, _CUT_ALIKE = 0.7, 0.9
"""The picture has been replaced where its correlation with what was shown then is below this, and the cosine between
what was left to change then and in the last step above this. Ours: 89 cuts and dissolves of 0.16 s out of lively motion
have at most 0.66 and at least 0.94; of 91 planted freezes none has less than 0.9 where the cosine is above 0.7."""
_FADE_S = 0.4
"""A fade is recognised by so much of its end, in seconds."""
_FADE_STEPS = 4
"""And so many steps."""
_FADE_LEAST, _FADE_SHARE = 0.02, 0.5
"""That long before, the picture was at least so far from what it became, as a fraction of full scale (root mean square
over the cells), and as a share of the deviation of what it became."""
_FADE_LEFT = 0.006
"""How far it may be once it has become that, as a fraction of full scale."""
_FADE_ALIKE = 0.9
"""Least cosine between what is left to change at one moment and at another. Ours, as all of these: 88 planted fades and
dissolves from moving pictures to cards are told from 200 planted freezes without an error."""


def onset_of(history: FreezeHistory, i: int, since_s: float, rest: np.ndarray | None = None) -> str:
    """How the stillness that lasts at step `i` of the series began.

    Args:
        history: The steps so far.
        i: The step of the series.
        since_s: When anything last moved, in seconds.
        rest: bool [N]: the tiles without an overlay; null is all.

    Returns:
        `start` with the stream, `cut`, `fade`, `rest` of a still, out of `motion`, or `settled` by and by.
    """
    before = history.between(since_s - BEFORE_S, since_s, i)
    level = history.level[before]
    if since_s - history.begin_s < 0.2 or not len(level):
        return "start"
    if _faded(history, i, since_s, rest):
        return "fade"
    if (level[-1] > 0.04 and level[-1] > 4.0 * np.median(level)) or _replaced(history, i, since_s, rest):
        return "cut"
    activity = history.activity[before]
    if np.count_nonzero(activity > _LIVELY) < _LIVELY_SHARE * len(activity) or history.is_sparse(i):
        return "rest"
    last = history.activity[history.between(since_s - 0.3, since_s, i)]
    return "motion" if last.mean() >= 0.3 * activity.mean() else "settled"


def _replaced(history: FreezeHistory, i: int, since_s: float, rest: np.ndarray | None) -> bool:
    """Whether the picture of step `i`, which has stood since `since_s`, came at once in the place of another.

    However lively that other was, all that it showed is then left to change until the end, or nearly so. Of what moves
    and stops, each step leaves something else.
    """
    last = history.between(since_s - BEFORE_S, since_s, i).stop - 2
    old = history.between(since_s - BEFORE_S, since_s - _CUT_S, i)
    if old.stop <= old.start or last <= old.start:
        return False
    shown = history.cells[[min(old.stop, last) - 1, last - 1, last, history.first + i]].astype(np.float32)
    if rest is not None:
        shown = shown[:, history.cells_in(rest)]
    around, away = shown - shown.mean(axis=1, keepdims=True), shown - shown[3]
    return any(
        _cosine(around[was], around[3]) < _CUT_LIKENESS and _cosine(away[was], away[2]) > _CUT_ALIKE for was in (0, 1)
    )


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine between two vectors; 1 where one is null."""
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / lengths if lengths > 0 else 1.0


def _faded(history: FreezeHistory, i: int, since_s: float, rest: np.ndarray | None) -> bool:
    """Whether the picture of step `i`, which has stood since `since_s`, came by a fade or a dissolve.

    What is left to change then keeps its looks and shrinks evenly. What moves looks different from one moment to the
    next.
    """
    steps = history.between(since_s - BEFORE_S, history.now_s(i), i)
    cells = history.cells[steps].astype(np.float32)
    if rest is not None:
        cells = cells[:, history.cells_in(rest)]
    now = cells[-1]
    away = cells - now
    distance = np.sqrt(np.square(away).mean(axis=1))
    underway = np.flatnonzero(distance > _FADE_LEFT)
    if not underway.size:
        return False
    times_s = history.pts_s[steps]
    way = underway[times_s[underway] > times_s[underway[-1]] - _FADE_S]
    least = max(_FADE_LEAST, _FADE_SHARE * float(now.std()))
    if len(way) < _FADE_STEPS or distance[way[0]] < least:
        return False
    first, half, late = way[0], way[len(way) // 2], way[-1 - len(way) // 4]
    if not (0.3 < distance[half] / distance[first] < 0.75 and distance[late] / distance[first] < 0.45):
        return False
    alike = (away[[half, late]] @ away[first]) / (distance[[half, late]] * distance[first] * away.shape[1])
    return bool(alike.min() > _FADE_ALIKE)


def halted(history: FreezeHistory, i: int, since_s: float, rest: np.ndarray) -> bool:
    """Whether lively motion of these tiles, bool [N], stopped from one picture to the next at `since_s`, in seconds.

    Not where another picture came instead: by a cut, a dissolve or a fade.
    """
    if since_s - history.begin_s < 0.5 * BEFORE_S or history.now_s(i) - since_s > HALT_S:
        return False
    before = history.between(since_s - BEFORE_S, since_s, i)
    after = history.is_calm(rest, history.between(since_s + 0.2, since_s + history.limits.settle_s, i))
    activity = history.moving_share(rest, before)
    last = activity[history.pts_s[before] > since_s - 0.3]
    if not (last.size and after.size):
        return False
    is_lively = np.count_nonzero(activity > _LIVELY_REST) >= _LIVELY_REST_SHARE * activity.size
    stops = last.mean() >= 0.25 * np.quantile(activity, 0.25) and after.mean() >= 0.5
    return bool(is_lively and stops) and onset_of(history, i, since_s, rest) not in _ONSETS_OF_STILLS


def onset_under(history: FreezeHistory, i: int, since_s: float, rest: np.ndarray, activity: np.ndarray) -> str | None:
    """How the stillness under an overlay began; null where it began as no freeze does.

    Args:
        history: The steps so far.
        i: The step of the series.
        since_s: When the rest of the picture last moved, in seconds.
        rest: bool [N]: the tiles without the overlay.
        activity: float64 [H]: share of them that moved in each step.
    """
    if history.now_s(i) - since_s > HALT_S:
        return None
    onset = onset_of(history, i, since_s, rest)
    before = history.between(since_s - BEFORE_S, since_s, i)
    ran_before = history.moving_share(~rest, before) > 0
    if onset in _ONSETS_OF_STILLS or not ran_before.size:
        return None
    return onset if ran_before.mean() >= 0.5 and (activity[before] > 0.01).mean() >= 0.6 else None
