"""Judging one stream: all its detectors weigh its series, and events come of their evidence.

What detectors and hysteresis must remember from series to series is kept here, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpu_qa.config import known_detectors
from gpu_qa.events import TrackerState, awaiting, explain, finish, settle, track

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_qa.config import DetectorSettings, Settings
    from gpu_qa.series import Detector, Event, EventTiming, Evidence


class Judging:
    """The detectors that run on a stream, and their events, in one thread at a time.

    Args:
        stream: What the stream is called in its events until it is renamed.
        settings: Which detectors run, with which limits and timing.
    """

    def __init__(self, stream: str, settings: Settings) -> None:
        self._judges = [_Judge(known_detectors()[name], chosen) for name, chosen in settings.detectors.items()]
        self._judges_of = {
            consumes: [judge for judge in self._judges if judge.detector.consumes == consumes]
            for consumes in ("video", "audio", "spectrum", "sync", "stream")
        }
        self._tracker = TrackerState(stream)
        self._causes = awaiting(judge.detector for judge in self._judges)

    @property
    def stream(self) -> str:
        """As events name it."""
        return self._tracker.stream

    def rename(self, stream: str) -> None:
        """Call the stream so from now on; nothing of it has been weighed yet."""
        self._tracker = TrackerState(stream)

    def reads(self, consumes: str) -> bool:
        """Whether a detector that runs reads series of this kind, as in `Detector.consumes`."""
        return bool(self._judges_of[consumes])

    def weigh(self, consumes: str, series: Any, until_s: float) -> list[Event]:
        """The events that open, grow or close with a series.

        Args:
            consumes: Its kind, as in `Detector.consumes`.
            series: It.
            until_s: How far the stream has come, seconds.
        """
        weighed: list[tuple[Evidence, EventTiming]] = []
        events: list[Event] = []
        for judge in self._judges_of[consumes]:
            for evidence in judge.weigh(series):
                self._tracker, told = track(self._tracker, evidence, judge.chosen.timing)
                weighed.append((evidence, judge.chosen.timing))
                events += told
        self._causes, self._tracker, events = explain(self._causes, self._tracker, weighed, events, until_s)
        return events

    def conclude(self) -> Iterator[Event]:
        """The events of what can only be said of a whole programme, which has been read from its start to its end."""
        for judge in self._judges:
            for evidence in judge.conclude():
                self._tracker, events = track(self._tracker, evidence, judge.chosen.timing)
                yield from events

    def close(self, end_s: float) -> Iterator[Event]:
        """End all events that are open, and tell what was held back: the stream ends here, seconds."""
        self._tracker, events = finish(self._tracker, end_s)
        yield from settle(self._causes, self._tracker, events, end_s)


@dataclass(slots=True)
class _Judge:
    """A detector with its settings and what it carries from series to series."""

    detector: Detector
    chosen: DetectorSettings
    carry: Any = None

    def weigh(self, series: Any) -> list[Any]:
        """Evidence of the next series."""
        evidence, self.carry = self.detector.weigh(series, self.chosen.limits, self.carry)
        return evidence

    def conclude(self) -> list[Any]:
        """Evidence of the whole programme."""
        conclude = self.detector.conclude
        return [] if conclude is None else conclude(self.chosen.limits, self.carry)
