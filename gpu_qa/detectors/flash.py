"""Flash: large parts of the picture flash so fast that it endangers people with photosensitive epilepsy.

The luminance of each field of the picture (2 × 2 tiles) is followed from one extreme to the next: a swing of enough
cd/m² is half a flash. What is told is a part of the picture, large enough and moving as one, whose fourth flash begins
within a second of its first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.luminance import chromaticity, light, luminance
from gpu_qa.series import Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

_FLASHES = 3
"""So many flashes in a second are allowed (ITU-R BT.1702-3)."""
_EDGES = 2 * _FLASHES + 1
"""Changes to and fro from the first flash's beginning to that of the first one too many."""
_FRAMES_SHORT = 1.25
"""Flashes exactly at the allowed rate may come this many frames early, since they begin with frames."""
_NEVER_S = -1e9
_LEAST_S = 0.04
"""Six changes in less time cannot be seen: timestamps are wrong, or nobody's display has as many frames."""
_TOGETHER_S = 0.06
"""Fields that change within this time change together: a frame and a half at 25 Hz."""
_NEIGHBOURS = 6
"""A field belongs to a patch where so many of the nine around and with it change too: a flash is a patch; what moves
past (a fence, a crowd under a shaking camera) sprinkles."""
_RED_LIGHT = 0.02
"""A field with less red light than this share of white is dark, not red."""
_RED_CR = 0.15
"""A colour with less Cr is not looked at: saturated red of `_RED_LIGHT` has more."""
_WHITE_POINT = (0.1978, 0.4683)
"""u′ and v′ of white D65, and of black."""


@dataclass(frozen=True, slots=True)
class FlashLimits:
    """When flashing is harmful."""

    step: float = 20.0
    """A change of luminance counts from here on, in cd/m² (BT.1702-3)."""
    dark: float = 160.0
    """Where the darker side is brighter than this, in cd/m², a Michelson contrast of `step` at this luminance counts
    instead: 1/17 (BT.1702-3)."""
    area: float = 0.25
    """Flashes over more than this share of the picture are harmful (BT.1702-3)."""
    window_s: float = 1.0
    """More than three flashes within this time are harmful, in seconds (BT.1702-3)."""
    red_share: float = 0.8
    """Red is saturated where R / (R + G + B) of the light is at least this (BT.1702-3)."""
    red_step: float = 0.2
    """A change to or from saturated red counts from this distance in the CIE 1976 diagram on (ISO 9241-391, as WCAG 2.2
    has it)."""
    white: float = 200.0
    """Luminance of white of a display for SDR, in cd/m²; the Recommendation's own figures suppose it."""


@dataclass(frozen=True, slots=True)
class Changes:
    """When each field last changed by as much as half a flash, and which way."""

    way: np.ndarray
    """int8 [N]: +1 it last rose, −1 it last fell, 0 neither yet."""
    changed_s: np.ndarray
    """float64 [N]: when that was; long ago where it has not yet."""
    edges_s: np.ndarray
    """float64 [7, N]: its last changes; number n is in row n mod 7."""
    edges: np.ndarray
    """int64 [N]: how many there were."""


@dataclass(frozen=True, slots=True)
class FlashCarry:
    """What the judgement of a frame needs of those before it."""

    low: np.ndarray
    """float32 [N]: lowest luminance since a field last fell, in cd/m²."""
    high: np.ndarray
    """float32 [N]: highest luminance since it last rose."""
    general: Changes
    """Changes of luminance."""
    color: np.ndarray
    """float32 [2, N]: u′ and v′ of each field when it last became or ceased to be saturated red."""
    red: Changes
    """These changes; +1 it is red."""


def flash(
    series: VideoSeries, limits: FlashLimits = FlashLimits(), carry: FlashCarry | None = None
) -> tuple[list[Evidence], FlashCarry | None]:
    """Weigh, at every frame, whether a change in it makes a sequence of flashes harmful.

    Args:
        series: Consecutive frames of one format.
        limits: When flashing is harmful.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence with one step per frame; those that raise begin with the sequence's first flash. Its value is the rate
        in flashes per second.
    """
    count = len(series)
    if not count:
        return [], carry
    steps = _Steps(series, limits, series.luma_cells.shape[1:])
    luma, chroma = series.luma_cells.reshape(count, -1), series.chroma_cells.reshape(count, 2, -1)
    linear = light(luma, chroma, series, limits.white)
    bright = luminance(linear, series)
    before = carry or _at_rest(bright[0])
    low, high, general = _followed(before, bright, steps)
    color, red = before.color, before.red
    if (red.way > 0).any() or chroma[:, 1].max() > _RED_CR:
        color, red = _followed_red(before, linear, steps)
    return [steps.evidence()], FlashCarry(low, high, general, color, red)


def _at_rest(bright: np.ndarray) -> FlashCarry:
    """Fields of luminance `bright`, float32 [N], that have not changed."""
    fields = len(bright)
    still = Changes(
        way=np.zeros(fields, np.int8),
        changed_s=np.full(fields, _NEVER_S),
        edges_s=np.full((_EDGES, fields), _NEVER_S),
        edges=np.zeros(fields, np.int64),
    )
    color = np.repeat(np.array(_WHITE_POINT, np.float32)[:, None], fields, axis=1)
    return FlashCarry(bright, bright, still, color, still)


def _followed(before: FlashCarry, bright: np.ndarray, steps: _Steps) -> tuple[np.ndarray, np.ndarray, Changes]:
    """`low`, `high` and `general` after the frames, by their luminance, float32 [T, N]."""
    step, contrast = np.float32(steps.limits.step), np.float32(steps.limits.step / steps.limits.dark)
    low, high = bright.min(axis=0), bright.max(axis=0)
    lowest, highest = np.minimum(before.low, low), np.maximum(before.high, high)
    # The first look: only some fields, or none, come as far as to change at all.
    may = (before.general.way >= 0) & (highest - low >= step)
    may |= (before.general.way <= 0) & (high - lowest >= step)
    fields = np.flatnonzero(may)
    if not fields.size:
        return lowest, highest, before.general
    values, way = bright[:, fields], before.general.way[fields]
    low, high = before.low[fields], before.high[fields]
    may_rise, may_fall = way <= 0, way >= 0
    fall_by = np.maximum(values * contrast, step)
    rises, changes = np.empty((2, *values.shape), bool)
    for now, falls_by, rise, change in zip(values, fall_by, rises, changes, strict=True):
        np.minimum(low, now, out=low)
        np.maximum(high, now, out=high)
        np.greater_equal(now - low, np.maximum(low * contrast, step), out=rise)
        np.logical_and(rise, may_rise, out=rise)
        np.greater_equal(high - now, falls_by, out=change)
        np.logical_and(change, may_fall, out=change)
        np.logical_or(change, rise, out=change)
        if change.any():
            # From here on the field starts anew at the value it has come to.
            np.copyto(low, now, where=change)
            np.copyto(high, now, where=change)
            may_rise = (may_rise | change) & ~rise
            may_fall = (may_fall & ~change) | rise
    lowest[fields], highest[fields] = low, high
    at, changed = changes.nonzero()
    if not at.size:
        return lowest, highest, before.general
    ways, moving = np.where(rises[at, changed], 1, -1).astype(np.int8), _Moving(before.general)
    changed = fields[changed]
    if not steps.may_be_harmful(np.bincount(at, minlength=len(values)), before.general):
        moving.change_in_turn(changed, ways, steps.series.pts_s[at])
        return lowest, highest, moving.changes()
    for i in np.unique(at).tolist():
        own = at == i
        moving.change(changed[own], ways[own], steps.series.pts_s[i])
        steps.note(i, moving, "general")
    return lowest, highest, moving.changes()


def _followed_red(before: FlashCarry, linear: np.ndarray, steps: _Steps) -> tuple[np.ndarray, Changes]:
    """`color` and `red` after the frames, by their light, float32 [3, T, N]."""
    limits = steps.limits
    is_red = linear[0] >= limits.red_share * linear.sum(axis=0)
    is_red &= linear[0] >= _RED_LIGHT * limits.white
    # The first look: what is red, and has been, does not turn.
    fields = np.flatnonzero((is_red != (before.red.way > 0)).any(axis=0))
    if not fields.size:
        return before.color, before.red
    is_red, color = is_red[:, fields], np.stack(chromaticity(linear[:, :, fields], steps.series))
    last, now, i = before.color, _Moving(before.red), 0
    while True:
        turns = _turns(color[:, i:], is_red[i:], last[:, fields], now.way[fields], limits)
        later = np.flatnonzero(turns.any(axis=1))
        if not later.size:
            return last, now.changes()
        i += int(later[0])
        turned = np.flatnonzero(turns[later[0]])
        now.change(fields[turned], np.where(is_red[i, turned], 1, -1), steps.series.pts_s[i])
        steps.note(i, now, "red")
        last = last.copy()
        last[:, fields[turned]] = color[:, i, turned]


def _turns(color: np.ndarray, is_red: np.ndarray, last: np.ndarray, way: np.ndarray, limits: FlashLimits) -> np.ndarray:
    """Which of the fields become or cease to be saturated red, far from the colour they had when they last did, bool.

    Args:
        color: float32 [2, …, M]: u′ and v′.
        is_red: bool [… , M].
        last: float32 [2, M]: u′ and v′ when they last did.
        way: int8 [M]: +1 where they became red.
        limits: How far is far.
    """
    u, v = color[0] - last[0], color[1] - last[1]
    return np.asarray((is_red != (way > 0)) & (u * u + v * v > limits.red_step**2))


class _Moving:
    """The changes of all fields, as they go on."""

    def __init__(self, before: Changes) -> None:
        self.way, self.changed_s = before.way.copy(), before.changed_s.copy()
        self._edges_s, self._edges = before.edges_s.copy(), before.edges.copy()

    def change(self, fields: np.ndarray, way: np.ndarray, now_s: np.ndarray) -> None:
        """Fields, int [M], rise (+1) or fall (−1), int [M], at `now_s`, float64 [M] or for all."""
        self.way[fields], self.changed_s[fields] = way, now_s
        self._edges_s[self._edges[fields] % _EDGES, fields] = now_s
        self._edges[fields] += 1

    def change_in_turn(self, fields: np.ndarray, way: np.ndarray, at_s: np.ndarray) -> None:
        """The same for all changes of a series, in order of time: a field, int [M], may be among them several times."""
        self.way[fields], self.changed_s[fields] = way, at_s  # what is assigned last stays
        order = np.argsort(fields, kind="stable")
        ordered = fields[order]
        is_first = np.ones(len(ordered), bool)
        np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
        begins = is_first.nonzero()[0]
        times = np.concatenate((begins[1:], (len(ordered),))) - begins
        turn = np.arange(len(ordered)) - begins.repeat(times)
        self._edges_s[(self._edges[ordered] + turn) % _EDGES, ordered] = at_s[order]
        self._edges[ordered[begins]] += times

    def first_s(self, fields: np.ndarray) -> np.ndarray:
        """When the first of the last seven changes of the fields, int [M], was, float64 [M]."""
        return np.asarray(self._edges_s[self._edges[fields] % _EDGES, fields])

    def changes(self) -> Changes:
        """What to carry."""
        return Changes(self.way, self.changed_s, self._edges_s, self._edges)


class _Steps:
    """The steps of a series' evidence in the making."""

    def __init__(self, series: VideoSeries, limits: FlashLimits, grid: tuple[int, ...]) -> None:
        count = len(series)
        self._grid = grid
        self.series, self.limits = series, limits
        self.start_s = series.pts_s
        self.end_s = series.end_s
        self.rate = constant(count, 0.0, float)
        self.area = constant(count, 0.0, float)
        self.type = constant(count, "", object)
        self._is_shared = True

    def may_be_harmful(self, fields: np.ndarray, before: Changes) -> bool:
        """Whether more than the harmful area changes together at all; how many fields change, int [T], by frame."""
        pts_s, least = self.series.pts_s, self.limits.area * len(before.way)
        earlier = np.count_nonzero(before.changed_s >= pts_s[0] - _TOGETHER_S)
        if fields.sum() + earlier <= least:
            return False
        so_far = np.zeros(len(fields) + 1, np.int64)
        fields.cumsum(out=so_far[1:])
        together = so_far[1:] - so_far[pts_s.searchsorted(pts_s - _TOGETHER_S)]
        return bool(together.max() + earlier > least)

    def note(self, i: int, now: _Moving, kind: str) -> None:
        """Judge frame `i`, in which fields changed; `kind` is `general` or `red`."""
        limits, now_s = self.limits, float(self.series.pts_s[i])
        recent = now.changed_s >= now_s - _TOGETHER_S
        least = limits.area * len(recent)
        if np.count_nonzero(recent) <= least:
            return
        at_most_s = limits.window_s - _FRAMES_SHORT * (float(self.series.end_s[i]) - now_s)
        for way in (1, -1):
            fields = np.flatnonzero(recent & (now.way == way))
            if len(fields) <= least:
                continue
            length_s = now.changed_s[fields] - now.first_s(fields)
            fields = fields[(length_s >= _LEAST_S) & (length_s <= at_most_s)]
            if len(fields) > least:
                fields = _patches(fields, self._grid)
            if len(fields) > least:
                self._add(i, fields, now, kind)

    def _add(self, i: int, fields: np.ndarray, now: _Moving, kind: str) -> None:
        """Frame `i` raises: `fields`, int [M], have had one flash too many with it."""
        if self._is_shared:
            self.start_s, self.end_s, self.rate = self.start_s.copy(), self.end_s.copy(), self.rate.copy()
            self.area, self.type, self._is_shared = self.area.copy(), self.type.copy(), False
        self.type[i] = kind if self.type[i] in ("", kind) else "general and red"
        self.area[i] = max(self.area[i], len(fields) / len(now.way))
        self.start_s[i] = min(self.start_s[i], np.median(now.first_s(fields)))
        self.end_s[i] = self.series.pts_s[i]
        self.rate[i] = max(self.rate[i], _FLASHES / np.median(now.changed_s[fields] - now.first_s(fields)))

    def evidence(self) -> Evidence:
        """The steps as evidence."""
        count = len(self.series)
        verdict, confidence = constant(count, -1, np.int8), constant(count, 1.0, np.float32)
        if not self._is_shared:
            raises = self.area > 0
            sure = 0.7 + 0.3 * np.clip((self.area - self.limits.area) / (0.5 - self.limits.area + 1e-9), 0.0, 1.0)
            verdict = np.where(raises, 1, -1).astype(np.int8)
            confidence = np.where(raises, sure, 1.0).astype(np.float32)
        return Evidence(
            kind="video.flash",
            scope="",
            start_s=self.start_s,
            end_s=self.end_s,
            verdict=verdict,
            value=self.rate.astype(np.float32),
            limit=_FLASHES / self.limits.window_s,
            unit="flashes/s",
            confidence=confidence,
            details={"type": self.type, "area": np.round(self.area, 4)},
            message="{type} flashes at {value:.1f} per second over {area:.0%} of the picture for {duration_s:.1f} s",
        )


def _patches(fields: np.ndarray, grid: tuple[int, ...]) -> np.ndarray:
    """Those of the fields, int [M], that are in or at the rim of a patch; `grid` is all their rows and columns."""
    marked = np.zeros(grid, np.int8)
    marked.flat[fields] = 1
    inner = marked * (_around(marked) >= _NEIGHBOURS).astype(np.int8)
    return np.asarray(fields[_around(inner).ravel()[fields] > 0])


def _around(marked: np.ndarray) -> np.ndarray:
    """How many of the nine around and with each are marked, int8 [R, K]; beyond the edge it is as at the edge."""
    padded = np.pad(marked, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:])


FLASH = Detector(
    name="flash",
    kinds=("video.flash",),
    consumes="video",
    weigh=flash,
    limits=FlashLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=0.5, major_after_s=0.0, critical_after_s=5.0),
    summary="The picture flashes in a way that can trigger seizures.",
    source="ITU-R BT.1702-3: 20 cd/m², 160 cd/m², 25 % of the picture, 3 flashes/s, red; its change: ISO 9241-391",
)
