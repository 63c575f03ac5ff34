"""How well `gpu-qa compare` places copies of a programme: planted delays and skews, and other content.

python benchmarks/compare.py DIR… [--programmes N] [--work FOLDER]

Clips of the folders are joined to programmes of 14 s; of each a reference is coded, and copies of it that were coded
again, scaled, given another frame rate, bars or a logo, with a random delay and skew. What is made stays in the work
folder.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

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
    sound_s = delay_s - skew_s
    sound = (
        f"adelay={round(sound_s * 48000)}S:all=1"
        if sound_s >= 0
        else f"atrim=start={-sound_s:.6f},asetpts=PTS-STARTPTS"
    )
    # What follows counts samples: holes in the sound are filled first.
    sound = f"aresample=async=1:first_pts=0,{sound}"
    return ffmpeg(
        "-i", str(source), "-vf", video, "-af", sound, "-c:v", "libx264", "-preset", "veryfast", "-b:v", rate,
        "-c:a", "aac", "-b:a", "64k", str(out),
    )  # fmt: skip


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


def told(copy_: Copy) -> tuple[dict[str, object], float]:
    """What the command says of a copy, and how long it took."""
    command = [sys.executable, "-m", "gpu_qa", "compare", copy_.reference, copy_.probe, "--format", "json", "--quiet"]
    start_s = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if not done.stdout:
        raise RuntimeError(f"{copy_.probe}: {done.stderr}")
    return json.loads(done.stdout), time.perf_counter() - start_s


def summed(way: str, answers: Sequence[tuple[Copy, dict[str, object], float]]) -> Row:
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
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args(arguments)
    load_before = result.load()
    answers: dict[str, list[tuple[Copy, dict[str, object], float]]] = {}
    for one in made(chosen.folders, chosen.programmes, chosen.seed, chosen.work):
        document, wall_s = told(one)
        answers.setdefault(one.way, []).append((one, document, wall_s))
        print(one.way, one.skew_s, document.get("skew_s"), document["verdict"], document["problems"], flush=True)
    rows = tuple(summed(way, found) for way, found in sorted(answers.items()))
    document_ = CompareResult(
        result.SCHEMA, "compare", result.now(), result.machine(load_before), result.software(), SECONDS, rows
    )
    result.write(document_, chosen.output)
    for row in rows:
        print(asdict(row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
