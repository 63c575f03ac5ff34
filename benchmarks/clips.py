"""The films that the benchmarks of this folder are measured on, as `gpu_qa/bench/film.py` makes them.

python benchmarks/clips.py film            # writes it into the cache folder once, prints its facts as JSON
python benchmarks/clips.py --describe FILE
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / folder) for folder in ("", "kernels")]

from gpu_qa.bench.film import CACHE, Clip, Fault, Film, cached, describe, loop, looped, write  # noqa: E402

__all__ = ["CACHE", "FILMS", "TINY", "Clip", "Fault", "Film", "cached", "describe", "loop", "looped", "write"]

FILM = Film(seconds=24.0, width=1920, height=1080, bit_rate=8_000_000)
"""What the ratios are measured on."""
CLEAN = replace(FILM, bit_rate=2_500_000, grain=0.0, seed=5)
"""The same without grain at the bit rate of a stream for browsers: easier to decode, so harder to keep up with."""
WARM_UP = replace(FILM, seconds=2.0, seed=2)
"""The same kind of material for the warm-up of each process."""
SHORT = replace(FILM, seconds=10.0, seed=3, faults=(Fault("black", 2.0, 5.0), Fault("silence", 4.0, 7.0)))
"""What the first result is waited for on."""
MINUTE = Film(
    seconds=64.0,
    width=320,
    height=180,
    bit_rate=400_000,
    preset="veryfast",
    suffix=".ts",
    faults=(Fault("freeze", 11.0, 15.0), Fault("black", 27.0, 31.0), Fault("silence", 44.0, 48.0)),
    seed=4,
)
"""What the hour of the memory benchmark is looped from: 64 s are a whole number of AAC frames of 1024 samples, so that
copies join without a gap."""
MOVING = replace(MINUTE, faults=(), seed=7)
"""What a detector costs is weighed on: small, so that decoding does not drown it, and with something to see and hear
throughout."""
MANY = Film(seconds=3.2, width=1280, height=720, bit_rate=4_000_000, suffix=".ts", seed=6)
"""What several streams at once are: 720p, so that two cores carry half a dozen in real time. 3.2 s are a whole number
of AAC frames."""
TINY = Film(
    seconds=3.0, width=192, height=108, bit_rate=300_000, preset="ultrafast", faults=(Fault("black", 0.4, 2.9),)
)
"""For the test of the harness."""
FILMS = {
    "film": FILM,
    "clean": CLEAN,
    "warm-up": WARM_UP,
    "short": SHORT,
    "minute": MINUTE,
    "moving": MOVING,
    "many": MANY,
    "tiny": TINY,
}


def main(arguments: list[str] | None = None) -> int:
    """Make a film or look at a file, and print what it is."""
    parser = argparse.ArgumentParser(description="Material for the benchmarks.")
    parser.add_argument("name", nargs="?", choices=sorted(FILMS), help="a film to make, unless it is there already")
    parser.add_argument("--folder", type=Path, default=CACHE, help="where films are kept")
    parser.add_argument("--describe", type=Path, help="a file to tell the facts of instead")
    parser.add_argument("--loop", type=int, default=0, metavar="N", help="N copies of the film end to end")
    chosen = parser.parse_args(arguments)
    if chosen.describe is not None:
        path, synthesised = chosen.describe, False
    elif chosen.name is not None:
        path, synthesised = cached(FILMS[chosen.name], chosen.folder), True
        if chosen.loop:
            path = looped(path, chosen.loop)
    else:
        parser.error("name a film or a file")
    print(json.dumps({"path": str(path), **asdict(describe(path, synthesised=synthesised))}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
