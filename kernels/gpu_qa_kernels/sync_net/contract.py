"""What `sync_net` takes and gives."""

from __future__ import annotations

__all__ = [
    "AROUND",
    "AUDIO_MARGIN",
    "BANDS",
    "CHANNELS",
    "FRAMES_PER_S",
    "LAGS",
    "LAG_ROWS",
    "LAG_S",
    "MOVING",
    "PACKED_STEPS",
    "PACKED_ZERO",
    "RATIO",
    "SCALES",
    "SHAPES",
    "SIGNED",
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
"""Measures of a tile: log change, signed change, flow down, flow across, mean luma, its deviation, redness."""
SIGNED = 1
"""Which measure is packed by its arsinh: signed change."""
MOVING = 4
"""So many measures hold midway between two pictures, the others at a picture."""
PACKED_STEPS = (38.0, 25.0, 42.0, 42.0, 1.0, 2.0, 1.0)
"""Steps of each packed measure per unit of it: a byte holds what each can be, and half a step is below the noise that
the net is trained with."""
PACKED_ZERO = (0.0, 128.0, 128.0, 128.0, 0.0, 0.0, 128.0)
"""The byte that stands for 0 of each measure."""
AROUND = 12
"""Steps of the grid on either side over which a measure's own mean is taken: half a second."""
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
