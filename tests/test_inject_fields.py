"""Interlaced clips in the injector: they stay interlaced, in their order, and clean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

import gpu_qa
from gpu_qa.decode import DecodeSettings
from gpu_qa.errors import ConfigError
from gpu_qa.inject import FAULTS, InjectSettings, inject
from gpu_qa.inject.registry import planting
from gpu_qa.inject.writer import Coding
from tests.clips import make_clip
from tests.inject_clips import LOSSLESS, base_clip, content, written

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_qa.series import Event

CPU = gpu_qa.Settings(decode=DecodeSettings(device="cpu"))
TOP, BOTTOM = 2, 3
"""AVFieldOrder."""
STRIPES = np.random.default_rng(4).integers(30, 220, 512).astype(np.uint8)


def woven(index: int, *, top_first: bool) -> np.ndarray:
    """Two fields of moments half a picture apart; stripes that move by eight samples a picture."""
    luma = np.empty((192, 320), np.uint8)
    for line in (0, 1):
        at = 8 * index + (4 if (line == 0) != top_first else 0)
        luma[line::2] = np.roll(STRIPES.repeat(16), at)[:320]
    return luma


def clip(path: Path, *, top_first: bool = True, audio: str | None = None) -> Path:
    options = {"x264-params": f"{'tff' if top_first else 'bff'}=1", "preset": "veryfast", "crf": "16"}
    return make_clip(
        path,
        seconds=3,
        size=(320, 192),
        audio=audio,
        codec_options=options,
        picture=lambda index: woven(index, top_first=top_first),
    )


def fields_of(path: Path) -> tuple[bool, int]:
    """Whether all pictures say that they are interlaced, and the stream's order."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        told = [frame.interlaced_frame for frame in container.decode(video)]
        return all(told), video.codec_context.field_order


def told(path: Path) -> list[Event]:
    return [event for event in gpu_qa.analyze(path, CPU).events if event.kind == "video.interlacing"]


@pytest.mark.parametrize("top_first", [True, False])
@pytest.mark.parametrize(
    ("codec", "name"), [("h264", "a.ts"), ("h264", "a.mp4"), ("mpeg2video", "a.ts"), ("ffv1", "a.mkv")]
)
def test_an_interlaced_clip_stays_so(codec: Any, name: str, top_first: bool, tmp_path: Path) -> None:
    source = clip(tmp_path / "own.ts", top_first=top_first)
    assert told(source) == []
    inject(source, tmp_path / name, (), InjectSettings(coding=Coding(video_codec=codec)))
    assert fields_of(tmp_path / name) == (True, TOP if top_first else BOTTOM)
    assert told(tmp_path / name) == []


def test_changed_pictures_are_marked_too(tmp_path: Path) -> None:
    source = clip(tmp_path / "own.ts", top_first=False)
    blurred = planting(FAULTS["block_corruption"], start_s=0.5, duration_s=1.0)
    inject(source, tmp_path / "a.ts", [blurred], InjectSettings(coding=Coding()))
    assert fields_of(tmp_path / "a.ts") == (True, BOTTOM)
    assert told(tmp_path / "a.ts") == []


@pytest.mark.parametrize("top_first", [True, False])
def test_the_wrong_order_of_an_interlaced_clip_is_told(top_first: bool, tmp_path: Path) -> None:
    source = clip(tmp_path / "own.ts", top_first=top_first)
    wrong = planting(FAULTS["field_order"], start_s=0.0, duration_s=9.0)
    inject(source, tmp_path / "a.ts", [wrong])
    (event,) = told(tmp_path / "a.ts")
    assert event.details["what"] == "field order"
    assert event.details["told_order"] == f"{'top' if top_first else 'bottom'} field first"


def test_fields_are_scaled_by_themselves(tmp_path: Path) -> None:
    source = clip(tmp_path / "own.ts")
    inject(source, tmp_path / "a.mkv", (), InjectSettings(coding=LOSSLESS.coding, height=98))
    small = content(tmp_path / "a.mkv").luma
    assert small.shape[1:] == (96, 164)
    # All lines of a field show the same stripes; those of the other one are elsewhere.
    assert np.abs(np.diff(small[30, 10:-10:2].astype(int), axis=0)).max() <= 12
    assert np.abs(small[30, 40].astype(int) - small[30, 41]).max() > 60


def test_what_cannot_be_interlaced_is_refused(tmp_path: Path) -> None:
    source = clip(tmp_path / "own.ts")
    hevc = InjectSettings(coding=Coding(video_codec="hevc"))
    with pytest.raises(ConfigError, match="hevc: its encoder codes no interlaced pictures; use one of h264"):
        inject(source, tmp_path / "a.ts", (), hevc)
    with pytest.raises(ConfigError, match="hevc"):
        written(tmp_path / "a.ts", "field_order", clip=base_clip(), settings=hevc)
    with pytest.raises(ConfigError, match="combing: the pictures are interlaced"):
        written(tmp_path / "a.ts", "combing", clip=source)
    assert not list(tmp_path.glob("a*"))
