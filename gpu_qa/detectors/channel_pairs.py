"""Channel pairs: which channels of a layout belong together as left and right, and how they compare."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

_PAIRS = frozenset(
    {
        ("FL", "FR"),
        ("DL", "DR"),
        ("FLC", "FRC"),
        ("SL", "SR"),
        ("BL", "BR"),
        ("WL", "WR"),
        ("TFL", "TFR"),
        ("TSL", "TSR"),
        ("TBL", "TBR"),
    }
)
"""Left and right by libavutil's names; DL and DR are a stereo downmix."""


@lru_cache(maxsize=64)
def channel_pairs(channels: tuple[str, ...]) -> tuple[int, ...]:
    """Which channels are a left and its right.

    Args:
        channels: Names in order, such as ("FL", "FR", "FC", "LFE", "SL", "SR").

    Returns:
        Indices i of the pairs, whose channels are 2i and 2i + 1. A left whose right does not follow at an odd place
        is left out: no measure compares the two. So are channels without a known position.
    """
    return tuple(
        index for index in range(len(channels) // 2) if (channels[2 * index], channels[2 * index + 1]) in _PAIRS
    )


def pair_balance(power: np.ndarray, cross: np.ndarray, pair: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Power of the left, of the right, and mean product of a pair, float64 of the shape without the channels' axis."""
    return (
        power[..., 2 * pair].astype(np.float64),
        power[..., 2 * pair + 1].astype(np.float64),
        cross[..., pair].astype(np.float64),
    )
