"""Pictures by NVDEC, through PyNvVideoCodec's low-level decoder, in device memory.

What this library does that its caller must know, and what is done about it here:

- The next `Decode()` overwrites the pictures of the one before, and a deleted decoder takes them along: each is copied
  into a pool of our own at once.
- A change to a smaller size is silently scaled to the first one, one to a larger size fails: headers are read ahead and
  the decoder is made anew.
- H.264 and HEVC must come in Annex B form: a bitstream filter makes it so.
- Timestamps of packets without one are invented: packets are numbered instead, and the numbers looked up.
- Damage is flagged nowhere: what the demuxer marks, what the decoder refuses and what never comes out is told.
- Interlaced pictures come out deinterlaced; the pixel format's name says so.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import av

from gpu_qa.decode.driver import CODECS, check_support, load_driver
from gpu_qa.decode.headers import kept_parameters, length_size, picture_header, probed_header
from gpu_qa.decode.notes import KEYLESS_PICTURES, DamageNotes, Rarity, format_change, why
from gpu_qa.decode.planes import color_of
from gpu_qa.decode.pool import CudaDevice, FramePool, first_line
from gpu_qa.errors import DeviceError
from gpu_qa.media import Decoded, Note, Plane, VideoFormat, VideoFrame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_qa.decode import DecodeSettings
    from gpu_qa.decode.pool import Device
    from gpu_qa.media import Packet, Track

_HEADER_BYTES = 4096
"""Sequence headers come within the first bytes of a key frame."""
_REMEMBERED = 256
"""Packets remembered until their pictures come out."""
_OVERTAKING = 32
"""Packets by which one may be overtaken: 16 pictures, the most that H.264 and HEVC reorder, of two fields each."""
_AV1_DELIMITER = b"\x12\0"
"""A temporal delimiter, which comes before all else (AV1 bitstream specification, 7.5)."""
_INTERLACED = frozenset({2, 3, 4, 5})
"""AVFieldOrder: all but unknown and progressive."""

NOTHING = Decoded()


class _Sent(NamedTuple):
    """A packet inside the decoder."""

    pts: int | None
    duration: int
    is_key: bool
    marked: bool
    """The demuxer says that it is damaged, and that is worth hearing."""
    leading: bool = False
    """Shown before the key frame that decoding began with, and hence without its references."""


class _Surface(NamedTuple):
    """How the decoder's pictures lie in memory: rows without gaps, plane after plane."""

    format: VideoFormat
    pitch: int
    """Elements."""
    itemsize: int
    size: int
    """Bytes of a picture."""
    chroma: tuple[int, int, int, int, int] | None
    """Offsets of Cb and Cr in elements, step, width, height."""


def open_nvdec(track: Track, settings: DecodeSettings) -> NvdecDecoder:
    """A decoder on card number `settings.gpu`.

    Raises:
        DeviceError: The card cannot be used or does not decode this track.
    """
    return NvdecDecoder(track, settings, load_driver(settings.gpu), CudaDevice(settings.gpu))


class NvdecDecoder:
    """Decodes a video track on a card."""

    def __init__(self, track: Track, settings: DecodeSettings, driver: Any, device: Device) -> None:
        """Ask the card; the decoder itself is made with the first key frame, whose header says for which size.

        Args:
            track: With an `av.video.stream.VideoStream` as `native`.
            settings: Card and size of the pool.
            driver: The module PyNvVideoCodec.
            device: The card.

        Raises:
            DeviceError: The card does not decode this track.
        """
        self._track = track
        self._settings = settings
        self._driver = driver
        self._device = device
        context: Any = track.native.codec_context
        self._codec: str = context.codec.canonical_name
        if self._codec not in CODECS:
            raise DeviceError(f"NVDEC is not used for {self._codec}")
        self._header = probed_header(context)
        check_support(driver, settings.gpu, self._codec, self._header)
        self._color_range, self._color_space = color_of(context.pix_fmt or "", context.color_range, context.colorspace)
        self._aspect: Fraction = context.sample_aspect_ratio or Fraction(1)
        self._deinterlaced = context.field_order in _INTERLACED
        self._prefixed = length_size(self._codec, context.extradata) > 0
        self._filter = self._new_filter()
        self._parameters = kept_parameters(self._codec, context.extradata or b"")
        self.name = f"nvdec {self._codec}"
        self.reason = ""
        self._decoder: Any = None
        self._surface: _Surface | None = None
        self._format: VideoFormat | None = None
        self._pool: FramePool | None = None
        self._notes = DamageNotes(track, self._codec)
        self._marks = Rarity()
        self._losses = Rarity()
        self._sent: dict[int, _Sent | None] = {}
        """By number; null once the picture has come out, until the packets before it are settled."""
        self._number = 0
        self._waiting = True
        self._skipped = 0
        self._first_pts: int | None = None
        """Time of the key frame that decoding began with, while pictures may follow that are shown before it."""
        self._first_number = 0
        self._packets = self._pictures = 0

    def decode(self, packet: Packet) -> Decoded:
        """Feed a packet and take the pictures that it completed; see `Decoder.decode`."""
        native = packet.native
        if native is None:
            return self.drain()
        if not native.size:
            return NOTHING
        self._packets += 1
        marked = self._marks.heard(native.is_corrupt)
        if self._waiting and not self._begins(native):
            return NOTHING
        frames: list[VideoFrame] = []
        notes: list[Note] = []
        sent = _Sent(native.pts, native.duration or 0, native.is_keyframe, marked, self._leads(native))
        try:
            for chunk in self._chunks(native):
                self._feed(chunk, sent, frames, notes)
        except av.FFmpegError as error:
            self._refused(sent, why(error), notes)
        return Decoded(tuple(frames), (), tuple(notes))

    def drain(self) -> Decoded:
        """Take the pictures that are still inside; see `Decoder.drain`."""
        frames: list[VideoFrame] = []
        notes: list[Note] = []
        self._flush(frames, notes)
        if self._packets and not self._pictures:
            notes.append(self._notes.write("nothing", None, f"none of {self._packets} packets gave a picture"))
        self._forget()
        return Decoded(tuple(frames), (), tuple(notes))

    def reset(self) -> None:
        """Forget the past; see `Decoder.reset`."""
        # What is inside comes out and is dropped: cheaper than a new decoder.
        if self._decoder is not None:
            try:
                self._decoder.Decode(self._driver.PacketData())
            except Exception:  # noqa: BLE001 - whatever it was, it is past
                self._decoder = None
        if self._filter is not None:
            self._filter.flush()
        self._forget()

    def close(self) -> None:
        """Let the decoder and the pool go; see `Decoder.close`."""
        self._decoder = None
        self._pool = None
        self._sent.clear()

    def _forget(self) -> None:
        self._notes.restart()
        self._sent.clear()
        self._waiting = True
        self._skipped = self._packets = self._pictures = 0

    def _begins(self, native: Any) -> bool:
        """Whether decoding can start here: NVDEC would show pictures whose references are missing."""
        if not native.is_keyframe and self._skipped < KEYLESS_PICTURES:
            self._skipped += 1
            return False
        self._waiting = False
        self._first_pts = native.pts if native.is_keyframe else None
        self._first_number = self._number
        return True

    def _leads(self, native: Any) -> bool:
        """Whether the packet's picture is shown before the key frame that decoding began with.

        Such come at once behind it, so times are only compared until one follows that is shown well after it: on a
        clock that jumps back, all later ones would seem to be before it.
        """
        first, pts = self._first_pts, native.pts
        if first is None or self._number == self._first_number:
            return False
        # Within a picture's duration it may be the second field of the key frame.
        after = pts is not None and 0 < (native.duration or 0) < pts - first
        if native.is_keyframe or after or self._number > self._first_number + _OVERTAKING:
            self._first_pts = None
            return False
        return pts is not None and pts < first

    def _new_filter(self) -> Any:
        if not self._prefixed:
            return None
        return av.BitStreamFilterContext(f"{self._codec}_mp4toannexb", self._track.native)

    def _chunks(self, native: Any) -> Iterator[Any]:
        """The packet in the form that the decoder takes."""
        if self._filter is None:
            yield native
            return
        # The filter empties what it is given, and the packet is not ours.
        copy = av.Packet(native)
        copy.pts, copy.dts, copy.time_base = native.pts, native.dts, native.time_base
        copy.duration, copy.is_keyframe = native.duration, native.is_keyframe
        for side in native.iter_sidedata():
            side.to_packet(copy)
        yield from self._filter.filter(copy)

    def _feed(self, chunk: Any, sent: _Sent, frames: list[VideoFrame], notes: list[Note]) -> None:
        """Decode one packet, with a new decoder where its header asks for one."""
        if sent.is_key:
            header = picture_header(self._codec, bytes(memoryview(chunk)[:_HEADER_BYTES]))
            if header is not None and header != self._header:
                self._flush(frames, notes)
                self._header = header
                self._decoder = None
            if header is None and self._decoder is None and self._parameters:
                # Some streams keep their parameter sets to the container: RTSP cameras, AV1 in MP4.
                data = bytes(chunk)
                at = 2 if data.startswith(_AV1_DELIMITER) and self._codec == "av1" else 0
                chunk = av.Packet(data[:at] + self._parameters + data[at:])
        for attempt in (1, 2):
            try:
                if self._decoder is None:
                    self._decoder = self._new_decoder()
                self._take(self._decode(chunk, sent), frames, notes)
            except DeviceError as error:
                if self._decoder is not None:
                    # No room for pictures: the caller's doing, not the stream's.
                    raise
                self._refused(sent, str(error), notes)
                return
            except Exception as error:  # noqa: BLE001 - the library's own and CUDA's errors, by any name
                self._decoder = None
                self._sent.pop(self._number - 1, None)
                self._settle(self._number, notes)
                # A size change that no header announced fails; a key frame starts a new decoder well.
                if attempt == 2 or not sent.is_key:
                    self._refused(sent, first_line(error), notes)
                    return
            else:
                return

    def _new_decoder(self) -> Any:
        """A decoder for pictures as in the header.

        Raises:
            DeviceError: The card does not decode such.
        """
        check_support(self._driver, self._settings.gpu, self._codec, self._header)
        self._surface = None
        return self._driver.CreateDecoder(
            gpuid=self._settings.gpu,
            codec=getattr(self._driver.cudaVideoCodec, CODECS[self._codec]),
            cudacontext=0,
            # On the default, the NULL stream, every picture waits for all other streams.
            cudastream=self._device.stream,
            usedevicememory=True,
        )

    def _decode(self, chunk: Any, sent: _Sent) -> list[Any]:
        data = self._driver.PacketData()
        data.bsl_data, data.bsl = chunk.buffer_ptr, chunk.buffer_size
        data.pts = data.dts = self._number
        if len(self._sent) >= _REMEMBERED:
            del self._sent[next(iter(self._sent))]
        self._sent[self._number] = sent
        self._number += 1
        return self._decoder.Decode(data)  # type: ignore[no-any-return]

    def _refused(self, sent: _Sent, reason: str, notes: list[Note]) -> None:
        """Tell of a packet that was not decoded, and go on with the next key frame where the decoder is lost."""
        notes.append(self._notes.write("refused", sent.pts, "a packet cannot be decoded", reason=reason))
        if self._decoder is None:
            self._waiting = True
            self._skipped = 0

    def _flush(self, frames: list[VideoFrame], notes: list[Note]) -> None:
        """Take all that is inside the decoder."""
        if self._decoder is None:
            return
        try:
            self._take(self._decoder.Decode(self._driver.PacketData()), frames, notes)
        except DeviceError:
            raise
        except Exception as error:  # noqa: BLE001 - the library's own and CUDA's errors, by any name
            self._decoder = None
            last = next((one for one in reversed(self._sent.values()) if one), None)
            self._refused(last or _Sent(None, 0, is_key=False, marked=False), first_line(error), notes)
        self._settle(self._number, notes)

    def _take(self, pictures: list[Any], frames: list[VideoFrame], notes: list[Note]) -> None:
        """Copy pictures out of the decoder before it is called again; they are complete when this returns."""
        if not pictures:
            return
        with self._device.ordered():
            for picture in pictures:
                frame = self._frame(picture, notes)
                if frame is not None:
                    frames.append(frame)
        self._device.synchronize()

    def _frame(self, picture: Any, notes: list[Note]) -> VideoFrame | None:
        """A picture in the pool; null for one that follows the first key frame but is shown before it."""
        surface = self._surface
        if surface is None:
            surface = self._surface = self._new_surface(picture)
        number = picture.getPTS()
        sent = self._sent.get(number)
        pts = sent.pts if sent else None
        if sent is not None:
            if sent.leading:
                del self._sent[number]
                return None
            self._sent[number] = None
            if not sent.is_key:
                # What is shown before the first key frame would have come out by now.
                self._first_pts = None
            self._settle(number - _OVERTAKING, notes)
        if self._format is not surface.format:
            if self._format is not None and (note := format_change(self._track, pts, self._format, surface.format)):
                notes.append(note)
            self._format = surface.format
        is_key = sent is not None and sent.is_key
        self._pictures += 1
        if self._notes.before_first_key:
            self._notes.passed(is_key)
        marked = sent is not None and sent.marked
        if marked:
            notes.append(self._notes.write("transport", pts, "the picture's data arrived damaged"))
        return self._copied(picture, surface, pts, sent.duration if sent else 0, is_corrupt=marked, is_key=is_key)

    def _settle(self, end: int, notes: list[Note]) -> None:
        """Forget packets in the order they were fed; of those before number `end`, tell which gave no picture.

        The order alone decides, since times jump. Many are no loss: of field pictures only the first of two packets
        gives one.
        """
        for number, sent in list(self._sent.items()):
            if sent is not None and number >= end:
                return
            del self._sent[number]
            if sent is not None and sent.leading:
                continue
            if self._losses.heard(sent is not None) and sent is not None:
                notes.append(self._notes.write("lost", sent.pts, "no picture came of a packet"))

    def _copied(
        self, picture: Any, surface: _Surface, pts: int | None, duration: int, *, is_corrupt: bool, is_key: bool
    ) -> VideoFrame:
        if self._pool is None or self._pool.slot_bytes < surface.size:
            self._pool = FramePool(self._device, self._settings.pool_frames, surface.size)
        slot = self._pool.take()
        # Only the first plane's address can be trusted, and neither shape nor strides: hence bytes.
        source = self._device.view(picture.GetPtrToPlane(0), surface.size)
        self._pool.bytes[slot.offset : slot.offset + surface.size].copy_(source, non_blocking=True)
        data = self._pool.bytes if surface.itemsize == 1 else self._pool.words
        base = slot.offset // surface.itemsize
        shown, pitch = surface.format, surface.pitch
        chroma = None
        if surface.chroma is not None:
            cb, cr, step, width, height = surface.chroma
            chroma = (
                Plane(data, base + cb, pitch, step, width, height),
                Plane(data, base + cr, pitch, step, width, height),
            )
        luma = Plane(data, base, pitch, 1, shown.width, shown.height)
        time_base = self._track.time_base
        return VideoFrame(pts, duration, time_base, shown, luma, chroma, is_corrupt, is_key, slot)

    def _new_surface(self, picture: Any) -> _Surface:
        """How this decoder's pictures lie in memory, from what it says once the first has come."""
        name = picture.format.name
        itemsize = 2 if name in ("P016", "P216", "YUV444_16Bit") else 1
        pitch, rows, size = (
            int(get()) for get in (self._decoder.GetWidth, self._decoder.GetHeight, self._decoder.GetFrameSize)
        )
        size = max(size, pitch * rows * itemsize)
        width, height = min(self._header.width, pitch), min(self._header.height, rows)
        depth = self._header.bit_depth if itemsize == 2 else 8
        chroma = None
        luma = pitch * rows
        below = size // itemsize // pitch - rows
        if self._header.chroma == 0 or below <= 0:
            pass
        elif name.startswith("YUV444"):
            chroma = (luma, 2 * luma, 1, width, height)
        elif name in ("NV16", "P216"):
            chroma = (luma, luma + 1, 2, -(-width // 2), height)
        else:
            chroma = (luma, luma + 1, 2, -(-width // 2), min(below, -(-height // 2)))
        shown = VideoFormat(
            width=width,
            height=height,
            bit_depth=depth,
            shift=8 * itemsize - depth,
            color_range=self._color_range,
            pixel_format=name.lower() + (" deinterlaced" if self._deinterlaced else ""),
            color_space=self._color_space,
            sample_aspect_ratio=self._aspect,
        )
        if self._format == shown:
            shown = self._format
        return _Surface(shown, pitch, itemsize, size, chroma)
