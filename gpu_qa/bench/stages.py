"""Each stage of an analysis timed by itself: one stream, one thread, decoders with one thread."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gpu_qa.config import default_detectors, known_detectors
from gpu_qa.decode import DecodeSettings, open_decoder
from gpu_qa.events import TrackerState, track
from gpu_qa.features import HostPictures, StreamFeatures, is_on_device
from gpu_qa.sinks.curves import CurveRecorder
from gpu_qa.sinks.measurements import Counts
from gpu_qa.sinks.thumbnails import ThumbnailRecorder
from gpu_qa.sources import open_source
from gpu_qa.sync.content import shipped_weights
from gpu_qa.sync.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_qa.decode import Decoder
    from gpu_qa.features import MeasuredPicture
    from gpu_qa.media import Decoded, MediaFacts, Packet

_STREAM = "stream"


@dataclass(frozen=True, slots=True)
class StageTimes:
    """CPU time of one pass over a clip, seconds."""

    frames: int
    seconds: float
    """Of stream."""
    stages: dict[str, float]
    """`demux`, `decode`, `measure`, `series`, `record`, `sound_decode`, `sound_measure` → CPU time in all."""
    detectors: dict[str, float]
    """Detector → CPU time in all, its events' hysteresis included."""
    consumes: dict[str, str]
    """Detector → which series it reads: `video`, `audio` or `stream`."""


def stage_times(clip: str, device: Literal["cpu", "cuda"]) -> StageTimes:
    """Analyze a clip once, stage by stage.

    Raises:
        GpuQaError: It cannot be opened or decoded.
    """
    with open_source(clip) as source:
        staged = _Staged(source.facts, DecodeSettings(device=device, threads=1))
        packets = source.packets()
        while True:
            with staged.timed("demux"):
                packet = next(packets, None)
            if packet is None:
                break
            staged.take(packet)
        staged.close()
    consumes = {name: known_detectors()[name].consumes for name in default_detectors()}
    return StageTimes(staged.frames, staged.seconds, dict(staged.stages), dict(staged.detectors), dict(consumes))


class _Staged:
    def __init__(self, facts: MediaFacts, settings: DecodeSettings) -> None:
        self.frames = 0
        self.stages: defaultdict[str, float] = defaultdict(float)
        self.detectors: defaultdict[str, float] = defaultdict(float)
        self._settings = settings
        self._decoders: dict[int, Decoder] = {}
        self._host = HostPictures(motion=True)
        self._device: Any = None
        self._features = StreamFeatures(facts.tracks, sync=True)
        self._listener = Listener(shipped_weights(), threaded=False)
        self._counts, self._curves, self._thumbnails = Counts(), CurveRecorder(), ThumbnailRecorder()
        self._tracker = TrackerState("clip")
        self._carries: dict[str, Any] = {}
        self._chosen = default_detectors()

    @property
    def seconds(self) -> float:
        return self._features.timeline.until_s

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the thread's CPU time during the block."""
        began_s = time.thread_time()
        try:
            yield
        finally:
            self.stages[stage] += time.thread_time() - began_s

    def take(self, packet: Packet) -> None:
        decoder = self._decoder(packet)
        is_video = packet.track.kind == "video"
        with self.timed("decode" if is_video else "sound_decode"):
            decoded = decoder.drain() if packet.native is None else decoder.decode(packet)
        with self.timed("measure"):
            pictures = self._measured(decoded)
        self.frames += len(pictures)
        with self.timed("series" if is_video else "sound_measure"):
            measured = self._features.take(pictures, decoded.sound, (*packet.notes, *decoded.notes))
        with self.timed("record"):
            self._counts.count(pictures, decoded.sound)
            for video in measured.video:
                self._counts.video(video)
                self._curves.add_video(video)
                self._thumbnails.add(video, self._counts.color_space)
            for audio in measured.audio:
                self._counts.audio(audio)
                self._curves.add_audio(audio)
        for video in measured.video:
            self._weigh("video", video)
        for audio in measured.audio:
            self._weigh("audio", audio)
        for spectrum in measured.spectrum:
            self._weigh("spectrum", spectrum)
        began_s = time.thread_time()
        answers = self._listener.take(measured.video, measured.audio)
        self.detectors["av_offset"] += time.thread_time() - began_s
        for answer in answers:
            self._weigh("sync", answer)
        if measured.video or measured.audio or self._features.has_facts:
            with self.timed("series"):
                series = self._features.stream_series()
            self._weigh("stream", series)

    def close(self) -> None:
        for decoder in self._decoders.values():
            decoder.close()

    def _decoder(self, packet: Packet) -> Decoder:
        index = packet.track.index
        if index not in self._decoders:
            self._decoders[index] = open_decoder(packet.track, self._settings)
        return self._decoders[index]

    def _measured(self, decoded: Decoded) -> list[MeasuredPicture]:
        if not decoded.frames or not is_on_device(decoded.frames[0]):
            return [self._host.measure(frame) for frame in decoded.frames]
        if self._device is None:
            from gpu_qa.features.device import DevicePictures

            self._device = DevicePictures()
        pictures: list[MeasuredPicture] = self._device.measure([(_STREAM, frame) for frame in decoded.frames])
        return pictures

    def _weigh(self, consumes: str, series: Any) -> None:
        for name, chosen in self._chosen.items():
            detector = known_detectors()[name]
            if detector.consumes != consumes:
                continue
            began_s = time.thread_time()
            found, self._carries[name] = detector.weigh(series, chosen.limits, self._carries.get(name))
            for evidence in found:
                self._tracker, _ = track(self._tracker, evidence, chosen.timing)
            self.detectors[name] += time.thread_time() - began_s
