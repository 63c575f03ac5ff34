"""What a stream needs of a machine, from measured costs."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpu_qa.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gpu_qa.bench.costs import BenchResult, FormatCost
    from gpu_qa.fleet.machine import Card, Machine

_FULL_HD = 1920 * 1080
DEVICE_MB_PER_STREAM = 100.0
"""Surfaces of one 1080p decoder on a card, 10⁶ bytes, where no card was measured: PyNvVideoCodec's are some 38 MB, and
pictures in flight come on top. An estimate."""
DEVICE_BASE_MB = 600.0
"""CUDA context, kernels and allocator of a process, 10⁶ bytes, where no card was measured. An estimate."""

LAY_MS = 10.0
"""CPU time per second of a stream that is laid over a reference, beside the thread that judges: 50 ms every 5 s
(docs/compare.md)."""
SIDE_MS = 2.0
"""What keeping either side's measures takes of the thread that judges, CPU time per second (the same)."""
COPY_MB, REFERENCE_MB = 12.0, 27.0
"""Measures that are kept of a copy and of a reference, 10⁶ bytes: 80 and 180 s at 150 kB (docs/streams.md)."""


@dataclass(frozen=True, slots=True)
class PlannedStream:
    """A stream as planning sees it."""

    name: str
    codec: str
    """libavcodec's name, such as `h264`."""
    width: int
    height: int
    frame_rate: float
    """Pictures per second."""
    detectors: tuple[str, ...]
    sound_tracks: int = 1
    bit_depth: int = 8
    decoder_threads: int = 1
    """Threads that its decoder may use on the CPU."""
    reference: str | None = None
    """Name of the stream that it is laid over: both run in one process. A reference that others are laid over names
    itself."""

    @property
    def kind(self) -> str:
        """For people: codec, size and rate."""
        depth = f" {self.bit_depth}-bit" if self.bit_depth > 8 else ""
        return f"{self.codec}{depth} {self.width}×{self.height} at {self.frame_rate:g}/s"

    @property
    def pixels(self) -> int:
        """Of a picture."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Demand:
    """What a stream takes while it plays."""

    cores: float = 0.0
    """Processors, in all."""
    reading: float = 0.0
    """Of these, in the stream's own thread, which demuxes, decodes and, on the CPU, measures. A thread has one core."""
    judging: float = 0.0
    """Of these, in the one thread of its process that judges all streams."""
    memory_mb: float = 0.0
    engines: float = 0.0
    """Decoding engines of a card."""
    device_mb: float = 0.0

    def __add__(self, other: Demand) -> Demand:
        return Demand(
            self.cores + other.cores,
            self.reading + other.reading,
            self.judging + other.judging,
            self.memory_mb + other.memory_mb,
            self.engines + other.engines,
            self.device_mb + other.device_mb,
        )


@dataclass(frozen=True, slots=True)
class CostModel:
    """Measured costs on a machine that may be another one.

    Every demand is a sum of what was measured for its parts, times what the whole program took beyond them.
    """

    costs: BenchResult
    machine: Machine
    card: Card | None
    """The card in the machine; null plans for its processors alone."""
    cpu_speed: float = 1.0
    """How much faster one vCPU of the machine is than one processor of the machine that was measured."""

    @property
    def measured_card(self) -> bool:
        """Whether the costs were measured on a card of this kind."""
        if self.costs.device != "cuda" or self.card is None:
            return False
        # A whole word: L4 is no L40S.
        return re.search(rf"\b{re.escape(self.card.name)}\b", self.costs.machine.gpu or "") is not None

    @property
    def base_mb(self) -> float:
        """Memory of a process without streams."""
        return self.costs.base_mb

    @property
    def device_base_mb(self) -> float:
        """Memory on the card of a process without streams."""
        return DEVICE_BASE_MB if self.card else 0.0

    def shared(self, stream: PlannedStream) -> Demand:
        """What reading, decoding, measuring and recording a stream takes, whatever is then looked for.

        Raises:
            ConfigError: No cost was measured for its codec, or none of decoding it on the CPU where that is to be done.
        """
        cost = self.nearest(stream)
        if self.costs.device == "cuda" and self.engine_rate(stream) is None:
            raise ConfigError(
                f"{stream.name}: {stream.kind} is decoded on the CPU of {self.machine.name}, but the costs were "
                "measured on a card; give costs that `gpu-qa bench --device cpu` measured"
            )
        larger = stream.pixels / (cost.width * cost.height)
        parts, rate = cost.parts, stream.frame_rate
        on_card = self.engine_rate(stream)
        reading_ms = parts.demux_ms.median * larger * rate + parts.sound_decode_ms.median * stream.sound_tracks
        series_ms = (parts.series_ms.median + parts.record_ms.median) * rate
        judging_ms = series_ms + parts.sound_measure_ms.median * stream.sound_tracks
        if on_card is None:
            reading_ms += (parts.decode_ms.median + parts.measure_ms.median) * larger * rate
        elif self.costs.device == "cuda":
            reading_ms += parts.decode_ms.median * rate
            judging_ms += parts.measure_ms.median * rate
        reading, judging = self._cores(reading_ms, cost), self._cores(judging_ms, cost)
        decoding = rate * stream.pixels / _FULL_HD / on_card if on_card else 0.0
        return Demand(
            cores=reading + judging,
            reading=reading,
            judging=judging,
            memory_mb=(cost.memory_mb or 0.0) * larger,
            engines=decoding,
            device_mb=self._device_mb(stream, cost) if on_card else 0.0,
        )

    def detector(self, stream: PlannedStream, name: str) -> Demand:
        """What one detector adds.

        Raises:
            ConfigError: No cost was measured for the codec or the detector.
        """
        cost = self.nearest(stream)
        found = next((one for one in cost.parts.detectors if one.name == name), None)
        if found is None:
            known = ", ".join(one.name for one in cost.parts.detectors)
            raise ConfigError(
                f"no cost was measured for the detector {name}, only for {known}; measure it here with gpu-qa bench "
                "--output FILE and plan with --costs FILE, or leave it out with --detectors"
            )
        times = stream.frame_rate if found.per == "picture" else 1.0
        cores = self._cores(found.ms.median * times, cost)
        return Demand(cores=cores, judging=cores)

    def demand(self, stream: PlannedStream, detectors: Iterable[str] | None = None) -> Demand:
        """What a stream takes with some of its detectors, or with all of them."""
        chosen = stream.detectors if detectors is None else detectors
        return sum((self.detector(stream, name) for name in chosen), self.shared(stream) + self.side(stream))

    def side(self, stream: PlannedStream) -> Demand:
        """What being laid over a reference adds, or being one."""
        if stream.reference is None:
            return Demand()
        is_copy = stream.reference != stream.name
        judging = self._cores(SIDE_MS, self.nearest(stream))
        laying = self._cores(LAY_MS, self.nearest(stream)) if is_copy else 0.0
        return Demand(cores=judging + laying, judging=judging, memory_mb=COPY_MB if is_copy else REFERENCE_MB)

    def nearest(self, stream: PlannedStream) -> FormatCost:
        """The measured format whose pictures are nearest in size, of the stream's codec.

        Raises:
            ConfigError: None of that codec was measured.
        """
        same = [one for one in self.costs.formats if one.codec == stream.codec]
        if not same:
            known = ", ".join(dict.fromkeys(one.codec for one in self.costs.formats))
            raise ConfigError(
                f"{stream.name}: no cost was measured for {stream.codec}, only for {known}; "
                f"measure it: gpu-qa bench --formats {stream.codec}:1080p25 --output FILE, and plan with --costs FILE"
            )
        return min(same, key=lambda one: abs(math.log(stream.pixels / (one.width * one.height))))

    def engine_rate(self, stream: PlannedStream) -> float | None:
        """Pictures of 1920×1080 per second of one engine for this codec; null where it is decoded on the CPU."""
        if self.card is None:
            return None
        if stream.bit_depth > 8:
            return self.card.frames_per_s.get(f"{stream.codec}_10bit")
        return self.card.frames_per_s.get(stream.codec)

    def _cores(self, ms_per_s: float, cost: FormatCost) -> float:
        return ms_per_s / 1000.0 * max(1.0, cost.overhead) / self.cpu_speed

    def _device_mb(self, stream: PlannedStream, cost: FormatCost) -> float:
        if cost.device_mb is not None:
            return cost.device_mb * stream.pixels / (cost.width * cost.height)
        return DEVICE_MB_PER_STREAM * stream.pixels / _FULL_HD

    def remarks(self, streams: Sequence[PlannedStream]) -> tuple[str, ...]:
        """What in the plan is not as measured, in words."""
        words = []
        own = self.costs.machine
        speed = "" if self.cpu_speed == 1.0 else f", times {self.cpu_speed:g} (--cpu-speed)"
        words.append(
            f"CPU: measured on {own.cores} cores of {own.cpu} on {self.costs.created[:10]} "
            f"({self.costs.software.commit or 'no commit'}); one vCPU counts as one of these cores{speed}"
        )
        if self.card is not None and not self.measured_card:
            words.append(
                f"card: a projection, not measured: pictures per engine from {self.card.source}; "
                f"{DEVICE_MB_PER_STREAM:g} MB per 1080p stream and {DEVICE_BASE_MB:g} MB per process are estimates"
            )
            if self.costs.device == "cpu":
                words.append("CPU beside the card: what was measured without decoding and measuring pictures")
        elif self.card is not None:
            words.append(f"card: costs were measured on one; pictures per engine from {self.card.source}")
        on_cpu = dict.fromkeys(one.kind for one in streams if self.card is not None and self.engine_rate(one) is None)
        words += [f"{kind}: no figure for the {self.card.name}; counted on the CPU" for kind in on_cpu if self.card]
        scaled = dict.fromkeys(
            f"{one.kind}: CPU time scaled by pixels from {near.width}×{near.height}"
            for one in streams
            if (near := self.nearest(one)).width * near.height != one.pixels
        )
        return (*words, *scaled)
