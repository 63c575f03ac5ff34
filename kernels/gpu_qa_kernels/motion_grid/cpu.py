"""`motion_grid` on the CPU: one thread, numba without the GIL; logarithms are NumPy's, which has them in vectors."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from gpu_qa_kernels.compiled import compiled
from gpu_qa_kernels.motion_tiles import SIDE, Motion
from gpu_qa_kernels.sync_net.contract import CHANNELS, MOVING, PACKED_STEPS, PACKED_ZERO, SIGNED

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["packed_on_grid", "prepare_cpu", "tile_measures"]

_CHANGE, _SIGNED = int(Motion.CHANGE), int(Motion.SIGNED)
_DOWN, _SLOPE_DOWN = int(Motion.DOWN), int(Motion.SLOPE_DOWN)
_ACROSS, _SLOPE_ACROSS = int(Motion.ACROSS), int(Motion.SLOPE_ACROSS)
_LUMA, _SQUARES = int(Motion.LUMA), int(Motion.SQUARES)
_SAMPLES = np.float32(SIDE * SIDE)
_SHARE = np.float32(1 / (SIDE * SIDE))
_FLAT = np.float32(4 * SIDE * SIDE)
_MOST_FLOW = np.float32(3.0)
_STEPS, _ZERO = np.array(PACKED_STEPS, np.float32), np.array(PACKED_ZERO, np.float32)


def _measure(sums: np.ndarray, redness: np.ndarray, per_s: np.ndarray, out: np.ndarray) -> None:
    """All of `tile_measures` but the logarithm of change; tiles side by side."""
    for picture in range(sums.shape[0]):
        scale = per_s[picture]
        each = scale / _SAMPLES
        one, to = sums[picture], out[picture]
        for tile in range(sums.shape[2]):
            to[0, tile] = one[_CHANGE, tile] * each
            to[1, tile] = one[_SIGNED, tile] * each
            down = one[_DOWN, tile] / (one[_SLOPE_DOWN, tile] + _FLAT) * -scale
            across = one[_ACROSS, tile] / (one[_SLOPE_ACROSS, tile] + _FLAT) * -scale
            to[2, tile] = min(max(down, -_MOST_FLOW), _MOST_FLOW)
            to[3, tile] = min(max(across, -_MOST_FLOW), _MOST_FLOW)
            mean = one[_LUMA, tile] * _SHARE
            to[4, tile] = mean
            to[5, tile] = np.sqrt(max(one[_SQUARES, tile] * _SHARE - mean * mean, np.float32(0.0)))
            to[6, tile] = redness[picture, tile]


def _on_grid(measures: np.ndarray, at: np.ndarray, share: np.ndarray, signed: np.ndarray, out: np.ndarray) -> None:
    """Interpolated and packed; signed change, a quarter of it, is left to its arsinh."""
    least, most, quarter = np.float32(0.0), np.float32(255.0), np.float32(0.25)
    for step in range(out.shape[0]):
        for kind in range(CHANNELS):
            group = 0 if kind < MOVING else 1
            part = share[group, step]
            rest = np.float32(1.0) - part
            before, after = measures[at[group, step] - 1, kind], measures[at[group, step], kind]
            if kind == SIGNED:
                for tile in range(out.shape[2]):
                    signed[step, tile] = (before[tile] * rest + after[tile] * part) * quarter
                continue
            steps, zero = _STEPS[kind], _ZERO[kind]
            to = out[step, kind]
            for tile in range(out.shape[2]):
                value = np.rint((before[tile] * rest + after[tile] * part) * steps + zero)
                to[tile] = np.uint8(min(max(value, least), most))


def _pack_signed(arsinh: np.ndarray, out: np.ndarray) -> None:
    steps, zero = _STEPS[SIGNED], _ZERO[SIGNED]
    for step in range(out.shape[0]):
        to = out[step, SIGNED]
        for tile in range(out.shape[2]):
            value = np.rint(arsinh[step, tile] * steps + zero)
            to[tile] = np.uint8(min(max(value, np.float32(0.0)), np.float32(255.0)))


@cache
def _kernels() -> tuple[Callable[..., None], Callable[..., None], Callable[..., None]]:
    def array(element: Any, dimensions: int, *, readonly: bool = True) -> Any:
        return types.Array(element, dimensions, "C", readonly=readonly)

    f32, codes = types.float32, array(types.uint8, 3, readonly=False)
    return (
        compiled(_measure, array(f32, 3), array(f32, 2), array(f32, 1), array(f32, 3, readonly=False)),
        compiled(_on_grid, array(f32, 3), array(types.int64, 2), array(f32, 2), array(f32, 2, readonly=False), codes),
        compiled(_pack_signed, array(f32, 2, readonly=False), codes),
    )


def prepare_cpu() -> None:
    """Compile it, or load it from the cache."""
    _kernels()


def tile_measures(sums: np.ndarray, redness: np.ndarray, per_s: np.ndarray) -> np.ndarray:
    """Measures of T pictures, most of the time without the GIL.

    Args:
        sums: float32 [T, 8, R, K] by `Motion`.
        redness: float32 [T, R, K]: mean Cr − Cb in 8-bit codes.
        per_s: float32 [T]: 1/25 s over the time since the picture before.

    Returns:
        float32 [T, 7, R, K]: log change, signed change, flow down, flow across, each per 1/25 s; mean luma, its
        deviation, redness. The first four, `MOVING`, hold midway between two pictures.
    """
    count, _, rows, columns = sums.shape
    out = np.empty((count, CHANNELS, rows * columns), np.float32)
    _kernels()[0](_flat(sums, count, len(Motion)), _flat(redness, count), _flat(per_s), out)
    np.log1p(out[:, 0], out=out[:, 0])
    return out.reshape(count, CHANNELS, rows, columns)


def packed_on_grid(measures: np.ndarray, at: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Measures between pictures, each in a byte by `PACKED_STEPS` and `PACKED_ZERO`, most of the time without the GIL.

    Args:
        measures: float32 [T, 7, R, K] of pictures, two at least.
        at: int64 [2, G]: of the first `MOVING` measures, and of the others, which picture follows a step of the grid.
        share: float32 [2, G]: how much of it there is in that step; the rest is of the picture before it.

    Returns:
        uint8 [G, 7, R, K]; signed change by its arsinh. What waits for its sound takes a quarter of the memory.
    """
    count, kinds, rows, columns = measures.shape
    steps = at.shape[1]
    out, signed = np.empty((steps, kinds, rows * columns), np.uint8), np.empty((steps, rows * columns), np.float32)
    _, on_grid, pack_signed = _kernels()
    on_grid(_flat(measures, count, kinds), _flat(at, 2), _flat(share, 2), signed, out)
    pack_signed(np.arcsinh(signed, out=signed), out)
    return out.reshape(steps, kinds, rows, columns)


def _flat(array: np.ndarray, *shape: int) -> np.ndarray:
    """Contiguous, with the tiles side by side, and not to be written."""
    view = np.ascontiguousarray(array).reshape(*shape, -1)
    view.flags.writeable = False
    return view
