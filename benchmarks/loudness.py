"""How far loudness and true peaks are from those of FFmpeg's `ebur128`, on a user's clips.

    python benchmarks/loudness.py DIR [DIR …]    # every clip below them that has sound; writes results/loudness.json
    python benchmarks/loudness.py --page         # docs/detectors/loudness.md, from the committed result

Both sides read the first track of sound, copied out of the clip as it is coded. FFmpeg writes loudness in steps of
0.001 LU, and its true peaks in steps of 0.001 of full scale: quieter peaks are not compared.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "kernels")]

from benchmarks import result  # noqa: E402
from benchmarks.page import replaced  # noqa: E402
from benchmarks.result import Machine, Software  # noqa: E402, TC001 - `read` looks up the fields' types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

RESULT = ROOT / "benchmarks" / "results" / "loudness.json"
PAGE = ROOT / "docs" / "detectors" / "loudness.md"
MOST_S = 120.0
"""Of each clip that are compared."""
LEAST_S = 3.0
"""A shorter clip is a handful of blocks."""
RANGE_S = 20.0
"""A range of less is a few windows."""
LEAST_LUFS = -60.0
"""A clip below is as good as silent."""
LEAST_DBTP = -40.0
"""A true peak below is known to FFmpeg's output to no better than 5 %."""
_TIME = re.compile(r"pts_time:(-?[\d.]+)")
_STEP_S = 0.1
"""FFmpeg's filter speaks of so much at a time."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one side reads of a clip; null where it cannot."""

    integrated_lufs: float | None
    lra_lu: float | None
    true_peak_dbtp: float | None


@dataclass(frozen=True, slots=True)
class Compared:
    """A clip as both sides read it."""

    clip: str
    """Its file's name."""
    seconds: float
    """Of sound that were read."""
    codec: str
    sample_rate: int
    channels: int
    ours: Reading
    ffmpeg: Reading


@dataclass(frozen=True, slots=True)
class Difference:
    """How far both sides are apart in one measure, over clips."""

    measure: str
    unit: str
    clips: int
    median: float
    """Of absolute differences."""
    nine_in_ten: float
    """Below which nine of ten absolute differences are."""
    largest: float
    clip: str
    """Which clip has the largest."""


@dataclass(frozen=True, slots=True)
class LoudnessResult:
    """What this benchmark writes."""

    schema: int
    benchmark: Literal["loudness"]
    created: str
    """UTC, ISO 8601."""
    machine: Machine
    software: Software
    clips: tuple[Compared, ...]
    left_out: dict[str, str]
    """Clip → why."""
    differences: tuple[Difference, ...]


def ffmpeg_reading(path: Path, seconds: float) -> Reading:
    """What FFmpeg's filter says at the end of a file of sound.

    It speaks every tenth of a second; some silence behind the end has it speak of the last samples too.
    """
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-i", str(path), "-vn", "-af"]
    command += ["apad=pad_dur=0.2,ebur128=peak=true:metadata=1,ametadata=print:file=-", "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return read(done.stdout.splitlines(), seconds)


def read(lines: Iterable[str], seconds: float) -> Reading:
    """The last values in the lines that FFmpeg's `ametadata=print` writes, loudness as of `seconds` after the first."""
    last: dict[str, float] = {}
    at_s = zero_s = None
    for line in lines:
        if found := _TIME.search(line):
            at_s = float(found[1])
            zero_s = at_s if zero_s is None else zero_s
            continue
        key, sign, value = line.partition("=")
        name = key.removeprefix("lavfi.r128.")
        is_inside = at_s is None or zero_s is None or at_s - zero_s + _STEP_S <= seconds + 1e-3
        if sign and name != key and (is_inside or name == "true_peak"):
            last[name] = float(value)
    peak = last.get("true_peak", 0.0)
    integrated = last.get("I")
    return Reading(
        None if integrated is None or integrated <= -70.0 else integrated,
        last.get("LRA"),
        round(20 * math.log10(peak), 3) if peak > 0 else None,
    )


def our_reading(path: Path) -> tuple[Reading, float]:
    """What an analysis says of a file of sound, and how many seconds it read.

    Raises:
        ValueError: It could not be read to its end.
    """
    from gpu_qa import Settings, analyze
    from gpu_qa.decode import DecodeSettings

    settings = Settings(decode=DecodeSettings(device="cpu", threads=1)).select(["loudness", "true_peak"])
    report = analyze(path, settings)
    if report.error is not None:
        raise ValueError(report.error)
    found = report.measurements
    names = ("integrated_lufs", "lra_lu", "true_peak_dbtp")
    return Reading(*(None if found[name] is None else float(found[name]) for name in names)), found["analyzed_s"]


def compared(clip: Path, name: str, folder: Path) -> Compared | str:
    """A clip as both sides read it; says why where it is left out."""
    import av

    sound = folder / "sound.mka"
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(clip), "-map", "0:a:0", "-t", f"{MOST_S:g}"]
    done = subprocess.run([*command, "-c", "copy", str(sound)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return "no sound, or none that can be copied"
    try:
        with av.open(str(sound)) as container:
            context = container.streams.audio[0].codec_context
            codec, rate, channels = context.name, context.sample_rate, context.layout.nb_channels
        ours, seconds = our_reading(sound)
    except av.FFmpegError as error:
        return error.strerror or "cannot be read"
    except ValueError as error:
        return str(error)
    theirs = ffmpeg_reading(sound, seconds)
    if seconds < LEAST_S:
        return f"{seconds:.1f} s of sound"
    if theirs.integrated_lufs is None or theirs.integrated_lufs < LEAST_LUFS:
        return "silent"
    return Compared(name, round(seconds, 3), codec, rate, channels, ours, theirs)


def differences(clips: Sequence[Compared]) -> tuple[Difference, ...]:
    """The three measures, over the clips that have each on both sides."""
    long = [clip for clip in clips if clip.seconds >= RANGE_S]
    return (
        _difference("integrated loudness", "LU", clips, lambda one: one.integrated_lufs),
        _difference(f"loudness range, {RANGE_S:g} s and more", "LU", long, lambda one: one.lra_lu),
        _difference("true peak", "dB", clips, _true_peak),
    )


def _true_peak(one: Reading) -> float | None:
    peak = one.true_peak_dbtp
    return None if peak is None or peak < LEAST_DBTP else peak


def _difference(
    measure: str, unit: str, clips: Sequence[Compared], value: Callable[[Reading], float | None]
) -> Difference:
    found = []
    for clip in clips:
        ours, theirs = value(clip.ours), value(clip.ffmpeg)
        if ours is not None and theirs is not None:
            found.append((round(abs(ours - theirs), 4), clip.clip))
    if not found:
        return Difference(measure, unit, 0, 0.0, 0.0, 0.0, "")
    found.sort()
    apart = [one for one, _ in found]
    ninth = apart[min(len(apart) - 1, math.ceil(0.9 * len(apart)) - 1)]
    return Difference(measure, unit, len(found), round(statistics.median(apart), 4), ninth, *found[-1])


def text(document: LoudnessResult) -> str:
    """The result as a table for the page."""
    lines = ["| | clips | median difference | nine in ten below | largest | on |", "|---|---:|---:|---:|---:|---|"]
    lines += [
        f"| {one.measure} | {one.clips} | {one.median:.3f} {one.unit} | {one.nine_in_ten:.3f} | {one.largest:.2f} | "
        f"`{one.clip}` |"
        for one in document.differences
    ]
    codecs = ", ".join(sorted({clip.codec for clip in document.clips}))
    channels = "/".join(str(count) for count in sorted({clip.channels for clip in document.clips}))
    ffmpeg = (document.software.ffmpeg or "").removeprefix("ffmpeg version ").partition(" ")[0]
    minutes = sum(clip.seconds for clip in document.clips) / 60
    lines += [
        "",
        f"{document.created[:10]}: {len(document.clips)} clips, {minutes:.0f} minutes, {channels} channels, {codecs}.",
        f"FFmpeg {ffmpeg}. `python benchmarks/loudness.py DIR` measures on clips of your own.",
    ]
    return "\n".join(lines)


def load() -> LoudnessResult:
    """The committed result.

    Raises:
        ValueError: It does not follow its schema.
    """
    return result.read(LoudnessResult, json.loads(RESULT.read_text(encoding="utf-8")))


def filled(page: str, document: LoudnessResult) -> str:
    """The page with the result in its place.

    Raises:
        ValueError: The page has no such place.
    """
    return replaced(page, "ebur128", text(document))


def main() -> int:
    """Compare and write, or fill the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", metavar="DIR")
    parser.add_argument("--page", action="store_true", help="only fill the page")
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args()
    if chosen.page:
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), load()), encoding="utf-8")
        return 0
    if not chosen.folders or not all(folder.is_dir() for folder in chosen.folders):
        parser.error("name folders of clips")
    load_before = result.load()
    found: list[Compared] = []
    left_out: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(path for one in chosen.folders for path in one.rglob("*") if path.is_file()):
            one = compared(path, path.name, Path(folder))
            if isinstance(one, Compared):
                found.append(one)
                print(f"{one.clip}: {one.ours} {one.ffmpeg}", flush=True)
            else:
                left_out[path.name] = one
    document = LoudnessResult(
        schema=result.SCHEMA,
        benchmark="loudness",
        created=result.now(),
        machine=result.machine(load_before),
        software=result.software(),
        clips=tuple(found),
        left_out=left_out,
        differences=differences(found),
    )
    print(text(document))
    result.write(document, chosen.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
