"""Features of the sound: samples → `SpectrumSeries`, by the kernel `spectra`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.features.audio import RESTART_S
from gpu_qa.series import SpectrumSeries
from gpu_qa_kernels.spectra import band_powers, line_powers

if TYPE_CHECKING:
    from gpu_qa.media import AudioSamples

STEPS_PER_S = 10
SERIES_S = 0.8
"""A series is complete at this length: what spectra tell takes longer than that to be sure of."""
LINES = 512
"""Lines of the low spectrum."""
LINE_WINDOW_S = 0.5
"""Lines stand 2 Hz apart, and mains hum 10 Hz from the other mains frequency."""
FRAMES = 2
"""Windows of a step in which the bands are measured; the least of them is what a pause within the step leaves."""
PARTS = 4
"""Parts of a step that are as long as such a window. Every second one has one: what is noise shows in half of it."""
# fmt: off
BARK_HZ = (
    0, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700, 4400, 5300, 6400,
    7700, 9500, 12000, 15500,
)
# fmt: on
"""Edges of the critical bands (E. Zwicker, "Subdivision of the audible frequency range into critical bands", JASA 33,
1961)."""
_ULTRASONIC_HZ = (20000, 40000, 80000)
"""Further edges above them; ours."""
_LOW_HZ = 1024.0
"""The filter before thinning passes up to here, where the lines end."""
_THIN_HZ = (3600, 5200)
"""Thin rates to choose from: enough above twice `_LOW_HZ` for a short filter."""
_STOP_DB = 70.0
"""What the filter takes off sound that thinning would fold onto the lines: below that noise nothing is told."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How sound of one rate is measured."""

    step: int
    """Of how many samples one is kept for the lines."""
    taps: np.ndarray
    """float32 [J]: the filter before thinning."""
    line_window: np.ndarray
    """float32: Hann, in thin samples."""
    line_hz: float
    """Distance of the lines."""
    frame_window: np.ndarray
    """float32: Hann, in samples."""
    edges: tuple[int, ...]
    """Edges of the bands, in lines of a frame's transform."""
    edges_hz: np.ndarray
    """float64: the same, in Hz."""


@lru_cache(maxsize=32)
def _plan(rate: int) -> _Plan:
    steps = range(max(rate // _THIN_HZ[0], 1), rate // _THIN_HZ[1], -1)
    # Of some low rates no number of samples leaves one of `_THIN_HZ`.
    step = next((one for one in steps if rate % (2 * one) == 0), max(rate // _THIN_HZ[0], 1))
    thin = rate / step
    length = max(round(thin * LINE_WINDOW_S), 2)
    frame = _smooth_length(rate // (STEPS_PER_S * PARTS))
    inner = [edge for edge in (*BARK_HZ, *_ULTRASONIC_HZ) if edge <= 0.9 * rate / 2]
    lines = [-(-edge * frame // rate) for edge in inner]
    return _Plan(
        step=step,
        taps=_low_pass(rate, step),
        line_window=_hann(length),
        line_hz=thin / length,
        frame_window=_hann(frame),
        edges=(*lines, frame // 2 + 1),
        edges_hz=np.array([*inner, rate / 2], np.float64),
    )


def _hann(length: int) -> np.ndarray:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length), np.float32)


def _smooth_length(most: int) -> int:
    """The largest even number up to `most` without a prime factor above 7: transforms of it are fast."""
    for length in range(most - most % 2, 16, -2):
        rest = length
        for factor in (2, 3, 5, 7):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
    return 16


def _low_pass(rate: int, step: int) -> np.ndarray:
    """A sinc under Kaiser's window, float32 [J], J odd.

    Its length and β are those of A. V. Oppenheim and R. W. Schafer, "Discrete-Time Signal Processing", 7.5.3.
    """
    if step == 1:
        return np.ones(1, np.float32)
    stop_hz = rate / step - _LOW_HZ
    turns = (stop_hz - _LOW_HZ) / rate
    half = int(np.ceil((_STOP_DB - 8.0) / (2.285 * 2 * np.pi * turns) / 2))
    n = np.arange(-half, half + 1)
    cut = (stop_hz + _LOW_HZ) / rate
    taps = np.sinc(cut * n) * np.kaiser(2 * half + 1, 0.1102 * (_STOP_DB - 8.7))
    return np.asarray(taps / taps.sum(), np.float32)


class SpectrumFeatures:
    """Measures one track in steps of 0.1 s.

    Args:
        track: Index of the track in its container.
    """

    def __init__(self, track: int) -> None:
        self._track = track
        self._channels: tuple[str, ...] = ()
        self._rate = 0
        self._pending: list[np.ndarray] = []
        self._first = 0
        """Place of the first pending sample, counted from `_origin_s`."""
        self._until = 0
        """Samples since `_origin_s`."""
        self._origin_s = 0.0
        self._step = 0
        """The next step, counted from `_origin_s`."""
        self._due = 0
        """Samples since `_origin_s` with which the next series is complete."""

    def add(self, sound: AudioSamples, start_s: float) -> list[SpectrumSeries]:
        """Measure a run of samples.

        Args:
            sound: Decoded samples of this track.
            start_s: Their start on the stream's clock, in seconds.

        Returns:
            The series that this completed: by length, or by a gap or a new format before these samples.
        """
        done: list[SpectrumSeries] = []
        if sound.sample_rate != self._rate or sound.channels != self._channels:
            done += self.flush(ended=True)
            self._rate, self._channels = sound.sample_rate, sound.channels
            self.restart(start_s)
        elif abs(start_s - self._until_s) > RESTART_S:
            done += self.flush(ended=True)
            self.restart(start_s)
        self._pending.append(sound.samples)
        self._until += sound.samples.shape[1]
        if self._until >= self._due:
            done += self.flush()
        return done

    def flush(self, *, ended: bool = False) -> list[SpectrumSeries]:
        """The series of the complete steps since the last one: one or none.

        Args:
            ended: Nothing follows: the last steps have to do with the last window there is.
        """
        if not self._rate:
            return []
        plan = _plan(self._rate)
        last_window = self._last_window(plan)
        until = self._until * STEPS_PER_S // self._rate if ended else self._ready()
        if until <= self._step or last_window < 0:
            return []
        samples = self._pending[0] if len(self._pending) == 1 else np.concatenate(self._pending, axis=1)
        steps = range(self._step, until)
        origin = self._first // plan.step
        windows = [min(self._window(plan, step), last_window) - origin for step in steps]
        frames = [
            [self._edge(PARTS * step + part, PARTS) - self._first for part in range(0, PARTS, PARTS // FRAMES)]
            for step in steps
        ]
        low = line_powers(samples, windows, taps=plan.taps, step=plan.step, window=plan.line_window, bins=LINES)
        bands = band_powers(samples, frames, window=plan.frame_window, edges=plan.edges)
        self._step = until
        self._due = self._due_after(plan)
        # The window before the next one stays too: if the sound ends here, the last windows lie between the two.
        kept = self._window(plan, until - 1) * plan.step
        self._pending, self._first = [samples[:, kept - self._first :].copy()], kept
        times_s = self._origin_s + np.arange(steps.start, until + 1) / STEPS_PER_S
        return [
            SpectrumSeries(
                track=self._track,
                channels=self._channels,
                sample_rate=self._rate,
                pts_s=times_s[:-1],
                end_s=times_s[1:],
                low=low.transpose(1, 0, 2),
                line_hz=plan.line_hz,
                bands=bands.mean.transpose(1, 0, 2),
                band_floor=bands.least.transpose(1, 0, 2),
                edges_hz=plan.edges_hz,
            )
        ]

    @property
    def _until_s(self) -> float:
        return self._origin_s + self._until / self._rate

    def _ready(self) -> int:
        """The first step whose window or frames reach beyond what is there."""
        plan, step = _plan(self._rate), self._step
        last_window = self._last_window(plan)
        while self._window(plan, step) <= last_window and self._edge(step + 1) <= self._until:
            step += 1
        return step

    def _due_after(self, plan: _Plan) -> int:
        """Samples since `_origin_s` that a series of full length from the next step on takes."""
        last = self._step + round(SERIES_S * STEPS_PER_S) - 1
        window_end = (self._window(plan, last) + len(plan.line_window) - 1) * plan.step + len(plan.taps)
        return max(window_end, self._edge(last + 1))

    def _last_window(self, plan: _Plan) -> int:
        """Thin sample at which the last whole window begins; negative where there is none."""
        return (self._until - len(plan.taps)) // plan.step - len(plan.line_window) + 1

    def _window(self, plan: _Plan, step: int) -> int:
        """Thin sample at which a step's window begins: half of it lies before the step's middle, but no less than 0."""
        middle = (2 * step + 1) * self._rate / (2 * STEPS_PER_S) - (len(plan.taps) - 1) / 2
        return max(0, round(middle / plan.step - len(plan.line_window) / 2))

    def _edge(self, step: int, parts: int = 1) -> int:
        """First sample of a step, or of one of its parts, counted from `_origin_s`."""
        return -(-step * self._rate // (STEPS_PER_S * parts))

    def restart(self, start_s: float) -> None:
        """Count steps from here."""
        self._pending, self._first, self._until = [], 0, 0
        self._origin_s, self._step = start_s, 0
        self._due = self._due_after(_plan(self._rate)) if self._rate else 0
