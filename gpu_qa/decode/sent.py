"""Sent packets: what is inside a decoder that hands out pictures late, out of order, and says nothing of losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gpu_qa.decode.notes import KEYLESS_PICTURES, Rarity

if TYPE_CHECKING:
    from collections.abc import Iterator

_REMEMBERED = 256
"""Packets remembered until their pictures come out."""
_OVERTAKING = 32
"""Packets by which one may be overtaken: 16 pictures, the most that H.264 and HEVC reorder, of two fields each."""


class Sent(NamedTuple):
    """A packet inside the decoder."""

    pts: int | None
    duration: int
    is_key: bool
    marked: bool
    """The demuxer says that it is damaged, and that is worth hearing."""
    leading: bool = False
    """Shown before the key frame that decoding began with, and hence without its references."""


class SentPackets:
    """The packets of one track by number, from when they are fed until their pictures have come out."""

    def __init__(self) -> None:
        self._sent: dict[int, Sent | None] = {}
        """By number; null once the picture has come out, until the packets before it are settled."""
        self._losses = Rarity()
        self.number = 0
        """Of the next packet."""
        self.waiting = True
        """For a key frame, to begin with."""
        self._skipped = 0
        self._first_pts: int | None = None
        """Time of the key frame that decoding began with, while pictures may follow that are shown before it."""
        self._first_number = 0

    def begins(self, native: Any) -> bool:
        """Whether decoding can start here: NVDEC would show pictures whose references are missing."""
        if not native.is_keyframe and self._skipped < KEYLESS_PICTURES:
            self._skipped += 1
            return False
        self.waiting = False
        self._first_pts = native.pts if native.is_keyframe else None
        self._first_number = self.number
        return True

    def leads(self, native: Any) -> bool:
        """Whether the packet's picture is shown before the key frame that decoding began with.

        Such come at once behind it, so times are only compared until one follows that is shown well after it: on a
        clock that jumps back, all later ones would seem to be before it.
        """
        first, pts = self._first_pts, native.pts
        if first is None or self.number == self._first_number:
            return False
        # Within a picture's duration it may be the second field of the key frame.
        after = pts is not None and 0 < (native.duration or 0) < pts - first
        if native.is_keyframe or after or self.number > self._first_number + _OVERTAKING:
            self._first_pts = None
            return False
        return pts is not None and pts < first

    def enter(self, sent: Sent) -> int:
        """A packet is fed; its number."""
        if len(self._sent) >= _REMEMBERED:
            del self._sent[next(iter(self._sent))]
        self._sent[self.number] = sent
        self.number += 1
        return self.number - 1

    def withdraw(self) -> None:
        """The last packet did not get in."""
        self._sent.pop(self.number - 1, None)

    def shown(self, number: int) -> Sent | None:
        """The picture of a packet has come out; null where the packet is not known. A leading one is forgotten."""
        sent = self._sent.get(number)
        if sent is None:
            return None
        if sent.leading:
            del self._sent[number]
            return sent
        self._sent[number] = None
        if not sent.is_key:
            # What is shown before the first key frame would have come out by now.
            self._first_pts = None
        return sent

    def overtaken(self, number: int) -> Iterator[Sent]:
        """Packets so far before number `number`, whose picture has come, that theirs are lost."""
        return self.settled(number - _OVERTAKING)

    def settled(self, end: int | None = None) -> Iterator[Sent]:
        """Forget packets in the order they were fed; of those before number `end`, give which made no picture.

        The order alone decides, since times jump. Many are no loss: of field pictures only the first of two packets
        gives one.
        """
        for number, sent in list(self._sent.items()):
            if sent is not None and end is not None and number >= end:
                return
            del self._sent[number]
            if sent is not None and sent.leading:
                continue
            if self._losses.heard(sent is not None) and sent is not None:
                yield sent

    def latest(self) -> Sent | None:
        """The last packet whose picture has not come out."""
        return next((one for one in reversed(self._sent.values()) if one), None)

    def wait(self) -> None:
        """Begin anew with the next key frame."""
        self.waiting = True
        self._skipped = 0

    def forget(self) -> None:
        """Forget what was sent, and wait."""
        self._sent.clear()
        self.wait()
