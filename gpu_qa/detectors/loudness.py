"""Loudness: a programme, or half a minute of it, is louder or quieter than it is meant to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.loudness import (
    ABSOLUTE_GATE_LUFS,
    DUAL_MONO_LU,
    INTEGRATED_GATE_LU,
    add_counts,
    counted,
    gated_lufs,
    integrated_lufs,
    no_counts,
)
from gpu_qa.series import SEVERITIES, Detector, EventTiming, Evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import AudioSeries

BLOCKS_PER_S = 10
"""400 ms blocks that count come ten per second."""
_BLOCK_STEP_S = 0.1
_GOES_ON_S = 3.0
"""A stretch that is too loud or too quiet goes on through pauses of this length: a short-term window."""


@dataclass(frozen=True, slots=True)
class LoudnessLimits:
    """How loud the sound is meant to be. Without a target it is measured and nothing is judged."""

    target_lufs: float | None = None
    """What a programme is meant to be; profiles set it: `ebu` −23, `atsc` −24, `streaming` −18."""
    tolerance_lu: float = 0.5
    """How far a whole programme may be from it, told at the end of a file (EBU R 128; 1.0 for programmes made live)."""
    window_s: float = 30.0
    """Loudness is also taken of the last seconds, as many as this, and told while the stream runs; ours: an
    advertisement's length."""
    window_over_lu: float = 5.0
    """How far above the target that may be (EBU R 128 s1: even the loudest 3 s of short programmes reach no higher)."""
    window_under_lu: float = 10.0
    """How far below the target it may be; ours: what is quieter lies below the gate of BS.1770 and would not even count
    for the programme's loudness."""
    max_short_term_lufs: float | None = None
    """No 3 s may be louder; EBU R 128 s1 asks −18 of advertisements and trailers. Null does not judge it."""
    dual_mono: bool = False
    """True: a track of one channel is played by two loudspeakers, so it is 3.01 LU louder than it reads."""

    def __post_init__(self) -> None:
        if not self.tolerance_lu >= 0 or not self.window_over_lu > 0 or not self.window_under_lu > 0:
            raise ValueError("tolerance_lu must be 0 or more, window_over_lu and window_under_lu more than 0")
        if not 1.0 <= self.window_s <= 3600.0:
            raise ValueError("window_s must be 1 to 3600")


@dataclass(frozen=True, slots=True)
class _TrackCarry:
    """What is remembered of one track."""

    counts: np.ndarray
    """int32: blocks of the whole programme by loudness."""
    blocks: np.ndarray
    """float32: loudness of the last blocks, as many as the window holds."""
    ends_s: np.ndarray
    """float64: their ends."""
    full_hops: int
    """See `gpu_qa.loudness.counted`."""
    number: int
    """Blocks so far."""
    from_s: float
    """Start of the track's first hop."""
    until_s: float
    """End of its last one."""


@dataclass(frozen=True, slots=True)
class LoudnessCarry:
    """Where the judgement of every track stands."""

    tracks: dict[int, _TrackCarry] = field(default_factory=dict)


def loudness(
    series: AudioSeries, limits: LoudnessLimits = LoudnessLimits(), carry: LoudnessCarry | None = None
) -> tuple[list[Evidence], LoudnessCarry | None]:
    """Weigh the gated loudness of the last half minute, once a second, and the short-term loudness of every hop.

    Args:
        series: Consecutive hops of one track.
        limits: How loud it is meant to be.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence per track and side (`loud`, `quiet`), whose value is the window's loudness in LUFS and whose steps
        reach from where the stretch began that is too loud or too quiet; evidence of `short_term` where that has a
        limit; and the carry.
    """
    if not len(series) or (limits.target_lufs is None and limits.max_short_term_lufs is None):
        return [], carry
    louder = DUAL_MONO_LU if limits.dual_mono and len(series.channels) == 1 else 0.0
    found = []
    if limits.max_short_term_lufs is not None:
        found.append(_short_term(series, series.short_term_lufs + np.float32(louder), limits.max_short_term_lufs))
    if limits.target_lufs is None:
        return found, carry
    tracks = {} if carry is None else dict(carry.tracks)
    before = tracks.get(series.track)
    if before is None:
        start_s = float(series.pts_s[0])
        before = _TrackCarry(no_counts(), np.empty(0, np.float32), np.empty(0), 0, 0, start_s, start_s)
    told, full_hops = counted(series.momentary_lufs, before.full_hops)
    new = series.momentary_lufs[told] + np.float32(louder)
    counts = before.counts
    if len(new):
        counts = counts.copy()
        add_counts(counts, new)
    size = round(limits.window_s * BLOCKS_PER_S)
    blocks = np.concatenate((before.blocks, new))
    ends_s = np.concatenate((before.ends_s, series.end_s[told]))
    # A window ends with every tenth block of the stream; `at` counts blocks up to its end.
    first = before.number + 1
    windows = [
        _window(blocks[at - size : at], ends_s[at - size : at], limits, limits.target_lufs)
        for at in range(len(before.blocks) + 1 + (-first) % BLOCKS_PER_S, len(blocks) + 1, BLOCKS_PER_S)
        if at >= size
    ]
    if windows:
        found += _sides(series, windows, limits, limits.target_lufs)
    tracks[series.track] = _TrackCarry(
        counts, blocks[-size:], ends_s[-size:], full_hops, before.number + len(new), before.from_s,
        float(series.end_s[-1]),
    )  # fmt: skip
    return found, LoudnessCarry(tracks)


@dataclass(frozen=True, slots=True)
class _Window:
    """A judged window."""

    end_s: float
    lufs: float
    """NaN where nothing in it is loud enough to count."""
    side: int
    """+1 too loud, −1 too quiet, 0 neither or not known."""
    from_s: float
    """Where the stretch began that makes it so; without one a second before the end."""
    until_s: float
    """Where it ended, or the window's end."""

    def verdict(self, side: int) -> int:
        """Of the evidence of one side."""
        if self.side == side:
            return 1 if self.end_s - self.until_s < _GOES_ON_S else 0
        return 0 if np.isnan(self.lufs) else -1


def _window(blocks: np.ndarray, ends_s: np.ndarray, limits: LoudnessLimits, target_lufs: float) -> _Window:
    lufs, end_s = gated_lufs(blocks), float(ends_s[-1])
    if lufs is None:
        return _Window(end_s, float("nan"), 0, end_s - 1.0, end_s)
    above = lufs - target_lufs
    side = 1 if above > limits.window_over_lu else -1 if above < -limits.window_under_lu else 0
    if side == 0:
        return _Window(end_s, lufs, 0, end_s - 1.0, end_s)
    # The stretch whose blocks lie furthest beyond half the way from the target; pauses say nothing.
    beyond = side * (blocks.astype(np.float64) - (target_lufs + lufs) / 2)
    beyond[~(blocks > max(lufs + INTEGRATED_GATE_LU, ABSOLUTE_GATE_LUFS))] = 0.0
    sums = np.concatenate((np.zeros(1), np.cumsum(beyond)))
    last = int(np.argmax(sums[1:] - np.minimum.accumulate(sums)[:-1]))
    first = last - int(np.argmin(sums[last::-1]))
    return _Window(end_s, lufs, side, float(ends_s[first]) - _BLOCK_STEP_S, float(ends_s[last]))


def _sides(series: AudioSeries, windows: Sequence[_Window], limits: LoudnessLimits, target: float) -> list[Evidence]:
    count = len(windows)
    value = np.array([window.lufs for window in windows], np.float32)
    found = []
    for name, side, limit in (
        ("loud", 1, target + limits.window_over_lu),
        ("quiet", -1, target - limits.window_under_lu),
    ):
        found.append(
            Evidence(
                kind="audio.loudness",
                scope=f"{series.track}:{name}",
                start_s=np.array([w.from_s if w.side == side else w.end_s - 1.0 for w in windows]),
                end_s=np.array([w.until_s if w.side == side else w.end_s for w in windows]),
                verdict=np.array([window.verdict(side) for window in windows], np.int8),
                value=value,
                limit=limit,
                unit="lufs",
                worst="max" if side > 0 else "min",
                details={
                    "track": np.full(count, series.track),
                    "measure": np.full(count, "window"),
                    "window_s": np.full(count, limits.window_s),
                    "target_lufs": np.full(count, target),
                },
                message=f"too {name} for {{duration_s:.0f}} s in audio track {{track}}: {{value:.1f}} LUFS over "
                "{window_s:.0f} s, the target is {target_lufs:.1f} LUFS",
            )
        )
    return found


def _short_term(series: AudioSeries, short_term: np.ndarray, limit: float) -> Evidence:
    count = len(series)
    verdict = np.where(short_term > np.float32(limit), 1, -1)
    verdict[np.isnan(short_term)] = 0
    return Evidence(
        kind="audio.loudness",
        scope=f"{series.track}:short_term",
        start_s=series.pts_s,
        end_s=series.end_s,
        verdict=verdict.astype(np.int8),
        value=short_term,
        limit=limit,
        unit="lufs",
        details={"track": np.full(count, series.track), "measure": np.full(count, "short_term")},
        message="short-term loudness up to {value:.1f} LUFS in audio track {track} (limit {limit:.1f} LUFS)",
    )


def conclude(limits: LoudnessLimits, carry: LoudnessCarry | None) -> list[Evidence]:
    """Weigh the loudness of the whole programme, of every track.

    Args:
        limits: How loud it is meant to be.
        carry: From the last series.

    Returns:
        Evidence of one step over the whole track for each that misses the target, whose value is its integrated
        loudness in LUFS.
    """
    found: list[Evidence] = []
    if limits.target_lufs is None or carry is None:
        return found
    for index, track in sorted(carry.tracks.items()):
        lufs = integrated_lufs(track.counts)
        if lufs is None or abs(lufs - limits.target_lufs) <= limits.tolerance_lu:
            continue
        side = 1 if lufs > limits.target_lufs else -1
        found.append(
            Evidence(
                kind="audio.loudness",
                scope=f"{index}:programme",
                start_s=np.array([track.from_s]),
                end_s=np.array([track.until_s]),
                verdict=np.ones(1, np.int8),
                value=np.array([lufs], np.float32),
                limit=limits.target_lufs + side * limits.tolerance_lu,
                unit="lufs",
                worst="max" if side > 0 else "min",
                details={
                    "track": np.array([index]),
                    "measure": np.array(["programme"]),
                    "target_lufs": np.array([limits.target_lufs]),
                },
                severity_cap=np.full(1, SEVERITIES.index("major"), np.int8),
                message=f"the programme is too {'loud' if side > 0 else 'quiet'} in audio track {{track}}: "
                "{value:.1f} LUFS (target {target_lufs:.1f}, limit {limit:.1f} LUFS)",
            )
        )
    return found


LOUDNESS = Detector(
    name="loudness",
    kinds=("audio.loudness",),
    consumes="audio",
    weigh=loudness,
    limits=LoudnessLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=2.0, major_after_s=30.0, critical_after_s=120.0),
    summary="A programme, or half a minute of it, is louder or quieter than the profile's target.",
    source="ITU-R BS.1770-5, EBU R 128; targets: EBU R 128, ATSC A/85, AES TD1008, none in the default profile",
    conclude=conclude,
)
