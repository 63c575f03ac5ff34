"""Loop: the same few pictures, or the same seconds, are shown again and again.

A picture is remembered for ten seconds by the mean luma of squares of tiles. It is a repeat when it is as it was one
period ago to within what an encoder adds, though the picture was another in between; a loop is when everything since a
period ago was a repeat: the same pictures, in the same order, at once again. What swings to and fro comes back in
another order, what moves periodically comes back only roughly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.by_turns import BetweenCuts, between_cuts, blinks, differences, swings
from gpu_qa.series import SEVERITIES, Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import VideoSeries

_POOL = 3
"""Tiles are averaged over squares of this side: 112 numbers stand for a picture."""
_UNIT = 16384
"""Full scale in the integers that they are kept in."""
_MEMORY = 640
"""At most this many pictures are remembered: ten seconds at 60 a second."""
_FIRST_AWAY = 3.5
"""A first look, at the sums of columns of squares, asks for no more than this where the second asks for `_AWAY`. Ours:
of 1072 pictures of real clips 58 % did not pass it, and none of the 232 that pass the second."""
_QUARTERS = np.arange(1, 4)
_EVERY = 8
"""Every so many pictures the past is searched; what is found is followed at every picture."""
_AWAY = 5.0
"""Back is a picture that is so many times nearer to a former one than some picture in between."""
_CANDIDATES = 3
"""So many of the shortest periods are looked at."""
_QUIET = 3
"""A picture that came back in so many neighbouring ones is of a quiet shot, whose cut tells the period. Ours."""
_NOISE = 0.0012
"""Mean difference that an encoder may leave between repeats, as a fraction of full scale, beside `likeness`. Ours: 95 %
of planted repeats stayed below 0.0027 in squares that moved by 0.014 and more."""
_SEAM, _SEAM_PER_STEP = 3.0, 0.4
"""Where a loop begins anew the picture jumps: it changes by so many times the usual step. In a short loop the way back
is not longer than the way there: the second number for each step of it."""
_ROUGHLY = 1.5
"""Pictures are taken for the same forward and backward at so much more difference than repeats."""
_FLICKER_S = 0.17
"""A loop with a shorter period, in seconds, is never meant: two pictures in turn also run forward and backward."""
_BLINK_S = 1.5
"""What blinks has a shorter period, in seconds."""
_CONTENT = 0.05
"""A picture shows something when its squares differ by more than this, as a fraction of full scale: flashes of white do
not loop."""
_GAP_S = 0.3
"""A loop has ended when no picture was a repeat for this long, in seconds."""


@dataclass(frozen=True, slots=True)
class LoopLimits:
    """When pictures count as repeated in a loop."""

    raise_repeats: float = 1.0
    """A loop when its pictures have been shown this many times more; ours."""
    least_s: float = 0.6
    """And for at least this long, in seconds; ours: some twelve repeats of a loop of two pictures at 50 a second are
    seen as a flicker."""
    longest_s: float = 10.0
    """Longest period that is looked for, in seconds."""
    likeness: float = 0.12
    """A picture is a repeat when it differs from the one a period ago by less than this share of what its squares
    change within the period. Ours: planted loops measured up to 0.08 after H.264, at most 0.15 in single pictures."""
    motion: float = 0.008
    """Squares move that change by more than this within a period, as a fraction of full scale: what an encoder changes
    in a still picture stays below. Ours."""
    moving_area: float = 0.03
    """At least this share of the picture must move: a cursor that blinks is no loop."""


@dataclass(frozen=True, slots=True)
class _Looping:
    """A loop that is going on."""

    period: int
    """Pictures."""
    period_s: float
    start_s: float
    """Where what is repeated was shown first."""
    area: float
    """Share of the picture that moves."""
    jumps: bool
    """Whether the picture jumps where the loop begins anew."""
    passes: float
    """How many times the pictures have been repeated."""
    last_s: float
    """End of the last repeat, in seconds."""
    within: BetweenCuts | None
    """Null where there is no cut in the period, or nothing moves between them."""


@dataclass(frozen=True, slots=True)
class LoopCarry:
    """What the judgement of a picture needs of those before it."""

    pts_s: np.ndarray
    """float64 [H]: the pictures remembered, oldest first."""
    squares: np.ndarray
    """int16 [H, N]: their squares' mean luma, in 1 / 16 384 of full scale."""
    columns: np.ndarray
    """float32 [H, K]: the sums of columns of squares; integers."""
    count: int
    """Pictures since the stream or the format began."""
    looping: _Looping | None = None
    """Null while nothing loops."""


def loop(
    series: VideoSeries, limits: LoopLimits = LoopLimits(), carry: LoopCarry | None = None
) -> tuple[list[Evidence], LoopCarry | None]:
    """Weigh how many times what was just shown has been shown before.

    Args:
        series: Consecutive frames of one format.
        limits: What a loop is.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence with one step per picture, whose value is the number of times that the loop's pictures were repeated,
        and the carry for the series that follows.
    """
    count = len(series)
    if not count:
        return [], carry
    squares, columns = _squares(series.luma)
    pts_s, counted, looping = series.pts_s, 0, None
    first = 0
    if carry is not None:
        first, counted, looping = len(carry.pts_s), carry.count, carry.looping
        pts_s = np.concatenate([carry.pts_s, pts_s])
        squares = np.concatenate([carry.squares, squares])
        columns = np.concatenate([carry.columns, columns])
    found: list[tuple[int, _Looping]] = []
    begin = 0
    for index in range(count):
        at = first + index
        if not series.comparable[index]:
            begin, counted, looping = at, 0, None
        counted += 1
        if looping is not None:
            looping = _went_on(looping, squares, at, begin, float(series.end_s[index]), limits)
        if looping is None and counted % _EVERY == 0:
            oldest = max(begin, at - _MEMORY + 1, int(np.searchsorted(pts_s, pts_s[at] - limits.longest_s * 2.0)))
            past = slice(oldest, at + 1)
            looping = _begun(squares[past], columns[past], pts_s[past], float(series.end_s[index]), limits)
        if looping is not None:
            found.append((index, looping))
    keep = max(begin, len(pts_s) - _MEMORY, int(np.searchsorted(pts_s, pts_s[-1] - limits.longest_s * 2.0)))
    return [_evidence(series, found, limits)], LoopCarry(
        pts_s[keep:].copy(), squares[keep:].copy(), columns[keep:].copy(), counted, looping
    )


def _evidence(series: VideoSeries, found: Sequence[tuple[int, _Looping]], limits: LoopLimits) -> Evidence:
    """A step for each picture: in those found a loop goes on."""
    count = len(series)
    start_s, verdict, value = series.pts_s, constant(count, -1, np.int8), constant(count, 0.0, np.float32)
    confidence, cap = constant(count, 1.0, np.float32), constant(count, len(SEVERITIES) - 1, np.int8)
    period_s = area = constant(count, 0.0, float)
    frames, opinion = constant(count, 0, np.int64), constant(count, "", object)
    if found:
        start_s, verdict, value, confidence = start_s.copy(), verdict.copy(), value.copy(), confidence.copy()
        period_s, area, frames, opinion, cap = period_s.copy(), area.copy(), frames.copy(), opinion.copy(), cap.copy()
    for index, looping in found:
        verdict[index] = 1 if looping.last_s == series.end_s[index] else 0
        start_s[index], value[index] = looping.start_s, looping.passes
        period_s[index], frames[index] = round(looping.period_s, 3), looping.period
        area[index] = round(looping.area, 3)
        opinion[index] = "stuck" if looping.jumps else "seamless"
        confidence[index] = _confidence(looping)
        if not looping.jumps:
            cap[index] = SEVERITIES.index("info")
    return Evidence(
        kind="video.loop",
        scope="",
        start_s=start_s,
        end_s=series.end_s,
        verdict=verdict,
        value=value,
        limit=limits.raise_repeats,
        unit="repeats",
        confidence=confidence,
        details={"period_s": period_s, "period_frames": frames, "moving_area": area, "verdict": opinion},
        severity_cap=cap,
        message="picture loops for {duration_s:.1f} s: {period_frames} pictures ({period_s:.2f} s) are shown again and "
        "again ({verdict})",
    )


def _squares(luma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means over squares of tiles in integers, int16 [T, N], and their sums down the columns, float32 [T, K].

    Tiles beyond the last whole square are left out. The sums stay below 2²⁴, so that they are exact.
    """
    rows, columns = luma.shape[1] // _POOL, luma.shape[2] // _POOL
    luma = luma[:, : rows * _POOL, : columns * _POOL]
    lines = luma[:, 0::_POOL] + luma[:, 1::_POOL] + luma[:, 2::_POOL]
    squares = lines[:, :, 0::_POOL] + lines[:, :, 1::_POOL] + lines[:, :, 2::_POOL]
    squares = np.rint(squares * np.float32(_UNIT / _POOL**2))
    sums = np.add.reduce(squares, axis=1)
    return squares.reshape(len(luma), -1).astype(np.int16), np.asarray(sums)


def _begun(
    squares: np.ndarray, columns: np.ndarray, pts_s: np.ndarray, end_s: float, limits: LoopLimits
) -> _Looping | None:
    """The loop that the last picture makes certain; null without one.

    Args:
        squares: int16 [H, N]: the pictures of one stretch, oldest first.
        columns: float32 [H, K]: the sums of columns of squares.
        pts_s: float64 [H].
        end_s: End of the last one, in seconds.
        limits: What a loop is.
    """
    last = len(squares) - 1
    longest = last - int(np.searchsorted(pts_s, pts_s[last] - limits.longest_s - 1e-6))
    if longest < 2:
        return None
    # Distances to the pictures before, the nearest in time first; integers, so that no order of adding matters. Sums
    # are never farther apart than what they are of, so that they say which of the pictures can have come back.
    apart = np.abs(columns[last - longest : last] - columns[last])
    nearer = (apart @ np.ones(apart.shape[1], np.float32))[::-1]
    so_far = np.maximum.accumulate(nearer)
    back = np.flatnonzero(nearer[1:] * np.float32(_FIRST_AWAY) < so_far[:-1]) + 1
    if not len(back):
        return None
    # The farthest in between is where the sums are.
    peaks = np.flatnonzero(nearer[: back[-1]] == so_far[: back[-1]])
    asked = np.concatenate([back, peaks])
    distance = _distances(squares[last - 1 - asked], squares[last])
    farthest = np.maximum.accumulate(distance[len(back) :])[np.searchsorted(peaks, back) - 1]
    floor = limits.moving_area * limits.motion * _UNIT * squares.shape[1]
    distance = distance[: len(back)]
    is_back = (distance * _AWAY < farthest) & (farthest > floor)
    back, distance, farthest = back[is_back], distance[is_back], farthest[is_back]
    if not len(back):
        return None
    edges = [0, *(np.flatnonzero(back[1:] - back[:-1] > 1) + 1).tolist(), len(back)]
    for low, high in pairwise(edges[: _CANDIDATES + 1]):
        nearest = low + int(distance[low:high].argmin())
        periods = [int(back[nearest]) + 1]
        if high - low >= _QUIET:
            periods += _period_by_jump(squares, columns, back[low:high] + 1)
        for period in periods:
            if 2 * period > last + 1:
                continue
            # A look at three pictures of the period before all of them, at their sums first.
            some = last - _QUARTERS * period // 4
            most = float(farthest[nearest]) / _AWAY * 2.0
            if np.abs(columns[some] - columns[some - period]).sum(axis=1).max() > most:
                continue
            if _distances(squares[some], squares[some - period]).max() <= most and (
                found := _looping(squares, pts_s, period, end_s, limits)
            ):
                return found
    return None


def _period_by_jump(squares: np.ndarray, columns: np.ndarray, periods: np.ndarray) -> list[int]:
    """Of the periods, int64 [P], the one after which the greatest step was there before; none where there was no step.

    In a quiet shot one picture is like the next, and only a cut tells which of them it was.
    """
    last = len(squares) - 1
    periods = periods[2 * periods <= last]
    if not len(periods):
        return []
    first = last - int(periods[-1]) + 1
    at = first + int(np.abs(columns[first:] - columns[first - 1 : -1]).sum(axis=1).argmax())
    apart = _distances(squares[at - periods], squares[at]) + _distances(squares[at - 1 - periods], squares[at - 1])
    nearest = int(apart.argmin())
    if apart[nearest] * _AWAY > _distances(squares[at : at + 1], squares[at - 1])[0]:
        return []
    return [int(periods[nearest])]


def _looping(squares: np.ndarray, pts_s: np.ndarray, period: int, end_s: float, limits: LoopLimits) -> _Looping | None:
    """The loop of this many pictures that ends with the last one; null where there is none."""
    last = len(squares) - 1
    period_s = float(pts_s[last] - pts_s[last - period])
    least = max(limits.raise_repeats * period_s, limits.least_s)
    moving = _is_moving(squares[last - period : last + 1], limits)
    if end_s - pts_s[period] < least or np.count_nonzero(moving) < limits.moving_area * len(moving):
        return None
    most = _most(squares[last - period : last + 1, moving], limits)
    # Repeats are asked for from the last one back, in chunks: nearly no candidate survives the first.
    run, chunk = 0, 8
    while run <= last - period:
        newer = squares[max(period, last - run - chunk + 1) : last - run + 1, moving]
        older = squares[max(period, last - run - chunk + 1) - period : last - run + 1 - period, moving]
        repeats = differences(newer, older) <= most
        if not repeats.all():
            run += int(np.argmin(repeats[::-1]))
            break
        run += len(repeats)
        chunk *= 2
    begun = last - run + 1
    if run < 2 or end_s - float(pts_s[begun]) < least - 1e-6 or run < limits.raise_repeats * period:
        return None
    pictures = squares[last - period + 1 : last + 1]
    if np.median(np.ptp(pictures, axis=1)) < _CONTENT * _UNIT:
        return None
    within = None
    if period_s > _FLICKER_S:
        within = between_cuts(
            squares[last - 2 * period + 1 : last + 1],
            moving,
            motion=limits.motion * _UNIT,
            area=limits.moving_area,
            likeness=limits.likeness,
            noise=_NOISE * _UNIT,
        )
        if within is None:
            is_meant = swings(pictures[:, moving], _ROUGHLY * most) or (
                period_s < _BLINK_S and blinks(squares[last - period : last + 1, moving])
            )
        else:
            is_meant = not within.is_same or swings(pictures[:, within.at], _ROUGHLY * within.most)
        if is_meant:
            return None
    steps = np.abs(np.diff(squares[begun - period : begun + 1].astype(np.int32), axis=0)).sum(axis=1)
    seam = min(_SEAM, _SEAM_PER_STEP * (period - 1))
    jumps = period <= 2 or bool(steps[-1] > seam * np.median(steps[:-1]))
    return _Looping(
        period=period,
        period_s=period_s,
        start_s=float(pts_s[begun - period]),
        area=float(np.count_nonzero(moving) / len(moving)),
        jumps=jumps,
        passes=run / period,
        last_s=end_s,
        within=within,
    )


def _went_on(
    looping: _Looping, squares: np.ndarray, at: int, begin: int, end_s: float, limits: LoopLimits
) -> _Looping | None:
    """The loop after one more picture; null where it has ended."""
    period = looping.period
    if at - 2 * period >= begin:
        moving = _is_moving(squares[at - 2 * period : at - period + 1], limits)
        if moving.any():
            most = _most(squares[at - 2 * period : at - period + 1, moving], limits)
            newer, older = squares[at : at + 1], squares[at - period : at - period + 1]
            within = looping.within
            if differences(newer[:, moving], older[:, moving])[0] <= most and (
                within is None or differences(newer[:, within.at], older[:, within.at])[0] <= _ROUGHLY * within.most
            ):
                return replace(looping, last_s=end_s, passes=looping.passes + 1.0 / period)
    return None if end_s - looping.last_s > _GAP_S else looping


def _is_moving(squares: np.ndarray, limits: LoopLimits) -> np.ndarray:
    """Which squares change within these pictures, bool [N]."""
    return np.asarray(np.ptp(squares, axis=0) > limits.motion * _UNIT)


def _most(squares: np.ndarray, limits: LoopLimits) -> float:
    """How much a repeat may differ where the squares, int16 [T, N], change like this within a period."""
    return float(limits.likeness * np.ptp(squares, axis=0).mean(dtype=np.float64) + _NOISE * _UNIT)


def _distances(newer: np.ndarray, older: np.ndarray) -> np.ndarray:
    """Sums of absolute differences of pictures, float32 [T]: of integers below 2²⁴, so exact in any order."""
    apart = newer - older
    return np.asarray(np.abs(apart, out=apart).astype(np.float32) @ np.ones(newer.shape[1], np.float32))


def _confidence(looping: _Looping) -> float:
    """0.6 for a single repeat of little motion, up to 0.98."""
    return min(
        0.98, 0.5 + 0.1 * min(looping.passes, 3.0) + 0.2 * min(looping.area / 0.2, 1.0) - 0.2 * (not looping.jumps)
    )


LOOP = Detector(
    name="loop",
    kinds=("video.loop",),
    consumes="video",
    weigh=loop,
    limits=LoopLimits(),
    timing=EventTiming(raise_after_s=0.6, clear_after_s=0.0, major_after_s=5.0, critical_after_s=15.0),
    summary="The same pictures or seconds are shown again and again.",
    source="our own measurement on planted loops of 2 to 100 pictures",
)
