"""Decode: packets become pictures and sound.

Two back ends keep one contract: libavcodec through PyAV on the CPU (`pyav`, and `audio` for sound), and NVDEC through
PyNvVideoCodec (`nvdec`), whose pictures stay in device memory. Neither starts threads that the caller sees: a decoder
belongs to one thread at a time and releases the GIL while it works.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from gpu_qa.errors import AdmissionError, DecodeError, DeviceError

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
    pool_frames: int = 0
    """Pictures of device memory that are reserved per decoder; 0 chooses by the codec, 12 and more. Up to 16 further
    ones are lent for a moment where there is room."""
    slab_mib: int = 0
    """MiB of a card's memory that are set aside for the pictures of all streams; 0 plans by the card's free memory and
    by how many streams its NVDEC decodes."""
    planned_streams: int = 0
    """Streams that a card's memory is planned for; 0 plans for as many as it decodes."""
    max_sessions: int = 200
    """Decoders at a time on a card; for more NVIDIA asks for settings of its kernel module."""
    max_load: float = 0.95
    """Share of what a card's NVDEC is published to decode that its streams may take together, each at its own pictures
    per second; a card that is not in the table of rates is not limited."""

    def __post_init__(self) -> None:
        if self.device not in ("auto", "cuda", "cpu"):
            raise ValueError("device must be auto, cuda or cpu")
        if self.gpu < 0:
            raise ValueError("gpu must be 0 or more")
        if not 0 <= self.threads <= 64:
            raise ValueError("threads must be 0 to 64")
        if self.pool_frames and not 4 <= self.pool_frames <= 1024:
            raise ValueError("pool_frames must be 0, or 4 to 1024")
        if self.slab_mib < 0 or self.planned_streams < 0:
            raise ValueError("slab_mib and planned_streams must be 0 or more")
        if self.max_sessions < 1:
            raise ValueError("max_sessions must be 1 or more")
        if not 0 < self.max_load <= 10:
            raise ValueError("max_load must be more than 0 and at most 10")


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
            DeviceError: More pictures are held, for seconds, than the device's pool has room for.
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
        AdmissionError: `settings.device` is `cuda`, and the card has no room for another stream.
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
        except (DeviceError, AdmissionError) as error:
            if settings.device == "cuda":
                raise
            reason = str(error)
    from gpu_qa.decode.pyav import PyavDecoder

    return PyavDecoder(track, threads=settings.threads, reason=reason)
