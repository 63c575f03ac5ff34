"""The analysis of one stream: what has been read of it becomes series, evidence, events and a report.

Passive: the engine hands it what the stream's reader delivers, in one thread at a time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gpu_qa.config import Settings, settings_json
from gpu_qa.features import Measured, StreamFeatures
from gpu_qa.judging import Judging
from gpu_qa.series import Report, StreamFact
from gpu_qa.sinks.curves import CurveRecorder
from gpu_qa.sinks.event_pictures import EventPictures
from gpu_qa.sinks.measurements import Counts, media_json
from gpu_qa.stream_sync import NOT_ASKED, StreamSync
from gpu_qa.sync.side import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gpu_qa.features import Heard, MeasuredPicture, MeasuredSound
    from gpu_qa.media import AudioSamples, MediaFacts, Note, SkippedFrame
    from gpu_qa.series import Event

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
    behind_s: float | None = None
    """How far the reading is behind a live input; null for others, which wait."""


@dataclass(slots=True)
class Reading:
    """What the reading of a stream has to say for its report."""

    frames_dropped: int = 0
    """Pictures that were left out because they came faster than this machine analyzes them."""
    decoders: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    """Why a track is not decoded on the device that would be preferred."""
    undecodable: tuple[tuple[int, str], ...] = ()
    """Track index and why nothing decodes it."""
    behind_s: float | None = None
    """How far it is behind a live input."""
    began_s: float | None = None
    """When its first packet came, by the monotonic clock."""


class StreamAnalysis:
    """One stream on its way through the stages. Made by `Engine.add`.

    Args:
        name: What the stream is called in events and reports until `begin` knows better.
        settings: How it is judged.
        duration_s: Nothing is wanted after this much of it; null goes on to its end.
        reference: The same programme earlier in the chain, which its picture and sound are laid over; null has none.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        *,
        duration_s: float | None = None,
        reference: StreamAnalysis | None = None,
    ) -> None:
        self.settings = settings
        self.reading = Reading()
        """Kept by whoever reads the stream."""
        self.failure: Exception | None = None
        """What ended the analysis that should not have happened; the report's error names it."""
        self._duration_s = duration_s
        self._facts: MediaFacts | None = None
        self._features: StreamFeatures | None = None
        self._judging = Judging(name, settings)
        self._compares = reference is not None and not {"mismatch", "frame_loss"}.isdisjoint(settings.detectors)
        self._curves = CurveRecorder()
        self.pictures = EventPictures()
        """What shows its events; a long-running reader may release those that it has taken."""
        self._events: dict[str, Event] = {}
        self._untold = 0
        self._counts = Counts()
        self._lent: Reference | None = None
        self._sync: StreamSync | None = None
        if self.wants_sync:
            self._sync = StreamSync(settings, None if reference is None else reference.lend())
        self._started_s = time.monotonic()
        self._ended_s: float | None = None
        self._error: str | None = None
        self._stopped = False

    @property
    def name(self) -> str:
        """As events and the report name it."""
        return self._judging.stream

    @property
    def ended(self) -> bool:
        """True once its report is complete."""
        return self._ended_s is not None

    @property
    def begun(self) -> bool:
        """True once its input is open."""
        return self._facts is not None

    @property
    def wants_spectra(self) -> bool:
        """Whether a detector that runs reads spectra of the sound."""
        return self._judging.reads("spectrum")

    @property
    def wants_sync(self) -> bool:
        """Whether a detector that runs judges the A/V offset, or what lies over a reference."""
        return self._compares or self._judging.reads("sync")

    @property
    def ends_early(self) -> bool:
        """Whether no more than a part of it is wanted: it then ends within a series."""
        return self._duration_s is not None

    @property
    def satisfied(self) -> bool:
        """True once as much has been analyzed as was wanted."""
        features = self._features
        return features is not None and self._duration_s is not None and features.timeline.until_s >= self._duration_s

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
            behind_s=self.reading.behind_s,
        )

    def lend(self) -> Reference:
        """As others are laid over it: kept from now on, as far back as they need it."""
        if self._lent is None:
            self._lent = Reference()
            self._lent.name = self.name
            self._lent.live = self._facts is not None and self._facts.live
            if self.ended:
                self._lent.extend(ended=True)
        return self._lent

    def waits(self, *, ended: bool) -> bool:
        """Whether it is not to be read on yet: of a file and its reference neither runs away from the other.

        Args:
            ended: All of it has been taken, and it would end.
        """
        if self._features is None or (self._lent is None and self._sync is None):
            return False
        until_s = self._features.timeline.until_s
        return (self._sync is not None and self._sync.is_ahead(until_s, ended=ended)) or (
            self._lent is not None and not ended and self._lent.is_ahead(until_s, time.monotonic())
        )

    def begin(self, facts: MediaFacts, name: str | None = None) -> None:
        """The input is open.

        Args:
            facts: What it says of itself.
            name: What it is called from now on; null keeps its name.
        """
        self._facts = facts
        if name is not None:
            self._judging.rename(name)
        self._features = StreamFeatures(facts.tracks, spectra=self.wants_spectra, sync=self.wants_sync)
        if self._sync is not None:
            self._sync.begin(live=facts.live)
        if self._lent is not None:
            self._lent.name, self._lent.live = self.name, facts.live
        self._started_s = time.monotonic()

    def lies_on(self, device: Any) -> None:
        """Its pictures lie on a card, a torch device."""
        if self._sync is not None:
            self._sync.lies_on(device)

    def take(
        self,
        pictures: Sequence[MeasuredPicture | SkippedFrame],
        sounds: Sequence[AudioSamples | MeasuredSound] = (),
        notes: Sequence[Note] = (),
    ) -> Iterator[Event]:
        """Judge what came next; gives the events that open, grow or close with it."""
        if self._features is None:
            raise RuntimeError("the stream has not begun")
        self._counts.count(pictures, sounds)
        yield from self._judge(self._features.take(pictures, sounds, notes))

    def flush(self, rest: Sequence[Heard] = ()) -> Iterator[Event]:
        """Judge all that has come so far, however little: nothing more has come for a moment.

        Args:
            rest: Sound that was measured elsewhere and is not a series of full length.
        """
        if self._features is not None:
            yield from self._judge(self._features.flush(rest))

    def quiet(self, silent_s: float) -> Iterator[Event]:
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

    def finish(self, error: str | None = None, *, rest: Sequence[Heard] = (), stopped: bool = False) -> Iterator[Event]:
        """The input has ended: judge the rest, close what is open, complete the report.

        Args:
            error: Why it ended before its end.
            rest: As in `flush`.
            stopped: It was ended on purpose: what is missing is no failure.
        """
        self._error, self._stopped = error, stopped
        try:
            if self._features is not None:
                yield from self._judge(self._features.flush(rest, ended=True))
                yield from self._synchronise(Measured(), finished=True)
                yield from self._judge_stream(finished=True)
                if error is None and not stopped and not self.satisfied:
                    yield from self._conclude()
            yield from self._close_events()
        finally:
            self._ended_s = time.monotonic()
            self._leave()

    def fail(self, failure: Exception) -> Iterator[Event]:
        """A fault of ours ends the analysis: what was found until then is worth more than the reason why it ends."""
        self.failure = failure
        self._error = f"internal error: {type(failure).__name__}: {failure}"
        self._ended_s = time.monotonic()
        self._leave()
        yield from self._close_events()

    def _leave(self) -> None:
        """It has ended: nobody waits for it any more."""
        if self._sync is not None:
            self._sync.close()
        if self._lent is not None:
            self._lent.extend(ended=True)

    def _judge(self, measured: Measured) -> Iterator[Event]:
        for video in measured.video:
            self._counts.video(video)
            self._curves.add_video(video)
            self.pictures.add_video(video, self._counts.color_space)
            yield from self._weigh("video", video)
        for audio in measured.audio:
            self._counts.audio(audio)
            self._curves.add_audio(audio)
            self.pictures.add_audio(audio)
            yield from self._weigh("audio", audio)
        for spectrum in measured.spectrum:
            self.pictures.add_spectrum(spectrum)
            yield from self._weigh("spectrum", spectrum)
        has_reference = self._sync is not None and self._sync.has_reference
        if measured.video or measured.audio or measured.jumps_s or has_reference:
            yield from self._synchronise(measured)
        has_facts = self._features is not None and self._features.has_facts
        if measured.video or measured.audio or has_facts:
            yield from self._judge_stream()

    def _synchronise(self, measured: Measured, *, finished: bool = False) -> Iterator[Event]:
        """Find out how far sound and picture are apart."""
        until_s = self._features.timeline.until_s if self._features is not None else 0.0
        if self._lent is not None and (measured.video or measured.audio):
            now_s = time.monotonic() if self._lent.live else None
            self._lent.extend(measured.video, measured.audio, until_s=until_s, now_s=now_s)
            self._lent.forget()
        if self._sync is not None:
            for answer in self._sync.take(measured, until_s=until_s, finished=finished):
                yield from self._weigh("sync", answer)
            if self._features is not None:
                for fact in self._sync.facts():
                    self._features.note(fact)

    def _judge_stream(self, *, until_s: float | None = None, finished: bool = False) -> Iterator[Event]:
        if self._features is not None:
            series = self._features.stream_series(finished=finished, until_s=until_s)
            if self.reading.undecodable:
                # Of a track that nothing decodes, nothing is known: that it delivers no sound is not its fault.
                unknown = {index for index, _ in self.reading.undecodable}
                known = {i: end_s for i, end_s in series.audio_until_s.items() if i not in unknown}
                series = replace(series, audio_until_s=known)
            if self._sync is not None:
                self._sync.note(series)
            yield from self._weigh("stream", series)

    def _weigh(self, consumes: str, series: Any) -> Iterator[Event]:
        until_s = self._features.timeline.until_s if self._features else 0.0
        for event in self._judging.weigh(consumes, series, until_s):
            yield self._keep(event)

    def _conclude(self) -> Iterator[Event]:
        """A file has been read to its end: what can be said of a whole programme."""
        if self._facts is None or self._facts.live:
            return
        for event in self._judging.conclude():
            yield self._keep(event)

    def _keep(self, event: Event) -> Event:
        if event.id in self._events or len(self._events) < MAX_EVENTS:
            self._events[event.id] = event
        elif event.state == "open":
            self._untold += 1
        self.pictures.capture(event)
        return event

    def keeps(self, event_id: str) -> bool:
        """Whether the event will be in the report: of more than so many only the first are."""
        return event_id in self._events

    def _close_events(self) -> Iterator[Event]:
        yield from map(self._keep, self._judging.close(self._features.timeline.until_s if self._features else 0.0))

    def report(self) -> Report:
        """What is known so far; complete once the iteration has ended."""
        error = self._error
        if error is None and self._ended_s is not None and not self._stopped:
            error = self._not_decoded()
        return Report(
            stream=self.name,
            media=media_json(self._facts),
            events=tuple(sorted(self._events.values(), key=lambda event: (event.start_s, event.id))),
            measurements=self._measurements(),
            curves=(*self._curves.curves(), *(self._sync.curves() if self._sync is not None else ())),
            thumbnails=self.pictures.jpegs,
            thumbnail_s=self.pictures.shown_s,
            settings=settings_json(self.settings),
            lags=self._sync.lags if self._sync is not None else None,
            delays=self._sync.delays if self._sync is not None else None,
            error=error,
        )

    def _not_decoded(self) -> str | None:
        """Why the input, or a track of it, gave nothing to judge; null where all of them did."""
        undecodable = self.reading.undecodable
        reasons = "; ".join(f"track {index} was not analyzed: {reason}" for index, reason in undecodable)
        if self._counts.any:
            return reasons or None
        return reasons or "no picture and no sound could be decoded"

    def _measurements(self) -> dict[str, Any]:
        progress, reading = self.progress, self.reading
        measured: dict[str, Any] = {
            "analyzed_s": round(progress.position_s, 6),
            "wall_s": round(progress.wall_s, 3),
            "real_time_factor": round(progress.position_s / progress.wall_s, 2) if progress.wall_s > 0 else None,
            **self._counts.measurements(),
            "frames_dropped": reading.frames_dropped,
            "decoders": list(reading.decoders),
            "decoder_fallbacks": list(reading.fallbacks),
            **self._curves.loudness.measurements(),
            **(self._sync.measurements(self._facts) if self._sync is not None else NOT_ASKED),
        }
        if reading.undecodable:
            measured["undecodable"] = [reason for _, reason in reading.undecodable]
        if self._untold:
            measured["events_not_kept"] = self._untold
        return measured
