"""Strips: the last stretch of a stream, in the few numbers by which the same programme is known again elsewhere.

A strip is a value: `extended` and `trimmed` give new ones. It holds its series as they came, so that adding to it costs
nothing and any cut of the stream into series gives the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import AudioSeries, VideoSeries

__all__ = ["Pictures", "Sound", "Strip", "extended", "pictures_between", "sound_between", "trimmed"]

BAR_LUMA = 0.03
"""Fraction of full scale up to which a sample may belong to a bar: 7 codes above black, more than H.264 leaves."""
FLOOR_POWER = 1e-7
"""Mean square that is added before the logarithm, −70 dBFS: coders change what is quieter."""
CHANNEL_ROWS = 3
"""Rows of `Sound.hops`."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """What T pictures look like."""

    pts_s: np.ndarray
    """float64 [T]."""
    end_s: np.ndarray
    """float64 [T]: when each gives way to the next, as far as known."""
    luma: np.ndarray
    """float32 [T, R, K]: mean luma per tile, fractions of full scale."""
    rows_lit: np.ndarray
    """float32 [T, H]: share of each row of the small picture that is brighter than a bar."""
    columns_lit: np.ndarray
    """float32 [T, W]: the same of each column."""

    def __len__(self) -> int:
        return len(self.pts_s)


@dataclass(frozen=True, slots=True)
class Sound:
    """Envelopes of T hops of sound, natural logarithms of powers averaged over the channels."""

    pts_s: np.ndarray
    """float64 [T]."""
    end_s: np.ndarray
    """float64 [T]."""
    fine: np.ndarray
    """float32 [T, 4]: of each quarter of the hop."""
    hops: np.ndarray
    """float32 [T, 3]: of the hop as it is, K-weighted, and of its second difference, which is its treble."""
    power: np.ndarray
    """float32 [T]: mean square of the loudest channel, full-scale square = 1."""

    def __len__(self) -> int:
        return len(self.pts_s)


@dataclass(frozen=True, slots=True)
class Strip:
    """A stretch of stream up to now. A new one is empty."""

    pictures: tuple[Pictures, ...] = ()
    """In order; one for each series."""
    sound: tuple[Sound, ...] = ()
    """Of one track, in order."""
    track: int | None = None
    """Index of that track in its container: the first of which sound came."""
    until_s: float = 0.0
    """How far the stream has come."""
    pictures_until_s: float = 0.0
    """End of the last picture."""
    sound_until_s: float = 0.0
    """End of the last sound."""
    ended: bool = False
    """Nothing follows."""


def extended(
    strip: Strip,
    video: Sequence[VideoSeries] = (),
    audio: Sequence[AudioSeries] = (),
    *,
    until_s: float | None = None,
    ended: bool = False,
) -> Strip:
    """The strip with what came next.

    Args:
        strip: As it was.
        video: Series of the picture, in order.
        audio: Series of sound; those of other tracks than the strip's are left out.
        until_s: How far the stream has come; null: as far as these series.
        ended: Nothing follows.
    """
    track = strip.track if strip.track is not None or not audio else audio[0].track
    pictures = tuple(_pictures(series) for series in video if len(series))
    sound = tuple(_sound(series) for series in audio if series.track == track and len(series))
    pictures_until_s = max([strip.pictures_until_s, *(float(one.end_s[-1]) for one in pictures)])
    sound_until_s = max([strip.sound_until_s, *(float(one.end_s[-1]) for one in sound)])
    return Strip(
        strip.pictures + pictures,
        strip.sound + sound,
        track,
        max(strip.until_s, pictures_until_s, sound_until_s, until_s or 0.0),
        pictures_until_s,
        sound_until_s,
        strip.ended or ended,
    )


def trimmed(strip: Strip, from_s: float) -> Strip:
    """The strip without the series that end before a time, in seconds."""
    return replace(
        strip,
        pictures=tuple(one for one in strip.pictures if one.end_s[-1] >= from_s),
        sound=tuple(one for one in strip.sound if one.end_s[-1] >= from_s),
    )


def pictures_between(strip: Strip, from_s: float, until_s: float) -> Pictures | None:
    """The pictures that are shown at some time of a stretch; null where there is none."""
    found = [one for one in strip.pictures if one.end_s[-1] > from_s and one.pts_s[0] < until_s]
    if not found:
        return None
    pts_s, end_s = (np.concatenate([getattr(one, name) for one in found]) for name in ("pts_s", "end_s"))
    first, last = np.searchsorted(end_s, from_s, "right"), np.searchsorted(pts_s, until_s)
    if first >= last:
        return None
    cut = slice(int(first), int(last))
    return Pictures(
        pts_s[cut],
        end_s[cut],
        *(np.concatenate([getattr(one, name) for one in found])[cut] for name in ("luma", "rows_lit", "columns_lit")),
    )


def sound_between(strip: Strip, from_s: float, until_s: float) -> Sound | None:
    """The hops that sound at some time of a stretch; null where there is none."""
    found = [one for one in strip.sound if one.end_s[-1] > from_s and one.pts_s[0] < until_s]
    if not found:
        return None
    names = ("pts_s", "end_s", "fine", "hops", "power")
    joined = [np.concatenate([getattr(one, name) for one in found]) for name in names]
    inside = (joined[1] > from_s) & (joined[0] < until_s)
    return Sound(*(one[inside] for one in joined)) if inside.any() else None


def _pictures(series: VideoSeries) -> Pictures:
    scale = 256.0
    lit = series.small > scale * (series.black_code + BAR_LUMA * (series.white_code - series.black_code))
    return Pictures(
        series.pts_s,
        series.end_s,
        np.array(series.luma, np.float32),
        lit.mean(axis=2, dtype=np.float32),
        lit.mean(axis=1, dtype=np.float32),
    )


def _sound(series: AudioSeries) -> Sound:
    powers = (series.power, series.k_power, series.bend_power)
    return Sound(
        series.pts_s,
        series.end_s,
        np.log(series.fine_power.mean(axis=2) + FLOOR_POWER).astype(np.float32),
        np.log(np.stack([power.mean(axis=1) for power in powers], axis=1) + FLOOR_POWER).astype(np.float32),
        series.power.max(axis=1),
    )
