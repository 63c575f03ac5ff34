"""Frames as bytes and back: JPEG, or the samples as they are."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.media import Plane, VideoFormat, VideoFrame

if TYPE_CHECKING:
    from benchmarks.object_store.payload import FrameFormat, StoredFrame

TIME_BASE = Fraction(1, 1_000_000)
"""In which frames that come out of the store have their times."""


class Packer:
    """Frames → bytes.

    Args:
        encoding: `jpeg` is lossy, small and what a store of pictures would hold; `raw` loses nothing.
        quality: libavcodec's quantiser scale of JPEG, 2 (best) to 31.
    """

    def __init__(self, encoding: FrameFormat, quality: int) -> None:
        self._encoding = encoding
        self._quality = quality
        self._encoder: Any = None
        self._size = (0, 0)

    def pack(self, frame: VideoFrame) -> bytes:
        """The frame's bytes.

        Raises:
            ValueError: JPEG is asked for, and the frame is not 8-bit 4:2:0.
        """
        planes = (frame.luma, *(frame.chroma or ()))
        if self._encoding == "raw":
            return b"".join(_samples(plane).tobytes() for plane in planes)
        return self._jpeg(frame, planes)

    def _jpeg(self, frame: VideoFrame, planes: tuple[Plane, ...]) -> bytes:
        import av

        form = frame.format
        halves = ((form.width + 1) // 2, (form.height + 1) // 2)
        if form.bit_depth != 8 or len(planes) != 3 or (planes[1].width, planes[1].height) != halves:
            raise ValueError(f"{form.pixel_format} is not 8-bit 4:2:0: store its frames as raw")
        if self._encoder is None or self._size != (form.width, form.height):
            self._encoder, self._size = self._opened(form), (form.width, form.height)
        picture = av.VideoFrame(form.width, form.height, "yuv420p")
        for plane, memory in zip(planes, picture.planes, strict=True):
            buffer: Any = memory
            rows = np.frombuffer(buffer, np.uint8).reshape(memory.height, memory.line_size)
            rows[:, : plane.width] = _samples(plane)
        (packet,) = self._encoder.encode(picture)
        return bytes(packet)

    def _opened(self, form: VideoFormat) -> Any:
        import av

        encoder: Any = av.CodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt = form.width, form.height, "yuv420p"
        encoder.time_base, encoder.thread_count = Fraction(1, 25), 1
        # Codes go in and come out as they are, limited range included: nothing is scaled on the way.
        encoder.options = {"strict": "unofficial", "qmin": str(self._quality), "qmax": str(self._quality)}
        encoder.color_range = 1
        return encoder


class Unpacker:
    """Bytes → frames."""

    def __init__(self) -> None:
        self._decoder: Any = None

    def unpack(self, body: bytes, stored: StoredFrame) -> VideoFrame:
        """The frame of these bytes.

        Raises:
            ValueError: They are not a picture of that size.
        """
        planes = self._decoded(body, stored) if stored.encoding == "jpeg" else _cut(body, stored)
        form = VideoFormat(
            width=stored.width,
            height=stored.height,
            bit_depth=stored.bit_depth,
            shift=stored.shift,
            color_range=stored.color_range,
            pixel_format=stored.encoding,
            sample_aspect_ratio=Fraction(*stored.sample_aspect_ratio),
        )
        return VideoFrame(
            pts=round(stored.start_s / TIME_BASE),
            duration=round(stored.duration_s / TIME_BASE),
            time_base=TIME_BASE,
            format=form,
            luma=planes[0],
            chroma=(planes[1], planes[2]) if len(planes) == 3 else None,
            is_corrupt=stored.is_corrupt,
            is_key=stored.is_key,
        )

    def _decoded(self, body: bytes, stored: StoredFrame) -> list[Plane]:
        import av

        if self._decoder is None:
            self._decoder = av.CodecContext.create("mjpeg", "r")
            self._decoder.thread_count = 1
        pictures = self._decoder.decode(av.Packet(body))
        if len(pictures) != 1 or (pictures[0].width, pictures[0].height) != (stored.width, stored.height):
            raise ValueError(f"{stored.part.key}: no picture of {stored.width}×{stored.height}")
        return [
            Plane(np.frombuffer(memory, np.uint8), 0, memory.line_size, 1, memory.width, memory.height)
            for memory in pictures[0].planes
        ]


def _samples(plane: Plane) -> np.ndarray:
    """A plane's samples as they lie in memory, [H, W]."""
    data: np.ndarray = plane.data
    size, steps = (plane.height, plane.width), (plane.pitch * data.itemsize, plane.step * data.itemsize)
    return np.lib.stride_tricks.as_strided(data[plane.offset :], size, steps, writeable=False)


def _cut(body: bytes, stored: StoredFrame) -> list[Plane]:
    dtype = np.uint8 if stored.bit_depth + stored.shift <= 8 else np.uint16
    data = np.frombuffer(body, dtype)
    sizes = [(stored.width, stored.height)]
    if stored.chroma_size != (0, 0):
        sizes += [stored.chroma_size] * 2
    if sum(width * height for width, height in sizes) != data.size:
        raise ValueError(f"{stored.part.key}: {data.size} samples are no picture of {stored.width}×{stored.height}")
    planes, offset = [], 0
    for width, height in sizes:
        planes.append(Plane(data, offset, width, 1, width, height))
        offset += width * height
    return planes
