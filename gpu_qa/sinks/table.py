"""The table that people read in a terminal: every event with its time, length, severity and value, then the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from gpu_qa.sinks import phrases
from gpu_qa.units import s_to_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from gpu_qa.series import Event, Report

SEVERITY_STYLES = {"info": "cyan", "warn": "yellow", "major": "bold red", "critical": "bold white on red"}
_OUTCOME_STYLES = {"clean": "bold green", "defects": "bold red", "partial": "bold red", "failed": "bold magenta"}
_OUTCOME_MARKS = {"clean": "✓", "defects": "✗", "partial": "✗", "failed": "!"}

_WIDE = 118
"""Columns from which on every quantity has a column of its own; below, they share one in two lines."""


def render(reports: Sequence[Report]) -> RenderableType:
    """A renderable for rich: per input a heading, a table of its events and a line that sums it up.

    It fits itself to the console's width; rich leaves colours away where the output is no terminal.
    """
    parts: list[RenderableType] = []
    for report in reports:
        if parts:
            parts.append(Text())
        parts.append(Text(phrases.printable(report.stream), style="bold", overflow="fold"))
        if report.events:
            parts.append(_Events(report.events))
        parts.append(summary(report))
    if len(reports) > 1:
        parts += [Text(), total([phrases.verdict(report).outcome for report in reports])]
    return Group(*parts)


def summary(report: Report) -> Text:
    """The verdict on one input in a line: what was found, how much of it, and what was analyzed."""
    verdict = phrases.verdict(report)
    return Text.assemble(
        (f"{_OUTCOME_MARKS[verdict.outcome]} {verdict.headline}", _OUTCOME_STYLES[verdict.outcome]),
        (" · ", "dim"),
        verdict.detail,
        overflow="fold",
    )


def total(outcomes: Sequence[phrases.Outcome]) -> Text:
    """What several inputs come down to together, in a line."""
    failed = outcomes.count("failed")
    defective = outcomes.count("defects") + outcomes.count("partial")
    parts = [
        (f"{len(outcomes):,} inputs", "bold"),
        (f"{outcomes.count('clean'):,} clean", _OUTCOME_STYLES["clean"]),
        (f"{defective:,} with defects", _OUTCOME_STYLES["defects"] if defective else ""),
    ]
    if failed:
        parts.append((f"{failed:,} could not be analyzed", _OUTCOME_STYLES["failed"]))
    return Text(" · ", style="dim").join(Text(words, style=style) for words, style in parts)


@dataclass(frozen=True, slots=True)
class _Events:
    """A table whose layout follows the width that it is given."""

    events: Sequence[Event]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _wide(self.events) if options.max_width >= _WIDE else _narrow(self.events)


def _wide(events: Sequence[Event]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    for name in ("Start", "End", "Duration"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Kind", no_wrap=True)
    table.add_column("Severity", no_wrap=True)
    table.add_column("Value", justify="right", overflow="fold", max_width=20)
    table.add_column("Limit", justify="right", overflow="fold", max_width=20)
    table.add_column("Message", overflow="fold", ratio=1)
    for event in events:
        table.add_row(
            Text(s_to_clock(event.start_s)),
            Text(_end(event)),
            Text(_length(event)),
            Text(phrases.printable(event.kind)),
            Text(event.severity, style=SEVERITY_STYLES[event.severity]),
            Text(phrases.quantity(event.value, event.unit)),
            Text(phrases.limit(event.limit, event.unit)),
            Text(phrases.printable(event.message)),
        )
    return table


def _narrow(events: Sequence[Event]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    table.add_column("Start\nEnd", justify="right", no_wrap=True)
    table.add_column("Kind\nSeverity, duration", overflow="fold", max_width=22)
    table.add_column("Value\nLimit", justify="right", overflow="fold", max_width=12)
    table.add_column("Message", overflow="fold", ratio=1)
    for event in events:
        length = _length(event)
        table.add_row(
            Text(f"{s_to_clock(event.start_s)}\n{_end(event)}"),
            Text.assemble(
                phrases.printable(event.kind),
                "\n",
                (event.severity, SEVERITY_STYLES[event.severity]),
                f", {length}" if length else "",
            ),
            Text(f"{phrases.quantity(event.value, event.unit)}\n{phrases.limit(event.limit, event.unit)}"),
            Text(phrases.printable(event.message)),
        )
    return table


def _end(event: Event) -> str:
    """When the event ended; empty for what has no length."""
    if event.end_s is None:
        return "still open"
    return s_to_clock(event.end_s) if event.end_s > event.start_s else ""


def _length(event: Event) -> str:
    """How long the event lasted; empty for what has no length or has not ended."""
    if event.end_s is None or event.end_s <= event.start_s:
        return ""
    return phrases.duration(event.end_s - event.start_s)
