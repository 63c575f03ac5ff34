"""A programme of synthesised pictures with faults at known times, of any size, rate, depth and range, without a codec.

The picture: a textured landscape that pans, something that moves in front of it, a hard-edged logo that stands, and
noise. It has the statistics that detectors go by: detail at all scales, motion, no repeats, no grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.config import known_detectors
from gpu_qa.events import CauseState, TrackerState, explain, finish, settle, track
from gpu_qa.features import StreamFeatures
from gpu_qa.features.picture import HostPictures
from gpu_qa.media import Plane, Track, VideoFormat, VideoFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gpu_qa.media import ColorRange
    from gpu_qa.series import Event, EventTiming, Evidence


_COARSE = 8.0
"""What has fewer cycles per height of the picture is its layout, all else its detail."""


@dataclass(frozen=True)
class Form:
    """How the programme is shown."""

    width: int
    height: int
    rate: Fraction
    bit_depth: int = 8
    color_range: ColorRange = "limited"
    irregular: bool = False
    """Pictures last by turns half and one and a half times as long."""
    grain: float = 0.006
    """Standard deviation of the camera's noise, as a fraction of full scale."""

    def __str__(self) -> str:
        rate = f"{float(self.rate):.5g}{'v' if self.irregular else ''}"
        return f"{self.width}x{self.height}@{rate}-{self.bit_depth}bit-{self.color_range}"


@dataclass(frozen=True)
class Fault:
    """Something wrong with the pictures of a stretch."""

    name: str
    kind: str
    """Of the event that is to be told."""
    start_s: float
    end_s: float


class Programme:
    """The pictures of a form, and what faults make of them.

    Drawn in int16 code values of the form.
    """

    def __init__(self, form: Form, faults: Sequence[Fault], length_s: float) -> None:
        self.form, self.faults, self.length_s = form, faults, length_s
        self._scene = _scene(form)
        noise = np.random.default_rng(3).normal(0, form.grain * _span(form), (3, form.height + 16, form.width + 16))
        self._noise = noise.round().astype(np.int16)
        self._kept: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def times(self) -> Iterator[tuple[float, float]]:
        """Start and length of each picture in seconds."""
        at_s, index = 0.0, 0
        while at_s < self.length_s:
            length_s = float(1 / self.form.rate) * ((0.5, 1.5)[index % 2] if self.form.irregular else 1.0)
            yield at_s, length_s
            at_s, index = at_s + length_s, index + 1

    def frames(self) -> Iterator[VideoFrame]:
        """The pictures in turn, each in memory of its own."""
        ticks = 90_000
        for index, (at_s, length_s) in enumerate(self.times()):
            luma, chroma = self._picture(index, at_s)
            yield self._coded(luma, chroma, round(at_s * ticks), round(length_s * ticks), ticks)

    def clean(self, index: int, at_s: float) -> tuple[np.ndarray, np.ndarray]:
        """The picture without a fault: luma [H, W] and chroma [2, H / 2, W / 2]."""
        return self._drawn(index, at_s, self._scene.far, self._scene.near)

    def _drawn(self, index: int, at_s: float, far: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        width, height = self.form.width, self.form.height
        x, y = (
            _bounce(int(0.09 * width * at_s), self._scene.room_x),
            _bounce(int(0.02 * width * at_s), self._scene.room_y),
        )
        luma = far[y : y + height, x : x + width].copy()
        side_y, side_x = near.shape
        top = _bounce(int(0.11 * width * at_s), height - side_y)
        left = _bounce(int(0.29 * width * at_s), width - side_x)
        luma[top : top + side_y, left : left + side_x] = near
        self._put_logo(luma)
        shift_y, shift_x = index * 5 % 16, index * 11 % 16
        luma += self._noise[index % 3, shift_y : shift_y + height, shift_x : shift_x + width]
        cx, cy = x // 2, y // 2
        chroma = self._scene.chroma[:, cy : cy + height // 2, cx : cx + width // 2]
        return luma, chroma

    def _put_logo(self, luma: np.ndarray) -> None:
        height, width = luma.shape
        logo = luma[height // 14 : height // 7, width - width // 7 : width - width // 14]
        logo[:] = _luma(self.form, 0.25)
        logo[:, :: max(4, width // 160)] = _luma(self.form, 0.9)

    def _picture(self, index: int, at_s: float) -> tuple[np.ndarray, np.ndarray]:
        for fault in self.faults:
            if fault.start_s <= at_s + 1e-6 < fault.end_s:
                return FAULTS[fault.name](self, index, at_s, fault)
        self._kept.clear()
        return self.clean(index, at_s)

    def kept(self, name: str, index: int, at_s: float) -> tuple[np.ndarray, np.ndarray]:
        """The picture that was clean when this was first asked for within the fault."""
        if name not in self._kept:
            self._kept[name] = self.clean(index, at_s)
        return self._kept[name]

    def blurred(self, index: int, at_s: float) -> tuple[np.ndarray, np.ndarray]:
        """The picture through a box of 1/20 of its height, before the noise of the camera."""
        return self._drawn(index, at_s, *self._scene.blurred)

    def _coded(self, luma: np.ndarray, chroma: np.ndarray, pts: int, duration: int, ticks: int) -> VideoFrame:
        form = self.form
        kind = np.uint8 if form.bit_depth == 8 else np.uint16
        codes = np.clip(luma, 0, (1 << form.bit_depth) - 1).astype(kind)
        colors = chroma.astype(kind)
        height, width = form.height, form.width

        def plane(data: np.ndarray) -> Plane:
            return Plane(np.ascontiguousarray(data).reshape(-1), 0, data.shape[1], 1, data.shape[1], data.shape[0])

        shown = VideoFormat(width, height, form.bit_depth, 0, form.color_range, "yuv420p", "bt709")
        return VideoFrame(
            pts, duration, Fraction(1, ticks), shown, plane(codes), (plane(colors[0]), plane(colors[1])),
            is_key=pts == 0,
        )  # fmt: skip


@dataclass
class _Scene:
    far: np.ndarray
    near: np.ndarray
    chroma: np.ndarray
    room_x: int
    room_y: int

    @cached_property
    def blurred(self) -> tuple[np.ndarray, np.ndarray]:
        """`far` and `near` through a box."""
        radius = max(2, self.near.shape[0] // 12)
        return _boxed(self.far, radius), _boxed(self.near, radius)


def _span(form: Form) -> int:
    """Codes from black to white."""
    return (255 if form.color_range == "full" else 219) << (form.bit_depth - 8)


def _luma(form: Form, fraction: float) -> int:
    """The code of a fraction of full scale."""
    black = 0 if form.color_range == "full" else 16 << (form.bit_depth - 8)
    return round(black + fraction * _span(form))


def _coded(form: Form, fractions: np.ndarray) -> np.ndarray:
    black = _luma(form, 0.0)
    return np.asarray((black + fractions * _span(form) + 0.5).astype(np.int16))


@lru_cache(maxsize=2)
def _scene(form: Form) -> _Scene:
    width, height = form.width, form.height
    room_x, room_y = width // 2, height // 2
    far = _coded(form, 0.15 + 0.7 * _texture(height + room_y, width + room_x, 5))
    near = _coded(form, 0.25 + 0.6 * _texture(height // 2, height // 2, 6))
    colors = [0.25 * (_texture((height + room_y) // 2, (width + room_x) // 2, seed) - 0.4) for seed in (7, 8)]
    grey = 128 << (form.bit_depth - 8)
    return _Scene(far, near, (grey + np.stack(colors) * _span(form)).astype(np.int16), room_x, room_y)


def _texture(height: int, width: int, seed: int) -> np.ndarray:
    """Contrast at every scale as in natural pictures (1/f), calm in places as skies and walls are, 0…1, float32 [H, W].

    The same picture at any size: its scales are fractions of it, not numbers of samples.
    """
    rng = np.random.default_rng(seed)
    y, x = np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width)[None, :] * width
    # Cycles per height of the picture.
    frequency = np.maximum(np.hypot(y, x * height / width), 1.0)
    rows, cols = min(height, 1024), min(width // 2 + 1, 1024)
    spectrum = np.zeros(frequency.shape, np.complex64)
    phases = np.exp(2j * np.pi * rng.random((rows, cols)))
    half = rows // 2
    spectrum[:half, :cols], spectrum[-half:, :cols] = phases[:half], phases[-half:]
    spectrum *= 1.0 / frequency**1.4
    drawn = np.fft.irfft2(spectrum, (height, width))
    coarse = np.fft.irfft2(np.where(frequency < _COARSE, spectrum, 0), (height, width))
    # Where the coarse picture is bright it is calm.
    detail = 1 / (1 + np.exp(4.0 * coarse / coarse.std()))
    drawn = coarse + (drawn - coarse) * (0.1 + 1.2 * detail)
    drawn = (drawn - drawn.mean()) / drawn.std()
    return np.asarray((0.45 + 0.2 * drawn).clip(0, 1).astype(np.float32))


def _boxed(image: np.ndarray, radius: int) -> np.ndarray:
    for axis in (0, 1):
        edge = [(radius, radius) if axis == one else (0, 0) for one in (0, 1)]
        sums = np.cumsum(np.pad(image, edge, mode="edge"), axis=axis, dtype=np.float64)
        count = image.shape[axis]
        image = (sums.take(range(2 * radius, 2 * radius + count), axis) - sums.take(range(count), axis)) / (2 * radius)
    return image.round().astype(np.int16)


def _bounce(way: int, room: int) -> int:
    way %= 2 * room
    return way if way < room else 2 * room - 1 - way


def _flat(programme: Programme, luma: float, cb: float = 0.0, cr: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    form = programme.form
    chroma = np.empty((2, form.height // 2, form.width // 2), np.int16)
    grey = 128 << (form.bit_depth - 8)
    chroma[0], chroma[1] = grey + cb * _span(form), grey + cr * _span(form)
    return np.full((form.height, form.width), _luma(form, luma), np.int16), chroma


def _black(programme: Programme, index: int, at_s: float, fault: Fault) -> tuple[np.ndarray, np.ndarray]:
    return _flat(programme, 0.0)


def _green(programme: Programme, index: int, at_s: float, fault: Fault) -> tuple[np.ndarray, np.ndarray]:
    return _flat(programme, 0.27, -0.3, -0.3)


def _freeze(programme: Programme, index: int, at_s: float, fault: Fault) -> tuple[np.ndarray, np.ndarray]:
    return programme.kept("freeze", index, at_s)


def _stutter(programme: Programme, index: int, at_s: float, fault: Fault) -> tuple[np.ndarray, np.ndarray]:
    step_s = 2.0 / float(programme.form.rate)
    number = int((at_s - fault.start_s) / step_s + 1e-6)
    programme._kept = {name: shown for name, shown in programme._kept.items() if name == f"stutter {number}"}
    return programme.kept(f"stutter {number}", index, at_s)


def _loop(programme: Programme, index: int, at_s: float, fault: Fault) -> tuple[np.ndarray, np.ndarray]:
    """The half second from where it began, over and over: the same pictures, also where they last differently long."""
    rate = float(programme.form.rate)
    within_s = (at_s - fault.start_s) % (2.0 * round(0.25 * rate) / rate)
    return programme.clean(index, fault.start_s + within_s)


def _blocks(programme: Programme, index: int, at_s: float, fault: Fault) -> tuple[np.ndarray, np.ndarray]:
    """Each eighth macroblock shows another one's content, others every eighth of a second."""
    luma, chroma = programme.clean(index, at_s)
    rows, cols = luma.shape[0] // 16, luma.shape[1] // 16
    rng = np.random.default_rng(int(at_s * 8))
    count = rows * cols // 8
    places, sources = (rng.integers(0, [rows, cols], (count, 2)) * 16 for _ in range(2))
    damaged = luma.copy()
    for (y, x), (v, u) in zip(places.tolist(), sources.tolist(), strict=True):
        damaged[y : y + 16, x : x + 16] = luma[v : v + 16, u : u + 16]
    return damaged, chroma


def _coarse(programme: Programme, index: int, at_s: float, fault: Fault) -> tuple[np.ndarray, np.ndarray]:
    """What is left of the picture when each block keeps little but its mean."""
    luma, chroma = programme.clean(index, at_s)
    rows, cols = luma.shape[0] // 8, luma.shape[1] // 8
    blocks = luma[: rows * 8, : cols * 8].reshape(rows, 8, cols, 8)
    means = blocks.mean(axis=(1, 3), keepdims=True).astype(np.int16)
    blocks[:] = means + (blocks - means) // 6
    return luma, chroma


def _blur(programme: Programme, index: int, at_s: float, fault: Fault) -> tuple[np.ndarray, np.ndarray]:
    return programme.blurred(index, at_s)


def _flash(programme: Programme, index: int, at_s: float, fault: Fault) -> tuple[np.ndarray, np.ndarray]:
    """Black and white by turns, five times a second."""
    return _flat(programme, float(int((at_s - fault.start_s) * 10 + 1e-6) % 2))


def _combed(programme: Programme, index: int, at_s: float, fault: Fault) -> tuple[np.ndarray, np.ndarray]:
    """Every second line shows what was there a picture ago."""
    luma, chroma = programme.clean(index, at_s)
    luma[1::2] = programme.clean(index, at_s - 1.0 / float(programme.form.rate))[0][1::2]
    return luma, chroma


def _grey(programme: Programme, index: int, at_s: float, fault: Fault) -> tuple[np.ndarray, np.ndarray]:
    luma, chroma = programme.clean(index, at_s)
    return luma, np.full_like(chroma, 128 << (programme.form.bit_depth - 8))


def _bars(programme: Programme, index: int, at_s: float, fault: Fault) -> tuple[np.ndarray, np.ndarray]:
    """Colour bars of 75 %: white, yellow, cyan, green, magenta, red, blue, black."""
    luma, chroma = _flat(programme, 0.0)
    width, grey = programme.form.width, 128 << (programme.form.bit_depth - 8)
    for bar in range(8):
        red, green, blue = 0.75 * (bar & 2 == 0), 0.75 * (bar & 4 == 0), 0.75 * (bar & 1 == 0)
        y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        left, right = bar * width // 8, (bar + 1) * width // 8
        luma[:, left:right] = _luma(programme.form, y)
        for plane, color in zip(chroma, ((blue - y) / 1.8556, (red - y) / 1.5748), strict=True):
            plane[:, left // 2 : right // 2] = grey + round(color * _span(programme.form))
    return luma, chroma


def _letterbox(programme: Programme, index: int, at_s: float, fault: Fault) -> tuple[np.ndarray, np.ndarray]:
    """Black bars of an eighth of the picture above and below."""
    luma, chroma = programme.clean(index, at_s)
    dark, grey = _flat(programme, 0.0)
    rows = programme.form.height // 16 * 2
    chroma = chroma.copy()
    for side in (slice(0, rows), slice(-rows, None)):
        luma[side] = dark[side]
    for side in (slice(0, rows // 2), slice(-(rows // 2), None)):
        chroma[:, side] = grey[:, side]
    return luma, chroma


FAULTS: dict[str, Callable[[Programme, int, float, Fault], tuple[np.ndarray, np.ndarray]]] = {
    "black": _black,
    "green": _green,
    "freeze": _freeze,
    "stutter": _stutter,
    "loop": _loop,
    "blocks": _blocks,
    "coarse": _coarse,
    "blur": _blur,
    "flash": _flash,
    "combed": _combed,
    "grey": _grey,
    "bars": _bars,
    "letterbox": _letterbox,
}


def told(frames: Iterable[VideoFrame], names: Sequence[str]) -> list[Event]:
    """The events of pictures as last told, by the named detectors with their defaults."""
    video = Track(0, "video", "raw", Fraction(1, 90_000))
    features, pictures = StreamFeatures([video]), HostPictures()
    judges = [detector for name, detector in known_detectors().items() if name in names]
    carries: dict[str, object] = {}
    tracker, causes = TrackerState("s"), CauseState()
    final: dict[str, Event] = {}

    def judge(measured: Sequence[object], until_s: float) -> None:
        nonlocal tracker, causes
        for series in measured:
            weighed: list[tuple[Evidence, EventTiming]] = []
            events: list[Event] = []
            for detector in judges:
                found, carries[detector.name] = detector.weigh(series, detector.limits, carries.get(detector.name))
                for evidence in found:
                    tracker, more = track(tracker, evidence, detector.timing)
                    weighed.append((evidence, detector.timing))
                    events += more
            causes, tracker, shown = explain(causes, tracker, weighed, events, until_s)
            final.update({event.id: event for event in shown})

    for frame in frames:
        judge(features.take([pictures.measure(frame)]).video, features.timeline.until_s)
    judge(features.flush(ended=True).video, features.timeline.until_s)
    tracker, closed = finish(tracker, features.timeline.until_s)
    final.update({event.id: event for event in settle(causes, tracker, closed, features.timeline.until_s)})
    return sorted(final.values(), key=lambda event: (event.start_s, event.kind))
