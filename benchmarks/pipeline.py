"""What analysis costs beside decoding, and beside FFmpeg's own filters, on one 1080p stream with sound.

    python benchmarks/pipeline.py                              # 5 rounds of everything, on the CPU
    python benchmarks/pipeline.py --sides decode,analyze --rounds 15
    python benchmarks/pipeline.py --clip my.mp4 --output mine.json
    python benchmarks/pipeline.py --film moving --sides "analyze,analyze without av_offset"

Each run of each side is a process of its own that first warms up on a short clip. A round runs every side once, every
other round backwards, so that what disturbs the machine disturbs neighbours alike; ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "kernels")]

from benchmarks import result  # noqa: E402
from benchmarks.clips import CACHE, Clip  # noqa: E402
from benchmarks.result import PipelineResult, Side, Spread, Target  # noqa: E402
from gpu_qa.bench.peers import FILTERS, SMALL, SOUND_FILTER  # noqa: E402
from gpu_qa.bench.usage import Elsewhere, wait_for_quiet  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

SIDES = {
    "decode": "PyAV decodes picture and sound, frames are thrown away",
    "analyze": "gpu_qa.analyze with every detector",
    "ffmpeg": f"ffmpeg -i CLIP -vf {FILTERS} -af {SOUND_FILTER} -f null -",
    "ffmpeg small": f"ffmpeg -i CLIP -vf {SMALL},{FILTERS} -af {SOUND_FILTER} -f null -",
    "analyze without av_offset": "the same without the detector of the A/V offset and its measures",
    "first result": "gpu-qa analyze on a clip of 10 s, from the command's start, caches warm",
    "cold start": "the same, kernels not yet compiled, as after an installation; once, not in every round",
}
MAX_WALL_RATIO = 1.25
MAX_CPU_RATIO = 1.35
MIN_FFMPEG_RATIO = 10.0
MAX_PEAK_MB = 600.0
MAX_FIRST_RESULT_S = 5.0
MAX_AV_OFFSET_MS = 10.0
"""Of one core, per second of stream."""
_TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one side."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    elsewhere: float
    """Processors that others kept busy meanwhile."""


@dataclass(slots=True)
class _Runs:
    """What was measured so far: one run per round and side."""

    sides: dict[str, list[Run]] = field(default_factory=dict)
    first: dict[str, list[float]] = field(default_factory=dict)

    def ratio(self, over: str, under: str, what: Callable[[Run], float]) -> list[float]:
        pairs = zip(self.sides[over], self.sides[under], strict=True)
        return [what(one) / what(other) for one, other in pairs]


def run_python(arguments: list[str], frames: int) -> Run:
    """One side in `sides.py`; wall and CPU time are of the measured part."""
    with Elsewhere() as elsewhere:
        measured = result.python_json([str(ROOT / "benchmarks" / "sides.py"), *arguments])
    if measured["frames"] != frames:
        raise RuntimeError(f"{arguments[0]} saw {measured['frames']} frames of {frames}")
    return Run(measured["wall_s"], measured["cpu_s"], measured["peak_mb"], elsewhere.processors)


def run_ffmpeg(clip: str, filters: str, *, sound: bool) -> Run:
    """FFmpeg's filters on a clip; its start of some 50 ms counts too."""
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-i", clip, "-map", "0:v:0", "-vf", filters]
    command += ["-map", "0:a:0", "-af", SOUND_FILTER] if sound else []
    with Elsewhere() as elsewhere:
        started_s = time.perf_counter()
        process = subprocess.Popen([*command, "-f", "null", "-"], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"ffmpeg ended with {process.returncode}")
    # A child's ru_maxrss begins with its parent's, which is small here: this process imports neither NumPy nor PyAV.
    return Run(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6, elsewhere.processors)


def first_result(clip: str, output_format: str, device: str, environment: dict[str, str]) -> float:
    """Seconds from the command's start to its whole JSON document, or to its first JSON line."""
    command = [sys.executable, "-m", "gpu_qa", "analyze", clip, "--format", output_format, "--device", device]
    started_s = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=ROOT) as process:
        assert process.stdout is not None
        line = process.stdout.readline() if output_format == "jsonl" else b""
        first_s = time.perf_counter() - started_s
        rest = process.stdout.read()
        code = process.wait(_TIMEOUT_S)
        whole_s = time.perf_counter() - started_s
    if code not in (0, 1) or not line + rest:
        raise RuntimeError(f"{' '.join(command)} ended with {code} and {len(line + rest)} bytes")
    return first_s if output_format == "jsonl" else whole_s


def measure(
    sides: list[str], rounds: int, clip: dict[str, Any], warm_up: str, short: str, device: str, wait_s: float = 0.0
) -> _Runs:
    """Run the sides in rounds; before each run wait up to `wait_s` for a quiet machine."""
    runs = _Runs()
    path, frames, sound = clip["path"], clip["frames"], clip["audio_codec"] is not None
    environment = result.python_environment()
    if "cold start" in sides:
        print("once: cold start", file=sys.stderr)
        runs.first["cold"] = [cold_result(short, device)]
    in_turn = [side for side in sides if side != "cold start"]
    for number in range(rounds):
        for side in in_turn if number % 2 == 0 else in_turn[::-1]:
            wait_for_quiet(wait_s)
            print(f"round {number + 1} of {rounds}: {side}", file=sys.stderr)
            if side == "first result":
                for output_format in ("json", "jsonl"):
                    seconds = first_result(short, output_format, device, environment)
                    runs.first.setdefault(output_format, []).append(seconds)
                continue
            if not side.startswith("ffmpeg"):
                kind, _, without = side.partition(" without ")
                run = run_python([kind, path, warm_up, "--device", device, "--without", without], frames)
            else:
                run = run_ffmpeg(path, FILTERS if side == "ffmpeg" else f"{SMALL},{FILTERS}", sound=sound)
            runs.sides.setdefault(side, []).append(run)
    return runs


def weigh(runs: _Runs, frames: int, seconds: float) -> tuple[tuple[Side, ...], tuple[Target, ...]]:
    """Sides and targets of what was measured on so many frames, which last so many seconds."""
    sides = []
    for name, measured in runs.sides.items():
        wall_s, cpu_s = Spread.of([run.wall_s for run in measured]), Spread.of([run.cpu_s for run in measured])
        sides.append(
            Side(
                name=name,
                what=SIDES[name],
                wall_s=wall_s,
                cpu_s=cpu_s,
                peak_mb=Spread.of([run.peak_mb for run in measured]),
                elsewhere=Spread.of([run.elsewhere for run in measured]),
                frames_per_s=round(frames / wall_s.median, 2),
                cpu_ms_per_frame=round(1000 * cpu_s.median / frames, 3),
            )
        )
    return tuple(sides), tuple(_targets(runs, frames, seconds))


def _targets(runs: _Runs, frames: int, seconds: float) -> list[Target]:
    def wall_s(run: Run) -> float:
        return run.wall_s

    def cpu_s(run: Run) -> float:
        return run.cpu_s

    targets = []
    if "analyze" in runs.sides:
        analyze = runs.sides["analyze"]
        if "decode" in runs.sides:
            both = list(zip(analyze, runs.sides["decode"], strict=True))
            targets += [
                Target.of(
                    "wall time, analyze / decode", runs.ratio("analyze", "decode", wall_s), "at most", MAX_WALL_RATIO
                ),
                Target.of(
                    "CPU time, analyze / decode", runs.ratio("analyze", "decode", cpu_s), "at most", MAX_CPU_RATIO
                ),
                Target.of("CPU ms per frame beside decoding", [1000 * (a.cpu_s - b.cpu_s) / frames for a, b in both]),
            ]
        if "ffmpeg" in runs.sides:
            ratio = runs.ratio("ffmpeg", "analyze", wall_s)
            targets.append(Target.of("wall time, ffmpeg at full size / analyze", ratio, "at least", MIN_FFMPEG_RATIO))
            targets.append(Target.of("CPU time, ffmpeg at full size / analyze", runs.ratio("ffmpeg", "analyze", cpu_s)))
        if "ffmpeg small" in runs.sides:
            targets += [
                Target.of("wall time, ffmpeg at 480×270 / analyze", runs.ratio("ffmpeg small", "analyze", wall_s)),
                Target.of("CPU time, ffmpeg at 480×270 / analyze", runs.ratio("ffmpeg small", "analyze", cpu_s)),
            ]
        if "analyze without av_offset" in runs.sides:
            both = list(zip(analyze, runs.sides["analyze without av_offset"], strict=True))
            cost_ms = [1000 * (a.cpu_s - b.cpu_s) / seconds for a, b in both]
            targets.append(Target.of("CPU ms of av_offset per second of stream", cost_ms, "at most", MAX_AV_OFFSET_MS))
        targets.append(
            Target.of("peak memory of analyze, MB", [run.peak_mb for run in analyze], "at most", MAX_PEAK_MB)
        )
    for output_format, what in (("jsonl", "first JSON line"), ("json", "whole JSON document")):
        if output_format in runs.first:
            name = f"{what} of a 10 s clip, s"
            targets.append(Target.of(name, runs.first[output_format], "at most", MAX_FIRST_RESULT_S))
    if "cold" in runs.first:
        targets.append(Target.of("whole JSON document, kernels not compiled yet, s", runs.first["cold"]))
    return targets


def cold_result(short: str, device: str) -> float:
    """Seconds to the whole JSON document where the kernels are still to be compiled, as after an installation."""
    with tempfile.TemporaryDirectory() as empty:
        return first_result(short, "json", device, {**result.python_environment(), "NUMBA_CACHE_DIR": empty})


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a table and write a result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--wait-s", type=float, default=0.0, help="wait so long for a quiet machine before each run")
    usual = [side for side in SIDES if " without " not in side]
    parser.add_argument("--sides", default=",".join(usual), help=f"some of: {', '.join(SIDES)}")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="what gpu_qa decodes and measures on")
    parser.add_argument("--clip", type=Path, help="a file of your own instead of the synthesised film")
    parser.add_argument("--film", default="film", help="which synthesised film")
    parser.add_argument("--warm-up", default="warm-up", help="which synthesised film warms up")
    parser.add_argument("--short", default="short", help="which synthesised film the first result is waited for on")
    parser.add_argument("--films", type=Path, default=CACHE, help="folder where synthesised films are kept")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "pipeline.json")
    chosen = parser.parse_args(arguments)
    sides = [side.strip() for side in chosen.sides.split(",")]
    if unknown := set(sides) - set(SIDES):
        parser.error(f"unknown sides: {', '.join(sorted(unknown))}; known: {', '.join(SIDES)}")
    if chosen.rounds < 1:
        parser.error("at least one round")

    def film(*options: str) -> dict[str, Any]:
        facts: dict[str, Any] = result.python_json([str(ROOT / "benchmarks" / "clips.py"), *options])
        return facts

    folder = ("--folder", str(chosen.films))
    clip = film("--describe", str(chosen.clip)) if chosen.clip else film(chosen.film, *folder)
    warm_up = film(chosen.warm_up, *folder)["path"]
    short = film(chosen.short, *folder)["path"] if {"first result", "cold start"} & set(sides) else ""
    load_before = result.load()
    runs = measure(sides, chosen.rounds, clip, warm_up, short, chosen.device, chosen.wait_s)
    measured, targets = weigh(runs, clip["frames"], clip["seconds"])
    del clip["path"]
    document = PipelineResult(
        schema=result.SCHEMA,
        benchmark="pipeline",
        created=result.now(),
        machine=result.machine(load_before),
        software=result.software(),
        device=chosen.device,
        clip=result.read(Clip, clip),
        rounds=chosen.rounds,
        sides=measured,
        targets=targets,
    )
    result.write(document, chosen.output)
    print(result.table(measured, targets))
    print(f"\n{chosen.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
