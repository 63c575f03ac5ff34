"""A small net that tells for every lag how well what is seen fits what is heard."""

from gpu_qa_kernels.sync_net.contract import (
    AUDIO_MARGIN,
    BANDS,
    CHANNELS,
    FRAMES_PER_S,
    LAG_ROWS,
    LAG_S,
    LAGS,
    RATIO,
    SCALES,
    SHAPES,
)
from gpu_qa_kernels.sync_net.net import lag_scores

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
    "lag_scores",
]
