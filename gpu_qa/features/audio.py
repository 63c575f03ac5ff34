"""Features of the sound: samples → `AudioSeries`, by the kernel `audio_stats`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.features.speech import SpeechBands
from gpu_qa.loudness import NO_HOPS, channel_weights, sliding_lufs
from gpu_qa.series import AudioSeries
from gpu_qa_kernels.audio_stats import (
    ENERGY_ONE,
    QUANTUM,
    QUARTERS,
    TAPS,
    AudioStats,
    audio_stats,
    forget_samples,
    start_state,
)

if TYPE_CHECKING:
    from gpu_qa.media import AudioSamples

HOPS_PER_S = 100
SERIES_S = 0.8
"""A series is complete at this length: detectors cost about as much for a series as for its hops."""
WHOLE_HOPS = 10
"""Complete series end at multiples of so many hops since their origin: detectors judge cells of 0.1 s, and have nothing
to carry from one series to the next then."""
RESTART_S = 0.04
"""Hops start anew where timestamps and sample count part by more than this: two frames of AAC."""


class AudioFeatures:
    """Measures one track in hops of 10 ms.

    Args:
        track: Index of the track in its container.
        speech: Whether the bands that speech moves in are wanted.
    """

    def __init__(self, track: int, *, speech: bool = False) -> None:
        self._track = track
        self._speech = SpeechBands() if speech else None
        self._channels: tuple[str, ...] = ()
        self._rate = 0
        self._coefficients = np.zeros((2, 5))
        self._taps = np.zeros((0, TAPS), np.float32)
        self._state = start_state(0)
        self._loudness = NO_HOPS
        self._pending: list[np.ndarray] = []
        self._pending_samples = 0
        self._origin_s = 0.0
        self._hop = 0
        """Hops since `_origin_s`."""

    def add(self, sound: AudioSamples, start_s: float) -> list[AudioSeries]:
        """Measure a run of samples.

        Args:
            sound: Decoded samples of this track.
            start_s: Their start on the stream's clock, in seconds.

        Returns:
            The series that this completed: by length, or by a gap or a new format before these samples.
        """
        done: list[AudioSeries] = []
        if sound.sample_rate != self._rate or sound.channels != self._channels:
            done += self.flush()
            self._begin(sound, start_s)
        elif abs(start_s - self._until_s) > RESTART_S:
            done += self.flush()
            self.restart(start_s)
        self._pending.append(sound.samples)
        self._pending_samples += sound.samples.shape[1]
        if self._pending_samples >= SERIES_S * self._rate:
            done += self._measured(self._complete_hops() // WHOLE_HOPS * WHOLE_HOPS)
        return done

    def flush(self) -> list[AudioSeries]:
        """The series of the complete hops since the last one: one or none."""
        return self._measured(self._complete_hops())

    def _complete_hops(self) -> int:
        """Hops since `_origin_s` for which all samples are there."""
        return (self._edge(self._hop) + self._pending_samples) * HOPS_PER_S // self._rate if self._rate else 0

    def _measured(self, until_hop: int) -> list[AudioSeries]:
        """The series of the hops before `until_hop`, counted from `_origin_s`: one or none."""
        hops, first = until_hop - self._hop, self._edge(self._hop)
        if hops <= 0:
            return []
        numbers = self._hop + np.arange(hops + 1, dtype=np.int64)
        edges = -(-numbers * self._rate // HOPS_PER_S) - first
        samples = self._pending[0] if len(self._pending) == 1 else np.concatenate(self._pending, axis=1)
        stats, self._state = audio_stats(samples, edges, self._coefficients, self._taps, self._state)
        self._hop += hops
        rest = samples[:, edges[-1] :]
        self._pending, self._pending_samples = ([rest.copy()] if rest.size else []), rest.shape[1]
        times_s = self._origin_s + numbers / HOPS_PER_S
        series = self._series(stats, edges, times_s)
        if self._speech is not None:
            series = replace(series, speech=self._speech.add(samples, edges, self._rate))
        return [series]

    def _series(self, stats: AudioStats, edges: np.ndarray, times_s: np.ndarray) -> AudioSeries:
        length = (edges[1:] - edges[:-1])[:, None]
        parts = length * np.arange(QUARTERS + 1) // QUARTERS
        energy_of_all = length * float(ENERGY_ONE)
        # Where hops have fewer samples than quarters (below 400 Hz), a quarter without any has no power.
        energy_of_quarter = np.maximum(parts[:, 1:] - parts[:, :-1], 1)[:, :, None] * float(ENERGY_ONE)
        k_power = (stats.k_energy / length).astype(np.float32)
        weights = channel_weights(self._channels)
        momentary, short_term, self._loudness = sliding_lufs(k_power, weights, self._loudness)
        return AudioSeries(
            track=self._track,
            channels=self._channels,
            sample_rate=self._rate,
            pts_s=times_s[:-1],
            end_s=times_s[1:],
            peak=stats.peak,
            power=(stats.energy / energy_of_all).astype(np.float32),
            k_power=k_power,
            zero_run=stats.zero_run,
            clipped=stats.clipped,
            mean=(stats.total / (length * QUANTUM)).astype(np.float32),
            cross=(stats.cross / energy_of_all).astype(np.float32),
            same_run=stats.same_run,
            true_peak=stats.true_peak,
            fine_power=(stats.quarter_energy / energy_of_quarter).astype(np.float32),
            bend_peak=(stats.bend_peak / QUANTUM).astype(np.float32),
            bend_power=(stats.bend_energy / energy_of_all).astype(np.float32),
            levels=stats.levels,
            momentary_lufs=momentary,
            short_term_lufs=short_term,
        )

    @property
    def _until_s(self) -> float:
        return self._origin_s + (self._edge(self._hop) + self._pending_samples) / self._rate

    def _edge(self, hop: int) -> int:
        """First sample of a hop, counted from `_origin_s`; hops of rates like 11 025 Hz differ by one sample."""
        return -(-hop * self._rate // HOPS_PER_S)

    def _begin(self, sound: AudioSamples, start_s: float) -> None:
        self._rate, self._channels = sound.sample_rate, sound.channels
        self._coefficients = k_weighting(sound.sample_rate)
        self._taps = true_peak_taps(sound.sample_rate)
        self._state = start_state(len(sound.channels))
        self.restart(start_s)

    def restart(self, start_s: float) -> None:
        """Count hops from here; what does not fill a hop before a gap is left out."""
        self._pending, self._pending_samples = [], 0
        self._origin_s, self._hop = start_s, 0
        self._loudness = NO_HOPS
        if self._speech is not None:
            self._speech.forget()
        forget_samples(self._state)


def k_weighting(sample_rate: int) -> np.ndarray:
    """Coefficients of ITU-R BS.1770-5's K-weighting at any rate, float64 [2, 5]: b0, b1, b2, a1, a2 of each biquad.

    The standard gives them at 48 kHz; the analogue prototypes behind these are from B. De Man, "Evaluation of
    implementations of the EBU R128 loudness measurement", AES Convention 145 (2018).
    """
    k = math.tan(math.pi * 1681.974450955533 / sample_rate)
    q, high = 0.7071752369554196, 10.0 ** (3.999843853973347 / 20.0)
    band = high**0.4996667741545416
    a0 = 1.0 + k / q + k * k
    shelf = (
        (high + band * k / q + k * k) / a0,
        2.0 * (k * k - high) / a0,
        (high - band * k / q + k * k) / a0,
        2.0 * (k * k - 1.0) / a0,
        (1.0 - k / q + k * k) / a0,
    )
    k = math.tan(math.pi * 38.13547087602444 / sample_rate)
    q = 0.5003270373238773
    a0 = 1.0 + k / q + k * k
    high_pass = (1.0, -2.0, 1.0, 2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0)
    return np.array([shelf, high_pass])


# ITU-R BS.1770-5, Annex 2: the first two phases of the order 48, 4-phase FIR interpolating filter; the others mirror
# them. Phase k delays by (47 − 2k) / 8 samples.
# fmt: off
_PHASES = (
    (0.0017089843750, 0.0109863281250, -0.0196533203125, 0.0332031250000, -0.0594482421875, 0.1373291015625,
     0.9721679687500, -0.1022949218750, 0.0476074218750, -0.0266113281250, 0.0148925781250, -0.0083007812500),
    (-0.0291748046875, 0.0292968750000, -0.0517578125000, 0.0891113281250, -0.1665039062500, 0.4650878906250,
     0.7797851562500, -0.2003173828125, 0.1015625000000, -0.0582275390625, 0.0330810546875, -0.0189208984375),
)
# fmt: on


def true_peak_taps(sample_rate: int) -> np.ndarray:
    """The interpolation filter that true peaks are found with at this rate, float32 [P, 12].

    ITU-R BS.1770-5, Annex 2 asks for at least 192 kHz: four values for each sample at 48 kHz and other rates below
    96 kHz, two of them, half a sample apart, from 96 kHz on, and none but the sample itself from 192 kHz on.
    """
    early, middle = _PHASES
    phases = (early, middle, middle[::-1], early[::-1])
    wanted = phases if sample_rate < 96_000 else phases[::2] if sample_rate < 192_000 else ()
    return np.array(wanted, np.float32).reshape(-1, TAPS)
