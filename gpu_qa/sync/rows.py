"""Sound on a fixed grid of 100 Hz: what the content way listens to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.sync.measures import ROWS_PER_S
from gpu_qa_kernels.speech_bands import BANDS, WINDOW_S

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries

_LONGEST_GAP = 5 * ROWS_PER_S
"""Rows without sound that are kept as such; after a longer gap, what was before is forgotten."""


@dataclass(frozen=True, slots=True)
class RowCarry:
    """The rows that may still be asked for."""

    first: int = 0
    """Row of the grid, on the stream's clock: `first` / 100 s is the first one's middle."""
    rows: np.ndarray | None = None
    """float32 [n, 12]; NaN where there is no sound."""
    last: tuple[float, np.ndarray] | None = None
    """Time and bands of the last hop."""

    @property
    def until(self) -> int:
        """The row after the last one."""
        return self.first + (0 if self.rows is None else len(self.rows))


def add_rows(series: AudioSeries, carry: RowCarry) -> RowCarry:
    """Append the hops of a series, interpolated to the grid."""
    if series.speech is None or not len(series):
        return carry
    times_s, bands = series.end_s - WINDOW_S / 2, series.speech
    if carry.last is not None and times_s[0] - carry.last[0] < 1.5 / ROWS_PER_S and times_s[0] > carry.last[0]:
        times_s, bands = np.append(carry.last[0], times_s), np.concatenate([carry.last[1][None], bands])
    first, until = int(np.ceil(times_s[0] * ROWS_PER_S - 1e-6)), int(np.floor(times_s[-1] * ROWS_PER_S + 1e-6)) + 1
    if carry.rows is not None:
        first = max(first, carry.until)
    last = (float(times_s[-1]), bands[-1])
    if until <= first:
        return RowCarry(carry.first, carry.rows, last)
    at_s = np.arange(first, until) / ROWS_PER_S
    at = np.clip(np.searchsorted(times_s, at_s), 1, max(len(times_s) - 1, 1))
    if len(times_s) == 1:
        fresh = bands[np.zeros(until - first, int)]
    else:
        share = np.clip((at_s - times_s[at - 1]) / (times_s[at] - times_s[at - 1]), 0, 1).astype(np.float32)[:, None]
        fresh = bands[at - 1] * (1 - share) + bands[at] * share
    if carry.rows is None or first - carry.until > _LONGEST_GAP:
        return RowCarry(first, fresh, last)
    missing = np.full((first - carry.until, BANDS), np.nan, np.float32)
    return RowCarry(carry.first, np.concatenate([carry.rows, missing, fresh]), last)


def forget_rows(carry: RowCarry, before: int) -> RowCarry:
    """Drop the rows before this one."""
    if carry.rows is None or before <= carry.first:
        return carry
    return RowCarry(min(before, carry.until), carry.rows[before - carry.first :].copy(), carry.last)


def rows_between(carry: RowCarry, first: int, until: int) -> np.ndarray:
    """float32 [until − first, 12]; NaN where there is none."""
    out = np.full((until - first, BANDS), np.nan, np.float32)
    if carry.rows is not None:
        low, high = max(first, carry.first), min(until, carry.until)
        if low < high:
            out[low - first : high - first] = carry.rows[low - carry.first : high - carry.first]
    return out
