"""Picture faults in time: pictures are held, repeated, dropped or played again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.errors import ConfigError
from gpu_qa.inject.overlaid import OVERLAYS

if TYPE_CHECKING:
    from gpu_qa.inject.fault import Planting
    from gpu_qa.inject.picture import Picture, PictureForm

_LOOP_BYTES = 1 << 30
"""What the pictures of a loop may take."""
_BURST = 12
"""Pictures from one burst of repeats to the next."""


class Freeze:
    """The first picture of the stretch is shown throughout."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._held: Picture | None = None

    def take(self, picture: Picture, inside: bool) -> Picture:
        """See `PictureFault`."""
        if not inside:
            self._held = None
            return picture
        if self._held is None:
            self._held = picture
        return picture.like(self._held)


class PartialFreeze:
    """The picture freezes under an overlay that moves on."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._held: Picture | None = None
        self._overlay = OVERLAYS[planting.word("overlay")](planting, form)

    def take(self, picture: Picture, inside: bool) -> Picture:
        """See `PictureFault`."""
        if not inside:
            self._held = None
        elif self._held is None:
            self._held = picture
        shown = picture.like(self._held) if self._held is not None else picture
        return self._overlay.over(shown, inside)


class NoisyFreeze:
    """The picture freezes before noise is added, as on an analogue leg."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._held: Picture | None = None
        self._deviation = planting.strength * form.unit
        self._rng = planting.rng()

    def take(self, picture: Picture, inside: bool) -> Picture:
        """See `PictureFault`."""
        if not inside:
            self._held = None
            return picture
        if self._held is None:
            self._held = picture
        held = picture.like(self._held)
        return held.each(
            lambda plane, _: plane + self._rng.standard_normal(plane.shape, dtype=np.float32) * self._deviation
        )


class Stutter:
    """A share of the pictures is not shown: the one before stays instead, as a copy or by its timestamps.

    Evenly, or in bursts, as where a player that waits for data goes on and stops again.
    """

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._dropped = planting.word("how") == "drop"
        held = max(1, round(planting.strength * _BURST)) if planting.word("how") == "bursts" else 0
        self._bursts = [0.0] * (_BURST - held) + [1.0] * held if held else [planting.strength]
        self._taken = 0
        self._due = 0.0
        self._shown: Picture | None = None

    def take(self, picture: Picture, inside: bool) -> Picture | None:
        """See `PictureFault`."""
        if not inside:
            self._due, self._shown, self._taken = 0.0, picture, 0
            return picture
        # Evenly: every second picture at 0.5, every tenth at 0.1; the first of the stretch is never the one.
        self._due += self._bursts[self._taken % len(self._bursts)]
        self._taken += 1
        if self._due < 1.0 - 1e-9 or self._shown is None:
            self._shown = picture
            return picture
        self._due -= 1.0
        return None if self._dropped else picture.like(self._shown)


class Loop:
    """The stretch's first seconds are played again and again."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._period_s = planting.strength
        self._pictures: list[Picture] = []
        self._next = 0
        self._start_s = 0.0
        self._bytes = form.width * form.height * 3 * form.dtype().itemsize

    def take(self, picture: Picture, inside: bool) -> Picture:
        """See `PictureFault`."""
        if not inside:
            self._pictures.clear()
            self._next = 0
            return picture
        if not self._pictures:
            self._start_s = picture.at_s
        if picture.at_s < self._start_s + self._period_s - 1e-6 or not self._pictures:
            if (len(self._pictures) + 1) * self._bytes > _LOOP_BYTES:
                raise ConfigError(
                    f"loop:strength={self._period_s:g}: pictures of so many seconds do not fit into 1 GiB"
                )
            self._pictures.append(picture)
            return picture
        again = picture.like(self._pictures[self._next])
        self._next = (self._next + 1) % len(self._pictures)
        return again
