"""Picture faults of interlacing: lines of two moments in one picture, fields in the wrong order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from gpu_qa.inject.fault import Planting
    from gpu_qa.inject.picture import Picture, PictureForm


class Combing:
    """Even lines come from an earlier picture: two fields woven into one progressive picture."""

    interlaced = False
    """Whether the stream is to be coded as interlaced."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._earlier = self._earlier_lines(form)
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

    def _earlier_lines(self, form: PictureForm) -> int:
        """Parity of the lines that come from the earlier picture."""
        if form.top_field_first is not None:
            raise ConfigError("combing: the pictures are interlaced: their lines are of two moments anyway")
        return 0


class FieldOrder(Combing):
    """The lines shown second come from an earlier picture: motion runs back.

    The order is that of the clip's fields; in a progressive clip even lines come first.
    """

    interlaced = True

    def _earlier_lines(self, form: PictureForm) -> int:
        return 0 if form.top_field_first is False else 1
