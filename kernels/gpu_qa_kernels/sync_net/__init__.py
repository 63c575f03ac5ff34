"""A small net that tells for every lag how well what is seen fits what is heard."""

from gpu_qa_kernels.sync_net.contract import (
    AROUND,
    AUDIO_MARGIN,
    BANDS,
    CHANNELS,
    FRAMES_PER_S,
    LAG_ROWS,
    LAG_S,
    LAGS,
    MOVING,
    PACKED_STEPS,
    PACKED_ZERO,
    RATIO,
    SCALES,
    SHAPES,
    SIGNED,
)
from gpu_qa_kernels.sync_net.cpu import lag_scores_cpu, prepare_cpu
from gpu_qa_kernels.sync_net.net import lag_scores

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
    "lag_scores",
    "lag_scores_cpu",
    "prepare_cpu",
]
