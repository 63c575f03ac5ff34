"""The progress line: what it says, how it fits, and where it stays away."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from gpu_qa.pipeline import Progress
from gpu_qa.progress import Display, ProgressLine
from tests.report_builder import event

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)


def progress(position_s: float = 12.34, **changes: object) -> Progress:
    known: dict[str, object] = {
        "duration_s": 60.0,
        "frames": round(25 * position_s),
        "wall_s": 3.0,
        "open_events": 0,
        "live": False,
    }
    return Progress(position_s, **{**known, **changes})  # type: ignore[arg-type]


def shown(line: ProgressLine, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(line)
    return capture.get().rstrip("\n")


def test_it_says_how_far_how_fast_and_what_is_open() -> None:
    seen = iter([progress(10.0), progress(40.0, open_events=2)])
    clock = iter([100.0, 102.0])
    line = ProgressLine("/films/film.mp4", lambda: next(seen), clock=lambda: next(clock))
    assert "fps" not in shown(line)  # nothing to tell a rate from yet
    text = shown(line)
    assert text.startswith("film.mp4 ━")
    assert "0:00:40.0 / 0:01:00.0 · 375 fps · 15.0 × real time · 2 open" in text


def test_rates_follow_the_last_seconds() -> None:
    clock = iter(range(100))
    position_s: Iterator[float] = iter([*(10.0 * n for n in range(1, 11)), *(100.0 + n for n in range(1, 11))])
    line = ProgressLine("a", lambda: progress(next(position_s), duration_s=None), clock=lambda: float(next(clock)))
    lines = [shown(line) for _ in range(20)]
    assert "10.0 × real time" in lines[9]
    assert "1.0 × real time" in lines[19]


def test_a_limited_duration_is_what_the_bar_ends_at() -> None:
    assert "/ 0:00:20.0" in shown(ProgressLine("a", progress, 20.0))
    assert "/ 0:01:00.0" in shown(ProgressLine("a", progress, 3600.0))


def test_a_live_input_has_no_bar() -> None:
    text = shown(ProgressLine("udp://224.0.0.1:5000", lambda: progress(duration_s=None, live=True)))
    assert "━" not in text
    assert "udp://224.0.0.1:5000" in text
    assert "0:00:12.3 live" in text


def test_before_anything_came_it_says_opening() -> None:
    line = ProgressLine("a", lambda: progress(0.0, duration_s=None, wall_s=4.2))
    assert "opening … 4 s" in shown(line)
    line.stopping = True
    assert "stopping …" in shown(line)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
def test_it_stays_one_line_within_any_width(width: int) -> None:
    for name in ("a", "x" * 300, "bad\x1b[31mname\n.ts"):
        line = ProgressLine(name, lambda: progress(open_events=12))
        line.stopping = True
        text = shown(line, width)
        assert "\n" not in text
        assert "\x1b" not in text
        assert len(text) <= width


def test_nothing_is_drawn_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, enabled in ((io.StringIO(), True), (Terminal(), False)):
        display = Display(stream, enabled=enabled)
        with display.showing(ProgressLine("a", progress)):
            display.tell(event())
        assert stream.getvalue() == ""
    monkeypatch.setenv("TERM", "dumb")
    assert not Display(Terminal()).enabled


def test_on_a_terminal_it_comes_and_goes_and_events_stay() -> None:
    stream = Terminal()
    display = Display(stream)
    with display.showing(ProgressLine("film.mp4", progress)):
        display.tell(event(end_s=None, start_s=61.5))
    text = stream.getvalue()
    assert "film.mp4" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is hidden and comes back
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    assert "▲ 0:01:01.500 warn video.freeze: The picture stands still" in plain
    assert text.rindex("\x1b[2K") > text.rindex("film.mp4")  # and the line is wiped at the end
