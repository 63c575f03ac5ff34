"""Comparison: one reference and any number of probes, read side by side and laid over one another.

Each input has a reader, as in an analysis; pictures and sound become strips, and of these no more is kept than the
longest delay asks for. Files are read no further ahead of one another than that, live inputs as they come.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from gpu_qa.agreement import Compared
from gpu_qa.config import Settings
from gpu_qa.features import StreamFeatures
from gpu_qa.on_card import OnCard
from gpu_qa.reader import MAILBOX_PACKETS, Reader
from gpu_qa.sources import open_source
from gpu_qa.sources.address import STDIN, without_credentials
from gpu_qa.sync.reference import ReferenceLimits
from gpu_qa.sync.side import Probe, Reference
from gpu_qa.sync.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gpu_qa.features import Measured
    from gpu_qa.sync.reference import Stretch
    from gpu_qa.sync.summary import Summary

__all__ = ["Comparison", "Found"]

MOST_STRETCHES = 20_000
"""The newest stretches of a probe that are summed up: a day of them, some 10 MB."""
GATHER_S = 0.02
"""How long what the readers deliver is gathered."""
_Side = TypeVar("_Side", Reference, Probe)


class Found(NamedTuple):
    """A stretch of a probe has become known."""

    probe: str
    """Its name."""
    stretch: Stretch


@dataclass(eq=False, slots=True)
class _Input(Generic[_Side]):
    """An input on its way."""

    name: str
    reader: Reader
    side: _Side
    features: StreamFeatures | None = None
    stretches: deque[Stretch] = field(default_factory=lambda: deque(maxlen=MOST_STRETCHES))

    @property
    def error(self) -> str | None:
        return None if self.reader.error is None else str(self.reader.error)


class Comparison:
    """Compares probes with a reference. Iterate it for stretches as they become known; then ask `results()`.

    Args:
        reference: Path or URL, or `-` for standard input.
        probes: The same; one of all may be `-`.
        settings: How inputs are opened and decoded.
        limits: How a probe is laid over the reference.
        duration_s: Read so much of each at most.
    """

    def __init__(
        self,
        reference: str,
        probes: Sequence[str],
        settings: Settings | None = None,
        limits: ReferenceLimits = ReferenceLimits(),
        *,
        duration_s: float | None = None,
    ) -> None:
        self._settings = settings if settings is not None else Settings()
        self._limits = limits
        self._duration_s = duration_s
        self._wake = threading.Event()
        self._stopping = self._run = False
        self._on_card = OnCard()
        original = Reference(limits)
        self._reference = self._input(reference, original)
        self._probes = [self._input(probe, original.add()) for probe in probes]
        self._inputs: tuple[_Input[Any], ...] = (self._reference, *self._probes)

    def stop(self) -> None:
        """End soon, with what is known. May be called from any thread or a signal handler."""
        self._stopping = True

    @property
    def is_stopped(self) -> bool:
        """Whether it was ended before its inputs did."""
        return self._stopping

    @property
    def position_s(self) -> float:
        """How far the reading has come, of the input that is behind; may be read from any thread."""
        return min(float(one.side.strip.until_s) for one in self._inputs)

    def __iter__(self) -> Iterator[Found]:
        """Run. An input that fails does not raise: its result says why.

        Raises:
            RuntimeError: The comparison was run before.
        """
        if self._run:
            raise RuntimeError("a Comparison runs once; make a new one")
        # Loaded before the readers run: threads that load it at once may each wait for a part that another one loads.
        import av  # noqa: F401

        self._run = True
        inputs, of_side = self._inputs, {probe.side: probe for probe in self._probes}
        for one in inputs:
            one.reader.start()
        try:
            while not all(probe.side.carry.done for probe in self._probes):
                self._wake.wait(GATHER_S)
                self._wake.clear()
                if self._stopping:
                    for one in inputs:
                        one.reader.stop()
                for one in inputs:
                    self._advance(one)
                for side, stretch in self._reference.side.align(by_arrival=False):
                    probe = of_side[side]
                    probe.stretches.append(stretch)
                    yield Found(probe.name, stretch)
                self._reference.side.forget()
        finally:
            for one in inputs:
                one.reader.abandon()
            for one in inputs:
                one.reader.close()

    def results(self) -> tuple[Compared, ...]:
        """What is known of each probe, in their order; complete once the iteration has ended."""
        reference = self._reference
        found = []
        for probe in self._probes:
            stretches = tuple(probe.stretches)
            error = _error(reference, probe)
            summary = summarize(stretches, 0.0, reference.side.strip.until_s) if stretches else None
            if summary is None and error is None:
                nothing = f"less than {self._limits.least_s:g} s in common"
                error = "stopped before anything was known" if self._stopping else nothing
            until_s = round(probe.side.strip.until_s, 3)
            begins_s, ends_s = self._short_of(probe, summary)
            found.append(
                Compared(
                    reference.name,
                    probe.name,
                    summary,
                    stretches,
                    until_s,
                    short_start_s=begins_s,
                    short_end_s=ends_s,
                    error=error,
                )
            )
        return tuple(found)

    def _short_of(self, probe: _Input[Probe], summary: Summary | None) -> tuple[float | None, float | None]:
        """How much of the reference lies before a probe's beginning and behind its end; null is not known."""
        if summary is None or probe.side.live or self._reference.side.live:
            return None, None
        delays = (summary.picture.delay_s, summary.sound.delay_s)
        delay_s = next((delay_s for delay_s in delays if delay_s is not None), None)
        if delay_s is None:
            return None, None
        is_whole = probe.reader.finished and not self._stopping and self._duration_s is None and probe.error is None
        behind_s = self._reference.side.strip.until_s - (probe.side.strip.until_s - delay_s)
        return round(max(0.0, -delay_s), 3), round(max(0.0, behind_s), 3) if is_whole else None

    def _input(self, source: str, side: _Side) -> _Input[_Side]:
        settings = self._settings
        # Cores are shared by as many decoders as there are inputs.
        decode = settings.decode if settings.decode.threads else replace(settings.decode, threads=1)
        reader = Reader(lambda: open_source(source, settings.source), decode, self._wake.set)
        name = "stdin" if source == STDIN else without_credentials(source) if "://" in source else source
        return _Input(name, reader, side)

    def _advance(self, one: _Input[Any]) -> None:
        """Measure what a reader has ready, unless its input is far enough ahead of the others."""
        if one.side.strip.ended:
            return
        if one.features is None:
            if one.reader.facts is None:
                # Nobody waits for one that is still being opened, once stopped.
                if one.reader.ended or self._stopping:
                    one.side.extend(ended=True)
                return
            one.features = StreamFeatures(one.reader.facts.tracks, spectra=False)
            one.side.live = one.reader.facts.live
        if not self._stopping and self._is_ahead(one.side, one.features.timeline.until_s):
            return
        ended = one.reader.ended
        taken = one.reader.take()
        if len(taken) >= MAILBOX_PACKETS:
            # There may be more, and nobody who says so.
            self._wake.set()
        measured = self._on_card.measured([(one, delivery) for delivery in taken])
        for delivery in taken:
            pictures = delivery.pictures
            if delivery.frames:
                on_card = measured[id(delivery)]
                if isinstance(on_card, Exception):
                    one.reader.error = one.reader.error or on_card
                    ended = True
                    break
                pictures = (*pictures, *on_card)
            self._extend(one, one.features.take(pictures, delivery.sounds, delivery.notes))
        if ended or (self._duration_s is not None and one.side.strip.until_s >= self._duration_s):
            self._extend(one, one.features.flush(ended=True), ended=True)
            one.reader.abandon()
            self._on_card.forget(one)

    @staticmethod
    def _is_ahead(side: Reference | Probe, until_s: float) -> bool:
        return side.is_ahead(until_s, time.monotonic()) if isinstance(side, Reference) else side.is_ahead(until_s)

    def _extend(self, one: _Input[Any], measured: Measured, *, ended: bool = False) -> None:
        if one.features is None:
            return
        one.features.stream_series(finished=ended)
        if measured.video or measured.audio or ended:
            now_s = time.monotonic() if one.side.live else None
            until_s = one.features.timeline.until_s
            one.side.extend(measured.video, measured.audio, until_s=until_s, now_s=now_s, ended=ended)


def _error(reference: _Input[Any], probe: _Input[Any]) -> str | None:
    """What went wrong with either, or what one of them lacks."""
    for one, what in ((reference, "reference"), (probe, "probe")):
        if one.error is not None:
            words = one.error
            return words if words.startswith(one.name) else f"{what} {one.name}: {words}"
    return None
