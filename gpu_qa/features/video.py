"""Features of the picture: frames → `VideoSeries`, by the kernel `luma_stats`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpu_qa.series import VideoSeries
from gpu_qa_kernels.luma_stats import Feature, LumaStats, feature_counts, luma_stats

if TYPE_CHECKING:
    from gpu_qa.features.device import DevicePictures
    from gpu_qa.media import Plane, VideoFormat, VideoFrame

FRAMES_PER_SERIES = 12
"""Frames after which a series is complete: short enough to tell soon, long enough to judge cheaply."""
_LIMITED_RANGE = (16.0, 235.0)
_FULL_RANGE = (0.0, 255.0)
"""8-bit codes of black and white (ITU-R BT.709-6, item 4.6; full range: ISO/IEC 23091-2)."""


class _Measured(NamedTuple):
    """A frame's sums and what its picture is no longer needed for."""

    stats: LumaStats
    start_s: float
    end_s: float
    comparable: bool
    is_corrupt: bool
    is_key: bool


class VideoFeatures:
    """Measures the frames of one stream, each against the one before it."""

    def __init__(self) -> None:
        self._before: VideoFrame | None = None
        self._small_before: np.ndarray | None = None
        self._measured: list[_Measured] = []
        self._device: DevicePictures | None = None

    def add(self, frame: VideoFrame, start_s: float, duration_s: float) -> list[VideoSeries]:
        """Measure a frame.

        Args:
            frame: A decoded picture.
            start_s: Its start on the stream's clock, in seconds.
            duration_s: How long it is shown, in seconds.

        Returns:
            The series that this completed: one of enough frames, or one that a new format ended.
        """
        done: list[VideoSeries] = []
        before = self._before
        if before is not None and not _is_comparable(before, frame):
            done = self.flush()
            before = None
        stats = self._stats(frame, before)
        self._before, self._small_before = frame, stats.small
        self._measured.append(
            _Measured(stats, start_s, start_s + duration_s, before is not None, frame.is_corrupt, frame.is_key)
        )
        if len(self._measured) >= FRAMES_PER_SERIES:
            done += self.flush()
        return done

    def _stats(self, frame: VideoFrame, before: VideoFrame | None) -> LumaStats:
        """Measure where the picture lies."""
        if getattr(frame.luma.data, "is_cuda", False):
            if self._device is None:
                from gpu_qa.features.device import DevicePictures

                self._device = DevicePictures()
            return self._device.luma_stats(frame, before)
        return luma_stats(
            _on_host(frame.luma),
            (_on_host(frame.chroma[0]), _on_host(frame.chroma[1])) if frame.chroma else None,
            bit_depth=frame.format.bit_depth,
            shift=frame.format.shift,
            previous=_on_host(before.luma) if before else None,
            previous_small=self._small_before if before else None,
        )

    def flush(self) -> list[VideoSeries]:
        """The series of the frames measured since the last one: one or none."""
        if not self._measured or self._before is None:
            return []
        series = _series(self._before, self._measured)
        self._measured = []
        return [series]


def _is_comparable(before: VideoFrame, frame: VideoFrame) -> bool:
    """Equal format and, on a device, in the same block of memory."""
    memory: Any = frame.luma.data
    other: Any = before.luma.data
    on_device = getattr(memory, "is_cuda", False)
    return before.format == frame.format and (not on_device or bool(memory.data_ptr() == other.data_ptr()))


def _on_host(plane: Plane) -> Plane:
    """The plane with its memory as a NumPy array; torch tensors in host memory are viewed, not copied."""
    return plane if isinstance(plane.data, np.ndarray) else replace(plane, data=plane.data.numpy())


def _series(frame: VideoFrame, measured: list[_Measured]) -> VideoSeries:
    """Means and fractions of what the kernel summed."""
    shown, chroma = frame.format, frame.chroma
    counts = feature_counts(shown.width, shown.height, *((chroma[0].width, chroma[0].height) if chroma else (0, 0)))
    sums = np.stack([one.stats.tiles for one in measured])
    mean = (sums / np.maximum(counts, 1)).astype(np.float32)
    code = 2.0 ** (shown.bit_depth - 8)
    black, white = _FULL_RANGE if shown.color_range == "full" else _LIMITED_RANGE
    scale = np.float32(1.0 / ((white - black) * code))
    # float64: the difference of two large sums
    luma = sums[..., Feature.SUM] / np.maximum(counts[..., Feature.SUM], 1)
    variance = sums[..., Feature.SUM_SQUARES] / np.maximum(counts[..., Feature.SUM_SQUARES], 1) - luma**2
    histogram = np.stack([one.stats.histogram for one in measured])
    grey = counts[..., Feature.CB] == 0
    color = np.stack([mean[..., Feature.CB], mean[..., Feature.CR]], axis=1)
    return VideoSeries(
        pts_s=np.array([one.start_s for one in measured]),
        end_s=np.array([one.end_s for one in measured]),
        luma=((luma - black * code) * scale).astype(np.float32),
        luma_std=(np.sqrt(np.maximum(variance, 0.0)) * scale).astype(np.float32),
        change=mean[..., Feature.CHANGE] * scale,
        coarse_change=mean[..., Feature.COARSE_CHANGE] * np.float32(1.0 / (256.0 * (white - black))),
        gradient=np.stack([mean[..., Feature.GRADIENT_H], mean[..., Feature.GRADIENT_V]], axis=1) * scale,
        block_edge=np.stack([mean[..., Feature.EDGE_H], mean[..., Feature.EDGE_V]], axis=1) * scale,
        chroma=np.where(grey, np.float32(0.0), color / np.float32(256.0 * code) - np.float32(0.5)),
        histogram=(histogram / np.maximum(histogram.sum(axis=1, keepdims=True), 1)).astype(np.float32),
        comparable=np.array([one.comparable for one in measured]),
        is_corrupt=np.array([one.is_corrupt for one in measured]),
        is_key=np.array([one.is_key for one in measured]),
        small=np.stack([one.stats.small for one in measured]),
        small_chroma=np.stack([one.stats.small_chroma for one in measured]),
        black_code=black,
        white_code=white,
        display_aspect_ratio=_display_aspect_ratio(shown),
    )


def _display_aspect_ratio(shown: VideoFormat) -> float:
    return float(shown.width * shown.sample_aspect_ratio / shown.height)
