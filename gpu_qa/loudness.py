"""Loudness by ITU-R BS.1770-5 and EBU R 128: sliding windows of K-weighted power, gated means, loudness range.

The features stage makes the windows, sinks and detectors make programme values of them, all with what stands here.
Memory is bounded: programme values come from counts of block loudness.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.units import power_to_db

if TYPE_CHECKING:
    from collections.abc import Sequence

OFFSET_LUFS = -0.691
"""Makes a 997 Hz sine at full scale in one channel −3.01 LUFS (BS.1770-5, Annex 1, equation 2)."""
ABSOLUTE_GATE_LUFS = -70.0
"""Quieter blocks do not count (BS.1770-5, Annex 1; EBU Tech 3342)."""
INTEGRATED_GATE_LU = -10.0
"""Blocks this far below the mean of those above the absolute gate do not count for the programme's loudness (BS.1770-5,
Annex 1)."""
RANGE_GATE_LU = -20.0
"""The same for the loudness range (EBU Tech 3342)."""
_RANGE_LOW, _RANGE_HIGH = 0.10, 0.95
"""Between these shares of the distribution lies the loudness range (EBU Tech 3342)."""

MOMENTARY_HOPS = 40
"""10 ms hops of a block: 400 ms."""
SHORT_TERM_HOPS = 300
"""10 ms hops of the short-term window: 3 s (EBU Tech 3341)."""
STEP_HOPS = 10
"""10 ms hops from one block that counts to the next: 75 % overlap for a programme's loudness (BS.1770-5, Annex 1),
2.9 s for its range (EBU Tech 3342)."""

_BIN_LU = 0.01
BINS = 10_000
"""Counts of block loudness reach from the absolute gate to +30 LUFS. A block counts with the loudness of its bin's
middle, which moves results by 0.005 LU at most."""
_MIDDLE_LUFS = ABSOLUTE_GATE_LUFS + _BIN_LU * (np.arange(BINS) + 0.5)
_MIDDLE_POWER = 10.0 ** ((_MIDDLE_LUFS - OFFSET_LUFS) / 10.0)

DUAL_MONO_LU = 3.01
"""How much louder one channel is when two loudspeakers play it (twice the power)."""

_SURROUND_WEIGHT = 1.41
# libavutil's names. WL, WR: M±060. SDL, SDR: Lsd, Rsd. SSL, SSR: Lss, Rss.
_SIDES = frozenset({"SL", "SR", "WL", "WR", "SDL", "SDR", "SSL", "SSR"})
_BACKS = frozenset({"BL", "BR"})
_LOW_FREQUENCY = frozenset({"LFE", "LFE2"})


@lru_cache(maxsize=64)
def channel_weights(channels: tuple[str, ...]) -> tuple[float, ...]:
    """Weight of each channel's power by its position (BS.1770-5, Annex 3, table 4).

    1.41 at ear's height from 60° to 120° to either side, 1 elsewhere (in front, behind, above, below), 0 for
    low-frequency effects. The surround pair of a 5.1 or 5.1.4 layout is a side pair under either name (`SL SR` or
    `BL BR`, 110°); where a layout has both, as 7.1, the back pair (135°) weighs 1. Channels without a position weigh 1.

    Args:
        channels: Names in order, such as ("FL", "FR").
    """
    sides = _SIDES if _SIDES & set(channels) else _SIDES | _BACKS
    return tuple(0.0 if c in _LOW_FREQUENCY else _SURROUND_WEIGHT if c in sides else 1.0 for c in channels)


NO_HOPS = np.empty(0)
"""What `sliding_lufs` takes along at the start of a run of sound."""


def sliding_lufs(
    k_power: np.ndarray, weights: Sequence[float], before: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Momentary and short-term loudness at the end of every hop.

    Args:
        k_power: float32 [T, C]: mean square of K-weighted 10 ms hops, in order and without a gap.
        weights: Of the channels, see `channel_weights`.
        before: As the call before returned it, `NO_HOPS` at the start of a run. Any cut into calls gives the same bits.

    Returns:
        Loudness over the last 400 ms and over the last 3 s, float32 [T] LUFS: NaN where the run is not that long yet,
        −inf for silence; and what the next call needs.
    """
    power = np.zeros(len(k_power))
    for channel, weight in enumerate(weights):
        # One channel after the other, not a matrix product, whose sums depend on how many rows there are.
        if weight:
            power += weight * k_power[:, channel].astype(np.float64)
    power[~np.isfinite(power)] = 0.0
    line = np.concatenate((before, power))
    tens = _sums(line, 10, 1)
    momentary = _sums(tens, MOMENTARY_HOPS // 10, 10)
    short_term = _sums(_sums(tens, 10, 10), SHORT_TERM_HOPS // 100, 100)
    return (
        _newest_lufs(momentary, MOMENTARY_HOPS, len(power)),
        _newest_lufs(short_term, SHORT_TERM_HOPS, len(power)),
        line[1 - SHORT_TERM_HOPS :],
    )


def _sums(values: np.ndarray, count: int, stride: int) -> np.ndarray:
    """Sums of `count` values, `stride` apart, from each one on that has as many; added in one fixed order."""
    length = max(len(values) - (count - 1) * stride, 0)
    total = values[:length].copy()
    for k in range(1, count):
        total += values[k * stride : k * stride + length]
    return total


def _newest_lufs(sums: np.ndarray, hops: int, count: int) -> np.ndarray:
    """Loudness of the last `count` windows, NaN for those that there are not."""
    found = np.full(count, np.nan, np.float32)
    newest = sums[max(len(sums) - count, 0) :]
    if len(newest):
        found[count - len(newest) :] = OFFSET_LUFS + power_to_db(newest / hops)
    return found


def counted(lufs: np.ndarray, before: int) -> tuple[np.ndarray, int]:
    """Which hops end a block that counts: the first one whose window is full, and every tenth from there.

    Args:
        lufs: float32 [T]: a sliding loudness, NaN where its window is not full.
        before: As the call before returned it, 0 at a stream's start.

    Returns:
        Indices int64 [N] of these hops, and what the next call needs.
    """
    full = ~np.isnan(lufs)
    if full.all():
        first = -before % STEP_HOPS
        return np.arange(first, len(lufs), STEP_HOPS), before + len(lufs)
    number = np.cumsum(full)
    # Hops before a run's first full window do not count, whatever came before them.
    base = np.maximum.accumulate(np.where(full, -before, number))
    in_run = number - base - 1
    last = int(in_run[-1]) + 1 if full[-1] else 0
    return np.flatnonzero(full & (in_run % STEP_HOPS == 0)), last


def no_counts() -> np.ndarray:
    """Counts of block loudness before the first block, int32 [BINS]."""
    return np.zeros(BINS, np.int32)


def add_counts(counts: np.ndarray, lufs: np.ndarray) -> None:
    """Add blocks to `counts`; those at or below the absolute gate are left out.

    Args:
        counts: int32 [BINS], changed in place.
        lufs: float [N]: loudness of blocks.
    """
    loud = lufs[lufs > ABSOLUTE_GATE_LUFS].astype(np.float64)
    bins = np.minimum((loud - ABSOLUTE_GATE_LUFS) / _BIN_LU, BINS - 1).astype(np.int64)
    np.add.at(counts, bins, 1)


def integrated_lufs(counts: np.ndarray) -> float | None:
    """Loudness of a programme: the mean of its 400 ms blocks behind both gates; null where none is above the first."""
    kept = _gated(counts, INTEGRATED_GATE_LU)
    return None if kept is None else _mean_lufs(kept)


def range_lu(counts: np.ndarray) -> float | None:
    """Loudness range of a programme's 3 s windows by EBU Tech 3342; null where none is above the absolute gate."""
    kept = _gated(counts, RANGE_GATE_LU)
    if kept is None:
        return None
    reached = np.cumsum(kept)
    # The ranks of EBU Tech 3342's program, counted from 1.
    ranks = [int((reached[-1] - 1) * share + 1.5) for share in (_RANGE_LOW, _RANGE_HIGH)]
    low, high = np.searchsorted(reached, ranks)
    return float(_MIDDLE_LUFS[high] - _MIDDLE_LUFS[low])


def gated_lufs(lufs: np.ndarray) -> float | None:
    """`integrated_lufs` of a few blocks: float [N] LUFS, without bins."""
    loud = lufs[lufs > ABSOLUTE_GATE_LUFS].astype(np.float64)
    if not len(loud):
        return None
    power = 10.0 ** (loud / 10.0)
    kept = loud > 10.0 * np.log10(power.mean()) + INTEGRATED_GATE_LU
    return float(10.0 * np.log10(power[kept].mean()))


def _gated(counts: np.ndarray, relative_lu: float) -> np.ndarray | None:
    if not counts.any():
        return None
    return np.where(_mean_lufs(counts) + relative_lu < _MIDDLE_LUFS, counts, 0)


def _mean_lufs(counts: np.ndarray) -> float:
    return float(OFFSET_LUFS + 10.0 * np.log10((counts * _MIDDLE_POWER).sum() / counts.sum()))
