"""Spectra of many channels at once: the power of each line at low frequencies, and in bands up to half the rate.

Both cut the sound into windows that the caller places, so that a window's numbers do not depend on what else is in the
call: any cut of the sound into calls gives the same bits on the same machine. Samples in host memory are measured by
NumPy, torch tensors by torch on the device that holds them, by the same lines. torch is not imported here. Both work in
single precision and agree with the definition (`reference.py`) within 10⁻⁵ of a window's largest power.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from gpu_qa_kernels.spectra.contract import MAX_LEVEL, Bands, check_bands, check_lines
from gpu_qa_kernels.spectra.spectral import band_powers_spectral, line_powers_spectral

__all__ = ["MAX_LEVEL", "Bands", "band_powers", "line_powers"]


def line_powers(samples: Any, starts: Any, *, taps: Any, step: int, window: Any, bins: int) -> Any:
    """Power of each line of a spectrum at low frequencies, after thinning the samples.

    The samples are filtered and every `step`-th is kept: thin sample m is Σ over j of taps[j] · x[m · step + j]. Line k
    stands at k / len(window) of the thin rate. A sine of amplitude a at a line, which the filter passes unchanged, has
    the power a² / 2 there.

    Args:
        samples: float32 [S, N], NumPy or torch, full scale ±1; samples that are no number are 0, larger ones than
            `MAX_LEVEL` count as that.
        starts: Thin sample with which each of T windows begins, whole numbers.
        taps: float32 [J]: the low-pass filter, where the samples are; [1.0] filters nothing.
        step: Of how many filtered samples one is kept.
        window: float32 [L]: what a window's thin samples are multiplied by, where the samples are.
        bins: Lines wanted, from 0 Hz on; those above half the thin rate are 0.

    Returns:
        float32 [S, T, bins].

    Raises:
        ValueError: Types, shapes or numbers do not fit.
    """
    check_lines(samples, starts, taps=taps, step=step, window=window, bins=bins)
    return line_powers_spectral(
        _module(samples), samples, [int(start) for start in starts], taps=taps, step=step, window=window, bins=bins
    )


def band_powers(samples: Any, starts: Any, *, window: Any, edges: Any) -> Bands:
    """Power in bands: the mean over a step's windows, and the least of them.

    Band b holds the lines `edges[b]` to `edges[b + 1]` (exclusive) of a transform as long as the window. The powers of
    bands that cover all lines add up to the mean square of noise.

    Args:
        samples: As in `line_powers`.
        starts: Sample with which each of F windows of T steps begins, whole numbers [T, F].
        window: float32 [L]: what a window's samples are multiplied by, where the samples are.
        edges: Whole numbers [B + 1], rising, within 0 … L // 2 + 1.

    Raises:
        ValueError: Types, shapes or numbers do not fit.
    """
    check_bands(samples, starts, window=window, edges=edges)
    rows = [[int(start) for start in row] for row in starts]
    return band_powers_spectral(_module(samples), samples, rows, window=window, edges=[int(edge) for edge in edges])


def _module(array: Any) -> Any:
    """NumPy or torch, whichever the array is of."""
    return np if isinstance(array, np.ndarray) else sys.modules["torch"]
