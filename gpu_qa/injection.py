"""The commands that make clips: `gpu-qa inject` plants faults, `gpu-qa sync-clip` draws flashes and beeps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gpu_qa.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_qa.inject import Truth

_EXAMPLES = """
**Examples**

`gpu-qa inject film.mp4 faulty.mp4 --fault freeze --start 10 --duration 4`

`gpu-qa inject film.mp4 faulty.ts --fault packet_loss:strength=0.1 --fault hum:strength=-35,start=20,duration=8`

`gpu-qa inject film.mp4 clean.mp4` — the same coded again, with nothing planted: what must stay silent

`gpu-qa inject --list` — every fault with its strength, its options, and the event that should be told
"""


_SYNC_EXAMPLES = """
**Examples**

`gpu-qa sync-clip marker.mp4` — 30 s at 25 frames per second, in sync

`gpu-qa sync-clip late.ts --offset-ms -120 --rate 30000/1001 --size 1920x1080` — each beep 120 ms after its flash
"""


def add_command(app: typer.Typer) -> None:
    """Give the program its commands."""
    app.command(name="inject", epilog=_EXAMPLES)(show_inject)
    app.command(name="sync-clip", epilog=_SYNC_EXAMPLES)(show_sync_clip)


def show_sync_clip(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The new file: .mp4, .mov, .ts or, without loss, .mkv.")],
    seconds: Annotated[float, typer.Option(metavar="SECONDS", help="Length of the clip.")] = 30.0,
    rate: Annotated[str, typer.Option(metavar="FPS", help="Frames per second, such as 25 or 30000/1001.")] = "25",
    size: Annotated[str, typer.Option(metavar="WxH", help="Width and height, both even.")] = "1280x720",
    offset_ms: Annotated[
        float, typer.Option(metavar="MS", help="How much the sound is advanced; negative where it is late.")
    ] = 0.0,
    period: Annotated[float, typer.Option("--period-s", metavar="SECONDS", help="Mean distance of the flashes.")] = 1.5,
    between_frames: Annotated[
        bool, typer.Option("--between-frames", help="Flashes begin within frames, whose exposure shows when.")
    ] = False,
) -> int:
    """Write a test clip of flashes and beeps, to measure where in a chain sound and picture part."""
    from fractions import Fraction

    from gpu_qa.sync_clip import SyncClip, write_sync_clip

    try:
        frames = Fraction(rate)
        width, height = (int(side) for side in size.lower().split("x"))
    except (ValueError, ZeroDivisionError):
        raise ConfigError(f"--rate {rate} --size {size}: must look like 30000/1001 and 1280x720") from None
    clip = SyncClip(seconds, frames, (width, height), offset_ms / 1e3, period, between_frames)
    write_sync_clip(out, clip)
    return 0


def show_inject(
    clip: Annotated[Path | None, typer.Argument(metavar="CLIP", help="A file.", show_default=False)] = None,
    out: Annotated[
        Path | None,
        typer.Argument(metavar="OUT", help="The new file: .mp4, .mov, .mkv or .ts.", show_default=False),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="NAME[:key=value,…]",
            help="What to plant; may be repeated. Keys: strength, start, duration, seed, and the fault's options.",
            show_default="a clean copy",
            rich_help_panel="Faults",
        ),
    ] = None,
    start: Annotated[
        float, typer.Option(metavar="SECONDS", help="Where faults begin.", rich_help_panel="Faults")
    ] = 3.0,
    duration: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long they last.", rich_help_panel="Faults")
    ] = 4.0,
    strength: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Of every fault that does not say its own, in its unit.",
            show_default="each fault's",
            rich_help_panel="Faults",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Where chance begins.", rich_help_panel="Faults")] = 1,
    list_faults: Annotated[
        bool, typer.Option("--list", help="List all faults and end.", rich_help_panel="Faults")
    ] = False,
    output_format: Annotated[
        Literal["table", "json"], typer.Option("--format", help="Of --list.", rich_help_panel="Faults")
    ] = "table",
    video_codec: Annotated[
        Literal["h264", "hevc", "mpeg2video", "ffv1"],
        typer.Option(help="How the picture is coded; ffv1 loses nothing.", rich_help_panel="New clip"),
    ] = "h264",
    audio_codec: Annotated[
        Literal["aac", "mp2", "ac3", "flac", "pcm"],
        typer.Option(help="How the sound is coded.", rich_help_panel="New clip"),
    ] = "aac",
    crf: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            help="Rate factor of x264 and x265, quantiser scale of MPEG-2: less is better.",
            show_default="20, 22, 3",
            rich_help_panel="New clip",
        ),
    ] = None,
    preset: Annotated[str, typer.Option(help="Of x264 and x265.", rich_help_panel="New clip")] = "veryfast",
    gop: Annotated[
        float, typer.Option(metavar="SECONDS", help="From key frame to key frame.", rich_help_panel="New clip")
    ] = 2.0,
    length: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="Only so much of the clip.", show_default="all", rich_help_panel="New clip"
        ),
    ] = None,
    height: Annotated[
        int | None,
        typer.Option(
            metavar="ROWS",
            min=16,
            help="Scale larger pictures down.",
            show_default="as it is",
            rich_help_panel="New clip",
        ),
    ] = None,
    truth: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the truth here instead of printing it.", rich_help_panel="Result"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Tell no progress.", rich_help_panel="Result")] = False,
) -> int:
    """Plant known faults in a clip, to test an alarm chain or to measure detectors.

    Prints what was planted where, as JSON. Exit code: 0, or 2 where it could not be done.
    """
    from gpu_qa.inject import FAULTS, InjectSettings, inject, parse_planting
    from gpu_qa.inject.registry import planting
    from gpu_qa.inject.writer import Coding
    from gpu_qa.output import check_writable, opened

    if list_faults:
        return _list(output_format)
    if clip is None or out is None:
        raise ConfigError("inject needs a clip and the name of a new one; `gpu-qa inject --list` names the faults")
    if crf is not None and not 0 <= crf <= 63:
        raise ConfigError(f"--crf {crf:g}: must be 0 to 63")
    for name, value in (("--duration", duration), ("--gop", gop), ("--length", length)):
        if value is not None and not 0 < value < float("inf"):
            raise ConfigError(f"{name} {value:g}: must be more than 0 seconds, and a number")
    if not 0 <= start < float("inf"):
        raise ConfigError(f"--start {start:g}: must be 0 seconds or more, and a number")
    first = next(iter(FAULTS.values()))
    base = planting(first, start_s=start, duration_s=duration, seed=seed)
    plantings = [parse_planting(text, base, strength=strength) for text in fault or []]
    if strength is not None and not any(chosen.fault.strength for chosen in plantings):
        raise ConfigError(f"--strength {strength:g}: no fault that has a strength is planted")
    if truth is not None:
        check_writable(truth)
        for path, what in ((clip, "the clip itself"), (out, "the new clip")):
            if Path(truth).resolve() == path.resolve() or _is_one(Path(truth), path):
                raise ConfigError(f"--truth {truth}: is {what}")
    settings = InjectSettings(
        coding=Coding(video_codec=video_codec, audio_codec=audio_codec, crf=crf, preset=preset, gop_s=gop),
        seconds=length,
        height=height,
    )
    found = _with_progress(lambda tell: inject(clip, out, plantings, settings, on_progress=tell), quiet=quiet)
    text = _json(found)
    if truth is not None:
        with opened(truth, whole=True) as file:
            file.write(text)
    else:
        sys.stdout.write(text)
    return 0


def _is_one(path: Path, other: Path) -> bool:
    """Whether both are there and are one file, under two names."""
    return path.exists() and other.exists() and path.samefile(other)


def _with_progress(work: Callable[[Callable[[float, float | None], None] | None], Truth], *, quiet: bool) -> Truth:
    """Do the work, with a line about it where somebody watches."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if quiet or not console.is_terminal:
        return work(None)
    with console.status("reading …") as status:

        def tell(at_s: float, total_s: float | None) -> None:
            share = f" of {total_s:.0f} s ({100 * at_s / total_s:.0f} %)" if total_s else " s"
            status.update(f"{at_s:.0f}{share}")

        return work(tell)


def _json(truth: Truth) -> str:
    import json

    from gpu_qa.inject import truth_json

    return json.dumps(truth_json(truth), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _list(output_format: Literal["table", "json"]) -> int:
    from gpu_qa.inject import FAULTS
    from gpu_qa.inject.registry import describe

    entries: list[dict[str, Any]] = [describe(fault) for fault in FAULTS.values()]
    if output_format == "json":
        import json

        sys.stdout.write(json.dumps(entries, indent=2, ensure_ascii=True, allow_nan=False) + "\n")
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table("fault", "should be told as", "what is done", "strength", "options", box=None, padding=(0, 1))
    for entry in entries:
        strength = entry["strength"]
        words = ""
        if strength:
            words = f"{strength['what']}: {strength['low']:g} to {strength['high']:g} {strength['unit']}"
            words += f" ({strength['default']:g})"
        options = "; ".join(
            f"{option['name']}: "
            + ("|".join(option["choices"]) if "choices" in option else f"{option['low']:g} to {option['high']:g}")
            + f" ({option['default']})"
            for option in entry["options"]
        )
        kind = entry["kind"] if entry["told"] else f"{entry['kind']} (untold)"
        table.add_row(entry["fault"], kind, entry["summary"], words, options)
    Console(highlight=False, markup=False).print(table)
    return 0
