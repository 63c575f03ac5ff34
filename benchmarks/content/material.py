"""Clips as the content way sees and hears them, and programmes that are joined of them."""

from __future__ import annotations

import hashlib
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.errors import GpuQaError
from gpu_qa.sync.content import Heard
from gpu_qa.sync.measures import ROWS_PER_S
from gpu_qa.sync.rows import RowCarry, rows_between
from gpu_qa.sync.shots import SHORTEST, Window
from gpu_qa.sync_training.take import footage
from gpu_qa_kernels.sync_net import AUDIO_MARGIN, FRAMES_PER_S, RATIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_NUMBER = re.compile(r"_\d+$")


@dataclass(frozen=True, slots=True)
class Clip:
    """What is measured of a clip."""

    name: str
    """Its file's, without the ending."""
    windows: tuple[Window, ...]
    rows: np.ndarray
    """float32 [4 n, 12]: bands of sound at 100 Hz from the clip's start, NaN where there is none; n is its length on
    the grid of 25 Hz."""

    @property
    def source(self) -> str:
        """Clips whose names differ by a number at the end alone are of one source."""
        return _NUMBER.sub("", self.name)


@dataclass(frozen=True, slots=True)
class Programme:
    """Clips in a row."""

    windows: tuple[Window, ...]
    """On the programme's clock."""
    rows: np.ndarray
    """float32 [R, 12]: its sound at 100 Hz, NaN where there is none."""
    clips: frozenset[str]
    """Their names."""


def measured(paths: Iterable[Path]) -> list[Clip]:
    """The clips that have picture and sound, by name; what cannot be read is left out with a warning."""
    clips = []
    for path in sorted(paths, key=lambda path: path.name):
        try:
            windows, sound = footage(path)
        except GpuQaError as error:
            warnings.warn(str(error), stacklevel=2)
            continue
        until = max([sound.until // RATIO, *(window.first + len(window) for window in windows)])
        if windows and sound.rows is not None:
            clips.append(Clip(path.stem, tuple(windows), rows_between(sound, 0, RATIO * until)))
    return clips


def halves(clips: Sequence[Clip]) -> tuple[list[Clip], list[Clip]]:
    """Two halves of the sources, by what comes of their names' digests: nobody chose them."""
    sources = sorted({clip.source for clip in clips}, key=lambda source: hashlib.sha256(source.encode()).digest())
    first = set(sources[: (len(sources) + 1) // 2])
    return [clip for clip in clips if clip.source in first], [clip for clip in clips if clip.source not in first]


def joined(clips: Iterable[Clip], seconds: float) -> Programme:
    """Clips one after the other, cut off after so many seconds."""
    most = int(seconds * FRAMES_PER_S)
    windows: list[Window] = []
    used: list[Clip] = []
    at = 0
    for clip in clips:
        if at >= most:
            break
        windows += [Window(at + window.first, window.motion[: most - at - window.first]) for window in clip.windows]
        used.append(clip)
        at += len(clip.rows) // RATIO
    kept = tuple(window for window in windows if window.first <= most - SHORTEST and len(window) >= SHORTEST)
    rows = np.concatenate([clip.rows for clip in used])[: RATIO * most]
    return Programme(kept, rows, frozenset(clip.name for clip in used))


def drawn(clips: Sequence[Clip], seconds: float, rng: np.random.Generator) -> Programme:
    """A programme of clips in random order, none twice: a shorter one where they last no longer."""
    return joined((clips[one] for one in rng.permutation(len(clips)).tolist()), seconds)


def moved(rows: np.ndarray, advance_s: float) -> np.ndarray:
    """Sound that comes so much earlier; NaN where there is none."""
    by = round(advance_s * ROWS_PER_S)
    out = np.full_like(rows, np.nan)
    if by >= 0:
        out[: len(rows) - by] = rows[by:]
    else:
        out[-by:] = rows[:by]
    return out


def wrong_sound(programme: Programme, clips: Sequence[Clip], number: int, rng: np.random.Generator) -> np.ndarray:
    """Rows that are not the programme's: its own backwards, or in every other case those of clips that are not in it.

    Args:
        programme: Whose sound is wanted to be wrong.
        clips: Of which others are joined, over and over where they do not last.
        number: Which case it is.
        rng: Randomness.
    """
    if number % 2 == 0:
        return np.ascontiguousarray(programme.rows[::-1])
    others = [clip for clip in clips if clip.name not in programme.clips]
    rows = drawn(others, len(programme.rows) / ROWS_PER_S, rng).rows
    return np.take(rows, np.arange(len(programme.rows)), axis=0, mode="wrap")


def heard(programme: Programme, rows: np.ndarray, since: int = 0) -> Iterator[Heard]:
    """The windows from a step of the grid on, with other rows for the programme's own."""
    sound = RowCarry(0, rows)
    for window in programme.windows:
        if window.first >= since:
            begin, until = RATIO * window.first, RATIO * (window.first + len(window))
            yield Heard(window, rows_between(sound, begin - AUDIO_MARGIN, until + AUDIO_MARGIN), track=1)
