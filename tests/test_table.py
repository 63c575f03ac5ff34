from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from gpu_qa.sinks import table
from tests.report_builder import event, report

if TYPE_CHECKING:
    from gpu_qa.series import Report


def printed(*reports: Report, width: int = 80, terminal: bool = False, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    console = Console(file=stream, width=width, force_terminal=terminal, color_system="standard" if terminal else None)
    console.print(table.render(reports))
    stream.flush()
    return raw.getvalue().decode(encoding)


FREEZE = event("video.freeze", 12.345, 15.0, severity="major", message="The picture stands still for 2.655 s")
SILENCE = event("audio.silence", 3600.0, None, severity="critical", value=-math.inf, limit=-60.0, unit="dbfs")


@pytest.mark.parametrize("width", [80, 100, 140, 220])
def test_everything_is_told_at_any_width(width: int) -> None:
    text = printed(report(FREEZE, SILENCE), width=width)
    words = " ".join(text.split())
    for part in (
        "channel 5",
        "0:00:12.345",
        "0:00:15.000",
        "2.655 s",
        "video.freeze",
        "major",
        "0.04 %",
        "0.1 %",
        "1:00:00.000",
        "still open",
        "audio.silence",
        "critical",
        "-∞ dBFS",
        "-60 dBFS",
        "2 defects",
        "1 critical, 1 major",
    ):
        assert part in words, part
    assert all(len(row) <= width for row in text.splitlines())


@pytest.mark.parametrize("width", [80, 160])
def test_long_messages_and_names_wrap_and_are_not_cut(width: int) -> None:
    message = " ".join(f"word{number}" for number in range(60))
    long = event("video.a_kind_with_quite_a_long_name", message=message, unit="furlongs per fortnight")
    text = printed(report(long, stream="x" * 300), width=width)
    assert "…" not in text
    squeezed = "".join(text.split())
    assert all(f"word{number}" in squeezed for number in range(60))
    assert text.count("x") >= 300
    assert all(len(row) <= width for row in text.splitlines())


def test_colours_only_on_a_terminal() -> None:
    assert "\x1b[" in printed(report(FREEZE), terminal=True)
    assert "\x1b" not in printed(report(FREEZE))


def test_names_neither_format_nor_command_the_terminal() -> None:
    evil = event(
        "video.[red]x", message="[bold]not bold[/bold] \x1b[31mred", unit="[blue]", stream="s", value=1.0, limit=None
    )
    text = printed(report(evil, stream="[link=x]stream\x1b]0;title\x07"), width=160)
    assert "[link=x]stream" in text
    assert "[bold]not bold[/bold]" in text
    assert "video.[red]x" in text
    assert "1 [blue]" in text
    assert "\x1b" not in text
    assert "\x07" not in text


def test_summary_says_what_it_comes_down_to() -> None:
    assert "✓ Clean" in printed(report())
    assert "✗ 1 defect" in printed(report(FREEZE))
    failed = printed(report(error="cannot open channel 5: no such file"))
    assert "! Could not analyze · cannot open channel 5: no such file" in failed
    partial = " ".join(printed(report(FREEZE, error="the source went away")).split())
    assert "1 defect" in partial
    assert "the source went away" in partial


def test_several_inputs_are_counted() -> None:
    text = printed(report(), report(FREEZE), report(error="lost"))
    assert text.splitlines()[-1] == "3 inputs · 1 clean · 1 with defects · 1 could not be analyzed"
    assert "inputs" not in printed(report())


def test_an_event_without_length_has_one_time() -> None:
    text = printed(report(event("stream.format_change", 5.0, 5.0, severity="info", value=None, limit=None, unit="")))
    assert text.count("0:00:05.000") == 1


@pytest.mark.parametrize("width", [80, 160])
def test_a_change_that_is_not_measured_has_no_value_and_no_limit(width: int) -> None:
    change = event("stream.format_change", 5.0, 6.0, message="now 720p", value=1.0, limit=1.0, unit="size changes")
    text = printed(report(change), width=width)
    assert "now 720p" in text
    assert "size changes" not in text
