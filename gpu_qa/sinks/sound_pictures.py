"""Sound pictures: the waveform and the spectrum of the seconds around an event of the sound, as a small JPEG.

The picture's counterpart of a thumbnail: what a person looks at to see that there is a hole, a hum or a clipped top.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries, Event, SpectrumSeries

MAX_PICTURES = 100
KEPT_S = 8.0
"""How much of the sound is kept for its pictures, in seconds: an event is told within this time after it began."""
WIDTH, HEIGHT = 384, 192
_WAVE_ROWS = 64
"""Rows of the waveform; the spectrum has the others."""
_BEFORE_S = 1.5
"""How much of the time before an event is shown, so that it can be compared."""
_LOUD_DB, _QUIET_DB = -20.0, -100.0
"""Levels of a band that are brightest and darkest, in dB of the full-scale square."""
_QUALITY = 4
"""Quantiser scale of libavcodec's mjpeg encoder (2 is best, 31 worst)."""

_BACKGROUND = np.array((18, 22, 30), np.float32)
_WAVE = np.array((120, 190, 255), np.float32)
_MARK = np.array((255, 120, 90), np.float32)
_HEAT = np.array(
    [(12, 8, 38), (60, 20, 110), (150, 40, 110), (230, 90, 60), (255, 200, 90), (255, 255, 220)], np.float32
)
"""Colours from quiet to loud, evenly spaced."""


class _Track:
    """The last seconds of one track."""

    def __init__(self) -> None:
        self.waves: deque[tuple[float, float, np.ndarray]] = deque()
        """Start, end and peaks float32 [T, C] of each series."""
        self.spectra: deque[tuple[float, float, np.ndarray]] = deque()
        """Start, end and power of the bands float32 [T, B] of each series, the loudest channel's."""

    def forget(self, before_s: float) -> None:
        for kept in (self.waves, self.spectra):
            while kept and kept[0][1] < before_s:
                kept.popleft()


class SoundPictureRecorder:
    """Keeps the last seconds of each track's levels and the pictures of the first events of one stream's sound."""

    def __init__(self, max_pictures: int = MAX_PICTURES) -> None:
        self._max_pictures = max_pictures
        self._tracks: dict[str, _Track] = {}
        self.pictures: dict[str, bytes] = {}
        """Event id → JPEG."""

    def add_audio(self, series: AudioSeries) -> None:
        """Take the next hops of a track."""
        if len(series) and len(self.pictures) < self._max_pictures:
            track = self._track(series.track)
            track.waves.append((float(series.pts_s[0]), float(series.end_s[-1]), series.peak))
            track.forget(float(series.end_s[-1]) - KEPT_S)

    def add_spectrum(self, series: SpectrumSeries) -> None:
        """Take the next spectra of a track."""
        if len(series) and len(self.pictures) < self._max_pictures:
            loudest = series.bands.max(axis=1)
            self._track(series.track).spectra.append((float(series.pts_s[0]), float(series.end_s[-1]), loudest))

    def capture(self, event: Event) -> bool:
        """Draw the sound around the event, once per event; to be called when the event opens.

        Returns:
            True where the event has a picture now; false for other events than the sound's, without sound, or with as
            many pictures as may be.
        """
        if event.id in self.pictures:
            return True
        track = self._tracks.get(event.scope.partition(":")[0])
        if not event.kind.startswith("audio.") or track is None or not track.waves:
            return False
        if len(self.pictures) >= self._max_pictures:
            return False
        until_s = track.waves[-1][1]
        if event.kind == "audio.missing":
            # Nothing comes from there on; the picture shows that.
            until_s = max(until_s, event.start_s + _BEFORE_S)
        from_s = max(track.waves[0][0], min(event.start_s - _BEFORE_S, until_s - 1.0))
        self.pictures[event.id] = _jpeg(_drawn(track, from_s, until_s, event.start_s))
        return True

    def _track(self, number: int) -> _Track:
        return self._tracks.setdefault(str(number), _Track())


def _drawn(track: _Track, from_s: float, until_s: float, start_s: float) -> np.ndarray:
    """uint8 [H, W, 3]: the waveform above the spectrum, with a line where the event began."""
    image = np.tile(_BACKGROUND, (HEIGHT, WIDTH, 1))
    edges_s = np.linspace(from_s, until_s, WIDTH + 1)
    _draw_wave(image[:_WAVE_ROWS], track, edges_s)
    _draw_spectrum(image[_WAVE_ROWS + 2 :], track, edges_s)
    mark = np.searchsorted(edges_s, start_s) - 1
    if 0 <= mark < WIDTH:
        image[:, mark] = 0.5 * image[:, mark] + 0.5 * _MARK
    return np.asarray(image.clip(0, 255).astype(np.uint8))


def _draw_wave(image: np.ndarray, track: _Track, edges_s: np.ndarray) -> None:
    """One band per channel, the first two; as high as the peak is, full scale from edge to edge."""
    levels = np.nan_to_num(_by_column(track.waves, edges_s)[:, :2].T)
    rows = len(image) // len(levels)
    away = np.abs(np.arange(rows) - (rows - 1) / 2) / (rows / 2)
    for channel, level in enumerate(levels):
        image[channel * rows : (channel + 1) * rows][away[:, None] <= level[None, :]] = _WAVE


def _draw_spectrum(image: np.ndarray, track: _Track, edges_s: np.ndarray) -> None:
    """Low frequencies below, as bright as they are loud."""
    if not track.spectra:
        return
    power = _by_column(track.spectra, edges_s).T
    level_db = 10.0 * np.log10(np.fmax(power, 1e-12))
    heat = ((level_db - _QUIET_DB) / (_LOUD_DB - _QUIET_DB)).clip(0, 1) * (len(_HEAT) - 1)
    low = np.minimum(heat.astype(np.int64), len(_HEAT) - 2)
    colors = _HEAT[low] + (heat - low)[..., None] * (_HEAT[low + 1] - _HEAT[low])
    colors[np.isnan(power)] = _BACKGROUND
    band = (len(image) - 1 - np.arange(len(image))) * len(colors) // len(image)
    image[:] = colors[band]


def _by_column(kept: deque[tuple[float, float, np.ndarray]], edges_s: np.ndarray) -> np.ndarray:
    """float32 [W, N]: the largest values in each column of time; NaN where there is none."""
    width = min(values.shape[1] for _, _, values in kept)
    values = np.concatenate([part[:, :width] for _, _, part in kept])
    times = [start_s + (end_s - start_s) / len(part) * np.arange(len(part)) for start_s, end_s, part in kept]
    steps_s = np.concatenate(times)
    step_s = (kept[0][1] - kept[0][0]) / len(kept[0][2])
    first = (np.searchsorted(steps_s, edges_s[:-1], side="right") - 1).clip(0)
    largest = np.fmax.reduceat(values, first, axis=0)
    largest[np.abs(steps_s[first] - edges_s[:-1]) > 2 * step_s] = np.nan
    return np.asarray(largest)


def _jpeg(image: np.ndarray) -> bytes:
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuvj420p")
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = image.shape[1], image.shape[0], "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.thread_count = 1
    encoder.options = {"qmin": str(_QUALITY), "qmax": str(_QUALITY)}
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
