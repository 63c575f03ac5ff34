"""Hiss: steady broadband noise under the sound, heard in its pauses and quiet passages."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from gpu_qa.series import SEVERITIES, Detector, EventTiming, Evidence, constant
from gpu_qa.units import power_to_db

if TYPE_CHECKING:
    from gpu_qa.series import SpectrumSeries

_RANGE_HZ = (1480.0, 12_000.0)
"""Bands that are looked at: below, rooms and voices are never still; above, codecs leave nothing."""
_TOP_SHARE = 0.9
"""Of half the sample rate: above, filters fall off."""
_LEAST_BANDS = 5
_FLOOR_SHARE = 0.2
"""The floor of a band is looked for around the level that this share of its steps stays below."""
_BARE_DB = (2.5, 3.0)
"""A band shows the floor where it is not farther below and above that: noise in 0.1 s of a band keeps within."""
_BARE_BANDS = 0.75
"""A step is bare where so many of its bands show the floor."""
_BARE_STEPS = 0.25
"""So many steps must be bare: what a listener hears hiss in."""
_UNDER_DB, _UNDER_BANDS = 3.0, 0.3
"""Hiss is not there in a step with so many bands so far below the floor: noise that is added takes nothing away."""
_STEADY_DB = {"sudden": 1.3, "steady": 1.0}
"""Standard deviation of bare steps' level, all bands together, at most: hiss under any codec has 0.15 to 0.8, and with
pieces of a programme in it somewhat more. Noise that nobody saw begin must be steadier and smoother."""
_TILT_DB = (-4.8, 5.0)
"""Per octave and hertz: white noise has 0, pink −3, tape up to +2. Rooms, streets and audiences fall by 5 and more."""
_ROUGH_DB = {"sudden": 1.8, "steady": 1.2}
"""Deviation of the bands from a parabola over the octaves, at most: hiss has 0.1 to 0.8, voices and tones more."""
_EVERY = 3
"""Steps from one look for hiss to the next one."""
_SUDDEN_DB = 6.0
"""Hiss that begins lies this far above what its bands held just before."""
_SILENT_DBFS, _SILENCE = -80.0, 20
"""So many steps below that, 2 s as for the silence detector, and the one on either side of them, say nothing about
whether there was hiss: such a silence takes hiss and programme away together. Shorter ones are a programme's pauses."""
_LONG = 50
"""Steps without a sight of its beginning after which steady noise is told."""
_LOUDEST_DBFS, _PROGRAMME_DB = -30.0, 10.0
"""Such noise is the programme itself where it is louder, or where the mean level of all sound is not that far above it:
a test signal, or rain alone."""
_KEPT = 80
_FORGET = 50
"""Steps without a bare one after which it is no longer told."""
_CLEAR = 100
"""Steps after its end during which the detector goes on to say that there is none."""
_TINY = 1e-14
_STEP_S = 0.1

Onset = Literal["sudden", "steady"]
"""Whether it came under a programme that had none, or nobody saw it begin: then it may be meant."""


@dataclass(frozen=True, slots=True)
class HissLimits:
    """When steady noise is hiss."""

    raise_dbfs: float = -57.0
    """Level from 1.5 to 12 kHz from which on it counts (full-scale square wave = 0 dBFS). Ours: at the loudness of
    broadcasts it is 30 dB below speech, and plainly heard when that stops."""
    confirm_s: float = 1.5
    """Length over which noise is watched before it is told; ours: consonants and applause do not stand so long."""

    def __post_init__(self) -> None:
        if not 1 <= self.confirm_s <= 5:
            raise ValueError("1 ≤ confirm_s ≤ 5 must hold")


@dataclass(frozen=True, slots=True)
class _Hiss:
    """Hiss that has been told."""

    onset: Onset | None
    """Null while it is too rough to be told without a sight of its beginning."""
    floor_db: np.ndarray
    """float64 [B]: level of each band."""
    level_dbfs: float
    tilt_db: float
    """Per octave."""
    programme_dbfs: float
    """Level of all sound in the window in which it was found."""
    covered: int = 0
    """Steps since one was bare."""


@dataclass(frozen=True, slots=True)
class _TrackCarry:
    """What is kept of one track."""

    format: tuple[tuple[str, ...], int]
    """Channels and sample rate."""
    start_s: np.ndarray
    """float64 [N]: the last steps."""
    levels_db: np.ndarray
    """float64 [N, B + 2]: level of their bands, of those together, and of all sound; mean of the channels."""
    until_s: float
    number: int = 0
    """Steps since the track began."""
    hiss: _Hiss | None = None
    over: int = _CLEAR
    """Steps since hiss ended."""


@dataclass(frozen=True, slots=True)
class HissCarry:
    """Where the judgement of every track stands."""

    tracks: dict[int, _TrackCarry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of evidence in the making."""

    start_s: float
    end_s: float
    verdict: int
    hiss: _Hiss | None


def hiss(
    series: SpectrumSeries, limits: HissLimits = HissLimits(), carry: HissCarry | None = None
) -> tuple[list[Evidence], HissCarry]:
    """Weigh whether the quietest steps share one floor: broadband, smooth and steady.

    Args:
        series: Consecutive spectra of one track.
        limits: When steady noise is hiss.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence whose first step reaches back to where the hiss began and whose value is its level in dBFS, and the
        carry.
    """
    known = carry if carry is not None else HissCarry()
    if not len(series) or not series.channels:
        return [], known
    bands, octaves, width_db = _bands(tuple(series.edges_hz.tolist()))
    if bands.stop - bands.start < _LEAST_BANDS:
        return [], known
    at, form = known.tracks.get(series.track), (series.channels, series.sample_rate)
    levels_db = _levels_db(series, bands)
    if at is None or at.format != form:
        at = _TrackCarry(form, np.zeros(0), levels_db[:0], 0.0)
    elif abs(float(series.pts_s[0]) - at.until_s) > _STEP_S / 2:
        at = replace(at, start_s=np.zeros(0), levels_db=levels_db[:0])
    levels_db = np.concatenate([at.levels_db, levels_db])
    start_s = np.concatenate([at.start_s, series.pts_s])
    window = round(limits.confirm_s / _STEP_S)
    told, over, steps = at.hiss, at.over, []
    for step in range(len(series)):
        now = len(at.start_s) + step + 1
        begin_s, end_s = float(series.pts_s[step]), float(series.end_s[step])
        found = None
        if (at.number + step) % _EVERY == 0 and now >= window:
            found = _found(levels_db[now - window : now], octaves, width_db, limits)
        if told is None and found is not None:
            found, begun = _begun(levels_db[max(now - _KEPT, 0) : now], found, (octaves, width_db), limits)
            if begun is not None:
                told, over = found, 0
                steps.append(_Step(float(start_s[max(now - _KEPT, 0) + begun]), end_s, 1, told))
                continue
        if told is not None:
            told, verdict = _seen(told, found, levels_db[now - 1])
            steps.append(_Step(begin_s, end_s, verdict, told))
            told = told if verdict >= 0 and told.covered < _FORGET else None
        elif over < _CLEAR:
            over += 1
            steps.append(_Step(begin_s, end_s, -1, None))
    after = _TrackCarry(
        form, start_s[-_KEPT:], levels_db[-_KEPT:], float(series.end_s[-1]), at.number + len(series), told, over
    )
    return ([_evidence(series, steps, limits)] if steps else []), HissCarry({**known.tracks, series.track: after})


@lru_cache(maxsize=16)
def _bands(edges_hz: tuple[float, ...]) -> tuple[slice, np.ndarray, np.ndarray]:
    """Which bands are looked at, the place of each in octaves around their middle, and their widths in dB Hz."""
    edges = np.array(edges_hz)
    top_hz = min(_RANGE_HZ[1], _TOP_SHARE * edges_hz[-1])
    chosen = np.flatnonzero((edges[:-1] >= _RANGE_HZ[0]) & (edges[1:] <= top_hz))
    if not len(chosen):
        return slice(0, 0), np.zeros(0), np.zeros(0)
    bands = slice(int(chosen[0]), int(chosen[-1]) + 1)
    octaves = np.log2(edges[:-1][bands] * edges[1:][bands]) / 2
    return bands, octaves - octaves.mean(), power_to_db(np.diff(edges)[bands])


def _levels_db(series: SpectrumSeries, bands: slice) -> np.ndarray:
    power = series.bands.astype(np.float64).mean(axis=1)
    chosen = power[:, bands]
    sums = [chosen.sum(axis=1, keepdims=True), power.sum(axis=1, keepdims=True)]
    return power_to_db(np.concatenate([chosen, *sums], axis=1) + _TINY)


def _found(levels_db: np.ndarray, octaves: np.ndarray, width_db: np.ndarray, limits: HissLimits) -> _Hiss | None:
    """Hiss that is there throughout a window of steps; null where there is none."""
    if levels_db[:, -2].min() < limits.raise_dbfs - _UNDER_DB:
        return None
    bands_db = levels_db[:, :-2]
    least = np.sort(bands_db, axis=0)[int(_FLOOR_SHARE * len(bands_db))]
    shows = (bands_db >= least - _BARE_DB[0]) & (bands_db <= least + _BARE_DB[1])
    bare = shows.sum(axis=1) / shows.shape[1] >= _BARE_BANDS
    if bare.sum() < _BARE_STEPS * len(bare):
        return None
    floor_db = bands_db[bare].mean(axis=0)
    level_dbfs = float(power_to_db((10.0 ** (floor_db / 10.0)).sum()))
    unsteady_db = _spread_db((bands_db[bare] - floor_db).mean(axis=1))
    if level_dbfs < limits.raise_dbfs or unsteady_db > _STEADY_DB["sudden"]:
        return None
    if _is_under(bands_db, floor_db).any():
        return None
    # Octaves are counted from their mean, so line and parabola are found one after the other.
    density_db = least - width_db  # the least that a programme adds to
    tilt_db = float(octaves @ density_db / (octaves @ octaves))
    rest_db = density_db - density_db.mean() - tilt_db * octaves
    bow = octaves * octaves
    bow = bow - bow.mean() - octaves * float(octaves @ bow / (octaves @ octaves))
    rest_db = rest_db - bow * float(bow @ rest_db / (bow @ bow))
    rough_db = _spread_db(rest_db)
    if not _TILT_DB[0] <= tilt_db <= _TILT_DB[1] or rough_db > _ROUGH_DB["sudden"]:
        return None
    may_be_steady = unsteady_db <= _STEADY_DB["steady"] and rough_db <= _ROUGH_DB["steady"]
    programme_dbfs = float(power_to_db((10.0 ** (levels_db[:, -1] / 10.0)).mean()))
    return _Hiss("steady" if may_be_steady else None, floor_db, level_dbfs, tilt_db, programme_dbfs)


def _spread_db(levels_db: np.ndarray) -> float:
    """Their standard deviation; of a few dozen `np.std` takes three times as long."""
    away_db = levels_db - levels_db.sum() / len(levels_db)
    return math.sqrt(float(away_db @ away_db) / len(levels_db))


def _is_under(bands_db: np.ndarray, floor_db: np.ndarray) -> np.ndarray:
    """Steps in which a floor is not there, bool [N]."""
    under = bands_db < floor_db - _UNDER_DB
    return np.asarray(under.sum(axis=1) / under.shape[1] >= _UNDER_BANDS)


def _is_silence(levels_dbfs: np.ndarray) -> np.ndarray:
    """Steps within silence of some length, bool [N]; one that the first step lies in may have been longer."""
    is_silent = levels_dbfs < _SILENT_DBFS
    if is_silent.any():
        edges = np.flatnonzero(np.diff(is_silent, prepend=False, append=False)).reshape(-1, 2)
        for start, end in edges.tolist():
            is_silent[start:end] = start == 0 or end - start >= _SILENCE
    return np.asarray(is_silent)


def _begun(
    levels_db: np.ndarray, found: _Hiss, bands: tuple[np.ndarray, np.ndarray], limits: HissLimits
) -> tuple[_Hiss, int | None]:
    """How hiss that was found began, and with which step; null where it is too early to say, or no hiss for so long."""
    bands_db = levels_db[:, :-2]
    is_silent = _is_silence(levels_db[:, -1])
    says = ~is_silent
    says[1:] &= ~is_silent[:-1]
    says[:-1] &= ~is_silent[1:]
    without, silent = np.flatnonzero(_is_under(bands_db, found.floor_db) & says), np.flatnonzero(is_silent)
    first = max(int(without[-1]) + 1 if len(without) else 0, int(silent[-1]) + 1 if len(silent) else 0)
    if len(without):
        # The step before may hold a piece of it.
        last = int(without[-1])
        before = [step for step in (last - 1, last) if step >= 0 and says[step]]
        if np.median(found.floor_db - bands_db[before], axis=1).max() >= _SUDDEN_DB:
            return replace(found, onset="sudden"), first
    if len(levels_db) - first < _LONG or found.level_dbfs > _LOUDEST_DBFS:
        return found, None
    throughout = _found(levels_db[-_LONG:], *bands, limits)
    if throughout is None or throughout.onset is None:
        return found, None
    return found, first if throughout.programme_dbfs >= throughout.level_dbfs + _PROGRAMME_DB else None


def _seen(told: _Hiss, found: _Hiss | None, levels_db: np.ndarray) -> tuple[_Hiss, int]:
    """The hiss after one more step, and the step's verdict."""
    if found is not None and found.level_dbfs < told.level_dbfs + _UNDER_DB:
        told = replace(found, onset=told.onset)
    above_db = levels_db[:-2] - told.floor_db
    if np.count_nonzero(above_db < -_UNDER_DB) / len(above_db) >= _UNDER_BANDS:
        return told, -1
    if np.count_nonzero(above_db <= _BARE_DB[1]) / len(above_db) >= _BARE_BANDS:
        return (replace(told, covered=0) if told.covered else told), 1
    return replace(told, covered=told.covered + 1), 0


def _evidence(series: SpectrumSeries, steps: list[_Step], limits: HissLimits) -> Evidence:
    count = len(steps)
    known = [step.hiss for step in steps]
    sudden = np.array([one is not None and one.onset == "sudden" for one in known])
    level_dbfs, tilt_db, programme_dbfs = np.full((3, count), np.nan)
    for index, one in enumerate(known):
        if one is not None:
            level_dbfs[index], tilt_db[index], programme_dbfs[index] = one.level_dbfs, one.tilt_db, one.programme_dbfs
    return Evidence(
        kind="audio.hiss",
        scope=str(series.track),
        start_s=np.array([step.start_s for step in steps]),
        end_s=np.array([step.end_s for step in steps]),
        verdict=np.array([step.verdict for step in steps], np.int8),
        value=level_dbfs.astype(np.float32),
        limit=limits.raise_dbfs,
        unit="dbfs",
        confidence=np.where(sudden, np.float32(0.9), np.float32(0.6)),
        details={
            "track": constant(count, series.track, int),
            "onset": np.where(sudden, "sudden", "steady"),
            "tilt_db_per_octave": tilt_db.round(1),
            "programme_dbfs": programme_dbfs.round(1),
        },
        severity_cap=np.where(sudden, SEVERITIES.index("warn"), SEVERITIES.index("info")).astype(np.int8),
        message="hiss for {duration_s:.1f} s in audio track {track}, {value:.0f} dBFS",
    )


HISS = Detector(
    name="hiss",
    kinds=("audio.hiss",),
    consumes="spectrum",
    weigh=hiss,
    limits=HissLimits(),
    timing=EventTiming(raise_after_s=1.0, clear_after_s=0.25, major_after_s=5.0, critical_after_s=30.0),
    summary="Steady noise under the sound, heard when the programme is quiet.",
    source="ours: white, pink and tape noise planted in programmes under AAC, MP2 and Opus",
)
