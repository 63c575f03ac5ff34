"""Trial: a small kernel that is compiled and run to see whether a card's kernels work."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

_BLOCKS, _THREADS = 128, 32
"""Numba complains of fewer blocks."""


def _add_blocks(total: Any) -> None:
    """Each thread adds its block's number to its own total."""
    cuda.atomic.add(total, cuda.threadIdx.x, cuda.blockIdx.x)


def counts_right(gpu: int) -> bool:
    """Whether the kernel gives the right sums on card number `gpu`; raises whatever numba and its libraries raise."""
    with cuda.gpus[gpu]:
        total = cuda.to_device(np.zeros(_THREADS, np.int64))
        cuda.jit(_add_blocks)[_BLOCKS, _THREADS](total)
        return bool((total.copy_to_host() == _BLOCKS * (_BLOCKS - 1) // 2).all())
