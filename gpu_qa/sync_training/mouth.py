"""How a mouth moves while phonemes are said: opening and width over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gpu_qa.sync_training.speech import Speech

STEPS_PER_S = 200
_SHAPES = {
    "p": (0.0, 0.5), "b": (0.0, 0.5), "m": (0.0, 0.5), "f": (0.08, 0.6), "v": (0.08, 0.6), "B": (0.05, 0.5),
    "w": (0.15, 0.05), "u": (0.25, 0.05), "U": (0.3, 0.15), "y": (0.25, 0.1), "o": (0.45, 0.15), "O": (0.6, 0.25),
    "a": (0.95, 0.6), "A": (1.0, 0.5), "&": (0.85, 0.7), "V": (0.7, 0.5), "Q": (0.8, 0.35), "0": (0.7, 0.35),
    "e": (0.55, 0.75), "E": (0.65, 0.7), "3": (0.45, 0.4), "@": (0.35, 0.5), "8": (0.4, 0.3), "i": (0.3, 0.95),
    "I": (0.35, 0.8), "S": (0.25, 0.2), "Z": (0.25, 0.2), "C": (0.25, 0.5), "s": (0.18, 0.7), "z": (0.18, 0.7),
    "t": (0.22, 0.6), "d": (0.22, 0.6), "n": (0.25, 0.6), "l": (0.32, 0.6), "r": (0.28, 0.3), "R": (0.35, 0.45),
    "k": (0.32, 0.55), "g": (0.32, 0.55), "N": (0.32, 0.55), "x": (0.35, 0.5), "h": (0.45, 0.5), "T": (0.2, 0.6),
    "D": (0.2, 0.6), "j": (0.25, 0.8), "_": (0.02, 0.5),
}  # fmt: skip
"""Opening and width, 0…1, by the first letter of espeak-ng's spelling: after the groups of lip shapes that B. E. Walden
and others found to look alike ("Effects of training on the visual recognition of consonants", JSHR 20, 1977)."""
_OTHER = (0.35, 0.5)


def mouth_track(
    speech: Speech, rng: np.random.Generator, *, lead_s: float, smooth_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Opening and width at 200 steps a second over a speech, float64 [n] each, 0…1.

    Args:
        speech: What is said.
        rng: Of the speaker: how far each phoneme is carried out.
        lead_s: How long lips begin before the sound.
        smooth_s: Standard deviation of the time over which shapes blend.
    """
    length = int(len(speech.samples) / speech.rate * STEPS_PER_S) + 1
    shapes = np.tile(np.array(_SHAPES["_"]), (length, 1))
    ends_s = np.append(speech.starts_s[1:], length / STEPS_PER_S)
    for name, start_s, end_s in zip(speech.phonemes, speech.starts_s, ends_s, strict=True):
        opening, width = _SHAPES.get(name[:1], _OTHER)
        carried = rng.uniform(0.7, 1.1)
        first, last = int((start_s - lead_s) * STEPS_PER_S), int((end_s - lead_s) * STEPS_PER_S)
        shapes[max(first, 0) : max(last, 0)] = (opening * carried, 0.5 + (width - 0.5) * carried)
    reach = max(int(3 * smooth_s * STEPS_PER_S), 1)
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (smooth_s * STEPS_PER_S)) ** 2)
    window /= window.sum()
    lips = [np.convolve(np.pad(shapes[:, part], reach, mode="edge"), window, mode="valid") for part in range(2)]
    return lips[0], lips[1]
