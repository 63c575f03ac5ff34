"""One run of one side of a comparison, alone in a process: warm up on one clip, measure on another, print JSON.

    python benchmarks/sides.py decode CLIP WARM_UP
    python benchmarks/sides.py analyze CLIP WARM_UP --device cpu
    python benchmarks/sides.py analyze CLIP WARM_UP --without av_offset

Imports, compiled kernels and first allocations belong to the warm-up. The peak of the resident set is the process's
own, warm-up included.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / folder) for folder in ("", "kernels")]

from gpu_qa.bench.usage import peak_mb  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    import gpu_qa


def decode(clip: str) -> int:
    """Decode the first picture and sound track with PyAV, threads as the package sets them; return the frames."""
    import av

    frames = 0
    with av.open(clip) as container:
        pictures, sounds = container.streams.video[:1], container.streams.audio[:1]
        for picture in pictures:
            picture.thread_type = "AUTO"
        for packet in container.demux(*pictures, *sounds):
            for frame in packet.decode():
                frames += isinstance(frame, av.VideoFrame)
    return frames


def analyze(clip: str, device: Literal["cpu", "cuda"], without: str = "") -> int:
    """Analyze with every detector, or with all but one; return the frames."""
    import gpu_qa

    chosen = settings(device)
    if without:
        chosen = chosen.select(set(chosen.detectors) - {without})
    report = gpu_qa.analyze(clip, chosen)
    if report.error is not None:
        raise RuntimeError(report.error)
    return int(report.measurements["frames_decoded"])


def settings(device: Literal["cpu", "cuda"]) -> gpu_qa.Settings:
    """The defaults, decoded where it is asked for."""
    import gpu_qa

    return gpu_qa.Settings(decode=gpu_qa.DecodeSettings(device=device))


def main() -> int:
    """Run one side."""
    parser = argparse.ArgumentParser(description="One run of one side of a comparison.")
    parser.add_argument("side", choices=("decode", "analyze"))
    parser.add_argument("clip")
    parser.add_argument("warm_up")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--without", default="", help="a detector that is left out")
    chosen = parser.parse_args()

    def run(clip: str) -> int:
        return decode(clip) if chosen.side == "decode" else analyze(clip, chosen.device, chosen.without)

    run(chosen.warm_up)
    print(json.dumps(measured(run, chosen.clip)))
    return 0


def measured(run: Callable[[str], int], clip: str) -> dict[str, float]:
    """Wall and CPU time of a call, its frames, and the peak memory of the process."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    frames = run(clip)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    return {"wall_s": wall_s, "cpu_s": cpu_s, "frames": frames, "peak_mb": peak_mb()}


if __name__ == "__main__":
    sys.exit(main())
