"""Sound faults of time: early, late, or drifting against the picture. Positive is early (ITU-R BT.1359)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gpu_qa.inject.fault import Planting
    from gpu_qa.inject.sound import SoundForm, SoundLevel

_MARGIN = 2
"""Samples on either side of a place that interpolation looks at."""


class Shift:
    """The sound that belongs to a time is heard earlier or later, by an amount that may change.

    Unlike other sound faults it may give fewer or more samples than it is given: none as long as what is to be heard
    has not come, several for one where it has.
    """

    def __init__(self, planting: Planting, form: SoundForm, level: SoundLevel) -> None:
        self._rate = form.sample_rate
        self._early_s = planting.strength
        self._slope = 0.0
        self._kept = np.zeros((form.channels, 0), np.float32)
        self._kept_from = 0
        self.given = 0
        """Index of the first sample that has not been given."""

    def take(self, samples: np.ndarray, first: int, inside: bool) -> np.ndarray:
        """See `SoundFault`."""
        if not self._kept.shape[1]:
            self._kept_from = first
        self._kept = np.concatenate([self._kept, samples], axis=1)
        end = self._kept_from + self._kept.shape[1]
        # From how far back each sample comes, until that is no longer known.
        index = np.arange(self.given, self.given + samples.shape[1] + self._rate)
        at = index + self._early_s * self._rate + self._slope * index
        # Nothing is heard after the clip's end: what is late by then is lost.
        index = index[(at < end - _MARGIN) & (index < end)]
        at = at[: len(index)]
        given = self._sampled(at)
        self.given += len(index)
        until = int(min(at[-1] if len(at) else self._kept_from, end)) - 2 * _MARGIN
        drop = max(0, until - self._kept_from)
        self._kept, self._kept_from = self._kept[:, drop:], self._kept_from + drop
        return given

    def _sampled(self, at: np.ndarray) -> np.ndarray:
        """The sound at fractional sample indices, by a cubic through four samples; zero where there is none."""
        low = np.floor(at).astype(np.int64)
        share = (at - low).astype(np.float32)
        place = low - self._kept_from
        before, here, after, beyond = (self._at(place + step) for step in (-1, 0, 1, 2))
        if not share.any():
            return here
        # Catmull and Rom's spline.
        curve = 2 * before - 5 * here + 4 * after - beyond
        bend = 3 * (here - after) + beyond - before
        return np.asarray(here + 0.5 * share * (after - before + share * (curve + share * bend)), np.float32)

    def _at(self, place: np.ndarray) -> np.ndarray:
        known = (place >= 0) & (place < self._kept.shape[1])
        return np.where(known, self._kept[:, np.where(known, place, 0)], np.float32(0.0))


class Drift(Shift):
    """The distance between picture and sound grows from nothing on."""

    def __init__(self, planting: Planting, form: SoundForm, level: SoundLevel) -> None:
        super().__init__(planting, form, level)
        self._early_s = 0.0
        self._slope = planting.strength / 1000 / 60
