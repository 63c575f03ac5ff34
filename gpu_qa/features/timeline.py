"""Timeline: presentation timestamps become seconds on the stream's own clock.

The clock starts at 0 with the first video frame (with the first sound where there is no video) and never jumps. A
forward jump shorter than `discontinuity_s` is a gap: the time passes, nothing was shown. A longer one, or a jump back,
is a discontinuity: the clock runs on from where it was. All tracks share the clock, so when one has jumped and another
follows, the second takes the first one's new offset and the distance between picture and sound stays what it is.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from gpu_qa.features.shifts import ShiftWatch, Unit
from gpu_qa.series import StreamFact

if TYPE_CHECKING:
    from collections.abc import Collection

MPEG_WRAP_S = 2**33 / 90_000
"""Seconds after which 33-bit timestamps of 90 kHz start again (ISO/IEC 13818-1, 2.4.3.7)."""


@dataclass(frozen=True, slots=True)
class TimelineSettings:
    """When a step of the timestamps is out of the ordinary."""

    gap_s: float = 0.25
    """A forward step longer than expected by this much is a gap (whether it is a defect, a detector judges)."""
    discontinuity_s: float = 10.0
    """A forward step longer than this is a new time base (FFmpeg's `dts_delta_threshold`)."""
    backward_s: float = 0.5
    """A backward step longer than this is a new time base; a shorter one is clamped."""


@dataclass(slots=True)
class _TrackClock:
    """Where one track stands."""

    offset_s: float
    from_s: float
    """Stream time at which the first unit started."""
    until_s: float
    """Stream time at which the last unit ended."""
    start_s: float
    """Stream time at which the last unit started."""
    intervals_s: deque[float] = field(default_factory=lambda: deque(maxlen=16))


class Timeline:
    """The clock of one stream."""

    def __init__(self, settings: TimelineSettings = TimelineSettings()) -> None:
        self._settings = settings
        self._tracks: dict[int, _TrackClock] = {}
        self._offsets_s: list[float] = []
        self.shifts = ShiftWatch()
        """What it is told of damage to, for a loss is no shift."""

    @property
    def started(self) -> bool:
        """True once an origin is set."""
        return bool(self._offsets_s)

    def start(self, raw_s: float) -> None:
        """Make `raw_s`, a timestamp in seconds, the clock's 0."""
        self._offsets_s = [-raw_s]

    @property
    def until_s(self) -> float:
        """How far any track has come; 0 before the first unit."""
        return max((clock.until_s for clock in self._tracks.values()), default=0.0)

    def track_until_s(self, track: int) -> float | None:
        """How far `track` has come; null before its first unit."""
        clock = self._tracks.get(track)
        return clock.until_s if clock else None

    def track_from_s(self, track: int) -> float | None:
        """Where `track` began; null before its first unit."""
        clock = self._tracks.get(track)
        return clock.from_s if clock else None

    def track_zero_s(self, track: int) -> float | None:
        """Timestamp of `track` that stands for the clock's 0 now, in seconds; null before its first unit."""
        clock = self._tracks.get(track)
        return -clock.offset_s if clock else None

    def locate(self, track: int, raw_s: float | None) -> float:
        """Stream time in seconds of a timestamp of `track`; without one: how far it has come. The clock stays."""
        clock = self._tracks.get(track)
        if raw_s is None or not self.started:
            return clock.until_s if clock else self.until_s
        at_s = raw_s + (clock.offset_s if clock else self._offsets_s[-1])
        if clock is None or abs(at_s - clock.until_s) <= self._settings.discontinuity_s:
            return at_s
        return clock.until_s

    def place(
        self,
        track: int,
        kind: Literal["video", "audio"],
        raw_s: float | None,
        duration_s: float,
        lead_s: float | None = None,
    ) -> tuple[float, list[StreamFact]]:
        """Place a frame or a run of samples.

        Args:
            track: Index of the track in its container.
            kind: For the facts' `track`.
            raw_s: Presentation time as the stream has it, in seconds; null takes the end of the unit before.
            duration_s: How long the unit lasts, in seconds.
            lead_s: As in `AudioSamples`.

        Returns:
            Its start on the stream's clock, and what was out of the ordinary on the way there, or has turned out to
            be.
        """
        if not self.started:
            self.start(raw_s or 0.0)
        clock = self._tracks.get(track)
        if clock is None:
            start_s = self._offsets_s[-1] + raw_s if raw_s is not None else 0.0
            self._tracks[track] = _TrackClock(self._offsets_s[-1], start_s, start_s + duration_s, start_s)
            return start_s, self.shifts.see(track, kind, Unit(start_s, duration_s, self._offsets_s[-1], lead_s))
        facts: list[StreamFact] = []
        expected_s = clock.until_s
        start_s = expected_s if raw_s is None else raw_s + clock.offset_s
        # MP4 says how long pictures last in the order of decoding: at a varying rate one may seem to outlast the next.
        follows = kind == "video" and clock.start_s < start_s < expected_s
        if raw_s is not None and not follows and abs(start_s - expected_s) > self._settings.gap_s:
            before_s = clock.offset_s
            clock.offset_s, known = self._offset_s(raw_s, expected_s, before_s)
            if clock.offset_s != before_s:
                self.shifts.rebase(track)
            jump_s = start_s - expected_s
            start_s = raw_s + clock.offset_s
            if not known:
                facts.append(_discontinuity(kind, expected_s, jump_s))
        if start_s - expected_s > self._settings.gap_s:
            facts.append(_gap(kind, expected_s, start_s, clock.intervals_s or (duration_s,)))
        facts += self.shifts.see(track, kind, Unit(start_s, duration_s, clock.offset_s, lead_s))
        if kind == "video":
            start_s = max(start_s, clock.start_s)
        clock.intervals_s.append(start_s - clock.start_s)
        clock.start_s = start_s
        clock.until_s = max(clock.until_s, start_s + duration_s) if kind == "video" else start_s + duration_s
        return start_s, facts

    def _is_continuous(self, start_s: float, expected_s: float) -> bool:
        return -self._settings.backward_s <= start_s - expected_s <= self._settings.discontinuity_s

    def _offset_s(self, raw_s: float, expected_s: float, current_s: float) -> tuple[float, bool]:
        """The offset that continues a track from `expected_s`, and whether that is no news.

        One that was used before and fits without a gap comes first: another track has jumped already, or a single
        wrong timestamp lies between good ones. Then the present one, with a gap; then a wrap; then a new one.
        """
        for offset_s in reversed(self._offsets_s):
            if abs(raw_s + offset_s - expected_s) <= self._settings.gap_s:
                return offset_s, True
        if self._is_continuous(raw_s + current_s, expected_s):
            return current_s, True
        for offset_s in reversed(self._offsets_s):
            for wrapped_s in (offset_s + MPEG_WRAP_S, offset_s - MPEG_WRAP_S):
                if abs(raw_s + wrapped_s - expected_s) <= self._settings.backward_s:
                    self._remember(wrapped_s)
                    return wrapped_s, True
            if self._is_continuous(raw_s + offset_s, expected_s):
                return offset_s, True
        self._remember(expected_s - raw_s)
        return expected_s - raw_s, False

    def _remember(self, offset_s: float) -> None:
        self._offsets_s = [*self._offsets_s[-3:], offset_s]


def _gap(kind: Literal["video", "audio"], start_s: float, end_s: float, intervals_s: Collection[float]) -> StreamFact:
    length_s = end_s - start_s
    what = "picture" if kind == "video" else "sound"
    return StreamFact(
        kind="gap",
        track=kind,
        start_s=start_s,
        end_s=end_s,
        message=f"no {what} for {length_s:.2f} s",
        details={
            "length_s": round(length_s, 6),
            "usual_interval_s": round(max(intervals_s), 6),
            "shortest_interval_s": round(min(intervals_s), 6),
        },
    )


def _discontinuity(kind: Literal["video", "audio"], at_s: float, jump_s: float) -> StreamFact:
    what = "picture" if kind == "video" else "sound"
    return StreamFact(
        kind="discontinuity",
        track=kind,
        start_s=at_s,
        end_s=at_s,
        message=f"timestamps of the {what} jump by {jump_s:+.3f} s",
        details={"jump_s": round(jump_s, 6)},
    )
