"""Loudness of each audio track by ITU-R BS.1770-5, kept in bounded memory over streams of any length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.units import power_to_db

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries

OFFSET_LUFS = -0.691
"""Makes a 997 Hz sine at full scale in one channel −3.01 LUFS (BS.1770-5, Annex 1, equation 2)."""
ABSOLUTE_GATE_LUFS = -70.0
"""Quieter 400 ms blocks do not count (BS.1770-5, Annex 1)."""
RELATIVE_GATE_LU = -10.0
"""Blocks this far below the mean of those above the absolute gate do not count (BS.1770-5, Annex 1)."""

_HOPS_PER_STEP = 10
"""10 ms hops in the 100 ms by which 400 ms blocks move on (75 % overlap, BS.1770-5, Annex 1)."""
_STEPS_PER_BLOCK = 4
_SEAM_S = 0.005
"""Half a hop: series this close to each other are one run of sound."""

_BIN_LU = 0.01
_BINS = 10_000
"""Bins of block loudness from the absolute gate to +30 LUFS. A block counts with the loudness of its bin's middle,
which moves the result by 0.005 LU at most."""

_SURROUND_WEIGHT = 1.41
_SIDES = frozenset({"SL", "SR"})
_BACKS = frozenset({"BL", "BR"})
_LOW_FREQUENCY = frozenset({"LFE", "LFE2"})


def channel_weights(channels: tuple[str, ...]) -> np.ndarray:
    """BS.1770 weight of each channel as float64 [C]: 1 in front, 1.41 at the sides, 0 for low-frequency effects.

    The surround pair of a 5.1 layout is a side pair under either name (`SL SR` or `BL BR`); where a layout has both,
    as 7.1, the back pair weighs 1 (BS.1770-5, Annex 3, table 4: 135° from the front).
    """
    sides = _SIDES if _SIDES & set(channels) else _SIDES | _BACKS
    return np.array([0.0 if c in _LOW_FREQUENCY else _SURROUND_WEIGHT if c in sides else 1.0 for c in channels])


class _Track:
    """The running state of one track."""

    __slots__ = ("channels", "end_s", "histogram", "hops", "hops_end_s", "steps", "weights")

    def __init__(self) -> None:
        self.histogram = np.zeros(_BINS, np.int64)
        self.channels: tuple[str, ...] | None = None
        self.weights = np.empty(0)
        self.restart()

    def restart(self) -> None:
        self.end_s = -np.inf
        self.hops = np.empty(0)
        """Weighted power of the hops that do not fill a step yet."""
        self.hops_end_s = np.empty(0)
        self.steps = np.empty(0)
        """Power of the last steps, three at most: the beginning of the next block."""


class LoudnessRecorder:
    """Momentary loudness as it comes and the integrated loudness of all of it, per audio track."""

    def __init__(self) -> None:
        self._tracks: dict[int, _Track] = {}

    def add(self, series: AudioSeries) -> tuple[np.ndarray, np.ndarray]:
        """Take the next hops of a track.

        A gap in the sound, or other channels, begin a new block; what was there before still counts.

        Args:
            series: Hops of one track in order; any cut into series gives the same results.

        Returns:
            For each 400 ms block that these hops completed (ten per second) the time of its end, float64 [N] seconds,
            and its momentary loudness, float64 [N] LUFS; silence is −inf.
        """
        track = self._tracks.get(series.track)
        if track is None:
            track = self._tracks[series.track] = _Track()
        if not len(series):
            return np.empty(0), np.empty(0)
        if series.channels != track.channels:
            track.restart()
            track.channels = series.channels
            track.weights = channel_weights(series.channels)
        elif abs(float(series.pts_s[0]) - track.end_s) > _SEAM_S:
            track.restart()
        track.end_s = float(series.end_s[-1])

        power = np.zeros(len(series))
        for channel, weight in enumerate(track.weights):
            # One channel after the other, not a matrix product, whose sums depend on how many rows there are.
            if weight:
                power += weight * series.k_power[:, channel].astype(np.float64)
        power[~np.isfinite(power)] = 0.0
        hops = np.concatenate((track.hops, power))
        end_s = np.concatenate((track.hops_end_s, series.end_s))
        whole = len(hops) // _HOPS_PER_STEP
        track.hops = hops[whole * _HOPS_PER_STEP :]
        track.hops_end_s = end_s[whole * _HOPS_PER_STEP :]
        if not whole:
            return np.empty(0), np.empty(0)
        grouped = hops[: whole * _HOPS_PER_STEP].reshape(whole, _HOPS_PER_STEP)
        steps = np.concatenate((track.steps, _row_sums(grouped) / _HOPS_PER_STEP))
        step_end_s = end_s[_HOPS_PER_STEP - 1 : whole * _HOPS_PER_STEP : _HOPS_PER_STEP]
        track.steps = steps[1 - _STEPS_PER_BLOCK :]
        blocks = len(steps) - _STEPS_PER_BLOCK + 1
        if blocks < 1:
            return np.empty(0), np.empty(0)
        block_power = steps[:blocks].copy()
        for later in range(1, _STEPS_PER_BLOCK):
            block_power += steps[later : later + blocks]
        loudness = OFFSET_LUFS + power_to_db(block_power / _STEPS_PER_BLOCK)
        counted = loudness[loudness > ABSOLUTE_GATE_LUFS]
        bins = np.minimum((counted - ABSOLUTE_GATE_LUFS) / _BIN_LU, _BINS - 1).astype(np.int64)
        np.add.at(track.histogram, bins, 1)
        return step_end_s[-blocks:], loudness

    def integrated_lufs(self) -> dict[int, float | None]:
        """Loudness of everything so far per track: gated mean in LUFS, null where no block was above the gate."""
        return {index: _integrated(track.histogram) for index, track in sorted(self._tracks.items())}

    def measurements(self) -> dict[str, Any]:
        """What a report's measurements hold of it, as JSON values.

        `integrated_lufs` is that of the first track; `integrated_lufs_tracks` has all where there are several, under
        the index of the track as text. Null has its reason beside it.
        """
        per_track = {
            index: None if loudness is None else round(loudness, 2)
            for index, loudness in self.integrated_lufs().items()
        }
        first = next(iter(per_track.values()), None)
        measured: dict[str, Any] = {"integrated_lufs": first}
        if first is None:
            measured["integrated_lufs_reason"] = (
                "no sound of at least 400 ms above -70 LUFS" if per_track else "no audio track"
            )
        if len(per_track) > 1:
            measured["integrated_lufs_tracks"] = {str(index): loudness for index, loudness in per_track.items()}
        return measured


def _row_sums(matrix: np.ndarray) -> np.ndarray:
    """Sum of each row in one fixed order, so that it does not depend on how many rows there are."""
    total = matrix[:, 0].copy()
    for column in range(1, matrix.shape[1]):
        total += matrix[:, column]
    return np.asarray(total)


def _integrated(histogram: np.ndarray) -> float | None:
    if not histogram.any():
        return None
    loudness = ABSOLUTE_GATE_LUFS + _BIN_LU * (np.arange(_BINS) + 0.5)
    power = 10.0 ** ((loudness - OFFSET_LUFS) / 10.0)
    ungated = OFFSET_LUFS + 10.0 * np.log10((histogram * power).sum() / histogram.sum())
    counted = np.where(loudness > ungated + RELATIVE_GATE_LU, histogram, 0)
    return float(OFFSET_LUFS + 10.0 * np.log10((counted * power).sum() / counted.sum()))
