"""Measure both designs and say what they cost: `python -m benchmarks.object_store`.

With `--measured FILE` nothing is measured: the quantities of an earlier result are weighed under other assumptions.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import typing
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

from benchmarks import result
from benchmarks.clips import CACHE, FILM, TINY, WARM_UP, Fault, cached, describe
from benchmarks.object_store import cases, server, view
from benchmarks.object_store.converter import ConverterSettings
from benchmarks.object_store.costs import Assumptions
from benchmarks.object_store.detection import chosen as chosen_detectors
from benchmarks.object_store.measure import measure
from benchmarks.object_store.prices import prices
from benchmarks.object_store.usage import ObjectStoreResult
from benchmarks.result import Target
from gpu_qa.bench.usage import wait_for_quiet
from gpu_qa.catalogue import field_descriptions
from gpu_qa.errors import GpuQaError

OUTPUT = result.ROOT / "benchmarks" / "results" / "object_store.json"
MIN_SAVING = 0.9
"""One process must cost so much less in the default case."""
CLIP = replace(
    FILM,
    seconds=30.0,
    seed=6,
    faults=(Fault("freeze", 4.0, 8.0), Fault("black", 13.0, 17.0), Fault("silence", 21.0, 25.0)),
)
"""What is measured on: 1080p25 at 8 Mbit/s, with three faults to be found by both."""
FILMS = {"film": (CLIP, WARM_UP), "tiny": (TINY, TINY)}


def main(arguments: list[str] | None = None) -> int:
    """Measure, or read what was measured; print what it costs; write the result."""
    chosen = _parser().parse_args(arguments)
    try:
        assumed = _assumptions(chosen)
        usd = prices(chosen.machine, dict(_price(text) for text in chosen.price))
        document = _again(chosen) if chosen.measured else _measured(chosen)
        document = _weighed(document, assumed, usd)
    except (ValueError, GpuQaError, server.ServerError) as error:
        print(f"object_store: {error}", file=sys.stderr)
        return 2
    print(view.text(document))
    if chosen.output is not None:
        result.write(document, chosen.output)
    return 0


def _parser() -> argparse.ArgumentParser:
    layout = ConverterSettings()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.object_store",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run = parser.add_argument_group("what is measured")
    run.add_argument("--measured", type=Path, metavar="FILE", help="weigh this result instead of measuring")
    run.add_argument("--film", choices=sorted(FILMS), default="film", help="which synthesised clip")
    run.add_argument("--clip", type=Path, help="a file of your own instead")
    run.add_argument("--films", type=Path, default=CACHE, help="folder where synthesised clips are kept")
    run.add_argument("--detectors", default="freeze,black,silence", help="those that read frames or sound")
    run.add_argument("--runs", default="sparse,every,raw,long", help="which layouts are measured")
    run.add_argument("--frames-per-s", type=float, default=1.0, help="frames stored per second in the sparse runs")
    run.add_argument("--quality", type=int, default=layout.quality, help="quantiser scale of JPEG, 2 (best) to 31")
    run.add_argument("--connections", type=int, default=8, help="requests a service may have under way at once")
    run.add_argument("--rounds", type=int, default=3)
    run.add_argument("--wait-s", type=float, default=0.0, help="wait so long for a quiet machine before each run")
    run.add_argument("--output", type=Path, help=f"where the result is written, such as {OUTPUT.name}")
    money = parser.add_argument_group("what is assumed")
    money.add_argument("--machine", default="c7i.xlarge", help="of the one process; gpu_qa/fleet/machines.toml")
    money.add_argument(
        "--price", action="append", default=[], metavar="NAME=USD", help="replaces one of prices.toml; repeatable"
    )
    described = field_descriptions(Assumptions)
    hints = typing.get_type_hints(Assumptions)
    for field in fields(Assumptions):
        hint = hints[field.name]
        options: dict[str, Any] = {"default": field.default, "help": described[field.name].replace("%", "%%")}
        if typing.get_origin(hint) is typing.Literal:
            options["choices"] = typing.get_args(hint)
        elif typing.get_origin(hint) is tuple:
            options |= {"type": lambda text: tuple(text.split(",")), "metavar": "A,B"}
        else:
            options |= {"type": int if hint is int else float, "metavar": "N"}
        assert field.default is not MISSING
        money.add_argument("--" + field.name.replace("_", "-"), **options)
    return parser


def _assumptions(chosen: argparse.Namespace) -> Assumptions:
    return Assumptions(**{field.name: getattr(chosen, field.name) for field in fields(Assumptions)})


def _price(text: str) -> tuple[str, float]:
    name, equals, usd = text.partition("=")
    if not equals:
        raise ValueError(f"--price {text}: must be NAME=USD")
    return name, float(usd)


def _again(chosen: argparse.Namespace) -> ObjectStoreResult:
    try:
        return result.read(ObjectStoreResult, json.loads(chosen.measured.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ValueError(f"{chosen.measured}: {error}") from None


def _measured(chosen: argparse.Namespace) -> ObjectStoreResult:
    detectors = list(chosen_detectors(chosen.detectors.split(",")))
    known = cases.layouts(chosen.frames_per_s, chosen.quality)
    unknown = [name for name in chosen.runs.split(",") if name not in known]
    if unknown:
        raise ValueError(f"run {unknown[0]!r}: known are {', '.join(known)}")
    if chosen.rounds < 1 or chosen.connections < 1:
        raise ValueError("rounds and connections must be 1 or more")
    film, short = FILMS[chosen.film]
    path, warm_up = chosen.clip or cached(film, chosen.films), cached(short, chosen.films)
    clip = describe(path, synthesised=chosen.clip is None)
    load_before = result.load()
    found = measure(
        path,
        warm_up,
        clip.seconds,
        clip.frames,
        detectors,
        [known[name] for name in chosen.runs.split(",")],
        connections=chosen.connections,
        rounds=chosen.rounds,
        before_run=lambda: wait_for_quiet(chosen.wait_s),
        tell=lambda text: print(text, file=sys.stderr),
    )
    return ObjectStoreResult(
        schema=result.SCHEMA,
        benchmark="object_store",
        created=result.now(),
        machine=result.machine(load_before),
        software=result.software(),
        clip=clip,
        measured=found,
        assumptions={},
        prices={},
        shares={},
        cases=(),
        targets=(),
    )


def _weighed(document: ObjectStoreResult, assumed: Assumptions, usd: dict[str, float]) -> ObjectStoreResult:
    """The result with what it costs under these assumptions."""
    found = cases.weighed(document.measured, usd, assumed)
    shares = {
        run.name: cases.cost_of(document.measured, usd, assumed, cases.What(run.name, run.name, {}, {})).shares
        for run in document.measured.runs
    }
    default = [case.saving for case in found[:1] if case.run == cases.SPARSE]
    targets = (
        (Target.of("saving of one process in the default case", default, "at least", MIN_SAVING),) if default else ()
    )
    return replace(
        document,
        assumptions=cases.assumptions_text(assumed),
        prices=usd,
        shares=shares,
        cases=found,
        targets=targets,
    )


if __name__ == "__main__":
    # Whatever ends this must end the servers too.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    sys.exit(main())
