"""A bench's result for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpu_qa.bench.result import shown
from gpu_qa.bench.weigh import sum_ms

if TYPE_CHECKING:
    from rich.console import Group

    from gpu_qa.bench.costs import BenchResult, FormatCost, RealTime


def render(found: BenchResult) -> Group:
    """The result for a terminal: median [first quartile … third quartile]."""
    from rich.console import Group
    from rich.text import Text

    machine = found.machine
    where = f"{machine.cores} cores of {machine.cpu}" + (f", {machine.gpu}" if found.device == "cuda" else "")
    parts: list[Any] = [Text(f"{where}; load average {machine.load_before:g} before, {machine.load_after:g} after")]
    for one in found.formats:
        title = f"{one.codec} {one.width}×{one.height} at {one.frame_rate:g}/s"
        bit_rate = f"{one.clip.bit_rate / 1e6:.1f} Mbit/s, {one.parallel} at once"
        parts += [Text(), Text(f"{title}, {bit_rate}", style="bold"), _sides(one), Text(), _parts(one)]
        parts += [Text(f"{ratio.name}: {shown(ratio.value)}") for ratio in one.ratios]
        parts.append(Text(_memory(one, found.base_mb)))
        if one.real_time is not None:
            parts += [Text(), _probes(one.real_time), Text(_real_time(one.real_time), style="bold")]
            if one.real_time.latency is not None:
                late = one.real_time.latency
                parts.append(
                    Text(
                        f"from picture to event: p50 {late.p50_s:.2f} s, p99 {late.p99_s:.2f} s "
                        f"({late.events} events, {late.streams} streams)"
                    )
                )
    if not found.complete:
        parts += [Text(), Text("Interrupted: formats that were not finished are missing.", style="yellow")]
    return Group(*parts)


def _sides(one: FormatCost) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("side")
    for title in ("pictures/s", "CPU ms per picture", "streams per core", "peak MB", "others busy"):
        table.add_column(title, justify="right")
    for side in one.sides:
        table.add_row(
            side.name,
            f"{side.frames_per_s:.0f}",
            f"{side.cpu_ms_per_frame:.2f}",
            f"{1000 / side.cpu_ms_per_frame / one.frame_rate:.2f}",
            f"{side.peak_mb.median:.0f}",
            f"{side.elsewhere.median:.2f}",
        )
    return table


def _parts(one: FormatCost) -> Any:
    from rich.table import Table

    rate, parts = one.frame_rate, one.parts
    rows = [
        ("demux", parts.demux_ms.median),
        ("decode", parts.decode_ms.median),
        ("measure", parts.measure_ms.median),
        ("series", parts.series_ms.median),
        ("record", parts.record_ms.median),
        ("sound", (parts.sound_decode_ms.median + parts.sound_measure_ms.median) / rate),
    ]
    rows += [(cost.name, cost.ms.median / (1.0 if cost.per == "picture" else rate)) for cost in parts.detectors]
    table = Table(box=None, pad_edge=False, title="CPU ms per picture, each part by itself", title_justify="left")
    for _ in range(4):
        table.add_column()
        table.add_column(justify="right")
    rows.append(("sum", sum_ms(parts, rate)))
    rows.append(("× whole program", one.overhead))
    cells = [(name, f"{value:.3f}") for name, value in rows]
    for start in range(0, len(cells), 4):
        table.add_row(*[text for cell in cells[start : start + 4] for text in cell])
    return table


def _memory(one: FormatCost, base_mb: float) -> str:
    more = "not measured" if one.memory_mb is None else f"{one.memory_mb:.1f} MB more per stream"
    card = "" if one.device_mb is None else f", {one.device_mb:.0f} MB on the card"
    return f"memory: {base_mb:.0f} MB without streams, {more}{card}"


def _probes(real_time: RealTime) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    titles = (
        "streams",
        "behind s",
        "dropped",
        "cores",
        "judging",
        "cores per stream",
        "MB (PSS)",
        "others busy",
        "held",
    )
    for title in titles:
        table.add_column(title, justify="right")
    for probe in real_time.probes:
        table.add_row(
            str(probe.streams),
            f"{probe.behind_s:.2f}",
            str(probe.frames_dropped),
            f"{probe.cpu_cores:.2f}",
            f"{probe.judging_cores:.2f}",
            f"{probe.cpu_cores / probe.streams:.3f}",
            f"{probe.proportional_mb:.0f}",
            f"{probe.elsewhere:.2f}",
            "yes" if probe.held else "no",
        )
    return table


def _real_time(real_time: RealTime) -> str:
    least = "at least " if real_time.at_least else ""
    return (
        f"{least}{real_time.streams} streams in real time: at most {real_time.allowed_s:g} s behind "
        f"for {real_time.seconds:g} s, none left out"
    )
