"""Sound faults of the signal: clipping, wrapped and coarse samples, holes, clicks, stuck buffers, hum, hiss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.inject.leveled import noise

if TYPE_CHECKING:
    from gpu_qa.inject.fault import Planting
    from gpu_qa.inject.sound import SoundForm, SoundLevel

_HUM_HARMONICS = ((1, 1.0), (2, 0.5), (3, 0.33), (5, 0.2))
"""Harmonic and its amplitude against the fundamental's: rectified and saturated mains."""
_QUIETEST = 1e-4
"""A stretch whose peak is below it is silent and is not amplified further."""


class Clipping:
    """Driven above full scale and cut off there; turned down afterwards where the ceiling is lower."""

    def __init__(self, planting: Planting, form: SoundForm, level: SoundLevel) -> None:
        self._gain = np.float32(10 ** (planting.strength / 20) / max(level.peak, _QUIETEST))
        self._ceiling = np.float32(10 ** (planting.number("ceiling") / 20))

    def take(self, samples: np.ndarray, first: int, inside: bool) -> np.ndarray:
        """See `SoundFault`."""
        return np.clip(samples * self._gain, -1, 1) * self._ceiling if inside else samples


class Wrap:
    """Driven above full scale and wrapped around, as integers do that overflow."""

    def __init__(self, planting: Planting, form: SoundForm, level: SoundLevel) -> None:
        self._gain = np.float32(10 ** (planting.strength / 20) / max(level.peak, _QUIETEST))

    def take(self, samples: np.ndarray, first: int, inside: bool) -> np.ndarray:
        """See `SoundFault`."""
        return np.asarray((samples * self._gain + 1) % 2 - 1, np.float32) if inside else samples


class Bits:
    """Only the uppermost bits of each sample are left."""

    def __init__(self, planting: Planting, form: SoundForm, level: SoundLevel) -> None:
        self._steps = np.float32(2 ** (round(planting.strength) - 1))

    def take(self, samples: np.ndarray, first: int, inside: bool) -> np.ndarray:
        """See `SoundFault`."""
        return np.clip(np.rint(samples * self._steps) / self._steps, -1, 1) if inside else samples


class Dropout:
    """Holes several times a second, in all channels or one: lost buffers, replaced by nothing or the buffer before."""

    def __init__(self, planting: Planting, form: SoundForm, level: SoundLevel) -> None:
        self._length = max(1, round(planting.strength / 1000 * form.sample_rate))
        self._rate = form.sample_rate
        self._every = form.sample_rate / planting.number("rate")
        self._repeats = planting.word("fill") == "repeat"
        self._rng = planting.rng()
        channel = round(planting.number("channel"))
        self._channels = slice(None) if channel < 0 else slice(channel, channel + 1)
        self._before = np.zeros((form.channels, self._length), np.float32)
        self._hole: tuple[int, int] | None = None
        self._held = self._before

    def take(self, samples: np.ndarray, first: int, inside: bool) -> np.ndarray:
        """See `SoundFault`."""
        end = first + samples.shape[1]
        result = samples
        if inside:
            result = samples.copy()
            if self._hole is None:
                self._hole = (first, first + self._next_length())
                self._held = self._before
            while self._hole[0] < end:
                start, stop = max(first, self._hole[0]), min(end, self._hole[1])
                if start < stop:
                    if self._hole[0] >= first:
                        self._held = self._tail(samples[:, : self._hole[0] - first])
                    into = np.arange(start, stop) - self._hole[0]
                    lost = self._held[self._channels, into % self._length] if self._repeats else 0.0
                    result[self._channels, start - first : stop - first] = lost
                if self._hole[1] > end:
                    break
                start = self._hole[1] + round(self._every * float(self._rng.uniform(0.6, 1.4)))
                self._hole = (start, start + self._next_length())
        else:
            self._hole = None
        self._before = self._tail(samples)
        return result

    def _next_length(self) -> int:
        return max(1, round(self._length * float(self._rng.uniform(0.6, 1.4))))

    def _tail(self, samples: np.ndarray) -> np.ndarray:
        """The last buffer of all that was played up to the end of these samples."""
        if samples.shape[1] >= self._length:
            return samples[:, -self._length :].copy()
        return np.concatenate([self._before, samples], axis=1)[:, -self._length :]


class Click:
    """Single steps out of the blue: clock slips, bad edits, scratched discs."""

    _DECAY = 0.6
    """Each sample of a click against the one before it."""
    _TAIL = 12

    def __init__(self, planting: Planting, form: SoundForm, level: SoundLevel) -> None:
        self._height = planting.strength
        self._every = form.sample_rate / planting.number("rate")
        self._shape = (-self._DECAY) ** np.arange(self._TAIL)
        self._rng = planting.rng()
        self._next: int | None = None
        self._rest = np.zeros(self._TAIL)
        """What of earlier clicks belongs to the next samples."""

    def take(self, samples: np.ndarray, first: int, inside: bool) -> np.ndarray:
        """See `SoundFault`."""
        if not inside:
            self._next = None
            self._rest[:] = 0
            return samples
        count = samples.shape[1]
        clicks = np.concatenate([self._rest, np.zeros(count)])
        if self._next is None:
            self._next = first
        while self._next < first + count:
            at = self._next - first
            sign = 1.0 if self._rng.random() < 0.5 else -1.0
            clicks[at : at + self._TAIL] += sign * self._height * self._shape
            self._next += max(1, round(self._every * float(self._rng.uniform(0.6, 1.4))))
        self._rest = clicks[count:]
        return np.asarray(np.clip(samples + clicks[:count].astype(np.float32), -1, 1))


class Stuck:
    """A buffer is played again and again; of no length: the last sample of some height stays."""

    _LEAST = 0.25
    """What stays is at least this part of the loudest sample in one channel: near zero it would be silence."""

    def __init__(self, planting: Planting, form: SoundForm, level: SoundLevel) -> None:
        self._length = max(1, round(planting.strength / 1000 * form.sample_rate))
        self._least = self._LEAST * level.peak if self._length == 1 else 0.0
        self._buffer = np.zeros((form.channels, self._length), np.float32)
        self._start: int | None = None

    def take(self, samples: np.ndarray, first: int, inside: bool) -> np.ndarray:
        """See `SoundFault`."""
        if not inside:
            self._start = None
            high = np.abs(samples).max(axis=0, initial=0.0) >= self._least
            self._buffer = np.concatenate([self._buffer, samples[:, high]], axis=1)[:, -self._length :]
            return samples
        if self._start is None:
            self._start = first
        index = np.arange(first, first + samples.shape[1]) - self._start
        return self._buffer[:, index % self._length]


class Hum:
    """Mains hum with harmonics, in all channels."""

    def __init__(self, planting: Planting, form: SoundForm, level: SoundLevel) -> None:
        self._frequency_hz = planting.number("frequency")
        self._rate = form.sample_rate
        power = sum(amplitude**2 for _, amplitude in _HUM_HARMONICS) / 2
        self._gain = 10 ** (planting.strength / 20) / np.sqrt(power)

    def take(self, samples: np.ndarray, first: int, inside: bool) -> np.ndarray:
        """See `SoundFault`."""
        if not inside:
            return samples
        phase = 2 * np.pi * self._frequency_hz * np.arange(first, first + samples.shape[1]) / self._rate
        hum = sum(amplitude * np.sin(harmonic * phase) for harmonic, amplitude in _HUM_HARMONICS)
        return np.asarray(samples + self._gain * hum, np.float32)


class Hiss:
    """White noise in all channels, each its own."""

    def __init__(self, planting: Planting, form: SoundForm, level: SoundLevel) -> None:
        self._deviation = np.float32(10 ** (planting.strength / 20))
        self._rng = planting.rng()

    def take(self, samples: np.ndarray, first: int, inside: bool) -> np.ndarray:
        """See `SoundFault`."""
        return samples + noise(self._rng, samples.shape) * self._deviation if inside else samples
