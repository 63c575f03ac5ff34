"""What each measuring pass takes, beside copying the same samples, on the CPU and on a card.

    python benchmarks/kernels.py                        # one core of the CPU
    python benchmarks/kernels.py --device cuda          # the card of the machine as well; --require 0.6 makes it a test

Every case runs some rounds on other pictures each time, after one that is not counted; numbers are medians. Rates count
the samples of the picture and of the one before it as read, and for copies those read and those written.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "kernels")]

import numpy as np  # noqa: E402

from benchmarks import result  # noqa: E402
from benchmarks.result import Machine, Software, Spread  # noqa: E402
from gpu_qa.features.audio import k_weighting, true_peak_taps  # noqa: E402
from gpu_qa.features.grid import grids  # noqa: E402
from gpu_qa.media import VideoFormat  # noqa: E402
from gpu_qa_kernels import SMALL_COLS, SMALL_ROWS, Plane  # noqa: E402
from gpu_qa_kernels.audio_stats import audio_stats, start_state  # noqa: E402
from gpu_qa_kernels.luma_stats import Feature, empty_luma_stats, luma_stats  # noqa: E402
from gpu_qa_kernels.seam_profile import seam_profile  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080), "2160p": (3840, 2160)}
FRAMES_PER_LAUNCH = 64
"""Pictures of one launch on a card: some hundred megabytes at 1080p, several times what its cache holds."""


@dataclass(frozen=True, slots=True)
class Case:
    """One pass over one kind of material."""

    name: str
    device: Literal["cpu", "cuda"]
    ms: Spread
    """Per picture, or per second of stereo sound."""
    gb_per_s: float
    """At the median time."""
    copy_gb_per_s: float
    """Copying the same memory in the same run."""


@dataclass(frozen=True, slots=True)
class KernelsResult:
    """What this script writes."""

    schema: int
    benchmark: Literal["kernels"]
    created: str
    """UTC, ISO 8601."""
    machine: Machine
    software: Software
    rounds: int
    cases: tuple[Case, ...]


def timed_ms(run: Callable[[], object], rounds: int) -> list[float]:
    """Milliseconds of each round after the first."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return times[1:]


def picture_case(name: str, bits: int, rounds: int) -> Case:
    """The pass over pictures on one core."""
    width, height = SIZES[name]
    kind: Any = np.uint8 if bits == 8 else np.uint16
    rng = np.random.default_rng(1)

    def plane(columns: int, rows: int) -> Plane:
        data = rng.integers(0, 1 << bits, columns * rows).astype(kind)
        data.setflags(write=False)  # as decoders hand pictures over
        return Plane(data, 0, columns, 1, columns, rows)

    pictures = [plane(width, height) for _ in range(3)]
    chroma = (plane(width // 2, height // 2), plane(width // 2, height // 2))
    results = [empty_luma_stats(), empty_luma_stats()]
    luma_stats(pictures[0], chroma, bit_depth=bits, shift=0, out=results[0])
    turn = iter(range(1, rounds + 2))

    def measure() -> None:
        i = next(turn)
        luma_stats(
            pictures[i % 3],
            chroma,
            bit_depth=bits,
            shift=0,
            previous=pictures[(i - 1) % 3],
            previous_small=results[(i - 1) % 2].small,
            out=results[i % 2],
        )

    times = timed_ms(measure, rounds)
    size = pictures[0].data.nbytes * 2 + chroma[0].data.nbytes * 2
    target = np.empty_like(pictures[0].data)
    copies = timed_ms(lambda: np.copyto(target, pictures[1].data), rounds)
    return Case(
        f"luma_stats {name} {bits} bit",
        "cpu",
        Spread.of(times),
        round(size / float(np.median(times)) / 1e6, 2),
        round(2 * target.nbytes / float(np.median(copies)) / 1e6, 2),
    )


def profile_case(name: str, bits: int, rounds: int) -> Case:
    """The look at a whole picture on one core, with the search for its grids."""
    width, height = SIZES[name]
    kind: Any = np.uint8 if bits == 8 else np.uint16
    samples = np.random.default_rng(3).integers(0, 1 << bits, width * height).astype(kind)
    samples.setflags(write=False)
    picture = Plane(samples, 0, width, 1, width, height)
    shown = VideoFormat(width, height, bits, 0, "limited", "yuv420p" if bits == 8 else "yuv420p10le")
    times = timed_ms(lambda: grids(seam_profile(picture, bit_depth=bits, shift=0), shown, 219.0), rounds)
    target = np.empty_like(samples)
    copies = timed_ms(lambda: np.copyto(target, samples), rounds)
    return Case(
        f"seam_profile {name} {bits} bit",
        "cpu",
        Spread.of(times),
        round(samples.nbytes / float(np.median(times)) / 1e6, 2),
        round(2 * target.nbytes / float(np.median(copies)) / 1e6, 2),
    )


def sound_case(rounds: int) -> Case:
    """A second of 48 kHz stereo on one core."""
    samples = np.random.default_rng(2).normal(0, 0.2, (2, 48_000)).astype(np.float32)
    edges = np.arange(0, 48_001, 480, dtype=np.int64)
    coefficients, taps, state = k_weighting(48_000), true_peak_taps(48_000), start_state(2)
    times = timed_ms(lambda: audio_stats(samples, edges, coefficients, taps, state), rounds)
    target = np.empty_like(samples)
    copies = timed_ms(lambda: np.copyto(target, samples), rounds)
    rate, copy_rate = samples.nbytes / float(np.median(times)), 2 * samples.nbytes / float(np.median(copies))
    return Case("audio_stats 1 s stereo", "cpu", Spread.of(times), round(rate / 1e6, 2), round(copy_rate / 1e6, 2))


def card_case(name: str, bits: int, rounds: int) -> Case:
    """The pass over pictures on the card: one launch of many, by CUDA events."""
    import torch

    from gpu_qa_kernels.luma_stats.cuda import luma_stats_device
    from gpu_qa_kernels.luma_stats.table import described

    width, height = SIZES[name]
    itemsize = 1 if bits == 8 else 2
    samples = width * height * 3 // 2
    count = FRAMES_PER_LAUNCH if width < 3000 else FRAMES_PER_LAUNCH // 4
    slab = torch.randint(0, 256, (samples * itemsize * (count + 1),), dtype=torch.uint8, device="cuda")
    rows = []
    for number in range(1, count + 1):
        first = number * samples
        luma = Plane(None, first, width, 1, width, height)
        below = first + width * height
        chroma = [Plane(None, below + i, width, 2, width // 2, height // 2) for i in range(2)]
        rows.append(
            described(
                luma,
                (chroma[0], chroma[1]),
                bit_depth=bits,
                shift=0 if bits == 8 else 6,
                sample_bytes=itemsize,
                previous=luma._replace(offset=first - samples),
                kept=number - 1,
            )
        )
    table = torch.from_numpy(np.stack(rows)).cuda()
    before = torch.zeros((count, SMALL_ROWS, SMALL_COLS), dtype=torch.uint16, device="cuda")
    one = empty_luma_stats()
    out = [torch.zeros((count, *array.shape), dtype=getattr(torch, array.dtype.name), device="cuda") for array in one]

    wide, quad = slab.view(torch.uint16), slab.view(torch.uint32)

    def launch() -> float:
        out[1].zero_()
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        # numba launches on the default stream, where torch's events are recorded as well.
        start.record()
        luma_stats_device(slab, wide, quad, table, before, *out)
        end.record()
        torch.cuda.synchronize()
        return float(start.elapsed_time(end))

    launch()
    times = [launch() / count for _ in range(rounds)]
    if int(out[0][0, :, :, int(Feature.SUM)].sum()) == 0:
        raise RuntimeError("the kernel wrote nothing")
    target = torch.empty_like(slab)

    def copy_ms() -> float:
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        target.copy_(slab)
        end.record()
        torch.cuda.synchronize()
        return float(start.elapsed_time(end))

    copy_ms()
    copies = [copy_ms() for _ in range(rounds)]
    size = itemsize * (width * height * 5 // 2)
    return Case(
        f"luma_stats {name} {bits} bit, {count} a launch",
        "cuda",
        Spread.of(times),
        round(size / float(np.median(times)) / 1e6, 2),
        round(2 * slab.nbytes / float(np.median(copies)) / 1e6, 2),
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the numbers and write a result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda measures both")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--sizes", default=",".join(SIZES), help=f"some of {', '.join(SIZES)}")
    parser.add_argument("--output", type=Path, help="default: benchmarks/results/kernels-DEVICE.json")
    parser.add_argument(
        "--require",
        type=float,
        metavar="SHARE",
        help="fail where a card measures pictures slower than this share of copying",
    )
    chosen = parser.parse_args(arguments)
    load_before = result.load()
    kinds = [(name, bits) for name in chosen.sizes.split(",") for bits in (8, 10)]
    cases = [picture_case(name, bits, chosen.rounds) for name, bits in kinds]
    cases += [profile_case(name, bits, chosen.rounds) for name, bits in kinds]
    cases.append(sound_case(chosen.rounds))
    if chosen.device == "cuda":
        cases += [card_case(name, bits, chosen.rounds) for name, bits in kinds]
    document = KernelsResult(
        result.SCHEMA,
        "kernels",
        result.now(),
        result.machine(load_before),
        result.software(),
        chosen.rounds,
        tuple(cases),
    )
    output = chosen.output or ROOT / "benchmarks" / "results" / f"kernels-{chosen.device}.json"
    result.write(document, output)
    for case in cases:
        share = case.gb_per_s / case.copy_gb_per_s
        print(f"{case.device:5}{case.name:36}{case.ms.median:9.4f} ms{case.gb_per_s:9.1f} GB/s{share:7.0%} of copying")
    print(output)
    slow = [
        case for case in cases if case.device == "cuda" and case.gb_per_s < (chosen.require or 0) * case.copy_gb_per_s
    ]
    for case in slow:
        print(f"{case.name}: less than {chosen.require:.0%} of copying")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
