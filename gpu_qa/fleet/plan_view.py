"""A plan for people and for programs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from gpu_qa.fleet.plan import Planner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Group

    from gpu_qa.fleet.demand import PlannedStream
    from gpu_qa.fleet.plan import Job, Place, Plan

ROWS = 20
"""Groups of equal machines, clones and unplaced streams that a table shows; JSON has all."""


def plan_json(plan: Plan, streams: Sequence[PlannedStream]) -> dict[str, Any]:
    """The plan as JSON values; times in seconds, memory in 10⁶ bytes, money in US dollars."""
    machine, planner = plan.model.machine, Planner(plan.model, plan.headroom)
    places = []
    for place in plan.places:
        limit, nearness = planner.limit(place)
        places.append(
            {
                "load": {name: round(load, 4) for name, load in planner.load(place).items()},
                "limited_by": limit,
                "share_of_planned_load": round(nearness, 4),
                "memory_mb": round(place.memory_mb, 1),
                "processes": [
                    {"card": process.card, "streams": [_job_json(job) for job in process.jobs]}
                    for process in place.processes
                ],
            }
        )
    return {
        "machine": {
            "name": machine.name,
            "usd_per_hour": machine.usd_per_hour,
            "vcpus": machine.vcpus,
            "memory_gib": machine.memory_gib,
            "card": machine.card,
            "cards": machine.cards,
            "card_memory_gib": machine.card_memory_gib,
            "region": machine.region,
            "date": machine.date,
            "source": machine.source,
        },
        "streams": len(streams),
        "streams_placed": plan.streams,
        "machines": len(plan.places),
        "usd_per_hour": round(plan.usd_per_hour, 6),
        "usd_per_stream_hour": None if plan.usd_per_stream_hour is None else round(plan.usd_per_stream_hour, 6),
        "projected": plan.projected,
        "headroom": {
            "cpu": plan.headroom.cpu,
            "thread": plan.headroom.thread,
            "memory": plan.headroom.memory,
            "engines": plan.headroom.engines,
            "device_memory": plan.headroom.device_memory,
        },
        "remarks": list(plan.model.remarks(streams)),
        "placed": places,
        "unplaced": [{"stream": one.stream.name, "reason": one.reason} for one in plan.unplaced],
    }


def _job_json(job: Job) -> dict[str, Any]:
    demand = job.demand
    return {
        "stream": job.stream.name,
        "format": job.stream.kind,
        "detectors": list(job.detectors),
        "clone": job.clone,
        "clones": job.clones,
        "cores": round(demand.cores, 5),
        "memory_mb": round(demand.memory_mb, 1),
        "engines": round(demand.engines, 5),
        "device_mb": round(demand.device_mb, 1),
    }


def render(plan: Plan, streams: Sequence[PlannedStream]) -> Group:
    """The plan for a terminal."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    facts = Table.grid(padding=(0, 2))
    for name, text in _facts(plan, streams):
        facts.add_row(Text(name, style="bold"), Text(text))
    parts: list[Any] = [facts]
    if plan.places:
        parts += [Text(), _machines(plan)]
    clones = [job for place in plan.places for job in place.jobs if job.clones > 1]
    if clones:
        parts += [Text(), _clones(plan, clones)]
    if plan.unplaced:
        parts.append(Text())
        parts += [Text(f"{one.stream.name}: {one.reason}", style="red") for one in plan.unplaced[:ROWS]]
        if len(plan.unplaced) > ROWS:
            parts.append(Text(f"… and {len(plan.unplaced) - ROWS} more", style="red"))
    parts += [Text(), *(Text(f"· {remark}", style="dim") for remark in plan.model.remarks(streams))]
    return Group(*parts)


def _facts(plan: Plan, streams: Sequence[PlannedStream]) -> list[tuple[str, str]]:
    machine, room, planner = plan.model.machine, plan.headroom, Planner(plan.model, plan.headroom)
    kinds = Counter(stream.kind for stream in streams)
    size = f"{machine.vcpus} vCPU, {machine.memory_gib:g} GiB"
    size += f", {machine.cards} × {machine.card}" if machine.card else ""
    facts = [
        ("Streams", f"{len(streams)}: " + ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common(5))),
        (
            "Machine",
            f"{machine.name} ({size}), {machine.usd_per_hour:g} $/h in {machine.region}, {machine.date}",
        ),
        ("Machines", f"{len(plan.places)}" + (" (a projection)" if plan.projected else "")),
    ]
    if plan.usd_per_stream_hour is not None:
        per_stream = f"{plan.usd_per_stream_hour:.4f} $ per stream-hour"
        facts.append(("Cost", f"{plan.usd_per_hour:.3f} $/h, {per_stream}"))
        limits = Counter(planner.limit(place)[0] for place in plan.places)
        facts.append(("Limited by", ", ".join(name for name, _ in limits.most_common())))
    cloned = len({job.stream.name for place in plan.places for job in place.jobs if job.clones > 1})
    if plan.places:
        clones = f"{cloned} streams are cloned, each clone with some of theirs; " if cloned else ""
        facts.append(("Detectors", f"{clones}{'otherwise ' if cloned else ''}all of a stream in one process"))
    planned = f"CPU {room.cpu:.0%}, one thread {room.thread:.0%}, memory {room.memory:.0%}"
    if plan.model.card is not None:
        planned += f", decoding engines {room.engines:.0%}, device memory {room.device_memory:.0%}"
    facts.append(("Planned load", f"at most {planned}"))
    if plan.unplaced:
        facts.append(("Not placed", f"{len(plan.unplaced)} streams that no {machine.name} carries"))
    return facts


def _machines(plan: Plan) -> Any:
    from rich.table import Table

    planner = Planner(plan.model, plan.headroom)
    names = list(planner.load(plan.places[0]))
    table = Table(box=None, pad_edge=False)
    table.add_column("Machines", justify="right")
    table.add_column("Processes", justify="right")
    table.add_column("Streams on each")
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("Limited by")
    groups: Counter[tuple[str, ...]] = Counter()
    for place in plan.places:
        load = planner.load(place)
        limit, nearness = planner.limit(place)
        groups[
            str(len(place.processes)),
            _kinds(place),
            *(f"{load[name]:.0%}" for name in names),
            f"{limit}, {nearness:.0%} of what is planned",
        ] += 1
    for row, count in list(groups.items())[:ROWS]:
        table.add_row(str(count), *row)
    if len(groups) > ROWS:
        table.add_row("…", f"{len(groups) - ROWS} more", *[""] * (len(names) + 2))
    return table


def _kinds(place: Place) -> str:
    kinds = Counter(
        job.stream.kind + (f" (clone {job.clone} of {job.clones})" if job.clones > 1 else "") for job in place.jobs
    )
    return "\n".join(f"{count} × {kind}" for kind, count in kinds.items())


def _clones(plan: Plan, clones: Sequence[Job]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for title in ("Stream", "Clone", "Detectors"):
        table.add_column(title)
    number = {id(job): i for i, place in enumerate(plan.places, 1) for job in place.jobs}
    table.add_column("Machine", justify="right")
    for job in sorted(clones, key=lambda job: (job.stream.name, job.clone))[:ROWS]:
        place = str(number[id(job)])
        # A name in brackets is no markup.
        table.add_row(Text(job.stream.name), f"{job.clone} of {job.clones}", ", ".join(job.detectors), place)
    if len(clones) > ROWS:
        table.add_row("…", f"{len(clones) - ROWS} more", "", "")
    return table
