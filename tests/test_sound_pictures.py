"""Sound pictures: the waveform and the spectrum around an event of the sound."""

from __future__ import annotations

import dataclasses
import io

import av
import numpy as np
import pytest

from gpu_qa.series import Event, SpectrumSeries
from gpu_qa.sinks.sound_pictures import HEIGHT, KEPT_S, WIDTH, SoundPictureRecorder
from tests.report_builder import event
from tests.series_builder import audio_series


def decoded(jpeg: bytes) -> np.ndarray:
    """uint8 [H, W, 3]."""
    with av.open(io.BytesIO(jpeg), "r", format="mjpeg") as file:
        return next(file.decode(video=0)).to_ndarray(format="rgb24")


def spectrum(power: np.ndarray, start_s: float) -> SpectrumSeries:
    """Steps of 0.1 s with this power [T, B] in both channels."""
    times = start_s + 0.1 * np.arange(len(power) + 1)
    both = np.repeat(power[:, None].astype(np.float32), 2, axis=1)
    return SpectrumSeries(
        track=1,
        channels=("FL", "FR"),
        sample_rate=48_000,
        pts_s=times[:-1],
        end_s=times[1:],
        low=np.zeros((len(power), 2, 512), np.float32),
        line_hz=2.0,
        bands=both,
        band_floor=both,
        edges_hz=np.linspace(0, 24_000, power.shape[1] + 1),
    )


def heard(start_s: float = 6.0, kind: str = "audio.dropout", scope: str = "1:main") -> Event:
    return dataclasses.replace(event(start_s=start_s), kind=kind, scope=scope)


def bright(image: np.ndarray) -> np.ndarray:
    return np.asarray(image.astype(int).max(axis=2) > 90)


def test_a_hole_is_seen_where_it_is() -> None:
    recorder = SoundPictureRecorder()
    peak = np.full((800, 2), -6.0)
    peak[600:650] = -np.inf
    recorder.add_audio(audio_series(8.0, rms_dbfs=-20.0, peak_dbfs=peak))
    assert recorder.capture(heard())
    image = decoded(recorder.pictures[event(start_s=6.0).id])
    assert image.shape == (HEIGHT, WIDTH, 3)
    # Shown from 4.5 s to 8 s: the hole from 6.0 to 6.5 s lies from 43 % to 57 % of the width.
    filled = bright(image[:64]).mean(axis=0)
    at = (np.arange(WIDTH) + 0.5) / WIDTH * 3.5 + 4.5
    assert filled[(at > 6.1) & (at < 6.4)].max() < 0.1
    assert filled[(at < 5.9) | (at > 6.6)].min() > 0.3


def test_sound_that_does_not_come_is_dark() -> None:
    recorder = SoundPictureRecorder()
    recorder.add_audio(audio_series(6.0, rms_dbfs=-20.0, peak_dbfs=np.full((600, 2), -6.0)))
    recorder.add_spectrum(spectrum(np.ones((60, 4)), 0.0))
    assert recorder.capture(heard(kind="audio.missing", scope="1"))
    filled = bright(decoded(recorder.pictures[event(start_s=6.0).id])).mean(axis=0)
    # Shown from 4.5 s to 7.5 s; the last step of the spectrum lasts until 6.2 s.
    assert filled[: WIDTH // 2 - 8].min() > 0.5
    assert filled[WIDTH // 2 + 32 :].max() < 0.1


def test_loud_bands_are_bright_and_low_ones_below() -> None:
    recorder = SoundPictureRecorder()
    recorder.add_audio(audio_series(4.0))
    power = np.full((40, 20), 1e-10)
    power[:, 2] = 1e-2
    recorder.add_spectrum(spectrum(power, 0.0))
    assert recorder.capture(heard(2.0))
    rows = decoded(recorder.pictures[event(start_s=2.0).id])[66:].astype(int).sum(axis=2).mean(axis=1)
    assert np.argmax(rows) / len(rows) == pytest.approx(1 - 2.5 / 20, abs=0.05)


def test_only_the_last_seconds_are_kept() -> None:
    recorder = SoundPictureRecorder()
    for start in range(60):
        recorder.add_audio(audio_series(1.0, start_s=float(start)))
        recorder.add_spectrum(spectrum(np.ones((10, 4)), float(start)))
    (track,) = recorder._tracks.values()
    for kept in (track.waves, track.spectra):
        assert kept[0][0] >= 60 - KEPT_S - 2
        assert len(kept) <= KEPT_S + 2


def test_pictures_are_the_sounds_own_and_bounded() -> None:
    recorder = SoundPictureRecorder(max_pictures=1)
    assert not recorder.capture(heard())
    recorder.add_audio(audio_series(8.0))
    assert not recorder.capture(heard(kind="video.black", scope=""))
    assert not recorder.capture(heard(scope="2"))
    assert recorder.capture(heard())
    assert recorder.capture(heard())
    assert not recorder.capture(heard(7.0))
    assert len(recorder.pictures) == 1
