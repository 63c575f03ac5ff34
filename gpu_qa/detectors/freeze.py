"""Freeze: the picture, or all of it but a ticker, a clock or a ring that turns, stops changing while its clock runs on.

A picture counts as unchanged since time s when no tile's mean luma has left the value it had at s by more than
`raise_drift`, and most steps since have been no more than noise. The first condition is what makes the second one
forgiving: noise, an encoder's refinement of a picture that has stopped and its pulse at key frames move samples, but
they do not add up; motion does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.freeze_history import HALT_S, OVERLAY_S, STEP_STILL, FreezeCarry, FreezeHistory, Frozen
from gpu_qa.detectors.freeze_onset import halted, onset_of, onset_under
from gpu_qa.detectors.overlay import overlay_box, spot_box
from gpu_qa.series import SEVERITIES, Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

_SOON_S = 0.8
"""A freeze's onset is judged at this age at the latest: all that it is judged by is still remembered then."""
_SPOT_CALM = 0.8
"""Under a spot, at least this share of the steps of the last second must be calm."""
_SPOT_CONFIDENCE = 0.8
"""At most, of a freeze under a spot."""
_SPOT_SEVERITY = SEVERITIES.index("major")
"""At most, too: a drawn picture that stops on a prompt that blinks looks no different, and may stand for hours."""

_OPINION = {"start": "still", "cut": "still", "fade": "still", "rest": "still", "settled": "unclear", "motion": "dead"}
_CONFIDENCE = {"start": 0.5, "cut": 0.6, "fade": 0.6, "rest": 0.5, "settled": 0.7, "motion": 0.95}


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
    """Also tell a picture that is frozen under an overlay that moves on: a strip along the upper or lower edge, a box
    in a corner, or a spot in the middle."""
    spot_after_s: float = 3.0
    """How long a picture must have been frozen under a spot before that is told, in seconds: for less, a mouth or an
    eye may be all that moves. Ours: on clean clips nothing else moved for up to 3.6 s, never out of lively motion."""
    still_warn_after_s: float = 60.0
    """A still that looks intended (it began with a cut, a fade or the stream, or only a pointer or a line of text moved
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
        how = since.onset if since and judged > 0 else None
        if since is None or how is None:
            continue
        if not area.flags.writeable:
            cap, confidence, area = cap.copy(), confidence.copy(), area.copy()
            onset, opinion = onset.copy(), opinion.copy()
        start_s[i], onset[i] = since.start_s, how
        area[i] = np.count_nonzero(history.since_s <= since.start_s) / history.since_s.size
        opinion[i] = _OPINION[how]
        confidence[i] = min(_CONFIDENCE[how], _SPOT_CONFIDENCE) if since.is_spot else _CONFIDENCE[how]
        if opinion[i] == "still":
            is_long = series.end_s[i] - since.start_s > limits.still_warn_after_s
            cap[i] = SEVERITIES.index("warn" if is_long else "info")
        elif since.is_spot:
            cap[i] = _SPOT_SEVERITY
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


def _frozen_since(history: FreezeHistory, i: int) -> tuple[int, Frozen | None]:
    """Verdict at step `i` of the series, and where it is not −1 the freeze that is going on."""
    known = history.frozen_since
    verdict = _stillness(history, i, history.moved_s, history.activity)
    if verdict >= 0:
        if history.is_plain(i):
            return -1, None
        if verdict > 0:
            history.measure(i)
        frozen = known or Frozen(history.moved_s)
        # Most pictures that stop move on at once: until it is told, how it began need not be known.
        is_late = history.now_s(i) - frozen.start_s > _SOON_S
        if frozen.onset is None and (verdict > 0 or is_late):
            frozen = frozen._replace(onset=onset_of(history, i, frozen.start_s))
        if frozen.halted is None and is_late:
            frozen = frozen._replace(halted=halted(history, i, frozen.start_s, np.ones(history.since_s.shape, bool)))
        return _aged(history, i, verdict, frozen), frozen
    overlay, is_spot = _overlay(history, i) if history.limits.partial else (None, False)
    if overlay is None:
        return -1, None
    rest = ~overlay
    since_s = float(history.since_s[rest].max())
    judge = _under_spot if is_spot else _under_overlay
    if known is not None and known.start_s > since_s and history.now_s(i) - known.start_s <= HALT_S - OVERLAY_S:
        # Perhaps that was no freeze of its own: between two of its moves the overlay stood still.
        verdict, frozen_under = judge(history, i, since_s, rest, None)
        if frozen_under is not None and verdict >= 0 and not history.is_sparse(i, rest):
            return -1, frozen_under
    verdict, frozen_under = judge(history, i, since_s, rest, known)
    if frozen_under is None or verdict < 0 or history.is_sparse(i, rest):
        return -1, None
    verdict = _aged(history, i, verdict, frozen_under)
    if verdict > 0:
        history.measure(i, rest)
    return verdict, frozen_under


def _aged(history: FreezeHistory, i: int, verdict: int, frozen: Frozen) -> int:
    """The verdict at step `i`, left open as long as what moves on over the freeze may be more than a spot."""
    return (
        min(verdict, 0)
        if frozen.is_spot and history.now_s(i) - frozen.start_s < history.limits.spot_after_s
        else verdict
    )


def _under_overlay(
    history: FreezeHistory, i: int, since_s: float, rest: np.ndarray, known: Frozen | None
) -> tuple[int, Frozen | None]:
    """Verdict at step `i`, and the freeze; null where the stillness under an overlay began as no freeze does.

    Args:
        history: The steps so far.
        i: The step of the series.
        since_s: When the rest of the picture last moved, in seconds.
        rest: bool [N]: the tiles without the overlay.
        known: The freeze that is going on; null where none was.
    """
    activity = history.moving_share(rest)
    if known is not None and known.onset is None:
        known = known._replace(onset=onset_of(history, i, known.start_s))
    if known is None or since_s > known.start_s + history.limits.settle_s:
        onset = onset_under(history, i, since_s, rest, activity)
        if onset is None:
            return -1, None
        known = known or Frozen(since_s, onset)
    return _stillness(history, i, since_s, activity), known


def _under_spot(
    history: FreezeHistory, i: int, since_s: float, rest: np.ndarray, known: Frozen | None
) -> tuple[int, Frozen | None]:
    """The same under a spot: lively motion must have stopped from one picture to the next, and all else stand still."""
    now_s = history.now_s(i)
    if known is None or since_s > known.start_s + history.limits.settle_s:
        known = Frozen(since_s)
    if known.halted is None:
        known = known._replace(halted=halted(history, i, since_s, rest))
    if not known.halted:
        return -1, None
    is_calm = history.is_calm(rest, history.between(max(since_s, now_s - 1.0), now_s, i))
    if is_calm.mean() < _SPOT_CALM:
        return -1, None
    return int(is_calm[-1]), known._replace(onset="motion", is_spot=True)


def _stillness(history: FreezeHistory, i: int, since_s: float, activity: np.ndarray) -> int:
    """+1 where step `i` is still and so were most since `since_s`, 0 where that is open, −1 where it moves."""
    now_s, limits = history.now_s(i), history.limits
    if now_s <= since_s:
        return -1
    still = activity[history.between(max(since_s, now_s - 1.0), now_s, i)] <= STEP_STILL
    if np.count_nonzero(still) / len(still) >= limits.still_share:
        return 1 if activity[history.first + i] <= STEP_STILL else 0
    return 0 if now_s - since_s <= limits.settle_s else -1


def _overlay(history: FreezeHistory, i: int) -> tuple[np.ndarray | None, bool]:
    """Tiles of what moves on over a still picture, with a margin of one, bool [N], and whether it is a spot.

    Null where it is no overlay.
    """
    from_s = history.now_s(i) - OVERLAY_S
    if history.inner_s > from_s or history.moved_s <= from_s:
        return None, False
    live = (history.since_s > from_s).reshape(history.rows, history.columns)
    at_edge = overlay_box(live)
    area = at_edge or spot_box(live)
    if area is None:
        return None, False
    overlay = np.zeros((history.rows, history.columns), bool)
    overlay[area] = True
    return overlay.ravel(), at_edge is None


FREEZE = Detector(
    name="freeze",
    kinds=("video.freeze",),
    consumes="video",
    weigh=freeze,
    limits=FreezeLimits(),
    timing=EventTiming(raise_after_s=2.0, clear_after_s=0.0, major_after_s=5.0, critical_after_s=15.0),
    summary="The picture stands still, wholly or under a ticker, a clock or a player's ring that moves on.",
    source="2 s: FFmpeg freezedetect; noise and drift limits: our own measurement on planted freezes",
)
