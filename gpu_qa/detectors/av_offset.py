"""A/V offset: sound that leaves the lips, or any other event that is seen and heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.series import Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from gpu_qa.series import SyncSeries

KIND = "av.offset"


@dataclass(frozen=True, slots=True)
class AvOffsetLimits:
    """When sound and picture are too far apart."""

    advance_ms: float = 45.0
    """Sound may be so much early before it is noticed: detectability in ITU-R BT.1359-1."""
    delay_ms: float = 125.0
    """Sound may be so much late before it is noticed: detectability in ITU-R BT.1359-1."""
    major_advance_ms: float = 90.0
    """From here on early sound is more than a warning: acceptability in ITU-R BT.1359-1."""
    major_delay_ms: float = 185.0
    """From here on late sound is more than a warning: acceptability in ITU-R BT.1359-1."""
    confidence: float = 0.9
    """Answers that are less sure are not judged."""
    content_doubt_ms: float = 65.0
    """What is found by content alone must pass the limits by this much: real clips that nobody would complain of, and
    that were recorded together, are that far apart (docs/detectors/av_offset.md)."""

    weights: str | None = None
    """File with the weights of a net of one's own (`gpu-qa sync-train`); null is the program's."""

    def __post_init__(self) -> None:
        """Refuse limits that contradict one another."""
        if not 0 <= self.advance_ms <= self.major_advance_ms or not 0 <= self.delay_ms <= self.major_delay_ms:
            raise ValueError("0 ≤ advance_ms ≤ major_advance_ms and 0 ≤ delay_ms ≤ major_delay_ms must hold")
        if not 0 <= self.confidence <= 1 or not self.content_doubt_ms >= 0:
            raise ValueError("confidence must be 0 to 1 and content_doubt_ms 0 or more")


def weigh(series: SyncSeries, limits: AvOffsetLimits, carry: Any) -> tuple[list[Evidence], Any]:
    """Answers outside the limits raise; sure answers within them clear. Nothing is carried."""
    doubt_ms = limits.content_doubt_ms if series.way == "content" else 0.0
    sure = (series.confidence >= limits.confidence) & np.isfinite(series.offset_s)
    offset_ms = np.where(sure, series.offset_s * 1000, 0.0)
    sides = (
        ("early", offset_ms, limits.advance_ms, limits.major_advance_ms),
        ("late", -offset_ms, limits.delay_ms, limits.major_delay_ms),
    )
    found = []
    for side, amount_ms, limit_ms, major_ms in sides:
        is_outside = sure & (amount_ms > limit_ms + doubt_ms)
        count = len(series)
        found.append(
            Evidence(
                kind=KIND,
                scope=f"{series.track}:{side}",
                start_s=series.start_s,
                end_s=series.end_s,
                verdict=np.where(is_outside, 1, np.where(sure, -1, 0)).astype(np.int8),
                value=amount_ms.astype(np.float32),
                limit=limit_ms,
                unit="ms",
                confidence=series.confidence,
                details={
                    "track": constant(count, series.track, np.int64),
                    "side": constant(count, side, object),
                    "way": constant(count, series.way, object),
                    "offset_s": np.where(sure, np.round(series.offset_s, 4), np.nan),
                    "sigma_ms": np.round(series.sigma_s * 1000, 1),
                },
                severity_cap=np.where(amount_ms > major_ms + doubt_ms, 3, 1).astype(np.int8),
                message=f"sound is {{value:.0f}} ms {side} (limit {{limit:.0f}} ms), found by {{way}}",
            )
        )
    return found, carry


AV_OFFSET = Detector(
    name="av_offset",
    kinds=(KIND,),
    consumes="sync",
    weigh=weigh,
    limits=AvOffsetLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=0.5),
    summary="Sound comes before or after what is seen.",
    source="ITU-R BT.1359-1: detectable +45/−125 ms, acceptable +90/−185 ms; ours for what content tells",
)
