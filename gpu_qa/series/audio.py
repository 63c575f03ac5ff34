"""Measures of the sound, hop by hop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class AudioSeries:
    """Measures of T consecutive 10 ms hops of one track. Hops follow one another without a gap within a series."""

    track: int
    """Index of the track in its container."""
    channels: tuple[str, ...]
    """Channel names in order, such as ("FL", "FR")."""
    sample_rate: int
    """Hz."""
    pts_s: np.ndarray
    """float64 [T]: start of the hop."""
    end_s: np.ndarray
    """float64 [T]: end of the hop."""
    peak: np.ndarray
    """float32 [T, C]: largest absolute sample, full scale = 1."""
    power: np.ndarray
    """float32 [T, C]: mean square, full-scale square = 1."""
    k_power: np.ndarray
    """float32 [T, C]: mean square after K-weighting (ITU-R BS.1770-5)."""
    zero_run: np.ndarray
    """int32 [T, C]: longest run of exactly zero samples within the hop."""
    clipped: np.ndarray
    """int32 [T, C]: samples at or above 32 767 / 32 768 of full scale."""
    mean: np.ndarray
    """float32 [T, C]: mean of the samples (DC), full scale = 1."""
    cross: np.ndarray
    """float32 [T, C // 2]: mean product of channels 2i and 2i + 1, full-scale square = 1."""
    same_run: np.ndarray
    """int32 [T, C]: longest run of equal samples, zero or not, within the hop; 1 where no two are equal."""
    true_peak: np.ndarray
    """float32 [T, C]: largest absolute value of the samples and of three points between any two (ITU-R BS.1770-5,
    Annex 2; one point from 96 kHz on, none from 192 kHz on), full scale = 1. Up to 0.12 ms late."""
    fine_power: np.ndarray
    """float32 [T, 4, C]: mean square of each quarter of the hop (2.5 ms), full-scale square = 1."""
    bend_peak: np.ndarray
    """float32 [T, C]: largest |x(n) − 2 x(n − 1) + x(n − 2)|, n in the hop, full scale = 1."""
    bend_power: np.ndarray
    """float32 [T, C]: mean square of that difference, full-scale square = 1."""
    levels: np.ndarray
    """int32 [T, C, 64]: samples by absolute value in bins of 0.75 dB: bin 0 from +5.25 dBFS up, bin k from
    5.25 − 0.75 k dBFS up to the one before, the last one all the rest."""
    momentary_lufs: np.ndarray
    """float32 [T]: loudness of all channels over the 400 ms up to the hop's end (ITU-R BS.1770-5), LUFS; −inf is
    silence, NaN where the sound has not lasted that long since it began or since a gap."""
    short_term_lufs: np.ndarray
    """float32 [T]: the same over 3 s (EBU Tech 3341)."""
    speech: np.ndarray | None = None
    """float32 [T, 12]: log10 of the mean power per line in the bands that speech moves in, all channels as one, in a
    Hann window of 25 ms that ends with the hop, full-scale square = 1; null where nothing that runs asks for it."""

    def __len__(self) -> int:
        return len(self.pts_s)
