"""Writes a clip: encodes pictures and sound, and lets packet faults at what comes out."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import av
import numpy as np
from av.video.frame import PictureType

from gpu_qa.errors import ConfigError, OutputError
from gpu_qa.inject.recoded import Shape
from gpu_qa.inject.woven import FieldMarker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from gpu_qa.inject.fault import CodingFault, PacketFault, Planting
    from gpu_qa.inject.picture import Picture
    from gpu_qa.inject.reader import ClipFacts, Sound

VideoCodec = Literal["h264", "hevc", "mpeg2video", "ffv1"]
AudioCodec = Literal["aac", "mp2", "ac3", "flac", "pcm"]

VIDEO_ENCODERS: Mapping[VideoCodec, str] = {
    "h264": "libx264",
    "hevc": "libx265",
    "mpeg2video": "mpeg2video",
    "ffv1": "ffv1",
}
AUDIO_ENCODERS: Mapping[AudioCodec, str] = {
    "aac": "aac",
    "mp2": "mp2",
    "ac3": "ac3",
    "flac": "flac",
    "pcm": "pcm_s16le",
}
INTERLACED: tuple[VideoCodec, ...] = ("h264", "mpeg2video", "ffv1")
"""Codecs whose encoders take woven pictures; x265 wants each field as a picture of its own."""
CONTAINERS: Mapping[str, str] = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".ts": "mpegts"}
"""Suffix of the output → libavformat's muxer."""
QUALITY: Mapping[VideoCodec, float] = {"h264": 20.0, "hevc": 22.0, "mpeg2video": 3.0, "ffv1": 0.0}
"""Default of `crf`: x264's and x265's rate factor, MPEG-2's quantiser scale."""
_THREADS = 4
"""Fixed, because x264's result depends on it: the same seed gives the same file on every machine."""
_CLOSED = {"sc_threshold": "1000000000"}
"""What libavcodec's MPEG-2 encoder asks for where groups of pictures are closed."""
_VIDEO_PID = 0x100
"""libavformat's first one."""
_MUXER = {"fflags": "+bitexact"}
"""No time of day and no random numbers."""
_MUXERS = {"mpegts": {"output_ts_offset": "100"}}
"""Broadcast timestamps do not begin near zero either, where a jump back would wrap around."""
_LAMBDA = 118
"""FF_QP2LAMBDA."""


def container_of(out: Path) -> str:
    """The container that a new clip's suffix names.

    Raises:
        ConfigError: It names none.
    """
    container = CONTAINERS.get(out.suffix.lower())
    if container is None:
        raise ConfigError(f"{out}: the suffix must be one of {', '.join(CONTAINERS)}")
    return container


@contextlib.contextmanager
def written_whole(out: Path) -> Iterator[Path]:
    """Where to write a new clip: a file beside `out`, which takes its name once all of it is there, or goes.

    Raises:
        OutputError: It cannot be written.
    """
    part = out.with_name(f".{out.name}.part")
    try:
        yield part
        part.replace(out)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror or error}") from None
    except av.FFmpegError as error:
        raise OutputError(f"{out}: cannot be written: {error}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Coding:
    """How the new clip is coded."""

    video_codec: VideoCodec = "h264"
    audio_codec: AudioCodec = "aac"
    crf: float | None = None
    """Null is `QUALITY`'s."""
    preset: str = "veryfast"
    """Of x264 and x265."""
    gop_s: float = 2.0
    """From key frame to key frame."""
    audio_bit_rate: int = 192_000
    """Bits per second, of lossy codecs."""

    @property
    def quality(self) -> float:
        """The rate factor or quantiser scale that is used."""
        return QUALITY[self.video_codec] if self.crf is None else self.crf


def pixel_formats(codec: VideoCodec) -> tuple[str, ...]:
    """What an encoder takes, of what pictures can be changed in: planar YUV.

    Raises:
        ConfigError: This libavcodec has no such encoder.
    """
    try:
        formats = av.Codec(VIDEO_ENCODERS[codec], "w").video_formats or []
    except (av.FFmpegError, ValueError):
        raise ConfigError(f"libavcodec has no encoder {VIDEO_ENCODERS[codec]} for {codec}") from None
    names = [form.name for form in formats]
    return tuple(name for name in names if name.startswith("yuv4") and name.endswith(("p", "9le", "10le", "12le")))


class ClipWriter:
    """Encodes and writes a clip.

    Args:
        path: Where; the container follows from `container`.
        container: libavformat's name of the muxer.
        facts: What the clip is.
        coding: How it is coded.
        coding_faults: What changes the size or shape in which pictures are coded.
        packet_faults: What is planted in coded packets.
        slices: Into how many slices pictures are coded; 0 leaves it to the encoder.
        top_field_first: Coded as interlaced, with this field first; null codes progressive pictures.
    """

    def __init__(
        self,
        path: Path,
        container: str,
        facts: ClipFacts,
        coding: Coding,
        *,
        coding_faults: Sequence[tuple[Planting, CodingFault]] = (),
        packet_faults: Sequence[tuple[Planting, PacketFault]] = (),
        slices: int = 0,
        top_field_first: bool | None = None,
        planted: Callable[[Planting, float, float], None],
    ) -> None:
        if top_field_first is not None and coding.video_codec not in INTERLACED:
            raise ConfigError(
                f"{coding.video_codec}: its encoder codes no interlaced pictures; use one of {', '.join(INTERLACED)}"
            )
        self._faults, self._coding_faults = packet_faults, coding_faults
        self._facts, self._coding, self._slices, self._top_field_first = facts, coding, slices, top_field_first
        self._marker = None if top_field_first is None else FieldMarker(top_first=top_field_first)
        self._planted = planted
        self._key_times = sorted({time for planting, _ in packet_faults for time in _key_times(planting)})
        self.key_pictures: dict[float, float] = {}
        """When a key frame was wanted and when it came, seconds."""
        self._time_base = facts.time_base
        try:
            self._out = av.open(str(path), "w", format=container, container_options=_MUXER | _MUXERS.get(container, {}))
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"{path.parent}: cannot be written to: {error.strerror}") from None
        try:
            self._video: Any = self._add_video() if facts.form else None
            self._audio: Any = self._add_audio(coding) if facts.sound else None
            for stream in (self._video, self._audio):
                if stream is not None:
                    stream.codec_context.open()
        except (av.FFmpegError, ValueError) as error:
            self.abandon()
            raise OutputError(f"the encoder refuses this clip: {error}") from None
        self._encoder: Any = self._video
        self._shape = self._own_shape()

    def _own_shape(self) -> Shape:
        """The clip's own size and shape of samples."""
        form = self._facts.form
        return Shape(form.width if form else 0, form.height if form else 0, self._facts.sample_aspect_ratio)

    def _add_video(self) -> Any:
        stream: Any = self._out.add_stream(
            VIDEO_ENCODERS[self._coding.video_codec],
            rate=self._facts.frame_rate,
            options=_encoder_options(self._coding, self._slices, self._top_field_first),
        )
        stream.id = _VIDEO_PID
        self._set_up(stream.codec_context, self._own_shape())
        return stream

    def _set_up(self, context: Any, shape: Shape) -> None:
        """Tell an encoder what the clip is."""
        facts, form, coding = self._facts, self._facts.form, self._coding
        assert form is not None  # noqa: S101 - the caller has looked
        context.width, context.height, context.pix_fmt = shape.width, shape.height, form.pixel_format
        if coding.video_codec == "mpeg2video":
            # MPEG-2 knows a handful of rates and no timestamps of its own.
            self._time_base = 1 / facts.frame_rate
        context.time_base = self._time_base
        context.gop_size = max(1, round(coding.gop_s * facts.frame_rate))
        context.thread_count = _THREADS
        context.sample_aspect_ratio = shape.sample_aspect_ratio
        _, primaries, transfer, matrix = facts.color
        context.color_range = 2 if form.full_range else 1
        context.color_primaries, context.color_trc, context.colorspace = primaries, transfer, matrix

    def _recoded(self, shape: Shape) -> Any:
        """Another encoder for what follows."""
        context: Any = av.CodecContext.create(VIDEO_ENCODERS[self._coding.video_codec], "w")
        # Without pictures before whose turn its first timestamps follow those of the encoder before it.
        context.options = _encoder_options(self._coding, self._slices, self._top_field_first, reordered=False)
        context.framerate = self._facts.frame_rate
        self._set_up(context, shape)
        try:
            context.open()
        except (av.FFmpegError, ValueError) as error:
            raise OutputError(f"the encoder refuses {shape.width} × {shape.height}: {error}") from None
        return context

    def _shaped(self, frame: av.VideoFrame, at_s: float) -> av.VideoFrame:
        """A picture in the size of its time, for which there is an encoder from here on."""
        shape = self._own_shape()
        for planting, fault in self._coding_faults:
            if planting.covers(at_s + 1e-6):
                shape = fault.take(shape)
        if shape != self._shape:
            self._mux(self._encoder.encode(None), "video")
            self._encoder, self._shape = self._recoded(shape), shape
        if (frame.width, frame.height) == (shape.width, shape.height):
            return frame
        pts, time_base = frame.pts, frame.time_base
        frame = frame.reformat(width=shape.width, height=shape.height, format=frame.format.name)
        frame.pts, frame.time_base = pts, time_base
        return frame

    def _add_audio(self, coding: Coding) -> Any:
        sound = self._facts.sound
        assert sound is not None  # noqa: S101 - the caller has looked
        stream: Any = self._out.add_stream(AUDIO_ENCODERS[coding.audio_codec], rate=sound.sample_rate)
        stream.layout = sound.layout
        if coding.audio_codec in ("aac", "mp2", "ac3"):
            stream.bit_rate = coding.audio_bit_rate
        return stream

    @property
    def video_pid(self) -> int:
        """Packet identifier of the picture in a transport stream; −1 without one."""
        return -1 if self._video is None else _VIDEO_PID

    @property
    def codecs(self) -> tuple[str | None, str | None]:
        """Names that libavcodec has for the picture's and the sound's codec."""
        return tuple(  # type: ignore[return-value]
            None if stream is None else str(stream.codec_context.codec.canonical_name)
            for stream in (self._video, self._audio)
        )

    def show(self, picture: Picture) -> None:
        """Encode a picture."""
        frame = picture.to_frame(self._facts.time_base)
        if self._coding_faults:
            frame = self._shaped(frame, picture.at_s)
        if self._marker is not None:
            frame = self._marker.marked(frame, self._facts.time_base)
        frame.pict_type = PictureType.NONE
        if self._key_times and picture.at_s >= self._key_times[0] - 1e-6:
            frame.pict_type = PictureType.I
            while self._key_times and picture.at_s >= self._key_times[0] - 1e-6:
                self.key_pictures[self._key_times.pop(0)] = picture.at_s
        if self._time_base != self._facts.time_base:
            frame.pts = round(picture.pts * self._facts.time_base / self._time_base)
            frame.time_base = self._time_base
        self._mux(self._encoder.encode(frame), "video")

    def play(self, sound: Sound) -> None:
        """Encode sound."""
        form = self._facts.sound
        if form is None or not sound.samples.shape[1]:
            return
        # Packed: PyAV reads past the end of the list of planes where there are eight or more.
        packed = np.ascontiguousarray(sound.samples.T, np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=form.layout)
        frame.sample_rate = form.sample_rate
        frame.time_base = Fraction(1, form.sample_rate)
        frame.pts = sound.first
        self._mux(self._audio.encode(frame), "audio")

    def finish(self) -> None:
        """Write what is still inside, and close the file."""
        for stream, name in ((self._encoder, "video"), (self._audio, "audio")):
            if stream is not None:
                self._mux(stream.encode(None), name)  # type: ignore[arg-type]
        self._out.close()

    def abandon(self) -> None:
        """Close the file as it is."""
        try:
            self._out.close()
        except (av.FFmpegError, ValueError):
            return

    def _mux(self, packets: Sequence[Any], track: Literal["video", "audio"]) -> None:
        for packet in packets:
            if track == "video":
                packet.stream = self._video
            kept = self._damaged(packet, track)
            if kept is not None:
                self._out.mux(kept)

    def _damaged(self, packet: Any, track: Literal["video", "audio"]) -> Any:
        if packet.pts is None:
            return packet
        at_s = float(packet.pts * packet.time_base)
        end_s = at_s + float((packet.duration or 0) * packet.time_base)
        for planting, fault in self._faults:
            if not planting.covers(at_s + 1e-6):
                continue
            before = bytes(packet)
            data = fault.take(before, track, bool(packet.is_keyframe))
            if data == before:
                continue
            self._planted(planting, at_s, end_s)
            if data is None:
                return None
            packet = _with_data(packet, data)
        return packet


def _with_data(packet: Any, data: bytes) -> Any:
    """A packet with other bytes."""
    new: Any = av.Packet(data)
    new.pts, new.dts, new.time_base, new.duration = packet.pts, packet.dts, packet.time_base, packet.duration
    new.is_keyframe = packet.is_keyframe
    new.stream = packet.stream
    return new


def _key_times(planting: Planting) -> tuple[float, ...]:
    """When key frames are needed, so that damage begins and ends where it is said to."""
    if planting.fault.cuts:
        return planting.start_s, planting.end_s
    return (planting.end_s,)


def _encoder_options(
    coding: Coding, slices: int, top_field_first: bool | None, *, reordered: bool = True
) -> dict[str, str]:
    """Options of the encoder; not `reordered`: pictures are coded in the order in which they are shown."""
    codec, quality = coding.video_codec, coding.quality
    # For containers; encoders read it from the pictures.
    fields = {} if top_field_first is None else {"field_order": "tt" if top_field_first else "bb"}
    if codec == "ffv1":
        return {"level": "3", "slices": "4"} | fields
    if codec == "mpeg2video":
        flags = "+qscale+cgop" + ("+ildct+ilme" if fields else "")
        return (
            {"flags": flags, "global_quality": str(round(quality * _LAMBDA)), "bf": "2" if reordered else "0"}
            | _CLOSED
            | fields
        )
    options = {"preset": coding.preset, "crf": f"{quality:g}", "forced-idr": "1"}
    if codec == "hevc":
        more = ["log-level=error", "pools=4", "frame-threads=2"] + ([f"slices={slices}"] if slices else [])
        more += [] if reordered else ["bframes=0"]
        return options | {"x265-params": ":".join(more)}
    more = [*([f"slices={slices}"] if slices else []), *([] if reordered else ["bframes=0"])]
    if fields:
        more.append("tff=1" if top_field_first else "bff=1")
    return options | fields | ({"x264-params": ":".join(more)} if more else {})
