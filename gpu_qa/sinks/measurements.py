"""Measurements: what a report says of an input even where nothing is wrong, and the facts of its container, as JSON."""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from gpu_qa.media import SkippedFrame
from gpu_qa.units import amplitude_to_db

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.media import MediaFacts, Track, VideoFormat
    from gpu_qa.series import AudioSeries, VideoSeries

_INTERVALS = 1000
"""Frame intervals, the newest, whose median is the measured frame rate."""


class Picture(Protocol):
    """What is counted of a picture."""

    @property
    def is_corrupt(self) -> bool:
        """The decoder says that it concealed damage in it."""

    @property
    def format(self) -> VideoFormat:
        """How its samples were read."""


class Sound(Protocol):
    """What is counted of a run of sound."""

    @property
    def count(self) -> int:
        """Samples of a channel."""


class Counts:
    """Counts and extremes of one stream for its measurements."""

    def __init__(self) -> None:
        self.frames = 0
        self.color_space: str | None = None
        self._corrupt = 0
        self._samples = 0
        self._peak = 0.0
        self._last_pts_s: float | None = None
        self._intervals_s: deque[float] = deque(maxlen=_INTERVALS)

    @property
    def any(self) -> bool:
        """True once a picture or a sound was decoded."""
        return bool(self.frames or self._samples)

    def count(self, pictures: Sequence[Picture | SkippedFrame], sounds: Sequence[Sound]) -> None:
        """Take what a decoder gave; a skipped picture does not count."""
        for picture in pictures:
            if not isinstance(picture, SkippedFrame):
                self.frames += 1
                self._corrupt += picture.is_corrupt
                self.color_space = picture.format.color_space
        self._samples += sum(sound.count for sound in sounds)

    def video(self, series: VideoSeries) -> None:
        """Take the times of measured frames."""
        pts_s: list[float] = series.pts_s.tolist()
        if self._last_pts_s is not None:
            pts_s.insert(0, self._last_pts_s)
        self._intervals_s.extend(later - earlier for earlier, later in itertools.pairwise(pts_s))
        self._last_pts_s = pts_s[-1]

    def audio(self, series: AudioSeries) -> None:
        """Take the peaks of measured sound."""
        self._peak = max(self._peak, float(series.peak.max(initial=0.0)))

    def measurements(self) -> dict[str, Any]:
        """As JSON values."""
        interval_s = float(np.median(self._intervals_s)) if self._intervals_s else 0.0
        measured: dict[str, Any] = {
            "frames_decoded": self.frames,
            "frames_corrupt": self._corrupt,
            "frame_rate": round(1.0 / interval_s, 3) if interval_s > 0 else None,
            "sample_peak_dbfs": round(float(amplitude_to_db(self._peak)), 2) if self._peak > 0 else None,
        }
        if measured["frame_rate"] is None:
            measured["frame_rate_reason"] = "fewer than two pictures"
        if measured["sample_peak_dbfs"] is None:
            measured["sample_peak_dbfs_reason"] = "digital silence" if self._samples else "no sound"
        return measured


def media_json(facts: MediaFacts | None) -> dict[str, Any]:
    """What the container says of itself, as JSON values."""
    if facts is None:
        return {}
    return {
        "container": facts.container,
        "live": facts.live,
        "duration_s": facts.duration_s,
        "tracks": [_track_json(track) for track in facts.tracks],
        "ignored": list(facts.ignored),
    }


def _track_json(track: Track) -> dict[str, Any]:
    """A track's facts without what does not apply to its kind."""
    facts: dict[str, Any] = {"index": track.index, "kind": track.kind, "codec": track.codec}
    rate = track.frame_rate
    optional = {
        "language": track.language,
        "duration_s": track.duration_s,
        "bit_rate_bps": track.bit_rate,
        "width": track.width,
        "height": track.height,
        "frame_rate": round(float(rate), 3) if rate else None,
        "pixel_format": track.pixel_format,
        "sample_rate_hz": track.sample_rate,
        "channels": list(track.channels) or None,
        "channels_assumed": True if track.channels_assumed else None,
    }
    return facts | {name: value for name, value in optional.items() if value is not None}
