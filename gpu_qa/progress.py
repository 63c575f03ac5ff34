"""The lines on a terminal that show how far analyses have come. They only look: nothing waits for them."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gpu_qa.sinks.phrases import printable
from gpu_qa.sinks.table import SEVERITY_STYLES
from gpu_qa.units import s_to_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TextIO

    from gpu_qa.series import Event
    from gpu_qa.stream import Progress

REFRESH_HZ = 8.0
_WORDS_WIDTH = 62
_RATE_WINDOW_S = 3.0
"""Rates are means over this much wall time, so that they follow a stream that slows down."""
_RATE_AFTER_S = 0.5
"""A rate is told once it is the mean over this much wall time."""
HANDFUL = 6
"""Streams that get a line each, on a terminal that has twice as many; of more only the sums are shown."""
_SUMS_EVERY_S = 0.5
_BEHIND_S = 0.05
"""A live stream is told to be behind from here on: everything is, a little."""


class ProgressLine:
    """What is known of one running analysis, in a line that fits itself to the terminal.

    Args:
        name: The input as people know it.
        progress: Gives the progress of the moment; called from the thread that draws.
        duration_s: How much of the stream is wanted, where that is limited; null is all of it.
        clock: Seconds of a clock that only runs forward.
    """

    def __init__(
        self,
        name: str,
        progress: Callable[[], Progress],
        duration_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = short_name(name)
        self.progress = progress
        self._duration_s = duration_s
        self._clock = clock
        self._rates = _Rates()
        self.stopping = False
        """True once the user has asked for the end."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        progress = self.progress()
        total_s = self._total_s(progress)
        words = Text(no_wrap=True, overflow="ellipsis")
        if progress.position_s <= 0 and not progress.frames:
            words.append("stopping …" if self.stopping else f"opening … {progress.wall_s:.0f} s", style="dim")
        else:
            frames_per_s, times_real = self._rates.of(self._clock(), progress.frames, progress.position_s)
            words.append(s_to_clock(progress.position_s)[:-2])
            if total_s:
                words.append(f" / {s_to_clock(total_s)[:-2]}", style="dim")
            if progress.live:
                words.append(" live", style="bold")
            if progress.behind_s is not None and progress.behind_s >= _BEHIND_S:
                words.append(f" · {progress.behind_s:.1f} s behind", style="bold yellow")
            if frames_per_s is not None and progress.frames:
                words.append(f" · {frames_per_s:,.0f} fps")
            if times_real is not None:
                words.append(f" · {times_real:,.1f} × real time")
            if progress.open_events:
                words.append(f" · {progress.open_events} open", style="bold red")
            if self.stopping:
                words.append(" · stopping …", style="bold")
        # What the words may need is set aside for them, so that the bar keeps its width while they change.
        room = options.max_width - _WORDS_WIDTH
        bar_width = min(30, room * 3 // 5) if total_s and room >= 16 else 0
        grid = Table.grid(padding=(0, 1))
        grid.add_column(no_wrap=True, overflow="ellipsis", max_width=max(8, room - bar_width - 2))
        cells: list[Text | ProgressBar] = [Text(self._name, style="bold")]
        if bar_width and total_s:
            grid.add_column(width=bar_width)
            cells.append(ProgressBar(total=total_s, completed=min(progress.position_s, total_s), width=bar_width))
        grid.add_column(no_wrap=True, overflow="ellipsis")
        grid.add_row(*cells, words)
        yield Group(grid)

    def _total_s(self, progress: Progress) -> float | None:
        """How long the bar is: what the container states or what is wanted, whichever is less."""
        known = [total_s for total_s in (progress.duration_s, self._duration_s) if total_s]
        return min(known) if known else None


class _Rates:
    """How fast two numbers have grown of late."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float, float]] = deque()

    def of(self, now_s: float, one: float, other: float) -> tuple[float | None, float | None]:
        """What each has grown by per second; null until that can be told."""
        self._seen.append((now_s, one, other))
        while len(self._seen) > 2 and now_s - self._seen[1][0] >= _RATE_WINDOW_S:
            self._seen.popleft()
        then_s, one_then, other_then = self._seen[0]
        passed_s = now_s - then_s
        if passed_s < _RATE_AFTER_S:
            return None, None
        return (one - one_then) / passed_s, (other - other_then) / passed_s


@dataclass(slots=True)
class Tally:
    """What the streams of one command have come to so far."""

    total: int
    """Inputs of the command."""
    done: int = 0
    """Ended, in whatever way."""
    with_defects: int = 0
    """Ended with defects."""
    failed: int = 0
    """Could not be analyzed."""


class Board:
    """What is known of all streams of one command: a line each for a handful, and the sums.

    Args:
        tally: Kept by whoever runs the streams.
        frames: Gives the pictures that all streams have been through; called from the thread that draws.
        clock: Seconds of a clock that only runs forward.
    """

    def __init__(self, tally: Tally, frames: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._tally = tally
        self._frames = frames
        self._clock = clock
        self._rates = _Rates()
        self._sums: tuple[float, Text] | None = None
        # Replaced, never changed: the thread that draws may hold it.
        self._lines: tuple[ProgressLine, ...] = ()
        self.stopping = False
        """True once the user has asked for the end."""

    def add(self, line: ProgressLine) -> None:
        """A stream is on its way."""
        self._lines = (*self._lines, line)

    def remove(self, line: ProgressLine) -> None:
        """A stream has ended."""
        self._lines = tuple(other for other in self._lines if other is not line)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = self._lines
        several = self._tally.total > 1
        sums = self._known_sums(lines) if several else None
        if len(lines) <= min(HANDFUL, (console.size.height - 1) // 2) or not several:
            for line in lines:
                line.stopping = self.stopping
                yield line
        if sums is not None:
            yield sums

    def _known_sums(self, lines: Sequence[ProgressLine]) -> Text:
        """The sums; of many streams they are not made anew for every drawing."""
        now_s = self._clock()
        if self._sums is None or len(lines) <= HANDFUL or now_s - self._sums[0] >= _SUMS_EVERY_S:
            self._sums = now_s, self._summed(lines, now_s)
        return self._sums[1]

    def _summed(self, lines: Sequence[ProgressLine], now_s: float) -> Text:
        tally = self._tally
        running = [line.progress() for line in lines]
        live = [progress.behind_s for progress in running if progress.live and progress.behind_s is not None]
        has_open = sum(progress.open_events > 0 for progress in running)
        parts = [
            (f"{len(running):,} running", "bold"),
            (f"{tally.done:,} of {tally.total:,} done", ""),
        ]
        if tally.with_defects:
            parts.append((f"{tally.with_defects:,} with defects", "bold red"))
        if tally.failed:
            parts.append((f"{tally.failed:,} failed", "bold magenta"))
        if has_open:
            parts.append((f"{has_open:,} with open events", "bold red"))
        frames_per_s, _ = self._rates.of(now_s, self._frames(), 0.0)
        if frames_per_s is not None:
            parts.append((f"{frames_per_s:,.0f} frames/s", ""))
        if live:
            behind_s = max(live)
            parts.append((f"slowest {behind_s:.1f} s behind", "bold yellow" if behind_s >= 1.0 else ""))
        if self.stopping:
            parts.append(("stopping …", "bold"))
        words = Text(", ", style="dim").join(Text(part, style=style) for part, style in parts)
        words.no_wrap, words.overflow = True, "ellipsis"
        return words


class Display:
    """Draws lines of progress on a terminal for as long as analyses run; draws nothing anywhere else.

    Args:
        stream: Where to; standard error, so that results can be piped.
        enabled: False draws nothing even on a terminal.
    """

    def __init__(self, stream: TextIO, *, enabled: bool = True) -> None:
        self._console = Console(file=stream)
        self._lines: RenderableType | None = None
        self._live: Live | None = None
        self._enabled = enabled and self._console.is_terminal and not self._console.is_dumb_terminal

    @property
    def enabled(self) -> bool:
        """True where something is drawn."""
        return self._enabled

    @contextlib.contextmanager
    def showing(self, lines: RenderableType) -> Iterator[None]:
        """Draw the lines until the block ends, and take them away then."""
        if not self._enabled:
            yield
            return
        self._lines = lines
        self._draw()
        try:
            yield
        finally:
            self._wipe()
            self._lines = None

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Take the lines away for as long as something else writes to the terminal."""
        self._wipe()
        try:
            yield
        finally:
            self._draw()

    def _draw(self) -> None:
        lines = self._lines
        if lines is None:
            return
        # A new one each time: one that is started again takes what stands above it for its own old lines.
        self._live = Live(
            get_renderable=lambda: lines,
            console=self._console,
            refresh_per_second=REFRESH_HZ,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start(refresh=True)

    def _wipe(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def tell(self, event: Event, stream: str | None = None) -> None:
        """Write an event above the lines: it opened, became worse, or closed.

        Args:
            event: What has happened.
            stream: What the stream is called, where there are several; null leaves it away.
        """
        if not self._enabled:
            return
        mark = "▲" if event.state == "open" else "▽"
        self._console.print(
            Text.assemble(
                (f"{mark} {s_to_clock(event.start_s)} ", "dim"),
                (f"{short_name(stream)} " if stream else "", "bold"),
                (event.severity, SEVERITY_STYLES[event.severity]),
                f" {printable(event.kind)}: {printable(event.message)}",
            ),
            overflow="ellipsis",
            no_wrap=True,
        )


def short_name(name: str) -> str:
    """Of a path the file's name is enough; the result tells it whole."""
    return printable(name if "://" in name else name.rpartition("/")[2] or name)
