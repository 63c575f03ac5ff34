"""Features of one stream: its picture, its sound, and what happened to the stream itself, on one clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gpu_qa.features.damage import DamageMarks
from gpu_qa.features.sound import Heard, HostSound, MeasuredSound
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
    jumps_s: tuple[float, ...] = ()
    """Where timestamps jumped, seconds on the stream's clock; no later than the series that lie behind it."""


class StreamFeatures:
    """Puts what was measured of one stream on its clock, which it keeps, and makes series of it.

    Args:
        tracks: The tracks that are analyzed.
        timeline: When a step of the timestamps is out of the ordinary.
        spectra: Whether spectra are wanted of sound that is measured here.
        sync: Whether what the A/V offset is found in is wanted: motion of tiles and bands of speech.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        timeline: TimelineSettings = TimelineSettings(),
        *,
        spectra: bool = True,
        sync: bool = False,
    ) -> None:
        self.timeline = Timeline(timeline)
        self._video_track = next((track for track in tracks if track.kind == "video"), None)
        self._audio_tracks = [track for track in tracks if track.kind == "audio"]
        self._video = VideoFeatures(motion=sync)
        self._damage = DamageMarks()
        self._host = HostSound(spectra=spectra, speech=sync)
        self._origins_s: dict[int, float] = {}
        """Track → where on the clock its run of sound began."""
        self._waiting: list[MeasuredSound | Heard] = []
        self._sound_s: dict[int, float] = {}
        """Track → length of its sound by the samples."""
        self._waiting_s = 0.0
        self._facts: list[StreamFact] = []

    def take(
        self,
        pictures: Sequence[MeasuredPicture | SkippedFrame],
        sounds: Sequence[AudioSamples | MeasuredSound] = (),
        notes: Sequence[Note] = (),
    ) -> Measured:
        """Take what came next; series come out once they are long enough to be worth judging.

        Args:
            pictures: Measured, or left out.
            sounds: Measured; samples as they were decoded are measured here.
            notes: What went wrong on the way.
        """
        video: list[VideoSeries] = []
        heard: list[Heard] = []
        known = len(self._facts)
        for note in notes:
            self._damage.hear(note)
            if note.kind in ("decode_error", "transport_error"):
                self.timeline.shifts.hurt(self._track_index(note), self._timestamp_s(note))
        for picture in pictures:
            if not self.timeline.started:
                self._start(picture)
                heard += self._place_waiting()
            video += self._place(picture)
        for sound in sounds:
            measured = sound if isinstance(sound, MeasuredSound) else self._host.measure(sound)
            if self._waits:
                self._waiting.append(measured)
                self._waiting_s += measured.count / measured.sample_rate
                if self._waiting_s > _FIRST_PICTURE_S:
                    heard += self._place_waiting()
            else:
                heard += self._place_sound(measured)
        self._facts += [self._fact(note) for note in notes]
        return self._complete(video, heard, known)

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

    def flush(self, rest: Sequence[Heard] = (), *, ended: bool = False) -> Measured:
        """Series of all that was measured so far, however short; once it has `ended`, also of sound without picture.

        Args:
            rest: Of the sound that was measured elsewhere.
            ended: Nothing follows.
        """
        known = len(self._facts)
        self._waiting += (*rest, *self._host.rest(ended=ended))
        heard = self._place_waiting() if ended or not self._waits else []
        if ended:
            self._facts += self.timeline.shifts.finish()
        return self._complete(self._video.flush(), heard, known)

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
            undecided_s=self.timeline.shifts.undecided_s,
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

    @property
    def _waits(self) -> bool:
        """Whether sound waits for the first picture."""
        return self._video_track is not None and not self.timeline.started

    def _place_sound(self, sound: MeasuredSound) -> list[Heard]:
        raw_s = None if sound.pts is None else ticks_to_s(sound.pts, sound.time_base)
        length_s = sound.count / sound.sample_rate
        start_s, facts = self.timeline.place(sound.track, "audio", raw_s, length_s, sound.lead_s)
        self._sound_s[sound.track] = self._sound_s.get(sound.track, 0.0) + length_s
        self._facts += [
            replace(fact, details={"track": sound.track, **fact.details}) if fact.track == "audio" else fact
            for fact in facts
        ]
        before = self._on_clock(sound.before)
        if sound.begins:
            self._origins_s[sound.track] = start_s
        return [*before, *self._on_clock(sound.heard)]

    def _on_clock(self, heard: Heard) -> list[Heard]:
        """The series with times on the stream's clock."""
        if not heard.audio and not heard.spectrum:
            return []
        origin_s = self._origins_s[heard.track]
        return [
            Heard(
                heard.track,
                tuple(replace(one, pts_s=origin_s + one.pts_s, end_s=origin_s + one.end_s) for one in heard.audio),
                tuple(replace(one, pts_s=origin_s + one.pts_s, end_s=origin_s + one.end_s) for one in heard.spectrum),
            )
        ]

    def _place_waiting(self) -> list[Heard]:
        waiting, self._waiting, self._waiting_s = self._waiting, [], 0.0
        return [
            heard
            for one in waiting
            for heard in (self._on_clock(one) if isinstance(one, Heard) else self._place_sound(one))
        ]

    def _timestamp_s(self, note: Note) -> float:
        """The timestamp of a note in seconds; without one: of how far its track has come."""
        if note.pts is not None:
            return ticks_to_s(note.pts, note.time_base)
        track = self._track_index(note)
        return (self.timeline.track_until_s(track) or 0.0) + (self.timeline.track_zero_s(track) or 0.0)

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

    def _complete(self, video: Sequence[VideoSeries], heard: Sequence[Heard], known: int) -> Measured:
        """The series, and the jumps among the facts that are new since there were so many."""
        return Measured(
            tuple(video),
            tuple(series for one in heard for series in one.audio),
            tuple(series for one in heard for series in one.spectrum),
            tuple(fact.start_s for fact in self._facts[known:] if fact.kind == "discontinuity"),
        )
