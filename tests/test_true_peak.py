from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.true_peak import TRUE_PEAK, TruePeakLimits
from gpu_qa.events import TrackerState, finish, track
from tests.ebu_signals import RATE, STEREO, measured
from tests.series_builder import assert_same_evidence, audio_series, cut, weighed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_qa.series import AudioSeries, Event

EBU = TruePeakLimits(max_dbtp=-1.0)


def closed(pieces: Iterable[AudioSeries], limits: TruePeakLimits = EBU) -> list[Event]:
    state, events, end_s = TrackerState("s"), {}, 0.0
    for piece in pieces:
        evidence, _ = TRUE_PEAK.weigh(piece, limits, None)
        end_s = float(piece.end_s[-1])
        for part in evidence:
            state, some = track(state, part, TRUE_PEAK.timing)
            events.update({event.id: event for event in some})
    _, some = finish(state, end_s)
    events.update({event.id: event for event in some})
    return sorted(events.values(), key=lambda event: event.start_s)


def music(seconds: float, bursts_s: Iterable[float] = (), level: float = 1.0) -> np.ndarray:
    """Two channels of quiet noise; at `bursts_s` the right one has 20 ms of a tone whose samples miss its peaks."""
    samples = np.random.default_rng(2).normal(0, 0.05, (2, round(seconds * RATE)))
    tone = level * np.sin(np.pi / 2 * np.arange(RATE // 50) + np.pi / 4) * np.hanning(RATE // 50)
    for at_s in bursts_s:
        first = round(at_s * RATE)
        samples[1, first : first + len(tone)] = tone
    return samples


def test_a_peak_between_samples_is_told() -> None:
    samples = music(6.0, [3.0])
    assert np.abs(samples).max() < 10 ** (-2.9 / 20)
    (event,) = closed(measured(samples))
    assert event.kind == "audio.true_peak"
    assert event.severity == "warn"
    assert event.start_s == pytest.approx(3.01, abs=0.02)
    assert event.end_s == pytest.approx(3.01, abs=0.02)
    assert event.value == pytest.approx(0.0, abs=0.3)
    assert event.limit == -1.0
    assert event.details["channel"] == "FR"
    assert event.details["sample_peak_dbfs"] == pytest.approx(-3.0, abs=0.1)
    assert "in audio track 1, highest in FR (limit -1.0 dBTP)" in event.message


def test_below_the_limit_nothing_is_told() -> None:
    assert closed(measured(music(6.0, [3.0], level=0.85))) == []
    assert len(closed(measured(music(6.0, [3.0], level=0.85)), TruePeakLimits(max_dbtp=-2.0))) == 1


def test_without_a_limit_nothing_is_judged() -> None:
    assert TRUE_PEAK.weigh(measured(music(1.0, [0.5]))[0], TRUE_PEAK.limits, None) == ([], None)


def test_peaks_close_together_are_one_event() -> None:
    events = closed(measured(music(20.0, [1.0, 2.0, 3.5, 10.0, 11.9])))
    assert [round(event.start_s) for event in events] == [1, 10]
    assert [round(event.end_s or 0) for event in events] == [4, 12]


def test_every_track_has_its_own() -> None:
    pieces = [
        audio_series(1.0, channels=STEREO, peak_dbfs=[[-0.5, -3.0]], track=1),
        audio_series(1.0, channels=("mono",), peak_dbfs=-3.0, track=2),
        audio_series(1.0, channels=("mono",), peak_dbfs=-0.2, track=3),
    ]
    assert [event.id for event in closed(pieces)] == ["s-audio.true_peak:1-0", "s-audio.true_peak:3-0"]


def test_nothing_in_nothing_out() -> None:
    assert TRUE_PEAK.weigh(audio_series(0.0), EBU, None) == ([], None)
    assert TRUE_PEAK.weigh(audio_series(1.0, channels=()), EBU, None) == ([], None)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 300)))
@settings(max_examples=30, deadline=None)
def test_any_cut_gives_the_same_evidence(seed: int, at: list[int]) -> None:
    peak_dbfs = np.random.default_rng(seed).uniform(-6, 0, (300, 2))
    whole = audio_series(3.0, peak_dbfs=peak_dbfs)
    assert_same_evidence(weighed(TRUE_PEAK, cut(whole, at), EBU), weighed(TRUE_PEAK, [whole], EBU))
