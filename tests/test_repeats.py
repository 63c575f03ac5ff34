"""What was seen and heard before is known again, wherever windows begin."""

from __future__ import annotations

import numpy as np

from gpu_qa.sync.repeats import HISTORY, NOTHING, is_repeat
from gpu_qa.sync.shots import Window

RNG = np.random.default_rng(4)
MOTION = RNG.integers(0, 255, (200, 2, 3), np.uint8).repeat(12, 1).repeat(14, 2)
ROWS = RNG.normal(-4, 1, (200, 12)).astype(np.float32).repeat(4, 0)


def repeats(order: list[int], sound_by: int = 0) -> list[bool]:
    """Of windows of 3 s at these steps of the programme."""
    known, found = NOTHING, list[bool]()
    for first in order:
        motion = np.zeros((75, 7, 24, 42), np.uint8)
        motion[:, 0] = MOTION[first : first + 75]
        by = sound_by if found else 0
        one, known = is_repeat(Window(first, motion), ROWS[4 * (first + by) : 4 * (first + by + 75)], known)
        found.append(one)
    assert len(known.sound) <= HISTORY
    return found


def test_a_window_that_comes_again_is_known_wherever_it_begins() -> None:
    assert repeats([0, 75, 0, 31]) == [False, False, True, True]


def test_other_material_is_new_and_so_is_sound_that_has_moved() -> None:
    assert repeats([0, 75]) == [False, False]
    assert repeats([0, 0], sound_by=10) == [False, False]
