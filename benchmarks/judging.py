"""What the engine's one thread does for each picture once it is measured: series, detectors, events, recorders.

    python benchmarks/judging.py                     # every stage, on moving, still and black pictures
    python benchmarks/judging.py --seconds 20 --rounds 3

Nothing is decoded: pictures of a synthesised scene and stereo sound are measured beforehand and handed over one by one,
each picture with its share of the sound, as a reader would. Times are CPU time of the engine's thread. `whole` is
`StreamAnalysis.take`, all of it as the engine calls it; the stages are the same work taken apart, each timed by itself.
"""

from __future__ import annotations

import argparse
import gc
import sys
import threading
import time
import tracemalloc
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "kernels")]

import numpy as np  # noqa: E402

from benchmarks import result  # noqa: E402
from benchmarks.result import Machine, Software, Spread, Target  # noqa: E402
from gpu_qa.config import Settings  # noqa: E402
from gpu_qa.detectors import DETECTORS  # noqa: E402
from gpu_qa.events import CauseState, TrackerState, explain, track  # noqa: E402
from gpu_qa.features import HostPictures, HostSound, StreamFeatures, prepare  # noqa: E402
from gpu_qa.media import AudioSamples, MediaFacts, Plane, Track, VideoFormat, VideoFrame  # noqa: E402
from gpu_qa.sinks.curves import CurveRecorder  # noqa: E402
from gpu_qa.sinks.measurements import Counts  # noqa: E402
from gpu_qa.sinks.sound_pictures import SoundPictureRecorder  # noqa: E402
from gpu_qa.sinks.thumbnails import ThumbnailRecorder  # noqa: E402
from gpu_qa.stream import StreamAnalysis  # noqa: E402
from gpu_qa.sync.content import shipped_weights  # noqa: E402
from gpu_qa.sync.listener import Listener  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gpu_qa.features import MeasuredPicture, MeasuredSound

RATE = 25
SOUND_HZ = 48_000
_SAMPLES = SOUND_HZ // RATE
MAX_US = 200.0
"""What everything beside measuring may take of a picture: 5,000 pictures per second are a core then."""
MAX_MB = 2.4
_TICK = Fraction(1, 1000)
_WIDTH, _HEIGHT = 480, 270
_STREAMS = 50

Content = Literal["moving", "still", "black"]
CONTENTS: tuple[Content, ...] = ("moving", "still", "black")
"""A pan in colour with grain and a cut every 3.4 s; a picture that stands still under grain; black with noise."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What a stage takes."""

    content: Content
    stage: str
    us: Spread
    """CPU time of the thread per picture, 10⁻⁶ s, of each round."""


@dataclass(frozen=True, slots=True)
class JudgingResult:
    """What this script writes."""

    schema: int
    benchmark: Literal["judging"]
    created: str
    """UTC, ISO 8601."""
    machine: Machine
    software: Software
    rounds: int
    pictures: int
    """In each round."""
    stages: tuple[Stage, ...]
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Material:
    """A stream as its reader delivers it: a picture, and the sound that goes with it."""

    tracks: tuple[Track, ...]
    pictures: tuple[MeasuredPicture, ...]
    sounds: tuple[MeasuredSound, ...]


def material(content: Content, seconds: float) -> Material:
    """Measured pictures and measured sound."""
    video = Track(0, "video", "h264", _TICK, width=_WIDTH, height=_HEIGHT, frame_rate=Fraction(RATE))
    audio = Track(1, "audio", "aac", Fraction(1, SOUND_HZ), sample_rate=SOUND_HZ, channels=("FL", "FR"))
    count, rng = round(seconds * RATE), np.random.default_rng(7)
    measure = HostPictures(motion=True).measure
    pictures = tuple(measure(frame) for frame in _frames(content, count))
    tone = 0.1 * np.sin(np.arange(count * _SAMPLES) * (2 * np.pi * 440 / SOUND_HZ))
    samples = (tone + rng.normal(0, 0.02, (2, tone.size))).astype(np.float32)
    hear = HostSound(speech=True).measure
    sounds = tuple(
        hear(
            AudioSamples(
                track=audio,
                pts=at,
                time_base=audio.time_base,
                sample_rate=SOUND_HZ,
                channels=audio.channels,
                samples=samples[:, at : at + _SAMPLES],
            )
        )
        for at in range(0, samples.shape[1], _SAMPLES)
    )
    return Material((video, audio), pictures, sounds)


def _frames(content: Content, count: int) -> Iterator[VideoFrame]:
    rng = np.random.default_rng(3)
    form = VideoFormat(_WIDTH, _HEIGHT, 8, 0, "limited", "yuv420p", "bt709")
    for index in range(count):
        scene, step = divmod(index, 85)
        if step == 0:
            canvas = _texture(np.random.default_rng(scene if content == "moving" else 0))
        at = 2 * step if content == "moving" else 0
        picture = canvas[:, at : at + _WIDTH] if content != "black" else np.full((_HEIGHT, _WIDTH), 16.0)
        grain = rng.normal(0, 3.0 if content == "moving" else 0.7, picture.shape)
        luma = np.clip(np.rint(picture + grain), 0, 255).astype(np.uint8).ravel()
        hue = np.rint((picture[::2, ::2] - picture.mean()) / 4)
        planes = [
            Plane(np.clip(128 + part, 0, 255).astype(np.uint8).ravel(), 0, _WIDTH // 2, 1, _WIDTH // 2, _HEIGHT // 2)
            for part in (hue, -hue)
        ]
        yield VideoFrame(
            pts=index * 1000 // RATE,
            duration=1000 // RATE,
            time_base=_TICK,
            format=form,
            luma=Plane(luma, 0, _WIDTH, 1, _WIDTH, _HEIGHT),
            chroma=(planes[0], planes[1]),
            is_key=index % 50 == 0,
            is_corrupt=False,
        )


def _texture(rng: np.random.Generator) -> np.ndarray:
    """Luma codes of a scene wider than the picture, with the falling spectrum of photographs, float64."""
    rows, columns = _HEIGHT, _WIDTH + 2 * 85
    y, x = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None]
    spectrum = np.fft.rfft2(rng.normal(size=(rows, columns))) / np.maximum(np.hypot(y, x), 1.0 / columns)
    waves = np.fft.irfft2(spectrum, (rows, columns))
    return np.asarray(120.0 + 40.0 * waves / waves.std())


def whole(stuff: Material) -> StreamAnalysis:
    """Judge it as the engine does."""
    stream = StreamAnalysis("stream", Settings())
    stream.begin(MediaFacts("mpegts", True, None, stuff.tracks))
    for picture, sound in zip(stuff.pictures, stuff.sounds, strict=True):
        for _ in stream.take((picture,), (sound,)):
            pass
    return stream


class Stages:
    """The same work, each stage timed by itself."""

    def __init__(self) -> None:
        self.spent_s: dict[str, float] = {}

    def timed(self, stage: str, work: Callable[..., Any], *arguments: Any) -> Any:
        """What the work returns."""
        start_s = time.thread_time()
        done = work(*arguments)
        self.spent_s[stage] = self.spent_s.get(stage, 0.0) + time.thread_time() - start_s
        return done

    def run(self, stuff: Material) -> None:
        """Judge it."""
        features, state = StreamFeatures(stuff.tracks, sync=True), TrackerState("stream")
        carries: dict[str, Any] = {}
        causes, listener = CauseState(), Listener(shipped_weights())
        curves, thumbnails, counts, sounds = CurveRecorder(), ThumbnailRecorder(), Counts(), SoundPictureRecorder()

        def weigh(consumes: str, series: Any) -> None:
            nonlocal state, causes
            weighed, told = [], []
            for detector in DETECTORS:
                if detector.consumes == consumes:
                    found, carries[detector.name] = self.timed(
                        f"detector {detector.name}",
                        detector.weigh, series, detector.limits, carries.get(detector.name),
                    )  # fmt: skip
                    for evidence in found:
                        state, events = self.timed("events", track, state, evidence, detector.timing)
                        weighed.append((evidence, detector.timing))
                        told += events
            until_s = features.timeline.until_s
            causes, state, told = self.timed("causes", explain, causes, state, weighed, told, until_s)
            for event in told:
                self.timed("thumbnails taken", thumbnails.capture, event)

        for picture, sound in zip(stuff.pictures, stuff.sounds, strict=True):
            video = self.timed("series of pictures", features.take, (picture,)).video
            heard = self.timed("series of sound", features.take, (), (sound,))
            self.timed("counts", counts.count, (picture,), (sound,))
            for series in video:
                self.timed("counts", counts.video, series)
                self.timed("curves", curves.add_video, series)
                self.timed("thumbnails kept", thumbnails.add, series, "bt709")
                weigh("video", series)
            for series in heard.audio:
                self.timed("counts", counts.audio, series)
                self.timed("curves", curves.add_audio, series)
                self.timed("sound kept", sounds.add_audio, series)
                weigh("audio", series)
            for series in heard.spectrum:
                self.timed("sound kept", sounds.add_spectrum, series)
                weigh("spectrum", series)
            answers = self.timed("offset by content", listener.take, video, heard.audio)
            for series in answers:
                weigh("sync", series)
            if video or heard.audio:
                weigh("stream", self.timed("series of the stream", features.stream_series))


def cpu_us(work: Callable[[Material], object], stuff: Material) -> float:
    """CPU time of this thread per picture."""
    start_s = time.thread_time()
    work(stuff)
    return (time.thread_time() - start_s) / len(stuff.pictures) * 1e6


def second_thread(stuff: Material) -> float:
    """How much more gets done in the same time with a second thread: 1 where the GIL is always held, 2 where never."""
    start_s = time.perf_counter()
    whole(stuff)
    alone_s = time.perf_counter() - start_s
    threads = [threading.Thread(target=whole, args=(stuff,)) for _ in range(2)]
    start_s = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 2 * alone_s / (time.perf_counter() - start_s)


def _settled() -> None:
    """Wait for the threads beside this one: what they work with is not kept."""
    for thread in threading.enumerate():
        if thread.name == "gpu-qa sync":
            thread.join()


def stream_mb(stuff: Material) -> tuple[float, float]:
    """What a stream keeps before its first picture and after the last one, 10⁶ bytes each."""
    _settled()
    gc.collect()
    tracemalloc.start()
    try:
        idle = [StreamAnalysis(str(number), Settings()) for number in range(_STREAMS)]
        for stream in idle:
            stream.begin(MediaFacts("mpegts", True, None, stuff.tracks))
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        used = whole(stuff)
        _settled()
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    del used
    return before / _STREAMS / 1e6, (after - before) / 1e6


def start_ms(stuff: Material) -> float:
    """CPU time to set up a stream."""
    settings, start_s = Settings(), time.thread_time()
    for number in range(_STREAMS):
        StreamAnalysis(str(number), settings).begin(MediaFacts("mpegts", True, None, stuff.tracks))
    return (time.thread_time() - start_s) / _STREAMS * 1e3


def measured(seconds: float, rounds: int) -> tuple[list[Stage], list[Target]]:
    """All stages on all contents, and what was asked for."""
    stages: list[Stage] = []
    targets: list[Target] = []
    for content in CONTENTS:
        stuff = material(content, seconds)
        whole(stuff)
        parts: dict[str, list[float]] = {}
        for _ in range(rounds):
            taken = Stages()
            taken.run(stuff)
            for stage, spent_s in taken.spent_s.items():
                parts.setdefault(stage, []).append(spent_s / len(stuff.pictures) * 1e6)
            parts.setdefault("whole", []).append(cpu_us(whole, stuff))
        stages += [Stage(content, stage, Spread.of(values)) for stage, values in parts.items()]
        name = f"judging a picture, {content}, CPU µs"
        targets.append(Target.of(name, parts["whole"], *(("at most", MAX_US) if content == "moving" else ())))
        if content == "moving":
            idle_mb, kept_mb = stream_mb(stuff)
            targets += [
                Target.of("work of two threads in the time of one", [second_thread(stuff) for _ in range(rounds)]),
                Target.of("setting up a stream, CPU ms", [start_ms(stuff) for _ in range(rounds)]),
                Target.of("memory of a stream before its first picture, MB", [idle_mb], "at most", MAX_MB),
                Target.of(f"memory of a stream after {seconds:g} s, MB", [kept_mb], "at most", MAX_MB),
            ]
    return stages, targets


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the numbers and write a result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40.0, help="length of the material")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "judging.json")
    chosen = parser.parse_args(arguments)
    prepare()
    np.empty(1 << 22, np.uint8)  # given back, as a reader's memory is: the C library then keeps what has such a size
    load_before = result.load()
    stages, targets = measured(chosen.seconds, chosen.rounds)
    document = JudgingResult(
        result.SCHEMA,
        "judging",
        result.now(),
        result.machine(load_before),
        result.software(),
        chosen.rounds,
        round(chosen.seconds * RATE),
        tuple(stages),
        tuple(targets),
    )
    result.write(document, chosen.output)
    names = dict.fromkeys(stage.stage for stage in stages)
    found = {(stage.content, stage.stage): stage.us.median for stage in stages}
    print(f"{'CPU µs per picture':32}" + "".join(f"{content:>10}" for content in CONTENTS))
    for name in names:
        print(f"{name:32}" + "".join(f"{found.get((content, name), 0.0):10.2f}" for content in CONTENTS))
    print(result.table([], targets))
    print(chosen.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
