"""By timestamps: where a container places sound against the picture, and whether that changes.

Timestamps say when picture and sound are to be shown, not what belongs together: they prove an offset only where one
track's are shifted and the other's are not. All else is measured and told as it is. Sound that starts before the
picture is ordinary: broadcast streams begin with 0.2 to 0.9 s of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.series import SyncSeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import StreamFact, StreamSeries

SETTLED_S = 5.0
"""Both tracks have come so far past a jump of one before it is the only one's: as far apart as files interleave."""
SHIFT_S = 0.02
"""Smaller shifts are the rounding of timestamps: a frame of AAC lasts as long."""
SHIFT_SIGMA_S = 0.01
"""Standard deviation of a shift; ours: a jump is known to half of `SHIFT_S`."""
SHIFTED = 0.5
"""Confidence: timestamps cannot say whether the content jumped with them."""
DRIFT_FROM_S = 30.0
"""Sound as long as this has a drift: a timestamp's 1 ms is 33 ppm of it."""
STEP_S = 0.01
"""Sound and timestamps part by this from one series to the next where some is missing or twice there: half a frame of
AAC. Less is jitter."""
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
    small_gap_s: float
    """Length of what the sound lacks in holes too short for a gap, of 10 ms and more, seconds."""
    overlap_s: float
    """Length of the sound that comes twice by its timestamps, seconds."""
    jitter_ms: float | None
    """Standard deviation of the sound's timestamps from its samples, milliseconds, drift included; null before
    two series."""
    drift_ppm: float | None
    """By how much timestamps run faster than samples, gaps and overlaps left out, millionths; null for sound shorter
    than 30 s."""
    shift_s: float | None
    """By how much the sound's timestamps have jumped against the picture's since the start, at discontinuities and
    shifts of one track alone that the order of packets bears out, seconds; positive where sound is advanced by it; null
    before either."""


@dataclass(frozen=True, slots=True)
class _Gaps:
    """The gaps of one track."""

    spans: tuple[Span, ...] = ()
    length_s: float = 0.0
    jumps: int = 0


@dataclass(frozen=True, slots=True)
class _Sound:
    """How the timestamps of one audio track keep to its samples, and to the picture's."""

    ahead_s: float | None = None
    """End by timestamps less end by samples, seconds, gaps left out; null before the first sound."""
    first_ahead_s: float = 0.0
    small_gap_s: float = 0.0
    overlap_s: float = 0.0
    series: int = 0
    mean_s: float = 0.0
    squares: float = 0.0
    """Of the differences to the mean of `ahead_s` without steps."""
    sound_s: float = 0.0
    alone_s: float = 0.0
    """Of the shift: what the tracks' own content and the order of packets show, in which the stream's clock follows
    the timestamps."""
    shift_s: float = 0.0
    told_s: float = 0.0
    """The shift that was told last."""
    shifted_from_s: float = 0.0
    """Stream time since which the shift is what it is."""


@dataclass(frozen=True, slots=True)
class TimestampCarry:
    """Where the measuring stands."""

    video: _Gaps = field(default_factory=_Gaps)
    audio: dict[int, _Gaps] = field(default_factory=dict)
    sound: dict[int, _Sound] = field(default_factory=dict)
    from_s: dict[int, float] = field(default_factory=dict)
    until_s: dict[int, float | None] = field(default_factory=dict)
    video_until_s: float | None = None
    finished: bool = False


def timestamp_step(
    series: StreamSeries, carry: TimestampCarry | None = None
) -> tuple[list[SyncSeries], TimestampCarry]:
    """Take the next facts of a stream.

    Args:
        series: How far the tracks have come, and what happened on the way.
        carry: From the series before; null at the start of a stream.

    Returns:
        For each track whose shift against the picture has become certain one answer: the offset that this adds to what
        there was before, from where it began. And the carry.
    """
    carry = carry or TimestampCarry()
    tracks = list(series.audio_until_s)
    audio, sound, answers = dict(carry.audio), dict(carry.sound), []
    for track in tracks:
        mine = [fact for fact in series.facts if fact.track == "audio" and _speaks_of(fact, track, len(tracks))]
        audio[track] = _with_facts(audio.get(track, _Gaps()), mine)
        sound[track] = _kept_to(sound.get(track, _Sound()), series, track, audio[track].length_s)
        told, sound[track] = _told(sound[track], series, track)
        answers += told
    return answers, TimestampCarry(
        video=_with_facts(carry.video, [fact for fact in series.facts if fact.track == "video"]),
        audio=audio,
        sound=sound,
        from_s=carry.from_s | series.audio_from_s,
        until_s=carry.until_s | series.audio_until_s,
        video_until_s=series.video_until_s,
        finished=series.finished,
    )


def _kept_to(known: _Sound, series: StreamSeries, track: int, gap_s: float) -> _Sound:
    """Compare the timestamps' end with the samples'."""
    sound_s, until_s = series.audio_sound_s.get(track), series.audio_until_s[track]
    if sound_s is None or until_s is None or track not in series.audio_from_s:
        return known
    ahead_s = until_s - series.audio_from_s[track] - sound_s - gap_s
    if known.ahead_s is None:
        return replace(known, ahead_s=ahead_s, first_ahead_s=ahead_s, series=1, mean_s=ahead_s, sound_s=sound_s)
    step_s = ahead_s - known.ahead_s
    small_gap_s = known.small_gap_s + (step_s if step_s >= STEP_S else 0.0)
    overlap_s = known.overlap_s + (-step_s if step_s <= -STEP_S else 0.0)
    smooth_s, count = ahead_s - small_gap_s + overlap_s, known.series + 1
    mean_s = known.mean_s + (smooth_s - known.mean_s) / count
    return replace(
        known,
        ahead_s=ahead_s,
        small_gap_s=small_gap_s,
        overlap_s=overlap_s,
        series=count,
        mean_s=mean_s,
        squares=known.squares + (smooth_s - known.mean_s) * (smooth_s - mean_s),
        sound_s=sound_s,
    )


def _told(known: _Sound, series: StreamSeries, track: int) -> tuple[list[SyncSeries], _Sound]:
    """Tell a shift of one track once the other has had time to follow."""
    shifts = [fact for fact in series.facts if fact.kind == "shift" and _is_sure(fact, track)]
    for fact in shifts:
        alone_s = fact.details["jump_s"] if fact.track == "video" else -fact.details["jump_s"]
        known = replace(known, alone_s=known.alone_s + alone_s)
    seen_s, heard_s = series.video_until_s, series.audio_until_s[track]
    if series.video_zero_s is None or track not in series.audio_zero_s or seen_s is None or heard_s is None:
        return [], known
    shift_s = series.video_zero_s - series.audio_zero_s[track] + known.alone_s
    if abs(shift_s - known.shift_s) > 1e-6:
        jumps = [fact.start_s for fact in series.facts if fact.kind == "discontinuity" or fact in shifts]
        known = replace(known, shift_s=shift_s, shifted_from_s=jumps[-1] if jumps else min(seen_s, heard_s))
    from_s, until_s = known.shifted_from_s, min(seen_s, heard_s)
    if abs(known.shift_s - known.told_s) < SHIFT_S or until_s < from_s + SETTLED_S:
        return [], known
    answer = SyncSeries(
        way="timestamps",
        track=track,
        start_s=np.array([from_s]),
        end_s=np.array([until_s]),
        offset_s=np.array([known.shift_s]),
        sigma_s=np.array([SHIFT_SIGMA_S]),
        confidence=np.array([SHIFTED], np.float32),
    )
    return [answer], replace(known, told_s=known.shift_s)


def timestamp_sync(carry: TimestampCarry | None) -> list[TimestampSync]:
    """What the timestamps have said so far of each audio track."""
    if carry is None:
        return []
    return [_of_track(carry, track) for track in sorted(carry.audio)]


def _of_track(carry: TimestampCarry, track: int) -> TimestampSync:
    sound, picture, kept = carry.audio[track], carry.video, carry.sound[track]
    drift_s = None
    if kept.ahead_s is not None:
        drift_s = kept.ahead_s - kept.first_ahead_s - kept.small_gap_s + kept.overlap_s
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
        small_gap_s=kept.small_gap_s,
        overlap_s=kept.overlap_s,
        jitter_ms=1e3 * (kept.squares / kept.series) ** 0.5 if kept.series > 1 else None,
        drift_ppm=1e6 * drift_s / kept.sound_s if drift_s is not None and kept.sound_s >= DRIFT_FROM_S else None,
        shift_s=kept.shift_s if start_s is not None else None,
    )


def _is_sure(fact: StreamFact, track: int) -> bool:
    """Whether a shift moves an audio track against the picture for certain.

    What may as well be missing, or come twice, leaves the rest in step: it would add up for as long as a stream lasts.
    """
    return fact.details["borne_out"] and (fact.track == "video" or fact.details.get("track") == track)


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
