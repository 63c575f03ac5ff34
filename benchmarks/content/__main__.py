"""How often the A/V offset by content is answered, and how often that is right: joins of a user's clips.

    python -m benchmarks.content --talking DIR --strikes DIR [--without 'lab_*'] [--joins 100] [--jobs 2]
    python -m benchmarks.content … --weights ours.npz --output ours.json
    python -m benchmarks.content --page              # docs/detectors/av_offset.md, from the committed result

Clips of a folder are joined at random, none twice, to programmes of 10 to 60 s, with the sound as it is or moved by a
known amount, and with sound that is not theirs. The sources are in two halves, by the digest of their names. Clips must
be in step themselves, and of one speaker or thing that is seen; `--skip` leaves out others.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "kernels")]

import numpy as np  # noqa: E402

from benchmarks import result  # noqa: E402
from benchmarks.content import page  # noqa: E402
from benchmarks.content.material import halves, measured  # noqa: E402
from benchmarks.content.measure import LEAST_S  # noqa: E402
from benchmarks.content.run import JOINS, STEPS_MS, JoinTask, StepTask, Work, done  # noqa: E402
from benchmarks.content.schema import ContentResult  # noqa: E402
from benchmarks.content.summary import demands_of, joins_of, steps_of  # noqa: E402
from gpu_qa.sync.content import own_weights, shipped_weights  # noqa: E402
from gpu_qa.sync.measures import ROWS_PER_S  # noqa: E402
from gpu_qa_kernels.sync_net import FRAMES_PER_S  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.content.material import Clip
    from benchmarks.content.measure import Answered, StepTold
    from benchmarks.content.schema import Kind
    from gpu_qa.sync.content import Weights

RESULT = ROOT / "benchmarks" / "results" / "content.json"


def _clips(folder: Path, skip: Sequence[str]) -> list[Clip]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return measured(path for path in paths if not any(fnmatch(path.stem, one) for one in skip))


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the tables and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--talking", type=Path, metavar="DIR", help="clips of people who talk")
    parser.add_argument("--strikes", type=Path, metavar="DIR", help="clips of things that strike")
    parser.add_argument("--skip", action="append", default=[], metavar="PATTERN", help="names that are left out")
    parser.add_argument(
        "--without", action="append", default=[], metavar="PATTERN",
        help='names that the rows "close-up" leave out, such as of speakers in a laboratory',
    )  # fmt: skip
    parser.add_argument("--joins", type=int, default=100, metavar="N", help="of each row and half")
    parser.add_argument("--steps", type=int, metavar="N", help="joins with a step; as many as joins by default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="of gpu-qa sync-train; the program's by default")
    parser.add_argument("--output", type=Path, default=RESULT, metavar="FILE")
    parser.add_argument("--page", action="store_true", help="write the tables of the page from the committed result")
    chosen = parser.parse_args(arguments)
    if chosen.page:
        page.write(result.read(ContentResult, json.loads(RESULT.read_text())))
        return 0
    if chosen.talking is None or chosen.strikes is None:
        parser.error("--talking and --strikes are needed")
    document = measure(chosen)
    result.write(document, chosen.output)
    print("\n\n".join(page.tables(document).values()))
    return 0


def measure(chosen: argparse.Namespace) -> ContentResult:
    """All joins and steps."""
    load_before = result.load()
    talking, strikes = _clips(chosen.talking, chosen.skip), _clips(chosen.strikes, chosen.skip)
    close = {clip.name for clip in talking if not any(fnmatch(clip.name, one) for one in chosen.without)}
    pools: dict[tuple[Kind, str], list[Clip]] = {}
    kinds: tuple[tuple[Kind, list[Clip]], ...] = (("talking", talking), ("strikes", strikes))
    for kind, clips in kinds:
        pools[kind, "both"] = clips
        pools[kind, "first"], pools[kind, "other"] = halves(clips)
    for half in ("first", "other", "both"):
        pools["close-up", half] = [clip for clip in pools["talking", half] if clip.name in close]
    for (kind, half), clips in pools.items():
        if not clips:
            raise SystemExit(f"{kind}, {half} half: no clip was read")
    if sum(len(clip.rows) for clip in talking) < LEAST_S * ROWS_PER_S:
        raise SystemExit(f"clips of people who talk must be {LEAST_S:g} s long together")
    weights = shipped_weights() if chosen.weights is None else own_weights(str(chosen.weights))
    tasks: list[JoinTask | StepTask] = [
        JoinTask(row, half, number)
        for row in range(len(JOINS))
        for half in ("first", "other")
        for number in range(chosen.joins)
    ]
    tasks += [StepTask(number) for number in range(chosen.joins if chosen.steps is None else chosen.steps)]
    found: list[tuple[JoinTask, Answered, Answered]] = []
    told: list[tuple[list[StepTold], StepTold]] = []
    for number, one in enumerate(done(Work(pools, weights, chosen.seed), tasks, chosen.jobs), start=1):
        if len(one) == 3:
            found.append(one)
        else:
            told.append(one)
        if number % 100 == 0:
            print(f"{number} of {len(tasks)} joins", file=sys.stderr, flush=True)
    return ContentResult(
        schema=result.SCHEMA,
        benchmark="content",
        created=result.now(),
        machine=result.machine(load_before),
        software=result.software(),
        weights=_digest(weights),
        talking_clips=len(talking),
        talking_s=_seconds(talking),
        close_up_clips=len(pools["close-up", "both"]),
        strikes_clips=len(strikes),
        strikes_s=_seconds(strikes),
        skip=tuple(chosen.skip),
        without=tuple(chosen.without),
        seed=chosen.seed,
        joins=joins_of(found, JOINS),
        demands=demands_of(found, JOINS),
        steps=steps_of([one for one, _ in told], STEPS_MS),
        other_sound=steps_of([[other] for _, other in told], (0.0,))[0],
    )


def _seconds(clips: Sequence[Clip]) -> float:
    return round(sum(len(window) for clip in clips for window in clip.windows) / FRAMES_PER_S, 1)


def _digest(weights: Weights) -> str:
    digest = hashlib.sha256()
    for net in weights:
        for name in sorted(net):
            digest.update(np.ascontiguousarray(net[name]).tobytes())
    return digest.hexdigest()[:12]


if __name__ == "__main__":
    sys.exit(main())
