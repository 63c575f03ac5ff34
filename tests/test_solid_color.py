"""Solid colour: told for what decoders and receivers show instead of a picture, not for skies, slides or bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.solid_color import SOLID_COLOR, SolidColorLimits, color_name, srgb_hex
from gpu_qa.events import TrackerState, finish, track
from tests.series_builder import TILES, assert_same_evidence, cut, joined, video_series, weighed

if TYPE_CHECKING:
    from gpu_qa.series import Event, VideoSeries

ROWS, COLUMNS = TILES
GREEN: dict[str, Any] = {"luma": 0.274, "luma_std": 0.001, "chroma": (-0.304, -0.304)}


def verdicts(series: VideoSeries, limits: SolidColorLimits | None = None) -> set[int]:
    (evidence,) = weighed(SOLID_COLOR, [series], limits)
    return set(evidence.verdict.tolist())


def events(series: VideoSeries) -> list[Event]:
    (evidence,) = weighed(SOLID_COLOR, [series])
    state, told = track(TrackerState("s"), evidence, SOLID_COLOR.timing)
    return told + finish(state, float(series.end_s[-1]))[1]


def patched(value: float, rows: slice, columns: slice, patch: float) -> np.ndarray:
    grid = np.full(TILES, value, np.float32)
    grid[rows, columns] = patch
    return grid


def test_green_of_a_decoder_is_told_with_its_exact_ends() -> None:
    series = joined(
        video_series(50),
        video_series(75, start_s=2.0, first=False, **GREEN),
        video_series(50, start_s=5.0, first=False),
    )
    opened, closed = events(series)
    assert (opened.start_s, closed.start_s, closed.end_s) == (2.0, 2.0, 5.0)
    assert closed.details == {"color": "green", "srgb": "#007900", "has_logo": False, "overlay_area": 0.0}
    assert closed.message == "picture all green (#007900) for 3.0 s"


@pytest.mark.parametrize(
    ("color", "word", "srgb"),
    [
        ((0.502, 0.0, 0.0), "grey", "#808080"),
        ((1.0, 0.0, 0.0), "white", "#ffffff"),
        ((0.2126, -0.1146, 0.5), "red", "#ff0000"),
        ((0.7152, -0.3854, -0.4542), "green", "#00ff00"),
        ((0.0722, 0.5, -0.0458), "blue", "#0000ff"),
        ((0.9278, -0.5, 0.0458), "yellow", "#ffff00"),
        ((0.2848, 0.3854, 0.4542), "magenta", "#ff00ff"),
        ((0.7874, 0.1146, -0.5), "cyan", "#00ffff"),
    ],
)
def test_colours_have_names(color: tuple[float, float, float], word: str, srgb: str) -> None:
    luma, cb, cr = color
    (evidence,) = weighed(SOLID_COLOR, [video_series(5, luma=luma, luma_std=0.0, chroma=(cb, cr))])
    assert set(evidence.verdict.tolist()) == {1}
    assert evidence.details["color"][0] == word
    assert evidence.details["srgb"][0] == srgb


@pytest.mark.parametrize(
    ("srgb", "word"),
    [
        ("#ff8000", "orange"),
        ("#300000", "dark red"),
        ("#101010", "black"),
        ("#404040", "dark grey"),
        ("#c8c8c8", "light grey"),
    ],
)
def test_shades_have_names(srgb: str, word: str) -> None:
    assert color_name(srgb) == word


def test_colour_beyond_srgb_is_clipped() -> None:
    assert srgb_hex(1.1, 0.0, 0.4) == "#ffe9ff"


def test_black_is_left_to_the_detector_of_black() -> None:
    assert verdicts(video_series(luma=0.0, luma_std=0.0, chroma=(0, 0))) == {-1}
    assert verdicts(video_series(luma=0.09, luma_std=0.0, chroma=(0.02, 0))) == {-1}


def test_noise_does_not_hide_a_colour() -> None:
    rng = np.random.default_rng(1)
    luma = 0.5 + rng.normal(0, 0.002, (25, *TILES))
    assert verdicts(video_series(25, luma=luma, luma_std=0.02, chroma=(0.1, 0.1))) == {1}


@pytest.mark.parametrize(
    ("rows", "columns"), [(slice(1, 4), slice(1, 6)), (slice(21, 24), slice(0, COLUMNS))], ids=["logo", "ticker"]
)
def test_overlay_does_not_hide_a_colour(rows: slice, columns: slice) -> None:
    luma, std = patched(0.274, rows, columns, 0.7), patched(0.0, rows, columns, 0.2)
    (evidence,) = weighed(SOLID_COLOR, [video_series(luma=luma, luma_std=std, chroma=GREEN["chroma"])])
    assert set(evidence.verdict.tolist()) == {1}
    assert evidence.details["has_logo"].all()
    assert set(evidence.details["color"]) == {"green"}


def test_slide_with_a_line_of_text_is_content() -> None:
    line = patched(0.0, slice(11, 13), slice(10, 32), 0.3)
    assert verdicts(video_series(luma=0.95, luma_std=line, chroma=(0, 0))) == {-1}


@pytest.mark.parametrize("axis", [0, 1])
def test_gradient_is_no_solid_colour(axis: int) -> None:
    ramp = np.linspace(0.4, 0.55, TILES[axis])
    luma = np.broadcast_to(ramp[:, None] if axis == 0 else ramp[None], TILES)
    assert verdicts(video_series(luma=luma, luma_std=0.003, chroma=(0.1, -0.1))) == {-1}


def test_colour_bars_are_no_solid_colour() -> None:
    """Bars of one luma, so that only their colours tell them apart."""
    angle = np.repeat(np.arange(7), 6) * 2 * np.pi / 7
    chroma = 0.3 * np.stack([np.cos(angle), np.sin(angle)])[None, :, None]
    assert verdicts(video_series(luma=0.5, luma_std=0.0, chroma=chroma)) == {-1}


def test_picture_is_no_solid_colour() -> None:
    rng = np.random.default_rng(2)
    assert verdicts(video_series(luma=rng.uniform(0, 1, TILES))) == {-1}
    assert verdicts(video_series(luma=0.5, luma_std=0.1)) == {-1}


def test_between_the_limits_nothing_is_decided() -> None:
    luma = np.where(np.arange(ROWS)[:, None] < 8, 0.5, 0.525) * np.ones(TILES)
    assert verdicts(video_series(luma=luma, luma_std=0.0, chroma=(0, 0))) == {0}


def test_nothing_in_nothing_out() -> None:
    assert SOLID_COLOR.weigh(video_series(0), SOLID_COLOR.limits, None) == ([], None)


@given(st.lists(st.sampled_from(["picture", "green", "white", "black"]), max_size=6), st.lists(st.integers(0, 30)))
@settings(max_examples=30, deadline=None)
def test_any_cut_gives_the_same_evidence(scenes: list[str], at: list[int]) -> None:
    looks: dict[str, dict[str, Any]] = {
        "picture": {"luma": np.linspace(0, 1, COLUMNS)[None]},
        "green": GREEN,
        "white": {"luma": 1.0, "luma_std": 0.0, "chroma": (0, 0)},
        "black": {"luma": 0.0, "luma_std": 0.0, "chroma": (0, 0)},
    }
    parts = [video_series(5, start_s=0.04 + 0.2 * index, **looks[scene]) for index, scene in enumerate(scenes)]
    whole = joined(video_series(1), *parts)
    pieces = cut(whole, [min(index, len(whole)) for index in at])
    assert_same_evidence(weighed(SOLID_COLOR, pieces), weighed(SOLID_COLOR, [whole]))
