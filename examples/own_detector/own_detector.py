"""A detector of one's own: `video.dim`, the picture is darker than it should be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpu_qa.series import Detector, EventTiming, Evidence, VideoSeries


@dataclass(frozen=True)
class DimLimits:
    """When a picture is too dark."""

    luma: float = 0.15
    """Mean luma as a fraction of full scale."""


def dim(series: VideoSeries, limits: DimLimits, carry: None) -> tuple[list[Evidence], None]:
    """Weigh the mean luma of every frame."""
    luma = series.luma.mean(axis=(1, 2))
    evidence = Evidence(
        kind="video.dim",
        scope="",
        start_s=series.pts_s,
        end_s=series.end_s,
        verdict=np.where(luma <= limits.luma, 1, -1).astype(np.int8),
        value=luma,
        limit=limits.luma,
        unit="share",
        worst="min",
        message="picture too dark for {duration_s:.1f} s: {value:.0%} of full scale",
    )
    return [evidence], carry


DIM = Detector(
    name="dim",
    kinds=("video.dim",),
    consumes="video",
    weigh=dim,
    limits=DimLimits(),
    timing=EventTiming(raise_after_s=5.0, clear_after_s=1.0, major_after_s=60.0, critical_after_s=300.0),
    summary="The picture is too dark.",
    source="the house style",
)
