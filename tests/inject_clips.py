"""Clips with planted faults for tests, and what is in them: everything without loss, so that numbers are exact."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from gpu_qa.inject import FAULTS, InjectSettings, PlantedFault, Truth, inject
from gpu_qa.inject.registry import planting
from gpu_qa.inject.writer import Coding
from tests.clips import cached_clip

if TYPE_CHECKING:
    from pathlib import Path

LOSSLESS = InjectSettings(coding=Coding(video_codec="ffv1", audio_codec="pcm"))
START_S, DURATION_S = 1.0, 1.2
RATE, SOUND_HZ = 25, 48_000
FIRST, LAST = 25, 55
"""Pictures of the stretch: from, to (exclusive)."""


@dataclass(frozen=True)
class Content:
    """All that a clip holds."""

    luma: np.ndarray
    """[T, H, W], codes."""
    chroma: np.ndarray
    """[T, 2, H/2, W/2], codes."""
    pts_s: np.ndarray
    """[T]."""
    sound: np.ndarray
    """float64 [C, N]; empty without a track."""


def base_clip() -> Path:
    """Three seconds of a moving picture and a tone, without loss."""
    return cached_clip(
        "base.mkv", seconds=3, codec="ffv1", audio="pcm_s16le", size=(192, 128), rate=RATE, sample_rate=SOUND_HZ
    )


def content(path: Path) -> Content:
    """Decode a clip."""
    lumas, chromas, times, sounds = [], [], [], []
    with av.open(str(path)) as container:
        streams: list[Any] = [*container.streams.video[:1], *container.streams.audio[:1]]
        for packet in container.demux(*streams):
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    planes = [_codes(plane, frame.format.components[0].bits) for plane in frame.planes]
                    lumas.append(planes[0])
                    chromas.append(np.stack(planes[1:]) if len(planes) > 1 else np.zeros((0, 0, 0)))
                    times.append(float(frame.time or 0.0))
                elif isinstance(frame, av.AudioFrame):
                    sounds.append(_samples(frame))
    sound = np.concatenate(sounds, axis=1) if sounds else np.zeros((0, 0))
    return Content(np.array(lumas), np.array(chromas), np.array(times), sound)


def _codes(plane: Any, bits: int) -> np.ndarray:
    kind: Any = np.uint8 if bits == 8 else np.uint16
    rows = np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1)
    return rows[:, : plane.width].copy()


def _samples(frame: av.AudioFrame) -> np.ndarray:
    values = frame.to_ndarray().astype(np.float64)
    if not frame.format.is_planar:
        values = values.reshape(-1, len(frame.layout.channels)).T
    return values / 32768 if frame.format.name.startswith("s16") else values


@cache
def clean() -> Content:
    """What the base clip holds."""
    return content(base_clip())


def planted(
    folder: Path, name: str, strength: float | None = None, *, seed: int = 1, suffix: str = ".mkv", **options: Any
) -> tuple[Content, PlantedFault]:
    """The base clip with a fault from 1.0 to 2.2 s, and what the truth says of it."""
    truth = written(folder / f"{name}{suffix}", name, strength, seed=seed, **options)
    return content(folder / f"{name}{suffix}"), truth.faults[0]


def written(
    path: Path,
    name: str,
    strength: float | None = None,
    *,
    seed: int = 1,
    clip: Path | None = None,
    settings: InjectSettings = LOSSLESS,
    **options: Any,
) -> Truth:
    """Write a clip with a fault from 1.0 to 2.2 s."""
    fault = FAULTS[name]
    chosen = planting(fault, strength=strength, start_s=START_S, duration_s=DURATION_S, seed=seed, options=options)
    return inject(clip or base_clip(), path, [chosen], settings)
