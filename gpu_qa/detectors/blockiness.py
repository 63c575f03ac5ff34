"""Blockiness: compression so coarse that the codec's blocks show all over the picture.

Steps of luma that stand out from both their neighbours lie anywhere in content; a codec that is short of bits puts them
on its grid. What counts is how many more there are on the grid than beside it, against how much there is in the
picture to hide them. Of a picture that was scaled after it had been coded, the grid has another period; that one comes
from a closer look at whole pictures, once a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.series import SEVERITIES, Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

_LOOK_S = 0.2
"""Pictures are judged so far apart: coarseness does not come and go within a few of them."""
_MASK = 0.01
"""Content hides steps in proportion to its own; this much is added, so that flat areas are not all seam, as a fraction
of full scale. Ours: two and a half 8-bit codes."""
_MOST = 2.0
"""The mean of the cells counts up to this many times what a third of them reach; ours."""
_PEAK = 3.0
"""A cell counts at most so many times what a third of the cells reach: a ticker of square letters is no compression.
Ours: cells of coarsely coded pictures seldom have more."""
_LOPSIDED = 0.25
"""A codec's grid is square: where one direction has less than this part of the other, that one is content."""
_SAME = 0.5
"""The lines between those of the grid of 16 belong to one of 8 where at least this part as much stands out on them."""
_SCALED = 1.7
"""The closer look takes the picture as a whole, in which busy parts count most; of grids that both see, cells give this
many times as much. Ours."""
_OWN_WITHIN = 0.1
"""A grid whose period is this near to 8 or 16 samples is the codec's own, which is looked at more often and closer."""
_SCALED_S = 2.5
"""How long a closer look counts."""


@dataclass(frozen=True, slots=True)
class BlockinessLimits:
    """When a picture counts as coarsely compressed."""

    raise_ratio: float = 0.22
    """Steps that stand out on the grid more than beside it, over the steps of the content. Ours, see the detector's
    page: H.264 with deblocking reaches it at crf 51 or never, MPEG-2 below 0.1 bit per sample; clips of moderate
    quality stay below 0.15."""
    clear_ratio: float = 0.18
    """Not coarse below."""
    major_ratio: float = 0.45
    """A defect becomes `major` only from here on: blocks are the first thing that a viewer notices."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What the last look has found."""

    ratio: float
    period: float
    """Samples between lines of the grid."""
    direction: str
    """`both`, or the one that has more than twice the other."""


@dataclass(frozen=True, slots=True)
class BlockinessCarry:
    """What the judgement of a picture needs of those before it."""

    next_s: float
    """When to look again."""
    own: _Look
    """On the grid of 16 and 8 samples."""
    scaled: _Look
    """On a grid of any other period."""
    scaled_s: float
    """When that was."""


_NOTHING = _Look(0.0, 0.0, "both")


def blockiness(
    series: VideoSeries, limits: BlockinessLimits = BlockinessLimits(), carry: BlockinessCarry | None = None
) -> tuple[list[Evidence], BlockinessCarry | None]:
    """Weigh how far the codec's grid stands out from the content.

    Args:
        series: Consecutive frames of one format.
        limits: When a picture counts as coarsely compressed.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence with one step per frame, whose value is the ratio at the last look, and the carry.
    """
    count = len(series)
    if not count:
        return [], carry
    if carry is None:
        carry = BlockinessCarry(float(series.pts_s[0]), _NOTHING, _NOTHING, float(series.pts_s[0]))
    next_s, own, scaled, scaled_s = carry.next_s, carry.own, carry.scaled, carry.scaled_s
    times_s: list[float] = series.pts_s.tolist()
    due, next_s = _due(times_s, series.comparable.tolist(), next_s)
    own_looks = dict(zip(due, _own_looks(series, due, limits), strict=True)) if due else {}
    looked = (series.grid[:, 0, 0] >= 0).tolist()  # not a number where no closer look was taken
    looks = []
    for i, now_s in enumerate(times_s):
        own = own_looks.get(i, own)
        if looked[i]:
            scaled, scaled_s = _scaled_look(series, i), now_s
        elif now_s - scaled_s > _SCALED_S:
            scaled = _NOTHING
        looks.append(scaled if scaled.ratio > own.ratio else own)
    value = np.array([look.ratio for look in looks], np.float32)
    verdict, cap = constant(count, -1, np.int8), constant(count, SEVERITIES.index("warn"), np.int8)
    if value.max() >= min(limits.clear_ratio, limits.raise_ratio, limits.major_ratio):
        verdict = np.where(value >= limits.raise_ratio, 1, np.where(value < limits.clear_ratio, -1, 0)).astype(np.int8)
        is_major = value >= limits.major_ratio
        cap = np.where(is_major, SEVERITIES.index("critical"), SEVERITIES.index("warn")).astype(np.int8)
    evidence = Evidence(
        kind="video.blockiness",
        scope="",
        start_s=series.pts_s,
        end_s=series.end_s,
        verdict=verdict,
        value=value,
        limit=limits.raise_ratio,
        unit="ratio",
        confidence=np.clip(0.3 + value / (2.5 * limits.raise_ratio), 0.0, 1.0).astype(np.float32),
        details={
            "grid_period": np.array([round(look.period, 3) for look in looks]),
            "direction": np.array([look.direction for look in looks], object),
        },
        severity_cap=cap,
        message="coarse compression for {duration_s:.1f} s: blocks of {grid_period:.3g} samples show ({value:.2f})",
    )
    return [evidence], BlockinessCarry(next_s, own, scaled, scaled_s)


def _due(times_s: list[float], comparable: list[bool], next_s: float) -> tuple[list[int], float]:
    """The pictures to look at, and when to look again: every `_LOOK_S`, and where a stream begins anew."""
    due = []
    for i, now_s in enumerate(times_s):
        if now_s >= next_s or not comparable[i]:
            due.append(i)
            next_s = now_s + _LOOK_S
    return due, next_s


def _own_looks(series: VideoSeries, due: list[int], limits: BlockinessLimits) -> list[_Look]:
    """The grid of 16 and 8 samples in the pictures `due`.

    Of one that is surely below `clear_ratio`, as nearly all are, the ratio is the most that it can be.
    """
    seam = series.seam[due]
    # A tile of a small picture has not a line of each kind: what it lacks must not count as calm.
    has_line = seam > 0
    lined = np.stack([has_line[:, 0].any(axis=2).mean(axis=2), has_line[:, 1].any(axis=3).mean(axis=2)], axis=1)
    cells = series.seam_cells[due] / np.maximum(lined, 0.02)[..., None, None].astype(np.float32)
    content = series.gradient_cells[due] + np.float32(_MASK)
    grid, between, beside = cells[:, :, 0], cells[:, :, 1], cells[:, :, 2]
    above = (grid - beside) / content
    means = above.reshape(*above.shape[:2], -1).mean(axis=2, dtype=np.float64)
    looks = []
    for n, (across, down) in enumerate(means.tolist()):
        if (across + down) / 2 < limits.clear_ratio:
            looks.append(_Look(max((across + down) / 2, 0.0), 16.0, "both"))
            continue
        ratios, halves = _everywhere(above[n]), _everywhere((between[n] - beside[n]) / content[n])
        period = 8.0 if sum(halves) >= _SAME * sum(ratios) else 16.0
        looks.append(_look(ratios, period))
    return looks


def _everywhere(ratios: np.ndarray) -> list[float]:
    """Per direction the mean over the cells [2, r, k], as far as a third of them bear it out: text is no grid."""
    cells = ratios.reshape(len(ratios), -1)
    third = np.sort(cells, axis=1)[:, -(cells.shape[1] // 3)]
    means = np.minimum(cells, _PEAK * np.maximum(third, 0.0)[:, None]).mean(axis=1, dtype=np.float64)
    return [float(ratio) for ratio in np.minimum(means, _MOST * third.astype(np.float64))]


def _scaled_look(series: VideoSeries, i: int) -> _Look:
    """The grid of any other period that a closer look at picture `i` has found."""
    periods, strengths = series.grid[i].T.tolist()
    content = series.gradient[i].mean(axis=(1, 2), dtype=np.float64) + _MASK
    ratios = (_SCALED * np.array(strengths) / content).tolist()
    period = periods[ratios.index(max(ratios))]
    if any(abs(period - own) < _OWN_WITHIN for own in (8.0, 16.0)):
        return _NOTHING
    return _look(ratios, period)


def _look(ratios: list[float], period: float) -> _Look:
    """One look of both directions."""
    across, down = ratios
    less, more = sorted(ratios)
    ratio = max((across + down) / 2 if less >= _LOPSIDED * more else less, 0.0)
    direction = "both" if less >= 0.5 * more else "across" if across > down else "down"
    return _Look(ratio, period, direction)


BLOCKINESS = Detector(
    name="blockiness",
    kinds=("video.blockiness",),
    consumes="video",
    weigh=blockiness,
    limits=BlockinessLimits(),
    timing=EventTiming(raise_after_s=2.0, clear_after_s=1.0, major_after_s=5.0, critical_after_s=30.0),
    summary="Compression is so coarse that the codec's blocks show all over the picture.",
    source="ours: H.264, MPEG-2 and scaled encodings of falling quality, and 90 clips of ordinary quality",
)
