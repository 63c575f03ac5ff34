"""The segments of a DASH presentation, fetched as they come to exist, as bytes for a demuxer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpu_qa.errors import SourceError, SourceTimeout
from gpu_qa.sources.address import reachable, without_credentials
from gpu_qa.sources.fetch import Fetcher, MissingError
from gpu_qa.sources.mpd import parse_manifest

if TYPE_CHECKING:
    from typing import IO

    from gpu_qa.sources.address import Address
    from gpu_qa.sources.mpd import Manifest, Period, Representation, Segment
    from gpu_qa.sources.settings import SourceSettings
    from gpu_qa.sources.transport_stream import ContinuityScanner

_MANIFEST_LIMIT = 1 << 26
_SEGMENT_LIMIT = 1 << 29
"""Bytes of one segment, against servers that mean harm."""
_LIVE_SEGMENTS = 3
"""How far before the live edge reading begins, in segments: as libavformat's HLS does."""
_LATE_SEGMENTS = 2.0
"""How long a live segment that the server does not have yet is asked for again, in segments."""
_RETRY_S = 0.25
_LOOK_S = 0.02
"""How often a pause looks whether it is to end."""


class Presentation:
    """A manifest that is fetched again as long as it goes on."""

    def __init__(self, address: Address, settings: SourceSettings) -> None:
        """Fetch it.

        Raises:
            SourceError: It cannot be fetched, or is no manifest.
        """
        self._address = address
        self._url = address.path.resolve().as_uri() if address.protocol == "file" else address.url
        self.fetcher = Fetcher(reachable(address.protocol, settings.protocols), settings.read_timeout_s)
        self.manifest = self._load()

    def _load(self) -> Manifest:
        text = self.fetcher.get(self._url, _MANIFEST_LIMIT)
        self._loaded = time.monotonic()
        try:
            return parse_manifest(text, self._url, time.time())
        except SourceError as error:
            raise SourceError(f"{self._address.name}: {error}") from error

    def refresh(self) -> None:
        """Fetch the manifest again, if it is time to."""
        if self.manifest.dynamic and time.monotonic() - self._loaded >= max(self.manifest.update_s, _RETRY_S):
            self.manifest = self._load()

    def period_after(self, period: Period) -> Period | None:
        """The next period; null where there is none, or none yet."""
        return next((p for p in self.manifest.periods if p.start_s > period.start_s), None)

    def current(self, period: Period, like: Representation) -> Representation | None:
        """A representation as the manifest has it by now; null where it is gone."""
        for now in self.manifest.periods:
            if now.identity == period.identity:
                for found in now.representations:
                    if (found.adaptation, found.identity) == (like.adaptation, like.identity):
                        return found
        return None


@dataclass(frozen=True, slots=True)
class LostSegment:
    """A segment that could not be had."""

    url: str
    reason: str
    start_s: float
    """On the representation's own timeline."""
    duration_s: float


class SegmentFeed:
    """The bytes of one representation during one period (a `Feed`)."""

    def __init__(self, presentation: Presentation, period: Period, chosen: Representation, limit_s: float) -> None:
        self.failure: BaseException | None = None
        self.scanner: ContinuityScanner | None = None
        self.lost: list[LostSegment] = []
        """Segments skipped since somebody looked."""
        self._presentation = presentation
        self._period = period
        self._chosen = chosen
        self._limit_s = limit_s
        self._stopped = False
        self._bytes = b""
        self._at = 0
        self._body: IO[bytes] | None = None
        self._queue = list(chosen.segments)
        self._was_dynamic = presentation.manifest.dynamic
        if self._was_dynamic:
            self._queue = self._queue[-_LIVE_SEGMENTS:]
        self._last_s = self._queue[0].start_s - 1e-6 if self._queue else -1.0
        self._needs_init = chosen.init is not None

    def read(self, size: int) -> bytes:
        """At most `size` bytes, waiting for segments that do not exist yet."""
        try:
            while not self._stopped and self.failure is None:
                if self._at < len(self._bytes):
                    data = self._bytes[self._at : self._at + size]
                    self._at += len(data)
                    return data
                if self._body is not None:
                    data = self._presentation.fetcher.read(self._body, size, self._chosen.segments[0].url)
                    if data:
                        return data
                    self._close_body()
                if not self._advance():
                    break
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised again by the demuxer
            self.failure = error
        return b""

    def _advance(self) -> bool:
        """Get the next segment; false at the end of the period."""
        if self._needs_init and self._chosen.init:
            self._needs_init = False
            self._bytes, self._at = self._fetch(self._chosen.init), 0
            return True
        segment = self._next()
        if segment is None:
            return False
        self._last_s = segment.start_s
        if segment.is_whole:
            self._body = self._presentation.fetcher.open(segment.url, segment.byte_range)
            return True
        until = time.monotonic() + _LATE_SEGMENTS * segment.duration_s
        while True:
            try:
                self._bytes, self._at = self._fetch(segment), 0
            except SourceError as error:
                late = self._presentation.manifest.dynamic and isinstance(error, MissingError)
                if late and time.monotonic() < until and self._pause():
                    continue
                # Half a segment would leave the demuxer in the middle of a box: it is all or nothing.
                self.lost.append(
                    LostSegment(without_credentials(segment.url), str(error), segment.start_s, segment.duration_s)
                )
            return True

    def _next(self) -> Segment | None:
        until = time.monotonic() + self._limit_s
        presentation = self._presentation
        while not self._queue:
            if presentation.manifest.dynamic or self._was_dynamic:
                # Another representation's feed may have fetched the manifest meanwhile, for the last time even.
                self._was_dynamic = presentation.manifest.dynamic
                now = presentation.current(self._period, self._chosen)
                if now:
                    self._queue = [s for s in now.segments if s.start_s > self._last_s + 1e-6]
                if self._queue:
                    break
            if not presentation.manifest.dynamic or presentation.period_after(self._period):
                return None
            if time.monotonic() >= until:
                raise SourceTimeout("no new segment")
            if not self._pause():
                return None
            presentation.refresh()
        return self._queue.pop(0)

    def _pause(self) -> bool:
        """Wait before trying again; false after an interruption, which takes no lock and so can wake nobody."""
        until = time.monotonic() + _RETRY_S
        while not self._stopped and time.monotonic() < until:
            time.sleep(_LOOK_S)
        return not self._stopped

    def _fetch(self, segment: Segment) -> bytes:
        with self._presentation.fetcher.open(segment.url, segment.byte_range) as body:
            data = self._presentation.fetcher.read(body, _SEGMENT_LIMIT, segment.url)
        expected = getattr(body, "length", None)
        if expected:
            raise SourceError(f"{without_credentials(segment.url)} broke off, {expected} bytes before its end.")
        return data

    def set_limit(self, timeout_s: float, deadline: float | None = None) -> None:
        """The limits of HTTP requests and of the wait for new segments are kept instead."""

    def interrupt(self) -> None:
        """End the stream; a request under way ends by its own limit."""
        self._stopped = True

    def _close_body(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()

    def close(self) -> None:
        """End the stream and any request."""
        self._stopped = True
        self._close_body()
