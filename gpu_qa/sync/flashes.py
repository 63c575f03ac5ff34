"""Flashes: the picture, or a fixed part of it, is bright for a moment and then as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

RISE = 0.25
"""Tiles belong to a flash that become brighter by this much, full scale = 1 (BT.1702's flashes begin at a tenth)."""
TILES = 8
"""Tiles that a flash fills at least, of 1008: a corner of a twelfth of the picture's width and height."""
ALIKE = 0.6
"""Tiles of the region rise by this share of the rise of its brightest tenth at least."""
CALM_S = 0.15
"""The region lies still for so long before the flash."""
CALM = 0.2
"""It counts as still where its mean stays within this share of the rise."""
LONGEST_S = 0.35
"""A flash is over after this: markers last one to five frames, a camera's flash less."""
AFTER_S = 0.1
"""After it the region is as before for so long."""
BACK = 0.35
"""It counts as before where no more than this share of the rise is left: codecs need a frame or two."""
BLACK = 0.05
"""After a white flash it may also be black, at most this luma, full scale = 1: a countdown leader ends so."""
FULL = 0.8
"""A first frame with this share of the light counts as wholly exposed: coarse coding takes as much."""
WHITE = 0.93
"""A frame of at least this luma, full scale = 1, was wholly exposed, or all but a seventh of it."""
TRACE = 0.02
"""A frame with less than this share of the light is not exposed to the flash at all."""
GAMMA = 2.4
"""From codes to light (ITU-R BT.1886)."""
BEHIND_S = CALM_S + 0.05
AHEAD_S = LONGEST_S + AFTER_S + 0.1
"""How much around a frame must be known to judge it."""


@dataclass(frozen=True, slots=True)
class Flash:
    """One flash."""

    at_s: float
    """When it begins, seconds: within the first frame where its exposure shows it."""
    frame_s: float
    """Length of its first frame, seconds."""
    area: float
    """Share of the picture, 0…1."""
    region: bytes
    """The tiles it fills, one bit each."""
    frames: int
    """How many it lasts, the first one among them however weak."""
    peak: float
    """Mean luma of its region at its brightest, full scale = 1."""

    def like(self, other: Flash) -> float:
        """Share of the tiles of both together that are in both regions, 0…1."""
        mine, others = np.frombuffer(self.region, np.uint8), np.frombuffer(other.region, np.uint8)
        if len(mine) != len(others):
            return 0.0
        both, either = np.bitwise_count(mine & others).sum(), np.bitwise_count(mine | others).sum()
        return float(both) / max(1.0, float(either))


@dataclass(frozen=True, slots=True, eq=False)
class FlashCarry:
    """The frames around the next one to judge; about 0.8 s of them."""

    pts_s: np.ndarray | None = None
    """float64 [T]; null before the first frame."""
    end_s: np.ndarray | None = None
    """float64 [T]."""
    luma: np.ndarray | None = None
    """float32 [T, R · K]."""
    judged: int = 0
    """Frames at the beginning that have been judged."""
    from_s: float = np.inf
    """From here on flashes are seen: the picture has begun and its first calm is over."""
    last_s: float = -np.inf
    """When the last flash began."""
    until_s: float = -np.inf
    """Up to here all flashes are known."""


def flashes(
    video: VideoSeries | None, carry: FlashCarry | None = None, *, finished: bool = False
) -> tuple[list[Flash], FlashCarry]:
    """Find the flashes of a picture.

    Args:
        video: What comes next; null where nothing does.
        carry: From the step before; null at the start of a stream.
        finished: Nothing more comes: what is not seen counts as calm.

    Returns:
        The flashes around which all is known, in order of time, and the carry.
    """
    carry = carry or FlashCarry()
    if video is None or not len(video):
        if not finished or carry.pts_s is None:
            return [], carry
        pts_s, end_s, luma = carry.pts_s, carry.end_s, carry.luma
    else:
        tiles = video.luma.reshape(len(video), -1)
        pts_s, end_s, luma = video.pts_s, video.end_s, tiles
        if carry.pts_s is not None and carry.end_s is not None and carry.luma is not None:
            pts_s = np.concatenate((carry.pts_s, pts_s))
            end_s = np.concatenate((carry.end_s, end_s))
            luma = np.concatenate((carry.luma, luma))
    assert end_s is not None and luma is not None  # noqa: S101, PT018 - all three are there or none is
    from_s = min(carry.from_s, float(pts_s[0]) + CALM_S)
    until = len(pts_s) if finished else int(np.searchsorted(pts_s, pts_s[-1] - AHEAD_S))
    found: list[Flash] = []
    last_s = carry.last_s
    for first in _candidates(luma, carry.judged, until):
        flash = _flash(pts_s, end_s, luma, first)
        # The frames around a beginning may both look like it: the first one stands.
        if flash is not None and flash.at_s - last_s > CALM_S:
            found.append(flash)
            last_s = flash.at_s
    judged = max(until, carry.judged)
    start = int(np.searchsorted(pts_s, pts_s[min(judged, len(pts_s) - 1)] - BEHIND_S))
    # Frames may be farther apart than that: the one before the next is always kept.
    start = min(start, max(0, judged - 1))
    until_s = max(carry.until_s, float(pts_s[judged] if judged < len(pts_s) else end_s[-1]))
    kept = FlashCarry(
        pts_s[start:].copy(), end_s[start:].copy(), luma[start:].copy(), judged - start, from_s, last_s, until_s
    )
    return found, kept


def _candidates(luma: np.ndarray, start: int, stop: int) -> list[int]:
    """Frames with which many tiles become brighter at once, though the frame before them did not do so."""
    start = max(1, start)
    if stop <= start:
        return []
    low = max(1, start - 1)
    near = luma[low - 1 : stop + 1]
    step = near[1:] - near[:-1]
    if step.max() <= RISE / 2:
        return []
    # Within two frames, so that a partly exposed first one counts as well.
    pair = step.copy()
    pair[:-1] += step[1:]
    rising = (np.maximum(pair, step) > RISE).sum(1) >= TILES
    return [low + i for i in np.flatnonzero(rising).tolist() if start <= low + i < stop]


def _flash(pts_s: np.ndarray, end_s: np.ndarray, luma: np.ndarray, first: int) -> Flash | None:
    """The flash that begins with the frame `first`, if one does."""
    base = luma[first - 1]
    risen = luma[first : first + 2].max(0) - base
    largest = np.sort(risen)[-max(TILES, len(risen) // 100) :]
    region = risen > max(RISE, ALIKE * float(largest[len(largest) // 2]))
    if region.sum() < TILES:
        return None
    last = int(np.searchsorted(pts_s, pts_s[first] + AHEAD_S))
    early = min(int(np.searchsorted(pts_s, pts_s[first] - CALM_S - 1e-6)), first - 1)
    level = luma[early:last][:, region].mean(1) - base[region].mean()
    before, after = level[: first - early], level[first - early :]
    rise = float(after[:3].max())
    if rise < RISE or np.abs(before).max() > CALM * rise or after[0] < 0.1 * rise:
        return None
    gone = np.flatnonzero(after < 0.5 * rise)
    gone = gone[gone > int(after[:3].argmax())]
    times_s = pts_s[first:last]
    if not len(gone) or times_s[gone[0]] - times_s[0] > LONGEST_S:
        return None
    dark = float(base[region].mean())
    settled = after[gone[0] + 1 :][times_s[gone[0] + 1 :] <= times_s[gone[0]] + AFTER_S]
    is_black = dark + rise >= WHITE and len(settled) > 0 and dark + settled.max() <= BLACK
    if len(settled) and np.abs(settled).max() > BACK * rise and not is_black:
        return None
    frame_s = float(min(end_s[first], pts_s[first + 1] if first + 1 < len(pts_s) else end_s[first]) - pts_s[first])
    at_s = float(pts_s[first])
    # Light adds up while a frame is exposed.
    light = np.clip(dark + after[:3], 0.0, 1.5) ** GAMMA - max(dark, 0.0) ** GAMMA
    share = float(light[0] / max(light.max(), 1e-6))
    lit = light > 0.1 * light.max()
    peak = dark + rise
    if peak < WHITE and lit.sum() == 2 and lit[0] and lit[1]:
        # No frame was wholly exposed: a flash as long as a frame fell into two.
        share = float(light[0] / light[:2].sum())
        at_s += frame_s * (1.0 - share)
    elif TRACE < share < FULL:
        at_s += frame_s * (1.0 - share)
    return Flash(at_s, frame_s, float(region.mean()), np.packbits(region).tobytes(), int(gone[0]), peak)
