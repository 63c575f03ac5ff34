"""Device memory: how much a stream takes, and who is let in.

A stream's pictures lie in the slab, which is set aside once per card. What NVDEC needs besides lies outside of it and
is estimated, until the card's free memory tells better. A stream that does not fit is refused before anything of it is
allocated: an allocation that fails inside the driver would cost the others as well.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gpu_qa.decode.pool import FramePool
from gpu_qa.decode.rates import card_named, streams_per_card
from gpu_qa.decode.slab import Slab, aligned
from gpu_qa.errors import AdmissionError

if TYPE_CHECKING:
    from gpu_qa.decode import DecodeSettings
    from gpu_qa.decode.card import Card
    from gpu_qa.decode.headers import Header

__all__ = ["DeviceMemory", "Need", "Place", "dpb_pictures", "planned_slab", "stream_need"]

SESSION_BYTES = 32 << 20
"""What a decoder takes beside its pictures: bit stream buffers and working memory of the driver. A guess, on the safe
side; the card's free memory corrects it."""
SPARE_BYTES = 512 << 20
"""Left alone on the card: kernels, the results of measuring, up to 150 MB for windows whose sound and picture are
compared, and what the driver takes later."""
_QUEUED = 12
"""Pictures of a stream at a time: 8 packets in its mailbox, the one before, one being copied, two being measured."""
_H264_BLOCKS = ((32_768, 8_192), (184_320, 36_864))
"""MaxDpbMbs and MaxFS of levels 4.1 and 5.1 (ITU-T H.264, table A-1): what streams of such sizes are made for."""
_DPB = {"hevc": 6, "vp9": 8, "av1": 8, "vp8": 3, "mpeg2video": 2, "mpeg1video": 2}
"""Reference pictures: maxDpbPicBuf (ITU-T H.265, A.4.2), the reference slots of VP9, AV1 and VP8, two in MPEG."""
_SCALE = (0.5, 4.0)
"""Bounds of what measuring may make of the estimate."""
_TELLING = 4
"""Decoders that must run before what they take is measured."""


@dataclass(frozen=True, slots=True)
class Need:
    """Device memory of one stream."""

    picture_bytes: int
    """Of one picture in the slab."""
    pictures: int
    """In the slab."""
    surface_bytes: int
    """Of NVDEC's own, estimated."""
    load: float = 0.0
    """Share of the card's NVDEC that it takes in real time."""

    @property
    def pool_bytes(self) -> int:
        """Of all pictures in the slab."""
        return self.picture_bytes * self.pictures

    @property
    def bytes(self) -> int:
        """All of it."""
        return self.pool_bytes + self.surface_bytes

    def with_pictures_of(self, size: int) -> Need:
        """The same for pictures of so many bytes."""
        return replace(self, picture_bytes=aligned(size))


def dpb_pictures(codec: str, width: int, height: int) -> int:
    """Decoded pictures that a codec keeps to refer to, at the level that is usual for pictures of such a size."""
    if codec != "h264":
        return _DPB.get(codec, 16)
    blocks = -(-width // 16) * -(-height // 16)
    room = next((dpb for dpb, largest in _H264_BLOCKS if blocks <= largest), _H264_BLOCKS[-1][0])
    return max(1, min(16, room // blocks))


def stream_need(codec: str, header: Header, pool_frames: int = 0) -> Need:
    """Memory of a stream, by its codec and its pictures.

    NVDEC's own: the reference pictures, one that is being decoded, one that waits to be shown, two that are handed out,
    and as many copies as the library keeps for its caller when it is emptied. At 1080p H.264 that makes the 38 MB that
    decoders of PyNvVideoCodec 2.2.4 were seen to ask for.

    Args:
        codec: libavcodec's name.
        header: Size, subsampling and depth of the pictures.
        pool_frames: Pictures in the slab; 0 chooses by the codec.
    """
    # NVDEC makes NV12 of grey, and rows of even width.
    rows = header.height * header.chroma if header.chroma > 1 else header.height + -(-header.height // 2)
    picture = aligned((header.width + header.width % 2) * rows * (1 if header.bit_depth == 8 else 2))
    dpb = dpb_pictures(codec, header.width, header.height)
    return Need(picture, pool_frames or max(_QUEUED, dpb + 4), (2 * dpb + 4) * picture + SESSION_BYTES)


def planned_slab(free: int, card_name: str, settings: DecodeSettings) -> int:
    """Bytes to set aside for pictures on a card with `free` bytes.

    Pictures get the share that they have of a 1080p stream's memory; NVDEC's surfaces must fit beside them. It is no
    more than so many 10-bit streams as the card decodes at 25 pictures per second need, nor than `planned_streams` of
    2160p would.
    """
    if settings.slab_mib:
        return settings.slab_mib << 20
    usual, large = (
        stream_need("hevc", header, settings.pool_frames)
        for header in (_header(1920, 1080, bit_depth=10), _header(3840, 2160, bit_depth=10))
    )
    limits = [int(max(0, free - SPARE_BYTES) * usual.pool_bytes / usual.bytes)]
    card = card_named(card_name)
    if card is not None:
        decoded = streams_per_card(card, "hevc", frame_rate=25.0, bit_depth=10)
        limits.append(min(decoded, settings.max_sessions) * usual.pool_bytes)
    if settings.planned_streams:
        # A change of format holds the old pictures until they are measured.
        limits.append((settings.planned_streams + 1) * large.pool_bytes)
    return aligned(min(limits))


class Place:
    """A stream's place on a card: memory for its pictures and the leave to make a decoder."""

    def __init__(self, memory: DeviceMemory, need: Need, pool: FramePool) -> None:
        self._memory = memory
        self.need = need
        """What was planned for."""
        self.pool = pool
        """Where its pictures go."""

    def settle(self) -> None:
        """The decoder runs: what it takes is seen in the card's free memory."""
        self._memory.settle(self)

    def leave(self) -> None:
        """Give the place up; pictures that are still held stay valid. May be called again."""
        self.pool.close()
        self._memory.leave(self)


class DeviceMemory:
    """One card's memory and the streams that share it. Any thread may use it."""

    def __init__(self, card: Card, settings: DecodeSettings) -> None:
        """Set the slab aside.

        Args:
            card: The card.
            settings: Sizes and limits; those of the first stream decide.

        Raises:
            AdmissionError: The card's memory is full.
        """
        self._card = card
        self._most = settings.max_sessions
        self._most_load = settings.max_load
        self._lock = threading.Lock()
        self._places: dict[Place, bool] = {}
        """Who is there → whether its decoder runs."""
        free = card.free_bytes()
        size = planned_slab(free, card.name, settings)
        if size < aligned(1) or size > free:
            raise AdmissionError(
                f"{card.title} has no room for pictures: {_mib(size or SPARE_BYTES)} are to be set aside, "
                f"{_mib(free)} are free"
            )
        self.slab = Slab(card.memory(size))
        """Where all pictures lie."""
        self._idle = card.free_bytes()
        """Bytes free beside the slab before any stream came."""
        self._scale = 1.0
        """What decoders really take beside the estimate."""

    @property
    def streams(self) -> int:
        """How many are there."""
        return len(self._places)

    def reserve(self, need: Need) -> Place:
        """Let a stream in.

        Raises:
            AdmissionError: There is no room for it; nothing has changed.
        """
        with self._lock:
            if len(self._places) >= self._most:
                raise AdmissionError(
                    f"{len(self._places)} decoders run on {self._card.title}, and decode.max_sessions allows no more; "
                    "for more than about 200 NVIDIA asks for settings of its kernel module"
                )
            load = sum(place.need.load for place in self._places)
            if load + need.load > self._most_load:
                raise AdmissionError(
                    f"NVDEC of {self._card.title} is taken: this stream needs {need.load:.1%} of it in real time, the"
                    f" {len(self._places)} that are there need {load:.1%}, and decode.max_load is {self._most_load:.0%}"
                )
            own = int(need.surface_bytes * self._scale)
            left = self._left()
            if own > left:
                raise AdmissionError(
                    f"{self._card.title} has no room for another decoder: it needs {_mib(own)} beside its pictures, "
                    f"{_mib(left)} are free; {self._others()}"
                )
            offsets = self.slab.take(need.pictures, need.picture_bytes)
            if offsets is None:
                raise AdmissionError(
                    f"{self._card.title} has no room for another stream's pictures: {need.pictures} need "
                    f"{_mib(need.pool_bytes)}, {_mib(self.slab.free)} of {_mib(self.slab.size)} are free; "
                    f"{self._others()} (decode.slab_mib, decode.pool_frames)"
                )
            place = Place(self, need, FramePool(self.slab, offsets, need.picture_bytes))
            self._places[place] = False
            return place

    def settle(self, place: Place) -> None:
        """A place's decoder runs; where all do, what they take tells how far the estimate was off."""
        with self._lock:
            if self._places.get(place) is not False:
                return
            self._places[place] = True
            if len(self._places) < _TELLING or not all(self._places.values()):
                return
            taken = self._idle - self._card.free_bytes()
            planned = sum(one.need.surface_bytes for one in self._places)
            self._scale = max(_SCALE[0], min(_SCALE[1], taken / planned))

    def leave(self, place: Place) -> None:
        """A stream has gone."""
        with self._lock:
            self._places.pop(place, None)

    def _left(self) -> int:
        """Bytes outside the slab that nobody has or was promised."""
        promised = sum(one.need.surface_bytes for one, runs in self._places.items() if not runs)
        return max(0, self._card.free_bytes() - SPARE_BYTES - int(promised * self._scale))

    def _others(self) -> str:
        count = len(self._places)
        return f"{count} stream{'s hold' if count != 1 else ' holds'} the rest" if count else "no other stream is there"


_memories: weakref.WeakValueDictionary[int, DeviceMemory] = weakref.WeakValueDictionary()
_opening = threading.Lock()


def device_memory(card: Card, settings: DecodeSettings) -> DeviceMemory:
    """The memory of a card, which all streams of the process share; it is given back when the last one has gone.

    Raises:
        AdmissionError: The card's memory is full.
    """
    with _opening:
        found = _memories.get(card.number)
        if found is None:
            found = _memories[card.number] = DeviceMemory(card, settings)
        return found


def _header(width: int, height: int, *, bit_depth: int) -> Any:
    from gpu_qa.decode.headers import Header

    return Header(width, height, 1, bit_depth)


def _mib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB" if size >= 10 << 30 else f"{size / (1 << 20):.0f} MiB"
