"""Windows of takes as the net is trained on them: moved, mixed and spoilt at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.sync.measures import net_picture
from gpu_qa_kernels.speech_bands import BANDS
from gpu_qa_kernels.sync_net import AUDIO_MARGIN, CHANNELS, RATIO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.sync_training.take import Take

MAX_LAG_ROWS = 98
"""Sound is moved by up to 0.98 s."""
LENGTHS = (30, 73)
"""Pictures of a window: from the first to below the second."""
_MIRROR = np.where(np.arange(CHANNELS) == 3, -1, 1).astype(np.float32)
"""Flow across changes its sign in a mirror."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of one length."""

    picture: np.ndarray
    """float32 [B, T, 24, 42, 7]."""
    sound: np.ndarray
    """float32 [B, 4 T + 320, 12]."""
    lag_s: np.ndarray
    """float32 [B]: by how much the sound was advanced."""


def random_batch(takes: Sequence[Take], rng: np.random.Generator, size: int) -> Batch:
    """Windows of takes drawn at random, in proportion to nothing: a short take counts as much as a long one."""
    length = int(rng.integers(*LENGTHS))
    able = [take for take in takes if len(take.motion) >= length]
    pictures, sounds, lags = [], [], []
    for _ in range(size):
        take = able[int(rng.integers(len(able)))]
        first, lag = (
            int(rng.integers(len(take.motion) - length + 1)),
            int(rng.integers(-MAX_LAG_ROWS, MAX_LAG_ROWS + 1)),
        )
        pictures.append(_seen(rng, take, first, length, able))
        sounds.append(_heard(rng, take, first, length, lag, takes))
        lags.append(lag / 100)
    return Batch(np.stack(pictures), np.stack(sounds), np.array(lags, np.float32))


def _seen(rng: np.random.Generator, take: Take, first: int, length: int, takes: Sequence[Take]) -> np.ndarray:
    x = net_picture(take.motion[first : first + length].astype(np.float32))
    x = x * np.exp(rng.uniform(-0.9, 0.3, CHANNELS)).astype(np.float32)
    if rng.random() < 0.7:
        x = x + rng.normal(0, rng.uniform(0, 0.2), x.shape).astype(np.float32)
    if rng.random() < 0.3:
        # Beside it something else goes on.
        other = takes[int(rng.integers(len(takes)))]
        at = int(rng.integers(len(other.motion) - length + 1))
        y = net_picture(other.motion[at : at + length].astype(np.float32))
        column = int(rng.integers(8, 34))
        left, right = (x, y) if rng.random() < 0.5 else (y, x)
        x = np.concatenate([left[:, :, :column], right[:, :, column:]], 2)
    if rng.random() < 0.5:
        x = x[:, :, ::-1] * _MIRROR
    return np.ascontiguousarray(x, np.float32)


def _heard(
    rng: np.random.Generator, take: Take, first: int, length: int, lag: int, takes: Sequence[Take]
) -> np.ndarray:
    count = RATIO * length + 2 * AUDIO_MARGIN
    begin = take.first_row + RATIO * first + lag - AUDIO_MARGIN
    rows = _cut(take.rows, begin, count)
    missing = ~np.isfinite(rows[:, 0])
    rows[missing] = _other(rng, takes, count)[missing]
    if rng.random() < 0.6:
        below = rng.uniform(0.7, 2.5)
        rows = np.log10(10**rows + 10 ** (_other(rng, takes, count) - below))
    tilt = np.linspace(-1, 1, BANDS) * rng.normal(0, 0.4) + rng.normal(0, 0.1, BANDS)
    rows = np.log10(10 ** (rows + rng.normal(0, 0.3) + tilt) + 10 ** rng.uniform(-9, -6))
    if rng.random() < 0.3:
        rows = rows + rng.normal(0, 0.1, rows.shape)
    return np.asarray(rows, np.float32)


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
