"""Leader: the one flash and the one beep before a programme, such as a countdown's at "2" (2-pop).

Alone they say less than a signal that comes again and again: flash and beep must each be what nothing else is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa.sync.pairing import REACH_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.sync.beeps import Beep
    from gpu_qa.sync.flashes import Flash

__all__ = ["AFTER_S", "LEADER", "leader_beep"]

LEADER = 0.92
"""Confidence in a leader's pair."""
NEAR_S = 0.25
"""Its beep is no farther off: a step that a chain adds seldom is, and the less is asked for the less chance finds."""
AREA = 0.8
"""Share of the picture that its flash fills."""
WHITE = 0.8
"""Mean luma of it, full scale = 1."""
FRAMES = 2
"""Frames that it lasts at most."""
OTHER_AREA = 0.25
"""No other flash of this share of the picture is near."""
BEFORE_S = 8.0
"""So long before it there is none, nor a beep: a countdown from 8 to 2 and some. A signal that comes again is none."""
AFTER_S = 1.0
"""So long after it there is none."""
LENGTH_S = (0.03, 0.11)
"""Length of its beep: a frame or two of film."""
TONE_HZ = (500.0, 2000.0)
"""Frequency of its beep: 1 kHz, and what coarse coding adds."""


def leader_beep(flash: Flash, seen: Sequence[Flash], heard: Sequence[Beep]) -> Beep | None:
    """The beep of a leader's flash; null where flash or beep are none of a leader.

    Args:
        flash: The flash.
        seen: Flashes from `BEFORE_S` before it to `AFTER_S` after it, this one among them; there may be more.
        heard: Beeps from `BEFORE_S` before it to `REACH_S` after it; there may be more.
    """
    if flash.area < AREA or flash.peak < WHITE or flash.frames > FRAMES:
        return None
    around = [one for one in seen if -BEFORE_S <= one.at_s - flash.at_s <= AFTER_S and one.area >= OTHER_AREA]
    near = [one for one in heard if -BEFORE_S <= one.at_s - flash.at_s <= REACH_S]
    if len(around) != 1 or len(near) != 1:
        return None
    (beep,) = near
    is_one = beep.is_alone and LENGTH_S[0] <= beep.length_s <= LENGTH_S[1]
    is_tone = TONE_HZ[0] <= beep.frequency_hz <= TONE_HZ[1]
    return beep if is_one and is_tone and abs(flash.at_s - beep.at_s) <= NEAR_S else None
