"""Curves: what was measured over the whole stream, thinned to a bounded number of bins while it comes.

A bin keeps the smallest and the largest value that fell into it, so a single bright frame or a click stays visible at
any length. Bins are 1/64 s wide at first; whenever a stream outgrows its bins, they double. Widths are powers of two
and bins lie on multiples of them, so the result does not depend on how the stream was cut into series.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.series import Curve
from gpu_qa.sinks.loudness import LoudnessRecorder
from gpu_qa.units import amplitude_to_db

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries, VideoSeries

MAX_BINS = 2000
"""About two per pixel of a report's plot."""
SILENCE_FLOOR_DB = -120.0
"""Where curves of level end: digital silence and everything below is drawn here (24 bits reach to −144 dBFS)."""

_FINEST_PER_S = 64
_STEPS_AT_ONCE = 256
_LAST_S = 1e12
"""Times beyond (30,000 years) are no times; their bins could not be counted."""
_BLOCK_EDGE_FLOOR = 1e-3
"""Mean gradient, as a fraction of full scale, below which a picture is too flat to speak of its block edges."""
_LIVELY_QUANTILE = 0.95
_ZERO = np.zeros(1, np.int64)

_VIDEO = (
    ("change", "Change between frames", "full_scale"),
    ("change_lively", "Change in the liveliest 5 % of tiles", "full_scale"),
    ("luma", "Mean luma", "full_scale"),
    ("block_edge", "Block edges against other edges", "ratio"),
)


class Bins:
    """Smallest and largest value per stretch of time, of several measures at once."""

    def __init__(self, measures: int, max_bins: int = MAX_BINS) -> None:
        if max_bins < 2:
            raise ValueError("max_bins must be 2 or more: times before and after 0 never share a bin")
        self._level = 0
        """Bins are 2**level / 64 s wide."""
        self._first = 0
        """Index of the first bin in units of its width."""
        self._count = 0
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self._steps = 0
        """How many wait: a few hundred at once cost little more than one."""
        self._low = np.full((measures, max_bins), np.inf, np.float32)
        self._high = np.full((measures, max_bins), -np.inf, np.float32)

    def add(self, time_s: np.ndarray, values: np.ndarray) -> None:
        """Take values in any order.

        Args:
            time_s: float64 [T] seconds; values at a time that is none are left out.
            values: float32 [M, T]; NaN where there is nothing to tell.
        """
        if len(time_s):
            self._waiting.append((time_s, values))
            self._steps += len(time_s)
        if self._steps >= _STEPS_AT_ONCE:
            self._settle()

    def _settle(self) -> None:
        """Put what waits into its bins."""
        if self._steps:
            times_s, values = zip(*self._waiting, strict=True)
            self._waiting, self._steps = [], 0
            self._place(np.concatenate(times_s), np.concatenate(values, axis=1))

    def _place(self, time_s: np.ndarray, values: np.ndarray) -> None:
        if not len(time_s):
            return
        first_s, last_s = float(time_s.min()), float(time_s.max())
        if not (first_s > -_LAST_S and last_s < _LAST_S):
            known = np.abs(time_s) < _LAST_S
            self._place(time_s[known], values[:, known])
            return
        # Powers of two: the products are exact, and halving an index later is the same as counting in wider bins.
        lowest, highest = math.floor(first_s * _FINEST_PER_S), math.floor(last_s * _FINEST_PER_S)
        self._make_room(lowest, highest)
        index = (np.floor(time_s * _FINEST_PER_S).astype(np.int64) >> self._level) - self._first
        steps = index[1:] - index[:-1]
        if (steps < 0).any():
            order = np.argsort(index, kind="stable")
            index, values = index[order], values[:, order]
            steps = index[1:] - index[:-1]
        starts = np.concatenate((_ZERO, np.flatnonzero(steps) + 1))
        seen = index[starts]
        # fmin and fmax pass NaN over.
        low = np.fmin.reduceat(values, starts, axis=1)
        high = np.fmax.reduceat(values, starts, axis=1)
        self._low[:, seen] = np.fmin(self._low[:, seen], low)
        self._high[:, seen] = np.fmax(self._high[:, seen], high)

    def measure(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Bins of one measure that hold values: start float64 [B] seconds, smallest and largest float32 [B]."""
        self._settle()
        filled = np.flatnonzero(self._low[number] <= self._high[number])
        start_s = (filled + self._first) * (2.0**self._level / _FINEST_PER_S)
        return start_s, self._low[number, filled], self._high[number, filled]

    def _make_room(self, lowest: int, highest: int) -> None:
        """Cover the finest bins `lowest` to `highest` as well, in wider bins where there would be too many."""
        if self._count:
            lowest = min(lowest, self._first << self._level)
            highest = max(highest, ((self._first + self._count) << self._level) - 1)
        else:
            self._first = lowest >> self._level
        while (highest >> self._level) - (lowest >> self._level) >= self._low.shape[1]:
            self._halve()
        first = lowest >> self._level
        before = self._first - first
        if before:
            self._first = first
            for bins, empty in ((self._low, np.inf), (self._high, -np.inf)):
                bins[:, before : before + self._count] = bins[:, : self._count].copy()
                bins[:, :before] = empty
        self._count = (highest >> self._level) - first + 1

    def _halve(self) -> None:
        """Make every two bins one."""
        odd = self._first & 1
        pairs = (odd + self._count + 1) // 2
        for bins, empty, join in ((self._low, np.inf, np.minimum), (self._high, -np.inf, np.maximum)):
            padded = np.full((len(bins), 2 * pairs), empty, np.float32)
            padded[:, odd : odd + self._count] = bins[:, : self._count]
            bins[:] = empty
            bins[:, :pairs] = join(padded[:, 0::2], padded[:, 1::2])
        self._first >>= 1
        self._level += 1
        self._count = pairs


class CurveRecorder:
    """Thins the series of one stream to curves for its report, in memory that does not grow with the stream."""

    def __init__(self, max_bins: int = MAX_BINS) -> None:
        self._max_bins = max_bins
        self._video: Bins | None = None
        self._tracks: dict[int, tuple[Bins, Bins]] = {}
        self.loudness = LoudnessRecorder()
        """Fed by `add_audio`; its `measurements()` belong into the report's."""

    def add_video(self, series: VideoSeries) -> None:
        """Take the next frames: change, the change of the liveliest tiles, mean luma, block edges."""
        if not len(series):
            return
        if self._video is None:
            self._video = Bins(len(_VIDEO), self._max_bins)
        tiles = series.change[0].size
        change = series.change.reshape(-1, tiles)
        lively = min(math.floor(_LIVELY_QUANTILE * tiles), tiles - 1)
        # Means over cells are those over their tiles.
        gradient, edge = _means(series.gradient_cells), _means(series.block_edge)
        values = np.empty((len(_VIDEO), len(series)), np.float32)
        values[0] = _means(series.change)
        # Sorting is faster than selecting: NumPy does it with the processor's vectors.
        values[1] = np.sort(change, axis=1)[:, lively]
        values[:2, ~series.comparable] = np.nan
        values[2] = _means(series.luma_cells)
        values[3] = np.where(gradient > _BLOCK_EDGE_FLOOR, edge / np.maximum(gradient, _BLOCK_EDGE_FLOOR), np.nan)
        self._video.add(series.pts_s, values)

    def add_audio(self, series: AudioSeries) -> None:
        """Take the next hops of a track: its loudest channel's peak; loudness over 400 ms and 3 s, ten per second."""
        if not len(series):
            return
        track = self._tracks.get(series.track)
        if track is None:
            track = self._tracks[series.track] = (Bins(1, self._max_bins), Bins(2, self._max_bins))
        peak, loudness = track
        level = amplitude_to_db(series.peak.max(axis=1, initial=0.0))
        peak.add(series.pts_s, np.maximum(level, SILENCE_FLOOR_DB, dtype=np.float32)[None])
        told = self.loudness.add(series)
        both = np.stack((series.momentary_lufs[told], series.short_term_lufs[told]))
        loudness.add(series.end_s[told], np.maximum(both, SILENCE_FLOOR_DB, dtype=np.float32))

    def curves(self) -> tuple[Curve, ...]:
        """Everything so far: `change`, `change_lively`, `luma`, `block_edge`; `peak_dbfs:1` and the like per track.

        Of sound there are `peak_dbfs`, `momentary_lufs` and `short_term_lufs`, with the track's index behind a colon.
        Bins without a value are left out; curves without any as well.
        """
        curves: list[Curve] = []
        if self._video is not None:
            for number, (name, label, unit) in enumerate(_VIDEO):
                curves.append(Curve(name, label, unit, *self._video.measure(number)))
        for index, (peak, loudness) in sorted(self._tracks.items()):
            of_track = f", track {index}" if len(self._tracks) > 1 else ""
            curves.append(Curve(f"peak_dbfs:{index}", f"Peak{of_track}", "dbfs", *peak.measure(0)))
            for number, name in enumerate(("Momentary", "Short-term")):
                stem = name.lower().replace("-", "_")
                curves.append(
                    Curve(f"{stem}_lufs:{index}", f"{name} loudness{of_track}", "lufs", *loudness.measure(number))
                )
        return tuple(curve for curve in curves if len(curve.pts_s))


def _means(measure: np.ndarray) -> np.ndarray:
    """Mean of each frame, float32 [T], of float32 [T, …]; as `mean` has it, which takes as long again to begin."""
    values = measure.reshape(len(measure), -1)
    return np.asarray(np.add.reduce(values, axis=1) / np.float32(values.shape[1]))
