"""Measuring sound: decoded samples become series that are timed from the start of their run, and are let go.

A run is sound of one format without a gap in its timestamps. Where it lies on the stream's clock, whoever keeps that
clock knows (`StreamFeatures`); measuring needs no more than the samples and the distance between their timestamps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpu_qa.features.audio import RESTART_S, AudioFeatures
from gpu_qa.features.spectrum import SpectrumFeatures
from gpu_qa.units import ticks_to_s

if TYPE_CHECKING:
    from fractions import Fraction

    from gpu_qa.media import AudioSamples
    from gpu_qa.series import AudioSeries, SpectrumSeries


@dataclass(frozen=True, slots=True)
class Heard:
    """Series of one track that have become complete; their times are seconds since the start of their run."""

    track: int
    """Index of the track in its container."""
    audio: tuple[AudioSeries, ...] = ()
    spectrum: tuple[SpectrumSeries, ...] = ()


@dataclass(frozen=True, slots=True)
class MeasuredSound:
    """When a run of decoded samples is to be heard, and what became complete with it."""

    track: int
    """Index of the track in its container."""
    pts: int | None
    """Presentation time of the first sample in ticks of `time_base`."""
    time_base: Fraction
    sample_rate: int
    """Hz."""
    count: int
    """Samples of a channel."""
    begins: bool
    """A run begins with its first sample."""
    before: Heard
    """The end of the run before, where one begins."""
    heard: Heard
    """Of the run that it belongs to."""
    lead_s: float | None = None
    """As in `AudioSamples`."""


class HostSound:
    """Measures the sound of one stream's tracks in host memory, without the GIL. Belongs to one thread at a time.

    Args:
        spectra: Whether spectra are wanted.
        speech: Whether the bands that speech moves in are wanted, of the first track that comes: no other is listened
            to.
    """

    def __init__(self, *, spectra: bool = True, speech: bool = False) -> None:
        self._with_spectra, self._with_speech = spectra, speech
        self._tracks: dict[int, _TrackSound] = {}

    def measure(self, sound: AudioSamples) -> MeasuredSound:
        """Measure decoded samples; most wait until a series is complete."""
        track = self._tracks.get(sound.track.index)
        if track is None:
            track = self._tracks[sound.track.index] = _TrackSound(
                sound.track.index, spectra=self._with_spectra, speech=self._with_speech and not self._tracks
            )
        return track.measure(sound)

    def rest(self, *, ended: bool = False) -> tuple[Heard, ...]:
        """What was measured and is not yet a series of full length, of each track that has any.

        Args:
            ended: Nothing follows.
        """
        rests = (track.rest(ended=ended) for track in self._tracks.values())
        return tuple(rest for rest in rests if rest.audio or rest.spectrum)


class _TrackSound:
    """One track: where its run stands by the samples, and where by the timestamps."""

    def __init__(self, track: int, *, spectra: bool, speech: bool) -> None:
        self._track = track
        self._audio = AudioFeatures(track, speech=speech)
        self._spectra = SpectrumFeatures(track) if spectra else None
        self._nothing = Heard(track)
        self._format: tuple[int, tuple[str, ...]] | None = None
        self._origin_s = 0.0
        """Timestamp at which the run began."""
        self._samples = 0
        """Of a channel, since then."""
        self._end_s = 0.0
        """Timestamp at which the samples before ended."""

    def measure(self, sound: AudioSamples) -> MeasuredSound:
        rate, count = sound.sample_rate, sound.samples.shape[1]
        raw_s = self._end_s if sound.pts is None else ticks_to_s(sound.pts, sound.time_base)
        begins = (rate, sound.channels) != self._format or (
            abs(raw_s - self._origin_s - self._samples / rate) > RESTART_S
        )
        before = self._nothing
        if begins:
            before = self.rest(ended=True)
            self._audio.restart(0.0)
            if self._spectra:
                self._spectra.restart(0.0)
            self._format, self._origin_s, self._samples = (rate, sound.channels), raw_s, 0
        start_s = self._samples / rate
        audio = self._audio.add(sound, start_s)
        spectrum = self._spectra.add(sound, start_s) if self._spectra else ()
        self._samples += count
        self._end_s = raw_s + count / rate
        heard = Heard(self._track, tuple(audio), tuple(spectrum)) if audio or spectrum else self._nothing
        return MeasuredSound(self._track, sound.pts, sound.time_base, rate, count, begins, before, heard, sound.lead_s)

    def rest(self, *, ended: bool) -> Heard:
        spectrum = self._spectra.flush(ended=ended) if self._spectra else ()
        return Heard(self._track, tuple(self._audio.flush()), tuple(spectrum))
