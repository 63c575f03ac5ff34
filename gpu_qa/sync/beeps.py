"""Beeps: a short steady tone out of near silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries

QUARTER_S = 0.0025
"""Step of `AudioSeries.fine_power`."""
HOP = 4
"""Steps in a hop."""
BEFORE = 40
"""Steps that are near silent before a beep: 0.1 s."""
LEAD = 6
"""The last of them may hold what a codec spreads before a beep: AAC up to 15 ms."""
QUIET = 0.01
"""Near silence has this share of the beep's power at most: −20 dB."""
FAINT = 1e-5
"""Beeps have at least this power, full-scale square = 1: −50 dBFS."""
SHORTEST, LONGEST = 5, 320
"""Steps that a beep lasts: 12.5 ms to 0.8 s."""
STEADY_DB = 2.0
"""Standard deviation of the power of a beep's steps, at most; speech and struck things vary by more within 20 ms."""
CREST = 3.2
"""Median of squared peak by power over a beep's hops, at most: 2 is a sine, 10 noise."""
ENDED = 0.1
"""A beep is over where its power falls below this share."""
AHEAD = LONGEST + 12
"""Steps that must be known after an onset to judge it."""


@dataclass(frozen=True, slots=True)
class Beep:
    """One beep."""

    at_s: float
    """When it begins, seconds."""
    length_s: float


@dataclass(frozen=True, slots=True, eq=False)
class BeepCarry:
    """The sound around the next step to judge; a second of it."""

    start_s: float = 0.0
    """Start of the sound kept."""
    power: np.ndarray | None = None
    """float32 [Q, C], Q steps of 2.5 ms; null before the first sound."""
    peak: np.ndarray | None = None
    """float32 [Q / 4, C]."""
    judged: int = 0
    """Steps at the beginning that have been judged."""
    from_s: float = np.inf
    """From here on beeps are heard: the sound has begun, and what must be silent before one has passed."""
    until_s: float = -np.inf
    """Up to here all beeps are known."""


def beeps(
    audio: AudioSeries | None, carry: BeepCarry | None = None, *, finished: bool = False
) -> tuple[list[Beep], BeepCarry]:
    """Find the beeps of one track.

    Args:
        audio: What comes next; null where nothing does.
        carry: From the step before; null at the start of a stream.
        finished: Nothing more comes.

    Returns:
        The beeps around which all is known, in order of time, and the carry.
    """
    carry = carry or BeepCarry()
    found: list[Beep] = []
    if audio is not None and len(audio):
        power = audio.fine_power.reshape(len(audio) * HOP, -1)
        start_s, peak = float(audio.pts_s[0]), audio.peak
        if carry.power is not None and carry.peak is not None:
            follows_s = carry.start_s + len(carry.power) * QUARTER_S
            if abs(start_s - follows_s) < 1e-3 and carry.power.shape[1] == power.shape[1]:
                start_s = carry.start_s
                power, peak = np.concatenate((carry.power, power)), np.concatenate((carry.peak, peak))
            else:
                found, carry = _found(carry, finished=True)
                carry = BeepCarry(from_s=carry.from_s, until_s=carry.until_s)
        from_s = min(carry.from_s, start_s + BEFORE * QUARTER_S)
        carry = BeepCarry(start_s, power, peak, carry.judged, from_s, carry.until_s)
    more, carry = _found(carry, finished=finished)
    return found + more, carry


def _found(carry: BeepCarry, *, finished: bool) -> tuple[list[Beep], BeepCarry]:
    """Judge all steps around which enough is known."""
    if carry.power is None or carry.peak is None:
        return [], carry
    power, count = carry.power, len(carry.power)
    first = max(carry.judged, BEFORE)
    stop = count if finished else count - AHEAD
    found: list[Beep] = []
    if stop > first:
        total = power.sum(1)
        for at in _onsets(total, first, min(stop, count - SHORTEST)):
            beep = _beep(power, carry.peak, at, carry.start_s)
            # The steps around an onset may all look like it: the first one stands.
            if beep is not None and not (found and beep.at_s - found[-1].at_s < SHORTEST * QUARTER_S):
                found.append(beep)
    judged = max(stop, carry.judged)
    cut = max(0, (judged - BEFORE - HOP) // HOP)
    until_s = max(carry.until_s, carry.start_s + judged * QUARTER_S)
    return found, BeepCarry(
        carry.start_s + cut * HOP * QUARTER_S,
        power[cut * HOP :].copy(),
        carry.peak[cut:].copy(),
        judged - cut * HOP,
        carry.from_s,
        until_s,
    )


def _onsets(total: np.ndarray, first: int, stop: int) -> list[int]:
    """Steps with which the power passes half of what follows, out of near silence."""
    if stop <= first:
        return []
    # The level is the lesser of two steps soon after: a click is over by then.
    level = np.minimum(total[first + 2 : stop + 2], total[first + 3 : stop + 3])
    loud = level > FAINT
    if not loud.any():
        return []
    passes = (total[first:stop] >= 0.5 * level) & (total[first - 1 : stop - 1] < 0.5 * level)
    before = np.concatenate(([0.0], np.cumsum(total, dtype=np.float64)))
    quiet = before[first - LEAD : stop - LEAD] - before[first - BEFORE : stop - BEFORE]
    silent = quiet < QUIET * level * (BEFORE - LEAD)
    return [first + int(i) for i in np.flatnonzero(loud & passes & silent)]


def _beep(power: np.ndarray, peak: np.ndarray, at: int, start_s: float) -> Beep | None:
    """The beep that passes half its power with the step `at`, if one does."""
    channel = int(power[at + 1 : at + 4].sum(0).argmax())
    mine = power[:, channel].astype(np.float64)
    level = float(np.median(mine[at + 1 : at + SHORTEST]))
    below = np.flatnonzero(mine[at + 1 : at + LONGEST + HOP] < ENDED * level)
    if level <= FAINT / 2 or not len(below) or below[0] + 1 < SHORTEST:
        return None
    end = at + 1 + int(below[0])
    inner = mine[at + 1 : end - 1]
    level = float(np.median(inner))
    if float(np.std(10.0 * np.log10(np.maximum(inner, 1e-12)))) > STEADY_DB:
        return None
    if mine[at - BEFORE : at - LEAD].mean() > QUIET * level:
        return None
    crest = peak[at // HOP : -(-end // HOP), channel].astype(np.float64) ** 2 / level
    if float(np.median(crest)) > CREST:
        return None
    # A step of power at t gives as much energy as what rose around t: codecs smear a rise to both sides alike.
    risen = np.minimum(mine[at - 2 : at + 2], level).sum() / level
    return Beep(start_s + (at + 2 - risen) * QUARTER_S, (end - at) * QUARTER_S)
