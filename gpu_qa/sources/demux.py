"""One container of libavformat, opened through PyAV and read packet by packet."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import av
from av.stream import Discard

from gpu_qa.errors import SourceError, SourceTimeout
from gpu_qa.media import MediaFacts, Note, Packet
from gpu_qa.sources.address import PROTOCOLS, libav_whitelist
from gpu_qa.sources.damage import DamageWatch, ShortfallWatch
from gpu_qa.sources.reason import explain, nothing_read, timed_out
from gpu_qa.sources.track import choose_tracks, stated_duration_s
from gpu_qa.sources.transport_stream import ContinuityFile, ContinuityScanner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer

    from gpu_qa.media import Track
    from gpu_qa.sources.address import Address
    from gpu_qa.sources.feed import Feed
    from gpu_qa.sources.settings import SourceSettings

_SEGMENTED = ("hls",)
_STATES_DURATION = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
"""Formats whose durations are written down by their muxer, not estimated by libavformat."""
_MOST_ERRORS_IN_A_ROW = 10
"""Read errors without a packet between them after which a damaged file is given up; ours."""
_SCAN_CHUNK = 1 << 18
_FEED_BUFFER = 1 << 16


@dataclass(slots=True)
class _TrackState:
    track: Track
    damage: DamageWatch
    shortfall: ShortfallWatch
    last_pts: int | None = None


class Demuxer:
    """The packets of the chosen tracks of one container."""

    def __init__(self, address: Address, settings: SourceSettings, feed: Feed | None = None) -> None:
        """Open a container by its address, or from the bytes of a feed, which is closed with it.

        Raises:
            SourceError: It cannot be opened, or has nothing to analyze.
            SourceTimeout: It did not open in time.
        """
        self._address = address
        self._settings = settings
        self._feed = feed
        self._container: InputContainer | None = None
        self._stopped = False
        # What comes by a feed is at its end where the feed says so, and reaches for nothing.
        self._is_local = feed is not None or address.protocol == "file"
        self._pending: tuple[Note, ...] = ()
        self._stalled_at: float | None = None
        self._scan_file: ContinuityFile | None = None
        try:
            self._container = container = self._open()
            self.limit_s = settings.read_timeout_s
            if container.format.name in _SEGMENTED:
                self.limit_s = max(settings.read_timeout_s, settings.segment_timeout_s)
            live = self._is_live(container)
            choice = choose_tracks(container, settings, address.name, live=live)
            duration = container.duration
            self.facts = MediaFacts(
                container=container.format.name,
                live=live,
                duration_s=duration / av.time_base if duration and duration > 0 and not live else None,
                tracks=choice.tracks,
                ignored=choice.ignored,
            )
            self._watch_for_damage(container)
        except BaseException:
            self.close()
            raise

    def _open(self) -> InputContainer:
        settings, feed = self._settings, self._feed
        protocol = "pipe" if feed else self._address.protocol
        options = {
            "protocol_whitelist": libav_whitelist(protocol, settings.protocols),
            # A file name with %d in it is that file, not a sequence of pictures.
            "pattern_type": "none",
        }
        if settings.probe_size is not None:
            options["probesize"] = str(settings.probe_size)
        if settings.analyze_s is not None:
            options["analyzeduration"] = str(round(settings.analyze_s * 1e6))
        if protocol in ("http", "https"):
            # Each request of its own, so that HLS goes on with the next segment when one stalls.
            options["rw_timeout"] = str(round(settings.read_timeout_s * 1e6))
            # Without it, libavformat 62 seeks back on a connection that some servers have closed, and reads nothing.
            options["multiple_requests"] = "1"
        elif protocol in ("rtsp", "rtsps"):
            options["rtsp_transport"] = settings.rtsp_transport
        elif protocol in ("udp", "rtp"):
            # Being late costs packets, which the continuity counters tell; it must not cost the stream.
            options["overrun_nonfatal"] = "1"
        segmented_limit_s = max(settings.read_timeout_s, settings.segment_timeout_s)
        may_be_segmented = protocol in ("http", "https")
        read_s = segmented_limit_s if may_be_segmented else settings.read_timeout_s
        if feed:
            feed.set_limit(settings.open_timeout_s, time.monotonic() + settings.open_timeout_s)
        target: Any = feed or (f"file:{self._address.url}" if protocol == "file" else self._address.url)
        started = time.monotonic()
        try:
            opened: InputContainer = av.open(
                target,
                # Not `options`, which the decoders that probe the tracks would be given too.
                container_options=options,
                timeout=None if feed else (settings.open_timeout_s, read_s),
                buffer_size=_FEED_BUFFER,
                metadata_errors="replace",
            )
        except (av.FFmpegError, OSError, ValueError, IndexError) as error:
            self._raise_failure_of_feed(settings.open_timeout_s, opening=True)
            if time.monotonic() - started >= settings.open_timeout_s or isinstance(error, TimeoutError):
                raise self._late(settings.open_timeout_s, opening=True) from error
            raise explain(error, self._address, settings) from error
        if feed:
            if feed.failure:
                opened.close()
                self._raise_failure_of_feed(settings.open_timeout_s, opening=True)
            feed.set_limit(settings.read_timeout_s)
        return opened

    def _raise_failure_of_feed(self, limit_s: float, *, opening: bool) -> None:
        failure = self._feed.failure if self._feed else None
        if isinstance(failure, SourceTimeout):
            raise self._late(limit_s, opening=opening)
        if failure:
            raise failure

    def _late(self, limit_s: float, *, opening: bool) -> SourceTimeout:
        return timed_out(self._address.name, self._address.protocol, limit_s, opening=opening)

    def _is_live(self, container: InputContainer) -> bool:
        if self._settings.live is not None:
            return self._settings.live
        known = PROTOCOLS[self._address.protocol].live
        if known is not None:
            return known
        # A server that cannot seek leaves a transport stream without a duration; its stated length is an end, too. The
        # length of a playlist says nothing.
        has_size = container.format.name not in _SEGMENTED and container.size > 0
        return not (has_size or (container.duration and container.duration > 0))

    def _watch_for_damage(self, container: InputContainer) -> None:
        transport = container.format.name == "mpegts"
        scanner: ContinuityScanner | None = None
        if transport and self._feed:
            scanner = self._feed.scanner
        elif transport and self._address.protocol == "file":
            self._scan_file = ContinuityFile(self._address.url)
            scanner = self._scan_file.scanner
        elif self._feed:
            self._feed.scanner = None
        self._scanner = scanner
        if scanner:
            scanner.select(frozenset(track.native.id for track in self.facts.tracks))
        states_duration = container.format.name in _STATES_DURATION and not self.facts.live
        self._states: dict[int, _TrackState] = {}
        self._durations_are_of_tracks = True
        for track in self.facts.tracks:
            damage = DamageWatch(track, transport_stream=transport or container.format.name in _SEGMENTED)
            if scanner:
                damage.watch(scanner, track.native.id)
            stated_s = None
            if states_duration:
                stated_s = stated_duration_s(track.native) or track.duration_s
                self._durations_are_of_tracks &= stated_s is not None
                stated_s = stated_s or self.facts.duration_s
            self._states[track.native.index] = _TrackState(track, damage, ShortfallWatch(track, stated_s))
        for stream in container.streams:
            if stream.index not in self._states:
                # Spares the demuxer their parsing, and HLS the download of variants that nobody looks at.
                stream.discard = Discard.all

    def packets(self) -> Iterator[Packet]:
        """The packets in the container's order; then, for every track, one that marks its end.

        Raises:
            SourceTimeout: Nothing arrived within the limit. The ends of the tracks have been given before.
            SourceError: The connection broke. Likewise.
        """
        failure: SourceError | None = None
        is_empty = True
        try:
            for packet in self._read():
                is_empty = False
                yield packet
        except SourceError as error:
            failure = error
        if is_empty and not self._stopped:
            failure = nothing_read(self._address, failure)
        if self._scan_file and not self._stopped:
            self._scan_file.advance(None)
        for number, state in enumerate(self._states.values()):
            yield Packet(state.track, None, self._last_notes(state, failure, is_first=number == 0))
        if failure:
            raise failure

    def _read(self) -> Iterator[Packet]:
        container = self._container
        if container is None:
            raise SourceError(f"{self._address.name} is closed.")
        streams = [state.track.native for state in self._states.values()]
        native_packets = container.demux(streams)
        errors_in_a_row = 0
        while not self._is_stopped():
            started = time.monotonic()
            try:
                native = next(native_packets)
                self._note_wait(started)
            except StopIteration:
                self._note_wait(started)
                self._judge_end()
                return
            except IndexError:
                # PyAV trips over tracks that have appeared since the opening, at the end at the latest.
                errors_in_a_row += 1
                if errors_in_a_row >= _MOST_ERRORS_IN_A_ROW:
                    return
                native_packets = container.demux(streams)
                continue
            except (av.FFmpegError, OSError, ValueError) as error:
                if self._is_stopped():
                    return
                self._judge_error(error, time.monotonic() - started, told=errors_in_a_row > 0)
                errors_in_a_row += 1
                if not isinstance(error, av.error.InvalidDataError) or errors_in_a_row >= _MOST_ERRORS_IN_A_ROW:
                    return
                native_packets = container.demux(streams)
                continue
            state = self._states.get(native.stream_index)
            # PyAV marks the end by empty packets; a decoder would take one for the end at any time.
            if state is None or native.size == 0:
                continue
            errors_in_a_row = 0
            notes, self._pending = self._pending, ()
            yield Packet(state.track, native, notes + self._see(state, native))

    def _note_wait(self, started: float) -> None:
        """Remember a read that took as long as reads may take."""
        now = time.monotonic()
        if not self._is_local and now - started >= 0.98 * self.limit_s:
            self._stalled_at = now

    def _see(self, state: _TrackState, native: Any) -> tuple[Note, ...]:
        """The notes that come with a packet."""
        notes: tuple[Note, ...] = ()
        if self._scan_file and native.pos is not None:
            self._scan_file.advance(native.pos)
        if self._scanner and native.pos is not None:
            notes = state.damage.resync(self._scanner.take_resyncs(before=native.pos))
        state.shortfall.see(native)
        if native.pts is not None:
            state.last_pts = native.pts
        return notes + state.damage.see(native)

    def _judge_end(self) -> None:
        """Raise if what looks like the end of the input is none."""
        self._raise_failure_of_feed(self.limit_s, opening=False)
        # libavformat's HLS takes a wait that was cut short for the end, and hands out what it has left first.
        if self._stalled_at is not None and time.monotonic() - self._stalled_at < self.limit_s:
            raise self._late(self.limit_s, opening=False)

    def _judge_error(self, error: Exception, waited_s: float, *, told: bool) -> None:
        """Raise if reading cannot go on; else leave a note, unless the same place has been `told` of."""
        self._raise_failure_of_feed(self.limit_s, opening=False)
        damaged = isinstance(error, av.error.InvalidDataError)
        if not self._is_local:
            stopped = isinstance(error, (TimeoutError, av.error.ExitError))
            if stopped or waited_s >= 0.9 * self.limit_s:
                raise self._late(self.limit_s, opening=False) from error
            if not damaged:
                raise explain(error, self._address, self._settings) from error
        if not told:
            first = next(iter(self._states.values()))
            words = getattr(error, "strerror", None) or str(error)
            message = f"the input cannot be read from here on, or a stretch of it: {words}"
            kind, base = first.track.kind, first.track.time_base
            self._pending += (Note("transport_error", kind, first.last_pts, base, message),)

    def _last_notes(self, state: _TrackState, failure: SourceError | None, *, is_first: bool) -> tuple[Note, ...]:
        if self._stopped:
            return ()
        notes = state.damage.finish()
        if is_first:
            notes = self._pending + notes
        if failure is None:
            # A duration of the container is that of its longest track: only if all are short is it cut short.
            others = self._durations_are_of_tracks or all(s.shortfall.is_short for s in self._states.values())
            return notes + (state.shortfall.finish() if others else ())
        track = state.track
        if isinstance(failure, SourceTimeout):
            details = {"timeout_s": self.limit_s}
            return (*notes, Note("stalled", track.kind, state.last_pts, track.time_base, str(failure), details))
        return (*notes, Note("transport_error", track.kind, state.last_pts, track.time_base, str(failure)))

    def _is_stopped(self) -> bool:
        return self._stopped

    def interrupt(self) -> None:
        """End `packets` before the next packet, and a wait for a feed at once; from any thread."""
        self._stopped = True
        if self._feed:
            self._feed.interrupt()

    def close(self) -> None:
        """Close the container and what it reads from."""
        container, self._container = self._container, None
        if container:
            container.close()
        if self._scan_file:
            self._scan_file.close()
        if self._feed:
            self._feed.close()
