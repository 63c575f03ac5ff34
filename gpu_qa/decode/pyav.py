"""Pictures by libavcodec, through PyAV, on the CPU.

Planes are views of libavcodec's own memory: nothing is copied or converted where the pixel format allows it (`planes`
says which do).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from gpu_qa.decode.headers import has_picture, length_size
from gpu_qa.decode.notes import DamageNotes, Rarity, format_change, why
from gpu_qa.decode.planes import Component, Samples, color_of, conversion_of, samples_of, transfer_of
from gpu_qa.errors import DecodeError
from gpu_qa.media import Decoded, Note, Plane, VideoFormat, VideoFrame

if TYPE_CHECKING:
    from gpu_qa.media import Packet, Track

_FRAME_THREADS = 1 << 12
"""AV_CODEC_CAP_FRAME_THREADS."""
_MENDING = frozenset({"h264", "mpeg1video", "mpeg2video", "mpeg4", "h263", "flv1", "msmpeg4v2", "msmpeg4v3"})
"""Codecs whose decoder finds what is missing from a picture, mends it and flags the picture (libavcodec's
error_resilience.c). For these its word is final; for others a packet marked as damaged counts as well."""
_ONE_THREAD = frozenset({"mpeg4"})
"""Codecs whose frame threads flag damage after the picture has been handed out, so that chance decides what is told."""
_STRICT = {"hevc": "explode"}
"""Codec → libavcodec's `err_detect`. The HEVC decoder shows a damaged picture without a word unless told to fail; it
shows it then too, and the failure tells which one."""
_STRICT_PATIENCE = 16
"""Failures without as many pictures after which strictness is given up: it is then what keeps them from coming out."""
_TOP_FIRST, _ORDERED = frozenset({2, 5}), frozenset({2, 3, 4, 5})
"""AVFieldOrder: those that show the top field first (`tt`, `bt`), and all that tell an order."""
_MARKS = 64
"""Damaged packets remembered until their pictures come out: four times the deepest reordering."""

NOTHING = Decoded()


class _Layout(NamedTuple):
    """All that is the same for every picture of one format."""

    format: VideoFormat
    samples: Samples
    dtype: Any
    convert: dict[str, Any] | None
    """Arguments of the conversion that comes first; null where none is needed."""


@dataclass(slots=True)
class _Mark:
    """A packet that is known to be damaged, until its picture comes out."""

    told: bool


class PyavDecoder:
    """Decodes a video track on the CPU."""

    def __init__(self, track: Track, *, threads: int = 0, reason: str = "") -> None:
        """Open libavcodec's decoder of the track's codec.

        Args:
            track: With an `av.video.stream.VideoStream` as `native`.
            threads: 0 leaves it to libavcodec.
            reason: Why it is not another back end.

        Raises:
            DecodeError: The decoder cannot be opened: parameters are missing or make no sense.
        """
        self._track = track
        self._context: Any = track.native.codec_context
        self._codec = self._context.codec.canonical_name
        self._threads = threads
        self._strict = self._codec in _STRICT and not self._context.is_open
        self._length_size = length_size(self._codec, self._context.extradata)
        self.name = f"pyav {self._codec}"
        self.reason = reason
        if self._strict:
            self._context.options = {"err_detect": _STRICT[self._codec]}
        self._open()
        self._notes = DamageNotes(track, self._codec)
        self._rarity = Rarity()
        self._marks: dict[int, _Mark] = {}
        self._layouts: dict[tuple[Any, ...], _Layout | None] = {}
        self._layout: _Layout | None = None
        self._reformatter: VideoReformatter | None = None
        self._aspect = Fraction(1)
        self._interlaced = False
        self._top_first: bool | None = None
        self._has_pts = False
        self._drained = False
        self._packets = self._pictures = self._failures = 0

    def _open(self) -> None:
        """Open the codec context with threads.

        Frame threads where the codec has them: only then does the H.264 decoder mend and flag damage, which it does
        not dare with slice threads.
        """
        context = self._context
        try:
            if not context.is_open:
                context.thread_type = "AUTO"
                context.thread_count = 1 if self._codec in _ONE_THREAD else self._threads
                context.open()
            else:
                context.flush_buffers()
        except (av.FFmpegError, ValueError) as error:
            raise DecodeError(f"the {self._codec} decoder cannot be opened: {why(error)}") from error
        # A frame-threaded decoder tells what became of a packet once all its threads have got one.
        threaded = bool(context.codec.capabilities & _FRAME_THREADS) and context.thread_type.value & 1
        self._recent: deque[Any] = deque(maxlen=max(1, context.thread_count if threaded else 1))

    def decode(self, packet: Packet) -> Decoded:
        """Feed a packet and take the pictures that it completed; see `Decoder.decode`."""
        native = packet.native
        if native is None:
            return self.drain()
        if not native.size:
            # libavcodec would take it for the end of the stream.
            return NOTHING
        if self._drained:
            self.reset()
        self._packets += 1
        self._recent.append(native)
        if self._codec not in _MENDING and self._rarity.heard(native.is_corrupt):
            self._mark(native.pts, told=False)
        notes: list[Note] = []
        try:
            pictures = self._context.decode(native)
        except av.FFmpegError as error:
            pictures = []
            self._failed(error, notes)
        frames = [frame for picture in pictures if (frame := self._frame(picture, notes))]
        return self._decoded(frames, notes)

    def drain(self) -> Decoded:
        """Take the pictures that are still inside; see `Decoder.drain`."""
        notes: list[Note] = []
        frames: list[VideoFrame] = []
        if not self._drained:
            self._drained = True
            try:
                frames = [frame for picture in self._context.decode(None) if (frame := self._frame(picture, notes))]
            except av.FFmpegError as error:
                self._failed(error, notes)
            if self._packets and not self._pictures:
                text = f"none of {self._packets} packets gave a picture"
                notes.append(self._notes.write("nothing", None, text))
        return self._decoded(frames, notes)

    def reset(self) -> None:
        """Forget the past; see `Decoder.reset`."""
        self._context.flush_buffers()
        self._notes.restart()
        self._recent.clear()
        self._marks.clear()
        self._drained = False
        self._packets = self._pictures = self._failures = 0

    def close(self) -> None:
        """Let the decoder's threads and buffers go; see `Decoder.close`."""
        if not self._drained and self._context.is_open:
            self._drained = True
            self._context.flush_buffers()
        self._recent.clear()
        self._marks.clear()

    def _decoded(self, frames: list[VideoFrame], notes: list[Note]) -> Decoded:
        return Decoded(tuple(frames), (), tuple(notes))

    def _mark(self, pts: int | None, *, told: bool) -> None:
        if pts is None:
            return
        if len(self._marks) >= _MARKS:
            del self._marks[next(iter(self._marks))]
        self._marks[pts] = _Mark(told or (pts in self._marks and self._marks[pts].told))

    def _failed(self, error: av.FFmpegError, notes: list[Note]) -> None:
        """Tell of a packet that the decoder refused: the oldest one in its threads."""
        native = self._recent[0] if self._recent else None
        pts = native.pts if native is not None else None
        if native is not None and not has_picture(self._codec, bytes(native), self._length_size):
            # Parameter sets or filler on their own: nothing that a viewer would miss.
            return
        if self._strict:
            self._mark(pts, told=True)
            notes.append(self._notes.write("concealed", pts, "damaged packet", reason=why(error)))
            self._failures += 1
            if self._failures >= _STRICT_PATIENCE and self._pictures < self._failures:
                self._relax()
            return
        notes.append(self._notes.write("refused", pts, "a packet cannot be decoded", reason=why(error)))

    def _relax(self) -> None:
        """Go on with a decoder that is not strict; it waits for the next key frame."""
        strict = self._context
        context: Any = av.CodecContext.create(strict.codec.name, "r")
        context.extradata = strict.extradata
        self._context, self._strict = context, False
        self._open()

    def _frame(self, picture: Any, notes: list[Note]) -> VideoFrame | None:
        """A picture as the stages know it; null where its pixel format cannot be converted."""
        is_key = picture.key_frame
        pts = picture.pts
        if pts is not None:
            self._has_pts = True
        elif not self._has_pts:
            # Containers without presentation times (AVI): libavcodec reorders decoding times into them.
            pts = picture.dts
        width, height = picture.width, picture.height
        if is_key or self._layout is None:
            self._follow_aspect()
            self._follow_field_order()
        if picture.interlaced_frame and not self._interlaced:
            self._interlaced = True
            self._layouts.clear()
        key = (picture.format.name, width, height, picture.color_range, picture.colorspace, picture.color_trc)
        layout = self._layouts.get(key)
        if layout is None:
            layout = self._new_layout(key, picture, pts, notes)
            if layout is None:
                return None
        if layout is not self._layout:
            if self._layout is not None and (
                note := format_change(self._track, pts, self._layout.format, layout.format)
            ):
                notes.append(note)
            self._layout = layout
        self._pictures += 1
        if self._notes.before_first_key:
            self._notes.passed(is_key)
        corrupt = self._damage(picture, pts, notes)
        source = picture
        if layout.convert is not None:
            source = self._converted(picture, layout.convert)
            if source is None:
                self._refuse_format(key, pts, notes)
                return None
        memory = source.planes
        samples = layout.samples
        luma = _plane(memory, samples.luma, layout.dtype)
        chroma = None
        if samples.chroma is not None:
            first, second = samples.chroma
            chroma = (_plane(memory, first, layout.dtype), _plane(memory, second, layout.dtype))
        return VideoFrame(
            pts, picture.duration, self._track.time_base, layout.format, luma, chroma, corrupt, is_key, source
        )

    def _damage(self, picture: Any, pts: int | None, notes: list[Note]) -> bool:
        """Whether a picture is damaged; told once, either here or when its packet failed."""
        mark = self._marks.pop(pts, None) if self._marks and pts is not None else None
        if picture.is_corrupt:
            if mark is None or not mark.told:
                notes.append(self._notes.write("concealed", pts, "damaged picture, mended by the decoder"))
            return True
        if mark is None:
            return False
        if not mark.told:
            notes.append(self._notes.write("transport", pts, "the picture's data arrived damaged"))
        return True

    def _follow_aspect(self) -> None:
        aspect = self._context.sample_aspect_ratio or Fraction(1)
        if aspect != self._aspect:
            self._aspect = aspect
            self._layouts.clear()

    def _follow_field_order(self) -> None:
        order = self._context.field_order
        top_first = order in _TOP_FIRST if order in _ORDERED else None
        if top_first is not None and top_first != self._top_first:
            self._top_first = top_first
            self._layouts.clear()

    def _new_layout(self, key: tuple[Any, ...], picture: Any, pts: int | None, notes: list[Note]) -> _Layout | None:
        if key in self._layouts:
            return None
        name, width, height, *_ = key
        if self._layout is not None and (width, height) != (self._layout.format.width, self._layout.format.height):
            self._interlaced = picture.interlaced_frame
        color_range, color_space = color_of(name, picture.color_range, picture.colorspace)
        samples = samples_of(name, width, height)
        convert = None
        if samples is None:
            conversion = conversion_of(picture.format, color_range, color_space)
            samples = samples_of(conversion.pixel_format, width, height)
            convert, color_range, color_space = conversion.arguments, conversion.color_range, conversion.color_space
        if samples is None:
            self._refuse_format(key, pts, notes)
            return None
        shown = VideoFormat(
            width=width,
            height=height,
            bit_depth=samples.bit_depth,
            shift=samples.shift,
            color_range=color_range,
            pixel_format=name,
            color_space=color_space,
            sample_aspect_ratio=self._aspect,
            interlaced=self._interlaced,
            transfer=transfer_of(picture.color_trc),
            top_field_first=self._top_first if self._interlaced else None,
        )
        if self._layout is not None and shown == self._layout.format and samples == self._layout.samples:
            shown = self._layout.format
        layout = self._layouts[key] = _Layout(shown, samples, samples.dtype, convert)
        return layout

    def _converted(self, picture: Any, arguments: dict[str, Any]) -> Any:
        """The picture in a format that fits; null where libswscale cannot."""
        if self._reformatter is None:
            self._reformatter = VideoReformatter()
        try:
            return self._reformatter.reformat(picture, **arguments)
        except (av.FFmpegError, ValueError):
            return None

    def _refuse_format(self, key: tuple[Any, ...], pts: int | None, notes: list[Note]) -> None:
        """Tell, once, of a pixel format that cannot be read."""
        self._layouts[key] = None
        notes.append(self._notes.write("conversion", pts, f"pictures of pixel format {key[0]} cannot be read"))


def _plane(memory: Any, at: Component, dtype: Any) -> Plane:
    """A component as a view of libavcodec's memory."""
    plane = memory[at.plane]
    itemsize = dtype().itemsize
    pitch = plane.line_size // itemsize
    if pitch < 0:
        # From bottom to top: PyAV's buffer starts at the row that is lowest in memory, which is the picture's last.
        rows = np.frombuffer(plane, dtype).reshape(at.height, -pitch)[::-1]
        return Plane(np.ascontiguousarray(rows).ravel(), at.offset, -pitch, at.step, at.width, at.height)
    # Only what is read: cropping may have left less behind the last row than a whole line.
    count = at.offset + (at.height - 1) * pitch + (at.width - 1) * at.step + 1
    return Plane(np.frombuffer(plane, dtype, count), at.offset, pitch, at.step, at.width, at.height)
