"""The commands that show what there is: `doctor` the machine, `detectors` and `settings` the program."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

import typer

ListFormat = Literal["table", "json"]


def add_commands(app: typer.Typer) -> None:
    """Give the program its commands."""
    app.command(name="doctor")(show_doctor)
    app.command(name="detectors")(show_detectors)
    app.command(name="settings")(show_settings)


def show_doctor(
    compile_kernels: Annotated[
        bool,
        typer.Option(
            "--compile",
            help="Also compile all kernels for the CPU now (8 and 10 bits, sound), so that no analysis waits for it.",
        ),
    ] = False,
    output_format: Annotated[ListFormat, typer.Option("--format", help="For people, or for programs.")] = "table",
) -> int:
    """Say what this machine can do, what is missing, and what helps.

    Exit code: 0 where files and streams can be analyzed (be it on the CPU), 1 where not.
    """
    from rich.console import Console

    from gpu_qa.diagnosis import diagnosis_json, render
    from gpu_qa.doctor import diagnose

    with Console(stderr=True).status("Looking around; the first time takes a while …"):
        diagnosis = diagnose(compile_kernels=compile_kernels)
    if output_format == "json":
        _print_json(diagnosis_json(diagnosis))
    else:
        Console(highlight=False).print(render(diagnosis))
    return diagnosis.exit_code


def show_detectors(
    output_format: Annotated[ListFormat, typer.Option("--format", help="For people, or for programs.")] = "table",
) -> int:
    """List the detectors: what they tell, their default limits and timing, and where the numbers come from."""
    from gpu_qa.catalogue import catalogue, render

    entries = catalogue()
    if output_format == "json":
        _print_json(entries)
    else:
        from rich.console import Console

        Console(highlight=False).print(render(entries))
    return 0


def show_settings(
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="Show these settings instead of the defaults.")
    ] = None,
) -> int:
    """Print every setting with its meaning, as a TOML file for `gpu-qa analyze --config`."""
    from gpu_qa.catalogue import settings_toml
    from gpu_qa.config import Settings, load_settings

    sys.stdout.write(settings_toml(load_settings(config) if config else Settings()))
    return 0


def _print_json(value: Any) -> None:
    import json

    encoding = (sys.stdout.encoding or "utf-8").lower().replace("-", "")
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=encoding != "utf8", allow_nan=False) + "\n")
