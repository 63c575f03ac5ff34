"""Diagnosis: what was found of this machine, for programs and for a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Area", "Diagnosis", "Finding", "diagnosis_json", "render"]

Outcome = Literal["ok", "missing", "broken"]
Area = Literal["machine", "cpu", "inputs", "gpu"]
_AREAS: dict[Area, str] = {
    "machine": "This machine",
    "cpu": "Analysis on the CPU",
    "inputs": "Inputs",
    "gpu": "Analysis on the GPU",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    area: Area
    name: str
    outcome: Outcome
    """`missing` is not there; `broken` is there and does not work."""
    detail: str
    """What was found, in one line."""
    remedy: str = ""
    """What helps; empty where all is well."""
    data: dict[str, Any] | None = None
    """JSON values for programs, where there is more to say than `detail`."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that was found."""

    findings: tuple[Finding, ...]

    def works(self, area: Area) -> bool:
        """True where nothing of the area is missing or broken."""
        return all(finding.outcome == "ok" for finding in self.findings if finding.area == area)

    @property
    def exit_code(self) -> int:
        """0 where files and streams can be analyzed on the CPU, 1 where not."""
        return 0 if self.works("cpu") else 1


def diagnosis_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """The diagnosis as JSON values."""
    return {
        "cpu": diagnosis.works("cpu"),
        "gpu": diagnosis.works("gpu"),
        "findings": [
            {
                "area": finding.area,
                "name": finding.name,
                "outcome": finding.outcome,
                "detail": finding.detail,
                "remedy": finding.remedy or None,
                **({"data": finding.data} if finding.data is not None else {}),
            }
            for finding in diagnosis.findings
        ],
    }


def render(diagnosis: Diagnosis) -> RenderableType:
    """The diagnosis for a terminal."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    marks = {"ok": ("✓", "green"), "missing": ("–", "yellow"), "broken": ("✗", "bold red")}
    parts: list[RenderableType] = []
    for area, title in _AREAS.items():
        parts.append(Text(title, style="bold"))
        table = Table.grid(padding=(0, 1))
        table.add_column(width=3, justify="right")
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for finding in diagnosis.findings:
            if finding.area == area:
                detail = Text(finding.detail)
                if finding.remedy:
                    detail.append(f"\n→ {finding.remedy}", style="bold")
                table.add_row(Text(*marks[finding.outcome]), finding.name, detail)
        parts += [table, Text()]
    where = "on the GPU and on the CPU" if diagnosis.works("gpu") else "on the CPU"
    words = f"Ready: inputs are analyzed {where}." if diagnosis.works("cpu") else "Not ready: see what is marked ✗."
    parts.append(Text(words, style="bold green" if diagnosis.works("cpu") else "bold red"))
    return Group(*parts)
