"""Interlacing: pictures that are told to be progressive hold lines of two moments, or fields come in the wrong order.

Where something moves, lines of two moments stand out from both beside them (a comb), and those of one parity are nearer
to the frame before than those of the other. Fine horizontal texture has combs too, but without that second mark.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.series import Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

_RECENT, _ALIKE = 6, 4
"""Of so many frames in which something moves so many must be wrong the same way: screen text is wrong now and then."""
_RECENT_S = 2.0
"""Older ones count no more: a still may lie between. Ours: six frames that move last as long at three a second."""
_SURE_S = 1.0
"""For so long after they were, one frame is enough."""
_ROUGHLY = 0.999
"""What is measured in single precision first is measured in double where it comes within this of a limit."""
_MOST = 30.0
"""Fields further apart than this are none: text that rolls by one line a frame is the same line for line."""


@dataclass(frozen=True, slots=True)
class InterlacingLimits:
    """When lines count as combed, and fields as swapped."""

    raise_comb: float = 0.2
    """Combed where combs are at least this share of the vertical gradient in what moves. Ours: in woven pictures half
    of the frames have 0.26 to 0.62 and more, in progressive ones 0.01 to 0.10; screen text up to 0.45."""
    clear_comb: float = 0.12
    """Not combed below this share; ours."""
    raise_fields: float = 1.3
    """One parity of lines must be this many times nearer to the frame before than the other; ours: woven pictures have
    2 to 10, screen text 0.99 to 1.2."""
    clear_fields: float = 1.15
    """Not woven, and not swapped, where they are less apart, or the other way round: texture. Ours: of woven frames one
    in fifty, of screen text nearly all."""
    raise_order: float = 1.5
    """In interlaced pictures the later field must be this many times further from the frame before, or the order is
    wrong where the other one is; ours: planted swaps have 2 to 40 against motion."""
    motion: float = 0.04
    """A tile moves where its luma changes by more than this from frame to frame, as a fraction of full scale; ours."""
    moving_area: float = 0.005
    """A frame says nothing where less than this share of the picture moves; ours."""


@dataclass(frozen=True, slots=True)
class InterlacingCarry:
    """The last frames in which something moved, oldest first."""

    recent: tuple[tuple[float, int], ...] = ()
    """Their times in seconds, and −1 or +1 where they are wrong: even lines were nearer to the frame before, or odd."""
    sure: tuple[float, int] = (float("-inf"), 0)
    """When enough of them last were wrong the same way, and which."""


def interlacing(
    series: VideoSeries, limits: InterlacingLimits = InterlacingLimits(), carry: InterlacingCarry | None = None
) -> tuple[list[Evidence], InterlacingCarry | None]:
    """Weigh the combs in what moves, and which lines are nearer to the frame before.

    Args:
        series: Consecutive frames of one format.
        limits: When lines count as combed, and fields as swapped.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence with one step per frame; those that raise may begin with an earlier one. In progressive pictures its
        value is the share of combs, in interlaced ones by how many times the order of the fields contradicts the
        motion; 0 and 1 where a first look shows that nothing is wrong.
    """
    count = len(series)
    if not count:
        return [], carry
    state = carry or InterlacingCarry()
    moving = (series.change > limits.motion).reshape(count, -1)
    told = np.flatnonzero(
        np.add.reduce(moving.view(np.uint8), axis=1, dtype=np.uint16) > limits.moving_area * moving.shape[1]
    )
    combed = told[:0]
    if len(told):
        where = moving.astype(np.float32)
        shares = _products(series.comb, where) / np.maximum(_products(series.gradient[:, 1], where), np.float32(1e-9))
        combed = told[shares[told] >= _ROUGHLY * min(limits.clear_comb, limits.raise_comb)]
    if len(combed):
        even, odd = (_products(series.field_change[:, parity], where) + np.float32(1e-9) for parity in (0, 1))
        combed = combed[
            _against(even / odd, series)[combed] >= _ROUGHLY * min(limits.clear_fields, _least(series, limits))
        ]
    steps = _Steps(series, limits, told)
    if len(combed):
        steps.look(combed, moving[combed])
    ways = steps.ways
    if any(ways):
        for i in told.tolist():
            state, since_s = _advanced(state, float(series.pts_s[i]), ways[i])
            if since_s is not None:
                steps.start_s[i] = since_s
            elif ways[i]:
                steps.verdict[i] = 0
    elif len(told):
        quiet = zip(series.pts_s[told].tolist(), itertools.repeat(0))
        state = replace(state, recent=(*state.recent, *quiet)[-_RECENT:])
    return [steps.evidence()], state


class _Steps:
    """The steps of a series' evidence in the making."""

    def __init__(self, series: VideoSeries, limits: InterlacingLimits, told: np.ndarray) -> None:
        count = len(series)
        self._series, self._limits = series, limits
        self.start_s = series.pts_s
        self.verdict = np.zeros(count, np.int8)
        # Without combs, or where the fields agree with what the stream says, nothing is wrong: so in nearly all frames.
        self.verdict[told] = -1
        self.ways = [0] * count
        """−1 or +1 where a frame is wrong: even lines are nearer to the frame before, or odd."""
        self._value = constant(count, float(series.interlaced), np.float32)
        self._confidence = constant(count, 0.5, np.float32)
        self._area, self._fields = constant(count, 0.0, float), constant(count, 1.0, float)

    def look(self, combed: np.ndarray, moving: np.ndarray) -> None:
        """Judge the frames `combed`, in which `moving`, bool [M, N], are the tiles that move."""
        series, limits, count = self._series, self._limits, len(combed)
        where = moving.reshape(count, *series.comb.shape[1:]).astype(np.float32)
        comb, upright = series.comb[combed], series.gradient[combed, 1]
        combs = _sums(comb * where) / np.maximum(_sums(upright * where), 1e-9)
        even, odd = (_sums(series.field_change[combed, parity] * where) for parity in (0, 1))
        fields = (even + 1e-9) / (odd + 1e-9)
        is_combed = (comb > limits.raise_comb * upright).reshape(count, -1) & moving
        against = _against(fields, series)
        sure = np.minimum(combs / 0.5, np.log2(np.maximum(against, 1.0)) / 2)
        self.start_s = series.pts_s.copy()
        self._value, self._confidence = self._value.copy(), self._confidence.copy()
        self._area, self._fields = self._area.copy(), self._fields.copy()
        self.verdict[combed] = verdict = _verdict(combs, fields, series, limits)
        self._value[combed] = against if series.interlaced else combs
        self._confidence[combed] = np.clip(0.5 + 0.5 * sure, 0.5, 0.95)
        self._area[combed] = np.round(is_combed.mean(axis=1), 4)
        self._fields[combed] = np.round(fields, 2)
        for i, way in zip(combed.tolist(), np.where(verdict > 0, np.sign(fields - 1.0), 0.0).tolist(), strict=True):
            self.ways[i] = int(way)

    def evidence(self) -> Evidence:
        """The steps as evidence."""
        series, limits, count = self._series, self._limits, len(self._series)
        message = "combing for {duration_s:.1f} s: every other line of what moves shows another moment"
        if series.interlaced:
            message = "fields in the wrong order for {duration_s:.1f} s: what moves contradicts {told_order}"
        return Evidence(
            kind="video.interlacing",
            scope="",
            start_s=self.start_s,
            end_s=series.end_s,
            verdict=self.verdict,
            value=self._value,
            limit=limits.raise_order if series.interlaced else limits.raise_comb,
            unit="ratio",
            confidence=self._confidence,
            details={
                "what": constant(count, "field order" if series.interlaced else "combing", object),
                "combed_area": self._area,
                "fields": self._fields,
                "told_order": constant(count, _told_order(series), object),
            },
            message=message,
        )


def _advanced(state: InterlacingCarry, now_s: float, way: int) -> tuple[InterlacingCarry, float | None]:
    """The state after a frame that is wrong one way, the other, or not (0), and since when it surely is, in seconds.

    Returns:
        The state; null where the frame is not wrong, or might be by chance.
    """
    recent = [(at_s, other) for at_s, other in state.recent if now_s - at_s <= _RECENT_S]
    state = replace(state, recent=(*recent, (now_s, way))[-_RECENT:])
    alike = [since_s for since_s, other in state.recent if other == way]
    if not way:
        return state, None
    if len(alike) >= _ALIKE:
        return replace(state, sure=(now_s, way)), alike[0]
    if state.sure[1] == way and now_s - state.sure[0] <= _SURE_S:
        return replace(state, sure=(now_s, way)), now_s
    return state, None


def _sums(tiles: np.ndarray) -> np.ndarray:
    """Sum over the tiles of each frame, float64 [T], of float32 [T, R, K]."""
    return np.asarray(tiles.reshape(len(tiles), -1).sum(axis=1, dtype=np.float64))


def _products(tiles: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Sum over the tiles of each frame, float32 [T], of float32 [T, R, K] times float32 [T, R · K]: quick and rough."""
    return np.asarray(np.einsum("tn,tn->t", tiles.reshape(len(tiles), -1), where))


def _told_order(series: VideoSeries) -> str:
    if not series.interlaced:
        return "progressive"
    return {True: "top field first", False: "bottom field first", None: "nothing"}[series.top_field_first]


def _against(fields: np.ndarray, series: VideoSeries) -> np.ndarray:
    """By how many times the fields contradict what the stream says: of interlaced ones their order, else that they are.

    Even lines, the top field, are nearer to the frame before where they are shown first.
    """
    if series.interlaced and series.top_field_first is not None:
        return fields if series.top_field_first else 1.0 / fields
    return np.asarray(np.maximum(fields, 1.0 / fields))


def _least(series: VideoSeries, limits: InterlacingLimits) -> float:
    """How far the fields must contradict what the stream says."""
    return limits.raise_order if series.interlaced else limits.raise_fields


def _verdict(combs: np.ndarray, fields: np.ndarray, series: VideoSeries, limits: InterlacingLimits) -> np.ndarray:
    """int8 [T] of frames in which something moves."""
    if series.interlaced and series.top_field_first is None:
        return np.full(len(combs), -1, np.int8)
    against = _against(fields, series)
    is_wrong: np.ndarray = (combs >= limits.raise_comb) & (against >= _least(series, limits)) & (against <= _MOST)
    is_right = (combs < limits.clear_comb) | (against < limits.clear_fields)
    return np.select([is_wrong, is_right], [1, -1], 0).astype(np.int8)


INTERLACING = Detector(
    name="interlacing",
    kinds=("video.interlacing",),
    consumes="video",
    weigh=interlacing,
    limits=InterlacingLimits(),
    timing=EventTiming(raise_after_s=0.4, clear_after_s=0.5, major_after_s=10.0, critical_after_s=60.0),
    summary="What moves has combed edges, or moves back and forth: fields shown as they should not be.",
    source="ours: measured on woven and swapped fields of clips, and on interlaced captures",
)
