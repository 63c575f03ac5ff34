"""The clips that faults are planted in: some that are synthesised here, or a user's own."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from benchmarks.detectors.sound import RATE_HZ, Kind, programme
from gpu_qa.bench.film import Film, cached
from gpu_qa.errors import GpuQaError
from gpu_qa.inject import InjectSettings, Truth, inject, truth_json
from gpu_qa.inject.writer import Coding

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 12.0
"""Of each clip that are used; a longer one has no more to say."""
LEAST_S = 8.0
"""A shorter clip has no room for a fault of 4 s with something on either side."""
ROWS = 360
"""Pictures are scaled down to so many rows, so that a thousand clips take minutes."""
LONG_S = 120.0
"""Of sound, for faults that are judged over minutes."""
TARGET_LUFS = -23.0
"""EBU R 128."""
_FADE_S = 0.05
_TINY_RATE = 10
SOUND_ROWS = 96
"""The same in clips in which a fault of the sound is planted: nobody looks at their picture."""
_SUFFIXES = (".mp4", ".mov", ".mkv", ".ts", ".m2ts", ".mpg", ".mpeg", ".webm", ".avi", ".mxf", ".flv", ".264")


@dataclass(frozen=True, slots=True)
class Picture:
    """How a synthesised clip looks."""

    name: str
    rate: int
    """Pictures per second."""
    grain: float
    """Standard deviation of the grain in 8-bit codes."""
    bit_rate: int
    """Bits per second."""
    sound: Kind
    seed: int


PICTURES = (
    Picture("clean-25", 25, 0.0, 1_500_000, "speech", 21),
    Picture("grain-25", 25, 3.0, 2_500_000, "music", 22),
    Picture("coarse-30", 30, 1.0, 350_000, "speech", 23),
    Picture("film-24", 24, 2.0, 1_500_000, "street", 24),
    Picture("sports-50", 50, 1.0, 2_500_000, "music", 25),
    Picture("web-60", 60, 0.5, 1_000_000, "street", 26),
)


@dataclass(frozen=True, slots=True)
class Base:
    """A clip as faults are planted in it: coded well, short, small, with nothing planted."""

    name: str
    synthesised: bool
    picture: str
    """Path of the copy for faults of the picture and of the stream."""
    sound: str | None
    """Path of the copy for faults of the sound; null where there is none."""
    long: str | None
    """Path of two minutes of its sound at −23 LUFS, over and over, for what is judged over minutes; null without."""
    seconds: float
    width: int
    height: int
    frame_rate: float
    channels: str | None
    """Layout of the sound."""


def synthesised(folder: Path) -> list[tuple[str, Path]]:
    """Names and files of the clips that come with the benchmark; made once."""
    return [(picture.name, _clip(picture, folder)) for picture in PICTURES]


def _clip(picture: Picture, folder: Path) -> Path:
    film = Film(
        seconds=SECONDS,
        width=640,
        height=ROWS,
        bit_rate=picture.bit_rate,
        rate=picture.rate,
        preset="fast",
        grain=picture.grain,
        suffix=".mp4",
        seed=picture.seed,
    )
    silent = cached(film, folder)
    path = silent.with_name(f"{picture.name}-{silent.stem}.mp4")
    if not path.exists():
        part = path.with_name(f".{os.getpid()}-{path.name}")
        with_sound(silent, part, programme(picture.sound, SECONDS, picture.seed))
        part.replace(path)
    return path


def with_sound(clip: Path, out: Path, sound: np.ndarray, *, layout: str = "stereo", rate_hz: int = RATE_HZ) -> None:
    """A copy of a clip's picture with another sound, as AAC.

    Args:
        clip: The picture.
        out: The copy, MP4.
        sound: Samples float32 [C, N].
        layout: Of its channels.
        rate_hz: Of its samples.
    """
    with av.open(str(clip)) as reader, av.open(str(out), "w", format="mp4") as writer:
        source: Any = reader.streams.video[0]
        video: Any = writer.add_stream_from_template(source)
        audio: Any = writer.add_stream("aac", rate=rate_hz)
        audio.layout, audio.bit_rate = layout, 256_000
        sent, zero = 0, None
        for packet in reader.demux(source):
            if packet.dts is None:
                continue
            zero = packet.dts * packet.time_base if zero is None else zero
            until = min(sound.shape[1], round((packet.dts * packet.time_base - zero) * rate_hz) + rate_hz)
            while sent < until:
                frame = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(sound[:, sent : sent + 1024]), format="fltp", layout=layout
                )
                frame.sample_rate, frame.pts, frame.time_base = rate_hz, sent, Fraction(1, rate_hz)
                writer.mux(audio.encode(frame))
                sent += frame.samples
            packet.stream = video
            writer.mux(packet)
        writer.mux(audio.encode(None))


def listed(path: Path) -> list[tuple[str, Path]]:
    """A user's clips: all below a folder, or those that a text file names, one on a line.

    Raises:
        ValueError: There is no such thing, or nothing in it.
    """
    if path.is_dir():
        found = sorted(item for item in path.rglob("*") if item.suffix.lower() in _SUFFIXES and item.is_file())
    elif path.is_file():
        lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
        found = [path.parent / line for line in lines if line]
    else:
        raise ValueError(f"{path}: is neither a folder nor a list")
    missing = next((item for item in found if not item.is_file()), None)
    if missing is not None or not found:
        raise ValueError(f"{missing}: is no file" if missing else f"{path}: names no clip")
    names = [item.stem for item in found]
    return [(item.stem if names.count(item.stem) == 1 else f"{item.parent.name}/{item.stem}", item) for item in found]


def base(name: str, clip: Path, folder: Path, *, is_synthesised: bool) -> Base | str:
    """Make the copies of a clip that faults are planted in; says why where that cannot be.

    Args:
        name: What the clip is called.
        clip: Its file.
        folder: Where copies are kept.
        is_synthesised: It came with the benchmark.
    """
    stat = clip.stat()
    words = f"{clip.resolve()}:{stat.st_size}:{stat.st_mtime_ns}:{SECONDS}:{ROWS}:{SOUND_ROWS}:{LONG_S}:{_TINY_RATE}"
    key = hashlib.sha256(words.encode()).hexdigest()[:10]
    stem = f"{re.sub(r'[^A-Za-z0-9.-]+', '_', name)[:40]}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        truth = _copied(clip, folder / f"{stem}.mp4", ROWS)
        if truth.width is None or truth.height is None:
            return "no picture"
        if truth.duration_s < LEAST_S:
            return f"only {truth.duration_s:.1f} s long"
        sound = long = None
        if truth.audio_codec is not None:
            sound = folder / f"{stem}-sound.mp4"
            _copied(clip, sound, SOUND_ROWS)
            long = folder / f"{stem}-long.mp4"
            _prolonged(sound, long)
    except GpuQaError as error:
        return str(error)
    return Base(
        name=name,
        synthesised=is_synthesised,
        picture=str(folder / f"{stem}.mp4"),
        sound=None if sound is None else str(sound),
        long=None if long is None else str(long),
        seconds=truth.duration_s,
        width=truth.width,
        height=truth.height,
        frame_rate=truth.frame_rate or 0.0,
        channels=truth.channel_layout,
    )


def _prolonged(clip: Path, out: Path) -> None:
    """Two minutes of a clip, over and over, at the loudness that EBU R 128 asks for; made once."""
    if out.exists():
        return
    from gpu_qa.analysis import analyze

    lufs = analyze(clip).measurements.get("integrated_lufs")
    sound, layout, rate_hz = _samples(clip)
    gain = 1.0 if lufs is None else 10 ** ((TARGET_LUFS - float(lufs)) / 20)
    fade = round(_FADE_S * rate_hz)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    # Each copy fades into the next one, so that there is no step that is not in the clip.
    once = sound[:, fade:].copy()
    once[:, -fade:] = once[:, -fade:] * (1 - ramp) + sound[:, :fade] * ramp
    times = -(-round(LONG_S * rate_hz) // once.shape[1])
    many = np.tile(once * np.float32(min(gain, 0.99 / max(1e-6, float(np.abs(once).max())))), (1, times))
    part = out.with_name(f".{os.getpid()}-{out.name}")
    pictures = part.with_name(f"{part.name}.ts")
    _tiny_picture(pictures, many.shape[1] / rate_hz)
    with_sound(pictures, part, many, layout=layout, rate_hz=rate_hz)
    pictures.unlink()
    part.replace(out)


def _tiny_picture(out: Path, seconds: float) -> None:
    """A moving picture that costs next to nothing, for clips of which only the sound is looked at."""
    rng = np.random.default_rng(1)
    texture = rng.integers(40, 200, (64, 96), np.uint8)
    with av.open(str(out), "w", format="mpegts") as writer:
        track: Any = writer.add_stream("libx264", rate=_TINY_RATE, options={"preset": "ultrafast", "crf": "30"})
        track.width, track.height, track.pix_fmt = 96, 64, "yuv420p"
        for index in range(round(seconds * _TINY_RATE)):
            frame = av.VideoFrame.from_ndarray(np.roll(texture, index, axis=1), format="gray8")
            frame.pts, frame.time_base = index, Fraction(1, _TINY_RATE)
            writer.mux(track.encode(frame.reformat(format="yuv420p")))
        writer.mux(track.encode(None))


def _samples(clip: Path) -> tuple[np.ndarray, str, int]:
    """All sound of a short clip, float32 [C, N], its layout and its rate in Hz."""
    with av.open(str(clip)) as container:
        track = container.streams.audio[0]
        resampler = av.AudioResampler("fltp", track.codec_context.layout, track.codec_context.sample_rate)
        parts = [part.to_ndarray() for frame in container.decode(track) for part in resampler.resample(frame)]
        return np.concatenate(parts, axis=1), track.codec_context.layout.name, track.codec_context.sample_rate


def _copied(clip: Path, out: Path, rows: int) -> Truth:
    """A copy with its truth, made once."""
    note = out.with_suffix(".json")
    if out.exists() and note.exists():
        known = json.loads(note.read_text(encoding="utf-8"))
        return Truth(**{**known, "faults": ()})
    settings = InjectSettings(coding=Coding(crf=14.0, audio_bit_rate=320_000), seconds=SECONDS, height=rows)
    truth = inject(clip, out, (), settings)
    note.write_text(json.dumps(truth_json(truth)), encoding="utf-8")
    return truth
