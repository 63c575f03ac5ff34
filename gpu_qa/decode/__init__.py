"""Decode: packets become pictures and sound.

Two back ends keep one contract: libavcodec through PyAV on the CPU (`pyav`, and `audio` for sound), and NVDEC through
PyNvVideoCodec (`nvdec`), whose pictures stay in device memory. Neither starts threads that the caller sees: a decoder
belongs to one thread at a time and releases the GIL while it works.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from gpu_qa.errors import DecodeError, DeviceError

if TYPE_CHECKING:
    from gpu_qa.media import Decoded, Packet, Track

__all__ = ["DecodeSettings", "Decoder", "open_decoder"]


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """Where and how pictures are decoded. Sound always decodes on the CPU."""

    device: Literal["auto", "cuda", "cpu"] = "auto"
    """`cuda` is NVDEC or an error, `cpu` is libavcodec, `auto` is NVDEC where it can decode the track and libavcodec
    where it cannot (`Decoder.reason` then says why)."""
    gpu: int = 0
    """Number of the card, as CUDA counts them."""
    threads: int = 0
    """Threads per decoder on the CPU; 0 is one per core and one more, libavcodec's own choice."""
    pool_frames: int = 48
    """Pictures of device memory per decoder: the reordering depth (up to 16) and those the caller holds at once."""

    def __post_init__(self) -> None:
        if self.device not in ("auto", "cuda", "cpu"):
            raise ValueError("device must be auto, cuda or cpu")
        if self.gpu < 0:
            raise ValueError("gpu must be 0 or more")
        if not 0 <= self.threads <= 64:
            raise ValueError("threads must be 0 to 64")
        if self.pool_frames < 20:
            raise ValueError("pool_frames must be 20 or more: a decoder may hand out 16 pictures at once")


class Decoder(Protocol):
    """Decodes one track."""

    @property
    def name(self) -> str:
        """Back end and codec, such as `pyav h264`."""

    @property
    def reason(self) -> str:
        """Why it is not the back end that `auto` prefers; empty where it is, or where it was asked for."""

    def decode(self, packet: Packet) -> Decoded:
        """Feed a packet and take what it completed, which may be of earlier packets. A packet without `native` drains.

        Damage never raises: it becomes notes of kind `decode_error`, with the packet's pts, and flags on the frames.

        Raises:
            DeviceError: More pictures are held than the device's pool has room for.
        """

    def drain(self) -> Decoded:
        """Take all that is still inside. Afterwards the decoder stands as after `reset()`."""

    def reset(self) -> None:
        """Forget the past, after a cut in the input: pictures inside are dropped, the next key frame starts anew."""

    def close(self) -> None:
        """Give back what it holds; frames handed out stay valid. Further calls of `close()` do nothing."""


def open_decoder(track: Track, settings: DecodeSettings = DecodeSettings()) -> Decoder:
    """Open a decoder for a track.

    Args:
        track: A track of an open source; its `native` stream is opened, so there can be one decoder per track.
        settings: Where and how.

    Raises:
        DecodeError: Nothing here decodes this track: unknown codec, or parameters missing.
        DeviceError: `settings.device` is `cuda`, and no card can be used or none decodes this track.
    """
    if track.native is None or getattr(track.native, "codec_context", None) is None:
        raise DecodeError(f"no decoder for track {track.index}: codec {track.codec} is not known to libavcodec")
    if track.kind == "audio":
        from gpu_qa.decode.audio import AudioDecoder

        return AudioDecoder(track)
    reason = ""
    if settings.device != "cpu":
        from gpu_qa.decode.nvdec import open_nvdec

        try:
            return open_nvdec(track, settings)
        except DeviceError as error:
            if settings.device == "cuda":
                raise
            reason = str(error)
    from gpu_qa.decode.pyav import PyavDecoder

    return PyavDecoder(track, threads=settings.threads, reason=reason)
