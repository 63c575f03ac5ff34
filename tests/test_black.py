"""Black: told for a lost picture, with a logo or a ticker too, and not for the night."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.black import BLACK, BlackLimits
from gpu_qa.events import TrackerState, finish, track
from tests.series_builder import TILES, assert_same_evidence, cut, joined, video_series, weighed

if TYPE_CHECKING:
    from gpu_qa.series import Event, VideoSeries

ROWS, COLUMNS = TILES


def tiles(value: float, **patches: Any) -> np.ndarray:
    """A grid of one value with patches `name=(rows, columns, value)`."""
    grid = np.full(TILES, value, np.float32)
    for rows, columns, patch in patches.values():
        grid[rows, columns] = patch
    return grid


def black_series(frames: int = 50, *, logo: Any = None, level: float = 0.0, noise: float = 0.003) -> VideoSeries:
    luma, std = tiles(level), tiles(noise)
    if logo is not None:
        luma, std = tiles(level, logo=(*logo, 0.6)), tiles(noise, logo=(*logo, 0.3))
    return video_series(frames, luma=luma, luma_std=std, chroma=(0.0, 0.0))


def verdicts(series: VideoSeries, limits: BlackLimits | None = None) -> set[int]:
    (evidence,) = weighed(BLACK, [series], limits)
    return set(evidence.verdict.tolist())


def events(series: VideoSeries) -> list[Event]:
    (evidence,) = weighed(BLACK, [series])
    state, told = track(TrackerState("s"), evidence, BLACK.timing)
    return told + finish(state, float(series.end_s[-1]))[1]


CORNER_LOGO = (slice(1, 4), slice(36, 41))
TICKER = (slice(21, 24), slice(0, COLUMNS))


def test_black_is_told_while_it_lasts_and_with_its_exact_ends() -> None:
    picture = video_series(75, luma=0.4)
    series = joined(
        picture,
        video_series(100, start_s=3.0, luma=0.0, luma_std=0.002, chroma=(0, 0), first=False),
        video_series(50, start_s=7.0, first=False),
    )
    opened, rose_or_closed, *_ = told = events(series)
    assert (opened.state, opened.start_s, opened.severity) == ("open", 3.0, "warn")
    assert [(event.start_s, event.end_s) for event in told if event.state == "closed"] == [(3.0, 7.0)]
    assert rose_or_closed.details == {"dark_area": 1.0, "has_logo": False, "overlay_area": 0.0}
    assert opened.message == "black picture for 2.0 s, 100.0% of it dark"


def test_picture_is_not_black() -> None:
    assert verdicts(video_series()) == {-1}


@pytest.mark.parametrize(
    ("level", "noise"), [(-0.07, 0.0), (0.0, 0.0), (0.0, 0.02), (0.03, 0.02), (0.06, 0.01)], ids=str
)
def test_lifted_sunken_and_noisy_black_is_black(level: float, noise: float) -> None:
    """−0.07: full-range black in a stream that says limited; 0.06: the other way round."""
    assert verdicts(black_series(level=level, noise=noise)) == {1}


def test_black_in_full_range_and_with_other_grids() -> None:
    full = video_series(10, luma=0.0, luma_std=0.0, chroma=(0, 0), black_code=0.0, white_code=255.0)
    assert verdicts(full) == {1}
    assert verdicts(video_series(10, luma=0.0, luma_std=0.0, chroma=(0, 0), tiles=(9, 16))) == {1}
    assert verdicts(video_series(10, luma=0.0, luma_std=0.0, chroma=(0, 0), tiles=(2, 2))) == {1}


@pytest.mark.parametrize(
    "overlay", [CORNER_LOGO, TICKER, (slice(20, 23), slice(2, 40))], ids=["logo", "ticker", "crawl"]
)
def test_overlay_does_not_hide_black(overlay: Any) -> None:
    (evidence,) = weighed(BLACK, [black_series(logo=overlay)])
    assert set(evidence.verdict.tolist()) == {1}
    assert evidence.details["has_logo"].all()
    assert evidence.confidence is not None
    assert (evidence.confidence < 1).all()
    assert (evidence.confidence >= 0.5).all()
    assert (evidence.value >= 0.98).all()


def test_overlay_may_be_forbidden() -> None:
    assert verdicts(black_series(logo=CORNER_LOGO), BlackLimits(overlay_area=0.0)) == {-1}


@pytest.mark.parametrize(
    "card",
    [(slice(11, 13), slice(14, 28)), (slice(8, 9), slice(10, 32)), (slice(6, 18), slice(12, 30))],
    ids=["line", "small line", "picture"],
)
def test_what_shows_in_the_middle_is_content(card: Any) -> None:
    assert verdicts(black_series(logo=card)) == {-1}


def test_a_few_bright_tiles_in_the_middle_are_no_content() -> None:
    assert verdicts(black_series(logo=(slice(12, 13), slice(20, 24)))) == {1}


def test_half_a_picture_is_not_black() -> None:
    assert verdicts(black_series(logo=(slice(16, 24), slice(0, COLUMNS)))) == {-1}


def test_night_scene_is_not_black() -> None:
    """All of it below 10 % of the range, which FFmpeg calls black; but it has shapes."""
    shapes = 0.045 + 0.04 * np.sin(np.arange(ROWS)[:, None] / 3) * np.cos(np.arange(COLUMNS)[None] / 4)
    night = video_series(luma=shapes, luma_std=0.008, chroma=(0, 0))
    assert float(weighed(BLACK, [night])[0].details["dark_area"].min()) > 0.98
    assert verdicts(night) == {-1}


def test_dark_colour_is_not_black() -> None:
    """Pure blue has a luma of 0.07 (BT.709): an idle receiver's screen."""
    assert verdicts(video_series(luma=0.07, luma_std=0.0, chroma=(0.5, -0.05))) == {-1}


def test_between_the_limits_nothing_is_decided() -> None:
    spread = np.where(np.arange(ROWS)[:, None] < ROWS // 2, 0.0, 0.06) * np.ones(TILES)
    assert verdicts(video_series(luma=spread, luma_std=0.0, chroma=(0, 0))) == {0}


def test_strobe_is_not_black() -> None:
    white = np.where(np.arange(250) // 2 % 2, 1.0, 0.0)[:, None, None]
    assert events(video_series(250, luma=white, luma_std=0.0, chroma=(0, 0))) == []


def test_glitch_does_not_end_a_black_picture() -> None:
    luma = np.where(np.arange(150) == 80, 0.5, 0.0)[:, None, None]
    told = events(video_series(150, luma=luma, luma_std=0.0, chroma=(0, 0)))
    assert [(event.start_s, event.end_s) for event in told if event.state == "closed"] == [(0.0, 6.0)]


def test_nothing_in_nothing_out() -> None:
    assert BLACK.weigh(video_series(0), BLACK.limits, None) == ([], None)


@given(st.lists(st.sampled_from(["picture", "black", "logo", "night"]), max_size=6), st.lists(st.integers(0, 30)))
@settings(max_examples=30, deadline=None)
def test_any_cut_gives_the_same_evidence(scenes: list[str], at: list[int]) -> None:
    makers = {
        "picture": lambda at_s: video_series(5, start_s=at_s),
        "black": lambda at_s: video_series(5, start_s=at_s, luma=0.0, luma_std=0.0, chroma=(0, 0)),
        "logo": lambda at_s: video_series(
            5, start_s=at_s, luma=tiles(0.0, a=(*CORNER_LOGO, 0.6)), luma_std=0.01, chroma=(0, 0)
        ),
        "night": lambda at_s: video_series(
            5, start_s=at_s, luma=np.linspace(0, 0.09, COLUMNS)[None], luma_std=0.01, chroma=(0, 0)
        ),
    }
    whole = joined(video_series(1), *(makers[scene](0.04 + 0.2 * index) for index, scene in enumerate(scenes)))
    pieces = cut(whole, [min(index, len(whole)) for index in at])
    assert_same_evidence(weighed(BLACK, pieces), weighed(BLACK, [whole]))
