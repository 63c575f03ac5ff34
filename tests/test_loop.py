"""Loop: the same pictures again and again; still pictures and what moves to and fro are none."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.programme import Fault, Form, Programme, told

FORM = Form(640, 360, Fraction(25))


def test_a_loop_is_told_where_it_is() -> None:
    programme = Programme(FORM, [Fault("loop", "video.loop", 4.0, 9.0)], 12.0)
    (event,) = told(programme.frames(), ["loop"])
    assert event.kind == "video.loop"
    assert [event.start_s, event.end_s] == pytest.approx([4.0, 9.0], abs=0.6)


def test_a_running_programme_is_none() -> None:
    assert not told(Programme(FORM, [], 12.0).frames(), ["loop"])


@pytest.mark.parametrize("name", ["freeze", "black", "blur", "grey"])
def test_other_faults_are_none(name: str) -> None:
    programme = Programme(FORM, [Fault(name, "", 4.0, 8.0)], 10.0)
    assert not told(programme.frames(), ["loop"])
