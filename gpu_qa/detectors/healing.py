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

from gpu_qa.detectors.fading import weights
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
"""Of the 252 cells: what leaps away in more of them is a cut."""
_MOST_SHARE, _BLACK = 0.65, 0.07
"""What leaps back in more of the cells that are not black, as a fraction of full scale, is a cut as well: between heads
before a dark wall, or between bars. Ours: cuts between such gave 0.69 to 1, lost packets at most 0.6."""
_SETTLED, _SETTLED_SHARE = 0.5, 0.7
"""The next picture changes by less than this part of the leap, in this share of the cells that have leapt: motion that
begins goes on."""
_CLOSER, _LEAST_BACK = 0.5, 0.005
"""A cell has returned where it is this part, or less, as far from what it was as it was before, and was further than
the second, as a fraction of full scale."""
_RETURNS, _RETURNED_SHARE = 3, 0.1
"""So many cells, and this share of those that leap back, must return. Of 650 key frames of clips without damage none
has more than 1."""
_MUCH_SHARE, _SAME, _SAME_SHARE = 0.4, 0.25, 0.25
"""Where more than the first share leaps it may be a cut, with which cells of what has moved return by chance: then the
third share of those that could return, for they have leapt away, must be closer by the second. Ours: such cuts gave
0.04 to 0.21, once 0.33; key frames after lost packets 0.36 to 0.94."""
_LOOK_BACK_S = 8.0
"""For how long a leap is remembered."""
_LEAST_LINES = 10
"""So many of the 42 columns of tiles, at least, hold a line of the codecs' grid of 16 samples: in a picture of less
than 176 samples a block is as large as several cells, and what moves returns in them by chance."""
_GAP = 2.5
"""What has leapt away is forgotten where a picture comes this many times later than the last two came: meanwhile the
picture has moved on as a whole, and may return by that. One picture that is left out makes 2. Ours."""
_SETTLE_S = 0.3
"""Leaps so soon after a cut are not remembered: encoders sharpen the picture; as in `block_corruption`."""
_NEVER = -math.inf
_STARTS = 3
"""Starts of pictures that are carried: a step's two predecessors need them."""


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
class _Candidate:
    """A key frame with which enough has returned, if only the next picture shows that it stays."""

    healed: Healed
    change: np.ndarray
    """float32 [n]: how far the n cells that leapt back did."""
    returned: np.ndarray
    """bool [12, 21]."""
    leaps: np.ndarray | None
    """bool [12, 21]: the cells to be remembered as having leapt away with it; null is none."""
    luma: np.ndarray
    """float32 [24, 42]: of the picture before it."""


@dataclass(frozen=True, slots=True)
class HealingCarry:
    """What the judgement of a picture needs of those before it."""

    last_luma: np.ndarray
    """float32 [24, 42]: of the last picture."""
    starts_s: tuple[float, ...]
    """Starts of the last pictures, as many as are needed to know a gap; the last one's is last."""
    lately: np.ndarray
    """float32 [12, 21]: how much each cell changed lately, scaled as in `fading`."""
    leapt_s: np.ndarray
    """float64 [12, 21]: when a cell leapt and has not returned since; −inf else."""
    luma: np.ndarray
    """float32 [12, 21]: its luma before that."""
    key_s: float
    """The last key frame."""
    cut_s: float
    """The last cut."""
    candidate: _Candidate | None = None
    """The last picture, if it is one."""


def healings(
    series: VideoSeries, is_cut: np.ndarray, clock_s: np.ndarray, carry: HealingCarry | None
) -> tuple[dict[int, Healed], HealingCarry]:
    """Where parts of the picture have returned.

    Args:
        series: Consecutive frames of one format; one at least.
        is_cut: bool [T]: the picture follows on a cut.
        clock_s: float64 [T + 1], as from `fading.clock`.
        carry: From the series before; null at the start of a stream.

    Returns:
        What has healed, by the number of the picture with which it is known, and the carry.
    """
    state = _State(series, is_cut, clock_s, carry)
    return state.judge(), state.carry()


def _after_gaps(starts_s: np.ndarray, count: int) -> np.ndarray:
    """Which of the last `count` pictures follow on a gap, bool [count]; `starts_s` may have more before."""
    steps = np.diff(starts_s, prepend=starts_s[:1])
    usual = np.full(len(steps), np.inf)
    usual[2:] = steps[1:-1]
    usual[3:] = np.minimum(steps[1:-2], steps[2:-1])
    # Where timestamps stand still or go back, nothing is known of gaps.
    return np.asarray((usual > 0) & (steps > _GAP * usual))[-count:]


class _State:
    """The judgement, picture by picture."""

    def __init__(
        self, series: VideoSeries, is_cut: np.ndarray, clock_s: np.ndarray, carry: HealingCarry | None
    ) -> None:
        self.series, self.weights = series, weights(clock_s, _FADE_S)
        self.change = series.coarse_cells
        if carry is None:
            own, start_s = self.change[0], float(series.pts_s[0])
            never = np.full(own.shape, _NEVER)
            carry = HealingCarry(
                series.luma[0], (), own * self.weights.now[0], never, np.zeros_like(own), _NEVER, start_s
            )
        self.carried, self.candidate = carry, carry.candidate
        self.lately, self.key_s, self.cut_s = carry.lately, carry.key_s, carry.cut_s
        self.leapt_s, self.luma = carry.leapt_s, carry.luma
        self.owns_leaps = False
        self.starts_s = np.concatenate([carry.starts_s, series.pts_s])
        self.is_cut, self.is_new = is_cut, is_cut | _after_gaps(self.starts_s, len(series))

    def carry(self) -> HealingCarry:
        """What the next series needs."""
        return HealingCarry(
            last_luma=self.series.luma[-1].copy(),
            starts_s=tuple(self.starts_s[-_STARTS:].tolist()),
            lately=self.lately,
            leapt_s=self.leapt_s,
            luma=self.luma,
            key_s=self.key_s,
            cut_s=self.cut_s,
            candidate=self.candidate,
        )

    def judge(self) -> dict[int, Healed]:
        """Judge the series; what has healed, by the picture with which it is known."""
        found: dict[int, Healed] = {}
        lately = self._lately()
        limits = lately[:-1] * (np.float32(_ABOVE) / self.weights.now)[:, None, None]
        limits += np.float32(_LEAP)
        leaps = self.change > limits
        is_key: list[bool] = self.series.is_key.tolist()
        counts, is_new = leaps.reshape(len(leaps), -1).sum(axis=1).tolist(), self.is_new.tolist()
        for i, (count, forgets) in enumerate(zip(counts, is_new, strict=True)):
            if self.candidate is not None:
                healed = self._settled(self.candidate, self.change[i])
                self.candidate = None
                if healed is not None:
                    found[i] = healed
            if forgets:
                self._own_leaps()
                self.leapt_s[:] = _NEVER
                if self.is_cut[i]:
                    self.cut_s = float(self.series.pts_s[i])
            elif count > 0:
                kept = leaps[i] if count <= _MOST_CELLS else None
                if is_key[i] and count >= _FEWEST_STRONG:
                    self.candidate = self._candidate(i, lately[i] / self.weights.now[i], kept)
                if self.candidate is None and kept is not None:
                    self._remember(float(self.series.pts_s[i]), kept, self._luma_before(i))
            if is_key[i]:
                self.key_s = float(self.series.pts_s[i])
        return found

    def _lately(self) -> np.ndarray:
        """How much each cell changed lately before each picture and after the last, scaled; float32 [T + 1, 12, 21]."""
        out = np.empty((len(self.change) + 1, *self.change.shape[1:]), np.float32)
        out[0] = self.lately
        np.multiply(self.change, self.weights.now[:, None, None], out=out[1:])
        first = 0
        for i, drop in sorted(self.weights.drops.items()):
            np.maximum.accumulate(out[first : i + 1], axis=0, out=out[first : i + 1])
            np.multiply(out[i], drop, out=out[i])
            first = i
        np.maximum.accumulate(out[first:], axis=0, out=out[first:])
        self.lately = out[-1].copy()
        return out

    def _luma_before(self, i: int) -> np.ndarray:
        """Luma of the picture before `i`, float32 [24, 42]."""
        return np.asarray(self.series.luma[i - 1]) if i else self.carried.last_luma

    def _own_leaps(self) -> None:
        """Carries are not written to: copy before the first change."""
        if not self.owns_leaps:
            self.leapt_s, self.luma, self.owns_leaps = self.leapt_s.copy(), self.luma.copy(), True

    def _candidate(self, i: int, before: np.ndarray, leaps: np.ndarray | None) -> _Candidate | None:
        """What returns with picture `i`, if it is enough."""
        now_s, change = float(self.series.pts_s[i]), self.change[i]
        known = self.leapt_s > max(self.key_s, now_s - _LOOK_BACK_S)
        if not known.any():
            return None
        back = change > _HEAL_ABOVE * before + np.float32(_HEAL_LEAP)
        count = np.count_nonzero(back)
        strong = np.count_nonzero(change > _HEAL_ABOVE * before + np.float32(_STRONG))
        if strong < _FEWEST_STRONG or np.count_nonzero(self.series.seam[i, 0, 0].any(axis=0)) < _LEAST_LINES:
            return None
        luma_before, luma = self._luma_before(i), self.series.luma_cells[i]
        cells_before = cell_means(luma_before)
        share = count / max(int(np.count_nonzero(np.maximum(cells_before, luma) > _BLACK)), 1)
        away = np.abs(cells_before - luma)
        left, could = np.abs(self.luma - luma), back & known & (away > _LEAST_BACK)
        returned = could & (left < _CLOSER * away)
        returns = int(np.count_nonzero(returned))
        if share > _MOST_SHARE or returns < max(_RETURNS, _RETURNED_SHARE * count):
            return None
        same = np.count_nonzero(could & (left < _SAME * away))
        if share > _MUCH_SHARE and same < _SAME_SHARE * np.count_nonzero(could):
            return None
        start_s = float(np.quantile(self.leapt_s[returned], 0.5, method="lower"))
        picture_s = float(self.series.pts_s[i - 1]) if i else self.carried.starts_s[-1]
        healed = Healed(start_s, now_s, picture_s, back, returns)
        return _Candidate(healed, change[back], returned, None if leaps is None else leaps.copy(), luma_before.copy())

    def _settled(self, candidate: _Candidate, change: np.ndarray) -> Healed | None:
        """What has healed, as the next picture, which changes by `change`, shows."""
        settled = change[candidate.healed.cells] < _SETTLED * candidate.change
        has_healed = np.count_nonzero(settled) >= _SETTLED_SHARE * len(settled)
        if has_healed:
            self._own_leaps()
            self.leapt_s[candidate.returned] = _NEVER
        if candidate.leaps is not None:
            self._remember(candidate.healed.end_s, candidate.leaps, candidate.luma)
        return candidate.healed if has_healed else None

    def _remember(self, now_s: float, leaps: np.ndarray, luma: np.ndarray) -> None:
        """Keep what the cells that leap away at `now_s` were in the picture before, but for those that are away."""
        if now_s - self.cut_s < _SETTLE_S:
            return
        fresh = leaps & (self.leapt_s <= now_s - _LOOK_BACK_S)
        if not np.count_nonzero(fresh):
            return
        self._own_leaps()
        self.leapt_s[fresh] = now_s
        self.luma[fresh] = cell_means(luma)[fresh]
