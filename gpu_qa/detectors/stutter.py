"""Stutter: pictures are repeated, or do not come, where the same shot ran smoothly before.

A repeated picture lies between two movements and shows none itself. Encoders make repeats nearly, not exactly alike, so
that a picture's change is compared with what moved just before and just after, block by block: its stillness is the
share of that movement that is missing. A picture that does not come leaves the one before it on the screen, by its
timestamps, which is as good as a repeat. Film in 60 Hz, 25 pictures in 50, animation on twos, slow motion and screen
recordings repeat pictures too, but evenly and from the start of a shot; a defect begins in the middle of one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.cadence import LENGTHS, Change, regular_change, run_change, share_change
from gpu_qa.detectors.held import MEMORY, MEMORY_S, held_as_repeats, times_due
from gpu_qa.detectors.stillness import REACH, motion_of_squares, stillness
from gpu_qa.series import Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import VideoSeries

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
_ASK_S = 0.2
"""Whether one has begun is asked this often, in seconds: pictures on twos would have it asked at each."""
_LEAP = 1.2
"""Where pictures are missing those that come change by so many times as much as usual; ours: 1.5 to 2.7 where every
second one was left out, 1.0 where a scene slows."""
_NEW_S, _CLEARLY = 2.0, 2
"""A shot is new for the first, in seconds: a stutter may have begun in the one before, with so many repeats or more."""
_TRIES = 3
"""Where pictures do not get as far from an onset on, so many later ones are tried: motion may have begun after it."""
_PAUSE_S = 1.5
"""A stutter has also ended when nothing moved by which to tell for this long, in seconds."""


@dataclass(frozen=True, slots=True)
class StutterLimits:
    """When a picture counts as repeated, and how many repeats are a stutter."""

    raise_excess: float = 0.12
    """A stutter when the share of repeated pictures is this much above what is usual in the shot: with every fifth
    picture repeated it is 0.2 above, with every second 0.5. In a cadence that has repeats, when so much more of the
    pictures are shown for an uneven time. Ours."""
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
    """So much likelier, as a natural logarithm, must it be that the repeats have changed than that they have been the
    same all along."""


@dataclass(frozen=True, slots=True)
class _Running:
    """A stutter that is going on."""

    start_s: float
    """Where its first repeat begins."""
    last_s: float
    """End of the last repeat, in seconds."""
    change: Change
    """How the cadence changed."""
    run: int
    """Pictures since the last one that was no repeat, with that one."""
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
    """float64 [J]: the judged pictures of the last seconds, each as often as it was due."""
    known_repeat: np.ndarray
    """float32 [J]: how much each counts as a repeat, 0…1; NaN where nothing moved by which to tell."""
    known_level: np.ndarray
    """float32 [J]: their mean change, as a fraction of full scale; NaN for what was due and never came."""
    period_s: float
    """Usual time from one picture to the next, in seconds; 0 before it is known."""
    since_s: float
    """From when on pictures tell what is usual: the start of the shot, or the end of the last stutter."""
    before_s: float
    """The same of the shot before, where one came before and has not been long ago."""
    asked_s: float
    """When it was last asked whether a stutter has begun."""
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
    last = max(first, len(near.pts_s) - REACH)
    still, level, is_cut = stillness(
        near.change, near.pts_s, near.comparable, first, last, motion=limits.motion, moving_area=limits.moving_area
    )
    start_s, end_s, repeat = near.pts_s[first:last], near.end_s[first:last], _repeat(still, limits)
    due, period_s = times_due(near.pts_s, near.end_s, first, last, near.known_s, near.period_s)
    if due is not None:
        start_s, end_s, repeat, level, is_cut = held_as_repeats(due, start_s, end_s, repeat, level, is_cut)
    known, steps = len(near.known_s), len(start_s)
    times_s = np.concatenate([near.known_s, start_s])
    repeats = np.concatenate([near.known_repeat, repeat])
    levels = np.concatenate([near.known_level, level])
    is_repeat = repeat > 0.5
    telling = is_cut | is_repeat
    since_s, before_s, asked_s, running = near.since_s, near.before_s, near.asked_s, near.running
    found: list[tuple[int, _Running, float]] = []
    index = 0
    while index < steps:
        if running is None and not telling[index]:
            later = int(telling[index:].argmax())
            if not later:
                break
            index += later
        at, now_s = known + index, float(times_s[known + index])
        if running is not None:
            running = _went_on(running, float(repeats[at]), float(end_s[index]))
            if running is None:
                since_s = before_s = now_s
        else:
            if is_cut[index]:
                since_s, before_s = now_s, since_s
            if is_repeat[index] and now_s - asked_s >= _ASK_S:
                asked_s = now_s
                last_ones = slice(max(0, at + 1 - MEMORY), at + 1)
                known_ones = times_s[last_ones], repeats[last_ones], levels[last_ones]
                running = _begun(*known_ones, since_s, since_s, float(end_s[index]), limits)
                if running is None and before_s < since_s and now_s - since_s <= _NEW_S:
                    running = _begun(*known_ones, before_s, since_s, float(end_s[index]), limits)
        if running is not None:
            found.append((index, running, _rate(times_s[: at + 1])))
        index += 1
    keep = int(np.searchsorted(times_s, times_s[-1] - MEMORY_S)) if len(times_s) else 0
    keep = max(keep, len(times_s) - MEMORY)
    tail = max(0, len(near.pts_s) - 2 * REACH)
    return [_evidence(start_s, end_s, found, limits)], StutterCarry(
        pts_s=near.pts_s[tail:],
        end_s=near.end_s[tail:],
        change=near.change[tail:].copy(),
        comparable=near.comparable[tail:],
        mean_luma=near.mean_luma,
        waiting=len(near.pts_s) - last,
        known_s=times_s[keep:],
        known_repeat=repeats[keep:],
        known_level=levels[keep:],
        period_s=period_s,
        since_s=since_s,
        before_s=before_s,
        asked_s=asked_s,
        running=running,
    )


def _evidence(
    start_s: np.ndarray, end_s: np.ndarray, found: Sequence[tuple[int, _Running, float]], limits: StutterLimits
) -> Evidence:
    """A step for each picture: in those found a stutter goes on; with the pictures per second there."""
    steps = len(start_s)
    verdict, value = constant(steps, -1, np.int8), constant(steps, 0.0, np.float32)
    share = usual = rate = constant(steps, 0.0, float)
    confidence = constant(steps, 0.0, np.float32)
    if found:
        start_s, verdict, value, confidence = start_s.copy(), verdict.copy(), value.copy(), confidence.copy()
        share, usual, rate = np.zeros((3, steps))
    for index, running, per_s in found:
        change = running.change
        verdict[index] = 1 if running.last_s == end_s[index] else 0
        start_s[index], value[index] = running.start_s, change.excess
        share[index], usual[index] = round(change.share, 3), round(change.usual, 3)
        rate[index] = round(per_s * (1.0 - change.share), 2)
        confidence[index] = min(0.95, 0.6 + 1.6 * max(0.0, change.excess - limits.raise_excess))
    return Evidence(
        kind="video.stutter",
        scope="",
        start_s=start_s,
        end_s=end_s,
        verdict=verdict,
        value=value,
        limit=limits.raise_excess,
        unit="share",
        confidence=confidence,
        details={"repeated_share": share, "usual_share": usual, "shown_rate": rate},
        message="picture stutters for {duration_s:.1f} s: {repeated_share:.0%} of the pictures repeat the one before",
    )


def _joined(series: VideoSeries, carry: StutterCarry | None) -> StutterCarry:
    """The pictures carried and those of the series as one; `waiting` counts the carried ones only."""
    change, mean_luma = motion_of_squares(series, None if carry is None else carry.mean_luma)
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
            known_repeat=nothing.astype(np.float32),
            known_level=nothing.astype(np.float32),
            period_s=0.0,
            since_s=float(series.pts_s[0]),
            before_s=float(series.pts_s[0]),
            asked_s=-math.inf,
        )
    return replace(
        carry,
        pts_s=np.concatenate([carry.pts_s, series.pts_s]),
        end_s=np.concatenate([carry.end_s, series.end_s]),
        change=np.concatenate([carry.change, change]),
        comparable=np.concatenate([carry.comparable, series.comparable]),
        mean_luma=mean_luma,
    )


def _repeat(still: np.ndarray, limits: StutterLimits) -> np.ndarray:
    """How much each picture counts as a repeat, 0…1, NaN where nothing tells."""
    span = limits.raise_stillness - limits.clear_stillness
    return np.asarray(np.minimum(np.maximum((still - np.float32(limits.clear_stillness)) / np.float32(span), 0.0), 1.0))


def _begun(
    times_s: np.ndarray,
    repeats: np.ndarray,
    levels: np.ndarray,
    since_s: float,
    cut_s: float,
    end_s: float,
    limits: StutterLimits,
) -> _Running | None:
    """The stutter that the last of these pictures makes certain; null without one.

    Args:
        times_s: float64 [J]: the judged pictures.
        repeats: float32 [J]: how much each counts as a repeat.
        levels: float32 [J]: how much each changed.
        since_s: From when on they belong together, in seconds.
        cut_s: Start of the shot, in seconds; where it is later, the stutter must have begun clearly before it.
        end_s: End of the last one, in seconds.
        limits: What a stutter is.
    """
    oldest = int(np.searchsorted(times_s, max(since_s, times_s[-1] - MEMORY_S)))
    recent = repeats[oldest:]
    if np.count_nonzero(recent > 0.5) < limits.least_repeats:
        return None
    judged = ~np.isnan(recent)
    moving_s, repeat = times_s[oldest:][judged], recent[judged].astype(np.float64)
    is_repeat = repeat > 0.5
    at = np.flatnonzero(is_repeat)
    first = max(_USUAL, int(np.searchsorted(moving_s, moving_s[0] + _USUAL_S - 1e-9)))
    last = int(np.searchsorted(moving_s, moving_s[-1] - _LEAST_S, side="right")) - 1
    cut = int(np.searchsorted(moving_s, cut_s))
    if cut_s > since_s and np.count_nonzero(is_repeat[:cut]) < _CLEARLY:
        return None
    level = levels[oldest:][judged].astype(np.float64)
    bounds = {"raise_excess": limits.raise_excess, "surprise": limits.surprise, "nearly": _NEARLY}
    for _ in range(_TRIES):
        # Each repeat may be the first one: the pictures from it on against those before.
        onsets = at[(at >= first) & (at <= last)]
        if not len(onsets):
            return None
        change = share_change(repeat, onsets, **bounds)
        if change is None:
            change = run_change(is_repeat, first - 1, last - 1, **bounds)
        if change is None:
            change = regular_change(is_repeat, np.nan_to_num(level), first, surprise=limits.surprise)
        if change is None or np.count_nonzero(np.diff(at[at >= change.at], prepend=-2) > 1) < limits.least_repeats:
            return None
        near, far = slice(max(0, change.at - _LEVELS), change.at), change.at
        if cut_s > since_s:
            begun_before = np.count_nonzero(is_repeat[change.at : cut]) >= _CLEARLY
            if not begun_before or change.usual >= change.share or is_repeat[cut:].all():
                return None
            # Another shot moves otherwise: its repeats are compared with its own pictures.
            near, far = slice(cut, None), cut
        usual_level = np.median(level[near][~is_repeat[near]])
        if _gets_as_far(level[far:], repeat[far:], float(usual_level)):
            run = len(is_repeat) - int(np.flatnonzero(~is_repeat)[-1])
            return _Running(float(moving_s[change.at]), end_s, change, run)
        first = change.at + 1
    return None


def _gets_as_far(level: np.ndarray, repeat: np.ndarray, usual_level: float) -> bool:
    """Whether the picture, with repeats, gets about as far in the same time as it usually did.

    Args:
        level: float64 [J]: how much each picture changed; NaN for what was due and never came.
        repeat: float64 [J]: how much each counts as a repeat.
        usual_level: How much pictures changed before.
    """
    missing = np.isnan(level)
    level = np.where(missing, 0.0, level)
    if (level * repeat).sum() / repeat.sum() > _QUIET * usual_level or level.mean() > _BUSY * usual_level:
        return False
    # Encoders leave out pictures where little moves, and scenes slow down: then nothing leaps behind a hole.
    is_repeat = repeat > 0.5
    if np.count_nonzero(missing) * 2 <= np.count_nonzero(is_repeat):
        return True
    behind = level[1:][missing[:-1] & ~is_repeat[1:]]
    return bool(len(behind)) and bool(behind.mean() >= _LEAP * usual_level)


def _went_on(running: _Running, repeat: float, end_s: float) -> _Running | None:
    """The stutter after one more picture; null where it has ended.

    Each picture, or each run of pictures, speaks for the stutter going on or for the usual cadence; it has ended when
    enough in a row did for the latter (a cumulative sum test).
    """
    if np.isnan(repeat):
        return running if end_s - running.last_s <= _PAUSE_S else None
    change = running.change
    if change.odds is None:
        usual, share = max(change.usual, _LEAST_SHARE), min(change.share, 1.0 - _LEAST_SHARE)
        speaks = repeat * math.log(usual / share) + (1.0 - repeat) * math.log((1.0 - usual) / (1.0 - share))
        doubt = max(0.0, running.doubt + speaks)
        return (
            replace(running, last_s=end_s if doubt == 0.0 else running.last_s, doubt=doubt) if doubt < _DOUBT else None
        )
    if repeat > 0.5:
        return replace(running, run=running.run + 1, last_s=end_s if running.doubt == 0.0 else running.last_s)
    doubt = max(0.0, running.doubt + change.odds[min(running.run, LENGTHS) - 1])
    return replace(running, run=1, doubt=doubt) if doubt < _DOUBT else None


def _rate(times_s: np.ndarray) -> float:
    """Pictures per second, by the last ones."""
    recent = times_s[-25:]
    return float((len(recent) - 1) / max(recent[-1] - recent[0], 1e-6))


STUTTER = Detector(
    name="stutter",
    kinds=("video.stutter",),
    consumes="video",
    weigh=stutter,
    limits=StutterLimits(),
    timing=EventTiming(raise_after_s=0.6, clear_after_s=0.0, major_after_s=5.0, critical_after_s=15.0),
    summary="Pictures are repeated, or do not come, where motion ran smoothly before.",
    source="our own measurement on planted repeats, against the cadence of the shot",
)
