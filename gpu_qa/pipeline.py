"""Pipeline: joins the stages for one stream.

A reader thread demuxes and decodes; the caller's thread measures, judges and tells.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gpu_qa.config import Settings, known_detectors, settings_json
from gpu_qa.errors import GpuQaError
from gpu_qa.events import TrackerState, finish, track
from gpu_qa.features import Measured, StreamFeatures, prepare
from gpu_qa.reader import Reader
from gpu_qa.series import Report, StreamFact
from gpu_qa.sinks.curves import CurveRecorder
from gpu_qa.sinks.measurements import Counts, media_json
from gpu_qa.sinks.thumbnails import ThumbnailRecorder
from gpu_qa.sources import open_source
from gpu_qa.sources.address import STDIN, without_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from gpu_qa.config import DetectorSettings
    from gpu_qa.media import MediaFacts
    from gpu_qa.series import Detector, Event

TICK_S = 0.25
"""How often a live input that delivers nothing is looked at."""
QUIET_S = 1.0
"""A live input that delivers nothing for this long is noted; whether that is a stall, its detector judges."""
MAX_EVENTS = 10_000
"""Events kept for the report; further ones are told and counted, so that memory stays bounded."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an analysis has come."""

    position_s: float
    """On the stream's clock."""
    duration_s: float | None
    """As the container states it; null for live inputs."""
    frames: int
    """Pictures measured."""
    wall_s: float
    """Since the analysis began."""
    open_events: int
    live: bool


class Analysis:
    """One input on its way through the stages. Iterate it for events as they open, grow and close; then ask `report()`.

    Args:
        source: Path, URL, `-` for standard input, or a binary file object.
        settings: How it is opened, decoded and judged.
        duration_s: Stop after this much of the stream; null goes on to its end.
    """

    def __init__(
        self, source: str | BinaryIO, settings: Settings | None = None, *, duration_s: float | None = None
    ) -> None:
        self._input = source
        self._settings = settings if settings is not None else Settings()
        self._duration_s = duration_s
        self._stopped = False
        self._reader: Reader | None = None
        self._facts: MediaFacts | None = None
        self._features: StreamFeatures | None = None
        self._judges = [_Judge(known_detectors()[name], chosen) for name, chosen in self._settings.detectors.items()]
        self._tracker = TrackerState(_name_of(source))
        self._curves = CurveRecorder()
        self._thumbnails = ThumbnailRecorder()
        self._events: dict[str, Event] = {}
        self._untold = 0
        self._counts = Counts()
        self._started_s = time.monotonic()
        self._ended_s: float | None = None
        self._error: str | None = None
        self.failure: Exception | None = None
        """What ended the analysis that should not have happened; the report's error names it."""

    def stop(self) -> None:
        """End soon, with what is known. May be called from any thread or a signal handler."""
        self._stopped = True
        if self._reader is not None:
            self._reader.stop()

    @property
    def progress(self) -> Progress:
        """How far it has come; may be read from any thread."""
        return Progress(
            position_s=self._features.timeline.until_s if self._features else 0.0,
            duration_s=self._facts.duration_s if self._facts else None,
            frames=self._counts.frames,
            wall_s=(self._ended_s or time.monotonic()) - self._started_s,
            open_events=sum(event.state == "open" for event in tuple(self._events.values())),
            live=self._facts.live if self._facts else False,
        )

    def __iter__(self) -> Iterator[Event]:
        """Run the analysis. An input that fails does not raise: what was found is told and `report().error` says why.

        Raises:
            RuntimeError: The analysis was run before.
        """
        if self._ended_s is not None or self._reader is not None:
            raise RuntimeError("an Analysis runs once; make a new one")
        try:
            yield from self._run()
        except GpuQaError as error:
            self._error = str(error)
            yield from self._finish()
        except Exception as error:  # noqa: BLE001 - what was found until then is worth more than the reason why it ends
            self._error = f"internal error: {type(error).__name__}: {error}"
            self.failure = error
            yield from self._close_events()
        finally:
            self._ended_s = time.monotonic()

    def _run(self) -> Iterator[Event]:
        prepare()
        with open_source(self._input, self._settings.source) as source:
            self._facts = source.facts
            self._tracker = TrackerState(source.name)
            self._features = features = StreamFeatures(source.facts.tracks)
            self._reader = reader = Reader(source, self._settings.decode)
            if self._stopped:
                reader.stop()
            reader.start()
            try:
                yield from self._follow(reader, features)
            finally:
                reader.close()
            yield from self._judge(features.flush(ended=True))
            if isinstance(reader.error, GpuQaError):
                self._error = str(reader.error)
            elif reader.error is not None:
                raise reader.error
            yield from self._finish()

    def _follow(self, reader: Reader, features: StreamFeatures) -> Iterator[Event]:
        """Measure and judge until nothing more comes or enough has."""
        live = self._facts is not None and self._facts.live
        waited_s = 0.0
        while not reader.ended:
            asked_s = time.monotonic()
            decoded = reader.get(TICK_S)
            waited_s += time.monotonic() - asked_s  # only this is the input's silence, measuring is ours
            if live and waited_s >= QUIET_S:
                yield from self._quiet(waited_s)
            if decoded is None:
                yield from self._judge(features.flush())
                continue
            waited_s = 0.0
            self._counts.count(decoded)
            yield from self._judge(features.measure(decoded))
            if self._duration_s is not None and features.timeline.until_s >= self._duration_s:
                return

    def _quiet(self, silent_s: float) -> Iterator[Event]:
        """A live input delivers nothing: judge all there is, and tell the stall while it lasts."""
        features = self._features
        if features is None:
            return
        start_s = features.timeline.until_s
        has_picture = self._facts is not None and any(track.kind == "video" for track in self._facts.tracks)
        features.note(
            StreamFact(
                kind="stalled",
                track="video" if has_picture else "audio",
                start_s=start_s,
                end_s=start_s + silent_s,
                message=f"nothing arrived for {silent_s:.1f} s",
                details={"silent_s": round(silent_s, 3)},
            )
        )
        yield from self._judge_stream(until_s=start_s + silent_s)

    def _judge(self, measured: Measured) -> Iterator[Event]:
        for video in measured.video:
            self._counts.video(video)
            self._curves.add_video(video)
            self._thumbnails.add(video, self._counts.color_space)
            yield from self._weigh("video", video)
        for audio in measured.audio:
            self._counts.audio(audio)
            self._curves.add_audio(audio)
            yield from self._weigh("audio", audio)
        has_facts = self._features is not None and self._features.has_facts
        if measured.video or measured.audio or has_facts:
            yield from self._judge_stream()

    def _judge_stream(self, *, until_s: float | None = None, finished: bool = False) -> Iterator[Event]:
        if self._features is not None:
            series = self._features.stream_series(finished=finished, until_s=until_s)
            if self._reader is not None and self._reader.undecodable:
                # Of a track that nothing decodes, nothing is known: that it delivers no sound is not its fault.
                known = {i: end_s for i, end_s in series.audio_until_s.items() if i not in self._reader.undecodable}
                series = replace(series, audio_until_s=known)
            yield from self._weigh("stream", series)

    def _weigh(self, consumes: str, series: Any) -> Iterator[Event]:
        for judge in self._judges:
            if judge.detector.consumes != consumes:
                continue
            for evidence in judge.weigh(series):
                self._tracker, events = track(self._tracker, evidence, judge.chosen.timing)
                for event in events:
                    yield self._keep(event)

    def _keep(self, event: Event) -> Event:
        if event.id in self._events or len(self._events) < MAX_EVENTS:
            self._events[event.id] = event
            self._thumbnails.capture(event)
        elif event.state == "open":
            self._untold += 1
        return event

    def _finish(self) -> Iterator[Event]:
        yield from self._judge_stream(finished=True)
        yield from self._close_events()

    def _close_events(self) -> Iterator[Event]:
        end_s = self._features.timeline.until_s if self._features else 0.0
        self._tracker, events = finish(self._tracker, end_s)
        for event in events:
            yield self._keep(event)

    def report(self) -> Report:
        """What is known so far; complete once the iteration has ended."""
        error = self._error
        if error is None and self._ended_s is not None and not self._stopped:
            error = self._not_decoded()
        return Report(
            stream=self._tracker.stream,
            media=media_json(self._facts),
            events=tuple(sorted(self._events.values(), key=lambda event: (event.start_s, event.id))),
            measurements=self._measurements(),
            curves=self._curves.curves(),
            thumbnails=dict(self._thumbnails.thumbnails),
            settings=settings_json(self._settings),
            error=error,
        )

    def _not_decoded(self) -> str | None:
        """Why the input, or a track of it, gave nothing to judge; null where all of them did."""
        undecodable = self._reader.undecodable if self._reader else {}
        reasons = "; ".join(f"track {index} was not analyzed: {reason}" for index, reason in undecodable.items())
        if self._counts.any:
            return reasons or None
        return reasons or "no picture and no sound could be decoded"

    def _measurements(self) -> dict[str, Any]:
        progress, reader = self.progress, self._reader
        measured: dict[str, Any] = {
            "analyzed_s": round(progress.position_s, 6),
            "wall_s": round(progress.wall_s, 3),
            "real_time_factor": round(progress.position_s / progress.wall_s, 2) if progress.wall_s > 0 else None,
            **self._counts.measurements(),
            "frames_dropped": reader.dropped if reader else 0,
            "decoders": list(reader.decoders.values()) if reader else [],
            "decoder_fallbacks": list(reader.fallbacks.values()) if reader else [],
            **self._curves.loudness.measurements(),
            "av_offset_s": None,
            "av_offset_s_reason": "A/V offset is not measured by this version",
            "av_offset_confidence": None,
        }
        if reader is not None and reader.undecodable:
            measured["undecodable"] = list(reader.undecodable.values())
        if self._untold:
            measured["events_not_kept"] = self._untold
        return measured


def _name_of(source: str | BinaryIO) -> str:
    """What an input is called until it is open, and where it does not open: never with credentials."""
    if isinstance(source, str | os.PathLike):
        text = os.fspath(source)
        return without_credentials(text) if "://" in text else "stdin" if text == STDIN else text
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else f"<{type(source).__name__}>"


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


def analyze(
    source: str | BinaryIO,
    settings: Settings | None = None,
    *,
    on_event: Callable[[Event], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    duration_s: float | None = None,
) -> Report:
    """Analyze one input to its end.

    Args:
        source: Path, URL, `-` for standard input, or a binary file object.
        settings: How it is opened, decoded and judged; null takes the defaults.
        on_event: Called with each event as it opens, grows and closes.
        on_progress: Called after each event and at the end; poll `Analysis.progress` for more.
        duration_s: Stop after this much of the stream.

    Returns:
        The report. An input that cannot be analyzed does not raise: `Report.error` says why.
    """
    analysis = Analysis(source, settings, duration_s=duration_s)
    for event in analysis:
        if on_event is not None:
            on_event(event)
        if on_progress is not None:
            on_progress(analysis.progress)
    if on_progress is not None:
        on_progress(analysis.progress)
    return analysis.report()
