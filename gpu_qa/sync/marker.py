"""By marker: flashes and beeps of a test signal, paired.

A flash is a picture, or a fixed part of one, that is bright for a moment and then as it was; a beep is a short steady
tone out of near silence. Both are rare in programmes and hardly ever keep the same distance, which is what pairs are
told by: at least three flashes of the last eight must have a beep at the same distance, within a frame, small flashes
more. A countdown leader has one of each, which must be what nothing else is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.series import SyncSeries
from gpu_qa.sync.beeps import Beep, BeepCarry, beeps
from gpu_qa.sync.flashes import Flash, FlashCarry, flashes
from gpu_qa.sync.leader import AFTER_S, LEADER, leader_beep
from gpu_qa.sync.pairing import AGREE_S, ALIKE, ENOUGH, REACH_S, Sound, offsets_from, pairing, within_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import AudioSeries, VideoSeries

TIMER_S = 0.5e-3
"""Standard deviation of a beep's onset; ours, from beeps through AAC at 48 to 192 kbit/s (docs/sync_marker.md)."""
RECENT = 8
"""Flashes that are compared, of one part of the picture."""
CROWD = 24
"""Flashes of all parts among which they are."""
LONG_S = 60.0
"""Pairs must span so long before they tell a drift."""
STEP = 4
"""Pairs in a row, with nothing against them, that tell a new offset of a signal that was there: a step."""
KEPT_S = 64.0
"""Beeps and flashes are forgotten after this long: as many flashes as are compared fit, unless they are 8 s apart."""
MOST = 64
"""Beeps of a track, or flashes, that are kept at most: a marker signal has fewer in that time."""
OVERLAP = 0.3
"""Share that the regions of two flashes of one signal have in common, of both together."""
LONE = 0.3
"""Confidence in one flash and one beep in all that was seen and heard."""
LONE_AREA = 0.5
"""Share of the picture that a lone flash must fill."""


@dataclass(frozen=True, slots=True)
class MarkerSync:
    """What the marker says of one audio track over the whole run."""

    track: int
    """Index of the audio track in its container."""
    pairs: int
    """Flashes with their beep."""
    flashes: int
    """All flashes that were judged."""
    beeps: int
    """All beeps that were heard."""
    offset_s: float | None
    """Median over the last pairs, 1024 at most; t_vision − t_sound, positive where sound is advanced; null without."""
    spread_s: float | None
    """Half the distance between their 16th and 84th percentile; null without."""
    latest_s: float | None
    """Median of the last 8 pairs that agree with the last one within a frame; null without."""
    drift_ppm: float | None
    """Slope of the offset over the last pairs, 1024 at most, millionths; null where they span less than a minute."""
    drift_sigma_ppm: float | None
    """Its standard deviation, by how far the offsets lie from the line."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """A flash with its beep."""

    at_s: float
    offset_s: float
    frame_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class _TrackCarry:
    """Where the pairing of one audio track stands."""

    heard: BeepCarry = field(default_factory=BeepCarry)
    beeps: tuple[Beep, ...] = ()
    judged: int = 0
    """Flashes judged so far, in the stream's order."""
    beep_count: int = 0
    offset_s: float | None = None
    """Of the last pair told."""
    pair_count: int = 0
    told: tuple[tuple[float, float, float], ...] = ()
    """Time, offset and length of the frame of the last pairs told."""


@dataclass(frozen=True, slots=True)
class MarkerCarry:
    """Where the measuring stands."""

    seen: FlashCarry = field(default_factory=FlashCarry)
    flashes: tuple[Flash, ...] = ()
    flash_count: int = 0
    """All flashes so far; those in `flashes` are the last of them."""
    tracks: dict[int, _TrackCarry] = field(default_factory=dict)


def marker_step(
    video: VideoSeries | None,
    audio: AudioSeries | None,
    carry: MarkerCarry | None = None,
    *,
    finished: bool = False,
) -> tuple[list[SyncSeries], MarkerCarry]:
    """Find flashes and beeps, and tell the offset of each pair.

    Args:
        video: What comes next of the picture; null where nothing does.
        audio: What comes next of one audio track; null where nothing does.
        carry: From the step before; null at the start of a stream.
        finished: Nothing more comes.

    Returns:
        For each track with new answers one series, an answer for each pair, and the carry. Answers come when the sound
        is known up to 2.1 s after the flash, and the first ones of a signal when there are three.
    """
    carry = carry or MarkerCarry()
    tracks = dict(carry.tracks)
    found, seen = flashes(video, carry.seen, finished=finished)
    count = carry.flash_count + len(found)
    kept = (*carry.flashes, *found)[-MOST:]
    if audio is not None:
        tracks.setdefault(audio.track, _TrackCarry(judged=carry.flash_count - len(carry.flashes)))
    answers = []
    for track, before in tracks.items():
        known = before
        series = audio if audio is not None and audio.track == track else None
        if series is not None or finished:
            heard, state = beeps(series, known.heard, finished=finished)
            known = replace(
                known, heard=state, beeps=(*known.beeps, *heard)[-MOST:], beep_count=known.beep_count + len(heard)
            )
        pairs, tracks[track] = _paired(known, kept, count, seen, finished=finished)
        if pairs:
            answers.append(_series(track, pairs))
    last = count - len(kept)
    next_ = min((known.judged for known in tracks.values()), default=0)
    oldest_s = kept[min(max(0, next_ - last), len(kept) - 1)].at_s - KEPT_S if kept else 0.0
    remembered = tuple(one for i, one in enumerate(kept) if last + i > next_ - CROWD and one.at_s > oldest_s)
    return answers, MarkerCarry(seen, remembered, count, tracks)


def marker_sync(carry: MarkerCarry | None) -> list[MarkerSync]:
    """What the marker says of each audio track so far."""
    if carry is None:
        return []
    found = []
    for track, known in sorted(carry.tracks.items()):
        times, offsets, frames = np.array(known.told).reshape(-1, 3).T
        enough = len(offsets) > 0
        low, middle, high = np.percentile(offsets, (16, 50, 84)) if enough else (0.0, 0.0, 0.0)
        long = len(offsets) >= ENOUGH and times[-1] - times[0] >= LONG_S
        drift_ppm, sigma_ppm = _slope_ppm(times, offsets) if long else (None, None)
        found.append(
            MarkerSync(
                track=track,
                pairs=known.pair_count,
                flashes=known.judged,
                beeps=known.beep_count,
                offset_s=float(middle) if enough else None,
                spread_s=float(high - low) / 2 if enough else None,
                latest_s=_latest_s(times, offsets, frames) if enough else None,
                drift_ppm=drift_ppm,
                drift_sigma_ppm=sigma_ppm,
            )
        )
    return found


def _latest_s(times: np.ndarray, offsets: np.ndarray, frames: np.ndarray) -> float:
    """Median of the last pairs that agree with the last one."""
    recent = (np.abs(offsets - offsets[-1]) <= frames[-1] + AGREE_S) & (times > times[-1] - KEPT_S)
    return float(np.median(offsets[recent][-RECENT:]))


def _slope_ppm(times: np.ndarray, offsets: np.ndarray) -> tuple[float, float]:
    """Slope of the line through these offsets by least squares, and its standard deviation, millionths.

    Offsets near in time may be off alike, where flashes move slowly against the frames: as many as that leaves count
    (Bartlett 1935, of the correlation of each with the next).
    """
    centred = times - times.mean()
    square = float((centred**2).sum())
    slope = float((centred * offsets).sum()) / square
    rest = offsets - offsets.mean() - slope * centred
    alike = float((rest[1:] * rest[:-1]).sum()) / max(float((rest**2).sum()), 1e-18)
    alike = min(max(alike, 0.0), 0.99)
    spread = float((rest**2).sum()) / max(1, len(rest) - 2) + TIMER_S**2
    return slope * 1e6, float(np.sqrt(spread / square * (1.0 + alike) / (1.0 - alike))) * 1e6


def _paired(
    known: _TrackCarry, kept: Sequence[Flash], count: int, seen: FlashCarry, *, finished: bool
) -> tuple[list[_Pair], _TrackCarry]:
    """Judge the flashes around which all sound is known."""
    told: list[_Pair] = []
    first = count - len(kept)
    number = max(known.judged, first)
    while number < count:
        flash = kept[number - first]
        is_heard = known.heard.until_s >= flash.at_s + REACH_S and seen.until_s >= flash.at_s + AFTER_S
        if not (finished or is_heard):
            break
        around = kept[max(0, number - first - CROWD + 1) : number - first + 1]
        around = [one for one in around if one.at_s > flash.at_s - KEPT_S]
        sound = [one for one in known.beeps if flash.at_s - KEPT_S < one.at_s <= flash.at_s + REACH_S]
        now = _signal(known, around, sound, seen.from_s)
        if not now:
            beep = leader_beep(flash, [*around, *kept[number - first + 1 :]], sound)
            now = [_Pair(flash.at_s, flash.at_s - beep.at_s, flash.frame_s, LEADER)] if beep else []
        known = _remembered(known, now)
        told += now
        number += 1
    if finished and not told and not known.pair_count:
        told = _lone(known, kept)
        known = _remembered(known, told)
    if number != known.judged:
        known = replace(known, judged=number)
    if kept:
        oldest_s = kept[min(number - first, len(kept) - 1)].at_s - KEPT_S - REACH_S
        known = replace(known, beeps=tuple(one for one in known.beeps if one.at_s > oldest_s))
    return told, known


def _signal(known: _TrackCarry, around: Sequence[Flash], sound: Sequence[Beep], seen_from_s: float) -> list[_Pair]:
    """Pair the last of these flashes, if it has a beep at the distance that others have."""
    flash = around[-1]
    recent = [one for one in around if one.like(flash) >= OVERLAP][-RECENT:]
    strangers_s = [one.at_s for one in around if one.like(flash) < OVERLAP and one.area >= ALIKE * flash.area]
    heard = Sound(np.array([one.at_s for one in sound]), known.heard.from_s, known.heard.until_s)
    best = pairing(recent, strangers_s, heard, seen_from_s, known.offset_s)
    is_doubted = best is None or 2 * best.against > best.pairs
    if is_doubted and len(known.told) >= ENOUGH and known.told[-ENOUGH][0] > flash.at_s - KEPT_S:
        step = pairing(recent[-STEP:], strangers_s, heard, seen_from_s, known.offset_s)
        best = step if step and step.pairs == STEP and not step.against else best
    if best is None:
        return []
    # The first pairs of a signal could not be told until now; of an evenly spaced one their beeps are known now.
    since_s = known.told[-1][0] if known.told else -np.inf
    offsets_s = offsets_from(np.array([one.at_s for one in recent]), heard.beeps_s, best.offset_s, within_s(flash))
    return [
        _Pair(one.at_s, offset_s, one.frame_s, best.confidence)
        for one, offset_s in zip(recent, offsets_s.tolist(), strict=True)
        if one is flash or (one.at_s > since_s and np.isfinite(offset_s))
    ]


def _remembered(known: _TrackCarry, told: Sequence[_Pair]) -> _TrackCarry:
    if not told:
        return known
    return replace(
        known,
        offset_s=told[-1].offset_s,
        pair_count=known.pair_count + len(told),
        told=(*known.told, *((one.at_s, one.offset_s, one.frame_s) for one in told))[-1024:],
    )


def _lone(known: _TrackCarry, kept: Sequence[Flash]) -> list[_Pair]:
    """The pair of a countdown leader: one flash and one beep in all that was seen and heard."""
    if len(kept) != 1 or known.beep_count != 1 or kept[0].area < LONE_AREA:
        return []
    flash, offset_s = kept[0], kept[0].at_s - known.beeps[0].at_s if known.beeps else np.inf
    return [_Pair(flash.at_s, offset_s, flash.frame_s, LONE)] if abs(offset_s) <= REACH_S else []


def _series(track: int, pairs: Sequence[_Pair]) -> SyncSeries:
    at_s = np.array([one.at_s for one in pairs])
    offset_s = np.array([one.offset_s for one in pairs])
    frame_s = np.array([one.frame_s for one in pairs])
    return SyncSeries(
        way="marker",
        track=track,
        start_s=np.minimum(at_s, at_s - offset_s),
        end_s=np.maximum(at_s + frame_s, at_s - offset_s),
        offset_s=offset_s,
        sigma_s=np.sqrt(frame_s**2 / 12.0 + TIMER_S**2),
        confidence=np.array([one.confidence for one in pairs], np.float32),
    )
