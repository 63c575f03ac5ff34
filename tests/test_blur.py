"""Blur: detail is suddenly gone while the picture goes on; a soft programme is none."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.blur import BLUR
from gpu_qa.events import TrackerState, finish, track
from tests.programme import Fault, Form, Programme, told
from tests.series_builder import TILES, assert_same_evidence, cut, joined, video_series, weighed

if TYPE_CHECKING:
    from gpu_qa.series import Event, VideoSeries

FORM = Form(640, 360, Fraction(25))


def test_a_blurred_stretch_is_told_where_it_is() -> None:
    programme = Programme(FORM, [Fault("blur", "video.blur", 4.0, 8.0)], 11.0)
    (event,) = told(programme.frames(), ["blur"])
    assert (event.kind, event.start_s, event.end_s) == (  # type: ignore[comparison-overlap]
        "video.blur",
        pytest.approx(4.0, abs=0.2),
        pytest.approx(8.0, abs=0.2),
    )


def test_a_sharp_programme_is_none() -> None:
    assert not told(Programme(FORM, [], 8.0).frames(), ["blur"])


def test_a_programme_that_is_soft_from_its_start_is_none() -> None:
    assert not told(Programme(FORM, [Fault("blur", "video.blur", 0.0, 8.0)], 8.0).frames(), ["blur"])


@pytest.mark.parametrize("name", ["black", "green", "freeze", "stutter", "grey"])
def test_other_faults_are_none(name: str) -> None:
    programme = Programme(FORM, [Fault(name, "", 4.0, 7.0)], 10.0)
    kinds = {event.kind for event in told(programme.frames(), ["blur", "black", "solid_color", "freeze"])}
    assert "video.blur" not in kinds


def picture(sharpness: Any, frames: int = 50, *, seed: int = 1, drift: float = 0.0, **more: Any) -> VideoSeries:
    """A textured picture whose tiles' gradient is `sharpness` (a number or [T]) of their deviation.

    `drift` is what the tiles' mean luma changes per picture.
    """
    rng = np.random.default_rng(seed)
    luma = rng.uniform(0.2, 0.8, TILES) + drift * np.arange(frames)[:, None, None] * rng.uniform(-1, 1, TILES)
    std = rng.uniform(0.03, 0.15, TILES)
    share = np.broadcast_to(np.asarray(sharpness, np.float32), (frames,))[:, None, None, None]
    return video_series(frames, luma=luma, luma_std=std, gradient=share * std, **more)


def events(series: VideoSeries) -> list[Event]:
    (evidence,) = weighed(BLUR, [series])
    state, told_ = track(TrackerState("s"), evidence, BLUR.timing)
    return told_ + finish(state, float(series.end_s[-1]))[1]


def steps(*levels: tuple[float, int]) -> np.ndarray:
    """Levels, each for so many pictures."""
    return np.concatenate([np.full(count, level) for level, count in levels])


@pytest.mark.parametrize("frame_rate", [24.0, 25.0, 30.0, 50.0, 60.0])
@pytest.mark.parametrize(("before", "after"), [(0.4, 0.1), (0.4, 0.2), (0.15, 0.09)])
def test_loss_at_once_is_told_with_its_exact_ends(frame_rate: float, before: float, after: float) -> None:
    second = round(frame_rate)
    series = picture(
        steps((before, 3 * second), (after, 2 * second), (before, 2 * second)), 7 * second, frame_rate=frame_rate
    )
    opened, closed = events(series)
    assert opened.state == "open"
    assert opened.start_s == pytest.approx(3 * second / frame_rate)
    assert closed.end_s == pytest.approx(5 * second / frame_rate)
    assert closed.value == pytest.approx(after / before, abs=0.02)
    assert closed.details["softened_area"] == 1.0


def test_a_blur_ends_as_it_began_after_a_cut_to_something_softer() -> None:
    """Within the blur comes a shot that is, when it is sharp, as soft as the blurred one before."""
    before = picture(steps((0.4, 75), (0.15, 50)), 125)
    after = picture(steps((0.06, 50), (0.14, 75)), 125, seed=2, start_s=5.0, first=False)
    _, closed = events(joined(before, after))
    assert closed.start_s == pytest.approx(3.0)
    assert closed.end_s == pytest.approx(7.0)


def test_a_camera_that_loses_focus_is_none() -> None:
    """Detail goes within a second, and comes back within one."""
    focus = np.concatenate([np.full(75, 0.4), np.geomspace(0.4, 0.1, 25), np.full(50, 0.1), np.geomspace(0.1, 0.4, 25)])
    assert events(picture(focus, 175)) == []


def test_a_cut_to_a_soft_shot_is_none() -> None:
    sharp, soft = picture(0.4, 75), picture(0.1, 75, seed=2, start_s=3.0, first=False)
    assert events(joined(sharp, soft)) == []


def test_a_fade_is_none() -> None:
    """Contrast goes in three pictures, and detail with it."""
    series = picture(0.4, 150)
    share = steps((1.0, 75), (0.6, 1), (0.3, 1), (0.1, 73)).astype(np.float32)[:, None, None]
    mean = series.luma.mean()
    faded = dataclasses.replace(
        series,
        luma=mean + (series.luma - mean) * share,
        luma_std=series.luma_std * share,
        gradient=series.gradient * share[:, None],
    )
    assert events(faded) == []


def test_a_part_of_the_picture_is_none() -> None:
    """A caption with its texture goes."""
    series = picture(0.4, 150)
    series.gradient[75:, :, :12] *= 0.2
    assert events(series) == []


def test_combs_that_go_are_none() -> None:
    """Motion of an interlaced picture stops: it was steep down the columns only."""
    series = picture(0.4, 150)
    extra = 3.0 * series.gradient[:75, 1]
    series.gradient[:75, 1] += extra
    assert len(events(series)) == 2
    series.comb[:75] += extra
    assert events(series) == []


def test_a_key_frame_that_begins_soft_is_none() -> None:
    series = picture(steps((0.4, 75), (0.28, 75)), 150)
    series.is_key[:] = False
    assert len(events(series)) == 2
    series.is_key[75] = True
    assert events(series) == []


def test_a_moment_is_none() -> None:
    assert events(picture(steps((0.4, 75), (0.1, 12), (0.4, 75)), 162)) == []


def test_it_is_followed_through_a_cut() -> None:
    before = picture(steps((0.4, 75), (0.1, 50)), 125)
    after = picture(steps((0.1, 50), (0.4, 50)), 100, seed=2, start_s=5.0, first=False)
    (_, *_, closed) = events(joined(before, after))
    assert closed.start_s == pytest.approx(3.0)
    assert closed.end_s == pytest.approx(7.0)


def test_a_series_may_start_in_the_middle() -> None:
    (opened, closed) = events(picture(steps((0.4, 75), (0.1, 50), (0.4, 25)), 150, start_s=3600.0, first=False))
    assert opened.start_s == pytest.approx(3603.0)
    assert closed.end_s == pytest.approx(3605.0)


def heavy(series: VideoSeries, first: int, last: int, *, other: bool = False) -> VideoSeries:
    """A blur over several tiles, which leaves none of them any contrast; `other` blurs another picture."""
    luma, std, gradient = series.luma.copy(), series.luma_std.copy(), series.gradient.copy()
    shown = luma[first:last] if not other else picture(0.4, last - first, seed=2).luma
    padded = np.pad(shown, ((0, 0), (2, 2), (2, 2)), mode="edge")
    luma[first:last] = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(1, 2)).mean(axis=(3, 4))
    std[first:last] *= 0.05
    gradient[first:last] *= 0.05
    return dataclasses.replace(series, luma=luma, luma_std=std, gradient=gradient)


def test_a_blur_that_leaves_no_contrast_is_told() -> None:
    (opened, *_, closed) = events(heavy(picture(0.4, 200), 75, 150))
    assert opened.start_s == pytest.approx(3.0)
    assert closed.end_s == pytest.approx(6.0)
    assert closed.value == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize("contrast", [0.0, 0.3])
def test_a_blur_that_leaves_no_contrast_ends_with_its_shot(contrast: float) -> None:
    """Black follows, or a shot that is sharp and has little contrast."""
    after = picture(0.4, 500, seed=5, start_s=5.0, first=False)
    after = dataclasses.replace(
        after,
        luma=(0.02 + after.luma * contrast).astype(np.float32),
        luma_std=after.luma_std * np.float32(contrast),
        gradient=after.gradient * np.float32(contrast),
    )
    (_, *_, closed) = events(joined(heavy(picture(0.4, 125), 75, 125), after))
    assert closed.start_s == pytest.approx(3.0)
    assert closed.end_s == pytest.approx(5.0)
    assert closed.details["sharpness_before"] == pytest.approx(0.4, abs=0.1)


def test_a_cut_to_a_shot_without_contrast_is_none() -> None:
    assert events(heavy(picture(0.4, 200), 75, 150, other=True)) == []


def test_a_picture_without_texture_is_none() -> None:
    series = picture(steps((0.4, 75), (0.1, 75)), 150)
    flat = dataclasses.replace(series, luma_std=series.luma_std * 0.05, gradient=series.gradient * 0.05)
    assert events(flat) == []


def test_nothing_in_nothing_out() -> None:
    assert BLUR.weigh(video_series(0), BLUR.limits, None) == ([], None)


@given(
    st.lists(st.sampled_from(["sharp", "soft", "cut", "flat", "break"]), min_size=1, max_size=6),
    st.lists(st.integers(0, 120), max_size=12),
)
@settings(max_examples=40, deadline=None)
def test_any_cut_gives_the_same_evidence(scenes: list[str], at: list[int]) -> None:
    looks: dict[str, tuple[float, int]] = {
        "sharp": (0.4, 1),
        "soft": (0.1, 1),
        "cut": (0.4, 2),
        "flat": (0.0, 1),
        "break": (0.1, 1),
    }
    parts = [
        picture(looks[scene][0], 20, seed=looks[scene][1], start_s=0.8 * index, first=scene == "break")
        for index, scene in enumerate(["sharp", *scenes])
    ]
    whole = joined(*parts)
    whole = heavy(whole, len(whole) // 3, len(whole) // 2)
    pieces = cut(whole, [min(index, len(whole)) for index in at])
    assert_same_evidence(weighed(BLUR, pieces), weighed(BLUR, [whole]))
