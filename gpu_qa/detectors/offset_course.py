"""Where an offset moves on and on: a line through its sure answers, against jitter and against a jump."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

CELL_S = 5.0
"""Answers are averaged over so much time, on a grid of the stream's clock; ours."""
MOST_CELLS = 360
"""What is older than so many cells, half an hour, is forgotten."""
LEAST_CELLS = 9
"""Three for each third of the time that is judged."""
MOST_PPM = 10_000.0
"""A drift is followed up to here, 0.6 s a minute; what changes faster is a jump."""
_BEATS_JUMP = 2.0
"""The best jump leaves this many times the squared rest of the line: a ramp h high under jitter s leaves it
s² + h²/48, so that the drift has moved seven times the jitter; ours."""
_THIRD = 0.4
"""Each third of the time moves at this share of the whole slope at least: a jump that an answer gathered over a minute
takes to follow leaves a third that stands still."""


class Course(NamedTuple):
    """What a course comes to."""

    ppm: float
    """Slope of the offset, millionths: positive where sound becomes earlier."""
    sigma_ppm: float
    """Standard deviation of the slope."""
    moved_ms: float
    """By how much the line moves over the time that it was laid through."""
    since_s: float
    """Start of that time."""
    is_steady: bool
    """Whether it is a line, not jitter nor a jump."""


NOTHING = Course(0.0, 0.0, 0.0, 0.0, False)


@dataclass(frozen=True, slots=True)
class CourseCarry:
    """The answers since the last jump."""

    at_s: tuple[float, ...] = ()
    """Mean time of the answers of each cell."""
    offset_s: tuple[float, ...] = ()
    """Their mean offset."""
    doubted: tuple[float, float] | None = None
    """Time and offset of a cell that does not fit the ones before: a jump where the next one bears it out."""
    cell: int = -1
    """The cell that is being filled."""
    count: int = 0
    """Answers in it."""
    sums: tuple[float, float] = (0.0, 0.0)
    """Of their times and offsets."""
    course: Course | None = None
    """After the last full cell; null where that says nothing yet."""


def course_step(carry: CourseCarry, at_s: float, offset_s: float, *, jump_s: float, apart_s: float) -> CourseCarry:
    """Take a sure answer.

    Args:
        carry: From the answer before.
        at_s: Time that the answer speaks of.
        offset_s: What it says.
        jump_s: A change from cell to cell by more than this, and by what drift explains, is a jump.
        apart_s: Answers so far apart are independent.
    """
    cell = int(at_s // CELL_S)
    if cell == carry.cell:
        return replace(carry, count=carry.count + 1, sums=(carry.sums[0] + at_s, carry.sums[1] + offset_s))
    if carry.count:
        carry = _with_cell(carry, carry.sums[0] / carry.count, carry.sums[1] / carry.count, jump_s)
        carry = replace(carry, course=_course(np.array(carry.at_s), np.array(carry.offset_s), apart_s))
    return replace(carry, cell=cell, count=1, sums=(at_s, offset_s))


def _with_cell(carry: CourseCarry, at_s: float, offset_s: float, jump_s: float) -> CourseCarry:
    if not carry.at_s or _is_near(carry.at_s[-1], carry.offset_s[-1], at_s, offset_s, jump_s):
        times, offsets = (*carry.at_s, at_s), (*carry.offset_s, offset_s)
        return replace(carry, at_s=times[-MOST_CELLS:], offset_s=offsets[-MOST_CELLS:], doubted=None)
    if carry.doubted and _is_near(*carry.doubted, at_s, offset_s, jump_s):
        return replace(
            carry, at_s=(carry.doubted[0], at_s), offset_s=(carry.doubted[1], offset_s), doubted=None, course=None
        )
    return replace(carry, doubted=(at_s, offset_s))


def _is_near(before_s: float, before: float, at_s: float, offset_s: float, jump_s: float) -> bool:
    return abs(offset_s - before) <= jump_s + MOST_PPM * 1e-6 * abs(at_s - before_s)


def _course(times: np.ndarray, offsets: np.ndarray, apart_s: float) -> Course | None:
    """The line through the cells by least squares; null where they are too few."""
    count = len(times)
    if count < LEAST_CELLS:
        return None
    slope, rest = _line(times, offsets)
    span_s = float(times[-1] - times[0])
    independent = max(3.0, min(count, span_s / apart_s))
    spread = float(((times - times.mean()) ** 2).mean())
    sigma = float(np.sqrt(rest / (independent - 2.0) / spread))
    sums, squares = np.cumsum(offsets), np.cumsum(offsets**2)
    left = np.arange(1, count)
    right = count - left
    jump = (squares[-1] - sums[:-1] ** 2 / left - (sums[-1] - sums[:-1]) ** 2 / right).min() / count
    thirds = [_line(times[part], offsets[part])[0] for part in np.array_split(np.arange(count), 3)]
    is_steady = (
        abs(slope) > 3.0 * sigma
        and jump > _BEATS_JUMP * rest
        and all(one * np.sign(slope) > _THIRD * abs(slope) for one in thirds)
    )
    return Course(slope * 1e6, sigma * 1e6, slope * span_s * 1000, float(times[0]), bool(is_steady))


def _line(times: np.ndarray, offsets: np.ndarray) -> tuple[float, float]:
    """Slope, and the mean square of what is left."""
    apart, above = times - times.mean(), offsets - offsets.mean()
    slope = float((apart * above).sum() / (apart**2).sum())
    return slope, float(((above - slope * apart) ** 2).mean())
