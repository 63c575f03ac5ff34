"""Damage steps: what is said of each picture about damaged blocks; of nearly all of them it is the same: nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpu_qa.series import SEVERITIES, Evidence

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries


_MESSAGE = "damaged blocks for {duration_s:.1f} s, at worst over {corrupted_area:.0%} of the picture ({cause})"


@dataclass(frozen=True, slots=True)
class Worst:
    """The picture of some damage that shows most of it."""

    area: float
    """Share of its cells."""
    picture_s: float
    tile_map: tuple[str, ...]
    """Rows of cells, `#` where they are damaged."""


def worst_of(cells: np.ndarray, picture_s: float) -> Worst:
    """A picture with these damaged cells, bool [12, 21]."""
    rows = tuple("".join(".#"[cell] for cell in row) for row in cells.tolist())
    return Worst(float(cells.mean()), picture_s, rows)


class _Arrays(NamedTuple):
    """One element per picture."""

    verdict: np.ndarray
    area: np.ndarray
    limit: np.ndarray
    confidence: np.ndarray
    cap: np.ndarray
    cause: np.ndarray
    evidence: np.ndarray
    corrupted_area: np.ndarray
    picture_s: np.ndarray
    reported_pictures: np.ndarray
    tile_map: np.ndarray


@lru_cache(maxsize=64)
def _nothing(count: int) -> _Arrays:
    """Nothing to say of `count` pictures; read-only."""
    arrays = _Arrays(
        verdict=np.full(count, -1, np.int8),
        area=np.zeros(count, np.float32),
        limit=np.full(count, np.nan),
        confidence=np.ones(count, np.float32),
        cap=np.full(count, len(SEVERITIES) - 1, np.int8),
        cause=np.full(count, "", object),
        evidence=np.full(count, None, object),
        corrupted_area=np.zeros(count),
        picture_s=np.zeros(count),
        reported_pictures=np.zeros(count, np.int64),
        tile_map=np.full(count, None, object),
    )
    for array in arrays:
        array.setflags(write=False)
    return arrays


class DamageSteps:
    """The steps of a series."""

    def __init__(self, series: VideoSeries) -> None:
        self._start_s, self._end_s = series.pts_s, series.end_s
        self._arrays = _nothing(len(series))

    def write(
        self,
        i: int,
        verdict: int,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        limit: float = math.nan,
        confidence: float = 1.0,
        is_info: bool = False,
        cause: str = "",
        evidence: list[str] | None = None,
        reported: int = 0,
        worst: Worst | None = None,
    ) -> None:
        """Say something of picture `i`.

        Args:
            i: Its number in the series.
            verdict: As in `Evidence`.
            start_s: Where what it speaks of began; null is its own start.
            end_s: Where that ended; null is its own end.
            limit: From which share on a picture shows damage; NaN where none was asked for.
            confidence: 0…1.
            is_info: It is told as information only.
            cause: `decode`, `transport` or `upstream`.
            evidence: Which witnesses speak.
            reported: Pictures that were reported so far.
            worst: The picture that shows most so far.
        """
        arrays = self._arrays
        if not arrays.verdict.flags.writeable:
            self._start_s, self._end_s = self._start_s.copy(), self._end_s.copy()
            arrays = self._arrays = _Arrays(*(array.copy() for array in arrays))
        arrays.verdict[i], arrays.limit[i], arrays.confidence[i] = verdict, limit, confidence
        arrays.cause[i], arrays.evidence[i], arrays.reported_pictures[i] = cause, evidence, reported
        if start_s is not None:
            self._start_s[i] = start_s
        if end_s is not None:
            self._end_s[i] = end_s
        if is_info:
            arrays.cap[i] = SEVERITIES.index("info")
        if worst is not None:
            arrays.area[i] = worst.area
            arrays.corrupted_area[i], arrays.picture_s[i] = round(worst.area, 4), round(worst.picture_s, 3)
            arrays.tile_map[i] = list(worst.tile_map)

    def as_evidence(self) -> Evidence:
        """The evidence."""
        arrays = self._arrays
        details: dict[str, Any] = {
            name: getattr(arrays, name)
            for name in ("cause", "evidence", "corrupted_area", "picture_s", "reported_pictures", "tile_map")
        }
        return Evidence(
            kind="video.block_corruption",
            scope="",
            start_s=self._start_s,
            end_s=self._end_s,
            verdict=arrays.verdict,
            value=arrays.area,
            limit=arrays.limit,
            unit="share",
            confidence=arrays.confidence,
            details=details,
            severity_cap=arrays.cap,
            message=_MESSAGE,
        )
