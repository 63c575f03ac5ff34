"""Pictures on a fixed grid of 25 Hz, cut into windows that hold no cut: what the content way looks at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.sync.measures import between, tile_motion
from gpu_qa_kernels.motion_grid import packed_on_grid
from gpu_qa_kernels.motion_tiles import SIDE, Motion
from gpu_qa_kernels.sync_net import FRAMES_PER_S

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

LONGEST = 75
"""Steps of the grid in a window: 3 s, about the longest that the net is trained on. Of 2, 3 and 4 s what answers
most of those who talk (docs/detectors/av_offset.md)."""
SHORTEST = 20
"""A shorter shot says too little."""
_CUT_CODES = 12.0
"""Change of the tiles' means, 8-bit codes, from which on a picture may begin a shot."""
_CUT_TIMES = 4.0
"""How many times the median of the pictures before it that is."""
_BEFORE = 12
"""Pictures whose change a cut is compared with."""
_GAP_S = 0.25
"""Pictures farther apart than this are of different shots."""
_CODES = 255.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What shots are cut from, of a `VideoSeries`: it keeps no more of the series in memory."""

    pts_s: np.ndarray
    end_s: np.ndarray
    motion: np.ndarray | None
    chroma: np.ndarray
    comparable: np.ndarray


def seen(series: VideoSeries) -> Seen:
    """The part of a series that is looked at."""
    return Seen(series.pts_s, series.end_s, series.motion, series.chroma.copy(), series.comparable)


@dataclass(frozen=True, slots=True)
class Window:
    """Pictures of one shot."""

    first: int
    """Step of the grid, on the stream's clock: `first` / 25 s is the first one."""
    motion: np.ndarray
    """uint8 [T, 7, R, K]: `tile_motion` on the grid, by `packed_on_grid`."""

    def __len__(self) -> int:
        return len(self.motion)


@dataclass(frozen=True, slots=True)
class ShotCarry:
    """The shot that goes on."""

    time_s: float = -np.inf
    """Of the last picture."""
    levels: np.ndarray | None = None
    """float32 [R, K]: its mean luma, 8-bit codes."""
    measures: np.ndarray | None = None
    """float32 [n, 7, R, K]: of its last pictures, from which the grid goes on; null where a shot begins with it."""
    times_s: tuple[float, ...] = ()
    mids_s: tuple[float, ...] = ()
    """When the pictures of `measures` are shown, and the middle between each and the one before."""
    changes: tuple[float, ...] = ()
    """Change of the last pictures of the shot, 8-bit codes."""
    first: int = 0
    """Step of the grid at which `blocks` begin."""
    blocks: tuple[np.ndarray, ...] = ()
    """uint8 [·, 7, R, K]: of the window that grows."""


def cut_shots(series: VideoSeries | Seen, carry: ShotCarry) -> tuple[list[Window], ShotCarry]:
    """Windows that became complete with these pictures: by length, or by a cut or a gap."""
    if series.motion is None:
        return [], carry
    done: list[Window] = []
    levels = series.motion[:, Motion.LUMA] / (SIDE * SIDE)
    before = levels[:1] if carry.levels is None else carry.levels[None]
    steps = np.abs(np.diff(levels, axis=0, prepend=before)).mean((1, 2))
    edges = np.concatenate([[carry.time_s], series.pts_s])
    begin = 0
    changes = list(carry.changes)
    for index, change in enumerate(steps.tolist()):
        cuts = change > _CUT_CODES and change > _CUT_TIMES * (median(changes[-_BEFORE:]) if changes else 0.0) + 2.0
        if cuts or not series.comparable[index] or series.pts_s[index] - edges[index] > _GAP_S:
            carry, windows = _grown(carry, series, slice(begin, index))
            done += [*windows, *_ended(carry)]
            carry = ShotCarry(time_s=float(series.pts_s[index]))
            begin, changes = index + 1, []
        else:
            changes.append(change)
    carry, windows = _grown(carry, series, slice(begin, len(levels)))
    last = replace(carry, time_s=float(series.pts_s[-1]), levels=levels[-1].copy(), changes=tuple(changes[-_BEFORE:]))
    return done + windows, last


def end_shots(carry: ShotCarry) -> list[Window]:
    """The window that still grows, where nothing follows."""
    return _ended(carry)


def _ended(carry: ShotCarry) -> list[Window]:
    return [_window(carry)] if sum(map(len, carry.blocks)) >= SHORTEST else []


def _window(carry: ShotCarry) -> Window:
    return Window(carry.first, carry.blocks[0] if len(carry.blocks) == 1 else np.concatenate(carry.blocks))


def _grown(carry: ShotCarry, series: VideoSeries | Seen, part: slice) -> tuple[ShotCarry, list[Window]]:
    """Continue a shot with some pictures of a series."""
    times_s = series.pts_s[part]
    if not len(times_s) or series.motion is None:
        return carry, []
    step_s = np.diff(times_s, prepend=carry.time_s)
    redness = (series.chroma[part, 1] - series.chroma[part, 0]) * _CODES
    measures = tile_motion(series.motion[part], redness, step_s)
    mids_s = times_s - step_s / 2
    if carry.measures is not None:
        measures = np.concatenate([carry.measures, measures])
        times_s, mids_s = np.append(carry.times_s, times_s), np.append(carry.mids_s, mids_s)
    known = sum(map(len, carry.blocks))
    first = int(np.ceil(times_s[0] * FRAMES_PER_S - 1e-6)) if carry.measures is None else carry.first
    until = int(np.floor(mids_s[-1] * FRAMES_PER_S + 1e-6)) + 1
    blocks, windows = carry.blocks, []
    if len(times_s) > 1 and until > first + known:
        grid_s = np.arange(first + known, until) / FRAMES_PER_S
        blocks = (*blocks, packed_on_grid(measures, *between(times_s, mids_s, grid_s)))
    while sum(map(len, blocks)) >= LONGEST:
        whole = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        windows.append(Window(first, whole[:LONGEST].copy()))
        first, blocks = first + LONGEST, (whole[LONGEST:].copy(),)
    grid_until_s = (first + sum(map(len, blocks)) - 1) / FRAMES_PER_S
    kept = max(int(np.searchsorted(mids_s, grid_until_s, side="right")) - 1, 0)
    kept = min(kept, max(int(np.searchsorted(times_s, grid_until_s, side="right")) - 1, 0))
    return (
        replace(
            carry,
            time_s=float(times_s[-1]),
            measures=measures[kept:].copy(),
            times_s=tuple(times_s[kept:].tolist()),
            mids_s=tuple(mids_s[kept:].tolist()),
            first=first,
            blocks=blocks,
        ),
        windows,
    )
