"""Pool: one stream's share of the slab, in rooms of one picture that come back when the pictures are dropped."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from gpu_qa.errors import DeviceError

if TYPE_CHECKING:
    from gpu_qa.decode.slab import Slab
    from gpu_qa.decode.surface import Surface
    from gpu_qa.media import Plane

MOST_LENT = 16
"""Pictures beyond its own that a stream may have at a time: as many as a decoder that is emptied hands out at once."""
PATIENCE_S = 10.0
"""How long a decoder waits for a picture to be dropped. Who measures takes milliseconds."""


class Room:
    """Where one picture at a time lies in the slab."""

    __slots__ = ("lent", "offset", "planes", "surface")

    def __init__(self, offset: int, *, lent: bool) -> None:
        self.offset = offset
        """Bytes from the slab's start."""
        self.lent = lent
        """It goes back to the slab when its picture is dropped."""
        self.surface: Surface | None = None
        """The layout that `planes` are of."""
        self.planes: Any = None
        """Luma, and both planes of chroma or null, of pictures that lie here: made once."""


class Tenant:
    """A picture's hold on its room, which comes back when the last reference to this is dropped, in any thread."""

    __slots__ = ("_pool", "room")

    def __init__(self, pool: FramePool, room: Room) -> None:
        self._pool = pool
        self.room = room

    @property
    def planes(self) -> tuple[Plane, tuple[Plane, Plane] | None]:
        """Luma and chroma of the picture."""
        return self.room.planes  # type: ignore[no-any-return]

    def __del__(self) -> None:
        self._pool.give(self.room)


class FramePool:
    """Rooms of one size for one stream's pictures, taken in one thread and given back in any."""

    def __init__(self, slab: Slab, offsets: list[int], size: int) -> None:
        """Furnish what `slab.take` gave.

        Args:
            slab: Where the rooms lie.
            offsets: Of the rooms in the slab, in bytes.
            size: Bytes of a room.
        """
        self._slab = slab
        self.size = size
        """Bytes of a room."""
        self.count = len(offsets)
        """Rooms of its own."""
        self._free: SimpleQueue[Room] = SimpleQueue()
        for offset in offsets:
            self._free.put(Room(offset, lent=False))
        self._closed = False
        self._surface: Surface | None = None
        self._tokens: SimpleQueue[None] = SimpleQueue()
        """One for each room that may still be lent."""
        for _ in range(MOST_LENT):
            self._tokens.put(None)

    @property
    def free(self) -> int:
        """Rooms of its own that are empty."""
        return self._free.qsize()

    def furnish(self, surface: Surface) -> None:
        """From now on pictures of this layout move in; they are no larger than a room."""
        self._surface = surface

    def take(self, patience_s: float = PATIENCE_S) -> Tenant:
        """Move a picture in: into a room of the pool's own, else one that the slab lends, else wait for one.

        Raises:
            DeviceError: None comes back in time: the caller holds too many pictures.
        """
        try:
            room = self._free.get_nowait()
        except Empty:
            room = self._borrowed() or self._waited(patience_s)
        surface = self._surface
        if room.surface is not surface and surface is not None:
            room.surface, room.planes = surface, surface.planes(self._slab, room.offset)
        return Tenant(self, room)

    def close(self) -> None:
        """Give back to the slab what is empty, and all else as its pictures are dropped. May be called again."""
        self._closed = True
        self._empty()

    def give(self, room: Room) -> None:
        """A picture has moved out. Takes no lock, for it runs wherever the last reference happens to be dropped."""
        if room.lent:
            self._slab.give(room.offset, self.size)
            self._tokens.put(None)
            return
        self._free.put(room)
        # Looked at after the room was put: whoever closes meanwhile finds it.
        if self._closed:
            self._empty()

    def _borrowed(self) -> Room | None:
        try:
            self._tokens.get_nowait()
        except Empty:
            return None
        offsets = self._slab.take(1, self.size)
        if offsets is None:
            self._tokens.put(None)
            return None
        return Room(offsets[0], lent=True)

    def _waited(self, patience_s: float) -> Room:
        try:
            return self._free.get(timeout=patience_s)
        except Empty:
            raise DeviceError(
                f"all {self.count} pictures of the device pool are still held after {patience_s:g} s; "
                "let go of pictures sooner or raise decode.pool_frames"
            ) from None

    def _empty(self) -> None:
        while True:
            try:
                room = self._free.get_nowait()
            except Empty:
                return
            self._slab.give(room.offset, self.size)
