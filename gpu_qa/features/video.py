"""Features of the picture: frames → `VideoSeries`, by the kernel `luma_stats`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpu_qa.series import VideoSeries
from gpu_qa_kernels.luma_stats import Feature, LumaStats, empty_luma_stats, feature_counts, luma_stats

if TYPE_CHECKING:
    from gpu_qa.features.device import DevicePictures
    from gpu_qa.media import Plane, VideoFormat, VideoFrame

FRAMES_PER_SERIES = 12
"""Frames after which a series is complete: short enough to tell soon, long enough to judge cheaply."""
_LIMITED_RANGE = (16.0, 235.0)
_FULL_RANGE = (0.0, 255.0)
"""8-bit codes of black and white (ITU-R BT.709-6, item 4.6; full range: ISO/IEC 23091-2)."""


class _Shown(NamedTuple):
    """When a frame is shown, and what its picture is no longer needed for."""

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
        self._shown: list[_Shown] = []
        self._block = _new_block()
        """Where the frames of the series that is being filled are measured into, arrays [FRAMES_PER_SERIES, …]."""
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
        out = LumaStats(*(array[len(self._shown)] for array in self._block))
        self._measure(frame, before, out)
        self._before, self._small_before = frame, out.small
        self._shown.append(_Shown(start_s, start_s + duration_s, before is not None, frame.is_corrupt, frame.is_key))
        if len(self._shown) >= FRAMES_PER_SERIES:
            done += self.flush()
        return done

    def skip(self) -> list[VideoSeries]:
        """Leave a picture out: the next one has none to be compared with. Gives the series that this ends."""
        done = self.flush()
        self._before = self._small_before = None
        return done

    def _measure(self, frame: VideoFrame, before: VideoFrame | None, out: LumaStats) -> None:
        """Measure where the picture lies."""
        if getattr(frame.luma.data, "is_cuda", False):
            if self._device is None:
                from gpu_qa.features.device import DevicePictures

                self._device = DevicePictures()
            for array, values in zip(out, self._device.luma_stats(frame, before), strict=True):
                array[...] = values
            return
        luma_stats(
            _on_host(frame.luma),
            (_on_host(frame.chroma[0]), _on_host(frame.chroma[1])) if frame.chroma else None,
            bit_depth=frame.format.bit_depth,
            shift=frame.format.shift,
            previous=_on_host(before.luma) if before else None,
            previous_small=self._small_before if before else None,
            out=out,
        )

    def flush(self) -> list[VideoSeries]:
        """The series of the frames measured since the last one: one or none."""
        if not self._shown or self._before is None:
            return []
        series = _series(self._before, self._shown, LumaStats(*(array[: len(self._shown)] for array in self._block)))
        self._shown, self._block = [], _new_block()
        return [series]


def _new_block() -> LumaStats:
    one = empty_luma_stats()
    return LumaStats(*(np.empty((FRAMES_PER_SERIES, *array.shape), array.dtype) for array in one))


def _is_comparable(before: VideoFrame, frame: VideoFrame) -> bool:
    """Equal format and, on a device, in the same block of memory."""
    memory: Any = frame.luma.data
    other: Any = before.luma.data
    on_device = getattr(memory, "is_cuda", False)
    return before.format == frame.format and (not on_device or bool(memory.data_ptr() == other.data_ptr()))


def _on_host(plane: Plane) -> Plane:
    """The plane with its memory as a NumPy array; torch tensors in host memory are viewed, not copied."""
    return plane if isinstance(plane.data, np.ndarray) else replace(plane, data=plane.data.numpy())


def _series(frame: VideoFrame, shown: list[_Shown], stats: LumaStats) -> VideoSeries:
    """Means and fractions of what the kernel summed, arrays [T, …]."""
    form, chroma = frame.format, frame.chroma
    counts = feature_counts(form.width, form.height, *((chroma[0].width, chroma[0].height) if chroma else (0, 0)))
    code = 2.0 ** (form.bit_depth - 8)
    black, white = _FULL_RANGE if form.color_range == "full" else _LIMITED_RANGE
    scale = _scale(black, white, code) / np.maximum(counts, 1)
    # Features first; the difference of two large numbers below needs the double precision.
    mean = np.ascontiguousarray(np.moveaxis(stats.tiles * scale, -1, 0))
    luma = mean[Feature.SUM]
    variance = np.maximum(mean[Feature.SUM_SQUARES] - luma * luma, 0.0)
    small = mean.astype(np.float32)
    color = small[[Feature.CB, Feature.CR]].swapaxes(0, 1)
    return VideoSeries(
        pts_s=np.array([one.start_s for one in shown]),
        end_s=np.array([one.end_s for one in shown]),
        luma=(luma - black / (white - black)).astype(np.float32),
        luma_std=np.sqrt(variance).astype(np.float32),
        change=small[Feature.CHANGE],
        coarse_change=small[Feature.COARSE_CHANGE],
        gradient=small[[Feature.GRADIENT_H, Feature.GRADIENT_V]].swapaxes(0, 1),
        block_edge=small[[Feature.EDGE_H, Feature.EDGE_V]].swapaxes(0, 1),
        chroma=np.where(counts[..., Feature.CB] == 0, np.float32(0.0), color - np.float32(0.5)),
        histogram=(stats.histogram / np.maximum(stats.histogram.sum(axis=1, keepdims=True), 1)).astype(np.float32),
        comparable=np.array([one.comparable for one in shown]),
        is_corrupt=np.array([one.is_corrupt for one in shown]),
        is_key=np.array([one.is_key for one in shown]),
        small=stats.small,
        small_chroma=stats.small_chroma,
        black_code=black,
        white_code=white,
        display_aspect_ratio=_display_aspect_ratio(form),
    )


def _scale(black: float, white: float, code: float) -> np.ndarray:
    """What a code value of each feature is as a fraction of full scale, float64 [10]; `code` codes are an 8-bit one."""
    scale = np.full(len(Feature), 1.0 / ((white - black) * code))
    scale[Feature.SUM_SQUARES] **= 2
    scale[Feature.COARSE_CHANGE] = 1.0 / ((white - black) * 256.0)
    scale[[Feature.CB, Feature.CR]] = 1.0 / (256.0 * code)
    return scale


def _display_aspect_ratio(shown: VideoFormat) -> float:
    return float(shown.width * shown.sample_aspect_ratio / shown.height)
