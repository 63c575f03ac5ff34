"""Picture freeze: the probe shows one picture for a while in which the reference moves on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa.sync.picture_alignment import cells

if TYPE_CHECKING:
    from gpu_qa.sync.picture_alignment import Area
    from gpu_qa.sync.strip import Pictures

__all__ = ["Freeze", "Run", "frozen_runs", "still_runs", "without"]

STILL = 1 / 255
"""A picture stays where no cell changes by more than this, a fraction of full scale: what coding anew leaves."""
LEAST_STEPS = 3
"""A run of fewer pictures that stay is left to the matching of single pictures."""
MOVES = 4 / 255
"""The reference moves where a cell of it is so far from the first picture of the run, for half of the run at least."""
SHARE = 0.3
"""The probe stays where no cell of it goes further than this share of that. Of 1 s frozen in nine clips the reference
went 6.7 codes and more, the probe 0.23 of that at most; in 50 copies of ten clips that froze nowhere no run had both 4
codes and less than a share of 1."""


class Run(NamedTuple):
    """Pictures that look the same: indices of the first and of the last."""

    first: int
    last: int


class Freeze(NamedTuple):
    """A time in which the probe stands still and the reference does not, seconds of the probe's clock."""

    start_s: float
    end_s: float


def still_runs(probe: Pictures, area: Area, *, least_s: float = 0.0) -> list[Run]:
    """Where the picture stays, for this long and for some pictures at least."""
    stays = np.abs(np.diff(cells(probe.luma, area), axis=0)).max(axis=1) <= STILL
    edges = np.flatnonzero(np.diff(np.concatenate([[False], stays, [False]]).astype(np.int8)))
    runs = [Run(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]
    return [
        run
        for run in runs
        if run.last - run.first >= LEAST_STEPS and probe.end_s[run.last] - probe.pts_s[run.first] >= least_s
    ]


def frozen_runs(
    probe: Pictures,
    reference: Pictures,
    areas: tuple[Area, Area],
    delay_s: float,
    *,
    least_s: float = 0.0,
    edge_s: float = 0.0,
) -> list[Run]:
    """The runs of pictures that stay though the reference moves.

    Args:
        probe: A stretch.
        reference: What it stands in.
        areas: What lies between the bars of the probe, and of the reference.
        delay_s: How much later the probe comes.
        least_s: Shorter runs are left out.
        edge_s: What the delay may be off: so much of both ends of a run is not looked at.
    """
    runs = still_runs(probe, areas[0], least_s=max(least_s, 2 * edge_s))
    if not runs:
        return []
    ours = cells(probe.luma, areas[0])
    half_s = float(np.median(reference.end_s - reference.pts_s)) / 2
    found = []
    for run in runs:
        from_s, until_s = probe.pts_s[run.first] - delay_s + edge_s, probe.end_s[run.last] - delay_s - edge_s
        first = int(np.searchsorted(reference.pts_s, from_s + half_s, "right")) - 1
        last = int(np.searchsorted(reference.pts_s, until_s - half_s))
        # All of it must be there.
        if first < 0 or last - first < 2 or reference.end_s[last - 1] < until_s - half_s:
            continue
        theirs = cells(reference.luma[first:last], areas[1])
        goes = float(np.median(np.abs(theirs[1:] - theirs[0]).max(axis=1)))
        stays = float(np.abs(ours[run.first : run.last + 1] - ours[run.first]).max())
        if goes >= MOVES and stays <= SHARE * goes:
            found.append(run)
    return found


def without(probe: Pictures, runs: list[Run]) -> Pictures:
    """The pictures without those that stay, but for the first of each run."""
    kept = np.ones(len(probe), bool)
    for run in runs:
        kept[run.first + 1 : run.last + 1] = False
    return type(probe)(*(getattr(probe, name)[kept] for name in ("pts_s", "end_s", "luma", "rows_lit", "columns_lit")))
