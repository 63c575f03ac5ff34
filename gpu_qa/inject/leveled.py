"""Sound faults of level and of channels: silence, a lost or inverted channel, one sound in both, offset, loudness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gpu_qa.inject.fault import Planting
    from gpu_qa.inject.sound import SoundForm, SoundLevel

DIGITAL_ZERO_DBFS = -120.0
"""At or below it nothing is left, not even noise."""
_LIMIT = 0.89
"""Peaks that a gain would lift above this are held there: −1 dBFS."""
_PIECE_S = 0.005


class Silence:
    """Nothing is heard but noise of a level, if any."""

    def __init__(self, planting: Planting, form: SoundForm, level: SoundLevel) -> None:
        quiet = planting.strength <= DIGITAL_ZERO_DBFS
        self._deviation = np.float32(0.0 if quiet else 10 ** (planting.strength / 20))
        self._rng = planting.rng()

    def take(self, samples: np.ndarray, first: int, inside: bool) -> np.ndarray:
        """See `SoundFault`."""
        if not inside:
            return samples
        return noise(self._rng, samples.shape) * self._deviation


class ChannelLoss:
    """One channel is turned down, or gone."""

    def __init__(self, planting: Planting, form: SoundForm, level: SoundLevel) -> None:
        self._channel = round(planting.number("channel"))
        gone = planting.strength >= -DIGITAL_ZERO_DBFS
        self._gain = np.float32(0.0 if gone else 10 ** (-planting.strength / 20))

    def take(self, samples: np.ndarray, first: int, inside: bool) -> np.ndarray:
        """See `SoundFault`."""
        if inside:
            samples = samples.copy()
            samples[self._channel] *= self._gain
        return samples


class PhaseInversion:
    """The second channel is turned over, or is the first one turned over."""

    def __init__(self, planting: Planting, form: SoundForm, level: SoundLevel) -> None:
        self._source = 0 if planting.word("source") == "left" else 1

    def take(self, samples: np.ndarray, first: int, inside: bool) -> np.ndarray:
        """See `SoundFault`."""
        if inside:
            samples = samples.copy()
            samples[1] = -samples[self._source]
        return samples


class DualMono:
    """The first channel is heard from the second one too."""

    def __init__(self, planting: Planting, form: SoundForm, level: SoundLevel) -> None:
        pass

    def take(self, samples: np.ndarray, first: int, inside: bool) -> np.ndarray:
        """See `SoundFault`."""
        if inside:
            samples = samples.copy()
            samples[1] = samples[0]
        return samples


class Offset:
    """A constant is added to all samples."""

    def __init__(self, planting: Planting, form: SoundForm, level: SoundLevel) -> None:
        self._offset = np.float32(planting.strength)

    def take(self, samples: np.ndarray, first: int, inside: bool) -> np.ndarray:
        """See `SoundFault`."""
        return np.asarray(np.clip(samples + self._offset, -1, 1)) if inside else samples


class Loudness:
    """Louder or softer. Peaks are held below full scale, as a limiter would, so that only the loudness is wrong."""

    def __init__(self, planting: Planting, form: SoundForm, level: SoundLevel) -> None:
        self._gain = 10 ** (planting.strength / 20)
        self._piece = max(1, round(_PIECE_S * form.sample_rate))
        self._last = self._gain

    def take(self, samples: np.ndarray, first: int, inside: bool) -> np.ndarray:
        """See `SoundFault`."""
        if not inside or not samples.size:
            self._last = self._gain
            return samples
        count = samples.shape[1]
        starts = np.arange(0, count, self._piece)
        peaks = np.maximum.reduceat(np.abs(samples).max(axis=0), starts)
        gains = np.minimum(self._gain, _LIMIT / np.maximum(peaks, 1e-9))
        # At a border the smaller of both sides' gains holds; between borders it moves in a straight line.
        borders = np.minimum(gains, np.append(gains[1:], gains[-1]))
        at = np.append(starts[1:], count)
        ramp = np.interp(np.arange(count), np.concatenate([[0], at]), np.concatenate([[self._last], borders]))
        self._last = float(borders[-1])
        return np.asarray(np.clip(samples * ramp, -_LIMIT, _LIMIT), np.float32)


class TruePeak:
    """Bursts of a tone at a quarter of the sample rate, whose samples lie 3 dB below the peaks between them."""

    _EVERY_S = 0.5
    _BURST_S = 0.02

    def __init__(self, planting: Planting, form: SoundForm, level: SoundLevel) -> None:
        # Sampled at 45°, 135° and so on: each sample is the peak over √2.
        self._sample = 10 ** (planting.strength / 20) / np.sqrt(2)
        self._every = round(self._EVERY_S * form.sample_rate)
        self._burst = round(self._BURST_S * form.sample_rate)
        self._start: int | None = None

    def take(self, samples: np.ndarray, first: int, inside: bool) -> np.ndarray:
        """See `SoundFault`."""
        if not inside:
            return samples
        self._start = first if self._start is None else self._start
        index = np.arange(first, first + samples.shape[1]) - self._start
        within = index % self._every
        # Begins and ends softly, so that it does not click; what the programme plays meanwhile is faded out.
        weight = np.interp(within, [0, self._burst // 4, self._burst * 3 // 4, self._burst], [0, 1, 1, 0])
        tone = self._sample * np.where((index // 2) % 2, -1.0, 1.0)
        return np.asarray(samples * (1 - weight) + tone * weight, np.float32)


def noise(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """White noise float32 [C, N] of deviation 1; the same however it is cut into blocks."""
    return np.ascontiguousarray(rng.standard_normal(shape[::-1]).T.astype(np.float32))
