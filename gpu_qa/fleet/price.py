"""Throughput per dollar: what a stream costs per hour on the machine that was measured, and on others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpu_qa.errors import ConfigError
from gpu_qa.fleet.demand import CostModel, PlannedStream
from gpu_qa.fleet.plan import Planner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Group

    from gpu_qa.bench.costs import BenchResult, FormatCost
    from gpu_qa.fleet.machine import PriceTable
    from gpu_qa.fleet.plan import Headroom


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One kind of stream on one machine."""

    format: str
    machine: str
    usd_per_hour: float
    streams: int
    """That the machine carries at the planned load; 0 where it carries none."""
    limited_by: str
    usd_per_stream_hour: float | None
    """Null where it carries none."""
    measured: bool
    """The streams were run on this machine; else a projection from measured costs and published rates."""


def price_rows(found: BenchResult, table: PriceTable, headroom: Headroom, here: str | None) -> tuple[PriceRow, ...]:
    """What a stream costs per hour, cheapest first for each format.

    Args:
        found: A bench's result.
        table: Machines and prices.
        headroom: How much of each machine is used.
        here: Name of the measured machine in the table; null where it has none.
    """
    rows: list[PriceRow] = []
    for cost in found.formats:
        stream = _stream_of(cost)
        of_format: list[PriceRow] = []
        for machine in table.machines.values():
            kind = stream.kind
            if machine.name == here and cost.real_time is not None:
                streams = int(cost.real_time.streams * headroom.cpu)
                limited = f"measured: {cost.real_time.streams} in real time, {headroom.cpu:.0%} of them"
            else:
                card = table.card_of(machine)
                try:
                    streams, limited = Planner(CostModel(found, machine, card), headroom).capacity(stream)
                except ConfigError:
                    # Costs that were measured on a card say nothing of machines without one.
                    continue
            per_stream = machine.usd_per_hour / streams if streams else None
            measured = machine.name == here and cost.real_time is not None
            of_format.append(PriceRow(kind, machine.name, machine.usd_per_hour, streams, limited, per_stream, measured))
        rows += sorted(of_format, key=lambda row: (row.usd_per_stream_hour is None, row.usd_per_stream_hour or 0.0))
    return tuple(rows)


def _stream_of(cost: FormatCost) -> PlannedStream:
    return PlannedStream(
        name="one",
        codec=cost.codec,
        width=cost.width,
        height=cost.height,
        frame_rate=cost.frame_rate,
        detectors=tuple(one.name for one in cost.parts.detectors),
        sound_tracks=0 if cost.clip.audio_codec is None else 1,
    )


def render(rows: Sequence[PriceRow], found: BenchResult, headroom: Headroom, here: str | None) -> Group:
    """The rows for a terminal, with what they rest on."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    numbers = ("$/h", "Streams", "$ per stream-hour")
    for title in ("Stream", "Machine", *numbers, "", "Limited by"):
        table.add_column(title, justify="right" if title in numbers else "left")
    before = ""
    for row in rows:
        cost = "—" if row.usd_per_stream_hour is None else f"{row.usd_per_stream_hour:.4f}"
        table.add_row(
            row.format if row.format != before else "",
            row.machine,
            f"{row.usd_per_hour:g}",
            str(row.streams),
            cost,
            "measured" if row.measured else "projection",
            row.limited_by,
        )
        before = row.format
    own = (
        f"this machine is {here}"
        if here
        else "this machine has no name in the price table: --machine NAME gives it one"
    )
    notes = (
        f"Planned load: CPU and decoding engines {headroom.cpu:.0%} and {headroom.engines:.0%}; {own}. "
        f"Projections: CPU times of {found.machine.cpu}, one vCPU counted as one of its cores; pictures per decoding "
        "engine as NVIDIA publishes them. Prices with date and source: gpu_qa/fleet/machines.toml, --prices FILE."
    )
    return Group(table, Text(), Text(notes, style="dim"))
