"""Fading: the largest value lately, which fades with time, over a series of pictures at once.

The maximum of what fades by e every `fade_s` is kept scaled by what it has faded since an *epoch*: then a picture
counts by its own value and time alone, and the maximum over any pictures is the same in whatever series they come.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EPOCH_S = 4.0
"""So often scales begin anew at 1; ours, far from where a float32 overflows."""
_MOST_STEP_S = 1.0
"""Longer steps, and steps back, fade by no more than this; below `EPOCH_S`."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The scales of a series."""

    before: np.ndarray
    """float32 [T]: the scale of the picture before, in the epoch of each."""
    now: np.ndarray
    """float32 [T]: of each picture itself."""
    drops: dict[int, np.float32]
    """The pictures with which an epoch begins, and by what the maximum must be multiplied before them."""


def clock(pts_s: np.ndarray, last_s: float, clock_s: float) -> np.ndarray:
    """How time passes for what fades.

    Args:
        pts_s: float64 [T]: starts of the pictures; one at least.
        last_s: Start of the picture before.
        clock_s: The clock at that picture, in seconds.

    Returns:
        float64 [T + 1]: the clock at the picture before and at each, in seconds; it never goes back.
    """
    steps = np.empty(len(pts_s) + 1)
    steps[0], steps[1] = 0.0, pts_s[0] - last_s
    np.subtract(pts_s[1:], pts_s[:-1], out=steps[2:])
    np.minimum(np.maximum(steps, 0.0, out=steps), _MOST_STEP_S, out=steps)
    steps[0] = clock_s
    return np.add.accumulate(steps)


def weights(clock_s: np.ndarray, fade_s: float) -> Weights:
    """The scales of pictures.

    Args:
        clock_s: float64 [T + 1], from `clock`.
        fade_s: In this time a value fades to 1 / e of itself, in seconds; at least `EPOCH_S` / 40.

    Returns:
        Scales and epochs of T pictures.
    """
    first, last = (EPOCH_S * (at // EPOCH_S) for at in (float(clock_s[0]), float(clock_s[-1])))
    if first == last:
        scales = np.exp((clock_s - first) / fade_s).astype(np.float32)
        return Weights(scales[:-1], scales[1:], {})
    epochs = EPOCH_S * (clock_s // EPOCH_S)
    own = epochs[1:]
    return Weights(
        before=np.exp((clock_s[:-1] - own) / fade_s).astype(np.float32),
        now=np.exp((clock_s[1:] - own) / fade_s).astype(np.float32),
        drops={
            i: np.float32(np.exp((epochs[i] - own[i]) / fade_s)) for i in np.flatnonzero(own > epochs[:-1]).tolist()
        },
    )
