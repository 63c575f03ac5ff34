"""What is trained on: shots on the grid of 25 Hz, each with its sound on the grid of 100 Hz."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.config import Settings
from gpu_qa.decode import open_decoder
from gpu_qa.errors import GpuQaError
from gpu_qa.features import HostPictures, StreamFeatures
from gpu_qa.sources import open_source
from gpu_qa.sync.content import STILL, Heard, scorable
from gpu_qa.sync.measures import ROWS_PER_S, mean_change, on_grid, unpacked
from gpu_qa.sync.rows import RowCarry, add_rows, rows_between
from gpu_qa.sync.shots import SHORTEST, ShotCarry, Window, cut_shots, end_shots
from gpu_qa_kernels.speech_bands import WINDOW_S, speech_bands, window_length
from gpu_qa_kernels.sync_net import AUDIO_MARGIN, FRAMES_PER_S, RATIO

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_qa.sync_training.scene import Scene

_LONGEST_S = 3600.0
"""Of a clip no more than this is read: its measures are kept in memory."""


@dataclass(frozen=True, slots=True)
class Take:
    """One shot."""

    motion: np.ndarray
    """float16 [T, 7, 24, 42]: `tile_motion` on the grid of 25 Hz."""
    rows: np.ndarray
    """float32 [R, 12]: bands of sound at 100 Hz; NaN where there is none."""
    first_row: int
    """Index in `rows` of the moment of the first picture; may lie outside."""


def rendered_take(scene: Scene, phase: float) -> Take:
    """A rendered scene.

    Args:
        scene: What was rendered.
        phase: Where between two pictures the grid begins, 0…1.
    """
    times_s = scene.times_s
    mids_s = times_s - np.diff(times_s, prepend=2 * times_s[0] - times_s[1]) / 2
    begin_s = (1 + phase) / FRAMES_PER_S
    grid_s = np.arange(int((times_s[-1] - begin_s) * FRAMES_PER_S)) / FRAMES_PER_S + begin_s
    measures = scene.motion.astype(np.float32)
    motion = on_grid(measures, times_s, mids_s, grid_s)
    count = int(len(scene.samples) / scene.rate * ROWS_PER_S)
    length = window_length(scene.rate)
    nothing = np.zeros(length, np.float32)
    samples = np.concatenate([nothing, scene.samples, nothing])
    # The rows stand in step with the grid, one of them at its beginning.
    middles_s = begin_s + (np.arange(count) - int(begin_s * ROWS_PER_S)) / ROWS_PER_S
    ends = np.round((middles_s + WINDOW_S / 2) * scene.rate).astype(np.int64) + length
    rows = speech_bands(samples, np.clip(ends, length, len(samples)), scene.rate)
    return Take(motion.astype(np.float16), rows, int(begin_s * ROWS_PER_S))


def footage_takes(path: Path) -> list[Take]:
    """The shots of a clip whose sound is in step with its picture.

    Raises:
        GpuQaError: It cannot be read, has no picture or no sound, or nothing to learn from: nothing moves, or the sound
            is silent or never changes.
    """
    windows, sound = footage(path)
    if sound.rows is None:
        raise GpuQaError(f"{path}: its sound could not be decoded")
    _check_usable(path, windows, sound)
    return [
        Take(unpacked(window.motion).astype(np.float16), sound.rows, RATIO * window.first - sound.first)
        for window in windows
    ]


def _check_usable(path: Path, windows: list[Window], sound: RowCarry) -> None:
    """Refuse a clip of which the content way would look at no window."""
    if not windows:
        raise GpuQaError(f"{path}: nothing to train on: no shot is as long as {SHORTEST / FRAMES_PER_S:.1f} s")
    if all(mean_change(window.motion) < STILL for window in windows):
        raise GpuQaError(f"{path}: nothing to train on: nothing moves in its picture")
    for window in windows:
        begin, until = RATIO * window.first, RATIO * (window.first + len(window))
        around = rows_between(sound, begin - AUDIO_MARGIN, until + AUDIO_MARGIN)
        if scorable(Heard(window, around, 0)) is not None:
            return
    raise GpuQaError(f"{path}: nothing to train on: where its picture moves its sound is silent or never changes")


def footage(path: Path) -> tuple[list[Window], RowCarry]:
    """The shots of a clip, in windows as they are looked at, and its sound.

    Raises:
        GpuQaError: It cannot be read, or has no picture or no sound.
    """
    settings = Settings()
    shots, rows = ShotCarry(), RowCarry()
    windows: list[Window] = []
    with open_source(path, settings.source) as source:
        kinds = {track.kind for track in source.facts.tracks}
        if kinds != {"video", "audio"}:
            raise GpuQaError(f"{path}: needs picture and sound")
        pictures, features = HostPictures(motion=True), StreamFeatures(source.facts.tracks, spectra=False, sync=True)
        track = next(track.index for track in source.facts.tracks if track.kind == "audio")
        decoders = {one.index: open_decoder(one, settings.decode) for one in source.facts.tracks}
        try:
            for packet in source.packets():
                decoder = decoders[packet.track.index]
                decoded = decoder.drain() if packet.native is None else decoder.decode(packet)
                measured = features.take([pictures.measure(frame) for frame in decoded.frames], decoded.sound)
                for video in measured.video:
                    fresh, shots = cut_shots(video, shots)
                    windows += fresh
                for audio in measured.audio:
                    rows = add_rows(audio, rows) if audio.track == track else rows
                if features.timeline.until_s > _LONGEST_S:
                    break
        finally:
            for decoder in decoders.values():
                decoder.close()
        rest = features.flush(ended=True)
        for video in rest.video:
            fresh, shots = cut_shots(video, shots)
            windows += fresh
        for audio in rest.audio:
            rows = add_rows(audio, rows) if audio.track == track else rows
    return [*windows, *end_shots(shots)], rows
