"""Pipeline: joins the stages for any number of streams in one process.

A reader thread per stream opens, demuxes, decodes and, in host memory, measures. The caller's thread is the engine: it
takes what the readers have ready, a tick, measures the pictures that lie on a card in one launch for all streams,
judges, and tells. Streams share nothing but that thread and the card's memory.
"""

from __future__ import annotations

import math
import os
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa.config import Settings
from gpu_qa.errors import AdmissionError
from gpu_qa.features import HostSound
from gpu_qa.media import SkippedFrame
from gpu_qa.on_card import OnCard
from gpu_qa.reader import MAILBOX_PACKETS, Reader
from gpu_qa.seat import Seat
from gpu_qa.sources import open_source
from gpu_qa.sources.address import STDIN, without_credentials
from gpu_qa.stream import StreamAnalysis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from gpu_qa.reader import Delivery
    from gpu_qa.series import Event

__all__ = ["Engine", "EngineLoad", "EngineSettings", "Update", "waits_its_turn"]

GATHER_S = 0.02
"""How long what the readers deliver is gathered, unless a mailbox fills sooner: waking up for each packet of twenty
streams cost more than judging them."""
_LAGS = 2000
"""Deliveries of live inputs, the newest, whose lag is remembered."""
_LAG_S = 10.0
"""For how long a lag counts."""
_STOPPED = "stopped before anything was known"


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How many streams run at once."""

    files_at_once: int = 0
    """Files that are analyzed at the same time, the others wait for their turn; 0 is one per processor core. Live
    inputs wait for nobody."""
    max_streams: int = 0
    """Streams that may run at the same time; beyond them a live input is refused, and a file waits. 0 is no limit."""
    max_lag_s: float = 1.0
    """While what was decoded waits longer than this for its judgement (99th percentile), or a live input is read later
    than this, a further live input is refused: this machine has no headroom for it."""

    def __post_init__(self) -> None:
        if self.files_at_once < 0 or self.max_streams < 0:
            raise ValueError("files_at_once and max_streams must be 0 or more")
        if not self.max_lag_s > 0:
            raise ValueError("max_lag_s must be more than 0 seconds")


class Update(NamedTuple):
    """Something has become known of a stream."""

    stream: StreamAnalysis
    event: Event | None
    """An event that opened, grew or closed; null: the stream has ended and its report is complete."""


class _Unseated(NamedTuple):
    """A stream that has not begun."""

    stream: StreamAnalysis
    seat: Callable[[int], Seat]
    """Gives it a decoder of so many threads."""
    reference: StreamAnalysis | None
    """Begins no later than this one."""


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """What the engine carries and how well."""

    streams: int
    """Running."""
    waiting: int
    """Files that wait for their turn."""
    frames: int
    """Pictures judged, of all streams since the start."""
    frames_dropped: int
    """Pictures left out because they came faster than this machine analyzes them."""
    ticks: int
    """Turns of the engine that found something to do."""
    lag_p50_s: float | None
    """How long what was decoded waited for its judgement, median over live inputs and the last 10 s; null without."""
    lag_p99_s: float | None
    """The 99th percentile of the same."""
    behind_s: float
    """How far the reading of the live input that is worst off is behind; 0 without one."""


class Engine:
    """Analyzes many inputs at once. Iterate it for what becomes known; that thread is the engine.

    Streams join with `add` and leave with `remove`, from any thread, also while it runs. The iteration ends when all
    streams have.
    """

    def __init__(self, settings: EngineSettings = EngineSettings()) -> None:
        self._settings = settings
        self._cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.files_at_once = settings.files_at_once or self._cores
        """Files that are analyzed at the same time."""
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._waiting: deque[_Unseated] = deque()
        self._joining: deque[_Unseated] = deque()
        """Live inputs and others that wait for no place."""
        self._seats: list[Seat] = []
        self._leaving: set[StreamAnalysis] = set()
        self._left: list[Reader] = []
        """Of streams that have ended, until their threads have, too."""
        self._names: set[str] = set()
        self._on_card = OnCard()
        self._lags_s: deque[tuple[float, float]] = deque(maxlen=_LAGS)
        """When, and how long it was."""
        self._frames = self._dropped = self._ticks = 0
        self._stopping = self._running = self._over = False

    def add(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        settings: Settings | None = None,
        *,
        name: str | None = None,
        duration_s: float | None = None,
        reference: StreamAnalysis | None = None,
    ) -> StreamAnalysis:
        """Have a stream analyzed.

        Args:
            source: Path, URL, `-` for standard input, or a binary file object.
            settings: How it is opened, decoded and judged; null takes the defaults.
            name: What it is called in events and reports; null takes its address. One in use gets a number.
            duration_s: Stop after this much of the stream; null goes on to its end.
            reference: A stream of this engine, the same programme earlier in the chain, which it is laid over to find
                its A/V offset. Of two files neither is read far ahead of the other, and this one begins with the other.

        Raises:
            AdmissionError: This machine has no room for another live input.
            ConfigError: The settings name weights that cannot be read.
            RuntimeError: The engine has ended: the streams it had were its last.
        """
        settings = settings if settings is not None else Settings()
        queues = waits_its_turn(source, settings)
        wanted = name if name is not None else _name_of(source)
        with self._lock:
            if self._over:
                raise RuntimeError("the engine has ended; make a new one")
            if not queues:
                self._admit(wanted)
            queues = queues and reference is None
            unused = self._unused(wanted)
            try:
                stream = StreamAnalysis(unused, settings, duration_s=duration_s, reference=reference)
            except Exception:
                self._names.discard(unused)
                raise

            def seat(threads: int) -> Seat:
                decode = settings.decode if settings.decode.threads else replace(settings.decode, threads=threads)
                # What ends within a series has no rest elsewhere: its sound is measured as it is judged.
                sound = None if stream.ends_early else HostSound(spectra=stream.wants_spectra, speech=stream.wants_sync)
                reader = Reader(
                    lambda: open_source(source, settings.source),
                    decode,
                    self._wake.set,
                    sound,
                    motion=stream.wants_sync,
                )
                return Seat(stream, reader, None if name is not None else wanted, queues)

            (self._waiting if queues else self._joining).append(_Unseated(stream, seat, reference))
        self._wake.set()
        return stream

    def remove(self, stream: StreamAnalysis) -> None:
        """End a stream soon, with what is known of it; the others go on. From any thread."""
        with self._lock:
            self._leaving.add(stream)
        self._wake.set()

    def stop(self) -> None:
        """End all streams soon, with what is known. May be called from any thread or a signal handler."""
        # No lock is taken, and so nobody woken: a signal handler interrupts whoever may hold it.
        self._stopping = True

    @property
    def load(self) -> EngineLoad:
        """How much it carries; may be read from any thread."""
        now_s = time.monotonic()
        lags_s = [lag_s for at_s, lag_s in tuple(self._lags_s) if now_s - at_s <= _LAG_S]
        p50_s, p99_s = np.percentile(lags_s, [50, 99]) if lags_s else (None, None)
        seats = tuple(self._seats)
        return EngineLoad(
            streams=len(seats) + len(self._joining),
            waiting=len(self._waiting),
            frames=self._frames,
            frames_dropped=self._dropped + sum(seat.reader.dropped for seat in seats),
            ticks=self._ticks,
            lag_p50_s=None if p50_s is None else round(float(p50_s), 4),
            lag_p99_s=None if p99_s is None else round(float(p99_s), 4),
            behind_s=round(max((seat.reader.behind_s or 0.0 for seat in seats), default=0.0), 4),
        )

    def __iter__(self) -> Iterator[Update]:
        """Run. A stream that fails does not raise: its report says why, and the others go on.

        Raises:
            RuntimeError: The engine was run before.
        """
        if self._running:
            raise RuntimeError("an engine runs once; make a new one")
        self._running = True
        try:
            yield from self._run()
        finally:
            self._over = True
            for reader in (*(seat.reader for seat in self._seats), *self._left):
                reader.stop()
            for reader in (*(seat.reader for seat in self._seats), *self._left):
                reader.close()

    def _run(self) -> Iterator[Update]:
        while True:
            yield from self._dismiss()
            self._seat_more()
            if not self._seats and self._ends():
                return
            if self._seats:
                self._wake.wait(GATHER_S)
                self._wake.clear()
                yield from self._tick()
                self._left = [reader for reader in self._left if not _closed(reader)]

    def _tick(self) -> Iterator[Update]:
        """Judge what lies in the mailboxes. Nothing of it is known afterwards: pictures hold memory of a card."""
        tick = [(seat, seat.reader.take()) for seat in self._seats if not seat.waits]
        if any(len(deliveries) >= MAILBOX_PACKETS for _, deliveries in tick):
            # There may be more, and nobody who says so.
            self._wake.set()
        measured = self._on_card.measured([(seat.stream, one) for seat, deliveries in tick for one in deliveries])
        self._ticks += any(deliveries for _, deliveries in tick)
        now_s = time.monotonic()
        for seat, deliveries in tick:
            if not deliveries and not seat.is_due(now_s):
                continue
            for event in seat.judge(deliveries, measured, self._renamed):
                yield Update(seat.stream, event)
            self._count(seat, deliveries)
            if seat.stream.ended:
                self._leave(seat)
                yield Update(seat.stream, None)

    def _ends(self) -> bool:
        """Whether nothing is left to do; from then on no stream can join."""
        with self._lock:
            self._over = not self._joining and not self._waiting
            return self._over

    def _count(self, seat: Seat, deliveries: Sequence[Delivery]) -> None:
        now_s = time.monotonic()
        # Files keep the engine as busy as they can: what waits of them says nothing of the headroom.
        facts = seat.reader.facts
        is_live = facts is not None and facts.live
        for delivery in deliveries:
            measured = sum(not isinstance(picture, SkippedFrame) for picture in delivery.pictures)
            self._frames += measured + len(delivery.frames)
            if is_live:
                self._lags_s.append((now_s, now_s - delivery.ready_s))

    def _seat_more(self) -> None:
        """Start what need not wait any longer."""
        started = []
        with self._lock:
            files = sum(seat.queues for seat in self._seats)
            at_once = len(self._seats) + len(self._joining) + min(len(self._waiting), self.files_at_once - files)
            threads = 0 if at_once == 1 else max(1, -(-self._cores // max(1, at_once)))
            started += [one.seat(threads) for one in self._joined()]
            most = self._settings.max_streams or math.inf
            while self._waiting and files < self.files_at_once and len(self._seats) + len(started) < most:
                started.append(self._waiting.popleft().seat(threads))
                files += 1
            started += [one.seat(threads) for one in self._joined()]
            self._seats += started
        for seat in started:
            seat.reader.start()

    def _joined(self) -> list[_Unseated]:
        """Take those that wait for no place, unless their reference does; the lock must be held."""
        waiting = {one.stream for one in self._waiting}
        joined = [one for one in self._joining if one.reference not in waiting]
        self._joining = deque(one for one in self._joining if one.reference in waiting)
        return joined

    def _dismiss(self) -> Iterator[Update]:
        """Let those go that are to leave: at once where nothing is known of them, else when their reader has ended."""
        if not (self._stopping or self._leaving):
            return
        with self._lock:
            leaving = set(self._leaving)
            unseated = [*self._joining, *self._waiting]
            gone = {one.stream: None for one in unseated if self._stopping or one.stream in leaving}
            self._names.difference_update(stream.name for stream in gone)
            self._joining = deque(one for one in self._joining if one.stream not in gone)
            self._waiting = deque(one for one in self._waiting if one.stream not in gone)
            self._leaving = {stream for stream in leaving if not stream.ended and stream not in gone}
        for stream in gone:
            yield from (Update(stream, event) for event in stream.finish(_STOPPED, stopped=True))
            yield Update(stream, None)
        for seat in [seat for seat in self._seats if self._stopping or seat.stream in leaving]:
            seat.leaving = True
            seat.reader.stop()
            if not seat.stream.begun and seat.reader.facts is None:
                yield from (Update(seat.stream, event) for event in seat.stream.finish(_STOPPED, stopped=True))
                self._leave(seat)
                yield Update(seat.stream, None)

    def _leave(self, seat: Seat) -> None:
        seat.reader.abandon()
        seat.note_reading()
        if seat.stream.failure is not None:
            # Its traceback would keep what was at hand when it failed: pictures on a card, of other streams as well.
            traceback.clear_frames(seat.stream.failure.__traceback__)
        with self._lock:
            self._seats.remove(seat)
            self._names.discard(seat.stream.name)
        self._dropped += seat.reader.dropped
        self._left.append(seat.reader)
        self._on_card.forget(seat.stream)

    def _admit(self, name: str) -> None:
        """Raise `AdmissionError` where a further live input would be too much."""
        load, limits = self.load, self._settings
        if limits.max_streams and load.streams >= limits.max_streams:
            raise AdmissionError(f"{name} is refused: {load.streams} streams run, max_streams allows no more")
        lag_s = max(load.behind_s, load.lag_p99_s or 0.0)
        if lag_s > limits.max_lag_s:
            raise AdmissionError(
                f"{name} is refused: {load.streams} streams keep this machine busy, which is {lag_s:.1f} s behind with"
                f" them (max_lag_s = {limits.max_lag_s:g})"
            )

    def _renamed(self, old: str, new: str) -> str:
        """What a stream is called from now on."""
        with self._lock:
            self._names.discard(old)
            return self._unused(new)

    def _unused(self, name: str) -> str:
        """The name, with a number where another stream has it; the lock must be held."""
        unused, number = name, 1
        while unused in self._names:
            number += 1
            unused = f"{name} ({number})"
        self._names.add(unused)
        return unused


def _closed(reader: Reader) -> bool:
    """Close a reader that has come to its end; false while it has not."""
    if not reader.finished:
        return False
    reader.close()
    return True


def waits_its_turn(source: str | os.PathLike[str] | BinaryIO, settings: Settings) -> bool:
    """Whether an input can wait until others have ended: a file or a pipe, unless it is to be taken as live."""
    if settings.source.live or settings.source.real_time:
        return False
    return not isinstance(source, str) or "://" not in source or source.startswith("file:")


def _name_of(source: str | os.PathLike[str] | BinaryIO) -> str:
    """What an input is called until it is open, and where it does not open: never with credentials."""
    if isinstance(source, str | os.PathLike):
        text = os.fspath(source)
        return without_credentials(text) if "://" in text else "stdin" if text == STDIN else text
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else f"<{type(source).__name__}>"
