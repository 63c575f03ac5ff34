"""What `line_powers` and `band_powers` take and give, shared by the definition and the fast version."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

__all__ = ["MAX_LEVEL", "Bands", "check_bands", "check_lines"]

MAX_LEVEL = 4.0
"""Larger samples count as this, so that no power overflows."""


class Bands(NamedTuple):
    """Powers of S channels in T steps and B bands, in memory of the kind and place of the samples."""

    mean: Any
    """float32 [S, T, B]: mean over a step's windows, full-scale square = 1."""
    least: Any
    """float32 [S, T, B]: the least of a step's windows."""


def check_lines(samples: Any, starts: Any, *, taps: Any, step: int, window: Any, bins: int) -> None:
    """Raise `ValueError` where the arguments of `line_powers` do not fit one another."""
    _check_sound(samples, taps=taps, window=window)
    if step < 1 or bins < 1:
        raise ValueError(f"step and bins: expected at least 1, got {step} and {bins}")
    places = [int(start) for start in starts]
    last = max(places, default=0) + len(window) - 1
    if places and (min(places) < 0 or last * step + len(taps) > samples.shape[1]):
        raise ValueError(f"starts: windows {min(places)} to {last} of thin samples leave {samples.shape[1]} samples")


def check_bands(samples: Any, starts: Any, *, window: Any, edges: Any) -> None:
    """Raise `ValueError` where the arguments of `band_powers` do not fit one another."""
    _check_sound(samples, window=window)
    rows = [[int(start) for start in row] for row in starts]
    if len({len(row) for row in rows}) > 1 or any(not row for row in rows):
        raise ValueError("starts: expected as many windows in every step, at least one")
    places = [start for row in rows for start in row]
    if places and (min(places) < 0 or max(places) + len(window) > samples.shape[1]):
        raise ValueError(f"starts: windows at {min(places)} to {max(places)} leave {samples.shape[1]} samples")
    lines = [int(edge) for edge in edges]
    rising = all(one < after for one, after in itertools.pairwise(lines))
    if len(lines) < 2 or not rising or lines[0] < 0 or lines[-1] > len(window) // 2 + 1:
        raise ValueError(f"edges: expected two lines or more that rise within 0 … {len(window) // 2 + 1}")


def _check_sound(samples: Any, **kernels: Any) -> None:
    if samples.ndim != 2 or _kind(samples) != "float32":
        raise ValueError(f"samples: expected float32 [S, N], got {_kind(samples)} {list(samples.shape)}")
    for name, one in kernels.items():
        if one.ndim != 1 or _kind(one) != "float32" or not len(one):
            raise ValueError(f"{name}: expected float32 of one axis, got {_kind(one)} {list(one.shape)}")
        if (type(one).__module__, str(one.device)) != (type(samples).__module__, str(samples.device)):
            raise ValueError(f"{name}: expected where the samples are, on {samples.device}, got {one.device}")


def _kind(array: Any) -> str:
    return str(array.dtype).rpartition(".")[2]
