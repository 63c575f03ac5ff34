"""The command `gpu-qa`: with `comparing`, `sizing`, `injection`, `training` and `showing`, the only one that prints.

Nothing heavy is imported before a command runs, so that `--help` answers at once. Exit codes: 0 clean, 1 defects found,
2 could not analyze, or used wrongly; of several inputs the worst one's. A first Ctrl-C (or SIGTERM) ends with what is
known, a second one kills.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from gpu_qa import comparing, injection, showing, sizing, training
from gpu_qa.errors import ConfigError, GpuQaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.config import Settings

Format = Literal["table", "json", "jsonl"]
Device = Literal["auto", "cuda", "cpu"]

FAILED = 2
"""Exit code where something could not be analyzed, or the command was used wrongly."""

_COMMANDS = (
    "analyze",
    "compare",
    "bench",
    "plan",
    "inject",
    "sync-clip",
    "sync-train",
    "doctor",
    "detectors",
    "settings",
)

_ANALYZE_EXAMPLES = """
**Examples**

`gpu-qa analyze film.mp4` — a table of what is wrong, and exit code 1 where something is

`gpu-qa analyze *.ts --format json --report report.html` — one document per file, and a page to look at

`gpu-qa analyze --streams channels.toml --format jsonl` — many live inputs, each with settings of its own

`gpu-qa analyze srt://studio:9000 --format jsonl` — each event as a line the moment it is known, until Ctrl-C

`ffmpeg -i … -f mpegts - | gpu-qa analyze - --detectors freeze,audio.silence` — from standard input
"""

app = typer.Typer(
    name="gpu-qa",
    help="Tells what a viewer would notice in a file or a live channel: frozen, black, lost sound, broken transport.",
    epilog="Start with `gpu-qa analyze FILE`; `gpu-qa COMMAND --help` shows examples.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit; whatever goes wrong becomes one line on standard error."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        # An ASCII terminal shows a question mark for what it cannot.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        code = app(args=arguments, prog_name="gpu-qa", standalone_mode=False) or 0
        sys.stdout.flush()
    except BrokenPipeError:
        from gpu_qa.sinks.jsonl import discard_rest

        discard_rest(sys.stdout)
        code = 0
    except typer.Abort:
        code = FAILED
    except GpuQaError as error:
        code = complain(str(error))
    except KeyboardInterrupt:
        code = complain("interrupted before anything was known")
    except Exception as error:  # noqa: BLE001 - nobody is shown a traceback unasked
        code = _complain_of(error, arguments)
    sys.exit(code)


def complain(message: str) -> int:
    """Say on standard error what went wrong, in one line; gives the exit code."""
    sys.stderr.write(f"gpu-qa: {' '.join(message.split())}\n")
    return FAILED


def _complain_of(error: Exception, arguments: Sequence[str]) -> int:
    # typer's usage errors have this method whether it brings click along or depends on it.
    usage_message = getattr(error, "format_message", None)
    if usage_message is not None:
        command = " ".join(["gpu-qa", *(word for word in arguments[:1] if word in _COMMANDS)])
        return complain(f"{usage_message()} See `{command} --help`.")
    if isinstance(error, OSError):
        return complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    if not {"--verbose", "-v"}.isdisjoint(arguments):
        import traceback

        traceback.print_exc()
    return complain(f"internal error: {type(error).__name__}: {error}; run with --verbose for the traceback")


def _print_version(wanted: bool) -> None:
    if wanted:
        from gpu_qa import __version__

        typer.echo(f"gpu-qa {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command(epilog=_ANALYZE_EXAMPLES)
def analyze(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT",
            help="Paths, URLs (http, HLS, DASH, rtmp, rtsp, srt, udp, rtp) or `-` for standard input.",
            show_default=False,
        ),
    ] = None,
    output_format: Annotated[
        Format,
        typer.Option(
            "--format",
            help="`table` for people; `json`, one document per input, one after another (`jq -s .` makes a list of"
            " them); `jsonl`, each event as a line the moment it"
            " opens, becomes worse or closes.",
            rich_help_panel="Result",
        ),
    ] = "table",
    report: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Also write a self-contained HTML page.", rich_help_panel="Result"),
    ] = None,
    pictures: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Also write a picture of each event there, the frame or the sound; its JSON names the file.",
            rich_help_panel="Result",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the result here instead of standard output; the same bytes, `--format json` too.",
            rich_help_panel="Result",
        ),
    ] = None,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="No progress and no remarks; errors only.", rich_help_panel="Result"),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            "-v",
            help="Also tell events and decoders on standard error, and tracebacks.",
            rich_help_panel="Result",
        ),
    ] = False,
    detectors: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Run only these: names or event kinds, such as `freeze,audio.silence`. See `gpu-qa detectors`.",
            show_default="all",
            rich_help_panel="Judging",
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Settings in TOML; options of this command win.", rich_help_panel="Judging"),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A set of limits that others use, such as `ebu`, in place of the one that `--config` names.",
            show_default="default",
            rich_help_panel="Judging",
        ),
    ] = None,
    device: Annotated[
        Device | None,
        typer.Option(help="Where pictures are decoded and measured.", show_default="auto", rich_help_panel="Judging"),
    ] = None,
    streams: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="More inputs: a `.toml` file with names and settings of each, or any other with one input per line;"
            " `-` reads such a list from standard input.",
            rich_help_panel="Input",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            metavar="N",
            min=1,
            help="Files analyzed at the same time; live inputs all run at once.",
            show_default="one per core",
            rich_help_panel="Input",
        ),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Stop after this much of the stream.",
            show_default="to its end",
            rich_help_panel="Input",
        ),
    ] = None,
    real_time: Annotated[
        bool,
        typer.Option(
            "--real-time",
            help="Deliver files no faster than they play and treat them as live: for rehearsals.",
            rich_help_panel="Input",
        ),
    ] = False,
    program: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Programme of a transport stream, variant of HLS or DASH.",
            show_default="first",
            rich_help_panel="Input",
        ),
    ] = None,
    video_track: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Video track, by its index in the container.",
            show_default="first",
            rich_help_panel="Input",
        ),
    ] = None,
    audio_tracks: Annotated[
        str | None,
        typer.Option(
            metavar="first|all|none|1,2",
            help="Audio tracks, or their indices in the container.",
            show_default="first",
            rich_help_panel="Input",
        ),
    ] = None,
    open_timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Give up opening after this.", show_default="10", rich_help_panel="Input"),
    ] = None,
    read_timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Give up on an input that delivers nothing for this long.",
            show_default="10",
            rich_help_panel="Input",
        ),
    ] = None,
) -> int:
    """Analyze files and live inputs, many at once, and tell what is wrong with them.

    Exit code: 0 nothing found, 1 defects found, 2 an input could not be analyzed.
    """
    from gpu_qa.config import Settings, load_settings, override
    from gpu_qa.session import Session, Wishes
    from gpu_qa.streams import load_streams, streams_of, with_options

    options = [
        ("--device", "decode", "device", device),
        ("--real-time", "source", "real_time", real_time or None),
        ("--program", "source", "program", program),
        ("--video-track", "source", "video_track", video_track),
        ("--audio-tracks", "source", "audio_tracks", _tracks(audio_tracks)),
        ("--open-timeout", "source", "open_timeout_s", open_timeout),
        ("--read-timeout", "source", "read_timeout_s", read_timeout),
    ]

    def with_these(settings: Settings) -> Settings:
        for option, table, key, value in options:
            if value is not None:
                settings = _with_option(settings, option, table, key, value)
        if detectors is not None:
            settings = settings.select(name.strip() for name in detectors.split(",") if name.strip())
        return settings

    if duration is not None and not duration > 0:
        raise ConfigError(f"--duration {duration}: must be more than 0 seconds")
    asked = {} if profile is None else {"profile": profile}
    base = load_settings(config, profile=profile) if config else override(Settings(), asked)
    with_these(base)  # what is wrong with an option is told whatever the streams are
    listed = load_streams(streams, base) if streams is not None else ()
    entries = with_options(streams_of(inputs or [], listed, base), with_these)
    if duration is not None:
        entries = tuple(replace(entry, duration_s=duration) for entry in entries)
    wishes = Wishes(output_format, output, report, pictures, jobs or 0, quiet=quiet, verbose=verbose)
    return Session(wishes, sys.stdout, sys.stderr, complain).run(entries)


def _with_option(settings: Settings, option: str, table: str, key: str, value: Any) -> Settings:
    """The settings with what one option says, checked like a file's; what is wrong is told of the option."""
    from gpu_qa.config import override

    try:
        return override(settings, {table: {key: value}})
    except ConfigError as error:
        raise ConfigError(f"{option} {str(error).rpartition('= ')[2]}") from None


def _tracks(text: str | None) -> str | list[int] | None:
    """`first`, `all`, or a list of indices; anything else is handed on, for the setting's own check to refuse."""
    if text == "none":
        return []
    if text is not None and all(part.strip().isdecimal() for part in text.split(",")):
        return [int(part) for part in text.split(",")]
    return text


comparing.add_command(app)
sizing.add_commands(app)
injection.add_command(app)
training.add_command(app)
showing.add_commands(app)
