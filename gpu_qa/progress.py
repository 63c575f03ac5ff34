"""The line on a terminal that shows how far an analysis has come. It only looks: nothing waits for it."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gpu_qa.sinks.phrases import printable
from gpu_qa.sinks.table import SEVERITY_STYLES
from gpu_qa.units import s_to_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from gpu_qa.pipeline import Progress
    from gpu_qa.series import Event

REFRESH_HZ = 8.0
_WORDS_WIDTH = 62
_RATE_WINDOW_S = 3.0
"""Rates are means over this much wall time, so that they follow a stream that slows down."""


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
        # Of a path the file's name is enough; the result tells it whole.
        self._name = printable(name if "://" in name else name.rpartition("/")[2] or name)
        self._progress = progress
        self._duration_s = duration_s
        self._clock = clock
        self._seen: deque[tuple[float, int, float]] = deque()
        self.stopping = False
        """True once the user has asked for the end."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        progress = self._progress()
        total_s = self._total_s(progress)
        words = Text(no_wrap=True, overflow="ellipsis")
        if progress.position_s <= 0 and not progress.frames:
            words.append("stopping …" if self.stopping else f"opening … {progress.wall_s:.0f} s", style="dim")
        else:
            frames_per_s, times_real = self._rates(progress)
            words.append(s_to_clock(progress.position_s)[:-2])
            if total_s:
                words.append(f" / {s_to_clock(total_s)[:-2]}", style="dim")
            if progress.live:
                words.append(" live", style="bold")
            if frames_per_s is not None:
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

    def _rates(self, progress: Progress) -> tuple[float | None, float | None]:
        """Frames per second and seconds of stream per second of late; null until they can be told."""
        now_s = self._clock()
        self._seen.append((now_s, progress.frames, progress.position_s))
        while len(self._seen) > 2 and now_s - self._seen[1][0] >= _RATE_WINDOW_S:
            self._seen.popleft()
        then_s, frames, position_s = self._seen[0]
        passed_s = now_s - then_s
        if passed_s < 0.5:
            return None, None
        fps = (progress.frames - frames) / passed_s if progress.frames else None
        return fps, (progress.position_s - position_s) / passed_s


class Display:
    """Draws a `ProgressLine` on a terminal for as long as an analysis runs; draws nothing anywhere else.

    Args:
        stream: Where to; standard error, so that results can be piped.
        enabled: False draws nothing even on a terminal.
    """

    def __init__(self, stream: TextIO, *, enabled: bool = True) -> None:
        self._console = Console(file=stream)
        self._enabled = enabled and self._console.is_terminal and not self._console.is_dumb_terminal

    @property
    def enabled(self) -> bool:
        """True where something is drawn."""
        return self._enabled

    @contextlib.contextmanager
    def showing(self, line: ProgressLine) -> Iterator[None]:
        """Draw the line until the block ends, and take it away then."""
        if not self._enabled:
            yield
            return
        with Live(
            get_renderable=lambda: line,
            console=self._console,
            refresh_per_second=REFRESH_HZ,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        ):
            yield

    def tell(self, event: Event) -> None:
        """Write an event above the line: it opened, became worse, or closed."""
        if not self._enabled:
            return
        mark = "▲" if event.state == "open" else "▽"
        self._console.print(
            Text.assemble(
                (f"{mark} {s_to_clock(event.start_s)} ", "dim"),
                (event.severity, SEVERITY_STYLES[event.severity]),
                f" {printable(event.kind)}: {printable(event.message)}",
                overflow="ellipsis",
                no_wrap=True,
            )
        )
