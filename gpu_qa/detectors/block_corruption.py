"""Block corruption: after packets were lost, blocks are displaced, smeared, grey or green.

Witnesses. The picture: steps of luma stand on the macroblock grid, and on no other line, where the tile had none a
moment ago; or part of the picture jumps back, at once, to what it had jumped away from; or the chroma of blocks jumps
while their luma stays. The decoder and the transport:
they have complained, and no key frame has made the picture whole since. Either is enough, the picture alone where a
decoder conceals silently or the damage was encoded upstream; what only the decoder has noticed is told as information.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpu_qa.detectors.damage_watch import BlockCorruptionCarry, DamageWatch
from gpu_qa.series import Detector, EventTiming

if TYPE_CHECKING:
    from gpu_qa.series import Evidence, VideoSeries


@dataclass(frozen=True, slots=True)
class BlockCorruptionLimits:
    """When blocks count as damaged."""

    seam: float = 0.01
    """A cell of the picture stands out where its seams on the grid are this much above those beside it, both across
    and down, and above its own custom, as a fraction of full scale."""
    raise_area: float = 0.02
    """Damaged when this share of the picture stands out for `raise_s`, or more for less long."""
    raise_s: float = 0.24
    """See `raise_area`; twice the area needs half the time, but never less."""
    clear_area: float = 0.006
    """A picture below this share shows no damage. In 90 clips without any, half a second stayed below 0.01."""
    reports: int = 3
    """So many damaged pictures that decoder or transport have reported, with none that heals between them, are told
    though the picture does not show it."""
    report_s: float = 0.4
    """They must span at least this long, in seconds."""


def block_corruption(
    series: VideoSeries,
    limits: BlockCorruptionLimits = BlockCorruptionLimits(),
    carry: BlockCorruptionCarry | None = None,
) -> tuple[list[Evidence], BlockCorruptionCarry | None]:
    """Weigh how much of each picture is damaged blocks.

    Args:
        series: Consecutive frames of one format.
        limits: When blocks count as damaged.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence with one step per frame, whose value is the damaged share of the picture that shows most so far, and
        the carry.
    """
    if not len(series):
        return [], carry
    watch = DamageWatch(series, limits, carry)
    watch.judge()
    return [watch.steps.as_evidence()], watch.carry()


BLOCK_CORRUPTION = Detector(
    name="block_corruption",
    kinds=("video.block_corruption",),
    consumes="video",
    weigh=block_corruption,
    limits=BlockCorruptionLimits(),
    timing=EventTiming(raise_after_s=0.2, clear_after_s=1.0, major_after_s=5.0, critical_after_s=15.0),
    summary="Blocks are displaced, smeared, grey, green or wrong in colour: packets were lost here or upstream.",
    source="seam and area: our own measurement on planted damage and on 90 clips without",
)
