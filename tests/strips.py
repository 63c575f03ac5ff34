"""Programmes as series, for whatever lays one over another: noise in picture and sound, never twice the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.sync.abreast import Once, alone
from gpu_qa.sync.picture_alignment import picture_search
from gpu_qa.sync.strip import Strip, extended
from tests.series_builder import audio_series, cut, video_series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import AudioSeries, VideoSeries
    from gpu_qa.sync.picture_alignment import PictureFit
    from gpu_qa.sync.strip import Pictures

RATE = 10
"""Pictures per second."""
LONGEST_S = 400


@dataclass(frozen=True, slots=True)
class Programme:
    """What comes when on a stream's clock, seconds."""

    seed: int = 1
    later_s: float = 0.0
    """The picture comes so much later than in a programme with 0, by whole pictures."""
    skew_s: float = 0.0
    """The sound comes so much earlier than the picture, by whole hops."""

    def video(self, from_s: float, until_s: float) -> VideoSeries:
        """A series of the picture."""
        first, last = round(from_s * RATE), round(until_s * RATE)
        luma = _luma(self.seed)[np.arange(first, last) - round(self.later_s * RATE) + 100 * RATE]
        return video_series(last - first, start_s=first / RATE, frame_rate=RATE, luma=luma)

    def audio(self, from_s: float, until_s: float) -> AudioSeries:
        """A series of sound."""
        first, last = round(from_s * 100), round(until_s * 100)
        at = np.arange(first, last) - round((self.later_s - self.skew_s) * 100) + 10_000
        return audio_series((last - first) / 100, start_s=first / 100, rms_dbfs=_levels(self.seed)[at][:, None])

    def strip(self, until_s: float, *, ended: bool = False) -> Strip:
        """All of it up to a time."""
        return extended(Strip(), [self.video(0, until_s)], [self.audio(0, until_s)], ended=ended)

    def pieces(self, until_s: float, cuts_s: Sequence[float] = ()) -> list[tuple[VideoSeries, AudioSeries]]:
        """Picture and sound up to a time, cut at these."""
        video, audio = _whole(self, until_s)
        cut_video = cut(video, [round(at_s * RATE) for at_s in cuts_s])
        return list(zip(cut_video, cut(audio, [round(at_s * 100) for at_s in cuts_s]), strict=True))


@cache
def _whole(programme: Programme, until_s: float) -> tuple[VideoSeries, AudioSeries]:
    return programme.video(0, until_s), programme.audio(0, until_s)


@cache
def _luma(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).uniform(0.2, 0.8, ((LONGEST_S + 100) * RATE, 6, 7)).astype(np.float32)
    return coarse.repeat(4, axis=1).repeat(6, axis=2)


@cache
def _levels(seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed + 1000).uniform(-50, -10, (LONGEST_S + 100) * 20)
    return np.interp(np.arange((LONGEST_S + 100) * 100) / 5, np.arange(len(drawn)), drawn)


def picture_fit(probe: Pictures, reference: Pictures) -> PictureFit | None:
    """Where a probe's pictures stand in the reference, no more than a second away."""
    return alone(picture_search(probe, reference, Once(), within_s=(-1.0, 1.0), least_s=3.0))
