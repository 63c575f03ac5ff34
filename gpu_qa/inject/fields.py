"""Picture faults of interlacing: lines of two moments in one picture, fields in the wrong order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from gpu_qa.inject.fault import Planting
    from gpu_qa.inject.picture import Picture, PictureForm


class Combing:
    """Even lines come from an earlier picture: two fields woven into one progressive picture."""

    _earlier = 0
    """Parity of the lines that come from the earlier picture."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._distance = max(1, round(planting.strength))
        self._before: list[Picture] = []

    def take(self, picture: Picture, inside: bool) -> Picture:
        """See `PictureFault`."""
        before = self._before[0] if self._before else picture
        self._before = [*self._before, picture][-self._distance :]
        if not inside:
            return picture

        def woven(plane: np.ndarray, number: int) -> np.ndarray:
            plane = plane.copy()
            plane[self._earlier :: 2] = before.planes[number][self._earlier :: 2]
            return plane

        return picture.each(woven)


class FieldOrder(Combing):
    """Odd lines come from an earlier picture, in a stream that says that even lines come first: motion runs back."""

    _earlier = 1
    interlaced = True
    """The stream is to be coded as interlaced, top field first."""
