"""The defect detectors as services: frames or sound of a chunk out of the object store, evidence back.

A service remembers nothing from call to call. What its detector carries on, and which frame came before the chunk's
first one, comes with each request; a detector that weighs change must fetch that frame again.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from benchmarks.object_store.image import Unpacker
from gpu_qa.config import known_detectors
from gpu_qa.features.audio import AudioFeatures
from gpu_qa.features.picture import HostPictures
from gpu_qa.features.video import VideoFeatures
from gpu_qa.media import AudioSamples, Track

if TYPE_CHECKING:
    from benchmarks.object_store.meter import Meter
    from benchmarks.object_store.payload import Chunk, StoredFrame, StoredPart, StoredSound
    from benchmarks.object_store.store import Store
    from gpu_qa.series import AudioSeries, Evidence, VideoSeries


_MEASURE_CHANGE = ("freeze",)
"""Detectors that weigh change, and so need the frame before the chunk's first one."""


def chosen(names: list[str]) -> dict[str, Literal["video", "audio"]]:
    """What each of these detectors reads.

    Raises:
        ValueError: One is not known, or reads neither frames nor sound (it judges packets, which are not stored).
    """
    kinds: dict[str, Literal["video", "audio"]] = {}
    for name in names:
        detector = known_detectors().get(name)
        if detector is None or detector.consumes not in ("video", "audio"):
            able = [known.name for known in known_detectors().values() if known.consumes in ("video", "audio")]
            raise ValueError(f"{name}: choose among {', '.join(able)}, which read frames or sound")
        kinds[name] = "video" if detector.consumes == "video" else "audio"
    return kinds


class Detection:
    """One detector behind the object store.

    Args:
        name: Of the detector.
        store: Where frames and sound come from.
        meter: Counts the CPU time.
    """

    def __init__(self, name: str, store: Store, meter: Meter) -> None:
        self._detector = known_detectors()[name]
        self._store = store
        self._meter = meter
        self._unpacker = Unpacker()

    def detect(self, chunk: Chunk, before: StoredFrame | None, carry: Any) -> tuple[list[Evidence], Any]:
        """Weigh a chunk.

        Args:
            chunk: What the converter stored.
            before: The last frame of the chunk before; null at the stream's start.
            carry: What the detector handed on then.
        """
        is_video = self._detector.consumes == "video"
        needed = before if self._detector.name in _MEASURE_CHANGE else None
        series = self._pictures(chunk, needed) if is_video else self._sounds(chunk)
        evidence: list[Evidence] = []
        with self._meter.part("weigh"):
            for one in series:
                found, carry = self._detector.weigh(one, self._detector.limits, carry)
                evidence += found
        return evidence, carry

    def _pictures(self, chunk: Chunk, before: StoredFrame | None) -> list[VideoSeries]:
        wanted = ((before,) if before else ()) + chunk.frames
        bodies = self._fetch([frame.part for frame in wanted])
        pictures, features, series = HostPictures(), VideoFeatures(), []
        for stored, body in zip(wanted, bodies, strict=True):
            with self._meter.part("unpack"):
                frame = self._unpacker.unpack(body, stored)
            with self._meter.part("measure"):
                measured = pictures.measure(frame)
                if stored is not before:
                    series += features.add(measured, stored.start_s, stored.duration_s)
        with self._meter.part("measure"):
            return series + features.flush()

    def _sounds(self, chunk: Chunk) -> list[AudioSeries]:
        bodies = self._fetch([sound.part for sound in chunk.sounds])
        series = []
        for stored, body in zip(chunk.sounds, bodies, strict=True):
            with self._meter.part("unpack"):
                sound = _sound(stored, body)
            with self._meter.part("measure"):
                features = AudioFeatures(stored.track)
                series += features.add(sound, stored.start_s) + features.flush()
        return series

    def _fetch(self, parts: list[StoredPart]) -> list[bytes]:
        keys = list(dict.fromkeys(part.key for part in parts))
        with self._meter.part("fetch"):
            objects = dict(zip(keys, self._store.get(keys), strict=True))
            return [objects[part.key][part.offset : part.offset + part.length] for part in parts]


def _sound(stored: StoredSound, body: bytes) -> AudioSamples:
    time_base = Fraction(1, stored.sample_rate)
    return AudioSamples(
        track=Track(stored.track, "audio", "pcm_f32le", time_base),
        pts=round(stored.start_s * stored.sample_rate),
        time_base=time_base,
        sample_rate=stored.sample_rate,
        channels=stored.channels,
        samples=np.frombuffer(body, np.float32).reshape(len(stored.channels), -1),
    )
