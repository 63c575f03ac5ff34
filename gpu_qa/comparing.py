"""The command `gpu-qa compare`: lays probes over a reference and prints how they are delayed and skewed."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gpu_qa.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

    from rich.table import Table

    from gpu_qa.agreement import Compared, SkewLimits
    from gpu_qa.comparison import Comparison, Found
    from gpu_qa.sync.placing import Placing
    from gpu_qa.sync.summary import Part

_EXAMPLES = """
**Examples**

`gpu-qa compare master.mp4 delivered.mp4` — delay, lip sync, drift, lost pictures; exit code 1 where they are not right

`gpu-qa compare master.mxf 1080p.mp4 720p.mp4 480p.mp4 --format json` — the reference is read once for all

`gpu-qa compare srt://studio:9000 https://cdn.example/live.m3u8 --format jsonl` — each answer as a line, until Ctrl-C

`gpu-qa compare before.ts after.ts --profile contribution` — narrower limits: sound 15 ms early, 45 ms late
"""


_SHORT_S = 0.5
"""A copy that is shorter than the reference by this much is told to be, though it may be meant to; ours."""


def add_command(app: typer.Typer) -> None:
    """Give the program its command."""
    app.command(name="compare", epilog=_EXAMPLES)(show_compare)


def show_compare(
    reference: Annotated[
        str,
        typer.Argument(metavar="REFERENCE", help="The programme as it should be: a path or URL.", show_default=False),
    ],
    probes: Annotated[
        list[str],
        typer.Argument(metavar="PROBE", help="The same programme elsewhere in the chain.", show_default=False),
    ],
    output_format: Annotated[
        Literal["table", "json", "jsonl"],
        typer.Option(
            "--format",
            help="`table` for people; `json`, one document per probe; `jsonl`, each stretch of 10 s as a line once"
            " it is known, and the result of each probe as the last one.",
            rich_help_panel="Result",
        ),
    ] = "table",
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the result here instead of standard output.",
            rich_help_panel="Result",
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress; errors only.", rich_help_panel="Result")
    ] = False,
    profile: Annotated[
        Literal["default", "aws", "ebu", "atsc", "streaming", "contribution"],
        typer.Option(
            help="Limits as `analyze` has them: 45 ms early, 125 late; `ebu` 40 and 60, `contribution` 15 and 45.",
            rich_help_panel="Judging",
        ),
    ] = "default",
    max_advanced: Annotated[
        float | None,
        typer.Option(metavar="MS", help="Sound may be early by this.", show_default="45", rich_help_panel="Judging"),
    ] = None,
    max_delayed: Annotated[
        float | None,
        typer.Option(metavar="MS", help="Sound may be late by this.", show_default="125", rich_help_panel="Judging"),
    ] = None,
    max_lost: Annotated[
        int, typer.Option(metavar="N", min=0, help="Pictures that may be missing.", rich_help_panel="Judging")
    ] = 0,
    max_repeated: Annotated[
        int, typer.Option(metavar="N", min=0, help="Pictures that may be repeated.", rich_help_panel="Judging")
    ] = 0,
    max_drift: Annotated[
        float | None,
        typer.Option(
            metavar="PPM", help="The skew may change so fast, millionths.", show_default="10", rich_help_panel="Judging"
        ),
    ] = None,
    max_short: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="So much of the reference may be missing at the probe's beginning, or at its end.",
            show_default="any amount: it is told, not judged",
            rich_help_panel="Judging",
        ),
    ] = None,
    max_delay: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", help="The probe is looked for up to so much later or earlier.", rich_help_panel="Judging"
        ),
    ] = 60.0,
    device: Annotated[
        Literal["auto", "cuda", "cpu"] | None,
        typer.Option(help="Where pictures are decoded and measured.", show_default="auto", rich_help_panel="Input"),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="Read so much of each.", show_default="to its end", rich_help_panel="Input"
        ),
    ] = None,
) -> int:
    """Compare copies of a programme with the original: delay, lip sync, drift, lost and repeated pictures.

    Exit code: 0 within the limits and the same content, 1 outside them or other content, 2 not compared.
    """
    from dataclasses import replace

    from gpu_qa.agreement import PROFILES, exit_code
    from gpu_qa.comparison import Comparison
    from gpu_qa.config import Settings, override
    from gpu_qa.output import opened
    from gpu_qa.sync.reference import ReferenceLimits

    for option, value, unit in (
        ("--max-advanced", max_advanced, "ms"),
        ("--max-delayed", max_delayed, "ms"),
        ("--max-drift", max_drift, "ppm"),
    ):
        if value is not None and not 0 <= value < float("inf"):
            raise ConfigError(f"{option} {value:g}: must be 0 {unit} or more")
    if duration is not None and not duration > 0:
        raise ConfigError(f"--duration {duration:g}: must be more than 0 seconds")
    if max_short is not None and not max_short >= 0:
        raise ConfigError(f"--max-short {max_short:g}: must be 0 seconds or more")
    if not 0 <= max_delay <= 600:
        raise ConfigError(f"--max-delay {max_delay:g}: must be 0 to 600 seconds")
    if [reference, *probes].count("-") > 1:
        raise ConfigError("standard input can be only one of the inputs")
    chosen = {"max_advanced_ms": max_advanced, "max_delayed_ms": max_delayed, "max_drift_ppm": max_drift}
    limits = replace(
        PROFILES[profile],
        max_lost=max_lost,
        max_repeated=max_repeated,
        max_short_s=max_short,
        **{name: value for name, value in chosen.items() if value is not None},
    )
    settings = Settings() if device is None else override(Settings(), {"decode": {"device": device}})
    reach = ReferenceLimits(max_delay_s=max_delay, max_lead_s=max_delay)
    comparison = Comparison(reference, probes, settings, reach, duration_s=duration)
    whole = output_format != "jsonl"
    with opened(output, whole=whole) if output is not None else contextlib.nullcontext(sys.stdout) as stream:
        with _stopped_by_signals(comparison), _progress(comparison, quiet=quiet) as tell:
            for found in comparison:
                tell()
                if output_format == "jsonl":
                    _write(stream, _stretch_document(found))
        results = comparison.results()
        for result in results:
            if output_format == "json":
                stream.write(json.dumps(_document(result, limits), indent=2, ensure_ascii=True, allow_nan=False) + "\n")
            elif output_format == "jsonl":
                _write(stream, {"type": "result", **_document(result, limits)})
        if output_format == "table":
            from rich.console import Console

            console = Console(file=stream, width=None if stream.isatty() else 140, highlight=False)
            console.print(_table(results, limits))
    for result in results:
        if result.error is not None and output_format != "table":
            is_named = any(name in result.error for name in (result.probe, result.reference))
            sys.stderr.write(f"gpu-qa: {result.error if is_named else f'{result.probe}: {result.error}'}\n")
    if comparison.is_stopped and not quiet and any(result.summary is not None for result in results):
        sys.stderr.write("gpu-qa: stopped; the results cover what was read until then\n")
    return max(exit_code(result, limits) for result in results)


@contextlib.contextmanager
def _stopped_by_signals(comparison: Comparison) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM ends with what is known, the next one at once."""

    def stop(number: int, frame: object) -> None:
        del frame
        comparison.stop()
        signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextlib.contextmanager
def _progress(comparison: Comparison, *, quiet: bool) -> Iterator[Any]:
    """A line about how far it has come where somebody watches."""
    from rich.console import Console

    from gpu_qa.units import s_to_clock

    console = Console(stderr=True, highlight=False)
    if quiet or not console.is_terminal:
        yield lambda: None
        return
    with console.status("reading …") as status:
        yield lambda: status.update(f"compared up to {s_to_clock(comparison.position_s)[:-2]}")


def _write(stream: TextIO, document: dict[str, Any]) -> None:
    stream.write(json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n")
    stream.flush()


def _document(result: Compared, limits: SkewLimits) -> dict[str, Any]:
    """A probe as JSON; null is not known, with the reason beside it."""
    from gpu_qa.agreement import exit_code, grade, problems

    code = exit_code(result, limits)
    document: dict[str, Any] = {
        "reference": result.reference,
        "probe": result.probe,
        "verdict": ("matches", "differs", "unknown")[code],
        "problems": problems(result, limits),
        "error": result.error,
        "analyzed_s": result.analyzed_s,
        "short_start_s": result.short_start_s,
        "short_end_s": result.short_end_s,
    }
    summary = result.summary
    if summary is None:
        return document
    return document | {
        "skew_s": _rounded(summary.skew_s),
        "skew_grade": grade(result),
        "skew_reason": summary.reason,
        "skew_low_s": _rounded(summary.skew_low_s),
        "skew_high_s": _rounded(summary.skew_high_s),
        "skew_sigma_s": _rounded(summary.skew_sigma_s),
        "skew_confidence": round(summary.confidence, 3),
        "skew_drift_ppm": _rounded(summary.drift_ppm, 2),
        "skew_drift_sigma_ppm": _rounded(summary.drift_sigma_ppm, 2),
        "picture": _part_document(summary.picture),
        "sound": _part_document(summary.sound),
        "frames_lost": summary.lost,
        "frames_repeated": summary.repeated,
        "frozen": [{"start_s": _rounded(one.start_s), "end_s": _rounded(one.end_s)} for one in summary.frozen],
        "stretches": [
            {
                "start_s": _rounded(one.start_s),
                "end_s": _rounded(one.end_s),
                "picture_delay_s": _rounded(one.picture.delay_s),
                "sound_delay_s": _rounded(one.sound.delay_s),
                "skew_s": _rounded(one.skew_s),
                "confidence": round(one.confidence, 3),
            }
            for one in result.stretches
        ],
    }


def _part_document(part: Part) -> dict[str, Any]:
    return {
        "verdict": part.verdict,
        "delay_s": _rounded(part.delay_s),
        "delay_reason": part.reason,
        "drift_ppm": _rounded(part.drift_ppm, 2),
        "drift_sigma_ppm": _rounded(part.drift_sigma_ppm, 2),
        "jumps": [{"at_s": _rounded(jump.at_s), "by_s": _rounded(jump.by_s)} for jump in part.jumps],
        "stretches_matching": part.matching,
        "stretches_differing": part.differing,
    }


def _stretch_document(found: Found) -> dict[str, Any]:
    stretch = found.stretch
    return {
        "type": "stretch",
        "probe": found.probe,
        "start_s": _rounded(stretch.start_s),
        "end_s": _rounded(stretch.end_s),
        "skew_s": _rounded(stretch.skew_s),
        "skew_sigma_s": _rounded(stretch.skew_sigma_s),
        "confidence": round(stretch.confidence, 3),
        "picture": _placing_document(stretch.picture),
        "sound": _placing_document(stretch.sound),
        "frames_lost": None if stretch.lost is None else len(stretch.lost),
        "frames_repeated": None if stretch.repeated is None else len(stretch.repeated),
        "frozen": [{"start_s": _rounded(one.start_s), "end_s": _rounded(one.end_s)} for one in stretch.frozen],
    }


def _placing_document(placing: Placing) -> dict[str, Any]:
    return {
        "state": placing.state,
        "reason": placing.reason,
        "delay_s": _rounded(placing.delay_s),
        "coefficient": _rounded(placing.coefficient, 3),
    }


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)


def _table(results: Sequence[Compared], limits: SkewLimits) -> Table:
    from rich.table import Table

    from gpu_qa.agreement import exit_code, grade, problems, shortcomings
    from gpu_qa.sinks.phrases import printable

    table = Table(box=None, padding=(0, 1))
    for name in ("probe", "picture later", "sound later", "skew", "drift", "lost, repeated", "result"):
        table.add_column(name, justify="left" if name in ("probe", "result") else "right", overflow="fold")
    for result in results:
        words = list(problems(result, limits))
        if result.error is not None:
            words.append(result.error)
        summary = result.summary
        cells = ["—"] * 5
        if summary is not None:
            cells = [
                _delay(summary.picture.delay_s), _delay(summary.sound.delay_s), _skew(summary.skew_s),
                "—" if summary.drift_ppm is None else f"{summary.drift_ppm:+.1f} ppm",
                "—" if summary.lost is None else f"{summary.lost}, {summary.repeated}",
            ]  # fmt: skip
            if summary.skew_s is None and not words:
                words.append(f"not known: {summary.reason}")
        code = exit_code(result, limits)
        style = ("green", "red", "magenta")[code]
        graded = grade(result)
        # More than is noticed may have been allowed.
        words = words or [f"{'in sync' if graded == 'in sync' else f'{graded}, but allowed'}, same content"]
        if limits.max_short_s is None and summary is not None:
            words += shortcomings(result, _SHORT_S)
        text = "; ".join(words)
        table.add_row(printable(result.probe), *cells, f"[{style}]{_plain(printable(text))}[/]")
    return table


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _delay(value_s: float | None) -> str:
    # Adding 0 makes −0 of it 0.
    return "—" if value_s is None else f"{round(value_s, 3) + 0.0:.3f} s"


def _skew(value_s: float | None) -> str:
    return "—" if value_s is None else f"{round(1000 * value_s, 1) + 0.0:+.1f} ms"
