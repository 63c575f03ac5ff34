"""Solid colour: one colour, not black, fills the picture, at most under a logo, a clock or a ticker.

What a decoder shows for missing data is green or grey; what a receiver, a router or a playout server shows without an
input is blue, grey or white.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.overlay import inside_area, overlay_and_inside_area
from gpu_qa.series import Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

_MUCH = 3.0
"""Times `inside_area` of another colour inside make a picture."""


@dataclass(frozen=True, slots=True)
class SolidColorLimits:
    """When a picture counts as one colour."""

    raise_deviation: float = 0.02
    """A tile has the picture's colour when its mean luma, Cb and Cr lie this near to the medians, as fractions of full
    scale. Ours: of planted colours 98 % of the tiles measured 0.000 after H.264, of the flattest pictures of 90 clips
    0.033, 0.064 and more."""
    clear_deviation: float = 0.03
    """It has another colour when one of them lies further away."""
    noise: float = 0.03
    """A tile whose luma deviates by more than this shows something, as a fraction of full scale; ours."""
    raise_area: float = 0.98
    """One colour when at least this share of the picture has it or is under an overlay; as for `black`."""
    clear_area: float = 0.95
    """Not one colour when less has, as a fraction of the picture; ours."""
    overlay_area: float = 0.16
    """At most this share of the picture may be a logo or a ticker in its upper and lower fifth; as for `black`."""
    inside_area: float = 0.005
    """At most this share of the picture may differ elsewhere: no slide with a line of text in it; as for `black`."""
    black_luma: float = 0.10
    """Darker than this and without colour is black, as a fraction of full scale; as for `black`."""
    black_chroma: float = 0.08
    """Cb and Cr up to this far from grey are without colour (−0.5…0.5); as for `black`."""


def solid_color(
    series: VideoSeries,
    limits: SolidColorLimits = SolidColorLimits(),
    carry: None = None,  # noqa: ARG001 - every detector has one
) -> tuple[list[Evidence], None]:
    """Weigh how much of each frame has the frame's most usual colour.

    Args:
        series: Consecutive frames of one format.
        limits: When a picture counts as one colour.
        carry: Nothing: every frame is judged by itself.

    Returns:
        Evidence with one step per frame, whose value is the share of the picture that has one colour, overlays counted
        as having it.
    """
    count = len(series)
    if not count:
        return [], None
    luma = series.luma.reshape(count, -1)
    value = overlay = constant(count, 0.0, float)
    verdict, confidence = constant(count, -1, np.int8), constant(count, 1.0, np.float32)
    name = srgb = constant(count, "", object)
    has_logo = constant(count, False, bool)
    # Nearly all pictures show too many shades, or too much, for a closer look to change anything.
    near = np.flatnonzero(_is_flat(luma, limits))
    if len(near):
        busy = series.luma_std > limits.noise
        near = near[inside_area(busy[near]) <= _MUCH * limits.inside_area]
    if len(near):
        near = near[~_is_black(series.median_luma[near], series.median_chroma[near], limits)]
    if len(near):
        value, overlay, verdict = np.zeros(count), np.zeros(count), verdict.copy()
        name, srgb = name.copy(), srgb.copy()
        colors = np.concatenate([luma[near][:, None], series.chroma[near].reshape(len(near), 2, -1)], axis=1)
        usual = np.concatenate([series.median_luma[near, None], series.median_chroma[near]], axis=1)
        away = np.abs(colors - usual[:, :, None]).max(axis=1)
        grid = series.luma.shape[1:]
        odd = busy[near] | (away > limits.raise_deviation).reshape(-1, *grid)
        other = busy[near] | (away > limits.clear_deviation).reshape(-1, *grid)
        overlay[near], inside = overlay_and_inside_area(odd)
        value[near] = 1.0 - inside
        verdict[near] = _verdict(value[near], overlay[near], inside, overlay_and_inside_area(other), limits)
        for index, color in zip(near, usual, strict=True):
            srgb[index] = srgb_hex(*color.tolist())
            name[index] = color_name(srgb[index])
        has_logo = overlay > 0
        confidence = np.where(has_logo, 1.0 - np.minimum(2.0 * overlay, 0.5), 1.0).astype(np.float32)
    evidence = Evidence(
        kind="video.solid_color",
        scope="",
        start_s=series.pts_s,
        end_s=series.end_s,
        verdict=verdict,
        value=value.astype(np.float32),
        limit=limits.raise_area,
        unit="share",
        confidence=confidence,
        details={"color": name, "srgb": srgb, "has_logo": has_logo, "overlay_area": np.round(overlay, 4)},
        message="picture all {color} ({srgb}) for {duration_s:.1f} s",
    )
    return [evidence], None


def srgb_hex(luma: float, cb: float, cr: float) -> str:
    """The colour as `#rrggbb`, by the matrix of ITU-R BT.709-6 item 3.2; at 601 matrices a shade off.

    Args:
        luma: Y′, 0…1.
        cb: −0.5…0.5.
        cr: −0.5…0.5.
    """
    red, blue = luma + 1.5748 * cr, luma + 1.8556 * cb
    green = (luma - 0.2126 * red - 0.0722 * blue) / 0.7152
    codes = (round(255 * min(max(value, 0.0), 1.0)) for value in (red, green, blue))
    return "#" + "".join(f"{code:02x}" for code in codes)


def color_name(srgb: str) -> str:
    """An everyday word for a colour given as `#rrggbb`."""
    red, green, blue = (int(srgb[at : at + 2], 16) / 255 for at in (1, 3, 5))
    high, low = max(red, green, blue), min(red, green, blue)
    if high - low <= 0.12:
        greys = ((0.12, "black"), (0.35, "dark grey"), (0.65, "grey"), (0.9, "light grey"))
        return next((word for limit, word in greys if high <= limit), "white")
    if high == red:
        hue = 60 * (green - blue) / (high - low) % 360
    elif high == green:
        hue = 60 * (blue - red) / (high - low) + 120
    else:
        hue = 60 * (red - green) / (high - low) + 240
    hues = ((15, "red"), (45, "orange"), (70, "yellow"), (165, "green"), (200, "cyan"), (260, "blue"), (345, "magenta"))
    word = next((word for limit, word in hues if hue <= limit), "red")
    return f"dark {word}" if high < 0.4 else word


def _is_flat(luma: np.ndarray, limits: SolidColorLimits) -> np.ndarray:
    """Bool [T]: worth a closer look. A sample of the tiles decides for nearly all pictures."""
    some = luma[:, :: max(1, luma.shape[1] // 64)]
    ordered, tiles = np.sort(some, axis=1), some.shape[1]
    usual = (ordered[:, (tiles - 1) // 2] + ordered[:, tiles // 2]) / 2.0  # the median; np.median takes much longer
    same = np.abs(some - usual[:, None]) <= 2.0 * limits.clear_deviation
    return np.asarray(same.mean(axis=1) >= limits.clear_area - 2.0 * limits.overlay_area)


def _is_black(luma: np.ndarray, chroma: np.ndarray, limits: SolidColorLimits) -> np.ndarray:
    """Bool [T]: the usual colour is black, which the detector `black` tells."""
    return np.asarray((luma <= limits.black_luma) & (np.abs(chroma).max(axis=1) <= limits.black_chroma))


def _verdict(
    value: np.ndarray,
    overlay: np.ndarray,
    inside: np.ndarray,
    others: tuple[np.ndarray, np.ndarray],
    limits: SolidColorLimits,
) -> np.ndarray:
    """int8 [T]: +1 where all measures are within their limits, −1 where one is clearly outside."""
    is_solid = (value >= limits.raise_area) & (overlay <= limits.overlay_area) & (inside <= limits.inside_area)
    other_overlay, other_inside = others
    is_picture = (
        (1.0 - other_inside < limits.clear_area)
        | (other_overlay > 1.25 * limits.overlay_area)
        | (other_inside > _MUCH * limits.inside_area)
    )
    return np.where(is_picture, -1, np.where(is_solid, 1, 0)).astype(np.int8)


SOLID_COLOR = Detector(
    name="solid_color",
    kinds=("video.solid_color",),
    consumes="video",
    weigh=solid_color,
    limits=SolidColorLimits(),
    timing=EventTiming(raise_after_s=2.0, clear_after_s=0.2, major_after_s=5.0, critical_after_s=15.0),
    summary="One colour fills the picture: green or grey of a decoder, blue or white of a source without a signal.",
    source="98 % for 2 s as FFmpeg blackdetect for black; deviation and noise: our own measurement",
)
