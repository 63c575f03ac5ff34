"""Event pictures: what shows a person that an event is there: the frame where it began, or the sound around that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa.sinks.sound_pictures import SoundPictureRecorder
from gpu_qa.sinks.thumbnails import ThumbnailRecorder

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries, Event, SpectrumSeries, VideoSeries


class EventPictures:
    """Keeps the last seconds of one stream, and pictures of its first events."""

    def __init__(self) -> None:
        self._frames = ThumbnailRecorder()
        self._sounds = SoundPictureRecorder()

    def add_video(self, series: VideoSeries, color_space: str | None = None) -> None:
        """Take the next frames; null is taken for BT.709."""
        self._frames.add(series, color_space)

    def add_audio(self, series: AudioSeries) -> None:
        """Take the next hops of a track."""
        self._sounds.add_audio(series)

    def add_spectrum(self, series: SpectrumSeries) -> None:
        """Take the next spectra of a track."""
        self._sounds.add_spectrum(series)

    def capture(self, event: Event) -> None:
        """Keep what shows the event, once per event; to be called when the event opens."""
        if not self._sounds.capture(event):
            self._frames.capture(event)

    def of(self, event_id: str) -> bytes | None:
        """JPEG; null where there is none."""
        return self._sounds.pictures.get(event_id) or self._frames.thumbnails.get(event_id)

    def release(self, event_id: str) -> None:
        """The picture makes room for another event's."""
        for kept in (self._sounds.pictures, self._frames.thumbnails, self._frames.shown_s):
            kept.pop(event_id, None)

    @property
    def jpegs(self) -> dict[str, bytes]:
        """Event id → JPEG."""
        return {**self._frames.thumbnails, **self._sounds.pictures}

    @property
    def shown_s(self) -> dict[str, float]:
        """Event id → when the frame was shown, in seconds; not of those of the sound."""
        return self._frames.shown_s
