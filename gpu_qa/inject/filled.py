"""Picture faults of content: black, one colour, bars, no colour, a letterbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gpu_qa.inject.fault import Planting
    from gpu_qa.inject.picture import Picture, PictureForm

COLORS = {
    "green": (0.0, 0.53, 0.0),
    "grey": (0.5, 0.5, 0.5),
    "white": (1.0, 1.0, 1.0),
    "blue": (0.0, 0.0, 1.0),
    "red": (1.0, 0.0, 0.0),
}
"""R′, G′, B′. Green is what decoders show where Cb and Cr are missing."""
_SIGNALS = {"both": (1, 2), "Cb": (1,), "Cr": (2,)}
"""Planes of the colour signals."""
_BARS = ((1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0))
"""Order of the colour bars of ITU-R BT.471 and BT.1729."""


class Black:
    """A black picture with a logo in its upper right corner, where one is asked for."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._form = form
        self._luma = form.black + (form.white - form.black) * planting.strength / 100
        side = np.sqrt(planting.number("logo") * form.width * form.height)
        self._rows, self._columns = min(form.height, round(side / 1.4)), min(form.width, round(side * 1.4))

    def take(self, picture: Picture, inside: bool) -> Picture:
        """See `PictureFault`."""
        if not inside:
            return picture
        form = self._form
        black = picture.filled(round(self._luma), form.grey, form.grey)
        if not self._rows or not self._columns:
            return black
        luma = black.planes[0].copy()
        top, left = form.height // 16, max(0, form.width - form.width // 16 - self._columns)
        # Stripes, so that it has edges as a logo has.
        stripes = (np.arange(self._columns) // max(2, self._columns // 5)) % 2
        luma[top : top + self._rows, left : left + self._columns] = np.where(
            stripes, form.white * 3 // 4, form.white * 2 // 5
        )
        return black.showing([luma, *black.planes[1:]])


class SolidColor:
    """One colour, with noise where it is asked for."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._codes = form.color(*COLORS[planting.word("color")])
        self._deviation = planting.strength * form.unit
        self._rng = planting.rng()

    def take(self, picture: Picture, inside: bool) -> Picture:
        """See `PictureFault`."""
        if not inside:
            return picture
        solid = picture.filled(*self._codes)
        if not self._deviation:
            return solid
        return solid.each(
            lambda plane, _: plane + self._rng.standard_normal(plane.shape, dtype=np.float32) * self._deviation
        )


class Bars:
    """Colour bars: 100/0/75/0 (`ebu75`), 100/0/100/0 (`ebu100`), or 75 % over a pluge (`smpte`, as in RP 219)."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        pattern = planting.word("pattern")
        level = 1.0 if pattern == "ebu100" else 0.75
        across = (np.arange(form.width) * 8) // form.width
        colors = [_BARS[0], *(tuple(level * part for part in bar) for bar in _BARS[1:])]
        if pattern == "smpte":
            across = (np.arange(form.width) * 7) // form.width
            colors = [tuple(0.75 * part for part in bar) for bar in _BARS[:7]]
        codes = np.array([form.color(*color) for color in colors])[across]
        picture = np.repeat(codes[None], form.height, 0)
        if pattern == "smpte":
            # Two thirds bars, a twelfth reversed blue bars, below white, black and the steps about black.
            middle, low = form.height * 2 // 3, form.height * 3 // 4
            turned = [colors[6], colors[0], colors[4], (0.075,) * 3, colors[2], (0.0,) * 3, colors[0]]
            picture[middle:low] = np.array([form.color(*color) for color in turned])[across]
            steps = [0.0, 1.0, 0.0, 0.0, 0.02, 0.04, 0.0]
            picture[low:] = np.array([form.color(step, step, step) for step in steps])[across]
        self._planes = [
            picture[:, :, 0],
            *(picture[:: form.down, :: form.across, plane] for plane in (1, 2)),
        ]
        self._planes = [plane.astype(form.dtype) for plane in self._planes]

    def take(self, picture: Picture, inside: bool) -> Picture:
        """See `PictureFault`."""
        return picture.showing(self._planes) if inside else picture


class ColorLoss:
    """A share of the colour goes away: all of it leaves a black and white picture, one signal's a cast."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._lost = _SIGNALS[planting.word("signal")]
        self._kept = np.float32(1 - planting.strength)
        self._grey = form.grey

    def take(self, picture: Picture, inside: bool) -> Picture:
        """See `PictureFault`."""
        if not inside:
            return picture
        return picture.each(
            lambda plane, number: (
                self._grey + (plane - np.float32(self._grey)) * self._kept if number in self._lost else plane
            )
        )


class Letterbox:
    """Black bars cover the picture's upper and lower edge, or its sides; what is between stays as it is."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._form = form
        self._sides = planting.word("where") == "sides"
        self._share = planting.strength / 2

    def take(self, picture: Picture, inside: bool) -> Picture:
        """See `PictureFault`."""
        return picture.each(self._covered) if inside else picture

    def _covered(self, plane: np.ndarray, number: int) -> np.ndarray:
        form = self._form
        plane = plane.copy()
        code = form.black if number == 0 else form.grey
        down, across = (1, 1) if number == 0 else (form.down, form.across)
        if self._sides:
            bar = round(form.width * self._share) // form.across * form.across // across
            plane[:, :bar] = plane[:, plane.shape[1] - bar :] = code
        else:
            bar = round(form.height * self._share) // form.down * form.down // down
            plane[:bar] = plane[plane.shape[0] - bar :] = code
        return plane
