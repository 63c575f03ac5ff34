"""The definition of `line_powers` and `band_powers`: sums over sines, in double precision, clear and slow."""

from __future__ import annotations

import numpy as np

from gpu_qa_kernels.spectra.contract import MAX_LEVEL, Bands

__all__ = ["band_powers_reference", "line_powers_reference"]


def line_powers_reference(
    samples: np.ndarray, starts: np.ndarray, *, taps: np.ndarray, step: int, window: np.ndarray, bins: int
) -> np.ndarray:
    """Power of lines; arguments and result as `gpu_qa_kernels.spectra.line_powers`."""
    powers = np.zeros((len(samples), len(starts), bins))
    for s, channel in enumerate(_held(samples)):
        for t, start in enumerate(starts):
            thin = [float((taps * channel[m * step : m * step + len(taps)]).sum()) for m in start + _count(window)]
            lines = _lines(np.array(thin), window)[:bins]
            powers[s, t, : len(lines)] = 2 * lines / window.astype(np.float64).sum() ** 2
    powers[:, :, 0] /= 2
    return powers.astype(np.float32)


def band_powers_reference(samples: np.ndarray, starts: np.ndarray, *, window: np.ndarray, edges: np.ndarray) -> Bands:
    """Power in bands; arguments and result as `gpu_qa_kernels.spectra.band_powers`."""
    powers = np.zeros((len(samples), *np.shape(starts), len(edges) - 1))
    scale = len(window) * (window.astype(np.float64) ** 2).sum()
    for s, channel in enumerate(_held(samples)):
        for t, row in enumerate(starts):
            for f, start in enumerate(row):
                lines = _lines(channel[start + _count(window)], window)
                lines *= _sides(len(window)) / scale
                for b in range(len(edges) - 1):
                    powers[s, t, f, b] = lines[edges[b] : edges[b + 1]].sum()
    return Bands(powers.mean(2).astype(np.float32), powers.min(2).astype(np.float32))


def _held(samples: np.ndarray) -> np.ndarray:
    finite = np.where(np.isfinite(samples), samples, 0.0)
    return np.asarray(np.clip(finite.astype(np.float64), -MAX_LEVEL, MAX_LEVEL))


def _count(window: np.ndarray) -> np.ndarray:
    return np.arange(len(window))


def _lines(values: np.ndarray, window: np.ndarray) -> np.ndarray:
    """|Σ w x e^(−2πi k n / L)|² of the lines k = 0 … L // 2."""
    n = _count(window)
    turns = np.exp(-2j * np.pi * np.outer(np.arange(len(window) // 2 + 1), n) / len(window))
    return np.asarray(np.abs(turns @ (window.astype(np.float64) * values)) ** 2)


def _sides(length: int) -> np.ndarray:
    """How many of a whole transform's lines each one of half of it stands for."""
    sides = np.full(length // 2 + 1, 2.0)
    sides[0] = 1.0
    if length % 2 == 0:
        sides[-1] = 1.0
    return sides
