"""What the stretches of a probe come to together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from gpu_qa.sync.drift import course
from gpu_qa.sync.picture_freeze import Freeze
from gpu_qa.sync.placing import Placing
from gpu_qa.sync.reference import MOST_SKEW_S, Stretch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.sync.drift import Jump

__all__ = ["Part", "Summary", "summarize"]

INSIDE_SHARE = 0.6
"""Of a stretch that does not match this much must lie beside the reference; with less it lies outside of it."""

APART_SIGMA_S = 0.005
"""Least standard deviation of a skew of which picture and sound are known in different stretches only. Of 124
such pairs in copies at an uneven rate the root mean square error was 4.6 ms, of 694 others 0.3 ms. All, in copies of 25
programmes, were right within 14 ms, and of 160 comparisons with other content none had both (docs/compare.md)."""

BESIDE_S = 0.1
"""Freezes that are no further apart are one: of two stretches, between which a picture is shown."""

Verdict = Literal["matches", "partly", "differs", "unknown"]


@dataclass(frozen=True, slots=True)
class Part:
    """The picture, or the sound, of a probe as a whole."""

    verdict: Verdict
    """`partly`: some stretches match and some are not in the reference; `unknown`: nothing to judge by."""
    reason: str | None
    """Why there is no delay."""
    delay_s: float | None
    """Median delay against the reference, each on its own clock."""
    drift_ppm: float | None
    """How the delay grows, millionths; null where that cannot be told."""
    drift_sigma_ppm: float | None
    jumps: tuple[Jump, ...]
    """Where the delay changed at once."""
    matching: int
    """Stretches that match."""
    differing: int
    """Stretches that are not in the reference though it has something there."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A probe as a whole."""

    picture: Part
    sound: Part
    skew_s: float | None
    """t_vision − t_sound against the reference, median of the stretches."""
    skew_low_s: float | None
    """Least and largest of the stretches, single ones left out."""
    skew_high_s: float | None
    skew_sigma_s: float | None
    """Standard deviation of `skew_s`."""
    confidence: float
    """0…1, that `skew_s` is right within 45 ms."""
    reason: str | None
    """Why there is no skew."""
    drift_ppm: float | None
    """How the skew grows, millionths; null where that cannot be told."""
    drift_sigma_ppm: float | None
    lost: int | None
    """Pictures of the reference that are missing; null where rates differ or nothing matches."""
    repeated: int | None
    """Pictures that come once more."""
    frozen: tuple[Freeze, ...] = ()
    """Where the picture stays though the reference moves."""


def summarize(stretches: Sequence[Stretch], reference_from_s: float, reference_until_s: float) -> Summary:
    """Sum up the stretches of a probe.

    Args:
        stretches: In order of time.
        reference_from_s: Where the reference begins, seconds of its clock.
        reference_until_s: Where it ends, or how far it has come.
    """
    middles = [(one.start_s + one.end_s) / 2 for one in stretches]
    span_s = reference_from_s, reference_until_s
    picture = _part([one.picture for one in stretches], stretches, middles, span_s, "picture")
    sound = _part([one.sound for one in stretches], stretches, middles, span_s, "sound")
    both = [(at_s, one.skew_s) for at_s, one in zip(middles, stretches, strict=True) if one.skew_s is not None]
    skews = np.array([skew_s for _, skew_s in both])
    matched = [one for one in stretches if one.lost is not None]
    skew_s: float | None = None
    low_s = high_s = sigma_s = None
    confidence, along = 0.0, None
    if len(skews):
        skew_s = float(np.median(skews))
        # One stretch alone may be wrong; two that overlap are not in the same way.
        ordered = np.sort(skews)
        low_s, high_s = (float(ordered[1]), float(ordered[-2])) if len(skews) >= 4 else (skew_s, skew_s)
        sigmas = [one.skew_sigma_s for one in stretches if one.skew_sigma_s is not None]
        sigma_s = float(np.median(sigmas))
        confidence = float(np.median([one.confidence for one in stretches if one.skew_s is not None]))
        along = course([at_s for at_s, _ in both], list(skews))
    elif (apart := _apart(stretches, middles, picture, sound)) is not None:
        skew_s = low_s = high_s = apart.skew_s
        sigma_s, confidence = apart.skew_sigma_s, apart.confidence
    return Summary(
        picture,
        sound,
        skew_s,
        low_s,
        high_s,
        sigma_s,
        confidence,
        None if skew_s is not None else _no_skew(picture, sound),
        None if along is None else along.drift_ppm,
        None if along is None else along.sigma_ppm,
        sum(len(one.lost or ()) for one in matched) if matched else None,
        sum(len(one.repeated or ()) for one in matched) if matched else None,
        _joined([freeze for one in stretches for freeze in one.frozen]),
    )


def _joined(freezes: Sequence[Freeze]) -> tuple[Freeze, ...]:
    """Freezes that go on from one stretch to the next are one."""
    joined: list[Freeze] = []
    for one in freezes:
        if joined and one.start_s - joined[-1].end_s <= BESIDE_S:
            joined[-1] = Freeze(joined[-1].start_s, max(one.end_s, joined[-1].end_s))
        else:
            joined.append(one)
    return tuple(joined)


def _apart(stretches: Sequence[Stretch], middles: Sequence[float], picture: Part, sound: Part) -> Stretch | None:
    """What the stretches say together where picture and sound are known in different ones; null where that is nothing.

    One of both must be known before and after the other, and stay where it is: what is cut out between them looks like
    a skew.
    """
    if picture.delay_s is None or sound.delay_s is None or picture.jumps or sound.jumps:
        return None
    if abs(picture.delay_s - sound.delay_s) > MOST_SKEW_S:
        return None
    seen = [
        (at_s, one.picture) for at_s, one in zip(middles, stretches, strict=True) if one.picture.delay_s is not None
    ]
    heard = [(at_s, one.sound) for at_s, one in zip(middles, stretches, strict=True) if one.sound.delay_s is not None]
    if not _surrounds(seen, heard) and not _surrounds(heard, seen):
        return None
    parts = _typical(seen, picture.delay_s, APART_SIGMA_S), _typical(heard, sound.delay_s, 0.0)
    return Stretch(stretches[0].start_s, stretches[-1].end_s, parts[0], parts[1])


def _surrounds(outer: Sequence[tuple[float, Placing]], inner: Sequence[tuple[float, Placing]]) -> bool:
    """Whether any of one lies between two of the other, both in order of time."""
    return any(outer[0][0] < at_s < outer[-1][0] for at_s, _ in inner)


def _typical(known: Sequence[tuple[float, Placing]], delay_s: float, least_sigma_s: float) -> Placing:
    """One placing for many, of the median's quality."""
    sigma_s = float(np.median([one.sigma_s or 0.0 for _, one in known]))
    overlap_s = float(np.median([one.overlap_s or 0.0 for _, one in known]))
    return Placing("matches", delay_s=delay_s, sigma_s=max(sigma_s, least_sigma_s), overlap_s=overlap_s)


def _part(
    placings: Sequence[Placing],
    stretches: Sequence[Stretch],
    middles: Sequence[float],
    span_s: tuple[float, float],
    name: str,
) -> Part:
    known = [(at_s, one.delay_s) for at_s, one in zip(middles, placings, strict=True) if one.delay_s is not None]
    along = course([at_s for at_s, _ in known], [delay_s for _, delay_s in known])
    differing = 0
    for stretch, at_s, placing in zip(stretches, middles, placings, strict=True):
        if placing.state != "differs":
            continue
        if known:
            delay_s = min(known, key=lambda one: abs(one[0] - at_s))[1]
            first_s, last_s = stretch.start_s - delay_s, stretch.end_s - delay_s
            inside_s = min(last_s, span_s[1]) - max(first_s, span_s[0])
            if inside_s < INSIDE_SHARE * (last_s - first_s):
                continue
        differing += 1
    if along is None:
        verdict: Verdict = "differs" if differing else "unknown"
        reason = f"the {name} is not in the reference" if differing else _commonest(placings, name)
        return Part(verdict, reason, None, None, None, (), 0, differing)
    verdict = "partly" if differing else "matches"
    return Part(verdict, None, along.delay_s, along.drift_ppm, along.sigma_ppm, along.jumps, len(known), differing)


def _commonest(placings: Sequence[Placing], name: str) -> str:
    reasons = [one.reason for one in placings if one.reason is not None]
    return max(reasons, key=reasons.count) if reasons else f"too little of the {name}"


def _no_skew(picture: Part, sound: Part) -> str:
    reasons = [part.reason for part in (picture, sound) if part.reason is not None]
    never = "picture and sound are never known at the same time, and what was cut out between would look like a skew"
    return "; ".join(dict.fromkeys(reasons)) or never
