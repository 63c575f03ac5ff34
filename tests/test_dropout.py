"""Dropouts: holes torn into sound, and not its pauses, stops and beats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.dropout import DROPOUT, DropoutLimits
from tests.series_builder import assert_same_evidence, audio_series, cut, weighed
from tests.sounds import RATE, audio_of, drums, events, noise, tone, voice

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries


def holed(sound: np.ndarray, holes: list[tuple[float, float]], *, rate: int = RATE, left: float = 0.0) -> np.ndarray:
    """The sound with stretches (start and length in seconds) turned down to a share of it."""
    torn = sound.copy()
    for start_s, length_s in holes:
        torn[:, round(start_s * rate) : round((start_s + length_s) * rate)] *= left
    return torn


MANY = [(2.0 + 0.25 * k, 0.02 + 0.005 * (k % 8)) for k in range(12)]


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 96_000])
def test_holes_that_follow_one_another_are_one_event(rate: int) -> None:
    sound = holed(voice(8.0, rate=rate) + noise(8.0, rate=rate, level_dbfs=-45.0), MANY, rate=rate)
    (event,) = events(DROPOUT, audio_of(sound, rate=rate))
    assert (event.start_s, event.end_s) == pytest.approx((MANY[0][0], sum(MANY[-1])), abs=0.01)
    assert event.details["holes"] == len(MANY)
    assert event.details["times_s"] == pytest.approx([start_s for start_s, _ in MANY], abs=0.003)
    assert event.details["lengths_ms"] == pytest.approx([1000 * length_s for _, length_s in MANY], abs=5.1)
    assert event.details["digital"] is True
    assert event.details["lost_ms"] == pytest.approx(sum(length_s * 1000 for _, length_s in MANY), rel=0.1)
    assert event.value == max(event.details["lengths_ms"]) == pytest.approx(55.0, abs=5.1)
    assert event.limit == 2.5
    assert event.confidence > 0.8


def test_holes_that_a_codec_has_smeared_are_found() -> None:
    """Something is left in the holes, and their edges take 4 ms."""
    gain = holed(np.ones((2, 6 * RATE), np.float32), [(2.0 + 0.3 * k, 0.04) for k in range(6)])
    soft = np.hanning(192)
    gain[:] = np.convolve(gain[0], soft / soft.sum(), "same")
    sound = noise(6.0, level_dbfs=-30.0) * gain + noise(6.0, level_dbfs=-84.0, seed=1)
    (event,) = events(DROPOUT, audio_of(sound))
    assert (event.start_s, event.end_s) == pytest.approx((2.0, 3.54), abs=0.02)
    assert event.details["digital"] is False


@pytest.mark.parametrize("length_s", [0.01, 0.04, 0.2])
def test_one_hole_in_even_sound_is_told_with_less_confidence(length_s: float) -> None:
    sound = holed(tone(4.0, 440.0) + noise(4.0, level_dbfs=-40.0), [(2.0, length_s)])
    (event,) = events(DROPOUT, audio_of(sound))
    assert (event.start_s, event.end_s) == pytest.approx((2.0, 2.0 + length_s), abs=0.003)
    assert event.confidence == pytest.approx(0.6)
    assert event.details["holes"] == 1


def test_silence_is_no_dropout() -> None:
    assert events(DROPOUT, audio_of(holed(noise(5.0), [(2.0, 0.6)]))) == []
    assert events(DROPOUT, audio_series(3.0, rms_dbfs=-np.inf)) == []


@pytest.mark.parametrize(
    "sound",
    [
        voice(20.0),
        np.pad(voice(5.0), ((0, 0), (RATE, RATE))),
        drums(6.0),
        drums(6.0, every_s=0.125),
        noise(5.0),
        noise(5.0) * (1 + 0.9 * np.sin(2 * np.pi * 7 * np.arange(5 * RATE) / RATE)).astype(np.float32),
    ],
    ids=["voice", "voice in digital silence", "drums", "fast drums", "applause", "tremolo"],
)
def test_other_sound_is_left_alone(sound: np.ndarray) -> None:
    assert events(DROPOUT, audio_of(sound)) == []


def test_a_stop_before_a_plosive_is_left_alone() -> None:
    """The voice dies away over 30 ms, the mouth is shut for 70 ms, then it bursts open; again and again."""
    gain = np.ones(6 * RATE, np.float32)
    for at in range(RATE, 5 * RATE, RATE // 3):
        gain[at : at + 1440] = np.linspace(1, 0, 1440) ** 2
        gain[at + 1440 : at + 4800] = 0
    assert events(DROPOUT, audio_of(noise(6.0, level_dbfs=-30.0) * gain + noise(6.0, level_dbfs=-75.0, seed=2))) == []


def test_beeps_over_silence_are_left_alone() -> None:
    beeps = np.zeros((2, 6 * RATE), np.float32)
    for at in range(RATE // 2, 5 * RATE, RATE // 2):
        beeps[:, at : at + RATE // 20] = tone(0.05, 1000.0)
    assert events(DROPOUT, audio_of(beeps)) == []


def wide(duration_s: float, *, rate: int = RATE, shared: float = 0.7) -> np.ndarray:
    """Noise of −23 dBFS in two channels, a share of whose amplitude is the same in both."""
    own, both = noise(duration_s, rate=rate, seed=1), noise(duration_s, rate=rate, seed=2)[:1]
    return np.asarray(np.sqrt(1 - shared**2) * own + shared * both, np.float32)


@pytest.mark.parametrize("rate", [16_000, 48_000])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_holes_in_one_channel_name_it(rate: int, sign: float) -> None:
    sound = wide(8.0, rate=rate)
    torn = np.stack([sound[0], sign * holed(sound, MANY, rate=rate)[1]])
    (event,) = events(DROPOUT, audio_of(torn, rate=rate))
    assert (event.scope, event.details["channel"], event.details["other"]) == ("1:FR", "FR", "FL")
    assert event.message.startswith("sound of channel FR of audio track 1 drops out for moments while FL goes on")
    assert (event.start_s, event.end_s) == pytest.approx((MANY[0][0], sum(MANY[-1])), abs=0.01)
    assert event.details["holes"] == len(MANY)
    assert event.details["times_s"] == pytest.approx([start_s for start_s, _ in MANY], abs=0.003)


@pytest.mark.parametrize("shared", [0.0, 0.3])
def test_a_channel_with_a_sound_of_its_own_may_break_off(shared: float) -> None:
    """Another language, or an effect to one side: what is not in the other channel cannot be missed."""
    sound = wide(8.0, shared=shared)
    assert events(DROPOUT, audio_of(np.stack([holed(sound, MANY)[0], sound[1]]))) == []


def test_what_breaks_off_over_a_shared_sound_leaves_it() -> None:
    """Beeps to the left over the music of both."""
    beeps = holed(tone(8.0, 1000.0, level_dbfs=-14.0), MANY)[0]
    music = wide(8.0, shared=0.98) * 0.1
    assert events(DROPOUT, audio_of(music + np.stack([beeps, np.zeros_like(beeps)]))) == []


def test_few_holes_in_one_channel_are_not_told() -> None:
    sound = wide(8.0)
    for holes in (MANY[:2], [(2.0, 0.03), (4.2, 0.03), (6.4, 0.03)]):
        assert events(DROPOUT, audio_of(np.stack([sound[0], holed(sound, holes)[1]]))) == []


def test_holes_of_a_pair_of_a_surround_programme() -> None:
    sound = np.concatenate([wide(6.0, shared=share) for share in (0.9, 0.0, 0.9)])
    torn = np.stack([*sound[:4], holed(sound, MANY[:6])[4], sound[5]])
    (event,) = events(DROPOUT, audio_of(torn))
    assert (event.details["channel"], event.details["holes"]) == ("SL", 6)


def test_holes_in_one_channel_end_where_it_is_gone() -> None:
    sound = wide(6.0)
    torn = np.stack([sound[0], holed(sound, MANY[:6])[1]])
    first, second = audio_of(torn[:, : 4 * RATE]), audio_of(wide(20.0)[:1], start_s=4.0)
    told = weighed(DROPOUT, [first, second])
    assert [int(one.verdict[-1]) for one in told if one.scope == "1:FR"] == [-1]


def test_mono_and_surround() -> None:
    for channels in (1, 6):
        sound = np.concatenate([noise(4.0, seed=seed)[:1] for seed in range(channels)])
        (event,) = events(DROPOUT, audio_of(holed(sound, MANY[:5])))
        assert event.details["holes"] == 5


def test_two_bursts_are_two_events() -> None:
    holes = [*[(1.0 + 0.2 * k, 0.03) for k in range(4)], *[(5.0 + 0.2 * k, 0.03) for k in range(4)]]
    told = events(DROPOUT, audio_of(holed(noise(9.0), holes)))
    assert [event.start_s for event in told] == pytest.approx([1.0, 5.0], abs=0.003)


def test_limits_change_what_is_told() -> None:
    series = audio_of(holed(noise(4.0, level_dbfs=-30.0), [(2.0, 0.04)], left=0.003))
    assert len(events(DROPOUT, series)) == 1
    assert events(DROPOUT, series, limits=DropoutLimits(lone_drop_db=60.0)) == []
    with pytest.raises(ValueError, match="drop_db"):
        DropoutLimits(drop_db=50.0)
    with pytest.raises(ValueError, match="hole_ms"):
        DropoutLimits(max_hole_ms=2000.0)
    for wrong in ({"join_s": 0.0}, {"channel_join_s": 0.0}, {"channel_holes": 0}, {"alike": 0.0}, {"alike": 1.1}):
        with pytest.raises(ValueError, match=r"join_s|alike"):
            DropoutLimits(**wrong)


def test_a_stream_that_starts_late_and_has_a_gap() -> None:
    first = audio_of(holed(noise(3.0), MANY[:3]), start_s=100.0)
    second = audio_of(holed(noise(3.0), [(1.0, 0.03), (1.3, 0.03)]), start_s=110.0)
    told = events(DROPOUT, first, second)
    assert [event.start_s for event in told] == pytest.approx([102.0, 111.0], abs=0.003)


def test_nothing_in_nothing_out() -> None:
    evidence, _ = DROPOUT.weigh(audio_series(0.0), DROPOUT.limits, None)
    assert evidence == []
    assert DROPOUT.weigh(audio_series(1.0, channels=()), DROPOUT.limits, None)[0] == []


@pytest.fixture(scope="module")
def long() -> AudioSeries:
    sound = holed(voice(22.0) + noise(22.0, level_dbfs=-50.0), [*MANY, (8.0, 0.05), (8.5, 0.3), (9.0, 0.02)])
    sound[1] = holed(sound, [(start_s + 11.0, length_s) for start_s, length_s in MANY])[1]
    return audio_of(sound)


@given(st.lists(st.integers(0, 2200), max_size=60))
@settings(max_examples=25, deadline=None)
def test_any_cut_gives_the_same_evidence(long: AudioSeries, at: list[int]) -> None:
    whole = weighed(DROPOUT, [long])
    assert {one.scope for one in whole} == {"1", "1:FR"}
    assert_same_evidence(weighed(DROPOUT, cut(long, at)), whole)
