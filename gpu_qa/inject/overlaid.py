"""Overlays that move: what a later stage of the chain, or the viewer's player, goes on drawing over a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpu_qa.inject.fault import Planting
    from gpu_qa.inject.picture import Picture, PictureForm

_TICKER_SPEED = 1 / 120
"""Of the picture's width per picture: four samples at 480."""
_DOTS = 12
"""Of a ring, which is bright once around in a second."""


class Ticker:
    """A strip of square letters along the lower edge, which run to the left. It is there throughout the clip."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._form = form
        self._top = round(form.height * (1 - planting.strength)) // form.down * form.down
        rng = planting.rng()
        side = max(2, form.height // 60)
        rows, columns = form.height - self._top, form.width * 3
        cells = rng.random((rows // side + 1, columns // side + 1)) > 0.5
        letters = np.repeat(np.repeat(cells, side, 0), side, 1)[:rows, :columns]
        low, high = form.black + 14 * form.unit, form.black + 194 * form.unit
        self._strip = np.where(letters, high, low).astype(form.dtype)
        self._count = 0

    def over(self, picture: Picture, inside: bool) -> Picture:
        """The next picture with the ticker on it."""
        at = round(self._count * self._form.width * _TICKER_SPEED) % self._strip.shape[1]
        self._count += 1
        strip = np.roll(self._strip, -at, axis=1)[:, : self._form.width]

        def with_ticker(plane: np.ndarray, number: int) -> np.ndarray:
            plane = plane.copy()
            if number == 0:
                plane[self._top :] = strip
            else:
                plane[self._top // self._form.down :] = self._form.grey
            return plane

        return picture.each(with_ticker)


class Spinner:
    """A ring of dots in the middle that are bright in turn, as of a player that waits. It is there while that lasts."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._form = form
        radius = min(planting.strength * form.height, form.width) / 2
        y, x = np.ogrid[: form.height, : form.width]
        down, right = y - (form.height - 1) / 2, x - (form.width - 1) / 2
        around = np.arctan2(down, right) / (2 * np.pi) * _DOTS
        dot = np.rint(around)
        middle = 0.8 * radius * np.exp(2j * np.pi * dot / _DOTS)
        self._is_dot = np.hypot(right - middle.real, down - middle.imag) <= max(0.2 * radius, 1.0)
        self._place = dot[self._is_dot] / _DOTS

    def over(self, picture: Picture, inside: bool) -> Picture:
        """The picture with the ring on it, if `inside` the stretch in which it is shown."""
        if not inside:
            return picture
        form = self._form
        codes = form.black + (form.white - form.black) * ((self._place - picture.at_s) % 1.0)

        def with_ring(plane: np.ndarray, number: int) -> np.ndarray:
            plane = plane.copy()
            if number == 0:
                plane[self._is_dot] = np.rint(codes).astype(form.dtype)
            else:
                plane[self._is_dot[:: form.down, :: form.across]] = form.grey
            return plane

        return picture.each(with_ring)


OVERLAYS: Mapping[str, type[Ticker] | type[Spinner]] = {"ticker": Ticker, "spinner": Spinner}
"""By the word that names them."""
