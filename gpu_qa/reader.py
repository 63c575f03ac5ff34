"""Reader: a thread that demuxes and decodes one source into a bounded mailbox.

Demuxing and decoding release the GIL, so this thread runs beside the one that measures. Files wait for room in the
mailbox (back-pressure). A live input cannot wait for long: its segments come in bursts, which may take a moment to
measure, but when that does not keep up, its oldest pictures are dropped and counted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from gpu_qa.decode import open_decoder
from gpu_qa.errors import DecodeError
from gpu_qa.media import Decoded, SkippedFrame

if TYPE_CHECKING:
    from gpu_qa.decode import Decoder, DecodeSettings
    from gpu_qa.media import Packet, Track
    from gpu_qa.sources import Source

MAILBOX_PACKETS = 8
"""Decoded packets that may wait to be measured: some 25 MB of 1080p pictures."""
LIVE_PATIENCE_S = 2.0
"""A live input may wait this long in all for the measuring before pictures are dropped. It has caught up when the
reader waits for the input again."""
_CAUGHT_UP_S = 0.005
"""The reader waits for an input whose next packet takes longer than this."""


class Reader:
    """Reads a source to its end, its failure or its stop.

    Args:
        source: An open source; the caller closes it after `close()`.
        settings: How its tracks are decoded.
    """

    def __init__(self, source: Source, settings: DecodeSettings) -> None:
        self._source = source
        self._settings = settings
        self._live = source.facts.live
        self._mailbox: deque[Decoded] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._ended = False
        self._behind_s = 0.0
        self._thread = threading.Thread(target=self._run, name=f"gpu-qa {source.name}", daemon=True)
        self.error: Exception | None = None
        """Why reading ended before the source's end."""
        self.dropped = 0
        """Pictures that were not measured because they came faster than they could be."""
        self.decoders: dict[int, str] = {}
        """Track index → the decoder's name."""
        self.fallbacks: dict[int, str] = {}
        """Track index → why it is not decoded on the device that would be preferred."""
        self.undecodable: dict[int, str] = {}
        """Track index → why nothing decodes it."""

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    @property
    def ended(self) -> bool:
        """True once nothing more will come."""
        with self._changed:
            return self._ended and not self._mailbox

    def get(self, timeout_s: float) -> Decoded | None:
        """The next decoded packet; null when none came in time or none will come any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._mailbox or self._ended, timeout_s)
            if not self._mailbox:
                return None
            decoded = self._mailbox.popleft()
            self._changed.notify_all()
            return decoded

    def stop(self) -> None:
        """Let the thread end soon; what waits in the mailbox can still be had."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._source.interrupt()

    def close(self) -> None:
        """Stop, and wait for the thread, which a read's own time limit ends at the latest."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        decoders: dict[int, Decoder] = {}
        try:
            asked_s = time.monotonic()
            for packet in self._source.packets():
                if self._stopping:
                    break
                if time.monotonic() - asked_s > _CAUGHT_UP_S:
                    self._behind_s = 0.0
                decoder = self._decoder(decoders, packet.track)
                if not self._put(self._decoded(decoder, packet)):
                    break
                asked_s = time.monotonic()
        except Exception as error:  # noqa: BLE001 - whatever ends this stream is the report's to tell
            if not self._stopping:
                self.error = error
        finally:
            for decoder in decoders.values():
                decoder.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _decoder(self, decoders: dict[int, Decoder], track: Track) -> Decoder | None:
        if track.index in decoders or track.index in self.undecodable:
            return decoders.get(track.index)
        try:
            decoder = decoders[track.index] = open_decoder(track, self._settings)
        except DecodeError as error:
            self.undecodable[track.index] = str(error)
            return None
        self.decoders[track.index] = decoder.name
        if decoder.reason:
            self.fallbacks[track.index] = decoder.reason
        return decoder

    def _decoded(self, decoder: Decoder | None, packet: Packet) -> Decoded:
        if decoder is None:
            decoded = Decoded()
        elif packet.native is None:
            decoded = decoder.drain()
        else:
            decoded = decoder.decode(packet)
        if packet.notes:
            decoded = replace(decoded, notes=(*packet.notes, *decoded.notes))
        return decoded

    def _put(self, decoded: Decoded) -> bool:
        """Hand over; false where the reader is to stop."""
        with self._changed:
            began_s = time.monotonic()
            patience_s = max(0.0, LIVE_PATIENCE_S - self._behind_s) if self._live else None
            if not self._changed.wait_for(lambda: len(self._mailbox) < MAILBOX_PACKETS or self._stopping, patience_s):
                self._drop_oldest_picture()
            self._behind_s += time.monotonic() - began_s
            if self._stopping:
                return False
            self._mailbox.append(decoded)
            self._changed.notify_all()
            return True

    def _drop_oldest_picture(self) -> None:
        """Take the pictures out of the oldest packet that has any; their times, its sound and its notes stay."""
        for i, waiting in enumerate(self._mailbox):
            if waiting.frames:
                self.dropped += len(waiting.frames)
                skipped = tuple(SkippedFrame(frame.pts, frame.duration, frame.time_base) for frame in waiting.frames)
                self._mailbox[i] = Decoded((), waiting.sound, waiting.notes, skipped)
                return
