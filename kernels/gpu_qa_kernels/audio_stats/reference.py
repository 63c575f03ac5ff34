"""The definition of `audio_stats`: clear, slow, and what the other implementations must equal bit for bit."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa_kernels.audio_stats.contract import (
    BEFORE,
    CLIP_LEVEL,
    LEVEL_EDGES,
    LEVELS,
    MAX_LEVEL,
    QUANTUM,
    QUARTERS,
    STATE,
    TAPS,
    TINY,
    AudioStats,
    empty_audio_stats,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["audio_stats_reference"]

_FILTER = STATE - BEFORE


def audio_stats_reference(
    samples: np.ndarray, edges: np.ndarray, coefficients: np.ndarray, taps: np.ndarray, state: np.ndarray
) -> tuple[AudioStats, np.ndarray]:
    """Measure hops; arguments and result as `gpu_qa_kernels.audio_stats.audio_stats`."""
    channels = len(samples)
    stats = empty_audio_stats(len(edges) - 1, channels)
    after = state.copy()
    for t in range(len(edges) - 1):
        raw = samples[:, edges[t] : edges[t + 1]]
        finite = np.isfinite(raw)
        hops = np.where(finite, raw, np.float32(0.0))
        codes = _codes(hops)
        count = hops.shape[1]
        parts = [count * k // QUARTERS for k in range(QUARTERS + 1)]
        stats.invalid[t] = (~finite).sum(axis=1)
        stats.energy[t] = (codes**2).sum(axis=1)
        stats.total[t] = codes.sum(axis=1)
        stats.cross[t] = (codes[0 : channels - 1 : 2] * codes[1::2]).sum(axis=1)
        for k in range(QUARTERS):
            stats.quarter_energy[t, k] = (codes[:, parts[k] : parts[k + 1]] ** 2).sum(axis=1)
        for c, hop in enumerate(hops):
            level = np.abs(hop)
            stats.peak[t, c] = level.max(initial=np.float32(0.0))
            stats.clipped[t, c] = (level >= np.float32(CLIP_LEVEL)).sum()
            stats.zero_run[t, c] = _longest(hop, lambda one, other: one == other == 0) if (hop == 0).any() else 0
            stats.same_run[t, c] = _longest(hop, lambda one, other: one == other)
            bins = LEVELS - np.searchsorted(LEVEL_EDGES[::-1], level, side="right")
            stats.levels[t, c] = np.bincount(bins, minlength=LEVELS)
            stats.k_energy[t, c] = _filtered_energy(hop, coefficients, after[c])
            before = after[c, _FILTER:].astype(np.float32)
            stats.true_peak[t, c] = max(stats.peak[t, c], _between(before, hop, taps))
            known = np.concatenate((before[~np.isnan(before)], hop))
            bend = np.abs(np.diff(_codes(known), 2))[-count:] if count else np.empty(0, np.int64)
            stats.bend_peak[t, c] = bend.max(initial=0)
            stats.bend_energy[t, c] = (bend**2).sum()
            after[c, _FILTER:] = np.concatenate((before, hop))[-BEFORE:]
    return stats, after


def _codes(samples: np.ndarray) -> np.ndarray:
    """Samples in steps of 1 / `QUANTUM`, int64."""
    held = np.clip(samples.astype(np.float64), -MAX_LEVEL, MAX_LEVEL)
    return np.floor(held * QUANTUM + 0.5).astype(np.int64)


def _longest(hop: np.ndarray, alike: Callable[[float, float], bool]) -> int:
    """Length of the longest run of samples of which each is like the one before."""
    longest = run = min(len(hop), 1)
    for one, other in itertools.pairwise(hop.tolist()):
        run = run + 1 if alike(one, other) else 1
        longest = max(longest, run)
    return longest


def _filtered_energy(hop: np.ndarray, coefficients: np.ndarray, state: np.ndarray) -> float:
    """Σ of squares behind both biquads, one rounding after the other as written; `state` is updated.

    The states are those of transposed direct form II, where y = b0·x + s0, s0' = b1·x − a1·y + s1, s1' = b2·x − a2·y;
    the output in the next two is written out.
    """
    s = [float(value) for value in state[:_FILTER]]
    (b0, b1, b2, a1, a2), (d0, d1, d2, c1, c2) = coefficients.tolist()
    b1, b2, d1, d2 = b1 - a1 * b0, b2 - a2 * b0, d1 - c1 * d0, d2 - c2 * d0
    energy = 0.0
    for x in np.clip(hop, -MAX_LEVEL, MAX_LEVEL).tolist():
        y = b0 * x + s[0]
        s[0], s[1] = (b1 * x + s[1]) - a1 * s[0], b2 * x - a2 * s[0]
        z = d0 * y + s[2]
        s[2], s[3] = (d1 * y + s[3]) - c1 * s[2], d2 * y - c2 * s[2]
        energy = energy + z * z
    state[:_FILTER] = [0.0 if math.fabs(value) < TINY else value for value in s]
    return energy


def _between(before: np.ndarray, hop: np.ndarray, taps: np.ndarray) -> np.float32:
    """Largest absolute sample behind the interpolation filter, in single precision, oldest sample's product first.

    Samples that are not known stand in for as many of the first one that is.
    """
    line = np.clip(np.concatenate((before, hop)), np.float32(-MAX_LEVEL), np.float32(MAX_LEVEL))
    unknown = int(np.isnan(line).sum())
    largest = np.float32(0.0)
    if unknown == len(line):
        return largest
    line[:unknown] = line[unknown]
    for phase in taps:
        total = np.zeros(len(hop), np.float32)
        for k in range(TAPS):
            total = total + phase[TAPS - 1 - k] * line[k : k + len(hop)]
        largest = max(largest, np.abs(total).max(initial=np.float32(0.0)))
    return largest
