"""Notes of damage: what is excused before the first key frame, and an alarm that rings too often."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from gpu_qa.decode.notes import KEYLESS_PICTURES, DamageNotes, Rarity


def test_the_first_key_frame_ends_the_excuse() -> None:
    track: Any = SimpleNamespace(kind="video", time_base=Fraction(1, 90_000))
    notes = DamageNotes(track, "h264")
    assert notes.write("concealed", 1, "x").details["before_first_key"]
    notes.passed(is_key=False)
    assert notes.before_first_key
    notes.passed(is_key=True)
    assert not notes.write("concealed", 2, "x").details["before_first_key"]
    notes.restart()
    # A stream that never marks a key frame is excused for a while only.
    for _ in range(KEYLESS_PICTURES):
        assert notes.before_first_key
        notes.passed(is_key=False)
    assert not notes.before_first_key


def test_an_alarm_is_heard_while_it_is_rare() -> None:
    rarity = Rarity()
    assert not rarity.heard(rings=True)
    for _ in range(20):
        assert not rarity.heard(rings=False)
    assert [rarity.heard(rings=True) for _ in range(8)] == [True] * 6 + [False] * 2
