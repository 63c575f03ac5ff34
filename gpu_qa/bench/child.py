"""One measurement, alone in a process: `python -m gpu_qa.bench.child '{"kind": …}'` prints what came out as JSON.

Imports, compiled kernels, thread pools and first allocations belong to a warm-up on another clip, before the clock
starts.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from gpu_qa.bench import usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_qa.config import Settings

Device = Literal["cpu", "cuda"]


class Task(TypedDict, total=False):
    """What is to be measured; each kind needs some of these."""

    kind: Literal["film", "cut", "decode", "features", "everything", "stages", "live", "idle"]
    clip: str
    warm_up: str
    parallel: int
    """Copies of the clip that are analyzed at once."""
    device: Device
    streams: int
    seconds: float
    allowed_s: float
    events: bool
    film: dict[str, Any]
    """Fields of `Film`."""
    folder: str
    loop_s: float
    """Length that the film is looped to."""


def run(task: Task) -> Any:
    """Measure; gives JSON values."""
    if task["kind"] == "film":
        return _film(task)
    if task["kind"] == "cut":
        return _cut(task)
    if task["kind"] == "live":
        from gpu_qa.bench.live import watch

        events = task.get("events", False)
        return asdict(
            watch(
                task["clip"],
                task["streams"],
                task["seconds"],
                task["device"],
                allowed_s=task["allowed_s"],
                events=events,
            )
        )
    if task["kind"] == "idle":
        return _idle(task)
    if task["kind"] == "stages":
        from gpu_qa.bench.stages import stage_times

        stage_times(task["warm_up"], task["device"])
        return asdict(stage_times(task["clip"], task["device"]))
    side = {"decode": _decode, "features": _features, "everything": _everything}[task["kind"]]
    side(task["warm_up"], task["parallel"], task["device"])
    return _measured(lambda: side(task["clip"], task["parallel"], task["device"]))


def _film(task: Task) -> dict[str, Any]:
    """The film's file and that of its loop, made where they are not there yet."""
    from gpu_qa.bench.film import Fault, Film, cached, describe, looped

    fields = task["film"]
    film = Film(**{**fields, "faults": tuple(Fault(**fault) for fault in fields.get("faults", ()))})
    path = cached(film, Path(task["folder"]))
    length = task.get("loop_s", 0.0)
    long = looped(path, -int(-length // film.seconds)) if length > film.seconds else path
    return {"path": str(path), "looped": str(long), "clip": asdict(describe(path, synthesised=True))}


def _cut(task: Task) -> dict[str, Any]:
    """The beginning of a file and a loop of it."""
    from gpu_qa.bench.film import cut, describe, looped

    path = cut(Path(task["clip"]), Path(task["folder"]))
    facts = describe(path, synthesised=False)
    times = -int(-task["loop_s"] // facts.seconds)
    return {"path": str(path), "looped": str(looped(path, max(1, times))), "clip": asdict(facts)}


def _measured(call: Callable[[], int]) -> dict[str, float]:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    frames = call()
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    return {"wall_s": wall_s, "cpu_s": cpu_s, "frames": frames, "peak_mb": usage.peak_mb()}


def _settings(device: Device) -> Settings:
    from gpu_qa.config import Settings
    from gpu_qa.decode import DecodeSettings

    return Settings(decode=DecodeSettings(device=device))


def _everything(clip: str, parallel: int, device: Device) -> int:
    return _engine(clip, parallel, _settings(device))


def _features(clip: str, parallel: int, device: Device) -> int:
    from dataclasses import replace

    return _engine(clip, parallel, replace(_settings(device), detectors={}))


def _engine(clip: str, parallel: int, settings: Settings) -> int:
    """Analyze copies of a clip at once; gives their pictures."""
    from gpu_qa.pipeline import Engine, EngineSettings

    engine = Engine(EngineSettings(files_at_once=parallel))
    streams = [engine.add(clip, settings, name=f"copy {number + 1}") for number in range(parallel)]
    for _ in engine:
        pass
    reports = [stream.report() for stream in streams]
    for report in reports:
        if report.error is not None:
            raise RuntimeError(report.error)
    return sum(int(report.measurements["frames_decoded"]) for report in reports)


def _decode(clip: str, parallel: int, device: Device) -> int:
    """Decode copies of a clip at once, a thread each, and throw the pictures away."""
    frames = [0] * parallel
    failures: list[Exception] = []

    def read(number: int) -> None:
        try:
            frames[number] = _decode_one(clip, threads, device)
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            failures.append(error)

    threads = max(1, -(-usage.cores() // parallel))
    readers = [threading.Thread(target=read, args=(number,)) for number in range(parallel)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    if failures:
        raise failures[0]
    return sum(frames)


def _decode_one(clip: str, threads: int, device: Device) -> int:
    from gpu_qa.decode import Decoder, DecodeSettings, open_decoder
    from gpu_qa.sources import open_source

    settings = DecodeSettings(device=device, threads=threads)
    decoders: dict[int, Decoder] = {}
    frames = 0
    with open_source(clip) as source:
        for packet in source.packets():
            index = packet.track.index
            if index not in decoders:
                decoders[index] = open_decoder(packet.track, settings)
            decoder = decoders[index]
            frames += len((decoder.drain() if packet.native is None else decoder.decode(packet)).frames)
    for decoder in decoders.values():
        decoder.close()
    return frames


def _idle(task: Task) -> dict[str, float]:
    """Memory of a process that has analyzed something short and has nothing more to do."""
    _everything(task["warm_up"], 1, task["device"])
    return {"proportional_mb": usage.proportional_mb(), "resident_mb": usage.resident_mb()}


def main() -> int:
    """Run the task of the command line."""
    task: Task = json.loads(sys.argv[1])
    sys.stdout.write("\n" + json.dumps(run(task)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
