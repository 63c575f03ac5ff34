"""Pairing: which distance the flashes and beeps of a test signal keep, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.sync.flashes import Flash

__all__ = ["Pairing", "Sound", "offsets_from", "pairing", "within_s"]

REACH_S = 2.1
"""Farthest that a beep is looked for on either side of its flash: 2 s, and some for what was measured late."""
AGREE_S = 0.004
"""Pairs agree within a frame and this: AAC moves an onset by 1 ms or less, a stage of timestamps by as much."""
ENOUGH = 3
"""Pairs of the last eight flashes that make a marker signal."""
SMALL = 0.3
"""Flashes of less than this share of the picture need more: programmes have such ones, of 8 tiles and more, every few
seconds, and what is repeated repeats their distance to a sound. Ours: 154 of 167 in 13 minutes of real clips."""
SMALL_ENOUGH = 5
"""Pairs that small flashes need."""
SMALL_AGAINST = 0.25
"""Flashes and beeps without a partner, for each of these pairs, at most."""
SMALL_KINDS = 3
"""Moments within a period that these pairs must have at least, whatever the period: once repeated, two chance flashes
with a beep would have two. Flashes every 2.1 s or less need none: nothing else is repeated as fast."""
ALIKE = 0.5
"""Other flashes of at least this share of a flash's area might be its kind, wherever they are in the picture."""
SURE = 0.98
"""Confidence in a pair that no other pairing rivals."""
FAR_S = 0.5
"""Sound is seldom so far off; ours."""
LIKELY = 0.92
"""Confidence where other pairings fit as well, by `FAR_S` and four times as far off or more: markers every second."""
NEAREST = 0.7
"""Confidence where another pairing fits as well, farther off by a factor of two or more: evenly spaced markers."""
RIVALLED = 0.3
"""Confidence where another pairing fits as well and lies about as near; where more than half as many flashes and beeps
as there are pairs lack a partner; or where pairs lie more than a frame apart."""


class Sound(NamedTuple):
    """The beeps of a track, and where it was heard."""

    beeps_s: np.ndarray
    """float64 [B]: when they begin."""
    from_s: float
    until_s: float


class Pairing(NamedTuple):
    """The distance that fits best."""

    offset_s: float
    """Of the last flash, t_vision − t_sound."""
    confidence: float
    pairs: int
    """Flashes that have a beep of their own at this distance, within a frame."""
    against: int
    """Flashes and beeps that lack a partner."""


def pairing(
    recent: Sequence[Flash], strangers_s: Sequence[float], sound: Sound, seen_from_s: float, last_s: float | None
) -> Pairing | None:
    """The distance at which the last of the recent flashes has a beep, as others have.

    Args:
        recent: Flashes of one part of the picture, in order of time; the last one is paired.
        strangers_s: When flashes of other parts began.
        sound: What is heard.
        seen_from_s: From here on flashes are seen.
        last_s: Offset of the pair before; null without.

    Returns:
        Null where too few flashes have a beep at a common distance.
    """
    flash, heard = recent[-1], sound.beeps_s
    times = np.array([one.at_s for one in recent])
    near = heard[np.abs(flash.at_s - heard) <= REACH_S]
    allowed_s = within_s(flash)
    strangers = sum(times[0] - allowed_s < at_s < times[-1] + allowed_s for at_s in strangers_s)
    choices: list[Pairing] = []
    for offset_s in (flash.at_s - near).tolist():
        apart_s = np.abs(heard[None, :] + offset_s - times[:, None])
        matched, back = apart_s.min(1) <= allowed_s, apart_s.min(0) <= allowed_s
        pairs = min(int(matched.sum()), int(back.sum()))
        # Only what must have been seen or heard speaks against a pairing.
        partner_s = times - offset_s
        lacking = ~matched & (partner_s > sound.from_s) & (partner_s < sound.until_s)
        alone_s = heard[~back] + offset_s
        alone = (alone_s > max(times[0] - allowed_s, seen_from_s)) & (alone_s < times[-1] + allowed_s)
        shared = int(matched.sum()) + int(back.sum()) - 2 * pairs
        against = int(lacking.sum()) + int(alone.sum()) + shared + strangers
        choices.append(Pairing(offset_s, SURE, pairs, against))

    def rank(choice: Pairing) -> tuple[int, bool, float]:
        is_last = last_s is not None and abs(choice.offset_s - last_s) <= allowed_s
        return choice.pairs - choice.against, is_last, -abs(choice.offset_s)

    choices.sort(key=rank, reverse=True)
    best = choices[0] if choices else None
    if best is None or best.pairs < ENOUGH or best.against > best.pairs:
        return None
    offsets_s = offsets_from(times, heard, best.offset_s, allowed_s)
    paired = np.isfinite(offsets_s)
    area = float(np.median([one.area for one in recent]))
    if area < SMALL and not _is_borne_out(best, times[paired], allowed_s):
        return None
    rivals = [abs(one.offset_s) for one in choices[1:] if rank(one)[0] >= rank(best)[0]]
    confidence = _confidence(abs(best.offset_s), min(rivals, default=None))
    is_loose = np.ptp(offsets_s[paired]) > allowed_s + AGREE_S
    if is_loose or 2 * best.against > best.pairs:
        confidence = RIVALLED
    return best._replace(confidence=confidence)


def within_s(flash: Flash) -> float:
    """How far pairs of a signal may lie apart, seconds."""
    return flash.frame_s + AGREE_S


def offsets_from(times: np.ndarray, heard: np.ndarray, offset_s: float, allowed_s: float) -> np.ndarray:
    """The offset of each flash from the beep nearest to where this offset puts it; NaN where none is as near."""
    nearest = heard[np.abs(heard[None, :] + offset_s - times[:, None]).argmin(1)]
    own_s: np.ndarray = times - nearest
    own_s[np.abs(own_s - offset_s) > allowed_s] = np.nan
    return own_s


def _is_borne_out(best: Pairing, times: np.ndarray, allowed_s: float) -> bool:
    """Whether there are enough pairs of small flashes, and they are no repetition."""
    if best.pairs < SMALL_ENOUGH or best.against > SMALL_AGAINST * best.pairs:
        return False
    return float(np.diff(times).max()) <= REACH_S or _kinds(times, allowed_s) >= SMALL_KINDS


def _kinds(times: np.ndarray, allowed_s: float) -> int:
    """At how many moments within a period things happen, for the period of more than `REACH_S` that leaves fewest."""
    one, other = np.triu_indices(len(times), 1)
    gaps = times[other] - times[one]
    fewest = len(times)
    for period_s in np.unique(np.concatenate([gaps / part for part in range(1, len(times))])).tolist():
        if period_s > REACH_S:
            phases = np.sort(times % period_s)
            fewest = min(fewest, int((np.diff(phases, append=phases[0] + period_s) > allowed_s).sum()))
    return fewest


def _confidence(offset_s: float, rival_s: float | None) -> float:
    """How sure a pairing is, by the nearest other one that fits as well; both seconds, unsigned."""
    if rival_s is None:
        return SURE
    if rival_s >= max(FAR_S, 4.0 * offset_s):
        return LIKELY
    return NEAREST if rival_s >= 2.0 * offset_s else RIVALLED
