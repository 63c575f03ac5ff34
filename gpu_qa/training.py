"""The command `gpu-qa sync-train`: makes weights that find the A/V offset by content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gpu_qa.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gpu_qa.sync_training.take import Take

_EXAMPLES = """
**Examples**

`gpu-qa sync-train --output weights.npz` — of rendered scenes alone

`gpu-qa sync-train interview1.mp4 interview2.mp4 --output ours.npz` — of rendered scenes and of one's own footage

`gpu-qa analyze channel.ts --config ours.toml` — where `weights = "ours.npz"` stands under `[detectors.av_offset]`
"""
_IMPACTS = 4
"""Of so many rendered talkers there is one scene of impacts."""
_TAUGHT_SHARE = 0.75
"""A net that is taught begins as one of its teachers, and learns for so many times their steps."""


def add_command(app: typer.Typer) -> None:
    """Give the program its command."""
    app.command(name="sync-train", epilog=_EXAMPLES)(sync_train)


def sync_train(
    clips: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[CLIPS]...",
            help="Clips in which sound and picture are in step: people who talk, things that strike.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where the weights go, .npz.", show_default=False)
    ] = Path("sync_weights.npz"),
    rendered: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="How many talkers to render, of 6 s each, and a quarter as many impacts."
        ),
    ] = 280,
    steps: Annotated[
        int, typer.Option(metavar="N", min=1, help="Steps of the optimiser; three quarters for a net that is taught.")
    ] = 1200,
    teachers: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            max=8,
            help="Nets trained first, whose mean answer the one that is written is taught; 0: it learns alone.",
        ),
    ] = 2,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Where chance begins.")] = 1,
    nets: Annotated[int, typer.Option(metavar="N", min=1, max=8, help="Nets whose answers are averaged.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Tell no progress.")] = False,
) -> int:
    """Train the net that finds the A/V offset by content, on rendered scenes and on your own footage.

    Needs torch, and for rendered talkers the library espeak-ng. Takes about 25 minutes of one core and 2 GB of memory
    for the default, half the time with --teachers 0.
    Exit code: 0, or 2 where it could not be done.
    """
    import numpy as np

    from gpu_qa.output import check_writable
    from gpu_qa.sync_training.fit import fit
    from gpu_qa.sync_training.take import footage_takes

    if not clips and not rendered:
        raise ConfigError("nothing to train on: name clips, or leave --rendered above 0")
    check_writable(str(output))
    tell = _silent if quiet else _to_stderr
    takes: list[Take] = []
    for clip in clips or ():
        found = footage_takes(clip)
        tell(f"{clip}: {len(found)} shots, {sum(len(take.motion) for take in found) / 25:.0f} s")
        takes += found
    for number, take in enumerate(_rendered(rendered), start=1):
        takes.append(take)
        if number % 20 == 0:
            tell(f"{number} of {rendered + rendered // _IMPACTS} scenes are rendered")
    taught_by = [
        fit(takes, steps=steps, seed=seed + one, on_step=_progress(tell, f"teacher {one + 1}", steps))
        for one in range(teachers)
    ]
    stored = {}
    length = max(int(steps * _TAUGHT_SHARE), 1) if teachers else steps
    for net in range(nets):
        on_step = _progress(tell, f"net {net + 1}", length)
        first = net % max(teachers, 1)
        order = [*taught_by[first:], *taught_by[:first]]
        weights = fit(takes, steps=length, seed=seed + teachers + net, teachers=order, on_step=on_step)
        for name, weight in weights.items():
            stored[f"{net}/{name}"] = weight.astype(np.float16)
    with output.open("wb") as file:
        np.savez(file, **stored)  # type: ignore[arg-type]
    tell(f"{output} is written")
    return 0


def _rendered(talkers: int) -> Iterator[Take]:
    import numpy as np

    from gpu_qa.sync_training.scene import impact_scene, talking_scene
    from gpu_qa.sync_training.take import rendered_take

    first = 1000
    for render, count in ((talking_scene, talkers), (impact_scene, talkers // _IMPACTS)):
        for number in range(count):
            yield rendered_take(render(first + number), float(np.random.default_rng(number).random()))


def _progress(tell: Callable[[str], None], which: str, steps: int) -> Callable[[int, float], None]:
    """What tells, every hundred steps, how far it is."""
    losses: list[float] = []

    def on_step(step: int, loss: float) -> None:
        losses.append(loss)
        if step % 100 == 0 or step == steps:
            recent = losses[-100:]
            tell(f"{which}: step {step} of {steps}: loss {sum(recent) / len(recent):.2f} (4.6 is chance)")

    return on_step


def _to_stderr(line: str) -> None:
    typer.echo(line, err=True)


def _silent(line: str) -> None:
    """Say nothing."""
