"""Reader: a thread that opens one input, demuxes, decodes and measures, into a bounded mailbox.

Demuxing, decoding and measuring release the GIL, so the readers of many streams run beside one another and beside the
engine, which judges. Sound, and a picture in host memory, is measured right where it was decoded, still in the cache,
and let go; a picture on a card goes on to the engine, which measures those of all streams together. Where a file has
the machine to itself, a second thread demuxes and decodes ahead of the measuring.

Files wait for room in the mailbox (back-pressure). A live input cannot wait for long: when this machine does not keep
up with it, pictures are left out and counted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpu_qa.ahead import ahead
from gpu_qa.decode import open_decoder
from gpu_qa.errors import DecodeError
from gpu_qa.features import HostPictures, is_on_device, prepare
from gpu_qa.features.picture import ROWS_OF_FILES, ROWS_PER_BLOCK
from gpu_qa.media import Decoded, SkippedFrame
from gpu_qa.overload import LIVE_PATIENCE_S, Overload, Turn, overload_note

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from gpu_qa.decode import Decoder, DecodeSettings
    from gpu_qa.features import Heard, HostSound, MeasuredPicture, MeasuredSound
    from gpu_qa.media import AudioSamples, MediaFacts, Note, Packet, Track, VideoFrame
    from gpu_qa.sources import Source

MAILBOX_PACKETS = 8
"""Decoded packets that may wait for the engine: some 2 MB of measures, or 25 MB of 1080p pictures on a card."""
MOST_PACKETS = 1024
"""Packets of a live input that may wait when nobody takes any: without their pictures, some 10 s of sound, 1 MB. Then a
live input waits as well, for memory is not without end."""
_FILLING = MAILBOX_PACKETS // 2
"""Packets in the mailbox from which on the engine is called; fewer wait for its next tick."""
_AHEAD_PACKETS = 8
"""Decoded packets that may wait for their measuring where a file has the machine to itself; with 4 of them the
decoder's threads still ran dry now and then, 12 were no faster."""
_AHEAD_BYTES = 32_000_000
"""What their pictures may take of memory, unless a single one takes more."""
_DECODE = Turn(decode=True)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one packet became."""

    pictures: tuple[MeasuredPicture | SkippedFrame, ...]
    """Measured, or left out."""
    frames: tuple[VideoFrame, ...]
    """Pictures on a card, which come after `pictures` and are yet to be measured."""
    sounds: tuple[AudioSamples | MeasuredSound, ...]
    """Measured, or as they were decoded."""
    notes: tuple[Note, ...]
    ready_s: float
    """When it was handed over, by the monotonic clock."""


@dataclass(frozen=True, slots=True)
class _Step:
    """A packet that was read and decoded, its pictures and its sound yet to be measured."""

    turn: Turn
    decoded: Decoded
    notes: tuple[Note, ...]


class Reader:
    """Reads an input to its end, its failure or its stop.

    Args:
        open_input: Opens it; called in the reader's thread, for opening may take long.
        settings: How its tracks are decoded.
        on_delivery: Called in the reader's thread when the mailbox fills, or nothing more will come. What fills it
            slowly is to be looked for every now and then.
        sound: Measures the sound; null leaves that to whoever takes it.
        motion: Whether the motion of tiles is wanted of the pictures.
    """

    def __init__(
        self,
        open_input: Callable[[], Source],
        settings: DecodeSettings,
        on_delivery: Callable[[], None] = lambda: None,
        sound: HostSound | None = None,
        *,
        motion: bool = False,
    ) -> None:
        self._open_input = open_input
        self._settings = settings
        self._on_delivery = on_delivery
        self._sound = sound
        self._motion = motion
        self._handing = False
        """Sound was measured, or is being measured, that is not in the mailbox; what is left of it comes after that."""
        self._source: Source | None = None
        self._mailbox: deque[Delivery] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._ended = False
        self._live = False
        self._overload = Overload()
        self._thread = threading.Thread(target=self._run, name="gpu-qa reader", daemon=True)
        self.name: str | None = None
        """The input's, once it is open."""
        self.facts: MediaFacts | None = None
        """What the input says of itself, once it is open."""
        self.error: Exception | None = None
        """Why reading ended before the source's end."""
        self.began_s: float | None = None
        """When its first packet came, by the monotonic clock."""
        self.dropped = 0
        """Pictures that were left out because they came faster than this machine analyzes them."""
        self.decoders: dict[int, str] = {}
        """Track index → the decoder's name."""
        self.fallbacks: dict[int, str] = {}
        """Track index → why it is not decoded on the device that would be preferred."""
        self.undecodable: dict[int, str] = {}
        """Track index → why nothing decodes it."""

    def start(self) -> None:
        """Begin to open and read."""
        try:
            self._thread.start()
        except RuntimeError as error:
            # The system gives no more threads: this input cannot be read, the others go on.
            self.error, self._ended = error, True
            self._on_delivery()

    @property
    def ended(self) -> bool:
        """True once nothing more will come."""
        with self._changed:
            return self._ended and not self._mailbox

    @property
    def finished(self) -> bool:
        """True once its thread has nothing more to do."""
        return not self._thread.is_alive()

    @property
    def behind_s(self) -> float | None:
        """How far the reading is behind a live input; null for others, which wait."""
        return self._overload.behind_s if self._live else None

    @property
    def is_done(self) -> bool:
        """True once nothing more will be put into the mailbox."""
        return self._ended

    @property
    def has_more(self) -> bool:
        """True where something lies in the mailbox."""
        return bool(self._mailbox)

    def take(self, most: int = MAILBOX_PACKETS) -> list[Delivery]:
        """What lies in the mailbox, oldest first; at most so many. Does not wait."""
        if not self._mailbox:
            return []
        with self._changed:
            taken = [self._mailbox.popleft() for _ in range(min(most, len(self._mailbox)))]
            self._changed.notify_all()
            return taken

    def rest(self, *, ended: bool = False) -> tuple[Heard, ...]:
        """Sound that is not a series of full length; none where deliveries are yet to be taken, which come before it.

        Args:
            ended: Nothing follows.
        """
        with self._changed:
            if self._sound is None or self._handing or self._mailbox:
                return ()
            return self._sound.rest(ended=ended)

    def stop(self) -> None:
        """Let the thread end soon; what waits in the mailbox can still be had. From any thread."""
        with self._changed:
            self._stopping = True
            # It may wait for room in the mailbox, which perhaps nobody empties any more.
            self._changed.notify_all()
        source = self._source
        if source is not None:
            source.interrupt()

    def abandon(self) -> None:
        """Stop; nobody takes any more, so what waits is let go. From any thread."""
        self.stop()
        with self._changed:
            self._mailbox.clear()

    def close(self) -> None:
        """Stop, and wait for the thread, which a read's own time limit ends at the latest.

        A thread that is still opening its input is left to itself: it closes what it has opened when it is done.
        """
        self.stop()
        with self._changed:
            opening = self._source is None and not self._ended
            self._ended = self._ended or opening
        if self._thread.is_alive() and not opening:
            self._thread.join()

    def _run(self) -> None:
        try:
            self._read()
        except Exception as error:  # noqa: BLE001 - whatever ends this stream is the report's to tell
            if not self._stopping or self._source is None:
                self.error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            self._on_delivery()

    def _read(self) -> None:
        prepare(sync=self._motion)
        with self._open_input() as source:
            with self._changed:
                if self._ended:
                    return
                self._source = source
            self.name, self._live = source.name, source.facts.live
            self.facts = source.facts
            self._on_delivery()
            if not self._stopping:
                self._read_packets(source)

    def _read_packets(self, source: Source) -> None:
        host = HostPictures(motion=self._motion, rows=ROWS_PER_BLOCK if self._live else ROWS_OF_FILES)
        steps = self._steps(source)
        # Decoding has as many threads as it likes, and nobody else wants the cores.
        if not self._live and not self._settings.threads:
            steps = ahead(steps, _share)
        with closing(steps):
            for step in steps:
                if self._stopping:
                    break
                turn, decoded = step.turn, step.decoded
                sounds = self._measured_sound(decoded)
                measured = tuple(host.measure(frame) for frame in decoded.frames if not is_on_device(frame))
                frames = tuple(frame for frame in decoded.frames if is_on_device(frame))
                if turn.begins:
                    # What was inside the decoder still follows on the picture before; what comes next does not.
                    host.skip()
                pictures: tuple[MeasuredPicture | SkippedFrame, ...] = (*turn.left_out, *measured)
                if not self._put(Delivery(pictures, frames, sounds, step.notes, time.monotonic())):
                    break

    def _steps(self, source: Source) -> Generator[_Step]:
        decoders: dict[int, Decoder] = {}
        try:
            asked_s = time.monotonic()
            for packet in source.packets():
                if self._stopping:
                    break
                read_s = time.monotonic()
                if self.began_s is None:
                    self.began_s = read_s
                turn = self._overload.next(packet, read_s - asked_s, read_s) if self._live else _DECODE
                self.dropped += len(turn.left_out)
                decoded = self._decoded(self._decoder(decoders, packet.track), packet, turn)
                yield _Step(turn, decoded, (*packet.notes, *decoded.notes, *turn.notes))
                asked_s = time.monotonic()
        finally:
            for decoder in decoders.values():
                decoder.close()

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

    def _decoded(self, decoder: Decoder | None, packet: Packet, turn: Turn) -> Decoded:
        if decoder is None:
            return Decoded()
        if packet.native is None or turn.begins:
            return decoder.drain()
        return decoder.decode(packet) if turn.decode else Decoded()

    def _measured_sound(self, decoded: Decoded) -> tuple[AudioSamples | MeasuredSound, ...]:
        """The sound, measured where that is ours; until it is handed over, nobody else measures what is left of it."""
        if self._sound is None or not decoded.sound:
            return decoded.sound
        with self._changed:
            self._handing = True
        return tuple(self._sound.measure(one) for one in decoded.sound)

    def _put(self, delivery: Delivery) -> bool:
        """Hand over; false where the reader is to stop."""
        with self._changed:
            patience_s = max(0.0, LIVE_PATIENCE_S - self._overload.behind_s) if self._live else None
            if not self._changed.wait_for(lambda: len(self._mailbox) < MAILBOX_PACKETS or self._stopping, patience_s):
                self._drop_oldest()
            self._changed.wait_for(lambda: len(self._mailbox) < MOST_PACKETS or self._stopping)
            if self._stopping:
                return False
            self._mailbox.append(delivery)
            self._handing = False
            filling = len(self._mailbox) >= _FILLING
        if filling:
            self._on_delivery()
        return True

    def _drop_oldest(self) -> None:
        """Take the pictures out of the oldest packet that has any; their times, its sound and its notes stay."""
        for i, waiting in enumerate(self._mailbox):
            shown = (*waiting.pictures, *waiting.frames)
            skipped = tuple(SkippedFrame(one.pts, one.duration, one.time_base) for one in shown)
            lost = sum(not isinstance(one, SkippedFrame) for one in shown)
            if not lost:
                continue
            self.dropped += lost
            note = overload_note(skipped[-1].pts, skipped[-1].time_base, lost, self._overload.behind_s)
            self._mailbox[i] = Delivery(skipped, (), waiting.sounds, (*waiting.notes, note), waiting.ready_s)
            return


def _share(step: _Step) -> float:
    """The share of the room for decoded packets; one with pictures on a card, whose memory is scarce, takes all."""
    frames = step.decoded.frames
    if any(is_on_device(frame) for frame in frames):
        return 1.0
    bytes_ = sum(int(plane.data.nbytes) for frame in frames for plane in (frame.luma, *(frame.chroma or ())))
    return max(1 / _AHEAD_PACKETS, bytes_ / _AHEAD_BYTES)
