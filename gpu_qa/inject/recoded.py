"""Faults of coding: from a picture on the stream goes on in another size, or says another shape of its samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from gpu_qa.errors import ConfigError

if TYPE_CHECKING:
    from gpu_qa.inject.fault import Planting
    from gpu_qa.inject.picture import PictureForm

_FINEST = 100
"""Largest denominator of a ratio that a strength names."""
_LEAST, _MOST = 16, 8192
"""Samples of a side that encoders take."""


@dataclass(frozen=True, slots=True)
class Shape:
    """In which size pictures are coded, and how wide one of their samples is shown."""

    width: int
    """Luma samples."""
    height: int
    sample_aspect_ratio: Fraction
    """Width of a sample over its height."""


class Resize:
    """The pictures are coded in another size: so much of their width and height."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        if form.top_field_first is not None:
            raise ConfigError(f"{planting.fault.name}: the pictures are interlaced: scaling would mix their fields")
        self._scale = planting.strength
        for side in (form.width, form.height):
            if not _LEAST <= self._side(side) <= _MOST:
                raise ConfigError(f"{planting.fault.name}: strength {self._scale:g}: no size for an encoder")

    def take(self, shape: Shape) -> Shape:
        """See `CodingFault`."""
        return replace(shape, width=self._side(shape.width), height=self._side(shape.height))

    def _side(self, samples: int) -> int:
        return round(samples * self._scale / 2) * 2


class Aspect:
    """The same pictures say that their samples are wider, or narrower, than before."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._wider = Fraction(planting.strength).limit_denominator(_FINEST)

    def take(self, shape: Shape) -> Shape:
        """See `CodingFault`."""
        return replace(shape, sample_aspect_ratio=shape.sample_aspect_ratio * self._wider)
