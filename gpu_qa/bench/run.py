"""Bench: measures this machine format by format, each measurement in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from gpu_qa.bench import peers, result, usage
from gpu_qa.bench.costs import BenchResult, FormatCost, Probe, RealTime
from gpu_qa.bench.film import CACHE, ENCODERS, Clip
from gpu_qa.bench.result import Spread
from gpu_qa.bench.search import largest
from gpu_qa.bench.weigh import SIDES, Run, latency_of, parts_of, per_stream, probe_of, ratios, side, sum_ms
from gpu_qa.errors import ConfigError, GpuQaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gpu_qa.bench.child import Task
    from gpu_qa.bench.formats import Format
    from gpu_qa.bench.peers import Peer

AUDIO_FRAME_S = Fraction(1024, 48_000)
"""A film lasts a whole number of AAC frames, so that copies of it join without a gap."""
_FILM_S = 3.0
"""A film is at least so long; what needs more is copies of it end to end."""
_SIDE_S = 12.0
"""Length of what sides are compared on."""
RATED_LOAD = 0.7
"""Share of the streams that just held at which latency is taken: what is planned for."""
_MOST_STREAMS = 4096
_ON_CARD = 16
"""Streams at once, at least, that are compared on a card: enough to keep all of its decoding engines busy."""


class MeasurementError(GpuQaError):
    """A measurement failed; the message says which and what it said."""


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """What is measured, and for how long."""

    formats: tuple[Format, ...]
    """Kinds of streams; empty with a clip of one's own."""
    clip: Path | None = None
    """A file of one's own in the place of synthesised films."""
    device: Literal["cpu", "cuda"] = "cpu"
    rounds: int = 3
    """How often the sides are compared."""
    seconds: float = 8.0
    """For how long a number of streams must hold."""
    allowed_s: float = 1.0
    """How far behind a stream may be."""
    search: bool = True
    """Look for the number of streams that run in real time, and take the latency."""
    peers: bool = True
    """Compare with FFmpeg where the command exists."""
    max_streams: int = 0
    """The most streams that are tried; 0 is no limit."""
    folder: Path = CACHE
    """Where films are kept."""


@dataclass(slots=True)
class _Material:
    short: str
    long: str
    facts: Clip
    faulty: str | None
    """The same kind of film with black pictures planted, for the latency; null with a clip of one's own."""


@dataclass(slots=True)
class Bench:
    """Runs the measurements.

    Args:
        settings: What is measured.
        say: Told what happens next, a few words.
    """

    settings: BenchSettings
    say: Callable[[str], object]
    _formats: list[FormatCost] = field(default_factory=list)

    def run(self) -> BenchResult:
        """Measure all formats. Ctrl-C ends it with the formats that are finished.

        Raises:
            MeasurementError: A measurement failed.
            KeyboardInterrupt: Before the first format was finished.
        """
        load_before, base_mb, complete = result.load(), 0.0, True
        try:
            names: list[Format | None] = list(self.settings.formats) if self.settings.clip is None else [None]
            for number, one in enumerate(names, 1):
                name = str(one) if one else str(self.settings.clip)
                where = f"{name} ({number} of {len(names)})" if len(names) > 1 else name
                material = self._material(one, where)
                if not base_mb:
                    self.say(f"{where}: memory of an idle process")
                    base_mb = _child(_task("idle", material, self.settings))["proportional_mb"]
                self._formats.append(self._format(one, material, where, base_mb))
        except KeyboardInterrupt:
            if not self._formats:
                raise
            complete = False
        return BenchResult(
            schema=result.SCHEMA,
            benchmark="bench",
            created=result.now(),
            machine=result.machine(load_before),
            software=result.software(),
            device=self.settings.device,
            rounds=self.settings.rounds,
            complete=complete,
            base_mb=round(base_mb, 2),
            formats=tuple(self._formats),
        )

    # --- material ---------------------------------------------------------------------------------------------------

    def _material(self, one: Format | None, where: str) -> _Material:
        self.say(f"{where}: making the film, unless it is there")
        # A number of streams may take long to begin.
        loop_s = max(_SIDE_S, self.settings.seconds + 20.0)
        folder = str(self.settings.folder)
        if one is None:
            made = _child({"kind": "cut", "clip": str(self.settings.clip), "folder": folder, "loop_s": loop_s})
            return _Material(made["path"], made["looped"], result.read(Clip, made["clip"]), None)
        film = film_of(one)
        made = _child({"kind": "film", "film": film, "folder": folder, "loop_s": loop_s})
        faulty = None
        if self.settings.search:
            self.say(f"{where}: making the film with faults, unless it is there")
            planted = {**film, "faults": [{"kind": "black", "start_s": 1.0, "end_s": 1.6}], "seed": 2}
            again = _child({"kind": "film", "film": planted, "folder": folder, "loop_s": loop_s})
            faulty = str(again["looped"])
        return _Material(made["path"], made["looped"], result.read(Clip, made["clip"]), faulty)

    # --- one format -------------------------------------------------------------------------------------------------

    def _format(self, one: Format | None, material: _Material, where: str, base_mb: float) -> FormatCost:
        facts, settings = material.facts, self.settings
        parallel = usage.cores() if settings.device == "cpu" else max(_ON_CARD, usage.cores())
        runs, stages = self._rounds(material, parallel, where)
        parts = parts_of(stages)
        probes: dict[int, Probe] = {}
        real_time = self._real_time(material, where, probes) if settings.search else None
        if not settings.search:
            for streams in (1, 4):
                self._probe(material, streams, min(3.0, settings.seconds), where, probes)
        memory_mb, device_mb = per_stream(probes, base_mb)
        everything_ms = Spread.of([1000 * run.cpu_s / run.frames for run in runs["everything"]]).median
        return FormatCost(
            codec=one.codec if one else facts.video_codec,
            width=facts.width,
            height=facts.height,
            frame_rate=facts.frame_rate,
            clip=facts,
            parallel=parallel,
            sides=tuple(side(name, parallel, measured) for name, measured in runs.items()),
            ratios=ratios(runs, settings.device),
            parts=parts,
            overhead=round(everything_ms / sum_ms(parts, facts.frame_rate), 4),
            memory_mb=memory_mb,
            device_mb=device_mb,
            real_time=real_time,
        )

    def _rounds(self, material: _Material, parallel: int, where: str) -> tuple[dict[str, list[Run]], list[Any]]:
        """The sides in turn, every other round backwards, and the stages by themselves."""
        settings = self.settings
        chosen = self._peers()
        names = [*SIDES, *(peer.name for peer in chosen), "stages"]
        by_name = {peer.name: peer for peer in chosen}
        runs: dict[str, list[Run]] = {name: [] for name in names if name != "stages"}
        stages: list[Any] = []
        for number in range(settings.rounds):
            for name in names if number % 2 == 0 else names[::-1]:
                self.say(f"{where}: round {number + 1} of {settings.rounds}: {name}")
                if name == "stages":
                    stages.append(_child(_task("stages", material, settings)))
                elif name in by_name:
                    if (run := self._peer(by_name[name], material, parallel)) is not None:
                        runs[name].append(run)
                else:
                    with usage.Elsewhere() as elsewhere:
                        measured = _child(_task(name, material, settings, parallel=parallel))
                    runs[name].append(Run(**measured, elsewhere=elsewhere.processors))
        seen = {run.frames for name in SIDES for run in runs[name]}
        if len(seen) > 1:
            raise MeasurementError(f"{where}: the sides saw different numbers of pictures: {sorted(seen)}")
        return {name: measured for name, measured in runs.items() if measured}, stages

    def _peers(self) -> list[Peer]:
        if not self.settings.peers or not peers.has_ffmpeg():
            return []
        on_card = [peers.ON_CARD] if self.settings.device == "cuda" else []
        return [peers.FULL_SIZE, peers.SCALED, *on_card]

    def _peer(self, peer: Peer, material: _Material, parallel: int) -> Run | None:
        """FFmpeg on the short film: its full-size chain takes too long for more. Null where it cannot."""
        try:
            run = peers.run_peers(peer, material.short, parallel, sound=material.facts.audio_codec is not None)
        except RuntimeError as error:
            self.say(f"left out: {error}")
            return None
        return Run(run.wall_s, run.cpu_s, material.facts.frames * parallel, run.peak_mb, run.elsewhere)

    # --- in real time -----------------------------------------------------------------------------------------------

    def _real_time(self, material: _Material, where: str, probes: dict[int, Probe]) -> RealTime:
        settings = self.settings
        most = settings.max_streams or _MOST_STREAMS

        def holds(streams: int) -> bool:
            return self._probe(material, streams, settings.seconds, where, probes).held

        streams, at_least = 0, False
        if holds(1):
            # What one takes says where to look; a little below, for the first try should hold.
            guess = int(0.8 * usage.cores() / max(0.001, probes[1].cpu_cores))
            streams, at_least = (
                (1, most == 1)
                if most == 1
                else largest(lambda number: True if number == 1 else holds(number), max(2, guess), most)
            )
        latency = None
        if streams and material.faulty is not None:
            rated = max(1, int(streams * RATED_LOAD))
            self.say(f"{where}: latency of events with {rated} streams")
            latency = latency_of(
                rated, self._watch(material.faulty, rated, settings.seconds, events=True)["latencies_s"]
            )
        return RealTime(
            streams=streams,
            at_least=at_least,
            allowed_s=settings.allowed_s,
            seconds=settings.seconds,
            probes=tuple(probes[number] for number in sorted(probes)),
            latency=latency,
        )

    def _probe(self, material: _Material, streams: int, seconds: float, where: str, probes: dict[int, Probe]) -> Probe:
        """Try a number of streams; once more where it failed while others kept the machine busy."""
        for attempt in ("", ", again: others disturbed it"):
            self.say(f"{where}: {streams} streams in real time for {seconds:g} s{attempt}")
            with usage.Elsewhere() as elsewhere:
                seen = self._watch(material.long, streams, seconds, events=False)
            probe = probe_of(seen, elsewhere.processors, self.settings.allowed_s)
            if probe.held or elsewhere.processors < usage.QUIET_PROCESSORS:
                break
        probes[streams] = probe
        return probe

    def _watch(self, clip: str, streams: int, seconds: float, *, events: bool) -> dict[str, Any]:
        watched: dict[str, Any] = _child(
            {
                "kind": "live",
                "clip": clip,
                "streams": streams,
                "seconds": seconds,
                "device": self.settings.device,
                "allowed_s": self.settings.allowed_s,
                "events": events,
            }
        )
        return watched


def film_of(one: Format) -> dict[str, Any]:
    """The film of a format, as fields of `Film`.

    Raises:
        ConfigError: Nothing here encodes the codec, or the rate is not whole.
    """
    if one.codec not in ENCODERS:
        raise ConfigError(f"{one}: films can be made in {', '.join(ENCODERS)}; for {one.codec} give --clip FILE")
    if one.frame_rate.denominator != 1:
        raise ConfigError(f"{one}: films have a whole number of pictures per second; for others give --clip FILE")
    if one.width % 2 or one.height % 2 or min(one.width, one.height) < 64:
        raise ConfigError(f"{one}: films have even sides of 64 samples or more")
    count = -(-Fraction(_FILM_S) // AUDIO_FRAME_S)
    while (count * AUDIO_FRAME_S * one.frame_rate).denominator != 1:
        count += 1
    # 8 Mbit/s for 1080p25 in H.264; larger and faster pictures need less per sample, newer codecs less in all.
    detail = (one.width * one.height / (1920 * 1080)) ** 0.75 * float(one.frame_rate / 25) ** 0.6
    saved = {"h264": 1.0, "hevc": 0.6, "av1": 0.5}[one.codec]
    return {
        "seconds": float(count * AUDIO_FRAME_S),
        "width": one.width,
        "height": one.height,
        "bit_rate": round(8_000_000 * detail * saved / 1000) * 1000,
        "rate": int(one.frame_rate),
        "codec": one.codec,
        "suffix": ".mp4" if one.codec == "av1" else ".ts",  # transport streams carry no AV1 here
    }


def _task(kind: str, material: _Material, settings: BenchSettings, *, parallel: int = 1) -> Task:
    return {
        "kind": kind,  # type: ignore[typeddict-item]  # one of the kinds
        "clip": material.long,
        "warm_up": material.short,
        "parallel": parallel,
        "device": settings.device,
    }


def _child(task: Task) -> Any:
    """Have a process of its own measure something.

    Raises:
        MeasurementError: It failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "gpu_qa.bench.child", json.dumps(task)],
        capture_output=True,
        text=True,
        env=result.python_environment(),
        check=False,
    )
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()
        raise MeasurementError(f"measuring {task['kind']} failed: {words[-1] if words else done.returncode}")
    return json.loads(done.stdout.strip().rpartition("\n")[2])
