"""A/V offset: sound that leaves the lips, or any other event that is seen and heard, at once or by and by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpu_qa.detectors.offset_course import CELL_S, NOTHING, Course, CourseCarry, course_step
from gpu_qa.series import SYNC_STALE_S, Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from gpu_qa.series import SyncSeries

KIND, DRIFT = "av.offset", "av.drift"
_JUMP_S, _CONTENT_JUMP_S = 0.02, 0.08
"""Half a picture at 25 per second; by content more than clips recorded together differ by. Ours."""
_CONTENT_APART_S = 90.0
"""Answers by content rest on the same material for a minute and a half: it counts half after 60 s."""
_SOURCES_APART = 1.5
"""Sources of one programme differ by so many times the doubt at most, all but always. Ours."""
_LED_WITHIN_S = 60.0
"""So long after a step was told it may turn out to have led past a limit: what it led to becomes clearer. Ours."""
_BACK_MS = 20.0
"""An offset that a step led out is back within a limit when it is so much below: what answers wander. Ours."""
_LEAST_S, _CONTENT_LEAST_S = 50.0, 300.0
"""Least time over which a drift is judged; by content answers follow a jump for more than a minute. Ours."""


@dataclass(frozen=True, slots=True)
class AvOffsetLimits:
    """When sound and picture are too far apart."""

    advance_ms: float = 45.0
    """Sound may be so much early before it is noticed: detectability in ITU-R BT.1359-1."""
    delay_ms: float = 125.0
    """Sound may be so much late before it is noticed: detectability in ITU-R BT.1359-1."""
    major_advance_ms: float = 90.0
    """From here on early sound is more than a warning: acceptability in ITU-R BT.1359-1."""
    major_delay_ms: float = 185.0
    """From here on late sound is more than a warning: acceptability in ITU-R BT.1359-1."""
    confidence: float = 0.9
    """Answers that are less sure raise and clear no event. The report does not follow it: `av_offset_s`, its curve and
    which way goes first take answers from 0.9 on, whatever this is."""
    content_doubt_ms: float = 65.0
    """What is found by content alone must pass the limits by this much: real clips that nobody would complain of, and
    that were recorded together, are that far apart (docs/detectors/av_offset.md). A step from an offset no larger,
    which may be the programme's own, is told where it passes the limit, and twice this; and where it is larger than
    one and a half times this, as sources of one programme are not apart, and leads past the limit and as much."""
    drift_ppm: float = 10.0
    """An offset that changes faster drifts, millionths: 36 ms an hour; ours."""
    drift_ms: float = 20.0
    """It has moved by this much at least, half a picture at 25 per second; what is found by content alone by three
    times `content_doubt_ms` more: answers wander between the sources of a programme by twice that. Ours."""

    weights: str | None = None
    """File with the weights of a net of one's own (`gpu-qa sync-train`); null is the program's."""

    def __post_init__(self) -> None:
        """Refuse limits that contradict one another."""
        if not 0 <= self.advance_ms <= self.major_advance_ms or not 0 <= self.delay_ms <= self.major_delay_ms:
            raise ValueError("0 ≤ advance_ms ≤ major_advance_ms and 0 ≤ delay_ms ≤ major_delay_ms must hold")
        if not 0 <= self.confidence <= 1 or not self.content_doubt_ms >= 0:
            raise ValueError("confidence must be 0 to 1 and content_doubt_ms 0 or more")
        if not self.drift_ppm > 0 or not self.drift_ms > 0:
            raise ValueError("drift_ppm and drift_ms must be more than 0")


def weigh(series: SyncSeries, limits: AvOffsetLimits, carry: Any) -> tuple[list[Evidence], Any]:
    """Answers outside the limits raise; sure answers within them clear, and so does it when content has long told none.

    The course of sure answers is carried.
    """
    known = Known({}, {}, {}) if carry is None else carry
    doubt_ms = limits.content_doubt_ms if series.way == "content" else 0.0
    sure = (series.confidence >= limits.confidence) & np.isfinite(series.offset_s)
    faded, last = _faded(series, sure, known.last.get(series.track))
    offset_ms = np.where(sure, series.offset_s * 1000, 0.0)
    moved_ms = np.where(sure, _moved_ms(series, doubt_ms), 0.0)
    start_s, stepped = series.start_s, np.zeros(len(series), bool)
    if series.since_s is not None:
        stepped = np.isfinite(series.since_s)
        start_s = np.where(stepped, series.since_s, start_s)
    sides = (
        ("early", offset_ms, moved_ms, limits.advance_ms, limits.major_advance_ms),
        ("late", -offset_ms, -moved_ms, limits.delay_ms, limits.major_delay_ms),
    )
    found = []
    led = dict(known.led)
    for side, away_ms, stepped_ms, limit_ms, major_ms in sides:
        is_led, led[series.way, series.track, side] = _led_out(
            known.led.get((series.way, series.track, side), Led()),
            np.where(sure, away_ms, np.nan),
            stepped_ms > _SOURCES_APART * doubt_ms,
            np.where(stepped, series.end_s, np.nan),
            series.end_s,
            _knows_a_step(series),
            max(limit_ms, _SOURCES_APART * doubt_ms),
        )
        is_outside = (away_ms > limit_ms + doubt_ms) | is_led
        has_stepped = ~is_outside & (stepped_ms > max(limit_ms, 2 * doubt_ms))
        amount_ms = np.where(has_stepped, stepped_ms, away_ms)
        count = len(series)
        found.append(
            Evidence(
                kind=KIND,
                scope=f"{series.track}:{side}",
                start_s=start_s,
                end_s=series.end_s,
                verdict=np.where(is_outside | has_stepped, 1, np.where(sure | faded, -1, 0)).astype(np.int8),
                value=amount_ms.astype(np.float32),
                limit=limit_ms,
                unit="ms",
                confidence=series.confidence,
                details={
                    "track": constant(count, series.track, np.int64),
                    "side": constant(count, side, object),
                    "way": constant(count, series.way, object),
                    "against": np.where(has_stepped, "what it was before", "the picture").astype(object),
                    "offset_s": np.where(sure, np.round(series.offset_s, 4), np.nan),
                    "sigma_ms": np.round(series.sigma_s * 1000, 1),
                },
                severity_cap=np.where(amount_ms > major_ms + doubt_ms, 3, 1).astype(np.int8),
                message=f"sound is {{value:.0f}} ms {side} against {{against}} (limit {{limit:.0f}} ms), "
                "found by {way}",
            )
        )
    drift, drifts = _drift(series, limits, sure, known.drifts)
    return [*found, drift], Known(drifts, led, known.last if last is None else known.last | {series.track: last})


class Last(NamedTuple):
    """The last sure answer of a track."""

    way: str
    end_s: float


def _faded(series: SyncSeries, sure: np.ndarray, last: Last | None) -> tuple[np.ndarray, Last | None]:
    """At which answers what content told last is too old to stand, bool [n]; and the last sure answer."""
    faded = np.zeros(len(series), bool)
    for index, is_sure in enumerate(sure.tolist()):
        end_s = float(series.end_s[index])
        if is_sure:
            last = Last(series.way, end_s)
        elif last is not None and last.way == "content":
            faded[index] = end_s > last.end_s + SYNC_STALE_S
    return faded, last


class Led(NamedTuple):
    """Whether a step led an offset past the limit of a side."""

    is_out: bool = False
    until_s: float = -np.inf
    """Until then the last step may turn out to have done so."""


def _led_out(
    led: Led,
    away_ms: np.ndarray,
    is_large: np.ndarray,
    step_s: np.ndarray,
    end_s: np.ndarray,
    knows: np.ndarray,
    limit_ms: float,
) -> tuple[np.ndarray, Led]:
    """Which sure answers are where a step led them: bool [n].

    Args:
        led: From the series before.
        away_ms: float64 [n]: how far the answers are on this side; NaN where they are not sure.
        is_large: bool [n]: whether the last step is larger than sources are apart, towards this side.
        step_s: float64 [n]: when a step was told, NaN where none was.
        end_s: float64 [n]: of each answer.
        knows: bool [n]: whether it knows of a step: none does of what was before the clock jumped.
        limit_ms: Past which it leads.
    """
    is_out, until_s = led
    found = np.zeros(len(away_ms), bool)
    for index in range(len(away_ms)):
        if np.isfinite(step_s[index]):
            until_s = float(step_s[index]) + _LED_WITHIN_S
        if np.isfinite(away_ms[index]):
            led_now = bool(is_large[index]) and end_s[index] <= until_s and away_ms[index] > limit_ms
            is_out = led_now or (is_out and bool(knows[index]) and away_ms[index] > limit_ms - _BACK_MS)
            found[index] = is_out
    return found, Led(is_out, until_s)


def _knows_a_step(series: SyncSeries) -> np.ndarray:
    return np.zeros(len(series), bool) if series.before_s is None else np.isfinite(series.before_s)


def _moved_ms(series: SyncSeries, doubt_ms: float) -> np.ndarray:
    """How far the last step leads away from an offset that may be the programme's own; 0 where none does."""
    if series.before_s is None:
        return np.zeros(len(series))
    is_own = np.abs(series.before_s) * 1000 <= doubt_ms
    return np.where(is_own, (series.offset_s - series.before_s) * 1000, 0.0)


class Drifting(NamedTuple):
    """What is known of the drift of one way and track."""

    course: CourseCarry = CourseCarry()
    is_told: bool = False
    """It drifts, by the last answer that says whether it does."""
    over_s: float = 0.0
    """End of the last drift."""
    sure_s: float = np.inf
    """End of the last sure answer."""


class Known(NamedTuple):
    """What is carried from series to series."""

    drifts: dict[tuple[str, int], Drifting]
    """By way and track."""
    led: dict[tuple[str, int, str], Led]
    """By way, track and side."""
    last: dict[int, Last]
    """By track."""


def _drift(
    series: SyncSeries, limits: AvOffsetLimits, sure: np.ndarray, drifts: dict[tuple[str, int], Drifting]
) -> tuple[Evidence, dict[tuple[str, int], Drifting]]:
    """What the answers of one way up to each one say of its drift."""
    by_content = series.way == "content"
    jump_s = _CONTENT_JUMP_S if by_content else _JUMP_S
    apart_s = _CONTENT_APART_S if by_content else CELL_S
    least_s = _CONTENT_LEAST_S if by_content else _LEAST_S
    least_ms = limits.drift_ms + (3 * limits.content_doubt_ms if by_content else 0.0)
    course, is_told, over_s, sure_s = drifts.get((series.way, series.track), Drifting())
    known: list[Course] = []
    verdict: list[int] = []
    start_s = series.start_s.copy()
    for step, is_sure in enumerate(sure.tolist()):
        until_s = float(series.end_s[step])
        if is_sure:
            sure_s = until_s
            course = course_step(course, until_s, float(series.offset_s[step]), jump_s=jump_s, apart_s=apart_s)
        one = course.course if is_sure else None
        known.append(one or NOTHING)
        is_faded = by_content and until_s > sure_s + SYNC_STALE_S
        verdict.append(-1 if is_faded else _drift_verdict(one, until_s, least_s, least_ms, limits.drift_ppm))
        if one is not None and verdict[-1] > 0:
            start_s[step], is_told = max(one.since_s, over_s), True
        elif verdict[-1] < 0 and is_told:
            is_told, over_s = False, sure_s if is_faded else until_s
    count = len(series)
    evidence = Evidence(
        kind=DRIFT,
        scope=f"{series.track}:{series.way}",
        start_s=start_s,
        end_s=series.end_s,
        verdict=np.array(verdict, np.int8),
        value=np.array([abs(one.ppm) for one in known], np.float32),
        limit=limits.drift_ppm,
        unit="ppm",
        confidence=series.confidence,
        details={
            "track": constant(count, series.track, np.int64),
            "way": constant(count, series.way, object),
            "drift_ppm": np.array([round(one.ppm, 1) for one in known]),
            "sigma_ppm": np.array([round(one.sigma_ppm, 1) for one in known]),
            "moved_ms": np.array([round(one.moved_ms, 1) for one in known]),
            "becomes": np.array(["earlier" if one.ppm > 0 else "later" for one in known], object),
        },
        latest=frozenset({"moved_ms"}),
        severity_cap=constant(count, 1, np.int8),
        message="sound becomes {becomes} and {becomes} against the picture, by {value:.0f} ppm "
        "(limit {limit:.0f} ppm): {moved_ms:+.0f} ms so far, found by {way}",
    )
    return evidence, drifts | {(series.way, series.track): Drifting(course, is_told, over_s, sure_s)}


def _drift_verdict(course: Course | None, until_s: float, least_s: float, least_ms: float, least_ppm: float) -> int:
    if course is None or until_s - course.since_s < least_s:
        return 0
    ppm, moved_ms = abs(course.ppm), abs(course.moved_ms)
    if course.is_steady and ppm > least_ppm and moved_ms > least_ms:
        return 1
    return 0 if course.is_steady and ppm > least_ppm / 2 and moved_ms > least_ms / 2 else -1


AV_OFFSET = Detector(
    name="av_offset",
    kinds=(KIND, DRIFT),
    consumes="sync",
    weigh=weigh,
    limits=AvOffsetLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=0.5),
    summary="Sound comes before or after what is seen, or moves away from it.",
    source="ITU-R BT.1359-1: detectable +45/−125 ms, acceptable +90/−185 ms; ours for what content tells and for drift",
)
