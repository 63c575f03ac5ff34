"""Damage sight: damage as the picture alone shows it, gathered until it is certain, followed until it is over."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

_LEVEL = 1.5
"""Times how much of the picture's own largest excess the excess must be."""
MOST_LEVEL = 0.03
"""A burst that went away again counts for no more than this: damage comes and goes with the pictures that it hits."""
_MOST = 0.04
"""Excess counts up to this much per picture, so that one picture alone is never enough."""
_PICTURES = 4
"""At least so many must show it: screens that are recorded at a few pictures a second change as a whole; ours."""
_MOVING = 0.05
"""In a picture that counts at least this share of the tiles changes at all: in a recorded screen only a clock does."""
_END, _PEAK_S = 0.1, 2.0
"""Damage that was going on shows no more where the excess is below this part of its peak, which fades so fast; ours."""
_QUIET_S = 0.6
"""Damage that the picture alone has shown is over when it has not for this long; ours."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Damage as the picture alone shows it."""

    charge: float = 0.0
    """Excess so far, share of the picture times seconds."""
    since_s: float = 0.0
    """When it began to charge."""
    last_s: float = 0.0
    """End of the last picture that showed it."""
    peak: float = 0.0
    """The largest excess so far."""
    pictures: int = 0
    """How many have shown it."""
    is_open: bool = False


def sight_after(
    sight: Sight,
    area: float,
    level: float,
    *,
    start_s: float,
    end_s: float,
    step_s: float,
    change: np.ndarray,
    is_whole: bool,
    clear_area: float,
    full: float,
) -> tuple[Sight, float]:
    """What is known after one more picture.

    Args:
        sight: After the picture before.
        area: Excess of the picture: how much of it shows damage, as a share.
        level: How restless the picture is by itself: the largest excess lately, fading.
        start_s: Start of the picture, in seconds.
        end_s: Its end.
        step_s: From the picture before to it, in seconds.
        change: float32 [R, K]: its change, as in `VideoSeries`.
        is_whole: It is a key frame of which no damage was reported.
        clear_area: A picture below this share shows no damage.
        full: The charge from which on there is damage, share of the picture times seconds.

    Returns:
        What is known, and the level: of what has gone by itself it is known how restless the picture is.
    """
    reference = max(clear_area, _LEVEL * level)
    peak = sight.peak * math.exp(-step_s / _PEAK_S)
    if sight.is_open:
        reference = max(reference, _END * peak)
    if area > reference:
        charge = sight.charge + (min(area - reference, _MOST) * (end_s - start_s) if not sight.is_open else 0.0)
        since_s = sight.since_s if sight.charge else start_s
        pictures = sight.pictures + bool(np.count_nonzero(change) >= _MOVING * change.size)
        is_open = sight.is_open or (charge >= full and pictures >= _PICTURES)
        return Sight(charge, since_s, end_s, max(peak, area), pictures, is_open), level
    if sight.is_open:
        is_over = (is_whole and area < clear_area) or end_s - sight.last_s > _QUIET_S
        return (Sight() if is_over else sight), level
    if sight.charge:
        charge = sight.charge - reference * (end_s - start_s)
        if charge > 0:
            return replace(sight, charge=charge), level
        # Whatever it was, it has gone by itself: so restless is this picture.
        return Sight(), max(level, min(sight.peak, MOST_LEVEL))
    return sight, level
