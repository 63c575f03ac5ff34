"""Causes: one thing that went wrong is told once, with what follows from it.

A black picture also stands still, shows no detail and has no colour. While the evidence of a cause raises, the events
that follow from it are held back; once the cause is told it names them in its details (`consequences`). An event whose
cause turns out to be none, or that outlasts it, is told after all.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gpu_qa.series import Event, EventTiming, Evidence

_NO_PICTURE = ("video.black", "video.solid_color", "video.test_pattern")
_NO_SOUND = ("audio.silence", "audio.missing")

CAUSES: Mapping[str, tuple[str, ...]] = {
    "video.freeze": _NO_PICTURE,
    "video.color_loss": (*_NO_PICTURE, "video.flash"),
    "video.block_corruption": (*_NO_PICTURE, "video.flash"),
    "video.blockiness": (*_NO_PICTURE, "video.block_corruption", "video.flash"),
    "video.blur": (*_NO_PICTURE, "video.freeze", "video.block_corruption", "video.blockiness", "video.flash"),
    "video.stutter": (
        *_NO_PICTURE,
        "video.freeze",
        "video.loop",
        "video.flash",
        "video.block_corruption",
        "stream.gap",
        "stream.overload",
    ),
    "video.loop": (*_NO_PICTURE, "video.freeze", "video.flash"),
    "video.interlacing": (*_NO_PICTURE, "video.block_corruption", "video.flash"),
    "audio.channel_loss": _NO_SOUND,
    "audio.phase_inversion": (*_NO_SOUND, "audio.channel_loss"),
    "audio.dual_mono": (*_NO_SOUND, "audio.channel_loss"),
    "audio.dc_offset": ("audio.stuck", "audio.clipping"),
    "audio.clipping": ("audio.stuck",),
    "audio.distortion": ("audio.clipping", "audio.stuck"),
    "audio.dropout": (*_NO_SOUND, "audio.stuck", "audio.distortion"),
    "audio.click": (*_NO_SOUND, "audio.stuck", "audio.dropout", "audio.clipping", "audio.distortion"),
    "audio.hum": (*_NO_SOUND, "audio.stuck", "audio.distortion"),
    "audio.true_peak": ("audio.clipping", "audio.distortion"),
}
"""Event kind → the kinds that explain it, of the picture or of the same audio track."""

_EXPLAINED_SHARE = 0.5
"""An event follows from causes that cover at least this share of it."""
_NEAR_S = 0.5
"""Causes are taken to begin this much earlier and to end this much later: detectors see edges at different times."""
_OUTLASTS_S = 2.0
"""An event that goes on for this long after its cause is told."""
_SPANS = 32
"""Stretches that are remembered of each cause."""

Span = tuple[float, float]
"""From when to when, in seconds on the stream's clock."""
Key = tuple[str, str]
"""A kind, and what of the stream: "" the picture and the stream itself, else the audio track."""


@dataclass(frozen=True, slots=True)
class CauseState:
    """What is remembered of causes and consequences. Never changed in place."""

    raised: Mapping[Key, tuple[Span, ...]] = field(default_factory=dict)
    """Where the evidence of each cause has raised, oldest first, told or not."""
    told: Mapping[Key, tuple[tuple[str, float, float | None], ...]] = field(default_factory=dict)
    """Id, start and end (null while open) of the latest events of each cause."""
    consequences: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Event id of an open cause → the kinds that follow from it."""
    held: Mapping[str, Event] = field(default_factory=dict)
    """By id: events that are not told while they look like consequences, as last known."""
    open: Mapping[str, float] = field(default_factory=dict)
    """Id → start of the events that are told and open, of kinds that may be consequences."""


def explain(
    state: CauseState, evidence: Iterable[tuple[Evidence, EventTiming]], events: Sequence[Event], until_s: float
) -> tuple[CauseState, list[Event]]:
    """Hold back what follows from something else.

    Args:
        state: As the call before returned it; `CauseState()` at a stream's start.
        evidence: All evidence of a stretch of stream, with the timing of its events.
        events: What the tracker made of it, in order.
        until_s: How far the stream has come.

    Returns:
        The new state, and the events to be told, in order.
    """
    timings: dict[str, EventTiming] = {}
    raised = dict(state.raised)
    for one, timing in evidence:
        timings[one.kind] = timing
        if one.kind in _EXPLAINING and len(one) and one.verdict.max() > 0:
            key = (one.kind, _track(one.kind, one.scope))
            raised[key] = _with_spans(raised.get(key, ()), one, timing.clear_after_s)
    if not events and not state.held:
        return replace(state, raised=raised), []
    work = _Work(replace(state, raised=raised), until_s)
    work.take(events, timings)
    work.release()
    told = work.told()  # before the state: it forgets what has been told to the end
    return work.state(), told


def settle(state: CauseState, events: Sequence[Event], until_s: float) -> list[Event]:
    """What is to be told at the stream's end.

    Args:
        state: As the last `explain` returned it.
        events: What the tracker closed, in order.
        until_s: Where the stream ended.
    """
    work = _Work(state, until_s)
    work.take(events, {})
    return work.told()


class _Work:
    """One step of `explain` in the making."""

    def __init__(self, state: CauseState, until_s: float) -> None:
        self._raised = state.raised
        self._causes = dict(state.told)
        self._consequences = dict(state.consequences)
        self._held = dict(state.held)
        self._open = dict(state.open)
        self._until_s = until_s
        self._found: list[Event] = []

    def state(self) -> CauseState:
        """What is to be remembered."""
        return CauseState(self._raised, self._causes, self._consequences, self._held, self._open)

    def told(self) -> list[Event]:
        """What is to be told, causes with what is known to follow from them."""
        told = []
        for event in self._found:
            named = set(self._consequences.get(event.id, ()))
            if event.kind in _EXPLAINING and event.state == "closed":
                key = _key(event)
                named |= {held.kind for held in self._held.values() if key in _causes_of(held)}
            # Only in the end: what is known before depends on how the stream was cut.
            if named and event.state == "closed":
                told.append(replace(event, details={**event.details, "consequences": sorted(named)}))
            else:
                told.append(event)
        running = {event_id for events in self._causes.values() for event_id, _, end_s in events if end_s is None}
        self._consequences = {event_id: self._consequences[event_id] for event_id in running & set(self._consequences)}
        return told

    def take(self, events: Sequence[Event], timings: Mapping[str, EventTiming]) -> None:
        """Sort out the tracker's events: told, held back, or explained."""
        for event in events:
            if event.kind in _EXPLAINING:
                key = _key(event)
                others = tuple(one for one in self._causes.get(key, ()) if one[0] != event.id)
                self._causes[key] = (*others[1 - _SPANS :], (event.id, event.start_s, event.end_s))
        for event in events:
            if event.kind not in CAUSES or event.id in self._open:
                self._tell(event)
            elif event.id in self._held or self._looks_explained(event, timings.get(event.kind)):
                self._held[event.id] = event
                if event.state == "closed":
                    self._settle(event)
            else:
                self._tell(event)

    def release(self) -> None:
        """Tell what outlasts its causes, or whose causes have come to nothing."""
        for event in list(self._held.values()):
            spans = self._raised_spans(event)
            ended_s = max((end_s for _, end_s in spans), default=event.start_s)
            if self._until_s - ended_s < _OUTLASTS_S:
                continue
            del self._held[event.id]
            start_s = event.start_s
            if ended_s > start_s and self._share(start_s, ended_s, self._told_spans(event)) >= _EXPLAINED_SHARE:
                self._name(event)
                start_s = ended_s
            self._tell(replace(event, start_s=start_s))

    def _looks_explained(self, event: Event, timing: EventTiming | None) -> bool:
        """Whether causes have raised for most of the time that the event has lasted by the time it opened."""
        least_s = timing.raise_after_s if timing is not None else 0.0
        end_s = event.start_s + least_s if event.end_s is None else event.end_s
        return self._share(event.start_s, end_s, self._raised_spans(event)) >= _EXPLAINED_SHARE

    def _settle(self, event: Event) -> None:
        """A held event has closed: it followed from what was told, or it is told now."""
        del self._held[event.id]
        end_s = self._until_s if event.end_s is None else event.end_s
        if self._share(event.start_s, end_s, self._told_spans(event)) >= _EXPLAINED_SHARE:
            self._name(event)
            return
        self._tell(replace(event, state="open", end_s=None))
        self._tell(event)

    def _tell(self, event: Event) -> None:
        if event.kind in CAUSES:
            start_s = self._open.setdefault(event.id, event.start_s)
            if event.state == "closed":
                del self._open[event.id]
            event = replace(event, start_s=start_s)
        self._found.append(event)

    def _name(self, consequence: Event) -> None:
        """Have the causes of a consequence name it when they are told next."""
        at_s = consequence.start_s
        for cause in _causes_of(consequence):
            for event_id, start_s, end_s in self._causes.get(cause, ()):
                if self._share(at_s, self._until_s, [(start_s, self._until_s if end_s is None else end_s)]) > 0:
                    kinds = {*self._consequences.get(event_id, ()), consequence.kind}
                    self._consequences[event_id] = tuple(sorted(kinds))

    def _raised_spans(self, event: Event) -> list[Span]:
        return [span for cause in _causes_of(event) for span in self._raised.get(cause, ())]

    def _told_spans(self, event: Event) -> list[Span]:
        return [
            (start_s, self._until_s if end_s is None else end_s)
            for cause in _causes_of(event)
            for _, start_s, end_s in self._causes.get(cause, ())
        ]

    @staticmethod
    def _share(start_s: float, end_s: float, spans: Iterable[Span]) -> float:
        """How much of a stretch the spans cover, each widened by what detectors may differ by."""
        end_s = max(end_s, start_s + 1e-3)
        covered_s, at_s = 0.0, start_s
        for first_s, last_s in sorted((first_s - _NEAR_S, last_s + _NEAR_S) for first_s, last_s in spans):
            begin_s, until_s = max(first_s, at_s), min(last_s, end_s)
            if until_s > begin_s:
                covered_s += until_s - begin_s
                at_s = until_s
        return covered_s / (end_s - start_s)


_EXPLAINING = frozenset(cause for causes in CAUSES.values() for cause in causes)


def _key(event: Event) -> Key:
    return event.kind, _track(event.kind, event.scope)


def _causes_of(event: Event) -> list[Key]:
    track = _track(event.kind, event.scope)
    return [(cause, track if cause.startswith("audio.") else "") for cause in CAUSES.get(event.kind, ())]


def _track(kind: str, scope: str) -> str:
    """The audio track that an event speaks of; "" for all other kinds."""
    return scope.partition(":")[0] if kind.startswith("audio.") else ""


def _with_spans(spans: tuple[Span, ...], evidence: Evidence, join_s: float) -> tuple[Span, ...]:
    """The spans with the raising steps of the evidence, those no further apart than `join_s` as one."""
    raises = np.flatnonzero(evidence.verdict > 0)
    joined = list(spans)
    for begin_s, until_s in zip(evidence.start_s[raises].tolist(), evidence.end_s[raises].tolist(), strict=True):
        first_s, last_s = begin_s, until_s
        while joined and first_s <= joined[-1][1] + join_s:
            earlier_s, later_s = joined.pop()
            first_s, last_s = min(first_s, earlier_s), max(last_s, later_s)
        joined.append((first_s, last_s))
    return tuple(joined[-_SPANS:])
