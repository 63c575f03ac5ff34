"""Levels of samples: whether they lie on a few levels only, as they were made or smeared by a codec."""

from __future__ import annotations

import numpy as np

LAST_BIN = 62
"""The last bin with both ends; the one after it holds all the rest, down to zero."""
_BIN_DB, _TOP_DBFS = 0.75, 5.25
LAST_BIN_LEAST = 10.0 ** ((_TOP_DBFS - _BIN_DB * LAST_BIN) / 20.0)
"""The lowest absolute value in it, full scale = 1."""
_NO_LEVEL_BINS, _FIRST_GAP_BINS, _SECOND_GAP_BINS = 8, 5, 3
"""Bins without a sample below the lowest level, between it and the next, and between that and the third: the levels
are 1, 2 and 3 steps from zero (6.0 and 3.5 dB apart), or 0.5, 1.5 and 2.5."""
_STEP_BINS = slice(16, 52)
"""Where a smeared step may lie, from −6.4 to −32.6 dBFS: 2 to 6.4 bits."""
_BELOW, _BETWEEN, _SECOND = (6, 10), (-7, -4), (-9, -7)
"""Bins from the step's to those at 0.6 to 0.4 steps, to those at 1.4 to 1.8 steps, and to those at 1.8 to 2.2."""
_STEP_LEAST, _SECOND_LEAST = 0.01, 0.0008
"""Share of the samples that such a step and the second one have at least in their bin."""
_BELOW_TIMES, _BETWEEN_TIMES = 4.0, 2.0
"""So many times as many as below it, and as in the emptiest bin between the two. Ours: in 10 minutes of real clips
and in clipped ones no second has 3 and 1.5 times as many; of 4 bits after AAC nearly all have 8 and 2."""

_ZERO_SHARE = 0.4
"""Of samples of three levels, below −41 dBFS. Of clipped sound so much is that low in pauses, but what is between is 4
times rarer in 1 of 800 seconds at 12 to 30 dB, and in 7 of 800 where all is turned down to −20 dBFS."""

_LONE_SHARE, _LONE_ZERO_SHARE, _LONE_LEAST, _LONE_SAMPLES = 0.6, 0.5, 0.01, 20
"""Share of the samples not near zero that are within 1.9 dB of a lone level; of those near zero, and least of the
others, in hops that have others; and least number of these. Ours: of quiet programmes of 4 and 5 bits nearly all
seconds have 0.8 and 0.6 after AAC; in 11 minutes of other sound, as it is, gated, and clipped by 12 and 24 dB, none has
0.6 and 0.45."""


def resolution_bits(levels: np.ndarray) -> float | None:
    """With how many bits samples were made that have but a few levels.

    Args:
        levels: int [64]: samples by absolute value, as in `AudioSeries.levels`.

    Returns:
        Bits, at least 1; null where the levels are no multiples of one step that is above −35 dBFS.
    """
    filled = np.flatnonzero(levels[: LAST_BIN + 1])
    if len(filled) < 3:
        return None
    third, second, first = filled[-3:].tolist()
    if LAST_BIN - first < _NO_LEVEL_BINS or first - second < _FIRST_GAP_BINS or second - third < _SECOND_GAP_BINS:
        return None
    # Levels at 0.5 and 1.5 steps are 9.5 dB apart.
    return _bits(_dbfs(first) + (6.0 if first - second > 10 else 0.0))


def smeared_steps(levels: np.ndarray) -> np.ndarray:
    """Where the step of samples lies that had but a few levels before a codec smeared them.

    Args:
        levels: int [..., 64]: samples of about a second by absolute value.

    Returns:
        int [...]: the bin of the first level beside zero; 0 where the samples gather at no such levels.
    """
    step, all_of_them = levels[..., _STEP_BINS], levels.sum(axis=-1, keepdims=True)
    is_step = (step > 0) & (step >= _STEP_LEAST * all_of_them)
    for edge in _BELOW:
        is_step &= step >= _BELOW_TIMES * levels[..., _STEP_BINS.start + edge : _STEP_BINS.stop + edge]
    found = np.zeros(levels.shape[:-1], np.intp)
    # That costs little, and leaves next to nothing of other sound.
    likely = is_step.any(axis=-1)
    if likely.any():
        found[likely] = _smeared_steps(levels[likely], is_step[likely])
    return found


def _smeared_steps(levels: np.ndarray, is_step: np.ndarray) -> np.ndarray:
    """The same for int [N, 64], given which bins may be steps, bool [N, bins]."""
    step, second = levels[:, _STEP_BINS], _most(levels, *_SECOND)
    is_step = is_step & (step >= _BELOW_TIMES * _most(levels, *_BELOW)) & (step >= _most(levels, -3, 3))
    is_step &= second >= _SECOND_LEAST * levels.sum(axis=1, keepdims=True)
    is_step &= second >= -_BETWEEN_TIMES * _most(-levels, *_BETWEEN)
    last = _STEP_BINS.stop - 1 - is_step[:, ::-1].argmax(axis=1)
    return np.asarray(np.where(is_step.any(axis=1), last, 0))


def lone_steps(levels: np.ndarray, near_zero: np.ndarray) -> np.ndarray:
    """Where the level lies of samples that are at it, to both sides, or near zero: quiet sound of few bits has no more.

    Args:
        levels: int [..., 64]: samples of about a second by absolute value.
        near_zero: int [...]: how many of the last bin's are in hops that also have others. Square waves have none.

    Returns:
        int [...]: the bin of the level; 0 where there is no such.
    """
    others = levels.sum(axis=-1) - levels[..., LAST_BIN + 1]
    found = np.zeros(others.shape, np.intp)
    likely = (near_zero >= _LONE_ZERO_SHARE * (near_zero + others)) & (others >= _LONE_LEAST * (near_zero + others))
    likely &= others >= _LONE_SAMPLES
    if likely.any():
        some = levels[likely]
        step = _STEP_BINS.start + some[:, _STEP_BINS].argmax(axis=1)
        at_step = np.take_along_axis(some, step[:, None] + np.arange(-2, 3), axis=1).sum(axis=1)
        found[likely] = np.where(at_step >= _LONE_SHARE * others[likely], step, 0)
    return found


def stands_out(levels: np.ndarray, step: int) -> np.ndarray:
    """Whether samples gather at a step rather than below it, bool [...] for int [..., 64]."""
    at = levels[..., step - 1 : step + 2].max(axis=-1)
    below = levels[..., step + _BELOW[0] : step + _BELOW[1] + 1].max(axis=-1)
    return np.asarray((at > 0) & (at >= _BELOW_TIMES * below))


def is_three_levels(levels: np.ndarray, step: int) -> bool:
    """Whether samples are zero or at one level to both sides, with few between: no wave that is cut off there.

    Args:
        levels: int [64]: samples by absolute value.
        step: The bin where most of those lie that are not near zero.
    """
    is_near_zero = levels[LAST_BIN + 1] >= _ZERO_SHARE * levels.sum()
    return bool(is_near_zero and step + _BELOW[1] <= LAST_BIN and stands_out(levels, step))


def step_bits(step: int) -> float:
    """Bits of samples whose step lies in a bin."""
    return _bits(_dbfs(step))


def _most(levels: np.ndarray, first: int, last: int) -> np.ndarray:
    """The most samples in a bin from `first` to `last` from each step's."""
    shifted = [levels[:, _STEP_BINS.start + by : _STEP_BINS.stop + by] for by in range(first, last + 1)]
    return np.asarray(np.maximum.reduce(shifted))


def _dbfs(level_bin: int) -> float:
    """The middle of a bin."""
    return _TOP_DBFS - _BIN_DB * (level_bin - 0.5)


def _bits(step_dbfs: float) -> float:
    return max(1.0, round(float(1.0 - step_dbfs / 6.02), 1))
