"""Whether an hour of stream needs more memory than five minutes of it, and what one 1080p stream needs.

    python benchmarks/memory.py                 # an hour of 320×180, looped from 64 s with three faults in them
    python benchmarks/memory.py --loops 120     # two hours

The hour is analyzed in a process of its own that samples its resident set. What is compared is the largest resident set
up to minute 5 with the largest one of the whole run: what grows with the length of the stream shows in the difference.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "kernels")]

from benchmarks import result  # noqa: E402
from benchmarks.clips import CACHE, Clip  # noqa: E402
from benchmarks.result import MemoryResult, MemorySample, Target  # noqa: E402
from benchmarks.sides import settings  # noqa: E402
from gpu_qa.bench.usage import peak_mb  # noqa: E402

SETTLED_S = 300.0
"""Stream time after which nothing is to grow any more."""
MAX_GROWTH_MB = 16.0
"""What an hour may add: 170 events with a thumbnail each are some 3 MB, the allocator's fragments the rest."""
MAX_PEAK_MB = 600.0
STRETCHES = 60
_TICK_S = 0.1


def sample(path: str, device: Any) -> dict[str, Any]:
    """Analyze a file and sample the resident set meanwhile; JSON values."""
    from gpu_qa.analysis import Analysis

    analysis = Analysis(path, settings(device))
    samples: list[tuple[float, float]] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_TICK_S):
            samples.append((analysis.progress.position_s, resident_mb()))

    watcher = threading.Thread(target=watch, daemon=True)
    started_s = time.perf_counter()
    watcher.start()
    ids = {event.id for event in analysis}
    report = analysis.report()
    wall_s = time.perf_counter() - started_s
    ended.set()
    watcher.join()
    if report.error is not None:
        raise RuntimeError(report.error)
    samples.append((analysis.progress.position_s, resident_mb()))
    return {"wall_s": wall_s, "events": len(ids), "samples": samples, "peak_mb": peak_mb()}


def resident_mb() -> float:
    """Resident set of this process, 10⁶ bytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def thinned(samples: list[tuple[float, float]], stretches: int = STRETCHES) -> list[MemorySample]:
    """The largest resident set within each of so many equal stretches of the stream, where there is a sample."""
    end_s = max(position_s for position_s, _ in samples)
    largest: dict[int, float] = {}
    for position_s, mb in samples:
        stretch = min(stretches - 1, int(position_s / end_s * stretches)) if end_s > 0 else 0
        largest[stretch] = max(largest.get(stretch, 0.0), mb)
    return [
        MemorySample(round((stretch + 1) * end_s / stretches, 3), round(mb, 2))
        for stretch, mb in sorted(largest.items())
    ]


def growth_mb(samples: list[tuple[float, float]], settled_s: float) -> float:
    """How much higher the resident set came after `settled_s` of stream than it had been until then.

    Raises:
        ValueError: There is no sample on either side.
    """
    before = [mb for position_s, mb in samples if position_s <= settled_s]
    after = [mb for position_s, mb in samples if position_s > settled_s]
    if not before or not after:
        raise ValueError(f"no sample before or none after {settled_s} s")
    return max(0.0, max(after) - max(before))


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the numbers and write a result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--film", default="minute", help="which synthesised film is looped")
    parser.add_argument("--loops", type=int, default=57)
    parser.add_argument("--settled-s", type=float, default=SETTLED_S)
    parser.add_argument("--large", default="film", help="which synthesised film the peak of one stream is taken on")
    parser.add_argument("--large-warm-up", default="warm-up")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--films", type=Path, default=CACHE, help="folder where synthesised films are kept")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "memory.json")
    parser.add_argument("--sample", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.sample:
        print(json.dumps(sample(chosen.sample, chosen.device)))
        return 0

    scripts, folder = ROOT / "benchmarks", ("--folder", str(chosen.films))
    clip = result.python_json([str(scripts / "clips.py"), chosen.film, "--loop", str(chosen.loops), *folder])
    large, warm_up = (
        result.python_json([str(scripts / "clips.py"), name, *folder])["path"]
        for name in (chosen.large, chosen.large_warm_up)
    )
    load_before = result.load()
    path = clip.pop("path")
    hour = result.python_json([str(scripts / "memory.py"), "--sample", path, "--device", chosen.device])
    one = result.python_json([str(scripts / "sides.py"), "analyze", large, warm_up, "--device", chosen.device])
    samples = [(position_s, mb) for position_s, mb in hour["samples"]]
    targets = (
        Target.of(
            f"growth after {chosen.settled_s:g} s of stream, MB",
            [growth_mb(samples, chosen.settled_s)],
            "at most",
            MAX_GROWTH_MB,
        ),
        Target.of("peak of the long stream, MB", [hour["peak_mb"]]),
        Target.of("peak of one stream of the large film, MB", [one["peak_mb"]], "at most", MAX_PEAK_MB),
    )
    document = MemoryResult(
        schema=result.SCHEMA,
        benchmark="memory",
        created=result.now(),
        machine=result.machine(load_before),
        software=result.software(),
        clip=result.read(Clip, clip),
        wall_s=round(hour["wall_s"], 3),
        events=hour["events"],
        samples=tuple(thinned(samples)),
        targets=targets,
    )
    result.write(document, chosen.output)
    print(f"{clip['seconds']:.0f} s of stream in {hour['wall_s']:.1f} s, {hour['events']} events")
    print(result.table((), targets))
    print(f"\n{chosen.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
