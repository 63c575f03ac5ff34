"""The media converter: a stream becomes frames and sound in the object store, a chunk at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.object_store.image import Packer
from benchmarks.object_store.payload import Chunk, StoredFrame, StoredPart, StoredSound
from gpu_qa.decode import DecodeSettings, open_decoder
from gpu_qa.features import Timeline
from gpu_qa.sources import open_source
from gpu_qa.units import ticks_to_s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.object_store.meter import Meter
    from benchmarks.object_store.payload import FrameFormat
    from benchmarks.object_store.store import Store
    from gpu_qa.media import AudioSamples, Decoded, Track, VideoFrame

_LATE_S = 0.04
"""Sound that parts from its sample count by more than this has a gap, which chunks cannot hold."""
_EDGE_S = 1e-6
"""Times are compared with this much grace: they are sums of fractions."""


@dataclass(frozen=True, slots=True)
class ConverterSettings:
    """How a stream is laid into the object store."""

    frames_per_s: float = 0.0
    """Frames stored per second of stream; 0 stores every frame."""
    encoding: FrameFormat = "jpeg"
    quality: int = 3
    """Quantiser scale of JPEG, 2 (best) to 31."""
    chunk_s: float = 1.0
    """Length of what one run of the workflow works on."""
    bundled: bool = False
    """All frames and sound of a chunk in one object, instead of one for each frame and one for the sound."""


@dataclass(slots=True)
class _Waiting:
    """A frame that is packed and waits for its chunk to be complete."""

    frame: VideoFrame
    start_s: float
    duration_s: float
    body: bytes


@dataclass(slots=True)
class _Sound:
    """A track's samples that are not stored yet."""

    track: Track
    start_s: float
    """Of the track's first sample."""
    rate: int
    channels: tuple[str, ...]
    samples: list[np.ndarray] = field(default_factory=list)
    first: int = 0
    """Number of the first of them, counted from the track's start."""
    end: int = 0
    """Number of the sample after the last."""


class Converter:
    """Decodes one stream and stores it chunk after chunk.

    Args:
        path: The clip.
        prefix: What its keys begin with.
        settings: How it is laid out.
        store: Where it goes.
        meter: Counts the CPU time.
    """

    def __init__(self, path: str, prefix: str, settings: ConverterSettings, store: Store, meter: Meter) -> None:
        self._prefix = prefix
        self._settings = settings
        self._store = store
        self._meter = meter
        self._packer = Packer(settings.encoding, settings.quality)
        self._timeline = Timeline()
        self._frames: list[_Waiting] = []
        self._sounds: dict[int, _Sound] = {}
        self._early: list[AudioSamples] = []
        self._next_s = 0.0
        self._frame_start_s = self._frame_until_s = 0.0
        self._number = 0
        self._ended = False
        self._decoded = self._decode(path)

    def convert(self) -> Chunk:
        """Decode and store the next chunk.

        Raises:
            ValueError: The stream has ended, or has what chunks cannot hold.
        """
        if self._ended:
            raise ValueError("the stream has ended")
        until_s = (self._number + 1) * self._settings.chunk_s
        while not self._complete(until_s):
            with self._meter.part("decode"):
                decoded = next(self._decoded, None)
            if decoded is None:
                self._ended = True
                break
            self._take(decoded)
        chunk = self._store_chunk(until_s)
        self._number += 1
        return chunk

    def _decode(self, path: str) -> Iterator[Decoded]:
        with open_source(path) as source:
            tracks = source.facts.tracks
            if not any(track.kind == "video" for track in tracks):
                raise ValueError(f"{path}: no picture")
            decoders = {track.index: open_decoder(track, DecodeSettings(device="cpu", threads=1)) for track in tracks}
            for packet in source.packets():
                yield decoders[packet.track.index].decode(packet)
            for decoder in decoders.values():
                decoder.close()

    def _complete(self, until_s: float) -> bool:
        """Whether all tracks have passed the chunk's end, the picture with a frame, so that the last chunk is known."""
        ends_s = [sound.start_s + sound.end / sound.rate for sound in self._sounds.values()]
        return min([self._frame_start_s, *ends_s]) >= until_s - _EDGE_S and not self._early

    def _take(self, decoded: Decoded) -> None:
        for frame in decoded.frames:
            self._take_frame(frame)
        self._early += decoded.sound
        if self._timeline.started:
            early, self._early = self._early, []
            for sound in early:
                self._take_sound(sound)

    def _take_frame(self, frame: VideoFrame) -> None:
        raw_s = None if frame.pts is None else ticks_to_s(frame.pts, frame.time_base)
        if not self._timeline.started:
            self._timeline.start(raw_s or 0.0)
        length_s = ticks_to_s(frame.duration, frame.time_base)
        start_s, _ = self._timeline.place(-1, "video", raw_s, length_s)
        self._frame_start_s, self._frame_until_s = start_s, start_s + length_s
        rate = self._settings.frames_per_s
        if rate:
            if start_s < self._next_s - _EDGE_S:
                return
            self._next_s = (math.floor(start_s * rate + _EDGE_S) + 1) / rate
            length_s = max(length_s, self._next_s - start_s)
        with self._meter.part("pack"):
            body = self._packer.pack(frame)
        self._frames.append(_Waiting(frame, start_s, length_s, body))

    def _take_sound(self, sound: AudioSamples) -> None:
        raw_s = None if sound.pts is None else ticks_to_s(sound.pts, sound.time_base)
        count = sound.samples.shape[1]
        start_s, _ = self._timeline.place(sound.track.index, "audio", raw_s, count / sound.sample_rate)
        known = self._sounds.get(sound.track.index)
        if known is None:
            known = _Sound(sound.track, start_s, sound.sample_rate, sound.channels)
            self._sounds[sound.track.index] = known
        elif (sound.sample_rate, sound.channels) != (known.rate, known.channels):
            raise ValueError(f"the sound of track {sound.track.index} changes its format at {start_s:.3f} s")
        if abs(known.start_s + known.end / known.rate - start_s) > _LATE_S:
            raise ValueError(f"the sound of track {sound.track.index} has a gap at {start_s:.3f} s")
        known.samples.append(sound.samples)
        known.end += count

    def _store_chunk(self, until_s: float) -> Chunk:
        edge_s = math.inf if self._ended else until_s - _EDGE_S
        frames = [one for one in self._frames if one.start_s < edge_s]
        self._frames = self._frames[len(frames) :]
        with self._meter.part("pack"):
            sounds = [cut for sound in self._sounds.values() if (cut := self._cut(sound))]
        bodies = [one.body for one in frames] + [body for _, body in sounds]
        base = f"{self._prefix}/{self._number:06d}"
        names = [f"{base}/{i:04d}.{self._settings.encoding}" for i in range(len(frames))]
        names += [f"{base}/{stored.track}.f32" for stored, _ in sounds]
        if self._settings.bundled:
            parts, bodies = _bundle(f"{base}/chunk", bodies)
            names = [f"{base}/chunk"] if bodies else []
        else:
            parts = [StoredPart(name, 0, len(body)) for name, body in zip(names, bodies, strict=True)]
        with self._meter.part("store"):
            self._store.put(list(zip(names, bodies, strict=True)))
        return Chunk(
            number=self._number,
            until_s=max(self._frame_until_s, self._timeline.until_s) if self._ended else until_s,
            frames=tuple(self._stored(one, part) for one, part in zip(frames, parts[: len(frames)], strict=True)),
            sounds=tuple(
                StoredSound(part, stored.track, stored.start_s, stored.sample_rate, stored.channels)
                for (stored, _), part in zip(sounds, parts[len(frames) :], strict=True)
            ),
            last=self._ended,
        )

    def _stored(self, one: _Waiting, part: StoredPart) -> StoredFrame:
        form, chroma = one.frame.format, one.frame.chroma
        return StoredFrame(
            part=part,
            encoding=self._settings.encoding,
            start_s=one.start_s,
            duration_s=one.duration_s,
            width=form.width,
            height=form.height,
            chroma_size=(chroma[0].width, chroma[0].height) if chroma else (0, 0),
            bit_depth=form.bit_depth,
            shift=form.shift,
            color_range=form.color_range,
            sample_aspect_ratio=form.sample_aspect_ratio.as_integer_ratio(),
            is_key=one.frame.is_key,
            is_corrupt=one.frame.is_corrupt,
        )

    def _cut(self, sound: _Sound) -> tuple[StoredSound, bytes] | None:
        """A track's samples of this chunk: as many as the chunk is long, the rest with the last one.

        Counted from the track's own start, so that hops of 10 ms fall where they fall in one process.
        """
        whole = round((self._number + 1) * self._settings.chunk_s * sound.rate)
        count = (sound.end if self._ended else min(whole, sound.end)) - sound.first
        if count <= 0:
            return None
        samples = np.concatenate(sound.samples, axis=1)
        stored = StoredSound(
            part=StoredPart("", 0, 0),
            track=sound.track.index,
            start_s=sound.start_s + sound.first / sound.rate,
            sample_rate=sound.rate,
            channels=sound.channels,
        )
        sound.samples, sound.first = [samples[:, count:]], sound.first + count
        return stored, np.ascontiguousarray(samples[:, :count], np.float32).tobytes()


def _bundle(key: str, bodies: list[bytes]) -> tuple[list[StoredPart], list[bytes]]:
    """All bodies as one object."""
    parts, offset = [], 0
    for body in bodies:
        parts.append(StoredPart(key, offset, len(body)))
        offset += len(body)
    return parts, [b"".join(bodies)] if bodies else []
