"""How well `gpu-qa compare` places copies of a programme, and whether other content is called so.

    python -m benchmarks.compare DIR… [--copies 260] [--work FOLDER] [--alike NAME,NAME]
    python -m benchmarks.compare DIR… --hard 70      # copies that were treated worse; print only
    python -m benchmarks.compare --page              # docs/compare.md, from the committed result

Clips of the folders become programmes of 10 s; of each a reference is coded, and copies of it that were coded again,
scaled, given another frame rate, bars or a logo, one of these or several, with a random delay and skew. Every copy is
laid over its reference, and over other content. What is made and what was told stays in the work folder, under the
digest of the clips and of what is done to them: a run that was broken off goes on, and after a change of the method
only the laying over is done again.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "kernels")]

import numpy as np  # noqa: E402

from benchmarks import result  # noqa: E402
from benchmarks.compare import page  # noqa: E402
from benchmarks.compare.drift import SECONDS as DRIFT_S  # noqa: E402
from benchmarks.compare.drift import drifts  # noqa: E402
from benchmarks.compare.material import SECONDS, clips_of, halves, programmes, reference_of  # noqa: E402
from benchmarks.compare.plan import NotEnoughError, half_orders, hard_orders, orders  # noqa: E402
from benchmarks.compare.run import coded_ones, rows_of  # noqa: E402
from benchmarks.compare.schema import CompareResult  # noqa: E402
from benchmarks.compare.summary import copies_of, others_of  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "compare.json"


def main(arguments: list[str] | None = None) -> int:
    """Make, measure, print the tables and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", metavar="DIR")
    parser.add_argument("--copies", type=int, default=260, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("compare-work"), metavar="FOLDER")
    parser.add_argument(
        "--alike", action="append", default=[], metavar="NAME,NAME",
        help="clips, as folder/file, that show the same; they are not laid over one another as other content",
    )  # fmt: skip
    parser.add_argument("--hard", type=int, metavar="N", help="so many copies that were treated worse instead")
    parser.add_argument("--no-drift", action="store_true")
    parser.add_argument("--output", type=Path, metavar="FILE")
    parser.add_argument("--page", action="store_true", help="write the tables of the page from the committed result")
    chosen = parser.parse_args(arguments)
    if chosen.page:
        page.write(result.read(CompareResult, json.loads(RESULT.read_text())))
        return 0
    if not chosen.folders:
        parser.error("a folder of clips is needed")
    try:
        document = measure(chosen)
    except NotEnoughError as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    if chosen.output is not None or chosen.hard is None:
        result.write(document, chosen.output or RESULT)
    print("\n\n".join(page.tables(document).values()))
    return 0


def measure(chosen: argparse.Namespace) -> CompareResult:
    """All copies and pairs.

    Raises:
        NotEnoughError: The clips are too few, or none of them could be coded.
    """
    load_before = result.load()
    work: Path = chosen.work
    work.mkdir(parents=True, exist_ok=True)
    clips = clips_of(chosen.folders)
    alike = [frozenset(names.split(",")) for names in chosen.alike]
    material = coded_ones(programmes(clips, random.Random(chosen.seed)), work)  # noqa: S311 - nothing secret
    if chosen.hard is not None:
        planned = hard_orders(material, chosen.hard, chosen.seed, alike)
    else:
        pairs = [pair for pair in halves(clips) if len(coded_ones(pair, work)) == len(pair)]
        planned = [*orders(material, chosen.copies, chosen.seed, alike), *half_orders(pairs, material, chosen.seed)]
    print(f"{len(clips)} clips, {len(material)} programmes, {len(planned)} copies", file=sys.stderr, flush=True)
    rows = list(rows_of(planned, work))
    if not rows:
        raise NotEnoughError("nothing could be coded")
    joined = [reference_of(one, "25", work) for one in material[: round(DRIFT_S / SECONDS)]]
    found = () if chosen.no_drift or chosen.hard else tuple(drifts([one for one in joined if one is not None], work))
    return CompareResult(
        schema=result.SCHEMA,
        benchmark="compare",
        created=result.now(),
        machine=result.machine(load_before),
        software=result.software(),
        clips=len(clips),
        programmes=len(material),
        joined=sum(len(one.pieces) > 1 for one in material),
        seconds=SECONDS,
        seed=chosen.seed,
        copies=copies_of(rows),
        others=others_of(rows),
        drifts=found,
        cpu_ms_per_stretch=round(float(np.median([row.cpu_ms / max(row.stretches, 1) for row in rows])), 1),
    )


if __name__ == "__main__":
    sys.exit(main())
