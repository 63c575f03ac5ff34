"""Run: one stretch of raising evidence under one key, from its first step until it is over.

A run is what an event is made of, and may end before it has become one. Its rules are the hysteresis of the whole
program; `gpu_qa.events.tracker` keeps the runs of a stream and says what is told when.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.series import SEVERITIES

if TYPE_CHECKING:
    from gpu_qa.series import EventTiming, Evidence, Severity

TOLERANCE_S = 0.001
"""A length this much short of a limit reaches it: Matroska and FLV round both ends of it to milliseconds."""

_UNTOLD = -1
_CRITICAL = SEVERITIES.index("critical")


@dataclass(frozen=True, slots=True)
class Run:
    """All that is known of a run after some step."""

    id: str
    """The event's, once it is told."""
    start_s: float
    """Start of the first raising step."""
    raised_until_s: float
    """End of the last raising step; the latest where steps overlap."""
    held_until_s: float
    """End of the last step that neither raised nor cleared."""
    clear_from_s: float | None = None
    """Where evidence began to clear; null while none has since the last raising step."""
    clear_until_s: float = 0.0
    """How far it has cleared since then."""
    cleared_s: float = 0.0
    """Length of earlier clear stretches that did not end the run, as long as it is untold."""
    told: int = _UNTOLD
    """Index into `SEVERITIES` of the severity last told; −1 before the event has opened."""
    cap: int = _UNTOLD
    """Index into `SEVERITIES` that its severity may not exceed: the highest of its steps'."""
    worst: float = float("nan")
    """The worst value; NaN where none was measured."""
    confidence_sum: float = 0.0
    """Sum of the raising steps' confidence."""
    steps: int = 0
    """How many raising steps there were."""
    limit: float = float("nan")
    """What the worst value was compared with; NaN for nothing."""
    unit: str = ""
    message: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    """JSON values of the step with the worst value, and of others where the evidence says so."""

    @property
    def length_s(self) -> float:
        """From the first raising step's start to the last one's end."""
        return self.raised_until_s - self.start_s

    @property
    def severity(self) -> Severity:
        """The severity last told."""
        return SEVERITIES[max(self.told, 0)]

    @property
    def confidence(self) -> float:
        """Mean confidence of the raising steps, 0…1."""
        return round(self.confidence_sum / self.steps, 6) if self.steps else 1.0


def raised(run: Run, evidence: Evidence, first: int, last: int, timing: EventTiming) -> tuple[Run, list[Run]]:
    """Lengthen a run by the raising steps `first` to `last` (exclusive).

    Returns:
        The run after them, and the run as it stood after each step at which there was something to tell: it opened, or
        its severity rose.
    """
    if run.clear_from_s is not None:
        cleared_s = run.cleared_s + (run.clear_until_s - run.clear_from_s if run.told == _UNTOLD else 0.0)
        run = replace(run, clear_from_s=None, cleared_s=cleared_s)
    lengthened = _lengthened(run, evidence, first, last, timing)
    if lengthened.told == run.told:
        return lengthened, []
    tellings = []
    for step in range(first, last):
        before, run = run, _lengthened(run, evidence, step, step + 1, timing)
        if run.told > before.told:
            tellings.append(run)
    return run, tellings


def _lengthened(run: Run, evidence: Evidence, first: int, last: int, timing: EventTiming) -> Run:
    """The run after the steps `first` to `last` (exclusive), whatever was to be told on the way."""
    steps = slice(first, last)
    until_s = max(run.raised_until_s, float(evidence.end_s[steps].max()))
    cap = _CRITICAL if evidence.severity_cap is None else max(run.cap, int(evidence.severity_cap[steps].max()))
    length_s = until_s - run.start_s
    told = min(reached(length_s, timing), cap) if length_s >= timing.raise_after_s - TOLERANCE_S else _UNTOLD
    worst, at = _worst(run, evidence, first, last)
    confidence_sum = run.confidence_sum
    for confidence in (1.0,) * (last - first) if evidence.confidence is None else evidence.confidence[steps].tolist():
        confidence_sum += confidence  # one by one (not pairwise), so that a cut between two steps changes no bit
    return replace(
        run,
        raised_until_s=until_s,
        told=max(run.told, told),
        cap=cap,
        worst=worst,
        confidence_sum=confidence_sum,
        steps=run.steps + last - first,
        limit=run.limit if at is None else _limit(evidence, at),
        unit=run.unit if at is None else evidence.unit,
        message=run.message if at is None else evidence.message,
        details=_details(run, evidence, first, last, at),
    )


def _worst(run: Run, evidence: Evidence, first: int, last: int) -> tuple[float, int | None]:
    """The worst value after the steps `first` to `last` (exclusive), and the last of them that has it; null for none.

    Where nothing has been measured so far, every step counts.
    """
    values = evidence.value[first:last]
    worse = np.fmax if evidence.worst == "max" else np.fmin
    worst = float(worse(worse.reduce(values), run.worst))
    if math.isnan(worst):
        return worst, last - 1
    having = np.flatnonzero(values == worst)
    return worst, first + int(having[-1]) if len(having) else None


def _limit(evidence: Evidence, at: int) -> float:
    limit = evidence.limit
    return float(json_scalar(limit[at])) if isinstance(limit, np.ndarray) else limit


def _details(run: Run, evidence: Evidence, first: int, last: int, at: int | None) -> dict[str, Any]:
    """The run's details after the steps `first` to `last` (exclusive), of which `at` has the worst value, if any."""
    details = dict(run.details) if at is None else {}
    for name, values in evidence.details.items():
        if name in evidence.gathered:
            details[name] = _gathered(run.details.get(name), values[first:last])
        elif name in evidence.latest:
            details[name] = json_scalar(values[last - 1])
        elif at is not None:
            details[name] = json_scalar(values[at])
    return details


def _gathered(before: list[Any] | None, lists: np.ndarray) -> list[Any]:
    """All that is in any of the lists, each once, in the order in which it came."""
    found = list(before or ())
    for one in lists:
        found += [item for item in one or () if item not in found]
    return found


def reached(length_s: float, timing: EventTiming) -> int:
    """Index into `SEVERITIES` of a told run of this length: `warn` at least."""
    limits_s = (timing.major_after_s, timing.critical_after_s)
    return 1 + sum(length_s >= limit_s - TOLERANCE_S for limit_s in limits_s)


def begun_later(run: Run, start_s: float, timing: EventTiming) -> Run:
    """A told run as if it had begun at `start_s`: shorter, and as severe as that makes it."""
    return replace(run, start_s=start_s, told=min(reached(run.raised_until_s - start_s, timing), run.told))


def cleared(run: Run, evidence: Evidence, first: int, last: int, timing: EventTiming) -> Run | None:
    """The run after the clear steps `first` to `last` (exclusive); null where they end it.

    A told run ends once it has stayed clear for `clear_after_s`. An untold one may hold less than that in all: so a
    glitch does not hide a defect, and a picture that is black every other moment is not black.
    """
    from_s = run.clear_from_s
    if from_s is None:
        from_s = max(float(evidence.start_s[first]), run.raised_until_s)
    until_s = max(
        float(evidence.end_s[first:last].max()), run.clear_until_s if run.clear_from_s is not None else from_s
    )
    earlier_s = run.cleared_s if run.told == _UNTOLD else 0.0
    if earlier_s + (until_s - from_s) >= timing.clear_after_s - TOLERANCE_S:
        return None
    return replace(run, clear_from_s=from_s, clear_until_s=until_s)


def held(run: Run, evidence: Evidence, first: int, last: int) -> Run:
    """The run after the steps `first` to `last` (exclusive), which leave things as they are."""
    return replace(run, held_until_s=max(run.held_until_s, float(evidence.end_s[first:last].max())))


def final_end_s(run: Run, end_s: float) -> float:
    """Where a run ends with which the stream ended at `end_s`.

    That is the end of the last raising step, or, where things were left as they were from then on, the end of that.
    """
    if run.clear_from_s is not None:
        return run.raised_until_s
    return max(run.raised_until_s, min(run.held_until_s, end_s))


def json_scalar(value: Any) -> Any:
    """An array's element as a JSON value; a float32 becomes the shortest decimal that stands for it."""
    if isinstance(value, np.floating):
        return float(str(value))
    if isinstance(value, np.generic):
        return value.item()
    return value
