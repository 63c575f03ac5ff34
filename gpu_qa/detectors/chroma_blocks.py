"""Chroma blocks: blocks turn green, pink or grey while their luma stays: what was lost is their chroma."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa.detectors.damage_steps import Worst, worst_of

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

_JUMP = 0.04
"""Cb or Cr of a damaged tile changes by more than this from one picture to the next; ours."""
_ALONE = 2.0
"""And by so many times what its luma changes: what moves, and what is put on, changes both."""
_OFF = 0.03
"""And by so much more or less than the tiles around it: light that changes its colour changes whole areas."""
_AREA, _MORE, _OVER = 0.06, 0.02, 0.012
"""Share of the tiles at which there is damage, at which more is added to it, and below which it is over. In 158 clips
without damage 0.05 was the most, in a concert; ours."""
_APART = 0.7
"""And it comes no nearer to them, beyond this part of what it was off: that is how damage heals; ours."""
_LEFT = 0.5
"""A tile is damaged while it has at least this part of the jump that damaged it; ours."""
_LONGEST_S = 30.0
"""What stays for longer is how it is meant to look."""
_TIMES = 2.0
"""Damage is so many times what usually jumps without its luma: in some pictures colours move for themselves; ours."""
_NEW, _STILL = 0.1, 0.01
"""What a picture adds to what is usual, and what one adds in which next to nothing changes; ours."""
_UNKNOWN = 0.05
"""What may be usual after a cut and at the start."""
_NOTHING = 0.001
"""A picture whose luma changes by less than this shows nothing new."""
_AROUND = 2
"""Tiles to each side that are around one."""


class ChromaDamage(NamedTuple):
    """Damage in the chroma that a picture shows."""

    since_s: float
    worst: Worst


@dataclass(frozen=True, slots=True)
class _Damage:
    """Damage that goes on."""

    since_s: float
    tiles: np.ndarray
    """bool [24, 42]."""
    before: np.ndarray
    """float32 [2, 24, 42]: Cb and Cr of those tiles before it."""
    jump: np.ndarray
    """float32 [2, 24, 42]: by how much it changed them."""
    whole: np.ndarray
    """float32 [2, 24, 42]: Cb and Cr of the last picture without damage."""
    worst: Worst


@dataclass(frozen=True, slots=True)
class ChromaCarry:
    """What the next series needs."""

    chroma: np.ndarray
    """float32 [2, 24, 42]: of the last picture."""
    usual: float
    """Share of the tiles whose chroma lately jumped without their luma, 0 to 1."""
    damage: _Damage | None = None


def chroma_damage(
    series: VideoSeries, is_cut: np.ndarray, carry: ChromaCarry | None
) -> tuple[dict[int, ChromaDamage], ChromaCarry]:
    """Find damage in the chroma.

    Args:
        series: Consecutive pictures of one format.
        is_cut: bool [T]: pictures that follow on a cut, or on nothing.
        carry: From the series before; null at the start of a stream.

    Returns:
        Number of a picture → the damage that it shows, and the carry.
    """
    chroma = series.chroma
    first = chroma[:1] if carry is None else carry.chroma[None]
    jumps = np.abs(chroma - np.concatenate([first, chroma[:-1]]))
    jumps = jumps.max(axis=1)
    alone = (jumps > _JUMP) & (jumps > _ALONE * series.coarse_change)
    share, moves = _share(alone), series.coarse_change.mean(axis=(1, 2)) > _NOTHING
    damage, usual = (None, _UNKNOWN) if carry is None else (carry.damage, carry.usual)
    found = {}
    for i in range(len(series)):
        if is_cut[i]:
            damage, usual = None, max(usual, _UNKNOWN)
            continue
        known, damage = damage, _remaining(damage, chroma[i], float(series.pts_s[i]))
        if share[i] >= (_AREA if damage is None else _MORE):
            before = chroma[i - 1] if i else first[0]
            # Tiles that are as they were before have jumped, too.
            jumped = alone[i] if known is None or damage is None else alone[i] & (damage.tiles | ~known.tiles)
            damage = _added(damage, series, i, before, jumped, usual)
        if damage is not None:
            found[i] = ChromaDamage(damage.since_s, damage.worst)
        else:
            usual += (_NEW if moves[i] or share[i] else _STILL) * (float(share[i]) - usual)
    return found, ChromaCarry(chroma[-1].copy(), usual, damage)


def _remaining(damage: _Damage | None, chroma: np.ndarray, now_s: float) -> _Damage | None:
    """What is left of damage in the next picture."""
    if damage is None or now_s - damage.since_s > _LONGEST_S:
        return None
    left = ((chroma - damage.before) * damage.jump).sum(axis=0)
    tiles = damage.tiles & (left >= _LEFT * np.square(damage.jump).sum(axis=0))
    return replace(damage, tiles=tiles) if tiles.mean() >= _OVER else None


def _share(tiles: np.ndarray) -> np.ndarray:
    """Of the tiles of each picture, 0 to 1; [T]."""
    return np.asarray(tiles.mean(axis=(1, 2)))


def _added(
    damage: _Damage | None, series: VideoSeries, i: int, before: np.ndarray, new: np.ndarray, usual: float
) -> _Damage | None:
    """Damage with that which picture `i` adds to it: of tiles whose chroma jumps, not their luma."""
    least = max(_AREA if damage is None else _MORE, _TIMES * usual)
    if new.mean() < least:
        return damage
    change = series.chroma[i] - before
    # What heals comes nearer to what is around it.
    new = new & (_apart(change) > _OFF) & (_apart(series.chroma[i]) > _APART * _apart(before))
    if damage is not None:
        new &= _distance(series.chroma[i], damage.whole) > _distance(before, damage.whole)
    if new.mean() < least:
        return damage
    start_s = float(series.pts_s[i])
    if damage is None:
        return _Damage(start_s, new, before.copy(), change, before.copy(), _worst(new, start_s))
    fresh, tiles = new & ~damage.tiles, damage.tiles | new
    worst = _worst(tiles, start_s)
    return _Damage(
        damage.since_s,
        tiles,
        np.where(fresh, before, damage.before),
        np.where(fresh, change, damage.jump),
        damage.whole,
        worst if worst.area > damage.worst.area else damage.worst,
    )


def _distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Between Cb and Cr of [2, R, K]; [R, K]."""
    return np.asarray(np.square(one - other).sum(axis=0))


def _worst(tiles: np.ndarray, picture_s: float) -> Worst:
    cells = np.asarray(tiles.reshape(tiles.shape[0] // 2, 2, tiles.shape[1] // 2, 2).any(axis=(1, 3)))
    return worst_of(cells, picture_s)


def _apart(values: np.ndarray) -> np.ndarray:
    """How far the tiles of float32 [2, R, K] are from the median of five by five around each, at most; [R, K]."""
    padded = np.pad(values, ((0, 0), (_AROUND, _AROUND), (_AROUND, _AROUND)), mode="edge")
    side = 2 * _AROUND + 1
    around = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2)).reshape(*values.shape, -1)
    usual = np.partition(around, side * side // 2, axis=-1)[..., side * side // 2]
    return np.asarray(np.abs(values - usual).max(axis=0))
