"""The tables of docs/compare.md."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.page import write_tables

if TYPE_CHECKING:
    from benchmarks.compare.schema import CompareResult, Others

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "compare.md"
_WAYS = {
    "quarter": "a quarter of the bit rate",
    "half": "half the size",
    "logo": "logo and lower third",
    "rate_25_50": "25 → 50 frames per second",
    "rate_2997_25": "29.97 → 25 frames per second",
    "combined": "two to four of these at once",
    "same rate": "**at the reference's rate**",
    "other rate": "**at another rate**",
    "all": "**all**",
}
_KINDS = {
    "other": "another programme",
    "part": "another part of the same clip",
    "take": "the other half of a clip of 8 to 20 s: the same speaker, another take",
    "reversed": "its own programme backwards",
    "all": "**all**",
}


def tables(document: CompareResult) -> dict[str, str]:
    """Markdown by the name of its place in the page."""
    return {"copies": _copies(document), "others": _others(document), "drifts": _drifts(document)}


def write(document: CompareResult) -> None:
    """Put the tables into the page."""
    write_tables(PAGE, tables(document))


def _copies(document: CompareResult) -> str:
    lines = ["| copy | copies | answered | median | 95 % | 99 % | largest | within 20 ms |", "|---" * 8 + "|"]
    for row in document.copies:
        errors = " | ".join(_ms(one) for one in (row.median_ms, row.p95_ms, row.p99_ms, row.largest_ms))
        name = _WAYS.get(row.way, row.way)
        lines.append(f"| {name} | {row.copies} | {row.answered} | {errors} | {row.within_20_ms} of {row.answered} |")
    return "\n".join(lines)


def _others(document: CompareResult) -> str:
    lines = [
        "| probe | pairs | recognised | nothing known | picture, sound taken for it | skew told |",
        "|---" * 6 + "|",
    ]
    lines += [
        f"| {_KINDS.get(row.kind, row.kind)} | {row.pairs} | {_recognised(row)} | {row.unknown} "
        f"| {row.picture_matched}, {row.sound_matched} | {row.with_skew} |"
        for row in document.others
    ]
    return "\n".join(lines)


def _recognised(row: Others) -> str:
    share = row.recognised / row.pairs if row.pairs else 0.0
    return f"{row.recognised}: {100 * share:.1f} % ({100 * row.least_share:.1f} to {100 * row.most_share:.1f})"


def _drifts(document: CompareResult) -> str:
    lines = ["| material | planted | told | told as a problem after |", "|---" * 4 + "|"]
    for row in document.drifts:
        told = "—" if row.told_ppm is None else f"{row.told_ppm:+.1f} ± {row.sigma_ppm or 0:.1f} ppm"
        after = "—" if row.told_after_s is None else f"{row.told_after_s:.0f} s"
        lines.append(f"| {row.material} | {row.planted_ppm:+.0f} ppm | {told} | {after} |")
    return "\n".join(lines)


def _ms(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f} ms" if value < 1 else f"{value:.1f} ms"
