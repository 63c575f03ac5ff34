"""Freeze: the picture, or all of it but a ticker or a clock, stops changing while its clock runs on.

A picture counts as unchanged since time s when no tile's mean luma has left the value it had at s by more than
`raise_drift`, and most steps since have been no more than noise. The first condition is what makes the second one
forgiving: noise, an encoder's refinement of a picture that has stopped and its pulse at key frames move samples, but
they do not add up; motion does.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa.detectors.noise_floor import beyond, counts, noise_floor
from gpu_qa.detectors.overlay import overlay_box
from gpu_qa.series import SEVERITIES, Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

_BEFORE_S = 2.0
"""How much of the time before a freeze its onset is judged by."""
_OVERLAY_S = 0.9
"""A tile that has moved within this time may belong to an overlay: shorter than a clock's second, so that at its first
tick the picture that stopped a second ago no longer counts as moving."""
_HISTORY_S = _BEFORE_S + _OVERLAY_S + 0.3
_SOON_S = 0.8
"""A freeze's onset is judged at this age at the latest: all that it is judged by is still remembered then."""
_STEP_STILL = 0.002
"""Share of the tiles that may exceed the noise floor in a still step: two of a thousand."""
_FLAT_STD, _FLAT_SPREAD, _FLAT_AREA = 0.012, 0.02, 0.95
"""A picture without content (black, one colour) cannot freeze: tile deviation, distance to the median luma, area."""

_LIVELY, _LIVELY_SHARE = 0.01, 0.25
"""A picture was alive before it stopped where more than this share of its tiles moved in this share of the steps: what
less moves over is a pointer, a clock or a line of text, and the picture behind it was a still. Ours: screen recordings
move up to 0.010 of their tiles."""

_OPINION = {"start": "still", "cut": "still", "rest": "still", "settled": "unclear", "motion": "dead"}
_CONFIDENCE = {"start": 0.5, "cut": 0.6, "rest": 0.5, "settled": 0.7, "motion": 0.95}


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
    """A still that looks intended (it began with a cut or with the stream, or only a pointer or a line of text moved
    over it) is `info` up to this length, in seconds."""


@dataclass(frozen=True, slots=True)
class FreezeCarry:
    """What the judgement of a frame needs of those before it."""

    begin_s: float
    """When the first comparable picture was shown."""
    anchor: np.ndarray
    """float32 [N]: mean luma of each tile when it last moved."""
    since_s: np.ndarray
    """float64 [N]: when that was."""
    inner_s: float
    """When something last moved that reached beyond the upper and the lower edge."""
    pts_s: np.ndarray
    """float64 [H]: the steps of the last seconds, oldest first."""
    moving: np.ndarray
    """uint8 [H, N / 8]: which tiles exceeded the noise floor in them, a bit each."""
    activity: np.ndarray
    """float64 [H]: share of such tiles."""
    level: np.ndarray
    """float32 [H]: mean coarse change in them."""
    frozen_since: tuple[float, str | None] | None = None
    """Start in seconds of the freeze that is going on, and its onset once it is known; null while the picture moves."""


def freeze(
    series: VideoSeries, limits: FreezeLimits = FreezeLimits(), carry: FreezeCarry | None = None
) -> tuple[list[Evidence], FreezeCarry | None]:
    """Weigh, at every frame, since when the picture has been the same.

    Args:
        series: Consecutive frames of one format.
        limits: When a picture counts as frozen.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence with one step per frame, whose value is the mean coarse change of what is frozen as a fraction of full
        scale, and the carry for the series that follows.
    """
    count = len(series)
    if not count:
        return [], carry
    history = _History(series, limits, carry)
    verdict = np.full(count, -1, np.int8)
    start_s = series.pts_s.copy()
    cap = constant(count, len(SEVERITIES) - 1, np.int8)
    confidence, area = constant(count, 1.0, np.float32), constant(count, 0.0, np.float32)
    onset = opinion = constant(count, "", object)
    for i in range(count):
        history.advance(i)
        if history.is_moving(i):
            history.frozen_since = None
            continue
        judged, since = _frozen_since(history, i)
        history.frozen_since = since
        verdict[i] = judged
        how = since[1] if since and judged > 0 else None
        if since is None or how is None:
            continue
        if not area.flags.writeable:
            cap, confidence, area = cap.copy(), confidence.copy(), area.copy()
            onset, opinion = onset.copy(), opinion.copy()
        start_s[i], onset[i] = since[0], how
        area[i] = np.count_nonzero(history.since_s <= since[0]) / history.since_s.size
        opinion[i] = _OPINION[how]
        confidence[i] = _CONFIDENCE[how]
        if opinion[i] == "still":
            is_long = series.end_s[i] - since[0] > limits.still_warn_after_s
            cap[i] = SEVERITIES.index("warn" if is_long else "info")
    evidence = Evidence(
        kind="video.freeze",
        scope="",
        start_s=start_s,
        end_s=series.end_s,
        verdict=verdict,
        value=history.value,
        limit=limits.noise_floor,
        unit="full_scale",
        worst="min",
        confidence=confidence,
        details={"frozen_area": area, "onset": onset, "verdict": opinion},
        severity_cap=cap,
        message="picture unchanged for {duration_s:.1f} s over {frozen_area:.0%} of its area ({verdict})",
    )
    return [evidence], history.carry()


class _Moves(NamedTuple):
    """Which tiles move, step by step: further than `raise_drift` from what they are compared with, or in a pulse."""

    tiles: np.ndarray
    """bool [T, N]."""
    counts: list[int]
    """How many, of each step."""
    within: list[int]
    """How many of the middle, of each step."""


class _History:
    """The steps of a series behind those of the last seconds, and where every tile stands after each."""

    def __init__(self, series: VideoSeries, limits: FreezeLimits, carry: FreezeCarry | None) -> None:
        count = len(series)
        self.series, self.limits = series, limits
        self.luma = series.luma.reshape(count, -1)
        self.rows, self.columns = series.luma.shape[1:]
        coarse = series.coarse_change.reshape(count, -1)
        is_moving = coarse > noise_floor(coarse, limits.noise_floor, limits.noise_ceiling)[:, None]
        activity = counts(is_moving) / coarse.shape[1]
        moving = np.packbits(is_moving, axis=1)
        level = np.add.reduce(series.coarse_cells.reshape(count, -1), axis=1)
        level /= np.float32(series.coarse_cells[0].size)
        self.coarse, self.value = coarse, level.copy()
        self.comparable = series.comparable.tolist()
        self.pulses = coarse > limits.pulse
        """Which tiles change by more than `pulse`, bool [T, N]."""
        self.has_pulse = bool(self.pulses.any())
        quarter = self.rows // 4 * self.columns
        self.edge, self.middle = slice(quarter), slice(quarter, self.luma.shape[1] - quarter)
        self.stepped = self._moves(self.luma[1:] - self.luma[:-1], 1)
        """Against the step before; without the first step."""
        self.is_fresh = False
        """Whether the anchor is the step before."""
        self.left: tuple[int, _Moves] | None = None
        """Against the anchor: from which step on, as long as the anchor stays; null where not known."""
        self.frozen_since = carry.frozen_since if carry else None
        if carry is None:
            self.first = 0
            self.pts_s, self.moving, self.activity, self.level = series.pts_s, moving, activity, level
            self.begin_s = self.inner_s = float(series.pts_s[0])
            self.anchor = self.luma[0]
            self.since_s = np.full(self.anchor.shape, self.begin_s)
        else:
            self.first = len(carry.pts_s)
            self.pts_s = np.concatenate([carry.pts_s, series.pts_s])
            self.moving = np.concatenate([carry.moving, moving])
            self.activity = np.concatenate([carry.activity, activity])
            self.level = np.concatenate([carry.level, level])
            self.begin_s, self.inner_s = carry.begin_s, carry.inner_s
            self.anchor, self.since_s = carry.anchor, carry.since_s.copy()
        self.moved_s = float(self.since_s.max())
        """When anything last moved."""
        self.times_s: list[float] = list(self.pts_s.tolist())

    def advance(self, i: int) -> None:
        """Take the series' step `i`.

        Tiles that moved get a new anchor; when it was more than an overlay, all do: what drifts slowly beside motion
        must not add up to a movement in the middle of a freeze.
        """
        luma, now_s = self.luma[i], self.now_s(i)
        if not self.comparable[i]:
            self.begin_s = self.moved_s = self.inner_s = now_s
            self.since_s[:] = now_s
            self._drop_anchor(luma)
            return
        moved, tiles, within = self._moved(i)
        if not tiles:
            self.is_fresh = False
            return
        self.moved_s = now_s
        np.putmask(self.since_s, moved, now_s)
        if within or np.count_nonzero(moved[self.edge]) not in (0, tiles):
            self.inner_s = now_s
        elif overlay_box(moved.reshape(self.rows, self.columns)) is not None:
            self._drop_anchor(np.where(moved, luma, self.anchor))
            self.is_fresh = False
            return
        self._drop_anchor(luma)

    def _drop_anchor(self, luma: np.ndarray) -> None:
        self.anchor, self.is_fresh, self.left = luma, True, None

    def _moves(self, away: np.ndarray, first: int) -> _Moves:
        """What moves in the series' steps from `first` on, by how far they are away, float32 [T, N], overwritten."""
        moved = beyond(away, self.limits.raise_drift)
        if self.has_pulse:
            moved |= self.pulses[first:]
        return _Moves(moved, counts(moved).tolist(), counts(moved[:, self.middle]).tolist())

    def _moved(self, i: int) -> tuple[np.ndarray, int, int]:
        """The tiles that move with the series' step `i`, against the anchor; how many in all, and in the middle."""
        if self.is_fresh:
            moves, at = self.stepped, i - 1
        else:
            if self.left is None:
                self.left = (i, self._moves(self.luma[i:] - self.anchor, i))
            moves, at = self.left[1], i - self.left[0]
        return moves.tiles[at], moves.counts[at], moves.within[at]

    def is_moving(self, i: int) -> bool:
        """The first look: whether step `i` cannot be still, nor be an overlay that moves over what is.

        In nearly all steps of nearly all streams something has just moved.
        """
        now_s = self.now_s(i)
        return now_s <= self.moved_s and (not self.limits.partial or self.inner_s > now_s - _OVERLAY_S)

    def moving_in(self, tiles: np.ndarray, steps: slice = slice(None)) -> np.ndarray:
        """Which of the tiles, bool [N], exceeded the noise floor in each of the steps, bool [H, M]."""
        return np.unpackbits(self.moving[steps], axis=1, count=tiles.size).view(bool)[:, tiles]

    def now_s(self, i: int) -> float:
        """Time of the series' step `i`, in seconds."""
        return self.times_s[self.first + i]

    def between(self, start_s: float, end_s: float, i: int) -> slice:
        """The steps up to `i` in `start_s` < time ≤ `end_s`, as far as they are comparable and remembered.

        What is remembered counts from step `i`, so that it does not depend on where the series was cut.
        """
        until = self.first + i + 1
        start_s = max(start_s, self.begin_s, self.times_s[until - 1] - _HISTORY_S)
        return slice(bisect_right(self.times_s, start_s, 0, until), bisect_right(self.times_s, end_s, 0, until))

    def is_plain(self, i: int, tiles: np.ndarray | None = None) -> bool:
        """Whether the series' step `i` has no content: nearly all tiles are flat and look like the picture's middle.

        Args:
            i: The step.
            tiles: bool [N]: those to look at; null is all.
        """
        chosen = slice(None) if tiles is None else tiles
        flat = self.series.luma_std[i].ravel()[chosen] < _FLAT_STD
        if np.count_nonzero(flat) / len(flat) < _FLAT_AREA:
            return False
        near = np.abs(self.luma[i] - self.series.median_luma[i])[chosen] < _FLAT_SPREAD
        return bool(np.count_nonzero(flat & near) / len(flat) >= _FLAT_AREA)

    def carry(self) -> FreezeCarry:
        """What the next series needs."""
        keep = slice(bisect_left(self.times_s, self.times_s[-1] - _HISTORY_S), None)
        return FreezeCarry(
            begin_s=self.begin_s,
            anchor=self.anchor.copy(),
            since_s=self.since_s,
            inner_s=self.inner_s,
            pts_s=self.pts_s[keep],
            moving=self.moving[keep].copy(),
            activity=self.activity[keep].copy(),
            level=self.level[keep].copy(),
            frozen_since=self.frozen_since,
        )


def _frozen_since(history: _History, i: int) -> tuple[int, tuple[float, str | None] | None]:
    """Verdict at step `i` of the series, and where it is not −1 the freeze's start in seconds and its onset."""
    known, since_s = history.frozen_since, history.moved_s
    verdict = _stillness(history, i, since_s, history.activity)
    if verdict >= 0:
        if history.is_plain(i):
            return -1, None
        start_s, onset = known or (since_s, None)
        # Most pictures that stop move on at once: until it is told, how it began need not be known.
        if onset is None and (verdict > 0 or history.now_s(i) - start_s > _SOON_S):
            onset = _onset(history, i, start_s)
        return verdict, (start_s, onset)
    overlay = _overlay(history, i) if history.limits.partial else None
    if overlay is None:
        return -1, None
    rest = ~overlay
    if history.is_plain(i) or history.is_plain(i, rest):
        return -1, None
    since_s = float(history.since_s[rest].max())
    activity = history.moving_in(rest).mean(axis=1)
    if known is not None and known[1] is None:
        known = (known[0], _onset(history, i, known[0]))
    settled_s = -np.inf if known is None else known[0] + history.limits.settle_s
    onset = (
        known[1] if known is not None and since_s <= settled_s else _onset_under(history, i, since_s, rest, activity)
    )
    verdict = _stillness(history, i, since_s, activity) if onset else -1
    if verdict >= 0:
        history.value[i] = history.coarse[i, rest].mean()
    return verdict, known or (since_s, onset) if onset and verdict >= 0 else None


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
    ran_before = history.moving_in(~rest, before).any(axis=1)
    if onset in ("start", "cut", "rest") or not ran_before.size:
        return None
    return onset if ran_before.mean() >= 0.5 and (activity[before] > 0.01).mean() >= 0.6 else None


def _stillness(history: _History, i: int, since_s: float, activity: np.ndarray) -> int:
    """+1 where step `i` is still and so were most since `since_s`, 0 where that is open, −1 where it moves."""
    now_s, limits = history.now_s(i), history.limits
    if now_s <= since_s:
        return -1
    still = activity[history.between(max(since_s, now_s - 1.0), now_s, i)] <= _STEP_STILL
    if np.count_nonzero(still) / len(still) >= limits.still_share:
        return 1 if activity[history.first + i] <= _STEP_STILL else 0
    return 0 if now_s - since_s <= limits.settle_s else -1


def _overlay(history: _History, i: int) -> np.ndarray | None:
    """Tiles of what moves on over a still picture, with a margin of one, bool [N]; null where it is no overlay."""
    from_s = history.now_s(i) - _OVERLAY_S
    if history.inner_s > from_s or history.moved_s <= from_s:
        return None
    live = history.since_s > from_s
    area = overlay_box(live.reshape(history.rows, history.columns))
    if area is None:
        return None
    overlay = np.zeros((history.rows, history.columns), bool)
    overlay[area] = True
    return overlay.ravel()


def _onset(history: _History, i: int, since_s: float) -> str:
    """How the stillness began: with the stream, with a cut, as the rest of a still, out of motion, or by settling."""
    before = history.between(since_s - _BEFORE_S, since_s, i)
    level = history.level[before]
    if since_s - history.begin_s < 0.2 or not len(level):
        return "start"
    if level[-1] > 0.04 and level[-1] > 4.0 * np.median(level):
        return "cut"
    activity = history.activity[before]
    if np.count_nonzero(activity > _LIVELY) < _LIVELY_SHARE * len(activity):
        return "rest"
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
