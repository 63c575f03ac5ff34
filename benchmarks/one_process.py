"""What is measured inside a process of its own: the engine, a plain loop, and streams that join and leave."""

from __future__ import annotations

import os
import queue
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu_qa.bench import usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.media import Decoded

FILES_PER_CORE_TEST = 4
"""Copies of a file that `in_parallel` analyzes at once."""


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
