"""Repeats: what was seen and heard once already, which says nothing new of the A/V offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa_kernels.speech_bands import BANDS
from gpu_qa_kernels.sync_net import FRAMES_PER_S, RATIO

if TYPE_CHECKING:
    from gpu_qa.sync.shots import Window

HISTORY = 60 * FRAMES_PER_S
"""Steps of material that are remembered: a loop of up to a minute is known for one."""
ALIKE = 0.85
"""Least correlation of picture and of sound with what came before (docs/detectors/av_offset.md). Ours."""
_PART = 37
"""Steps, about, that are compared at a time: a window may begin anywhere in a loop, and hold its end and its start."""
_ROWS, _COLUMNS = 2, 3
"""The picture's change is compared in so many cells."""
_LEAST_DEVIATION = 0.02
"""Of a curve, in its own unit: less is no course that could come again."""


@dataclass(frozen=True, slots=True)
class Known:
    """The course of the latest windows, one after the other on the grid of 25 Hz."""

    picture: np.ndarray
    """float32 [n, 6]: change of the picture in 2 × 3 cells, as packed."""
    sound: np.ndarray
    """float32 [n, 12]: bands, decades."""


NOTHING = Known(np.zeros((0, _ROWS * _COLUMNS), np.float32), np.zeros((0, BANDS), np.float32))
"""Where nothing has come yet."""


def is_repeat(window: Window, rows: np.ndarray, known: Known) -> tuple[bool, Known]:
    """Whether half of a window, or more, was seen and heard before; and what is known with it.

    Picture and sound must be alike at the same distance: sound that has moved against the picture since is new.

    Args:
        window: It.
        rows: float32 [4 T, 12]: its own rows of sound.
        known: From the window before; `NOTHING` at first.
    """
    count = len(window)
    change = window.motion[:, 0]
    cells = change.reshape(count, _ROWS, change.shape[1] // _ROWS, _COLUMNS, change.shape[2] // _COLUMNS)
    picture = cells.mean((2, 4), dtype=np.float32).reshape(count, -1)
    sound = rows.reshape(count, RATIO, BANDS).mean(1, dtype=np.float32)
    parts = max(1, count // _PART)
    length = count // parts
    found = 0
    if len(known.sound) >= length:
        sounds, pictures = _norm(known.sound, length), None
        for first in range(0, parts * length, length):
            part = slice(first, first + length)
            near = np.flatnonzero(_alike(known.sound, sounds, sound[part]))
            if len(near):
                # Little sounds as it did before: mostly this is not come to.
                pictures = _norm(known.picture, length) if pictures is None else pictures
                found += bool(_alike(known.picture, pictures, picture[part])[near].any())
    after = Known(*(np.concatenate(pair)[-HISTORY:] for pair in ((known.picture, picture), (known.sound, sound))))
    return 2 * found >= parts, after


def _norm(course: np.ndarray, length: int) -> np.ndarray:
    """How far every stretch of a course is from its means, root of the sum of squares: float32 [n + 1 − length]."""
    total = np.zeros((len(course) + 1, course.shape[1]))
    np.cumsum(course, 0, out=total[1:])
    squares = np.zeros(len(course) + 1)
    np.cumsum(np.einsum("nc,nc->n", course, course, dtype=np.float64), out=squares[1:])
    mean = total[length:] - total[:-length]
    spread = squares[length:] - squares[:-length] - np.einsum("nc,nc->n", mean, mean) / length
    return np.asarray(np.sqrt(np.maximum(spread, 0.0)), np.float32)


def _alike(course: np.ndarray, norm: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Which stretches of a course are like a part: bool [n + 1 − length]."""
    length = len(part)
    centred = part - part.mean(0)
    least = _LEAST_DEVIATION * np.sqrt(centred.size)
    size = float(np.linalg.norm(centred))
    if size < least:
        return np.zeros(len(norm), bool)
    products = course @ centred.T
    step = products.strides[0]
    along = np.lib.stride_tricks.as_strided(products, (len(norm), length), (step, step + products.itemsize)).sum(1)
    return np.asarray((along >= ALIKE * size * norm) & (norm > least), bool)
