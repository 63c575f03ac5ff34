"""Reads a clip: pictures and sound in the order of the file, on one clock whose 0 is the first picture."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import av
import numpy as np

from gpu_qa.errors import SourceError
from gpu_qa.inject.picture import Picture, PictureForm, form_of
from gpu_qa.inject.sound import LevelMeter, SoundForm, SoundLevel
from gpu_qa.inject.woven import FieldScaler, top_field_first

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_JUMP_S = 10.0
"""A step of the timestamps that is longer, or one back, is a discontinuity: the clock runs on."""
_SLACK_S = 0.02
"""Sound that is this much off its place follows on what came before; more is a gap, which is filled with zeros."""
_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""Channel layouts by their number of channels: libavutil's defaults."""
_LOOK = 8
"""So many pictures are looked at first: some of an interlaced stream may be progressive."""
_BLOCK = 48_000
"""Samples of a gap that are filled at once."""


class Sound(NamedTuple):
    """Samples that follow one another."""

    first: int
    """Index of the first one on the stream's clock."""
    samples: np.ndarray
    """float32 [C, N], full scale ±1."""


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What a clip is, as far as it matters here."""

    form: PictureForm | None
    """Null where there is no picture."""
    sound: SoundForm | None
    """Null where there is no sound."""
    time_base: Fraction
    """Of the pictures' timestamps."""
    frame_rate: Fraction
    """Mean, as the container states it."""
    duration_s: float | None
    """As the container states it."""
    zero_s: float
    """Timestamp of the first picture (of the first sound without one), in seconds."""
    sample_aspect_ratio: Fraction
    color: tuple[int, int, int, int]
    """libavutil's numbers of range, primaries, transfer and matrix."""


class ClipReader:
    """Gives a clip's pictures and sound. Nothing of it is kept, so that its length does not matter.

    Args:
        path: The clip; its first video and its first audio track are read.
        pixel_formats: Those that the encoder takes, the first one is preferred where the clip's own is not among them.
        seconds: Read no further than this; null reads all.
        height: Scale pictures that have more rows to so many; null keeps them.
    """

    def __init__(
        self, path: Path, pixel_formats: tuple[str, ...], *, seconds: float | None = None, height: int | None = None
    ) -> None:
        self._path = path
        self._formats = pixel_formats
        self._seconds = seconds
        self._height = height
        self._scaler = FieldScaler()
        self.facts = self._look()

    def _look(self) -> ClipFacts:
        """Decode the first pictures."""
        with self._opened() as container:
            video = next(iter(container.streams.video), None)
            audio = next(iter(container.streams.audio), None)
            if video is None and audio is None:
                raise SourceError(f"{self._path}: holds neither picture nor sound")
            frames = self._first(container, video)
            sound = None
            if audio is not None and audio.codec_context.sample_rate:
                layout = audio.codec_context.layout
                # Some containers count channels and do not name them.
                name = _LAYOUTS.get(layout.nb_channels, layout.name) if "channels" in layout.name else layout.name
                sound = SoundForm(audio.codec_context.sample_rate, name, layout.nb_channels)
            if video is None or not frames:
                if sound is None:
                    raise SourceError(f"{self._path}: nothing of it can be decoded")
                start_s = float((audio.start_time or 0) * audio.time_base) if audio is not None else 0.0
                return ClipFacts(
                    None, sound, Fraction(1, 90_000), Fraction(25), _duration_s(container), start_s,
                    Fraction(1), (0, 2, 2, 2),
                )  # fmt: skip
            first = top_field_first(frames, video.codec_context.field_order)
            frame = frames[0]
            frame = self._scaled(frame, working_format(frame, self._formats), by_field=first is not None)
            rate = video.average_rate or video.guessed_rate or Fraction(25)
            return ClipFacts(
                form=form_of(frame, frame.format.name, top_field_first=first),
                sound=sound,
                time_base=video.time_base or Fraction(1, 90_000),
                frame_rate=Fraction(rate) if 1 <= rate <= 300 else Fraction(25),
                duration_s=_duration_s(container),
                zero_s=float((frame.pts or 0) * (video.time_base or Fraction(1, 90_000))),
                sample_aspect_ratio=video.codec_context.sample_aspect_ratio or Fraction(1),
                color=(frame.color_range, frame.color_primaries, frame.color_trc, frame.colorspace),
            )

    def _first(self, container: Any, video: Any) -> list[Any]:
        """The first pictures that have a time."""
        if video is None:
            return []
        frames = (frame for packet in self._packets(container, video) for frame in _decoded(packet))
        return list(islice((frame for frame in frames if frame.pts is not None or frame.dts is not None), _LOOK))

    def level(self, start_s: float, end_s: float) -> SoundLevel:
        """How loud a stretch is."""
        meter = LevelMeter()
        sound = self.facts.sound
        for item in self._items(pictures=False):
            if isinstance(item, Sound) and sound is not None:
                low = round(start_s * sound.sample_rate) - item.first
                high = round(end_s * sound.sample_rate) - item.first
                if high <= 0:
                    break
                meter.add(item.samples[:, max(0, low) : max(0, high)])
        return meter.level

    def __iter__(self) -> Iterator[Picture | Sound]:
        return self._items(pictures=True)

    def _items(self, *, pictures: bool) -> Iterator[Picture | Sound]:
        facts = self.facts
        with self._opened() as container:
            wanted: list[Any] = []
            if facts.form is not None and pictures:
                wanted.append(container.streams.video[0])
                wanted[0].thread_type = "AUTO"
            clock = _PictureClock(facts)
            placer = _SoundPlacer(facts.sound, facts.zero_s) if facts.sound is not None else None
            if facts.sound is not None:
                wanted.append(container.streams.audio[0])
            open_tracks = {stream.index for stream in wanted}
            for packet in self._packets(container, *wanted):
                if packet.stream.index not in open_tracks:
                    continue
                for frame in _decoded(packet):
                    if isinstance(frame, av.VideoFrame):
                        picture = self._picture(frame, clock)
                        if picture is None:
                            continue
                        if self._seconds is not None and picture.at_s >= self._seconds - 1e-6:
                            open_tracks.discard(packet.stream.index)
                            break
                        yield picture
                    elif placer is not None:
                        yield from self._limited(self._sounds(placer, frame))
                        if self._seconds is not None and placer.next >= self._seconds * placer.form.sample_rate:
                            open_tracks.discard(packet.stream.index)
                            break
                if not open_tracks:
                    return

    def _packets(self, container: Any, *streams: Any) -> Iterator[Any]:
        try:
            yield from container.demux(*streams)
        except (av.FFmpegError, OSError) as error:
            raise SourceError(f"{self._path}: cannot be read any further: {error}") from None

    def _limited(self, sounds: Iterator[Sound]) -> Iterator[Sound]:
        """The sound up to where reading ends."""
        facts = self.facts
        for first, samples in sounds:
            left = samples.shape[1]
            if self._seconds is not None and facts.sound is not None:
                left = max(0, round(self._seconds * facts.sound.sample_rate) - first)
            if left and samples.shape[1]:
                yield Sound(first, samples[:, :left])

    def _sounds(self, placer: _SoundPlacer, frame: Any) -> Iterator[Sound]:
        try:
            yield from placer.place(frame)
        except (av.FFmpegError, ValueError) as error:
            raise SourceError(f"{self._path}: sound that cannot be converted: {error}") from None

    def _picture(self, frame: Any, clock: _PictureClock) -> Picture | None:
        form = self.facts.form
        if form is None:
            return None
        pts = clock.ticks(frame)
        if pts is None:
            return None
        if (frame.width, frame.height, frame.format.name) != (form.width, form.height, form.pixel_format):
            try:
                frame = self._reformatted(
                    frame, form.width, form.height, form.pixel_format, by_field=form.top_field_first is not None
                )
            except (av.FFmpegError, ValueError) as error:
                raise SourceError(f"{self._path}: a picture that cannot be converted: {error}") from None
        return Picture(form, pts, float(pts * self.facts.time_base), frame)

    def _scaled(self, frame: Any, pixel_format: str, *, by_field: bool) -> Any:
        pts = frame.pts if frame.pts is not None else frame.dts
        height = self._height
        width, rows = frame.width, frame.height
        if height is not None and rows > height:
            even = 4 if by_field else 2
            width, rows = max(2, round(width * height / rows / 2) * 2), height // even * even
        if (width, rows, pixel_format) != (frame.width, frame.height, frame.format.name):
            frame = self._reformatted(frame, width, rows, pixel_format, by_field=by_field)
        frame.pts = pts
        return frame

    def _reformatted(self, frame: Any, width: int, height: int, pixel_format: str, *, by_field: bool) -> Any:
        if by_field:
            return self._scaler.scaled(frame, width, height, pixel_format)
        return frame.reformat(width=width, height=height, format=pixel_format)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            container = av.open(str(self._path), metadata_errors="ignore")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SourceError(f"{self._path}: cannot be opened: {error}") from None
        with container:
            yield container


class _PictureClock:
    """Gives pictures their time on a clock that never runs back."""

    def __init__(self, facts: ClipFacts) -> None:
        self._step = max(1, round(1 / facts.frame_rate / facts.time_base))
        self._jump = round(_JUMP_S / facts.time_base)
        self._offset: int | None = None
        self._last: int | None = None

    def ticks(self, frame: Any) -> int | None:
        """Time of the frame in ticks; null for one that has none before the first that has."""
        stamp = frame.pts if frame.pts is not None else frame.dts
        if self._offset is None or self._last is None:
            if stamp is None:
                return None
            self._offset, self._last = stamp, 0
            return 0
        pts = self._last + self._step if stamp is None else stamp - self._offset
        if not self._last < pts <= self._last + self._jump:
            pts = self._last + self._step
            if stamp is not None:
                self._offset = stamp - pts
        self._last = pts
        return pts


class _SoundPlacer:
    """Puts decoded sound on the clock, without overlaps and with zeros in its gaps."""

    def __init__(self, form: SoundForm, zero_s: float) -> None:
        self.form = form
        self.next = 0
        """Index of the sample that comes next."""
        self._zero_s = zero_s
        self._begun = False
        self._resampler: Any = None
        self._resampled: tuple[str, str, int] | None = None
        """Sample format, layout and rate that the resampler takes."""

    def place(self, frame: Any) -> Iterator[Sound]:
        rate = self.form.sample_rate
        at_s = None if frame.pts is None else float(frame.pts * frame.time_base) - self._zero_s
        frame.pts = None
        for converted in self._converted(frame):
            samples = converted
            if at_s is not None:
                first = round(at_s * rate)
                off = first - self.next
                if not self._begun:
                    # Sound from before the first picture is left out; a late start is silence.
                    if off < 0:
                        samples = samples[:, -off:]
                        if not samples.shape[1]:
                            continue
                    self._begun = True
                elif abs(off) <= _SLACK_S * rate or not 0 < off <= _JUMP_S * rate:
                    off = 0
                while off > 0:
                    count = min(off, _BLOCK)
                    yield Sound(self.next, np.zeros((samples.shape[0], count), np.float32))
                    self.next += count
                    off -= count
                at_s = None
            yield Sound(self.next, samples)
            self.next += samples.shape[1]

    def _converted(self, frame: Any) -> Iterator[np.ndarray]:
        """The frame's samples in the clip's form, float32 [C, N], after what is left of another format before it."""
        form = self.form
        own = (frame.format.name, frame.layout.name, frame.sample_rate)
        parts = []
        if own != self._resampled:
            if self._resampler is not None:
                parts += self._resampler.resample(None)
            # Packed: PyAV reads past the end of the list of planes where there are eight or more.
            self._resampler = av.AudioResampler("flt", form.layout, form.sample_rate)
            self._resampled = own
        parts += self._resampler.resample(frame)
        for part in parts:
            packed = np.asarray(part.to_ndarray(), np.float32)
            yield np.ascontiguousarray(packed.reshape(-1, form.channels).T)


def working_format(frame: Any, pixel_formats: tuple[str, ...]) -> str:
    """The format in which a clip's pictures are changed and coded: its own, or the nearest that the encoder takes."""
    own = frame.format.name.replace("yuvj", "yuv")
    if own in pixel_formats:
        return str(own)
    form = frame.format
    parts = form.components
    bits = max(part.bits for part in parts)
    if form.is_rgb or len(parts) < 3:
        sampling = "420"
    else:
        halves = (frame.width > parts[1].width, frame.height > parts[1].height)
        sampling = {(True, True): "420", (True, False): "422", (False, False): "444"}.get(halves, "420")
    depth = "" if bits <= 8 else "10le" if bits <= 10 else "12le"
    for name in (f"yuv{sampling}p{depth}", f"yuv420p{depth}", "yuv420p10le" if depth else "", f"yuv{sampling}p"):
        if name and name in pixel_formats:
            return name
    return "yuv420p"


def _decoded(packet: Any) -> list[Any]:
    """What a packet gives; a damaged one nothing."""
    try:
        return list(packet.decode())
    except av.FFmpegError:
        return []


def _duration_s(container: Any) -> float | None:
    return None if container.duration is None else float(container.duration / av.time_base)
