"""Small synthetic clips for tests: a moving picture and a tone over noise, with planted faults.

    clip = cached_clip("clip.ts", seconds=3, freeze=(1, 2))        # made once per test run, read-only
    make_clip(tmp_path / "own.mkv", seconds=1, audio=None)         # your own, to damage as you like

The container follows from the file's name. Pictures are written as code values, so what a test plants is what a
lossless codec (`codec="ffv1"`, `.mkv`) gives back; the lossy ones are close. `picture` and `sound` take any function
of your own. `truncate`, `flip_bits` and `drop_ts_packets` damage a finished file in place, the same way each time.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np

Picture = Callable[[int], "np.ndarray | tuple[np.ndarray, np.ndarray, np.ndarray]"]
"""Frame number → luma uint8 [H, W], or (luma, Cb, Cr) all uint8 [H, W]: 8-bit code values."""
Sound = Callable[[np.ndarray], np.ndarray]
"""Seconds float64 [N] → samples float32 [C, N], full scale ±1."""
Span = tuple[float, float]
"""From, to, in seconds on the clip's own clock (0 is the first frame, whatever `start_s`)."""

_TS_PACKET = 188


def moving_picture(width: int, height: int, seed: int = 7) -> Picture:
    """A textured picture that pans 3 samples a frame under a bouncing bright square; codes 16 to 235."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 180, ((height + 15) // 16 + 1, (width + 15) // 16 + 1))
    texture = np.kron(coarse, np.ones((16, 16), np.int64))[:height, :width]
    texture = np.clip(texture + rng.integers(-12, 13, texture.shape), 16, 235).astype(np.uint8)
    side = max(2, min(width, height) // 4)

    def picture(index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        luma = np.roll(texture, 3 * index, axis=1)
        x = _bounce(5 * index, width - side)
        y = _bounce(2 * index, height - side)
        luma[y : y + side, x : x + side] = 225
        cb = np.roll((texture // 2 + 64).astype(np.uint8), 2 * index, axis=0)
        return luma, cb, cb[:, ::-1]

    return picture


def _bounce(way: int, room: int) -> int:
    at = way % (2 * room) if room > 0 else 0
    return at if at <= room else 2 * room - at


def tone(channels: int = 2, frequency_hz: float = 440.0, amplitude: float = 0.25, seed: int = 7) -> Sound:
    """A tone that swells twice a second over quiet noise; each channel an octave above the one before."""

    def sound(t_s: np.ndarray) -> np.ndarray:
        swell = amplitude * (0.75 + 0.25 * np.sin(2 * np.pi * 2.0 * t_s))
        # Noise from the clock, so that any split into blocks gives the same samples.
        noise = 0.002 * np.sin(1e4 * np.sin(1e5 * t_s + seed))
        rows = [swell * np.sin(2 * np.pi * frequency_hz * 2**c * t_s) + noise for c in range(channels)]
        return np.stack(rows).astype(np.float32)

    return sound


def make_clip(
    path: Path,
    *,
    seconds: float = 2.0,
    size: tuple[int, int] = (192, 108),
    rate: int | Fraction = 25,
    codec: str | None = "libx264",
    audio: str | None = "aac",
    audio_tracks: int = 1,
    audio_start_s: float = 0.0,
    audio_languages: tuple[str, ...] = (),
    sample_rate: int = 48_000,
    layout: str = "stereo",
    pixel_format: str = "yuv420p",
    full_range: bool = False,
    gop: int | None = None,
    codec_options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    format_name: str | None = None,
    start_s: float = 0.0,
    pts_s: Callable[[int], float] | None = None,
    picture: Picture | None = None,
    sound: Sound | None = None,
    freeze: Span | None = None,
    black: Span | None = None,
    silence: Span | None = None,
) -> Path:
    """Write a clip and return its path.

    Args:
        path: Where; the suffix names the container.
        seconds: Length of the picture and of the sound.
        size: Width and height in luma samples; odd ones too, where codec and pixel format allow.
        rate: Frames per second.
        codec: libavcodec's name of a video encoder (`libx264`, `libx265`, `mpeg2video`, `ffv1`, …); null: sound only.
        audio: libavcodec's name of an audio encoder (`aac`, `mp2`, `pcm_s16le`, …); null for a silent film.
        audio_tracks: How many audio tracks; track n plays n octaves up.
        audio_start_s: The sound sets in this much after the picture.
        audio_languages: ISO 639 code per audio track.
        sample_rate: Hz.
        layout: Channel layout, such as `mono`, `stereo`, `5.1`.
        pixel_format: Planar YUV of 8 to 16 bits, such as `yuv420p`, `yuv422p10le`.
        full_range: Mark the codes as full range. They are written as `picture` gives them either way.
        gop: Frames from key frame to key frame; null is one second.
        codec_options: Of the video encoder; libx264 and libx265 run with preset ultrafast unless told otherwise.
        container_options: Of the muxer, such as `{"movflags": "faststart"}`.
        format_name: libavformat's name of the muxer where the suffix does not tell it.
        start_s: Added to every timestamp.
        pts_s: Presentation time of frame n in seconds, for variable frame rates and jumps; must increase.
        picture: What to show; null is `moving_picture`.
        sound: What to play; null is `tone`.
        freeze: The picture at its start is repeated throughout.
        black: Code 16 (0 in full range) throughout.
        silence: Zero samples throughout.
    """
    width, height = size
    fps = Fraction(rate)
    shown = picture or moving_picture(width, height)
    with av.open(str(path), "w", format=format_name, container_options=container_options or {}) as out:
        video: Any = None
        if codec is not None:
            options = {"preset": "ultrafast"} if codec in ("libx264", "libx265") else {}
            if codec == "libx265":
                options["x265-params"] = "log-level=none"
            video = out.add_stream(codec, rate=fps, options=options | (codec_options or {}))
            video.width, video.height, video.pix_fmt = width, height, pixel_format
            video.codec_context.gop_size = gop or max(1, round(fps))
            video.codec_context.time_base = Fraction(1, 90_000) if pts_s else 1 / fps
            video.codec_context.color_range = 2 if full_range else 1
        tracks: list[Any] = []
        for number in range(audio_tracks if audio else 0):
            track: Any = out.add_stream(audio or "", rate=sample_rate)
            track.layout = layout
            if number < len(audio_languages):
                track.metadata["language"] = audio_languages[number]
            tracks.append(track)
        channels = len(tracks[0].layout.channels) if tracks else 0
        sounds = [sound or tone(channels, 440.0 * 2**number) for number in range(len(tracks))]
        frames = round(seconds * fps) if video else 0
        written = 0
        for index in range(frames + 1):
            last = index == frames
            until = round((seconds if last else float(index / fps)) * sample_rate)
            while written < until:
                count = min(1024, until - written)
                t_s = (written + np.arange(count)) / sample_rate
                for track, play in zip(tracks, sounds, strict=True):
                    samples = play(t_s)
                    if silence:
                        samples[:, (t_s >= silence[0]) & (t_s < silence[1])] = 0
                    first = written + round((start_s + audio_start_s) * sample_rate)
                    out.mux(track.encode(_audio_frame(samples, sample_rate, layout, first)))
                written += count
            if last:
                break
            at_s = float(index / fps)
            seen = round(freeze[0] * fps) if freeze and freeze[0] <= at_s < freeze[1] else index
            planes = _planes(shown(seen))
            if black and black[0] <= at_s < black[1]:
                planes = (np.full((height, width), 0 if full_range else 16, np.uint8),)
            frame = _video_frame(planes, width, height, pixel_format)
            time_s = start_s + (pts_s(index) if pts_s else at_s)
            frame.time_base = video.codec_context.time_base
            frame.pts = round(Fraction(time_s).limit_denominator(10**6) / frame.time_base)
            out.mux(video.encode(frame))
        for stream in [*([video] if video else []), *tracks]:
            out.mux(stream.encode(None))
    return path


@cache
def _cache_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="gpu-qa-clips-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _cached(name: str, arguments: tuple[tuple[str, Any], ...]) -> Path:
    folder = Path(tempfile.mkdtemp(dir=_cache_folder()))
    return make_clip(folder / name, **dict(arguments))


def cached_clip(name: str = "clip.mp4", **arguments: Any) -> Path:
    """The clip of this name and these (hashable) arguments of `make_clip`, made once per test run. Do not change it."""
    return _cached(name, tuple(sorted(arguments.items())))


def truncate(path: Path, fraction: float) -> Path:
    """Keep only the first `fraction` of a file's bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * fraction)])
    return path


def flip_bits(path: Path, count: int, seed: int = 0, skip: int = 0) -> Path:
    """Flip `count` bits at random places, none of them in the first `skip` bytes."""
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    for at in rng.integers(skip, len(data), count):
        data[at] ^= 1 << int(rng.integers(8))
    path.write_bytes(data)
    return path


def drop_ts_packets(path: Path, pid: int, first: int, count: int) -> Path:
    """Remove `count` packets of one PID from an MPEG-TS file, beginning with its packet number `first`."""
    data = path.read_bytes()
    kept = bytearray()
    seen = 0
    for at in range(0, len(data), _TS_PACKET):
        packet = data[at : at + _TS_PACKET]
        if ((packet[1] & 0x1F) << 8 | packet[2]) == pid:
            seen += 1
            if first < seen <= first + count:
                continue
        kept += packet
    path.write_bytes(kept)
    return path


def _planes(shown: np.ndarray | tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    return shown if isinstance(shown, tuple) else (shown,)


def _video_frame(planes: tuple[np.ndarray, ...], width: int, height: int, pixel_format: str) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, pixel_format)
    bits = frame.format.components[0].bits
    for number, plane in enumerate(frame.planes):
        source = planes[number] if number < len(planes) else np.full((height, width), 128, np.uint8)
        across, down = -(-width // plane.width), -(-height // plane.height)
        codes = source[::down, ::across]
        rows = np.zeros((plane.height, plane.line_size // (1 if bits == 8 else 2)), np.uint8 if bits == 8 else "<u2")
        rows[:, : plane.width] = codes if bits == 8 else codes.astype("<u2") << (bits - 8)
        plane.update(rows.tobytes())
    return frame


def _audio_frame(samples: np.ndarray, sample_rate: int, layout: str, first: int) -> av.AudioFrame:
    # Packed: PyAV reads past the end of the list of planes where there are eight or more.
    packed = np.ascontiguousarray(samples.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
    frame.sample_rate = sample_rate
    frame.time_base = Fraction(1, sample_rate)
    frame.pts = first
    return frame
