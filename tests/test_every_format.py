"""Planted faults of the picture are found whatever the format: size, rate, depth, range, irregular timestamps, codec.

A programme in every format at once would take hours; here each value of each of these meets each fault of one kind or
another, and no fault is seen in one format only.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

import gpu_qa
from gpu_qa.config import known_detectors
from gpu_qa.decode import DecodeSettings
from tests.programme import Fault, Form, Programme
from tests.programme_file import KINDS, laid_out, written

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_qa import Event

CPU = gpu_qa.Settings(decode=DecodeSettings(device="cpu", threads=1))
_FINE = 0.003
"""Grain of the two formats in which blur is not told under that of the others, which is twice as much."""
CASES = (
    (Form(426, 240, Fraction(30), 10, "full", irregular=True, grain=_FINE), "libx265", tuple(KINDS)),
    (Form(424, 240, Fraction(60), 8, "limited"), "libx264", ("blocks", "stutter", "flash", "freeze", "bars", "coarse")),
    (Form(640, 360, Fraction(24), 8, "limited"), "libx264", ("combed", "loop", "grey", "black", "green", "letterbox")),
    (Form(854, 480, Fraction(60), 10, "limited"), "libx264", ("blocks", "loop", "flash", "letterbox")),
    (Form(720, 576, Fraction(25), 8, "full"), "libx264", ("black", "green", "coarse", "blur", "flash", "letterbox")),
    (Form(1280, 720, Fraction(50), 8, "limited", grain=_FINE), "libx264", ("blocks", "blur", "combed", "stutter")),
    (Form(1280, 720, Fraction(30_000, 1001), 8, "limited", irregular=True), "libx264", ("coarse", "freeze", "bars")),
    (Form(1920, 1080, Fraction(24), 10, "full"), "libx265", ("blocks", "grey")),
    (Form(3840, 2160, Fraction(24), 10, "limited"), "libx264", ("combed", "blocks")),
)
"""Format, encoder, faults. The larger the picture, the less of it: a second of 2160p costs as much as 15 of 576p."""
_NEAR_S = 0.25
"""Ends of an event and of its fault are so near to each other."""


def _is_of(event: Event, fault: Fault) -> bool:
    """Whether an event lies within a fault."""
    end_s = event.start_s if event.end_s is None else event.end_s
    return fault.start_s - _NEAR_S <= event.start_s and end_s <= fault.end_s + _NEAR_S


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("form", "codec", "names"), CASES, ids=[str(form) for form, *_ in CASES])
def test_every_fault_is_told_and_nothing_else(form: Form, codec: str, names: tuple[str, ...], tmp_path: Path) -> None:
    faults, length_s = laid_out(names)
    path = written(Programme(form, faults, length_s), tmp_path / "programme.mkv", codec)
    report = gpu_qa.analyze(path, CPU)

    assert report.error is None
    assert [event for event in report.events if not any(_is_of(event, fault) for fault in faults)] == []
    for fault in faults:
        told = [event for event in report.events if _is_of(event, fault)]
        assert [event.kind for event in told] == [fault.kind], (fault, told)
        (event,) = told
        assert event.start_s == pytest.approx(fault.start_s, abs=_NEAR_S), fault
        if fault.kind != "stream.format_change":
            assert event.end_s == pytest.approx(fault.end_s, abs=_NEAR_S), fault


def test_the_faults_are_those_of_all_detectors_of_the_picture() -> None:
    wanted = {kind for one in known_detectors().values() if one.consumes == "video" for kind in one.kinds}
    assert set(KINDS.values()) == wanted


def test_no_fault_is_seen_in_one_way_only() -> None:
    seen: dict[str, set[tuple[str, object]]] = defaultdict(set)
    for form, codec, names in CASES:
        values = {"rows": form.height, "rate": form.rate, "depth": form.bit_depth, "range": form.color_range}
        values |= {"irregular": form.irregular, "codec": codec}
        for name in names:
            seen[name] |= set(values.items())
    every = {way for ways in seen.values() for way in ways}
    assert {value for way, value in every if way == "rows"} >= {240, 360, 480, 576, 720, 1080, 2160}
    assert {value for way, value in every if way == "rate"} >= {24, 25, 30, 50, 60}
    for name, ways in seen.items():
        for dimension in ("depth", "range", "irregular", "codec"):
            assert {value for way, value in ways if way == dimension} == {
                value for way, value in every if way == dimension
            }, (name, dimension)
        assert len({value for way, value in ways if way == "rows"}) >= 2, name
