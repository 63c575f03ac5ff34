"""Damage watch: what tells block corruption, picture by picture: the witnesses, and what is custom in the shot."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.detectors.chroma_blocks import ChromaCarry, ChromaDamage, chroma_damage
from gpu_qa.detectors.damage_report import Report, followed, smeared_tiles
from gpu_qa.detectors.damage_sight import MOST_LEVEL, Sight, sight_after
from gpu_qa.detectors.damage_steps import DamageSteps, Worst, worst_of
from gpu_qa.detectors.fading import clock, weights
from gpu_qa.detectors.healing import Healed, HealingCarry, healings
from gpu_qa.detectors.pixelation import Flats, pixelated
from gpu_qa.detectors.seam_grid import excess, standing_cells, standing_out

if TYPE_CHECKING:
    from gpu_qa.detectors.block_corruption import BlockCorruptionLimits
    from gpu_qa.series import VideoSeries

_FORGET_S = 2.0
"""What stood out at a cell is its custom for about this long; ours."""
_CUT_CHANGE, _CUT_AREA = 0.04, 0.6
"""A picture follows on a cut when this share of its tiles has changed by more than this share of full scale; ours."""
_HEAVY, _CALM_S = 0.12, 0.5
"""A picture with at least this excess, so soon after another that changed as much, is no new shot: damage changes most
of the picture again and again, cuts seldom. In 170 clips without damage 0.083 was the most after a cut; ours."""
_ADOPT_S, _ADOPT_OPEN_S = 6.0, 30.0
"""What has stood out for this long without interruption becomes a cell's custom, of damage that was told after the
second: on the screen it stays until a key frame, and channels have one every 10 s at least."""
_SETTLE_S = 0.3
"""After a cut encoders sharpen a picture for about this long: what stands out then is taken for its custom."""
_LEVEL_S = 6.0
"""How long the picture's own largest excess counts."""
_COARSE = 0.5
"""Where coarse compression makes the grid stand out without any damage, this part of it counts for its restlessness."""
_STARK, _STARK_S = 2.0, 0.6
"""What stands out by so many times `seam`, so soon after a cut, is not coarse compression: at low rates of MPEG-2 and
H.264 one cell in fifty does at most, where blocks of other places are shown one in ten; ours."""
_CONFIRMED, _UNCONFIRMED = 0.8, 0.5
"""Confidence in a report that the picture bears out, and in one that it does not; ours."""
_SMEAR_CONFIDENCE = 0.6
"""Confidence in a smear by itself."""
_CHROMA_CONFIDENCE = 0.7
"""Confidence in damage that the chroma alone shows."""
_RECENT_S = 0.3
"""What healed is told unless damage was told until at most so long before; ours."""


@dataclass(frozen=True, slots=True)
class BlockCorruptionCarry:
    """What the judgement of a picture needs of those before it."""

    custom: np.ndarray
    """float32 [3, 12, 21]: how far each cell's seams stood out lately, per phase; scaled as in `fading`."""
    level: float
    """How restless the picture is by itself: the largest excess lately, fading."""
    last_s: float
    """Start of the last picture."""
    clock_s: float
    """The clock of what fades at that picture."""
    standing_s: float
    """For how long something has stood out."""
    keyed: bool
    """There was a key frame."""
    cut_s: float
    """Start of the last picture after a cut."""
    changed_s: float
    """Start of the last picture that changed as much as after a cut."""
    gradient: np.ndarray
    """float32 [2, 24, 42]: of the last picture, as in `VideoSeries`."""
    sight: Sight
    healing: HealingCarry
    chroma: ChromaCarry
    flats: Flats = ()
    report: Report | None = None
    worst: Worst | None = None
    told_s: float = -math.inf
    """Until when damage was told."""


def _reaching(marks: np.ndarray, area: float) -> list[bool]:
    """Whether at least this share of a picture is marked, for T pictures of bool [T, ...]."""
    least = area * marks[0].size
    # In most series there are too few for any one picture.
    if np.count_nonzero(marks) < least:
        return [False] * len(marks)
    return [own >= least for own in marks.reshape(len(marks), -1).sum(axis=1).tolist()]


class DamageWatch:
    """The judgement of a series, picture by picture."""

    def __init__(self, series: VideoSeries, limits: BlockCorruptionLimits, carry: BlockCorruptionCarry | None) -> None:
        self.limits, self.series = limits, series
        self.over = standing_out(series.seam_cells)
        standing, self.cells = standing_cells(self.over, limits.seam), self.over[0, 0].size
        self.stands: list[bool] = (standing[0] >= limits.clear_area * self.cells).tolist()
        self.excess: list[float] = ((standing[0] - np.maximum(standing[1], standing[2])) / self.cells).tolist()
        self.changes = _reaching(series.coarse_change > _CUT_CHANGE, _CUT_AREA)
        self.is_cut = np.array(self.changes) | ~series.comparable
        start_s = float(series.pts_s[0])
        self.clock_s = clock(series.pts_s, *((start_s, 0.0) if carry is None else (carry.last_s, carry.clock_s)))
        self.weights = weights(self.clock_s, _FORGET_S)
        self.healed, healing = healings(series, self.is_cut, self.clock_s, None if carry is None else carry.healing)
        self.chroma, chroma = chroma_damage(series, self.is_cut, None if carry is None else carry.chroma)
        self.times_s: list[float] = series.pts_s.tolist()
        self.ends_s: list[float] = series.end_s.tolist()
        self.is_key: list[bool] = series.is_key.tolist()
        damaged = series.damaged | series.is_corrupt
        self.damaged: list[bool] = damaged.tolist()
        self.busy: list[bool] = (np.array(self.stands) | damaged | ~series.comparable).tolist()
        for i in (*self.healed, *self.chroma):
            self.busy[i] = True
        self.steps = DamageSteps(series)
        if carry is None:
            carry = BlockCorruptionCarry(
                custom=np.maximum(self.over[:, 0], 0) * self.weights.before[0],
                level=0.0,
                last_s=self.times_s[0],
                clock_s=0.0,
                standing_s=0.0,
                keyed=False,
                cut_s=self.times_s[0],
                changed_s=-math.inf,
                gradient=np.zeros_like(series.gradient[0]),
                sight=Sight(),
                healing=healing,
                chroma=chroma,
            )
        self.carried, self.healing, self.of_chroma = carry, healing, chroma
        self.custom = carry.custom
        self.level = carry.level
        self.standing_s, self.keyed, self.cut_s, self.told_s = carry.standing_s, carry.keyed, carry.cut_s, carry.told_s
        self.sight, self.flats, self.report, self.worst = carry.sight, carry.flats, carry.report, carry.worst

    def carry(self) -> BlockCorruptionCarry:
        """What the next series needs."""
        return BlockCorruptionCarry(
            custom=self.custom,
            level=self.level,
            last_s=self.times_s[-1],
            clock_s=float(self.clock_s[-1]),
            standing_s=self.standing_s,
            keyed=self.keyed,
            cut_s=self.cut_s,
            changed_s=self._changed_s(len(self.times_s)),
            gradient=self.series.gradient[-1].copy(),
            sight=self.sight,
            healing=self.healing,
            chroma=self.of_chroma,
            flats=self.flats,
            report=self.report,
            worst=self.worst,
            told_s=self.told_s,
        )

    def judge(self) -> None:
        """Judge all pictures of the series."""
        i, count, drops = 0, len(self.busy), self.weights.drops
        stops = [*self.busy, True]
        for n in drops:
            stops[n] = True
        while i < count:
            if i in drops:
                self.custom = self.custom * drops[i]
            if self.busy[i] or self.report is not None or self.sight.charge:
                self._advance(i)
                i += 1
                continue
            until = stops.index(True, i + 1)
            self._pass(i, until)
            i = until

    def _pass(self, first: int, until: int) -> None:
        """Pictures `first` to `until` (exclusive) are ordinary: nothing to tell, only to learn from."""
        self.worst, self.standing_s = None, 0.0
        if self.level:
            for i in range(first, until):
                self.level *= self._fade(i)
        own = self.over[:, first:until] * self.weights.now[first:until, None, None]
        self.custom = np.maximum(self.custom, own.max(axis=1))
        self.keyed = self.keyed or any(self.is_key[first:until])

    def _step_s(self, i: int) -> float:
        """From the picture before `i` to it."""
        return float(self.clock_s[i + 1] - self.clock_s[i])

    def _fade(self, i: int) -> float:
        """What is left of the level at picture `i`."""
        return math.exp(-self._step_s(i) / _LEVEL_S)

    def _advance(self, i: int) -> None:
        """Judge a picture that may show something."""
        over, seam, stands = self.over[:, i], self.limits.seam, self.stands[i]
        was = self.weights.before[i]
        heals = self.is_key[i] and not self.damaged[i] and self.report is not None
        if heals:
            self.report, self.sight = None, Sight()
        is_quiet = self.report is None and not self.sight.charge
        is_cut = is_quiet and stands and self.is_cut[i]
        if heals or not self.series.comparable[i] or (is_cut and not self._is_heavy(i)):
            self.custom = np.maximum(over, 0) * was
            self.cut_s = self.times_s[i]
        elif is_cut:
            # Nor was the one before a new shot: only what stands out in both is custom.
            self.custom = np.minimum(self.custom, np.maximum(over, 0) * was)
            self.level, self.cut_s = min(self.level, MOST_LEVEL), -math.inf
        fresh = area = 0.0
        if stands:
            fresh = area = self._beyond_custom(i, seam)
            if area >= self.limits.clear_area and self.report is None:
                share, self.flats = pixelated(self.series, i, over[0] - self.custom[0] / was > seam, self.flats)
                area -= share
        self._follow_report(i, area)
        if self.sight.charge or area > self.limits.clear_area:
            self.sight, self.level = sight_after(
                self.sight,
                area,
                self.level,
                start_s=self.times_s[i],
                end_s=self.ends_s[i],
                step_s=self._step_s(i),
                change=self.series.change[i],
                is_whole=self.is_key[i] and not self.damaged[i],
                clear_area=self.limits.clear_area,
                full=(self.limits.raise_area - self.limits.clear_area) * self.limits.raise_s,
            )
        if self.report is not None or self.sight.charge:
            self._remember(i)
        self._learn(i, fresh)
        self._tell(i, area)

    def _beyond_custom(self, i: int, seam: float) -> float:
        """The excess of picture `i` beyond what is custom; 0 where it is so little that nothing follows from it."""
        over, was = self.over[:, i], self.weights.before[i]
        if self.report is None and not self.sight.charge:
            # The first look: on the grid alone. It is the most that the excess can be.
            grid = np.count_nonzero(over[0] - self.custom[0] / was > seam)
            if grid / self.cells < self.limits.clear_area:
                return 0.0
        return excess(over - self.custom / was, seam)

    def _is_heavy(self, i: int) -> bool:
        """Picture `i`, which changes as after a cut, is damaged rather."""
        is_soon = self.times_s[i] - self._changed_s(i) <= _CALM_S
        return is_soon and self.excess[i] >= _HEAVY

    def _changed_s(self, i: int) -> float:
        """Start of the last picture before `i` that changed as after a cut."""
        for n in range(i - 1, -1, -1):
            if self.changes[n]:
                return self.times_s[n]
        return self.carried.changed_s

    def _follow_report(self, i: int, area: float) -> None:
        """Keep track of damage that decoder or transport have reported."""
        self.keyed = self.keyed or self.is_key[i]
        if self.report is None and not self.damaged[i]:
            return
        before = self.series.gradient[i - 1] if i else self.carried.gradient
        self.report = followed(
            self.report,
            now_s=self.times_s[i],
            is_damaged=self.damaged[i],
            is_decoder=bool(self.series.is_corrupt[i]),
            is_seen=area >= self.limits.clear_area,
            smeared=float(smeared_tiles(self.series.gradient[i]).mean()),
            smeared_before=float(smeared_tiles(before).mean()) if self.report is None else 0.0,
            before_first_key=not self.keyed,
        )

    def _learn(self, i: int, fresh: float) -> None:
        """Take what stands out for the cells' custom, where nothing is wrong or nothing has happened to it for long."""
        over, now = self.over[:, i], self.weights.now[i]
        if self.times_s[i] - self.cut_s > _SETTLE_S and (
            self.sight.is_open or self.report is not None or fresh >= self.limits.clear_area
        ):
            self.standing_s += self._step_s(i)
            is_told = self.sight.is_open or (self.report is not None and self.report.on_grid)
            if self.standing_s > (_ADOPT_OPEN_S if is_told else _ADOPT_S):
                self.custom = np.maximum(over, 0) * now
                self.standing_s = 0.0
            else:
                self.custom = self.custom * (now / self.weights.before[i])
            return
        self.standing_s = 0.0
        self.custom = np.maximum(self.custom, over * now)
        self.level *= self._fade(i)
        if self.stands[i]:
            coarse = self.excess[i]
            if _COARSE * coarse > self.level and self.times_s[i] - self.cut_s <= _STARK_S:
                coarse -= self._stark(i)
            self.level = max(self.level, _COARSE * coarse)

    def _stark(self, i: int) -> float:
        """How much of picture `i` stands out as no coarse compression does, and is not pixelated."""
        over, limit = self.over[:, i], _STARK * self.limits.seam
        area = excess(over, limit)
        if area < self.limits.clear_area:
            return 0.0
        return max(area - pixelated(self.series, i, over[0] > limit, ())[0], 0.0)

    def _tell(self, i: int, area: float) -> None:
        """Write the step of picture `i`."""
        report, sight, limits = self.report, self.sight, self.limits
        if report is None and not sight.charge:
            self.worst = None
            self._tell_alone(i)
            return
        own_s, end_s, grid = self.times_s[i], self.ends_s[i], 0.0
        if area >= limits.clear_area:
            grid = min(0.6 + 2.0 * area, 0.9)
        shown: dict[str, Any] = {"worst": self.worst}
        if sight.is_open or (report is not None and report.on_grid):
            shown["limit"] = limits.clear_area
        if report is not None:
            shown["reported"] = report.pictures
        lasts = report is not None and report.pictures >= limits.reports and end_s - report.since_s >= limits.report_s
        if report is not None and (report.is_seen or lasts):
            verdict, source = 1, "decoder" if report.is_decoder else "transport"
            seen = [name for name, speaks in (("grid", report.on_grid), ("smear", report.is_smeared)) if speaks]
            grid, smear = max(grid, 0.6 * report.on_grid), _SMEAR_CONFIDENCE * report.is_smeared
            shown |= {
                "start_s": min(report.since_s, sight.since_s) if sight.is_open else report.since_s,
                "confidence": 1.0 - (1.0 - _CONFIRMED) * (1.0 - grid) * (1.0 - smear) if seen else _UNCONFIRMED,
                "is_info": not seen or report.before_first_key,
                "cause": "decode" if report.is_decoder else "transport",
                "evidence": [source, *seen],
            }
        elif sight.is_open:
            verdict = 1 if sight.last_s == end_s else -1
            shown |= {"start_s": sight.since_s, "confidence": max(grid, 0.6), "cause": "upstream", "evidence": ["grid"]}
        else:
            verdict = 0
        if verdict <= 0 and self._tell_alone(i):
            return
        self.steps.write(i, verdict, **shown)
        if verdict > 0:
            self.told_s = max(own_s, end_s)

    def _tell_alone(self, i: int) -> bool:
        """Write what the chroma alone shows, or what was seen to heal; whether anything was written."""
        if i in self.chroma:
            self._tell_chroma(i, self.chroma[i])
            return True
        return i in self.healed and self._tell_healed(i, self.healed[i])

    def _tell_chroma(self, i: int, damage: ChromaDamage) -> None:
        """Write damage that the chroma alone shows."""
        self.steps.write(
            i,
            1,
            start_s=damage.since_s,
            confidence=_CHROMA_CONFIDENCE,
            cause="upstream",
            evidence=["chroma"],
            worst=damage.worst,
        )
        self.told_s = self.ends_s[i]

    def _tell_healed(self, i: int, healed: Healed) -> bool:
        """Write what was seen to heal, unless it was told while it lasted; whether it was written."""
        if self.told_s >= healed.end_s - _RECENT_S:
            return False
        worst = worst_of(healed.cells, healed.picture_s)
        self.steps.write(
            i,
            1,
            start_s=max(healed.start_s, self.told_s),
            end_s=healed.end_s,
            confidence=min(0.6 + 0.02 * healed.returns, 0.9),
            cause="upstream",
            evidence=["healing"],
            worst=worst,
        )
        self.told_s = healed.end_s
        return True

    def _remember(self, i: int) -> None:
        """Keep the map of the picture that shows most."""
        cells = self.over[0, i] - self.custom[0] / self.weights.before[i] > self.limits.seam
        if self.report is not None:
            tiles = smeared_tiles(self.series.gradient[i])
            smears = tiles[0::2] & tiles[1::2]
            cells |= smears[:, 0::2] & smears[:, 1::2]
        if self.worst is None or cells.mean() > self.worst.area:
            self.worst = worst_of(cells, self.times_s[i])
