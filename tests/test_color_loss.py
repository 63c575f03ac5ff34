"""Colour loss: told where colour goes out of a shot; black and white films, cuts, fades and darkness are none."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpu_qa
from gpu_qa.decode import DecodeSettings
from gpu_qa.detectors.color_loss import COLOR_LOSS, ColorLossLimits
from gpu_qa.events import TrackerState, finish, track
from tests.clips import make_clip, moving_picture
from tests.series_builder import TILES, assert_same_evidence, cut, joined, video_series, weighed

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_qa.series import Event, VideoSeries

CPU = gpu_qa.Settings(decode=DecodeSettings(device="cpu"))


def scene(seed: int = 1, color: Any = 1.0, light: Any = 1.0, duration_s: float = 3.0, **more: Any) -> VideoSeries:
    """A shot; `color` and `light` scale its chroma and luma, all of it or [T], `color` also [2] for Cb and Cr."""
    rng = np.random.default_rng(seed)
    frame_rate = more.get("frame_rate", 25.0)
    frames = round(duration_s * frame_rate)
    luma = rng.uniform(0.2, 0.8, TILES)
    chroma = rng.uniform(-0.12, 0.12, (2, *TILES))
    noise = rng.normal(0, 0.002, (frames, 1, *TILES))
    factor = np.asarray(color, np.float64)
    factor = factor.reshape(1, 2, 1, 1) if factor.shape == (2,) else factor.reshape(-1, 1, 1, 1)
    more.setdefault("first", more.get("start_s", 0.0) == 0.0)
    bright = np.asarray(light).reshape(-1, 1, 1)
    return video_series(
        frames, luma=luma * bright + noise[:, 0], chroma=chroma * factor * bright[:, None] + 0 * noise, **more
    )


def events(*parts: VideoSeries, limits: ColorLossLimits | None = None) -> list[Event]:
    (evidence,) = weighed(COLOR_LOSS, parts, limits)
    state, told = track(TrackerState("s"), evidence, COLOR_LOSS.timing)
    told += finish(state, float(parts[-1].end_s[-1]))[1]
    return [event for event in told if event.state == "closed"]


@pytest.mark.parametrize("frame_rate", [12.5, 24.0, 25.0, 50.0, 60.0])
@pytest.mark.parametrize("left", [0.0, 0.2, 0.3])
def test_colour_that_goes_out_of_a_shot_is_told(frame_rate: float, left: float) -> None:
    more: dict[str, Any] = {"frame_rate": frame_rate, "duration_s": 4.0}
    (event,) = events(scene(**more), scene(color=left, start_s=4.0, **more), scene(start_s=8.0, **more))
    assert (event.start_s, event.end_s) == pytest.approx((4.0, 8.0))
    assert event.value == pytest.approx(left, abs=0.01)
    assert event.details == {"what": "colour"}
    assert event.message == f"colour lost for 4.0 s: {left:.0%} of it left"


@pytest.mark.parametrize(("factor", "name"), [((0.0, 1.0), "Cb"), ((1.0, 0.0), "Cr")])
@pytest.mark.parametrize("offset", [0.0, 0.1, -0.4])
def test_one_colour_signal_that_is_lost_is_told(factor: tuple[float, float], name: str, offset: float) -> None:
    """It may be grey, or stuck at any other value: a cast."""
    lost = scene(color=np.array(factor), start_s=3.0)
    chroma = lost.chroma + np.array([offset * (part == 0.0) for part in factor], np.float32)[:, None, None]
    (event,) = events(scene(), dataclasses.replace(lost, chroma=chroma), scene(start_s=6.0))
    assert event.details == {"what": name}
    assert (event.start_s, event.end_s) == pytest.approx((3.0, 6.0))


def test_it_goes_on_over_cuts_and_black_and_ends_with_colour() -> None:
    parts = [
        scene(),
        scene(color=0.0, start_s=3.0),
        scene(2, color=0.0, start_s=6.0),
        scene(2, color=0.0, light=0.0, start_s=9.0),
        scene(3, color=0.0, start_s=12.0),
        scene(4, color=0.2, start_s=15.0),
    ]
    (event,) = events(*parts)
    assert (event.start_s, event.end_s) == pytest.approx((3.0, 15.0))


def test_black_and_white_films_and_inserts_are_not() -> None:
    assert events(scene(color=0.0), scene(2, color=0.0, start_s=3.0)) == []
    assert events(scene(), scene(2, color=0.0, start_s=3.0), scene(start_s=6.0)) == []
    assert events(scene(color=0.05), scene(color=0.0, start_s=3.0)) == []


def test_cards_under_a_ticker_are_not() -> None:
    """What goes on over the cut is the ticker alone."""

    def with_ticker(series: VideoSeries) -> VideoSeries:
        luma, chroma = series.luma.copy(), series.chroma.copy()
        luma[:, -5:], chroma[:, :, -5:] = np.where(np.arange(TILES[1]) % 2, 0.05, 0.95), 0.0
        return dataclasses.replace(series, luma=luma, chroma=chroma)

    shot = scene(light=0.85)
    flat = dataclasses.replace(shot, luma=0.45 + 0.5 * shot.luma)
    card = scene(color=0.0, start_s=3.0)
    white = dataclasses.replace(card, luma=0.7 + 0.02 * card.luma)
    assert events(with_ticker(flat), with_ticker(white)) == []
    (event,) = events(with_ticker(flat), with_ticker(dataclasses.replace(card, luma=0.45 + 0.5 * shot.luma)))
    assert event.start_s == pytest.approx(3.0)


def test_fades_are_not() -> None:
    ramp = np.concatenate([np.linspace(1, 0, 25), np.zeros(50)])
    assert events(scene(), scene(color=ramp, start_s=3.0), scene(color=0.0, start_s=6.0)) == []
    quick = np.concatenate([np.linspace(1, 0, 6), np.zeros(69)])
    for light in (ramp, quick):
        assert events(scene(), scene(light=light, start_s=3.0), scene(2, start_s=6.0)) == []


def test_coloured_light_that_goes_out_is_not() -> None:
    """A title on dark red: the red goes, and its light with it."""
    lit = scene()
    luma, chroma = np.full(lit.luma.shape, 0.04, np.float32), np.zeros_like(lit.chroma)
    luma[:, 10:13, 8:20], chroma[:, 1] = 0.9, 0.1
    chroma[:, :, 10:13, 8:20] = 0.0
    red = dataclasses.replace(lit, luma=luma, chroma=chroma)
    dark = np.where(luma > 0.5, luma, 0.0)
    out = dataclasses.replace(scene(start_s=3.0), luma=dark, chroma=np.zeros_like(chroma))
    assert events(red, out) == []


def test_tint_that_goes_while_strong_colours_stay_is_not() -> None:
    title = scene()
    chroma = np.full(title.chroma.shape, 0.02, np.float32)
    chroma[:, :, 10:12, 8:30] = 0.25
    faded = np.where(chroma > 0.1, chroma, 0.0)
    parts = dataclasses.replace(title, chroma=chroma), dataclasses.replace(scene(start_s=3.0), chroma=faded)
    assert events(*parts) == []


def test_encoded_loss_is_told(tmp_path: Path) -> None:
    size = (320, 180)
    moving = moving_picture(*size)
    grey = np.full((size[1], size[0]), 128, np.uint8)

    def picture(index: int) -> Any:
        luma, cb, cr = moving(index)
        return (luma, grey, grey) if 50 <= index < 125 else (luma, cb, cr)

    clip = make_clip(tmp_path / "loss.mp4", seconds=7, size=size, audio=None, picture=picture)
    (event,) = (one for one in gpu_qa.analyze(str(clip), CPU).events if one.kind == "video.color_loss")
    assert (event.start_s, event.end_s) == pytest.approx((2.0, 5.0), abs=0.05)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 225), max_size=10))
def test_any_cut_gives_the_same_evidence(at: list[int]) -> None:
    series = joined(scene(), scene(color=0.1, start_s=3.0), scene(2, start_s=6.0))
    assert_same_evidence(weighed(COLOR_LOSS, [series]), weighed(COLOR_LOSS, cut(series, at)))


def test_limits_are_honoured() -> None:
    parts = scene(), scene(color=0.3, start_s=3.0)
    assert len(events(*parts)) == 1
    assert events(*parts, limits=ColorLossLimits(raise_left=0.2)) == []
    assert events(*parts, limits=ColorLossLimits(least_color=0.3)) == []
    assert events(*parts, limits=ColorLossLimits(spread=0.5)) == []
