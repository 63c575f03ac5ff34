"""Costs of made-up machines, for tests of planning."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gpu_qa.bench.costs import BenchResult, DetectorCost, FormatCost, Parts
from gpu_qa.bench.film import Clip
from gpu_qa.bench.result import SCHEMA, Machine, Software, Spread
from gpu_qa.fleet.demand import PlannedStream
from gpu_qa.fleet.machine import Card
from gpu_qa.fleet.machine import Machine as Rented

if TYPE_CHECKING:
    from typing import Literal

CARD = Card("X9", 2, {"h264": 600.0, "hevc": 1200.0}, "nowhere")


def once(value: float) -> Spread:
    return Spread(value, value, value, (value,))


def format_cost(codec: str = "h264", size: tuple[int, int] = (1920, 1080), **changes: Any) -> FormatCost:
    """Per picture 0.5 ms of demuxing, 6 of decoding, 1 of measuring, 0.2 of series, 0.1 of records."""
    detectors = (
        DetectorCost("freeze", "picture", once(0.4)),
        DetectorCost("black", "picture", once(0.2)),
        DetectorCost("silence", "second", once(2.0)),
    )
    parts = Parts(once(0.5), once(6.0), once(1.0), once(0.2), once(0.1), once(4.0), once(3.0), detectors)
    clip = Clip("clip.ts", True, "mpegts", 3.2, *size, 25.0, 80, codec, "aac", 8_000_000)
    cost = FormatCost(codec, *size, 25.0, clip, 2, (), (), parts, 1.0, 30.0, None, None)
    return replace(cost, **changes)


def costs(*formats: FormatCost, device: Literal["cpu", "cuda"] = "cpu", gpu: str | None = None) -> BenchResult:
    return BenchResult(
        schema=SCHEMA,
        benchmark="bench",
        created="2026-11-25T12:00:00+00:00",
        machine=Machine("Some CPU", 2, 16_000, "Linux", gpu, 0.0, 0.5),
        software=Software("3.11", {}, None, "0123456789ab"),
        device=device,
        rounds=1,
        complete=True,
        base_mb=150.0,
        formats=formats or (format_cost(),),
    )


def rented(**changes: Any) -> Rented:
    """4 vCPU and 8 GiB for 0.2 $/h, without a card."""
    machine = Rented("some.large", 0.2, 4, 8.0, region="here", date="2026-11", source="nowhere")
    return replace(machine, **changes)


def with_cards(cards: int = 1, **changes: Any) -> Rented:
    """The same with cards of 16 GiB."""
    return rented(**{"card": "X9", "cards": cards, "card_memory_gib": 16.0, **changes})


def stream(name: str = "one", **changes: Any) -> PlannedStream:
    """h264 1080p25 with sound and three detectors: 0.2150 cores."""
    return replace(PlannedStream(name, "h264", 1920, 1080, 25.0, ("freeze", "black", "silence")), **changes)
