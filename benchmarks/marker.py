"""How exactly the A/V offset is found by marker: clips of `gpu-qa sync-clip` and countdown leaders, coded at low rates.

    python benchmarks/marker.py            # some ten minutes; writes results/marker.json and the page's table
    python benchmarks/marker.py --quick    # two offsets of each kind, print only
    python benchmarks/marker.py --page     # only the table, from the committed result

Each clip is made without loss, with a planted offset, and then coded with FFmpeg. What is wanted of every clip: the
median of its pairs within half a frame and 1 ms of the truth, and no sure answer farther off than a frame and 4 ms,
which is what pairs of one signal may differ by. Where the rate was converted the longer frame counts.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "kernels")]

from benchmarks import result  # noqa: E402
from benchmarks.page import replaced  # noqa: E402
from benchmarks.result import Machine, Software, Target  # noqa: E402 - `read` looks up the fields' types

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RESULT = ROOT / "benchmarks" / "results" / "marker.json"
PAGE = ROOT / "docs" / "sync_marker.md"
SIZE = (320, 180)
SECONDS = 12.0
"""Of a clip: some eight flashes."""
FURTHEST_S = 2.0
"""Offsets lie within it on either side."""
LEADER_S = 0.2
"""Offsets of a leader do: its beep is looked for within 0.25 s."""
LEADER_AT_S = 8.0
"""When it flashes."""
LEADER_LUMA = (30, 90)
"""8-bit codes of its ground: every other one is grey. All end in black."""
OFFSETS = 9
"""Clips of each kind and rate: one offset in each ninth of the range, at a place drawn by chance."""
TIMER_S = 0.001
"""What is granted for the beep."""
APART_S = 0.004
"""What pairs of one signal may differ by, beside a frame."""
SEED = 7

RATES = ("24", "25", "30000/1001", "30", "50", "60")


class Chain(NamedTuple):
    """What a clip goes through."""

    name: str
    suffix: str
    options: tuple[str, ...]
    """Of FFmpeg."""
    rates: tuple[tuple[str, str], ...]
    """Frames per second of the clip as made, and as coded."""
    is_leader: bool = False


_SAME = tuple((rate, rate) for rate in RATES)
_H264 = ("-c:v", "libx264", "-preset", "veryfast", "-b:v")
_LOW = (*_H264, "60k", "-maxrate", "90k", "-bufsize", "120k", "-c:a", "aac", "-b:a", "32k")
_MIDDLE = (*_H264, "150k", "-maxrate", "225k", "-bufsize", "300k", "-c:a", "aac", "-b:a", "64k")
_MPEG2 = ("-c:v", "mpeg2video", "-bf", "2", "-b:v", "400k", "-maxrate", "600k", "-bufsize", "800k")
CHAINS = (
    Chain("H.264 150 kbit/s, AAC 64 kbit/s, MP4", ".mp4", _MIDDLE, _SAME),
    Chain("H.264 60 kbit/s, AAC 32 kbit/s, MP4", ".mp4", _LOW, _SAME),
    Chain("H.264 60 kbit/s, AAC 32 kbit/s, MPEG-TS", ".ts", _LOW, _SAME),
    Chain("MPEG-2 400 kbit/s, MP2 64 kbit/s, MPEG-TS", ".ts", (*_MPEG2, "-c:a", "mp2", "-b:a", "64k"), _SAME),
    Chain(
        "converted, frames left out or repeated, H.264 150 kbit/s, AAC 64 kbit/s",
        ".mp4",
        _MIDDLE,
        (("60", "24"), ("60", "30"), ("60", "50"), ("50", "25"), ("30", "24"), ("25", "30000/1001"), ("24", "60")),
    ),
    Chain("countdown leader, H.264 60 kbit/s, AAC 32 kbit/s, MP4", ".mp4", _LOW, _SAME, is_leader=True),
)


@dataclass(frozen=True, slots=True)
class MarkerClip:
    """One clip."""

    chain: str
    made_rate: str
    """Frames per second before it was coded."""
    rate: str
    """The same of what was measured."""
    offset_s: float
    """Planted: t_vision − t_sound, positive where sound is advanced."""
    between_frames: bool
    """Flashes begin within frames, whose exposure shows it."""
    planted: int
    """Flashes with their beep."""
    pairs: int
    """As many were told."""
    sure: int
    """Of them with a confidence of 0.9 or more."""
    error_s: float | None
    """Median of the pairs less the truth; null without pairs."""
    worst_s: float
    """Largest error of a sure pair, without its sign; 0 without."""


@dataclass(frozen=True, slots=True)
class MarkerRow:
    """All clips of one chain and rate."""

    chain: str
    made_rate: str
    rate: str
    clips: int
    within: int
    """Clips whose median lies within half a frame and 1 ms of the truth."""
    wrong: int
    """Sure pairs that are off by more than a frame and 4 ms."""
    planted: int
    """Flashes with their beep, over all clips."""
    sure: int
    """Pairs that were told with a confidence of 0.9 or more."""
    median_s: float | None
    """Of the clips' errors, without their sign; null where none has an answer."""
    largest_s: float | None
    """Of the same."""
    worst_s: float
    """Largest error of a sure pair."""


@dataclass(frozen=True, slots=True)
class MarkerResult:
    """What this benchmark writes."""

    schema: int
    benchmark: Literal["marker"]
    created: str
    """UTC, ISO 8601."""
    machine: Machine
    software: Software
    seed: int
    rows: tuple[MarkerRow, ...]
    targets: tuple[Target, ...]
    clips: tuple[MarkerClip, ...]


def offsets_s(furthest_s: float, count: int, seed: int) -> list[float]:
    """One offset in each of `count` equal parts of −furthest…+furthest, seconds, to the 0.1 ms."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    part = 2 * furthest_s / count
    return [round(-furthest_s + part * (i + chance.random()), 4) for i in range(count)]


def frame_s(*rates: str) -> float:
    """Length of a frame at the lowest of these rates, seconds."""
    return 1 / float(min(Fraction(rate) for rate in rates))


def made(path: Path, rate: str, offset_s: float, *, between_frames: bool) -> int:
    """Write a clip without loss; gives how many flashes have a beep in it."""
    from gpu_qa.sync_clip import SyncClip, write_sync_clip

    clip = SyncClip(SECONDS, Fraction(rate), SIZE, offset_s, between_frames=between_frames)
    write_sync_clip(path, clip)
    return len(clip.beeps_s)


def made_leader(path: Path, rate: str, offset_s: float, *, luma_code: int) -> int:
    """Write a countdown leader without loss: a sweeping hand, one white frame with a beep, black, then a programme."""
    import av

    from gpu_qa.sync_clip import SAMPLE_RATE, sound_of

    frames_per_s, flash_s = Fraction(rate), LEADER_AT_S
    flash = round(flash_s * frames_per_s)
    noise = np.random.default_rng(SEED)
    scene = noise.integers(40, 200, (SIZE[1] // 4, SIZE[0] // 2)).repeat(4, 0).repeat(4, 1)
    turn = np.arctan2(*(np.indices(SIZE[::-1]) - np.array(SIZE[::-1])[:, None, None] / 2)) / (2 * np.pi) % 1.0
    with av.open(str(path), "w") as out:
        video = out.add_stream("ffv1", rate=frames_per_s)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        audio = out.add_stream("pcm_s16le", rate=SAMPLE_RATE)
        audio.layout = "stereo"
        done = 0
        for number in range(round((flash_s + 6.0) * frames_per_s)):
            at_s = float(number / frames_per_s)
            if number == flash:
                luma = np.full(SIZE[::-1], 235)
            elif number < flash:
                luma = np.where(turn < at_s % 1.0, luma_code + 30, luma_code)
            elif at_s < flash_s + 2.0:
                luma = np.full(SIZE[::-1], 16)
            else:
                luma = scene[:, (left := number % SIZE[0]) : left + SIZE[0]]
            codes = np.concatenate((luma.astype(np.uint8), np.full((SIZE[1] // 2, SIZE[0]), 128, np.uint8)))
            frame = av.VideoFrame.from_ndarray(codes, format="yuv420p")
            frame.pts, frame.time_base = number, 1 / frames_per_s
            out.mux(video.encode(frame))
            until = round((number + 1) / frames_per_s * SAMPLE_RATE)
            times_s = np.arange(done, until) / SAMPLE_RATE
            sound = sound_of(times_s, (float(flash / frames_per_s) - offset_s,))
            sound += np.where(times_s < flash_s + 2.5, 0.0, 0.1) * noise.standard_normal(len(times_s))
            packed = np.repeat(np.rint(32767 * np.clip(sound, -1, 1)).astype(np.int16), 2)[None]
            samples = av.AudioFrame.from_ndarray(packed, format="s16", layout="stereo")
            samples.sample_rate, samples.pts, samples.time_base = SAMPLE_RATE, done, Fraction(1, SAMPLE_RATE)
            out.mux(audio.encode(samples))
            done = until
        out.mux(video.encode(None))
        out.mux(audio.encode(None))
    return 1


def coded(source: Path, out: Path, chain: Chain, rate: str) -> None:
    """Code a clip as the chain does.

    Raises:
        RuntimeError: FFmpeg failed.
    """
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(source), "-vf", f"fps={rate}"]
    command += ["-threads", "1", *chain.options, str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())


def measured(path: Path) -> tuple[list[float], list[float]]:
    """The offsets of a clip's pairs, seconds, and how sure each is."""
    from benchmarks.detectors.sweep import recorded
    from gpu_qa.sync.marker import marker_step

    answers, carry = [], None
    for what, series, _ in recorded(path):
        if what in ("video", "audio"):
            video, audio = (series, None) if what == "video" else (None, series)
            told, carry = marker_step(video, audio, carry)
            answers += told
    answers += marker_step(None, None, carry, finished=True)[0]
    return (
        [float(value) for one in answers for value in one.offset_s],
        [float(value) for one in answers for value in one.confidence],
    )


def clips(chain: Chain, offsets: int, seed: int, folder: Path) -> Iterator[MarkerClip]:
    """Make, code and measure all clips of a chain."""
    from gpu_qa.series import SYNC_SURE

    source, path = folder / "source.mkv", folder / f"coded{chain.suffix}"
    for number, (made_rate, rate) in enumerate(chain.rates):
        for index, offset_s in enumerate(
            offsets_s(LEADER_S if chain.is_leader else FURTHEST_S, offsets, seed + number)
        ):
            between = not chain.is_leader and index % 2 == 1
            if chain.is_leader:
                planted = made_leader(source, made_rate, offset_s, luma_code=LEADER_LUMA[index % 2])
            else:
                planted = made(source, made_rate, offset_s, between_frames=between)
            coded(source, path, chain, rate)
            told_s, confidence = measured(path)
            off_s = [value - offset_s for value in told_s]
            sure = [abs(one) for one, sureness in zip(off_s, confidence, strict=True) if sureness >= SYNC_SURE]
            yield MarkerClip(
                chain=chain.name,
                made_rate=made_rate,
                rate=rate,
                offset_s=offset_s,
                between_frames=between,
                planted=planted,
                pairs=len(off_s),
                sure=len(sure),
                error_s=round(statistics.median(off_s), 6) if off_s else None,
                worst_s=round(max(sure, default=0.0), 6),
            )


def rows(found: Sequence[MarkerClip]) -> tuple[MarkerRow, ...]:
    """The clips by chain and rate, in the order in which they come."""
    keys = dict.fromkeys((one.chain, one.made_rate, one.rate) for one in found)
    return tuple(_row([one for one in found if (one.chain, one.made_rate, one.rate) == key], *key) for key in keys)


def _row(found: Sequence[MarkerClip], chain: str, made_rate: str, rate: str) -> MarkerRow:
    errors_s = [abs(one.error_s) for one in found if one.error_s is not None]
    longest_s = frame_s(made_rate, rate)
    return MarkerRow(
        chain=chain,
        made_rate=made_rate,
        rate=rate,
        clips=len(found),
        within=sum(error_s <= longest_s / 2 + TIMER_S for error_s in errors_s),
        wrong=sum(one.worst_s > longest_s + APART_S for one in found),
        planted=sum(one.planted for one in found),
        sure=sum(one.sure for one in found),
        median_s=round(statistics.median(errors_s), 6) if errors_s else None,
        largest_s=max(errors_s, default=None),
        worst_s=max(one.worst_s for one in found),
    )


def targets(counted: Sequence[MarkerRow]) -> tuple[Target, ...]:
    """What is asked for, over all rows."""
    within = [row.within / row.clips for row in counted]
    wrong = [float(row.wrong) for row in counted]
    return (
        Target.of("clips within half a frame and 1 ms, row with the fewest", [min(within)], "at least", 1.0),
        Target.of("clips with a sure pair off by more than a frame and 4 ms, all rows", [sum(wrong)], "at most", 0.0),
    )


def text(document: MarkerResult) -> str:
    """The result as a table for the page."""
    lines = [
        "| | frames/s | clips | within | median | largest | sure pairs | worst | wrong |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    chain = ""
    for row in document.rows:
        rates = [f"{float(Fraction(rate)):.5g}" for rate in dict.fromkeys((row.made_rate, row.rate))]
        median, largest = (None if one is None else f"{1e3 * one:.2f} ms" for one in (row.median_s, row.largest_s))
        lines.append(
            f"| {row.chain if row.chain != chain else ''} | {' → '.join(rates)} | {row.clips} | {row.within} | "
            f"{median or 'none'} | {largest or 'none'} | {row.sure} of {row.planted} | {1e3 * row.worst_s:.2f} ms | "
            f"{row.wrong} |"
        )
        chain = row.chain
    within, count = sum(row.within for row in document.rows), sum(row.clips for row in document.rows)
    wrong = sum(row.wrong for row in document.rows)
    version = (document.software.ffmpeg or "").removeprefix("ffmpeg version ").partition(" ")[0]
    lines += [
        "",
        f"{document.created[:10]}: {within} of {count} clips within, {wrong} with a wrong answer. FFmpeg {version}.",
    ]
    return "\n".join(lines)


def load() -> MarkerResult:
    """The committed result.

    Raises:
        ValueError: It does not follow its schema.
    """
    return result.read(MarkerResult, json.loads(RESULT.read_text(encoding="utf-8")))


def filled(page: str, document: MarkerResult) -> str:
    """The page with the result in its place.

    Raises:
        ValueError: The page has no such place.
    """
    return replaced(page, "marker", text(document))


def main() -> int:
    """Measure and write, or fill the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", help="only fill the page")
    parser.add_argument("--quick", action="store_true", help="two offsets of each kind, print only")
    parser.add_argument("--chain", default="", help="only chains whose name has this in it, print only")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args()
    if not chosen.page:
        load_before, found = result.load(), []
        with tempfile.TemporaryDirectory() as folder:
            for chain in CHAINS:
                if chosen.chain in chain.name:
                    for one in clips(chain, 2 if chosen.quick else OFFSETS, chosen.seed, Path(folder)):
                        found.append(one)
                        print(one, flush=True)
        counted = rows(found)
        document = MarkerResult(
            schema=result.SCHEMA,
            benchmark="marker",
            created=result.now(),
            machine=result.machine(load_before),
            software=result.software(),
            seed=chosen.seed,
            rows=counted,
            targets=targets(counted),
            clips=tuple(found),
        )
        print(text(document))
        if chosen.quick or chosen.chain:
            return 0
        result.write(document, chosen.output)
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), load()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
