"""Features of the picture: measured pictures → `VideoSeries`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa.features.fractions import code_range, tile_fractions
from gpu_qa.features.grid import grids
from gpu_qa.series import VideoSeries
from gpu_qa_kernels.luma_stats import Feature, LumaStats
from gpu_qa_kernels.motion_tiles import motion_tiles
from gpu_qa_kernels.tile_cells import tile_cells

if TYPE_CHECKING:
    from gpu_qa.features.picture import MeasuredPicture
    from gpu_qa.media import VideoFormat


class _Shown(NamedTuple):
    """A picture and when it is shown."""

    picture: MeasuredPicture
    start_s: float
    end_s: float
    damaged: bool


class VideoFeatures:
    """Gathers one stream's measured pictures into series.

    Args:
        motion: Whether the motion of tiles is wanted.
    """

    def __init__(self, *, motion: bool = False) -> None:
        self._motion = motion
        self._shown: list[_Shown] = []
        self._small_before: np.ndarray | None = None

    def add(
        self, picture: MeasuredPicture, start_s: float, duration_s: float, *, damaged: bool = False
    ) -> list[VideoSeries]:
        """Take a picture.

        Args:
            picture: The next one as measured.
            start_s: Its start on the stream's clock, in seconds.
            duration_s: How long it is shown, in seconds.
            damaged: Damage of the track was reported at or since the picture before.

        Returns:
            The series that this completed: one of enough pictures, or one that a new format ended.
        """
        done: list[VideoSeries] = []
        if self._shown and picture.format != self._shown[-1].picture.format:
            done = self.flush()
        self._shown.append(_Shown(picture, start_s, start_s + duration_s, damaged))
        if picture.is_last or len(self._shown) >= len(picture.block.tiles):
            done += self.flush()
        return done

    def flush(self) -> list[VideoSeries]:
        """The series of the pictures since the last one: one or none."""
        if not self._shown:
            return []
        shown, self._shown = self._shown, []
        pictures = [one.picture for one in shown]
        stats, motion = _rows(pictures), None
        if self._motion:
            motion, self._small_before = _motion(pictures, stats, self._small_before), stats.small[-1]
        return [_series(shown, stats, motion)]


def lively_change(picture: MeasuredPicture) -> float | None:
    """The coarse change against the picture before that one tile in a hundred exceeds, as a fraction of full scale.

    Null where the picture cannot be compared with it.
    """
    if not picture.comparable:
        return None
    series = _series([_Shown(picture, 0.0, 0.0, damaged=False)], _rows([picture]))
    changes = np.sort(series.coarse_change, axis=None)
    return float(changes[-1 - len(changes) // 100])


def _rows(pictures: list[MeasuredPicture]) -> LumaStats:
    """The pictures' measures, arrays [T, …]: a part of their block where they lie in one, else copies."""
    first = pictures[0]
    if all(picture.block is first.block and picture.row == first.row + i for i, picture in enumerate(pictures)):
        return LumaStats(*(array[first.row : first.row + len(pictures)] for array in first.block))
    return LumaStats(*(np.stack(rows) for rows in zip(*(picture.stats for picture in pictures), strict=True)))


def _means(pictures: list[MeasuredPicture], stats: LumaStats) -> tuple[np.ndarray, np.ndarray]:
    """Means of the pictures by `tile_fractions`, float32 [T, 19, 24, 42], and by `tile_cells`, float32 [T, 19, 12, 21].

    Pictures in host memory have them already.
    """
    first = pictures[0]
    if first.means is not None and first.cells is not None and np.may_share_memory(stats.tiles, first.block.tiles):
        rows = slice(first.row, first.row + len(pictures))
        return first.means[rows], first.cells[rows]
    means = tile_fractions(stats.tiles, first.format, first.chroma_size)
    return means, tile_cells(means)


def _motion(pictures: list[MeasuredPicture], stats: LumaStats, before: np.ndarray | None) -> np.ndarray:
    """Motion of tiles, float32 [T, 8, 24, 42]; pictures in host memory have it already."""
    first = pictures[0]
    if first.motion is not None and np.may_share_memory(stats.tiles, first.block.tiles):
        return first.motion[first.row : first.row + len(pictures)]
    earlier = (before, *stats.small[:-1])
    return np.stack(
        [
            motion_tiles(small, one if picture.comparable else None)
            for picture, small, one in zip(pictures, stats.small, earlier, strict=True)
        ]
    )


def _series(shown: list[_Shown], stats: LumaStats, motion: np.ndarray | None = None) -> VideoSeries:
    """Means and fractions of what the kernel summed, arrays [T, …], and the motion of tiles where it is wanted."""
    form = shown[0].picture.format
    black, white = code_range(form)
    means, cells = _means([one.picture for one in shown], stats)
    seams, seam_cells = (part[:, Feature.SEAM_H0 : Feature.SEAM_V4 + 1] for part in (means, cells))
    return VideoSeries(
        pts_s=np.array([one.start_s for one in shown]),
        end_s=np.array([one.end_s for one in shown]),
        luma=means[:, Feature.SUM],
        luma_std=means[:, Feature.SUM_SQUARES],
        change=means[:, Feature.CHANGE],
        coarse_change=means[:, Feature.COARSE_CHANGE],
        gradient=means[:, Feature.GRADIENT_H : Feature.GRADIENT_V + 1],
        block_edge=means[:, Feature.EDGE_H : Feature.EDGE_V + 1],
        seam=seams.reshape(len(seams), 2, 3, *seams.shape[2:]),
        luma_cells=cells[:, Feature.SUM],
        chroma_cells=cells[:, Feature.CB : Feature.CR + 1],
        coarse_cells=cells[:, Feature.COARSE_CHANGE],
        gradient_cells=cells[:, Feature.GRADIENT_H : Feature.GRADIENT_V + 1],
        seam_cells=seam_cells.reshape(len(seams), 2, 3, *seam_cells.shape[2:]),
        comb=means[:, Feature.COMB],
        field_change=means[:, Feature.FIELD_EVEN : Feature.FIELD_ODD + 1],
        grid=_grids(shown, white - black),
        chroma=means[:, Feature.CB : Feature.CR + 1],
        histogram=(stats.histogram / np.maximum(stats.histogram.sum(axis=1, keepdims=True), 1)).astype(np.float32),
        comparable=np.array([one.picture.comparable for one in shown]),
        is_corrupt=np.array([one.picture.is_corrupt for one in shown]),
        damaged=np.array([one.damaged for one in shown]),
        is_key=np.array([one.picture.is_key for one in shown]),
        small=stats.small,
        small_chroma=stats.small_chroma,
        black_code=black,
        white_code=white,
        display_aspect_ratio=_display_aspect_ratio(form),
        transfer=form.transfer,
        color_space=form.color_space,
        interlaced=form.interlaced,
        top_field_first=form.top_field_first,
        motion=motion,
    )


def _grids(shown: list[_Shown], full_scale: float) -> np.ndarray:
    """What was found in the pictures that were looked at, float32 [T, 2, 2]; NaN in others."""
    found = np.full((len(shown), 2, 2), np.nan, np.float32)
    for number, one in enumerate(shown):
        picture = one.picture
        if picture.grid is not None:
            found[number] = picture.grid
        elif picture.profile is not None:
            found[number] = grids(picture.profile, picture.format, full_scale)
    return found


def _display_aspect_ratio(shown: VideoFormat) -> float:
    shape = shown.sample_aspect_ratio
    return shown.width * shape.numerator / (shown.height * shape.denominator)
