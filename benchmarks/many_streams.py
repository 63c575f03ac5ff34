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
import os
import queue
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "kernels")]

from benchmarks import result  # noqa: E402
from benchmarks.result import Machine, MemorySample, Software, Target  # noqa: E402
from gpu_qa.bench import usage  # noqa: E402
from gpu_qa.bench.film import CACHE, Clip  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gpu_qa.media import Decoded

PARTS = ("files", "live", "cores", "engine", "churn")
MAX_CPU_RATIO = 0.85
MAX_MEMORY_RATIO = 0.5
MIN_SCALING = 1.8
MAX_ENGINE_RATIO = 1.05
MAX_GROWTH_MB = 16.0
FILES_PER_CORE_TEST = 4
CHURN_STREAMS = 6
_SETTLED_SHARE = 0.25
"""Part of the churn after which nothing is to grow any more."""
_TIMEOUT_S = 1800.0


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


@dataclass(frozen=True, slots=True)
class Group:
    """Processes that ran at the same time."""

    wall_s: float
    cpu_s: float
    proportional_mb: float
    """Sum of their PSS, at the highest of the samples, or at the end of a watch."""
    resident_mb: float
    """Sum of their resident sets: what they share counts for each."""


# --- processes ------------------------------------------------------------------------------------------------------


def analyze_command(clips: Sequence[str], *options: str) -> list[str]:
    """The command of users, on the CPU, its result thrown away."""
    command = [sys.executable, "-m", "gpu_qa", "analyze", "--quiet", "--format", "jsonl", "--device", "cpu"]
    return [*command, *options, "--", *clips]


def run_to_end(commands: Sequence[list[str]]) -> Group:
    """Run commands at once, to the end of the last; memory is sampled meanwhile.

    Raises:
        RuntimeError: One could not analyze.
    """
    began_s = time.perf_counter()
    processes = [_started(command) for command in commands]
    memory = _MemoryWatch([process.pid for process in processes])
    cpu_s = 0.0
    try:
        for process in processes:
            _, status, spent = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            cpu_s += spent.ru_utime + spent.ru_stime
            if process.returncode not in (0, 1):
                raise RuntimeError(f"one of {len(processes)} analyses ended with {process.returncode}")
        wall_s = time.perf_counter() - began_s
    finally:
        memory.stop()
        _end(processes)
    return Group(wall_s, cpu_s, memory.proportional_mb, memory.resident_mb)


def watch_live(commands: Sequence[list[str]], wait_s: float, watched_s: float) -> Group:
    """Run commands that last longer, and look at them from `wait_s` seconds on.

    Raises:
        RuntimeError: One ended before the watch was over.
    """
    processes = [_started(command) for command in commands]
    try:
        time.sleep(wait_s)
        began_s, cpu_s = time.perf_counter(), sum(_cpu_s(process.pid) for process in processes)
        time.sleep(watched_s)
        wall_s, spent_s = time.perf_counter() - began_s, sum(_cpu_s(process.pid) for process in processes) - cpu_s
        if any(process.poll() is not None for process in processes):
            raise RuntimeError("a live run ended before the watch was over")
        pids = [process.pid for process in processes]
        return Group(
            wall_s, spent_s, sum(map(usage.proportional_mb, pids)), sum(usage.resident_mb(pid) for pid in pids)
        )
    finally:
        _end(processes)


def settle_s(streams: int) -> float:
    """How long so many processes may take to be under way."""
    return 4.0 + 0.5 * streams


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=result.python_environment(),
        cwd=ROOT,
    )


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.returncode is None:
            process.kill()
    for process in processes:
        if process.returncode is None:
            process.wait()


def _cpu_s(pid: int) -> float:
    """CPU time of a process so far, user and system, all threads."""
    fields = (Path("/proc") / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class _MemoryWatch(threading.Thread):
    """Keeps the largest sums of several processes' memory, looked at four times a second."""

    def __init__(self, pids: Sequence[int]) -> None:
        super().__init__(daemon=True)
        self._pids = pids
        self._over = threading.Event()
        self.proportional_mb = self.resident_mb = 0.0
        self.start()

    def run(self) -> None:
        while not self._over.wait(0.25):
            self.proportional_mb = max(self.proportional_mb, sum(map(usage.proportional_mb, self._pids)))
            self.resident_mb = max(self.resident_mb, sum(usage.resident_mb(pid) for pid in self._pids))

    def stop(self) -> None:
        self._over.set()
        self.join()


# --- in a process of its own ----------------------------------------------------------------------------------------


def child(task: dict[str, Any]) -> Any:
    """One measurement inside this process; gives JSON values."""
    if "cores" in task:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: task["cores"]])
    if task["kind"] == "churn":
        return churn(task["clips"], task["seconds"], task["streams"])
    run = {"engine": in_engine, "loop": in_plain_loop, "files": in_parallel}[task["kind"]]
    run(task["warm_up"])
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    frames = run(task["clip"])
    return {"wall_s": time.perf_counter() - wall_s, "cpu_s": time.process_time() - cpu_s, "frames": frames}


def _one_thread() -> Any:
    """Settings with decoders of one thread, so that both sides decode alike."""
    from gpu_qa.config import Settings
    from gpu_qa.decode import DecodeSettings

    return Settings(decode=DecodeSettings(device="cpu", threads=1))


def in_engine(clip: str) -> int:
    """Analyze one file in the engine; gives its pictures."""
    return _analyzed([clip])


def in_parallel(clip: str) -> int:
    """Analyze some copies of a file at once in the engine; gives their pictures."""
    return _analyzed([clip] * FILES_PER_CORE_TEST)


def _analyzed(clips: Sequence[str]) -> int:
    from gpu_qa.pipeline import Engine, EngineSettings

    engine = Engine(EngineSettings(files_at_once=len(clips)))
    streams = [engine.add(clip, _one_thread(), name=f"copy {number + 1}") for number, clip in enumerate(clips)]
    for _ in engine:
        pass
    reports = [stream.report() for stream in streams]
    if failed := [report.error for report in reports if report.error is not None]:
        raise RuntimeError(failed[0])
    return sum(int(report.measurements["frames_decoded"]) for report in reports)


def in_plain_loop(clip: str) -> int:
    """The same work as the engine's without the engine: a thread decodes and measures, this one judges."""
    from gpu_qa.decode import open_decoder
    from gpu_qa.features import HostPictures, prepare
    from gpu_qa.sources import open_source
    from gpu_qa.stream import StreamAnalysis

    settings = _one_thread()
    waiting: queue.Queue[tuple[Any, Decoded, tuple[Any, ...]] | None] = queue.Queue(8)
    prepare()
    with open_source(clip, settings.source) as source:

        def read() -> None:
            decoders: dict[int, Any] = {}
            host = HostPictures()
            for packet in source.packets():
                if packet.track.index not in decoders:
                    decoders[packet.track.index] = open_decoder(packet.track, settings.decode)
                decoder = decoders[packet.track.index]
                decoded = decoder.drain() if packet.native is None else decoder.decode(packet)
                waiting.put((tuple(map(host.measure, decoded.frames)), decoded, packet.notes))
            for decoder in decoders.values():
                decoder.close()
            waiting.put(None)

        reader = threading.Thread(target=read)
        reader.start()
        analysis = StreamAnalysis(clip, settings)
        analysis.begin(source.facts)
        while (item := waiting.get()) is not None:
            pictures, decoded, notes = item
            for _ in analysis.take(pictures, decoded.sound, (*notes, *decoded.notes)):
                pass
        for _ in analysis.finish():
            pass
        reader.join()
    report = analysis.report()
    if report.error is not None:
        raise RuntimeError(report.error)
    return int(report.measurements["frames_decoded"])


def churn(clips: list[str], seconds: float, streams: int) -> dict[str, Any]:
    """Streams join and leave for so long; memory, threads and open files meanwhile."""
    from gpu_qa.config import Settings
    from gpu_qa.decode import DecodeSettings
    from gpu_qa.errors import GpuQaError
    from gpu_qa.pipeline import Engine, EngineSettings
    from gpu_qa.sources import SourceSettings

    engine = Engine(EngineSettings(max_lag_s=1e6))
    settings = Settings(source=SourceSettings(real_time=True), decode=DecodeSettings(device="cpu"))
    samples: list[tuple[float, float]] = []
    failures: list[str] = []
    joined = 0
    began_s = time.monotonic()

    def join_and_leave() -> None:
        nonlocal joined
        running: list[tuple[Any, float]] = []
        keeper = engine.add(clips[0], settings, name="keeper")
        try:
            while (now_s := time.monotonic()) < began_s + seconds:
                if keeper.ended:
                    keeper = engine.add(clips[0], settings, name="keeper")
                for stream, until_s in list(running):
                    # Some are taken out in their middle, others have ended by themselves.
                    if stream.ended or now_s > until_s:
                        engine.remove(stream)
                        running.remove((stream, until_s))
                while len(running) < streams:
                    stays_s = 2.0 + (joined % 7)
                    running.append(
                        (engine.add(clips[joined % len(clips)], settings, name=f"n{joined}"), now_s + stays_s)
                    )
                    joined += 1
                samples.append((now_s - began_s, usage.proportional_mb()))
                time.sleep(0.25)
        except GpuQaError as error:
            failures.append(str(error))
        finally:
            engine.stop()

    driver = threading.Thread(target=join_and_leave)
    # The engine ends when it has no stream, so the first one joins before it runs.
    first = engine.add(clips[0], settings, name="first")
    driver.start()
    threads: list[int] = []
    for update in engine:
        if update.event is None:
            threads.append(threading.active_count())
            if update.stream.failure is not None:
                failures.append(repr(update.stream.failure))
    driver.join()
    if failures:
        raise RuntimeError(failures[0])
    if not first.ended:
        raise RuntimeError("the first stream did not end")
    return {"samples": samples, "joined": joined, "threads": max(threads), "files": open_files()}


def open_files() -> int:
    """How many files this process holds open, this look at them included."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


# --- parts ----------------------------------------------------------------------------------------------------------


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
