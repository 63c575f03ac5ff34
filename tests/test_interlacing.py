"""Interlacing: woven and swapped fields are told where something moves; texture and true interlace are not."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpu_qa
from gpu_qa.config import Settings
from gpu_qa.decode import DecodeSettings
from gpu_qa.detectors.interlacing import INTERLACING, InterlacingLimits
from gpu_qa.events import TrackerState, finish, track
from tests.clips import make_clip
from tests.series_builder import TILES, assert_same_evidence, cut, joined, video_series, weighed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gpu_qa.series import Event, VideoSeries

CPU = Settings(decode=DecodeSettings(device="cpu"))
SIZE = (320, 180)


def scene(shift: float, down: float = 0.0) -> np.ndarray:
    """Smooth shapes that have moved by so many samples, codes 20 to 220, [H, W]."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float64)
    u, v = (x - shift) / 9.0, (y - down) / 13.0
    return np.asarray(120 + 60 * np.tanh(3 * np.sin(u + 0.4 * np.sin(v))) + 40 * np.sin(v + 0.2 * u))


def field_picture(index: int, *, top_first: bool = True, speed: float = 6.0) -> np.ndarray:
    """Two fields of a pan, half a frame apart."""
    picture = scene(speed * index)
    later = 1 if top_first else 0
    picture[later::2] = scene(speed * (index + 0.5))[later::2]
    return codes(picture)


def codes(picture: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(np.rint(picture), 16, 235), np.uint8)


def progressive(index: int, *, speed: float = 6.0, down: float = 0.0) -> np.ndarray:
    return codes(scene(speed * index, down * index))


def told(path: Path, picture: Callable[[int], np.ndarray], **more: Any) -> list[Event]:
    make_clip(path, seconds=3.0, size=SIZE, audio=None, picture=picture, **more)
    return [event for event in gpu_qa.analyze(str(path), CPU).events if event.kind == "video.interlacing"]


@pytest.mark.parametrize(
    ("codec", "pixel_format", "rate"),
    [("libx264", "yuv420p", rate) for rate in (24, 30, 50, 60)]
    + [("libx264", "yuv420p10le", 25), ("ffv1", "yuv420p", 25), ("ffv1", "yuv422p", 25)],
)
def test_woven_fields_in_a_progressive_stream(tmp_path: Path, codec: str, pixel_format: str, rate: int) -> None:
    speed = 150.0 / rate

    def picture(index: int) -> np.ndarray:
        if rate <= index < 2 * rate:
            return field_picture(index, speed=speed)
        return progressive(index, speed=speed)

    (event,) = told(tmp_path / "a.mkv", picture, rate=rate, codec=codec, pixel_format=pixel_format)
    assert (event.start_s, event.end_s) == pytest.approx((1.0, 2.0), abs=0.1)
    assert event.details["what"] == "combing"
    assert event.details["told_order"] == "progressive"
    assert event.details["fields"] < 0.7
    assert event.value is not None
    assert event.value > 0.2


@pytest.mark.parametrize("says_top", [True, False])
@pytest.mark.parametrize("is_top", [True, False])
def test_field_order_against_the_motion(tmp_path: Path, says_top: bool, is_top: bool) -> None:
    options = {"x264-params": "tff=1" if says_top else "bff=1"}
    found = told(tmp_path / "a.ts", lambda i: field_picture(i, top_first=is_top), codec_options=options)
    if says_top == is_top:
        assert found == []
        return
    (event,) = found
    assert event.details["what"] == "field order"
    assert event.details["told_order"] == f"{'top' if says_top else 'bottom'} field first"
    assert event.message.startswith("fields in the wrong order")


@pytest.mark.parametrize("down", [0.0, 0.5, 1.0, 2.0, -3.0])
def test_progressive_motion_of_any_direction(tmp_path: Path, down: float) -> None:
    assert told(tmp_path / "a.mkv", lambda i: progressive(i, down=down), codec="ffv1") == []


@pytest.mark.parametrize(("right", "down"), [(0, 0), (5, 0), (0, 1)])
def test_lines_of_a_screen_that_stand_or_roll(tmp_path: Path, right: int, down: int) -> None:
    """Strokes of one line, as in screen text and shirts, on a page that stands, goes or rolls."""
    rng = np.random.default_rng(2)
    page = np.full((2 * SIZE[1], 2 * SIZE[0]), 210, np.uint8)
    page[1::3] = np.where(rng.random((2 * SIZE[1] // 3, 2 * SIZE[0] // 4)) < 0.5, 30, 210).repeat(4, 1)

    def picture(index: int) -> np.ndarray:
        rolled = np.roll(page, (-down * index, right * index), (0, 1))
        return np.ascontiguousarray(rolled[: SIZE[1], : SIZE[0]])

    assert told(tmp_path / "a.mkv", picture, codec="ffv1") == []


WOVEN: dict[str, Any] = {"change": 0.1, "gradient": 0.1, "comb": 0.04}
FIELDS = np.array([0.03, 0.09], np.float32)[:, None, None]


def events(series: VideoSeries, limits: InterlacingLimits | None = None) -> list[Event]:
    (evidence,) = weighed(INTERLACING, [series], limits)
    state, found = track(TrackerState("s"), evidence, INTERLACING.timing)
    found += finish(state, float(series.end_s[-1]))[1]
    return [event for event in found if event.state == "closed"]


def test_both_marks_are_needed() -> None:
    assert len(events(video_series(**WOVEN, field_change=FIELDS))) == 1
    assert len(events(video_series(**WOVEN, field_change=FIELDS[::-1]))) == 1
    assert events(video_series(**WOVEN)) == []
    assert events(video_series(**WOVEN | {"comb": 0.01}, field_change=FIELDS)) == []
    assert events(video_series(**WOVEN | {"change": 0.01}, field_change=FIELDS)) == []


def test_what_stands_still_says_nothing() -> None:
    """An event goes on through a still moment, and ends with the last frame that shows it."""
    still: dict[str, Any] = {"change": 0.0, "gradient": 0.1, "comb": 0.005, "first": False}
    series = joined(
        video_series(50, **WOVEN, field_change=FIELDS),
        video_series(50, start_s=2.0, **still),
        video_series(50, start_s=4.0, **WOVEN, field_change=FIELDS, first=False),
        video_series(50, start_s=6.0, change=0.1, gradient=0.1, comb=0.005, first=False),
    )
    (event,) = events(series)
    assert (event.start_s, event.end_s) == (0.04, 6.0)
    assert event.message == "combing for 6.0 s: every other line of what moves shows another moment"


def test_what_was_wrong_long_ago_does_not_count() -> None:
    still: dict[str, Any] = {"change": 0.0, "gradient": 0.1, "comb": 0.005, "first": False}
    series = joined(
        video_series(4, **WOVEN, field_change=FIELDS),
        video_series(2500, start_s=0.16, **still),
        video_series(13, start_s=100.16, **WOVEN, field_change=FIELDS, first=False),
        video_series(50, start_s=100.68, change=0.1, gradient=0.1, comb=0.005, first=False),
    )
    (event,) = events(series)
    assert (event.start_s, event.end_s) == pytest.approx((100.16, 100.68))
    assert event.severity == "warn"


def test_a_moment_is_not_told() -> None:
    clean: dict[str, Any] = {"change": 0.1, "gradient": 0.1, "comb": 0.005, "first": False}
    woven = video_series(5, start_s=2.0, **WOVEN, field_change=FIELDS, first=False)
    assert events(joined(video_series(50, **clean), woven, video_series(50, start_s=2.2, **clean))) == []


def interlaced(series: VideoSeries, *, top_first: bool | None) -> VideoSeries:
    return dataclasses.replace(series, interlaced=True, top_field_first=top_first)


def test_combs_belong_to_interlaced_pictures() -> None:
    series = video_series(**WOVEN, field_change=FIELDS)
    assert events(interlaced(series, top_first=True)) == []
    assert events(interlaced(series, top_first=None)) == []
    (event,) = events(interlaced(series, top_first=False))
    assert event.value == pytest.approx(3.0)
    assert event.limit == INTERLACING.limits.raise_order


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 150), max_size=10), st.integers(0, 2**32 - 1))
def test_any_cut_gives_the_same_evidence(at: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    series = video_series(
        150,
        change=rng.uniform(0, 0.1, (150, *TILES)),
        comb=rng.uniform(0, 0.02, (150, *TILES)),
        gradient=0.05,
        field_change=rng.uniform(0, 0.1, (150, 2, 1, 1)),
    )
    assert_same_evidence(weighed(INTERLACING, [series]), weighed(INTERLACING, cut(series, at)))


def test_limits_are_honoured() -> None:
    series = video_series(**WOVEN, field_change=FIELDS)
    assert events(series, InterlacingLimits(raise_comb=0.5)) == []
    assert events(series, InterlacingLimits(raise_fields=4.0)) == []
    assert events(series, InterlacingLimits(motion=0.2)) == []
    assert events(interlaced(series, top_first=False), InterlacingLimits(raise_order=4.0)) == []
