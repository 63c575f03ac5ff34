from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpu_qa.sinks import phrases
from tests.report_builder import curve, event, report

if TYPE_CHECKING:
    from gpu_qa.series import Report


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "dbfs", ""),
        (-math.inf, "dbfs", "-∞ dBFS"),
        (math.nan, "s", "? s"),
        (-60.0, "dbfs", "-60 dBFS"),
        (-23.456, "lufs", "-23.46 LUFS"),
        (0.0004, "full_scale", "0.04 %"),
        (0.997, "share", "99.7 %"),
        (0.0, "share", "0 %"),
        (0.0000004, "ratio", "4.0e-07"),
        (-3600.0, "s", "-3,600 s"),
        (12345.6, "packets", "12,346 packets"),
        (1.0, "size changes", ""),
        (1.0, "errors", "1 errors"),
        (3, "evil\x1b[31m", "3 evil\ufffd[31m"),
    ],
)
def test_quantity(value: float | None, unit: str, text: str) -> None:
    assert phrases.quantity(value, unit) == text


@pytest.mark.parametrize(("value", "unit", "text"), [(0.0, "s", ""), (2.0, "s", "2 s"), (0.0, "dbtp", "0 dBTP")])
def test_a_limit_of_no_time_tells_nothing(value: float, unit: str, text: str) -> None:
    assert phrases.limit(value, unit) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.000 s"),
        (0.48, "0.480 s"),
        (9.949, "9.949 s"),
        (9.96, "10.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (185.4, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (86_400.0, "24 h 00 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert phrases.duration(seconds) == text


def test_every_kind_of_the_glossary_has_words() -> None:
    for kind, label in phrases.KIND_LABELS.items():
        assert re.fullmatch(r"(video|audio|av|stream)\.[a-z_]+", kind)
        assert phrases.kind_label(kind) == label
    assert phrases.kind_label("video.my_own_thing") == "My own thing"
    assert phrases.kind_label("odd\x1b") == "Odd\ufffd"


def test_detectors_kinds_have_words() -> None:
    from gpu_qa import detectors

    kinds = {kind for path in Path(detectors.__path__[0]).glob("*.py") for kind in _kinds_in(path)}
    assert kinds
    assert kinds <= phrases.KIND_LABELS.keys()


def _kinds_in(path: Path) -> set[str]:
    return set(re.findall(r'"((?:video|audio|av|stream)\.[a-z_]+)"', path.read_text(encoding="utf-8")))


def test_printable_disarms_what_a_terminal_would_act_upon() -> None:
    assert phrases.printable("Straße 5 — Ω") == "Straße 5 — Ω"
    assert phrases.printable("a\x1b]0;owned\x07\u202eb\udcff\nc") == "a\ufffd]0;owned\ufffd\ufffdb\ufffd c"


@pytest.mark.parametrize(
    ("made", "outcome", "headline", "severity"),
    [
        (report(), "clean", "Clean", None),
        (report(event(severity="info")), "clean", "Clean", None),
        (report(event()), "defects", "1 defect", "warn"),
        (report(event(), event(severity="critical"), event(severity="info")), "defects", "2 defects", "critical"),
        (report(event(severity="major"), error="lost"), "partial", "1 defect", "major"),
        (report(error="No such file"), "failed", "Could not analyze", None),
        (report(event(), error="empty", measurements={"analyzed_s": 0.0}), "failed", "Could not analyze", None),
        (report(event(severity="info"), error="lost"), "failed", "Could not analyze", None),
        (report(curves=(curve(),), error="lost"), "failed", "Analyzed in part only", None),
    ],
)
def test_verdict(made: Report, outcome: str, headline: str, severity: str | None) -> None:
    verdict = phrases.verdict(made)
    assert (verdict.outcome, verdict.headline, verdict.severity) == (outcome, headline, severity)
    assert {"clean": 0, "defects": 1, "partial": 1, "failed": 2}[verdict.outcome] == made.exit_code
    assert verdict.error == made.error
    assert (made.error or "") in verdict.detail


def test_severity_counts_are_worst_first() -> None:
    events = [event(severity="warn"), event(severity="critical"), event(severity="warn")]
    assert phrases.severity_counts(events) == "1 critical, 2 warn"
    assert phrases.severity_counts([]) == ""
