"""Freeze history: the steps of the last seconds, and where every tile of the picture stands after each."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa.detectors.noise_floor import beyond, counts, noise_floor
from gpu_qa.detectors.overlay import inside_area, overlay_box, spot_box
from gpu_qa.series import constant

if TYPE_CHECKING:
    from gpu_qa.detectors.freeze import FreezeLimits
    from gpu_qa.series import VideoSeries

BEFORE_S = 2.0
"""How much of the time before a freeze its onset is judged by."""
OVERLAY_S = 0.9
"""A tile that has moved within this time may belong to an overlay: shorter than a clock's second, so that at its first
tick the picture that stopped a second ago no longer counts as moving."""
_SILENT, _SILENT_SHARE = 0.001, 0.75
"""A step is silent where at least this share of the tiles changed by no more than this, as a fraction of full scale:
less than a camera's noise, and more than an encoder makes of a picture that has stopped."""
_STIR = 0.004
"""A tile stirs where it changes by more than this. Ours: MPEG-2 shows the pictures between its references up to 0.0035
apart from them, step by step."""
_RECODED_S = 0.4
"""After so long without a change, a small one at a key frame is the encoder's."""
STEP_STILL = 0.002
"""Share of the tiles that may exceed the noise floor in a still step: two of a thousand."""
HALT_S = OVERLAY_S + 1.1
"""As long after a picture stopped, all that its onset is judged by is still remembered: until the first tick of a clock
behind `OVERLAY_S`."""
_HISTORY_S = BEFORE_S + HALT_S
_FLAT_STD, _FLAT_SPREAD, _FLAT_AREA = 0.012, 0.02, 0.95
"""A picture without content (black, one colour) cannot freeze: tile deviation, distance to the median luma, area."""
_WRITING_AREA = 0.005
"""What differs from it between the zones of overlays is content from this share of the picture on, as for `black` and
`solid_color`: a card with a line of writing is neither."""


class Frozen(NamedTuple):
    """A freeze that is going on."""

    start_s: float
    """When it began, in seconds."""
    onset: str | None = None
    """How; null as long as that is not known."""
    halted: bool | None = None
    """Whether lively motion stopped from one picture to the next; null as long as that is not known."""
    is_spot: bool = False
    """Whether a spot has moved on over it."""


@dataclass(frozen=True, slots=True)
class FreezeCarry:
    """What the judgement of a frame needs of those before it."""

    begin_s: float
    """When the first comparable picture was shown."""
    anchor: np.ndarray
    """float32 [N]: mean luma of each tile when it last moved."""
    since_s: np.ndarray
    """float64 [N]: when that was."""
    inner_s: float
    """When something last moved that reached beyond the upper and the lower edge and was no spot."""
    pts_s: np.ndarray
    """float64 [H]: the steps of the last seconds, oldest first."""
    moving: np.ndarray
    """uint8 [H, N / 8]: which tiles exceeded the noise floor in them, a bit each."""
    activity: np.ndarray
    """float64 [H]: share of such tiles."""
    level: np.ndarray
    """float32 [H]: mean coarse change in them."""
    silent: np.ndarray
    """bool [H]: whether most tiles showed not even noise in them."""
    stirring: np.ndarray
    """uint8 [H, N / 8]: which tiles changed by more than an encoder does alone, a bit each."""
    cells: np.ndarray
    """float16 [H, N / 4]: mean luma of cells of two by two tiles."""
    frozen_since: Frozen | None = None
    """The freeze that is going on; null while the picture moves."""


class _Moves(NamedTuple):
    """Which tiles move, step by step: further than `raise_drift` from what they are compared with, or in a pulse."""

    tiles: np.ndarray
    """bool [T, N]."""
    counts: list[int]
    """How many, of each step."""
    within: list[int]
    """How many of the middle, of each step."""


class FreezeHistory:
    """The steps of a series behind those of the last seconds, and where every tile stands after each."""

    def __init__(self, series: VideoSeries, limits: FreezeLimits, carry: FreezeCarry | None) -> None:
        count = len(series)
        self.series, self.limits = series, limits
        self.luma = series.luma.reshape(count, -1)
        self.rows, self.columns = series.luma.shape[1:]
        coarse = series.coarse_change.reshape(count, -1)
        self.floor = noise_floor(coarse, limits.noise_floor, limits.noise_ceiling)
        """The noise floor of each step, float32 [T]."""
        is_moving = coarse > self.floor[:, None]
        activity = counts(is_moving) / coarse.shape[1]
        moving = np.packbits(is_moving, axis=1)
        level = np.add.reduce(series.coarse_cells.reshape(count, -1), axis=1)
        level /= np.float32(series.coarse_cells[0].size)
        silent = counts(coarse <= _SILENT) >= _SILENT_SHARE * coarse.shape[1]
        stirring = np.packbits(coarse > _STIR, axis=1)
        cells = series.luma_cells.reshape(count, -1).astype(np.float16)
        self.coarse = coarse
        self.value = constant(count, math.nan, np.float32)
        """What the noise floor was compared with in each step that was measured, float32 [T]."""
        self.comparable = series.comparable.tolist()
        self.pulses = coarse > limits.pulse
        """Which tiles change by more than `pulse`, bool [T, N]."""
        self.is_key: list[bool] = series.is_key.tolist()
        self.has_pulse = bool(self.pulses.any())
        quarter = self.rows // 4 * self.columns
        self.edge, self.middle = slice(quarter), slice(quarter, self.luma.shape[1] - quarter)
        self.stepped = self._moves(self.luma[1:] - self.luma[:-1], 1)
        """Against the step before; without the first step."""
        self.is_fresh = False
        """Whether the anchor is the step before."""
        self.left: tuple[int, _Moves] | None = None
        """Against the anchor: from which step on, as long as the anchor stays; null where not known."""
        self.frozen_since = carry.frozen_since if carry else None
        if carry is None:
            self.first = 0
            self.pts_s, self.moving, self.activity, self.level = series.pts_s, moving, activity, level
            self.silent, self.stirring, self.cells = silent, stirring, cells
            self.begin_s = self.inner_s = float(series.pts_s[0])
            self.anchor = self.luma[0]
            self.since_s = np.full(self.anchor.shape, self.begin_s)
        else:
            self.first = len(carry.pts_s)
            self.pts_s = np.concatenate([carry.pts_s, series.pts_s])
            self.moving = np.concatenate([carry.moving, moving])
            self.activity = np.concatenate([carry.activity, activity])
            self.level = np.concatenate([carry.level, level])
            self.silent = np.concatenate([carry.silent, silent])
            self.stirring = np.concatenate([carry.stirring, stirring])
            self.cells = np.concatenate([carry.cells, cells])
            self.begin_s, self.inner_s = carry.begin_s, carry.inner_s
            self.anchor, self.since_s = carry.anchor, carry.since_s.copy()
        self.moved_s = float(self.since_s.max())
        """When anything last moved."""
        self.times_s: list[float] = list(self.pts_s.tolist())

    def advance(self, i: int) -> None:
        """Take the series' step `i`.

        Tiles that moved get a new anchor; when it was more than an overlay, all do: what drifts slowly beside motion
        must not add up to a movement in the middle of a freeze.
        """
        luma, now_s = self.luma[i], self.now_s(i)
        if not self.comparable[i]:
            self.begin_s = self.moved_s = self.inner_s = now_s
            self.since_s[:] = now_s
            self._drop_anchor(luma)
            return
        moved, tiles, within = self._moved(i)
        if not tiles:
            self.is_fresh = False
            return
        if self._is_recoded(i):
            self._drop_anchor(luma)
            return
        self.moved_s = now_s
        np.putmask(self.since_s, moved, now_s)
        shape = (self.rows, self.columns)
        if within or np.count_nonzero(moved[self.edge]) not in (0, tiles):
            is_spot = within == tiles and spot_box(moved.reshape(shape), filled=False) is not None
            if not is_spot:
                self.inner_s = now_s
            stays = is_spot and self.frozen_since is not None and self.frozen_since.is_spot
        else:
            stays = overlay_box(moved.reshape(shape)) is not None
        if stays:
            self._drop_anchor(np.where(moved, luma, self.anchor))
            self.is_fresh = False
            return
        self._drop_anchor(luma)

    def _is_recoded(self, i: int) -> bool:
        """Whether all that moves with the series' step `i` is a key frame that codes a frozen picture anew."""
        if self.frozen_since is None or not self.is_key[i] or self.now_s(i) - self.moved_s < _RECODED_S:
            return False
        before = self.activity[self.between(self.now_s(i) - _RECODED_S, self.now_s(i), i)][:-1]
        return bool(
            before.size
            and before.max() <= STEP_STILL
            and not self.pulses[i].any()
            and np.abs(self.luma[i] - self.anchor).max() <= self.limits.pulse
        )

    def _drop_anchor(self, luma: np.ndarray) -> None:
        self.anchor, self.is_fresh, self.left = luma, True, None

    def _moves(self, away: np.ndarray, first: int) -> _Moves:
        """What moves in the series' steps from `first` on, by how far they are away, float32 [T, N], overwritten."""
        moved = beyond(away, self.limits.raise_drift)
        if self.has_pulse:
            moved |= self.pulses[first:]
        return _Moves(moved, counts(moved).tolist(), counts(moved[:, self.middle]).tolist())

    def _moved(self, i: int) -> tuple[np.ndarray, int, int]:
        """The tiles that move with the series' step `i`, against the anchor; how many in all, and in the middle."""
        if self.is_fresh:
            moves, at = self.stepped, i - 1
        else:
            if self.left is None:
                self.left = (i, self._moves(self.luma[i:] - self.anchor, i))
            moves, at = self.left[1], i - self.left[0]
        return moves.tiles[at], moves.counts[at], moves.within[at]

    def is_moving(self, i: int) -> bool:
        """The first look: whether step `i` cannot be still, nor be an overlay that moves over what is.

        In nearly all steps of nearly all streams something has just moved.
        """
        now_s = self.now_s(i)
        return now_s <= self.moved_s and (not self.limits.partial or self.inner_s > now_s - OVERLAY_S)

    def measure(self, i: int, tiles: np.ndarray | None = None) -> None:
        """Note what all but a few tiles of the series' step `i` change by at most.

        Args:
            i: The step.
            tiles: bool [N]: those to look at; null is all.
        """
        if not self.value.flags.writeable:
            self.value = self.value.copy()
        own = self.coarse[i] if tiles is None else self.coarse[i, tiles]
        at = own.size - 1 - int(STEP_STILL * own.size)
        self.value[i] = np.partition(own, at)[at]

    def moving_share(self, tiles: np.ndarray, steps: slice = slice(None)) -> np.ndarray:
        """Share of the tiles, bool [N], that exceeded the noise floor in each of the steps, float64 [H]."""
        return _share(self.moving[steps], tiles)

    def is_calm(self, tiles: np.ndarray, steps: slice) -> np.ndarray:
        """Whether nothing stirred in these tiles, bool [N], and noise was silent, in each of the steps, bool [H]."""
        silent = self.silent[steps]
        return silent & (_share(self.stirring[steps], tiles) <= STEP_STILL) if silent.any() else silent

    def cells_in(self, tiles: np.ndarray) -> np.ndarray:
        """Which cells hold none but these tiles, bool [N], bool [N / 4]."""
        grid = tiles.reshape(self.rows, self.columns)[: self.rows // 2 * 2, : self.columns // 2 * 2]
        return np.asarray(grid.reshape(self.rows // 2, 2, -1, 2).all(axis=(1, 3)).ravel())

    def now_s(self, i: int) -> float:
        """Time of the series' step `i`, in seconds."""
        return self.times_s[self.first + i]

    def between(self, start_s: float, end_s: float, i: int) -> slice:
        """The steps up to `i` in `start_s` < time ≤ `end_s`, as far as they are comparable and remembered.

        What is remembered counts from step `i`, so that it does not depend on where the series was cut.
        """
        until = self.first + i + 1
        start_s = max(start_s, self.begin_s, self.times_s[until - 1] - _HISTORY_S)
        return slice(bisect_right(self.times_s, start_s, 0, until), bisect_right(self.times_s, end_s, 0, until))

    def is_plain(self, i: int) -> bool:
        """Whether the series' step `i` has no content: it is sparse, and what there is lies where overlays do."""
        if not self.is_sparse(i):
            return False
        odd = ~self._flat(i).reshape(1, self.rows, self.columns)
        return bool(inside_area(odd)[0] <= _WRITING_AREA)

    def is_sparse(self, i: int, rest: np.ndarray | None = None) -> bool:
        """Whether nearly all tiles of the series' step `i` are flat and look like the picture's middle.

        Args:
            i: The step.
            rest: bool [N]: the tiles without an overlay, of which alone it may hold too; null where there is none.
        """
        flat = self._flat(i)
        if np.count_nonzero(flat) / flat.size >= _FLAT_AREA:
            return True
        return rest is not None and bool(np.count_nonzero(flat & rest) / np.count_nonzero(rest) >= _FLAT_AREA)

    def _flat(self, i: int) -> np.ndarray:
        """Which tiles of the series' step `i` are flat and look like the picture's middle, bool [N]."""
        near = np.abs(self.luma[i] - self.series.median_luma[i]) < _FLAT_SPREAD
        return np.asarray(near & (self.series.luma_std[i].ravel() < _FLAT_STD))

    def carry(self) -> FreezeCarry:
        """What the next series needs."""
        keep = slice(bisect_left(self.times_s, self.times_s[-1] - _HISTORY_S), None)
        return FreezeCarry(
            begin_s=self.begin_s,
            anchor=self.anchor.copy(),
            since_s=self.since_s,
            inner_s=self.inner_s,
            pts_s=self.pts_s[keep],
            moving=self.moving[keep].copy(),
            activity=self.activity[keep].copy(),
            level=self.level[keep].copy(),
            silent=self.silent[keep].copy(),
            stirring=self.stirring[keep].copy(),
            cells=self.cells[keep].copy(),
            frozen_since=self.frozen_since,
        )


def _share(packed: np.ndarray, tiles: np.ndarray) -> np.ndarray:
    """Share of bool [N] whose bits are set in uint8 [H, N / 8], float64 [H]."""
    return np.asarray(np.bitwise_count(packed & np.packbits(tiles)).sum(axis=1) / np.count_nonzero(tiles))
