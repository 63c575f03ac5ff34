"""Hum: the mains frequency and its multiples in the sound, steady under whatever else is heard."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.burst import objects
from gpu_qa.series import Detector, EventTiming, Evidence
from gpu_qa.units import power_to_db

if TYPE_CHECKING:
    from gpu_qa.series import SpectrumSeries

MAINS_HZ = (50.0, 60.0)
"""Mains frequencies of the world."""
MULTIPLES = 8
"""Multiples of each that are looked at."""
_BESIDE = (-6, -5, -4, -3, 3, 4, 5, 6)
"""Lines beside one that say what the programme holds there: the Hann window of a steady tone ends at ± 2."""
_OFF_HZ = 0.4
_OFF_SHARE = 0.004
"""A line counts within 0.4 Hz and 0.4 % of its place: grids stay within 0.2 Hz (ENTSO-E: ± 200 mHz), what is left is
the error of reading a line beside others. The notes of an instrument tuned to 440 Hz lie farther away, but for one."""
_SHARE = 0.8
"""In this share of the steps a line must be there: voices and beats hide it now and then."""
_COVERED_SHARE = 0.5
_LEAST_SHARE = 0.2
_NEVER_DB = 4.0
_NEVER_SHARE = 0.9
"""Bass covers hum and takes nothing away: a line also counts that is there at its least level (which it stays below in
a fifth of the steps) for half of them, and hardly ever lies 4 dB below that. Notes come and go. Ours: of 144 planted
hums in the 18 clips that this was chosen on, 114 are found with that and 107 without, and in 18 minutes of other sound,
6 of them bass lines, none is."""
_SINGLE_SHARE = 0.9
_SINGLE_ABOVE_DB = 15.0
_SINGLE_MULTIPLES = 3
"""One line alone must be one of the first three, there all the time, steady twice as closely and this far up."""
_GONE_DB = 6.0
"""The window is half filled where a line has lost this much: there the hum began or ended."""
_HIDDEN_DB = 8.0
"""A line that much stronger than the hum is something else's."""
_SEEN_DB = 4.0
"""A line that has been told is still seen when it stands this far above its neighbours."""
_BACK = 6
"""Steps before the first whole window in which the hum's beginning is looked for."""
_FORGET = 30
"""Steps without a sight of the hum after which it is over."""
_CLEAR = 100
"""Steps after its end during which the detector goes on to say that there is none."""
_TINY = 1e-14


@dataclass(frozen=True, slots=True)
class HumLimits:
    """When lines are hum."""

    raise_dbfs: float = -60.0
    """A line counts from this level on (full-scale square wave = 0 dBFS); ours: a pause in speech shows it."""
    above_db: float = 6.0
    """A line stands at least this far above its neighbours; ours."""
    steady_db: float = 3.0
    """A line stays within this of its middle level; ours: notes and voices do not for so long."""
    confirm_s: float = 1.5
    """Length over which a line is watched before it is told; ours."""

    def __post_init__(self) -> None:
        if not self.above_db > 0 or not self.steady_db > 0:
            raise ValueError("above_db and steady_db must be more than 0")
        if not 0.5 <= self.confirm_s <= 10:
            raise ValueError("0.5 ≤ confirm_s ≤ 10 must hold")


@dataclass(frozen=True, slots=True)
class _Hum:
    """Hum that has been told."""

    mains: int
    """Index into `MAINS_HZ`."""
    multiples: tuple[int, ...]
    """Which lines, from 0."""
    lead: int
    """The one that stands out most."""
    levels_dbfs: tuple[float, ...]
    """Of those lines."""
    above_db: tuple[float, ...]
    lead_dbfs: float
    heard_dbfs: tuple[float, ...] = ()
    """Level of all `MULTIPLES` when it was told, whatever was heard there."""
    unseen: int = 0
    """Steps since it was last seen."""

    @property
    def level_dbfs(self) -> float:
        """Of all its lines together."""
        return float(power_to_db(sum(10.0 ** (level / 10.0) for level in self.levels_dbfs)))


@dataclass(frozen=True, slots=True)
class _TrackCarry:
    """What is kept of one track."""

    format: tuple[tuple[str, ...], float]
    """Channels and distance of lines."""
    start_s: np.ndarray
    """float64 [N]: the last steps."""
    lines: np.ndarray
    """float64 [N, 3, 2, 8]: their lines' level, excess over the neighbours and place, 1 where that is a multiple's."""
    until_s: float
    hum: _Hum | None = None
    over: int = _CLEAR
    """Steps since a hum ended."""


@dataclass(frozen=True, slots=True)
class HumCarry:
    """Where the judgement of every track stands."""

    tracks: dict[int, _TrackCarry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of evidence in the making."""

    start_s: float
    end_s: float
    verdict: int
    hum: _Hum


def hum(
    series: SpectrumSeries, limits: HumLimits = HumLimits(), carry: HumCarry | None = None
) -> tuple[list[Evidence], HumCarry]:
    """Weigh the lines at multiples of the mains frequencies.

    Args:
        series: Consecutive spectra of one track.
        limits: When lines are hum.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence whose first step reaches back to where the hum began and whose value is the level of its strongest
        line in dBFS, and the carry.
    """
    known = carry if carry is not None else HumCarry()
    if not len(series) or not series.channels:
        return [], known
    at, form = known.tracks.get(series.track), (series.channels, series.line_hz)
    if at is None or at.format != form or abs(float(series.pts_s[0]) - at.until_s) > _step_s(series) / 2:
        nothing = np.zeros((0, 3, len(MAINS_HZ), MULTIPLES))
        at = _TrackCarry(form, np.zeros(0), nothing, 0.0, *(() if at is None else (at.hum, at.over)))
    lines = np.concatenate([at.lines, _lines(series)])
    start_s = np.concatenate([at.start_s, series.pts_s])
    window = round(limits.confirm_s / _step_s(series))
    steps, told, over = _followed(series, start_s, lines, window, at.hum, at.over, limits)
    keep = window + _BACK
    after = _TrackCarry(form, start_s[-keep:], lines[-keep:], float(series.end_s[-1]), told, over)
    evidence = [_evidence(series, steps, limits)] if steps else []
    return evidence, HumCarry({**known.tracks, series.track: after})


def _step_s(series: SpectrumSeries) -> float:
    return round(float(series.end_s[0] - series.pts_s[0]), 3)


@lru_cache(maxsize=16)
def _places(line_hz: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each multiple: its frequency, the line nearest to it, and that, its left and right, and the lines beside."""
    wanted_hz = np.outer(MAINS_HZ, np.arange(1, MULTIPLES + 1))
    nearest = np.rint(wanted_hz / line_hz).astype(np.intp)
    return wanted_hz, nearest, np.array((0, -1, 1, *_BESIDE))[:, None, None] + nearest


def _lines(series: SpectrumSeries) -> np.ndarray:
    """Level, excess and place of every multiple in every step, float64 [T, 3, 2, 8]."""
    wanted_hz, nearest, around = _places(series.line_hz)
    power = series.low[:, 0].take(around, axis=1).astype(np.float64)
    for channel in range(1, len(series.channels)):
        power += series.low[:, channel].take(around, axis=1)
    power /= len(series.channels)
    power += _TINY
    here, left, right = power[:, 0], power[:, 1], power[:, 2]
    ordered = np.sort(power[:, 3:], axis=1)
    usual = (ordered[:, len(_BESIDE) // 2 - 1] + ordered[:, len(_BESIDE) // 2]) / 2
    # The two highest lines of a tone under a Hann window say where between them it lies.
    ratio = np.sqrt(np.maximum(left, right) / here)
    aside = (2 * ratio - 1) / (1 + ratio) * np.where(right >= left, 1.0, -1.0)
    off_hz = np.abs((nearest + aside) * series.line_hz - wanted_hz)
    lines = np.empty((len(series), 3, *nearest.shape))
    lines[:, 0] = level = power_to_db(here)
    lines[:, 1] = level - power_to_db(usual)
    lines[:, 2] = off_hz <= _OFF_HZ + _OFF_SHARE * wanted_hz
    return lines


def _followed(
    series: SpectrumSeries,
    start_s: np.ndarray,
    lines: np.ndarray,
    window: int,
    told: _Hum | None,
    over: int,
    limits: HumLimits,
) -> tuple[list[_Step], _Hum | None, int]:
    """Look for hum, and follow it, step by step through a series whose steps are the last ones of `lines`."""
    steps: list[_Step] = []
    first = len(lines) - len(series)
    clear = (lines[:, 1] >= limits.above_db) & (lines[:, 2] > 0)
    likely = _may_hum(clear, first, window)
    for step in range(len(series)):
        now = first + step + 1
        found = _found(lines[now - window : now], clear[now - window : now], limits) if likely[step] else None
        end_s = float(series.end_s[step])
        if told is None and found is not None:
            told, over = found, 0
            begun = _begun(lines[:now, 0, told.mains][:, list(told.multiples)], now - window, told)
            steps.append(_Step(float(start_s[begun]), end_s, 1, told))
            continue
        if told is not None:
            told, verdict = _seen(told, found, lines[now - 1], limits)
            steps.append(_Step(float(series.pts_s[step]), end_s, verdict, told))
            told = told if told.unseen < _FORGET else None
        elif over < _CLEAR:
            over += 1
            steps.append(_Step(float(series.pts_s[step]), end_s, -1, _NONE))
    return steps, told, over


_NONE = _Hum(0, (), 0, (), (), -np.inf)


def _may_hum(clear: np.ndarray, first: int, window: int) -> list[bool]:
    """A first look at all steps from `first` on: whether lines are there in enough of the window that ends with it."""
    counts = np.zeros((len(clear) + 1, *clear.shape[1:]), np.intp)
    np.cumsum(clear, axis=0, out=counts[1:])
    ends = np.arange(first, len(clear)) + 1
    share = (counts[ends] - counts[np.maximum(ends - window, 0)]) / window
    several = ((share >= _COVERED_SHARE).sum(axis=2) >= 2).any(axis=1)
    alone = (share[..., :_SINGLE_MULTIPLES] >= _SINGLE_SHARE).any(axis=(1, 2))
    likely: list[bool] = ((several | alone) & (ends >= window)).tolist()
    return likely


def _found(lines: np.ndarray, clear: np.ndarray, limits: HumLimits) -> _Hum | None:
    """Hum that fills a window of steps; null where none does."""
    middle = np.median(lines[:, 0], axis=0)
    above = np.median(lines[:, 1], axis=0)
    apart = np.abs(lines[:, 0] - middle)
    loud = middle >= limits.raise_dbfs
    there = loud & ((clear & (apart <= limits.steady_db)).mean(axis=0) >= _SHARE)
    alone = there & (above >= _SINGLE_ABOVE_DB)
    alone &= (clear & (apart <= limits.steady_db / 2)).mean(axis=0) >= _SINGLE_SHARE
    alone[:, _SINGLE_MULTIPLES:] = False
    least = np.sort(lines[:, 0], axis=0)[int(_LEAST_SHARE * len(lines))]
    covered = (least >= limits.raise_dbfs) & ((lines[:, 0] >= least - _NEVER_DB).mean(axis=0) >= _NEVER_SHARE)
    covered &= (clear & (np.abs(lines[:, 0] - least) <= limits.steady_db)).mean(axis=0) >= _COVERED_SHARE
    covered |= there
    # A line that is covered says nothing alone.
    there = np.where(covered.sum(axis=1, keepdims=True) >= 2, covered, there)
    count = there.sum(axis=1)
    mains = int(np.argmax(count + alone.any(axis=1)))
    if count[mains] < 2 and not alone[mains].any():
        return None
    chosen = np.flatnonzero(there[mains])
    lead = int(chosen[np.argmax(above[mains, chosen])])
    return _Hum(
        mains,
        tuple(chosen.tolist()),
        lead,
        tuple(middle[mains, chosen].tolist()),
        tuple(above[mains, chosen].tolist()),
        float(middle[mains, lead]),
        tuple(middle[mains].tolist()),
    )


def _begun(levels_dbfs: np.ndarray, window_start: int, told: _Hum) -> int:
    """The step with which all lines came: before the window's start, or within it where they were there for most of it.

    Bass may stand in for one of them.
    """
    step = window_start
    there = np.asarray((levels_dbfs >= np.array(told.levels_dbfs) - _GONE_DB).all(axis=1))
    while step < len(there) - 1 and not there[step]:
        step += 1
    while step > max(window_start - _BACK, 0) and there[step - 1]:
        step -= 1
    return step


def _seen(told: _Hum, found: _Hum | None, lines: np.ndarray, limits: HumLimits) -> tuple[_Hum, int]:
    """The hum after one more step, and the step's verdict."""
    if found is not None and found.mains == told.mains:
        told = _better_known(told, found, limits)
    verdict = _verdict(told, lines)
    # One at another level, which a whole window holds, takes the place of one that has gone.
    if verdict < 0 and found is not None and _verdict(found, lines) > 0:
        return found, 1
    return replace(told, unseen=0 if verdict > 0 else told.unseen + 1), verdict


def _verdict(hum: _Hum, lines: np.ndarray) -> int:
    """Whether a step holds the line that is followed: −1 where it has gone, 0 where something else covers it."""
    level, above, _ = lines[:, hum.mains, hum.lead].tolist()
    if level < hum.lead_dbfs - _GONE_DB:
        return -1
    return int(level <= hum.lead_dbfs + _HIDDEN_DB and above >= _SEEN_DB)


def _better_known(told: _Hum, found: _Hum, limits: HumLimits) -> _Hum:
    """The hum that has been told, followed by what shows it best, of which the programme may have covered a part.

    The programme only adds to a line. One that was told keeps its level, or is weaker where that has shown. One more
    was there all the time, so it is no louder than what was heard in its place: else the programme plays there.
    """
    told_dbfs = dict(zip(told.multiples, told.levels_dbfs, strict=True))
    if abs(found.lead_dbfs - told_dbfs.get(found.lead, np.inf)) <= limits.steady_db:
        told = replace(told, lead=found.lead, lead_dbfs=found.lead_dbfs)
    if not set(found.multiples) >= set(told.multiples):
        return told
    told_above = dict(zip(told.multiples, told.above_db, strict=True))
    known = []
    for line, level_dbfs, above_db in zip(found.multiples, found.levels_dbfs, found.above_db, strict=True):
        most_dbfs = told_dbfs.get(line, told.heard_dbfs[line])
        if level_dbfs > most_dbfs + limits.steady_db:
            return told
        if line in told_dbfs and level_dbfs >= most_dbfs - limits.steady_db:
            level_dbfs, above_db = most_dbfs, told_above[line]  # noqa: PLW2901 - as it was told
        known.append((level_dbfs, above_db))
    levels_dbfs, above = zip(*known, strict=True)
    return replace(told, multiples=found.multiples, levels_dbfs=levels_dbfs, above_db=above)


def _evidence(series: SpectrumSeries, steps: list[_Step], limits: HumLimits) -> Evidence:
    count = len(steps)
    hums = [step.hum for step in steps]

    return Evidence(
        kind="audio.hum",
        scope=str(series.track),
        start_s=np.array([step.start_s for step in steps]),
        end_s=np.array([step.end_s for step in steps]),
        verdict=np.array([step.verdict for step in steps], np.int8),
        value=np.array([max(one.levels_dbfs, default=-np.inf) for one in hums], np.float32),
        limit=limits.raise_dbfs,
        unit="dbfs",
        confidence=np.array([min(0.5 + 0.15 * len(one.multiples), 0.95) for one in hums], np.float32),
        details={
            "track": np.full(count, series.track),
            "level_dbfs": np.array([round(one.level_dbfs, 1) for one in hums]),
            "mains_hz": np.array([MAINS_HZ[one.mains] for one in hums]),
            "lines_hz": objects([[MAINS_HZ[one.mains] * (k + 1) for k in one.multiples] for one in hums]),
            "lines_dbfs": objects([[round(level, 1) for level in one.levels_dbfs] for one in hums]),
            "lines_above_db": objects([[round(above, 1) for above in one.above_db] for one in hums]),
        },
        message="hum of {mains_hz:.0f} Hz mains for {duration_s:.1f} s in audio track {track}, {level_dbfs:.0f} dBFS, "
        "its strongest line {value:.0f} dBFS",
    )


HUM = Detector(
    name="hum",
    kinds=("audio.hum",),
    consumes="spectrum",
    weigh=hum,
    limits=HumLimits(),
    timing=EventTiming(raise_after_s=1.0, clear_after_s=0.5, major_after_s=5.0, critical_after_s=30.0),
    summary="Mains hum under the sound: steady lines at 50 or 60 Hz and their multiples.",
    source="ours: benchmarks/detectors",
)
