"""Black: there is no picture, at most a logo, a clock or a ticker over darkness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.overlay import dark_area, overlay_and_inside_area
from gpu_qa.series import Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries


@dataclass(frozen=True, slots=True)
class BlackLimits:
    """When a picture counts as black."""

    luma: float = 0.10
    """Samples up to this luma are dark, as a fraction of full scale (FFmpeg blackdetect's `pixel_black_th`)."""
    raise_area: float = 0.98
    """Black when at least this share of the picture is dark or under an overlay (blackdetect's
    `picture_black_ratio_th`)."""
    clear_area: float = 0.95
    """Not black when less is, as a fraction of the picture; ours."""
    overlay_area: float = 0.16
    """At most this share of the picture may be a logo or a ticker in its upper and lower fifth; ours: a ticker over
    the lower eighth and a logo. 0 tolerates none."""
    inside_area: float = 0.005
    """At most this share of the picture may be bright elsewhere: dead pixels, not a title card; ours."""
    raise_spread: float = 0.05
    """Black when the tiles' luma lies this close together, as a fraction of full scale: a night scene has shapes.
    Ours: planted black measured 0.000 after H.264, the black passages of clips looked at up to 0.022, scenes that
    fade in 0.06 to 0.10 while all of them was still dark."""
    clear_spread: float = 0.07
    """Not black when it lies further apart."""
    noise: float = 0.05
    """A tile whose luma deviates by more than this shows something, as a fraction of full scale; ours."""
    chroma: float = 0.08
    """Cb and Cr up to this far from grey (−0.5…0.5): pure blue has a luma of 0.07 and is not black; ours."""


def black(
    series: VideoSeries,
    limits: BlackLimits = BlackLimits(),
    carry: None = None,  # noqa: ARG001 - every detector has one
) -> tuple[list[Evidence], None]:
    """Weigh how much of each frame is black.

    Args:
        series: Consecutive frames of one format.
        limits: When a picture counts as black.
        carry: Nothing: every frame is judged by itself.

    Returns:
        Evidence with one step per frame, whose value is the dark share of the picture, overlays counted as dark.
    """
    count = len(series)
    if not count:
        return [], None
    range_ = series.white_code - series.black_code
    dark = dark_area(series.histogram, series.black_code + limits.luma * range_)
    value, overlay = dark, constant(count, 0.0, float)
    verdict, confidence = constant(count, -1, np.int8), constant(count, 1.0, np.float32)
    has_logo = constant(count, False, bool)
    near = np.flatnonzero(dark >= limits.clear_area - limits.overlay_area)
    if len(near):
        value, overlay, verdict = dark.copy(), overlay.copy(), verdict.copy()
        luma, std = series.luma[near], series.luma_std[near]
        odd = (luma > limits.luma) | (std > limits.noise)
        overlay[near], inside = overlay_and_inside_area(odd)
        value[near] = np.minimum(dark[near] + overlay[near], 1.0)
        spread = _spread(luma, odd, series.median_luma[near])
        tint = np.abs(series.median_chroma[near]).max(axis=1)
        verdict[near] = _verdict(value[near], overlay[near], inside, spread, tint, limits)
        has_logo = overlay > 0
        confidence = np.where(has_logo, 1.0 - np.minimum(2.0 * overlay, 0.5), 1.0).astype(np.float32)
    evidence = Evidence(
        kind="video.black",
        scope="",
        start_s=series.pts_s,
        end_s=series.end_s,
        verdict=verdict,
        value=value.astype(np.float32),
        limit=limits.raise_area,
        unit="share",
        confidence=confidence,
        details={
            "dark_area": np.round(dark, 4),
            "has_logo": has_logo,
            "overlay_area": np.round(overlay, 4),
        },
        message="black picture for {duration_s:.1f} s, {value:.1%} of it dark",
    )
    return [evidence], None


def _verdict(
    value: np.ndarray,
    overlay: np.ndarray,
    inside: np.ndarray,
    spread: np.ndarray,
    tint: np.ndarray,
    limits: BlackLimits,
) -> np.ndarray:
    """int8 [T]: +1 where all measures are within their limits, −1 where one is clearly outside."""
    is_black = (
        (value >= limits.raise_area)
        & (overlay <= limits.overlay_area)
        & (inside <= limits.inside_area)
        & (spread <= limits.raise_spread)
        & (tint <= limits.chroma)
    )
    is_picture = (
        (value < limits.clear_area)
        | (overlay > 1.25 * limits.overlay_area)
        | (inside > 3.0 * limits.inside_area)
        | (spread > limits.clear_spread)
        | (tint > 1.5 * limits.chroma)
    )
    return np.where(is_black, 1, np.where(is_picture, -1, 0)).astype(np.int8)


def _spread(luma: np.ndarray, odd: np.ndarray, median: np.ndarray) -> np.ndarray:
    """float32 [T]: distance between the 1st and the 99th percentile of the tiles' luma, `odd` ones left out."""
    flat = np.where(odd, median[:, None, None], luma).reshape(len(luma), -1)
    low = flat.shape[1] // 100
    ordered = np.sort(flat, axis=1)
    return np.asarray(ordered[:, -1 - low] - ordered[:, low])


BLACK = Detector(
    name="black",
    kinds=("video.black",),
    consumes="video",
    weigh=black,
    limits=BlackLimits(),
    timing=EventTiming(raise_after_s=2.0, clear_after_s=0.2, major_after_s=5.0, critical_after_s=15.0),
    summary="The picture is black, at most a logo or a ticker is left.",
    source="FFmpeg blackdetect: 98 % of the picture at or below 10 % of its range for 2 s; overlays, structure: ours",
)
