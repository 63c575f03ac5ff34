"""Letterbox: another active area is told at its time; dark scenes, logos and subtitles in the bars are none."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.letterbox import LETTERBOX, LetterboxLimits
from gpu_qa.events import TrackerState, finish, track
from tests.series_builder import assert_same_evidence, cut, joined, video_series, weighed

if TYPE_CHECKING:
    from gpu_qa.series import Event, VideoSeries

LINES, ALONG = 192, 336
RNG = np.random.default_rng(11)
SCENE = RNG.uniform(0.15, 0.8, (LINES // 4, ALONG // 4)).repeat(4, 0).repeat(4, 1)
NIGHT = np.full((LINES, ALONG), 0.02)
NIGHT[120:150, 100:160] = 0.5


def shown(
    picture: np.ndarray = SCENE,
    top: int = 0,
    left: int = 0,
    *,
    duration_s: float = 4.0,
    start_s: float = 0.0,
    frame_rate: float = 25.0,
    full_range: bool = False,
    overlay: Any = None,
    **more: Any,
) -> VideoSeries:
    """A picture squeezed into bars of so many lines; `overlay` is set to white."""
    frames = round(duration_s * frame_rate)
    frame = np.zeros((LINES, ALONG))
    rows = np.linspace(0, LINES - 1, LINES - 2 * top).astype(int)
    columns = np.linspace(0, ALONG - 1, ALONG - 2 * left).astype(int)
    frame[top : LINES - top, left : ALONG - left] = picture[np.ix_(rows, columns)]
    if overlay is not None:
        frame[overlay] = 1.0
    tiles = frame.reshape(24, 8, 42, 8)
    black, white = (0.0, 255.0) if full_range else (16.0, 235.0)
    small = np.round((black + frame * (white - black)) * 256).astype(np.uint16)
    series = video_series(
        frames,
        frame_rate=frame_rate,
        start_s=start_s,
        luma=tiles.mean(axis=(1, 3)),
        luma_std=tiles.std(axis=(1, 3)),
        black_code=black,
        white_code=white,
        first=start_s == 0,
        **more,
    )
    return dataclasses.replace(series, small=np.broadcast_to(small, (frames, LINES, ALONG)))


def events(*series: VideoSeries, limits: LetterboxLimits | None = None) -> list[Event]:
    state, told = TrackerState("s"), []
    for evidence in weighed(LETTERBOX, series, limits):
        state, more = track(state, evidence, LETTERBOX.timing)
        told += more
    told += finish(state, float(series[-1].end_s[-1]))[1]
    return [event for event in told if event.state == "closed"]


@pytest.mark.parametrize("frame_rate", [24.0, 25.0, 30.0, 60.0])
@pytest.mark.parametrize("full_range", [False, True])
def test_letterbox_that_comes_is_told_at_its_time(frame_rate: float, full_range: bool) -> None:
    more: dict[str, Any] = {"frame_rate": frame_rate, "full_range": full_range}
    (event,) = events(shown(**more), shown(top=24, start_s=4.0, **more))
    assert (event.kind, event.severity) == ("stream.format_change", "info")
    assert event.start_s == event.end_s == pytest.approx(4.0)
    assert event.id.startswith("s-stream.format_change:active-4")
    assert event.details["old"] == {"left": 0.0, "top": 0.0, "width": 1.0, "height": 1.0, "aspect_ratio": 1.778}
    assert event.details["new"] == {"left": 0.0, "top": 0.125, "width": 1.0, "height": 0.75, "aspect_ratio": 2.37}
    assert event.message == "picture area changed: whole 1.78:1 → letterbox 2.37:1"
    assert event.value == 0.75


@pytest.mark.parametrize(
    ("before", "after", "words", "severity"),
    [
        ((24, 0), (0, 0), "letterbox 2.37:1 → whole 1.78:1", "info"),
        ((0, 0), (0, 42), "whole 1.78:1 → pillarbox 1.33:1", "info"),
        ((24, 0), (0, 42), "letterbox 2.37:1 → pillarbox 1.33:1", "info"),
        ((0, 42), (24, 42), "pillarbox 1.33:1 → windowbox 1.78:1", "warn"),
        ((24, 0), (40, 0), "letterbox 2.37:1 → letterbox 3.05:1", "info"),
    ],
)
def test_every_change(before: tuple[int, int], after: tuple[int, int], words: str, severity: str) -> None:
    (event,) = events(shown(SCENE, *before), shown(SCENE, *after, start_s=4.0))
    assert event.message == f"picture area changed: {words}"
    assert event.severity == severity
    assert event.start_s == pytest.approx(4.0)


def test_what_is_there_from_the_start_is_no_change() -> None:
    assert events(shown(top=24, duration_s=10.0)) == []


@pytest.mark.parametrize("level", [0.3, 1.0], ids=["green", "white"])
def test_one_colour_that_fills_the_bars_too_is_no_change(level: float) -> None:
    """With a logo, as a decoder's green or a flash has it; the bars are there again afterwards."""
    plain = np.full((LINES, ALONG), level)
    plain[8:24, 300:328] = 0.9 - level / 2
    assert events(shown(top=24), shown(plain, start_s=4.0), shown(top=24, start_s=8.0)) == []


def test_a_moment_is_no_change() -> None:
    assert events(shown(), shown(top=24, duration_s=1.6, start_s=4.0), shown(start_s=5.6)) == []


@pytest.mark.parametrize("top", [0, 24])
def test_dark_scenes_and_black_say_nothing(top: int) -> None:
    black = np.zeros((LINES, ALONG))
    sky = SCENE.copy()
    sky[:90] = 0.0
    stage = np.zeros((LINES, ALONG))
    stage[30:, 60:300] = SCENE[30:, 60:300]
    parts = [
        shown(picture, top, start_s=4.0 * i)
        for i, picture in enumerate([SCENE, NIGHT, black, sky, stage, SCENE, black])
    ]
    assert events(*parts) == []


@pytest.mark.parametrize(
    "overlay",
    [
        (slice(6, 16), slice(280, 320)),  # a logo above
        (slice(172, 188), slice(60, 276, 4)),  # subtitles below
        (slice(170, 190), slice(20, 60)),  # a clock below
    ],
)
def test_logo_and_subtitles_in_the_bars_change_nothing(overlay: Any) -> None:
    parts = [shown(top=24), shown(top=24, start_s=4.0, overlay=overlay), shown(top=24, start_s=8.0)]
    assert events(*parts) == []
    gone = shown(top=24, start_s=6.0)
    (event,) = events(shown(overlay=overlay), shown(top=24, start_s=4.0, duration_s=2.0, overlay=overlay), gone)
    # Subtitles as broad as these hide a bar until they go.
    assert event.start_s == pytest.approx(6.0 if overlay[1].step else 4.0)


def test_ticker_that_fills_the_lower_bar_changes_nothing() -> None:
    overlay = (slice(170, 192), slice(None))
    assert events(shown(top=24), shown(top=24, start_s=4.0, overlay=overlay)) == []


def test_bars_that_come_in_a_dark_scene_are_told_when_they_show() -> None:
    (event,) = events(shown(), shown(NIGHT, 24, start_s=4.0), shown(top=24, start_s=8.0))
    assert event.start_s == pytest.approx(8.0)


def test_size_changes_nothing_where_the_area_stays() -> None:
    other = dataclasses.replace(shown(top=24, start_s=4.0), display_aspect_ratio=4 / 3, black_code=16.0)
    assert events(shown(top=24), other) == []


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 350), max_size=10))
def test_any_cut_gives_the_same_evidence(at: list[int]) -> None:
    parts = [shown(), shown(SCENE, 24, start_s=4.0), shown(SCENE, 24, 42, start_s=8.0), shown(NIGHT, start_s=12.0)]
    series = joined(*parts)
    assert_same_evidence(weighed(LETTERBOX, [series]), weighed(LETTERBOX, cut(series, at)))


def test_limits_are_honoured() -> None:
    parts = [shown(), shown(top=24, duration_s=1.6, start_s=4.0), shown(start_s=5.6)]
    assert len(events(*parts, limits=LetterboxLimits(believe_after_s=1.0))) == 2
    (event,) = events(shown(), shown(SCENE, 20, 40, start_s=4.0), limits=LetterboxLimits(warn_area=0.95))
    assert event.severity == "warn"
