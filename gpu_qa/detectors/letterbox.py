"""Letterbox: black bars come, go or change, so that the picture fills another part of the frame than before.

Bars are straight, dark, and alike on opposite sides; what is dark for other reasons is not. A frame that does not show
its bars clearly (a night scene, black) says nothing, and a new area is believed once it has been seen for a while.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.series import SEVERITIES, Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

_LIT = 0.04
"""A sample is lit above this luma, as a fraction of full scale: bars after coarse compression stay below."""
_LIT_STD = 0.02
"""A tile is lit as well where its luma deviates by more than this."""
_BAR = 0.3
"""At most this share of a bar's line is lit: by a logo, a clock, subtitles."""
_CONTENT = 0.6
"""At least this share of the line beside a bar is lit, or the bar's edge is not to be seen."""
_LEAST_LIT = 0.2
"""Where not even this share of the best lit line is lit, the picture is too dark to tell."""
_UNEQUAL = 3
"""Opposite bars may differ by so many lines of the small picture (of 192 across, of 336 along the width)."""
_TILE = 8
"""Lines of the small picture in a tile. Bars are those believed in where they differ by less."""
_SAME_LINES = 2
"""Edges within so many lines of the small picture are at the same place."""
_SEEN_SHARE = 0.5
"""So much of the time until it is believed a new area must really be seen."""
_OUTERMOST = ((np.s_[:, 0], np.s_[:, -1]), (np.s_[:, :, 0], np.s_[:, :, -1]))
"""The outermost lines of tiles: above and below, on the left and right."""
_PLAIN_AREA = 0.95
"""Where so much of the frame is lit as its middle is, it is one colour from edge to edge and shows no area."""

_UNKNOWN = -1
_DOWN, _ACROSS = 0, 1


@dataclass(frozen=True, slots=True)
class LetterboxLimits:
    """When another active area is told, and how loudly."""

    believe_after_s: float = 2.0
    """A new area must have been there for so long, in seconds; ours, as for `black`."""
    warn_area: float = 0.6
    """With bars on all four sides around less than this share of the frame it is a warning: a picture that was boxed
    twice, 4:3 in 16:9 in 4:3, has 0.56. Else it is for information."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Bars that differ from those before, not yet believed."""

    depth: int
    """Depth of each of both bars, in lines of the small picture."""
    since_s: float
    seen_s: float
    """For how long they have really been seen since."""


@dataclass(frozen=True, slots=True)
class LetterboxCarry:
    """The bars that are believed in, above and below (0) and on the left and right (1)."""

    depth: tuple[int, int] = (_UNKNOWN, _UNKNOWN)
    """In lines of the small picture, of each of both bars; −1 before the first are known."""
    candidates: tuple[_Candidate | None, _Candidate | None] = (None, None)


def letterbox(
    series: VideoSeries, limits: LetterboxLimits = LetterboxLimits(), carry: LetterboxCarry | None = None
) -> tuple[list[Evidence], LetterboxCarry | None]:
    """Weigh, at every frame, whether the picture fills another part of it than before.

    Args:
        series: Consecutive frames of one format.
        limits: When another area is told.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence with one step per frame; the one at which a change is certain raises, at the time of the change. Its
        value is the share of the frame that the new area fills.
    """
    count = len(series)
    if not count:
        return [], carry
    state = carry or LetterboxCarry()
    if _is_full(series, state):
        return [_evidence(series)], state
    rows, columns = series.luma.shape[1:]
    lit = ((series.luma > _LIT) | (series.luma_std > _LIT_STD)).view(np.uint8)
    # Fewer than 256 tiles a line: NumPy adds bytes many at a time.
    depths = (
        _bars(lit.sum(axis=2, dtype=np.uint8) / columns),
        _bars(lit.sum(axis=1, dtype=np.uint8) / rows),
    )
    if _is_quiet(depths, state):
        return [_evidence(series)], state
    steps = _Steps(series, limits)
    for i in range(count):
        state = _advanced(state, i, (int(depths[_DOWN][i]), int(depths[_ACROSS][i])), steps)
    return [steps.evidence()], state


def _is_full(series: VideoSeries, state: LetterboxCarry) -> bool:
    """The first look: whether no frame can have bars, and none are believed in or expected.

    Bars lie on both of opposite sides. Where of each two outermost lines one is lit, there are none.
    """
    if state.depth != (0, 0) or state.candidates != (None, None):
        return False
    luma, std = series.luma, series.luma_std
    for first, last in _OUTERMOST:
        is_lit = _is_lit(luma[first], std[first])
        if not (is_lit.all() or (is_lit | _is_lit(luma[last], std[last])).all()):
            return False
    return True


def _is_lit(luma: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Whether so much of a line of tiles is lit that it is in no bar, bool [T]."""
    lit = (luma > _LIT) | (std > _LIT_STD)
    return np.asarray(lit.sum(axis=1) > _BAR * lit.shape[1])


def _bars(lit: np.ndarray, unequal: int = 1) -> np.ndarray:
    """Depth of the bars at both ends of the lines, int64 [T]; −1 where they cannot be told.

    Args:
        lit: float [T, L]: share of each line that is lit.
        unequal: How much the two may differ; the deeper one counts.
    """
    best = lit.max(axis=1, keepdims=True)
    share = lit / np.maximum(best, 1e-6)
    is_content = share > _BAR
    lines, frames = lit.shape[1], np.arange(len(lit))
    first, last = is_content.argmax(axis=1), lines - 1 - is_content[:, ::-1].argmax(axis=1)
    sharp = (share[frames, np.minimum(first + 1, lines - 1)] >= _CONTENT) & (
        share[frames, np.maximum(last - 1, 0)] >= _CONTENT
    )
    before, after = first, lines - 1 - last
    known = (best[:, 0] >= _LEAST_LIT) & sharp & (np.abs(before - after) <= unequal)
    # Where only one side is dark it is the picture that is, and there may be no bars or unseen ones.
    return np.where(known & ((before == 0) == (after == 0)), np.maximum(before, after), _UNKNOWN)


def _is_quiet(depths: tuple[np.ndarray, np.ndarray], state: LetterboxCarry) -> bool:
    """Whether all frames have the bars that are believed in, as far as they show them, and no others are expected."""
    return all(
        candidate is None and bool((_is_same(depth, believed) | (depth == _UNKNOWN)).all())
        for depth, believed, candidate in zip(depths, state.depth, state.candidates, strict=True)
    )


def _is_same(tiles: Any, believed: int) -> Any:
    """Whether bars that are so many tiles deep may be those believed in, which are in lines of the small picture."""
    return (believed != _UNKNOWN) & (abs(_TILE * tiles - believed) < _TILE)


def _advanced(state: LetterboxCarry, i: int, tiles: tuple[int, int], steps: _Steps) -> LetterboxCarry:
    """The state after frame `i`, whose bars are so many tiles deep; a change that it makes certain goes to `steps`."""
    depth, candidates = list(state.depth), list(state.candidates)
    series = steps.series
    now_s, end_s = float(series.pts_s[i]), float(series.end_s[i])
    fine: tuple[int, int] | None = None
    for axis in (_DOWN, _ACROSS):
        if tiles[axis] == _UNKNOWN:
            continue
        if _is_same(tiles[axis], depth[axis]):
            candidates[axis] = None
            continue
        exact = 0
        if tiles[axis] > 0:
            fine = fine or _fine_bars(series, i)
            exact = fine[axis]
        elif _is_plain(series, i):
            continue
        if exact == _UNKNOWN:
            continue
        if depth[axis] != _UNKNOWN and abs(exact - depth[axis]) <= _SAME_LINES:
            candidates[axis] = None
            continue
        candidate = candidates[axis]
        if candidate is None or abs(candidate.depth - exact) > _SAME_LINES:
            candidate = _Candidate(exact, now_s, 0.0)
        candidates[axis] = replace(candidate, seen_s=candidate.seen_s + end_s - now_s)
    believed = [candidate is not None and _is_believed(candidate, end_s, steps.limits) for candidate in candidates]
    if any(believed):
        since_s = min(one.since_s for one, sure in zip(candidates, believed, strict=True) if one is not None and sure)
        for axis, candidate in enumerate(candidates):
            if candidate is not None and (believed[axis] or abs(candidate.since_s - since_s) < 0.2):
                depth[axis], candidates[axis] = candidate.depth, None
        if _UNKNOWN not in state.depth:
            steps.add(i, since_s, state.depth, (depth[0], depth[1]))
    return LetterboxCarry((depth[0], depth[1]), (candidates[0], candidates[1]))


def _is_believed(candidate: _Candidate, now_s: float, limits: LetterboxLimits) -> bool:
    return (
        now_s - candidate.since_s >= limits.believe_after_s - 0.001
        and candidate.seen_s >= _SEEN_SHARE * limits.believe_after_s
    )


def _is_plain(series: VideoSeries, i: int) -> bool:
    """Whether frame `i` is one colour, such as a decoder's green or a white flash, which fills bars as well."""
    near = np.abs(series.luma[i] - series.median_luma[i]) < _LIT
    return bool(np.count_nonzero(near) >= _PLAIN_AREA * near.size)


def _fine_bars(series: VideoSeries, i: int) -> tuple[int, int]:
    """Depth of the bars above and below and of those at the sides, in lines of the small picture."""
    limit = 256.0 * (series.black_code + _LIT * (series.white_code - series.black_code))
    lit = series.small[i] > limit
    down, across = (_bars(lit.mean(axis=axis)[None], _UNEQUAL)[0] for axis in (1, 0))
    return int(down), int(across)


class _Steps:
    """The steps of a series' evidence in the making."""

    def __init__(self, series: VideoSeries, limits: LetterboxLimits) -> None:
        count = len(series)
        self.series, self.limits = series, limits
        self.start_s, self.end_s = series.pts_s.copy(), series.end_s.copy()
        self.verdict = np.full(count, -1, np.int8)
        self.value = np.ones(count, np.float32)
        self.limit = np.full(count, np.nan)
        self.cap = np.zeros(count, np.int8)
        self.details = {name: np.full(count, None, object) for name in ("old", "new", "text")}

    def add(self, i: int, since_s: float, old: tuple[int, int], new: tuple[int, int]) -> None:
        """Step `i` says that the bars changed at `since_s`; depths in lines of the small picture."""
        before, after = (self._area(depth) for depth in (old, new))
        share = after["width"] * after["height"]
        self.start_s[i] = self.end_s[i] = since_s
        self.verdict[i], self.value[i] = 1, share
        is_boxed = min(new) > 0 and share < self.limits.warn_area
        if is_boxed:
            self.limit[i] = self.limits.warn_area
        self.cap[i] = SEVERITIES.index("warn" if is_boxed else "info")
        self.details["old"][i], self.details["new"][i] = before, after
        self.details["text"][i] = f"picture area changed: {_named(before)} → {_named(after)}"

    def _area(self, depth: tuple[int, int]) -> dict[str, Any]:
        """The area within the bars, as fractions of the frame, and the shape of what is in it."""
        rows, columns = self.series.small.shape[1:]
        top, left = depth[_DOWN] / rows, depth[_ACROSS] / columns
        width, height = 1 - 2 * left, 1 - 2 * top
        return {
            "left": round(left, 4),
            "top": round(top, 4),
            "width": round(width, 4),
            "height": round(height, 4),
            "aspect_ratio": round(self.series.display_aspect_ratio * width / height, 3),
        }

    def evidence(self) -> Evidence:
        """The steps as evidence."""
        return replace(
            _evidence(self.series),
            start_s=self.start_s,
            end_s=self.end_s,
            verdict=self.verdict,
            value=self.value,
            limit=self.limit,
            details=dict(self.details),
            severity_cap=self.cap,
        )


def _evidence(series: VideoSeries) -> Evidence:
    """Evidence of frames that all fill the same area as before."""
    count = len(series)
    return Evidence(
        kind="stream.format_change",
        scope="active",
        start_s=series.pts_s,
        end_s=series.end_s,
        verdict=constant(count, -1, np.int8),
        value=constant(count, 1.0, np.float32),
        limit=constant(count, math.nan, float),
        unit="share",
        worst="min",
        confidence=constant(count, 0.9, np.float32),
        details={name: constant(count, None, object) for name in ("old", "new", "text")},
        severity_cap=constant(count, 0, np.int8),
        message="{text}",
    )


def _named(area: dict[str, Any]) -> str:
    """The area in words, such as `letterbox 2.39:1`."""
    bars = (area["top"] > 0, area["left"] > 0)
    name = {(False, False): "whole", (True, False): "letterbox", (False, True): "pillarbox", (True, True): "windowbox"}
    return f"{name[bars]} {area['aspect_ratio']:.2f}:1"


LETTERBOX = Detector(
    name="letterbox",
    kinds=("stream.format_change",),
    consumes="video",
    weigh=letterbox,
    limits=LetterboxLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=0.0, major_after_s=60.0, critical_after_s=60.0),
    summary="Black bars come or go: the picture fills another part of the frame.",
    source="ours: bars on opposite sides, straight and dark, seen for 2 s",
)
