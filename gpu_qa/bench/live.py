"""Many copies of one stream at once as they play: whether they keep up, and how soon an event is told."""

from __future__ import annotations

import subprocess
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from gpu_qa.bench import usage
from gpu_qa.config import Settings, default_detectors
from gpu_qa.decode import DecodeSettings
from gpu_qa.errors import AdmissionError
from gpu_qa.pipeline import Engine, EngineSettings
from gpu_qa.series import EventTiming
from gpu_qa.sources import SourceSettings, open_source
from gpu_qa.units import ticks_to_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.stream import StreamAnalysis

LATENCY_KIND = "video.black"
"""What the latency film plants, and is waited for."""
SETTLE_S = 2.0
"""After the last stream has begun, before it counts."""
_BEGIN_S = 60.0
"""Within this all streams must have begun."""
_LOOK_S = 0.1
_NO_LAG_LIMIT_S = 1e6
"""The number of streams is the question here, so none is refused for being late."""
_RAISE_AFTER_S = 0.2


@dataclass(slots=True)
class Watched:
    """What a watch saw; times in seconds, memory in 10⁶ bytes."""

    streams: int
    seconds: float = 0.0
    behind_s: float = 0.0
    frames_dropped: int = 0
    cpu_cores: float = 0.0
    judging_cores: float = 0.0
    resident_mb: float = 0.0
    proportional_mb: float = 0.0
    device_mb: float | None = None
    decoder_load: float | None = None
    ended_early: int = 0
    """Streams that ended or failed before the watch was over."""
    refused: str = ""
    """Why not all streams were admitted; empty where they were."""
    latencies_s: list[float] = field(default_factory=list)


def watch(
    clip: str, streams: int, seconds: float, device: Literal["cpu", "cuda"], *, allowed_s: float, events: bool = False
) -> Watched:
    """Run so many streams for so long.

    Args:
        clip: A file that is long enough for settling and watching.
        streams: How many copies.
        seconds: For how long they are watched once all have settled.
        device: Where they are decoded.
        allowed_s: The watch ends at once when a stream is three times as far behind.
        events: Take the time from each picture to the event that it makes certain; the clip plants black pictures.
    """
    engine = Engine(EngineSettings(max_lag_s=_NO_LAG_LIMIT_S))
    settings = Settings(source=SourceSettings(real_time=True), decode=DecodeSettings(device=device))
    if events:
        settings = _telling_soon(settings)
    watched = Watched(streams)
    try:
        added = [engine.add(clip, settings, name=f"copy {number + 1}") for number in range(streams)]
    except AdmissionError as error:
        watched.refused = str(error)
        return watched
    watcher = _Watcher(engine, added, watched, seconds, allowed_s)
    due = Deliveries.of(clip) if events else None
    told: set[str] = set()
    watcher.start()
    for update in engine:
        now_s = time.monotonic()
        event, began_s = update.event, update.stream.reading.began_s
        if event is None:
            if not watcher.over:
                watched.ended_early += 1
                if failure := update.stream.report().error:
                    watched.refused = failure
        elif due is not None and began_s is not None and event.kind == LATENCY_KIND and event.id not in told:
            told.add(event.id)
            watched.latencies_s.append(now_s - began_s - due.when(event.start_s + _RAISE_AFTER_S))
    watcher.join()
    return watched


class _Watcher(threading.Thread):
    """Looks at all streams ten times a second, and stops the engine when it has seen enough."""

    def __init__(
        self, engine: Engine, streams: Sequence[StreamAnalysis], watched: Watched, seconds: float, allowed_s: float
    ) -> None:
        super().__init__(name="gpu-qa watcher", daemon=True)
        self._engine = engine
        self._streams = streams
        self._watched = watched
        self._seconds = seconds
        self._allowed_s = allowed_s
        self._judge = threading.get_ident()
        self.over = False

    def run(self) -> None:
        try:
            if self._settle():
                self._watch()
        finally:
            self.over = True
            self._engine.stop()

    def _settle(self) -> bool:
        until_s = time.monotonic() + _BEGIN_S
        while any(stream.reading.began_s is None for stream in self._streams):
            if time.monotonic() > until_s or any(stream.ended for stream in self._streams):
                self._watched.behind_s = _BEGIN_S
                return False
            time.sleep(_LOOK_S)
        time.sleep(SETTLE_S)
        return True

    def _watch(self) -> None:
        watched = self._watched
        dropped = self._engine.load.frames_dropped
        began_s, cpu_s, judging_s = time.monotonic(), time.process_time(), _thread_s(self._judge)
        card: tuple[float, float] | None = None
        while (now_s := time.monotonic()) < began_s + self._seconds:
            watched.behind_s = max(watched.behind_s, *map(_behind_s, self._streams))
            if watched.behind_s > 3 * self._allowed_s or any(stream.ended for stream in self._streams):
                break
            if card is None and now_s > began_s + self._seconds / 2:
                card = _card_state()
            time.sleep(_LOOK_S)
        watched.seconds = time.monotonic() - began_s
        watched.cpu_cores = (time.process_time() - cpu_s) / watched.seconds
        watched.judging_cores = (_thread_s(self._judge) - judging_s) / watched.seconds
        watched.frames_dropped = self._engine.load.frames_dropped - dropped
        watched.resident_mb, watched.proportional_mb = usage.resident_mb(), usage.proportional_mb()
        if card is not None:
            watched.device_mb, watched.decoder_load = card


def _behind_s(stream: StreamAnalysis) -> float:
    """How much less of a stream has been placed in time than has been delivered, in seconds."""
    began_s = stream.reading.began_s
    return 0.0 if began_s is None else time.monotonic() - began_s - stream.progress.position_s


def _thread_s(ident: int) -> float:
    """CPU time of a thread of this process."""
    return time.clock_gettime(time.pthread_getcpuclockid(ident))


def _card_state() -> tuple[float, float] | None:
    """Memory in use on the first card, 10⁶ bytes, and the load of its decoders, 0…1; null without one."""
    command = ["nvidia-smi", "--query-gpu=memory.used,utilization.decoder", "--format=csv,noheader,nounits", "-i", "0"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        memory_mib, load = done.stdout.split(",")
        return float(memory_mib) * 2**20 / 1e6, float(load) / 100
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def _telling_soon(settings: Settings) -> Settings:
    """Black is told after 0.2 s: how long a defect must last is not what is timed."""
    black = default_detectors()["black"]
    timing = EventTiming(_RAISE_AFTER_S, _RAISE_AFTER_S, *(black.timing.major_after_s, black.timing.critical_after_s))
    return replace(settings, detectors={**settings.detectors, "black": replace(black, timing=timing)})


@dataclass(frozen=True, slots=True)
class Deliveries:
    """When each picture of a clip is delivered, at the pace at which it plays."""

    end_s: np.ndarray
    """float64 [T]: end of each picture on the stream's clock, rising."""
    due_s: np.ndarray
    """float64 [T]: when the packet that it is decoded from comes, after the first packet of the clip."""

    @classmethod
    def of(cls, clip: str) -> Deliveries:
        """Read them from the packets' times, as `PacedSource` does."""
        times: list[tuple[float, float, float]] = []
        first_s: float | None = None
        with open_source(clip) as source:
            for packet in source.packets():
                native = packet.native
                if native is None or native.dts is None or native.pts is None:
                    continue
                dts_s = ticks_to_s(native.dts, packet.track.time_base)
                first_s = dts_s if first_s is None else first_s
                if packet.track.kind == "video":
                    pts_s = ticks_to_s(native.pts, packet.track.time_base)
                    times.append((pts_s, ticks_to_s(native.duration or 0, packet.track.time_base), dts_s - first_s))
        times.sort()
        starts_s, lengths_s, due_s = (np.array(column) for column in zip(*times, strict=True))
        return cls(starts_s - starts_s[0] + lengths_s, due_s)

    def when(self, at_s: float) -> float:
        """When the picture was delivered whose end reaches this time of the stream."""
        # Half a millisecond: ticks of a time base are rounded.
        number = int(np.searchsorted(self.end_s, at_s - 0.0005))
        return float(self.due_s[min(number, len(self.due_s) - 1)])
