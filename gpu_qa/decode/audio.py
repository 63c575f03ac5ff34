"""Sound by libavcodec, through PyAV: any sample format and layout becomes float32, channel by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import av
import numpy as np
from av.audio.plane import AudioPlane

from gpu_qa.channels import channel_names
from gpu_qa.decode.notes import DamageNotes, sound_change, why
from gpu_qa.errors import DecodeError
from gpu_qa.media import AudioSamples, Decoded, Note

if TYPE_CHECKING:
    from gpu_qa.media import Packet, Track

_SAMPLES: dict[str, tuple[Any, Any, int]] = {
    "u8": (np.uint8, np.float32(2.0**-7), 128),
    "s16": (np.int16, np.float32(2.0**-15), 0),
    "s32": (np.int32, np.float64(2.0**-31), 0),
    "s64": (np.int64, np.float64(2.0**-63), 0),
    "flt": (np.float32, None, 0),
    "dbl": (np.float64, None, 0),
}
"""libavutil's sample format without its `p` → type, value of one step, value of silence."""
_CHECKED = {"ac3": "crccheck", "eac3": "crccheck", "flac": "crccheck+explode"}
"""Codec → libavcodec's `err_detect`. These carry checksums, which the decoders look at only when told to: AC-3 then
flags the damaged frame and repeats the one before, FLAC refuses it."""

NOTHING = Decoded()


class _Kind(NamedTuple):
    """All that is the same for frames of one format."""

    dtype: Any
    scale: Any
    silence: int
    planar: bool
    sample_rate: int
    channels: tuple[str, ...]


class _Run(NamedTuple):
    """Frames that follow one another without a gap."""

    pts: int | None
    kind: _Kind
    frames: list[Any]


class AudioDecoder:
    """Decodes an audio track on the CPU."""

    def __init__(self, track: Track) -> None:
        """Open libavcodec's decoder of the track's codec.

        Args:
            track: With an `av.audio.stream.AudioStream` as `native`.

        Raises:
            DecodeError: The decoder cannot be opened: parameters are missing or make no sense.
        """
        self._track = track
        self._context: Any = track.native.codec_context
        self._codec = self._context.codec.canonical_name
        self.name = f"pyav {self._codec}"
        self.reason = ""
        try:
            if self._context.is_open:
                self._context.flush_buffers()
            else:
                if self._codec in _CHECKED:
                    self._context.options = {"err_detect": _CHECKED[self._codec]}
                self._context.open()
        except (av.FFmpegError, ValueError) as error:
            raise DecodeError(f"the {self._codec} decoder cannot be opened: {why(error)}") from error
        self._notes = DamageNotes(track, self._codec)
        self._kinds: dict[tuple[Any, ...], _Kind] = {}
        self._kind: _Kind | None = None
        self._base_pts: int | None = None
        self._since_base = 0
        self._drained = False
        self._packets = self._heard = 0

    def decode(self, packet: Packet) -> Decoded:
        """Feed a packet and take the sound that it completed; see `Decoder.decode`."""
        native = packet.native
        if native is None:
            return self.drain()
        if not native.size:
            # libavcodec would take it for the end of the stream.
            return NOTHING
        if self._drained:
            self.reset()
        self._packets += 1
        notes: list[Note] = []
        try:
            frames = self._context.decode(native)
        except av.FFmpegError as error:
            frames = []
            notes.append(self._refused(native.pts, error))
        return Decoded((), self._sound(frames, notes, packet.lead_s), tuple(notes))

    def drain(self) -> Decoded:
        """Take the sound that is still inside; see `Decoder.drain`."""
        if self._drained:
            return NOTHING
        self._drained = True
        notes: list[Note] = []
        sound: tuple[AudioSamples, ...] = ()
        try:
            sound = self._sound(self._context.decode(None), notes)
        except av.FFmpegError as error:
            notes.append(self._refused(None, error))
        if self._packets and not self._heard:
            notes.append(self._notes.write("nothing", None, f"none of {self._packets} packets gave sound"))
        return Decoded((), sound, tuple(notes))

    def reset(self) -> None:
        """Forget the past; see `Decoder.reset`."""
        self._context.flush_buffers()
        self._notes.restart()
        self._base_pts = None
        self._drained = False
        self._packets = self._heard = 0

    def close(self) -> None:
        """Let the decoder's buffers go; see `Decoder.close`."""
        if not self._drained and self._context.is_open:
            self._drained = True
            self._context.flush_buffers()

    def _refused(self, pts: int | None, error: av.FFmpegError) -> Note:
        return self._notes.write("refused", pts, "a packet cannot be decoded", reason=why(error))

    def _sound(self, frames: list[Any], notes: list[Note], lead_s: float | None = None) -> tuple[AudioSamples, ...]:
        """The frames of one call, joined where they follow one another: some packets hold dozens."""
        runs: list[_Run] = []
        for frame in frames:
            if not frame.samples:
                continue
            kind = self._kind_of(frame, notes)
            pts = self._pts(frame, kind)
            if frame.is_corrupt:
                notes.append(self._notes.write("concealed", pts, "damaged frame, mended by the decoder"))
            self._heard += 1
            if self._notes.before_first_key:
                self._notes.passed(is_key=True)
            if runs and runs[-1].kind is kind and frame.pts is None:
                runs[-1].frames.append(frame)
            else:
                runs.append(_Run(pts, kind, [frame]))
        return tuple(
            AudioSamples(
                self._track,
                run.pts,
                self._track.time_base,
                run.kind.sample_rate,
                run.kind.channels,
                _joined(run.frames, run.kind),
                lead_s,
            )
            for run in runs
        )

    def _kind_of(self, frame: Any, notes: list[Note]) -> _Kind:
        layout = frame.layout
        key = (frame.format.name, frame.sample_rate, layout.name)
        kind = self._kinds.get(key)
        if kind is None:
            name = key[0]
            planar = name.endswith("p")
            dtype, scale, silence = _SAMPLES[name.removesuffix("p")]
            kind = _Kind(dtype, scale, silence, planar, frame.sample_rate, channel_names(layout).names)
            self._kinds[key] = kind
        if kind is not self._kind:
            before, self._kind = self._kind, kind
            if before is not None:
                note = sound_change(self._track, frame.pts, _shown(before), _shown(kind))
                if note is not None:
                    notes.append(note)
        return kind

    def _pts(self, frame: Any, kind: _Kind) -> int | None:
        """The frame's own time, or, where it has none, that of the sample after the one before."""
        if frame.pts is not None:
            self._base_pts, self._since_base = frame.pts, 0
        elif self._base_pts is None:
            return None
        base = self._track.time_base
        ticks = self._since_base * base.denominator
        per = kind.sample_rate * base.numerator
        self._since_base += frame.samples
        return (self._base_pts or 0) + (2 * ticks + per) // (2 * per)


def _joined(frames: list[Any], kind: _Kind) -> np.ndarray:
    """float32 [C, N] of the frames' samples, full scale ±1."""
    channels = len(kind.channels)
    joined = np.empty((channels, sum(frame.samples for frame in frames)), np.float32)
    at = 0
    for frame in frames:
        count = frame.samples
        into = joined[:, at : at + count]
        if kind.planar:
            for number, row in enumerate(into):
                # Not `frame.planes`, which reads past the end of the list where there are eight channels or more.
                plane: Any = AudioPlane(frame, number)
                _scale(np.frombuffer(plane, kind.dtype, count), row, kind)
        else:
            packed = np.frombuffer(frame.planes[0], kind.dtype, count * channels)
            _scale(packed.reshape(count, channels).T, into, kind)
        at += count
    return joined


def _scale(samples: np.ndarray, into: np.ndarray, kind: _Kind) -> None:
    if kind.scale is None:
        into[...] = samples
    elif kind.silence:
        np.subtract(samples, np.float32(kind.silence), out=into)
        into *= kind.scale
    else:
        np.multiply(samples, kind.scale, out=into, casting="same_kind")


def _shown(kind: _Kind) -> dict[str, Any]:
    return {"sample_rate": kind.sample_rate, "channels": list(kind.channels)}
