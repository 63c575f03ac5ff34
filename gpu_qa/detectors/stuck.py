"""Stuck: the sound stays at one value, or one short buffer repeats over and over."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.burst import objects
from gpu_qa.series import Detector, EventTiming, Evidence
from gpu_qa.units import db_to_power, power_to_db

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries

CELL_S = 0.0025
"""Levels are looked at in quarters of a hop."""
_QUARTERS = 4
_HOPS = 10
"""Hops that are judged together: 0.1 s."""
_HOP_S = 0.01
_PERIODS = (7, 80)
"""Cells between two copies of a buffer: 17.5 ms, longer than the swing of all but the lowest tones, to 0.2 s."""
_LOOK = 100
"""Cells that are compared by themselves, and of the look that says that it goes on: 0.25 s."""
_GLANCE = 40
_GLANCE_SLACK = 1.5
"""Cells of the very first look, 0.1 s, in which copies may differ by half as much again."""
_LEAST_SPREAD_DB = 0.8
_MOST_SPREAD_DB = 5.0
"""A level that varies less has no shape to know again; more variation than that allows no larger difference."""
_DIFFERENCE = (0.3, 0.12)
"""Copies differ by up to 0.3 dB and 12 % of the level's spread: what cells that do not fall on the buffer's edges make
of equal samples. Other sound differs by 1.7 dB and more (benchmarks/detectors)."""
_BEND_SHARE = 1e-5
"""The bend's power has at least this share of the sound's: in tones below 400 Hz it has less, and they repeat too."""
_MAINS, _MAINS_SLACK, _HUM_SHARE = (8, 20), 1.5, 1e-3
"""Cells of one or several periods of 50 and 60 Hz. What repeats after one of these, give or take half as much again,
with a smaller share of bend in its middle hop is hum, whose lines up to 1 kHz have 2e-4 at most. 5 of 24
buffers of 20 and 50 ms had less than 1e-3 too."""
_LAGS = range(1, _PERIODS[1] // _QUARTERS + 1)
"""Hops after which bends may repeat."""
_COPIED_SHARE, _REPEATED_SHARE = 0.4, 0.8
"""Bends are copied where, after some time, they differ by that share of what they differ by sooner, in the middle; or,
after the times after which levels fit, by the second share of what they differ by a hop sooner and later. Ours: of 193
buffers that repeat under AAC, MP2 and Opus 188 do one or the other, and 1 of 294 hums in 98 real clips."""
_FITS = 1.2
"""Levels fit best where they are at most so many times as far apart as where they are closest."""
_TONE_CREST = 3.0
"""Where no bend of a second is larger than that many times the mean one, the sound is made of a few tones: beats of
two have 2, of three 2.5. The joints of buffers, and what is in them, had 3.2 and more."""
_RANGE_DB = 30.0
_LOUD_SHARE = 0.8
"""Cells that much below the loudest one do not count: silence is like silence. Where there are many of them the sound
is made of beats."""
_NOTHING_DB = -90.0
_TINY = 1e-14
_STRAIGHT, _STRAIGHT_SHARE = 1e-12, 2e-8
_OFFSET_SHARE = 0.9
_STEADY_SHARE = 0.3
"""A codec leaves of one value a line with a ripple: its bend has at most this power, which rounding to 24 bits leaves,
or this share of all power (AAC 4e-9, AC-3 1.3e-8; MP2 2e-6, as a quiet room above an offset has), its mean has at least
this share (AAC of 64 kb/s 0.94), and the means of 0.1 s differ by at most this share of the largest: a wave below
hearing swings by more."""
_FRESH = 10
"""Groups of hops, 1 s in all, of sound that does not repeat itself, before a buffer can be stuck: a line-up tone
repeats itself from its start, and nothing of it is stuck."""
_CLEAR = 100
"""Groups of hops after its end during which the detector goes on to say that nothing is stuck: 10 s."""


@dataclass(frozen=True, slots=True)
class StuckLimits:
    """When sound is stuck."""

    min_dbfs: float = -50.0
    """A buffer that repeats counts from this level on; ours: weaker ones are hardly heard."""
    value_dbfs: float = -60.0
    """A value that stays counts from this level on; ours: up to there it is silence."""
    value_s: float = 0.2
    """Length over which a value must stay; ours: waves clipped for a whole beat of a drum stay for less."""
    buffer_s: float = 1.0
    """Length over which a buffer must repeat; ours: drum rolls and held notes of a synthesizer repeat for less."""

    def __post_init__(self) -> None:
        if not 0.1 <= self.value_s <= 10 or not 0.5 <= self.buffer_s <= 10:
            raise ValueError("0.1 ≤ value_s ≤ 10 and 0.5 ≤ buffer_s ≤ 10 must hold")


@dataclass(frozen=True, slots=True)
class _State:
    """What is stuck after some group of hops."""

    form: str = ""
    """"value", "buffer", or empty for nothing."""
    period_ms: float = 0.0
    still: int = 0
    """Groups of hops in a row at one value."""
    over: int = _CLEAR
    """Groups of hops since something was stuck."""
    fresh: int = 0
    """Groups of hops of sound that did not repeat itself so far, up to `_FRESH`."""


@dataclass(frozen=True, slots=True)
class _TrackCarry:
    """What is kept of one track."""

    format: tuple[tuple[str, ...], int]
    """Channels and sample rate."""
    times_s: np.ndarray
    """float64 [N, 2]: start and end of the last hops."""
    levels_db: np.ndarray
    """float64 [4 N]: level of their cells, all channels together."""
    measures: np.ndarray
    """float64 [N, 4]: power, bend power, the value that every sample of a channel has, 0 where there is none, and the
    square of the largest bend."""
    waiting: int
    """How many of them are not judged yet."""
    state: _State


@dataclass(frozen=True, slots=True)
class StuckCarry:
    """Where the judgement of every track stands."""

    tracks: dict[int, _TrackCarry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of evidence in the making."""

    start_s: float
    end_s: float
    verdict: int
    state: _State
    level_dbfs: float


def stuck(
    series: AudioSeries, limits: StuckLimits = StuckLimits(), carry: StuckCarry | None = None
) -> tuple[list[Evidence], StuckCarry]:
    """Weigh whether samples stay at a value, and whether the level repeats itself cell for cell.

    Args:
        series: Consecutive hops of one track.
        limits: When sound is stuck.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence whose first step reaches back to where it began and whose value is the level in dBFS, and the carry.
    """
    known = carry if carry is not None else StuckCarry()
    if not len(series) or not series.channels:
        return [], known
    at, form = known.tracks.get(series.track), (series.channels, series.sample_rate)
    if at is None or at.format != form or abs(float(series.pts_s[0]) - float(at.times_s[-1, 1])) > _HOP_S / 2:
        state = _State() if at is None else _State(over=0 if at.state.form else at.state.over, fresh=at.state.fresh)
        at = _TrackCarry(form, np.zeros((0, 2)), np.zeros(0), np.zeros((0, 4)), 0, state)
    times_s = np.concatenate([at.times_s, np.array([series.pts_s, series.end_s]).T])
    levels_db = np.concatenate([at.levels_db, _levels_db(series)])
    measures = np.concatenate([at.measures, _measures(series, limits)])
    steps: list[_Step] = []
    state, done = at.state, len(at.times_s) - at.waiting
    ends = range(done + _HOPS, len(times_s) + 1, _HOPS)
    looks = zip(ends, _is_still(measures, ends), _may_repeat(levels_db, ends), strict=True)
    for done, is_still, may_repeat in looks:
        before = state
        known_ones = levels_db[: done * _QUARTERS], measures[:done]
        state = _judged(*known_ones, state, limits, is_still=is_still, may_repeat=may_repeat)
        if state.form:
            length = 1
            if state.form != before.form:
                length = round((limits.value_s if state.form == "value" else limits.buffer_s) / _HOP_S / _HOPS)
            first = max(done - length * _HOPS, 0)
            level_dbfs = float(power_to_db(float(measures[done - _HOPS : done, 0].mean())))
            steps.append(_Step(float(times_s[first, 0]), float(times_s[done - 1, 1]), 1, state, level_dbfs))
        elif state.over < _CLEAR:
            span_s = float(times_s[done - _HOPS, 0]), float(times_s[done - 1, 1])
            steps.append(_Step(*span_s, -1, state, -np.inf))
    judged = ends[-1] if ends else done
    keep = round(limits.buffer_s / _HOP_S) + _PERIODS[1] // _QUARTERS + _HOPS
    after = _TrackCarry(
        form, times_s[-keep:], levels_db[-keep * _QUARTERS :], measures[-keep:], len(times_s) - judged, state
    )
    evidence = [_evidence(series, steps, limits)] if steps else []
    return evidence, StuckCarry({**known.tracks, series.track: after})


def _levels_db(series: AudioSeries) -> np.ndarray:
    power = series.fine_power[:, :, 0].astype(np.float64)
    for channel in range(1, len(series.channels)):
        power = power + series.fine_power[:, :, channel]
    levels_db: np.ndarray = np.maximum(power_to_db(power.reshape(-1) / len(series.channels)), _NOTHING_DB)
    return levels_db


def _measures(series: AudioSeries, limits: StuckLimits) -> np.ndarray:
    measures = np.empty((len(series), 4))
    measures[:, 0], measures[:, 1] = series.power.max(axis=1), series.bend_power.max(axis=1)
    offset = series.mean.astype(np.float64)
    is_still = series.same_run >= series.sample_rate // 100
    is_still |= (series.bend_power <= np.maximum(_STRAIGHT_SHARE * series.power, _STRAIGHT)) & (
        offset**2 >= _OFFSET_SHARE * series.power
    )
    is_still &= np.abs(offset) >= 10.0 ** (limits.value_dbfs / 20.0)
    held = np.where(is_still, offset, 0.0)
    largest = np.abs(held).argmax(axis=1)
    measures[:, 2] = held[np.arange(len(held)), largest]
    measures[:, 3] = series.bend_peak.max(axis=1).astype(np.float64) ** 2
    return measures


def _is_still(measures: np.ndarray, ends: range) -> list[bool]:
    """Whether the group of hops that ends there holds one value, for each of the ends."""
    if not ends:
        return []
    size = np.abs(measures[ends[0] - _HOPS : ends[-1], 2]).reshape(-1, _HOPS)
    least, most = size.min(axis=1), size.max(axis=1)
    still: list[bool] = ((least > 0) & (most - least <= _STEADY_SHARE * most)).tolist()
    return still


def _judged(
    levels_db: np.ndarray,
    measures: np.ndarray,
    before: _State,
    limits: StuckLimits,
    *,
    is_still: bool,
    may_repeat: bool,
) -> _State:
    """What is stuck after one more group of hops, the last ones of these."""
    still = before.still + 1 if is_still else 0
    if still * _HOPS * _HOP_S >= limits.value_s - _HOP_S / 2:
        return _State("value", 0.0, still, 0, before.fresh)
    period_ms, fresh = 0.0, before.fresh
    if not still:
        look = _LOOK if before.form == "buffer" else round(limits.buffer_s / CELL_S)
        is_known = len(levels_db) >= look + _PERIODS[1]
        period_ms = _period_ms(levels_db, measures, look, limits) if is_known and may_repeat else 0.0
        is_other = fresh < _FRESH and is_known and not period_ms
        if is_other and measures[-_HOPS:, 0].mean() >= db_to_power(limits.min_dbfs):
            fresh += 1
    if period_ms and fresh >= _FRESH:
        return _State("buffer", period_ms, still, 0, fresh)
    over = min(before.over + 1, _CLEAR)
    if not before.form and (before.still, before.over, before.fresh) == (still, over, fresh):
        return before
    return _State("", 0.0, still, over, fresh)


def _period_ms(levels_db: np.ndarray, measures: np.ndarray, look: int, limits: StuckLimits) -> float:
    """After how long the last cells repeat themselves; 0 where they do not."""
    last = levels_db[-look:]
    loud = last >= last.max() - _RANGE_DB
    if np.count_nonzero(loud) / look < _LOUD_SHARE:
        return 0.0
    spread_db = _spread_db(last[loud])
    if spread_db < _LEAST_SPREAD_DB:
        return 0.0
    power, bend = measures[-(look // _QUARTERS) :, :2].mean(axis=0).tolist()
    if power < db_to_power(limits.min_dbfs) or bend < _BEND_SHARE * power:
        return 0.0
    difference_db = np.where(loud, _differences_db(levels_db[-look - _PERIODS[1] :], look), 0.0)
    # In every quarter of a second by itself, so that it is known where the copies begin.
    parts = difference_db[:, look % _LOOK :].reshape(len(difference_db), -1, _LOOK).sum(axis=2)
    loud_parts = loud[look % _LOOK :].reshape(-1, _LOOK).sum(axis=1)
    worst_db = (parts / np.maximum(loud_parts, 1)).max(axis=1)
    best, most_db = int(np.argmin(worst_db)), _DIFFERENCE[0] + _DIFFERENCE[1] * min(spread_db, _MOST_SPREAD_DB)
    near_db = _MAINS_SLACK * most_db
    usual_bend = float(np.median(measures[-(look // _QUARTERS) :, 1]))
    is_hum = usual_bend < _HUM_SHARE * power and any(worst_db[cells - _PERIODS[0]] <= near_db for cells in _MAINS)
    if worst_db[best] > most_db or is_hum:
        return 0.0
    if look > _LOOK and not _is_copied(measures, look // _QUARTERS, worst_db, most_db):
        return 0.0
    # The shape is that of the buffer: a tone that swells has one too, but none within a period.
    period = best + _PERIODS[0]
    copies = last[len(last) % period :].reshape(-1, period)
    if float((copies - copies.mean(axis=1, keepdims=True)).std()) < _LEAST_SPREAD_DB:
        return 0.0
    return period * CELL_S * 1000


def _is_copied(measures: np.ndarray, hops: int, worst_db: np.ndarray, most_db: float) -> bool:
    """Whether the bends of the last hops, which joints and noise make, are copies too.

    Hum and other steady tones repeat while the sound that they are heard over goes on, and have hardly any bend
    themselves.

    Args:
        measures: Those of at least `_LAGS` more hops.
        hops: How many are judged.
        worst_db: How far levels are from those each period of `_PERIODS` before, in the worst part.
        most_db: Levels that are this far apart are copies.
    """
    if measures[-hops:, 3].max() <= _TONE_CREST**2 * measures[-hops:, 1].mean():
        return False
    bend_db = power_to_db(measures[-hops - _LAGS[-1] :, 1] + _TINY)
    apart_db = np.array([np.median(np.abs(bend_db[-hops:] - bend_db[-hops - lag : -lag])) for lag in _LAGS])
    if (apart_db[1:] <= _COPIED_SHARE * np.maximum.accumulate(apart_db)[:-1]).any():
        return True
    first = -(-_PERIODS[0] // _QUARTERS)
    levels_db = worst_db[first * _QUARTERS - _PERIODS[0] :: _QUARTERS]
    fits = np.zeros(len(apart_db), bool)
    fits[first - 1 :] = levels_db <= max(most_db, _FITS * levels_db.min())
    inner = fits[1:-1]
    if not inner.any() or fits.all():
        return False
    beside_db = (apart_db[:-2] + apart_db[2:])[inner].mean() / 2
    return bool(apart_db[1:-1][inner].mean() <= _REPEATED_SHARE * beside_db)


def _spread_db(levels_db: np.ndarray) -> float:
    """Their standard deviation; of a few hundred `np.std` takes three times as long."""
    away_db = levels_db - levels_db.sum() / len(levels_db)
    return math.sqrt(float(away_db @ away_db) / len(levels_db))


def _may_repeat(levels_db: np.ndarray, ends: range) -> list[bool]:
    """A first look at few cells, which lets nearly all sound pass, at the end of each group of hops."""
    early = sum(end * _QUARTERS < _GLANCE + _PERIODS[1] for end in ends)
    groups = len(ends) - early
    if not groups:
        return [False] * early
    levels = levels_db.astype(np.float32)
    begin, cell, group = ends[early] * _QUARTERS - _GLANCE, levels.itemsize, _HOPS * _QUARTERS * levels.itemsize
    # Views: the last cells of each group, and those each period before them.
    last: np.ndarray = np.ndarray((groups, _GLANCE), np.float32, levels, begin * cell, (group, cell))
    shape = groups, _PERIODS[1] + 1 - _PERIODS[0], _GLANCE
    earlier: np.ndarray = np.ndarray(shape, np.float32, levels, (begin - _PERIODS[0]) * cell, (group, -cell, cell))
    differences_db = np.subtract(earlier, last[:, None], out=np.empty(shape, np.float32))
    least_db = np.abs(differences_db, out=differences_db).mean(axis=2).min(axis=1)
    spread_db = last.std(axis=1).clip(_LEAST_SPREAD_DB, _MOST_SPREAD_DB)
    likely: list[bool] = (least_db <= _GLANCE_SLACK * (_DIFFERENCE[0] + _DIFFERENCE[1] * spread_db)).tolist()
    return [False] * early + likely


def _differences_db(levels_db: np.ndarray, cells: int) -> np.ndarray:
    """How far the last cells are from those each period before them, float64 [period, cells]."""
    earlier = levels_db[len(levels_db) - cells + _earlier(cells)]
    earlier -= levels_db[-cells:]
    return np.asarray(np.abs(earlier, out=earlier))


@lru_cache(maxsize=8)
def _earlier(cells: int) -> np.ndarray:
    """Places of the cells a period before the last ones, counted from the first of those, [period, cells]."""
    return np.arange(cells) - np.arange(_PERIODS[0], _PERIODS[1] + 1)[:, None]


def _evidence(series: AudioSeries, steps: list[_Step], limits: StuckLimits) -> Evidence:
    states = [step.state for step in steps]
    return Evidence(
        kind="audio.stuck",
        scope=str(series.track),
        start_s=np.array([step.start_s for step in steps], np.float64),
        end_s=np.array([step.end_s for step in steps], np.float64),
        verdict=np.array([step.verdict for step in steps], np.int8),
        value=np.array([step.level_dbfs for step in steps], np.float32),
        limit=np.array([limits.value_dbfs if state.form == "value" else limits.min_dbfs for state in states]),
        unit="dbfs",
        confidence=np.array([0.95 if state.form == "value" else 0.8 for state in states], np.float32),
        details={
            "track": np.full(len(steps), series.track),
            "form": objects([state.form for state in states]),
            "period_ms": objects([state.period_ms if state.form == "buffer" else None for state in states]),
        },
        message="sound of audio track {track} is stuck for {duration_s:.1f} s (one {form} over and over)",
    )


STUCK = Detector(
    name="stuck",
    kinds=("audio.stuck",),
    consumes="audio",
    weigh=stuck,
    limits=StuckLimits(),
    timing=EventTiming(raise_after_s=0.2, clear_after_s=0.3, major_after_s=2.0, critical_after_s=10.0),
    summary="The sound stays at one value, or one short buffer repeats over and over.",
    source="ours: benchmarks/detectors",
)
