"""The commands `gpu-qa bench` and `gpu-qa plan`: what this machine carries, and what a fleet costs."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer looks the options' types up
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gpu_qa.errors import ConfigError

if TYPE_CHECKING:
    from gpu_qa.bench.costs import BenchResult
    from gpu_qa.fleet.machine import PriceTable
    from gpu_qa.fleet.plan import Headroom

ListFormat = Literal["table", "json"]
_DEFAULT = "h264:1080p25"
_ALL = ",".join(
    [f"{codec}:{height}p25" for codec in ("h264", "hevc", "av1") for height in (720, 1080, 2160)]
    + ["h264:1080p30", "h264:1080p50", "h264:720p60"]
)
_FULL_SECONDS = 60.0

_BENCH_EXAMPLES = """
**Examples**

`gpu-qa bench` — one kind of stream, in about three minutes; the first time also the film is made

`gpu-qa bench --price` — and what a stream costs per hour, here and on machines that can be rented

`gpu-qa bench --formats h264:1080p25,hevc:2160p50 --output costs.json` — costs for `gpu-qa plan --costs`
"""
_PLAN_EXAMPLES = """
**Examples**

`gpu-qa plan --streams channels.toml --machine g6.xlarge` — how many of them, and the cost

`gpu-qa plan --streams channels.toml --machine rack --prices own.toml --costs costs.json` — with machines of one's own

`gpu-qa plan --streams urls.txt --machine c7i.xlarge --assume h264:1080p30` — without opening the inputs
"""


def add_commands(app: typer.Typer) -> None:
    """Give the program its commands."""
    app.command(name="bench", epilog=_BENCH_EXAMPLES)(show_bench)
    app.command(name="plan", epilog=_PLAN_EXAMPLES)(show_plan)


def show_bench(
    formats: Annotated[
        str | None,
        typer.Option(
            metavar="CODEC:HEIGHTpRATE,…",
            help="Kinds of streams, such as h264:1080p25,hevc:2160p50; films are made of h264, hevc and av1.",
            show_default=_DEFAULT,
        ),
    ] = None,
    clip: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file of your own instead; 12 s are used.")
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help=f"Three codecs, three sizes, several rates, {_FULL_SECONDS:g} s each: hours."),
    ] = False,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Where pictures are decoded and measured.")
    ] = "auto",
    seconds: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="For how long streams must keep up.", show_default="8, with --full 60"),
    ] = None,
    rounds: Annotated[int, typer.Option(metavar="N", help="How often sides are compared.")] = 3,
    max_streams: Annotated[
        int, typer.Option(metavar="N", help="The most streams at once that are tried; 0 is no limit.")
    ] = 0,
    search: Annotated[
        bool, typer.Option("--search/--no-search", help="Look for the number of streams in real time.")
    ] = True,
    peers: Annotated[
        bool, typer.Option("--peers/--no-peers", help="Compare with FFmpeg, where the command exists.")
    ] = True,
    price: Annotated[
        bool, typer.Option("--price", help="Also tell what a stream costs per hour, here and elsewhere.")
    ] = False,
    machine: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What this machine is called in the price table.", show_default="EC2 tells"),
    ] = None,
    prices: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file of your own machines, cards and prices.")
    ] = None,
    output: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the result as JSON: costs for `gpu-qa plan`.")
    ] = None,
    output_format: Annotated[ListFormat, typer.Option("--format", help="For people, or for programs.")] = "table",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Tell no progress.")] = False,
) -> int:
    """Measure what streams cost on this machine and how many it carries in real time.

    Ctrl-C ends it with what is finished. Exit code: 0, or 2 where it could not be measured.
    """
    from rich.console import Console
    from rich.text import Text

    from gpu_qa.bench import result
    from gpu_qa.bench.formats import parse_formats
    from gpu_qa.bench.run import Bench, BenchSettings
    from gpu_qa.fleet.machine import load_prices
    from gpu_qa.output import check_writable, opened

    if clip is not None and (formats is not None or full):
        raise ConfigError("--clip is one kind of stream by itself: leave out --formats and --full")
    if clip is not None and not clip.is_file():
        raise ConfigError(f"{clip}: is no file")
    if rounds < 1 or max_streams < 0:
        raise ConfigError("--rounds must be 1 or more and --max-streams 0 or more")
    watched_s = seconds if seconds is not None else _FULL_SECONDS if full else 8.0
    if not 1.0 <= watched_s <= 3600.0:
        raise ConfigError(f"--seconds {watched_s:g}: must be 1 to 3600")
    if output is not None:
        check_writable(output)
    table = load_prices(prices)
    named = None if machine is None else table.machine(machine)
    settings = BenchSettings(
        formats=() if clip else parse_formats(formats or (_ALL if full else _DEFAULT)),
        clip=clip,
        device=_device(device),
        rounds=rounds,
        seconds=watched_s,
        search=search,
        peers=peers,
        max_streams=max_streams,
    )
    stderr = Console(stderr=True, highlight=False, markup=False)
    if quiet:
        found = Bench(settings, lambda _: None).run()
    elif stderr.is_terminal:
        with stderr.status("") as status:
            found = Bench(settings, lambda words: status.update(Text(words))).run()
    else:
        found = Bench(settings, lambda words: stderr.print(words, soft_wrap=True)).run()
    if output is not None:
        with opened(output, whole=True) as file:
            file.write(result.to_text(found))
    if output_format == "json":
        sys.stdout.write(result.to_text(found))
        return 0
    from gpu_qa.bench.table import render
    from gpu_qa.fleet.machine import this_machine

    console = Console(highlight=False)
    console.print(render(found))
    if price:
        _print_prices(console, found, table, named.name if named else getattr(this_machine(table), "name", None))
    return 0


def _device(wished: str) -> Literal["cpu", "cuda"]:
    """`auto` is the card where one decodes."""
    if wished != "auto":
        return "cuda" if wished == "cuda" else "cpu"
    from gpu_qa.decode.driver import load_driver
    from gpu_qa.errors import DeviceError

    try:
        load_driver(0)
    except DeviceError:
        return "cpu"
    return "cuda"


def _print_prices(console: Any, found: BenchResult, table: PriceTable, here: str | None) -> None:
    from gpu_qa.fleet.plan import Headroom
    from gpu_qa.fleet.price import price_rows, render

    console.print()
    console.print(render(price_rows(found, table, Headroom(), here), found, Headroom(), here))


def show_plan(
    streams: Annotated[
        str, typer.Option(metavar="FILE", help="Streams, as for `gpu-qa analyze --streams`.", show_default=False)
    ],
    machine: Annotated[
        str, typer.Option(metavar="NAME", help="A machine of the price table, such as g6.xlarge.", show_default=False)
    ],
    costs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="What `gpu-qa bench --output` measured.", show_default="measured with the package"
        ),
    ] = None,
    prices: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file of your own machines, cards and prices.")
    ] = None,
    assume: Annotated[
        str | None,
        typer.Option(
            metavar="CODEC:HEIGHTpRATE",
            help="Format of streams that state none, such as h264:1080p30.",
            show_default="look at the inputs",
        ),
    ] = None,
    detectors: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these detectors.", show_default="all of each stream")
    ] = None,
    cpu_only: Annotated[bool, typer.Option("--cpu-only", help="Leave the machine's cards unused.")] = False,
    cpu_speed: Annotated[
        float, typer.Option(metavar="FACTOR", help="Speed of one vCPU beside a core of the measured machine.")
    ] = 1.0,
    cpu_load: Annotated[float, typer.Option(metavar="SHARE", help="Of all processors, to be planned for.")] = 0.7,
    thread_load: Annotated[
        float, typer.Option(metavar="SHARE", help="Of one processor, by one thread, to be planned for.")
    ] = 0.7,
    memory_load: Annotated[float, typer.Option(metavar="SHARE", help="Of the memory.")] = 0.85,
    engine_load: Annotated[float, typer.Option(metavar="SHARE", help="Of each decoding engine of a card.")] = 0.7,
    device_memory_load: Annotated[float, typer.Option(metavar="SHARE", help="Of a card's memory.")] = 0.85,
    output_format: Annotated[ListFormat, typer.Option("--format", help="For people, or for programs.")] = "table",
) -> int:
    """Say how many machines a set of streams takes, which detectors run where, and what that costs.

    Exit code: 0, 1 where a stream fits no machine of this kind, 2 where nothing could be planned.
    """
    from gpu_qa.bench.costs import load_costs
    from gpu_qa.bench.formats import parse_format
    from gpu_qa.fleet import DEFAULT_COSTS
    from gpu_qa.fleet.demand import CostModel
    from gpu_qa.fleet.machine import load_prices
    from gpu_qa.fleet.plan import Planner
    from gpu_qa.fleet.plan_view import plan_json, render
    from gpu_qa.fleet.planned import planned_streams
    from gpu_qa.streams import load_streams, with_options

    if not cpu_speed > 0:
        raise ConfigError(f"--cpu-speed {cpu_speed:g}: must be more than 0")
    headroom = _headroom(cpu_load, thread_load, memory_load, engine_load, device_memory_load)
    table = load_prices(prices)
    chosen = table.machine(machine)
    entries = load_streams(streams)
    if detectors is not None:
        names = [name.strip() for name in detectors.split(",") if name.strip()]
        entries = with_options(entries, lambda settings: settings.select(names))
    planned = planned_streams(entries, assume=parse_format(assume) if assume else None)
    card = None if cpu_only else table.card_of(chosen)
    model = CostModel(load_costs(costs or DEFAULT_COSTS), chosen, card, cpu_speed)
    plan = Planner(model, headroom).plan(planned)
    if output_format == "json":
        import json

        sys.stdout.write(json.dumps(plan_json(plan, planned), indent=2, ensure_ascii=True, allow_nan=False) + "\n")
    else:
        from rich.console import Console

        Console(highlight=False).print(render(plan, planned))
    return 1 if plan.unplaced else 0


def _headroom(cpu: float, thread: float, memory: float, engines: float, device_memory: float) -> Headroom:
    from gpu_qa.fleet.plan import Headroom

    try:
        return Headroom(cpu, thread, memory, engines, device_memory)
    except ValueError as error:
        name, _, words = str(error).partition(" ")
        raise ConfigError(f"--{name.removesuffix('s').replace('_', '-')}-load {words}") from None
