"""Filters of `audio_stats` on the CPU: the biquads of two channels at once, and the interpolation filter."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from gpu_qa_kernels.audio_stats.contract import TINY

__all__ = ["between", "weigh_two"]

_TINY = TINY

# No fastmath: the order of the filters' sums is part of the definition.
_inline = numba.njit(nogil=True, boundscheck=False)


@_inline
def _flushed(value: float) -> float:
    return 0.0 if abs(value) < _TINY else value


@_inline
def weigh_two(one: Any, other: Any, coefficients: Any, first: Any, second: Any) -> Any:
    """Energies of two channels' samples behind both biquads; their states `first` and `second` are updated.

    The samples are held within `MAX_LEVEL`. Each sum waits for the one before it, so two channels together take no
    longer than one alone.
    """
    b0, a1, a2 = coefficients[0, 0], coefficients[0, 3], coefficients[0, 4]
    d0, c1, c2 = coefficients[1, 0], coefficients[1, 3], coefficients[1, 4]
    # What a state becomes is written by the state before and not by the output, which would be known later.
    b1, b2 = coefficients[0, 1] - a1 * b0, coefficients[0, 2] - a2 * b0
    d1, d2 = coefficients[1, 1] - c1 * d0, coefficients[1, 2] - c2 * d0
    p0, p1, p2, p3 = first[0], first[1], first[2], first[3]
    q0, q1, q2, q3 = second[0], second[1], second[2], second[3]
    energy, other_energy = 0.0, 0.0
    for i in range(len(one)):
        v, w = np.float64(one[i]), np.float64(other[i])
        y, u = b0 * v + p0, b0 * w + q0
        p0, p1 = (b1 * v + p1) - a1 * p0, b2 * v - a2 * p0
        q0, q1 = (b1 * w + q1) - a1 * q0, b2 * w - a2 * q0
        z, x = d0 * y + p2, d0 * u + q2
        p2, p3 = (d1 * y + p3) - c1 * p2, d2 * y - c2 * p2
        q2, q3 = (d1 * u + q3) - c1 * q2, d2 * u - c2 * q2
        energy += z * z
        other_energy += x * x
    first[0], first[1], first[2], first[3] = _flushed(p0), _flushed(p1), _flushed(p2), _flushed(p3)
    second[0], second[1], second[2], second[3] = _flushed(q0), _flushed(q1), _flushed(q2), _flushed(q3)
    return energy, other_energy


@_inline
def between(line: Any, taps: Any, values: Any) -> None:
    """Fill `values` with a hop behind one phase of the interpolation filter; `line` has the samples before, too."""
    t0, t1, t2, t3, t4, t5 = taps[11], taps[10], taps[9], taps[8], taps[7], taps[6]
    t6, t7, t8, t9, t10, t11 = taps[5], taps[4], taps[3], taps[2], taps[1], taps[0]
    for i in range(len(values)):
        total = t0 * line[i] + t1 * line[i + 1]
        total += t2 * line[i + 2]
        total += t3 * line[i + 3]
        total += t4 * line[i + 4]
        total += t5 * line[i + 5]
        total += t6 * line[i + 6]
        total += t7 * line[i + 7]
        total += t8 * line[i + 8]
        total += t9 * line[i + 9]
        total += t10 * line[i + 10]
        total += t11 * line[i + 11]
        values[i] = total
