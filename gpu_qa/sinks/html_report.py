"""The HTML report: one self-contained file that opens offline and loads nothing from anywhere.

Text, tables and pictures are plain HTML; the plot is plotly.js, copied into the file from the Python package of that
name. A content security policy in the file forbids every request, whatever a stream may be called.
"""

from __future__ import annotations

import json
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gpu_qa.sinks import phrases
from gpu_qa.sinks.report_view import page_view, section_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import Report

_TEMPLATES = Path(__file__).parent / "templates"


def html(reports: Sequence[Report], *, written_at: datetime | None = None) -> str:
    """The report of one or more inputs, as text to be written as UTF-8.

    Args:
        reports: What is known of each input, in the order given.
        written_at: The date the report shows; null is now.
    """
    sections = [section_view(report, number) for number, report in enumerate(reports)]
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["script_json"] = script_json
    environment.filters["quantity"] = phrases.quantity
    page = environment.get_template("report.html").render(
        page=page_view(reports, sections),
        sections=sections,
        style=Markup(_text("report.css")),  # noqa: S704 - our own file
        script=Markup(_text("report.js")),  # noqa: S704 - our own file
        plotly=Markup(_plotly()) if any(section["plot"] for section in sections) else None,  # noqa: S704 - a package's file
        written_at=(written_at or datetime.now().astimezone()).strftime("%Y-%m-%d %H:%M"),
    )
    # A stream's name may hold bytes that are no UTF-8 (lone surrogates): a question mark in their place.
    return page.encode("utf-8", "replace").decode("utf-8")


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
