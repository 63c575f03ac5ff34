"""Colour loss: the colour of the picture goes away from one moment to the next, while the picture itself goes on.

Black and white is no defect: a film in it has no colour to lose, and a scene in it comes with a cut. A defect takes the
colour out of the middle of a shot. Where one of both colour signals is lost, the picture has a green or magenta cast.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa.series import Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_qa.series import VideoSeries

_WITHIN_S = 0.25
"""Colour that is lost goes within this time; a dissolve takes longer."""
_LEVEL_S, _FULL = 1.0, 0.75
"""At the beginning of that time it still had this share of the most colour of so many seconds: else it is a fade."""
_WHOLE, _CB, _CR = range(3)
_NAMES = ("colour", "Cb", "Cr")
_ROUGHLY = 2e-6
"""How exact a variance of chroma is that is made of single-precision sums: of 1,000 terms up to 0.25 they are to within
4 · 10⁻⁶ of themselves."""
_STUCK = 0.1
"""A colour signal is lost alone when at most this share of its variation over the picture is left, ..."""
_OTHER = 0.6
"""... and at least this share of the other's."""
_AS_BRIGHT = 0.7
"""Light that goes out takes the colour along: brightness and its spread must keep this share of what they were."""
_BACK = (3.0, 0.006)
"""Colour is back, whatever there was before, above so many times what the loss left of it and this much more."""


@dataclass(frozen=True, slots=True)
class ColorLossLimits:
    """When colour counts as lost."""

    raise_left: float = 0.35
    """Lost where at most this share of the colour is left. Ours: within 0.25 s of a shot, no programme looked at lost
    more than half."""
    clear_left: float = 0.55
    """Back where at least this share of it is there again, or clearly more than the loss had left; ours."""
    least_color: float = 0.015
    """Pictures with less colour have none to lose: mean distance of Cb and Cr from grey (−0.5…0.5); ours."""
    same_shot: float = 0.7
    """The picture goes on where its luma has at least this correlation with that before; ours."""
    spread: float = 0.05
    """A picture whose tiles' luma deviates by less than this shows nothing, as a fraction of full scale; ours."""


class _Look(NamedTuple):
    """A frame of the last moments."""

    pts_s: float
    color: float
    """Mean distance from grey."""
    variance: tuple[float, float]
    """Variance of Cb and of Cr over the picture, to within `_ROUGHLY`."""
    luma: np.ndarray
    """float32 [N]: the tiles' luma."""
    chroma: np.ndarray
    """float32 [2, N]: their Cb and Cr."""

    def kept(self) -> _Look:
        """The same without its series."""
        return _Look(self.pts_s, self.color, self.variance, self.luma.copy(), self.chroma.copy())

    @property
    def spread(self) -> float:
        """Standard deviation of the tiles' luma."""
        return float(self.luma.std(dtype=np.float64))

    @property
    def colors(self) -> tuple[float, float, float]:
        """Mean distance from grey; deviation of Cb and of Cr over the picture."""
        cb, cr = self.chroma.std(axis=1, dtype=np.float64).tolist()
        return self.color, cb, cr


@dataclass(frozen=True, slots=True)
class _Loss:
    """A loss that is going on."""

    what: int
    """The whole colour (0), Cb (1) or Cr (2)."""
    before: float
    """How much there was."""
    after: float
    """How much the loss left of it."""


@dataclass(frozen=True, slots=True)
class ColorLossCarry:
    """What the judgement of a frame needs of those before it."""

    looks: tuple[_Look, ...] = ()
    """Frames of the last moments, oldest first."""
    levels: tuple[tuple[float, float], ...] = ()
    """Times in seconds and colour of those of the last second, as far as they had more than all after them."""
    loss: _Loss | None = None


def color_loss(
    series: VideoSeries, limits: ColorLossLimits = ColorLossLimits(), carry: ColorLossCarry | None = None
) -> tuple[list[Evidence], ColorLossCarry | None]:
    """Weigh how much of the colour of a moment ago is left in each frame.

    Args:
        series: Consecutive frames of one format.
        limits: When colour counts as lost.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence with one step per frame, whose value is the share of the colour that is left.
    """
    count = len(series)
    if not count:
        return [], carry
    shot = _Shot(carry or ColorLossCarry(), limits)
    verdict, left = constant(count, -1, np.int8), constant(count, 1.0, np.float32)
    what = constant(count, "", object)
    for i, look in enumerate(_looks(series)):
        shot.advance(look)
        loss = shot.loss
        if loss is None:
            continue
        if not left.flags.writeable:
            verdict, left, what = verdict.copy(), left.copy(), what.copy()
        left[i] = look.colors[loss.what] / loss.before
        shows = look.spread >= limits.spread
        verdict[i] = 1 if shows and left[i] <= _held(limits) else 0
        what[i] = _NAMES[loss.what]
    evidence = Evidence(
        kind="video.color_loss",
        scope="",
        start_s=series.pts_s,
        end_s=series.end_s,
        verdict=verdict,
        value=left,
        limit=limits.raise_left,
        unit="share",
        worst="min",
        confidence=constant(count, 0.9, np.float32),
        details={"what": what},
        message="{what} lost for {duration_s:.1f} s: {value:.0%} of it left",
    )
    return [evidence], shot.carry()


def _looks(series: VideoSeries) -> Iterator[_Look]:
    """The frames, as views of the series: what is carried must be copied."""
    count = len(series)
    luma = series.luma.reshape(count, -1)
    chroma = series.chroma.reshape(count, 2, -1)
    away = np.abs(chroma)
    color = np.add.reduce(np.maximum(away[:, 0], away[:, 1]), axis=1) / np.float32(luma.shape[1])
    mean = np.einsum("tcn->tc", chroma) / chroma.shape[2]
    variance = np.einsum("tcn,tcn->tc", chroma, chroma) / chroma.shape[2] - mean * mean
    rows = zip(series.pts_s.tolist(), color.tolist(), variance.tolist(), luma, chroma, strict=True)
    return (_Look(pts_s, whole, (cb, cr), y, c) for pts_s, whole, (cb, cr), y, c in rows)


def _held(limits: ColorLossLimits) -> float:
    """The share up to which a loss that is known goes on: other shots have other colours."""
    return (limits.raise_left + limits.clear_left) / 2


class _Shot:
    """What the judgement of a frame needs of those before it, as it goes on from frame to frame."""

    def __init__(self, carry: ColorLossCarry, limits: ColorLossLimits) -> None:
        self.loss, self._limits = carry.loss, limits
        self._carried, self._looks, self._levels = carry.looks, deque(carry.looks), deque(carry.levels)

    def carry(self) -> ColorLossCarry:
        """What the next series needs."""
        known = {id(look) for look in self._carried}
        looks = tuple(look if id(look) in known else look.kept() for look in self._looks)
        return ColorLossCarry(looks, tuple(self._levels), self.loss)

    def advance(self, look: _Look) -> None:
        """Take a frame."""
        loss, limits, looks, levels = self.loss, self._limits, self._looks, self._levels
        if loss is not None:
            back = min(limits.clear_left * loss.before, _BACK[0] * loss.after + _BACK[1])
            if look.colors[loss.what] < back:
                return
            self.loss = None
        while looks and look.pts_s - looks[0].pts_s > _WITHIN_S:
            looks.popleft()
        while levels and look.pts_s - levels[0][0] > _LEVEL_S:
            levels.popleft()
        if looks and _has_less(look, looks[0], levels[0][1], limits) and look.spread >= limits.spread:
            self.loss = _found(tuple(looks), look, levels[0][1], limits)
            if self.loss is not None:
                looks.clear()
                levels.clear()
                return
        while levels and levels[-1][1] <= look.color:
            levels.pop()
        levels.append((look.pts_s, look.color))
        looks.append(look)


def _has_less(look: _Look, before: _Look, level: float, limits: ColorLossLimits) -> bool:
    """The first look: whether a frame may have lost anything. In nearly all frames it may not."""
    if level < limits.least_color:
        return False
    if look.color <= limits.raise_left * level:
        return True
    for now, was in zip(look.variance, before.variance, strict=True):
        if now - _ROUGHLY <= _STUCK**2 * (was + _ROUGHLY):
            return any(look.colors[one] <= _STUCK * before.colors[one] for one in (_CB, _CR))
    return False


def _found(looks: tuple[_Look, ...], look: _Look, level: float, limits: ColorLossLimits) -> _Loss | None:
    """The loss that a frame shows against those of the last moments; `level` is the most colour of the last second."""
    # The latest one that still had it all: the nearer in time, the more alike are the pictures.
    before = next((one for one in reversed(looks) if one.color >= _FULL * level), None)
    if before is None or level < limits.least_color:
        return None
    had, has = before.colors, look.colors
    what = _WHOLE if has[_WHOLE] <= limits.raise_left * had[_WHOLE] else None
    if what is None:
        for one, other in ((_CB, _CR), (_CR, _CB)):
            is_stuck = had[one] >= limits.least_color and has[one] <= _STUCK * had[one]
            if is_stuck and has[other] >= _OTHER * had[other]:
                what = one
    if what is None:
        return None
    if not _is_same_shot(before, look, limits) or (what == _WHOLE and _kept(before, look) > limits.raise_left):
        return None
    return _Loss(what, had[what], has[what])


def _is_same_shot(before: _Look, look: _Look, limits: ColorLossLimits) -> bool:
    """Whether the picture goes on as bright as it was, all of it and, above all, where it had colour.

    A ticker or a border without colour goes on over cuts: it says nothing of what had colour.
    """
    weight = (before.chroma**2).sum(axis=0)
    was, is_now = float(weight @ before.luma), float(weight @ look.luma)
    if not _AS_BRIGHT * was <= is_now <= was / _AS_BRIGHT:
        return False
    if not _goes_on(before.luma, look.luma, limits):
        return False
    coloured = weight >= np.median(weight)
    one, other = before.luma[coloured], look.luma[coloured]
    return float(one.std()) < limits.spread or _goes_on(one, other, limits)


def _goes_on(before: np.ndarray, now: np.ndarray, limits: ColorLossLimits) -> bool:
    """Whether tiles show the same, as far as luma tells, with as much contrast."""
    as_much = float(now.std(dtype=np.float64)) >= _AS_BRIGHT * float(before.std(dtype=np.float64))
    return as_much and _correlation(now, before) >= limits.same_shot


def _kept(before: _Look, look: _Look) -> float:
    """How much of the colour that was there is there still, tile for tile: what was strongest counts most."""
    return float((before.chroma * look.chroma).sum() / max(float((before.chroma**2).sum()), 1e-9))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    a, b = one - one.mean(), other - other.mean()
    return float(a @ b / max(np.sqrt((a @ a) * (b @ b)), 1e-9))


COLOR_LOSS = Detector(
    name="color_loss",
    kinds=("video.color_loss",),
    consumes="video",
    weigh=color_loss,
    limits=ColorLossLimits(),
    timing=EventTiming(raise_after_s=1.0, clear_after_s=0.2, major_after_s=5.0, critical_after_s=15.0),
    summary="The picture goes on in black and white, or with a cast: its colour is lost.",
    source="ours: measured on planted losses, and on cuts and fades to black and white",
)
