"""Material to measure on: films made of textured scenes with pans, moving objects, grain, cuts and sound.

What a codec and a detector spend time on is made the way real material has it: textures whose spectrum falls with
frequency as that of photographs does (Field 1987), subpixel camera moves, objects that cover and uncover, grain that
differs in every frame, a cut every few seconds, B-frames at a broadcast bit rate, AAC stereo.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import av
    import numpy as np

CACHE = Path(tempfile.gettempdir()) / "gpu-qa-benchmarks"
Codec = Literal["h264", "hevc", "av1"]
SAMPLE_RATE_HZ = 48_000
_SCENE_S = 3.4
"""From cut to cut."""
_GRAINS = 6
CUT_S = 12.0
"""How much of a file of one's own is looped."""

ENCODERS: dict[Codec, str] = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}
PRESETS: dict[Codec, str] = {"h264": "medium", "hevc": "medium", "av1": "8"}
"""x264's and x265's default; of SVT-AV1's 0 (slow) to 13 the one its guide names for ordinary use."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A stretch of a film that a detector is to tell."""

    kind: Literal["black", "freeze", "silence"]
    start_s: float
    end_s: float

    def covers(self, at_s: float) -> bool:
        """Whether the fault lasts at this time."""
        return self.start_s <= at_s < self.end_s


@dataclass(frozen=True, slots=True)
class Film:
    """What is to be made; the same description gives the same pictures and sound."""

    seconds: float
    width: int
    height: int
    bit_rate: int
    """Of the picture, bits per second."""
    rate: int = 25
    """Frames per second."""
    codec: Codec = "h264"
    preset: str = ""
    """The encoder's preset, whose tools decide what decoding costs; empty is `PRESETS`'s."""
    grain: float = 2.0
    """Standard deviation of the grain in 8-bit codes; 2 is a camera at a moderate gain."""
    suffix: str = ".mp4"
    faults: tuple[Fault, ...] = ()
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Clip:
    """Facts of a file that is measured on."""

    name: str
    synthesised: bool
    container: str
    seconds: float
    width: int
    height: int
    frame_rate: float
    """Frames per second, measured."""
    frames: int
    video_codec: str
    audio_codec: str | None
    bit_rate: int
    """Of the whole file, bits per second."""


def cached(film: Film, folder: Path = CACHE) -> Path:
    """The film's file; made if the folder does not hold it yet."""
    recipe = json.dumps(asdict(film), sort_keys=True).encode() + Path(__file__).read_bytes()
    path = folder / f"{film.width}x{film.height}-{hashlib.sha256(recipe).hexdigest()[:12]}{film.suffix}"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{os.getpid()}-{path.name}")
        write(film, part)
        part.replace(path)
    return path


def write(film: Film, path: Path) -> None:
    """Make the film."""
    import av
    import numpy as np

    frames = round(film.seconds * film.rate)
    rng = np.random.default_rng(film.seed)
    grain = [
        (rng.standard_normal((film.height, film.width)) * film.grain).round().astype(np.int16) for _ in range(_GRAINS)
    ]
    with av.open(str(path), "w") as out:
        video: av.VideoStream = out.add_stream(  # type: ignore[assignment]  # the stubs know the name of no encoder
            ENCODERS[film.codec], rate=film.rate, options=_encoder_options(film)
        )
        video.width, video.height, video.pix_fmt = film.width, film.height, "yuv420p"
        video.bit_rate = film.bit_rate
        video.codec_context.gop_size = 2 * film.rate
        audio = out.add_stream("aac", rate=SAMPLE_RATE_HZ)
        audio.layout, audio.bit_rate = "stereo", 128_000
        scene, number, written = _Scene(film.width, film.height, film.seed * 1000), 0, 0
        planes: tuple[np.ndarray, ...] = ()
        for index in range(frames):
            at_s = index / film.rate
            if int(at_s / _SCENE_S) != number:
                number = int(at_s / _SCENE_S)
                scene = _Scene(film.width, film.height, film.seed * 1000 + number)
            if not planes or not any(fault.kind == "freeze" and fault.covers(at_s) for fault in film.faults):
                planes = scene.planes(at_s - number * _SCENE_S)
                planes = (_add(planes[0], grain, rng), *planes[1:])
            black = any(fault.kind == "black" and fault.covers(at_s) for fault in film.faults)
            frame = _video_frame(_black(planes) if black else planes)
            frame.pts, frame.time_base = index, Fraction(1, film.rate)
            out.mux(video.encode(frame))
            until = (index + 1) * SAMPLE_RATE_HZ // film.rate
            out.mux(audio.encode(_audio_frame(written, until, film.faults)))
            written = until
        out.mux(video.encode(None))
        out.mux(audio.encode(None))


def _encoder_options(film: Film) -> dict[str, str]:
    options = {"preset": film.preset or PRESETS[film.codec]}
    buffer = f"vbv-maxrate={film.bit_rate // 800}:vbv-bufsize={film.bit_rate // 500}"
    if film.codec == "h264":
        options["x264-params"] = buffer
    elif film.codec == "hevc":
        options["x265-params"] = f"{buffer}:log-level=none"
    return options


class _Scene:
    """A textured background that the camera pans over, and objects that cross it."""

    def __init__(self, width: int, height: int, seed: int) -> None:
        import numpy as np

        self._size = (height, width)
        rng = np.random.default_rng(seed)
        self._speed = rng.uniform(-1, 1, 2) * (0.06 * height, 0.12 * width)
        """Rows and columns per second: up to 8 s for a picture's width, an ordinary pan."""
        margin = np.ceil(np.abs(self._speed) * _SCENE_S).astype(int) + 2
        canvas = (height + int(margin[0]), width + int(margin[1]))
        self._origin = np.where(self._speed < 0, margin - 2, 0)
        self._luma = _texture(canvas, rng, mean=rng.uniform(85, 140), spread=38.0)
        self._chroma = [_texture((canvas[0] // 2, canvas[1] // 2), rng, mean=128.0, spread=9.0) for _ in range(2)]
        self._objects = [_Object(width, height, rng) for _ in range(3)]

    def planes(self, at_s: float) -> tuple[np.ndarray, ...]:
        """Luma [H, W] and chroma [H / 2, W / 2] in 8-bit codes, float32."""
        height, width = self._size
        top, left = self._origin + self._speed * at_s
        luma = _crop(self._luma, top, left, height, width)
        chroma = [_crop(plane, top / 2, left / 2, height // 2, width // 2) for plane in self._chroma]
        for thing in self._objects:
            thing.paint(luma, chroma, at_s)
        return (luma, *chroma)


class _Object:
    """A textured disc with a soft rim on a straight path."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        import numpy as np

        side = max(8, int(height * rng.uniform(0.15, 0.35)) // 2 * 2)
        self._at = rng.uniform(0, 1, 2) * (height - side, width - side)
        self._speed = rng.uniform(-1, 1, 2) * (0.2 * height, 0.3 * width)
        self._luma = _texture((side, side), rng, mean=rng.uniform(60, 190), spread=30.0)
        self._color = rng.uniform(90, 166, 2)
        y, x = np.mgrid[0:side, 0:side] - (side - 1) / 2
        rim = max(1.0, side / 40)
        self._mask = np.clip((side / 2 - np.hypot(y, x)) / rim, 0, 1).astype(np.float32)

    def paint(self, luma: np.ndarray, chroma: list[np.ndarray], at_s: float) -> None:
        height, width = luma.shape
        side = len(self._mask)
        # Back and forth between the picture's edges; even places keep luma and chroma together.
        top, left = (
            int(_bounce(float(start + speed * at_s), room - side)) // 2 * 2
            for start, speed, room in zip(self._at, self._speed, (height, width), strict=True)
        )
        _blend(luma[top : top + side, left : left + side], self._luma, self._mask)
        for plane, color in zip(chroma, self._color, strict=True):
            part = plane[top // 2 : (top + side) // 2, left // 2 : (left + side) // 2]
            _blend(part, color, self._mask[::2, ::2])


def _blend(under: np.ndarray, over: np.ndarray | float, mask: np.ndarray) -> None:
    under += (over - under) * mask


def _bounce(way: float, room: float) -> float:
    at = way % (2 * room) if room > 0 else 0.0
    return at if at <= room else 2 * room - at


def _texture(size: tuple[int, int], rng: np.random.Generator, *, mean: float, spread: float) -> np.ndarray:
    """Noise with an amplitude spectrum of 1/f^1.2, float32, in codes."""
    import numpy as np

    down, across = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None, :]
    frequency = np.maximum(np.hypot(down, across), 1.0 / max(size))
    noise = np.fft.rfft2(rng.standard_normal(size)) / frequency**1.2
    picture = np.fft.irfft2(noise, s=size)
    picture = (picture - picture.mean()) / picture.std()
    codes: np.ndarray = np.clip(mean + spread * picture, 16, 235).astype(np.float32)
    return codes


def _crop(canvas: np.ndarray, top: float, left: float, height: int, width: int) -> np.ndarray:
    """A window at a subpixel place, bilinear."""
    y, x = int(top), int(left)
    v, u = float(top - y), float(left - x)
    part: np.ndarray = canvas[y : y + height + 1, x : x + width + 1]
    rows = part[:-1] * (1 - v) + part[1:] * v
    window: np.ndarray = rows[:, :-1] * (1 - u) + rows[:, 1:] * u
    return window


def _add(luma: np.ndarray, grain: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """The luma with one of the grain fields at a random place."""
    import numpy as np

    field = grain[int(rng.integers(len(grain)))]
    height, width = luma.shape
    rolled = np.roll(field, (int(rng.integers(height)), int(rng.integers(width))), axis=(0, 1))
    noisy: np.ndarray = luma + rolled
    return noisy


def _black(planes: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    import numpy as np

    return tuple(np.full_like(plane, 16 if i == 0 else 128) for i, plane in enumerate(planes))


def _video_frame(planes: tuple[np.ndarray, ...]) -> av.VideoFrame:
    import av
    import numpy as np

    height, width = planes[0].shape
    codes = [np.clip(plane, 0, 255).astype(np.uint8) for plane in planes]
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, code in zip(frame.planes, codes, strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : plane.width] = code
        plane.update(rows.tobytes())
    return frame


def _audio_frame(start: int, end: int, faults: tuple[Fault, ...]) -> av.AudioFrame:
    """Syllables of a buzzing voice over a quiet bed of noise."""
    import av
    import numpy as np

    t_s = np.arange(start, end) / SAMPLE_RATE_HZ
    rng = np.random.default_rng(start)
    syllable = np.maximum(0.0, np.sin(2 * np.pi * 3.7 * t_s)) ** 2
    voice = sum(np.sin(2 * np.pi * 140 * k * t_s) / k for k in range(1, 20)) * syllable * 0.12
    samples = np.stack([voice, 0.8 * voice]) + 0.004 * rng.standard_normal((2, len(t_s)))
    for fault in faults:
        if fault.kind == "silence":
            samples[:, (t_s >= fault.start_s) & (t_s < fault.end_s)] = 0
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples, np.float32), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, start, Fraction(1, SAMPLE_RATE_HZ)
    return frame


def loop(path: Path, times: int, out: Path) -> None:
    """Write a file of `times` copies of a clip end to end, packets unchanged, timestamps going on."""
    import av

    with av.open(str(path)) as probe:
        video = probe.streams.video[0]
        length_s = Fraction(describe(path, synthesised=True).frames) / (video.average_rate or Fraction(25))
    with av.open(str(out), "w") as writer:
        copies: dict[int, Any] = {}
        for number in range(times):
            first_dts: dict[int, int] = {}
            with av.open(str(path)) as reader:
                copies = copies or {stream.index: _copied(writer, stream) for stream in reader.streams}
                for packet in reader.demux():
                    if packet.dts is None or packet.pts is None:
                        continue
                    length = length_s / packet.time_base
                    # The encoder's last packets of sound reach into the next copy.
                    if packet.dts - first_dts.setdefault(packet.stream.index, packet.dts) >= length:
                        continue
                    packet.pts += round(number * length)
                    packet.dts += round(number * length)
                    packet.stream = copies[packet.stream.index]
                    writer.mux(packet)


def cut(path: Path, folder: Path, most_s: float = CUT_S) -> Path:
    """The beginning of a file, packets unchanged, to be looped; made in the folder if it is not there yet.

    It ends before the last key frame that comes within `most_s` seconds, or at the file's end where there is none.
    """
    import av

    facts = path.stat()
    recipe = f"{path.resolve()} {facts.st_size} {facts.st_mtime_ns} {most_s}".encode()
    with av.open(str(path)) as reader:
        video = reader.streams.video[0]
        suffix = ".ts" if video.codec_context.name in ("h264", "hevc", "mpeg2video") else ".mkv"
        out = folder / f"cut-{hashlib.sha256(recipe).hexdigest()[:12]}{suffix}"
        if out.exists():
            return out
        time_base = video.time_base or Fraction(1, av.time_base)
        first: int | None = None
        end: int | None = None
        for packet in reader.demux(video):
            if packet.pts is None:
                continue
            first = packet.pts if first is None else first
            at_s = float((packet.pts - first) * time_base)
            if packet.is_keyframe and 1.0 <= at_s <= most_s:
                end = packet.pts
            if at_s > most_s + 1.0:
                break
    folder.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f"{os.getpid()}-{out.name}")
    end_s = float("inf") if end is None else float(end * time_base)
    with av.open(str(path)) as reader, av.open(str(part), "w") as writer:
        chosen = [*reader.streams.video[:1], *reader.streams.audio[:1]]
        copies = {stream.index: _copied(writer, stream) for stream in chosen}
        for packet in reader.demux(*chosen):  # type: ignore[assignment]  # of either kind
            if packet.dts is None or packet.pts is None or float(packet.pts * packet.time_base) >= end_s:
                continue
            packet.stream = copies[packet.stream.index]
            writer.mux(packet)
    part.replace(out)
    return out


def _copied(writer: Any, stream: Any) -> Any:
    """A stream of the writer for another's packets; opaque, because a decoder's name (libdav1d) is no encoder's."""
    return writer.add_stream_from_template(stream, opaque=True)


def looped(path: Path, times: int) -> Path:
    """The file of `times` copies of a clip, beside it; made if it is not there yet."""
    out = path.with_name(f"{path.stem}-x{times}{path.suffix}")
    if not out.exists():
        part = out.with_name(f"{os.getpid()}-{out.name}")
        loop(path, times, part)
        part.replace(out)
    return out


def describe(path: Path, *, synthesised: bool) -> Clip:
    """Facts of a file; the frames are counted, not believed."""
    import av

    with av.open(str(path)) as container:
        video = container.streams.video[0]
        audio = next(iter(container.streams.audio), None)
        pts = [packet.pts for packet in container.demux(video) if packet.pts is not None]
        time_base = video.time_base or Fraction(1, av.time_base)
        # The last frame lasts as long as the others do on average.
        seconds = float((max(pts) - min(pts)) * time_base) * len(pts) / max(1, len(pts) - 1)
        return Clip(
            name=path.name,
            synthesised=synthesised,
            container=container.format.name,
            seconds=round(seconds, 3),
            width=video.width,
            height=video.height,
            frame_rate=round(len(pts) / seconds, 3) if seconds else 0.0,
            frames=len(pts),
            video_codec=video.codec_context.name,
            audio_codec=audio.codec_context.name if audio else None,
            bit_rate=round(path.stat().st_size * 8 / seconds) if seconds else 0,
        )
