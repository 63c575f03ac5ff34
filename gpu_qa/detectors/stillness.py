"""Stillness: how much of the movement around a picture is missing in it, and where a shot ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

REACH = 4
"""Pictures before and after that tell what moves: one that is shown up to four times is still seen to repeat."""
_REACH_S = 0.17
"""They must be this near, in seconds: four pictures at 25 a second."""
_POOL = 3
"""Tiles are averaged over squares of this side: motion of a few tiles still shows, noise less."""
_CUT, _CUT_RATIO, _CUT_AREA = 0.006, 2.2, 0.4
"""A step is a cut when it changes more than this share of the picture by more than the first, as a fraction of full
scale, and by so many times as much as any step near it."""
_BIG, _BIG_RATIO = 0.03, 2.5
"""It also is one when all squares together change by more than the first, and by so many times as much as any near
it: what is taken off for light hides cuts to another brightness."""


def motion_of_squares(series: VideoSeries, mean_before: float | None) -> tuple[np.ndarray, float]:
    """How much each square of tiles moves, and the mean luma of the last picture.

    Args:
        series: At least one frame.
        mean_before: Mean luma of the picture before; null where there is none.

    Returns:
        float32 [T, N]: coarse change less what changes by the same amount everywhere, as a fraction of full scale. That
        is light, not motion: flashes, fades.
    """
    luma = series.luma.reshape(len(series), -1)
    mean = np.add.reduce(luma, axis=1) / np.float32(luma.shape[1])
    light = np.empty_like(mean)
    light[0] = 0.0 if mean_before is None else mean[0] - np.float32(mean_before)
    np.subtract(mean[1:], mean[:-1], out=light[1:])
    squares = _squares(series.coarse_change)
    squares -= np.abs(light)[:, None]
    return np.maximum(squares, np.float32(0.0), out=squares), float(mean[-1])


def _squares(change: np.ndarray) -> np.ndarray:
    """Means over squares of tiles, float32 [T, N]; tiles beyond the last whole square are left out."""
    rows, columns = change.shape[1] // _POOL, change.shape[2] // _POOL
    change = change[:, : rows * _POOL, : columns * _POOL]
    lines = change[:, 0::_POOL] + change[:, 1::_POOL]
    lines += change[:, 2::_POOL]
    squares = lines[:, :, 0::_POOL] + lines[:, :, 1::_POOL]
    squares += lines[:, :, 2::_POOL]
    squares /= np.float32(_POOL * _POOL)
    return np.asarray(squares.reshape(len(change), -1))


def stillness(
    change: np.ndarray,
    pts_s: np.ndarray,
    comparable: np.ndarray,
    first: int,
    last: int,
    *,
    motion: float,
    moving_area: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How much of the movement around each of the pictures `first` to `last` is missing in it.

    Args:
        change: float32 [H, N]: how much each square moves.
        pts_s: float64 [H].
        comparable: bool [H]: the picture before exists and has the same format.
        first: The first picture that is asked for.
        last: The first one that is not; `REACH` more must be known.
        motion: Squares move above this, as a fraction of full scale.
        moving_area: This share of the picture must move for anything to be said.

    Returns:
        Stillness, float32 [J], 0…1, NaN where too little moves to tell; level, float32 [J]: the mean of what the
        picture's own squares move; bool [J]: which are cuts.
    """
    if last <= first:
        nothing = np.zeros(0, np.float32)
        return nothing, nothing, np.zeros(0, bool)
    before, after = _around(change, pts_s, comparable, first, last)
    own, count = change[first:last], change.shape[1]
    moved = np.minimum(before, after)
    weight = np.maximum(moved - np.float32(motion), 0.0)
    total = np.add.reduce(weight, axis=1)
    is_own = comparable[first:last]
    judged = is_own & (np.add.reduce(weight > 0.0, axis=1) / count >= moving_area)
    weight *= np.minimum(own / np.maximum(moved, np.float32(1e-9), out=moved), 1.0)
    still = 1.0 - np.add.reduce(weight, axis=1) / np.maximum(total, np.float32(1e-12))
    still[~judged] = np.nan
    most = np.maximum(before, after)
    most *= np.float32(_CUT_RATIO)
    jumped = np.add.reduce(own > np.maximum(most, np.float32(_CUT), out=most), axis=1)
    is_cut = ~is_own | (jumped > _CUT_AREA * count)
    level = np.add.reduce(own, axis=1) / np.float32(count)
    if level.max() > _BIG:
        near = np.maximum(np.add.reduce(before, axis=1), np.add.reduce(after, axis=1)).astype(np.float64) / count
        is_cut |= (level > _BIG) & (level > _BIG_RATIO * near)
    return still, level, is_cut


def _around(
    change: np.ndarray, pts_s: np.ndarray, comparable: np.ndarray, first: int, last: int
) -> tuple[np.ndarray, np.ndarray]:
    """The most that each square moves in the pictures near before and near after, float32 [J, N] both."""
    low, high = first - REACH, last + REACH
    times_s = pts_s[max(low, 0) : high]
    if low >= 0 and comparable[low:high].all() and (times_s[REACH:] - times_s[:-REACH]).max() <= _REACH_S:
        # All neighbours are near and of the same format: one maximum over four serves both sides.
        pairs = np.maximum(change[low : high - 1], change[low + 1 : high])
        fours = np.maximum(pairs[:-2], pairs[2:])
        return fours[: last - first], fours[REACH + 1 :]
    before, after = np.zeros((2, last - first, change.shape[1]), np.float32)
    joined_before, joined_after = comparable[first:last], np.ones(last - first, bool)
    for step in range(1, REACH + 1):
        # Of the pictures before, the first ones of a stream have fewer.
        short = min(last - first, max(0, step - first))
        back = slice(max(0, first + short - step), max(0, last - step))
        joined_before = joined_before & np.concatenate([np.zeros(short, bool), comparable[back]])
        is_near = joined_before[short:] & (pts_s[first + short : last] - pts_s[back] <= _REACH_S)
        _raise(before[short:], change[back], is_near)
        ahead = slice(first + step, last + step)
        joined_after = joined_after & comparable[ahead]
        _raise(after, change[ahead], joined_after & (pts_s[ahead] - pts_s[first:last] <= _REACH_S))
    return before, after


def _raise(most: np.ndarray, change: np.ndarray, where: np.ndarray) -> None:
    """Raise `most`, [J, N], to `change` in the rows that are true; masks are slow, and nearly always all are."""
    np.maximum(most, change if where.all() else change * where[:, None], out=most)
