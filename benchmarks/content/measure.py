"""What the content way says of programmes with known offsets, of such with wrong sound, and of steps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.content.material import drawn, heard, moved, wrong_sound
from gpu_qa.detectors.av_offset import AV_OFFSET
from gpu_qa.events import TrackerState, track
from gpu_qa.sync.content import scorable, told, window_evidence, window_scores
from gpu_qa.sync.evidence import Evidence, answer_of, gathered
from gpu_qa.sync.measures import ROWS_PER_S
from gpu_qa_kernels.sync_net import AUDIO_MARGIN, FRAMES_PER_S, RATIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.content.material import Clip
    from gpu_qa.sync.content import Heard, Weights

ADVANCES_S = np.round(np.arange(-0.40, 0.33, 0.01), 2)
"""By one of these the sound of a join is moved; of every third, by nothing."""
STEP_AFTER_S = 80.0
TOLD_WITHIN_S = 60.0
_REST_S = TOLD_WITHIN_S + 6.0
"""What stands after the step: shots that are too short, and what is between shots, do not count."""
LEAST_S = STEP_AFTER_S + _REST_S
"""So long must clips of people who talk be together."""
_SOUND_S = AUDIO_MARGIN / ROWS_PER_S
"""A window is looked at when so much sound after it has come."""


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


def said(windows: Iterable[Heard], weights: Weights) -> list[Said]:
    """What each window says in which something moves and is heard."""
    out = []
    for one in windows:
        sound = scorable(one)
        if sound is not None:
            scores = np.asarray(window_scores(one.window.motion[None], sound[None], weights)[0])
            out.append(Said(one, window_evidence(scores)))
    return out


def after(windows: Sequence[Said]) -> list[Evidence]:
    """The evidence after each window."""
    evidence: Evidence | None = None
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


def one_join(
    clips: Sequence[Clip],
    strangers: Sequence[Clip],
    seconds: float,
    number: int,
    rng: np.random.Generator,
    weights: Weights,
) -> tuple[Answered, Answered]:
    """A join with its own sound, moved, and with sound that is not its own."""
    programme = drawn(clips, seconds, rng)
    advance_s = 0.0 if number % 3 == 0 else float(rng.choice(ADVANCES_S))
    right = answered(said(heard(programme, moved(programme.rows, advance_s)), weights), advance_s)
    wrong = answered(said(heard(programme, wrong_sound(programme, strangers, number, rng)), weights), np.nan)
    return right, wrong


class StepTold(NamedTuple):
    """What was told of a join with a step."""

    delay_s: float | None
    """From the step until it was told, on the right side; null where it was not within `TOLD_WITHIN_S` of material."""
    false_before: bool
    told_after: bool
    """Any event after it."""


def one_step(
    clips: Sequence[Clip],
    strangers: Sequence[Clip],
    steps_ms: Sequence[float],
    number: int,
    rng: np.random.Generator,
    weights: Weights,
) -> tuple[list[StepTold], StepTold]:
    """A join with each of the steps, and with wrong sound from there on.

    What stands before the step is the same in all of them, and looked at once, as if nothing followed.
    """
    programme = drawn(clips, STEP_AFTER_S + _REST_S, rng)
    until = int(STEP_AFTER_S * FRAMES_PER_S)
    # The step stands where a window ends.
    step = max(window.first + len(window) for window in programme.windows if window.first < until)
    head = replace(programme, windows=tuple(one for one in programme.windows if one.first < step))
    before = said(heard(head, programme.rows), weights)
    rows = [_spliced(programme.rows, moved(programme.rows, one / 1000), step) for one in steps_ms]
    rows.append(_spliced(programme.rows, wrong_sound(programme, strangers, number, rng), step))
    found = []
    for sound, step_ms in zip(rows, [*steps_ms, 0.0], strict=True):
        rest = said(heard(programme, sound, step), weights)
        found.append(told_of([*before, *rest], step / FRAMES_PER_S, step_ms))
    return found[:-1], found[-1]


def _spliced(rows: np.ndarray, then: np.ndarray, step: int) -> np.ndarray:
    return np.concatenate([rows[: RATIO * step], then[RATIO * step :]])


def told_of(windows: Sequence[Said], step_s: float, step_ms: float) -> StepTold:
    """What the detector tells, at its defaults: a window counts when its sound has come.

    Args:
        windows: In order.
        step_s: When the sound steps.
        step_ms: By how much it becomes earlier; 0 where the side does not matter.
    """
    state, carry = TrackerState("join"), None
    side = "early" if step_ms > 0 else "late"
    begun: dict[str, bool] = {}
    delay_s: float | None = None
    material_s = 0.0
    for one, evidence in zip(windows, after(windows), strict=True):
        end_s = (one.heard.window.first + len(one.heard.window)) / FRAMES_PER_S
        is_after = end_s > step_s
        material_s += len(one.heard.window) / FRAMES_PER_S if is_after else 0.0
        found, carry = AV_OFFSET.weigh(told(one.heard, evidence), AV_OFFSET.limits, carry)
        for kind in found:
            state, events = track(state, kind, AV_OFFSET.timing)
            for event in events:
                if event.kind != "av.offset" or event.id in begun:
                    continue
                begun[event.id] = is_after
                is_in_time = is_after and material_s + _SOUND_S <= TOLD_WITHIN_S
                if is_in_time and delay_s is None and event.details["side"] == side:
                    delay_s = end_s + _SOUND_S - step_s
    return StepTold(delay_s, not all(begun.values()), any(begun.values()))
