"""Synthesised sounds, measured as the features stage does, and what a detector tells of them."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.events import TrackerState, finish, track
from gpu_qa.features.audio import AudioFeatures
from gpu_qa.features.spectrum import SpectrumFeatures
from gpu_qa.media import AudioSamples, Track
from gpu_qa.series import AudioSeries, SpectrumSeries
from tests.series_builder import joined, weighed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_qa.series import Detector, Event

RATE = 48_000
_NAMES = {1: ("mono",), 2: ("FL", "FR"), 6: ("FL", "FR", "FC", "LFE", "SL", "SR")}


def voice(duration_s: float, *, rate: int = RATE, level_dbfs: float = -23.0, seed: int = 0) -> np.ndarray:
    """Something like speech, float32 [2, N]: a gliding voice in syllables and phrases, hissing sounds, a quiet room."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(duration_s * rate)) / rate
    pitch = 118 + 22 * np.sin(2 * np.pi * 0.43 * t) + 9 * np.sin(2 * np.pi * 1.7 * t + 1)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    sound = np.zeros(len(t))
    for k in range(1, min(40, int(0.4 * rate / 150))):
        formant = 1 / (1 + ((k * 118 - 600 - 300 * np.sin(2 * np.pi * 0.9 * t)) / 500) ** 2)
        sound += (0.3 / k + formant) * np.sin(k * phase + k * k)
    syllables = np.clip(np.sin(2 * np.pi * 1.6 * t) + 0.4 * np.sin(2 * np.pi * 0.9 * t + 2) + 0.3, 0, 1) ** 0.7
    hisses = np.clip(np.sin(2 * np.pi * 0.8 * t + 4) - 0.6, 0, 1)
    noise = np.diff(rng.normal(size=len(t) + 1))
    sound = sound * syllables * np.clip(np.sin(2 * np.pi * 0.17 * t) * 4 + 3, 0, 1) + 2 * noise * hisses
    sound *= 10 ** (level_dbfs / 20) / sound.std()
    room = 10 ** (-68 / 20) * rng.normal(size=(2, len(t)))
    return np.asarray(sound + room, np.float32)


def noise(duration_s: float, *, rate: int = RATE, level_dbfs: float = -23.0, seed: int = 0) -> np.ndarray:
    """White noise, float32 [2, N]: applause, rain."""
    made = np.random.default_rng(seed).normal(size=(2, round(duration_s * rate)))
    return np.asarray(made * 10 ** (level_dbfs / 20), np.float32)


def tone(duration_s: float, frequency: float, *, rate: int = RATE, level_dbfs: float = -23.0) -> np.ndarray:
    """A steady sine, float32 [2, N]."""
    t = np.arange(round(duration_s * rate)) / rate
    made = np.sqrt(2) * 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * frequency * t)
    return np.asarray(np.stack([made, made]), np.float32)


def drums(duration_s: float, *, rate: int = RATE, every_s: float = 0.25, seed: int = 0) -> np.ndarray:
    """A drum machine over digital silence, float32 [2, N]: hits that begin at once and ring for 80 ms."""
    rng = np.random.default_rng(seed)
    sound = np.zeros((2, round(duration_s * rate)), np.float32)
    length = round(0.2 * rate)
    decay = np.exp(-np.arange(length) / (0.02 * rate))
    for at in range(0, sound.shape[1] - length, round(every_s * rate)):
        hit = rng.normal(size=length) + 2 * np.sin(2 * np.pi * 180 * np.arange(length) / rate)
        sound[:, at : at + length] += np.asarray(0.2 * hit * decay, np.float32)
    return sound


def audio_of(sound: np.ndarray, *, rate: int = RATE, start_s: float = 0.0, cuts: Iterable[int] = ()) -> AudioSeries:
    """Its measures as one series; `cuts` are the samples at which the decoder's frames end."""
    features, series = AudioFeatures(1), list[AudioSeries]()
    for samples, at_s in _pieces(sound, rate, start_s, cuts):
        series += features.add(samples, at_s)
    return joined(*series, *features.flush())


def spectra_of(
    sound: np.ndarray, *, rate: int = RATE, start_s: float = 0.0, cuts: Iterable[int] = ()
) -> SpectrumSeries:
    """Its spectra as one series."""
    features, series = SpectrumFeatures(1), list[SpectrumSeries]()
    for samples, at_s in _pieces(sound, rate, start_s, cuts):
        series += features.add(samples, at_s)
    return joined(*series, *features.flush(ended=True))


def _pieces(sound: np.ndarray, rate: int, start_s: float, cuts: Iterable[int]) -> Iterable[tuple[AudioSamples, float]]:
    """The sound as a decoder delivers it, and where each piece begins on the stream's clock."""
    place = Track(1, "audio", "pcm_s16le", Fraction(1, rate))
    channels = _NAMES.get(len(sound), tuple(f"USR{index}" for index in range(len(sound))))
    edges = sorted({0, sound.shape[1], *range(0, sound.shape[1], rate // 4), *cuts})
    for first, last in itertools.pairwise(edges):
        samples = np.ascontiguousarray(sound[:, first:last])
        yield AudioSamples(place, first, Fraction(1, rate), rate, channels, samples), start_s + first / rate


def events(detector: Detector, *series: Any, limits: Any = None) -> list[Event]:
    """The events of a stream, closed."""
    state, told = TrackerState("s"), list[Any]()
    for evidence in weighed(detector, series, limits):
        state, more = track(state, evidence, detector.timing)
        told += more
    state, more = finish(state, float(series[-1].end_s[-1]))
    return [event for event in [*told, *more] if event.state == "closed"]
