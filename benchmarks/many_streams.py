"""What many streams in one process cost beside one process per stream, and what the engine adds to a plain loop.

    python benchmarks/many_streams.py                     # everything, some 20 minutes, 10 of them joining and leaving
    python benchmarks/many_streams.py --parts files,live --rounds 5
    python benchmarks/many_streams.py --churn-s 60 --rounds 1

All claims are ratios within one round, on the CPU. Parts:

    files    N files at full speed: one command with all of them, and N commands at once; starts and ends count
    live     N streams as they play: the same two, watched once all have settled; CPU time and memory
    cores    one process with 4 files on one core, and on two
    engine   one stream in the engine, and in a plain loop of two threads that decodes, measures and judges
    churn    streams join and leave for minutes: does memory grow?
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "kernels")]

from benchmarks import result  # noqa: E402
from benchmarks.one_process import FILES_PER_CORE_TEST, child  # noqa: E402
from benchmarks.processes import analyze_command, run_to_end, settle_s, watch_live  # noqa: E402
from benchmarks.result import Machine, MemorySample, Software, Target  # noqa: E402
from gpu_qa.bench import usage  # noqa: E402
from gpu_qa.bench.film import CACHE, Clip  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PARTS = ("files", "live", "cores", "engine", "churn")
MAX_CPU_RATIO = 0.85
MAX_MEMORY_RATIO = 0.5
MIN_SCALING = 1.8
MAX_ENGINE_RATIO = 1.05
MAX_GROWTH_MB = 16.0
CHURN_STREAMS = 6
_SETTLED_SHARE = 0.25
"""Part of the churn after which nothing is to grow any more."""


@dataclass(frozen=True, slots=True)
class ManyStreamsResult:
    """What this script writes."""

    schema: int
    benchmark: Literal["many_streams"]
    created: str
    """UTC, ISO 8601."""
    machine: Machine
    software: Software
    clip: Clip
    streams: int
    rounds: int
    live_s: float
    """How long the live runs were watched."""
    churn_s: float
    """How long streams joined and left; 0 where they did not."""
    elsewhere: result.Spread
    """Processors that other processes kept busy during a run."""
    churn: tuple[MemorySample, ...]
    """Memory (PSS) while streams joined and left."""
    targets: tuple[Target, ...]


@dataclass(slots=True)
class _Setup:
    clip: str
    long: str
    warm_up: str
    small: list[str]
    streams: int
    rounds: int
    live_s: float
    churn_s: float
    elsewhere: list[float]
    samples: list[tuple[float, float]]


def files(setup: _Setup) -> list[Target]:
    """N files to their ends."""
    together, apart = _rounds(
        setup,
        "files",
        lambda: run_to_end([analyze_command([setup.clip] * setup.streams)]),
        lambda: run_to_end([analyze_command([setup.clip])] * setup.streams),
    )
    cpu = _ratios(together, apart, lambda one: one.cpu_s)
    name = f"{setup.streams} files, one process / {setup.streams} processes"
    return [
        Target.of(f"CPU time, {name}", cpu, "at most", MAX_CPU_RATIO),
        Target.of(f"wall time, {name}", _ratios(together, apart, lambda one: one.wall_s)),
        Target.of(f"peak of summed PSS, {name}", _ratios(together, apart, lambda one: one.proportional_mb)),
    ]


def live(setup: _Setup) -> list[Target]:
    """N streams as they play."""
    wait_s = settle_s(setup.streams)
    together, apart = _rounds(
        setup,
        "live",
        lambda: watch_live([analyze_command([setup.long] * setup.streams, "--real-time")], wait_s, setup.live_s),
        lambda: watch_live([analyze_command([setup.long], "--real-time")] * setup.streams, wait_s, setup.live_s),
    )
    name = f"{setup.streams} live streams, one process / {setup.streams} processes"
    return [
        Target.of(f"CPU time, {name}", _ratios(together, apart, lambda one: one.cpu_s), "at most", MAX_CPU_RATIO),
        Target.of(
            f"memory (PSS), {name}",
            _ratios(together, apart, lambda one: one.proportional_mb),
            "at most",
            MAX_MEMORY_RATIO,
        ),
        Target.of(f"memory (RSS), {name}", _ratios(together, apart, lambda one: one.resident_mb)),
        Target.of(f"memory of one process with {setup.streams}, PSS, MB", [one.proportional_mb for one in together]),
        Target.of(f"memory of {setup.streams} processes, PSS, MB", [one.proportional_mb for one in apart]),
        Target.of(f"cores of one process with {setup.streams}", [one.cpu_s / one.wall_s for one in together]),
        Target.of(f"cores of {setup.streams} processes", [one.cpu_s / one.wall_s for one in apart]),
    ]


def cores(setup: _Setup) -> list[Target]:
    """One process on one core and on two."""
    if usage.cores() < 2:
        print("cores: left out, there is only one", file=sys.stderr)
        return []
    one, two = _rounds(
        setup,
        "cores",
        lambda: _in_child({"kind": "files", "cores": 1, "clip": setup.clip, "warm_up": setup.warm_up}),
        lambda: _in_child({"kind": "files", "cores": 2, "clip": setup.clip, "warm_up": setup.warm_up}),
    )
    name = f"{FILES_PER_CORE_TEST} files, two cores / one core"
    faster = _ratios(one, two, lambda run: run["wall_s"])
    return [
        Target.of(f"pictures per second, {name}", faster, "at least", MIN_SCALING),
        Target.of(f"CPU time, {name}", _ratios(two, one, lambda run: run["cpu_s"])),
    ]


def engine(setup: _Setup) -> list[Target]:
    """One stream in the engine and in a plain loop."""
    ours, plain = _rounds(
        setup,
        "engine",
        lambda: _in_child({"kind": "engine", "clip": setup.clip, "warm_up": setup.warm_up}),
        lambda: _in_child({"kind": "loop", "clip": setup.clip, "warm_up": setup.warm_up}),
        times=2,
    )
    name = "one stream, engine / plain loop"
    return [
        Target.of(f"CPU time, {name}", _ratios(ours, plain, lambda run: run["cpu_s"]), "at most", MAX_ENGINE_RATIO),
        Target.of(f"wall time, {name}", _ratios(ours, plain, lambda run: run["wall_s"])),
    ]


def churning(setup: _Setup) -> list[Target]:
    """Streams that join and leave."""
    print(f"churn: {setup.churn_s:g} s", file=sys.stderr)
    with usage.Elsewhere() as elsewhere:
        seen = _in_child({"kind": "churn", "clips": setup.small, "seconds": setup.churn_s, "streams": CHURN_STREAMS})
    setup.elsewhere.append(elsewhere.processors)
    setup.samples = [(at_s, mb) for at_s, mb in seen["samples"]]
    return [
        Target.of("growth with streams joining and leaving, MB", [growth_mb(setup.samples)], "at most", MAX_GROWTH_MB),
        Target.of("streams that joined and left", [seen["joined"]]),
        Target.of("threads at once", [seen["threads"]]),
        Target.of("open files at the end", [seen["files"]]),
    ]


def growth_mb(samples: Sequence[tuple[float, float]]) -> float:
    """How much higher memory came after the first quarter of the time than it had been until then.

    Raises:
        ValueError: There is no sample on either side.
    """
    settled_s = _SETTLED_SHARE * max(at_s for at_s, _ in samples)
    before = [mb for at_s, mb in samples if at_s <= settled_s]
    after = [mb for at_s, mb in samples if at_s > settled_s]
    if not before or not after:
        raise ValueError("too few samples")
    return max(0.0, max(after) - max(before))


def thinned(samples: Sequence[tuple[float, float]], stretches: int = 60) -> tuple[MemorySample, ...]:
    """The largest value within each of so many equal stretches."""
    if not samples:
        return ()
    end_s = max(at_s for at_s, _ in samples)
    largest: dict[int, float] = {}
    for at_s, mb in samples:
        stretch = min(stretches - 1, int(at_s / end_s * stretches)) if end_s > 0 else 0
        largest[stretch] = max(largest.get(stretch, 0.0), mb)
    return tuple(
        MemorySample(round((stretch + 1) * end_s / stretches, 2), round(mb, 2))
        for stretch, mb in sorted(largest.items())
    )


def _rounds(
    setup: _Setup, part: str, first: Callable[[], Any], second: Callable[[], Any], *, times: int = 1
) -> tuple[list[Any], list[Any]]:
    """Both sides in turn, every other round backwards."""
    runs: tuple[list[Any], list[Any]] = ([], [])
    rounds = setup.rounds * times
    for number in range(rounds):
        sides = [(0, first), (1, second)]
        for side, run in sides if number % 2 == 0 else sides[::-1]:
            print(f"{part}: round {number + 1} of {rounds}, side {side + 1} of 2", file=sys.stderr)
            with usage.Elsewhere() as elsewhere:
                runs[side].append(run())
            setup.elsewhere.append(elsewhere.processors)
    return runs


def _ratios(over: Sequence[Any], under: Sequence[Any], what: Callable[[Any], float]) -> list[float]:
    return [what(one) / what(other) for one, other in zip(over, under, strict=True)]


def _in_child(task: dict[str, Any]) -> Any:
    return result.python_json([str(ROOT / "benchmarks" / "many_streams.py"), "--child", json.dumps(task)])


def film(name: str, folder: Path, loop: int = 0) -> dict[str, Any]:
    """A film of `clips.py`, made in another process so that this one stays small."""
    options = [name, "--folder", str(folder), *(["--loop", str(loop)] if loop else [])]
    facts: dict[str, Any] = result.python_json([str(ROOT / "benchmarks" / "clips.py"), *options])
    return facts


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a table and write a result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS), help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--streams", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--live-s", type=float, default=15.0, help="how long live runs are watched")
    parser.add_argument("--churn-s", type=float, default=600.0, help="how long streams join and leave")
    parser.add_argument("--film", default="many", help="which synthesised film is analyzed")
    parser.add_argument("--warm-up", default="many", help="which synthesised film warms up")
    parser.add_argument("--small", default="minute", help="which synthesised film joins and leaves")
    parser.add_argument("--films", type=Path, default=CACHE, help="folder where synthesised films are kept")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "many_streams.json")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.child:
        print(json.dumps(child(json.loads(chosen.child))))
        return 0
    parts = [part.strip() for part in chosen.parts.split(",")]
    if unknown := set(parts) - set(PARTS):
        parser.error(f"unknown parts: {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}")
    if chosen.rounds < 1 or chosen.streams < 1:
        parser.error("at least one round and one stream")

    clip = film(chosen.film, chosen.films, 3)
    single_s = clip["seconds"] / 3
    copies = math.ceil((settle_s(chosen.streams) + chosen.live_s + 15.0) / single_s)
    setup = _Setup(
        clip=clip["path"],
        long=film(chosen.film, chosen.films, copies)["path"],
        warm_up=film(chosen.warm_up, chosen.films)["path"],
        small=[film(chosen.small, chosen.films)["path"]] if "churn" in parts else [],
        streams=chosen.streams,
        rounds=chosen.rounds,
        live_s=chosen.live_s,
        churn_s=chosen.churn_s,
        elsewhere=[],
        samples=[],
    )
    load_before = result.load()
    do = {"files": files, "live": live, "cores": cores, "engine": engine, "churn": churning}
    targets = tuple(target for part in PARTS if part in parts for target in do[part](setup))
    del clip["path"]
    document = ManyStreamsResult(
        schema=result.SCHEMA,
        benchmark="many_streams",
        created=result.now(),
        machine=result.machine(load_before),
        software=result.software(),
        clip=result.read(Clip, clip),
        streams=chosen.streams,
        rounds=chosen.rounds,
        live_s=chosen.live_s,
        churn_s=chosen.churn_s if "churn" in parts else 0.0,
        elsewhere=result.Spread.of(setup.elsewhere),
        churn=thinned(setup.samples),
        targets=targets,
    )
    result.write(document, chosen.output)
    print(result.table((), targets))
    print(f"\n{chosen.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
