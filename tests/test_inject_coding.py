"""Faults of coding: the stream goes on in another size or shape, is whole, and is told as a change of format."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import pytest

from gpu_qa.analysis import analyze
from gpu_qa.errors import ConfigError
from gpu_qa.inject import FAULTS, InjectSettings, inject
from gpu_qa.inject.registry import planting
from gpu_qa.inject.writer import Coding
from tests.clips import cached_clip
from tests.inject_clips import written

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_qa.inject.writer import VideoCodec

START_S, END_S = 1.0, 2.2


def clip() -> Path:
    return cached_clip("film.mp4", seconds=4, size=(320, 192))


def shown(path: Path) -> list[tuple[float, tuple[int, int], Fraction]]:
    """Time, size and sample aspect ratio of each picture."""
    found = []
    with av.open(str(path)) as container:
        track: Any = container.streams.video[0]
        zero_s = None
        for frame in container.decode(track):
            zero_s = frame.time if zero_s is None else zero_s
            ratio = track.codec_context.sample_aspect_ratio or Fraction(1)
            found.append((frame.time - zero_s, (frame.width, frame.height), ratio))
    return found


@pytest.mark.parametrize("codec", ["h264", "hevc", "mpeg2video"])
def test_another_size(codec: VideoCodec, tmp_path: Path) -> None:
    settings = InjectSettings(coding=Coding(video_codec=codec, preset="ultrafast"))
    truth = written(tmp_path / "a.ts", "resize", 0.5, clip=clip(), settings=settings)
    assert (truth.faults[0].kind, truth.faults[0].start_s, truth.faults[0].end_s) == (
        "stream.format_change",
        START_S,
        END_S,
    )
    pictures = shown(tmp_path / "a.ts")
    # None is lost where encoders change, and time goes on; libavcodec's MPEG-2 decoder forgets the one before.
    times_s = [index / 25 for index in range(100)]
    if codec == "mpeg2video":
        assert len(pictures) == 98
        times_s = [at_s for at_s in times_s if round(at_s * 25) not in (24, 54)]
    assert [at_s for at_s, _, _ in pictures] == pytest.approx(times_s, abs=1e-3)
    sizes = [(160, 96) if START_S - 1e-3 <= at_s < END_S - 1e-3 else (320, 192) for at_s, _, _ in pictures]
    assert [size for _, size, _ in pictures] == sizes


def test_changes_are_told(tmp_path: Path) -> None:
    settings = InjectSettings(coding=Coding(preset="ultrafast"))
    for name, severity, what in (("resize", "warn", "width 320"), ("aspect", "info", "sample_aspect_ratio 1 → 4/3")):
        written(tmp_path / f"{name}.ts", name, clip=clip(), settings=settings)
        events = [event for event in analyze(tmp_path / f"{name}.ts").events if event.kind == "stream.format_change"]
        assert [event.start_s for event in events] == pytest.approx([START_S, END_S], abs=0.001)
        assert {event.severity for event in events} == {severity}
        assert what in events[0].message
    assert {size for _, size, _ in shown(tmp_path / "aspect.ts")} == {(320, 192)}


def test_what_cannot_change_in_mid_stream(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"must be a \.ts file"):
        written(tmp_path / "a.mp4", "resize", clip=clip())
    with pytest.raises(ConfigError, match="no size for an encoder"):
        written(tmp_path / "a.ts", "resize", 0.1, clip=cached_clip("small.mp4", seconds=1, size=(96, 72)))
    interlaced = tmp_path / "fields.mp4"
    written(interlaced, "field_order", clip=clip(), settings=InjectSettings(coding=Coding(preset="ultrafast")))
    with pytest.raises(ConfigError, match="interlaced"):
        inject(interlaced, tmp_path / "b.ts", [planting(FAULTS["resize"], start_s=1.0, duration_s=1.0)])
