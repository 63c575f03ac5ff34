"""Blur: the picture loses its fine detail from one frame to the next and goes on without it.

What tells a fault from a soft picture is how it begins: nearly every textured tile loses detail at once, while the
coarse picture, the tiles' mean luma, goes on as it was. A camera that loses focus takes longer, a cut or a fade changes
the coarse picture, motion blurs what moves. How much detail a picture has is measured by its sharpest tiles against
their own contrast, which hardly depends on what it shows: so a blurred stream is followed through cuts until it is
sharp again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.series import Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

_BEFORE, _AFTER = 3, 2
"""Pictures before a step and after its first one that it is judged by."""
_SUSPECT = 0.9
"""The picture's total gradient must fall below this share of itself for a closer look."""
_TEXTURE, _TEXTURED = 0.005, 40
"""A tile has texture above this mean gradient, as a fraction of full scale; so many tiles at least must have some."""
_SOFTER = 0.75
"""A tile has lost detail when its gradient falls below this share of itself."""
_SAME = 0.9
"""The coarse picture goes on when the tiles' mean luma before and after correlates by at least this, or by as much as
in the two steps before."""
_SIDES = (3, 5, 7, 9)
"""Or when it is what it was before softened over so many tiles,"""
_SOFTENED, _LEAST_LIGHT = 0.97, 0.8
"""which correlates by at least this, with so much of the contrast."""
_HEAVY = 0.3
"""A blur that leaves no tile any contrast leaves less than this share of the gradient."""
_AT_ONCE = 0.6
"""This share of the loss must happen in one step."""
_KEY_FRAME = 0.85
"""At a key frame, detail must fall so much further: encoders begin a group of pictures with less of it and add it
later."""
_WAY_BACK = 0.4
"""Detail is back at this part of the way, as a logarithm."""
_YOUNG_S = 1.0
"""A blur younger than this, in seconds, is over with the first sharp picture: graphics and noise that flicker."""
_CONTRAST, _NOISE = 0.015, 0.005
"""A tile's luma must deviate by more than the first for its sharpness to be known; the second keeps noise out of the
ratio. Fractions of full scale."""
_KNOWN = 40
"""Of so many tiles at least must it be known."""
_SHARPEST = 20
"""One of so many tiles counts among the sharpest."""
_BACK_S = 0.2
"""Detail is back when it has been for this long, in seconds."""
_COMBED = 0.3
"""A tile is combed when combs make up more than this part of its gradient down; ours: woven synthesised pictures had
0.38 to 0.74 of it, others 0.1."""
_FLAT_S = 2.0
"""After this long without texture nothing is known any more, in seconds."""


@dataclass(frozen=True, slots=True)
class BlurLimits:
    """When a picture counts as blurred."""

    raise_area: float = 0.6
    """Blurred when at least this share of the textured tiles lost detail in one step. Ours: planted blurs of a box of
    one 60th to one 20th of the picture's height measured 0.73 to 0.99 where a viewer saw them, clean clips without
    their cuts up to 0.57."""
    raise_detail: float = 0.75
    """Blurred when at most this share of the sharpest tiles' sharpness is left. Ours: planted blurs left 0.1 to 0.6 of
    it."""
    least_sharpness: float = 0.08
    """A picture is soft already when its sharpest tiles have less: mean gradient over deviation, both as fractions of
    full scale. Ours: clean clips of 240 to 1080 lines measured 0.2 to 0.6, lens flares 0.05."""


@dataclass(frozen=True, slots=True)
class _Blurred:
    """A blur that is going on."""

    start_s: float
    before: float
    """Sharpness before."""
    limit: float
    """Sharpness, or mean gradient, from which on detail is back: part of the way back."""
    area: float
    """Share of the textured tiles that lost detail."""
    gradient: float | None = None
    """Mean gradient of the picture before a blur that leaves no tile enough contrast: followed by that instead, in the
    shot in which it began. Null of others."""
    back_s: float | None = None
    """Since when it may be back, in seconds; null while it is not."""
    seen_s: float = 0.0
    """End of the last picture whose sharpness was known, in seconds."""


@dataclass(frozen=True, slots=True)
class BlurCarry:
    """What the judgement of a picture needs of those before it."""

    pts_s: np.ndarray
    """float64 [H]: the last pictures; those at the end are not judged yet."""
    end_s: np.ndarray
    """float64 [H]."""
    tiles: np.ndarray
    """float32 [3, H, N]: gradient of both directions without combs, luma, and its deviation."""
    total: np.ndarray
    """float64 [H]: mean gradient of the picture."""
    comparable: np.ndarray
    """bool [H]."""
    is_key: np.ndarray
    """bool [H]."""
    waiting: int
    """How many of these are not judged yet."""
    blurred: _Blurred | None = None
    """Null while the picture is not."""


def blur(
    series: VideoSeries, limits: BlurLimits = BlurLimits(), carry: BlurCarry | None = None
) -> tuple[list[Evidence], BlurCarry | None]:
    """Weigh how much of the detail that a picture had before a sudden loss is still missing.

    Args:
        series: Consecutive frames of one format.
        limits: When a picture counts as blurred.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence with one step per picture, two pictures late, whose value is the share of the sharpness that is left,
        and the carry for the series that follows.
    """
    if not len(series):
        return [], carry
    near = _Near(series, carry)
    count = len(near.pts_s)
    first = count - len(series) - (carry.waiting if carry else 0)
    last = max(first, count - _AFTER)
    steps = last - first
    blurred = carry.blurred if carry else None
    suspect = _suspects(near, first, last)
    index = 0 if blurred is not None or suspect.any() else steps
    verdict, value = constant(steps, -1, np.int8), constant(steps, 1.0, np.float32)
    start_s, area, before = near.pts_s[first:last], constant(steps, 0.0, float), constant(steps, 0.0, float)
    confidence = constant(steps, 0.35, np.float32)
    if not index:
        verdict, value, start_s = verdict.copy(), value.copy(), start_s.copy()
        area, before = area.copy(), before.copy()
    while index < steps:
        at = first + index
        if blurred is None:
            if not suspect[index]:
                later = np.flatnonzero(suspect[index:])
                if not len(later):
                    break
                index += int(later[0])
                at = first + index
            blurred = _begun(near, at, limits)
        elif _ended(near, at, blurred, limits):
            blurred = None
        if blurred is not None:
            sharpness = near.sharpness(at, heavy=blurred.gradient is not None)
            verdict[index], blurred = _went_on(blurred, sharpness, float(near.pts_s[at]), float(near.end_s[at]))
            if blurred is not None:
                start_s[index] = min(start_s[index], float(near.pts_s[at]))
                area[index], before[index] = blurred.area, blurred.before
                value[index] = sharpness / (blurred.gradient or blurred.before) if sharpness is not None else np.nan
        index += 1
    if verdict.flags.writeable:
        confidence = _confidence(area, value)
        area, before = np.round(area, 3), np.round(before, 3)
    evidence = Evidence(
        kind="video.blur",
        scope="",
        start_s=start_s,
        end_s=near.end_s[first:last],
        verdict=verdict,
        value=value,
        limit=limits.raise_detail,
        unit="share",
        worst="min",
        confidence=confidence,
        details={"softened_area": area, "sharpness_before": before},
        message="picture blurred for {duration_s:.1f} s: {value:.0%} of its sharpness left",
    )
    return [evidence], near.carry(max(0, count - _BEFORE - _AFTER), count - last, blurred)


class _Near:
    """The pictures carried and those of the series as one."""

    def __init__(self, series: VideoSeries, carry: BlurCarry | None) -> None:
        count = len(series)
        self.shape = (series.luma.shape[1], series.luma.shape[2])
        """Rows and columns of tiles."""
        self._series, self._before = series, carry.tiles if carry else np.empty((3, 0, series.luma[0].size), np.float32)
        # Combs of interlaced pictures are steep down the columns, and come and go with motion. Without them the
        # columns are still twice as steep as the picture is, whose detail across is then taken for that down.
        across, down = series.gradient[:, 0], series.gradient[:, 1]
        gradient = np.maximum(down - series.comb, np.float32(0.0))
        is_combed = series.comb > _COMBED * down
        if is_combed.any():
            np.minimum(gradient, across, out=gradient, where=is_combed)
        gradient += across
        self._gradient = gradient.reshape(count, -1)
        total = self._gradient.mean(axis=1).astype(np.float64)
        self.pts_s, self.end_s, self.total = series.pts_s, series.end_s, total
        self.comparable, self.is_key = series.comparable, series.is_key
        if carry is not None:
            self.pts_s = np.concatenate([carry.pts_s, series.pts_s])
            self.end_s = np.concatenate([carry.end_s, series.end_s])
            self.total = np.concatenate([carry.total, total])
            self.comparable = np.concatenate([carry.comparable, series.comparable])
            self.is_key = np.concatenate([carry.is_key, series.is_key])

    @cached_property
    def tiles(self) -> np.ndarray:
        """float32 [3, H, N] as in `BlurCarry`: put together only where a closer look needs it."""
        return self._last(len(self._series))

    def sharpness(self, at: int, *, heavy: bool) -> float | None:
        """Of a picture, as `_Blurred` has it; null where it is not known."""
        return float(self.total[at]) if heavy else _sharpness(self.tiles[0, at], self.tiles[2, at])

    def _last(self, own: int) -> np.ndarray:
        """The same of the last so many pictures of the series, and of all carried where those are all of it."""
        series, count = self._series, len(self._series)
        tiles = (self._gradient, series.luma.reshape(count, -1), series.luma_std.reshape(count, -1))
        new = np.stack([values[count - own :] for values in tiles])
        return new if own < count else np.concatenate([self._before, new], axis=1)

    def carry(self, tail: int, waiting: int, blurred: _Blurred | None) -> BlurCarry:
        """What the next series needs: the pictures from `tail` on."""
        keep = slice(tail, None)
        own = min(len(self.pts_s) - tail, len(self._series))
        tiles = self._last(own)
        return BlurCarry(
            pts_s=self.pts_s[keep],
            end_s=self.end_s[keep],
            tiles=tiles[:, tiles.shape[1] - (len(self.pts_s) - tail) :].copy() if own == len(self._series) else tiles,
            total=self.total[keep],
            comparable=self.comparable[keep],
            is_key=self.is_key[keep],
            waiting=waiting,
            blurred=blurred,
        )


def _suspects(near: _Near, first: int, last: int) -> np.ndarray:
    """Pictures `first` to `last` in which one step loses so much gradient that it is worth a closer look, bool [J]."""
    at = np.arange(first, last)
    lost = (at >= _BEFORE) & (near.total[at] < _SUSPECT * near.total[at - 1])
    for index in np.flatnonzero(lost).tolist():
        around = slice(first + index - _BEFORE + 1, first + index + _AFTER + 1)
        lost[index] = near.comparable[around].all()
    return np.asarray(lost)


def _begun(near: _Near, at: int, limits: BlurLimits) -> _Blurred | None:
    """The blur that begins with the picture `at`; null where none does."""
    total = near.total
    old, new = total[at - 3 : at - 1].mean(), total[at + 1 : at + 3].mean()
    if not 0.0 < new < _SUSPECT * old:
        return None
    if np.log(max(total[at], 1e-9) / total[at - 1]) > _AT_ONCE * np.log(new / old):
        return None
    gradient, luma_of, std = near.tiles
    luma = luma_of[at - 3 : at + 1].astype(np.float64)
    luma -= luma.mean(axis=1, keepdims=True)
    spread = np.maximum(np.sqrt((luma * luma).sum(axis=1)), 1e-9)
    likeness = (luma[1:] * luma[:-1]).sum(axis=1) / (spread[1:] * spread[:-1])
    if likeness[-1] < min(_SAME, likeness[:-1].min()) and not _is_softened(luma_of[at - 1], luma_of[at], near.shape):
        return None
    before, after = gradient[at - 2 : at].mean(axis=0), gradient[at : at + 2].mean(axis=0)
    textured = before > 2.0 * _TEXTURE
    if np.count_nonzero(textured) < _TEXTURED:
        return None
    faded = min(1.0, spread[-1] / spread[-2])
    area = float(np.count_nonzero(after[textured] < _SOFTER * faded * before[textured]) / np.count_nonzero(textured))
    if area < limits.raise_area:
        return None
    was, is_ = (_sharpness(gradient[one], std[one]) for one in (at - 1, at + 1))
    if was is None or was < limits.least_sharpness:
        return None
    if is_ is None:
        # So strong a blur leaves no tile enough contrast to be sharp or soft by.
        if new > _HEAVY * old or not _is_softened(luma_of[at - 1], luma_of[at], near.shape):
            return None
        return _Blurred(float(near.pts_s[at]), was, new * (old / new) ** _WAY_BACK, area, gradient=old)
    share = _KEY_FRAME * limits.raise_detail if near.is_key[at] else limits.raise_detail
    if is_ > share * was:
        return None
    return _Blurred(float(near.pts_s[at]), was, is_ * (was / is_) ** _WAY_BACK, area)


def _is_softened(before: np.ndarray, after: np.ndarray, shape: tuple[int, int]) -> bool:
    """Whether the tiles' luma, float32 [N], is what it was but softened, as by a blur of several tiles."""
    new = after.reshape(shape).astype(np.float64)
    new -= new.mean()
    for side in _SIDES:
        old = _softened(before.reshape(shape).astype(np.float64), side)
        old -= old.mean()
        power, shared = float((old * old).sum()), float((old * new).sum())
        is_like = shared >= _SOFTENED * np.sqrt(power * float((new * new).sum()))
        if is_like and shared >= _LEAST_LIGHT * power > 0.0:
            return True
    return False


def _softened(values: np.ndarray, side: int) -> np.ndarray:
    """Means of [R, K] over squares of `side` tiles; the edge goes on."""
    for axis in (0, 1):
        padded = np.pad(values, [(side // 2 + 1, side // 2) if one == axis else (0, 0) for one in (0, 1)], mode="edge")
        sums = padded.cumsum(axis=axis)
        values = np.take(sums, range(side, sums.shape[axis]), axis) - np.take(
            sums, range(sums.shape[axis] - side), axis
        )
    return values / side**2


def _ended(near: _Near, at: int, blurred: _Blurred, limits: BlurLimits) -> bool:
    """Whether the picture `at` has its detail back in one step while the coarse picture goes on.

    Of a blur that leaves no contrast, whether another picture follows: nothing says how sharp that should be.
    """
    if blurred.gradient is not None:
        return not near.comparable[at] or not _goes_on(near.tiles[1, at - 1 : at + 1])
    if not near.comparable[at] or near.total[at - 1] > _SOFTER * near.total[at]:
        return False
    gradient, luma_of, std = near.tiles
    before, after = gradient[at - 1], gradient[at]
    textured = after > 2.0 * _TEXTURE
    count = np.count_nonzero(textured)
    if count < _TEXTURED or np.count_nonzero(before[textured] < _SOFTER * after[textured]) < limits.raise_area * count:
        return False
    # What appears brings detail too, but is no sharper than what was there.
    was, is_ = (_sharpness(gradient[one], std[one]) for one in (at - 1, at))
    if was is None or is_ is None or was > limits.raise_detail * is_:
        return False
    return _goes_on(luma_of[at - 1 : at + 1])


def _goes_on(luma: np.ndarray) -> bool:
    """Whether the coarse picture goes on from one picture to the next: tiles' luma, float32 [2, N]."""
    away = luma.astype(np.float64)
    away -= away.mean(axis=1, keepdims=True)
    power = np.sqrt((away * away).sum(axis=1)).prod()
    return bool(power > 0 and (away[0] * away[1]).sum() >= _SAME * power)


def _went_on(blurred: _Blurred, sharpness: float | None, pts_s: float, end_s: float) -> tuple[int, _Blurred | None]:
    """Verdict on one more picture, and the blur after it; null where it has ended."""
    if sharpness is None:
        return 0, blurred if end_s - blurred.seen_s <= _FLAT_S else None
    if sharpness < blurred.limit:
        return 1, replace(blurred, back_s=None, seen_s=end_s)
    back_s = pts_s if blurred.back_s is None else blurred.back_s
    is_over = end_s - back_s >= _BACK_S or end_s - blurred.start_s < _YOUNG_S
    return -1, None if is_over else replace(blurred, back_s=back_s, seen_s=end_s)


def _sharpness(gradient: np.ndarray, luma_std: np.ndarray) -> float | None:
    """Mean gradient over deviation of the sharpest tiles; null where too few have contrast.

    Args:
        gradient: float32 [N]: sum of both directions.
        luma_std: float32 [N].
    """
    known = luma_std > _CONTRAST
    if np.count_nonzero(known) < _KNOWN:
        return None
    ratio = np.sort(np.where(known, gradient / (luma_std + np.float32(_NOISE)), 0.0))
    return float(ratio[-max(1, len(ratio) // _SHARPEST) :].mean()) / 2.0


def _confidence(area: np.ndarray, value: np.ndarray) -> np.ndarray:
    """float32 [T]: the more of the picture lost detail, and the more it lost, the surer."""
    lost = 1.0 - np.nan_to_num(value, nan=1.0)
    return np.asarray(np.clip(0.35 + 0.4 * area + 0.5 * lost, 0.0, 0.98), np.float32)


BLUR = Detector(
    name="blur",
    kinds=("video.blur",),
    consumes="video",
    weigh=blur,
    limits=BlurLimits(),
    timing=EventTiming(raise_after_s=1.0, clear_after_s=0.2, major_after_s=5.0, critical_after_s=15.0),
    summary="The picture suddenly loses its fine detail while what it shows goes on.",
    source="our own measurement on planted blurs, against the picture just before",
)
