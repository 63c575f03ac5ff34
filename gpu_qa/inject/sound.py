"""What all sound of a clip has in common, and how loud a stretch of it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class SoundForm:
    """Rate and channels."""

    sample_rate: int
    """Hz."""
    layout: str
    """libavutil's name, such as `stereo`."""
    channels: int


@dataclass(frozen=True, slots=True)
class SoundLevel:
    """How loud a stretch is before anything is planted."""

    peak: float
    """Largest absolute sample, full scale = 1."""


class LevelMeter:
    """Measures the level of samples that come block by block."""

    def __init__(self) -> None:
        self._peak = 0.0

    def add(self, samples: np.ndarray) -> None:
        """Take more of them, float32 [C, N]."""
        if samples.size:
            self._peak = max(self._peak, float(np.abs(samples).max()))

    @property
    def level(self) -> SoundLevel:
        """Of all that has come."""
        return SoundLevel(self._peak)
