"""Flashes, as ITU-R BT.1702 counts them: two opposite changes of luminance or of saturated red make one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gpu_qa.inject.fault import Planting
    from gpu_qa.inject.picture import Picture, PictureForm


class Flash:
    """An area changes between dark and bright, or between black and saturated red."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._form = form
        self._half_s = 0.5 / planting.strength
        contrast = planting.number("contrast")
        red = planting.word("color") == "red"
        self._dark = form.color(0.0, 0.0, 0.0)
        self._bright = form.color(contrast, 0.0, 0.0) if red else form.color(contrast, contrast, contrast)
        side = np.sqrt(planting.number("area"))
        self._rows, self._columns = form.height * side, form.width * side
        self._start_s: float | None = None

    def take(self, picture: Picture, inside: bool) -> Picture:
        """See `PictureFault`."""
        if not inside:
            self._start_s = None
            return picture
        if self._start_s is None:
            self._start_s = picture.at_s
        # A hair more, so that pictures at a change fall on the same side each time.
        is_bright = int((picture.at_s - self._start_s) / self._half_s + 1e-4) % 2
        codes = self._bright if is_bright else self._dark
        form = self._form

        def lit(plane: np.ndarray, number: int) -> np.ndarray:
            down, across = (1, 1) if number == 0 else (form.down, form.across)
            rows, columns = round(self._rows / down), round(self._columns / across)
            top, left = (plane.shape[0] - rows) // 2, (plane.shape[1] - columns) // 2
            plane = plane.copy()
            plane[top : top + rows, left : left + columns] = codes[number]
            return plane

        return picture.each(lit)
