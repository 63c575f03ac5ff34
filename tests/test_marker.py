from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pytest

from benchmarks.detectors.sweep import recorded
from gpu_qa.inject.writer import Coding
from gpu_qa.series import SYNC_SURE, AudioSeries, VideoSeries
from gpu_qa.sync.leader import LEADER
from gpu_qa.sync.marker import MarkerCarry, MarkerSync, _TrackCarry, marker_step, marker_sync
from gpu_qa.sync.pairing import LIKELY, NEAREST, RIVALLED
from gpu_qa.sync_clip import BEEP_S, SyncClip, write_sync_clip
from tests.series_builder import audio_series, video_series

if TYPE_CHECKING:
    from pathlib import Path


def picture(
    flashes_s: list[float], *, rate: float = 25.0, seconds: float = 20.0, tiles: slice = slice(None)
) -> VideoSeries:
    """A still picture with flashes of two frames; `tiles` are the columns of 42 that they fill."""
    luma = np.full((round(seconds * rate), 24, 42), 0.1, np.float32)
    for at_s in flashes_s:
        first = round(at_s * rate)
        luma[first : first + 2, :, tiles] = 0.95
    return video_series(len(luma), frame_rate=rate, luma=luma)


def sound(
    beeps_s: list[float], *, seconds: float = 20.0, crest: float = 2.0, length_s: float = BEEP_S, hz: float = 1000.0
) -> AudioSeries:
    """Silence with beeps of a steady level, whose power within a quarter is the share of it that they fill."""
    edges = np.arange(round(seconds * 400) + 1) / 400
    share = np.zeros(len(edges) - 1)
    for at_s in beeps_s:
        share += np.clip(np.minimum(edges[1:], at_s + length_s) - np.maximum(edges[:-1], at_s), 0, None) * 400
    silent = audio_series(seconds, rms_dbfs=-120.0)
    fine = np.repeat((0.03 * share).reshape(-1, 4, 1), 2, axis=2).astype(np.float32)
    peak = np.sqrt(crest * fine.max(1))
    bend = np.float32((2 * np.sin(np.pi * hz / silent.sample_rate)) ** 4) * fine.mean(1)
    return dataclasses.replace(silent, fine_power=fine, peak=peak.astype(np.float32), bend_power=bend)


def measured(video: VideoSeries, audio: AudioSeries) -> tuple[np.ndarray, np.ndarray, MarkerSync]:
    first, carry = marker_step(video, audio)
    rest, carry = marker_step(None, None, carry, finished=True)
    series = [*first, *rest]
    offsets = np.concatenate([one.offset_s for one in series]) if series else np.zeros(0)
    confidence = np.concatenate([one.confidence for one in series]) if series else np.zeros(0)
    return offsets, confidence, marker_sync(carry)[0]


S = TypeVar("S", VideoSeries, AudioSeries)

UNEVEN = [1.0, 2.8, 5.4, 7.2, 9.8, 11.4, 14.0, 16.6]


@pytest.mark.parametrize("rate", [24, Fraction(30_000, 1001), 60])
@pytest.mark.parametrize(
    ("offset_s", "crf", "audio_bit_rate"), [(-2.0, 38.0, 48_000), (0.0, 26.0, 96_000), (1.7, 34.0, 64_000)]
)
def test_coded_clips_are_measured_within_a_millisecond_and_half_a_frame(
    tmp_path: Path, rate: Fraction | int, offset_s: float, crf: float, audio_bit_rate: int
) -> None:
    path = tmp_path / "clip.mp4"
    clip = SyncClip(seconds=12.0, rate=Fraction(rate), size=(192, 108), offset_s=offset_s)
    write_sync_clip(path, clip, Coding(crf=crf, audio_bit_rate=audio_bit_rate))
    carry: MarkerCarry | None = None
    for what, series, _ in recorded(path):
        if what in ("video", "audio"):
            _, carry = marker_step(series if what == "video" else None, series if what == "audio" else None, carry)
    _, carry = marker_step(None, None, carry, finished=True)
    (sync,) = marker_sync(carry)
    assert sync.pairs >= 4
    assert sync.offset_s == pytest.approx(offset_s, abs=0.001 + 0.5 / float(rate))
    assert sync.spread_s is not None
    assert sync.spread_s < 0.5 / float(rate)


@pytest.mark.parametrize("offset_s", [-2.0, -0.5, -0.0123, 0.0, 0.3, 1.999])
@pytest.mark.parametrize("tiles", [slice(None), slice(0, 2)])
def test_uneven_flashes_leave_no_doubt(offset_s: float, tiles: slice) -> None:
    offsets, confidence, _ = measured(picture(UNEVEN, tiles=tiles), sound([at_s - offset_s for at_s in UNEVEN]))
    assert len(offsets) >= 6
    assert offsets == pytest.approx(offset_s, abs=1e-3)
    assert (confidence > 0.9).all()


@pytest.mark.parametrize(
    ("offset_s", "every_s", "confidence"),
    [(0.1, 1.0, LIKELY), (-0.18, 1.0, LIKELY), (0.3, 1.0, NEAREST), (0.45, 1.0, RIVALLED), (0.05, 0.4, NEAREST)],
)
def test_of_evenly_spaced_flashes_the_nearest_beep_is_as_likely_as_the_next_is_far(
    offset_s: float, every_s: float, confidence: float
) -> None:
    even = np.arange(2.0, 18.0, every_s).tolist()
    offsets, told, _ = measured(picture(even), sound([at_s - offset_s for at_s in even]))
    assert offsets == pytest.approx(offset_s, abs=1e-3)
    # The first and the last have beeps on one side alone.
    assert told[5:-1] == pytest.approx(confidence)


@pytest.mark.parametrize("seed", range(5))
def test_any_cut_gives_the_same(seed: int) -> None:
    video, audio = picture(UNEVEN), sound([at_s - 0.4 for at_s in UNEVEN])
    whole = measured(video, audio)
    rng = np.random.default_rng(seed)
    frames = np.sort(rng.integers(0, len(video), 20))
    hops = np.sort(rng.integers(0, len(audio), 20))
    offsets: list[float] = []
    carry: MarkerCarry | None = None
    for i in range(21):
        frame, frame_end = [0, *frames.tolist()][i], [*frames.tolist(), len(video)][i]
        hop, hop_end = [0, *hops.tolist()][i], [*hops.tolist(), len(audio)][i]
        found, carry = marker_step(_cut(video, frame, frame_end), _cut(audio, hop, hop_end), carry)
        offsets += [value for one in found for value in one.offset_s.tolist()]
    found, carry = marker_step(None, None, carry, finished=True)
    offsets += [value for one in found for value in one.offset_s.tolist()]
    assert offsets == pytest.approx(whole[0].tolist(), abs=1e-9)


def _cut(series: S, start: int, stop: int) -> S:
    count = len(series)
    return dataclasses.replace(
        series,
        **{
            item.name: getattr(series, item.name)[start:stop]
            for item in dataclasses.fields(series)
            if isinstance(getattr(series, item.name), np.ndarray) and len(getattr(series, item.name)) == count
        },
    )


def test_two_pairs_are_not_enough_and_one_alone_is_hardly_an_answer() -> None:
    long = {"length_s": 0.3}
    assert not len(measured(picture([3.0, 9.0]), sound([3.0, 9.0], **long))[0])
    offsets, confidence, _ = measured(picture([3.0]), sound([3.1], **long))
    assert offsets == pytest.approx(-0.1, abs=1e-3)
    assert confidence.max() < 0.5


@pytest.mark.parametrize("offset_s", [-0.1, 0.0, 0.04])
def test_a_leader_is_told_when_it_has_passed(offset_s: float) -> None:
    small = picture([12.0, 13.0, 14.0], tiles=slice(0, 2)).luma
    video = picture([6.0])
    video = dataclasses.replace(video, luma=np.maximum(video.luma, small))
    found, carry = marker_step(_cut(video, 0, 300), None)
    told, _ = marker_step(None, _cut(sound([6.0 - offset_s], length_s=0.04), 0, 1000), carry)
    assert not found
    assert told[0].offset_s == pytest.approx(offset_s, abs=1e-3)
    assert told[0].confidence == pytest.approx(LEADER)
    offsets, confidence, _ = measured(video, sound([6.0 - offset_s], length_s=0.04))
    assert len(offsets) == 1
    assert confidence == pytest.approx(LEADER)


@pytest.mark.parametrize(("after", "is_told"), [(0.0, True), (0.15, False)])
def test_a_leader_on_grey_may_end_in_black(after: float, is_told: bool) -> None:
    video = picture([6.0])
    luma = np.maximum(video.luma, 0.45)
    luma[152:] = after
    offsets, confidence, _ = measured(dataclasses.replace(video, luma=luma), sound([5.95], length_s=0.04))
    assert (len(offsets) > 0) is is_told
    if is_told:
        assert offsets == pytest.approx(0.05, abs=1e-3)
        assert confidence == pytest.approx(LEADER)


@pytest.mark.parametrize(
    ("video", "audio"),
    [
        (picture([6.0]), sound([6.0], length_s=0.2)),
        (picture([6.0]), sound([6.0], length_s=0.04, hz=4000.0)),
        (picture([6.0]), sound([6.0, 6.6], length_s=0.04)),
        (picture([6.0]), sound([6.5], length_s=0.04)),
        (picture([6.0, 6.8]), sound([6.0], length_s=0.04)),
        (picture([6.0], tiles=slice(0, 30)), sound([6.0], length_s=0.04)),
        (picture([6.0]), sound([0.5, 6.0, 19.5], length_s=0.04, seconds=6.5)),
    ],
    ids=["long beep", "other tone", "two beeps", "far apart", "two flashes", "part of the picture", "end of the sound"],
)
def test_what_is_not_quite_a_leader_is_no_sure_answer(video: VideoSeries, audio: AudioSeries) -> None:
    _, confidence, _ = measured(video, audio)
    assert not (confidence >= SYNC_SURE).any()


LOOP = np.arange(4) * 8.0


def looped(*moments_s: float) -> list[float]:
    return sorted(float(start_s + at_s) for start_s in LOOP for at_s in moments_s)


@pytest.mark.parametrize(
    ("flashes_s", "beeps_s"), [((5.146, 5.387), (6.352,)), ((5.0,), (6.2,)), ((2.0, 5.0), (3.2, 6.2))]
)
def test_small_flashes_of_a_clip_that_is_repeated_are_no_marker(
    flashes_s: tuple[float, ...], beeps_s: tuple[float, ...]
) -> None:
    video = picture(looped(*flashes_s), tiles=slice(0, 1), seconds=32.0)
    offsets, _, _ = measured(video, sound(looped(*beeps_s), seconds=32.0))
    assert not len(offsets)


def test_more_flashes_than_beeps_are_no_sure_answer() -> None:
    offsets, confidence, _ = measured(picture(looped(2.0, 2.4), seconds=32.0), sound(looped(3.2), seconds=32.0))
    assert len(offsets) == 0 or confidence.max() < SYNC_SURE


def test_small_flashes_at_even_short_distances_need_five_pairs() -> None:
    even = np.arange(2.0, 18.0, 1.0).tolist()
    offsets, confidence, _ = measured(picture(even, tiles=slice(0, 2)), sound(even))
    assert offsets == pytest.approx(0.0, abs=1e-3)
    assert len(offsets) == len(even)
    assert (confidence[:-1] == np.float32(LIKELY)).all()
    assert not len(measured(picture(even[:4], tiles=slice(0, 2)), sound(even[:4]))[0])


def test_pairs_further_apart_than_a_frame_are_no_sure_answer() -> None:
    apart = [at_s + (0.04 if i % 2 else -0.04) for i, at_s in enumerate(UNEVEN)]
    _, confidence, _ = measured(picture(UNEVEN), sound(apart))
    assert not (confidence >= SYNC_SURE).any()


def test_a_step_is_followed_with_four_pairs() -> None:
    times = np.round(25 * (1.0 + np.cumsum(1.2 + 0.6 * (np.arange(24) * 0.618 % 1.0)))) / 25
    heard = np.where(np.arange(24) < 12, times, times - 0.3)
    seconds = float(times[-1] + 3.0)
    video = picture(times.tolist(), seconds=round(seconds))
    audio = sound(heard.tolist(), seconds=round(seconds))
    first, carry = marker_step(video, audio)
    rest, carry = marker_step(None, None, carry, finished=True)
    offsets = np.concatenate([one.offset_s for one in [*first, *rest]])
    confidence = np.concatenate([one.confidence for one in [*first, *rest]])
    assert offsets == pytest.approx([0.0] * 12 + [0.3] * 12, abs=1e-3)
    assert (confidence >= SYNC_SURE).all()
    assert marker_sync(carry)[0].latest_s == pytest.approx(0.3, abs=1e-3)


def told(times: np.ndarray, offsets: np.ndarray, frame_s: float = 1 / 24) -> MarkerSync:
    pairs = tuple(zip(times.tolist(), offsets.tolist(), [frame_s] * len(times), strict=True))
    return marker_sync(MarkerCarry(tracks={1: _TrackCarry(told=pairs, pair_count=len(pairs))}))[0]


def test_drift_has_its_uncertainty() -> None:
    times = 1.5 * np.arange(45)
    exact = told(times, 100e-6 * times)
    assert exact.drift_ppm == pytest.approx(100.0)
    assert exact.drift_sigma_ppm is not None
    assert 1.0 < exact.drift_sigma_ppm < 10.0
    missed = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        rounded = told(times, rng.uniform(-0.5, 0.5, 45) / 24)
        assert rounded.drift_ppm is not None and rounded.drift_sigma_ppm is not None  # noqa: PT018
        assert rounded.drift_sigma_ppm > 50.0
        missed += abs(rounded.drift_ppm) > 2.0 * rounded.drift_sigma_ppm
    assert missed <= 20


def test_flashes_that_move_slowly_against_the_frames_are_no_sure_drift() -> None:
    times = 1.0 * np.arange(300)
    beat = told(times, (times * 0.025 % 1.0) / 25)
    assert beat.drift_ppm is not None and beat.drift_sigma_ppm is not None  # noqa: PT018
    assert beat.drift_sigma_ppm > 20.0
    assert abs(beat.drift_ppm) < 3.0 * beat.drift_sigma_ppm


def test_the_latest_offset_is_the_median_of_the_pairs_that_agree() -> None:
    offsets = np.array([0.5] * 10 + [0.0, 0.0167, 0.0, 0.0083])
    assert told(1.5 * np.arange(14), offsets).latest_s == pytest.approx(0.00415)


def test_noise_bursts_and_chance_flashes_are_no_marker() -> None:
    assert not len(measured(picture(UNEVEN), sound(UNEVEN, crest=10.0))[0])
    chance = [1.3, 2.9, 6.1, 8.4, 9.1, 12.7, 13.4, 17.0]
    assert not len(measured(picture(UNEVEN), sound(chance))[0])


def test_a_bright_cut_and_a_long_light_are_no_flash() -> None:
    luma = np.full((500, 24, 42), 0.1, np.float32)
    for first in (50, 140, 270, 400):
        luma[first : first + 15] = 0.9
    assert not len(measured(video_series(500, luma=luma), sound([2.0, 5.6, 10.8, 16.0]))[0])


@pytest.mark.parametrize("rate", [2.0, 5.0, 10.0])
def test_few_frames_a_second_are_no_error(rate: float) -> None:
    offsets, _, _ = measured(picture(UNEVEN, rate=rate), sound(UNEVEN))
    assert np.isfinite(offsets).all()


@pytest.mark.parametrize("rate", [24, 50])
def test_exposure_tells_when_a_flash_begins_within_a_frame(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "clip.mp4"
    clip = SyncClip(seconds=14.0, rate=Fraction(rate), size=(192, 108), offset_s=0.25, between_frames=True)
    write_sync_clip(path, clip, Coding(crf=30.0, audio_bit_rate=96_000))
    carry: MarkerCarry | None = None
    for what, series, _ in recorded(path):
        if what in ("video", "audio"):
            _, carry = marker_step(series if what == "video" else None, series if what == "audio" else None, carry)
    _, carry = marker_step(None, None, carry, finished=True)
    (sync,) = marker_sync(carry)
    assert sync.offset_s == pytest.approx(0.25, abs=0.003)
    assert sync.flashes == len(clip.flashes_s)
