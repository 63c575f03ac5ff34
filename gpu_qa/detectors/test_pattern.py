"""Test pattern: colour bars fill the picture, with or without what stands below them, a logo or a running clock.

Each column of tiles shows one colour from the top to past the middle, and the colours come in the order of all bars:
yellow, cyan, green, magenta, red, blue.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.luminance import chroma_scale
from gpu_qa.series import Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

_TOP, _BOTTOM = 0.08, 0.54
"""The part of the height in which all patterns have their bars: SMPTE RP 219-1 ends them at 7/12."""
_LOOK = 4
"""Rows of tiles of the first look."""
_HUES = {
    # ITU-R BT.471: full red, green and blue in all pairs and alone; as Cb and Cr by the matrix of BT.709.
    "Y": (-0.5000, 0.0458),
    "C": (0.1146, -0.5000),
    "G": (-0.3854, -0.4542),
    "M": (0.3854, 0.4542),
    "R": (-0.1146, 0.5000),
    "B": (0.5000, -0.0458),
}
_ORDER = "YCGMRB"


@dataclass(frozen=True, slots=True)
class PatternLimits:
    """When a picture counts as colour bars."""

    raise_area: float = 0.85
    """Bars where at least this share of the upper half has the colour of its column: a logo or a clock may cover the
    rest. Ours."""
    clear_area: float = 0.7
    """No bars where less has; ours."""
    deviation: float = 0.05
    """A tile has its column's colour when luma, Cb and Cr lie this near to it, as fractions of full scale; ours."""
    saturation: float = 0.15
    """A column is coloured where Cb and Cr lie this far from grey: bars at 75 % have 0.33 and more; ours."""
    unequal: float = 2.5
    """The broadest coloured bar is at most this many times as broad as the narrowest; ours."""


def color_bars(
    series: VideoSeries,
    limits: PatternLimits = PatternLimits(),
    carry: None = None,  # noqa: ARG001 - every detector has one
) -> tuple[list[Evidence], None]:
    """Weigh how much of each frame's upper half are colour bars.

    Args:
        series: Consecutive frames of one format.
        limits: When a picture counts as colour bars.
        carry: Nothing: every frame is judged by itself.

    Returns:
        Evidence with one step per frame, whose value is the share of the upper half that has its column's colour; 0
        where the columns are no bars.
    """
    count = len(series)
    if not count:
        return [], None
    value, level, columns = (constant(count, 0.0, float) for _ in range(3))
    verdict = constant(count, -1, np.int8)
    top, bottom, look = _rows(series.luma.shape[1])
    some = np.abs(series.chroma[:, :, look]) > limits.saturation
    colored = (some[:, 0] | some[:, 1]).reshape(count, -1)
    near = np.flatnonzero(2 * colored.sum(axis=1) >= colored.shape[1])
    if len(near):
        value, level, columns = np.zeros((3, count))
        part = np.concatenate([series.luma[near, None, top:bottom], series.chroma[near, :, top:bottom]], axis=1)
        usual = np.median(part, axis=2)
        is_usual = (np.abs(part - usual[:, :, None]) <= limits.deviation).all(axis=1)
        for i, colors, share in zip(near.tolist(), usual, is_usual.mean(axis=(1, 2)), strict=True):
            broad, level[i] = _bars(colors, chroma_scale(series), limits)
            value[i], columns[i] = share if broad else 0.0, broad / colors.shape[1]
        verdict = np.where(value >= limits.raise_area, 1, np.where(value < limits.clear_area, -1, 0)).astype(np.int8)
        level, columns = np.round(level, 2), np.round(columns, 4)
    evidence = Evidence(
        kind="video.test_pattern",
        scope="",
        start_s=series.pts_s,
        end_s=series.end_s,
        verdict=verdict,
        value=value.astype(np.float32),
        limit=limits.raise_area,
        unit="share",
        confidence=constant(count, 0.95, np.float32),
        details={"pattern": constant(count, "colour bars", object), "level": level, "width": columns},
        message="{pattern} for {duration_s:.1f} s",
    )
    return [evidence], None


@lru_cache(maxsize=8)
def _rows(rows: int) -> tuple[int, int, np.ndarray]:
    """Of so many rows of tiles the first and the end of those with bars, and those of the first look, int64 [L]."""
    top, bottom = round(_TOP * rows), max(round(_BOTTOM * rows), 1)
    return top, bottom, np.unique(np.linspace(top, bottom - 1, _LOOK).round().astype(np.int64))


def _bars(colors: np.ndarray, scale: float, limits: PatternLimits) -> tuple[int, float]:
    """How many columns the six coloured bars take, 0 where they are none, and how saturated they are (0.75 or 1).

    Args:
        colors: float32 [3, K]: luma, Cb and Cr of each column.
        scale: Makes fractions of their nominal range of Cb and Cr.
        limits: What counts as coloured, and as equally broad.
    """
    names = np.array(list(_HUES))
    hues = np.array(list(_HUES.values()))
    chroma = colors[1:].T
    strength = np.hypot(*chroma.T)
    likeness = chroma @ (hues / np.hypot(*hues.T)[:, None]).T
    letters = np.where(strength > limits.saturation, names[likeness.argmax(axis=1)], " ")
    runs = [(letter, len(list(group))) for letter, group in groupby(letters.tolist())]
    # A column on the border of two bars shows a mixture, which may look like a third colour or like none.
    solid = [(letter, length) for letter, length in runs if length > 1]
    for order in (_ORDER, _ORDER[::-1]):
        at = "".join(letter for letter, _ in solid).find(order)
        if at < 0:
            continue
        lengths = [length for _, length in solid[at : at + len(order)]]
        if max(lengths) <= limits.unequal * min(lengths):
            full = np.array([np.hypot(*_HUES[letter]) for letter in letters if letter != " "])
            return sum(lengths), scale * float(np.median(strength[letters != " "] / full))
    return 0, 0.0


TEST_PATTERN = Detector(
    name="test_pattern",
    kinds=("video.test_pattern",),
    consumes="video",
    weigh=color_bars,
    limits=PatternLimits(),
    timing=EventTiming(raise_after_s=1.0, clear_after_s=0.2, major_after_s=5.0, critical_after_s=15.0),
    summary="Colour bars instead of a programme.",
    source="colours and order: ITU-R BT.471 and BT.1729, SMPTE RP 219-1; tolerances: ours",
)
