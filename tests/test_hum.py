"""Hum: the mains' lines, with both ends, and not voices or bass notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.hum import HUM, HumLimits
from tests.series_builder import assert_same_evidence, cut, spectrum_series, weighed
from tests.sounds import RATE, events, noise, spectra_of, tone, voice

if TYPE_CHECKING:
    from gpu_qa.series import SpectrumSeries


def hummed(
    sound: np.ndarray,
    start_s: float,
    end_s: float,
    *,
    mains_hz: float = 50.0,
    level_dbfs: float = -40.0,
    rate: int = RATE,
) -> np.ndarray:
    """The sound with hum of four lines, the first at a level and the k-th k times weaker."""
    first, last = round(start_s * rate), min(round(end_s * rate), sound.shape[1])
    t = np.arange(last - first) / rate
    amplitude = np.sqrt(2) * 10 ** (level_dbfs / 20)
    made = sound.copy()
    made[:, first:last] += sum(amplitude / k * np.sin(2 * np.pi * mains_hz * k * t) for k in (1, 2, 3, 5)).astype("f")
    return made


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_hum_is_told_with_both_ends(mains_hz: float, rate: int) -> None:
    sound = hummed(voice(12.0, rate=rate), 4.03, 7.58, mains_hz=mains_hz, rate=rate)
    (event,) = events(HUM, spectra_of(sound, rate=rate))
    assert (event.start_s, event.end_s) == pytest.approx((4.03, 7.58), abs=0.15)
    assert event.details["mains_hz"] == mains_hz
    assert mains_hz in event.details["lines_hz"]
    assert event.value == pytest.approx(max(event.details["lines_dbfs"]), abs=0.06)
    assert event.details["level_dbfs"] == pytest.approx(-38.6, abs=1.0)
    assert len(event.details["lines_hz"]) == len(event.details["lines_dbfs"]) == len(event.details["lines_above_db"])


def test_hum_that_was_always_there() -> None:
    (event,) = events(HUM, spectra_of(hummed(voice(8.0), 0.0, 8.0)))
    assert (event.start_s, event.end_s) == pytest.approx((0.0, 8.0), abs=0.11)


@pytest.mark.parametrize("off_hz", [-0.2, 0.2])
def test_the_grid_is_never_quite_exact(off_hz: float) -> None:
    assert len(events(HUM, spectra_of(hummed(voice(8.0), 2.0, 6.0, mains_hz=50.0 + off_hz)))) == 1


def test_one_line_alone_must_stand_out() -> None:
    clear = voice(8.0) + np.pad(tone(4.0, 50.0, level_dbfs=-40.0), ((0, 0), (2 * RATE, 2 * RATE)))
    (event,) = events(HUM, spectra_of(clear))
    assert event.details["lines_hz"] == [50.0]
    assert event.confidence < 0.8
    hidden = noise(8.0, level_dbfs=-20.0) + tone(8.0, 50.0, level_dbfs=-47.0)
    assert events(HUM, spectra_of(hidden)) == []


@pytest.mark.parametrize(
    "sound",
    [
        voice(12.0),
        tone(6.0, 49.0) + tone(6.0, 98.0, level_dbfs=-30.0) + tone(6.0, 147.0, level_dbfs=-35.0),
        tone(6.0, 61.74) + tone(6.0, 123.47, level_dbfs=-30.0),
        noise(6.0),
        tone(6.0, 1000.0),
        hummed(voice(6.0), 1.0, 5.0, level_dbfs=-75.0),
        hummed(voice(6.0), 2.0, 3.0),
    ],
    ids=["voice", "G1", "B1", "noise", "line-up tone", "too weak", "too short"],
)
def test_other_sound_is_left_alone(sound: np.ndarray) -> None:
    assert events(HUM, spectra_of(sound)) == []


def test_notes_that_fade_are_left_alone() -> None:
    """A string plucked at 50 Hz, every second: right at the mains, but never steady."""
    t = np.arange(8 * RATE) / RATE
    pluck = np.exp(-(t % 1.0) / 0.15) * sum(np.sin(2 * np.pi * 50 * k * t) / k for k in range(1, 6))
    assert events(HUM, spectra_of(np.stack([pluck, pluck]).astype("f") * 0.1)) == []


def test_loud_programme_may_hide_it_for_a_while() -> None:
    sound = hummed(voice(12.0), 2.0, 11.0)
    sound[:, 6 * RATE : 7 * RATE] += noise(1.0, level_dbfs=-3.0)
    (event,) = events(HUM, spectra_of(sound))
    assert (event.start_s, event.end_s) == pytest.approx((2.0, 11.0), abs=0.15)


def test_lines_of_the_programme_do_not_take_the_place_of_those_told() -> None:
    """A synthesizer plays 200 and 350 Hz for three seconds, louder than the hum."""
    sound = hummed(voice(12.0), 2.0, 11.0)
    (alone,) = events(HUM, spectra_of(sound))
    sound[:, 6 * RATE : 9 * RATE] += tone(3.0, 200.0, level_dbfs=-30.0) + tone(3.0, 350.0, level_dbfs=-30.0)
    (event,) = events(HUM, spectra_of(sound))
    assert event.details == alone.details
    assert event.details["lines_hz"] == [50.0, 100.0, 150.0, 250.0]
    assert event.value == alone.value
    assert event.end_s == pytest.approx(11.0, abs=0.15)


def test_lines_that_come_to_light_are_told() -> None:
    """Noise hides the weakest line for the first seconds."""
    sound = hummed(noise(12.0, level_dbfs=-100.0), 2.0, 11.0)
    sound[:, : 5 * RATE] += noise(5.0, level_dbfs=-18.0)
    early = events(HUM, spectra_of(sound[:, : 5 * RATE]))[-1]
    (event,) = events(HUM, spectra_of(sound))
    assert len(early.details["lines_hz"]) < len(event.details["lines_hz"])
    assert event.details["lines_hz"] == [50.0, 100.0, 150.0, 250.0]
    assert event.details["lines_dbfs"] == pytest.approx([-40.0, -46.0, -49.5, -54.0], abs=0.8)


def test_hum_that_goes_on_weaker_is_told_again() -> None:
    sound = hummed(hummed(voice(14.0), 2.0, 6.0, level_dbfs=-35.0), 6.0, 13.0, level_dbfs=-50.0)
    told = events(HUM, spectra_of(sound))
    assert [event.details["lines_dbfs"][0] for event in told] == pytest.approx([-35.0, -50.0], abs=2.0)
    assert [told[0].end_s, told[1].end_s] == pytest.approx([6.0, 13.0], abs=0.25)


def test_limits_change_what_is_told() -> None:
    series = spectrum_series(6.0, lines_dbfs={50.0: -50.0, 100.0: -55.0})
    assert len(events(HUM, series)) == 1
    assert events(HUM, series, limits=HumLimits(raise_dbfs=-40.0)) == []
    with pytest.raises(ValueError, match="above_db"):
        HumLimits(above_db=0.0)
    with pytest.raises(ValueError, match="confirm_s"):
        HumLimits(confirm_s=0.1)


def test_a_gap_ends_nothing() -> None:
    """What is on either side of a gap is one hum."""
    lines = {60.0: -40.0, 180.0: -45.0}
    told = events(HUM, spectrum_series(5.0, lines_dbfs=lines), spectrum_series(5.0, start_s=7.0, lines_dbfs=lines))
    assert [(event.start_s, event.end_s) for event in told] == [(0.0, pytest.approx(12.0))]  # type: ignore[comparison-overlap]


def test_nothing_in_nothing_out() -> None:
    assert HUM.weigh(spectrum_series(0.0), HUM.limits, None)[0] == []
    assert HUM.weigh(spectrum_series(1.0, channels=()), HUM.limits, None)[0] == []


@pytest.fixture(scope="module")
def long() -> SpectrumSeries:
    return spectra_of(hummed(hummed(voice(14.0), 2.0, 5.0), 8.0, 12.0, mains_hz=60.0, level_dbfs=-45.0))


@given(st.lists(st.integers(0, 140), max_size=40))
@settings(max_examples=25, deadline=None)
def test_any_cut_gives_the_same_evidence(long: SpectrumSeries, at: list[int]) -> None:
    whole = weighed(HUM, [long])
    assert whole
    assert_same_evidence(weighed(HUM, cut(long, at)), whole)
