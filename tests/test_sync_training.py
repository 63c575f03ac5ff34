from __future__ import annotations

import ctypes.util
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from gpu_qa.errors import ConfigError, GpuQaError
from gpu_qa.sync.content import own_weights, shipped_weights
from gpu_qa.sync.shots import Window
from gpu_qa.sync_training import fit as fitting
from gpu_qa.sync_training import take as taking
from gpu_qa.sync_training.batch import Batch, random_batch
from gpu_qa.sync_training.fit import fit
from gpu_qa.sync_training.mouth import STEPS_PER_S, mouth_track
from gpu_qa.sync_training.scene import impact_scene, talking_scene
from gpu_qa.sync_training.scores import trained_lag_scores
from gpu_qa.sync_training.speech import Speech, Voice, pseudo_words, talk
from gpu_qa.sync_training.take import Take, footage, footage_takes, rendered_take
from gpu_qa_kernels.sync_net import AUDIO_MARGIN, BANDS, CHANNELS, SHAPES, lag_scores
from tests.clips import cached_clip, make_clip

if TYPE_CHECKING:
    from pathlib import Path

with_espeak = pytest.mark.skipif(
    ctypes.util.find_library("espeak-ng") is None, reason="needs the library espeak-ng (Debian: espeak-ng)"
)


@pytest.fixture(scope="module")
def take() -> Take:
    return rendered_take(impact_scene(1, 4.0), 0.3)


def test_impacts_are_seen_when_they_are_heard(take: Take) -> None:
    """The picture changes most where the sound sets in: the lag that fits best is 0, give or take a picture."""
    change = take.motion[:, 0].astype(np.float32).reshape(len(take.motion), -1).max(1)
    loud = take.rows.mean(1)[take.first_row :: 4][: len(change)]
    onset = np.maximum(np.diff(loud, prepend=loud[0]), 0)
    fits = [np.corrcoef(change[5 + lag : len(change) - 5 + lag], onset[5:-5])[0, 1] for lag in range(-5, 6)]
    assert abs(int(np.argmax(fits)) - 5) <= 2


def test_a_scene_is_made_anew_by_its_number() -> None:
    one, other = impact_scene(2, 2.0), impact_scene(2, 2.0)
    np.testing.assert_array_equal(one.motion, other.motion)
    np.testing.assert_array_equal(one.samples, other.samples)
    assert not np.array_equal(impact_scene(3, 2.0).samples[:1000], one.samples[:1000])


def test_lips_close_for_what_is_said_with_closed_lips() -> None:
    """Said is "aba", at one phoneme per 0.2 s."""
    speech = Speech(np.zeros(16_000, np.float32), 16_000, ("a", "b", "a", "_"), np.array([0.1, 0.3, 0.5, 0.7]))
    opening, width = mouth_track(speech, np.random.default_rng(0), lead_s=0.0, smooth_s=0.03)
    at = {name: opening[int(middle_s * STEPS_PER_S)] for name, middle_s in (("a", 0.2), ("b", 0.4), ("_", 0.9))}
    assert at["a"] > 0.5
    assert at["b"] < 0.1
    assert at["_"] < 0.1
    assert len(opening) == len(width) == 201
    early, _ = mouth_track(speech, np.random.default_rng(0), lead_s=0.05, smooth_s=0.03)
    assert int(np.argmax(opening > 0.4)) - int(np.argmax(early > 0.4)) == pytest.approx(10, abs=1)


@with_espeak
def test_speech_has_its_phonemes_in_order() -> None:
    with Voice() as voice:
        speech = voice.say("mama papa", words_per_minute=120)
    assert 0.5 < len(speech.samples) / speech.rate < 3
    assert speech.phonemes[0] == "m"
    assert "p" in speech.phonemes
    assert (np.diff(speech.starts_s) >= 0).all()
    assert np.abs(speech.samples).max() > 0.05
    with pytest.raises(GpuQaError, match="no voice klingon-x"):
        Voice("klingon-x")


@with_espeak
def test_what_is_said_does_not_depend_on_what_was_said_before() -> None:
    seeds = (0, 1, 3, 17)
    first = [talk(np.random.default_rng([7, seed]), 2.0) for seed in seeds]
    again = [talk(np.random.default_rng([7, seed]), 2.0) for seed in seeds[::-1]][::-1]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)
        assert one.phonemes == other.phonemes
        np.testing.assert_array_equal(one.starts_s, other.starts_s)


@with_espeak
def test_a_scene_is_the_same_alone_and_after_others() -> None:
    first = [talking_scene(seed, 1.5) for seed in (1, 2, 3)]
    again = [talking_scene(seed, 1.5) for seed in (3, 2, 1)][::-1]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.motion, other.motion)
        np.testing.assert_array_equal(one.samples, other.samples)


@with_espeak
def test_a_talker_is_rendered() -> None:
    scene = talking_scene(1, 2.0)
    assert np.isfinite(scene.motion.astype(np.float32)).all()
    assert scene.motion.shape[1:] == (CHANNELS, 24, 42)
    assert scene.samples.std() > 0
    assert pseudo_words(np.random.default_rng(0), 5).count(" ") == 4


def test_scores_in_training_are_those_of_the_program() -> None:
    rng = np.random.default_rng(0)
    picture = rng.normal(0, 0.5, (2, 30, 24, 42, CHANNELS)).astype(np.float32)
    sound = rng.normal(-5, 1, (2, 4 * 30 + 2 * AUDIO_MARGIN, BANDS)).astype(np.float32)
    weights = shipped_weights()[0]
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
    got = trained_lag_scores(torch, torch.from_numpy(picture), torch.from_numpy(sound), tensors).numpy()
    np.testing.assert_allclose(got, lag_scores(np, picture, sound, weights), atol=1e-4)


def test_batches_hold_what_the_net_takes(take: Take) -> None:
    batch = random_batch([take], np.random.default_rng(0), 3)
    length = batch.picture.shape[1]
    assert batch.picture.shape == (3, length, 24, 42, CHANNELS)
    assert batch.sound.shape == (3, 4 * length + 2 * AUDIO_MARGIN, BANDS)
    assert (np.abs(batch.lag_s) <= 0.98).all()
    assert np.isfinite(batch.sound).all()
    assert np.isfinite(batch.picture).all()
    assert batch.fits.shape == (3,)


def test_a_tenth_of_the_windows_has_the_wrong_sound(take: Take) -> None:
    rng = np.random.default_rng(1)
    fits = np.concatenate([random_batch([take], rng, 12).fits for _ in range(10)])
    assert 0.8 <= fits.mean() < 1


def test_a_seed_gives_the_same_weights_and_steps_change_them(take: Take) -> None:
    losses: list[float] = []
    one = fit([take], steps=2, seed=3, on_step=lambda step, loss: losses.append(loss))
    other = fit([take], steps=2, seed=3)
    assert {name: weight.shape for name, weight in one.items()} == SHAPES
    for name, weight in one.items():
        np.testing.assert_array_equal(weight, other[name])
    assert losses[0] == pytest.approx(np.log(101), abs=0.3)
    assert not np.array_equal(fit([take], steps=2, seed=4)["sound_1"], one["sound_1"])


def test_a_taught_net_begins_as_the_first_of_its_teachers(take: Take) -> None:
    teachers = [fit([take], steps=1, seed=seed) for seed in (1, 2)]
    taught = fit([take], steps=1, seed=3, teachers=teachers)
    again = fit([take], steps=1, seed=3, teachers=teachers)
    other = fit([take], steps=1, seed=3, teachers=teachers[::-1])
    for name, weight in taught.items():
        np.testing.assert_array_equal(weight, again[name])
        np.testing.assert_allclose(weight, teachers[0][name], atol=1e-3)
    assert np.abs(other["sound_1"] - taught["sound_1"]).max() > 0.1


def test_a_taught_net_is_to_say_what_its_teachers_say_where_they_may_be_right() -> None:
    lag_s = np.array([0.2, 0.2], np.float32)
    batch = Batch(np.zeros(0), np.zeros(0), lag_s, np.array([True, False]))
    said = torch.log_softmax(torch.where(torch.arange(101) == 30, 9.0, 0.0).repeat(2, 1), 1)
    truth = fitting._truth(torch, batch)
    right, wrong = fitting._taught(torch, batch, truth, said)
    assert int(truth[0].argmax()) == 60
    assert int(right.argmax()) == 30
    assert float(right[60]) == pytest.approx(fitting.TRUTH_SHARE * float(truth[0, 60]), rel=0.01)
    np.testing.assert_allclose(wrong, 1 / 101, atol=1e-6)
    np.testing.assert_allclose([float(right.sum()), float(wrong.sum())], 1.0, atol=1e-5)


def test_nothing_to_train_on_is_said() -> None:
    with pytest.raises(GpuQaError, match="nothing to train on"):
        fit([], steps=1, seed=0)


def test_footage_becomes_takes() -> None:
    path = cached_clip(seconds=4.0)
    takes = footage_takes(path)
    assert takes
    assert sum(len(one.motion) for one in takes) >= 60
    for one in takes:
        assert one.motion.shape[1:] == (CHANNELS, 24, 42)
        assert np.isfinite(one.rows).any()


def test_a_clip_without_sound_or_movement_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "useless.mp4"
    make_clip(path, seconds=4, silence=(0, 4))
    with pytest.raises(GpuQaError, match=r"useless.mp4: nothing to train on: .* silent or never changes"):
        footage_takes(path)
    windows, sound = footage(path)
    still = [Window(one.first, np.zeros_like(one.motion)) for one in windows]
    with pytest.raises(GpuQaError, match="nothing moves"):
        taking._check_usable(path, still, sound)


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.npz"
    wrong.write_bytes(b"nothing")
    with pytest.raises(ConfigError, match="holds no weights"):
        own_weights(str(wrong))
    with pytest.raises(ConfigError, match="cannot be read"):
        own_weights(str(tmp_path / "missing.npz"))
    with wrong.open("wb") as file:
        np.savez(file, **{f"0/{name}": np.zeros((*shape, 1)) for name, shape in SHAPES.items()})  # type: ignore[arg-type]
    own_weights.cache_clear()
    with pytest.raises(ConfigError, match="holds no weights"):
        own_weights(str(wrong))
