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
ALONE = 400
"""Steps of near silence before and after a beep that stands alone: a second."""
TRAIL = 8
"""The first of them after it may hold what a codec spreads behind a beep."""
AHEAD = ALONE + TRAIL + 48
"""Steps that must be known after an onset to judge it: a beep of 0.8 s, and a second after one of 0.12 s."""


@dataclass(frozen=True, slots=True)
class Beep:
    """One beep."""

    at_s: float
    """When it begins, seconds."""
    length_s: float
    frequency_hz: float
    """Of a sine whose wave bends as strongly, Hz; 0 where the beep is too short to say."""
    is_alone: bool
    """A second before and a second after it are known, and near silent in all channels."""


@dataclass(frozen=True, slots=True, eq=False)
class BeepCarry:
    """The sound around the next step to judge; 2.2 s of it."""

    start_s: float = 0.0
    """Start of the sound kept."""
    power: np.ndarray | None = None
    """float32 [Q, C], Q steps of 2.5 ms; null before the first sound."""
    peak: np.ndarray | None = None
    """float32 [Q / 4, C]."""
    bend: np.ndarray | None = None
    """float32 [Q / 4, C]: `AudioSeries.bend_power`."""
    sample_rate: int = 0
    """Hz."""
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
        start_s, peak, bend = float(audio.pts_s[0]), audio.peak, audio.bend_power
        if carry.power is not None and carry.peak is not None and carry.bend is not None:
            follows_s = carry.start_s + len(carry.power) * QUARTER_S
            is_same = carry.power.shape[1] == power.shape[1] and carry.sample_rate == audio.sample_rate
            if abs(start_s - follows_s) < 1e-3 and is_same:
                start_s = carry.start_s
                power = np.concatenate((carry.power, power))
                peak, bend = np.concatenate((carry.peak, peak)), np.concatenate((carry.bend, bend))
            else:
                found, carry = _found(carry, finished=True)
                carry = BeepCarry(from_s=carry.from_s, until_s=carry.until_s)
        from_s = min(carry.from_s, start_s + BEFORE * QUARTER_S)
        carry = BeepCarry(start_s, power, peak, bend, audio.sample_rate, carry.judged, from_s, carry.until_s)
    more, carry = _found(carry, finished=finished)
    return found + more, carry


def _found(carry: BeepCarry, *, finished: bool) -> tuple[list[Beep], BeepCarry]:
    """Judge all steps around which enough is known."""
    if carry.power is None or carry.peak is None or carry.bend is None:
        return [], carry
    power, count = carry.power, len(carry.power)
    first = max(carry.judged, BEFORE)
    stop = count if finished else count - AHEAD
    found: list[Beep] = []
    if stop > first:
        total = power.sum(1)
        for at in _onsets(total, first, min(stop, count - SHORTEST)):
            beep = _beep(carry, power, at, total)
            # The steps around an onset may all look like it: the first one stands.
            if beep is not None and not (found and beep.at_s - found[-1].at_s < SHORTEST * QUARTER_S):
                found.append(beep)
    judged = max(stop, carry.judged)
    cut = max(0, (judged - ALONE - HOP) // HOP)
    until_s = max(carry.until_s, carry.start_s + judged * QUARTER_S)
    return found, BeepCarry(
        carry.start_s + cut * HOP * QUARTER_S,
        power[cut * HOP :].copy(),
        carry.peak[cut:].copy(),
        carry.bend[cut:].copy(),
        carry.sample_rate,
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


def _beep(carry: BeepCarry, power: np.ndarray, at: int, total: np.ndarray) -> Beep | None:
    """The beep that passes half its power with the step `at`, if one does; `total` is that of all channels."""
    assert carry.peak is not None and carry.bend is not None  # noqa: S101, PT018 - known where there is power
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
    crest = carry.peak[at // HOP : -(-end // HOP), channel].astype(np.float64) ** 2 / level
    if float(np.median(crest)) > CREST:
        return None
    # A step of power at t gives as much energy as what rose around t: codecs smear a rise to both sides alike.
    risen = np.minimum(mine[at - 2 : at + 2], level).sum() / level
    before, after = total[max(0, at - ALONE) : at - LEAD], total[end + TRAIL : end + ALONE]
    is_known = len(before) == ALONE - LEAD and len(after) == ALONE - TRAIL
    return Beep(
        at_s=carry.start_s + (at + 2 - risen) * QUARTER_S,
        length_s=(end - at) * QUARTER_S,
        frequency_hz=_frequency_hz(carry.bend[:, channel], level, (at, end), carry.sample_rate),
        is_alone=is_known and max(before.max(), after.max()) <= QUIET * level,
    )


def _frequency_hz(bend: np.ndarray, level: float, steps: tuple[int, int], sample_rate: int) -> float:
    """That of a sine of this power whose second difference has the power of the hops wholly within the steps."""
    inner = bend[-(-(steps[0] + 1) // HOP) : (steps[1] - 1) // HOP]
    if not len(inner):
        return 0.0
    # A difference multiplies a sine by 2 sin(π f / rate), the second one by its square, power by that squared.
    share = float(np.median(inner)) / level / 16.0
    return sample_rate / np.pi * float(np.arcsin(min(1.0, share**0.25)))
