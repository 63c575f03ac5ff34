"""Noise floor: up to where a change between two pictures is noise, and which tiles exceed it."""

from __future__ import annotations

import numpy as np

_SPARSE = 0.04
"""Where at most this share of the tiles exceeds the noise floor, it rises to its ceiling: encoders code what is left of
noise in a picture that has stopped now here, now there. Ours: planted noise made 0.035 of the tiles exceed it."""


def noise_floor(coarse: np.ndarray, least: float, most: float) -> np.ndarray:
    """The noise floor of each step, float32 [T]: 2.5 times what the quieter quarter of the tiles changes, limited.

    It is the ceiling where few tiles exceed the lower limit. Nearly always it is one of the limits, which counting
    tells sooner than sorting.

    Args:
        coarse: float32 [T, N]: coarse change of each tile, as a fraction of full scale.
        least: The lower limit, as a fraction of full scale.
        most: The ceiling.
    """
    quarter = coarse.shape[1] // 4
    floor = np.full(len(coarse), least, np.float32)
    noisy = np.flatnonzero(counts(coarse < 0.39 * least) <= quarter)
    if len(noisy):
        floor[noisy] = most
        noisy = noisy[counts(coarse[noisy] < 0.41 * most) > quarter]
    if len(noisy):
        # Sorting is faster than selecting: NumPy does it with the processor's vectors.
        quiet = np.sort(coarse[noisy], axis=1)[:, quarter]
        floor[noisy] = np.clip(2.5 * quiet, least, most)
    floor[counts(coarse > least) <= round(_SPARSE * coarse.shape[1])] = most
    return floor


def beyond(away: np.ndarray, limit: float) -> np.ndarray:
    """Which of float32 [T, N], which this overwrites, are further than `limit` from 0, bool [T, N]."""
    return np.asarray(np.abs(away, out=away) > limit)


def counts(marked: np.ndarray) -> np.ndarray:
    """How many of bool [T, N] are true, int64 [T]; fewer than 65,536, which NumPy adds many at a time."""
    return np.asarray(np.add.reduce(marked.view(np.uint8), axis=1, dtype=np.uint16), np.int64)
