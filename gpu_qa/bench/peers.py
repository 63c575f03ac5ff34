"""FFmpeg's own filters beside us, one process per stream, as scripts run them today."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass

from gpu_qa.bench.usage import Elsewhere

FILTERS = "freezedetect,blackdetect,blockdetect,blurdetect,signalstats"
SOUND_FILTER = "silencedetect"
SMALL = "scale=480:270"


@dataclass(frozen=True, slots=True)
class Peer:
    """A command that people use instead."""

    name: str
    before: tuple[str, ...]
    """Options before the input."""
    filters: str

    def command(self, clip: str, *, sound: bool) -> list[str]:
        """The command for one stream, with one thread."""
        command = ["ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-threads", "1", "-filter_threads", "1"]
        command += [*self.before, "-i", clip, "-map", "0:v:0", "-vf", self.filters]
        command += ["-map", "0:a:0", "-af", SOUND_FILTER] if sound else []
        return [*command, "-f", "null", "-"]


FULL_SIZE = Peer("ffmpeg", (), FILTERS)
SCALED = Peer("ffmpeg small", (), f"{SMALL},{FILTERS}")
ON_CARD = Peer(
    "ffmpeg on the card",
    ("-hwaccel", "cuda", "-hwaccel_output_format", "cuda"),
    f"scale_cuda=480:270:format=nv12,hwdownload,format=nv12,{FILTERS}",
)


@dataclass(frozen=True, slots=True)
class PeerRun:
    """Processes side by side, from the first one's start to the last one's end."""

    wall_s: float
    cpu_s: float
    """Of all processes."""
    peak_mb: float
    """Largest resident sets, added up: what they share counts for each."""
    elsewhere: float


def has_ffmpeg() -> bool:
    """Whether the command exists."""
    return shutil.which("ffmpeg") is not None


def run_peers(peer: Peer, clip: str, copies: int, *, sound: bool) -> PeerRun:
    """Run one process per copy, all at once.

    Raises:
        RuntimeError: One failed; the message holds what it said.
    """
    command = peer.command(clip, sound=sound)
    with tempfile.TemporaryFile() as words, Elsewhere() as elsewhere:
        began_s = time.perf_counter()
        processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=words) for _ in range(copies)]
        ended: list[tuple[int, float, float]] = []
        try:
            for process in processes:
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
                ended.append((process.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6))
            wall_s = time.perf_counter() - began_s
        finally:
            for process in processes:
                if process.returncode is None:
                    process.kill()
                    process.wait()
        if failed := [code for code, _, _ in ended if code]:
            words.seek(0)
            said = words.read()[-1000:].decode(errors="replace").strip()
            raise RuntimeError(f"{peer.name} ended with {failed[0]}: {said}")
    return PeerRun(wall_s, sum(cpu for _, cpu, _ in ended), sum(peak for _, _, peak in ended), elsewhere.processors)
