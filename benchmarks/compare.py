"""How well `gpu-qa compare` places copies of a programme: planted delays and skews, and other content.

python benchmarks/compare.py DIR… [--programmes N] [--work FOLDER] [--hard]

Clips of the folders are joined to programmes of 14 s; of each a reference is coded, and copies of it that were coded
again, scaled, given another frame rate, bars or a logo, with a random delay and skew. What is made stays in the work
folder. `--hard` makes copies that were treated worse, and writes no result unless `--output` says where.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / folder) for folder in ("", "kernels")]

import numpy as np  # noqa: E402

from benchmarks import result  # noqa: E402
from benchmarks.result import Machine, Software  # noqa: E402, TC001 - `read` looks up the fields' types

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RESULT = Path(__file__).resolve().parent / "results" / "compare.json"
SECONDS = 14.0
LEAST_CLIP_S = 3.0
PIECE_S = 7.0
WAYS = ("quarter", "half", "rate_25_50", "rate_2997_25", "letterbox", "logo", "pillarbox")
HARD = ("noise", "blur", "tiny", "grade", "blend", "mix", "cover", "short_4", "short_7")
SIZE = "640:360"


@dataclass(frozen=True, slots=True)
class Copy:
    """A probe and what is true of it."""

    reference: str
    probe: str
    way: str
    delay_s: float
    """Of the picture."""
    skew_s: float
    """Delay of the picture less that of the sound."""
    same: bool
    """Whether it holds the reference's programme."""


def clips(folders: Sequence[Path]) -> list[tuple[Path, float]]:
    """Clips with picture and sound, with their lengths in seconds."""
    found = []
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()):
        command = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_type,duration:format=duration"]
        done = subprocess.run([*command, "-of", "json", str(path)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            continue
        facts = json.loads(done.stdout)
        kinds = {stream["codec_type"] for stream in facts["streams"]}
        seconds = float(facts["format"].get("duration", 0))
        if {"video", "audio"} <= kinds and seconds >= LEAST_CLIP_S:
            found.append((path, seconds))
    return found


def programmes(
    found: Sequence[tuple[Path, float]], count: int, chance: random.Random
) -> Iterator[list[tuple[Path, float]]]:
    """Which pieces a programme is joined from: clips and the second at which each piece begins."""
    waiting: list[tuple[Path, float]] = []
    for _ in range(count):
        pieces: list[tuple[Path, float]] = []
        total_s = 0.0
        while total_s < SECONDS:
            if not waiting:
                waiting = list(found)
                chance.shuffle(waiting)
            path, seconds = waiting.pop()
            pieces.append((path, round(chance.uniform(0.0, max(0.0, min(seconds, 600.0) - PIECE_S)), 2)))
            total_s += min(seconds, PIECE_S) - 0.2
        yield pieces


def ffmpeg(*arguments: str) -> bool:
    """Run FFmpeg; whether it did its work."""
    command = ["nice", "ffmpeg", "-nostdin", "-v", "error", "-y", "-threads", "1", *arguments]
    return subprocess.run(command, capture_output=True, check=False, timeout=300).returncode == 0


def reference(pieces: Sequence[tuple[Path, float]], rate: str, out: Path) -> bool:
    """Join the pieces and code them."""
    if out.exists():
        return True
    inputs: list[str] = []
    chains, labels = "", ""
    for number, (path, start_s) in enumerate(pieces):
        inputs += ["-ss", f"{start_s:g}", "-t", f"{PIECE_S:g}", "-i", str(path)]
        chains += f"[{number}:v:0]scale={SIZE},setsar=1,fps={rate},format=yuv420p,setpts=PTS-STARTPTS[v{number}];"
        chains += (
            f"[{number}:a:0]aresample=48000:async=1,aformat=channel_layouts=stereo,asetpts=PTS-STARTPTS[a{number}];"
        )
        labels += f"[v{number}][a{number}]"
    chains += f"{labels}concat=n={len(pieces)}:v=1:a=1[v][a]"
    return ffmpeg(
        *inputs, "-filter_complex", chains, "-map", "[v]", "-map", "[a]", "-t", f"{SECONDS:g}", "-r", rate,
        "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-c:a", "aac", "-b:a", "160k", str(out),
    )  # fmt: skip


def moved_sound(delay_s: float) -> str:
    """FFmpeg's filters that delay sound, or advance it where the delay is negative."""
    if delay_s >= 0:
        moved = f"adelay={round(delay_s * 48000)}S:all=1"
    else:
        moved = f"atrim=start={-delay_s:.6f},asetpts=PTS-STARTPTS"
    # That counts samples: holes in the sound are filled first.
    return f"aresample=async=1:first_pts=0,{moved}"


def copy(source: Path, way: str, delay_s: float, skew_s: float, out: Path) -> bool:
    """Code a copy of a reference."""
    if out.exists():
        return True
    video = {
        "half": "scale=320:180",
        "rate_25_50": "fps=50",
        "rate_2997_25": "fps=25",
        "letterbox": "scale=640:270,pad=640:360:0:45",
        "pillarbox": "scale=480:360,pad=640:360:80:0",
        "logo": "drawbox=x=500:y=24:w=96:h=54:color=white@0.8:t=fill,drawbox=x=0:y=310:w=640:h=50:color=blue:t=fill",
    }.get(way, "null")
    kbps = source.stat().st_size * 8 / SECONDS / 1000 - 160
    rate = f"{max(30.0, kbps / 4):.0f}k" if way == "quarter" else f"{max(60.0, kbps * 0.7):.0f}k"
    video = f"tpad=start_duration={delay_s:.6f}," + video
    sound = moved_sound(delay_s - skew_s)
    return ffmpeg(
        "-i", str(source), "-vf", video, "-af", sound, "-c:v", "libx264", "-preset", "veryfast", "-b:v", rate,
        "-c:a", "aac", "-b:a", "64k", str(out),
    )  # fmt: skip


def hard_copy(source: Path, other: Path, way: str, delay_s: float, skew_s: float, out: Path) -> bool:
    """Code a copy of a reference that was treated worse; `other` is what is mixed in. A short one begins 4 s in."""
    if out.exists():
        return True
    pictures = {
        "noise": "noise=alls=30:allf=t",
        "blur": "boxblur=8",
        "tiny": "scale=96:54",
        "grade": "crop=608:342,scale=640:360,eq=gamma=1.6:contrast=0.7:saturation=0.3",
        "blend": "framerate=fps=30",
    }.get(way, "null")
    inputs = ["-ss", "4", "-i", str(source)] if way.startswith("short") else ["-i", str(source)]
    inputs += ["-i", str(other)]
    chains = (
        f"[0:v]tpad=start_duration={delay_s:.6f},{pictures}[v0];[0:a]{moved_sound(delay_s - skew_s)}[a0];"
        + {"cover": "[1:v]scale=416:234[v1];[v0][v1]overlay=200:100:eof_action=pass[v];"}.get(way, "[v0]null[v];")
        + {
            "noise": "anoisesrc=d=60:c=pink:a=0.1:r=48000:seed=1,aformat=channel_layouts=stereo[a1];"
            "[a0][a1]amix=inputs=2:duration=first:normalize=0[a]",
            "mix": "[1:a]volume=0.7[a1];[a0][a1]amix=inputs=2:duration=first:normalize=0[a]",
            "tiny": "[a0]aresample=16000,aformat=channel_layouts=mono[a]",
        }.get(way, "[a0]anull[a]")
    )
    length = ["-t", way.partition("_")[2]] if way.startswith("short") else []
    rates = ("25k", "16k") if way == "tiny" else ("400k", "64k")
    return ffmpeg(
        *inputs, "-filter_complex", chains, "-map", "[v]", "-map", "[a]", *length, "-c:v", "libx264",
        "-preset", "veryfast", "-b:v", rates[0], "-c:a", "aac", "-b:a", rates[1], str(out),
    )  # fmt: skip


def made_hard(folders: Sequence[Path], count: int, seed: int, work: Path) -> Iterator[Copy]:
    """Make references and copies that were treated worse; what is mixed in is of the programme before."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    work.mkdir(parents=True, exist_ok=True)
    before: Path | None = None
    for number, pieces in enumerate(programmes(clips(folders), count, chance)):
        source = work / f"{seed}-{number}-25.mp4"
        if not reference(pieces, "25", source):
            continue
        for way in HARD if before is not None else ():
            is_short = way.startswith("short")
            delay_s = round(chance.uniform(0, 1 if is_short else 20) * 25) / 25
            skew_s = round(chance.uniform(-1, 1), 3)
            out = work / f"{seed}-{number}-{way}.mp4"
            if before is None or not hard_copy(source, before, way, delay_s, skew_s, out):
                continue
            later_s = delay_s - (4.0 if is_short else 0.0)
            yield Copy(str(source), str(out), way, later_s, skew_s, same=True)
            yield Copy(str(before), str(out), f"wrong_{way}", later_s, skew_s, same=False)
        before = source


def made(folders: Sequence[Path], count: int, seed: int, work: Path) -> Iterator[Copy]:
    """Make references and copies; each of the programme itself and of another one."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    work.mkdir(parents=True, exist_ok=True)
    before: str | None = None
    for number, pieces in enumerate(programmes(clips(folders), count, chance)):
        own: str | None = None
        for way in WAYS:
            fps, rate = (30000 / 1001, "30000/1001") if way == "rate_2997_25" else (25.0, "25")
            delay_s = round(chance.uniform(0, 20) * fps) / fps
            skew_s = round(chance.uniform(-1, 1), 3)
            source = work / f"{seed}-{number}-{rate.partition('/')[0]}.mp4"
            out = work / f"{seed}-{number}-{way}.mp4"
            if not reference(pieces, rate, source) or not copy(source, way, delay_s, skew_s, out):
                continue
            yield Copy(str(source), str(out), way, delay_s, skew_s, same=True)
            if before is not None:
                yield Copy(before, str(out), f"wrong_{way}", delay_s, skew_s, same=False)
            # A programme of which no copy can be made is none to compare with either.
            own = str(work / f"{seed}-{number}-25.mp4")
        before = own or before


@dataclass(frozen=True, slots=True)
class Row:
    """What was found of all copies of one way."""

    way: str
    copies: int
    answered: int
    """With a skew."""
    median_error_s: float | None
    """Of the skew, of those that were answered."""
    largest_error_s: float | None
    within_20_ms: int
    called_other: int
    """Called other content, picture or sound."""
    wall_s: float
    """Of all of them."""


@dataclass(frozen=True, slots=True)
class CompareResult:
    """What this script writes."""

    schema: int
    benchmark: Literal["compare"]
    created: str
    """UTC, ISO 8601."""
    machine: Machine
    software: Software
    seconds: float
    """Of each programme, before it is delayed."""
    rows: tuple[Row, ...]


def told(copy_: Copy) -> tuple[dict[str, Any], float]:
    """What the command says of a copy, and how long it took."""
    command = [sys.executable, "-m", "gpu_qa", "compare", copy_.reference, copy_.probe, "--format", "json", "--quiet"]
    start_s = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if not done.stdout:
        raise RuntimeError(f"{copy_.probe}: {done.stderr}")
    return json.loads(done.stdout), time.perf_counter() - start_s


def summed(way: str, answers: Sequence[tuple[Copy, dict[str, Any], float]]) -> Row:
    """One way's row."""
    skews = [(copy_, document["skew_s"]) for copy_, document, _ in answers if document.get("skew_s") is not None]
    errors = [abs(float(str(skew)) - copy_.skew_s) for copy_, skew in skews]
    other = [document for _, document, _ in answers if any("reference" in str(words) for words in _problems(document))]
    return Row(
        way=way,
        copies=len(answers),
        answered=len(errors),
        median_error_s=round(float(np.median(errors)), 5) if errors else None,
        largest_error_s=round(max(errors), 5) if errors else None,
        within_20_ms=sum(error <= 0.02 for error in errors),
        called_other=len(other),
        wall_s=round(sum(wall_s for _, _, wall_s in answers), 1),
    )


def _problems(document: dict[str, object]) -> list[object]:
    found = document.get("problems")
    return found if isinstance(found, list) else []


def main(arguments: list[str] | None = None) -> int:
    """Make the copies, compare them, print the rows and write a result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--programmes", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("compare-work"))
    parser.add_argument("--hard", action="store_true")
    parser.add_argument("--output", type=Path)
    chosen = parser.parse_args(arguments)
    load_before = result.load()
    answers: dict[str, list[tuple[Copy, dict[str, Any], float]]] = {}
    make = made_hard if chosen.hard else made
    for one in make(chosen.folders, chosen.programmes, chosen.seed, chosen.work):
        document, wall_s = told(one)
        answers.setdefault(one.way, []).append((one, document, wall_s))
        print(one.way, one.skew_s, document.get("skew_s"), document["verdict"], document["problems"], flush=True)
    rows = tuple(summed(way, found) for way, found in sorted(answers.items()))
    document_ = CompareResult(
        result.SCHEMA, "compare", result.now(), result.machine(load_before), result.software(), SECONDS, rows
    )
    if chosen.output is not None or not chosen.hard:
        result.write(document_, chosen.output or RESULT)
    for row in rows:
        print(asdict(row))
    for name, errors in stretch_errors([pair for found in answers.values() for pair in found]).items():
        if errors:
            print(
                f"{name}: {len(errors)}, rms {np.sqrt(np.mean(np.square(errors))):.5f} s, largest {max(errors):.5f} s"
            )
    return 0


def stretch_errors(answers: Sequence[tuple[Copy, dict[str, Any], float]]) -> dict[str, list[float]]:
    """How wrong each stretch of the programme's own copies is, and each picture with the sound of another stretch."""
    found: dict[str, list[float]] = {"stretches": [], "picture and sound of different stretches": []}
    for copy_, document, _ in answers:
        for one, other in itertools.product(document.get("stretches", []) if copy_.same else [], repeat=2):
            if one["picture_delay_s"] is None or other["sound_delay_s"] is None:
                continue
            error = abs(one["picture_delay_s"] - other["sound_delay_s"] - copy_.skew_s)
            found["stretches" if one is other else "picture and sound of different stretches"].append(error)
    return found


if __name__ == "__main__":
    sys.exit(main())
