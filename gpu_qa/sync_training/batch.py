"""Windows of takes as the net is trained on them: moved, mixed and spoilt at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.sync.measures import net_picture
from gpu_qa.sync_training.variation import varied_picture, varied_sound
from gpu_qa_kernels.speech_bands import BANDS
from gpu_qa_kernels.sync_net import AUDIO_MARGIN, RATIO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.sync_training.take import Take

MAX_LAG_ROWS = 98
"""Sound is moved by up to 0.98 s."""
LENGTHS = (30, 76)
"""Pictures of a window: from the first to below the second."""
WRONG = 0.1
"""Share of windows with sound of something else, or reversed."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of one length."""

    picture: np.ndarray
    """float32 [B, T, 24, 42, 7]."""
    sound: np.ndarray
    """float32 [B, 4 T + 320, 12]."""
    lag_s: np.ndarray
    """float32 [B]: by how much the sound was advanced."""
    fits: np.ndarray
    """bool [B]: whether the sound is that of the picture."""


def random_batch(takes: Sequence[Take], rng: np.random.Generator, size: int) -> Batch:
    """Windows of takes drawn at random, in proportion to nothing: a short take counts as much as a long one."""
    length = int(rng.integers(*LENGTHS))
    able = [take for take in takes if len(take.motion) >= length]
    pictures, sounds, lags, fits = [], [], [], []
    for _ in range(size):
        take = able[int(rng.integers(len(able)))]
        first, lag = (
            int(rng.integers(len(take.motion) - length + 1)),
            int(rng.integers(-MAX_LAG_ROWS, MAX_LAG_ROWS + 1)),
        )
        is_right = rng.random() >= WRONG
        pictures.append(_seen(rng, take, first, length, able))
        sounds.append(_heard(rng, take, first, length, lag, takes, is_right=is_right))
        lags.append(lag / 100)
        fits.append(is_right)
    return Batch(np.stack(pictures), np.stack(sounds), np.array(lags, np.float32), np.array(fits))


def _seen(rng: np.random.Generator, take: Take, first: int, length: int, takes: Sequence[Take]) -> np.ndarray:
    x = _measures(take, first, length)
    if rng.random() < 0.3:
        # Beside it something else goes on.
        other = takes[int(rng.integers(len(takes)))]
        y = _measures(other, int(rng.integers(len(other.motion) - length + 1)), length)
        column = int(rng.integers(8, 34))
        left, right = (x, y) if rng.random() < 0.5 else (y, x)
        x = np.concatenate([left[..., :column], right[..., column:]], -1)
    return np.ascontiguousarray(np.moveaxis(varied_picture(rng, x), 1, -1), np.float32)


def _measures(take: Take, first: int, length: int) -> np.ndarray:
    """As the net takes them, but for the order of the axes: float32 [T, 7, 24, 42]."""
    return np.moveaxis(net_picture(take.motion[first : first + length].astype(np.float32)), -1, 1)


def _heard(
    rng: np.random.Generator,
    take: Take,
    first: int,
    length: int,
    lag: int,
    takes: Sequence[Take],
    *,
    is_right: bool,
) -> np.ndarray:
    count = RATIO * length + 2 * AUDIO_MARGIN
    begin = take.first_row + RATIO * first + lag - AUDIO_MARGIN
    rows = _cut(take.rows, begin, count)
    missing = ~np.isfinite(rows[:, 0])
    rows[missing] = _other(rng, takes, count)[missing]
    if not is_right:
        rows = rows[::-1] if rng.random() < 0.5 else _other(rng, takes, count)
    return varied_sound(rng, rows, _other(rng, takes, count))


def _cut(rows: np.ndarray, begin: int, count: int) -> np.ndarray:
    """Rows from `begin` on, float64; NaN beyond the ends."""
    out = np.full((count, BANDS), np.nan)
    low, high = max(begin, 0), min(begin + count, len(rows))
    if low < high:
        out[low - begin : high - begin] = rows[low:high]
    return out


def _other(rng: np.random.Generator, takes: Sequence[Take], count: int) -> np.ndarray:
    """So many rows of any take, over and over where it is short, float64."""
    rows = takes[int(rng.integers(len(takes)))].rows
    rows = rows[np.isfinite(rows[:, 0])]
    if not len(rows):
        return np.full((count, BANDS), -9.0)
    return np.take(rows, int(rng.integers(len(rows))) + np.arange(count), axis=0, mode="wrap").astype(np.float64)
