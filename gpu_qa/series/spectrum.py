"""Spectra of the sound, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class SpectrumSeries:
    """Spectra of T consecutive steps of 0.1 s of one track. Steps follow one another without a gap within a series.

    Powers are shares of the full-scale square: a full-scale square wave has 1 in all, a full-scale sine 0.5.
    """

    track: int
    """Index of the track in its container."""
    channels: tuple[str, ...]
    """Channel names in order, such as ("FL", "FR")."""
    sample_rate: int
    """Hz."""
    pts_s: np.ndarray
    """float64 [T]: start of the step."""
    end_s: np.ndarray
    """float64 [T]: end of the step."""
    low: np.ndarray
    """float32 [T, C, 512]: power of the line k · `line_hz` in a Hann window of 0.5 s around the step: that of a sine at
    the line. At a gap the nearest window that holds sound throughout."""
    line_hz: float
    """Distance of the lines in Hz: 2, up to half a per mille more or less at unusual sample rates."""
    bands: np.ndarray
    """float32 [T, C, B]: power in each band, the mean of two windows of 25 ms, 25 ms apart."""
    band_floor: np.ndarray
    """float32 [T, C, B]: the lesser of the two."""
    edges_hz: np.ndarray
    """float64 [B + 1]: edges of the bands, those of hearing (Bark) and wider ones above; the last is half the rate."""

    def __len__(self) -> int:
        return len(self.pts_s)
