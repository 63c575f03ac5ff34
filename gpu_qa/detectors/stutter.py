"""Stutter: pictures are repeated, or repeated and skipped, where the same shot ran smoothly before.

A repeated picture lies between two movements and shows none itself. Encoders make repeats nearly, not exactly alike, so
that a picture's change is compared with what moved just before and just after, block by block: its stillness is the
share of that movement that is missing. Film in 60 Hz, 25 pictures in 50, animation on twos, slow motion and screen
recordings repeat pictures too, but they do so from the start of a shot; a defect begins in the middle of one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.series import Detector, EventTiming, Evidence

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

_REACH = 4
"""Pictures before and after that tell what moves: one that is shown up to four times is still seen to repeat."""
_REACH_S = 0.17
"""They must be this near, in seconds: four pictures at 25 a second."""
_POOL = 3
"""Tiles are averaged over squares of this side: motion of a few tiles still shows, noise less."""
_MEMORY_S = 6.0
"""How far back a cadence is remembered, in seconds."""
_MEMORY = 512
"""At most this many pictures are, whatever their rate."""
_LEAST_S = 0.45
"""A stutter is found at this age at the earliest, in seconds."""
_USUAL, _USUAL_S = 5, 0.15
"""At least so many judged pictures over so many seconds of the same shot say what is usual in it."""
_NEARLY = 2.0
"""Of the onsets that are nearly as likely as the likeliest, as a natural logarithm, the latest is taken: a picture that
looks like a repeat by chance must not begin a stutter."""
_QUIET, _BUSY, _LEVELS = 0.35, 2.0, 25
"""Repeats change by less than the first share of what is usual, and all pictures together by no more than so many times
of it, as the picture still gets as far in the same time. Broken blocks that jump every few pictures make those in
between seem to stand. The third: so many pictures before say what is usual."""
_DOUBT = 4.0
"""A stutter has ended when the usual cadence is this much likelier, as a natural logarithm."""
_LEAST_SHARE = 0.03
"""No cadence is taken to be more regular than this: encoders and motion make single pictures look like repeats."""
_PAUSE_S = 1.5
"""A stutter has also ended when nothing moved by which to tell for this long, in seconds."""
_CUT, _CUT_RATIO, _CUT_AREA = 0.006, 2.2, 0.4
"""A step is a cut when it changes more than this share of the picture by more than the first, as a fraction of full
scale, and by so many times as much as any step near it."""


@dataclass(frozen=True, slots=True)
class StutterLimits:
    """When a picture counts as repeated, and how many repeats are a stutter."""

    raise_excess: float = 0.12
    """A stutter when the share of repeated pictures is this much above what is usual in the shot: with every fifth
    picture repeated it is 0.2 above, with every second 0.5. Ours."""
    raise_stillness: float = 0.85
    """A picture is surely repeated when this share of the movement around it is missing in it. Ours."""
    clear_stillness: float = 0.6
    """It surely is not up to this; in between it counts in part. Ours: of planted repeats 95 % measured above 0.6 after
    H.264, 97 % of the pictures of clean clips below."""
    motion: float = 0.002
    """Squares of tiles move above this coarse change, as a fraction of full scale: half a code of 8 bits. What an
    encoder refines in a picture that stands stays below."""
    moving_area: float = 0.03
    """Nothing is judged unless this share of the picture moves before and after."""
    least_repeats: int = 5
    """A stutter has at least this many repeats; a picture that is shown three times running is one."""
    surprise: float = 7.0
    """So much likelier, as a natural logarithm, must it be that the share of repeats has changed than that it has been
    the same all along."""


@dataclass(frozen=True, slots=True)
class _Running:
    """A stutter that is going on."""

    start_s: float
    """Where its first repeat begins."""
    last_s: float
    """End of the last repeat, in seconds."""
    usual: float
    """Share of repeats in the shot before."""
    share: float
    """Share of repeats in the stutter when it was found."""
    doubt: float = 0.0
    """How much likelier the pictures since then are at the usual share than at the stutter's, a natural logarithm."""


@dataclass(frozen=True, slots=True)
class StutterCarry:
    """What the judgement of a picture needs of those before it."""

    pts_s: np.ndarray
    """float64 [H]: the last pictures: those whose neighbours are not all known yet, and as many before them."""
    end_s: np.ndarray
    """float64 [H]."""
    change: np.ndarray
    """float32 [H, N]: coarse change per square of tiles."""
    comparable: np.ndarray
    """bool [H]."""
    mean_luma: float
    """Mean luma of the last picture."""
    waiting: int
    """How many of these are not judged yet."""
    known_s: np.ndarray
    """float64 [J]: the judged pictures of the last seconds."""
    known_still: np.ndarray
    """float32 [J]: their stillness; NaN where nothing moved by which to tell."""
    known_level: np.ndarray
    """float32 [J]: their mean change, as a fraction of full scale."""
    since_s: float
    """From when on pictures tell what is usual: the start of the shot, or the end of the last stutter."""
    running: _Running | None = None
    """Null while none goes on."""


def stutter(
    series: VideoSeries, limits: StutterLimits = StutterLimits(), carry: StutterCarry | None = None
) -> tuple[list[Evidence], StutterCarry | None]:
    """Weigh how many of the last pictures were repeats, against what is usual in their shot.

    Args:
        series: Consecutive frames of one format.
        limits: What a repeat and a stutter is.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence with one step per picture, four pictures late, whose value is the share of repeats above the usual, and
        the carry for the series that follows.
    """
    if not len(series):
        return [], carry
    near = _joined(series, carry)
    first = len(near.pts_s) - len(series) - near.waiting
    last = max(first, len(near.pts_s) - _REACH)
    still, is_cut = _stillness(near, first, last, limits)
    known = len(near.known_s)
    times_s = np.concatenate([near.known_s, near.pts_s[first:last]])
    stills = np.concatenate([near.known_still, still])
    levels = np.concatenate([near.known_level, near.change[first:last].mean(axis=1)])
    steps = last - first
    verdict = np.full(steps, -1, np.int8)
    start_s = near.pts_s[first:last].copy()
    share, usual, rate = np.zeros(steps), np.zeros(steps), np.zeros(steps)
    since_s, running = near.since_s, near.running
    repeats = _repeats(stills, limits)
    suspicious = running is not None or np.count_nonzero(repeats > 0.5) >= limits.least_repeats
    telling = is_cut | ((repeats[known:] > 0.5) & suspicious)
    index = 0
    while index < steps:
        if running is None and not telling[index]:
            later = np.flatnonzero(telling[index:])
            if not len(later):
                break
            index += int(later[0])
        at, end_s = known + index, float(near.end_s[first + index])
        if running is None:
            since_s = float(times_s[at]) if is_cut[index] else since_s
            running = _begun(times_s[: at + 1], repeats[: at + 1], levels[: at + 1], since_s, end_s, limits)
        else:
            running = _went_on(running, float(repeats[at]), end_s)
            if running is None:
                since_s = float(times_s[at])
        if running is not None:
            verdict[index] = 1 if running.last_s == end_s else 0
            start_s[index] = running.start_s
            share[index], usual[index] = running.share, running.usual
            rate[index] = _rate(times_s[: at + 1])
        index += 1
    evidence = Evidence(
        kind="video.stutter",
        scope="",
        start_s=start_s,
        end_s=near.end_s[first:last],
        verdict=verdict,
        value=np.asarray(share - usual, np.float32),
        limit=limits.raise_excess,
        unit="share",
        confidence=_confidence(share, usual, limits),
        details={
            "repeated_share": np.round(share, 3),
            "usual_share": np.round(usual, 3),
            "shown_rate": np.round(rate * (1.0 - share), 2),
        },
        message="picture stutters for {duration_s:.1f} s: {repeated_share:.0%} of the pictures repeat the one before",
    )
    keep = np.searchsorted(times_s, times_s[-1] - _MEMORY_S) if len(times_s) else 0
    keep = max(int(keep), len(times_s) - _MEMORY)
    tail = max(0, len(near.pts_s) - 2 * _REACH)
    return [evidence], StutterCarry(
        pts_s=near.pts_s[tail:],
        end_s=near.end_s[tail:],
        change=near.change[tail:].copy(),
        comparable=near.comparable[tail:],
        mean_luma=near.mean_luma,
        waiting=len(near.pts_s) - last,
        known_s=times_s[keep:],
        known_still=stills[keep:],
        known_level=levels[keep:],
        since_s=since_s,
        running=running,
    )


def _joined(series: VideoSeries, carry: StutterCarry | None) -> StutterCarry:
    """The pictures carried and those of the series as one; `waiting` counts the carried ones only."""
    # What changes by the same amount everywhere is light, not motion: flashes, fades.
    mean = series.luma.mean(axis=(1, 2), dtype=np.float64)
    before = np.concatenate([mean[:1] if carry is None else [carry.mean_luma], mean[:-1]])
    light = np.abs(mean - before).astype(np.float32)
    change = np.maximum(_squares(series.coarse_change) - light[:, None], np.float32(0.0))
    mean_luma = float(mean[-1])
    if carry is None:
        nothing = np.zeros(0)
        return StutterCarry(
            pts_s=series.pts_s,
            end_s=series.end_s,
            change=change,
            comparable=series.comparable,
            waiting=0,
            mean_luma=mean_luma,
            known_s=nothing,
            known_still=nothing.astype(np.float32),
            known_level=nothing.astype(np.float32),
            since_s=float(series.pts_s[0]),
        )
    return replace(
        carry,
        pts_s=np.concatenate([carry.pts_s, series.pts_s]),
        end_s=np.concatenate([carry.end_s, series.end_s]),
        change=np.concatenate([carry.change, change]),
        comparable=np.concatenate([carry.comparable, series.comparable]),
        mean_luma=mean_luma,
    )


def _squares(change: np.ndarray) -> np.ndarray:
    """Means over squares of tiles, float32 [T, N]; tiles beyond the last whole square are left out."""
    rows, columns = change.shape[1] // _POOL, change.shape[2] // _POOL
    change = change[:, : rows * _POOL, : columns * _POOL]
    lines = change[:, 0::_POOL] + change[:, 1::_POOL] + change[:, 2::_POOL]
    squares = lines[:, :, 0::_POOL] + lines[:, :, 1::_POOL] + lines[:, :, 2::_POOL]
    return np.asarray(squares.reshape(len(change), -1) / np.float32(_POOL * _POOL))


def _stillness(near: StutterCarry, first: int, last: int, limits: StutterLimits) -> tuple[np.ndarray, np.ndarray]:
    """How much of the movement around each of the pictures `first` to `last` is missing in it, and which are cuts.

    Returns:
        float32 [J], 0…1, NaN where too little moves to tell, and bool [J].
    """
    change, count = near.change, last - first
    if not count:
        return np.zeros(0, np.float32), np.zeros(0, bool)
    before, after = np.zeros((2, count, change.shape[1]), np.float32)
    joined_before, joined_after = near.comparable[first:last], np.ones(count, bool)
    for step in range(1, _REACH + 1):
        # Of the pictures before, the first ones of a stream have fewer.
        short = min(count, max(0, step - first))
        back = slice(max(0, first + short - step), max(0, last - step))
        joined_before = joined_before & np.concatenate([np.zeros(short, bool), near.comparable[back]])
        is_near = joined_before[short:] & (near.pts_s[first + short : last] - near.pts_s[back] <= _REACH_S)
        _raise(before[short:], change[back], is_near)
        ahead = slice(first + step, last + step)
        joined_after = joined_after & near.comparable[ahead]
        _raise(after, change[ahead], joined_after & (near.pts_s[ahead] - near.pts_s[first:last] <= _REACH_S))
    moved = np.minimum(before, after)
    weight = np.maximum(moved - np.float32(limits.motion), 0.0)
    total = weight.sum(axis=1)
    area = np.array([np.count_nonzero(row) for row in weight]) / change.shape[1]
    weight *= np.minimum(change[first:last] / np.maximum(moved, np.float32(1e-9)), 1.0)
    judged = near.comparable[first:last] & (area >= limits.moving_area)
    still = np.where(judged, 1.0 - weight.sum(axis=1) / np.maximum(total, np.float32(1e-12)), np.nan)
    jumped = (change[first:last] > _CUT_RATIO * np.maximum(before, after)) & (change[first:last] > _CUT)
    is_cut = ~near.comparable[first:last] | (
        np.array([np.count_nonzero(row) for row in jumped]) > _CUT_AREA * moved.shape[1]
    )
    return still.astype(np.float32), is_cut


def _repeats(still: np.ndarray, limits: StutterLimits) -> np.ndarray:
    """How much each picture counts as a repeat, 0…1, NaN where nothing tells."""
    span = limits.raise_stillness - limits.clear_stillness
    return np.asarray(np.clip((still - limits.clear_stillness) / span, 0.0, 1.0))


def _raise(most: np.ndarray, change: np.ndarray, where: np.ndarray) -> None:
    """Raise `most`, [J, N], to `change` in the rows that are true; masks are slow, and nearly always all are."""
    np.maximum(most, change if where.all() else change * where[:, None], out=most)


def _begun(
    times_s: np.ndarray,
    repeats: np.ndarray,
    levels: np.ndarray,
    since_s: float,
    end_s: float,
    limits: StutterLimits,
) -> _Running | None:
    """The stutter that the last of these pictures makes certain; null without one.

    Args:
        times_s: float64 [J]: the judged pictures.
        repeats: float32 [J]: how much each counts as a repeat.
        levels: float32 [J]: how much each changed.
        since_s: From when on they belong together, in seconds.
        end_s: End of the last one, in seconds.
        limits: What a stutter is.
    """
    if not repeats[-1] > 0.5:
        return None
    oldest = int(np.searchsorted(times_s, max(since_s, times_s[-1] - _MEMORY_S)))
    shot = slice(max(oldest, len(times_s) - _MEMORY), None)
    judged = ~np.isnan(repeats[shot])
    moving_s, repeat = times_s[shot][judged], repeats[shot][judged].astype(np.float64)
    level = levels[shot][judged].astype(np.float64)
    at = np.flatnonzero(repeat > 0.5)
    # Each repeat may be the first one: the pictures from it on against those before.
    onsets = at[(at >= _USUAL) & (moving_s[at] - moving_s[0] >= _USUAL_S)]
    onsets = onsets[moving_s[onsets] <= moving_s[-1] - _LEAST_S]
    if not len(onsets):
        return None
    so_far = np.concatenate([[0.0], np.cumsum(repeat)])
    before, count, total = so_far[onsets], len(repeat), so_far[-1]
    after, pictures = total - before, count - onsets
    shares, usuals = after / pictures, before / onsets
    surprise = _likelihood(after, pictures) + _likelihood(before, onsets) - _likelihood(total, np.asarray(count))
    surprise[shares - usuals < limits.raise_excess] = 0.0
    if surprise.max() < limits.surprise:
        return None
    best = int(np.flatnonzero(surprise >= surprise.max() - _NEARLY)[-1])
    if np.count_nonzero(np.diff(at[at >= onsets[best]], prepend=-2) > 1) < limits.least_repeats:
        return None
    first = int(onsets[best])
    usual_level = np.median(level[max(0, first - _LEVELS) : first][repeat[max(0, first - _LEVELS) : first] < 0.5])
    quiet = (level[first:] * repeat[first:]).sum() / repeat[first:].sum()
    if quiet > _QUIET * usual_level or level[first:].mean() > _BUSY * usual_level:
        return None
    onset, share, usual = int(onsets[best]), float(shares[best]), float(usuals[best])
    return _Running(float(moving_s[onset]), end_s, usual, share)


def _went_on(running: _Running, repeat: float, end_s: float) -> _Running | None:
    """The stutter after one more picture; null where it has ended.

    Each picture speaks for the stutter going on or for the usual cadence; it has ended when enough in a row did for the
    latter (a cumulative sum test).
    """
    if np.isnan(repeat):
        return running if end_s - running.last_s <= _PAUSE_S else None
    usual, share = max(running.usual, _LEAST_SHARE), min(running.share, 1.0 - _LEAST_SHARE)
    doubt = running.doubt + repeat * math.log(usual / share) + (1.0 - repeat) * math.log((1.0 - usual) / (1.0 - share))
    if doubt <= 0.0:
        return replace(running, last_s=end_s, doubt=0.0)
    return replace(running, doubt=doubt) if doubt < _DOUBT else None


def _likelihood(repeats: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """Logarithm of how likely so many repeats among so many pictures are at the share that they have."""
    share = np.clip(repeats / pictures, 1e-9, 1.0 - 1e-9)
    return np.asarray(repeats * np.log(share) + (pictures - repeats) * np.log(1.0 - share))


def _rate(times_s: np.ndarray) -> float:
    """Pictures per second, by the last ones."""
    recent = times_s[-25:]
    return float((len(recent) - 1) / max(recent[-1] - recent[0], 1e-6))


def _confidence(share: np.ndarray, usual: np.ndarray, limits: StutterLimits) -> np.ndarray:
    """float32 [T]: 0.6 at the limit, up to 0.95 where every third picture or more is repeated unusually."""
    return np.asarray(np.clip(0.6 + 1.6 * (share - usual - limits.raise_excess), 0.0, 0.95), np.float32)


STUTTER = Detector(
    name="stutter",
    kinds=("video.stutter",),
    consumes="video",
    weigh=stutter,
    limits=StutterLimits(),
    timing=EventTiming(raise_after_s=0.6, clear_after_s=0.0, major_after_s=5.0, critical_after_s=15.0),
    summary="Pictures are repeated or skipped where motion ran smoothly before.",
    source="our own measurement on planted repeats, against the cadence of the shot",
)
