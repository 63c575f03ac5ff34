"""Write the measured numbers into docs/: `python benchmarks/page.py` after a benchmark has written a result.

docs/speed.md has places `<!-- NAME -->` … `<!-- /NAME -->`; what stands between them is made here from
`results/NAME.json`, so that the page says nothing that was not measured. The place in docs/cost.md is filled from the
costs and prices that come with the package.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "kernels")]

from benchmarks import result  # noqa: E402
from benchmarks.judging import CONTENTS, JudgingResult  # noqa: E402
from benchmarks.many_streams import ManyStreamsResult  # noqa: E402
from benchmarks.result import MemoryResult, PipelineResult, Side, Target  # noqa: E402
from gpu_qa.bench.costs import load_costs  # noqa: E402
from gpu_qa.fleet import DEFAULT_COSTS  # noqa: E402
from gpu_qa.fleet.machine import load_prices  # noqa: E402
from gpu_qa.fleet.plan import Headroom  # noqa: E402
from gpu_qa.fleet.price import price_rows  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping

Document = PipelineResult | MemoryResult | JudgingResult | ManyStreamsResult
PAGE = ROOT / "docs" / "speed.md"
_COLUMNS = "wall s | CPU s | frames/s | CPU ms per frame | peak MB | others kept busy"
COST_PAGE = ROOT / "docs" / "cost.md"
RESULTS = ROOT / "benchmarks" / "results"
KINDS: dict[str, Any] = {
    "pipeline": PipelineResult,
    "av_offset_cost": PipelineResult,
    "many_streams": ManyStreamsResult,
    "memory": MemoryResult,
    "judging": JudgingResult,
}


def load(name: str) -> Document:
    """A committed result.

    Raises:
        ValueError: It does not follow the schema.
    """
    value = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    document: Document = result.read(KINDS[name], value)
    return document


def filled(page: str, name: str, document: Document) -> str:
    """The page with a result's numbers in their place.

    Raises:
        ValueError: The page has no such place.
    """
    return replaced(page, name, _text(document))


def with_prices(page: str) -> str:
    """The page with what streams cost per hour by the costs and prices that come with the package.

    Raises:
        ValueError: The page has no such place.
    """
    costs = load_costs(DEFAULT_COSTS)
    lines = [
        "| stream | machine | $/h | streams at planned load | $ per stream-hour | limited by |",
        "|---|---|---:|---:|---:|---|",
    ]
    for row in price_rows(costs, load_prices(), Headroom(), None):
        price = "" if row.usd_per_stream_hour is None else f"{row.usd_per_stream_hour:.4f}"
        lines.append(
            f"| {row.format} | {row.machine} | {row.usd_per_hour:g} | {row.streams} | {price} | {row.limited_by} |"
        )
    machine = costs.machine
    where = (
        f"All are projections from CPU times measured {costs.created[:10]} on {machine.cores} cores of {machine.cpu} "
        f"({costs.software.commit}), load average {machine.load_before:g} before and {machine.load_after:g} after, and "
        "from NVIDIA's published decoding rates."
    )
    return replaced(page, "prices", "\n".join([*lines, "", where]))


def replaced(page: str, name: str, text: str) -> str:
    """The page with other words between a place's marks.

    Raises:
        ValueError: The page has no such place.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if begin not in page or end not in page:
        raise ValueError(f"the page has no {begin} … {end}")
    place = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    return place.sub(lambda _: f"{begin}\n{text}\n{end}", page, count=1)


def write_tables(page: Path, tables: Mapping[str, str]) -> None:
    """Put Markdown into a page, each table between the marks of its name.

    Raises:
        ValueError: The page has no such place.
    """
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        text = replaced(text, name, table)
    page.write_text(text, encoding="utf-8")


def _text(document: Document) -> str:
    lines = [
        "| | median | middle half | wanted | met |",
        "|---|---:|---:|---:|---|",
        *(_target_row(target) for target in document.targets),
        "",
    ]
    if isinstance(document, PipelineResult):
        lines += [
            f"| {document.clip.height}p side | {_COLUMNS} |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *(_side_row(side) for side in document.sides),
            "",
        ]
    if isinstance(document, JudgingResult):
        found = {(stage.stage, stage.content): stage.us.median for stage in document.stages}
        lines += [
            f"| CPU µs per picture | {' | '.join(CONTENTS)} |",
            f"|---{'|---:' * len(CONTENTS)}|",
            *(
                f"| {name} | {' | '.join(f'{found.get((name, content), 0.0):.1f}' for content in CONTENTS)} |"
                for name in dict.fromkeys(stage.stage for stage in document.stages)
            ),
            "",
        ]
    return "\n".join([*lines, _where(document)])


def _target_row(target: Target) -> str:
    wanted = "" if target.limit is None else f"{'≤' if target.wanted == 'at most' else '≥'} {target.limit:g}"
    met = "" if target.met is None else ("yes" if target.met else "**no**")
    spread = f"{target.value.q1:.2f} … {target.value.q3:.2f}" if len(target.value.values) > 1 else "once"
    return f"| {target.name} | {target.value.median:.2f} | {spread} | {wanted} | {met} |"


def _side_row(side: Side) -> str:
    return (
        f"| {side.name} | {side.wall_s.median:.2f} | {side.cpu_s.median:.2f} | {side.frames_per_s:.0f} | "
        f"{side.cpu_ms_per_frame:.1f} | {side.peak_mb.median:.0f} | {side.elsewhere.median:.2f} |"
    )


def _where(document: Document) -> str:
    machine, software = document.machine, document.software
    packages = ", ".join(
        f"{name} {software.packages[name]}" for name in ("av", "numba", "numpy") if name in software.packages
    )
    ffmpeg = re.match(r"ffmpeg version ([\d.]+)", software.ffmpeg or "")
    rounds = "" if isinstance(document, MemoryResult) else f"{document.rounds} rounds, "
    return (
        f"{document.created[:10]}, {rounds}{machine.cores} cores of {machine.cpu}, "
        f"load average {machine.load_before:g} before "
        f"and {machine.load_after:g} after; Python {software.python}, {packages}"
        f"{f', FFmpeg {ffmpeg[1]}' if ffmpeg else ''}; {_what(document)}."
    )


def _what(document: Document) -> str:
    if isinstance(document, JudgingResult):
        return f"{document.pictures} measured pictures with stereo sound"
    clip = document.clip
    return (
        f"{clip.frames} frames of {clip.width}×{clip.height} {clip.video_codec} at {clip.bit_rate / 1e6:.1f} Mbit/s"
        f"{f' with {clip.audio_codec}' if clip.audio_codec else ''}"
    )


def main() -> int:
    """Fill all places."""
    page = PAGE.read_text(encoding="utf-8")
    for name in KINDS:
        page = filled(page, name, load(name))
    PAGE.write_text(page, encoding="utf-8")
    COST_PAGE.write_text(with_prices(COST_PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
