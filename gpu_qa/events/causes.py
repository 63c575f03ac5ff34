"""Causes: one thing that went wrong is told once, with what follows from it.

A black picture also stands still, shows no detail and has no colour. An event that may follow from something else is
told once it is certain that no cause covers its beginning; where one does, the cause names it in its details
(`consequences`) instead. An event that outlasts its cause is told from there on. One that decoder or transport bear out
follows from nothing that the picture shows.

What is decided depends on times of the stream only, never on how the evidence was cut.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gpu_qa.events.cause_table import APART, CAUSES, CONCERNED, EXPLAINING, audio_track, event_name
from gpu_qa.events.tracker import retold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gpu_qa.events.run import Run
    from gpu_qa.events.tracker import TrackerState
    from gpu_qa.series import Detector, Event, EventTiming, Evidence

_EXPLAINED_SHARE = 0.5
"""An event follows from causes that cover at least this share of the time that it took to open."""
_NEAR_S = 0.5
"""Causes are taken to begin this much earlier and to end this much later: detectors see edges at different times."""
_LATE_S = 0.5
"""So much more is waited for the evidence of causes whose detectors judge a little late, or say nothing while all is
well."""
_PATIENCE_S = 5.0
"""A cause that is neither told nor cleared after so long explains nothing: an alarm must not wait for it any longer."""
_OUTLASTS_S = 2.0
"""An event that goes on for this long after its cause is told."""
_WHOLE = ("", "main", "wrap", "levels")
"""What scopes say after the track that leaves out no channel: nothing, the only group, and what is wrong with it."""
_SPANS = 32
"""Events that are remembered of each kind of cause."""
_REPORTED = frozenset(("decoder", "transport"))
"""Witnesses in an event's `evidence` that no picture can make speak: what they bear out follows from no other event."""

Key = tuple[str, str]
"""A name, and what of the stream: "" the picture and the stream itself, else the audio track."""


@dataclass(frozen=True, slots=True)
class _Told:
    """An event of a cause."""

    id: str
    start_s: float
    end_s: float | None
    """Null while open."""
    channels: frozenset[str] | None
    """Channels of the audio track that it speaks of; null is all of them."""
    is_info: bool = False
    """It was for information only when it opened."""
    causes: tuple[str, ...] = ()
    """Ids of what it follows from itself."""


@dataclass(frozen=True, slots=True)
class _Held:
    """An event that is not told, or not yet."""

    event: Event
    """As last known."""
    opened_s: float
    """When it became certain, in seconds on the stream's clock."""
    timing: EventTiming
    explained: bool = False
    """It follows from a cause; false while that is not decided."""
    reported: bool = False
    """Decoder or transport have borne it out."""

    @property
    def name(self) -> str:
        """As in `CAUSES`."""
        return event_name(self.event.kind, self.event.scope)

    @property
    def window_s(self) -> float:
        """A cause has begun before."""
        return max(self.opened_s, self.event.start_s + _NEAR_S)


@dataclass(frozen=True, slots=True)
class CauseState:
    """What is remembered of causes and consequences. Never changed in place."""

    until_s: Mapping[Key, float] = field(default_factory=dict)
    """How far the evidence of each kind has come, in seconds."""
    told: Mapping[Key, tuple[_Told, ...]] = field(default_factory=dict)
    """The latest events of each cause, oldest first."""
    consequences: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Event id of an open cause → the kinds that follow from it."""
    held: Mapping[str, _Held] = field(default_factory=dict)
    """By id: events that are not told, or not yet."""
    open: frozenset[str] = frozenset()
    """Ids of the events that are told and open, of kinds that may be consequences."""


def awaiting(detectors: Iterable[Detector]) -> CauseState:
    """The state at a stream's start: what is held back for the picture's evidence waits for its first one."""
    kinds = {kind for detector in detectors if detector.consumes == "video" for kind in detector.kinds}
    causes = {cause for name in APART for cause in CAUSES[name]}
    return CauseState({(cause, ""): float("-inf") for cause in sorted(causes & kinds)})


def explain(
    state: CauseState,
    tracker: TrackerState,
    evidence: Sequence[tuple[Evidence, EventTiming]],
    events: Sequence[Event],
    until_s: float,
) -> tuple[CauseState, TrackerState, list[Event]]:
    """Hold back what follows from something else.

    Args:
        state: As the call before returned it; `CauseState()` at a stream's start.
        tracker: What the tracker knows after these events.
        evidence: All evidence of a stretch of stream, with the timing of its events.
        events: What the tracker made of it, in order.
        until_s: How far the stream has come.

    Returns:
        The new state, the tracker's, in which an event that outlasts its cause begins where that ended, and the
        events to be told, in order.
    """
    reached_s = _lengthened(state.until_s, evidence)
    state = CauseState(reached_s, state.told, state.consequences, state.held, state.open)
    if not events and not state.held:
        return state, tracker, []
    work = _Work(state, tracker, until_s)
    work.take(events, {one.kind: timing for one, timing in evidence})
    work.decide()
    told = work.told()  # before the state: it forgets what has been told to the end
    return work.state(), work.tracker, told


def settle(state: CauseState, tracker: TrackerState, events: Sequence[Event], until_s: float) -> list[Event]:
    """What is to be told at the stream's end.

    Args:
        state: As the last `explain` returned it.
        tracker: As `finish` returned it.
        events: What `finish` closed, in order.
        until_s: Where the stream ended.
    """
    work = _Work(state, tracker, until_s, is_end=True)
    work.take(events, {})
    work.decide()
    return work.told()


def _lengthened(until_s: Mapping[Key, float], evidence: Sequence[tuple[Evidence, EventTiming]]) -> Mapping[Key, float]:
    """How far the evidence has come; a detector that has no step yet is waited for all the same."""
    reached = dict(until_s)
    for one, _ in evidence:
        if (name := event_name(one.kind, one.scope)) in CONCERNED:
            key = (name, audio_track(one.kind, one.scope))
            known_s = reached.get(key, float("-inf"))
            reached[key] = max(known_s, float(one.end_s[-1])) if len(one) else known_s
    return reached


class _Work:
    """One step of `explain` in the making."""

    def __init__(self, state: CauseState, tracker: TrackerState, until_s: float, *, is_end: bool = False) -> None:
        self.tracker = tracker
        self._evidence_s = state.until_s
        self._causes = dict(state.told)
        self._consequences = dict(state.consequences)
        self._held = dict(state.held)
        self._open = set(state.open)
        self._until_s = until_s
        self._is_end = is_end
        self._found: list[Event] = []

    def state(self) -> CauseState:
        """What is to be remembered."""
        return CauseState(self._evidence_s, self._causes, self._consequences, self._held, frozenset(self._open))

    def told(self) -> list[Event]:
        """What is to be told, causes with what is known to follow from them."""
        told = []
        for event in self._found:
            named = self._consequences.get(event.id)
            # Only in the end: what is known before depends on how the stream was cut.
            if named and event.state == "closed":
                event = replace(event, details={**event.details, "consequences": list(named)})  # noqa: PLW2901
            told.append(event)
        running = {one.id for one in self._all_causes() if one.end_s is None} | set(self._held)
        self._consequences = {event_id: self._consequences[event_id] for event_id in running & set(self._consequences)}
        return told

    def take(self, events: Sequence[Event], timings: Mapping[str, EventTiming]) -> None:
        """Sort the tracker's events: told, or held back."""
        for event in events:
            if (name := event_name(event.kind, event.scope)) in EXPLAINING:
                key = (name, audio_track(event.kind, event.scope))
                known = self._causes.get(key, ())
                others = tuple(one for one in known if one.id != event.id)
                this = next((one for one in known if one.id == event.id), None)
                channels = _channels(event.scope, event.details)
                if this is None:
                    this = _Told(event.id, event.start_s, None, None, event.severity == "info")
                this = replace(this, start_s=event.start_s, end_s=event.end_s, channels=channels)
                self._causes[key] = (*others[1 - _SPANS :], this)
        for event in events:
            timing, held = timings.get(event.kind), self._held.get(event.id)
            reported = not _REPORTED.isdisjoint(event.details.get("evidence") or ())
            if held is not None:
                self._held[event.id] = replace(held, event=event, reported=held.reported or reported)
            elif event_name(event.kind, event.scope) in CAUSES and event.id not in self._open and timing is not None:
                opened_s = event.start_s + timing.raise_after_s
                opened_s = opened_s if event.end_s is None else min(opened_s, event.end_s)
                self._held[event.id] = _Held(event, opened_s, timing, reported=reported)
            else:
                self._tell(event)

    def decide(self) -> None:
        """Tell what nothing explains, and what outlasts its causes; forget what has ended with them."""
        for held in sorted(self._held.values(), key=lambda held: (held.opened_s, held.event.id)):
            if held.reported:
                self._unname(held.event)
                self._release(held.event)
                continue
            if not held.explained:
                if not self._is_known(held, held.window_s):
                    continue
                if self._covered_share(held) < _EXPLAINED_SHARE:
                    self._release(held.event)
                    continue
                held = replace(held, explained=True)  # noqa: PLW2901
                self._held[held.event.id] = held
            self._follow(held)

    def _is_known(self, held: _Held, until_s: float) -> bool:
        """Whether nothing can change any more about the causes that have begun before a time."""
        if self._is_end or self._until_s >= until_s + 2 * _PATIENCE_S:
            return True
        known = [key for key in _causes_of(held.event) if key in self._evidence_s]
        if held.name in APART:
            if self._undecided(held, until_s) or any(one.id in self._unexplained() for one in self._spans(held)):
                return False
            return all(self._evidence_s[key] >= until_s for key in known)
        stage, track = _stage(held.event.kind), audio_track(held.event.kind, held.event.scope)
        beside = (end_s for (kind, other), end_s in self._evidence_s.items() if (_stage(kind), other) == (stage, track))
        come_s = max(beside, default=float("-inf"))
        if come_s >= until_s + _PATIENCE_S:
            return True
        if self._undecided(held, until_s):
            return False
        reached_s = (self._evidence_s[key] for key in known if _stage(key[0]) == stage)
        return come_s >= until_s + _LATE_S or all(one_s >= until_s for one_s in reached_s)

    def _undecided(self, held: _Held, until_s: float) -> list[Run]:
        """What may still become an event that has begun before a time, or may turn out to have ended before it."""
        channels, causes = _channels(held.event.scope, held.event.details), set(_causes_of(held.event))
        return [
            run
            for (kind, scope), run in self.tracker.runs.items()
            if (event_name(kind, scope), audio_track(kind, scope)) in causes
            and run.start_s < until_s
            and (run.told < 0 or run.raised_until_s < held.opened_s)
            and _concerns(_channels(scope, run.details), channels)
        ]

    def _spans(self, held: _Held) -> list[_Told]:
        """All events that may explain one, by their start."""
        channels = _channels(held.event.scope, held.event.details)
        is_apart, is_info = held.name in APART, held.event.severity == "info"
        spans = [
            one
            for key in _causes_of(held.event)
            for one in self._causes.get(key, ())
            if _concerns(one.channels, channels)
            and (one.end_s is None or one.end_s >= held.event.start_s - _NEAR_S)
            and not (is_apart and (one.causes or (one.is_info and not is_info)))
        ]
        return sorted(spans, key=lambda one: one.start_s)

    def _covered_share(self, held: _Held) -> float:
        """How much of the time that an event took to open is covered by causes, each widened by `_NEAR_S`."""
        start_s, end_s = held.event.start_s, max(held.opened_s, held.event.start_s + 1e-3)
        covered_s, at_s = 0.0, start_s
        for one in self._spans(held):
            if one.start_s >= held.window_s:
                break
            from_s = max(one.start_s - _NEAR_S, at_s)
            to_s = end_s if one.end_s is None else min(one.end_s + _NEAR_S, end_s)
            if to_s > from_s:
                covered_s += to_s - from_s
                at_s = to_s
        return covered_s / (end_s - start_s)

    def _follow(self, held: _Held) -> None:
        """Name an event that follows from causes there; drop it when it ends with them, tell it when it does not."""
        event, ended_s, causes = held.event, held.event.start_s, list[str]()
        last_s = float("inf") if event.end_s is None else event.end_s
        for one in self._spans(held):
            if one.start_s >= max(min(ended_s + _OUTLASTS_S, last_s), held.window_s):
                break
            causes.append(one.id)
            ended_s = max(ended_s, float("inf") if one.end_s is None else one.end_s)
        self._name_in(event, tuple(causes))
        if event.end_s is not None and event.end_s <= ended_s + _OUTLASTS_S:
            del self._held[event.id]
            return
        if event.end_s is None:
            run = self.tracker.runs.get((event.kind, event.scope))
            last_s = float("-inf") if run is None else run.raised_until_s
        if last_s <= ended_s + _OUTLASTS_S or not self._is_known(held, ended_s + _OUTLASTS_S):
            return
        self.tracker, later = retold(self.tracker, event, ended_s, held.timing)
        self._release(later)

    def _unname(self, event: Event) -> None:
        """Name an event no longer in what is still open and was taken for its cause."""
        self._consequences = {
            cause: tuple(kind for kind in kinds if kind != event.kind) for cause, kinds in self._consequences.items()
        }

    def _name_in(self, event: Event, causes: tuple[str, ...]) -> None:
        """Name an event and what follows from it in its causes, and in theirs, which are told in their place."""
        kinds = {event.kind, *self._consequences.get(event.id, ())}
        above = {one.id: one.causes for one in self._all_causes()}
        waiting, seen = list(causes), set[str]()
        while waiting:
            cause = waiting.pop()
            if cause not in seen:
                seen.add(cause)
                self._consequences[cause] = tuple(sorted({*self._consequences.get(cause, ()), *kinds}))
                waiting += above.get(cause, ())
        key = (event_name(event.kind, event.scope), audio_track(event.kind, event.scope))
        if key in self._causes:
            self._causes[key] = tuple(
                replace(one, causes=causes) if one.id == event.id else one for one in self._causes[key]
            )

    def _all_causes(self) -> list[_Told]:
        return [one for events in self._causes.values() for one in events]

    def _unexplained(self) -> set[str]:
        """Ids of the events of which it is not decided whether they follow from a cause."""
        return {event_id for event_id, held in self._held.items() if not held.explained}

    def _release(self, event: Event) -> None:
        """Tell an event that was held: as open first, whatever has become of it."""
        del self._held[event.id]
        if event.state == "closed":
            self._tell(replace(event, state="open", end_s=None))
        self._tell(event)

    def _tell(self, event: Event) -> None:
        if event_name(event.kind, event.scope) in CAUSES:
            (self._open.add if event.state == "open" else self._open.discard)(event.id)
        self._found.append(event)


def _causes_of(event: Event) -> list[Key]:
    track, causes = audio_track(event.kind, event.scope), CAUSES.get(event_name(event.kind, event.scope), ())
    return [(cause, track if cause.startswith("audio.") else "") for cause in causes]


def _stage(kind: str) -> str:
    """What is judged: `video`, `audio` or `stream`."""
    return kind.partition(".")[0]


def _channels(scope: str, details: Mapping[str, object]) -> frozenset[str] | None:
    """The channels of an audio track that an event speaks of; null is all of them."""
    if scope.partition(":")[2] in _WHOLE:
        return None
    named = details.get("channels", details.get("channel"))
    if isinstance(named, str):
        return frozenset((named,))
    return frozenset(named) if isinstance(named, list | tuple) else None


def _concerns(cause: frozenset[str] | None, consequence: frozenset[str] | None) -> bool:
    """Whether a cause in some channels explains what is heard in others: not where those are more than they share."""
    return cause is None or (consequence is not None and bool(cause & consequence))
