from __future__ import annotations

import dataclasses
import io
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from gpu_qa.sinks.thumbnails import MAX_JPEG_BYTES, ThumbnailRecorder
from tests.report_builder import event
from tests.series_builder import cut, video_series

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries


def pictures(luma_codes: np.ndarray, **options: float) -> VideoSeries:
    """Flat grey pictures of these 8-bit codes, 25 per second."""
    series = video_series(len(luma_codes), **options)  # type: ignore[arg-type]
    small = np.broadcast_to((luma_codes * 256).astype(np.uint16)[:, None, None], (len(luma_codes), 192, 336))
    return dataclasses.replace(series, small=small)


def decoded(jpeg: bytes) -> np.ndarray:
    with av.open(io.BytesIO(jpeg), "r", format="mjpeg") as file:
        return next(file.decode(video=0)).to_ndarray(format="rgb24")


def grey(jpeg: bytes) -> float:
    """Mean of a decoded picture as the 8-bit limited-range code that it came from."""
    return float(decoded(jpeg).mean() / 255 * 219 + 16)


def test_the_picture_is_the_one_where_the_event_began() -> None:
    recorder = ThumbnailRecorder()
    recorder.add(pictures(np.arange(20, 220)))  # 8 s, of which the ring keeps the last 4
    for start_s, code in ((5.0, 145), (6.04, 177), (7.6, 214)):  # the next one of four per second
        assert recorder.capture(event(start_s=start_s))
        assert grey(recorder.thumbnails[event(start_s=start_s).id]) == pytest.approx(code, abs=3)


@pytest.mark.parametrize("frame_rate", [10.0, 23.976, 25.0, 59.94])
def test_the_picture_is_never_one_from_before_the_event(frame_rate: float) -> None:
    """A cut from dark to bright somewhere, at which an event begins, at any rate of pictures."""
    for cut_at in range(20, 32):
        recorder = ThumbnailRecorder()
        series = pictures(np.where(np.arange(60) < cut_at, 50, 200), frame_rate=frame_rate)
        recorder.add(series)
        start_s = float(series.pts_s[cut_at])
        recorder.capture(event(start_s=start_s))
        assert grey(recorder.thumbnails[event(start_s=start_s).id]) == pytest.approx(200, abs=3)


def test_it_is_known_when_the_picture_was_shown() -> None:
    recorder = ThumbnailRecorder()
    recorder.add(pictures(np.arange(20, 220)))  # 8 s, of which the ring keeps the last 3
    for start_s, shown_s in ((6.04, 6.24), (0.2, 5.0)):
        recorder.capture(event(start_s=start_s))
        assert recorder.shown_s[event(start_s=start_s).id] == pytest.approx(shown_s, abs=0.05)


def test_colours_and_ranges() -> None:
    # Red of 75 % bars, limited range (ITU-R BT.709-6: Y′ 51, Cb 109, Cr 212), and the same in full range.
    for black, white, codes in ((16.0, 235.0, (51, 109, 212)), (0.0, 255.0, (41, 106, 223))):
        series = video_series(1, black_code=black, white_code=white)
        chroma = np.broadcast_to(np.array(codes[1:], np.uint16).reshape(1, 2, 1, 1) * 256, (1, 2, 96, 168))
        small = np.full((1, 192, 336), codes[0] * 256, np.uint16)
        recorder = ThumbnailRecorder()
        recorder.add(dataclasses.replace(series, small=small, small_chroma=chroma))
        recorder.capture(event(start_s=0.0))
        red, green, blue = decoded(next(iter(recorder.thumbnails.values()))).mean((0, 1))
        assert (red, green, blue) == pytest.approx((191, 0, 0), abs=6)


def test_older_material_has_its_own_matrix() -> None:
    # Red of 75 % bars by BT.601: Y′ 65, Cb 100, Cr 212.
    chroma = np.broadcast_to(np.array([100, 212], np.uint16).reshape(1, 2, 1, 1) * 256, (1, 2, 96, 168))
    series = dataclasses.replace(
        video_series(1), small=np.full((1, 192, 336), 65 * 256, np.uint16), small_chroma=chroma
    )
    recorder = ThumbnailRecorder()
    recorder.add(series, color_space="smpte170m")
    recorder.capture(event(start_s=0.0))
    assert decoded(next(iter(recorder.thumbnails.values()))).mean((0, 1)) == pytest.approx((191, 0, 0), abs=6)


@pytest.mark.parametrize(
    ("ratio", "shape"),
    [(16 / 9, (192, 342)), (4 / 3, (192, 256)), (2.39, (160, 384)), (9 / 16, (192, 108)), (0.0, (192, 342))],
)
def test_pictures_have_the_shape_they_are_shown_in(ratio: float, shape: tuple[int, int]) -> None:
    recorder = ThumbnailRecorder()
    recorder.add(video_series(1, display_aspect_ratio=ratio))
    recorder.capture(event(start_s=0.0))
    assert decoded(next(iter(recorder.thumbnails.values()))).shape[:2] == shape


def test_even_noise_stays_within_its_size() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 2**16, (1, 192, 336), np.uint16)
    noisy_chroma = rng.integers(0, 2**16, (1, 2, 96, 168), np.uint16)
    recorder = ThumbnailRecorder()
    recorder.add(dataclasses.replace(video_series(1), small=noise, small_chroma=noisy_chroma))
    recorder.capture(event(start_s=0.0))
    (jpeg,) = recorder.thumbnails.values()
    assert 1_000 < len(jpeg) <= MAX_JPEG_BYTES


def test_before_a_gap_it_is_the_last_picture() -> None:
    recorder = ThumbnailRecorder()
    recorder.add(pictures(np.full(50, 50)))
    recorder.add(pictures(np.full(50, 200), start_s=5.0))
    recorder.capture(event("stream.gap", start_s=2.0, end_s=5.0))
    assert grey(recorder.thumbnails[event("stream.gap", start_s=2.0).id]) == pytest.approx(50, abs=3)


def test_an_event_older_than_the_ring_gets_the_oldest_picture() -> None:
    recorder = ThumbnailRecorder()
    recorder.add(pictures(np.full(500, 50)))  # 0 to 20 s, of which the ring keeps the last 4
    recorder.add(pictures(np.full(50, 200), start_s=20.0))
    assert recorder.capture(event(start_s=0.0))
    assert grey(recorder.thumbnails[event(start_s=0.0).id]) == pytest.approx(50, abs=3)


def test_damaged_pictures_are_all_kept() -> None:
    codes = np.full(25, 50)
    codes[13] = 200
    series = pictures(codes)
    series.is_corrupt[13] = True
    recorder = ThumbnailRecorder()
    recorder.add(series)
    recorder.capture(event("stream.decode_error", start_s=13 / 25, end_s=14 / 25))
    assert grey(next(iter(recorder.thumbnails.values()))) == pytest.approx(200, abs=3)


def test_no_picture_no_thumbnail() -> None:
    recorder = ThumbnailRecorder()
    assert not recorder.capture(event())
    recorder.add(video_series(0))
    assert not recorder.capture(event())
    assert recorder.thumbnails == {}


def test_only_the_first_events_get_one_and_each_only_once() -> None:
    recorder = ThumbnailRecorder(max_thumbnails=3)
    recorder.add(pictures(np.arange(20, 120)))
    assert [recorder.capture(event(start_s=float(n) / 2)) for n in range(6)] == [True] * 3 + [False] * 3
    before = dict(recorder.thumbnails)
    recorder.add(pictures(np.full(100, 235), start_s=4.0))
    assert recorder.capture(event(start_s=0.0))
    assert not recorder.capture(event(start_s=4.0))
    assert recorder.thumbnails == before


def test_the_ring_is_bounded_and_owns_its_pictures() -> None:
    recorder = ThumbnailRecorder()
    series = pictures(np.full(2000, 77))
    series.is_corrupt[:] = True
    series.pts_s[5] = np.nan
    recorder.add(series)
    kept = [array for picture in recorder._ring for array in (picture.luma, picture.chroma)]
    assert all(array.base is None for array in kept)
    assert sum(array.nbytes for array in kept) <= 1_600_000


def test_any_cut_keeps_the_same_pictures() -> None:
    rng = np.random.default_rng(3)
    series = pictures(rng.integers(16, 235, 200))
    one, other = ThumbnailRecorder(), ThumbnailRecorder()
    one.add(series)
    for piece in cut(series, rng.integers(0, 200, 25).tolist()):
        other.add(piece)
    assert [picture.pts_s for picture in one._ring] == [picture.pts_s for picture in other._ring]
    for recorder in (one, other):
        for start_s in (0.3, 3.33, 7.99):
            recorder.capture(event(start_s=start_s))
    assert one.thumbnails == other.thumbnails
