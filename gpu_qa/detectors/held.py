"""Held pictures: by their timestamps, for how many pictures' time each one is shown."""

from __future__ import annotations

import numpy as np

from gpu_qa.detectors.stillness import REACH

MEMORY_S, MEMORY = 6.0, 512
"""How far back a cadence is remembered, in seconds, and at most in pictures, whatever their rate."""
_JITTER = 0.3
"""Pictures whose time differs from the usual by no more than this share of it are shown for the time of one."""
_STEADY, _STEADY_PICTURES = 0.6, 5
"""Timestamps tell that pictures did not come where more than this share of those before, and at least so many, were
due at the usual time. Ours: 0.81 or more where pictures were left out, 0.5 where they last by turns half and one and a
half times as long."""
_HOLE_S = 0.25
"""What is shown for longer, in seconds, stands still."""


def times_due(
    pts_s: np.ndarray, end_s: np.ndarray, first: int, last: int, known_s: np.ndarray, period_s: float
) -> tuple[np.ndarray | None, float]:
    """For how many pictures' time each of the pictures `first` to `last` is shown, and the time that is usual.

    Where that varies anyway it is one: each is there for as long as it was meant to be.

    Args:
        pts_s: float64 [H]: some pictures, two more than are asked for at least.
        end_s: float64 [H]: their ends.
        first: The first one that is asked for.
        last: The first one that is not.
        known_s: float64 [K]: the pictures of the last seconds before `first`, each as often as it was due.
        period_s: Usual time from one picture to the next, in seconds; 0 before it is known.

    Returns:
        int [J], null where each is shown for the time of one; and the usual time, in seconds.
    """
    times_s = pts_s[first : last + 1]
    if len(times_s) < 2:
        return None, period_s
    interval_s = times_s[1:] - times_s[:-1]
    is_unusual = np.abs(interval_s - period_s) > _JITTER * period_s
    if not is_unusual.any():
        return None, period_s
    due = np.ones(last - first, np.intp)
    before_s, since = known_s[-MEMORY:], 0
    while is_unusual[since:].any():
        index = since + int(is_unusual[since:].argmax())
        before_s = np.concatenate([before_s, times_s[since : index + 1]])[-MEMORY:]
        since = index + 1
        recent_s = np.append(before_s[np.searchsorted(before_s, times_s[index + 1] - MEMORY_S) :], times_s[index + 1])
        recent_s = np.diff(recent_s)
        usual_s = float(np.partition(recent_s, len(recent_s) * 3 // 10)[len(recent_s) * 3 // 10])
        if usual_s != period_s:
            period_s = usual_s
            is_unusual = np.abs(interval_s - period_s) > _JITTER * period_s
        times = float(interval_s[index]) / period_s if period_s > 0.0 else 0.0
        if not 1 < round(times) <= REACH + 1 or abs(times - round(times)) > _JITTER or interval_s[index] > _HOLE_S:
            continue
        steady = int(np.count_nonzero(np.abs(recent_s[:-1] - period_s) <= _JITTER * period_s))
        if steady < _STEADY_PICTURES or steady <= _STEADY * (len(recent_s) - 1):
            continue
        # Where a shorter time makes up for it, stamps are wrong and no picture is missing.
        around_s = pts_s[max(0, first + index - 1) : first + index + 3]
        if (around_s[1:] - around_s[:-1]).min() >= (1.0 - _JITTER) * period_s:
            due[index] = round(times)
            step_s = (end_s[first + index] - times_s[index]) / due[index]
            before_s = np.concatenate([before_s, times_s[index] + step_s * np.arange(1, due[index])])
    return (due if (due > 1).any() else None), period_s


def held_as_repeats(
    due: np.ndarray,
    start_s: np.ndarray,
    end_s: np.ndarray,
    repeat: np.ndarray,
    level: np.ndarray,
    is_cut: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pictures that are shown for the time of several are as good as repeated: all arrays anew with those repeats.

    Args:
        due: int [J]: for how many pictures' time each is shown.
        start_s: float64 [J].
        end_s: float64 [J].
        repeat: float32 [J]: how much each counts as a repeat, 0…1, NaN where nothing tells.
        level: float32 [J]: how much each changes; it will be NaN for what never came.
        is_cut: bool [J].
    """
    picture = np.repeat(np.arange(len(due)), due)
    part = np.arange(len(picture)) - np.repeat(np.cumsum(due) - due, due)
    is_copy, step_s = part > 0, ((end_s - start_s) / due)[picture]
    return (
        start_s[picture] + part * step_s,
        np.where(part + 1 == due[picture], end_s[picture], start_s[picture] + (part + 1) * step_s),
        np.where(is_copy & ~np.isnan(repeat[picture]), np.float32(1.0), repeat[picture]),
        np.where(is_copy, np.float32(np.nan), level[picture]),
        is_cut[picture] & ~is_copy,
    )
