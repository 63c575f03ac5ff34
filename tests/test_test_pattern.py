"""Test pattern: colour bars of every kind are told, with clock and logo; colourful pictures are not."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpu_qa
from gpu_qa.decode import DecodeSettings
from gpu_qa.detectors.test_pattern import TEST_PATTERN, PatternLimits
from gpu_qa.events import TrackerState, finish, track
from tests.clips import make_clip, moving_picture
from tests.series_builder import TILES, assert_same_evidence, cut, joined, video_series, weighed

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_qa.series import Event, VideoSeries

CPU = gpu_qa.Settings(decode=DecodeSettings(device="cpu"))
RGB = {
    "W": (1, 1, 1), "Y": (1, 1, 0), "C": (0, 1, 1), "G": (0, 1, 0), "M": (1, 0, 1), "R": (1, 0, 0), "B": (0, 0, 1),
    "K": (0, 0, 0), "g": (0.4, 0.4, 0.4),
}  # fmt: skip


def color(letter: str, level: float, *, matrix: str = "bt709") -> np.ndarray:
    """Y′, Cb and Cr, nominal: 0…1 and −0.5…0.5 (ITU-R BT.709-6 and BT.601-7)."""
    kr, kb = (0.2126, 0.0722) if matrix == "bt709" else (0.299, 0.114)
    red, green, blue = (level * part for part in RGB[letter])
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    return np.array([luma, (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)])


def bars(letters: str = "WYCGMRBK", level: float = 0.75, **more: Any) -> np.ndarray:
    """A picture of vertical bars, equally broad, [3, R, K]."""
    across = np.arange(TILES[1]) * len(letters) // TILES[1]
    columns = np.array([color(letters[bar], level, **more) for bar in across]).T
    return np.repeat(columns[:, None], TILES[0], axis=1)


def with_castellations(picture: np.ndarray, rows: float) -> np.ndarray:
    """Other things below so much of the height."""
    picture = picture.copy()
    below = round(rows * TILES[0])
    picture[:, below:] = 0.0
    picture[0, below:, ::3] = 0.9
    return picture


def shown(picture: np.ndarray, frames: int = 50, **more: Any) -> VideoSeries:
    codes = 1.0 if more.get("black_code") == 0.0 else 224 / 256
    return video_series(frames, luma=picture[0], chroma=picture[1:] * codes, luma_std=0.02, change=0.0, **more)


def events(series: VideoSeries, limits: PatternLimits | None = None) -> list[Event]:
    (evidence,) = weighed(TEST_PATTERN, [series], limits)
    state, told = track(TrackerState("s"), evidence, TEST_PATTERN.timing)
    told += finish(state, float(series.end_s[-1]))[1]
    return [event for event in told if event.state == "closed"]


@pytest.mark.parametrize("frame_rate", [24.0, 25.0, 50.0, 60.0])
@pytest.mark.parametrize("codes", [(16.0, 235.0), (0.0, 255.0)])
def test_bars_are_told_with_their_exact_ends(frame_rate: float, codes: tuple[float, float]) -> None:
    more: dict[str, Any] = {"frame_rate": frame_rate, "black_code": codes[0], "white_code": codes[1]}
    frames = round(3 * frame_rate)
    series = joined(
        video_series(frames, **more),
        shown(bars(), frames, start_s=3.0, first=False, **more),
        video_series(frames, start_s=6.0, first=False, **more),
    )
    (event,) = events(series)
    assert event.kind == "video.test_pattern"
    assert (event.start_s, event.end_s) == pytest.approx((3.0, 6.0))
    assert event.details["level"] == pytest.approx(0.75, abs=0.02)
    assert event.details["width"] == pytest.approx(0.75, abs=0.1)
    assert event.message == "colour bars for 3.0 s"


@pytest.mark.parametrize(
    "picture",
    [
        bars(level=1.0),
        bars("WYCGMRB"),
        bars("WYCGMRB", matrix="bt601"),
        bars("KBRMGCYW"),
        bars("gWYCGMRBg"),
        bars("KWYCGMRBK"),
        with_castellations(bars("WYCGMRB"), 0.67),
        with_castellations(bars("gWYCGMRBg"), 0.58),
    ],
    ids=["ebu100", "smpte", "smpte601", "mirrored", "rp219", "pillarbox", "smpte lower", "rp219 lower"],
)
def test_every_kind_of_bars(picture: np.ndarray) -> None:
    assert len(events(shown(picture))) == 1


def test_clock_and_logo_may_stand_and_run_on_them() -> None:
    picture = bars("WYCGMRB")
    picture[:, 6:9, 14:28] = 0.0
    picture[0, 7, 15:27] = 0.8
    picture[:, 2:4, 36:41] = np.array([0.6, 0.1, 0.0])[:, None, None]
    series = shown(picture)
    luma = series.luma.copy()
    luma[::2, 7, 15:27] = 0.1
    assert len(events(dataclasses.replace(series, luma=luma))) == 1


@pytest.mark.parametrize(
    "picture",
    [
        bars("YYCCGGMM"),
        bars("RGBRGB"),
        bars("YGCMRB"),
        bars("WYYYYYYYYYYYYCGMRB"),
        np.rot90(bars()[:, :, :24], axes=(1, 2)).repeat(2, axis=2)[:, :, : TILES[1]],
        bars("WYCGMRBK", level=0.2),
        bars("WWWWWWWW"),
    ],
    ids=["half", "flags", "order", "unequal", "horizontal", "pale", "white"],
)
def test_other_colourful_pictures_are_not(picture: np.ndarray) -> None:
    assert events(shown(np.ascontiguousarray(picture))) == []


def test_bars_on_a_screen_in_the_picture_are_not() -> None:
    picture = np.full((3, *TILES), 0.3)
    picture[1:] = 0.02
    picture[:, 4:14, 10:31] = bars()[:, 4:14, ::2]
    assert events(shown(picture)) == []


def test_encoded_bars_are_told(tmp_path: Path) -> None:
    width, height = 320, 180
    moving = moving_picture(width, height)
    across = np.arange(width) * 7 // width
    codes = np.array([color(letter, 0.75) for letter in "WYCGMRB"])[across]
    planes = [16 + 219 * codes[:, 0], 128 + 224 * codes[:, 1], 128 + 224 * codes[:, 2]]
    still = tuple(np.repeat(np.rint(plane)[None], height, 0).astype(np.uint8) for plane in planes)
    clip = make_clip(
        tmp_path / "bars.mp4",
        seconds=5,
        size=(width, height),
        picture=lambda i: still if 25 <= i < 100 else moving(i),  # type: ignore[arg-type,return-value]
    )
    (event,) = (one for one in gpu_qa.analyze(str(clip), CPU).events if one.kind == "video.test_pattern")
    assert (event.start_s, event.end_s) == pytest.approx((1.0, 4.0), abs=0.05)
    assert event.details["level"] == pytest.approx(0.75, abs=0.03)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 100), max_size=10))
def test_any_cut_gives_the_same_evidence(at: list[int]) -> None:
    series = joined(shown(bars()), video_series(50, start_s=2.0, first=False))
    assert_same_evidence(weighed(TEST_PATTERN, [series]), weighed(TEST_PATTERN, cut(series, at)))


def test_limits_are_honoured() -> None:
    picture = bars()
    picture[:, 4:10, 20:30] = 0.0
    assert events(shown(picture), PatternLimits(raise_area=0.95)) == []
    assert len(events(shown(bars(level=0.2)), PatternLimits(saturation=0.05))) == 1
