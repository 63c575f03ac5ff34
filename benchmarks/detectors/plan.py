"""What is planted where: a row for each clip, fault and strength."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.detectors.material import LONG_S
from gpu_qa.inject import FAULTS
from gpu_qa.inject.fault import defaults
from gpu_qa.inject.registry import planting

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from benchmarks.detectors.material import Base
    from gpu_qa.inject import Case, Planting

DURATION_S = 4.0
LONG = {"audio.loudness": 45.0, "audio.dual_mono": 75.0, "audio.true_peak": DURATION_S}
"""Kinds that are judged over minutes, or against a target that the clip must meet otherwise → length of the fault."""
LONG_START_S = 38.0
LONG_EVERY = 2
"""Of so many clips one gets faults that are judged over minutes: they take as long as all others together."""
PROFILE = "ebu"
"""Settings profile for clips at −23 LUFS: without a profile loudness and true peak are measured and not judged."""
MOMENTS = frozenset({"stream.discontinuity", "stream.format_change"})
"""Kinds whose events tell of a moment, whatever the fault's length."""


@dataclass(frozen=True, slots=True)
class Row:
    """A fault in a clip."""

    clip: str
    """Name of the clip."""
    path: str
    """The copy that it is planted in."""
    fault: str
    """Empty: nothing is planted, the copy itself is looked at."""
    case: int
    """Number of the fault's case."""
    start_s: float
    seed: int
    seconds: float
    """Length of the copy."""
    duration_s: float = DURATION_S
    sound_only: bool = False
    """Only the sound is looked at: the picture is too small."""
    profile: str = "default"
    """Of the settings."""

    def planting(self) -> Planting:
        """What is planted."""
        fault = FAULTS[self.fault]
        case = fault.cases[self.case]
        return planting(
            fault,
            strength=case.strength,
            start_s=self.start_s,
            duration_s=self.duration_s,
            seed=self.seed,
            options=case.options,
        )


def rows(
    bases: Iterable[Base], kinds: Collection[str], faults: Collection[str], *, quick: bool, last: int | None = None
) -> list[Row]:
    """All rows, clip by clip; the clean copies come first.

    Args:
        bases: The clips.
        kinds: Event kinds that some detector tells; faults that nobody looks for are left out.
        faults: Only these; empty is all.
        quick: Only the last case of each fault, the strongest, and no long clean copies.
        last: Only so many of each fault's cases, the last ones; null is all.
    """
    found = []
    for place, one in enumerate(bases):
        found.append(Row(one.name, one.picture, "", 0, 0.0, 0, one.seconds))
        if one.sound is not None:
            found.append(Row(one.name, one.sound, "", 0, 0.0, 0, one.seconds, sound_only=True))
        if one.long is not None and not quick:
            found.append(Row(one.name, one.long, "", 0, 0.0, 0, LONG_S, sound_only=True, profile=PROFILE))
        for name, fault in FAULTS.items():
            if fault.kind not in kinds or (faults and name not in faults):
                continue
            hears = fault.kind.startswith("audio.")
            is_long = fault.kind in LONG
            path = one.long if is_long else one.sound if hears else one.picture
            if path is None or not _fits(fault.name, one) or (is_long and place % LONG_EVERY):
                continue
            numbers = range(len(fault.cases))
            for number in numbers[-1:] if quick else numbers if last is None else numbers[-last:]:
                draw = int(hashlib.sha256(f"{one.name}:{name}:{number}".encode()).hexdigest()[:8], 16)
                room = one.seconds - DURATION_S - 1.5
                # Not before a third: what a detector compares with must have been seen. Never on a whole picture.
                start_s = min(room, one.seconds / 3 + (draw % 1000) / 1000 * 1.5)
                length_s = LONG_S if is_long else one.seconds
                if is_long:
                    start_s = LONG_START_S + (draw % 1000) / 1000
                found.append(
                    Row(
                        one.name,
                        path,
                        name,
                        number,
                        round(start_s, 3),
                        draw % 100_000,
                        length_s,
                        duration_s=LONG.get(fault.kind, DURATION_S),
                        sound_only=hears,
                        profile=PROFILE if is_long else "default",
                    )
                )
    return found


def _fits(fault: str, clip: Base) -> bool:
    """Whether a clip has what the fault needs."""
    return clip.channels != "mono" or fault not in ("phase_inversion", "dual_mono", "channel_loss")


def options_of(fault: str, case: Case) -> str:
    """Options of a case that differ from the fault's defaults."""
    usual = defaults(FAULTS[fault].options)
    return ", ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in case.options.items()
        if usual.get(name) != value
    )
