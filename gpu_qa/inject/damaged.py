"""Picture faults of detail: damaged blocks, coarse compression, blur."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.inject.filled import COLORS
from gpu_qa.inject.picture import resized

if TYPE_CHECKING:
    from gpu_qa.inject.fault import Planting
    from gpu_qa.inject.picture import Picture, PictureForm

_INTRA_WEIGHTS = np.array(
    [
        [8, 16, 19, 22, 26, 27, 29, 34],
        [16, 16, 22, 24, 27, 29, 34, 37],
        [19, 22, 26, 27, 29, 34, 34, 38],
        [22, 22, 26, 27, 29, 34, 37, 40],
        [22, 26, 27, 29, 32, 35, 40, 48],
        [26, 27, 29, 32, 35, 40, 48, 58],
        [26, 27, 29, 34, 38, 46, 56, 69],
        [27, 29, 35, 38, 46, 56, 69, 83],
    ],
    np.float32,
)
"""Default matrix for intra blocks of ITU-T H.262 6.3.11."""
_SIDE = 8
_CHROMA = {"green_chroma": (-0.45, -0.45), "pink_chroma": (0.25, 0.25), "grey_chroma": (0.0, 0.0)}
"""Look → Cb and Cr, −0.5…0.5, of blocks whose luma stays. Green is what zeros show, as where both are missing."""


class Blocks:
    """Blocks of the picture are damaged as after packet loss: displaced, smeared, of one colour, or in chroma only."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._form = form
        self._look = planting.word("look")
        self._side = round(planting.number("side"))
        self._hold = max(1, round(planting.number("hold")))
        rows, columns = form.height // self._side, form.width // self._side
        self._grid = (max(1, rows), max(1, columns))
        self._count = max(1, round(planting.strength * self._grid[0] * self._grid[1]))
        self._rng = planting.rng()
        self._age = 0
        self._where = np.zeros((0, 4), np.int64)

    def take(self, picture: Picture, inside: bool) -> Picture:
        """See `PictureFault`."""
        if not inside:
            self._age = 0
            return picture
        if self._age % self._hold == 0:
            rows, columns = self._grid
            self._where = self._rng.integers(0, [rows, columns, rows, columns], (self._count, 4))
        self._age += 1
        return picture.each(self._damaged)

    def _damaged(self, plane: np.ndarray, number: int) -> np.ndarray:
        down, across = (1, 1) if number == 0 else (self._form.down, self._form.across)
        high, wide = self._side // down, self._side // across
        damaged = plane.copy()
        for row, column, from_row, from_column in self._where.tolist():
            y, x = row * high, column * wide
            place = damaged[y : y + high, x : x + wide]
            if self._look == "displaced":
                source = plane[from_row * high : (from_row + 1) * high, from_column * wide : (from_column + 1) * wide]
                place[:] = source[: place.shape[0], : place.shape[1]]
            elif self._look == "smeared":
                # The row above the block runs down through it and what follows, as prediction from lost data does.
                below = damaged[y : y + 3 * high, x : x + wide]
                below[:] = plane[max(0, y - 1), x : x + wide]
            elif self._look not in _CHROMA:
                place[:] = self._form.color(*COLORS[self._look])[number]
            elif number:
                span = self._form.top if self._form.full_range else 224 * self._form.unit
                place[:] = round(self._form.grey + span * _CHROMA[self._look][number - 1])
        return damaged


class Blockiness:
    """Coded coarsely: transform blocks of 8 samples, quantised as in MPEG-2; enlarged afterwards where asked for."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._form = form
        self._step = _INTRA_WEIGHTS * np.float32(planting.strength * form.unit / 16)
        self._step[0, 0] = 8 * form.unit
        self._enlarge = planting.number("enlarge")
        k, n = np.mgrid[:_SIDE, :_SIDE]
        basis = np.sqrt(2 / _SIDE) * np.cos(np.pi * (2 * n + 1) * k / (2 * _SIDE))
        basis[0] = np.sqrt(1 / _SIDE)
        self._basis = basis.astype(np.float32)

    def take(self, picture: Picture, inside: bool) -> Picture:
        """See `PictureFault`."""
        return picture.each(lambda plane, _: self._coded(plane)) if inside else picture

    def _coded(self, plane: np.ndarray) -> np.ndarray:
        rows, columns = plane.shape
        small = plane.astype(np.float32)
        if self._enlarge != 1.0:
            small = resized(plane, max(_SIDE, round(rows / self._enlarge)), max(_SIDE, round(columns / self._enlarge)))
        inner = small.shape
        small = np.pad(small, [(0, -inner[0] % _SIDE), (0, -inner[1] % _SIDE)], mode="edge")
        down, across = small.shape[0] // _SIDE, small.shape[1] // _SIDE
        blocks = small.reshape(down, _SIDE, across, _SIDE).transpose(0, 2, 1, 3)
        levels = np.rint(self._basis @ blocks @ self._basis.T / self._step)
        back = self._basis.T @ (levels * self._step) @ self._basis
        coded = back.transpose(0, 2, 1, 3).reshape(small.shape)[: inner[0], : inner[1]]
        return coded if coded.shape == plane.shape else resized(coded, rows, columns)


class Blur:
    """Everything is out of focus: a mean over a window, twice, so that its weights are nearly a triangle's."""

    def __init__(self, planting: Planting, form: PictureForm) -> None:
        self._form = form
        self._radius = planting.strength / 100 * form.height

    def take(self, picture: Picture, inside: bool) -> Picture:
        """See `PictureFault`."""
        return picture.each(self._blurred) if inside else picture

    def _blurred(self, plane: np.ndarray, number: int) -> np.ndarray:
        down, across = (1, 1) if number == 0 else (self._form.down, self._form.across)
        value = plane.astype(np.float32)
        for _ in range(2):
            value = _mean_within(value, self._radius / down)
            value = _mean_within(np.ascontiguousarray(value.T), self._radius / across).T
        return value


def _mean_within(value: np.ndarray, radius: float) -> np.ndarray:
    """Mean over the rows within a distance of each one, whose outermost count by the share that is inside."""
    whole, part = int(radius), radius - int(radius)
    reach = whole + 1
    padded = np.pad(value, [(reach + 1, reach), (0, 0)], mode="edge")
    padded[0] = 0
    # Single precision is enough where the sums stay far below 2²⁴ of its steps.
    sums: np.ndarray = np.cumsum(
        padded, axis=0, dtype=np.float32 if len(padded) * value.max() < 1 << 19 else np.float64
    )
    padded = padded[1:]
    count = len(value)
    inner = sums[reach + whole + 1 : reach + whole + 1 + count] - sums[reach - whole : reach - whole + count]
    outer = padded[:count] + padded[2 * reach : 2 * reach + count]
    return np.asarray((inner + part * outer) / (2 * radius + 1), np.float32)
