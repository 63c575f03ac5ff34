"""Windows of measures as other scenes, cameras, codecs and rooms would have given them."""

from __future__ import annotations

import numpy as np

from gpu_qa.sync.measures import ROWS_PER_S
from gpu_qa.sync_training.talker import drift, texture
from gpu_qa_kernels.speech_bands import BANDS
from gpu_qa_kernels.sync_net import CHANNELS, FRAMES_PER_S, MOVING

_CHANGE, _DOWN, _ACROSS = 0, 2, 3
"""Which measures are change and flow."""
_BYTE = 256 / np.sqrt(12)
"""Standard deviation of even noise of a byte."""
_TAIL_ROWS = 40
"""How long a room is heard."""


def varied_picture(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """A window with other rates, places, textures and cameras, each sometimes.

    Args:
        rng: Randomness.
        picture: float32 [T, 7, 24, 42]: as the net takes it, but for the order of its axes.
    """
    x = picture
    if rng.random() < 0.15:
        x = _slower(x, rng.uniform(10, 20), rng.random())
    if rng.random() < 0.5:
        x = _placed(rng, x)
    gains = np.exp(rng.uniform(-0.9, 0.3, CHANNELS)).astype(np.float32)[:, None, None]
    if rng.random() < 0.5:
        gains = gains * np.exp(rng.uniform(0, 0.4) * texture(rng, x.shape[2], x.shape[3], 1.5))
    x = x * gains
    if rng.random() < 0.25:
        _shake(rng, x)
    if rng.random() < 0.7:
        # Even noise of the same deviation takes a fifth of the time of normal noise.
        x += np.float32(rng.uniform(0, 0.2) / _BYTE) * rng.integers(-128, 128, x.shape, np.int8)
    if rng.random() < 0.5:
        x = x[..., ::-1].copy()
        # Flow across changes its sign in a mirror.
        x[:, _ACROSS] *= -1
    return x


def varied_sound(rng: np.random.Generator, rows: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Sound from another throat, in another room, through another microphone, each sometimes.

    Args:
        rng: Randomness.
        rows: float64 [A, 12]: bands, log10 of power.
        other: float64 [A, 12]: what may be heard beside it.
    """
    x = rows
    if rng.random() < 0.4:
        bands = np.arange(BANDS)
        x = x @ _between(bands, bands + rng.uniform(-0.8, 0.8)).T
    if rng.random() < 0.3:
        x = _in_a_room(x, rng.uniform(0.015, 0.08), rng.uniform(0.1, 1.0))
    if rng.random() < 0.6:
        x = np.log10(10**x + 10 ** (other - rng.uniform(0.7, 2.5)))
    if rng.random() < 0.4:
        mean = x.mean(0)
        x = mean + (x - mean) * np.exp(rng.normal(0, 0.15))
    if rng.random() < 0.4:
        x = x + rng.uniform(0, 0.3) * drift(rng, np.arange(len(x)) / ROWS_PER_S, 0.1, 1.0)[:, None]
    tilt = np.linspace(-1, 1, BANDS) * rng.normal(0, 0.4) + rng.normal(0, 0.15, BANDS)
    x = np.log10(10 ** (x + rng.normal(0, 0.3) + tilt) + 10 ** rng.uniform(-9, -6))
    if rng.random() < 0.3:
        x = x + rng.normal(0, 0.1, x.shape)
    return np.asarray(x, np.float32)


def _slower(picture: np.ndarray, rate: float, phase: float) -> np.ndarray:
    """As of so many pictures a second, from a part of a picture on: what moved between two is their mean."""
    step, count = FRAMES_PER_S / rate, len(picture)
    grid = np.arange(count)
    shown = np.arange((phase - 1) * step, count - 1 + step, step)
    middles = (shown[1:] + shown[:-1]) / 2
    within = np.clip(step / 2 + 0.5 - np.abs(grid - middles[:, None]), 0, 1)
    within /= within.sum(1, keepdims=True)
    moved = (_between(middles, grid) @ within).astype(np.float32)
    stood = (_between(shown, grid) @ _between(grid, shown)).astype(np.float32)
    out = np.empty_like(picture)
    for weights, which in ((moved, slice(MOVING)), (stood, slice(MOVING, None))):
        part = picture[:, which]
        out[:, which] = (weights @ part.reshape(count, -1)).reshape(part.shape)
    return out


def _placed(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Nearer, or farther away with nothing around, as between the bars of another shape of picture."""
    zoom, shape = np.exp(rng.uniform(np.log(0.5), np.log(1.3))), np.exp(rng.normal(0, 0.1))
    zooms = (zoom * shape, zoom / shape)
    down, across = (_zoomed(count, one, rng) for count, one in zip(picture.shape[2:], zooms, strict=True))
    out = down @ (picture @ across.T)
    out[:, _DOWN] *= zooms[0]
    out[:, _ACROSS] *= zooms[1]
    return np.asarray(out, np.float32)


def _zoomed(count: int, zoom: float, rng: np.random.Generator) -> np.ndarray:
    """What makes of a line of tiles that of a picture zoomed and moved within the line, float32 [count, count]."""
    middle, room = (count - 1) / 2, abs(1 - zoom) * count / 2
    source = (np.arange(count) - middle - rng.uniform(-room, room)) / zoom + middle
    reach = min(zoom, 1.0)
    near = np.clip(1 - reach * np.abs(source[:, None] - np.arange(count)), 0, 1)
    return np.asarray(reach * near, np.float32)


def _shake(rng: np.random.Generator, picture: np.ndarray) -> None:
    """Add what a camera does that is held by hand: everything moves."""
    times_s = np.arange(len(picture)) / FRAMES_PER_S
    waves = np.stack([drift(rng, times_s, 0.3, rng.uniform(1, 8)) for _ in range(2)]).astype(np.float32)
    speed = np.hypot(*waves)
    seen = np.exp(0.4 * texture(rng, picture.shape[2], picture.shape[3], 1.5))
    picture[:, _CHANGE] += np.float32(rng.uniform(0, 0.6)) * (speed - speed.mean())[:, None, None] * seen
    size = np.float32(rng.uniform(0, 0.5))
    picture[:, _DOWN] += size * waves[0][:, None, None]
    picture[:, _ACROSS] += size * waves[1][:, None, None]


def _in_a_room(rows: np.ndarray, decay_s: float, echo: float) -> np.ndarray:
    """With a tail that falls by e in `decay_s` and has `echo` times the power of what is heard directly."""
    fall = np.exp(-np.arange(1, _TAIL_ROWS) / (decay_s * ROWS_PER_S))
    direct = 10**rows
    power = direct.copy()
    for late, part in enumerate(fall * echo / fall.sum(), start=1):
        power[late:] += part * direct[:-late]
    return np.asarray(np.log10(power))


def _between(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Weights of linear interpolation, float64 [wanted, known]; the nearest beyond the ends."""
    return np.stack([np.interp(wanted, known, one) for one in np.eye(len(known))], 1)
