"""Sync clip: a test clip whose flashes and beeps belong together, at a known distance.

A dark picture with a pie that fills up and a number that counts down to the next flash. At a flash the whole picture is
white; the beep is a short burst of a sine. Flashes come at uneven distances, so that no flash can be taken for another.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.errors import ConfigError
from gpu_qa.inject.picture import Picture, PictureForm
from gpu_qa.inject.reader import ClipFacts, Sound
from gpu_qa.inject.sound import SoundForm
from gpu_qa.inject.writer import ClipWriter, Coding, container_of, written_whole
from gpu_qa.sync.pairing import ENOUGH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SAMPLE_RATE = 48_000
"""Hz."""
BEEP_HZ = 1_000.0
BEEP_S = 0.06
"""Length of a beep: two frames of film or more."""
BEEP_AMPLITUDE = 0.25
"""Full scale = 1: −12 dBFS."""
EDGE_S = 0.001
"""A beep rises and falls within this time: shorter edges click, longer ones blur the moment."""
FLASH_S = 0.06
"""Length of a flash, to the nearest whole number of frames, one at least."""
FIRST_S = 0.5
"""The first flash comes no sooner, as a share of the period; picture and sound are calm before."""
DISPLAY_GAMMA = 2.4
"""From codes to light (ITU-R BT.1886)."""
_DARK, _PIE, _WHITE = 40, 90, 235
"""8-bit luma codes."""
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
"""Multiples of it, less their whole part, are as even as can be and never repeat."""
# Segments of a digit: top, upper left and right, middle, lower left and right, bottom.
_SEGMENTS = (
    "1110111",
    "0010010",
    "1011101",
    "1011011",
    "0111010",
    "1101011",
    "1101111",
    "1010010",
    "1111111",
    "1111011",
)


@dataclass(frozen=True, slots=True)
class SyncClip:
    """What the clip shows and how it sounds."""

    seconds: float = 30.0
    """Length."""
    rate: Fraction = Fraction(25)
    """Frames per second."""
    size: tuple[int, int] = (1280, 720)
    """Width and height in samples, both even."""
    offset_s: float = 0.0
    """t_vision − t_sound: positive where the beep comes before its flash."""
    period_s: float = 1.5
    """Mean distance of the flashes; each is 0.75…1.25 times as long: none of 2 s, which is told as silence."""
    between_frames: bool = False
    """Flashes begin within frames, whose exposure shows when; else with a frame."""

    def __post_init__(self) -> None:
        for name in ("seconds", "period_s"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} must be more than 0 seconds, and a number")
        if self.period_s < 0.5:
            raise ConfigError("period_s must be 0.5 or more: a flash and a beep need calm around them")
        if not 1 <= self.rate <= 240:
            raise ConfigError("rate must be 1 to 240 frames per second")
        if not all(16 <= side <= 8192 and side % 2 == 0 for side in self.size):
            raise ConfigError("size must be even, 16x16 to 8192x8192")
        if not abs(self.offset_s) <= 60:
            raise ConfigError("offset_s must be within a minute")
        if self.seconds < self.least_s:
            raise ConfigError(
                f"seconds {self.seconds:g}: too short for {ENOUGH} flashes with their beeps, as a marker signal has; "
                f"with this period and offset it must be {math.ceil(10 * self.least_s) / 10:g} or more"
            )

    @property
    def flashes_s(self) -> tuple[float, ...]:
        """When flashes begin, seconds."""
        return tuple(itertools.takewhile(lambda at_s: at_s + self.flash_s < self.seconds, self._endless_s()))

    def _endless_s(self) -> Iterator[float]:
        """When flashes would begin in a clip without an end."""
        at_s = FIRST_S * self.period_s
        for number in itertools.count(1):
            yield at_s if self.between_frames else float(round(at_s * self.rate) / self.rate)
            at_s += self.period_s * (0.75 + 0.5 * (number * _GOLDEN % 1.0))

    @property
    def least_s(self) -> float:
        """Length of the shortest clip that holds a marker signal, seconds.

        It has so many whole flashes and beeps, and two frames after the last, by which that is seen to end: with one
        such clips are measured at 24 to 60 frames per second, without any at 60 only.
        """
        heard = (at_s for at_s in self._endless_s() if at_s >= self.offset_s)
        last_s = next(itertools.islice(heard, ENOUGH - 1, None))
        return max(last_s + self.flash_s, last_s - self.offset_s + BEEP_S) + float(2 / self.rate)

    @property
    def beeps_s(self) -> tuple[float, ...]:
        """When beeps begin, seconds; one that would begin before the clip is not heard."""
        return tuple(at_s - self.offset_s for at_s in self.flashes_s if 0 <= at_s - self.offset_s < self.seconds)

    @property
    def flash_s(self) -> float:
        """Length of a flash, seconds."""
        return float(max(1, round(FLASH_S * self.rate)) / self.rate)

    @property
    def frames(self) -> int:
        """How many there are."""
        return max(1, round(self.seconds * self.rate))


def write_sync_clip(
    out: Path,
    clip: SyncClip = SyncClip(),
    coding: Coding | None = None,
    *,
    on_progress: Callable[[float], None] | None = None,
) -> None:
    """Write the clip.

    Args:
        out: The new file; its suffix names the container, and the codecs unless `coding` does: H.264 and AAC in .mp4,
            .mov and .ts, FFV1 and FLAC, which lose nothing, in .mkv.
        clip: What it shows.
        coding: How it is coded.
        on_progress: Told how far it is, in seconds.

    Raises:
        ConfigError: The suffix is none of those.
        OutputError: The file cannot be written.
    """
    container = container_of(out)
    if coding is None:
        lossless = container == "matroska"
        coding = Coding(video_codec="ffv1", audio_codec="flac") if lossless else Coding()
    form = _form(clip.size)
    facts = ClipFacts(
        form=form,
        sound=SoundForm(SAMPLE_RATE, "stereo", 2),
        time_base=1 / clip.rate,
        frame_rate=clip.rate,
        duration_s=clip.seconds,
        zero_s=0.0,
        sample_aspect_ratio=Fraction(1),
        color=(1, 1, 1, 1),
    )
    with written_whole(out) as part:
        _write(ClipWriter(part, container, facts, coding, planted=lambda *_: None), clip, form, on_progress)


def _write(writer: ClipWriter, clip: SyncClip, form: PictureForm, on_progress: Callable[[float], None] | None) -> None:
    try:
        flashes, beeps, face = clip.flashes_s, clip.beeps_s, _Face(clip.size)
        done = 0
        grey = tuple(np.full(form.shape(plane), form.grey, np.uint8) for plane in (1, 2))
        for number in range(clip.frames):
            luma = face.drawn(number / clip.rate, (number + 1) / clip.rate, flashes, clip.flash_s)
            at_s = float(number / clip.rate)
            writer.show(Picture(form, number, at_s, None, (luma, *grey)))
            until = round((number + 1) / clip.rate * SAMPLE_RATE)
            mono = sound_of(np.arange(done, until) / SAMPLE_RATE, beeps)
            writer.play(Sound(done, np.stack([mono, mono])))
            done = until
            if on_progress is not None:
                on_progress(at_s)
        writer.finish()
    except BaseException:
        writer.abandon()
        raise


def sound_of(at_s: np.ndarray, beeps_s: tuple[float, ...]) -> np.ndarray:
    """Samples of the sound, float32 [N], full scale ±1, at the moments `at_s`, float64 [N] in seconds."""
    sound = np.zeros(len(at_s))
    # A raised cosine has gathered as much energy as a step at its middle has, if that is set 5/8 of the edge later.
    lead_s = 0.625 * EDGE_S
    for beep_s in beeps_s:
        since_s = at_s - beep_s + lead_s
        left_s = BEEP_S + 2.0 * lead_s - since_s
        edge = np.clip(np.minimum(since_s, left_s) / EDGE_S, 0.0, 1.0)
        envelope = 0.5 - 0.5 * np.cos(np.pi * edge)
        sound += BEEP_AMPLITUDE * envelope * np.sin(2.0 * np.pi * BEEP_HZ * since_s)
    return sound.astype(np.float32)


def _form(size: tuple[int, int]) -> PictureForm:
    return PictureForm(
        width=size[0],
        height=size[1],
        pixel_format="yuv420p",
        bit_depth=8,
        across=2,
        down=2,
        full_range=False,
        luma_weights=(0.2126, 0.0722),
    )


class _Face:
    """The clip's face: a pie and a number.

    Args:
        size: Width and height in samples.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        y, x = np.mgrid[0:height, 0:width]
        y, x = y - height / 2 + 0.5, x - width / 2 + 0.5
        self._size = size
        self._disk = np.hypot(x, y) < 0.42 * min(size)
        self._turn = (np.arctan2(x, -y) / (2 * np.pi)) % 1.0
        """0…1 clockwise from the top."""

    def drawn(
        self, start_s: float | Fraction, end_s: float | Fraction, flashes_s: tuple[float, ...], flash_s: float
    ) -> np.ndarray:
        """Luma codes uint8 [H, W] of the frame that is exposed from `start_s` to `end_s`."""
        start, end = float(start_s), float(end_s)
        lit = sum(max(0.0, min(end, at_s + flash_s) - max(start, at_s)) for at_s in flashes_s) / (end - start)
        if lit > 1.0 - 1e-6:
            return np.full(self._size[::-1], _WHITE, np.uint8)
        before = max((at_s for at_s in flashes_s if at_s <= start + 1e-9), default=0.0)
        after = min((at_s for at_s in flashes_s if at_s > start + 1e-9), default=None)
        luma = np.full(self._size[::-1], _DARK, np.uint8)
        if after is not None:
            luma[self._disk & (self._turn < (start - before) / (after - before))] = _PIE
            self._write(luma, f"{min(99, math.ceil(after - start - 1e-9))}")
        if lit > 1e-6:
            # Codes are to light as a display has it: exposure adds light.
            share = (luma.astype(np.float32) - 16.0) / 219.0
            light = (1.0 - lit) * share**DISPLAY_GAMMA + lit
            luma = np.rint(16.0 + 219.0 * light ** (1.0 / DISPLAY_GAMMA)).astype(np.uint8)
        return luma

    def _write(self, luma: np.ndarray, text: str) -> None:
        width, height = self._size
        tall = max(7, height // 4)
        wide, pen = tall // 2, max(1, tall // 10)
        left = (width - len(text) * (wide + 2 * pen)) // 2
        for character in text:
            _write_digit(luma, int(character), (height - tall) // 2, left, (tall, wide, pen))
            left += wide + 2 * pen


def _write_digit(luma: np.ndarray, digit: int, top: int, left: int, shape: tuple[int, int, int]) -> None:
    tall, wide, pen = shape
    middle = (tall - pen) // 2
    bars = (
        (0, 0, pen, wide),
        (0, 0, middle + pen, pen),
        (0, wide - pen, middle + pen, pen),
        (middle, 0, pen, wide),
        (middle, 0, tall - middle, pen),
        (middle, wide - pen, tall - middle, pen),
        (tall - pen, 0, pen, wide),
    )
    for is_lit, (down, across, rows, columns) in zip(_SEGMENTS[digit], bars, strict=True):
        if is_lit == "1":
            luma[top + down : top + down + rows, left + across : left + across + columns] = _WHITE - 75
