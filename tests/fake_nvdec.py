"""A stand-in for PyNvVideoCodec 2.2.4 that decodes on the CPU: its names, its signatures and its bad habits.

The next `Decode()` writes over the pictures of the one before; a deleted decoder takes its memory along; a smaller size
is silently scaled to the first one, a larger one fails with error 801; only Annex B gives pictures; damage is flagged
nowhere; the CUDA array interface and the later planes' addresses lie; packets without a time get one made up. Memory
and sessions end: making a decoder then fails, and so may one that runs.
"""
# ruff: noqa: N802, N815, N816, N818 - the names are the real library's

from __future__ import annotations

import ctypes
import enum
import itertools
import weakref
from collections import deque
from typing import Any, ClassVar

import av
import numpy as np
import torch

POISON = 0xEE
"""What the memory of a deleted decoder is filled with."""

cudaVideoCodec = enum.IntEnum(
    "cudaVideoCodec", {"MPEG1": 0, "MPEG2": 1, "H264": 4, "HEVC": 8, "VP8": 9, "VP9": 10, "AV1": 11}
)
cudaVideoChromaFormat = enum.IntEnum("cudaVideoChromaFormat", {"Monochrome": 0, "420": 1, "422": 2, "444": 3})
Pixel_Format = enum.IntEnum("Pixel_Format", {"NV12": 3, "YUV444": 4, "P016": 5, "YUV444_16Bit": 6})
OutputColorType = enum.IntEnum("OutputColorType", {"NATIVE": 0, "RGB": 1, "RGBP": 2})
DisplayDecodeLatencyType = enum.IntEnum("DisplayDecodeLatencyType", {"NATIVE": 0, "LOW": 1, "ZERO": 2})

_DECODERS = {
    cudaVideoCodec.MPEG1: "mpeg1video",
    cudaVideoCodec.MPEG2: "mpeg2video",
    cudaVideoCodec.H264: "h264",
    cudaVideoCodec.HEVC: "hevc",
    cudaVideoCodec.VP8: "vp8",
    cudaVideoCodec.VP9: "vp9",
    cudaVideoCodec.AV1: "libdav1d",
}


class PyNvVCException(Exception):
    pass


class PyNvVCExceptionUnsupported(Exception):
    pass


class PacketData:
    def __init__(self) -> None:
        self.bsl_data = 0
        self.bsl = 0
        self.pts = 0
        self.dts = 0
        self.key = 0
        self.duration = 0
        self.decode_flag = 0


class CAIMemoryView:
    def __init__(self, address: int, shape: tuple[int, ...]) -> None:
        self.dataptr = address
        # Strides of 16-bit pictures are told in elements instead of bytes, and the stream is not the decoder's.
        self.__cuda_array_interface__ = {
            "version": 3,
            "shape": shape,
            "strides": (shape[1], 1, 1),
            "typestr": "|u1",
            "stream": 2,
            "data": (address, False),
        }


class DecodedFrame:
    """A picture in the decoder's memory; `memory` is 2-D, luma above chroma."""

    def __init__(self, memory: np.ndarray, pts: int, pixel_format: Any) -> None:
        self._memory = memory
        self.timestamp: int = pts
        self.format = pixel_format
        self.shape = memory.shape
        self.strides = (memory.shape[1], 1)
        self.decoder_stream_event = 0

    def getPTS(self) -> int:
        return self.timestamp

    def GetPtrToPlane(self, plane: int) -> int:
        # As if every picture were of 8 bits and even height.
        rows, columns = self._memory.shape
        return int(self._memory.ctypes.data + (rows * 2 // 3) * columns * plane)

    def framesize(self) -> int:
        return int(self._memory.nbytes)

    def cuda(self) -> list[CAIMemoryView]:
        return [CAIMemoryView(self.GetPtrToPlane(0), (*self._memory.shape, 1))]

    def __dlpack__(self, stream: object = 0) -> Any:
        return torch.from_numpy(self._memory).__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


class PyNvDecoder:
    def __init__(self, codec: Any, options: dict[str, Any]) -> None:
        self.options = options
        self._codec = codec
        self._context: Any = av.CodecContext.create(_DECODERS[codec], "r")
        self._context.thread_count = 1
        self._context.flags |= 1 << 3  # AV_CODEC_FLAG_OUTPUT_CORRUPT: what is damaged comes out like the rest
        self._size: tuple[int, int] | None = None
        self._surfaces: list[np.ndarray] = []
        self._native: Any = Pixel_Format.NV12
        self._fails_at = options.get("fails_at", -1)
        weakref.finalize(self, _poison, self._surfaces)

    def Decode(self, packet: PacketData) -> list[DecodedFrame]:
        if self._fails_at == 0:
            raise PyNvVCException("cuvidDecodePicture returned error 719: unspecified launch failure")
        self._fails_at -= 1
        # What was begun on the decoder's stream comes before what it does now.
        stream = HostStream.known.get(self.options.get("cudastream", 0))
        if stream is not None:
            stream.run()
        pictures: list[Any] = []
        data = ctypes.string_at(packet.bsl_data, packet.bsl) if packet.bsl else b""
        annex_b = data[:4] == b"\0\0\0\1" or data[:3] == b"\0\0\1"
        if data and not annex_b and self._codec in (cudaVideoCodec.H264, cudaVideoCodec.HEVC):
            return []
        try:
            if data:
                native = av.Packet(data)
                native.pts = native.dts = packet.pts
                pictures = self._context.decode(native)
            else:
                pictures = self._context.decode(None)
                self._context.flush_buffers()
        except av.FFmpegError:
            pictures = []
        return [self._shown(number, picture) for number, picture in enumerate(pictures)]

    def _shown(self, number: int, picture: Any) -> DecodedFrame:
        if self._size is None:
            self._size = (picture.width, picture.height)
        width, height = self._size
        if picture.width > width or picture.height > height:
            raise PyNvVCException("m_api.cuvidCreateDecoder(...) returned error 801 at NvDecoder.cpp:482")
        wide = picture.format.components[0].bits > 8
        full = "444" in picture.format.name
        depth = picture.format.components[0].bits
        planar = picture.reformat(
            width=width,
            height=height,
            format=("yuv444p" if full else "yuv420p") + (f"{depth}le" if wide else ""),
            src_color_range="MPEG",
            dst_color_range="MPEG",
        )
        planes = [_samples(plane, wide) for plane in planar.planes]
        if wide:
            planes = [plane << (16 - depth) for plane in planes]
        if full:
            self._native = Pixel_Format.YUV444_16Bit if wide else Pixel_Format.YUV444
            memory = np.concatenate(planes)
        else:
            self._native = Pixel_Format.P016 if wide else Pixel_Format.NV12
            luma, cb, cr = planes
            pitch = width + width % 2
            memory = np.zeros((height + cb.shape[0], pitch), luma.dtype)
            memory[:height, :width] = luma
            memory[height:, 0 : 2 * cb.shape[1] : 2] = cb
            memory[height:, 1 : 2 * cr.shape[1] : 2] = cr
        if number >= len(self._surfaces):
            self._surfaces.append(np.zeros_like(memory))
        # In place: whoever still looks at an earlier picture sees this one.
        self._surfaces[number][...] = memory
        # A packet without a time gets one that fits the one before, in the parser's own unit.
        pts = picture.pts if picture.pts is not None else 333_333
        return DecodedFrame(self._surfaces[number], pts, self._native)

    def GetWidth(self) -> int:
        return int(self._surfaces[0].shape[1])

    def GetHeight(self) -> int:
        return self._size[1] if self._size else 0

    def GetFrameSize(self) -> int:
        return int(self._surfaces[0].nbytes)

    def GetPixelFormat(self) -> Any:
        return self._native


def _samples(plane: Any, wide: bool) -> np.ndarray:
    dtype = np.uint16 if wide else np.uint8
    rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)
    return rows[:, : plane.width].copy()


def _poison(surfaces: list[np.ndarray]) -> None:
    for surface in surfaces:
        surface.fill(POISON)


class Driver:
    """The module: one per test, so that what it was asked can be looked at."""

    cudaVideoCodec = cudaVideoCodec
    cudaVideoChromaFormat = cudaVideoChromaFormat
    Pixel_Format = Pixel_Format
    OutputColorType = OutputColorType
    DisplayDecodeLatencyType = DisplayDecodeLatencyType
    PacketData = PacketData
    PyNvVCException = PyNvVCException

    def __init__(self, *, sessions: int = 1000, memory: int = 1000, fails_at: int = -1, **capabilities: int) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.created: list[dict[str, Any]] = []
        self.sessions = sessions
        """Decoders at a time; one more fails as above the limit of the driver."""
        self.memory = memory
        """Decoders at a time that fit the card's memory."""
        self.fails_at = fails_at
        """Packet at which the next decoder made dies; never if negative."""
        self._alive: weakref.WeakSet[PyNvDecoder] = weakref.WeakSet()
        self._capabilities = {
            "supported": 1,
            "num_decoder_engines": 1,
            "width_min": 16,
            "height_min": 16,
            "width_max": 4096,
            "height_max": 4096,
            "mb_num_max": 65536,
        } | capabilities

    def GetDecoderCaps(
        self,
        gpuid: int = 0,
        codec: Any = cudaVideoCodec.H264,
        chromaformat: Any = cudaVideoChromaFormat["420"],
        bitdepth: int = 8,
    ) -> dict[str, int]:
        self.asked.append((gpuid, codec, chromaformat, bitdepth))
        return dict(self._capabilities)

    def CreateDecoder(
        self,
        gpuid: int = 0,
        codec: Any = cudaVideoCodec.H264,
        cudacontext: int = 0,
        cudastream: int = 0,
        usedevicememory: bool = False,
        maxwidth: int = 0,
        maxheight: int = 0,
        outputColorType: Any = OutputColorType.NATIVE,
        enableSEIMessage: bool = False,
        bWaitForSessionWarmUp: bool = False,
        latency: Any = DisplayDecodeLatencyType.NATIVE,
        enableDecodeStats: bool = False,
    ) -> PyNvDecoder:
        if cudastream == 0:
            raise AssertionError("on the NULL stream every picture waits for all other streams")
        if not usedevicememory:
            raise AssertionError("pictures would come out in host memory")
        if latency != DisplayDecodeLatencyType.NATIVE:
            raise AssertionError("pictures would lose their times")
        if self.running >= self.sessions:
            raise PyNvVCException("m_api.cuvidCreateDecoder(...) returned error 999 at NvDecoder.cpp:482")
        if self.running >= self.memory:
            raise PyNvVCException("m_api.cuvidCreateDecoder(...) returned error 2 at NvDecoder.cpp:482")
        self.created.append({"gpuid": gpuid, "codec": codec, "cudastream": cudastream, "fails_at": self.fails_at})
        self.fails_at = -1
        decoder = PyNvDecoder(codec, self.created[-1])
        self._alive.add(decoder)
        return decoder

    @property
    def running(self) -> int:
        """Decoders that have been made and not been deleted."""
        return len(self._alive)


class HostEvent:
    """The event behind a stream's copies."""

    def __init__(self, stream: HostStream) -> None:
        self._stream = stream

    def synchronize(self) -> None:
        self._stream.run()


class HostStream:
    """A stream whose work is done late: when somebody waits for it, or does more work on the same stream."""

    _addresses = itertools.count(0x5EED0, 16)
    known: ClassVar[weakref.WeakValueDictionary[int, HostStream]] = weakref.WeakValueDictionary()
    """By address, as the library gets to know them."""

    def __init__(self, *, lazy: bool) -> None:
        self.address = next(self._addresses)
        self.known[self.address] = self
        self.waits = 0
        self.copies = 0
        self._lazy = lazy
        self._work: deque[tuple[int, int, int]] = deque()
        self._event = HostEvent(self)

    def copy(self, pieces: Any, size: int) -> HostEvent:
        self.copies += len(pieces)
        self._work += [(source, target, size) for source, target in pieces]
        if not self._lazy:
            self.run()
        return self._event

    def run(self) -> None:
        while self._work:
            source, target, size = self._work.popleft()
            ctypes.memmove(target, source, size)

    def synchronize(self) -> None:
        self.waits += 1
        self.run()


class HostCard:
    """Host memory in the place of a card's; `room` bytes of it, of which a decoder takes `per_decoder`."""

    _numbers = itertools.count(1000)

    def __init__(
        self, *, room: int = 4 << 30, name: str = "NVIDIA Stand-in", lazy: bool = False, per_decoder: int = 0
    ) -> None:
        self.number = next(self._numbers)
        self.name = name
        self.title = f"card {self.number} ({name})"
        self.room = room
        self.per_decoder = per_decoder
        self.streams: list[HostStream] = []
        self.driver: Driver | None = None
        """Whose decoders take memory of this card."""
        self._lazy = lazy
        self._taken = 0

    def memory(self, size: int) -> Any:
        self._taken += size
        return torch.empty(size, dtype=torch.uint8)

    def free_bytes(self) -> int:
        running = self.driver.running if self.driver is not None else 0
        return self.room - self._taken - running * self.per_decoder

    def stream(self) -> HostStream:
        self.streams.append(HostStream(lazy=self._lazy))
        return self.streams[-1]
