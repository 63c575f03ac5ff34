"""Freeze: the picture, or all of it but a ticker or a clock, stops changing while its clock runs on.

A picture counts as unchanged since time s when no tile's mean luma has left the value it had at s by more than
`raise_drift`, and most steps since have been no more than noise. The first condition is what makes the second one
forgiving: noise, an encoder's refinement of a picture that has stopped and its pulse at key frames move samples, but
they do not add up; motion does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.series import SEVERITIES, Detector, EventTiming, Evidence

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

_BEFORE_S = 2.0
"""How much of the time before a freeze its onset is judged by."""
_OVERLAY_S = 0.9
"""A tile that has moved within this time may belong to an overlay: shorter than a clock's second, so that at its first
tick the picture that stopped a second ago no longer counts as moving."""
_HISTORY_S = _BEFORE_S + _OVERLAY_S + 0.3
_STEP_STILL = 0.002
"""Share of the tiles that may exceed the noise floor in a still step: two of a thousand."""
_FLAT_STD, _FLAT_SPREAD, _FLAT_AREA = 0.012, 0.02, 0.95
"""A picture without content (black, one colour) cannot freeze: tile deviation, distance to the median luma, area."""

_OPINION = {"start": "still", "cut": "still", "settled": "unclear", "motion": "dead"}
_CONFIDENCE = {"start": 0.5, "cut": 0.6, "settled": 0.7, "motion": 0.95}


@dataclass(frozen=True, slots=True)
class FreezeLimits:
    """When a picture counts as frozen."""

    noise_floor: float = 0.0015
    """A tile is still at or below this coarse change, as a fraction of full scale; rises with the picture's own
    noise (2.5 × the quieter quarter of the tiles) up to `noise_ceiling`. FFmpeg's freezedetect has 0.001 of the
    unaveraged difference."""
    noise_ceiling: float = 0.006
    """The most that the noise floor may rise to, as a fraction of full scale."""
    raise_drift: float = 0.018
    """A tile has moved when its mean luma is further than this from where it was, as a fraction of full scale.
    Planted freezes stayed below 0.014 on every clip looked at; moving pictures passed 0.2 within 2 s."""
    pulse: float = 0.04
    """A tile has moved when one step changes it by more than this, as a fraction of full scale; an encoder's pulse
    at a key frame stays below."""
    still_share: float = 0.5
    """At least this share of the steps of the last second must be still."""
    settle_s: float = 0.6
    """How long, in seconds, a picture that has stopped may take to become still (encoders refine it)."""
    partial: bool = True
    """Also tell a picture that is frozen under an overlay that moves on: a strip along the upper or lower edge, or a
    box in a corner."""
    still_warn_after_s: float = 60.0
    """A still that looks intended (it began with a cut, or with the stream) is `info` up to this length."""


@dataclass(frozen=True, slots=True)
class FreezeCarry:
    """What the judgement of a frame needs of those before it."""

    begin_s: float
    """When the first comparable picture was shown."""
    anchor: np.ndarray
    """float32 [N]: mean luma of each tile when it last moved."""
    since_s: np.ndarray
    """float64 [N]: when that was."""
    pts_s: np.ndarray
    """float64 [H]: the steps of the last seconds, oldest first."""
    moving: np.ndarray
    """bool [H, N]: which tiles exceeded the noise floor in them."""
    level: np.ndarray
    """float32 [H]: mean coarse change in them."""
    frozen_since: tuple[float, str] | None = None
    """Start in seconds and onset of the freeze that is going on; null while the picture moves."""


def freeze(
    series: VideoSeries, limits: FreezeLimits = FreezeLimits(), carry: FreezeCarry | None = None
) -> tuple[list[Evidence], FreezeCarry | None]:
    """Weigh, at every frame, since when the picture has been the same.

    Args:
        series: Consecutive frames of one format.
        limits: When a picture counts as frozen.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence with one step per frame, whose value is the mean coarse change as a fraction of full scale, and the
        carry for the series that follows.
    """
    count = len(series)
    if not count:
        return [], carry
    history = _History(series, limits, carry)
    verdict = np.full(count, -1, np.int8)
    start_s = series.pts_s.copy()
    cap = np.full(count, len(SEVERITIES) - 1, np.int8)
    confidence = np.ones(count, np.float32)
    area = np.zeros(count, np.float32)
    onset, opinion = np.full(count, "", object), np.full(count, "", object)
    for i in range(count):
        history.advance(i, limits)
        verdict[i], found = _frozen_since(history, i, limits)
        history.frozen_since = history.frozen_since or found if found else None
        if history.frozen_since is None:
            continue
        start_s[i], onset[i] = history.frozen_since
        area[i] = (history.since_s <= start_s[i]).mean()
        opinion[i] = _OPINION[onset[i]]
        confidence[i] = _CONFIDENCE[onset[i]]
        if opinion[i] == "still":
            is_long = series.end_s[i] - start_s[i] > limits.still_warn_after_s
            cap[i] = SEVERITIES.index("warn" if is_long else "info")
    evidence = Evidence(
        kind="video.freeze",
        scope="",
        start_s=start_s,
        end_s=series.end_s,
        verdict=verdict,
        value=history.level[history.first :],
        limit=limits.noise_floor,
        unit="full_scale",
        worst="min",
        confidence=confidence,
        details={"frozen_area": area, "onset": onset, "verdict": opinion},
        severity_cap=cap,
        message="picture unchanged for {duration_s:.1f} s over {frozen_area:.0%} of its area ({verdict})",
    )
    return [evidence], history.carry()


class _History:
    """The steps of a series behind those of the last seconds, and where every tile stands after each."""

    def __init__(self, series: VideoSeries, limits: FreezeLimits, carry: FreezeCarry | None) -> None:
        count = len(series)
        self.luma = series.luma.reshape(count, -1)
        self.coarse = series.coarse_change.reshape(count, -1)
        self.comparable = series.comparable
        self.plain = _plain(series)
        quiet = np.partition(self.coarse, self.coarse.shape[1] // 4, axis=1)[:, self.coarse.shape[1] // 4]
        floor = np.clip(2.5 * quiet, limits.noise_floor, limits.noise_ceiling)
        moving = self.coarse > floor[:, None]
        level = self.coarse.mean(axis=1, dtype=np.float64).astype(np.float32)
        self.rows, self.columns = series.luma.shape[1:]
        self.frozen_since = carry.frozen_since if carry else None
        if carry is None:
            self.first = 0
            self.pts_s, self.moving, self.level = series.pts_s, moving, level
            self.begin_s = float(series.pts_s[0])
            self.anchor = self.luma[0].copy()
            self.since_s = np.full(self.anchor.shape, self.begin_s)
        else:
            self.first = len(carry.pts_s)
            self.pts_s = np.concatenate([carry.pts_s, series.pts_s])
            self.moving = np.concatenate([carry.moving, moving])
            self.level = np.concatenate([carry.level, level])
            self.begin_s = carry.begin_s
            self.anchor, self.since_s = carry.anchor.copy(), carry.since_s.copy()
        self.activity = self.moving.mean(axis=1)

    def advance(self, i: int, limits: FreezeLimits) -> None:
        """Take the series' step `i`.

        Tiles that moved get a new anchor; when it was more than an overlay, all do: what drifts slowly beside motion
        must not add up to a movement in the middle of a freeze.
        """
        if not self.comparable[i]:
            self.begin_s = float(self.pts_s[self.first + i])
            self.anchor[:] = self.luma[i]
            self.since_s[:] = self.begin_s
            return
        moved = np.abs(self.luma[i] - self.anchor) > limits.raise_drift
        moved |= self.coarse[i] > limits.pulse
        if moved.any():
            anchored = moved if _overlay_area(moved.reshape(self.rows, self.columns)) is not None else slice(None)
            self.anchor[anchored] = self.luma[i][anchored]
            self.since_s[moved] = self.pts_s[self.first + i]

    def between(self, start_s: float, end_s: float, i: int) -> slice:
        """The steps up to `i` in `start_s` < time ≤ `end_s`, as far as they are comparable and remembered.

        What is remembered counts from step `i`, so that it does not depend on where the series was cut.
        """
        pts_s = self.pts_s[: self.first + i + 1]
        start_s = max(start_s, self.begin_s, float(pts_s[-1]) - _HISTORY_S)
        low, high = np.searchsorted(pts_s, [start_s, end_s], side="right")
        return slice(int(low), int(high))

    def carry(self) -> FreezeCarry:
        """What the next series needs."""
        keep = slice(int(np.searchsorted(self.pts_s, self.pts_s[-1] - _HISTORY_S)), None)
        return FreezeCarry(
            begin_s=self.begin_s,
            anchor=self.anchor,
            since_s=self.since_s,
            pts_s=self.pts_s[keep],
            moving=self.moving[keep].copy(),
            level=self.level[keep].copy(),
            frozen_since=self.frozen_since,
        )


def _plain(series: VideoSeries) -> np.ndarray:
    """Tiles without content that look like the middle of the picture's, bool [T, N]."""
    luma = series.luma.reshape(len(series), -1)
    spread = np.abs(luma - np.median(luma, axis=1, keepdims=True))
    return np.asarray((series.luma_std.reshape(luma.shape) < _FLAT_STD) & (spread < _FLAT_SPREAD))


def _frozen_since(history: _History, i: int, limits: FreezeLimits) -> tuple[int, tuple[float, str] | None]:
    """Verdict at step `i` of the series, and where it is not −1 the freeze's start in seconds and its onset."""
    if history.plain[i].mean() >= _FLAT_AREA:
        return -1, None
    since_s = float(history.since_s.max())
    verdict = _stillness(history, i, since_s, history.activity, limits)
    if verdict >= 0:
        return verdict, (since_s, _onset(history, i, since_s))
    overlay = _overlay(history, i) if limits.partial else None
    if overlay is None or history.plain[i][~overlay].mean() >= _FLAT_AREA:
        return -1, None
    rest = ~overlay
    since_s = float(history.since_s[rest].max())
    activity = history.moving[:, rest].mean(axis=1)
    known = history.frozen_since
    onset = known[1] if known is not None and since_s <= known[0] else _onset_under(history, i, since_s, rest, activity)
    verdict = _stillness(history, i, since_s, activity, limits) if onset else -1
    return verdict, (since_s, onset) if onset and verdict >= 0 else None


def _onset_under(history: _History, i: int, since_s: float, rest: np.ndarray, activity: np.ndarray) -> str | None:
    """How the stillness under an overlay began; null where it began as no freeze does.

    Args:
        history: The steps so far.
        i: The step of the series.
        since_s: When the rest of the picture last moved, in seconds.
        rest: bool [N]: the tiles without the overlay.
        activity: float64 [H]: share of them that moved in each step.
    """
    onset = _onset(history, i, since_s)
    before = history.between(since_s - _BEFORE_S, since_s, i)
    ran_before = history.moving[before][:, ~rest].any(axis=1)
    if onset in ("start", "cut") or not ran_before.size:
        return None
    return onset if ran_before.mean() >= 0.5 and (activity[before] > 0.01).mean() >= 0.6 else None


def _stillness(history: _History, i: int, since_s: float, activity: np.ndarray, limits: FreezeLimits) -> int:
    """+1 where step `i` is still and so were most since `since_s`, 0 where that is open, −1 where it moves."""
    now = history.first + i
    now_s = float(history.pts_s[now])
    if now_s <= since_s:
        return -1
    still = activity[history.between(max(since_s, now_s - 1.0), now_s, i)] <= _STEP_STILL
    if still.mean() >= limits.still_share:
        return 1 if activity[now] <= _STEP_STILL else 0
    return 0 if now_s - since_s <= limits.settle_s else -1


def _overlay(history: _History, i: int) -> np.ndarray | None:
    """Tiles of what moves on over a still picture, with a margin of one, bool [N]; null where it is no overlay."""
    live = history.since_s > history.pts_s[history.first + i] - _OVERLAY_S
    area = _overlay_area(live.reshape(history.rows, history.columns))
    if area is None:
        return None
    overlay = np.zeros((history.rows, history.columns), bool)
    overlay[area] = True
    return overlay.ravel()


def _overlay_area(live: np.ndarray) -> tuple[slice, slice] | None:
    """Box around the live tiles [R, K] where it is shaped like an overlay (strip at an edge, box in a corner)."""
    rows, columns = live.shape
    y, x = np.flatnonzero(live.any(axis=1)), np.flatnonzero(live.any(axis=0))
    if not y.size:
        return None
    top, bottom, left, right = int(y[0]), int(y[-1]) + 1, int(x[0]), int(x[-1]) + 1
    at_edge = bottom <= rows // 4 or top >= rows - rows // 4
    in_corner = right <= columns // 3 or left >= columns - columns // 3
    is_strip = right - left >= columns // 2
    if not (at_edge and (is_strip or in_corner)):
        return None
    return slice(max(0, top - 1), bottom + 1), slice(max(0, left - 1), right + 1)


def _onset(history: _History, i: int, since_s: float) -> str:
    """How the stillness began: with the stream, with a cut, out of motion, or by settling."""
    before = history.between(since_s - _BEFORE_S, since_s, i)
    level = history.level[before]
    if since_s - history.begin_s < 0.2 or not len(level):
        return "start"
    if level[-1] > 0.04 and level[-1] > 4.0 * np.median(level):
        return "cut"
    activity = history.activity[before]
    last = history.activity[history.between(since_s - 0.3, since_s, i)]
    return "motion" if last.mean() >= 0.3 * activity.mean() else "settled"


FREEZE = Detector(
    name="freeze",
    kinds=("video.freeze",),
    consumes="video",
    weigh=freeze,
    limits=FreezeLimits(),
    timing=EventTiming(raise_after_s=2.0, clear_after_s=0.0, major_after_s=5.0, critical_after_s=15.0),
    summary="The picture stands still, wholly or under a running ticker or clock.",
    source="2 s: FFmpeg freezedetect; noise and drift limits: our own measurement on planted freezes",
)
