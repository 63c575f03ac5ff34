"""Block corruption: after packets were lost, blocks are displaced, smeared, grey or green.

Two witnesses. The picture: steps of luma stand on the macroblock grid, and on no other line, where the tile had none a
moment ago. The decoder and the transport: they have complained, and no key frame has made the picture whole since.
Either is enough, the picture alone where a decoder conceals silently or the damage was encoded upstream; what only the
decoder has noticed is told as information.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.pixelation import Flats, pixelated
from gpu_qa.detectors.seam_grid import excess, standing_out
from gpu_qa.series import SEVERITIES, Detector, EventTiming, Evidence

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

_FORGET_S = 2.0
"""What stood out at a cell is its custom for about this long; ours."""
_CUT_CHANGE, _CUT_AREA = 0.04, 0.6
"""A picture follows on a cut when this share of its tiles has changed by more than this share of full scale; ours."""
_ADOPT_S = 6.0
"""What has stood out for this long without interruption becomes a cell's custom: blocks of a loss change or heal."""
_SETTLE_S = 0.3
"""After a cut encoders sharpen a picture for about this long: what stands out then is taken for its custom."""
_LEVEL_S, _LEVEL = 6.0, 1.5
"""How long the picture's own largest excess counts, and times how much of it the excess must be."""
_COARSE = 0.5
"""Where coarse compression makes the grid stand out without any damage, this part of it counts for its restlessness."""
_MOST = 0.04
"""Excess counts up to this much per picture, so that one picture alone is never enough."""
_PICTURES = 4
"""At least so many must show it: screens that are recorded at a few pictures a second change as a whole; ours."""
_END, _PEAK_S = 0.1, 2.0
"""Damage that was going on shows no more where the excess is below this part of its peak, which fades so fast; ours."""
_QUIET_S = 0.6
"""Damage that the picture alone has shown is over when it has not for this long; ours."""
_HEAL_S = 3.0
"""Damage is over this long after its last report even without a key frame: streams without any refresh within it."""
_SMEAR_STEP, _SMEAR_TEXTURE = 0.0015, 0.004
"""A tile is smeared when its rows differ by less than the first but its columns by more than the second, as fractions
of full scale: what concealment makes of the last row that it has."""
_SMEAR_AREA = 0.04
"""Share of the tiles that must be smeared more than before the damage; ours."""


@dataclass(frozen=True, slots=True)
class BlockCorruptionLimits:
    """When blocks count as damaged."""

    seam: float = 0.01
    """A cell of the picture stands out where its seams on the grid are this much above those beside it, both across
    and down, and above its own custom, as a fraction of full scale."""
    raise_area: float = 0.02
    """Damaged when this share of the picture stands out for `raise_s`, or more for less long."""
    raise_s: float = 0.24
    """See `raise_area`; twice the area needs half the time, but never less."""
    clear_area: float = 0.006
    """A picture below this share shows no damage. In 90 clips without any, half a second stayed below 0.01."""
    reports: int = 3
    """So many damaged pictures that decoder or transport have reported, with none that heals between them, are told
    though the picture does not show it."""
    report_s: float = 0.4
    """They must span at least this long, in seconds."""


@dataclass(frozen=True, slots=True)
class _Report:
    """Damage that was reported and that no key frame has healed since."""

    since_s: float
    last_s: float
    """Start of the last picture that it was reported of."""
    pictures: int
    is_decoder: bool
    """The decoder has complained, not the transport alone."""
    is_seen: bool
    """The picture has shown it."""
    smeared_before: float
    """Share of smeared tiles before it, 0…1."""
    before_first_key: bool
    """Whoever tunes in in mid-GOP sees it; no fault of the stream."""


@dataclass(frozen=True, slots=True)
class _Sight:
    """Damage as the picture alone shows it."""

    charge: float = 0.0
    """Excess so far, share of the picture times seconds."""
    since_s: float = 0.0
    """When it began to charge."""
    last_s: float = 0.0
    """End of the last picture that showed it."""
    peak: float = 0.0
    """The largest excess so far."""
    pictures: int = 0
    """How many have shown it."""
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class _Worst:
    """The picture of the damage that is going on that shows most of it."""

    area: float
    picture_s: float
    tile_map: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlockCorruptionCarry:
    """What the judgement of a picture needs of those before it."""

    custom: np.ndarray
    """float32 [3, 12, 21]: how far each cell's seams stood out lately, per phase."""
    level: float
    """The largest excess lately, fading."""
    last_s: float
    """Start of the last picture."""
    standing_s: float
    """For how long something has stood out."""
    keyed: bool
    """There was a key frame."""
    settled_s: float
    """Time since the last cut."""
    smeared: float
    """Share of smeared tiles in the last picture."""
    sight: _Sight
    flats: Flats = ()
    report: _Report | None = None
    worst: _Worst | None = None


def block_corruption(
    series: VideoSeries,
    limits: BlockCorruptionLimits = BlockCorruptionLimits(),
    carry: BlockCorruptionCarry | None = None,
) -> tuple[list[Evidence], BlockCorruptionCarry | None]:
    """Weigh how much of each picture is damaged blocks.

    Args:
        series: Consecutive frames of one format.
        limits: When blocks count as damaged.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence with one step per frame, whose value is the share of the picture that shows damage, and the carry.
    """
    count = len(series)
    if not count:
        return [], carry
    watch = _Watch(series, limits, carry)
    for i in range(count):
        watch.advance(i)
    evidence = Evidence(
        kind="video.block_corruption",
        scope="",
        start_s=watch.start_s,
        end_s=series.end_s,
        verdict=watch.verdict,
        value=watch.area,
        limit=limits.raise_area,
        unit="share",
        confidence=watch.confidence,
        details=watch.details,
        severity_cap=watch.cap,
        message="damaged blocks for {duration_s:.1f} s, at worst over {corrupted_area:.0%} of the picture ({cause})",
    )
    return [evidence], watch.carry()


class _Watch:
    """The judgement of a series, picture by picture."""

    def __init__(self, series: VideoSeries, limits: BlockCorruptionLimits, carry: BlockCorruptionCarry | None) -> None:
        count = len(series)
        self.limits, self.series = limits, series
        self.over = standing_out(series.seam)
        # What does not even stand out on the grid needs no closer look; in nearly all pictures nothing does.
        cells = self.over[0, 0].size
        self.busy = [np.count_nonzero(over[0] > limits.seam) >= limits.clear_area * cells for over in self.over]
        self.times_s: list[float] = series.pts_s.tolist()
        self.ends_s: list[float] = series.end_s.tolist()
        self.comparable: list[bool] = series.comparable.tolist()
        self.is_key: list[bool] = series.is_key.tolist()
        self.damaged: list[bool] = (series.damaged | series.is_corrupt).tolist()
        self.corrupt: list[bool] = series.is_corrupt.tolist()
        self.verdict = np.full(count, -1, np.int8)
        self.start_s = series.pts_s.copy()
        self.area = np.zeros(count, np.float32)
        self.confidence = np.ones(count, np.float32)
        self.cap = np.full(count, len(SEVERITIES) - 1, np.int8)
        self.details = {
            "cause": np.full(count, "", object),
            "corrupted_area": np.zeros(count),
            "picture_s": np.zeros(count),
            "reported_pictures": np.zeros(count, np.int64),
            "tile_map": np.full(count, None, object),
        }
        if carry is None:
            carry = BlockCorruptionCarry(
                custom=np.maximum(self.over[0], 0),
                level=0.0,
                last_s=self.times_s[0],
                standing_s=0.0,
                keyed=False,
                settled_s=0.0,
                smeared=0.0,
                sight=_Sight(),
            )
        self.custom = carry.custom.copy()
        self.level, self.last_s, self.standing_s = carry.level, carry.last_s, carry.standing_s
        self.keyed, self.settled_s, self.smeared = carry.keyed, carry.settled_s, carry.smeared
        self.sight, self.flats, self.report, self.worst = carry.sight, carry.flats, carry.report, carry.worst

    def carry(self) -> BlockCorruptionCarry:
        """What the next series needs."""
        return BlockCorruptionCarry(
            self.custom,
            self.level,
            self.last_s,
            self.standing_s,
            self.keyed,
            self.settled_s,
            float(self._smeared(-1).mean()),
            self.sight,
            self.flats,
            self.report,
            self.worst,
        )

    def advance(self, i: int) -> None:
        """Judge picture `i` of the series."""
        step_s = min(max(self.times_s[i] - self.last_s, 0.0), 1.0)
        self.last_s = self.times_s[i]
        heals = self.is_key[i] and not self.damaged[i] and self.report is not None
        if heals:
            self.report, self.sight = None, _Sight()
        is_quiet = self.report is None and not self.sight.charge
        if heals or not self.comparable[i] or (is_quiet and self.busy[i] and self._is_cut(i)):
            np.maximum(self.over[i], 0, out=self.custom)
            self.settled_s = 0.0
        fresh = area = excess(self.over[i] - self.custom, self.limits.seam) if self.busy[i] else 0.0
        if area >= self.limits.clear_area and self.report is None:
            cells = self.over[i, 0] - self.custom[0] > self.limits.seam
            share, self.flats = pixelated(self.series, i, cells, self.flats)
            area -= share
        self._follow_report(i, area)
        self._follow_sight(i, area, step_s)
        self._learn(i, fresh, step_s)
        self._tell(i, area)

    def _is_cut(self, i: int) -> bool:
        change = self.series.coarse_change[i]
        return bool(np.count_nonzero(change > _CUT_CHANGE) >= _CUT_AREA * change.size)

    def _smeared(self, i: int) -> np.ndarray:
        """Tiles of picture `i` that look as if concealment had drawn them out downwards, bool [R, K]."""
        across, down = self.series.gradient[i]
        return np.asarray((down < _SMEAR_STEP) & (across > _SMEAR_TEXTURE))

    def _follow_report(self, i: int, area: float) -> None:
        """Keep track of damage that decoder or transport have reported."""
        now_s, report = self.times_s[i], self.report
        self.keyed = self.keyed or self.is_key[i]
        if self.damaged[i]:
            if report is None:
                before = float(self._smeared(i - 1).mean()) if i else self.smeared
                report = _Report(now_s, now_s, 0, False, False, before, not self.keyed)
            report = replace(
                report,
                last_s=now_s,
                pictures=report.pictures + 1,
                is_decoder=report.is_decoder or self.corrupt[i],
            )
        if report is not None:
            if not report.is_seen:
                smeared = float(self._smeared(i).mean())
                is_seen = area >= self.limits.clear_area or smeared > report.smeared_before + _SMEAR_AREA
                report = replace(report, is_seen=is_seen)
            if now_s - report.last_s > _HEAL_S and area < self.limits.clear_area:
                report = None
        self.report = report

    def _follow_sight(self, i: int, area: float, step_s: float) -> None:
        """Keep track of damage that the picture shows."""
        now_s, end_s, sight, limits = self.times_s[i], self.ends_s[i], self.sight, self.limits
        reference = max(limits.clear_area, _LEVEL * self.level)
        peak = sight.peak * math.exp(-step_s / _PEAK_S)
        if sight.is_open:
            reference = max(reference, _END * peak)
        full = (limits.raise_area - limits.clear_area) * limits.raise_s
        if area > reference:
            charge = sight.charge + (min(area - reference, _MOST) * (end_s - now_s) if not sight.is_open else 0.0)
            since_s = sight.since_s if sight.charge else now_s
            pictures = sight.pictures + 1
            is_open = sight.is_open or (charge >= full and pictures >= _PICTURES)
            sight = _Sight(charge, since_s, end_s, max(peak, area), pictures, is_open)
        elif sight.is_open:
            healed = self.is_key[i] and not self.damaged[i] and area < limits.clear_area
            if healed or end_s - sight.last_s > _QUIET_S:
                sight = _Sight()
        elif sight.charge:
            charge = sight.charge - reference * (end_s - now_s)
            if charge > 0:
                sight = replace(sight, charge=charge)
            else:
                # Whatever it was, it has gone by itself: so restless is this picture.
                self.level = max(self.level, sight.peak)
                sight = _Sight()
        self.sight = sight

    def _learn(self, i: int, fresh: float, step_s: float) -> None:
        """Take what stands out for the cells' custom, where nothing is wrong or nothing has happened to it for long."""
        self.settled_s += step_s
        if self.settled_s > _SETTLE_S and (
            self.sight.is_open or self.report is not None or fresh >= self.limits.clear_area
        ):
            self.standing_s += step_s
            if self.standing_s > _ADOPT_S:
                np.maximum(self.over[i], 0, out=self.custom)
                self.standing_s = 0.0
            return
        self.standing_s = 0.0
        self.custom *= np.float32(math.exp(-step_s / _FORGET_S))
        np.maximum(self.custom, self.over[i], out=self.custom)
        self.level *= math.exp(-step_s / _LEVEL_S)
        if self.busy[i]:
            self.level = max(self.level, _COARSE * excess(self.over[i], self.limits.seam))

    def _tell(self, i: int, area: float) -> None:
        """Write the step of picture `i`."""
        report, sight, limits = self.report, self.sight, self.limits
        lasts = report is not None and (
            report.pictures >= limits.reports and self.ends_s[i] - report.since_s >= limits.report_s
        )
        if report is not None and (report.is_seen or lasts):
            self.verdict[i] = 1
            self.start_s[i] = min(report.since_s, sight.since_s) if sight.is_open else report.since_s
            self.confidence[i] = 0.95 if report.is_seen else 0.5
            if not report.is_seen or report.before_first_key:
                self.cap[i] = SEVERITIES.index("info")
            self.details["cause"][i] = "decode" if report.is_decoder else "transport"
        elif sight.is_open:
            self.verdict[i] = 1 if sight.last_s == self.ends_s[i] else -1
            self.start_s[i] = sight.since_s
            self.confidence[i] = min(0.6 + 2.0 * area, 0.9)
            self.details["cause"][i] = "upstream"
        else:
            self.verdict[i] = 0 if report is not None or sight.charge else -1
        if report is None and not sight.charge:
            self.worst = None
            return
        self._remember(i)
        if self.worst is not None:
            self.area[i] = max(area, 0.0)
            self.details["corrupted_area"][i] = round(self.worst.area, 4)
            self.details["picture_s"][i] = round(self.worst.picture_s, 3)
            self.details["tile_map"][i] = list(self.worst.tile_map)
        self.details["reported_pictures"][i] = report.pictures if report is not None else 0

    def _remember(self, i: int) -> None:
        """Keep the map of the picture that shows most."""
        cells = self.over[i, 0] - self.custom[0] > self.limits.seam
        if self.report is not None:
            tiles = self._smeared(i)
            smears = tiles[0::2] & tiles[1::2]
            cells |= smears[:, 0::2] & smears[:, 1::2]
        shown = float(cells.mean())
        if self.worst is None or shown > self.worst.area:
            rows = tuple("".join(".#"[cell] for cell in row) for row in cells.tolist())
            self.worst = _Worst(shown, self.times_s[i], rows)


BLOCK_CORRUPTION = Detector(
    name="block_corruption",
    kinds=("video.block_corruption",),
    consumes="video",
    weigh=block_corruption,
    limits=BlockCorruptionLimits(),
    timing=EventTiming(raise_after_s=0.2, clear_after_s=1.0, major_after_s=5.0, critical_after_s=15.0),
    summary="Blocks are displaced, smeared, grey or green: packets were lost here or upstream.",
    source="seam and area: our own measurement on planted damage and on 90 clips without",
)
