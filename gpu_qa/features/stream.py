"""Features of one stream: its picture, its sound, and what happened to the stream itself, on one clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gpu_qa.features.audio import AudioFeatures
from gpu_qa.features.damage import DamageMarks
from gpu_qa.features.spectrum import SpectrumFeatures
from gpu_qa.features.timeline import Timeline, TimelineSettings
from gpu_qa.features.video import VideoFeatures, lively_change
from gpu_qa.media import SkippedFrame
from gpu_qa.series import StreamFact, StreamSeries
from gpu_qa.units import ticks_to_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.features.picture import MeasuredPicture
    from gpu_qa.media import AudioSamples, Note, Track
    from gpu_qa.series import AudioSeries, SpectrumSeries, VideoSeries

_FIRST_PICTURE_S = 30.0
"""Sound that waits for the first picture, which sets the clock's 0, waits no longer than this much sound."""
_FRAME_S = 0.04
"""Length of a frame where neither the frame nor the stream says."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Series that have become complete."""

    video: tuple[VideoSeries, ...] = ()
    audio: tuple[AudioSeries, ...] = ()
    spectrum: tuple[SpectrumSeries, ...] = ()


class StreamFeatures:
    """Measures one stream; keeps the clock, the frame before, and the series that are not yet complete.

    Args:
        tracks: The tracks that are analyzed.
        timeline: When a step of the timestamps is out of the ordinary.
        spectra: Whether spectra of the sound are wanted.
    """

    def __init__(
        self, tracks: Sequence[Track], timeline: TimelineSettings = TimelineSettings(), *, spectra: bool = True
    ) -> None:
        self.timeline = Timeline(timeline)
        self._video_track = next((track for track in tracks if track.kind == "video"), None)
        self._audio_tracks = [track for track in tracks if track.kind == "audio"]
        self._video = VideoFeatures()
        self._damage = DamageMarks()
        self._audio = {track.index: AudioFeatures(track.index) for track in self._audio_tracks}
        self._spectra = {track.index: SpectrumFeatures(track.index) for track in self._audio_tracks if spectra}
        self._measured_spectra: list[SpectrumSeries] = []
        self._sound_s: dict[int, float] = {}
        self._waiting: list[AudioSamples] = []
        self._waiting_s = 0.0
        self._facts: list[StreamFact] = []

    def take(
        self,
        pictures: Sequence[MeasuredPicture | SkippedFrame],
        sounds: Sequence[AudioSamples] = (),
        notes: Sequence[Note] = (),
    ) -> Measured:
        """Take what came next; series come out once they are long enough to be worth judging.

        Args:
            pictures: Measured, or left out.
            sounds: Decoded samples, which are measured here.
            notes: What went wrong on the way.
        """
        video: list[VideoSeries] = []
        audio: list[AudioSeries] = []
        for note in notes:
            self._damage.hear(note)
        for picture in pictures:
            if not self.timeline.started:
                self._start(picture)
                audio += self._measure_waiting()
            video += self._place(picture)
        for sound in sounds:
            if self.timeline.started or self._video_track is None:
                audio += self._measure_sound(sound)
            else:
                self._waiting.append(sound)
                self._waiting_s += sound.samples.shape[1] / sound.sample_rate
                if self._waiting_s > _FIRST_PICTURE_S:
                    audio += self._measure_waiting()
        self._facts += [self._fact(note) for note in notes]
        return Measured(tuple(video), tuple(audio), self._spectra_so_far())

    def note(self, fact: StreamFact) -> None:
        """Add something that happened to the stream and was seen elsewhere."""
        self._facts.append(fact)

    def locate(self, note: Note) -> float:
        """Seconds on the stream's clock of a note; without a timestamp: how far its track has come."""
        track = self._track_index(note)
        raw_s = None if note.pts is None else ticks_to_s(note.pts, note.time_base)
        return self.timeline.locate(track, raw_s)

    @property
    def has_facts(self) -> bool:
        """True where something happened to the stream since the last `stream_series`."""
        return bool(self._facts)

    def flush(self, *, ended: bool = False) -> Measured:
        """Series of all that was measured so far, however short; once it has `ended`, also of sound without picture."""
        audio = self._measure_waiting() if ended else []
        for features in self._audio.values():
            audio += features.flush()
        for spectra in self._spectra.values():
            self._measured_spectra += spectra.flush(ended=ended)
        return Measured(tuple(self._video.flush()), tuple(audio), self._spectra_so_far())

    def stream_series(self, *, finished: bool = False, until_s: float | None = None) -> StreamSeries:
        """The facts since the last call and how far each track has come.

        Args:
            finished: The stream has ended.
            until_s: How far the stream has come by the wall clock, where that is further than its timestamps.
        """
        facts, self._facts = sorted(self._facts, key=lambda fact: fact.start_s), []
        video = self._video_track
        begun = {track.index: self.timeline.track_from_s(track.index) for track in self._audio_tracks}
        return StreamSeries(
            facts=tuple(facts),
            until_s=max(self.timeline.until_s, until_s or 0.0),
            video_until_s=self.timeline.track_until_s(video.index) if video else None,
            audio_until_s={track.index: self.timeline.track_until_s(track.index) for track in self._audio_tracks},
            finished=finished,
            audio_from_s={index: from_s for index, from_s in begun.items() if from_s is not None},
            audio_sound_s=dict(self._sound_s),
            audio_zero_s={
                track.index: zero_s
                for track in self._audio_tracks
                if (zero_s := self.timeline.track_zero_s(track.index)) is not None
            },
            video_zero_s=self.timeline.track_zero_s(video.index) if video else None,
        )

    def _start(self, frame: MeasuredPicture | SkippedFrame) -> None:
        self.timeline.start(0.0 if frame.pts is None else ticks_to_s(frame.pts, frame.time_base))

    def _place(self, frame: MeasuredPicture | SkippedFrame) -> list[VideoSeries]:
        if self._video_track is None:
            raise ValueError("a frame of a stream without a video track")
        raw_s = None if frame.pts is None else ticks_to_s(frame.pts, frame.time_base)
        duration_s = ticks_to_s(frame.duration, frame.time_base) or self._frame_s()
        start_s, facts = self.timeline.place(self._video_track.index, "video", raw_s, duration_s)
        if isinstance(frame, SkippedFrame):
            self._facts += facts
            return self._video.flush()
        damaged = self._damage.marks(frame)
        # What a decoder mends after a loss looks like what was there before it.
        change = None if damaged or frame.is_corrupt or not facts else lively_change(frame)
        self._facts += [
            replace(fact, details={**fact.details, "change": change}) if fact.kind == "gap" else fact for fact in facts
        ]
        return self._video.add(frame, start_s, duration_s, damaged=damaged)

    def _measure_sound(self, sound: AudioSamples) -> list[AudioSeries]:
        raw_s = None if sound.pts is None else ticks_to_s(sound.pts, sound.time_base)
        length_s = sound.samples.shape[1] / sound.sample_rate
        start_s, facts = self.timeline.place(sound.track.index, "audio", raw_s, length_s)
        self._sound_s[sound.track.index] = self._sound_s.get(sound.track.index, 0.0) + length_s
        self._facts += [replace(fact, details={**fact.details, "track": sound.track.index}) for fact in facts]
        if spectra := self._spectra.get(sound.track.index):
            self._measured_spectra += spectra.add(sound, start_s)
        return self._audio[sound.track.index].add(sound, start_s)

    def _spectra_so_far(self) -> tuple[SpectrumSeries, ...]:
        done, self._measured_spectra = tuple(self._measured_spectra), []
        return done

    def _measure_waiting(self) -> list[AudioSeries]:
        waiting, self._waiting, self._waiting_s = self._waiting, [], 0.0
        return [series for sound in waiting for series in self._measure_sound(sound)]

    def _fact(self, note: Note) -> StreamFact:
        at_s = self.locate(note)
        return StreamFact(note.kind, note.track, at_s, at_s, note.message, note.details)

    def _track_index(self, note: Note) -> int:
        tracks = [self._video_track] if note.track == "video" else self._audio_tracks
        named = note.details.get("track")
        known = [track.index for track in tracks if track is not None]
        return named if named in known else (known[0] if known else -1)

    def _frame_s(self) -> float:
        rate = self._video_track.frame_rate if self._video_track else None
        return float(1 / rate) if rate else _FRAME_S
