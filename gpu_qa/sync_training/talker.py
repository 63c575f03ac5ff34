"""Pictures of a figure that talks, drawn at the size of small pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpu_qa_kernels import SMALL_COLS, SMALL_ROWS


def texture(rng: np.random.Generator, rows: int, columns: int, slope: float = 1.0) -> np.ndarray:
    """Noise with a falling spectrum like that of photographs, float32, mean 0, deviation 1."""
    y, x = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None]
    spectrum = np.fft.rfft2(rng.normal(size=(rows, columns))) / np.maximum(np.hypot(y, x), 1.0 / columns) ** slope
    waves = np.fft.irfft2(spectrum, (rows, columns))
    return np.asarray((waves - waves.mean()) / waves.std(), np.float32)


def drift(rng: np.random.Generator, times_s: np.ndarray, slowest_hz: float, fastest_hz: float) -> np.ndarray:
    """A smooth random movement of about −1 … 1 at these times."""
    rates = np.exp(rng.uniform(np.log(slowest_hz), np.log(fastest_hz), 6))
    phases, sizes = rng.uniform(0, 2 * np.pi, 6), 1 / np.sqrt(rates / slowest_hz)
    waves = np.sin(2 * np.pi * rates * times_s[:, None] + phases) * sizes
    return np.asarray(waves.sum(1) / np.sqrt((sizes**2).sum() / 2) / 1.6)


def _bump(x: np.ndarray) -> np.ndarray:
    """1 inside, 0 outside, with a soft edge where x passes 1."""
    return np.clip((1.12 - x) / 0.24, 0.0, 1.0).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Figure:
    """A head and how it looks."""

    centre: tuple[float, float]
    """Row and column."""
    size: tuple[float, float]
    """Half height and half width of the head, samples."""
    skin: float
    """Luma code."""
    lip: float
    """Luma code of the lips less the skin's."""
    teeth: float
    inside: float
    grain: np.ndarray
    """float32 [96, 96]: texture over the face."""
    light: tuple[float, float]
    """Shading across and down."""
    mouth: tuple[float, float, float]
    """Place below the centre, half width, largest half opening; parts of the head's half height."""
    redness: tuple[float, float]
    """Cr − Cb of skin and lips."""


def random_figure(rng: np.random.Generator, shape: float) -> Figure:
    """A figure somewhere in the picture.

    Args:
        rng: Randomness.
        shape: How much wider a sample of the picture is than high: its aspect ratio over 7:4.
    """
    half = float(np.exp(rng.uniform(np.log(16), np.log(125))))
    wide = half * rng.uniform(0.66, 0.85) / shape
    reach_rows, reach_columns = max(SMALL_ROWS - 1.4 * half, 30), max(SMALL_COLS - 1.4 * wide, 30)
    row = (
        SMALL_ROWS / 2 + rng.uniform(-0.5, 0.35) * reach_rows * 0.8 if half < 70 else SMALL_ROWS / 2 + rng.normal(0, 8)
    )
    column = SMALL_COLS / 2 + rng.uniform(-0.45, 0.45) * reach_columns
    skin = rng.uniform(60, 200)
    return Figure(
        centre=(row, column),
        size=(half, wide),
        skin=skin,
        lip=rng.uniform(-45, -5),
        teeth=min(skin + rng.uniform(0, 60), 235),
        inside=rng.uniform(20, 60),
        grain=texture(rng, 96, 96, 0.8) * rng.uniform(2, 9),
        light=(rng.uniform(-25, 25), rng.uniform(-20, 20)),
        mouth=(rng.uniform(0.38, 0.56), rng.uniform(0.2, 0.38), rng.uniform(0.06, 0.2)),
        redness=(rng.uniform(8, 40), rng.uniform(20, 70)),
    )


@dataclass(frozen=True, slots=True)
class Pose:
    """What a figure does in one picture."""

    row: float
    column: float
    """Shift of the head, samples."""
    opening: float
    width: float
    """Of the mouth, 0…1."""
    blink: float
    brow: float
    tilt: float
    """Radians."""


def draw(luma: np.ndarray, redness: np.ndarray, figure: Figure, pose: Pose) -> None:
    """Draw a figure into float32 [192, 336] luma codes and Cr − Cb."""
    half, wide = figure.size
    centre = (figure.centre[0] + pose.row, figure.centre[1] + pose.column)
    top, bottom = max(int(centre[0] - 1.4 * half), 0), min(int(centre[0] + 3.0 * half) + 1, SMALL_ROWS)
    left, right = max(int(centre[1] - 2.6 * wide), 0), min(int(centre[1] + 2.6 * wide) + 1, SMALL_COLS)
    if top >= bottom or left >= right:
        return
    y = ((np.arange(top, bottom) - centre[0]) / half)[:, None].astype(np.float32)
    x = ((np.arange(left, right) - centre[1]) / wide)[None].astype(np.float32)
    part, red = luma[top:bottom, left:right], redness[top:bottom, left:right]
    body = _bump(np.maximum(np.abs(x) / 2.3, (2.4 - y) / 1.15 + 0.15 * np.abs(x)))
    part += body * (0.45 * figure.skin + 6 * figure.grain[0, 0] - part)
    red += body * (2.0 - red)
    x, y = x + pose.tilt * y, y - pose.tilt * x
    jaw = 0.28 * figure.mouth[2] * pose.opening / 0.15
    stretched = np.where(y > 0.2, 0.2 + (y - 0.2) / (1 + jaw * 0.35), y)
    face = _bump(np.sqrt(x**2 + stretched**2) / 0.98)
    rows = np.clip((stretched + 1.1) * 43, 0, 94.0)
    columns = np.clip((x + 1.1) * 43, 0, 94.0)
    shade = _sampled(figure.grain, rows, columns) + figure.light[0] * x + figure.light[1] * stretched + figure.skin
    hair = _bump(np.maximum(np.abs(x), (stretched + 1.6) / 1.0)) * 0.8
    shade = shade * (1 - hair) + 35 * hair
    for side in (-0.38, 0.38):
        eye = _bump(np.sqrt(((x - side) / 0.15) ** 2 + ((stretched + 0.12) / (0.015 + 0.06 * (1 - pose.blink))) ** 2))
        shade = shade - eye * (shade - 45) * 0.8
        brow = _bump(np.sqrt(((x - side) / 0.2) ** 2 + ((stretched + 0.3 + 0.06 * pose.brow) / 0.035) ** 2))
        shade = shade - brow * 0.35 * shade
    place, mouth_wide, most = figure.mouth
    across = mouth_wide * (0.72 + 0.5 * pose.width)
    open_half = most * pose.opening
    middle = place + 0.75 * open_half
    across_x, down_y = x * (wide / half) / across, y - middle
    arc = np.sqrt(np.clip(1 - across_x**2, 0, 1))
    lips = _bump(np.maximum(np.abs(across_x), np.abs(down_y) / ((open_half + 0.055) * arc + 0.004)))
    hole = _bump(np.maximum(np.abs(across_x) * 1.12, np.abs(down_y) / (open_half * arc + 1e-3))) * np.clip(
        open_half / 0.02, 0, 1
    )
    teeth = _bump(np.abs(down_y + 0.55 * open_half) / (0.3 * open_half + 1e-3)) * hole
    shade = shade + lips * figure.lip
    shade = shade + hole * (figure.inside - shade)
    shade = shade + 0.7 * teeth * (figure.teeth - shade)
    part += face * (shade - part)
    red += face * (figure.redness[0] + lips * (figure.redness[1] - figure.redness[0]) - red)


def _sampled(picture: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    row, column = rows.astype(np.int32), columns.astype(np.int32)
    down, across = rows - row, columns - column
    above = picture[row, column] * (1 - across) + picture[row, column + 1] * across
    below = picture[row + 1, column] * (1 - across) + picture[row + 1, column + 1] * across
    return np.asarray(above * (1 - down) + below * down, np.float32)
