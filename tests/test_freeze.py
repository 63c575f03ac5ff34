from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.freeze import FREEZE, FreezeLimits
from tests.frozen_pictures import RATE, dissolved, events_of, frozen, moving_luma, series_of, with_overlay, with_spot
from tests.series_builder import TILES, assert_same_evidence, cut, video_series, weighed


def test_a_picture_that_stops_is_a_freeze_from_its_last_new_frame_to_the_next() -> None:
    (event,) = events_of(series_of(frozen()))
    assert (event.start_s, event.end_s) == (100 / RATE, 175 / RATE)
    assert event.details["frozen_area"] == 1.0
    assert event.details["onset"] == "motion"
    assert event.details["verdict"] == "dead"
    assert event.confidence == pytest.approx(0.95)
    assert event.severity == "warn"


def test_a_moving_picture_is_none() -> None:
    assert events_of(series_of(moving_luma(500))) == []


@pytest.mark.parametrize("noise", [0.0005, 0.001, 0.002, 0.0035])
def test_noise_over_a_still_picture_does_not_hide_the_freeze(noise: float) -> None:
    (event,) = events_of(series_of(frozen(), noise=noise))
    assert event.start_s == pytest.approx(4.0, abs=0.1)
    assert event.end_s == pytest.approx(7.0, abs=0.1)


def test_an_encoders_pulse_at_key_frames_does_not_split_the_freeze() -> None:
    luma = frozen()
    for pulse in range(110, 175, 25):
        luma[pulse:175] += np.random.default_rng(pulse).normal(0, 0.003, TILES).astype(np.float32)
    (event,) = events_of(series_of(luma))
    assert (event.start_s, event.end_s) == (4.0, 7.0)


@pytest.mark.parametrize("is_key", [True, False])
def test_a_key_frame_that_codes_a_frozen_picture_anew_does_not_split_the_freeze(is_key: bool) -> None:
    luma = frozen(300, 100, 250)
    for at in (150, 200):
        luma[at:250] += np.random.default_rng(at).choice([-0.024, 0.024], TILES).astype(np.float32)
    series = series_of(luma)
    series.is_key[[150, 200]] = is_key
    found = [(event.start_s, event.end_s, event.details["onset"]) for event in events_of(series)]
    assert (found == [(4.0, 10.0, "motion")]) == is_key
    assert_same_evidence(weighed(FREEZE, cut(series, [120, 150, 163, 201])), weighed(FREEZE, [series]))


def test_a_slow_fade_is_motion() -> None:
    luma = np.repeat(moving_luma(1), 250, axis=0) + np.linspace(0, 0.5, 250, dtype=np.float32)[:, None, None]
    assert events_of(series_of(luma)) == []


def test_small_motion_that_adds_up_to_nothing_is_still_motion() -> None:
    """Leaves in the wind: no tile's mean goes far, but no step is still."""
    wobble = np.sin(np.arange(250) * 1.3).astype(np.float32)[:, None, None] * 0.006
    assert events_of(series_of(np.repeat(moving_luma(1), 250, axis=0) + wobble)) == []


def test_one_moving_tile_in_the_middle_is_motion() -> None:
    luma = frozen()
    luma[100:175, 12, 20] += np.tile([0.0, 0.05], 38)[:75].astype(np.float32)
    assert events_of(series_of(luma)) == []


@pytest.mark.parametrize(
    ("rows", "columns", "period"),
    [(slice(21, 24), slice(0, 42), 1), (slice(0, 2), slice(0, 42), 1), (slice(1, 3), slice(36, 41), 25)],
    ids=["ticker below", "ticker above", "clock"],
)
def test_a_freeze_under_a_running_overlay_is_partial(rows: slice, columns: slice, period: int) -> None:
    (event,) = events_of(series_of(with_overlay(frozen(), rows, columns, period)))
    assert event.start_s == pytest.approx(4.0, abs=0.1)
    assert event.end_s == pytest.approx(7.0, abs=0.1)
    assert 0.7 < event.details["frozen_area"] < 1.0


def test_a_long_freeze_under_a_ticker_is_one_event() -> None:
    series = series_of(with_overlay(frozen(400, 100, 350), slice(21, 24), slice(0, 42)))
    pieces = cut(series, range(0, 400, 12))
    assert_same_evidence(weighed(FREEZE, pieces), weighed(FREEZE, [series]))
    (event,) = events_of(series)
    assert (event.start_s, event.end_s) == (4.0, 14.0)


def test_what_settles_after_the_picture_stopped_ends_no_freeze_under_a_ticker() -> None:
    """Not when the seconds before it began are no longer remembered, either."""
    luma = with_overlay(frozen(), slice(21, 24), slice(0, 42))
    luma[102:175, 18, 17] += 0.03
    (event,) = events_of(series_of(luma))
    assert (event.start_s, event.end_s) == pytest.approx((3.96, 7.0), abs=0.09)
    luma = with_overlay(frozen(500, 100, 400), slice(21, 24), slice(0, 42))
    luma[102:400, 18, 17] += 0.03
    (event,) = events_of(series_of(luma))
    assert (event.start_s, event.end_s) == pytest.approx((3.96, 16.0), abs=0.09)


def test_partial_freezes_can_be_left_to_others() -> None:
    luma = with_overlay(frozen(), slice(21, 24), slice(0, 42))
    assert events_of(series_of(luma), FreezeLimits(partial=False)) == []


def test_a_still_studio_behind_a_ticker_is_no_freeze() -> None:
    luma = with_overlay(np.repeat(moving_luma(1), 250, axis=0), slice(21, 24), slice(0, 42))
    assert events_of(series_of(luma)) == []


def test_a_cut_to_a_locked_camera_with_a_ticker_is_no_freeze() -> None:
    luma = frozen()
    luma[100:175] += 0.3
    assert events_of(series_of(with_overlay(luma, slice(21, 24), slice(0, 42)))) == []


def test_a_cut_to_a_still_is_told_as_a_still() -> None:
    luma = frozen()
    luma[100:175] += 0.3
    (event,) = events_of(series_of(luma))
    assert event.details == {"frozen_area": 1.0, "onset": "cut", "verdict": "still"}
    assert event.severity == "info"
    assert event.confidence < 0.7


@pytest.mark.parametrize("duration", [10, 15, 25])
def test_a_picture_that_comes_by_a_dissolve_is_told_as_a_still(duration: int) -> None:
    (event,) = events_of(series_of(dissolved(250, 100, duration)))
    assert event.start_s == pytest.approx(4.0, abs=0.09)
    assert (event.details["onset"], event.details["verdict"], event.severity) == ("fade", "still", "info")
    from_black = dissolved(250, 100, duration)
    from_black[: 100 - duration] = 0.0
    from_black[100 - duration : 100] = np.linspace(0, 1, duration, dtype=np.float32)[:, None, None] * from_black[100]
    event = events_of(series_of(from_black))[-1]
    assert (event.details["onset"], event.severity) == ("fade", "info")


def test_a_still_that_came_by_a_dissolve_is_worth_a_warning_after_a_minute() -> None:
    (event,) = events_of(series_of(dissolved(65 * 25)))
    assert (event.details["onset"], event.severity) == ("fade", "warn")


def test_a_dissolve_to_a_still_under_an_overlay_is_no_freeze() -> None:
    assert events_of(series_of(with_overlay(dissolved(250), slice(21, 24), slice(0, 42)))) == []
    assert events_of(series_of(with_spot(dissolved(400), slice(0, 400)))) == []


def test_a_slow_pan_that_stops_is_no_fade() -> None:
    """Over the whole picture something changes steadily, but not into what is left in the end."""
    at = 0.02 * np.minimum(np.arange(250), 120)[:, None, None]
    rows, columns = np.mgrid[: TILES[0], : TILES[1]]
    luma = 0.5 + 0.2 * np.sin(0.4 * columns + 6 * at) + 0.1 * np.sin(1.1 * rows + 0.9 * columns + 13 * at)
    (event,) = events_of(series_of(luma.astype(np.float32)))
    assert (event.details["onset"], event.severity) == ("motion", "major")


@pytest.mark.parametrize("tiles", [6, 30])
def test_noise_that_an_encoder_codes_here_and_there_is_no_motion(tiles: int) -> None:
    series = series_of(frozen(300, 100, 250))
    rng = np.random.default_rng(5)
    for step in range(101, 250):
        series.coarse_change[step].flat[rng.choice(1008, tiles, replace=False)] = 0.004
    (event,) = events_of(series)
    assert (event.start_s, event.end_s) == (4.0, 10.0)


def test_a_small_thing_that_moves_is_no_noise() -> None:
    series = series_of(frozen(300, 100, 250))
    series.coarse_change[101:250, 11, 20:23] = 0.007
    assert events_of(series) == []


@pytest.mark.parametrize("goes_on", [False, True], ids=["stops", "goes on"])
def test_a_still_over_which_a_pointer_moved_is_told_as_a_still(goes_on: bool) -> None:
    luma = np.repeat(moving_luma(1), 250, axis=0)
    luma[:, 22, 36:42] += np.random.default_rng(4).normal(0, 0.1, (250, 6)).astype(np.float32)
    luma[:, 6, 6] += np.where(np.arange(250) < 100, np.arange(250) % 7 * 0.1, 0).astype(np.float32)
    luma[100:130] = luma[100]
    if not goes_on:
        luma[130:] = luma[100]
    for event in events_of(series_of(luma)):
        assert (event.details["onset"], event.details["verdict"], event.severity) == ("rest", "still", "info")
    assert goes_on or events_of(series_of(luma))


def test_the_value_of_a_freeze_under_a_ticker_is_that_of_what_is_frozen() -> None:
    (event,) = events_of(series_of(with_overlay(frozen(), slice(21, 24), slice(0, 42))))
    assert event.value is not None
    assert event.value < 1e-6


def test_a_still_from_the_start_is_worth_a_warning_after_a_minute() -> None:
    luma = np.repeat(moving_luma(1), 70 * 25, axis=0)
    (event,) = events_of(series_of(luma))
    assert (event.start_s, event.end_s, event.severity) == (0.0, 70.0, "warn")
    assert event.details["onset"] == "start"
    (event,) = events_of(series_of(luma[: 50 * 25]))
    assert event.severity == "info"


def test_consecutive_stills_are_one_event_each() -> None:
    slides = np.repeat(np.stack([moving_luma(1, seed)[0] + 0.1 * seed for seed in range(3)]), 75, axis=0)
    assert [event.start_s for event in events_of(series_of(slides))] == [0.0, 3.0, 6.0]


def test_black_and_one_colour_are_not_frozen() -> None:
    assert events_of(video_series(100, luma=0.0, luma_std=0.0, change=0.0)) == []
    assert events_of(video_series(100, luma=0.3, luma_std=0.001, change=0.0)) == []


@pytest.mark.parametrize("onset", ["cut", "rest"])
def test_a_card_with_a_line_of_writing_is_told_as_a_still(onset: str) -> None:
    """`no signal` on one colour; a line that moved there until now is no programme either."""
    luma, deviation = moving_luma(250), np.full((250, *TILES), 0.1)
    luma[100 if onset == "cut" else 0 :] = 0.1
    deviation[100 if onset == "cut" else 0 :] = 0.001
    luma[:, 11:13, 14:28] = moving_luma(250)[:, 11:13, 14:28]
    luma[100:, 11:13, 14:28] = luma[100, 11:13, 14:28]
    deviation[:, 11:13, 14:28] = 0.2
    (event,) = events_of(series_of(luma, luma_std=deviation))
    assert (event.start_s, event.end_s) == (4.0, 10.0)
    assert (event.details["onset"], event.details["verdict"], event.severity) == (onset, "still", "info")


def test_one_colour_under_a_logo_is_not_frozen() -> None:
    deviation = np.full((100, *TILES), 0.001)
    deviation[:, 1:4, 35:41] = 0.2
    assert events_of(video_series(100, luma=0.3, luma_std=deviation, change=0.0)) == []


def test_one_colour_under_a_ticker_is_not_frozen() -> None:
    luma = moving_luma(250)
    luma[100:200] = 0.3
    luma = with_overlay(luma, slice(21, 24), slice(0, 42))
    deviation = np.full((250, *TILES), 0.1)
    deviation[100:200, :21] = 0.001
    assert events_of(series_of(luma, luma_std=deviation)) == []


def test_a_new_format_begins_anew() -> None:
    series = series_of(np.repeat(moving_luma(1), 100, axis=0))
    series.comparable[50] = False
    evidence = weighed(FREEZE, [series])[0]
    assert evidence.verdict[49] == 1
    assert evidence.verdict[50] == -1
    assert evidence.start_s[99] == 2.0


@settings(max_examples=15, deadline=None)
@given(at=st.lists(st.integers(0, 250), max_size=12))
def test_any_cut_of_the_stream_gives_the_same_evidence(at: list[int]) -> None:
    series = series_of(with_overlay(frozen(stop=230), slice(21, 24), slice(0, 42)), noise=0.001)
    assert_same_evidence(weighed(FREEZE, cut(series, at)), weighed(FREEZE, [series]))
