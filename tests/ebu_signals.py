"""The test signals of EBU Tech 3341 (v4.0, 2023) and 3342 that can be synthesised, and how any sound is measured.

Cases 7 and 8 of Tech 3341, which are 5 and 6 of Tech 3342, are recordings of programmes.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.features.audio import AudioFeatures
from gpu_qa.media import AudioSamples, Track
from gpu_qa.sinks.loudness import LoudnessRecorder

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries

RATE = 48_000
STEREO = ("FL", "FR")
_TRACK = Track(index=1, kind="audio", codec="pcm_f32le", time_base=Fraction(1, RATE))


def measured(samples: np.ndarray, channels: tuple[str, ...] = STEREO, rate: int = RATE) -> list[AudioSeries]:
    """Samples float [C, N] as the features stage measures them; one channel given is that of all."""
    sound = np.ascontiguousarray(np.broadcast_to(samples, (len(channels), samples.shape[-1])), np.float32)
    features = AudioFeatures(1)
    series: list[AudioSeries] = []
    for first in range(0, sound.shape[1], rate):
        part = AudioSamples(_TRACK, first, Fraction(1, rate), rate, channels, sound[:, first : first + rate])
        series += features.add(part, first / rate)
    return series + features.flush()


def recorded(samples: np.ndarray, channels: tuple[str, ...] = STEREO, rate: int = RATE) -> dict[str, Any]:
    """What a report's measurements say of the samples."""
    recorder = LoudnessRecorder()
    for series in measured(samples, channels, rate):
        recorder.add(series)
    return recorder.measurements()


def tones(*steps: tuple[float, float], frequency_hz: float = 1000.0) -> np.ndarray:
    """A sine wave whose phase goes on while its level changes, float64 [N].

    Args:
        steps: Level of the peaks in dBFS (−inf is silence) and length in seconds, one after the other.
        frequency_hz: Of the sine.
    """
    gain = np.concatenate([np.full(round(seconds * RATE), 10.0 ** (dbfs / 20.0)) for dbfs, seconds in steps])
    return np.asarray(gain * np.sin(2 * np.pi * frequency_hz * np.arange(len(gain)) / RATE))


def peak_tone(divisor: int, amplitude: float, phase_degrees: float, seconds: float = 1.0) -> np.ndarray:
    """Cases 15 to 19: a sine of the sample rate over `divisor`, faded in and out over 10 ms, float64 [N]."""
    count = round(seconds * RATE)
    fade = np.minimum(1.0, np.minimum(np.arange(count) + 1, count - np.arange(count)) / (0.01 * RATE))
    return np.asarray(fade * amplitude * np.sin(2 * np.pi * np.arange(count) / divisor + np.radians(phase_degrees)))


def peak_burst(offset: int) -> np.ndarray:
    """Cases 20 to 23: a sine of rate / 6 and 0.5 of full scale that holds one period of rate / 4 at full scale.

    Made at four times the rate, continuous in phase, low-passed and reduced to the rate from sample `offset` on.
    """
    periods = 400
    tone = np.sin(2 * np.pi * np.arange(24 * periods) / 24)
    line = np.concatenate((0.5 * tone, np.sin(2 * np.pi * np.arange(16) / 16), 0.5 * tone))
    ramp = 24 * 20
    fade = np.minimum(1.0, np.minimum(np.arange(len(line)), len(line) - 1 - np.arange(len(line))) / ramp)
    at = np.arange(-256, 257)
    low_pass = 0.25 * np.sinc(at * 0.25) * np.blackman(len(at))
    return np.asarray(np.convolve(line * fade, low_pass / low_pass.sum(), mode="same")[offset::4])
