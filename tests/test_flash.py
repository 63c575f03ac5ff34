"""Flash: told above 3 flashes a second over a quarter of the picture, by ITU-R BT.1702, and not below."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.flash import FLASH, FlashLimits
from gpu_qa.detectors.luminance import chromaticity, light, luminance
from gpu_qa.events import TrackerState, finish, track
from tests.series_builder import TILES, assert_same_evidence, cut, joined, video_series, weighed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import Event, VideoSeries

RATES = [23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 60.0]
CODES = 224 / 256
"""Share of all codes that Cb and Cr have in limited range."""
BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 0.0, 0.0)


def flashing(
    rate_hz: float,
    low: Sequence[float] = BLACK,
    high: Sequence[float] = WHITE,
    *,
    frame_rate: float = 25.0,
    duration_s: float = 4.0,
    start_s: float = 0.0,
    where: Any = slice(None),
    rest: Sequence[float] = (0.4, 0.02, -0.02),
    **more: Any,
) -> VideoSeries:
    """Colours (Y′, Cb, Cr, nominal) that take turns, `low` first, in the tiles `where`; the others stay as they are."""
    frames = round(duration_s * frame_rate)
    is_high = (2.0 * rate_hz * np.arange(frames) / frame_rate + 1e-9).astype(int) % 2 == 1
    picture = np.empty((frames, 3, *TILES), np.float32)
    picture[:] = np.array(rest, np.float32)[:, None, None]
    colors = np.where(is_high[:, None], np.array(high, np.float32), np.array(low, np.float32))
    picture[:, :, *((where,) if isinstance(where, slice) else where)] = colors[:, :, None, None]
    return video_series(
        frames,
        frame_rate=frame_rate,
        start_s=start_s,
        luma=picture[:, 0],
        chroma=picture[:, 1:] * CODES,
        first=False,
        **more,
    )


def events(series: VideoSeries, limits: FlashLimits | None = None) -> list[Event]:
    found = weighed(FLASH, [series], limits)
    state, told = TrackerState("s"), []
    for evidence in found:
        state, more = track(state, evidence, FLASH.timing)
        told += more
    told += finish(state, float(series.end_s[-1]))[1]
    return [event for event in told if event.state == "closed"]


@pytest.mark.parametrize("frame_rate", RATES)
@pytest.mark.parametrize("before", [0.05, 0.6])
def test_five_per_second_is_told_from_the_first_to_the_last(frame_rate: float, before: float) -> None:
    series = joined(
        video_series(round(2 * frame_rate), frame_rate=frame_rate, luma=before),
        flashing(5.0, frame_rate=frame_rate, start_s=2.0, duration_s=3.0),
        video_series(round(2 * frame_rate), frame_rate=frame_rate, luma=before, start_s=5.0, first=False),
    )
    (event,) = events(series)
    assert event.start_s == pytest.approx(2.0, abs=0.15)
    assert event.end_s == pytest.approx(5.0, abs=0.15)
    assert event.severity == "major"
    assert event.value == pytest.approx(5.0, rel=0.12)
    assert event.details == {"type": "general", "area": 1.0}
    assert "general flashes at" in event.message


@pytest.mark.parametrize("frame_rate", RATES)
def test_three_per_second_are_allowed_and_four_are_not(frame_rate: float) -> None:
    assert events(flashing(2.0, frame_rate=frame_rate, duration_s=6.0)) == []
    assert events(flashing(3.0, frame_rate=frame_rate, duration_s=6.0)) == []
    assert len(events(flashing(4.0, frame_rate=frame_rate, duration_s=6.0))) == 1


def test_the_fourth_flash_is_one_too_many() -> None:
    """Flash guns: a frame of white each, 0.24 s apart."""

    def guns(count: int) -> VideoSeries:
        luma = np.full(100, 0.3)
        luma[20 : 20 + 6 * count : 6] = 1.0
        return video_series(100, luma=luma[:, None, None])

    assert events(guns(3)) == []
    (event,) = events(guns(4))
    assert (event.start_s, event.end_s) == pytest.approx((0.8, 0.8 + 19 / 25))


@pytest.mark.parametrize("frame_rate", RATES)
def test_strobe_that_changes_with_every_frame(frame_rate: float) -> None:
    (event,) = events(flashing(frame_rate / 2, frame_rate=frame_rate))
    assert event.value == pytest.approx(frame_rate / 2, rel=0.01)


@pytest.mark.parametrize(("columns", "told"), [(8, False), (10, False), (14, True), (28, True)])
def test_area(columns: int, told: bool) -> None:
    """8 of 42 columns are 19 % of the picture, 10 are 24 %, 14 are 33 %."""
    found = events(flashing(5.0, where=(slice(None), slice(6, 6 + columns))))
    assert len(found) == told
    for event in found:
        assert event.details["area"] == pytest.approx(columns / 42, abs=0.001)


def signal(cd_m2: float) -> float:
    return float((cd_m2 / 200.0) ** (1 / 2.4))


@pytest.mark.parametrize(
    ("dark", "bright", "told"),
    [
        (1.0, 20.0, False),
        (1.0, 22.0, True),
        (100.0, 119.0, False),
        (100.0, 121.0, True),
        (168.0, 188.5, False),
        (165.0, 199.0, True),
        (170.0, 190.5, False),
        (170.0, 192.5, True),
    ],
)
def test_step_of_luminance(dark: float, bright: float, told: bool) -> None:
    """20 cd/m², and a Michelson contrast of 1/17 where the darker side is above 160 cd/m²."""
    found = events(flashing(5.0, (signal(dark), 0, 0), (signal(bright), 0, 0)))
    assert len(found) == told


def test_frames_microseconds_apart_are_no_flashes() -> None:
    assert events(flashing(2000.0, frame_rate=10_000.0, duration_s=0.05)) == []


def test_halves_that_take_turns_are_told() -> None:
    left = flashing(4.0, where=(slice(None), slice(0, 21)))
    picture = left.luma.copy()
    picture[:, :, 21:] = 1.0 - picture[:, :, :21]
    assert len(events(dataclasses.replace(left, luma=picture))) == 1


def test_slow_changes_of_brightness_and_fades_are_not() -> None:
    t = np.arange(200) / 25.0
    breathing = 0.5 + 0.5 * np.sin(2 * np.pi * 1.4 * t)
    assert events(video_series(200, luma=breathing[:, None, None])) == []
    pulsing = 0.5 + 0.5 * np.sin(2 * np.pi * 4.0 * t)
    assert len(events(video_series(200, luma=pulsing[:, None, None]))) == 1


def test_cuts_every_half_second_are_not() -> None:
    rng = np.random.default_rng(3)
    luma = np.repeat(rng.uniform(0, 1, (20, *TILES)), 12, axis=0)
    assert events(video_series(240, luma=luma)) == []


def test_fence_that_passes_is_not() -> None:
    """Dark and bright stakes of two tiles pass at a tile a frame: every tile flickers, none with its neighbours."""
    x = np.arange(TILES[1])
    luma = np.stack([(x + i) // 2 % 2 for i in range(100)]).astype(float)
    assert events(video_series(100, luma=luma[:, None, :])) == []


def test_lights_that_flash_by_themselves_are_not() -> None:
    rng = np.random.default_rng(5)
    phase = rng.uniform(0, 1, TILES)
    luma = 0.5 + 0.5 * np.sign(np.sin(2 * np.pi * (5.0 * np.arange(150)[:, None, None] / 25.0 + phase)))
    assert events(video_series(150, luma=luma)) == []


RED = (0.18 * 0.2126, -0.18 * 0.1146, 0.18 * 0.5)


def red(level: float) -> tuple[float, float, float]:
    """Red of the primaries of BT.709 at this signal level."""
    return (0.2126 * level, -0.1146 * level, 0.5 * level)


def test_red_counts_below_the_step_of_luminance() -> None:
    """Red at a signal of 0.6 has 12 cd/m²: on black, and on a grey as bright."""
    for other in (BLACK, (signal(12.5), 0.0, 0.0)):
        (event,) = events(flashing(5.0, other, red(0.6)))
        assert event.details == {"type": "red", "area": 1.0}
        assert events(flashing(3.0, other, red(0.6))) == []
    (both,) = events(flashing(5.0, BLACK, red(1.0)))
    assert both.details["type"] == "general and red"


@pytest.mark.parametrize("level", [0.1, 0.15])
def test_dark_red_is_dark(level: float) -> None:
    assert events(flashing(5.0, BLACK, red(level))) == []


def test_change_between_other_colours_of_one_luminance_is_not() -> None:
    blue, green = (0.0722 * 0.9, 0.45, -0.0458 * 0.9), (0.7152 * 0.35, -0.3854 * 0.35, -0.4542 * 0.35)
    assert events(flashing(5.0, blue, green)) == []
    assert events(flashing(5.0, red(0.6), red(0.62))) == []


def transferred(series: VideoSeries, transfer: Any) -> VideoSeries:
    return dataclasses.replace(series, transfer=transfer, color_space="bt2020nc")


@pytest.mark.parametrize(
    ("transfer", "low", "high", "told"),
    [
        ("pq", 0.5081, 0.52, False),  # 100 and 112 cd/m² (ITU-R BT.2100-2, table 4)
        ("pq", 0.5081, 0.535, True),  # 130 cd/m²
        ("pq", 0.75, 0.753, False),  # near 1000 cd/m², contrast below 1/17
        ("pq", 0.75, 0.765, True),
        ("hlg", 0.30, 0.32, False),  # 20 and 23 cd/m²
        ("hlg", 0.30, 0.50, True),
    ],
)
def test_high_dynamic_range(transfer: str, low: float, high: float, told: bool) -> None:
    found = events(transferred(flashing(5.0, (low, 0, 0), (high, 0, 0)), transfer))
    assert len(found) == told


@pytest.mark.parametrize(
    ("transfer", "signal_level", "cd_m2"),
    [
        ("sdr", 1.0, 200.0),
        ("sdr", 0.5, 37.9),
        ("pq", 0.5081, 100.0),
        ("pq", 0.7518, 1000.0),
        ("hlg", 0.75, 203.0),
        ("hlg", 1.0, 1000.0),
        ("sdr", -0.05, 0.0),
    ],
)
def test_luminance_of_white(transfer: str, signal_level: float, cd_m2: float) -> None:
    """HLG: 0.75 is the reference white of 203 cd/m² of ITU-R BT.2408, table 1."""
    series = transferred(video_series(1, luma=signal_level, chroma=(0, 0)), transfer)
    linear = light(series.luma.reshape(1, -1), series.chroma.reshape(1, 2, -1), series, 200.0)
    assert luminance(linear, series)[0, 0] == pytest.approx(cd_m2, rel=0.01, abs=0.01)


@pytest.mark.parametrize("space", ["bt709", "smpte170m", "bt2020nc", None])
def test_white_point_and_red_of_every_colour_space(space: str | None) -> None:
    kr, kb = {"smpte170m": (0.299, 0.114), "bt2020nc": (0.2627, 0.0593)}.get(space or "", (0.2126, 0.0722))
    series = dataclasses.replace(video_series(1), color_space=space)
    colors = np.array([[0.8, 0.0, 0.0], [kr, -0.5 * kr / (1 - kb), 0.5]], np.float32).T
    linear = light(colors[None, 0], colors[None, 1:] * CODES, series, 200.0)
    np.testing.assert_allclose(linear[:, 0, 1], [200.0, 0.0, 0.0], rtol=0.01, atol=0.1)
    u, v = chromaticity(linear, series)
    np.testing.assert_allclose([u[0, 0], v[0, 0]], [0.1978, 0.4683], atol=0.001)
    np.testing.assert_allclose(
        [u[0, 1], v[0, 1]], [0.5566, 0.5165] if space == "bt2020nc" else [0.4507, 0.5229], atol=0.002
    )


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 170), max_size=12), st.integers(0, 2**32 - 1))
def test_any_cut_gives_the_same_evidence(at: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    series = joined(
        video_series(20, luma=0.5),
        flashing(5.0, start_s=0.8, duration_s=2.0),
        flashing(5.0, BLACK, red(0.6), start_s=2.8, duration_s=2.0),
        video_series(50, luma=rng.uniform(0, 1, (50, *TILES)), start_s=4.8, first=False),
    )
    assert_same_evidence(weighed(FLASH, [series]), weighed(FLASH, cut(series, at)))


def test_series_that_starts_within_the_flashes() -> None:
    (whole,) = weighed(FLASH, [flashing(5.0)])
    (rest,) = weighed(FLASH, cut(flashing(5.0), [33])[1:])
    assert whole.verdict.tolist()[-40:] == rest.verdict.tolist()[-40:]


def test_limits_are_honoured() -> None:
    series = flashing(5.0, where=(slice(None), slice(0, 8)))
    assert len(events(series, FlashLimits(area=0.15))) == 1
    assert events(flashing(5.0), FlashLimits(window_s=0.5)) == []
    assert events(flashing(5.0, (0.0, 0, 0), (0.5, 0, 0)), FlashLimits(step=40.0)) == []
