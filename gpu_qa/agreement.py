"""Agreement: what of a probe is not as it is in its reference, by limits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from gpu_qa.config import PROFILES as SETTINGS
from gpu_qa.detectors.av_offset import AvOffsetLimits
from gpu_qa.units import s_to_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.sync.drift import Jump
    from gpu_qa.sync.reference import Stretch
    from gpu_qa.sync.summary import Summary

__all__ = ["PROFILES", "Compared", "SkewLimits", "exit_code", "grade", "problems", "shortcomings"]

NOTICED = AvOffsetLimits()
"""Skews that are noticed, and that are not accepted: ITU-R BT.1359-1, as an analysis tells them."""
DRIFT_SIGMAS = 3.0
"""A drift counts by what is left of it after so many of its standard deviations; ours."""
SAME_JUMP_S = 0.02
"""Picture and sound that jump together differ by no more: half a picture at 25 per second, as in `sync/drift.py`."""
SAME_MOMENT_S = 10.0
"""And by no more than a stretch in when that is seen."""


@dataclass(frozen=True, slots=True)
class SkewLimits:
    """From when on a probe is not as the reference is."""

    max_advanced_ms: float = NOTICED.advance_ms
    """Sound may come so much earlier against the picture than in the reference, before it is noticed (ITU-R BT.1359-1,
    detectability)."""
    max_delayed_ms: float = NOTICED.delay_ms
    """Sound may come so much later (the same)."""
    max_drift_ppm: float = NOTICED.drift_ppm
    """The skew may grow or shrink so fast, millionths: 36 ms an hour; ours."""
    max_lost: int = 0
    """Pictures of the reference that may be missing, where both have the same rate."""
    max_repeated: int = 0
    """Pictures that may come once more than in the reference, where both have the same rate."""
    max_short_s: float | None = None
    """So much of the reference may lie before the probe's beginning, and behind its end; null is any amount: a probe
    may be a part of it."""


def _limits(values: AvOffsetLimits) -> SkewLimits:
    return SkewLimits(values.advance_ms, values.delay_ms, values.drift_ppm)


PROFILES = {name: _limits(replace(NOTICED, **detectors.get("av_offset", {}))) for name, detectors in SETTINGS.items()}
"""The profiles of an analysis, by what they say of lip sync."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A probe as a whole."""

    reference: str
    """Name of the reference."""
    probe: str
    """Its own."""
    summary: Summary | None
    """Null where nothing could be compared; `error` then says why."""
    stretches: tuple[Stretch, ...]
    """In order, the newest of them at most."""
    analyzed_s: float
    """How much of the probe was read."""
    short_start_s: float | None = None
    """How much of the reference lies before the probe's beginning, seconds; null where that is not known."""
    short_end_s: float | None = None
    """How much of the reference, as far as it was read, lies behind the probe's end; null where that is not known: it
    is live, or was not read to its end."""
    error: str | None = None
    """Why one of both could not be read, or not to its end."""


def problems(compared: Compared, limits: SkewLimits = SkewLimits()) -> list[str]:
    """What is not as in the reference, a line each; empty where all that could be compared is."""
    summary = compared.summary
    if summary is None:
        return []
    found = []
    for part, name in ((summary.picture, "picture"), (summary.sound, "sound")):
        if part.verdict == "differs":
            found.append(f"the {name} is not the reference's")
        elif part.verdict == "partly":
            found.append(
                f"{part.differing} of {part.differing + part.matching} stretches of {name} are not in the reference"
            )
    if found and summary.picture.verdict == summary.sound.verdict == "differs":
        found = ["content differs: neither picture nor sound is the reference's"]
    found += _jumps(summary.picture.jumps, summary.sound.jumps)
    if summary.skew_low_s is not None and summary.skew_high_s is not None:
        early_ms, late_ms = 1000 * summary.skew_high_s, -1000 * summary.skew_low_s
        if early_ms > limits.max_advanced_ms:
            found.append(f"sound up to {early_ms:.0f} ms early, {limits.max_advanced_ms:g} allowed{_graded(early_ms)}")
        if late_ms > limits.max_delayed_ms:
            found.append(f"sound up to {late_ms:.0f} ms late, {limits.max_delayed_ms:g} allowed{_graded(-late_ms)}")
    if summary.drift_ppm is not None and summary.drift_sigma_ppm is not None:
        drift_ppm, sigma_ppm = summary.drift_ppm, summary.drift_sigma_ppm
        if abs(drift_ppm) - DRIFT_SIGMAS * sigma_ppm > limits.max_drift_ppm:
            way = "earlier and earlier" if drift_ppm > 0 else "later and later"
            found.append(
                f"sound becomes {way}: {drift_ppm:+.1f} ± {sigma_ppm:.1f} ppm, {limits.max_drift_ppm:g} allowed"
            )
    for freeze in summary.frozen:
        length_s = freeze.end_s - freeze.start_s
        found.append(
            f"the picture is frozen for {length_s:.1f} s at {s_to_clock(freeze.start_s)}, the reference's is not"
        )
    for count, most, what in (
        (summary.lost, limits.max_lost, "missing"),
        (summary.repeated, limits.max_repeated, "repeated"),
    ):
        if count is not None and count > most:
            found.append(f"{count} {'picture is' if count == 1 else 'pictures are'} {what}")
    if limits.max_short_s is not None:
        found += shortcomings(compared, limits.max_short_s)
    return found


def grade(compared: Compared) -> Literal["in sync", "noticeable", "unacceptable"] | None:
    """What ITU-R BT.1359-1 calls the worst skew, whatever is allowed; null where there is none."""
    summary = compared.summary
    if summary is None or summary.skew_low_s is None or summary.skew_high_s is None:
        return None
    grades = _grade(1000 * summary.skew_low_s), _grade(1000 * summary.skew_high_s)
    return "unacceptable" if "unacceptable" in grades else "noticeable" if "noticeable" in grades else "in sync"


def _grade(skew_ms: float) -> Literal["in sync", "noticeable", "unacceptable"]:
    if skew_ms > NOTICED.major_advance_ms or -skew_ms > NOTICED.major_delay_ms:
        return "unacceptable"
    return "noticeable" if skew_ms > NOTICED.advance_ms or -skew_ms > NOTICED.delay_ms else "in sync"


def _graded(skew_ms: float) -> str:
    found = _grade(skew_ms)
    return "" if found == "in sync" else f" ({found})"


def _jumps(picture: Sequence[Jump], sound: Sequence[Jump]) -> list[str]:
    """The jumps of both in order, those that both make once; a line each."""
    left, found = list(sound), list[tuple[float, float, str]]()
    for jump in picture:
        same = next((one for one in left if _is_same(one, jump)), None)
        if same is not None:
            left.remove(same)
        found.append((jump.at_s, jump.by_s, "" if same is not None else " of the picture"))
    found += [(jump.at_s, jump.by_s, " of the sound") for jump in left]
    return [
        f"{abs(by_s):.2f} s{what} are {'missing' if by_s < 0 else 'added'} at {s_to_clock(at_s)}"
        for at_s, by_s, what in sorted(found)
    ]


def _is_same(one: Jump, other: Jump) -> bool:
    return abs(one.by_s - other.by_s) <= SAME_JUMP_S and abs(one.at_s - other.at_s) <= SAME_MOMENT_S


def shortcomings(compared: Compared, least_s: float) -> list[str]:
    """Where the probe holds less than the reference does, by more than this; a line each."""
    found = []
    if compared.short_start_s is not None and compared.short_start_s > least_s:
        found.append(f"begins {compared.short_start_s:.1f} s after the reference does")
    if compared.short_end_s is not None and compared.short_end_s > least_s:
        found.append(f"ends {compared.short_end_s:.1f} s before the reference does")
    return found


def exit_code(compared: Compared, limits: SkewLimits = SkewLimits()) -> int:
    """0 in sync and matching, 1 outside limits or other content, 2 picture and sound could not be compared."""
    if problems(compared, limits):
        return 1
    return 2 if compared.error is not None or compared.summary is None or compared.summary.skew_s is None else 0
