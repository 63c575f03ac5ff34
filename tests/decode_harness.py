"""What decoder tests share: tracks of clips, both back ends, and planes as arrays."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from gpu_qa.decode import DecodeSettings
from gpu_qa.decode.nvdec import NvdecDecoder
from gpu_qa.decode.pyav import PyavDecoder
from gpu_qa.media import Decoded, Packet, Track
from tests.fake_nvdec import Driver, HostCard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gpu_qa.media import Note, Plane, VideoFrame

BACK_ENDS = ("pyav", "nvdec")


@contextmanager
def opened(path: Path, kind: str = "video") -> Iterator[tuple[Track, list[Any]]]:
    """A clip's first track of a kind, and its packets."""
    with av.open(str(path)) as container:
        stream: Any = next(one for one in container.streams if one.type == kind)
        track = Track(
            index=stream.index,
            kind=stream.type,
            codec=stream.codec_context.name,
            time_base=stream.time_base,
            native=stream,
        )
        yield track, [native for native in container.demux(stream) if native.size]


def open_back_end(
    name: str, track: Track, *, threads: int = 1, driver: Driver | None = None, pool_frames: int = 100
) -> PyavDecoder | NvdecDecoder:
    """A decoder of either back end; NVDEC runs over the fake."""
    if name == "pyav":
        return PyavDecoder(track, threads=threads)
    # A slab for what the test holds; one that is planned would be a gigabyte and more.
    settings = DecodeSettings(pool_frames=pool_frames, slab_mib=64)
    return NvdecDecoder(track, settings, driver or Driver(), HostCard())


def decode_all(decoder: Any, track: Track, natives: Iterable[Any]) -> Decoded:
    """All that comes of these packets and of draining."""
    parts = [decoder.decode(Packet(track, native)) for native in natives]
    return merged([*parts, decoder.drain()])


def merged(parts: Iterable[Decoded]) -> Decoded:
    """Several results in one."""
    parts = list(parts)
    return Decoded(
        tuple(frame for part in parts for frame in part.frames),
        tuple(sound for part in parts for sound in part.sound),
        tuple(note for part in parts for note in part.notes),
    )


def array(plane: Plane) -> np.ndarray:
    """A plane's samples [H, W], read as its definition says."""
    data = plane.data if isinstance(plane.data, np.ndarray) else plane.data.numpy()
    rows = plane.offset + plane.pitch * np.arange(plane.height)[:, None]
    return np.asarray(data[rows + plane.step * np.arange(plane.width)])


def planes(frame: VideoFrame) -> list[np.ndarray]:
    """Code values of luma and chroma, without insignificant bits."""
    every = [frame.luma, *(frame.chroma or ())]
    return [array(plane) >> frame.format.shift for plane in every]


def reference(path: Path) -> list[tuple[int | None, list[np.ndarray]]]:
    """Timestamp and planes of every picture, as PyAV alone decodes them."""
    with av.open(str(path)) as container:
        found = []
        for frame in container.decode(video=0):
            wide = frame.format.components[0].bits > 8
            memory: Any = frame.planes
            rows = [np.frombuffer(plane, "<u2" if wide else "u1").reshape(plane.height, -1) for plane in memory]
            cut = [row[:, : plane.width].copy() for row, plane in zip(rows, frame.planes, strict=True)]
            found.append((frame.pts, cut))
        return found


def same_pictures(frames: Iterable[VideoFrame], expected: Iterable[tuple[int | None, list[np.ndarray]]]) -> None:
    """Assert the same timestamps and the same samples, one by one."""
    frames, expected = list(frames), list(expected)
    assert [frame.pts for frame in frames] == [pts for pts, _ in expected]
    for frame, (_, want) in zip(frames, expected, strict=True):
        for got, plane in zip(planes(frame), want, strict=True):
            np.testing.assert_array_equal(got, plane)


def damaged(native: Any, data: bytes, *, marked: bool = False) -> Any:
    """The packet with other content."""
    packet = av.Packet(data)
    packet.pts, packet.dts, packet.time_base = native.pts, native.dts, native.time_base
    packet.duration, packet.is_keyframe = native.duration, native.is_keyframe
    packet.is_corrupt = marked
    return packet


def zeroed(native: Any) -> bytes:
    """The packet's content with a hole in its second half."""
    data = bytearray(bytes(native))
    half = len(data) // 2
    length = max(8, len(data) // 8)
    data[half : half + length] = bytes(length)
    return bytes(data[: len(bytes(native))])


def of_kind(notes: Iterable[Note], kind: str) -> list[Note]:
    """The notes of one kind."""
    return [note for note in notes if note.kind == kind]
