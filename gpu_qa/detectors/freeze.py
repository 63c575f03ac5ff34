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

from gpu_qa.detectors.freeze_history import BEFORE_S, OVERLAY_S, STEP_STILL, FreezeCarry, FreezeHistory
from gpu_qa.detectors.overlay import overlay_box
from gpu_qa.series import SEVERITIES, Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

_SOON_S = 0.8
"""A freeze's onset is judged at this age at the latest: all that it is judged by is still remembered then."""
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


def freeze(
    series: VideoSeries, limits: FreezeLimits = FreezeLimits(), carry: FreezeCarry | None = None
) -> tuple[list[Evidence], FreezeCarry | None]:
    """Weigh, at every frame, since when the picture has been the same.

    Args:
        series: Consecutive frames of one format.
        limits: When a picture counts as frozen.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence with one step per frame, whose value is the coarse change that all but two of a thousand tiles of what
        is frozen stay within, as a fraction of full scale, and the carry for the series that follows.
    """
    count = len(series)
    if not count:
        return [], carry
    history = FreezeHistory(series, limits, carry)
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
        limit=history.floor,
        unit="full_scale",
        worst="min",
        confidence=confidence,
        details={"frozen_area": area, "onset": onset, "verdict": opinion},
        severity_cap=cap,
        message="picture unchanged for {duration_s:.1f} s over {frozen_area:.0%} of its area ({verdict})",
    )
    return [evidence], history.carry()


def _frozen_since(history: FreezeHistory, i: int) -> tuple[int, tuple[float, str | None] | None]:
    """Verdict at step `i` of the series, and where it is not −1 the freeze's start in seconds and its onset."""
    known, since_s = history.frozen_since, history.moved_s
    verdict = _stillness(history, i, since_s, history.activity)
    if verdict >= 0:
        if history.is_plain(i):
            return -1, None
        if verdict > 0:
            history.measure(i)
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
    if verdict > 0:
        history.measure(i, rest)
    return verdict, known or (since_s, onset) if onset and verdict >= 0 else None


def _onset_under(history: FreezeHistory, i: int, since_s: float, rest: np.ndarray, activity: np.ndarray) -> str | None:
    """How the stillness under an overlay began; null where it began as no freeze does.

    Args:
        history: The steps so far.
        i: The step of the series.
        since_s: When the rest of the picture last moved, in seconds.
        rest: bool [N]: the tiles without the overlay.
        activity: float64 [H]: share of them that moved in each step.
    """
    onset = _onset(history, i, since_s)
    before = history.between(since_s - BEFORE_S, since_s, i)
    ran_before = history.moving_in(~rest, before).any(axis=1)
    if onset in ("start", "cut", "rest") or not ran_before.size:
        return None
    return onset if ran_before.mean() >= 0.5 and (activity[before] > 0.01).mean() >= 0.6 else None


def _stillness(history: FreezeHistory, i: int, since_s: float, activity: np.ndarray) -> int:
    """+1 where step `i` is still and so were most since `since_s`, 0 where that is open, −1 where it moves."""
    now_s, limits = history.now_s(i), history.limits
    if now_s <= since_s:
        return -1
    still = activity[history.between(max(since_s, now_s - 1.0), now_s, i)] <= STEP_STILL
    if np.count_nonzero(still) / len(still) >= limits.still_share:
        return 1 if activity[history.first + i] <= STEP_STILL else 0
    return 0 if now_s - since_s <= limits.settle_s else -1


def _overlay(history: FreezeHistory, i: int) -> np.ndarray | None:
    """Tiles of what moves on over a still picture, with a margin of one, bool [N]; null where it is no overlay."""
    from_s = history.now_s(i) - OVERLAY_S
    if history.inner_s > from_s or history.moved_s <= from_s:
        return None
    live = history.since_s > from_s
    area = overlay_box(live.reshape(history.rows, history.columns))
    if area is None:
        return None
    overlay = np.zeros((history.rows, history.columns), bool)
    overlay[area] = True
    return overlay.ravel()


def _onset(history: FreezeHistory, i: int, since_s: float) -> str:
    """How the stillness began: with the stream, with a cut, as the rest of a still, out of motion, or by settling."""
    before = history.between(since_s - BEFORE_S, since_s, i)
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
