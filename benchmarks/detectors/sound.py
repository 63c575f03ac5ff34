"""Sound for synthesised clips: speech, music, and a street, each with what detectors could mistake for a fault.

Speech has pauses and breath, music has tones that last and drums that step, the street has noise that swells.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

RATE_HZ = 48_000
Kind = Literal["speech", "music", "street"]
KINDS: tuple[Kind, ...] = ("speech", "music", "street")
_FORMANTS = ((300, 870, 2240), (660, 1720, 2410), (730, 1090, 2440), (270, 2290, 3010), (490, 1350, 1690))
"""Hz, of five vowels (Peterson and Barney 1952, men)."""
_SCALE = (220.0, 246.9, 277.2, 329.6, 370.0, 440.0, 493.9, 554.4)
"""Hz: a pentatonic scale on A."""


def programme(kind: Kind, seconds: float, seed: int) -> np.ndarray:
    """Stereo sound float32 [2, N] with peaks at −6 dBFS."""
    rng = np.random.default_rng(seed)
    count = round(seconds * RATE_HZ)
    made = {"speech": _speech, "music": _music, "street": _street}[kind](count, rng)
    return np.asarray(made * (0.5 / np.abs(made).max()), np.float32)


def _colored(count: int, rng: np.random.Generator, slope: float) -> np.ndarray:
    """Noise whose amplitude falls with frequency to the power of `slope`, deviation 1."""
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / RATE_HZ), 20.0)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(count)) / frequency**slope, count)
    return np.asarray(noise / noise.std())


def _speech(count: int, rng: np.random.Generator) -> np.ndarray:
    """Syllables of voiced pulses through formants, fricatives between them, pauses of up to 0.6 s."""
    voice = np.zeros(count)
    at = 0
    while at < count:
        length = int(rng.uniform(0.12, 0.3) * RATE_HZ)
        t_s = np.arange(length) / RATE_HZ
        pitch = rng.uniform(95, 150) * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(1, 3) * t_s))
        phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
        formants = _FORMANTS[rng.integers(len(_FORMANTS))]
        syllable = np.zeros(length)
        for harmonic in range(1, 30):
            hertz = harmonic * float(pitch.mean())
            gain = sum(1 / (1 + ((hertz - center) / 90) ** 2) / (n + 1) for n, center in enumerate(formants))
            syllable += (gain + 0.02 / harmonic) * np.sin(harmonic * phase)
        if rng.random() < 0.4:
            rush = int(0.07 * RATE_HZ)
            syllable[:rush] += np.diff(rng.standard_normal(rush + 1)) * 0.25
        shape = np.hanning(length) ** 0.5 * rng.uniform(0.5, 1.0)
        end = min(count, at + length)
        voice[at:end] += (syllable * shape)[: end - at]
        at += int(length * 0.85) + int((rng.uniform(0.2, 0.6) if rng.random() < 0.15 else 0.01) * RATE_HZ)
    room = np.stack([_colored(count, rng, 0.8) for _ in range(2)]) * 0.0015 * np.abs(voice).max()
    return np.asarray(np.stack([voice, 0.85 * voice]) + room)


def _music(count: int, rng: np.random.Generator) -> np.ndarray:
    """Chords that decay, panned, over a bass and drums at 110 beats per minute."""
    sound = np.zeros((2, count))
    beat = round(60 / 110 * RATE_HZ)
    for number, at in enumerate(range(0, count, beat)):
        length = min(count - at, 3 * beat)
        t_s = np.arange(length) / RATE_HZ
        for _ in range(3):
            hertz, side = float(rng.choice(_SCALE)), float(rng.uniform(0.2, 0.8))
            fade = np.exp(-2.0 * t_s) * np.minimum(1.0, t_s / 0.01)
            note = sum(np.sin(2 * np.pi * hertz * k * t_s) / k**1.5 for k in (1, 2, 3, 4)) * fade * 0.2
            sound[0, at : at + length] += note * side
            sound[1, at : at + length] += note * (1 - side)
        bass = np.sin(2 * np.pi * (110.0 if number % 4 < 2 else 82.4) * t_s) * np.exp(-3 * t_s) * 0.3
        sound[:, at : at + length] += bass
        hit = min(length, round(0.12 * RATE_HZ))
        drum = rng.standard_normal(hit) * np.exp(-np.arange(hit) / (0.02 * RATE_HZ)) * (0.4 if number % 2 else 0.15)
        sound[:, at : at + hit] += drum
    return sound + 0.0006 * np.stack([_colored(count, rng, 0.5) for _ in range(2)])


def _street(count: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of traffic that swells, a passing engine, steps."""
    t_s = np.arange(count) / RATE_HZ
    swell = 0.5 + 0.4 * np.sin(2 * np.pi * 0.13 * t_s + rng.uniform(0, 6))
    traffic = np.stack([_colored(count, rng, 1.0) for _ in range(2)]) * swell * 0.3
    engine_hz = 75 + 20 * np.sin(2 * np.pi * 0.07 * t_s)
    phase = 2 * np.pi * np.cumsum(engine_hz) / RATE_HZ
    engine = sum(np.sin(k * phase) / k for k in (1, 2, 3, 4)) * np.exp(-(((t_s - t_s[-1] / 2) / 3) ** 2)) * 0.3
    pan = np.clip(t_s / t_s[-1], 0, 1)
    sound = traffic + np.stack([engine * (1 - pan), engine * pan])
    for at in np.arange(0.3, t_s[-1] - 0.3, 0.55):
        first, length = int((at + rng.uniform(0, 0.05)) * RATE_HZ), round(0.06 * RATE_HZ)
        step = _colored(length, rng, 0.6) * np.exp(-np.arange(length) / (0.012 * RATE_HZ)) * 0.5
        sound[:, first : first + length] += step * np.array([[0.8], [1.0]])
    return np.asarray(sound)
