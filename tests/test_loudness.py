from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import wave
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.sinks.loudness import LoudnessRecorder, channel_weights
from tests.series_builder import audio_series, cut

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_qa.series import AudioSeries

RATE = 48_000

# K-weighting at 48 kHz: b and a of the two stages (ITU-R BS.1770-5, Annex 1, tables 1 and 2).
SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))


def k_weighted(samples: np.ndarray) -> np.ndarray:
    """The filter applied to float64 [C, N] through its frequency response, with room for its tail."""
    length = 1 << (2 * samples.shape[1]).bit_length()
    spectrum = np.fft.rfft(samples, length)
    z = np.exp(-2j * np.pi * np.arange(spectrum.shape[1]) / length)
    for b, a in (SHELF, HIGH_PASS):
        spectrum *= np.polyval(b[::-1], z) / np.polyval(a[::-1], z)
    return np.fft.irfft(spectrum, length)[:, : samples.shape[1]]


def measured(samples: np.ndarray, channels: tuple[str, ...]) -> AudioSeries:
    """Samples float64 [C, N] at 48 kHz as the features stage would measure them."""
    hop = RATE // 100
    hops = samples.shape[1] // hop
    per_hop = (samples**2)[:, : hops * hop].reshape(-1, hops, hop).mean(axis=2).T
    weighted = (k_weighted(samples) ** 2)[:, : hops * hop].reshape(-1, hops, hop).mean(axis=2).T
    series = audio_series(hops / 100, channels=channels)
    return dataclasses.replace(series, power=per_hop.astype(np.float32), k_power=weighted.astype(np.float32))


def sine(frequency_hz: float, dbfs: float, seconds: float) -> np.ndarray:
    return 10 ** (dbfs / 20) * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * RATE)) / RATE)


def integrated(*series: AudioSeries) -> float | None:
    recorder = LoudnessRecorder()
    for part in series:
        recorder.add(part)
    return recorder.integrated_lufs()[series[0].track]


@pytest.mark.parametrize(
    ("steps", "lufs"),
    [
        # EBU Tech 3341 (2023), table 1, cases 1 to 5: 1 kHz stereo at (dBFS, seconds).
        ([(-23.0, 20.0)], -23.0),
        ([(-33.0, 20.0)], -33.0),
        ([(-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)], -23.0),
        ([(-72.0, 10.0), (-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0), (-72.0, 10.0)], -23.0),
        ([(-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)], -23.0),
    ],
)
def test_test_signals_of_ebu_tech_3341(steps: list[tuple[float, float]], lufs: float) -> None:
    samples = np.concatenate([sine(1000.0, dbfs, seconds) for dbfs, seconds in steps])
    mono = measured(samples[None], ("FL",))
    stereo = dataclasses.replace(mono, channels=("FL", "FR"), k_power=mono.k_power.repeat(2, axis=1))
    assert integrated(stereo) == pytest.approx(lufs, abs=0.1)


def test_case_6_of_ebu_tech_3341_weighs_five_channels() -> None:
    levels = {"FL": -28.0, "FR": -28.0, "FC": -24.0, "LFE": -3.0, "BL": -30.0, "BR": -30.0}
    samples = np.stack([sine(1000.0, dbfs, 20.0) for dbfs in levels.values()])
    assert integrated(measured(samples, tuple(levels))) == pytest.approx(-23.0, abs=0.1)


def test_full_scale_sine_in_one_channel_is_minus_3_lufs() -> None:
    """BS.1770-5, Annex 1: 0 dBFS at 997 Hz in one front channel reads −3.01 LKFS."""
    assert integrated(measured(sine(997.0, 0.0, 10.0)[None], ("FL",))) == pytest.approx(-3.01, abs=0.02)


def test_channel_weights() -> None:
    assert channel_weights(("FL", "FR", "FC", "LFE", "SL", "SR")).tolist() == [1, 1, 1, 0, 1.41, 1.41]
    assert channel_weights(("FL", "FR", "FC", "LFE", "BL", "BR")).tolist() == [1, 1, 1, 0, 1.41, 1.41]
    assert channel_weights(("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR")).tolist() == [1, 1, 1, 0, 1, 1, 1.41, 1.41]
    assert channel_weights(("FC",)).tolist() == [1]


def test_momentary_loudness_is_that_of_the_last_400_ms() -> None:
    levels = np.repeat([-20.0, -30.0], 100)[:, None]
    recorder = LoudnessRecorder()
    end_s, momentary = recorder.add(audio_series(2.0, channels=("FC",), rms_dbfs=levels, start_s=5.0))
    assert end_s[0] == pytest.approx(5.4)
    assert end_s[-1] == pytest.approx(7.0)
    assert np.diff(end_s) == pytest.approx(0.1)
    assert momentary[end_s < 6.05] == pytest.approx(-20.691)
    half = 10 * np.log10((10**-2.0 + 10**-3.0) / 2) - 0.691
    assert momentary[np.isclose(end_s, 6.2)] == pytest.approx(half, abs=1e-6)
    assert momentary[end_s > 6.35] == pytest.approx(-30.691)


def test_silence_is_minus_infinity_and_counts_for_nothing() -> None:
    recorder = LoudnessRecorder()
    _, momentary = recorder.add(audio_series(2.0, rms_dbfs=-np.inf))
    assert np.isneginf(momentary).all()
    assert recorder.integrated_lufs() == {1: None}
    assert recorder.measurements() == {
        "integrated_lufs": None,
        "integrated_lufs_reason": "no sound of at least 400 ms above -70 LUFS",
    }
    assert LoudnessRecorder().measurements()["integrated_lufs_reason"] == "no audio track"


def test_tracks_are_measured_apart() -> None:
    recorder = LoudnessRecorder()
    recorder.add(audio_series(3.0, channels=("FC",), rms_dbfs=-30.0, track=2))
    recorder.add(audio_series(3.0, channels=("FC",), rms_dbfs=-20.0, track=1))
    assert recorder.measurements() == {
        "integrated_lufs": -20.69,
        "integrated_lufs_tracks": {"1": -20.69, "2": -30.69},
    }


def test_a_gap_and_other_channels_begin_a_new_block() -> None:
    recorder = LoudnessRecorder()
    first = audio_series(0.39, channels=("FC",), rms_dbfs=-20.0)
    assert len(recorder.add(first)[0]) == 0
    assert len(recorder.add(audio_series(0.39, channels=("FC",), rms_dbfs=-20.0, start_s=9.0))[0]) == 0
    assert len(recorder.add(audio_series(0.39, channels=("FL",), rms_dbfs=-20.0, start_s=9.39))[0]) == 0
    assert len(recorder.add(audio_series(0.01, channels=("FL",), rms_dbfs=-20.0, start_s=9.78))[0]) == 1


def test_samples_that_are_no_numbers_do_not_spoil_the_rest() -> None:
    series = audio_series(10.0, channels=("FC",), rms_dbfs=-20.0)
    series.k_power[500:510] = np.nan
    series.k_power[510:520] = np.inf
    assert integrated(series) == pytest.approx(-20.69, abs=0.2)


@given(st.lists(st.integers(0, 300), max_size=12), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_any_cut_gives_the_same(cuts: list[int], seed: int) -> None:
    levels = np.random.default_rng(seed).normal(-30, 12, (300, 2))
    whole = audio_series(3.0, rms_dbfs=levels)
    late = audio_series(1.0, rms_dbfs=levels[:100], start_s=60.0)
    one, other = LoudnessRecorder(), LoudnessRecorder()
    expected = [one.add(whole), one.add(late)]
    pieces = [other.add(piece) for piece in (*cut(whole, cuts), late)]
    for axis in (0, 1):
        np.testing.assert_array_equal(
            np.concatenate([blocks[axis] for blocks in expected]), np.concatenate([blocks[axis] for blocks in pieces])
        )
    assert one.integrated_lufs() == other.integrated_lufs()


def noise(seconds: float, seed: int) -> np.ndarray:
    """Noise that swells between −50 and −10 dBFS, so that both gates have work to do."""
    rng = np.random.default_rng(seed)
    count = round(seconds * RATE)
    swell = 10 ** ((-30 + 20 * np.sin(2 * np.pi * np.arange(count) / RATE / 9.0)) / 20)
    samples = rng.normal(0, 0.3, (2, count)) * swell
    samples[:, 5 * RATE : 8 * RATE] = 0
    return np.asarray(samples.clip(-1, 1))


@pytest.mark.needs_ffmpeg
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the ffmpeg command")
@pytest.mark.parametrize("signal", ["tone", "noise"])
def test_agrees_with_ffmpeg(tmp_path: Path, signal: str) -> None:
    tone = np.stack([sine(440.0, -18.0, 20.0), sine(3000.0, -24.0, 20.0)])
    codes = np.rint((tone if signal == "tone" else noise(20.0, 1)) * 32_767).astype("<i2")
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(codes.T.tobytes())
    command = ["ffmpeg", "-hide_banner", "-nostats", "-i", str(path), "-filter_complex", "ebur128", "-f", "null", "-"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    ffmpeg_lufs = float(re.findall(r"I:\s+(-?[\d.]+) LUFS", told)[-1])
    ours = integrated(measured(codes / 32_768, ("FL", "FR")))
    assert ours == pytest.approx(ffmpeg_lufs, abs=0.1)


def test_hours_in_memory_that_does_not_grow() -> None:
    recorder = LoudnessRecorder()
    series = audio_series(60.0)
    hour = [recorder.add(dataclasses.replace(series, pts_s=series.pts_s + 60 * n)) for n in range(3)]
    assert all(len(momentary) >= 597 for _, momentary in hour)
    state = recorder._tracks[1]
    assert len(state.hops) < 10
    assert len(state.steps) == 3
