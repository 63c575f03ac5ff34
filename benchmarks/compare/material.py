"""Programmes of 10 s of a user's clips, and what their references are coded from."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

__all__ = ["Clip", "Piece", "Programme", "clips_of", "digest_of", "halves", "made", "programmes", "reference_of"]

SECONDS = 10.0
"""Of a programme."""
LEAST_CLIP_S = 2.0
LEAST_HALF_S = 4.0
"""A clip is cut in halves, takes of the same speaker or thing, where each has so much."""
MOST_PARTS = 4
"""Programmes of one clip."""
SIZE = "640:360"


@dataclass(frozen=True, slots=True)
class Clip:
    """A file with picture and sound."""

    path: Path
    name: str
    """Its folder's and its own."""
    seconds: float
    """For which there are both."""
    rate: str
    """Pictures per second as FFmpeg takes it; 25 where they come unevenly."""
    content: str
    """Digest of the file."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a clip."""

    clip: Clip
    start_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Programme:
    """Pieces in a row."""

    pieces: tuple[Piece, ...]
    rate: str
    """Pictures per second of its references unless another is wanted."""

    @property
    def name(self) -> str:
        """No other programme has it, nor this one of other files."""
        return digest_of(self.pieces)

    @property
    def clips(self) -> frozenset[str]:
        """Names of those it holds."""
        return frozenset(piece.clip.name for piece in self.pieces)

    @property
    def seconds(self) -> float:
        """Its length."""
        return min(SECONDS, sum(piece.seconds for piece in self.pieces))


def digest_of(value: object) -> str:
    """Changes with anything that a frozen value holds."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:12]


def clips_of(folders: Sequence[Path]) -> list[Clip]:
    """Clips of which picture and sound can be read for 2 s and longer, by name."""
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    found = (_clip(path, f"{path.parent.name}/{path.name}") for path in paths)
    return [clip for clip in found if clip is not None and clip.seconds >= LEAST_CLIP_S]


def programmes(clips: Sequence[Clip], chance: random.Random) -> list[Programme]:
    """Each clip of 10 s and longer in up to four parts that do not overlap; shorter ones joined in random order."""
    found, short = list[Programme](), list[Clip]()
    for clip in clips:
        # A clip of three pictures less than 10 s is one of 10 s.
        count = min(MOST_PARTS, int((clip.seconds + 0.1) / SECONDS))
        if not count:
            short.append(clip)
        spare_s = max(0.0, clip.seconds - count * SECONDS) / max(count, 1)
        for number in range(count):
            start_s = round(number * (SECONDS + spare_s), 2)
            found.append(Programme((Piece(clip, start_s, SECONDS),), clip.rate))
    chance.shuffle(short)
    pieces, total_s = list[Piece](), 0.0
    for clip in short:
        pieces.append(Piece(clip, 0.0, clip.seconds))
        total_s += clip.seconds
        if total_s >= SECONDS:
            found.append(Programme(tuple(pieces), "25"))
            pieces, total_s = [], 0.0
    return found


def halves(clips: Sequence[Clip]) -> Iterator[tuple[Programme, Programme]]:
    """Both halves of each clip that is too short for two programmes, as two takes."""
    for clip in clips:
        half_s = clip.seconds / 2
        if LEAST_HALF_S <= half_s < SECONDS:
            first, second = (Piece(clip, round(start_s, 2), round(half_s - 0.1, 2)) for start_s in (0.0, half_s + 0.1))
            yield Programme((first,), clip.rate), Programme((second,), clip.rate)


def reference_of(programme: Programme, rate: str, work: Path) -> Path | None:
    """Code the reference: all of it, with no hole in its sound, which copies would lose; null where that fails."""
    inputs, chains, labels = list[str | Path](), "", ""
    for number, piece in enumerate(programme.pieces):
        inputs += ["-ss", f"{piece.start_s:g}", "-t", f"{piece.seconds:g}", "-i", piece.clip.path]
        chains += (
            f"[{number}:v:0]scale={SIZE},setsar=1,fps={rate},format=yuv420p,setpts=PTS-STARTPTS[v{number}];"
            f"[{number}:a:0]aresample=48000:async=1,aformat=channel_layouts=stereo,asetpts=PTS-STARTPTS[a{number}];"
        )
        labels += f"[v{number}][a{number}]"
    chains += f"{labels}concat=n={len(programme.pieces)}:v=1:a=1[v][h];[h]{whole_sound()}[a]"
    out = made(
        work, programme.name, *inputs, "-filter_complex", chains, "-map", "[v]", "-map", "[a]",
        "-t", f"{programme.seconds:g}", "-r", rate, "-c:v", "libx264", "-preset", "veryfast", "-crf", "20",
        "-c:a", "aac", "-b:a", "160k",
    )  # fmt: skip
    return None if out is None or _seconds(out) < programme.seconds - 0.3 else out


def whole_sound() -> str:
    """FFmpeg's filter that fills holes in sound and begins it with the picture: what counts samples needs that."""
    return "aresample=async=1:first_pts=0:min_hard_comp=0.01"


def made(work: Path, name: str, *arguments: str | Path) -> Path | None:
    """Have FFmpeg make a file if there is none; null where it fails.

    Args:
        work: Where it is kept.
        name: Its name begins with that; the rest is the digest of the arguments, so no other file is taken for it.
        arguments: Of FFmpeg. Of files names count: those made here have a digest in theirs.
    """
    out = work / f"{name}-{digest_of([one.name if isinstance(one, Path) else one for one in arguments])}.mp4"
    if out.exists():
        return out
    part = out.with_name(f"part-{out.name}")
    command = ["nice", "ffmpeg", "-nostdin", "-v", "error", "-y", "-threads", "1", *map(str, arguments), str(part)]
    if subprocess.run(command, capture_output=True, check=False, timeout=300).returncode == 0:
        part.replace(out)
    return out if out.exists() else None


def _probed(path: Path, *entries: str) -> dict[str, list[dict[str, str]]]:
    command = ["ffprobe", "-v", "error", "-show_entries", ":".join(entries), "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    found: dict[str, list[dict[str, str]]] = json.loads(done.stdout) if done.returncode == 0 else {}
    return found


@cache
def _seconds(path: Path) -> float:
    """For how long there are picture and sound, by their packets: headers of files that were cut off promise more."""
    ends: dict[str, float] = {}
    begin_s = float("inf")
    for packet in _probed(path, "packet=codec_type,pts_time,duration_time").get("packets", []):
        if "pts_time" in packet and packet.get("codec_type") in ("video", "audio"):
            at_s = float(packet["pts_time"])
            begin_s = min(begin_s, at_s)
            end_s = at_s + float(packet.get("duration_time", 0.0))
            ends[packet["codec_type"]] = max(ends.get(packet["codec_type"], end_s), end_s)
    return min(ends.values()) - begin_s if len(ends) == 2 else 0.0


def _clip(path: Path, name: str) -> Clip | None:
    streams = _probed(path, "stream=codec_type,r_frame_rate,avg_frame_rate").get("streams", [])
    video = [stream for stream in streams if stream.get("codec_type") == "video"]
    if not video or all(stream.get("codec_type") != "audio" for stream in streams):
        return None
    rate, mean = video[0]["r_frame_rate"], video[0]["avg_frame_rate"]
    is_even = rate == mean and not rate.startswith("0") and 14 < Fraction(rate) < 61
    content = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return Clip(path, name, _seconds(path), rate.removesuffix("/1") if is_even else "25", content)
