"""Placing: where a part of a stretch stands in its reference, and what it takes to say so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from gpu_qa.sync.lag import Around, Fit

__all__ = ["SEVERAL", "Placing", "State", "as_long", "as_sure", "placed"]

State = Literal["matches", "differs", "outside", "unknown"]

MOMENT_S = 1.2
"""What a place is told by lasts so long at least, or it must fit better (`as_sure`): a cut or a window that opens fits
another one. Without this, and without what is asked of a short overlap beyond the picture's coefficient, 9 of 3114
pictures and sounds laid over other content would match, with both none does; of copies 1010 match instead of 1043
(docs/compare.md)."""

CLEAR = 0.6
"""Or a place exceeds any other by so much in Fisher's z = artanh r, over a whole stretch: 0.97 and 0.86 are further
apart than 0.8 and 0.65. Music fits itself a bar later with 0.9; other content reached 0.52."""

SEVERAL = "it fits several places of the reference about as well"


@dataclass(frozen=True, slots=True)
class Placing:
    """Where the picture or the sound of a stretch stands in the reference."""

    state: State
    """`matches`; `differs`: it is not in the reference; `outside`: the reference has nothing where it is looked for;
    `unknown`: nothing to judge by."""
    reason: str | None = None
    """Why there is no delay."""
    delay_s: float | None = None
    """How much later it comes in the probe than in the reference, each on its own clock."""
    sigma_s: float | None = None
    """Standard deviation of the delay."""
    coefficient: float | None = None
    """Pearson's, of the best place."""
    margin: float | None = None
    """By how much that exceeds all other places."""
    overlap_s: float | None = None
    """How much of both was laid over one another there."""
    fits_s: float | None = None
    """The delay of the best place, whether it says anything or not."""
    around: Around | None = None
    """Coefficients beside it; null as `fits_s`."""


def as_sure(coefficient: float, long_s: float, short_s: float) -> float:
    """The coefficient that says as much on a shorter stretch: Fisher's z = artanh r spreads as 1/√length.

    By chance alone short stretches fit somewhere: the larger of what is tried.
    """
    return math.tanh(math.atanh(min(coefficient, 0.999)) * math.sqrt(max(1.0, long_s / max(short_s, 1e-3))))


def _z(coefficient: float) -> float:
    """Fisher's z, kept finite."""
    return math.atanh(min(max(coefficient, -0.999), 0.999))


def as_long(coefficient: float, long_s: float, short_s: float) -> float:
    """The coefficient that says as much on a longer stretch: undoes `as_sure`."""
    return math.tanh(math.atanh(min(max(coefficient, 0.0), 0.999)) / math.sqrt(max(1.0, long_s / max(short_s, 1e-3))))


def placed(fit: Fit, differs_below: float, coefficient: float, margin: float, stretch_s: float) -> Placing:
    """What a fit comes to; coefficient and margin are those of a whole stretch."""
    told = fit.coefficient, fit.margin, fit.overlap_s, fit.delay_s, fit.around
    if fit.coefficient < differs_below:
        return Placing("differs", "not in the reference", None, None, *told)
    if fit.coefficient < as_sure(coefficient, stretch_s, fit.overlap_s):
        return Placing("unknown", "it fits the reference too loosely", None, None, *told)
    if fit.coefficient < as_sure(coefficient, MOMENT_S, fit.told_by_s):
        return Placing("unknown", "it fits the reference by a short moment only", None, None, *told)
    scale = math.sqrt(max(1.0, stretch_s / max(fit.overlap_s, 1e-3)))
    clear = _z(fit.coefficient) - _z(fit.coefficient - fit.margin)
    if fit.margin < margin * scale and clear < CLEAR * scale:
        return Placing("unknown", SEVERAL, None, None, *told)
    return Placing("matches", None, fit.delay_s, max(fit.sigma_s, 0.0005), *told)
