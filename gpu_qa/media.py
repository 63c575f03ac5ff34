"""What moves between demuxing and measuring: packets, pictures, sound, and notes on what went wrong on the way.

Times here are integers in ticks of a `time_base`; they become seconds on the stream's own clock in `gpu_qa.features`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

TrackKind = Literal["video", "audio"]
ColorRange = Literal["limited", "full"]
Transfer = Literal["sdr", "pq", "hlg"]
NoteKind = Literal["gap", "discontinuity", "decode_error", "transport_error", "format_change", "stalled", "overload"]


@dataclass(frozen=True, slots=True)
class Track:
    """One elementary stream that is analyzed."""

    index: int
    """Number of the elementary stream in its container."""
    kind: TrackKind
    codec: str
    """libavcodec's name of the codec, such as `h264`."""
    time_base: Fraction
    """Seconds per tick."""
    language: str | None = None
    """ISO 639 code where the container states one."""
    duration_s: float | None = None
    """As the container states it; null for live inputs. Not to be trusted."""
    bit_rate: int | None = None
    """Bits per second as stated."""
    # Video
    width: int | None = None
    height: int | None = None
    frame_rate: Fraction | None = None
    """Frames per second as stated; the measured rate is in the report's measurements."""
    pixel_format: str | None = None
    # Audio
    sample_rate: int | None = None
    """Hz."""
    channels: tuple[str, ...] = ()
    """Channel names in order, such as ("FL", "FR")."""
    channels_assumed: bool = False
    """The container counts its channels and does not name them; `channels` are those of the usual layout of so many."""
    native: Any = field(default=None, repr=False, compare=False)
    """The demuxer's own handle (an `av.stream.Stream`), which decoders are made from."""


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """What the container says of itself."""

    container: str
    """libavformat's name of the format, such as `mpegts`."""
    live: bool
    """True where the input has no end known ahead: its clock is the wall clock."""
    duration_s: float | None
    """As stated."""
    tracks: tuple[Track, ...]
    """The tracks that are analyzed: at most one of video, any number of audio."""
    ignored: tuple[str, ...] = ()
    """Other streams, one line each with the reason: subtitles, data, attached pictures, unselected tracks."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that went wrong, or changed, on the way from the source to a frame."""

    kind: NoteKind
    track: TrackKind
    pts: int | None
    """Ticks of `time_base` where it was seen; null where no time is known (then: now)."""
    time_base: Fraction
    message: str
    """One line a person understands."""
    details: dict[str, Any] = field(default_factory=dict)
    """JSON values, such as the old and the new size."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A demuxed packet of one of the analyzed tracks."""

    track: Track
    native: Any
    """The `av.Packet`; null marks the end of the track (the decoder is to be drained)."""
    notes: tuple[Note, ...] = ()
    """What the demuxer noticed on the way to this packet."""
    lead_s: float | None = None
    """Of sound: its presentation time less the decoding time of the picture's packet that came last before it, seconds;
    null where either is not known."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One component of a picture in memory, read as `data[offset + y * pitch + x * step] >> shift`."""

    data: np.ndarray | Any
    """1-D uint8 or uint16: a NumPy array on the host, a torch tensor on a device."""
    offset: int
    """Elements before the first sample."""
    pitch: int
    """Elements from a sample to the one below."""
    step: int
    """Elements from a sample to the one on its right: 1 planar, 2 interleaved chroma (NV12, P010)."""
    width: int
    """Samples."""
    height: int
    """Samples."""


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """How the samples of a picture are to be read."""

    width: int
    """Luma samples."""
    height: int
    """Luma samples."""
    bit_depth: int
    """Significant bits of a sample, 8 to 16."""
    shift: int
    """Insignificant low bits below them in memory (6 for P010)."""
    color_range: ColorRange
    pixel_format: str
    """The decoder's own name, such as `yuv420p10le`; what the planes hold may be a conversion of it."""
    color_space: str | None = None
    """Matrix coefficients such as `bt709`; null where the stream does not say."""
    sample_aspect_ratio: Fraction = Fraction(1)
    """Width of a sample over its height."""
    interlaced: bool = False
    """Its lines are two fields of different times, woven: interlaced pictures have been seen at this size."""
    transfer: Transfer = "sdr"
    """How code values become light: `pq` and `hlg` as in ITU-R BT.2100-2, `sdr` all else (ITU-R BT.1886)."""
    top_field_first: bool | None = None
    """Which field the stream says is shown first; null where the pictures are not interlaced or it does not say."""


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """A decoded picture. Its memory stays valid and unchanged while the object lives."""

    pts: int | None
    """Presentation time in ticks of `time_base`."""
    duration: int
    """Ticks; 0 where unknown."""
    time_base: Fraction
    format: VideoFormat
    luma: Plane
    chroma: tuple[Plane, Plane] | None
    """Cb and Cr, of any subsampling; null for a grey picture."""
    is_corrupt: bool = False
    """The decoder says that it concealed damage in it."""
    is_key: bool = False
    owner: Any = field(default=None, repr=False, compare=False)
    """Keeps the planes' memory alive."""
    ready: Any = field(default=None, repr=False, compare=False)
    """The event on a device after which the planes are complete (a `torch.cuda.Event`); null where they are already."""


@dataclass(frozen=True, slots=True)
class AudioSamples:
    """A run of decoded sound of one track."""

    track: Track
    pts: int | None
    """Presentation time of the first sample in ticks of `time_base`."""
    time_base: Fraction
    sample_rate: int
    """Hz."""
    channels: tuple[str, ...]
    """Channel names in order."""
    samples: np.ndarray
    """float32 [C, N], full scale ±1."""
    lead_s: float | None = None
    """That of its packet, as in `Packet`."""

    @property
    def count(self) -> int:
        """Samples of a channel."""
        return int(self.samples.shape[1])


@dataclass(frozen=True, slots=True)
class SkippedFrame:
    """When a picture was shown that is not measured, because pictures came faster than they could be."""

    pts: int | None
    """Ticks of `time_base`."""
    duration: int
    """Ticks; 0 where unknown."""
    time_base: Fraction


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one call of a decoder gave: any of these may be empty."""

    frames: tuple[VideoFrame, ...] = ()
    sound: tuple[AudioSamples, ...] = ()
    notes: tuple[Note, ...] = ()
