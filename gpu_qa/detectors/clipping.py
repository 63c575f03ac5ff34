"""Clipping: the tops of the waveform are cut off at one level, here or anywhere upstream."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.hop_cells import hop_cells, repeated
from gpu_qa.detectors.sample_levels import is_three_levels, smeared_steps
from gpu_qa.series import SEVERITIES, Detector, EventTiming, Evidence, constant

if TYPE_CHECKING:
    from gpu_qa.detectors.hop_cells import HopCells, HopsKept
    from gpu_qa.series import AudioSeries

WINDOW_CELLS = 5
"""Levels are judged over windows of half a second, one every 0.1 s; ours: shorter ones of speech often hold one vowel,
whose samples gather near its peak."""
TOP_DBFS = 5.25
BIN_DB = 0.75
"""The series' bins of level: bin k from `TOP_DBFS` − k · `BIN_DB` up to the one before."""
PLATEAU_BINS = 4
"""A plateau is 3 dB high: a codec of 128 kb/s spreads what was one level by about 1 dB to each side."""
_FULL_SCALE_BINS = (5, 10)
"""Plateaus that begin in these bins lie at full scale, give or take what the codec adds; the second bin ends 1.5 dB
below full scale."""
_MEASURES = ("levels", "mean", "peak", "power", "bend_peak", "bend_power")
_EMPTY_SHARE = 0.02
"""Added to what lies beside a plateau, as a share of the samples, so that a rare peak is none."""
_QUIET, _SOUND_SHARE = 10.0 ** (-60.0 / 20.0), 0.4
"""Hops whose peak is below −60 dBFS do not count, so that short sounds between silences are judged by themselves; but
for this share of the half second, so that plateaus last for 24 ms in all at least."""
_CAP_SHARES = (0.2, 0.4)
_CAPS = np.array([SEVERITIES.index("warn"), SEVERITIES.index("major"), SEVERITIES.index("critical")], np.int8)
"""The severity that an event may not exceed below the first share, from there on, and from the second on."""
_OFFSET_SHARE = 0.8
"""Of a plateau's lowest level: what the hops in which it lies have as their mean where sound is off centre by as much.
Both sides of a clipped wave cancel out."""
_SURE, _LIKELY = np.float32(0.95), np.float32(0.8)
"""Confidence at full scale, and below, where music may come close."""


@dataclass(frozen=True, slots=True)
class ClippingLimits:
    """When sound counts as clipped. All of it is ours, measured by planted clipping on real programmes."""

    raise_share: float = 0.12
    """Clipped from this share of the samples on at one level, over half a second."""
    raise_contrast: float = 3.0
    """And when that many times as many samples lie at the level as beside it: above it, and 0.3 of those in the 3 dB
    below it. Loud mastered music that is no worse for it reaches 2.3, speech 2.6, a clipped programme 3 to 40."""
    full_scale_share: float = 0.2
    """Clipped also from this share of the samples on above −1.5 dBFS, whatever lies beside. Mastered music: 0.11."""
    lowest_level_dbfs: float = -20.0
    """Plateaus below this level are not told: nothing upstream clips there."""

    def __post_init__(self) -> None:
        if not 0 < self.raise_share <= 1 or not 0 < self.full_scale_share <= 1:
            raise ValueError("raise_share and full_scale_share must be above 0 and at most 1")
        if not self.raise_contrast > 0:
            raise ValueError("raise_contrast must be above 0")
        if not -36 <= self.lowest_level_dbfs <= 0:
            raise ValueError("lowest_level_dbfs must be between -36 and 0")


@dataclass(frozen=True, slots=True)
class ClippingCarry:
    """Per track: the last hops, which the next windows need."""

    tracks: dict[int, HopsKept] = field(default_factory=dict)


def clipping(
    series: AudioSeries, limits: ClippingLimits = ClippingLimits(), carry: ClippingCarry | None = None
) -> tuple[list[Evidence], ClippingCarry]:
    """Weigh how many samples of every half second lie at one level with none above.

    Args:
        series: Consecutive hops of one track.
        limits: When sound counts as clipped.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence per track with one step per 0.1 s, whose value is the share of the samples at the plateau, silence
        left out, in the channel where it is largest; a step reaches from the first cell of 0.1 s with such samples to
        the last one.
    """
    tracks = dict(carry.tracks) if carry is not None else {}
    if not len(series) or not series.channels:
        return [], ClippingCarry(tracks)
    cells, tracks[series.track] = hop_cells(series, _MEASURES, tracks.get(series.track), WINDOW_CELLS - 1)
    if len(cells) < WINDOW_CELLS:
        return [], ClippingCarry(tracks)
    return [_evidence(series, cells, limits)], ClippingCarry(tracks)


def _leave_out_silence(samples: np.ndarray, cells: HopCells) -> None:
    """Take hops without sound out of how many samples there are, the last of int64 [W, C, 1 + bins], in place."""
    is_quiet = cells.hops["peak"] < _QUIET
    if not is_quiet.any():
        return
    quiet = np.where(is_quiet, cells.hops["levels"][..., -1], 0).sum(axis=1)
    every, windows = samples[..., -1].copy(), len(samples)
    for cell in range(WINDOW_CELLS):
        samples[..., -1] -= quiet[cell : cell + windows]
    np.maximum(samples[..., -1], (_SOUND_SHARE * every).astype(np.int64), out=samples[..., -1])


def _is_likely(samples: np.ndarray, lowest_bin: int, limits: ClippingLimits) -> np.ndarray:
    """A first look that costs little: which windows may have a plateau in some channel, bool [W].

    Args:
        samples: int64 [W, C, 1 + bins]: samples in all bins before each.
        lowest_bin: Where a plateau may begin at most.
        limits: When sound counts as clipped.
    """
    all_of_them = samples[..., -1:]
    above, until = samples[..., :lowest_bin], samples[..., PLATEAU_BINS : lowest_bin + PLATEAU_BINS]
    at = until - above
    enough = at >= np.maximum(
        limits.raise_share * all_of_them, limits.raise_contrast * (above + _EMPTY_SHARE * all_of_them)
    )
    is_full = samples[..., _FULL_SCALE_BINS[1]] >= limits.full_scale_share * all_of_them[..., 0]
    return np.asarray((enough.any(axis=-1) | is_full).any(axis=-1))


@dataclass(frozen=True, slots=True)
class _Plateaus:
    """The best plateau of every channel, arrays [..., C]."""

    first_bin: np.ndarray
    share: np.ndarray
    """Of the samples, at the plateau."""
    contrast: np.ndarray
    """Over the samples beside it."""
    full_scale_share: np.ndarray
    """Of the samples, above −1.5 dBFS."""

    def of(self, window: int) -> _Plateaus:
        """Those of one window."""
        return _Plateaus(
            self.first_bin[window], self.share[window], self.contrast[window], self.full_scale_share[window]
        )


def _plateaus(samples: np.ndarray, lowest_bin: int) -> _Plateaus:
    """Find them in the samples before each bin, int64 [..., C, 1 + bins]."""
    share = samples / np.maximum(samples[..., -1:], 1)
    first = share[..., :lowest_bin]
    end = share[..., PLATEAU_BINS : lowest_bin + PLATEAU_BINS]
    after = share[..., 2 * PLATEAU_BINS : lowest_bin + 2 * PLATEAU_BINS]
    at = end - first
    contrast = at / (first + 0.3 * (after - end) + _EMPTY_SHARE)
    best = contrast.argmax(axis=-1)
    at, contrast = (np.take_along_axis(values, best[..., None], axis=-1)[..., 0] for values in (at, contrast))
    return _Plateaus(best, at, contrast, share[..., _FULL_SCALE_BINS[1]])


@dataclass(frozen=True, slots=True)
class _Clipped:
    """What is told of one window."""

    channels: list[str]
    share: float
    level_dbfs: float
    full_scale: bool
    limit: float
    """What the share was compared with."""
    start_s: float
    end_s: float


def _clipped(
    series: AudioSeries, cells: HopCells, window: int, levels: np.ndarray, found: _Plateaus, limits: ClippingLimits
) -> _Clipped | None:
    """Look closely at a window; null where it is not clipped."""
    is_plateau = (found.share >= limits.raise_share) & (found.contrast >= limits.raise_contrast)
    is_full = found.full_scale_share >= limits.full_scale_share
    first_bin = np.where(is_plateau, found.first_bin, _FULL_SCALE_BINS[1] - PLATEAU_BINS)
    at_plateau = np.where(is_plateau, found.share, 0)
    at_full_scale = np.where(is_full, found.full_scale_share, 0)
    share = np.maximum(at_plateau, at_full_scale)
    told = [
        channel
        for channel in np.flatnonzero(is_plateau | is_full).tolist()
        if not _is_few_levels(cells.hops, window, channel, int(first_bin[channel]))
        and not _is_tone(cells.hops, window, channel, int(first_bin[channel]))
        and not _is_offset(cells.hops, window, channel, int(first_bin[channel]))
    ]
    if not told:
        return None
    worst = max(told, key=lambda channel: share[channel])
    first = int(first_bin[worst])
    own = levels[window : window + WINDOW_CELLS, worst]
    of_cells = own[:, first : first + PLATEAU_BINS].sum(axis=1) / np.maximum(own.sum(axis=1), 1)
    most = first + int(own[:, first : first + PLATEAU_BINS].sum(axis=0).argmax())
    hot = np.flatnonzero(of_cells >= min(0.5 * of_cells.max(), 0.5 * limits.raise_share))
    return _Clipped(
        channels=[series.channels[channel] for channel in told],
        share=float(share[worst]),
        level_dbfs=TOP_DBFS - BIN_DB * (most - 0.5),
        full_scale=bool(is_full[worst]) or _FULL_SCALE_BINS[0] <= first < _FULL_SCALE_BINS[1],
        limit=limits.raise_share if at_plateau[worst] >= at_full_scale[worst] else limits.full_scale_share,
        start_s=float(cells.start_s[window + hot[0]]),
        end_s=float(cells.end_s[window + hot[-1]]),
    )


def _evidence(series: AudioSeries, cells: HopCells, limits: ClippingLimits) -> Evidence:
    windows = len(cells) - WINDOW_CELLS + 1
    levels = cells.hops["levels"].sum(axis=1)
    samples = np.zeros((windows, levels.shape[1], levels.shape[2] + 1), np.int64)
    for cell in range(WINDOW_CELLS):
        samples[..., 1:] += levels[cell : cell + windows]
    np.cumsum(samples, axis=-1, out=samples)
    _leave_out_silence(samples, cells)
    lowest_bin = int((TOP_DBFS - limits.lowest_level_dbfs) / BIN_DB)
    likely = np.flatnonzero(_is_likely(samples, lowest_bin, limits))
    told = _told(series, cells, likely, samples, levels, limits) if len(likely) else {}
    verdict, full_scale = constant(windows, -1, np.int8), constant(windows, False, bool)
    from_s, until_s = cells.start_s[:windows], cells.end_s[WINDOW_CELLS - 1 :]
    value, level_dbfs = constant(windows, 0.0, np.float32), constant(windows, math.nan, float)
    names, cap = repeated([], windows), constant(windows, int(_CAPS[0]), np.int8)
    limit = constant(windows, limits.raise_share, float)
    if told:
        verdict, full_scale, value = verdict.copy(), full_scale.copy(), value.copy()
        from_s, until_s, level_dbfs, limit = from_s.copy(), until_s.copy(), level_dbfs.copy(), limit.copy()
        for window, one in told.items():
            verdict[window], value[window], level_dbfs[window] = 1, one.share, one.level_dbfs
            from_s[window], until_s[window] = one.start_s, one.end_s
            full_scale[window], names[window], limit[window] = one.full_scale, one.channels, one.limit
        cap = _CAPS[np.searchsorted(_CAP_SHARES, value, side="right")]
    return Evidence(
        kind="audio.clipping",
        scope=str(series.track),
        start_s=from_s,
        end_s=until_s,
        verdict=verdict,
        value=value,
        limit=limit,
        unit="share",
        confidence=np.where(full_scale, _SURE, _LIKELY),
        details={
            "track": constant(windows, series.track, int),
            "channels": names,
            "level_dbfs": level_dbfs,
            "full_scale": full_scale,
        },
        gathered=frozenset({"channels"}),
        severity_cap=cap,
        message="clipped sound for {duration_s:.1f} s in audio track {track}: up to {value:.0%} of the samples are "
        "cut off near {level_dbfs:.0f} dBFS",
    )


def _told(
    series: AudioSeries,
    cells: HopCells,
    likely: np.ndarray,
    samples: np.ndarray,
    levels: np.ndarray,
    limits: ClippingLimits,
) -> dict[int, _Clipped]:
    """What is told, by window, of those that are likely, int [L]."""
    found = _plateaus(samples[likely], int((TOP_DBFS - limits.lowest_level_dbfs) / BIN_DB))
    is_plateau = (found.share >= limits.raise_share) & (found.contrast >= limits.raise_contrast)
    is_full = found.full_scale_share >= limits.full_scale_share
    told: dict[int, _Clipped] = {}
    for place in np.flatnonzero((is_plateau | is_full).any(axis=1)).tolist():
        window = int(likely[place])
        one = _clipped(series, cells, window, levels, found.of(place), limits)
        if one is not None:
            told[window] = one
    return told


def _is_tone(hops: dict[str, np.ndarray], window: int, channel: int, first_bin: int) -> bool:
    """Whether a plateau is a steady tone's: the samples of a sine gather at its peak, a square wave's all lie there.

    Where a programme is clipped, its power still moves under the plateau, and each hop has bends that stand out from
    its other ones.
    """
    within = slice(window, window + WINDOW_CELLS)
    peak, power, bend_peak, bend_power = (
        hops[name][within, :, channel].reshape(-1).astype(np.float64) for name in _MEASURES[2:]
    )
    level = 10.0 ** ((TOP_DBFS - BIN_DB * (first_bin + 3)) / 20.0)
    loud = (peak >= level) & (power > 0)
    if not loud.any():
        return True
    moves_db = float(np.std(10.0 * np.log10(power[loud])))
    bend_crest = float(np.median(bend_peak[loud] / np.sqrt(np.maximum(bend_power[loud], 1e-20))))
    if _FULL_SCALE_BINS[0] <= first_bin < _FULL_SCALE_BINS[1]:
        return moves_db < 0.15 or bend_crest < 2.2 or (moves_db < 0.45 and bend_crest < 3.0)
    return moves_db < 0.6 or bend_crest < 2.6


def _is_few_levels(hops: dict[str, np.ndarray], window: int, channel: int, first_bin: int) -> bool:
    """Whether a plateau is one of the few levels that samples of too few bits have.

    Zeros say so only beside the plateau, in hops that reach it: between sounds there is silence.
    """
    within = slice(window, window + WINDOW_CELLS)
    levels = hops["levels"][within, :, channel]
    every = levels.sum(axis=(0, 1))
    if smeared_steps(every):
        return True
    loud = levels[hops["peak"][within, :, channel] >= 10.0 ** ((TOP_DBFS - BIN_DB * (first_bin + PLATEAU_BINS)) / 20.0)]
    return is_three_levels(loud.sum(axis=0), first_bin + int(every[first_bin : first_bin + PLATEAU_BINS].argmax()))


def _is_offset(hops: dict[str, np.ndarray], window: int, channel: int, first_bin: int) -> bool:
    """Whether a plateau is where the middle of the sound lies: its pauses gather there, or one value stays."""
    within = slice(window, window + WINDOW_CELLS)
    at = hops["levels"][within, :, channel, first_bin : first_bin + PLATEAU_BINS].sum(axis=-1).reshape(-1)
    mean = hops["mean"][within, :, channel].reshape(-1).astype(np.float64)
    lowest = 10.0 ** ((TOP_DBFS - BIN_DB * (first_bin + PLATEAU_BINS - 1)) / 20.0)
    return bool(abs(float(at @ mean)) >= _OFFSET_SHARE * lowest * float(at.sum()))


CLIPPING = Detector(
    name="clipping",
    kinds=("audio.clipping",),
    consumes="audio",
    weigh=clipping,
    limits=ClippingLimits(),
    timing=EventTiming(raise_after_s=0.5, clear_after_s=2.0, major_after_s=2.0, critical_after_s=10.0),
    summary="Sound that is audibly cut off at its peaks, at full scale or, attenuated afterwards, below.",
    source="ours: the share of samples at one level, by clipping planted in programmes under AAC, MP2, Opus and PCM",
)
