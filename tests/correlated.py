"""Series to correlate, on the host and wherever else they may lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from gpu_qa_kernels.cross_correlation import Correlation, Peaks, correlation_peaks, cross_correlation

Place = Callable[[Any], Any]
"""Puts a NumPy array where it is to be correlated."""
PLACES = ("numpy", "torch", pytest.param("cuda", marks=pytest.mark.needs_cuda))


def placed(name: str) -> Place:
    """What puts arrays in one of `PLACES`."""
    if name == "numpy":
        return lambda array: array
    device = "cuda" if name == "cuda" else "cpu"
    return lambda array: torch.from_numpy(array).to(device)


def host(array: Any) -> np.ndarray:
    values: np.ndarray = array if isinstance(array, np.ndarray) else array.cpu().numpy()
    return values


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def holes(*shape: int, seed: int = 0) -> np.ndarray:
    """A mask with short and long gaps."""
    valid = np.random.default_rng([seed, *shape]).random(shape) > 0.1
    valid[:, shape[1] // 3 : shape[1] // 2] = False
    return valid


def correlated(place: Place, a: np.ndarray, b: np.ndarray, **rest: Any) -> Correlation:
    """What the kernel gives in that place, back in host memory."""
    moved = {name: place(value) if isinstance(value, np.ndarray) else value for name, value in rest.items()}
    found = cross_correlation(place(a), place(b), **moved)
    assert type(found.coefficient) is type(place(a))
    return Correlation(host(found.coefficient), host(found.overlap))


def peaks(place: Place, curves: np.ndarray, *, first_lag: int, apart: int) -> Peaks:
    return Peaks(*map(host, correlation_peaks(place(curves), first_lag=first_lag, apart=apart)))
