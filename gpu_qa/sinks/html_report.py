"""The HTML report: one self-contained file that opens offline and loads nothing from anywhere.

Text, tables and pictures are plain HTML; the plot is plotly.js, copied into the file from the Python package of that
name. A content security policy in the file forbids every request, whatever a stream may be called.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gpu_qa.sinks import phrases
from gpu_qa.sinks.report_view import HANDFUL, badness, index_view, page_view, section_view

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_qa.series import Report

IN_FULL = 100
"""Inputs shown in full, of more than these the worst: each has some 100 kB of curves, and pictures."""
PICTURES = 20
"""Pictures per input where there are more inputs than a handful: at most 27 kB each."""

_TEMPLATES = Path(__file__).parent / "templates"


class Page:
    """The report of any number of inputs, added as they end.

    What is kept is bounded: of many inputs only the worst are shown in full, the others in the table at the top.
    """

    def __init__(self) -> None:
        self._index: dict[int, dict[str, Any]] = {}
        self._badness: dict[int, tuple[int, float, int]] = {}
        self._full: dict[int, Report] = {}

    def add(self, report: Report, number: int | None = None) -> None:
        """Take in one more input.

        Args:
            report: What is known of it.
            number: Its place among the inputs, which may end in any order; null is behind those that are there.
        """
        if number is None:
            number = len(self._index)
        self._index[number] = index_view(report, number)
        self._badness[number] = badness(report)
        self._full[number] = report
        if len(self._index) > HANDFUL:
            for one in self._full if len(self._index) == HANDFUL + 1 else (number,):
                self._full[one] = _with_fewer_pictures(self._full[one])
        if len(self._full) > IN_FULL:
            # Of equals the first stays.
            del self._full[min(self._full, key=lambda one: (self._badness[one], -one))]

    def html(self, *, written_at: datetime | None = None) -> str:
        """The page as text to be written as UTF-8.

        Args:
            written_at: The date it shows; null is now.
        """
        order = sorted(self._index)
        if len(order) > HANDFUL:
            order.sort(key=lambda number: self._badness[number], reverse=True)
        sections = [section_view(self._full[number], number) for number in order if number in self._full]
        settings: list[dict[str, Any]] = []
        if len(sections) > 1 and all(section["settings"] == sections[0]["settings"] for section in sections):
            settings = sections[0]["settings"]
            for section in sections:
                section["settings"] = []
        environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["script_json"] = script_json
        environment.filters["quantity"] = phrases.quantity
        plotly = _plotly() if any(section["plot"] for section in sections) else None
        page = environment.get_template("report.html").render(
            page=page_view(list(self._index.values()), len(self._index) - len(sections)),
            index=[{**self._index[number], "in_full": number in self._full} for number in order],
            sections=sections,
            settings=settings,
            style=Markup(_text("report.css")),  # noqa: S704 - our own file
            script=Markup(_text("report.js")),  # noqa: S704 - our own file
            plotly=None if plotly is None else Markup(plotly),  # noqa: S704 - a package's file
            written_at=(written_at or datetime.now().astimezone()).strftime("%Y-%m-%d %H:%M"),
        )
        # A stream's name may hold bytes that are no UTF-8 (lone surrogates): a question mark in their place.
        return page.encode("utf-8", "replace").decode("utf-8")


def html(reports: Iterable[Report], *, written_at: datetime | None = None) -> str:
    """The report of one or more inputs, as text to be written as UTF-8.

    Args:
        reports: What is known of each input. Up to a handful they stand in the order given, else the worst first.
        written_at: The date the report shows; null is now.
    """
    page = Page()
    for report in reports:
        page.add(report)
    return page.html(written_at=written_at)


def _with_fewer_pictures(report: Report) -> Report:
    kept = dict(itertools.islice(report.thumbnails.items(), PICTURES))
    return replace(report, thumbnails=kept) if len(kept) < len(report.thumbnails) else report


def script_json(value: Any) -> Markup:
    """JSON that may stand inside a `<script>` element: no text in it can end the element or open a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def _text(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _plotly() -> str:
    """plotly.js as the Python package carries it; read without importing the package's own modules."""
    return (resources.files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
