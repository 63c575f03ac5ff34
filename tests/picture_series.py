"""Series measured from pictures that a test draws: what a detector gets of a real stream, without a codec between."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.features import HostPictures, StreamFeatures
from gpu_qa.media import Plane, Track, VideoFormat, VideoFrame
from tests.series_builder import joined

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from gpu_qa.media import Note
    from gpu_qa.series import VideoSeries


def measured(
    pictures: Sequence[np.ndarray],
    *,
    frame_rate: int = 25,
    full_range: bool = False,
    keys: Collection[int] = (0,),
    corrupt: Collection[int] = (),
    notes: Sequence[Note] = (),
) -> VideoSeries:
    """The series of luma pictures uint8 [H, W], grey ones: key frames and damaged ones by their numbers."""
    height, width = pictures[0].shape
    base = Fraction(1, frame_rate)
    track = Track(0, "video", "h264", base, frame_rate=Fraction(frame_rate))
    form = VideoFormat(width, height, 8, 0, "full" if full_range else "limited", "gray")
    host, features = HostPictures(), StreamFeatures([track])
    series: list[Any] = []
    for number, picture in enumerate(pictures):
        luma = Plane(np.ascontiguousarray(picture).ravel(), 0, width, 1, width, height)
        frame = VideoFrame(number, 1, base, form, luma, None, number in corrupt, number in keys, picture)
        series += features.take([host.measure(frame)], (), notes if number == 0 else ()).video
    whole: VideoSeries = joined(*series, *features.flush(ended=True).video)
    return whole


def scene(frames: int, size: tuple[int, int] = (320, 240), *, seed: int = 1, speed: float = 1.5) -> list[np.ndarray]:
    """A picture of soft shapes and fine noise that pans across, `size` is width and height; codes 30 to 220."""
    width, height = size
    rng = np.random.default_rng(seed)
    wide = width + int(abs(speed) * frames) + 2
    shapes = sum(_soft(rng, height, wide, step) * step for step in (48, 24, 12, 5))
    shapes = 125.0 + 160.0 * (shapes / np.abs(shapes).max())
    pictures = []
    for number in range(frames):
        at = int(speed * number) if speed >= 0 else int(-speed * (frames - number))
        noise = rng.normal(0, 0.8, (height, width))
        pictures.append(np.clip(shapes[:, at : at + width] + noise, 30, 220).astype(np.uint8))
    return pictures


def _soft(rng: np.random.Generator, height: int, width: int, step: int) -> np.ndarray:
    """Smooth noise with features of about `step` samples, −1…1."""
    rows, columns = height // step + 2, width // step + 2
    coarse = rng.uniform(-1, 1, (rows, columns))
    y, x = np.arange(height) / step, np.arange(width) / step
    lines = np.stack([np.interp(x, np.arange(columns), row) for row in coarse])
    above = y.astype(int)
    share = (y - above)[:, None]
    return np.asarray(lines[above] * (1 - share) + lines[above + 1] * share)
