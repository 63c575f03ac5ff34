"""What `sync_net` takes and gives."""

from __future__ import annotations

__all__ = [
    "AUDIO_MARGIN",
    "BANDS",
    "CHANNELS",
    "FRAMES_PER_S",
    "LAGS",
    "LAG_ROWS",
    "LAG_S",
    "RATIO",
    "SCALES",
    "SHAPES",
]

FRAMES_PER_S = 25
"""Pictures per second of the grid that pictures are interpolated to."""
RATIO = 4
"""Rows of sound per picture: 100 a second."""
AUDIO_MARGIN = 160
"""Rows of sound before the first and after the last picture."""
LAGS = 101
"""Lags: −1 … 1 s."""
LAG_ROWS = 2
"""Rows between lags."""
LAG_S = LAG_ROWS / (RATIO * FRAMES_PER_S)
"""Seconds between lags."""
SCALES = (1, 3, 5)
"""Sides of the squares of tiles that may belong together."""
BANDS = 12
"""Bands of sound."""
CHANNELS = 7
"""Measures of a tile."""
SHAPES = {
    "picture_1": (16 * CHANNELS, 16),
    "picture_1_bias": (16,),
    "picture_2": (5 * 16, 16),
    "picture_2_bias": (16,),
    "picture_3": (5 * 16, 8),
    "gate": (18,),
    "gate_bias": (),
    "sound_1": (9 * BANDS, 24),
    "sound_1_bias": (24,),
    "sound_2": (9 * 24, 24),
    "sound_2_bias": (24,),
    "sound_3": (5 * 24, 8),
    "sharpness": (),
    "scale_bias": (len(SCALES),),
}
"""Shapes of the weights."""
