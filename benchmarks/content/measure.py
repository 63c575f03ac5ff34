"""What the content way says of programmes with known offsets, of such with wrong sound, and of steps."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.content.material import Clip, Programme, drawn, fitted, heard, moved
from gpu_qa.detectors.av_offset import AV_OFFSET
from gpu_qa.events import TrackerState, track
from gpu_qa.sync.content import scorable, told, window_evidence, window_scores
from gpu_qa.sync.evidence import Evidence, answer_of, gathered
from gpu_qa_kernels.sync_net import FRAMES_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gpu_qa.sync.content import Heard, Weights

ADVANCES_S = np.round(np.arange(-0.40, 0.33, 0.01), 2)
"""By one of these the sound of a join is moved; of every third, by nothing."""
STEP_AFTER_S = 90.0
TOLD_WITHIN_S = 60.0
_REST_S = TOLD_WITHIN_S + 7.0
"""The windows that end within a minute of the step, and those that wait for their sound."""


class Said(NamedTuple):
    """What a window says, and what it is said of."""

    heard: Heard
    lags: np.ndarray
    """float64 [101]: log probability of each lag."""


class Answered(NamedTuple):
    """What is known at the end of a programme."""

    error_s: float
    """From what was planted; NaN where the sound is not its own."""
    confidence: float


@dataclass(slots=True)
class Clock:
    """CPU time of the nets."""

    cpu_s: float = 0.0
    material_s: float = 0.0

    @property
    def ms_per_s(self) -> float:
        """Per second of picture."""
        return 1000 * self.cpu_s / max(self.material_s, 1e-9)


def said(windows: Iterable[Heard], weights: Weights, clock: Clock | None = None) -> list[Said]:
    """What each window says in which something moves and is heard."""
    clock = clock if clock is not None else Clock()
    out = []
    for one in windows:
        before_s = time.thread_time()
        sound = scorable(one)
        if sound is not None:
            scores = np.asarray(window_scores(one.window.motion[None], sound[None], weights)[0])
            out.append(Said(one, window_evidence(scores)))
        clock.cpu_s += time.thread_time() - before_s
        clock.material_s += len(one.window) / FRAMES_PER_S
    return out


def after(windows: Sequence[Said], evidence: Evidence | None = None) -> list[Evidence]:
    """The evidence after each window."""
    out = []
    for one in windows:
        window = one.heard.window
        evidence = gathered(evidence, one.lags, window.first / FRAMES_PER_S, len(window) / FRAMES_PER_S)
        out.append(evidence)
    return out


def answered(windows: Sequence[Said], advance_s: float) -> Answered:
    """What is known after the last of them."""
    known = after(windows)
    if not known:
        return Answered(np.nan, 0.0)
    answer = answer_of(known[-1])
    return Answered(answer.offset_s - advance_s, answer.confidence)


def wrong_sound(programme: Programme, clips: Sequence[Clip], number: int, rng: np.random.Generator) -> np.ndarray:
    """Rows that are not the programme's: its own backwards, or in every other case those of another programme.

    Args:
        programme: Whose sound is wanted to be wrong.
        clips: Of which others are joined.
        number: Which case it is.
        rng: Randomness.
    """
    if number % 2 == 0:
        return np.ascontiguousarray(programme.rows[::-1])
    other = drawn(clips, len(programme.rows) / 100, rng).rows
    # By more than the lags that are looked at: the same clip may stand at the same place.
    return np.roll(fitted(other, len(programme.rows)), int(rng.integers(300, max(len(other) - 300, 301))), axis=0)


def one_join(
    clips: Sequence[Clip],
    strangers: Sequence[Clip],
    seconds: float,
    number: int,
    rng: np.random.Generator,
    weights: Weights,
    clock: Clock,
) -> tuple[Answered, Answered]:
    """A join with its own sound, moved, and with sound that is not its own."""
    programme = drawn(clips, seconds, rng)
    advance_s = 0.0 if number % 3 == 0 else float(rng.choice(ADVANCES_S))
    right = answered(said(heard(programme, moved(programme.rows, advance_s)), weights, clock), advance_s)
    wrong = answered(said(heard(programme, wrong_sound(programme, strangers, number, rng)), weights, clock), np.nan)
    return right, wrong


class StepTold(NamedTuple):
    """What was told of a join with a step."""

    delay_s: float | None
    """From the step until it was told, on the right side; null where it was not within `TOLD_WITHIN_S` of material."""
    false_before: bool
    told_after: bool
    """Any event after it."""


def one_step(
    clips: Sequence[Clip], steps_ms: Sequence[float], number: int, rng: np.random.Generator, weights: Weights
) -> tuple[list[StepTold], StepTold]:
    """A join with each of the steps, and with sound that is another's from there on.

    What stands before the step is the same in all of them, and looked at once.
    """
    programme = drawn(clips, STEP_AFTER_S + _REST_S, rng)
    until = int(STEP_AFTER_S * FRAMES_PER_S)
    # The step stands where a window ends: those before it hear nothing of it but the 1.6 s around.
    step = max(window.first + len(window) for window in programme.windows if window.first < until)
    step_s = step / FRAMES_PER_S
    head = replace(programme, windows=tuple(one for one in programme.windows if one.first < step))
    before = said(heard(head, programme.rows), weights)
    rows = [_spliced(programme.rows, moved(programme.rows, one / 1000), step_s) for one in steps_ms]
    rows.append(_spliced(programme.rows, wrong_sound(programme, clips, number, rng), step_s))
    found = []
    for sound, step_ms in zip(rows, [*steps_ms, 0.0], strict=True):
        rest = said(heard(programme, sound, step_s), weights)
        found.append(_told([*before, *rest], step_s, step_ms))
    return found[:-1], found[-1]


def _spliced(rows: np.ndarray, then: np.ndarray, at_s: float) -> np.ndarray:
    return np.concatenate([rows[: round(at_s * 100)], then[round(at_s * 100) :]])


def _told(windows: Sequence[Said], step_s: float, step_ms: float) -> StepTold:
    """What the detector tells, at its defaults."""
    state, carry = TrackerState("join"), None
    side = "early" if step_ms > 0 else "late"
    delay_s: float | None = None
    false_before = told_after = False
    material_s = 0.0
    for one, evidence in zip(windows, after(windows), strict=True):
        end_s = (one.heard.window.first + len(one.heard.window)) / FRAMES_PER_S
        found, carry = AV_OFFSET.weigh(told(one.heard, evidence), AV_OFFSET.limits, carry)
        events = []
        for kind in found:
            state, fresh = track(state, kind, AV_OFFSET.timing)
            events += [event for event in fresh if event.kind == "av.offset" and event.end_s is None]
        is_after = end_s > step_s
        false_before |= bool(events) and not is_after
        told_after |= bool(events) and is_after
        material_s += len(one.heard.window) / FRAMES_PER_S if is_after else 0.0
        if is_after and delay_s is None and material_s <= TOLD_WITHIN_S:
            delay_s = end_s - step_s if any(event.details["side"] == side for event in events) else None
    return StepTold(delay_s, false_before, told_after)
