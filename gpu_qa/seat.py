"""Seat: a stream that runs, with the reader that feeds it."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpu_qa.errors import GpuQaError
from gpu_qa.stream import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gpu_qa.features import MeasuredPicture
    from gpu_qa.reader import Delivery, Reader
    from gpu_qa.series import Event
    from gpu_qa.stream import StreamAnalysis

TICK_S = 0.25
"""How often inputs that deliver nothing are looked at."""
QUIET_S = 1.0
"""A live input that delivers nothing for this long is noted; whether that is a stall, its detector judges."""


@dataclass(slots=True, eq=False)
class Seat:
    """A stream with the reader that feeds it. Belongs to the engine's thread."""

    stream: StreamAnalysis
    reader: Reader
    guessed_name: str | None
    """What it was thought to be called before its input was open; null where its name was given."""
    queues: bool
    """It is a file and takes one of their places."""
    leaving: bool = False
    """It is to end soon, with what is known."""
    delivered_s: float = 0.0
    """When it last had something, by the monotonic clock."""
    looked_s: float = 0.0
    """When it was last looked after though it had nothing."""

    def is_due(self, now_s: float) -> bool:
        """Whether there may be something to do though nothing was delivered."""
        return not self.stream.begun or self.reader.is_done or now_s - max(self.delivered_s, self.looked_s) >= TICK_S

    @property
    def waits(self) -> bool:
        """Whether its stream waits for another one, and nothing is to be taken of it yet."""
        return not self.leaving and self.stream.waits(ended=self.reader.ended)

    def judge(
        self,
        deliveries: Sequence[Delivery],
        measured: Mapping[int, Sequence[MeasuredPicture] | Exception],
        renamed: Callable[[str, str], str],
    ) -> Iterator[Event]:
        """Judge what the reader delivered. A fault of ours ends this stream and no other.

        Args:
            deliveries: In their order; none where the reader had nothing.
            measured: By `id` of a delivery, the measures of its pictures that lie on a card, or why there are none.
            renamed: Gives the stream's old name up and makes one of the new that no other stream has.
        """
        stream, reader = self.stream, self.reader
        try:
            if not stream.begun and reader.facts is not None:
                known = reader.name or stream.name
                keeps = self.guessed_name in (None, known)
                stream.begin(reader.facts, None if keeps else renamed(stream.name, known))
                self.delivered_s = time.monotonic()
            # Asked before what it has delivered is judged: nothing comes after that.
            ended = reader.ended
            self.note_reading()
            for delivery in deliveries:
                pictures = delivery.pictures
                if delivery.frames:
                    on_card = measured[id(delivery)]
                    if isinstance(on_card, Exception):
                        raise on_card
                    memory: Any = delivery.frames[0].luma.data
                    stream.lies_on(memory.device)
                    pictures = (*pictures, *on_card)
                yield from stream.take(pictures, delivery.sounds, delivery.notes)
                if stream.satisfied:
                    yield from stream.finish()
                    return
            if deliveries:
                self.delivered_s = time.monotonic()
            if ended:
                yield from self._finish()
            elif not deliveries:
                yield from self._look_after()
        except Exception as error:  # noqa: BLE001 - what was found until then is worth more than why it ends
            # Closing its events may meet the same fault; the stream has ended all the same, and the others go on.
            with suppress(Exception):
                yield from stream.fail(error)

    def note_reading(self) -> None:
        """Let the stream know how its reading goes."""
        reader = self.reader
        self.stream.reading = Reading(
            reader.dropped,
            tuple(reader.decoders.values()),
            tuple(reader.fallbacks.values()),
            tuple(reader.undecodable.items()),
            reader.behind_s,
            reader.began_s,
        )

    def _finish(self) -> Iterator[Event]:
        error = self.reader.error
        if error is not None and not isinstance(error, GpuQaError):
            yield from self.stream.flush(self.reader.rest(ended=True))
            yield from self.stream.fail(error)
        else:
            rest = self.reader.rest(ended=True)
            yield from self.stream.finish(None if error is None else str(error), rest=rest, stopped=self.leaving)

    def _look_after(self) -> Iterator[Event]:
        """It has nothing for us: judge what there is, and tell when it has been silent for too long."""
        now_s = time.monotonic()
        if not self.stream.begun or now_s - max(self.delivered_s, self.looked_s) < TICK_S:
            return
        self.looked_s = now_s
        facts = self.reader.facts
        silent = facts is not None and facts.live and now_s - self.delivered_s >= QUIET_S
        # The engine may have been kept by others all that time, and something lie there by now.
        if silent and not self.reader.has_more:
            yield from self.stream.quiet(now_s - self.delivered_s)
        yield from self.stream.flush(self.reader.rest())
