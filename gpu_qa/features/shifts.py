"""Shifts: the timestamps of one track step against its own content, and the other track's do not.

The content goes on, frame by frame, and its timestamps are from there on all later or all earlier: players show sound
and picture apart by as much. A single wrong timestamp, jitter and damage are none; nor is what the other track does as
well. A step ahead looks the same where so much is missing, a step back where so much comes twice, unless the order in
which packets come shows that it does not: sound that keeps coming beside the same pictures has gone on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple

from gpu_qa.series import StreamFact

if TYPE_CHECKING:
    from collections.abc import Collection

STEP_S = 0.05
"""Steps of timestamps up to this much are jitter, or the frame of a codec that a splice cuts: those of AAC last 21 to
46 ms."""
WINDOW_S = 1.0
"""What comes within it of a step, on either side, is held against one another: the second before, and the second of
the two seconds after, by which a single wrong timestamp has gone."""
LONGEST_S = 10.0
"""Timestamps that do not settle within this time are not judged; nor is the other track waited for any longer."""
_SILENT_S = LONGEST_S + 5.0
"""A track that has stepped and sends no more is given up once the others have come so much further: as long as it had,
and as far apart as files interleave."""
HABIT_S = 30.0
"""Of sound that lacks, by its timestamps, time and again, such as calls that send nothing in pauses, no step ahead is
told within this time of another, unless the order of packets bears it out."""
_THIN_S = 0.02
"""Units that begin less than this apart count once."""
_FEWEST = 3
"""Timestamps on either side of a step; fewer say too little."""
_LEAD_S = 0.05
_LEADS = round((LONGEST_S + 6 * WINDOW_S) / _LEAD_S)
"""How densely the order of packets is kept, and how many of it: for as long as a shift may wait."""
_MOST = 256
"""Steps that are remembered of a track, and moments of damage."""

Kind = Literal["video", "audio"]


class Unit(NamedTuple):
    """A picture, or a run of samples, as its timestamp has it."""

    start_s: float
    """Start on the stream's clock, which the clock itself may not follow back, seconds."""
    length_s: float
    """How long it lasts, seconds."""
    offset_s: float = 0.0
    """What makes its start of its timestamp, seconds."""
    lead_s: float | None = None
    """Of sound: by how much its packet came ahead of the picture's, as in `AudioSamples`; null where that is not
    known."""


class _Seen(NamedTuple):
    """Where a unit stood."""

    content_s: float
    """Length of the track's content before it, seconds."""
    ahead_s: float
    """Its start by timestamps less that length."""


class _Lead(NamedTuple):
    """By how much the packet of a unit of sound came ahead of the picture's."""

    start_s: float
    content_s: float
    lead_s: float


@dataclass(slots=True)
class _Step:
    """A step that has not settled yet."""

    at_s: float
    """Where the track would have gone on, seconds on the stream's clock."""
    first_s: float
    """Content before it."""
    since_s: float
    """Content before the last of its steps."""
    from_s: float
    """Where it went on instead, seconds on the stream's clock."""
    beside_s: float
    """How far any track had come by then."""
    before: tuple[_Seen, ...]
    after: list[_Seen] = field(default_factory=list)


class _Shift(NamedTuple):
    """A step that has settled."""

    track: int
    kind: Kind
    at_s: float
    jump_s: float
    offset_s: float
    """What makes times on the stream's clock of timestamps, seconds."""
    first_s: float
    since_s: float
    """Content of the track before the first of its steps, and before the last."""
    until_s: float
    """Where the other track must have come to, seconds on the stream's clock."""


@dataclass(slots=True)
class _Track:
    """One track: how its timestamps keep to its content."""

    kind: Kind
    content_s: float = 0.0
    next_s: float | None = None
    """Where it would go on, seconds on the stream's clock; null where that is not known."""
    last_s: float = 0.0
    recent: deque[_Seen] = field(default_factory=deque)
    step: _Step | None = None
    steps: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_MOST))
    """Where it stepped, and by how much."""
    reached_s: float = float("-inf")
    leads: deque[_Lead] = field(default_factory=lambda: deque(maxlen=_LEADS))
    """Of sound: the order of packets."""


class ShiftWatch:
    """Finds the shifts of one stream's tracks. Streams without a picture, or without sound, have none."""

    def __init__(self) -> None:
        self._tracks: dict[int, _Track] = {}
        self._settled: list[_Shift] = []
        self._damage: dict[int, deque[float]] = {}
        """Timestamps of what was damaged or lost, by track."""

    @property
    def undecided_s(self) -> dict[str, float]:
        """Start of the earliest step that may yet turn out to be a shift, by the kind of track; none for none."""
        found: dict[str, float] = {}
        waiting = [(track.kind, track.step.at_s) for track in self._tracks.values() if track.step is not None]
        for kind, at_s in (*waiting, *((shift.kind, shift.at_s) for shift in self._settled)):
            found[kind] = min(at_s, found.get(kind, at_s))
        return found

    def rebase(self, track: int) -> None:
        """The track goes on in another time base: what was seen before says nothing of what follows."""
        known = self._tracks.get(track)
        if known is not None:
            known.recent.clear()
            known.leads.clear()
            known.step = known.next_s = None

    def hurt(self, track: int, raw_s: float) -> None:
        """Something of a track was damaged or lost at a timestamp, in seconds; perhaps before it is seen."""
        self._damage.setdefault(track, deque(maxlen=_MOST)).append(raw_s)

    def see(self, track: int, kind: Kind, unit: Unit) -> list[StreamFact]:
        """Take the next unit of a track.

        Returns:
            The shifts of any track that are certain now.
        """
        known = self._tracks.get(track)
        if known is None:
            known = self._tracks[track] = _Track(kind)
        self._settled += _settled(track, known, unit, self._reached_s())
        for one in self._tracks.values():
            if one.step is not None and known.reached_s > max(one.step.from_s, one.step.beside_s) + _SILENT_S:
                one.step = None
        return self._decided(ended=False) if self._settled else []

    def finish(self) -> list[StreamFact]:
        """The shifts that are certain now that nothing follows."""
        return self._decided(ended=True)

    def _reached_s(self, kind: Kind | None = None) -> float:
        """How far any track has come, or any of a kind."""
        return max(one.reached_s for one in self._tracks.values() if kind is None or one.kind == kind)

    def _decided(self, *, ended: bool) -> list[StreamFact]:
        facts, waiting = [], []
        for shift in self._settled:
            own, others = self._tracks[shift.track], [one for one in self._tracks.values() if one.kind != shift.kind]
            has_come = all(one.reached_s >= shift.until_s for one in others)
            if not (ended or has_come or self._reached_s(shift.kind) >= shift.at_s + LONGEST_S):
                waiting.append(shift)
            elif others and not self._is_hurt(shift) and _holds(shift, others):
                sound = own if shift.kind == "audio" else others[0]
                borne_out = _comes_on(sound.leads, shift)
                is_odd = shift.jump_s < 0 or (shift.kind == "audio" and not _is_habit(own, shift.at_s))
                if borne_out or is_odd:
                    facts.append(_fact(shift, borne_out=borne_out))
        self._settled = waiting
        return facts

    def _is_hurt(self, shift: _Shift) -> bool:
        """Whether something of the track was damaged or lost there."""
        from_s, until_s = shift.at_s - WINDOW_S, shift.until_s - WINDOW_S
        return any(from_s <= raw_s + shift.offset_s <= until_s for raw_s in self._damage.get(shift.track, ()))


def _settled(number: int, track: _Track, unit: Unit, beside_s: float) -> list[_Shift]:
    """Note a unit of a track, when others have come so far; gives the shift that it settles, if any."""
    seen = _Seen(track.content_s, unit.start_s - track.content_s)
    step_s = 0.0 if track.next_s is None else unit.start_s - track.next_s
    if abs(step_s) > STEP_S:
        expected_s = track.next_s or 0.0
        # MP4 says how long pictures last in the order of decoding: one may seem to outlast the next.
        if track.kind == "audio" or step_s > 0 or unit.start_s < track.last_s:
            _step(track, expected_s, unit.start_s, beside_s)
        track.steps.append((min(expected_s, unit.start_s), step_s))
    track.content_s += unit.length_s
    track.last_s, track.next_s = unit.start_s, unit.start_s + unit.length_s
    track.reached_s = max(track.reached_s, track.next_s)
    if unit.lead_s is not None and (not track.leads or seen.content_s >= track.leads[-1].content_s + _LEAD_S):
        track.leads.append(_Lead(unit.start_s, seen.content_s, unit.lead_s))
    step = track.step
    if step is None:
        _remember(track.recent, seen)
        return []
    if seen.content_s >= step.since_s + WINDOW_S and (
        not step.after or seen.content_s >= step.after[-1].content_s + _THIN_S
    ):
        step.after.append(seen)
    if track.content_s < step.since_s + 2 * WINDOW_S:
        return []
    track.step, track.recent = None, deque(step.after)
    jump_s = _jump_s(step.before, step.after)
    if jump_s is None:
        return []
    until_s = step.at_s + max(jump_s, 0.0) + 2 * WINDOW_S
    return [_Shift(number, track.kind, step.at_s, jump_s, unit.offset_s, step.first_s, step.since_s, until_s)]


def _step(track: _Track, at_s: float, from_s: float, beside_s: float) -> None:
    """Begin to look at a step, or wait anew for one that has not settled."""
    step = track.step
    if step is None:
        recent = track.recent
        if len(recent) >= _FEWEST and track.content_s - recent[0].content_s >= 0.9 * WINDOW_S:
            track.step = _Step(at_s, track.content_s, track.content_s, from_s, beside_s, tuple(recent))
        recent.clear()
    elif max(track.content_s - step.first_s, from_s - step.from_s) > LONGEST_S:
        track.step = None
    else:
        step.since_s = track.content_s
        step.after.clear()


def _remember(recent: deque[_Seen], seen: _Seen) -> None:
    if not recent or seen.content_s >= recent[-1].content_s + _THIN_S:
        recent.append(seen)
    while recent[0].content_s < seen.content_s - WINDOW_S:
        recent.popleft()


def _jump_s(before: Collection[_Seen], after: Collection[_Seen]) -> float | None:
    """By how much timestamps went ahead of the content; null where that is not known, or is no more than they vary."""
    if len(after) < _FEWEST:
        return None
    sides = [[seen.ahead_s for seen in side] for side in (before, after)]
    jump_s = median(sides[1]) - median(sides[0])
    spread_s = max(max(side) - min(side) for side in sides)
    return jump_s if abs(jump_s) > max(STEP_S, 2 * spread_s) else None


def _comes_on(leads: Collection[_Lead], shift: _Shift) -> bool:
    """Whether the order of packets shows that the track has gone on, and nothing is missing or comes twice.

    What follows the step then comes beside the same packets of the other track as it would have without it.
    """
    if shift.kind == "audio":
        before = [one.lead_s for one in leads if -WINDOW_S <= one.content_s - shift.first_s < 0]
        after = [one.lead_s for one in leads if WINDOW_S <= one.content_s - shift.since_s < 2 * WINDOW_S]
    else:
        # Pictures are decoded, and come, earlier or later than the sound beside them.
        before = [one.lead_s for one in leads if -3 * WINDOW_S <= one.start_s - shift.at_s < -2 * WINDOW_S]
        after = [one.lead_s for one in leads if WINDOW_S <= one.start_s - shift.at_s < 2 * WINDOW_S]
    if min(len(before), len(after)) < _FEWEST:
        return False
    moved_s = median(after) - median(before)
    spread_s = max(max(side) - min(side) for side in (before, after))
    told_s = shift.jump_s if shift.kind == "audio" else -shift.jump_s
    return spread_s < 1.5 * abs(told_s) and abs(moved_s - told_s) < 0.3 * abs(told_s)


def _is_habit(own: _Track, at_s: float) -> bool:
    """Whether the track has stepped ahead not long before."""
    return any(at_s - HABIT_S <= one_s < at_s - STEP_S and step_s > 0 for one_s, step_s in own.steps)


def _holds(shift: _Shift, others: Collection[_Track]) -> bool:
    """Whether the other tracks go on there and do not explain it."""
    from_s, until_s = shift.at_s - WINDOW_S, shift.until_s - WINDOW_S
    if all(other.reached_s < shift.at_s for other in others):
        return False
    return not any(
        from_s <= at_s <= until_s and step_s * shift.jump_s > 0 and abs(step_s) > 0.5 * abs(shift.jump_s)
        for other in others
        for at_s, step_s in other.steps
    )


def _fact(shift: _Shift, *, borne_out: bool) -> StreamFact:
    what = "picture" if shift.kind == "video" else "sound"
    late = "late" if (shift.jump_s > 0) == (shift.kind == "audio") else "early"
    other = "are missing" if shift.jump_s > 0 else "come twice"
    doubt = "" if borne_out else f", unless {abs(shift.jump_s):.2f} s of it {other}"
    return StreamFact(
        kind="shift",
        track=shift.kind,
        start_s=shift.at_s,
        end_s=shift.at_s,
        message=f"timestamps of the {what} alone jump by {shift.jump_s:+.3f} s: sound is {late} from here on{doubt}",
        details={"jump_s": round(shift.jump_s, 6), "borne_out": borne_out, "track": shift.track},
    )
