"""The tables of docs/detectors/av_offset.md."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.page import write_tables

if TYPE_CHECKING:
    from benchmarks.content.schema import ContentResult, Joins

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "detectors" / "av_offset.md"
_KINDS = {"talking": "talking", "close-up": "talking without the laboratory", "strikes": "things that strike"}


def tables(document: ContentResult) -> dict[str, str]:
    """Markdown by the name of its place in the page."""
    return {"joins": _joins(document), "demands": _demands(document), "steps": _steps(document)}


def write(document: ContentResult) -> None:
    """Put the tables into the page."""
    write_tables(PAGE, tables(document))


def _joins(document: ContentResult) -> str:
    columns = "answered | within 80 ms | wrong sound answered"
    count = document.joins[0].joins
    lines = [f"| {count} joins each | first half: {columns} | other half: {columns} |", "|---" * 7 + "|"]
    pairs = zip(document.joins[::2], document.joins[1::2], strict=True)
    for first, other in pairs:
        name = f"{_KINDS[first.kind]}, {first.seconds:g} s"
        lines.append(f"| {name} | {_shares(first)} | {_shares(other)} |")
    return "\n".join(lines)


def _shares(row: Joins) -> str:
    return (
        f"{_percent(row.answered, row.joins)} | {_percent(row.within_80_ms, row.answered)} "
        f"| {_percent(row.wrong_answered, row.joins, 1)}"
    )


def _demands(document: ContentResult) -> str:
    columns = "answered | within 120 ms | wrong sound answered"
    lines = [f"| confidence | talking: {columns} | strikes: {columns} |", "|---" * 7 + "|"]
    count = len(document.demands) // 2
    for talking, strikes in zip(document.demands[:count], document.demands[count:], strict=True):
        shares = " | ".join(
            f"{_percent(one.answered, one.joins)} | {_percent(one.within_120_ms, one.answered, 1)} "
            f"| {_percent(one.wrong_answered, one.joins, 1)}"
            for one in (talking, strikes)
        )
        name = f"**{talking.confidence:g}**" if talking.confidence == 0.9 else f"{talking.confidence:g}"
        lines.append(f"| {name} | {shares} |")
    return "\n".join(lines)


def _steps(document: ContentResult) -> str:
    lines = ["| from there on | told within 60 s of talking | median |", "|---|---|---|"]
    for one in document.steps:
        if one.step_ms:
            median = "" if one.median_s is None else f"{one.median_s:.0f} s"
            lines.append(f"| sound moved by {one.step_ms:+.0f} ms | {_percent(one.told, one.joins)} | {median} |")
        else:
            lines.append(f"| nothing changed | {one.told} of {one.joins} | |")
    other = document.other_sound
    lines.append(f"| sound backwards, or of others | {other.told} of {other.joins} | |")
    lines.append(f"| (before it) | {other.false_before} of {other.joins} | |")
    return "\n".join(lines)


def _percent(part: int, whole: int, digits: int = 0) -> str:
    return f"{100 * part / whole:.{digits}f} %" if whole else "–"
