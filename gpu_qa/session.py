"""A session: the streams of one command in one engine, until they end or the user has enough."""

from __future__ import annotations

import contextlib
import os
import signal
import traceback
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TextIO

from gpu_qa.errors import GpuQaError
from gpu_qa.output import Format, InOrder, Output, check_writable, opened
from gpu_qa.pipeline import Engine, EngineSettings, waits_its_turn
from gpu_qa.progress import HANDFUL, Board, Display, ProgressLine, Tally
from gpu_qa.series import Report
from gpu_qa.sinks.phrases import count, printable, verdict
from gpu_qa.sinks.picture_files import PictureFiles
from gpu_qa.stream_sync import weights_of
from gpu_qa.units import s_to_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from gpu_qa.series import Event
    from gpu_qa.sinks.html_report import Page
    from gpu_qa.sinks.phrases import Outcome
    from gpu_qa.sinks.picture_files import PictureFile
    from gpu_qa.stream import StreamAnalysis
    from gpu_qa.streams import StreamEntry

_SHOW_CURSOR = b"\x1b[?25h\n"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user wants to see, and where."""

    output_format: Format = "table"
    output: str | None = None
    """File for the result; null is standard output."""
    report: str | None = None
    """File for the HTML page; null is none."""
    pictures: str | None = None
    """Folder for the pictures of events; null is none."""
    jobs: int = 0
    """Files that are analyzed at the same time; 0 is one per processor core."""
    quiet: bool = False
    verbose: bool = False


class Session:
    """Runs the streams of a command.

    Args:
        wishes: What the user wants to see, and where.
        stdout: Where the result goes unless a file is wished for.
        stderr: Where progress and remarks go.
        complain: Takes one line about something that went wrong.
    """

    def __init__(self, wishes: Wishes, stdout: TextIO, stderr: TextIO, complain: Callable[[str], object]) -> None:
        self._wishes = wishes
        self._stdout = stdout
        self._stderr = stderr
        self._complain = complain
        self._to_terminal = to_terminal = wishes.output is None and stdout.isatty()
        # Lines of JSON on the same terminal would run into the lines of progress.
        self._display = Display(
            stderr, enabled=not wishes.quiet and not (to_terminal and wishes.output_format == "jsonl")
        )
        self._stop = _Stop(hidden_cursor=self._display.enabled)
        self._table_on_terminal = to_terminal and wishes.output_format == "table"

    def run(self, entries: Sequence[StreamEntry]) -> int:
        """Analyze the streams.

        Returns:
            The exit code: the largest of the streams', so that 2 (could not analyze) outdoes 1 (defects).

        Raises:
            ConfigError: The output, the report or the pictures cannot be written where they are wanted, or a stream's
                settings name weights that cannot be read.
            OutputError: Writing failed, such as on a full disk.
        """
        for entry in entries:
            weights_of(entry.settings)
        page: Page | None = None
        if self._wishes.report is not None:
            from gpu_qa.sinks.html_report import Page

            check_writable(self._wishes.report)
            page = Page()
        pictures = None if self._wishes.pictures is None else PictureFiles(self._wishes.pictures, self._complain_aside)
        with self._stop.caught():
            with self._stream() as stream:
                run = _Run(entries, self._wishes, Output(stream, self._wishes.output_format), page, pictures)
                self._follow(run)
            if self._wishes.report is not None and page is not None:
                with opened(self._wishes.report, whole=True) as file:
                    file.write(page.html())
        return run.exit_code

    def _stream(self) -> contextlib.AbstractContextManager[TextIO]:
        if self._wishes.output is None:
            return contextlib.nullcontext(self._stdout)
        return opened(self._wishes.output, whole=self._wishes.output_format != "jsonl")

    def _follow(self, run: _Run) -> None:
        """Have all streams analyzed and told."""
        with self._stop.watching(run), self._display.showing(run.board):
            try:
                for refused in run.begin():
                    self._ended(run, refused)
                with contextlib.closing(iter(run.engine)) as updates:  # type: ignore[type-var]
                    for update in updates:
                        if update.event is not None:
                            run.output.event(update.event, run.picture(update.stream, update.event))
                            self._tell(run, update.stream, update.event)
                        else:
                            self._ended(run, run.ended(update.stream))
                            for refused in () if self._stop.requested or run.output.gone else run.begin_next():
                                self._ended(run, refused)
                        if run.output.gone:
                            run.engine.stop()
            finally:
                # Whatever ends us, what has ended before is told.
                self._write(run, run.order.rest())
        run.output.total(run.outcomes)
        if self._stop.requested:
            if run.many:
                self._remark("stopped; the results cover what was read until then")
            if run.left:
                self._remark(f"{count(run.left, 'input')} left out: stopped before their turn")

    def _ended(self, run: _Run, ended: _Ended) -> None:
        """A stream's report is complete: tell it when its turn has come, and what went wrong at once."""
        report, failure = ended.report, ended.failure
        freed = run.order.put(ended.index, report)
        self._write(run, freed)
        if report.error is not None and not (self._table_on_terminal and any(one is report for one in freed)):
            words = report.error if report.error.startswith(report.stream) else f"{report.stream}: {report.error}"
            if failure is not None and not self._wishes.verbose:
                words += "; run with --verbose for the traceback"
            self._complain_aside(words)
        if self._wishes.verbose:
            if failure is not None:
                with self._display.aside():
                    self._stderr.write("".join(traceback.format_exception(failure)))
            if report.measurements.get("decoders"):
                self._remark(f"{report.stream}: decoded by {', '.join(sorted(report.measurements['decoders']))}")
        position_s = report.measurements.get("analyzed_s") or 0.0
        if self._stop.requested and position_s > 0 and not run.many:
            self._remark(f"{report.stream}: stopped after {s_to_clock(position_s)}; the result covers that much")

    def _write(self, run: _Run, reports: Sequence[Report]) -> None:
        for report in reports:
            with self._display.aside() if self._to_terminal else contextlib.nullcontext():
                run.output.report(report, run.pictures_of(report))

    def _tell(self, run: _Run, stream: StreamAnalysis, event: Event) -> None:
        """Of a live input, and for who asks, events are told before the table has them all."""
        name = stream.name if run.several else None
        if self._display.enabled and (self._wishes.verbose or run.is_live(stream)):
            self._display.tell(event, name)
        elif self._wishes.verbose:
            start = f"{name}: " if name else ""
            start += s_to_clock(event.start_s)
            self._remark(f"{start} {event.state} {event.severity} {event.kind}: {event.message}")

    def _complain_aside(self, words: str) -> None:
        with self._display.aside():
            self._complain(words)

    def _remark(self, words: str) -> None:
        if not self._wishes.quiet:
            with self._display.aside():
                self._stderr.write(f"gpu-qa: {printable(words)}\n")


@dataclass(frozen=True, slots=True)
class _Ended:
    """A stream that is done with."""

    index: int
    """Which one, in the order of the command."""
    report: Report
    failure: Exception | None = None
    """What ended it that should not have happened."""


class _Run:
    """The streams of one command: which wait, which run, what the others have come to.

    Only those that run are open or have memory of their own; of thousands of files the others are a line of text.
    """

    def __init__(
        self,
        entries: Sequence[StreamEntry],
        wishes: Wishes,
        output: Output,
        page: Page | None,
        pictures: PictureFiles | None,
    ) -> None:
        waits = [waits_its_turn(entry.input, entry.settings) for entry in entries]
        self.engine = Engine(EngineSettings(files_at_once=wishes.jobs))
        self.output = output
        self.order: InOrder[Report] = InOrder(waits)
        self.outcomes: list[Outcome] = []
        self.exit_code = 0
        self.several = len(entries) > 1
        self.many = len(entries) > HANDFUL
        """So many that nothing is told of each by itself."""
        self._tally = Tally(total=len(entries))
        self.board = Board(self._tally, lambda: self.engine.load.frames)
        self._entries = entries
        self._page = page
        self._pictures = pictures
        self._tells_reports = wishes.output_format == "json"
        # A reference and what is laid over it run at the same time, and take the place of one.
        groups = _groups(entries)
        self._waiting = deque(group for group in groups if all(waits[index] for index in group))
        self._at_once = deque(group for group in groups if not all(waits[index] for index in group))
        self._references: dict[str, StreamAnalysis] = {}
        self._running: dict[StreamAnalysis, tuple[int, ProgressLine]] = {}
        self._live: dict[StreamAnalysis, bool] = {}

    @property
    def left(self) -> int:
        """Streams that have not begun."""
        return sum(len(group) for group in self._waiting)

    def begin(self) -> Iterator[_Ended]:
        """Begin with all that need not wait and as many files as run at once; gives those that are refused."""
        while self._at_once:
            yield from self._add_all(self._at_once.popleft())
        yield from self.begin_next()

    def begin_next(self) -> Iterator[_Ended]:
        """Begin files where there is a place for them; gives those that are refused."""
        places = self.engine.files_at_once - sum(
            self.order.holds(index) and self._entries[index].reference is None for index, _ in self._running.values()
        )
        while self._waiting and places > 0:
            group = self._waiting.popleft()
            refused = self._add_all(group)
            yield from refused
            places -= len(refused) < len(group)

    def _add_all(self, group: Sequence[int]) -> list[_Ended]:
        """Begin the streams of a group; gives back those that are refused."""
        refused = [ended for index in group for ended in self._add(index)]
        self._references.clear()
        return refused

    def _add(self, index: int) -> tuple[_Ended, ...]:
        """Begin a stream; gives it back where it is refused."""
        entry = self._entries[index]
        try:
            stream = self.engine.add(
                entry.input,
                entry.settings,
                name=entry.name,
                duration_s=entry.duration_s,
                reference=None if entry.reference is None else self._references.get(entry.reference),
            )
        except GpuQaError as error:
            return (self._known(_Ended(index, Report(entry.name, {}, (), {}, (), {}, {}, error=str(error)))),)
        line = ProgressLine(entry.name, lambda: stream.progress, entry.duration_s)
        self._references[entry.name] = stream
        self._running[stream] = (index, line)
        self.board.add(line)
        return ()

    def ended(self, stream: StreamAnalysis) -> _Ended:
        """A stream has come to its end."""
        index, line = self._running.pop(stream)
        self._live.pop(stream, None)
        self.board.remove(line)
        return self._known(_Ended(index, stream.report(), stream.failure))

    def _known(self, ended: _Ended) -> _Ended:
        """Count a stream in. What only the page shows is not kept beside it."""
        outcome = verdict(ended.report).outcome
        self.outcomes.append(outcome)
        self.exit_code = max(self.exit_code, ended.report.exit_code)
        self._tally.done += 1
        self._tally.with_defects += outcome in ("defects", "partial")
        self._tally.failed += outcome == "failed"
        if self._page is not None:
            self._page.add(ended.report, ended.index)
        return replace(
            ended, report=replace(ended.report, curves=(), thumbnails={}, settings={}, lags=None, delays=None)
        )

    def picture(self, stream: StreamAnalysis, event: Event) -> PictureFile | None:
        """The event's picture in a file, where that is wished for; null where there is none."""
        if self._pictures is None:
            return None
        written = self._pictures.write(event, stream.pictures)
        if event.state == "closed":
            if self._page is None:
                stream.pictures.release(event.id)
            if not (self._tells_reports and stream.keeps(event.id)):
                self._pictures.forget(event.id)
        return written

    def pictures_of(self, report: Report) -> dict[str, PictureFile]:
        """Event id → its picture, of a report that is told now: nobody asks for them again."""
        if self._pictures is None:
            return {}
        found = {event.id: self._pictures.forget(event.id) for event in report.events}
        return {event_id: picture for event_id, picture in found.items() if picture is not None}

    def is_live(self, stream: StreamAnalysis) -> bool:
        """Whether the stream's input is live, as far as that is known."""
        if stream not in self._live:
            self._live[stream] = stream.progress.live
        return self._live[stream]


def _groups(entries: Sequence[StreamEntry]) -> list[list[int]]:
    """Indices of the streams that run together: a reference, then those that are laid over it; most are alone."""
    groups: dict[str, list[int]] = {}
    for index, entry in enumerate(entries):
        groups.setdefault(entry.reference or entry.name, []).append(index)
    return [sorted(group, key=lambda index: entries[index].reference is not None) for group in groups.values()]


class _Stop:
    """Turns the first Ctrl-C or SIGTERM into a clean end; the second one kills.

    Args:
        hidden_cursor: The terminal's cursor is hidden by lines of progress and must come back when we are killed.
    """

    def __init__(self, *, hidden_cursor: bool) -> None:
        self.requested = False
        self._hidden_cursor = hidden_cursor
        self._run: _Run | None = None

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Catch both signals until the block ends."""
        signals = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self._on_signal) for number in signals]
        try:
            yield
        finally:
            for number, handler in zip(signals, before, strict=True):
                signal.signal(number, handler)

    @contextlib.contextmanager
    def watching(self, run: _Run) -> Iterator[None]:
        """A signal before or during the block stops these streams."""
        self._run = run
        if self.requested:
            self._end(run)
        try:
            yield
        finally:
            self._run = None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.requested:
            if self._hidden_cursor:
                os.write(2, _SHOW_CURSOR)
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.requested = True
        if self._run is not None:
            self._end(self._run)

    @staticmethod
    def _end(run: _Run) -> None:
        run.board.stopping = True
        run.engine.stop()
