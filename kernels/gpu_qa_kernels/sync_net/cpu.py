"""`sync_net` on the CPU for one window of packed measures: few calls, without the GIL, one tile after the other.

What one tile does stays in the nearest cache, with time innermost, so that each step of a convolution is a vector over
time. The same as `net.py` says in matrix products, up to rounding.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import types

from gpu_qa_kernels.compiled import compiled
from gpu_qa_kernels.sync_net.contract import (
    AROUND,
    AUDIO_MARGIN,
    CHANNELS,
    FRAMES_PER_S,
    LAG_ROWS,
    LAGS,
    MOVING,
    PACKED_STEPS,
    PACKED_ZERO,
    RATIO,
    SCALES,
    SIGNED,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["lag_scores_cpu", "prepare_cpu"]

_HIDDEN, _CODE, _HEARD = 16, 8, 24
_TAPS, _REACH = 5, 2
_SIDE = 4
"""Of a patch, tiles; patches are two tiles apart."""
_TOGETHER = 64
"""Tiles that are unpacked together: what is written then stays in the cache."""
_ZERO, _STEP = np.array(PACKED_ZERO, np.float32), 1 / np.array(PACKED_STEPS, np.float32)
_LEVELS = slice(MOVING, CHANNELS)


def _unpack(codes: np.ndarray, out: np.ndarray) -> None:
    """Packed measures uint8 [T, 7, N] as the net takes them, float32 [N, 7, T]; levels before their arsinh."""
    length, _, tiles = codes.shape
    sums = np.empty(_TOGETHER, np.int32)
    for begin in range(0, tiles, _TOGETHER):
        count = min(_TOGETHER, tiles - begin)
        for kind in range(CHANNELS):
            zero, step = _ZERO[kind], _STEP[kind]
            if SIGNED <= kind < MOVING:
                # Signed change was packed by the arsinh that it is wanted in.
                scale = step * np.float32(0.7 if kind == SIGNED else 1.5)
                for time in range(length):
                    for tile in range(count):
                        out[begin + tile, kind, time] = (np.float32(codes[time, kind, begin + tile]) - zero) * scale
                continue
            scale = step if kind == 0 else step * np.float32(0.25)
            for tile in range(count):
                sums[tile] = 0
            for time in range(min(AROUND, length)):
                for tile in range(count):
                    sums[tile] += codes[time, kind, begin + tile]
            for time in range(length):
                if time + AROUND < length:
                    for tile in range(count):
                        sums[tile] += codes[time + AROUND, kind, begin + tile]
                if time > AROUND:
                    for tile in range(count):
                        sums[tile] -= codes[time - AROUND - 1, kind, begin + tile]
                share = np.float32(1) / np.float32(min(time + AROUND, length - 1) - max(time - AROUND, 0) + 1)
                for tile in range(count):
                    code = np.float32(codes[time, kind, begin + tile])
                    out[begin + tile, kind, time] = (code - np.float32(sums[tile]) * share) * scale


@numba.njit(nogil=True, boundscheck=False)
def _layer(x: np.ndarray, apart: int, weights: np.ndarray, out: np.ndarray, margin: int) -> None:
    """Add the taps of a convolution over time, weights [taps, C, D] of x [C, ·], to out [D, T + 2 · margin]."""
    taps, inputs, outputs = weights.shape
    length = out.shape[1] - 2 * margin
    for tap in range(taps):
        at = tap * apart
        for one in range(0, inputs, 4):
            x0, x1 = x[one, at : at + length], x[one + 1, at : at + length]
            x2, x3 = x[one + 2, at : at + length], x[one + 3, at : at + length]
            for other in range(outputs):
                w0, w1 = weights[tap, one, other], weights[tap, one + 1, other]
                w2, w3 = weights[tap, one + 2, other], weights[tap, one + 3, other]
                to = out[other, margin : margin + length]
                for time in range(length):
                    to[time] += (w0 * x0[time] + w1 * x1[time]) + (w2 * x2[time] + w3 * x3[time])


@numba.njit(nogil=True, boundscheck=False)
def _filled(out: np.ndarray, bias: np.ndarray, margin: int) -> None:
    """Each row of out [D, ·] is its bias, zeros in the margin at either end."""
    for one in range(out.shape[0]):
        for time in range(out.shape[1]):
            inside = margin <= time < out.shape[1] - margin
            out[one, time] = bias[one] if inside else np.float32(0.0)


@numba.njit(nogil=True, boundscheck=False)
def _rectified(out: np.ndarray) -> None:
    for one in range(out.shape[0]):
        for time in range(out.shape[1]):
            out[one, time] = max(out[one, time], np.float32(0.0))


@numba.njit(nogil=True, boundscheck=False)
def _patch(x: np.ndarray, row: int, column: int, columns: int, weights: np.ndarray, out: np.ndarray) -> None:
    """Add the first layer, weights [16, 7, D], of the patch at a tile of x [N, 7, T] to out [D, T + 2 · reach]."""
    length = x.shape[2]
    for place in range(_SIDE * _SIDE):
        tile = (row + place // _SIDE) * columns + column + place % _SIDE
        x0, x1, x2, x3 = x[tile, 0], x[tile, 1], x[tile, 2], x[tile, 3]
        x4, x5, x6 = x[tile, 4], x[tile, 5], x[tile, 6]
        for other in range(weights.shape[2]):
            w0, w1, w2 = weights[place, 0, other], weights[place, 1, other], weights[place, 2, other]
            w3, w4, w5 = weights[place, 3, other], weights[place, 4, other], weights[place, 5, other]
            w6 = weights[place, 6, other]
            to = out[other, _REACH : _REACH + length]
            for time in range(length):
                to[time] += ((w0 * x0[time] + w1 * x1[time]) + (w2 * x2[time] + w3 * x3[time])) + (
                    (w4 * x4[time] + w5 * x5[time]) + w6 * x6[time]
                )


@numba.njit(nogil=True, boundscheck=False)
def _gate(x: np.ndarray, row: int, column: int, columns: int, hidden: np.ndarray, weights: np.ndarray) -> Any:
    """How much a patch counts: by the mean of its hidden series, and how much and how unevenly it moves."""
    length = x.shape[2]
    moving = np.zeros(length, np.float32)
    for place in range(_SIDE * _SIDE):
        tile = (row + place // _SIDE) * columns + column + place % _SIDE
        for time in range(length):
            moving[time] += x[tile, 0, time]
    mean = 0.0
    for time in range(length):
        moving[time] *= np.float32(1 / (_SIDE * _SIDE))
        mean += moving[time]
    mean /= length
    spread = 0.0
    for time in range(length):
        spread += (moving[time] - mean) ** 2
    total = mean * weights[_HIDDEN] + np.sqrt(spread / length + 1e-6) * weights[_HIDDEN + 1]
    for one in range(_HIDDEN):
        level = np.float32(0.0)
        for time in range(length):
            level += hidden[one, _REACH + time]
        total += level / length * weights[one]
    return total


@numba.njit(nogil=True, boundscheck=False)
def _sound(sound: np.ndarray, weights: tuple[np.ndarray, ...], length: int) -> tuple[np.ndarray, np.ndarray]:
    """What is heard at each lag, float32 [8, T, 101] without its mean, and its energy, [101]."""
    first, first_bias, second, second_bias, third = weights
    rows, bands = sound.shape
    x = np.empty((bands, rows), np.float32)
    for band in range(bands):
        mean = 0.0
        for row in range(rows):
            mean += sound[row, band]
        mean /= rows
        for row in range(rows):
            x[band, row] = np.float32(0.8) * min(
                max(sound[row, band] - np.float32(mean), np.float32(-3)), np.float32(3)
            )
    y = np.empty((_HEARD, rows - 8), np.float32)
    _filled(y, first_bias, 0)
    _layer(x, 1, first, y, 0)
    _rectified(y)
    z = np.empty((_HEARD, rows - 24), np.float32)
    _filled(z, second_bias, 0)
    _layer(y, 2, second, z, 0)
    _rectified(z)
    code = np.zeros((_CODE, rows - 32), np.float32)
    _layer(z, 2, third, code, 0)
    lags, loud = np.empty((_CODE, length, LAGS), np.float32), np.zeros(LAGS, np.float32)
    means = np.empty(LAGS, np.float32)
    begin = AUDIO_MARGIN - 16 + LAG_ROWS * (LAGS // 2)
    for one in range(_CODE):
        means[:] = 0.0
        for time in range(length):
            for lag in range(LAGS):
                value = code[one, begin - LAG_ROWS * lag + RATIO * time]
                lags[one, time, lag] = value
                means[lag] += value
        for time in range(length):
            for lag in range(LAGS):
                value = lags[one, time, lag] - means[lag] / np.float32(length)
                lags[one, time, lag] = value
                loud[lag] += value * value
    return lags, loud


def _score(
    x: np.ndarray,
    rows: int,
    sound: np.ndarray,
    sound_weights: tuple[np.ndarray, ...],
    picture_1: np.ndarray,
    picture_1_bias: np.ndarray,
    picture_2: np.ndarray,
    picture_2_bias: np.ndarray,
    picture_3: np.ndarray,
    gate: np.ndarray,
    scale_bias: np.ndarray,
    sharpness: float,
    out: np.ndarray,
) -> None:
    """Log probability of every lag, float32 [101], of measures [N, 7, T] of `rows` rows of tiles and sound [A, 12]."""
    length, columns = x.shape[2], x.shape[0] // rows
    height, width = rows // 2 - 1, columns // 2 - 1
    lags, loud = _sound(sound, sound_weights, length)
    first = np.empty((_HIDDEN, length + 2 * _REACH), np.float32)
    second = np.empty((_HIDDEN, length + 2 * _REACH), np.float32)
    code = np.empty((_CODE, length), np.float32)
    match = np.zeros((height, width, LAGS), np.float32)
    energy, gates = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
    for row in range(height):
        for column in range(width):
            _filled(first, picture_1_bias, _REACH)
            _patch(x, 2 * row, 2 * column, columns, picture_1, first)
            _rectified(first)
            _filled(second, picture_2_bias, _REACH)
            _layer(first, 1, picture_2, second, _REACH)
            _rectified(second)
            code[:] = 0.0
            _layer(second, 1, picture_3, code, 0)
            power = np.float32(0.0)
            here = match[row, column]
            for one in range(_CODE):
                mean = np.float32(0.0)
                for time in range(length):
                    mean += code[one, time]
                mean /= np.float32(length)
                for time in range(length):
                    code[one, time] -= mean
                    power += code[one, time] * code[one, time]
                for time in range(0, length - length % 4, 4):
                    c0, c1, c2, c3 = code[one, time], code[one, time + 1], code[one, time + 2], code[one, time + 3]
                    for lag in range(LAGS):
                        here[lag] += (c0 * lags[one, time, lag] + c1 * lags[one, time + 1, lag]) + (
                            c2 * lags[one, time + 2, lag] + c3 * lags[one, time + 3, lag]
                        )
                for time in range(length - length % 4, length):
                    for lag in range(LAGS):
                        here[lag] += code[one, time] * lags[one, time, lag]
            energy[row, column] = power
            gates[row, column] = _gate(x, 2 * row, 2 * column, columns, second, gate)
    _summed(match, energy, gates, loud, scale_bias, np.float32(2 * length / FRAMES_PER_S * np.exp(sharpness)), out)


@numba.njit(nogil=True, boundscheck=False)
def _summed(
    match: np.ndarray,
    energy: np.ndarray,
    gates: np.ndarray,
    loud: np.ndarray,
    scale_bias: np.ndarray,
    weight: float,
    out: np.ndarray,
) -> None:
    """The log probability of each lag over all tiles and squares of them."""
    height, width = energy.shape
    most = height * width * len(SCALES)
    said, priors = np.empty((most, LAGS), np.float32), np.empty(most, np.float32)
    near = np.empty(LAGS, np.float32)
    count = 0
    for number in range(len(SCALES)):
        side = SCALES[number]
        share = np.float32(1 / (side * side))
        for row in range(height - side + 1):
            for column in range(width - side + 1):
                near[:] = 0.0
                power = np.float32(0.0)
                for place in range(side * side):
                    down, across = row + place // side, column + place % side
                    power += energy[down, across]
                    for lag in range(LAGS):
                        near[lag] += match[down, across, lag]
                for lag in range(LAGS):
                    root = np.sqrt(power * share * loud[lag] + np.float32(1e-6))
                    said[count, lag] = near[lag] * share / root * weight
                priors[count] = gates[row + side // 2, column + side // 2] + scale_bias[number]
                count += 1
    top, total = priors[:count].max(), 0.0
    for one in range(count):
        total += np.exp(priors[one] - top)
    tops = np.full(LAGS, -np.inf, np.float32)
    for one in range(count):
        prior = priors[one] - top - np.float32(np.log(total))
        for lag in range(LAGS):
            said[one, lag] += prior
            tops[lag] = max(tops[lag], said[one, lag])
    sums = np.zeros(LAGS, np.float32)
    for one in range(count):
        for lag in range(LAGS):
            sums[lag] += np.exp(said[one, lag] - tops[lag])
    for lag in range(LAGS):
        out[lag] = tops[lag] + np.log(sums[lag])
    top, total = out.max(), 0.0
    for lag in range(LAGS):
        total += np.exp(out[lag] - top)
    for lag in range(LAGS):
        out[lag] -= top + np.float32(np.log(total))


@cache
def _kernels() -> tuple[Callable[..., None], Callable[..., None]]:
    def of(dimensions: int, *, readonly: bool = True) -> Any:
        return types.Array(types.float32, dimensions, "C", readonly=readonly)

    unpack = compiled(_unpack, types.Array(types.uint8, 3, "C", readonly=True), of(3, readonly=False))
    sound = types.Tuple((of(3), of(1), of(3), of(1), of(3)))
    score = compiled(
        _score, of(3, readonly=False), types.int64, of(2), sound, of(3), of(1), of(3), of(1), of(3), of(1), of(1),
        types.float32, of(1, readonly=False),
    )  # fmt: skip
    return unpack, score


def prepare_cpu() -> None:
    """Compile it, or load it from the cache."""
    _kernels()


def lag_scores_cpu(codes: np.ndarray, sound: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """Log probability of every lag of one window, without the GIL.

    Args:
        codes: uint8 [T, 7, R, K]: packed measures.
        sound: float32 [4 T + 320, 12].
        weights: float32, by `SHAPES`.

    Returns:
        float32 [101].
    """
    unpack, score = _kernels()
    length, _, rows, columns = codes.shape
    x = np.empty((rows * columns, CHANNELS, length), np.float32)
    unpack(_readonly(codes.reshape(length, CHANNELS, -1)), x)
    levels = x[:, _LEVELS]
    np.arcsinh(levels, out=levels)
    levels *= np.float32(0.7)
    out = np.empty(LAGS, np.float32)
    gate = np.append(weights["gate"], weights["gate_bias"]).astype(np.float32)
    heard = tuple(
        _readonly(weights[name].reshape(taps, -1, weights[name].shape[-1]) if taps else weights[name])
        for name, taps in (("sound_1", 9), ("sound_1_bias", 0), ("sound_2", 9), ("sound_2_bias", 0), ("sound_3", 5))
    )
    score(
        x,
        rows,
        _readonly(sound),
        heard,
        _readonly(weights["picture_1"].reshape(_SIDE * _SIDE, CHANNELS, _HIDDEN)),
        _readonly(weights["picture_1_bias"]),
        _readonly(weights["picture_2"].reshape(_TAPS, _HIDDEN, _HIDDEN)),
        _readonly(weights["picture_2_bias"]),
        _readonly(weights["picture_3"].reshape(_TAPS, _HIDDEN, _CODE)),
        _readonly(gate),
        _readonly(weights["scale_bias"]),
        np.float32(weights["sharpness"]),
        out,
    )
    return out


def _readonly(array: np.ndarray) -> np.ndarray:
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
