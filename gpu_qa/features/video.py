"""Features of the picture: measured pictures → `VideoSeries`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa.features.picture import ROWS_PER_BLOCK
from gpu_qa.series import VideoSeries
from gpu_qa_kernels.luma_stats import Feature, LumaStats, feature_counts

if TYPE_CHECKING:
    from gpu_qa.features.picture import MeasuredPicture
    from gpu_qa.media import VideoFormat

FRAMES_PER_SERIES = ROWS_PER_BLOCK
"""Pictures after which a series is complete, at the latest: it also ends with their block of memory."""
_LIMITED_RANGE = (16.0, 235.0)
_FULL_RANGE = (0.0, 255.0)
"""8-bit codes of black and white (ITU-R BT.709-6, item 4.6; full range: ISO/IEC 23091-2)."""


class _Shown(NamedTuple):
    """A picture and when it is shown."""

    picture: MeasuredPicture
    start_s: float
    end_s: float


class VideoFeatures:
    """Gathers one stream's measured pictures into series."""

    def __init__(self) -> None:
        self._shown: list[_Shown] = []

    def add(self, picture: MeasuredPicture, start_s: float, duration_s: float) -> list[VideoSeries]:
        """Take a picture.

        Args:
            picture: The next one as measured.
            start_s: Its start on the stream's clock, in seconds.
            duration_s: How long it is shown, in seconds.

        Returns:
            The series that this completed: one of enough pictures, or one that a new format ended.
        """
        done: list[VideoSeries] = []
        if self._shown and picture.format != self._shown[-1].picture.format:
            done = self.flush()
        self._shown.append(_Shown(picture, start_s, start_s + duration_s))
        if len(self._shown) >= FRAMES_PER_SERIES or picture.row == ROWS_PER_BLOCK - 1:
            done += self.flush()
        return done

    def flush(self) -> list[VideoSeries]:
        """The series of the pictures since the last one: one or none."""
        if not self._shown:
            return []
        shown, self._shown = self._shown, []
        return [_series(shown, _rows([one.picture for one in shown]))]


def _rows(pictures: list[MeasuredPicture]) -> LumaStats:
    """The pictures' measures, arrays [T, …]: a part of their block where they lie in one, else copies."""
    first = pictures[0]
    if all(picture.block is first.block and picture.row == first.row + i for i, picture in enumerate(pictures)):
        return LumaStats(*(array[first.row : first.row + len(pictures)] for array in first.block))
    return LumaStats(*(np.stack(rows) for rows in zip(*(picture.stats for picture in pictures), strict=True)))


def _series(shown: list[_Shown], stats: LumaStats) -> VideoSeries:
    """Means and fractions of what the kernel summed, arrays [T, …]."""
    form = shown[0].picture.format
    counts = feature_counts(form.width, form.height, *shown[0].picture.chroma_size)
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
        comparable=np.array([one.picture.comparable for one in shown]),
        is_corrupt=np.array([one.picture.is_corrupt for one in shown]),
        is_key=np.array([one.picture.is_key for one in shown]),
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
