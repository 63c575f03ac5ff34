"""Faults of the sound: each is there, where it was wanted, as strong as it was wanted, and nowhere else."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from gpu_qa.errors import ConfigError
from gpu_qa.inject import FAULTS, InjectSettings
from gpu_qa.inject.registry import planting
from gpu_qa.inject.sound import SoundForm, SoundLevel
from gpu_qa.inject.writer import Coding
from tests.clips import cached_clip
from tests.inject_clips import SOUND_HZ, clean, content, planted, written

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SOUND_FAULTS = [name for name, fault in FAULTS.items() if fault.stage == "sound" and not fault.whole]
STRETCH = slice(48_000, 105_600)


def db(power: float) -> float:
    return float(10 * np.log10(power))


@pytest.mark.parametrize("name", SOUND_FAULTS)
def test_nothing_is_changed_outside(name: str, tmp_path: Path) -> None:
    got, truth = planted(tmp_path, name)
    own = clean()
    outside = np.r_[0 : STRETCH.start, STRETCH.stop : own.sound.shape[1]]
    np.testing.assert_array_equal(got.sound[:, outside], own.sound[:, outside])
    assert (got.sound[:, STRETCH] != own.sound[:, STRETCH]).any()
    np.testing.assert_array_equal(got.luma, own.luma)
    assert (truth.start_s, truth.end_s) == (1.0, 2.2)


def played(name: str, sound: np.ndarray, cuts: Sequence[int], **values: Any) -> np.ndarray:
    """What a fault makes of a sound that comes in pieces; the middle third is the stretch."""
    fault = FAULTS[name]
    chosen = planting(fault, start_s=0.5, duration_s=0.5, **values)
    made = fault.make(chosen, SoundForm(SOUND_HZ, "stereo", 2), SoundLevel(0.5))
    parts = []
    for low, high in pairwise(cuts):
        parts.append(made.take(sound[:, low:high], low, 24_000 <= low < 48_000))
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("name", [name for name in SOUND_FAULTS if name != "loudness"])
def test_blocks_do_not_matter(name: str) -> None:
    rng = np.random.default_rng(4)
    sound = (0.2 * rng.standard_normal((2, 72_000))).astype(np.float32)
    whole = played(name, sound, [0, 24_000, 48_000, 72_000])
    # The first click lies at 24 000.
    edges = {0, 24_000, 24_003, 24_005, 48_000, 72_000, *rng.integers(0, 72_000, 40).tolist()}
    np.testing.assert_allclose(played(name, sound, sorted(edges)), whole, atol=1e-6)


@pytest.mark.parametrize("level", [-120.0, -64.0, -40.0])
def test_silence(level: float, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "silence", level)
    inside = got.sound[:, STRETCH]
    if level == -120.0:
        assert not inside.any()
    else:
        assert db((inside**2).mean()) == pytest.approx(level, abs=0.2)


@pytest.mark.parametrize("loss", [6.0, 40.0, 120.0])
def test_channel_loss(loss: float, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "channel_loss", loss, channel=0.0)
    own = clean().sound[:, STRETCH]
    np.testing.assert_array_equal(got.sound[1, STRETCH], own[1])
    left = got.sound[0, STRETCH]
    if loss == 120.0:
        assert not left.any()
    else:
        assert db((left**2).mean() / (own[0] ** 2).mean()) == pytest.approx(-loss, abs=0.1)


def test_phase_inversion_and_dual_mono(tmp_path: Path) -> None:
    own = clean().sound[:, STRETCH]
    turned, _ = planted(tmp_path, "phase_inversion")
    np.testing.assert_allclose(turned.sound[:, STRETCH], [own[0], -own[1]], atol=1e-4)
    left, _ = planted(tmp_path, "phase_inversion", source="left")
    np.testing.assert_allclose(left.sound[1, STRETCH], -own[0], atol=1e-4)
    same, _ = planted(tmp_path, "dual_mono")
    np.testing.assert_array_equal(same.sound[1, STRETCH], own[0])


@pytest.mark.parametrize("offset", [-0.03, 0.1])
def test_dc_offset(offset: float, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "dc_offset", offset)
    added = got.sound[:, STRETCH] - clean().sound[:, STRETCH]
    np.testing.assert_allclose(added, offset, atol=1e-4)


@pytest.mark.parametrize("overdrive", [3.0, 12.0])
def test_clipping(overdrive: float, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "clipping", overdrive)
    own, inside = clean().sound[:, STRETCH], got.sound[:, STRETCH]
    gain = 10 ** (overdrive / 20) / np.abs(own).max()
    cut = np.abs(own) * gain >= 1
    assert 0.001 < cut.mean() < 1
    assert np.abs(inside[cut]).min() > 0.9999
    np.testing.assert_allclose(inside[~cut], own[~cut] * gain, atol=1e-4)
    low, _ = planted(tmp_path, "clipping", overdrive, ceiling=-6.0)
    assert np.abs(low.sound[:, STRETCH]).max() == pytest.approx(10 ** (-6 / 20), abs=1e-4)


def test_wrap(tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "wrap", 6.0)
    own, inside = clean().sound[:, STRETCH], got.sound[:, STRETCH]
    driven = own * 10 ** (6 / 20) / np.abs(own).max()
    over = (driven > 1.01) & (driven < 2.9)
    np.testing.assert_allclose(inside[over], driven[over] - 2, atol=1e-3)
    # Steps from one end to the other, which the tone itself never makes.
    assert np.abs(np.diff(inside)).max() > 1.8 > np.abs(np.diff(driven)).max()


@pytest.mark.parametrize("bits", [4.0, 7.0])
def test_bits(bits: float, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "bits", bits)
    inside = got.sound[:, STRETCH] * 2 ** (bits - 1)
    np.testing.assert_allclose(inside, np.rint(inside), atol=1e-6)
    error = got.sound[:, STRETCH] - clean().sound[:, STRETCH]
    assert db((error**2).mean()) == pytest.approx(db((2 ** (1 - bits)) ** 2 / 12), abs=1.5)


@pytest.mark.parametrize("length_ms", [10.0, 40.0])
def test_dropouts(length_ms: float, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "dropout", length_ms, rate=5.0)
    empty = np.concatenate([[False], (got.sound[:, STRETCH] == 0).all(axis=0), [False]])
    starts, ends = np.flatnonzero(np.diff(empty.astype(int)) == 1), np.flatnonzero(np.diff(empty.astype(int)) == -1)
    lengths = (ends - starts) / SOUND_HZ * 1000
    lengths = lengths[lengths > 1]
    assert 3 <= len(lengths) <= 7
    assert 0.6 * length_ms <= lengths.min() <= lengths.max() <= 1.4 * length_ms
    assert starts[0] == 0


def test_dropouts_that_repeat(tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "dropout", 20.0, fill="repeat")
    own = clean().sound
    # The first hole plays once more what came in the 20 ms before it.
    np.testing.assert_array_equal(got.sound[:, 48_000:48_500], own[:, 47_040:47_540])
    changed = (got.sound[:, STRETCH] != own[:, STRETCH]).any(axis=0).mean()
    assert 0.03 < changed < 0.12


@pytest.mark.parametrize("fill", ["zero", "repeat"])
def test_dropouts_of_one_channel(fill: str, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "dropout", 20.0, fill=fill, channel=1.0)
    both, _ = planted(tmp_path, "dropout", 20.0, fill=fill)
    np.testing.assert_array_equal(got.sound[0], clean().sound[0])
    np.testing.assert_array_equal(got.sound[1], both.sound[1])


def test_click(tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "click", 0.4, rate=5.0)
    added = (got.sound - clean().sound)[0, STRETCH]
    places = np.flatnonzero(np.abs(added) > 0.39)
    assert 4 <= len(places) <= 9
    assert np.abs(added).max() == pytest.approx(0.4, abs=1e-3)
    # It is over after a dozen samples.
    assert (added != 0).sum() <= 12 * len(places)


def test_stuck(tmp_path: Path) -> None:
    own = clean().sound
    held, _ = planted(tmp_path, "stuck", 0.0)
    # The last one that is not near zero.
    high = np.abs(own[:, :48_000]).max(axis=0) >= 0.25 * np.abs(own[:, STRETCH]).max()
    last = int(np.flatnonzero(high)[-1])
    for channel in (0, 1):
        assert set(held.sound[channel, STRETCH]) == {own[channel, last]}
    loop, _ = planted(tmp_path, "stuck", 20.0)
    inside = loop.sound[:, STRETCH]
    np.testing.assert_array_equal(inside[:, :960], own[:, 47_040:48_000])
    np.testing.assert_array_equal(inside[:, 960:], inside[:, :-960])


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_hum(mains_hz: float, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "hum", -30.0, frequency=mains_hz)
    added = (got.sound - clean().sound)[1, STRETCH]
    assert db((added**2).mean()) == pytest.approx(-30.0, abs=0.1)
    power = np.abs(np.fft.rfft(added)) ** 2
    frequency = np.fft.rfftfreq(len(added), 1 / SOUND_HZ)
    lines = np.sort(frequency[np.argsort(power)[-4:]])
    np.testing.assert_allclose(lines, mains_hz * np.array([1, 2, 3, 5]), atol=1)


def test_hiss(tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "hiss", -35.0)
    added = (got.sound - clean().sound)[:, STRETCH]
    assert db((added**2).mean()) == pytest.approx(-35.0, abs=0.1)
    assert abs(np.corrcoef(added)[0, 1]) < 0.02
    power = np.abs(np.fft.rfft(added[0])) ** 2
    halves = np.array_split(power[1:], 2)
    assert db(halves[0].mean() / halves[1].mean()) == pytest.approx(0.0, abs=0.3)


@pytest.mark.parametrize("gain", [-12.0, 8.0])
def test_loudness(gain: float, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "loudness", gain)
    own, inside = clean().sound[:, STRETCH], got.sound[:, STRETCH]
    assert db((inside**2).mean() / (own**2).mean()) == pytest.approx(gain, abs=0.2)
    loud, _ = planted(tmp_path, "loudness", 24.0)
    assert np.abs(loud.sound[:, STRETCH]).max() <= 0.8901
    # Held, not cut: no run of samples at the limit.
    at_limit = (np.abs(loud.sound[0, STRETCH]) > 0.8895).astype(int)
    assert at_limit.mean() < 0.02


def test_true_peak(tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "true_peak", 1.0)
    inside = got.sound[0, STRETCH]
    assert np.abs(inside).max() == pytest.approx(10 ** ((1.0 - 3.0103) / 20), abs=0.01)
    # Sixteen times as many samples by filling the spectrum with zeros show the peaks between.
    spectrum = np.fft.rfft(inside[:2400])
    fine = np.fft.irfft(np.pad(spectrum, (0, 15 * 1200)), 16 * 2400) * 16
    assert 20 * np.log10(np.abs(fine).max()) == pytest.approx(1.0, abs=0.1)


def babble(t_s: np.ndarray) -> np.ndarray:
    """Sound without a period: sixty tones below 4 kHz."""
    rng = np.random.default_rng(11)
    tones = zip(rng.uniform(100, 4000, 60), rng.uniform(0, 6.28, 60), strict=True)
    one = sum(np.sin(2 * np.pi * hertz * t_s + phase) for hertz, phase in tones) * 0.02
    return np.stack([one, -one]).astype(np.float32)


def lag_of(got: np.ndarray, own: np.ndarray, at: int) -> int:
    """By how many samples what is heard at a place is early."""
    # Short enough that a drift moves by few samples within it.
    part = got[at - 200 : at + 200]
    lags = np.arange(-22_000, 22_000)
    error = [np.square(part - own[at - 200 + lag : at + 200 + lag]).mean() for lag in lags]
    assert min(error) < 0.1 * np.square(part).mean()
    return int(lags[int(np.argmin(error))])


def shifted_sound(folder: Path, name: str, strength: float) -> tuple[np.ndarray, np.ndarray]:
    clip = cached_clip("babble.mkv", seconds=3, audio="pcm_s16le", sound=babble, size=(64, 48), codec="ffv1")
    truth = written(folder / "a.mkv", name, strength, clip=clip)
    assert (truth.faults[0].start_s, truth.faults[0].end_s) == (0.0, 3.0)
    got, own = content(folder / "a.mkv").sound, content(clip).sound
    assert own.shape[1] - 25_000 < got.shape[1] <= own.shape[1]
    return got[0], own[0]


@pytest.mark.parametrize("early_s", [0.25, -0.4, 0.0333])
def test_av_offset(early_s: float, tmp_path: Path) -> None:
    got, own = shifted_sound(tmp_path, "av_offset", early_s)
    for at_s in (1.0, 2.0):
        assert lag_of(got, own, round(at_s * SOUND_HZ)) == round(early_s * SOUND_HZ)
    if early_s < 0:
        assert not got[: round(-early_s * SOUND_HZ) - 4].any()


def test_av_drift(tmp_path: Path) -> None:
    got, own = shifted_sound(tmp_path, "av_drift", 300.0)
    # 5 ms more for every second.
    for at_s in (0.6, 2.0):
        assert lag_of(got, own, round(at_s * SOUND_HZ)) == pytest.approx(0.005 * at_s * SOUND_HZ, abs=3)


@pytest.mark.parametrize("codec", ["aac", "mp2", "ac3", "flac", "pcm"])
def test_codecs(codec: Any, tmp_path: Path) -> None:
    settings = InjectSettings(coding=Coding(audio_codec=codec, preset="ultrafast"))
    written(tmp_path / "a.mkv", "silence", settings=settings)
    sound = content(tmp_path / "a.mkv").sound
    levels = np.array([(part**2).mean() for part in np.array_split(sound, sound.shape[1] // 480, axis=1)])
    quiet = np.flatnonzero(levels < 1e-7)
    # Codecs smear by a block of theirs, and may begin with one of silence.
    inner = quiet[(quiet > 60) & (quiet < 260)]
    assert inner.min() == pytest.approx(100, abs=7)
    assert inner.max() == pytest.approx(219, abs=7)


@pytest.mark.parametrize(("layout", "rate"), [("5.1", 48_000), ("7.1", 48_000), ("mono", 16_000)])
def test_layouts_and_rates(layout: str, rate: int, tmp_path: Path) -> None:
    clip = cached_clip("layout.mp4", seconds=2.5, layout=layout, sample_rate=rate)
    truth = written(tmp_path / "a.mp4", "hum", clip=clip, settings=InjectSettings(coding=Coding(preset="ultrafast")))
    assert (truth.channel_layout, truth.sample_rate) == (layout, rate)
    with av.open(str(tmp_path / "a.mp4")) as container:
        track = container.streams.audio[0]
        assert (track.codec_context.layout.name, track.rate) == (layout, rate)


def spliced(path: Path, *clips: Path) -> Path:
    """Transport streams one after another."""
    path.write_bytes(b"".join(clip.read_bytes() for clip in clips))
    return path


def test_rate_and_channels_may_change_on_the_way(tmp_path: Path) -> None:
    first = cached_clip("first.ts", seconds=2, audio="mp2", start_s=10.0)
    second = cached_clip("second.ts", seconds=2, audio="mp2", start_s=12.0, sample_rate=32_000, layout="mono")
    third = cached_clip("third.ts", seconds=2, audio="mp2", start_s=14.0)
    clip = spliced(tmp_path / "a.ts", first, second, third)
    truth = written(tmp_path / "b.mkv", "silence", clip=clip)
    assert (truth.channel_layout, truth.sample_rate) == ("stereo", SOUND_HZ)
    sound = content(tmp_path / "b.mkv").sound
    assert sound.shape[1] == pytest.approx(6 * SOUND_HZ, abs=5000)
    assert not sound[:, STRETCH].any()
    for at_s in (0.5, 3.0, 5.0):
        assert np.abs(sound[:, round(at_s * SOUND_HZ) :][:, :4800]).max(axis=1).min() > 0.05


def test_the_channel_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"channel_loss: channel=5: the sound of .* has 0 to 1"):
        written(tmp_path / "a.mkv", "channel_loss", channel=5.0)
    with pytest.raises(ConfigError, match=r"dropout: channel=2: the sound of .* has 0 to 1"):
        written(tmp_path / "a.mkv", "dropout", channel=2.0)
