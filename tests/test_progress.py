"""The lines of progress: what they say, how they fit, and where they stay away."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from gpu_qa.progress import HANDFUL, Board, Display, ProgressLine, Tally
from gpu_qa.stream import Progress
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


# --- many streams ---------------------------------------------------------------------------------------------------


def board(total: int, *lines: ProgressLine, frames: int = 0, **tally: int) -> Board:
    made = Board(Tally(total, **tally), lambda: frames)
    for line in lines:
        made.add(line)
    return made


def drawn(shown_board: Board, width: int = 120, height: int = 40) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(shown_board)
    return capture.get().splitlines()


def running(count: int, **changes: object) -> list[ProgressLine]:
    return [ProgressLine(f"film{number}.mp4", lambda: progress(**changes)) for number in range(count)]  # type: ignore[arg-type]


def test_a_single_stream_has_its_line_and_no_sums() -> None:
    (line,) = drawn(board(1, *running(1)))
    assert line.startswith("film0.mp4 ━")


def test_a_handful_has_a_line_each_and_the_sums() -> None:
    lines = drawn(board(2000, *running(2), done=340, with_defects=5, failed=1))
    assert [line.split()[0] for line in lines[:-1]] == ["film0.mp4", "film1.mp4"]
    assert lines[-1] == "2 running, 340 of 2,000 done, 5 with defects, 1 failed"


def test_more_than_a_handful_have_the_sums_only() -> None:
    assert len(drawn(board(6, *running(HANDFUL)))) == HANDFUL + 1
    assert drawn(board(7, *running(HANDFUL + 1))) == [f"{HANDFUL + 1} running, 0 of 7 done"]
    # A low terminal shows fewer.
    assert len(drawn(board(6, *running(4)), height=9)) == 5
    assert len(drawn(board(6, *running(4)), height=8)) == 1


def test_the_sums_tell_the_rate_of_all_and_the_slowest_live_stream() -> None:
    frames = iter([1000, 3000])
    clock = iter([10.0, 12.0])
    lines = running(3, live=True, behind_s=0.02, open_events=1) + running(1, live=True, behind_s=1.26) + running(4)
    made = Board(Tally(8), lambda: next(frames), clock=lambda: next(clock))
    for line in lines:
        made.add(line)
    assert drawn(made) == ["8 running, 0 of 8 done, 3 with open events, slowest 1.3 s behind"]
    assert drawn(made) == ["8 running, 0 of 8 done, 3 with open events, 1,000 frames/s, slowest 1.3 s behind"]


def test_the_sums_of_many_are_not_made_for_every_drawing() -> None:
    asked: list[int] = []
    clock = iter([10.0, 10.1, 10.2, 10.9])
    made = Board(Tally(9), lambda: asked.append(1) or 0, clock=lambda: next(clock))  # type: ignore[func-returns-value]
    for line in running(9):
        made.add(line)
    for _ in range(4):
        drawn(made)
    assert len(asked) == 2


def test_a_stream_that_has_ended_goes_from_the_board() -> None:
    first, second = running(2)
    made = board(2, first, second)
    made.remove(first)
    assert [line.split()[0] for line in drawn(made)] == ["film1.mp4", "1"]
    made.stopping = True
    assert all("stopping …" in line for line in drawn(made))


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("count", [3, 30])
def test_the_board_stays_within_any_width(width: int, count: int) -> None:
    made = board(3000, *running(count, live=True, behind_s=2.0, open_events=3), done=999, with_defects=99, failed=9)
    lines = drawn(made, width)
    assert len(lines) == (count + 1 if count <= HANDFUL else 1)
    assert all(len(line) <= width for line in lines)


def test_a_live_stream_says_how_far_it_is_behind() -> None:
    def line(behind_s: float | None) -> str:
        return shown(ProgressLine("a", lambda: progress(duration_s=None, live=True, behind_s=behind_s)))

    assert "0:00:12.3 live · 1.4 s behind" in line(1.4)
    assert "behind" not in line(0.01)
    assert "behind" not in line(None)


def test_what_is_written_aside_stays_and_the_lines_come_back() -> None:
    """As a terminal shows it: each line that is taken away is wiped, nothing else is."""
    stream = Terminal()
    display = Display(stream)
    told = [f"result {number}" for number in range(5)]
    with display.showing(board(3, *running(3))):
        for words in told:
            with display.aside():
                stream.write(words + "\n")
    assert emulated(stream.getvalue()) == told
    with display.aside():  # nothing is shown any more
        assert emulated(stream.getvalue()) == told


def test_of_several_streams_an_event_is_told_with_its_stream_in_one_line() -> None:
    stream = Terminal()
    display = Display(stream)
    with display.showing(board(3, *running(2))):
        display.tell(event(end_s=None, start_s=61.5, message="long " * 60), "/channels/five.ts")
    (line,) = emulated(stream.getvalue())
    assert line.startswith("▲ 0:01:01.500 five.ts warn video.freeze: long long")
    assert len(line) <= 120


def emulated(text: str) -> list[str]:
    """The lines that a terminal shows in the end: of what rich writes, it knows the moves and the wiping."""
    rows, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;?]*[a-zA-Z]|[^\x1b]", text):
        if part == "\n":
            row, column = row + 1, 0
            if row == len(rows):
                rows.append("")
        elif part == "\r":
            column = 0
        elif part == "\x1b[2K":
            rows[row] = ""
        elif part.startswith("\x1b["):
            if part.endswith("A"):
                row = max(0, row - int(part[2:-1] or 1))
            assert part[-1] in "Amhl", part
        else:
            rows[row] = rows[row][:column].ljust(column) + part + rows[row][column + 1 :]
            column += 1
    return [row for row in rows if row.strip()]
