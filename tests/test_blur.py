"""Blur: detail is suddenly gone while the picture goes on; a soft programme is none."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.programme import Fault, Form, Programme, told

FORM = Form(640, 360, Fraction(25))


def test_a_blurred_stretch_is_told_where_it_is() -> None:
    programme = Programme(FORM, [Fault("blur", "video.blur", 4.0, 8.0)], 11.0)
    (event,) = told(programme.frames(), ["blur"])
    assert (event.kind, event.start_s, event.end_s) == (  # type: ignore[comparison-overlap]
        "video.blur",
        pytest.approx(4.0, abs=0.2),
        pytest.approx(8.0, abs=0.2),
    )


def test_a_sharp_programme_is_none() -> None:
    assert not told(Programme(FORM, [], 8.0).frames(), ["blur"])


def test_a_programme_that_is_soft_from_its_start_is_none() -> None:
    assert not told(Programme(FORM, [Fault("blur", "video.blur", 0.0, 8.0)], 8.0).frames(), ["blur"])


@pytest.mark.parametrize("name", ["black", "green", "freeze", "stutter", "grey"])
def test_other_faults_are_none(name: str) -> None:
    programme = Programme(FORM, [Fault(name, "", 4.0, 7.0)], 10.0)
    kinds = {event.kind for event in told(programme.frames(), ["blur", "black", "solid_color", "freeze"])}
    assert "video.blur" not in kinds
