"""Catalogue: what the detectors tell and by which numbers, and every setting with what it means."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import json
import textwrap
from typing import TYPE_CHECKING, Any

from gpu_qa.config import known_detectors, plain
from gpu_qa.series import EventTiming

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gpu_qa.config import Settings


def catalogue() -> list[dict[str, Any]]:
    """Every known detector as JSON values: `name`, `kinds`, `consumes`, `summary`, `source`, `limits`, `timing`.

    `limits` and `timing` are lists of `name`, `default` and `description`; units are suffixes of the names or stand in
    the descriptions, which are those of the code.
    """
    return [
        {
            "name": detector.name,
            "kinds": list(detector.kinds),
            "consumes": detector.consumes,
            "summary": detector.summary,
            "source": detector.source,
            "limits": _fields(detector.limits),
            "timing": _fields(detector.timing),
        }
        for detector in known_detectors().values()
    ]


def render(entries: list[dict[str, Any]]) -> RenderableType:
    """The catalogue for a terminal."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = []
    for entry in entries:
        parts.append(Text.assemble((entry["name"], "bold"), "  ", (", ".join(entry["kinds"]), "cyan")))
        parts.append(Padding(Text(entry["summary"]), (0, 0, 0, 2)))
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        table.add_column(style="dim")
        for item in entry["limits"]:
            table.add_row(item["name"], _shown(item["default"]), Text(item["description"]))
        for item in entry["timing"]:
            table.add_row(item["name"], _shown(item["default"]))
        parts.append(Padding(table, (0, 0, 0, 4)))
        parts.append(Padding(Text(f"Defaults from: {entry['source']}", style="dim"), (0, 0, 1, 2)))
    meanings = Table.grid(padding=(0, 2))
    meanings.add_column(no_wrap=True)
    meanings.add_column(style="dim")
    for name, description in field_descriptions(EventTiming).items():
        meanings.add_row(name, Text(description))
    parts += [Text("Timing, of every detector", style="bold"), Padding(meanings, (0, 0, 1, 4))]
    parts.append(Text("`gpu-qa settings` writes them as a file to change, for `gpu-qa analyze --config`.", style="dim"))
    return Group(*parts)


def settings_toml(settings: Settings) -> str:
    """The settings as a file that `load_settings` reads, each with what it means; unset ones are commented out."""
    lines: list[str] = []
    for table, part in (("source", settings.source), ("decode", settings.decode)):
        lines += [f"[{table}]", *_toml(part), ""]
    for name, detector in known_detectors().items():
        chosen = settings.detectors.get(name)
        lines += [f"[detectors.{name}]", f"# {detector.summary}"]
        if chosen is None:
            lines += ["enabled = false", ""]
        else:
            lines += [*_toml(chosen.limits), *_toml(chosen.timing, described=False), ""]
    return "\n".join(lines)


def _toml(settings: Any, *, described: bool = True) -> list[str]:
    lines: list[str] = []
    for item in _fields(settings):
        if described and item["description"]:
            lines += textwrap.wrap(item["description"], 110, initial_indent="# ", subsequent_indent="# ")
        value = item["default"]
        # JSON's text, numbers, truth values and lists are TOML's too.
        lines.append(f"# {item['name']} =" if value is None else f"{item['name']} = {json.dumps(value)}")
    return lines


def _fields(settings: Any) -> list[dict[str, Any]]:
    descriptions = field_descriptions(type(settings))
    return [
        {"name": name, "default": default, "description": descriptions.get(name, "")}
        for name, default in plain(settings).items()
    ]


def field_descriptions(settings_class: type) -> dict[str, str]:
    """The strings under a dataclass's fields, each as one line; empty where its source is not at hand."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(settings_class)))
    except (OSError, TypeError, SyntaxError):
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    names = {item.name for item in dataclasses.fields(settings_class)}
    found: dict[str, str] = {}
    for field, below in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.target.id in names:
            text = below.value if isinstance(below, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                found[field.target.id] = " ".join(text.value.split())
    return found


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
