"""`line_powers` and `band_powers` by Fourier transforms, written once for NumPy and torch: `xp` is either module.

Each window is transformed by itself and each sum runs along one window only, so batches of any size give the same bits.
A matrix product would not: its blocks depend on the shape.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from gpu_qa_kernels.spectra.contract import MAX_LEVEL, Bands

__all__ = ["band_powers_spectral", "line_powers_spectral"]


def line_powers_spectral(
    xp: Any, samples: Any, starts: list[int], *, taps: Any, step: int, window: Any, bins: int
) -> Any:
    """Filter and thin, then transform; arguments and result as `gpu_qa_kernels.spectra.line_powers`."""
    powers = xp.zeros((samples.shape[0], len(starts), bins), dtype=xp.float32, device=samples.device)
    if not starts or not samples.shape[0]:
        return powers
    first, last = min(starts), max(starts) + len(window)
    part = _held(xp, samples[:, first * step : (last - 1) * step + len(taps)])
    thin = part if len(taps) == 1 and step == 1 else xp.einsum("stj,j->st", _windows(xp, part, len(taps), step), taps)
    lines = _lines(xp, thin, [start - first for start in starts], window, bins)
    scale = 2.0 / float(window.sum(dtype=xp.float64)) ** 2
    xp.multiply(lines, scale, out=powers[..., : lines.shape[-1]])
    powers[..., 0] *= 0.5
    return powers


def band_powers_spectral(xp: Any, samples: Any, starts: list[list[int]], *, window: Any, edges: list[int]) -> Bands:
    """Transform and add up; arguments and result as `gpu_qa_kernels.spectra.band_powers`."""
    count, frames, length = len(edges) - 1, len(starts[0]) if starts else 1, len(window)
    shape = (samples.shape[0], len(starts), count)
    if not starts or not samples.shape[0]:
        none = xp.zeros(shape, dtype=xp.float32, device=samples.device)
        return Bands(none, none)
    places = [start for row in starts for start in row]
    first = min(places)
    part = _held(xp, samples[:, first : max(places) + length])
    lines = _lines(xp, part, [start - first for start in places], window, edges[-1])
    lines[..., 0] *= 0.5
    if length % 2 == 0 and edges[-1] > length // 2:
        lines[..., -1] *= 0.5
    scale = 2.0 / (length * float((window * window).sum(dtype=xp.float64)))
    powers = (_sums(xp, lines, edges) * scale).reshape(shape[0], shape[1], frames, count)
    mean, least = powers[:, :, 0], powers[:, :, 0]
    for frame in range(1, frames):
        mean, least = mean + powers[:, :, frame], xp.minimum(least, powers[:, :, frame])
    return Bands(mean * (1.0 / frames), least)


def _held(xp: Any, samples: Any) -> Any:
    """The samples as numbers within ±`MAX_LEVEL`."""
    # What is no number is not within anything.
    if bool(samples.max() <= MAX_LEVEL) and bool(samples.min() >= -MAX_LEVEL):
        return samples
    finite = xp.where(xp.isfinite(samples), samples, 0.0)
    return xp.clip(finite, -MAX_LEVEL, MAX_LEVEL)


def _windows(xp: Any, samples: Any, length: int, step: int) -> Any:
    """A view [S, M, length] of what lies under a window that moves on by `step`."""
    if xp is np:
        return np.lib.stride_tricks.sliding_window_view(samples, length, -1)[:, ::step]
    return samples.unfold(-1, length, step)


def _lines(xp: Any, samples: Any, starts: list[int], window: Any, count: int) -> Any:
    """|transform|² of the windows that begin at `starts`, their first lines, float32 [S, T, up to `count`]."""
    length = len(window)
    cut = xp.empty((samples.shape[0], len(starts), length), dtype=xp.float32, device=samples.device)
    for place, start in enumerate(starts):
        xp.multiply(samples[:, start : start + length], window, out=cut[:, place])
    whole = xp.fft.rfft(cut)[..., :count]
    real, imaginary = whole.real, whole.imag
    lines = real * real
    lines += imaginary * imaginary
    return lines


def _sums(xp: Any, lines: Any, edges: list[int]) -> Any:
    """Sums of the lines between edges, float32 [S, T, B]."""
    if xp is np:
        return np.add.reduceat(lines[..., : edges[-1]], edges[:-1], axis=-1)
    return xp.stack([lines[..., low:high].sum(-1) for low, high in itertools.pairwise(edges)], -1)
