"""DASH: the representations of a presentation, each demuxed on its own, merged by time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gpu_qa.errors import SourceError
from gpu_qa.media import MediaFacts, Note, Packet
from gpu_qa.sources.demux import Demuxer
from gpu_qa.sources.segment import Presentation, SegmentFeed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_qa.media import Track
    from gpu_qa.sources.address import Address
    from gpu_qa.sources.mpd import Period, Representation
    from gpu_qa.sources.settings import SourceSettings


@dataclass(slots=True)
class _Lane:
    """One representation being read."""

    track: Track
    demuxer: Demuxer
    feed: SegmentFeed
    shift_s: float
    packets: Iterator[Packet]
    head: Packet | None = None


class DashSource:
    """The packets of one video and the chosen audio representations of a presentation."""

    def __init__(self, address: Address, settings: SourceSettings) -> None:
        """Fetch the manifest, choose, and open what is chosen.

        Raises:
            SourceError: Something of that cannot be had.
        """
        self._address = address
        self._settings = settings
        self._presentation = Presentation(address, settings)
        self._stopped = False
        self._lanes: list[_Lane] = []
        self._retired: list[_Lane] = []
        self.limit_s = max(settings.read_timeout_s, settings.segment_timeout_s)
        manifest = self._presentation.manifest
        # What goes on is joined where it is now.
        self._period = manifest.periods[-1 if manifest.dynamic else 0]
        chosen, ignored = choose_representations(self._period, settings, address.name)
        live = manifest.dynamic if settings.live is None else settings.live
        try:
            self._tracks: tuple[Track, ...] = ()
            self._lanes = self._open_lanes(chosen)
        except BaseException:
            self.close()
            raise
        self._tracks = tuple(lane.track for lane in self._lanes)
        duration_s = None if live else manifest.duration_s
        self.facts = MediaFacts("dash", live, duration_s, self._tracks, ignored)

    def _open_lanes(self, chosen: list[Representation]) -> list[_Lane]:
        for representation in chosen:
            feed = SegmentFeed(self._presentation, self._period, representation, self.limit_s)
            own = replace(
                self._settings,
                video_track=None,
                audio_tracks=() if representation.kind == "video" else "first",
                program=None,
                # Durations are the manifest's to state; the pieces know nothing of the whole.
                live=True,
            )
            demuxer = Demuxer(self._address, own, feed)
            found = next((t for t in demuxer.facts.tracks if t.kind == representation.kind), None)
            if found is None:
                demuxer.close()
                raise SourceError(f"{self._address.name}: no {representation.kind} in what it lists as such.")
            track = replace(found, index=representation.adaptation, language=representation.language)
            shift_s = self._period.start_s - representation.offset_s
            self._lanes.append(_Lane(track, demuxer, feed, shift_s, demuxer.packets()))
        return self._lanes

    def packets(self) -> Iterator[Packet]:
        """The packets of all tracks in the order of their decoding times, then the ends of the tracks."""
        failure: SourceError | None = None
        ends: dict[int, tuple[Note, ...]] = {}
        while True:
            try:
                yield from self._period_packets(ends)
                if self._stopped or not self._next_period(ends):
                    break
            except SourceError as error:
                failure = error
                break
        for track in self._tracks:
            yield Packet(track, None, ends.get(track.index, ()))
        if failure:
            raise failure

    def _period_packets(self, ends: dict[int, tuple[Note, ...]]) -> Iterator[Packet]:
        running = list(self._lanes)
        while running and not self._stopped:
            for lane in list(running):
                if lane.head is None:
                    lane.head = next(lane.packets, None)
                    if lane.head is None or lane.head.native is None:
                        if lane.head:
                            notes = tuple(_moved(note, lane) for note in lane.head.notes)
                            ends[lane.track.index] = ends.get(lane.track.index, ()) + self._lost(lane) + notes
                        # Run it out: an error that ended the track comes after the mark of its end.
                        for _ in lane.packets:
                            pass
                        running.remove(lane)
                        lane.head = None
            if running:
                lane = min(running, key=_decoding_time_s)
                yield self._released(lane)

    def _released(self, lane: _Lane) -> Packet:
        packet, lane.head = lane.head, None
        if packet is None:  # pragma: no cover - `min` chose among those that have one
            raise AssertionError
        native = packet.native
        ratio = native.time_base / lane.track.time_base
        shift = round(lane.shift_s / lane.track.time_base)
        notes = tuple(_moved(note, lane) for note in packet.notes)
        if native.pts is not None:
            native.pts = round(native.pts * ratio) + shift
        if native.dts is not None:
            native.dts = round(native.dts * ratio) + shift
        if native.duration:
            native.duration = round(native.duration * ratio)
        native.time_base = lane.track.time_base
        return Packet(lane.track, native, self._lost(lane) + notes)

    def _lost(self, lane: _Lane) -> tuple[Note, ...]:
        lost, lane.feed.lost = lane.feed.lost, []
        return tuple(
            Note(
                "transport_error",
                lane.track.kind,
                round((one.start_s + lane.shift_s) / lane.track.time_base),
                lane.track.time_base,
                f"a segment of {one.duration_s:g} s is missing: {one.reason}",
                {"url": one.url, "duration_s": one.duration_s},
            )
            for one in lost
        )

    def _next_period(self, ends: dict[int, tuple[Note, ...]]) -> bool:
        """Open the next period, whose tracks carry on those of the one before; false where it all ends."""
        following = self._presentation.period_after(self._period)
        if following is None:
            return False
        before = self._tracks
        # What was opened first is what decoders were made from: it stays open.
        lanes, self._lanes = self._lanes, []
        if self._retired:
            _close(lanes)
        else:
            self._retired = lanes
        self._period = following
        chosen, _ = choose_representations(following, self._settings, self._address.name)
        lanes = self._open_lanes(chosen)
        if [(t.kind, t.codec) for t in before] != [(lane.track.kind, lane.track.codec) for lane in lanes]:
            told = "the next period has other tracks or codecs; what follows is not analyzed"
            for track in before:
                note = Note("format_change", track.kind, None, track.time_base, told, {"period": following.identity})
                ends[track.index] = (*ends.get(track.index, ()), note)
            return False
        for lane, track in zip(lanes, before, strict=True):
            lane.track = track
        return True

    def interrupt(self) -> None:
        """End `packets` soon; from any thread."""
        self._stopped = True
        for lane in list(self._lanes):
            lane.demuxer.interrupt()

    def close(self) -> None:
        """Close everything."""
        self._stopped = True
        _close(self._lanes + self._retired)
        self._lanes, self._retired = [], []


def _close(lanes: list[_Lane]) -> None:
    for lane in lanes:
        lane.demuxer.close()


def choose_representations(
    period: Period, settings: SourceSettings, name: str
) -> tuple[list[Representation], tuple[str, ...]]:
    """At most one video and the audio representations of the settings, and what is not chosen, with the reason.

    Raises:
        SourceError: A chosen one does not exist, or nothing can be analyzed.
    """
    ignored = list(period.ignored)
    usable = [r for r in period.representations if not r.encrypted and r.has_segments]
    ignored += [
        f"track {n} is encrypted" for n in sorted({r.adaptation for r in period.representations if r.encrypted})
    ]
    videos, audios = ([r for r in usable if r.kind == kind] for kind in ("video", "audio"))
    chosen: list[Representation] = []
    if videos:
        number = videos[0].adaptation if settings.video_track is None else settings.video_track
        variants = [r for r in videos if r.adaptation == number]
        if settings.program is not None:
            variants = variants[settings.program : settings.program + 1] if settings.program >= 0 else []
        if not variants:
            raise SourceError(f"{name} has no video track {number} with a variant {settings.program or 0}.")
        chosen.append(max(variants, key=lambda r: (r.width * r.height, r.bandwidth)))
        ignored += [
            f"track {r.adaptation} video {r.identity}: not chosen (settings `program`, `video_track`)"
            for r in videos
            if r is not chosen[0]
        ]
    elif settings.video_track is not None:
        raise SourceError(f"{name} has no video track {settings.video_track}.")
    numbers = list(dict.fromkeys(r.adaptation for r in audios))
    if isinstance(settings.audio_tracks, tuple):
        missing = [n for n in settings.audio_tracks if n not in numbers]
        if missing:
            there = ", ".join(map(str, numbers)) or "none"
            raise SourceError(f"{name} has no audio track {missing[0]}. Its audio tracks: {there}.")
        wanted = [n for n in numbers if n in settings.audio_tracks]
    else:
        wanted = numbers if settings.audio_tracks == "all" else numbers[:1]
    chosen += [max((r for r in audios if r.adaptation == number), key=lambda r: r.bandwidth) for number in wanted]
    ignored += [
        f"track {r.adaptation} audio {r.identity}: not chosen (setting `audio_tracks`)"
        for r in audios
        if r not in chosen
    ]
    if not chosen:
        what = "; ".join(ignored) or "nothing is listed, or nothing yet"
        raise SourceError(f"{name} has neither picture nor sound to analyze ({what}).")
    return chosen, tuple(ignored)


def _decoding_time_s(lane: _Lane) -> float:
    native: Any = lane.head.native if lane.head else None
    ticks = native.dts if native.dts is not None else native.pts
    return float("-inf") if ticks is None else float(ticks * native.time_base) + lane.shift_s


def _moved(note: Note, lane: _Lane) -> Note:
    """A demuxer's note, in the time of the presentation."""
    if note.pts is None:
        return replace(note, time_base=lane.track.time_base)
    ticks = round((note.pts * note.time_base + lane.shift_s) / lane.track.time_base)
    return replace(note, pts=ticks, time_base=lane.track.time_base)
