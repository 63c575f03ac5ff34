"""What rows come to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.compare.schema import Copies, Others
from benchmarks.compare.treatment import RATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.compare.run import Row

__all__ = ["copies_of", "interval", "others_of"]

Z = 1.959964
"""Of the 95 % interval."""
RIGHT_S = 0.02


def copies_of(rows: Sequence[Row]) -> tuple[Copies, ...]:
    """Each way's copies, then those at the reference's rate, at another, and all."""
    copies = [row for row in rows if row.kind == "copy"]
    same, other = ([row for row in copies if _has_other_rate(row) == wanted] for wanted in (False, True))
    ways = sorted({row.way for row in copies}, key=lambda way: (way == "combined", way))
    found = [_copies(way, [row for row in copies if row.way == way]) for way in ways]
    return (*found, _copies("same rate", same), _copies("other rate", other), _copies("all", copies))


def others_of(rows: Sequence[Row]) -> tuple[Others, ...]:
    """Each kind of other content, then all."""
    others = [row for row in rows if row.kind != "copy"]
    kinds = sorted({row.kind for row in others})
    found = [_others(kind, [row for row in others if row.kind == kind]) for kind in kinds]
    return (*found, _others("all", others))


def interval(count: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share by Wilson's score (J. Am. Stat. Assoc. 22, 1927)."""
    if not of:
        return 0.0, 1.0
    share, square = count / of, Z * Z / of
    middle = (share + square / 2) / (1 + square)
    reach = Z * math.sqrt(share * (1 - share) / of + square / (4 * of)) / (1 + square)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _has_other_rate(row: Row) -> bool:
    return any(way in RATES for way in row.ways)


def _copies(way: str, rows: Sequence[Row]) -> Copies:
    errors = [1000 * row.error_s for row in rows if row.error_s is not None]
    median, p95, p99, largest = (
        (round(float(np.percentile(errors, one)), 3) for one in (50, 95, 99, 100)) if errors else (None,) * 4
    )
    return Copies(
        way=way,
        copies=len(rows),
        answered=len(errors),
        median_ms=median,
        p95_ms=p95,
        p99_ms=p99,
        largest_ms=largest,
        within_20_ms=sum(error <= 1000 * RIGHT_S for error in errors),
        called_other=sum(row.says_other for row in rows),
    )


def _others(kind: str, rows: Sequence[Row]) -> Others:
    recognised = sum(row.says_other and not row.picture_matching and not row.sound_matching for row in rows)
    least, most = interval(recognised, len(rows))
    return Others(
        kind=kind,
        pairs=len(rows),
        recognised=recognised,
        least_share=round(least, 4),
        most_share=round(most, 4),
        unknown=sum(not row.says_other and not row.picture_matching and not row.sound_matching for row in rows),
        picture_matched=sum(row.picture_matching > 0 for row in rows),
        sound_matched=sum(row.sound_matching > 0 for row in rows),
        with_skew=sum(row.told_skew_s is not None for row in rows),
    )
