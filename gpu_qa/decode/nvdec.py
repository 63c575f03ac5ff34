"""Pictures by NVDEC, through PyNvVideoCodec's low-level decoder, in device memory.

What this library does that its caller must know, and what is done about it here:

- The next `Decode()` overwrites the pictures of the one before, and a deleted decoder takes them along: each is copied
  into the slab at once, on the decoder's own CUDA stream. Nobody waits for that here: a picture has an event that says
  when it is complete, and what the decoder writes next comes behind the copy on the same stream.
- A change to a smaller size is silently scaled to the first one, one to a larger size fails: headers are read ahead and
  the decoder is made anew.
- H.264 and HEVC must come in Annex B form: a bitstream filter makes it so.
- Timestamps of packets without one are invented: packets are numbered instead, and the numbers looked up.
- Damage is flagged nowhere: what the demuxer marks, what the decoder refuses and what never comes out is told.
- Interlaced pictures come out deinterlaced; the pixel format's name says so.
- A card that is full fails inside the driver: a stream has its place reserved before a decoder is made.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av

from gpu_qa.decode.card import CudaCard, first_line
from gpu_qa.decode.driver import CODECS, check_support, load_driver
from gpu_qa.decode.headers import kept_parameters, length_size, picture_header, probed_header
from gpu_qa.decode.memory import device_memory, stream_need
from gpu_qa.decode.notes import DamageNotes, Rarity, format_change, why
from gpu_qa.decode.planes import color_of, transfer_of
from gpu_qa.decode.rates import card_named, decode_load
from gpu_qa.decode.sent import Sent, SentPackets
from gpu_qa.decode.surface import Look, surface_of
from gpu_qa.errors import AdmissionError, DeviceError
from gpu_qa.media import Decoded, Note, VideoFrame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpu_qa.decode import DecodeSettings
    from gpu_qa.decode.card import Card
    from gpu_qa.decode.memory import Need, Place
    from gpu_qa.decode.pool import FramePool, Tenant
    from gpu_qa.decode.surface import Surface
    from gpu_qa.media import Packet, Track, VideoFormat

_HEADER_BYTES = 4096
"""Sequence headers come within the first bytes of a key frame."""
_AV1_DELIMITER = b"\x12\0"
"""A temporal delimiter, which comes before all else (AV1 bitstream specification, 7.5)."""
_INTERLACED = frozenset({2, 3, 4, 5})
"""AVFieldOrder: all but unknown and progressive."""

NOTHING = Decoded()


def open_nvdec(track: Track, settings: DecodeSettings) -> NvdecDecoder:
    """A decoder on card number `settings.gpu`.

    Raises:
        DeviceError: The card cannot be used or does not decode this track.
        AdmissionError: The card has no room for it.
    """
    return NvdecDecoder(track, settings, load_driver(settings.gpu), CudaCard(settings.gpu))


class NvdecDecoder:
    """Decodes a video track on a card."""

    def __init__(self, track: Track, settings: DecodeSettings, driver: Any, card: Card) -> None:
        """Ask the card; the decoder itself is made with the first key frame, whose header says for which size.

        Args:
            track: With an `av.video.stream.VideoStream` as `native`.
            settings: Card, and sizes and limits of its memory.
            driver: The module PyNvVideoCodec.
            card: The card.

        Raises:
            DeviceError: The card does not decode this track.
            AdmissionError: The card has no room for it.
        """
        self._track = track
        self._settings = settings
        self._driver = driver
        self._place: Place | None = None
        self._decoder: Any = None
        context: Any = track.native.codec_context
        self._codec: str = context.codec.canonical_name
        if self._codec not in CODECS:
            raise DeviceError(f"NVDEC is not used for {self._codec}")
        self._header = probed_header(context)
        check_support(driver, settings.gpu, self._codec, self._header)
        self._look = Look(
            *color_of(context.pix_fmt or "", context.color_range, context.colorspace),
            context.sample_aspect_ratio or Fraction(1),
            context.field_order in _INTERLACED,
            transfer_of(context.color_trc),
        )
        self._prefixed = length_size(self._codec, context.extradata) > 0
        self._filter = self._new_filter()
        self._parameters = kept_parameters(self._codec, context.extradata or b"")
        self.name = f"nvdec {self._codec}"
        self.reason = ""
        self._memory = device_memory(card, settings)
        self._stream = card.stream()
        self._kind = card_named(card.name)
        self._place = self._memory.reserve(self._need())
        self._surface: Surface | None = None
        self._pool: FramePool | None = None
        self._format: VideoFormat | None = None
        self._notes = DamageNotes(track, self._codec)
        self._marks = Rarity()
        self._sent = SentPackets()
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
        if self._sent.waiting and not self._sent.begins(native):
            return NOTHING
        frames: list[VideoFrame] = []
        notes: list[Note] = []
        sent = Sent(native.pts, native.duration or 0, native.is_keyframe, marked, self._sent.leads(native))
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
                self._drop_decoder()
        if self._filter is not None:
            self._filter.flush()
        self._forget()

    def close(self) -> None:
        """Let the decoder and its place go; see `Decoder.close`."""
        self._leave()
        self._sent.forget()

    def _forget(self) -> None:
        self._notes.restart()
        self._sent.forget()
        self._packets = self._pictures = 0

    def _drop_decoder(self) -> None:
        """Let the library's decoder go, once nothing reads its memory any more."""
        if self._decoder is None:
            return
        # Where that fails the card itself has, and then nothing reads any more either.
        with suppress(RuntimeError):
            self._stream.synchronize()
        self._decoder = self._surface = self._pool = None

    def _leave(self) -> None:
        """Give the place on the card up. Others may have the memory at once, so nothing may be under way in it."""
        self._drop_decoder()
        if self._place is not None:
            self._place.leave()
        self._place = None

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

    def _feed(self, chunk: Any, sent: Sent, frames: list[VideoFrame], notes: list[Note]) -> None:
        """Decode one packet, with a new decoder where its header asks for one."""
        if sent.is_key:
            header = picture_header(self._codec, bytes(memoryview(chunk)[:_HEADER_BYTES]))
            if header is not None and header != self._header:
                self._flush(frames, notes)
                self._leave()
                self._header = header
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
            except AdmissionError as error:
                # There may be room again by the next key frame.
                self._leave()
                self._refused(sent, str(error), notes)
                return
            except DeviceError as error:
                if self._decoder is not None:
                    # Pictures are not let go, or the card fails: nothing of the stream's doing.
                    raise
                self._refused(sent, str(error), notes)
                return
            except Exception as error:  # noqa: BLE001 - the library's own and CUDA's errors, by any name
                self._drop_decoder()
                self._sent.withdraw()
                self._lost(self._sent.settled(), notes)
                # A size change that no header announced fails; a key frame starts a new decoder well.
                if attempt == 2 or not sent.is_key:
                    self._refused(sent, _explained(error), notes)
                    return
            else:
                return

    def _new_decoder(self) -> Any:
        """A decoder for pictures as in the header.

        Raises:
            DeviceError: The card does not decode such.
            AdmissionError: The card has no room for it.
        """
        check_support(self._driver, self._settings.gpu, self._codec, self._header)
        if self._place is None:
            self._place = self._memory.reserve(self._need())
        return self._driver.CreateDecoder(
            gpuid=self._settings.gpu,
            codec=getattr(self._driver.cudaVideoCodec, CODECS[self._codec]),
            cudacontext=0,
            # On the default, the NULL stream, every picture waits for all other streams.
            cudastream=self._stream.address,
            usedevicememory=True,
        )

    def _decode(self, chunk: Any, sent: Sent) -> list[Any]:
        data = self._driver.PacketData()
        data.bsl_data, data.bsl = chunk.buffer_ptr, chunk.buffer_size
        data.pts = data.dts = self._sent.enter(sent)
        return self._decoder.Decode(data)  # type: ignore[no-any-return]

    def _refused(self, sent: Sent, reason: str, notes: list[Note]) -> None:
        """Tell of a packet that was not decoded, and go on with the next key frame where the decoder is lost."""
        notes.append(self._notes.write("refused", sent.pts, "a packet cannot be decoded", reason=reason))
        if self._decoder is None:
            self._sent.wait()

    def _lost(self, packets: Iterable[Sent], notes: list[Note]) -> None:
        notes.extend(self._notes.write("lost", sent.pts, "no picture came of a packet") for sent in packets)

    def _flush(self, frames: list[VideoFrame], notes: list[Note]) -> None:
        """Take all that is inside the decoder."""
        if self._decoder is None:
            return
        try:
            self._take(self._decoder.Decode(self._driver.PacketData()), frames, notes)
        except DeviceError:
            raise
        except Exception as error:  # noqa: BLE001 - the library's own and CUDA's errors, by any name
            self._drop_decoder()
            last = self._sent.latest()
            self._refused(last or Sent(None, 0, is_key=False, marked=False), _explained(error), notes)
        self._lost(self._sent.settled(), notes)

    def _take(self, pictures: list[Any], frames: list[VideoFrame], notes: list[Note]) -> None:
        """Have pictures copied out of the decoder before it is called again."""
        surface, pool = self._surface, self._pool
        if surface is None or pool is None:
            if not pictures:
                return
            surface, pool = self._moved_in(pictures[0])
        known = [(picture, self._sent_of(picture, notes)) for picture in pictures]
        shown = [(picture, sent) for picture, sent in known if sent is None or not sent.leading]
        if not shown:
            return
        start = self._memory.slab.address
        tenants = [pool.take() for _ in shown]
        # Only the first plane's address can be trusted, and neither shape nor strides: hence bytes.
        pieces = [
            (picture.GetPtrToPlane(0), start + tenant.room.offset)
            for (picture, _), tenant in zip(shown, tenants, strict=True)
        ]
        ready = self._stream.copy(pieces, surface.size)
        for (_, sent), tenant in zip(shown, tenants, strict=True):
            frames.append(self._frame(sent, surface, tenant, ready, notes))

    def _moved_in(self, picture: Any) -> tuple[Surface, FramePool]:
        """The layout of a new decoder's pictures, and the pool, which has room for them from now on.

        Raises:
            AdmissionError: They are larger than the stream's header said, and there is no room for them.
        """
        surface = surface_of(self._decoder, picture.format.name, self._header, self._look)
        if surface.format == self._format:
            surface = surface._replace(format=self._format)
        place = self._place
        if place is None or surface.size > place.pool.size:
            if place is not None:
                place.leave()
                self._place = None
            place = self._place = self._memory.reserve(self._need().with_pictures_of(surface.size))
        place.settle()
        place.pool.furnish(surface)
        self._surface, self._pool = surface, place.pool
        return surface, place.pool

    def _need(self) -> Need:
        """What the stream takes of the card, by its newest header."""
        header = self._header
        need = stream_need(self._codec, header, self._settings.pool_frames)
        if self._kind is None:
            return need
        depth = "yuv420p" if header.bit_depth == 8 else f"yuv420p{header.bit_depth}le"
        shown = replace(self._track, codec=self._codec, width=header.width, height=header.height, pixel_format=depth)
        return replace(need, load=decode_load(shown, self._kind))

    def _sent_of(self, picture: Any, notes: list[Note]) -> Sent | None:
        """The packet that a picture was made of; null where it is not known."""
        number = picture.getPTS()
        sent = self._sent.shown(number)
        if sent is not None and not sent.leading:
            self._lost(self._sent.overtaken(number), notes)
        return sent

    def _frame(self, sent: Sent | None, surface: Surface, tenant: Tenant, ready: Any, notes: list[Note]) -> VideoFrame:
        """A picture in the slab."""
        pts = sent.pts if sent else None
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
        luma, chroma = tenant.planes
        duration = sent.duration if sent else 0
        time_base = self._track.time_base
        return VideoFrame(pts, duration, time_base, surface.format, luma, chroma, marked, is_key, tenant, ready)


def _explained(error: Exception) -> str:
    """The library's message, with what its most frequent code means."""
    text = first_line(error)
    if re.search(r"error 2\b|out of memory", text, re.IGNORECASE):
        return f"the card's memory is full ({text})"
    return text
