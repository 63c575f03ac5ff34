"""Healing: with a key frame part of the picture jumps back to what it had jumped away from.

Where a decoder conceals what was lost without telling, what it shows is often as smooth as a picture: nothing stands on
the grid. But it is wrong until a key frame, and then what was wrong is right at once. A cell of the picture has *leapt*
where it changes much more than it has done lately. It has *returned* where it leaps to about the luma that it had
before an earlier leap. What moves, appears or flashes leaps too, but seldom returns, in several cells, exactly with a
key frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.seam_grid import cell_means

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

_FADE_S = 0.4
"""What changed at a cell lately fades in about this time; ours."""
_ABOVE, _LEAP, _HEAL_ABOVE, _HEAL_LEAP = 2.0, 0.006, 2.5, 0.01
"""A cell leaps away where it changes by more than `_ABOVE` times as much as lately plus `_LEAP`, and back by the other
two, as fractions of full scale; ours: with 1.5 and 0.004 cells return with key frames of clips without damage."""
_STRONG, _FEWEST_STRONG = 0.02, 5
"""At least so many of the cells leap back by that much."""
_MOST_CELLS = 150
"""Of the 252 cells: what leaps in more of them is a cut."""
_SETTLED, _SETTLED_SHARE = 0.5, 0.7
"""The next picture changes by less than this part of the leap, in this share of the cells that have leapt: motion that
begins goes on."""
_CLOSER, _LEAST_BACK = 0.5, 0.005
"""A cell has returned where it is this part, or less, as far from what it was as it was before, and was further than
the second, as a fraction of full scale."""
_RETURNS, _RETURNED_SHARE = 3, 0.1
"""So many cells, and this share of those that leap back, must return. Of 650 key frames of clips without damage none
has more than 1."""
_LOOK_BACK_S = 8.0
"""For how long a leap is remembered."""
_SETTLE_S = 0.3
"""Leaps so soon after a cut are not remembered: encoders sharpen the picture; as in `block_corruption`."""
_KEPT = 2
"""Pictures that are kept: the last one, which is judged with the next, and the one before."""
_NEVER = -math.inf


@dataclass(frozen=True, slots=True)
class Healed:
    """Part of a picture that has returned."""

    start_s: float
    """When it had leapt away, in seconds: the median of its cells."""
    end_s: float
    """When it returned: start of the picture that is whole again."""
    picture_s: float
    """Start of the last picture that was not."""
    cells: np.ndarray
    """bool [12, 21]: the cells that leapt back."""
    returns: int
    """How many of them were seen to return."""


@dataclass(frozen=True, slots=True)
class _Tail:
    """The last pictures of a series: the one that is not judged yet and the one before."""

    times_s: np.ndarray
    """float64 [t], t up to 2."""
    change: np.ndarray
    """float32 [t, 12, 21]."""
    luma: np.ndarray
    """float32 [t, 12, 21]."""
    is_key: np.ndarray
    """bool [t]."""
    is_cut: np.ndarray
    """bool [t]."""


@dataclass(frozen=True, slots=True)
class HealingCarry:
    """What the judgement of a picture needs of those before it."""

    tail: _Tail | None
    """Null before the first."""
    lately: np.ndarray
    """float32 [12, 21]: how much each cell changed lately, up to the last picture that was judged."""
    leapt_s: np.ndarray
    """float64 [12, 21]: when a cell leapt and has not returned since; −inf else."""
    luma: np.ndarray
    """float32 [12, 21]: its luma before that."""
    key_s: float
    """The last key frame."""
    cut_s: float
    """The last cut."""


def healings(
    series: VideoSeries, is_cut: np.ndarray, carry: HealingCarry | None
) -> tuple[dict[int, Healed], HealingCarry]:
    """Where parts of the picture have returned.

    Args:
        series: Consecutive frames of one format; one at least.
        is_cut: bool [T]: the picture follows on a cut.
        carry: From the series before; null at the start of a stream.

    Returns:
        What has healed, by the number of the picture with which it is known, and the carry.
    """
    change, luma = cell_means(series.coarse_change), cell_means(series.luma)
    if carry is None:
        never = np.full(change[0].shape, _NEVER)
        carry = HealingCarry(None, change[0], never, luma[0], _NEVER, float(series.pts_s[0]))
    tail = carry.tail
    now = _Tail(series.pts_s, change, luma, series.is_key, is_cut)
    state = _State(tail, now, carry)
    before = state.before
    found = state.judge(max(0, before - 1), before + len(series) - 1)
    return {i + 1 - before: healed for i, healed in found.items()}, state.carry()


def _joined(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    return np.concatenate([before, now])


class _State:
    """The judgement, picture by picture."""

    def __init__(self, tail: _Tail | None, now: _Tail, carry: HealingCarry) -> None:
        self.before = 0 if tail is None else len(tail.times_s)
        if tail is None:
            self.times, self.change, self.luma_now = now.times_s, now.change, now.luma
            self.is_key, self.is_cut = now.is_key.tolist(), now.is_cut.tolist()
        else:
            self.times = _joined(tail.times_s, now.times_s)
            self.change, self.luma_now = _joined(tail.change, now.change), _joined(tail.luma, now.luma)
            self.is_key = tail.is_key.tolist() + now.is_key.tolist()
            self.is_cut = tail.is_cut.tolist() + now.is_cut.tolist()
        self.times_s: list[float] = self.times.tolist()
        self.lately, self.key_s, self.cut_s = carry.lately, carry.key_s, carry.cut_s
        self.leapt_s, self.luma = carry.leapt_s.copy(), carry.luma.copy()

    def carry(self) -> HealingCarry:
        """What the next series needs."""
        times_s, change = self.times[-_KEPT:].copy(), self.change[-_KEPT:].copy()
        luma = self.luma_now[-_KEPT:].copy()
        is_key, is_cut = np.array(self.is_key[-_KEPT:]), np.array(self.is_cut[-_KEPT:])
        kept = _Tail(times_s, change, luma, is_key, is_cut)
        return HealingCarry(kept, self.lately, self.leapt_s, self.luma, self.key_s, self.cut_s)

    def judge(self, first: int, last: int) -> dict[int, Healed]:
        """Judge the pictures `first` to `last` (exclusive) of those at hand; what has healed, by its picture."""
        found: dict[int, Healed] = {}
        if first >= last:
            return found
        change = self.change[first:last]
        fades = np.exp((self.times[first:last] - self.times[first + 1 : last + 1]).clip(-1.0, 0.0) / _FADE_S)
        lately = np.empty((len(change) + 1, *change[0].shape), np.float32)
        lately[0] = self.lately
        for own, before, after, fade in zip(change, lately, lately[1:], fades.astype(np.float32), strict=False):
            np.maximum(own, before, out=after)
            np.multiply(after, fade, out=after)
        self.lately = lately[-1]
        leaps = change > _ABOVE * lately[:-1] + np.float32(_LEAP)
        counts = leaps.reshape(len(leaps), -1).sum(axis=1).tolist()
        for n, count in enumerate(counts):
            i = first + n
            if self.is_cut[i]:
                self.leapt_s[:] = _NEVER
                self.cut_s = self.times_s[i]
            elif count > 0:
                if self.is_key[i] and count >= _FEWEST_STRONG and i:
                    healed = self._healed(i, lately[n])
                    if healed is not None:
                        found[i] = healed
                if count <= _MOST_CELLS:
                    self._remember(i, leaps[n])
            if self.is_key[i]:
                self.key_s = self.times_s[i]
        return found

    def _healed(self, i: int, before: np.ndarray) -> Healed | None:
        """What returns with picture `i`, if it is enough."""
        now_s, change = self.times_s[i], self.change[i]
        known = self.leapt_s > max(self.key_s, now_s - _LOOK_BACK_S)
        if not known.any():
            return None
        back = change > _HEAL_ABOVE * before + np.float32(_HEAL_LEAP)
        if not 0 < np.count_nonzero(back) <= _MOST_CELLS or (
            np.count_nonzero(change > _HEAL_ABOVE * before + np.float32(_STRONG)) < _FEWEST_STRONG
        ):
            return None
        settled = self.change[i + 1][back] < _SETTLED * change[back]
        if np.count_nonzero(settled) < _SETTLED_SHARE * len(settled):
            return None
        away = np.abs(self.luma_now[i - 1] - self.luma_now[i])
        returned = back & known & (np.abs(self.luma - self.luma_now[i]) < _CLOSER * away) & (away > _LEAST_BACK)
        returns = int(np.count_nonzero(returned))
        if returns < max(_RETURNS, _RETURNED_SHARE * np.count_nonzero(back)):
            return None
        start_s = float(np.quantile(self.leapt_s[returned], 0.5, method="lower"))
        self.leapt_s[returned] = _NEVER
        return Healed(start_s, now_s, self.times_s[i - 1], back, returns)

    def _remember(self, i: int, leaps: np.ndarray) -> None:
        """Keep what the cells that leap away with picture `i` were before, but for those that are away already."""
        now_s = self.times_s[i]
        if now_s - self.cut_s < _SETTLE_S:
            return
        fresh = leaps & (self.leapt_s <= now_s - _LOOK_BACK_S)
        if not fresh.any():
            return
        self.leapt_s[fresh] = now_s
        self.luma[fresh] = self.luma_now[i - 1][fresh]
