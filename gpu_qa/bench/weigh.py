"""What measurements come to: sides, their ratios, the parts of a picture's cost, memory per stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpu_qa.bench import result
from gpu_qa.bench.costs import DetectorCost, Latency, Parts, Probe
from gpu_qa.bench.result import Side, Spread, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SIDES = {
    "decode": "picture and sound are decoded and thrown away",
    "features": "decoded and measured, nothing is looked for",
    "everything": "with every detector, events and report",
}


@dataclass(slots=True)
class Run:
    """One run of one side."""

    wall_s: float
    cpu_s: float
    """User and system time of all threads, and of all processes where there are several."""
    frames: int
    """Pictures of all its streams."""
    peak_mb: float
    """Largest resident set, 10⁶ bytes; of several processes, added up."""
    elsewhere: float
    """Processors that others kept busy meanwhile."""


def sum_ms(parts: Parts, frame_rate: float) -> float:
    """All parts' CPU time per picture."""
    per_picture = (parts.demux_ms, parts.decode_ms, parts.measure_ms, parts.series_ms, parts.record_ms)
    per_second = (parts.sound_decode_ms, parts.sound_measure_ms)
    total = sum(spread.median for spread in per_picture) + sum(spread.median for spread in per_second) / frame_rate
    return total + sum(cost.ms.median / (1.0 if cost.per == "picture" else frame_rate) for cost in parts.detectors)


def side(name: str, parallel: int, runs: Sequence[Run]) -> Side:
    """A side of the comparison from its runs."""
    what = SIDES.get(name) or f"{parallel} processes at once, a stream each, on one turn of the film"
    return result.side_of(
        name,
        what,
        frames=runs[0].frames,
        wall_s=[run.wall_s for run in runs],
        cpu_s=[run.cpu_s for run in runs],
        peak_mb=[run.peak_mb for run in runs],
        elsewhere=[run.elsewhere for run in runs],
    )


def ratios(runs: Mapping[str, Sequence[Run]], device: str) -> tuple[Target, ...]:
    """Between sides, of neighbours within a round."""

    def ratio(over: str, under: str, what: Callable[[Run], float]) -> list[float]:
        return [what(one) / what(other) for one, other in zip(runs[over], runs[under], strict=False)]

    def cpu_ms(run: Run) -> float:
        return 1000 * run.cpu_s / run.frames

    def rate(run: Run) -> float:
        return run.frames / run.wall_s

    # The processor decodes too, so only on a card decoding is to be the limit.
    asked = ("at least", 0.95) if device == "cuda" else ("shown", None)
    found = [
        Target.of("CPU time per picture, features / decode", ratio("features", "decode", cpu_ms)),
        Target.of("CPU time per picture, everything / decode", ratio("everything", "decode", cpu_ms)),
        Target.of("pictures per second, everything / decode", ratio("everything", "decode", rate), *asked),
    ]
    found += [
        Target.of(f"CPU time per picture, {name} / everything", ratio(name, "everything", cpu_ms))
        for name in runs
        if name not in SIDES
    ]
    return tuple(found)


def parts_of(passes: Sequence[Any]) -> Parts:
    """The parts from passes over a clip, each a `StageTimes` as JSON values."""

    def per_frame(stage: str) -> Spread:
        return Spread.of([1000 * one["stages"].get(stage, 0.0) / one["frames"] for one in passes])

    def per_second(stage: str) -> Spread:
        return Spread.of([1000 * one["stages"].get(stage, 0.0) / one["seconds"] for one in passes])

    return Parts(
        demux_ms=per_frame("demux"),
        decode_ms=per_frame("decode"),
        measure_ms=per_frame("measure"),
        series_ms=per_frame("series"),
        record_ms=per_frame("record"),
        sound_decode_ms=per_second("sound_decode"),
        sound_measure_ms=per_second("sound_measure"),
        detectors=tuple(
            DetectorCost(
                name,
                "picture" if consumes == "video" else "second",
                Spread.of(
                    [
                        1000 * one["detectors"].get(name, 0.0) / one["frames" if consumes == "video" else "seconds"]
                        for one in passes
                    ]
                ),
            )
            for name, consumes in passes[0]["consumes"].items()
        ),
    )


def probe_of(seen: Mapping[str, Any], elsewhere: float, allowed_s: float) -> Probe:
    """A probe from what was watched, a `Watched` as JSON values, and whether it held."""
    held = (
        seen["seconds"] > 0
        and seen["behind_s"] <= allowed_s
        and not (seen["frames_dropped"] or seen["ended_early"] or seen["refused"])
    )
    return Probe(
        streams=seen["streams"],
        seconds=round(seen["seconds"], 3),
        behind_s=round(seen["behind_s"], 4),
        frames_dropped=seen["frames_dropped"],
        cpu_cores=round(seen["cpu_cores"], 4),
        judging_cores=round(seen["judging_cores"], 4),
        elsewhere=round(elsewhere, 3),
        resident_mb=round(seen["resident_mb"], 2),
        proportional_mb=round(seen["proportional_mb"], 2),
        device_mb=seen["device_mb"],
        decoder_load=seen["decoder_load"],
        held=held,
    )


def latency_of(streams: int, latencies_s: Sequence[float]) -> Latency | None:
    """Percentiles, each the nearest value that was seen; null without events."""
    if not latencies_s:
        return None
    ordered = sorted(latencies_s)

    def percentile(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))], 4)

    return Latency(streams, len(ordered), percentile(0.5), percentile(0.99), round(ordered[-1], 4))


def per_stream(probes: Mapping[int, Probe], base_mb: float) -> tuple[float | None, float | None]:
    """What one more stream adds to the process and on the card, between the fewest and the most that were watched.

    A number that did not hold counts too: its streams were late, but in memory.
    """
    watched = [probes[number] for number in sorted(probes) if probes[number].proportional_mb > 0]
    if not watched:
        return None, None
    few, most = watched[0], watched[-1]
    if few is most:
        return round(max(0.0, most.proportional_mb - base_mb) / most.streams, 2), None
    more = most.streams - few.streams
    device_mb = None
    if few.device_mb is not None and most.device_mb is not None:
        device_mb = round(max(0.0, most.device_mb - few.device_mb) / more, 2)
    return round(max(0.0, most.proportional_mb - few.proportional_mb) / more, 2), device_mb
