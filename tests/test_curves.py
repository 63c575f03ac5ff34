from __future__ import annotations

import dataclasses
import gc
import itertools
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.sinks.curves import MAX_BINS, SILENCE_FLOOR_DB, Bins, CurveRecorder
from tests.series_builder import audio_series, cut, video_series


def curves_by_name(recorder: CurveRecorder) -> dict[str, Any]:
    return {curve.name: curve for curve in recorder.curves()}


def test_nothing_gives_no_curves() -> None:
    assert CurveRecorder().curves() == ()
    recorder = CurveRecorder()
    recorder.add_video(video_series(0))
    recorder.add_audio(audio_series(0.0))
    assert recorder.curves() == ()


def test_short_streams_keep_every_frame() -> None:
    change = np.linspace(0.0, 0.5, 50)
    recorder = CurveRecorder()
    recorder.add_video(video_series(50, change=change[:, None, None], luma=0.25, block_edge=0.03, gradient=0.02))
    curves = curves_by_name(recorder)
    # The first frame has none before it: no change is known.
    np.testing.assert_allclose(curves["change"].low, change[1:], rtol=1e-5)
    np.testing.assert_array_equal(curves["change"].low, curves["change"].high)
    np.testing.assert_allclose(curves["change"].pts_s, np.arange(1, 50) / 25, atol=1 / 64)
    assert (curves["change"].pts_s <= np.arange(1, 50) / 25).all()
    np.testing.assert_allclose(curves["luma"].high, 0.25)
    np.testing.assert_allclose(curves["block_edge"].high, 1.5, rtol=1e-5)
    assert curves["change"].low.dtype == np.float32
    assert {curve.unit for curve in curves.values()} == {"full_scale", "ratio"}


def test_a_ticker_shows_in_the_liveliest_tiles_of_a_frozen_picture() -> None:
    change = np.zeros((24, 42))
    change[-2:] = 0.1
    recorder = CurveRecorder()
    recorder.add_video(video_series(50, change=change))
    curves = curves_by_name(recorder)
    assert curves["change"].high.max() == pytest.approx(0.1 / 12)
    assert curves["change_lively"].low.min() == pytest.approx(0.1)


def test_flat_pictures_have_no_block_edges() -> None:
    recorder = CurveRecorder()
    recorder.add_video(video_series(10, gradient=0.0, block_edge=0.0))
    assert "block_edge" not in curves_by_name(recorder)


def test_sound_has_a_floor_and_its_loudness() -> None:
    recorder = CurveRecorder()
    levels = np.repeat([-20.0, -np.inf], 100)[:, None]
    recorder.add_audio(audio_series(2.0, rms_dbfs=levels, peak_dbfs=levels + 3, channels=("FC",), track=3))
    curves = curves_by_name(recorder)
    assert set(curves) == {"peak_dbfs:3", "momentary_lufs:3"}  # 2 s are too short for short-term loudness
    peak = curves["peak_dbfs:3"]
    assert peak.high[0] == pytest.approx(-17.0, abs=1e-4)
    assert peak.low[-1] == SILENCE_FLOOR_DB
    loudness = curves["momentary_lufs:3"]
    assert loudness.high[0] == pytest.approx(-20.69, abs=0.01)
    assert loudness.low[-1] == SILENCE_FLOOR_DB
    assert peak.label == "Peak"
    recorder.add_audio(audio_series(4.0, track=4))
    assert curves_by_name(recorder)["short_term_lufs:4"].high == pytest.approx(-20.68, abs=0.01)
    assert curves_by_name(recorder)["peak_dbfs:3"].label == "Peak, track 3"


def test_the_loudest_channel_counts() -> None:
    recorder = CurveRecorder()
    recorder.add_audio(audio_series(1.0, peak_dbfs=np.array([[-40.0, -6.0]])))
    assert curves_by_name(recorder)["peak_dbfs:1"].high.max() == pytest.approx(-6.0, abs=1e-4)


def plain_bins(time_s: np.ndarray, values: np.ndarray, max_bins: int) -> dict[float, tuple[float, float]]:
    """The definition: the finest width 2**n / 64 s at which all times lie in no more than `max_bins` bins."""
    width = 1 / 64
    while len({*range(int(time_s.min() // width), int(time_s.max() // width) + 1)}) > max_bins:
        width *= 2
    kept: dict[float, tuple[float, float]] = {}
    for time, value in zip(time_s.tolist(), values.tolist(), strict=True):
        start = time // width * width
        low, high = kept.get(start, (value, value))
        kept[start] = (min(low, value), max(high, value))
    return dict(sorted(kept.items()))


@given(
    st.lists(st.tuples(st.integers(-3000, 3000), st.integers(-99, 99)), min_size=1, max_size=60),
    st.lists(st.integers(0, 60), max_size=6),
    st.integers(2, 17),
)
@settings(max_examples=150, deadline=None)
def test_bins_are_what_their_definition_says_however_cut(
    points: list[tuple[int, int]], cuts: list[int], max_bins: int
) -> None:
    time_s = np.array([hundredths / 100 for hundredths, _ in points])
    values = np.array([float(value) for _, value in points])
    bins = Bins(1, max_bins)
    edges = [0, *sorted(cuts), len(points)]
    for first, last in itertools.pairwise(edges):
        bins.add(time_s[first:last], values[None, first:last])
    start_s, low, high = bins.measure(0)
    expected = plain_bins(time_s, values, max_bins)
    assert start_s.tolist() == list(expected)
    assert list(zip(low.tolist(), high.tolist(), strict=True)) == list(expected.values())


def test_one_bin_is_too_few() -> None:
    with pytest.raises(ValueError, match="2 or more"):
        Bins(1, 1)


def test_times_that_are_none_are_left_out() -> None:
    bins = Bins(2, 10)
    bins.add(np.array([np.nan, np.inf, -np.inf, 1e300, 0.5]), np.array([[1, 2, 3, 4, 5.0], [1, 2, 3, 4, np.nan]]))
    start_s, low, high = bins.measure(0)
    assert (start_s.tolist(), low.tolist(), high.tolist()) == ([0.5], [5.0], [5.0])
    assert len(bins.measure(1)[0]) == 0


@pytest.mark.parametrize("seed", range(4))
def test_any_cut_gives_the_same_curves(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.random((3, 200, 24, 42), np.float32)
    video = video_series(200, change=noise[0], luma=noise[1], gradient=noise[2][:, None], block_edge=0.1)
    audio = audio_series(8.0, rms_dbfs=rng.normal(-30, 10, (800, 2)))
    one, other = CurveRecorder(32), CurveRecorder(32)
    one.add_video(video)
    one.add_audio(audio)
    for piece in cut(video, rng.integers(0, 200, 30).tolist()):
        other.add_video(piece)
    for part in cut(audio, rng.integers(0, 800, 30).tolist()):
        other.add_audio(part)
    expected, given_ = one.curves(), other.curves()
    assert [curve.name for curve in expected] == [curve.name for curve in given_]
    for curve, twin in zip(expected, given_, strict=True):
        for name in ("pts_s", "low", "high"):
            np.testing.assert_array_equal(getattr(curve, name), getattr(twin, name), err_msg=curve.name)


def test_a_day_fits_in_as_much_memory_as_a_minute() -> None:
    recorder = CurveRecorder()
    video, audio = video_series(50), audio_series(2.0)

    def feed(first: int, last: int, step_s: float) -> None:
        for number in range(first, last):
            at = number * step_s
            recorder.add_video(dataclasses.replace(video, pts_s=video.pts_s + at, end_s=video.end_s + at))
            recorder.add_audio(dataclasses.replace(audio, pts_s=audio.pts_s + at, end_s=audio.end_s + at))

    feed(0, 30, 2.0)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        feed(30, 1500, 86_400 / 1500)
        gc.collect()  # also lets go of tuples that Python keeps for the next calls
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
    curves = recorder.curves()
    assert all(MAX_BINS / 4 < len(curve.pts_s) <= MAX_BINS for curve in curves)
    assert curves[0].pts_s[-1] > 86_000
    assert sum(sys.getsizeof(getattr(curve, name)) for curve in curves for name in ("pts_s", "low", "high")) < 300_000


def test_a_single_bright_frame_stays_visible_after_hours() -> None:
    recorder = CurveRecorder()
    recorder.add_video(video_series(20_000, frame_rate=1.0, luma=0.1, tiles=(2, 2)))
    recorder.add_video(video_series(1, start_s=20_000.0, luma=1.0, tiles=(2, 2)))
    recorder.add_video(video_series(20_000, start_s=20_001.0, frame_rate=1.0, luma=0.1, tiles=(2, 2)))
    luma = curves_by_name(recorder)["luma"]
    assert luma.high.max() == 1.0
    assert (luma.high > 0.5).sum() == 1
    assert luma.low.max() == pytest.approx(0.1)
