"""Conversions between units, each once. Names read `a_to_b`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fractions import Fraction


def ticks_to_s(ticks: int, time_base: Fraction) -> float:
    """Seconds of a time in ticks; exact to a double's rounding for any int64 of ticks."""
    return ticks * time_base.numerator / time_base.denominator


def power_to_db(power: np.ndarray | float) -> np.ndarray:
    """10·log10 of a power ratio as float64; 0 gives −inf without a warning."""
    with np.errstate(divide="ignore"):
        return np.asarray(10.0 * np.log10(power))


def amplitude_to_db(amplitude: np.ndarray | float) -> np.ndarray:
    """20·log10 of an amplitude ratio as float64; 0 gives −inf without a warning."""
    with np.errstate(divide="ignore"):
        return np.asarray(20.0 * np.log10(amplitude))


def db_to_power(db: float) -> float:
    """Power ratio of a level in decibels."""
    return float(10.0 ** (db / 10.0))


def db_to_amplitude(db: float) -> float:
    """Decibels as an amplitude."""
    return float(10.0 ** (db / 20.0))


def s_to_clock(seconds: float) -> str:
    """Seconds as `h:mm:ss.mmm` for people; negative times keep their sign."""
    ms = round(abs(seconds) * 1000)
    sign = "-" if seconds < 0 and ms else ""
    return f"{sign}{ms // 3_600_000}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"
