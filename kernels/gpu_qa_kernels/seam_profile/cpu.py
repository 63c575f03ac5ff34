"""`seam_profile` on the CPU: one thread, vectors of samples, numba without the GIL."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import types

from gpu_qa_kernels import lanes
from gpu_qa_kernels.compiled import compiled
from gpu_qa_kernels.luma_stats.contract import planar
from gpu_qa_kernels.seam_profile.contract import SeamProfile

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_qa_kernels import PlaneLike

__all__ = ["prepare_cpu", "seam_profile_cpu"]

_ROWS = 32
"""Rows of a strip at most, which the columns are summed over: several of its vectors stay in the nearest cache."""

_add, _apart, _excess, _larger = lanes.add, lanes.apart, lanes.excess, lanes.larger
_load, _pairs, _second, _put_pairs, _zero_pairs = (
    lanes.load, lanes.pairs, lanes.second, lanes.put_pairs, lanes.zero_pairs
)  # fmt: skip
_total, _LANES_8, _LANES_16 = lanes.total, lanes.LANES_8, lanes.LANES_16
_ROOM = max(lanes.LANES_8, lanes.TOTAL)
"""What the last vector that is written, or the only one that is summed, may take behind a row's sums."""

_inline = numba.njit(nogil=True, boundscheck=False)


@_inline
def _seam(data: Any, at: int, apart: int, shift: int, mask: int) -> Any:
    """The seam before the sample at `at`, whose neighbours are `apart` elements from one another."""
    a = (np.int64(data[at - 2 * apart]) >> shift) & mask
    b = (np.int64(data[at - apart]) >> shift) & mask
    c = (np.int64(data[at]) >> shift) & mask
    d = (np.int64(data[at + apart]) >> shift) & mask
    return max(0, abs(c - b) - max(abs(b - a), abs(d - c)))


@_inline
def _seams(data: Any, at: int, apart: int, shift: int, mask: int) -> Any:
    """The seams before a vector of samples."""
    before, here = _load(data, at - apart, shift, mask), _load(data, at, shift, mask)
    left = _apart(before, _load(data, at - 2 * apart, shift, mask))
    right = _apart(here, _load(data, at + apart, shift, mask))
    return _excess(_apart(before, here), _larger(left, right))


def _measure_profile(
    data: Any, offset: int, pitch: int, width: int, height: int, shift: int, mask: int, across: Any, down: Any
) -> None:
    """Add to the profiles, which are zeros."""
    step = _LANES_8 if data.itemsize == 1 else _LANES_16
    limit = 65535 // mask
    # What does not fill a vector is measured sample by sample.
    last = width - 1 - step
    sums = np.empty(width + _ROOM, np.uint16)
    rows = min(limit, _ROWS)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        for first in range(2, width - 1, step) if last >= 2 else range(0):
            x = min(first, last)
            both = odd = _zero_pairs(data)
            for y in range(top, bottom):
                seams = _seams(data, offset + y * pitch + x, 1, shift, mask)
                both, odd = _add(both, _pairs(seams)), _add(odd, _second(seams))
            _put_pairs(data, sums, x, both, odd)
        for x in range(2, width - 1):
            if last >= 2:
                across[x] += sums[x]
            else:
                for y in range(top, bottom):
                    across[x] += _seam(data, offset + y * pitch + x, 1, shift, mask)
    whole = width // step * step
    for y in range(2, height - 1):
        start = offset + y * pitch
        for begin in range(0, whole, limit * step):
            both = odd = _zero_pairs(data)
            for x in range(begin, min(whole, begin + limit * step), step):
                seams = _seams(data, start + x, pitch, shift, mask)
                both, odd = _add(both, _pairs(seams)), _add(odd, _second(seams))
            _put_pairs(data, sums, 0, both, odd)
            down[y] += _total(sums, 0, step)
        for x in range(whole, width):
            down[y] += _seam(data, start + x, pitch, shift, mask)


@cache
def _kernel(itemsize: int) -> Callable[..., None]:
    data = types.Array(types.uint8 if itemsize == 1 else types.uint16, 1, "C", readonly=True)
    out = types.Array(types.int64, 1, "C")
    return compiled(_measure_profile, data, *6 * [types.int64], out, out)


def prepare_cpu(bit_depth: int) -> None:
    """Compile, or load from the cache, what pictures of this depth need."""
    _kernel(1 if bit_depth == 8 else 2)


def seam_profile_cpu(luma: PlaneLike, *, bit_depth: int, shift: int) -> SeamProfile:
    """Arguments and result as `gpu_qa_kernels.seam_profile.seam_profile`, already checked."""
    data, offset, pitch = planar(luma)
    found = SeamProfile(np.zeros(luma.width, np.int64), np.zeros(luma.height, np.int64))
    _kernel(data.itemsize)(data, offset, pitch, luma.width, luma.height, shift, (1 << bit_depth) - 1, *found)
    return found
