"""Picture alignment: where the pictures of a probe stand in the reference, by the changes of 48 cells of the picture.

The cells divide what is between the bars, so a letterboxed copy has the same ones. Each cell's change over a tenth of
a second is compressed, so that a cut counts no more than a few seconds of motion; cells that do not fit, under a logo
or a ticker, are left out once the delay is roughly known.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa.sync.lag import Fit, Rows, Sought
from gpu_qa.sync.resample import held

if TYPE_CHECKING:
    from gpu_qa.sync.abreast import Once, Search
    from gpu_qa.sync.strip import Pictures

__all__ = [
    "Area",
    "PictureFit",
    "activity",
    "cells",
    "full_area",
    "lit_area",
    "moving_s",
    "picture_search",
]

CELLS = (6, 8)
"""Rows and columns of cells: coarser than the 24 × 42 tiles, so that half a row of error in where bars end does not
matter."""
COARSE_S, FINE_S = 0.04, 0.01
"""Steps of the grid that is searched whole, and of the one that places the peak."""
CHANGE_S = 0.1
"""Over how much time changes are taken: two pictures at least at 20 per second."""
COMPRESS = 0.02
"""Fraction of full scale at which a change d becomes half of its limit: d / (|d| + this)."""
REACH_S = 0.35
"""The fine search goes so far around the coarse delay: the 16 lags that place a peak and two pictures besides."""
APART_S = 0.4
"""Other peaks of the coarse search are so far away: four times the time over which changes are taken."""
HOLD_S = 1.0
"""A picture holds until the next one where that comes at most so much later: pictures of a varying rate do."""
LIT_SHARE = 0.15
"""Of a row up to which it is a bar though something shines in it: a logo or a clock in the bar."""
LEAST_SIDE = 0.4
"""Share of height and width below which what is lit is no picture between bars but a dark scene."""


class Area(NamedTuple):
    """The part of a frame between its bars, each 0…1 from the top and from the left."""

    top: float
    bottom: float
    left: float
    right: float


class PictureFit(NamedTuple):
    """Where the pictures of a stretch stand in the reference."""

    fit: Fit
    probe_area: Area
    reference_area: Area
    kept: np.ndarray
    """bool [48]: the cells that fit."""


full_area = Area(0.0, 1.0, 0.0, 1.0)


def lit_area(pictures: Pictures) -> Area:
    """What lies between bars that are dark in all pictures."""
    top, bottom = _lit(pictures.rows_lit)
    left, right = _lit(pictures.columns_lit)
    return Area(top, bottom, left, right)


def cells(luma: np.ndarray, area: Area) -> np.ndarray:
    """Mean luma of the cells into which an area is divided, float32 [T, 48], from tiles [T, R, K]."""
    rows = _weights(luma.shape[1], CELLS[0], area.top, area.bottom)
    columns = _weights(luma.shape[2], CELLS[1], area.left, area.right)
    found = rows @ luma @ columns.T
    return np.asarray(found.reshape(len(luma), -1), np.float32)


def picture_search(
    probe: Pictures,
    reference: Pictures,
    once: Once,
    *,
    within_s: tuple[float, float],
    least_s: float,
    hold_s: float = HOLD_S,
) -> Search[PictureFit | None]:
    """Lay pictures of a probe over those of the reference.

    Args:
        probe: A stretch of seconds.
        reference: All that it may stand in.
        once: What is made of the reference.
        within_s: Delays that are tried, from and to, seconds.
        least_s: Least overlap that is judged, seconds.
        hold_s: A picture of the probe holds over a gap of so much at most.
    """
    lit = once("lit area", lambda: lit_area(reference))
    areas = sorted({(lit_area(probe), lit), (full_area, full_area)})
    fits = yield [
        Sought(
            _changes(probe, ours, COARSE_S, hold_s),
            once(("changes", theirs), lambda theirs=theirs: _changes(reference, theirs, COARSE_S)),  # type: ignore[misc]
            within_s,
            least_s,
            APART_S,
        )
        for ours, theirs in areas
    ]
    best: tuple[Fit, Area, Area] | None = None
    for fit, (ours, theirs) in zip(fits, areas, strict=True):
        if fit is not None and (best is None or fit.coefficient > best[0].coefficient):
            best = fit, ours, theirs
    if best is None:
        return None
    coarse, ours, theirs = best
    beside = _beside(reference, probe, coarse.delay_s)
    if beside is None:
        return None
    a, b = _changes(probe, ours, FINE_S, hold_s), _changes(beside, theirs, FINE_S)
    near_s = (coarse.delay_s - REACH_S, coarse.delay_s + REACH_S)
    (fine,) = yield [Sought(a, b, near_s, least_s, APART_S)]
    if fine is None:
        return None
    kept = _fitting(a, b, fine.delay_s)
    if not kept.all():
        (again,) = yield [Sought(_only(a, kept), _only(b, kept), near_s, least_s, APART_S)]
        fine = fine if again is None else again
    return PictureFit(fine._replace(margin=coarse.margin, around=coarse.around), ours, theirs, kept)


def activity(pictures: Pictures) -> float:
    """How much the picture changes: root mean square over cells of their change in 0.1 s, a fraction of full scale."""
    change, valid = _cell_changes(pictures, full_area, float(pictures.pts_s[0]), COARSE_S)
    return float(np.sqrt((change[:, valid] ** 2).mean())) if valid.any() else 0.0


def moving_s(pictures: Pictures, still: float) -> float:
    """Seconds from the first to the last time at which the picture changes by more than `still`, as in `activity`."""
    change, valid = _cell_changes(pictures, full_area, float(pictures.pts_s[0]), COARSE_S)
    at = np.flatnonzero(valid & (np.sqrt((change**2).mean(axis=0)) > still))
    return float(at[-1] - at[0]) * COARSE_S if len(at) else 0.0


def _changes(pictures: Pictures, area: Area, step_s: float, hold_s: float = HOLD_S) -> Rows:
    start_s = float(np.floor(pictures.pts_s[0] / step_s) * step_s)
    change, valid = _cell_changes(pictures, area, start_s, step_s, hold_s)
    return Rows((change / (np.abs(change) + COMPRESS)).astype(np.float32), valid, start_s, step_s)


def _cell_changes(
    pictures: Pictures, area: Area, start_s: float, step_s: float, hold_s: float = HOLD_S
) -> tuple[np.ndarray, np.ndarray]:
    """The cells' changes on a grid of time, and where they are known."""
    count = max(2, round((pictures.end_s[-1] - start_s) / step_s))
    shown, valid = held(
        pictures.pts_s,
        pictures.end_s,
        cells(pictures.luma, area),
        start_s=start_s,
        step_s=step_s,
        count=count,
        hold_s=hold_s,
    )
    return _differences(shown, valid, step_s)


def _differences(shown: np.ndarray, valid: np.ndarray, step_s: float) -> tuple[np.ndarray, np.ndarray]:
    """What each step differs from the one `CHANGE_S` before it, the first of which have none."""
    back = max(1, round(CHANGE_S / step_s))
    change, known = np.zeros_like(shown), np.zeros_like(valid)
    if shown.shape[1] > back:
        change[:, back:] = shown[:, back:] - shown[:, :-back]
        known[back:] = valid[back:] & valid[:-back]
    return change * known, known


def _beside(reference: Pictures, probe: Pictures, delay_s: float) -> Pictures | None:
    """The pictures of the reference that the probe's stand beside at a delay, and some before and after."""
    first = np.searchsorted(reference.end_s, probe.pts_s[0] - delay_s - 1.0, "right")
    last = np.searchsorted(reference.pts_s, probe.end_s[-1] - delay_s + 1.0)
    if first >= last:
        return None
    cut = slice(int(first), int(last))
    return type(reference)(*(getattr(reference, item.name)[cut] for item in dataclasses.fields(reference)))


def _fitting(a: Rows, b: Rows, delay_s: float) -> np.ndarray:
    """Which rows fit at a delay, bool [F]: those at half the median of all or more, a third of them at least."""
    shift = round((delay_s - (a.start_s - b.start_s)) / a.step_s)
    first, last = max(0, shift), min(a.values.shape[1], b.values.shape[1] + shift)
    if last - first < 2:
        return np.ones(len(a.values), bool)
    ours, theirs = a.values[:, first:last], b.values[:, first - shift : last - shift]
    valid = a.valid[first:last] & b.valid[first - shift : last - shift]
    ours, theirs = ours[:, valid], theirs[:, valid]
    power = np.sqrt((ours**2).sum(1) * (theirs**2).sum(1))
    alike = (ours * theirs).sum(1) / np.where(power > 0, power, 1.0)
    kept = alike >= 0.5 * np.median(alike)
    return kept if kept.sum() * 3 >= len(kept) else np.ones(len(kept), bool)


def _only(rows: Rows, kept: np.ndarray) -> Rows:
    return dataclasses.replace(rows, values=rows.values[kept])


def _lit(shares: np.ndarray) -> tuple[float, float]:
    """First and last part, 0…1, of lines that are no bar in any picture; all of them where little would be left."""
    lit = np.flatnonzero(shares.max(axis=0) > LIT_SHARE)
    count = shares.shape[1]
    if not len(lit) or lit[-1] + 1 - lit[0] < LEAST_SIDE * count:
        return 0.0, 1.0
    return lit[0] / count, (lit[-1] + 1) / count


def _weights(tiles: int, parts: int, low: float, high: float) -> np.ndarray:
    """How much of each tile belongs to each part of low…high, float32 [parts, tiles], each row adding up to 1.

    A tile that lies half in a bar has all of its light in the other half.
    """
    edges = np.arange(tiles + 1) / tiles
    inside = np.maximum(0.0, np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)) * tiles
    cuts = low + (high - low) * np.arange(parts + 1) / parts
    overlap = np.minimum(edges[None, 1:], cuts[1:, None]) - np.maximum(edges[None, :-1], cuts[:-1, None])
    weights = np.maximum(0.0, overlap) / np.where(inside > 0, inside, 1.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
