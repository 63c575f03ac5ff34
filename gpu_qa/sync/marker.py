"""By marker: flashes and beeps of a test signal, paired.

A flash is a picture, or a fixed part of one, that is bright for a moment and then as it was; a beep is a short steady
tone out of near silence. Both are rare in programmes and hardly ever keep the same distance, which is what pairs are
told by: at least three flashes of the last eight must have a beep at the same distance, within a frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.series import SyncSeries
from gpu_qa.sync.beeps import Beep, BeepCarry, beeps
from gpu_qa.sync.flashes import Flash, FlashCarry, flashes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import AudioSeries, VideoSeries

REACH_S = 2.1
"""Farthest that a beep is looked for on either side of its flash: 2 s, and some for what was measured late."""
TIMER_S = 0.5e-3
"""Standard deviation of a beep's onset; ours, from beeps through AAC at 48 to 192 kbit/s (docs/sync_marker.md)."""
AGREE_S = 0.004
"""Pairs agree within a frame and this: AAC moves an onset by 1 ms or less, a stage of timestamps by as much."""
RECENT = 8
"""Flashes that are compared."""
ENOUGH = 3
"""Pairs of these that make a marker signal."""
KEPT_S = 64.0
"""Beeps and flashes are forgotten after this long: as many flashes as are compared fit, unless they are 8 s apart."""
MOST = 64
"""Beeps of a track, or flashes, that are kept at most: a marker signal has fewer in that time."""
OVERLAP = 0.3
"""Share that the regions of two flashes of one signal have in common, of both together."""
SURE = 0.98
"""Confidence in a pair that no other pairing rivals."""
FAR_S = 0.5
"""Sound is seldom so far off; ours."""
LIKELY = 0.92
"""Confidence where other pairings fit as well, by `FAR_S` and four times as far off or more: markers every second."""
NEAREST = 0.7
"""Confidence where another pairing fits as well, farther off by a factor of two or more: evenly spaced markers."""
RIVALLED = 0.3
"""Confidence where another pairing fits as well and lies about as near."""
LONE = 0.3
"""Confidence in one flash and one beep with nothing like them around: a countdown leader."""
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
    drift_ppm: float | None
    """Slope of the offset over these pairs, millionths; null where they span less than a minute."""


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
    told: tuple[tuple[float, float], ...] = ()
    """Time and offset of the last pairs told."""


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
        pairs, tracks[track] = _paired(known, kept, count, seen.from_s, finished=finished)
        if pairs:
            answers.append(_series(track, pairs))
    last = count - len(kept)
    next_ = min((known.judged for known in tracks.values()), default=0)
    oldest_s = kept[min(max(0, next_ - last), len(kept) - 1)].at_s - KEPT_S if kept else 0.0
    remembered = tuple(one for i, one in enumerate(kept) if last + i > next_ - RECENT and one.at_s > oldest_s)
    return answers, MarkerCarry(seen, remembered, count, tracks)


def marker_sync(carry: MarkerCarry | None) -> list[MarkerSync]:
    """What the marker says of each audio track so far."""
    if carry is None:
        return []
    found = []
    for track, known in sorted(carry.tracks.items()):
        times = np.array([at_s for at_s, _ in known.told])
        offsets = np.array([offset_s for _, offset_s in known.told])
        enough = len(offsets) > 0
        low, middle, high = np.percentile(offsets, (16, 50, 84)) if enough else (0.0, 0.0, 0.0)
        long = len(offsets) >= ENOUGH and times[-1] - times[0] >= 60.0
        found.append(
            MarkerSync(
                track=track,
                pairs=known.pair_count,
                flashes=known.judged,
                beeps=known.beep_count,
                offset_s=float(middle) if enough else None,
                spread_s=float(high - low) / 2 if enough else None,
                drift_ppm=float(np.polyfit(times - times.mean(), offsets, 1)[0] * 1e6) if long else None,
            )
        )
    return found


def _paired(
    known: _TrackCarry, kept: Sequence[Flash], count: int, seen_from_s: float, *, finished: bool
) -> tuple[list[_Pair], _TrackCarry]:
    """Judge the flashes around which all sound is known."""
    told: list[_Pair] = []
    first = count - len(kept)
    number = max(known.judged, first)
    while number < count and (finished or known.heard.until_s >= kept[number - first].at_s + REACH_S):
        flash = kept[number - first]
        recent = [
            one
            for one in kept[max(0, number - first - RECENT + 1) : number - first + 1]
            if one.at_s > flash.at_s - KEPT_S and one.like(flash) >= OVERLAP
        ]
        sound = [one for one in known.beeps if flash.at_s - KEPT_S < one.at_s <= flash.at_s + REACH_S]
        known, now = _judged(known, recent, sound, seen_from_s)
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


def _confidence(offset_s: float, rival_s: float | None) -> float:
    """How sure a pairing is, by the nearest other one that fits as well; both seconds, unsigned."""
    if rival_s is None:
        return SURE
    if rival_s >= max(FAR_S, 4.0 * offset_s):
        return LIKELY
    return NEAREST if rival_s >= 2.0 * offset_s else RIVALLED


def _judged(
    known: _TrackCarry, recent: Sequence[Flash], sound: Sequence[Beep], seen_from_s: float
) -> tuple[_TrackCarry, list[_Pair]]:
    """Pair the last of the recent flashes, if it has a beep at the distance that others have."""
    flash = recent[-1]
    times = np.array([one.at_s for one in recent])
    heard = np.array([one.at_s for one in sound])
    near = [one.at_s for one in sound if abs(flash.at_s - one.at_s) <= REACH_S]
    if not near:
        return known, []
    within_s = flash.frame_s + AGREE_S
    choices = []
    for beep_s in near:
        offset_s = flash.at_s - beep_s
        matched = np.abs(heard[None, :] + offset_s - times[:, None]).min(1) <= within_s
        back = np.abs(heard[None, :] + offset_s - times[:, None]).min(0) <= within_s
        # Only what must have been seen or heard speaks against a pairing.
        partner_s = times - offset_s
        lacking = ~matched & (partner_s > known.heard.from_s) & (partner_s < known.heard.until_s)
        alone_s = heard[~back] + offset_s
        alone = (alone_s > max(times[0] - within_s, seen_from_s)) & (alone_s < times[-1] + within_s)
        choices.append((int(matched.sum()), int(lacking.sum()) + int(alone.sum()), offset_s))

    def rank(choice: tuple[int, int, float]) -> tuple[int, bool, float]:
        pairs, against, offset_s = choice
        is_last = known.offset_s is not None and abs(offset_s - known.offset_s) <= within_s
        return pairs - against, is_last, -abs(offset_s)

    choices.sort(key=rank, reverse=True)
    pairs, against, offset_s = choices[0]
    if pairs < ENOUGH or against > pairs:
        return known, []
    rivals = [abs(other) for fits, but, other in choices[1:] if fits - but >= pairs - against]
    confidence = _confidence(abs(offset_s), min(rivals, default=None))
    pair = _Pair(flash.at_s, offset_s, flash.frame_s, confidence)
    # The first pairs of a signal could not be told until now; of an evenly spaced one their beeps are known now.
    before = [
        _Pair(one.at_s, one.at_s - float(heard[nearest]), one.frame_s, confidence)
        for one in recent[:-1]
        if not known.told or one.at_s > known.told[-1][0]
        for nearest in (int(np.abs(heard + offset_s - one.at_s).argmin()),)
        if abs(float(heard[nearest]) + offset_s - one.at_s) <= within_s
    ]
    told = [*before, pair]
    return _remembered(known, told), told


def _remembered(known: _TrackCarry, told: Sequence[_Pair]) -> _TrackCarry:
    if not told:
        return known
    return replace(
        known,
        offset_s=told[-1].offset_s,
        pair_count=known.pair_count + len(told),
        told=(*known.told, *((one.at_s, one.offset_s) for one in told))[-1024:],
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
