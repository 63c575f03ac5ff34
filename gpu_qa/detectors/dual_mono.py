"""Dual mono: a programme that was stereo goes on with the same sound in both channels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.channel_pairs import channel_pairs, pair_balance
from gpu_qa.detectors.hop_cells import CELL_HOPS, CELL_S, HopsKept, hop_cells, repeated
from gpu_qa.series import SEVERITIES, Detector, EventTiming, Evidence

if TYPE_CHECKING:
    from gpu_qa.detectors.hop_cells import HopCells
    from gpu_qa.series import AudioSeries


@dataclass(frozen=True, slots=True)
class DualMonoLimits:
    """When two channels count as one. How long they must is `raise_after_s`."""

    raise_side_db: float = -50.0
    """Alike when the power of their difference is this far below that of their sum; ours: the noise of two analogue
    channels stays above, two copies of one channel are below −60, unless an encoder adds noise to both."""
    clear_side_db: float = -30.0
    """Stereo above this; ours."""
    quiet_dbfs: float = -60.0
    """Sound below this level says nothing."""
    stereo_s: float = 20.0
    """A programme must have been stereo for this long, not counting silence, before it can turn mono; ours: a track
    that never was stereo is made so on purpose."""

    def __post_init__(self) -> None:
        if not self.raise_side_db <= self.clear_side_db:
            raise ValueError("raise_side_db must not be above clear_side_db")
        if not self.stereo_s >= 0:
            raise ValueError("stereo_s must be 0 or more")


@dataclass(frozen=True, slots=True)
class _TrackCarry:
    kept: HopsKept
    stereo_cells: tuple[int, ...]
    """Per pair: cells of stereo so far, at most as many as `stereo_s` asks for."""


@dataclass(frozen=True, slots=True)
class DualMonoCarry:
    """What is known of every track."""

    tracks: dict[int, _TrackCarry] = field(default_factory=dict)


def dual_mono(
    series: AudioSeries, limits: DualMonoLimits = DualMonoLimits(), carry: DualMonoCarry | None = None
) -> tuple[list[Evidence], DualMonoCarry]:
    """Weigh the difference of the channels of every pair against their sum.

    Args:
        series: Consecutive hops of one track.
        limits: When two channels count as one.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence per pair with one step per 0.1 s, whose value is the difference's power below the sum's in dB.
    """
    tracks = dict(carry.tracks) if carry is not None else {}
    pairs = channel_pairs(series.channels)
    if not len(series) or not pairs:
        return [], DualMonoCarry(tracks)
    before = tracks.get(series.track)
    cells, kept = hop_cells(series, ("power", "cross"), before.kept if before is not None else None)
    known = before.stereo_cells if before is not None and len(before.stereo_cells) == len(pairs) else (0,) * len(pairs)
    found, counted = [], []
    for pair, stereo in zip(pairs, known, strict=True):
        evidence, stereo_cells = _weighed(series, cells, pair, stereo, limits)
        counted.append(stereo_cells)
        if len(cells):
            found.append(evidence)
    tracks[series.track] = _TrackCarry(kept, tuple(counted))
    return found, DualMonoCarry(tracks)


def _weighed(
    series: AudioSeries, cells: HopCells, pair: int, stereo: int, limits: DualMonoLimits
) -> tuple[Evidence, int]:
    """The pair's evidence, and how many cells of stereo there have been after it."""
    left, right, product = pair_balance(cells.hops["power"], cells.hops["cross"], pair)
    both, twice = (left + right).sum(axis=1), 2.0 * product.sum(axis=1)
    # The cross product is rounded to 24 bits: what is left of equal channels is its last ones.
    side, mid = np.maximum(both - twice, 1e-7 * both), np.maximum(both + twice, 1e-30)
    side_db = 10.0 * np.log10(np.maximum(side / mid, 1e-12))
    is_sound = both > 2.0 * CELL_HOPS * 10.0 ** (limits.quiet_dbfs / 10.0)
    is_stereo = is_sound & (side_db > limits.clear_side_db)
    # Counted before each cell. A cell that is mono has no stereo in it, so its own place in the count is no matter.
    needed = round(limits.stereo_s / CELL_S)
    had = stereo + np.cumsum(is_stereo) >= needed
    verdict = np.where(is_stereo, -1, (is_sound & had & (side_db <= limits.raise_side_db)).astype(int))
    count = len(cells)
    names = list(series.channels[2 * pair : 2 * pair + 2])
    evidence = Evidence(
        kind="audio.dual_mono",
        scope=f"{series.track}:{names[0]}",
        start_s=cells.start_s,
        end_s=cells.end_s,
        verdict=verdict.astype(np.int8),
        value=side_db.astype(np.float32),
        limit=limits.raise_side_db,
        unit="db",
        worst="min",
        details={"track": np.full(count, series.track), "channels": repeated(names, count)},
        severity_cap=np.full(count, SEVERITIES.index("info"), np.int8),
        message="the same sound in both channels of audio track {track} for {duration_s:.0f} s, after stereo",
    )
    return evidence, min(stereo + int(is_stereo.sum()), needed)


DUAL_MONO = Detector(
    name="dual_mono",
    kinds=("audio.dual_mono",),
    consumes="audio",
    weigh=dual_mono,
    limits=DualMonoLimits(),
    timing=EventTiming(raise_after_s=60.0, clear_after_s=1.0, major_after_s=3600.0, critical_after_s=7200.0),
    summary="A stereo programme that has turned mono: the same sound in both channels for a minute.",
    source="ours: for information; scenes without any stereo sound last seconds, a lost width lasts",
)
