"""Material: how much of what came the content way could use, and why not more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from gpu_qa.sync.evidence import LEAST_S
from gpu_qa.sync.shots import SHORTEST
from gpu_qa_kernels.sync_net import FRAMES_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

SoundFault = Literal["missing", "silent", "steady"]
"""There is none, nothing is heard, or what is heard does not change."""
PictureFault = Literal["black", "still"]


@dataclass(frozen=True, slots=True)
class Material:
    """Lengths of the windows that have come."""

    used_s: float = 0.0
    """Something moves in them and is heard, for the first time."""
    repeated_s: float = 0.0
    """The same, and it had come before."""
    missing_s: float = 0.0
    """They have no sound."""
    silent_s: float = 0.0
    steady_s: float = 0.0
    """Their sound does not change."""
    black_s: float = 0.0
    still_s: float = 0.0
    """Their picture does not move, and is not black."""
    unusable_s: float = 0.0
    """Any of the five."""


def with_used(material: Material, length_s: float, *, is_repeat: bool) -> Material:
    """One more window that says something, or would."""
    if is_repeat:
        return replace(material, repeated_s=material.repeated_s + length_s)
    return replace(material, used_s=material.used_s + length_s)


class Unusable(NamedTuple):
    """Why a window says nothing."""

    sound: SoundFault | None
    picture: PictureFault | None


def with_unusable(material: Material, length_s: float, why: Unusable) -> Material:
    """One more window that says nothing."""
    more = {"unusable_s": material.unusable_s + length_s}
    for fault in why:
        if fault is not None:
            more[f"{fault}_s"] = getattr(material, f"{fault}_s") + length_s
    return replace(material, **more)


def why_too_little(material: Material, until_s: float) -> str | None:
    """Why nothing can be said by content; null where there was enough of it.

    Args:
        material: What has come.
        until_s: How long the stream is so far, seconds.
    """
    if material.used_s >= LEAST_S:
        return None
    usable_s = material.used_s + material.repeated_s
    whole_s = usable_s + material.unusable_s
    needed = f"{LEAST_S:.0f} s are needed"
    if whole_s > 0 and not usable_s and (faults := _throughout(material, whole_s)):
        return " and ".join(faults)
    if until_s < LEAST_S:
        return f"too short: {until_s:.1f} s, of which {material.used_s:.1f} s can be judged; {needed}"
    if whole_s == 0:
        return f"no picture came, or no shot of {SHORTEST / FRAMES_PER_S} s"
    parts = [
        f"{length_s:.1f} s {what}"
        for length_s, what in (
            (material.repeated_s, "come again and say nothing new"),
            (material.missing_s, "have no sound"),
            (material.silent_s, "are silent"),
            (material.steady_s, "have sound that does not change"),
            (material.black_s, "are black"),
            (material.still_s, "stand still"),
        )
        if length_s
    ]
    rest = f" ({', '.join(parts)})" if parts else ""
    return f"too little: {material.used_s:.1f} s in which something moves and is heard{rest}; {needed}"


def _throughout(material: Material, whole_s: float) -> Sequence[str]:
    """What all of it has in common that says nothing."""

    def is_whole(length_s: float) -> bool:
        return length_s > whole_s - 1e-6

    sound = (
        (material.missing_s, "no sound came with the picture"),
        (material.silent_s, "it is silent throughout"),
        (material.missing_s + material.silent_s, "it is silent, or has no sound, throughout"),
        (material.missing_s + material.silent_s + material.steady_s, "its sound does not change"),
    )
    picture = (
        (material.black_s, "the picture is black throughout"),
        (material.still_s, "the picture stands still throughout"),
        (material.black_s + material.still_s, "the picture is black or stands still throughout"),
    )
    firsts = (next((what for length_s, what in part if is_whole(length_s)), None) for part in (sound, picture))
    return [what for what in firsts if what is not None]
