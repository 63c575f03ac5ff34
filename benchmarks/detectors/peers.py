"""FFmpeg's own filters on the same rows: what they say, in the form of our events.

Filters that tell stretches (`freezedetect`, `silencedetect`) run with their defaults where these fit the detector's,
and with the same two seconds. Filters that only print a number per picture or block of sound (`blurdetect`, `astats`)
get the best limit that raises nothing on the clean copies; see `limits`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from benchmarks.detectors.plan import Row

_TIME = re.compile(r"pts_time:(-?[\d.]+)")
_SIDES = ("_start", "_end")


@dataclass(frozen=True, slots=True)
class Peer:
    """A filter of FFmpeg and how its answer is read."""

    kinds: tuple[str, ...]
    """Event kinds that it is asked for."""
    filters: str
    """As for `-vf` or `-af`, without the printing of metadata."""
    sound: bool
    key: str
    """Metadata that it writes: of stretches without `_start` and `_end`, else of the number or word."""
    words: tuple[str, ...] = ()
    """Values that say that the fault is there; empty where it tells stretches or numbers."""
    numbers: bool = False
    """It prints a number, and more is worse."""


PEERS: dict[str, Peer] = {
    "freezedetect": Peer(("video.freeze",), "freezedetect=n=0.001:d=2", False, "lavfi.freezedetect.freeze"),
    "blackdetect": Peer(("video.black",), "blackdetect=d=2", False, "lavfi.black"),
    "blurdetect": Peer(("video.blur",), "blurdetect", False, "lavfi.blur", numbers=True),
    "blockdetect": Peer(("video.blockiness",), "blockdetect", False, "lavfi.block", numbers=True),
    "idet": Peer(
        ("video.interlacing",), "idet", False, "lavfi.idet.multiple.current_frame", ("tff", "bff")
    ),
    "photosensitivity": Peer(
        ("video.flash",), "photosensitivity=bypass=1", False, "lavfi.photosensitivity.badness", numbers=True
    ),
    "silencedetect": Peer(("audio.silence",), "silencedetect=n=-60dB:d=2", True, "lavfi.silence"),
    "silencedetect mono": Peer(
        ("audio.channel_loss",), "silencedetect=n=-60dB:d=2:m=1", True, "lavfi.silence"
    ),
    "aphasemeter phase": Peer(
        ("audio.phase_inversion",), "aphasemeter=video=0:phasing=1:duration=2", True, "lavfi.aphasemeter.out_phase"
    ),
    "aphasemeter mono": Peer(
        ("audio.dual_mono",), "aphasemeter=video=0:phasing=1:duration=2", True, "lavfi.aphasemeter.mono"
    ),
    "astats flat": Peer(
        ("audio.clipping",), "astats=metadata=1:reset=1", True, "lavfi.astats.Overall.Flat_factor", numbers=True
    ),
    "astats dc": Peer(
        ("audio.dc_offset",), "asetnsamples=48000,astats=metadata=1:reset=1", True, "lavfi.astats.Overall.DC_offset",
        numbers=True,
    ),
    "ebur128": Peer(("audio.true_peak",), "ebur128=peak=true:metadata=1", True, "lavfi.r128.true_peak", numbers=True),
}  # fmt: skip
"""By the name under which they are shown. For the other kinds FFmpeg has nothing, or numbers without an order of better
and worse (`cropdetect`, `signalstats`)."""


def available() -> bool:
    """Whether there is an ffmpeg to ask."""
    return shutil.which("ffmpeg") is not None


def of_kind(kind: str) -> str | None:
    """The filter that is asked for a kind; null where FFmpeg has none."""
    return next((name for name, peer in PEERS.items() if kind in peer.kinds), None)


def of_row(row: Row) -> tuple[str, ...]:
    """The filters that are asked about a row; on a clean copy all of its picture or of its sound."""
    from gpu_qa.inject import FAULTS

    if not row.fault:
        return tuple(name for name, peer in PEERS.items() if peer.sound == row.sound_only)
    name = of_kind(FAULTS[row.fault].kind)
    return () if name is None else (name,)


def ask(name: str, path: Path) -> dict[str, Any]:
    """What a filter says of a clip: `spans` where it tells stretches, else `seconds`, its mean of each second."""
    peer = PEERS[name]
    option, printing = ("-af", "ametadata") if peer.sound else ("-vf", "metadata")
    other = "-vn" if peer.sound else "-an"
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-threads", "1", "-i", str(path), other]
    command += [option, f"{peer.filters},{printing}=print:file=-", "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return read(peer, done.stdout.splitlines())


def read(peer: Peer, lines: Iterable[str]) -> dict[str, Any]:
    """The answer from the lines that FFmpeg's `metadata=print` writes."""
    at_s = 0.0
    spans: dict[str, list[list[float]]] = {}
    seconds: dict[int, list[float]] = {}
    zero_s: float | None = None
    for line in lines:
        if found := _TIME.search(line):
            at_s = float(found[1])
            zero_s = at_s if zero_s is None else zero_s
            continue
        key, _, value = line.partition("=")
        if peer.numbers or peer.words:
            if key == peer.key:
                number = float(value in peer.words) if peer.words else _number(value)
                seconds.setdefault(int(at_s - (zero_s or 0.0)), []).append(number)
            continue
        for side in _SIDES:
            if key == f"{peer.key}{side}" or key.startswith(f"{peer.key}{side}."):
                track = key.removeprefix(f"{peer.key}{side}")
                if side == "_start":
                    spans.setdefault(track, []).append([_number(value), float("inf")])
                elif spans.get(track):
                    spans[track][-1][1] = _number(value)
    if peer.numbers or peer.words:
        return {"seconds": [sum(found) / len(found) for _, found in sorted(seconds.items())]}
    last_s = at_s + 0.1
    return {"spans": sorted([low, min(high, last_s)] for found in spans.values() for low, high in found)}


def limits(answers: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """The limit of each filter that prints numbers: the largest one of any second of a clean copy."""
    return {
        name: max((second for answer in found for second in answer["seconds"]), default=0.0)
        for name, found in answers.items()
        if PEERS[name].numbers
    }


def spans(name: str, answer: dict[str, Any], limit: float | None) -> list[tuple[float, float]]:
    """The stretches that a filter calls faulty, in seconds; whole seconds where it only prints numbers."""
    if "spans" in answer:
        return [(float(low), float(high)) for low, high in answer["spans"]]
    bound = 0.5 if PEERS[name].words else limit if limit is not None else float("inf")
    found: list[tuple[float, float]] = []
    for second, value in enumerate(answer["seconds"]):
        if value > bound:
            if found and found[-1][1] == second:
                found[-1] = (found[-1][0], second + 1.0)
            else:
                found.append((float(second), second + 1.0))
    return found


def _number(text: str) -> float:
    """A number as FFmpeg prints it; what is none counts as very little."""
    try:
        value = abs(float(text)) if not text.startswith("-inf") else -1e9
    except ValueError:
        return -1e9
    return value if value == value and value != float("inf") else -1e9
