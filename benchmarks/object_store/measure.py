"""Measuring both designs on one clip, in interleaved rounds."""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.object_store.meter import Cost
from benchmarks.object_store.one_process import __name__ as one_process_module
from benchmarks.object_store.server import ObjectStore, version
from benchmarks.object_store.service import Service
from benchmarks.object_store.store import Store, Traffic
from benchmarks.object_store.usage import Agreement, Measured, OneProcessUse, RunUse, SeenEvent, ServiceUse
from benchmarks.object_store.workflow import Orchestrator, monitoring
from benchmarks.result import Spread, python_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.object_store.converter import ConverterSettings

_LATENCIES = 200
_TIME_S = 1e-6


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to lay a stream into the object store."""

    name: str
    settings: ConverterSettings


@dataclass(slots=True)
class _Round:
    """A run of the services over the clip."""

    costs: dict[str, Cost]
    transitions: int
    executions: int
    payload_bytes: int
    latencies_s: list[float]
    store_cpu_s: float
    frames: int
    events: tuple[SeenEvent, ...]


@dataclass(slots=True)
class _Rounds:
    """All rounds of all sides."""

    one_process: list[dict[str, Any]] = field(default_factory=list)
    services: dict[str, list[_Round]] = field(default_factory=dict)


def measure(
    clip: Path,
    warm_up: Path,
    seconds: float,
    frames: int,
    detectors: Sequence[str],
    layouts: Sequence[Layout],
    *,
    connections: int,
    rounds: int,
    before_run: Callable[[], None] = lambda: None,
    tell: Callable[[str], None] = lambda _: None,
) -> Measured:
    """Run every side once per round, every other round in reverse order.

    Args:
        clip: What is measured on.
        warm_up: What every process sees first.
        seconds: Length of the clip.
        frames: Pictures in it.
        detectors: The same on both sides.
        layouts: How the frames go through the object store.
        connections: Requests that a service may have under way at once.
        rounds: How often.
        before_run: Called before each run, such as to wait for a quiet second.
        tell: Told which run begins.
    """
    done = _Rounds()
    with ObjectStore() as server:
        store = Store(server.access, 1)
        store.create_bucket()
        store.close()
        for number in range(rounds):
            sides: list[Layout | None] = [None, *layouts]
            for side in reversed(sides) if number % 2 else sides:
                tell(f"round {number + 1} of {rounds}: {side.name if side else 'one process'}")
                before_run()
                if side is None:
                    done.one_process.append(_one_process(clip, warm_up, frames, detectors))
                else:
                    found = _services(clip, warm_up, server, side, detectors, connections)
                    done.services.setdefault(side.name, []).append(found)
    one_process = _one_process_use(done.one_process, seconds)
    runs = tuple(
        _run_use(layout, done.services[layout.name], seconds, connections, one_process.events) for layout in layouts
    )
    return Measured(version(), tuple(detectors), rounds, runs, one_process)


def _one_process(clip: Path, warm_up: Path, frames: int, detectors: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = python_json(["-m", one_process_module, str(clip), str(warm_up), *detectors])
    if found["frames"] != frames:
        raise RuntimeError(f"one process saw {found['frames']} frames of {frames}")
    return found


def _services(
    clip: Path, warm_up: Path, server: ObjectStore, layout: Layout, detectors: Sequence[str], connections: int
) -> _Round:
    names = ("converter", *detectors, "collector")
    services: dict[str, Service] = {}
    try:
        for name in names:
            services[name] = Service(name, server.access, connections)
        _stream(warm_up, "warm-up", layout, services, detectors)
        for service in services.values():
            service.cost = Cost()
        store_cpu_s = server.cpu_s()
        found = _stream(clip, "clip", layout, services, detectors)
        found.store_cpu_s = server.cpu_s() - store_cpu_s
        found.costs = {name: service.cost for name, service in services.items()}
        return found
    finally:
        for service in services.values():
            service.close()


def _stream(path: Path, prefix: str, layout: Layout, services: dict[str, Service], detectors: Sequence[str]) -> _Round:
    """A file from its begin to its end."""
    from benchmarks.object_store.payload import unpacked

    services["converter"].invoke({"open": str(path), "prefix": prefix, "settings": asdict(layout.settings)})
    services["converter"].cost = Cost()
    orchestrator = Orchestrator(monitoring(detectors), services, detectors)
    done = _Round({}, 0, 0, 0, [], 0.0, 0, ())
    events: dict[str, SeenEvent] = {}
    last = False
    try:
        while not last:
            execution = orchestrator.run()
            done.executions += 1
            done.transitions += execution.transitions
            done.payload_bytes = max(done.payload_bytes, execution.payload_bytes)
            done.latencies_s.append(execution.latency_s)
            done.frames += len(unpacked(execution.result["converter"]["chunk"]).frames)
            for event in execution.result["collector"]["events"]:
                if event["state"] == "closed":
                    events[event["id"]] = _seen(event)
            last = execution.result["converter"]["last"]
    finally:
        orchestrator.close()
    done.events = _ordered(events.values())
    return done


def _seen(event: dict[str, Any]) -> SeenEvent:
    value = event["value"]
    return SeenEvent(
        event["kind"], event["start_s"], event["end_s"], value if value is not None and math.isfinite(value) else None
    )


def _ordered(events: Any) -> tuple[SeenEvent, ...]:
    return tuple(sorted(events, key=lambda event: (event.start_s, event.kind)))


def _one_process_use(rounds: list[dict[str, Any]], seconds: float) -> OneProcessUse:
    return OneProcessUse(
        frames_per_s=round(rounds[0]["frames"] / seconds, 4),
        cpu_s=_spread([one["cpu_s"] / seconds for one in rounds]),
        wall_s=_spread([one["wall_s"] / seconds for one in rounds]),
        peak_mb=round(max(one["peak_mb"] for one in rounds), 1),
        events=_ordered(_seen(event) for event in rounds[-1]["events"]),
    )


def _run_use(
    layout: Layout, rounds: list[_Round], seconds: float, connections: int, expected: tuple[SeenEvent, ...]
) -> RunUse:
    chosen = layout.settings
    latencies_s = [latency_s for one in rounds for latency_s in one.latencies_s]
    step = -(-len(latencies_s) // _LATENCIES)
    return RunUse(
        name=layout.name,
        frames_per_s=round(rounds[0].frames / seconds, 4),
        encoding=chosen.encoding,
        chunk_s=chosen.chunk_s,
        bundled=chosen.bundled,
        connections=connections,
        transitions=round(rounds[0].transitions / seconds, 4),
        executions=round(rounds[0].executions / seconds, 4),
        payload_bytes=max(one.payload_bytes for one in rounds),
        latency_s=Spread.of(sorted(latencies_s)[::step]),
        store_cpu_s=_spread([one.store_cpu_s / seconds for one in rounds]),
        services=tuple(_service_use(name, [one.costs[name] for one in rounds], seconds) for name in rounds[0].costs),
        events=rounds[-1].events,
        agreement=compared(rounds[-1].events, expected),
    )


def _service_use(name: str, costs: list[Cost], seconds: float) -> ServiceUse:
    names = list(dict.fromkeys(part for cost in costs for part in cost.parts))
    parts = {part: statistics.median(cost.parts.get(part, 0.0) for cost in costs) / seconds for part in names}
    parts["rest"] = statistics.median(max(0.0, cost.cpu_s - sum(cost.parts.values())) for cost in costs) / seconds
    traffic = {
        one: statistics.median(getattr(cost.traffic, one) for cost in costs) / seconds for one in Traffic.__slots__
    }
    return ServiceUse(
        name=name,
        role="converter" if name == "converter" else "collector" if name == "collector" else "detector",
        invocations=round(costs[0].invocations / seconds, 4),
        cpu_s=_spread([cost.cpu_s / seconds for cost in costs]),
        parts={part: round(cpu_s, 6) for part, cpu_s in parts.items()},
        wait_s=round(traffic["wait_s"], 6),
        waits=round(traffic["rounds"], 4),
        puts=round(traffic["puts"], 4),
        gets=round(traffic["gets"], 4),
        deletes=round(traffic["deletes"], 4),
        put_bytes=round(traffic["put_bytes"], 1),
        get_bytes=round(traffic["get_bytes"], 1),
        peak_mb=round(max(cost.peak_mb for cost in costs), 1),
    )


def _spread(values: list[float]) -> Spread:
    """Like `Spread.of`, for values as small as microseconds."""
    spread = Spread.of([value * 1e3 for value in values])
    return Spread(
        round(spread.median / 1e3, 7),
        round(spread.q1 / 1e3, 7),
        round(spread.q3 / 1e3, 7),
        tuple(round(value, 7) for value in values),
    )


def compared(events: tuple[SeenEvent, ...], expected: tuple[SeenEvent, ...]) -> Agreement:
    """How the events of the services compare with those of one process."""
    pairs = [
        (one, next((event for event in events if event.kind == one.kind and _overlap(event, one)), None))
        for one in expected
    ]
    found = [(one, event) for one, event in pairs if event is not None]
    matched = [event for _, event in found]
    return Agreement(
        identical=len(events) == len(expected)
        and all(_same(one, other) for one, other in zip(events, expected, strict=False)),
        found=len(found),
        missed=tuple(_named(one) for one, event in pairs if event is None),
        surplus=tuple(_named(event) for event in events if event not in matched),
        worst_s=round(max((max(abs(a.start_s - b.start_s), abs(a.end_s - b.end_s)) for a, b in found), default=0.0), 6),
    )


def _overlap(a: SeenEvent, b: SeenEvent) -> bool:
    return a.start_s < b.end_s and b.start_s < a.end_s


def _same(a: SeenEvent, b: SeenEvent) -> bool:
    close = abs(a.start_s - b.start_s) <= _TIME_S and abs(a.end_s - b.end_s) <= _TIME_S
    return a.kind == b.kind and close and a.value == b.value


def _named(event: SeenEvent) -> str:
    return f"{event.kind} {event.start_s:.2f}–{event.end_s:.2f} s"
