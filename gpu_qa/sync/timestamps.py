"""By timestamps: where a container places sound against the picture, and whether that changes.

Timestamps say when picture and sound are to be shown, not what belongs together: they prove an offset only where one
track's are shifted and the other's are not, which these facts do not hold: what is measured here is told as it is. Sound that starts before the
picture is ordinary: broadcast streams begin with 0.2 to 0.9 s of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import StreamFact, StreamSeries

MOST = 256
"""Gaps of a track that are kept one by one; the rest count by their length."""
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class TimestampSync:
    """What timestamps say of one audio track against the picture."""

    track: int
    """Index of the audio track in its container."""
    start_offset_s: float | None
    """Start of the sound less that of the picture, seconds: negative where sound starts first; null before either."""
    end_offset_s: float | None
    """End of the sound less that of the picture, seconds; null before the end, or without either."""
    audio_gap_s: float
    """Length of all gaps of the sound, seconds."""
    video_gap_s: float
    """Length of all gaps of the picture, seconds."""
    audio_only_gap_s: float
    """Length of what the sound lacks while the picture goes on, seconds; of the last 256 gaps."""
    video_only_gap_s: float
    """Length of what the picture lacks while the sound goes on, seconds; of the last 256 gaps."""
    audio_jumps: int
    """Discontinuities that the sound's timestamps began."""
    video_jumps: int
    """Discontinuities that the picture's timestamps began."""


@dataclass(frozen=True, slots=True)
class _Gaps:
    """The gaps of one track."""

    spans: tuple[Span, ...] = ()
    length_s: float = 0.0
    jumps: int = 0


@dataclass(frozen=True, slots=True)
class TimestampCarry:
    """Where the measuring stands."""

    video: _Gaps = field(default_factory=_Gaps)
    audio: dict[int, _Gaps] = field(default_factory=dict)
    from_s: dict[int, float] = field(default_factory=dict)
    until_s: dict[int, float | None] = field(default_factory=dict)
    video_until_s: float | None = None
    finished: bool = False


def timestamp_step(series: StreamSeries, carry: TimestampCarry | None = None) -> TimestampCarry:
    """Take the next facts of a stream.

    Args:
        series: How far the tracks have come, and what happened on the way.
        carry: From the series before; null at the start of a stream.
    """
    carry = carry or TimestampCarry()
    tracks = list(series.audio_until_s)
    audio = dict(carry.audio)
    for track in tracks:
        mine = [fact for fact in series.facts if fact.track == "audio" and _speaks_of(fact, track, len(tracks))]
        audio[track] = _with_facts(audio.get(track, _Gaps()), mine)
    return TimestampCarry(
        video=_with_facts(carry.video, [fact for fact in series.facts if fact.track == "video"]),
        audio=audio,
        from_s=carry.from_s | series.audio_from_s,
        until_s=carry.until_s | series.audio_until_s,
        video_until_s=series.video_until_s,
        finished=series.finished,
    )


def timestamp_sync(carry: TimestampCarry | None) -> list[TimestampSync]:
    """What the timestamps have said so far of each audio track."""
    if carry is None:
        return []
    return [_of_track(carry, track) for track in sorted(carry.audio)]


def _of_track(carry: TimestampCarry, track: int) -> TimestampSync:
    sound, picture = carry.audio[track], carry.video
    seen_s, heard_s = carry.video_until_s, carry.until_s.get(track)
    start_s = carry.from_s.get(track) if seen_s is not None else None
    ended = carry.finished and seen_s is not None and heard_s is not None
    return TimestampSync(
        track=track,
        # The clock's 0 is the first picture.
        start_offset_s=start_s,
        end_offset_s=heard_s - seen_s if ended and heard_s is not None and seen_s is not None else None,
        audio_gap_s=sound.length_s,
        video_gap_s=picture.length_s,
        audio_only_gap_s=_outside_s(sound.spans, picture.spans),
        video_only_gap_s=_outside_s(picture.spans, sound.spans),
        audio_jumps=sound.jumps,
        video_jumps=picture.jumps,
    )


def _speaks_of(fact: StreamFact, track: int, tracks: int) -> bool:
    named = fact.details.get("track")
    return named == track if named is not None else tracks == 1


def _with_facts(gaps: _Gaps, facts: Sequence[StreamFact]) -> _Gaps:
    spans = [(fact.start_s, fact.end_s) for fact in facts if fact.kind == "gap"]
    jumps = sum(fact.kind == "discontinuity" for fact in facts)
    length_s = gaps.length_s
    for start_s, end_s in spans:
        length_s += end_s - start_s
    return _Gaps((*gaps.spans, *spans)[-MOST:], length_s, gaps.jumps + jumps)


def _outside_s(spans: Sequence[Span], others: Sequence[Span]) -> float:
    """Length of the spans that none of the others covers; those of a track do not overlap one another."""
    covered = sum(max(0.0, min(end, stop) - max(start, begin)) for start, end in spans for begin, stop in others)
    return sum(end - start for start, end in spans) - covered
