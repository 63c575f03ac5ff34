"""Where the time of an analysis goes: Python functions per thread, and, on a card, the kernels and copies.

    python benchmarks/device_profile.py --output profile            # CPU
    python benchmarks/device_profile.py --device cuda --streams 8 --output profile

Writes below the folder: `functions.txt` (functions of the measuring thread by their own CPU time), `reader.txt` (of the
thread that demuxes and decodes), and on a card `kernels.txt` and `trace.json.gz` (for ui.perfetto.dev) by torch's
profiler, which sees numba's kernels as well. Profiling slows Python down: look here for shares, not for speed.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import io
import pstats
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "kernels")]

from benchmarks.clips import CACHE, FILMS, cached  # noqa: E402
from benchmarks.sides import analyze, settings  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS = 60


def analyze_many(clip: str, device: Any, streams: int) -> None:
    """The film so many times at once in one engine, as streams of an input each."""
    if streams == 1:
        analyze(clip, device)
        return
    from gpu_qa import Engine, EngineSettings

    engine = Engine(EngineSettings(files_at_once=streams))
    added = [engine.add(clip, settings(device), name=f"copy {number}") for number in range(streams)]
    for _ in engine:
        pass
    errors = [stream.report().error for stream in added if stream.report().error is not None]
    if errors:
        raise RuntimeError(errors[0])


def functions(clip: str, device: Any, streams: int = 1) -> dict[str, str]:
    """Profile the measuring thread and then, in a run of its own, the reader's; file name → text.

    Python's profiler watches one thread at a time (one in the whole process, from 3.12 on).
    """
    profile = cProfile.Profile(time.thread_time)
    profile.runcall(analyze_many, clip, device, streams)
    texts = {"functions.txt": _listed(profile)}
    reader = cProfile.Profile(time.thread_time)
    run = threading.Thread.run

    only = threading.Lock()

    def profiled(thread: threading.Thread) -> None:
        # The first of the readers: a profiler listens to one thread.
        if thread.name.startswith("gpu-qa ") and only.acquire(blocking=False):
            reader.runcall(run, thread)
        else:
            run(thread)

    threading.Thread.run = profiled  # type: ignore[assignment,method-assign]
    try:
        analyze_many(clip, device, streams)
    finally:
        threading.Thread.run = run  # type: ignore[method-assign]
    texts["reader.txt"] = _listed(reader)
    return texts


def _listed(profile: cProfile.Profile) -> str:
    out = io.StringIO()
    try:
        pstats.Stats(profile, stream=out).sort_stats("tottime").print_stats(_ROWS)
    except TypeError:
        return "nothing was profiled\n"
    return out.getvalue()


@contextlib.contextmanager
def device_trace(folder: Path) -> Iterator[None]:
    """Record kernels and copies of the block with torch's profiler."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as recorded:
        yield
    recorded.export_chrome_trace(str(folder / "trace.json.gz"))
    table = recorded.key_averages().table(sort_by="self_device_time_total", row_limit=_ROWS)
    (folder / "kernels.txt").write_text(table, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Profile and write the texts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--streams", type=int, default=1, help="copies of the film at once in one process")
    parser.add_argument("--film", choices=sorted(FILMS), default="short")
    parser.add_argument("--films", type=Path, default=CACHE, help="folder where synthesised films are kept")
    parser.add_argument("--output", type=Path, required=True, help="folder")
    chosen = parser.parse_args(arguments)
    chosen.output.mkdir(parents=True, exist_ok=True)
    clip = str(cached(FILMS[chosen.film], chosen.films))
    analyze(clip, chosen.device)
    if chosen.device == "cuda":
        with device_trace(chosen.output):
            analyze_many(clip, chosen.device, chosen.streams)
    for name, text in functions(clip, chosen.device, chosen.streams).items():
        (chosen.output / name).write_text(text, encoding="utf-8")
        print(f"{chosen.output / name}:\n{text[:4000]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
