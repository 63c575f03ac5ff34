"""A session: the inputs of one command, analyzed one after another, until they end or the user has enough."""

from __future__ import annotations

import contextlib
import os
import signal
import traceback
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TextIO

from gpu_qa.errors import GpuQaError
from gpu_qa.output import Format, Output, check_writable, opened
from gpu_qa.pipeline import Analysis
from gpu_qa.progress import Display, ProgressLine
from gpu_qa.series import Report
from gpu_qa.sinks.phrases import printable
from gpu_qa.sources.address import without_credentials
from gpu_qa.units import s_to_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from gpu_qa.config import Settings
    from gpu_qa.series import Event

_SHOW_CURSOR = b"\x1b[?25h\n"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user wants to see, and where."""

    output_format: Format = "table"
    output: str | None = None
    """File for the result; null is standard output."""
    report: str | None = None
    """File for the HTML page; null is none."""
    duration_s: float | None = None
    """How much of each input; null is all of it."""
    quiet: bool = False
    verbose: bool = False


class Session:
    """Runs analyses for a command.

    Args:
        settings: How inputs are opened, decoded and judged.
        wishes: What the user wants to see, and where.
        stdout: Where the result goes unless a file is wished for.
        stderr: Where progress and remarks go.
        complain: Takes one line about something that went wrong.
    """

    def __init__(
        self, settings: Settings, wishes: Wishes, stdout: TextIO, stderr: TextIO, complain: Callable[[str], object]
    ) -> None:
        self._settings = settings
        self._wishes = wishes
        self._stdout = stdout
        self._stderr = stderr
        self._complain = complain
        to_terminal = wishes.output is None and stdout.isatty()
        # Lines of JSON on the same terminal would run into the progress line.
        self._display = Display(
            stderr, enabled=not wishes.quiet and not (to_terminal and wishes.output_format == "jsonl")
        )
        self._stop = _Stop(hidden_cursor=self._display.enabled)
        self._table_on_terminal = to_terminal and wishes.output_format == "table"

    def run(self, inputs: Sequence[str]) -> int:
        """Analyze the inputs.

        Returns:
            The exit code: the largest of the inputs', so that 2 (could not analyze) outdoes 1 (defects).

        Raises:
            ConfigError: The output or the report cannot be written where it is wanted.
            OutputError: Writing failed, such as on a full disk.
        """
        if self._wishes.report is not None:
            check_writable(self._wishes.report)
        with self._stop.caught():
            with self._stream() as stream:
                reports, code = self._analyze_all(inputs, Output(stream, self._wishes.output_format))
            if self._wishes.report is not None:
                from gpu_qa.sinks.html_report import html

                with opened(self._wishes.report, whole=True) as page:
                    page.write(html(reports))
        return code

    def _analyze_all(self, inputs: Sequence[str], output: Output) -> tuple[list[Report], int]:
        reports: list[Report] = []
        worst = 0
        for address in inputs:
            report, code = self._analyze(address, output)
            worst = max(worst, code)
            output.report(report)
            if report.error is not None and not self._table_on_terminal:
                named = report.error.startswith(report.stream)
                self._complain(report.error if named else f"{report.stream}: {report.error}")
            # Of thousands of files, what only the page shows is not kept where there is to be none.
            reports.append(report if self._wishes.report else replace(report, curves=(), thumbnails={}))
            if self._stop.requested or output.gone:
                break
        output.total(reports)
        return reports, worst

    def _stream(self) -> contextlib.AbstractContextManager[TextIO]:
        if self._wishes.output is None:
            return contextlib.nullcontext(self._stdout)
        return opened(self._wishes.output, whole=self._wishes.output_format != "jsonl")

    def _analyze(self, address: str, output: Output) -> tuple[Report, int]:
        """One input to its end, its failure, or its stop; a fault of ours ends this input only."""
        analysis = Analysis(address, self._settings, duration_s=self._wishes.duration_s)
        name = without_credentials(address) if "://" in address else address
        line = ProgressLine(name, lambda: analysis.progress, self._wishes.duration_s)
        with self._stop.watching(analysis, line), self._display.showing(line):
            try:
                for event in analysis:
                    output.event(event)
                    self._tell(event, analysis)
                    if output.gone:
                        analysis.stop()
                report = analysis.report()
                if analysis.failure is not None and self._wishes.verbose:
                    self._stderr.write("".join(traceback.format_exception(analysis.failure)))
                if self._wishes.verbose and report.measurements.get("decoders"):
                    self._remark(f"{name}: decoded by {', '.join(sorted(report.measurements['decoders']))}")
            except GpuQaError:
                raise
            except _NothingKnownError:
                report = _failed(name, "stopped before anything was known")
            except Exception as error:  # noqa: BLE001 - a fault in one input must not cost the others
                report = self._broken(name, error)
        if self._stop.requested and analysis.progress.position_s > 0:
            at = s_to_clock(analysis.progress.position_s)
            self._remark(f"{name}: stopped after {at}; the result covers that much")
        return report, report.exit_code

    def _broken(self, name: str, error: Exception) -> Report:
        if self._wishes.verbose:
            self._stderr.write("".join(traceback.format_exception(error)))
        reason = f"internal error: {type(error).__name__}: {error}; run with --verbose for the traceback"
        return _failed(name, reason)

    def _tell(self, event: Event, analysis: Analysis) -> None:
        """Of a live input, and for who asks, events are told before the table has them all."""
        if self._display.enabled and (self._wishes.verbose or analysis.progress.live):
            self._display.tell(event)
        elif self._wishes.verbose:
            self._remark(f"{s_to_clock(event.start_s)} {event.state} {event.severity} {event.kind}: {event.message}")

    def _remark(self, words: str) -> None:
        if not self._wishes.quiet:
            self._stderr.write(f"gpu-qa: {printable(words)}\n")


def _failed(name: str, reason: str) -> Report:
    return Report(name, {}, (), {}, (), {}, {}, error=reason)


class _NothingKnownError(BaseException):
    """Raised by a signal that comes while an input is still being opened, wherever that waits."""


class _Stop:
    """Turns the first Ctrl-C or SIGTERM into a clean end; the second one kills.

    Args:
        hidden_cursor: The terminal's cursor is hidden by a progress line and must come back when we are killed.
    """

    def __init__(self, *, hidden_cursor: bool) -> None:
        self.requested = False
        self._hidden_cursor = hidden_cursor
        self._watched: tuple[Analysis, ProgressLine] | None = None

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
    def watching(self, analysis: Analysis, line: ProgressLine) -> Iterator[None]:
        """A signal during the block stops this analysis."""
        self._watched = (analysis, line)
        if self.requested:
            analysis.stop()
        try:
            yield
        finally:
            self._watched = None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.requested:
            if self._hidden_cursor:
                os.write(2, _SHOW_CURSOR)
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.requested = True
        if self._watched is not None:
            analysis, line = self._watched
            line.stopping = True
            analysis.stop()
            progress = analysis.progress
            if not progress.frames and progress.position_s <= 0:
                raise _NothingKnownError
