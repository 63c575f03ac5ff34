from __future__ import annotations

import dataclasses
import wave
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpu_qa
from gpu_qa.config import override
from gpu_qa.detectors.loudness import LOUDNESS, LoudnessLimits
from gpu_qa.events import TrackerState, finish, track
from gpu_qa.loudness import NO_HOPS, channel_weights, sliding_lufs
from tests.ebu_signals import RATE, STEREO, measured, tones
from tests.series_builder import assert_same_evidence, audio_series, cut, weighed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from gpu_qa.series import AudioSeries, Event

EBU = LoudnessLimits(target_lufs=-23.0)
MONO = ("FC",)
FULL_SCALE_LUFS = -0.691
"""Loudness of one channel in front whose K-weighted power is full scale."""


def sound(*steps: tuple[float, float], spread_lu: float = 0.0, seed: int = 1, **more: Any) -> AudioSeries:
    """One channel of (loudness in LUFS, seconds) one after the other, whose hops vary by `spread_lu`."""
    levels = np.concatenate([np.full(round(seconds * 100), lufs) for lufs, seconds in steps]) - FULL_SCALE_LUFS
    # The mean power of levels that vary so lies this much above that of the mean level.
    above_lu = spread_lu**2 * np.log(10) / 20
    levels = levels + np.random.default_rng(seed).normal(-above_lu, spread_lu, len(levels))
    return audio_series(len(levels) / 100, channels=MONO, rms_dbfs=levels[:, None], **more)


def closed(pieces: Iterable[AudioSeries], limits: LoudnessLimits = EBU, *, whole: bool = False) -> list[Event]:
    """The events of a stream, as they stand when it has ended; of a file read to its end with `whole`."""
    carry: Any = None
    state, events, until_s = TrackerState("s"), {}, 0.0
    told = []
    for piece in pieces:
        evidence, carry = LOUDNESS.weigh(piece, limits, carry)
        told += evidence
        until_s = float(piece.end_s[-1]) if len(piece) else until_s
    assert LOUDNESS.conclude is not None
    for part in [*told, *(LOUDNESS.conclude(limits, carry) if whole else [])]:
        state, some = track(state, part, LOUDNESS.timing)
        events.update({event.id: event for event in some})
    _, some = finish(state, until_s)
    events.update({event.id: event for event in some})
    return sorted(events.values(), key=lambda event: event.start_s)


def in_series(series: AudioSeries) -> list[AudioSeries]:
    return cut(series, range(40, len(series), 40))


@pytest.mark.parametrize(("lufs", "side"), [(-14.0, "loud"), (-36.0, "quiet")])
def test_half_a_minute_at_another_loudness_is_told_while_it_lasts(lufs: float, side: str) -> None:
    series = sound((-23.0, 60.0), (lufs, 40.0), (-23.0, 60.0), spread_lu=3.0)
    (event,) = closed(in_series(series))
    assert event.kind == "audio.loudness"
    assert event.id.startswith(f"s-audio.loudness:1:{side}-")
    assert event.start_s == pytest.approx(60.0, abs=0.5)
    assert event.end_s == pytest.approx(100.0, abs=0.5)
    assert event.severity == "major"
    assert event.limit == (-18.0 if side == "loud" else -33.0)
    assert event.value == pytest.approx(lufs, abs=1.0)
    assert event.details["window_s"] == 30.0
    assert f"too {side} for 40 s in audio track 1" in event.message


def test_it_is_told_within_the_window() -> None:
    series = sound((-23.0, 60.0), (-13.0, 60.0))
    state, carry, opened = TrackerState("s"), None, None
    for piece in in_series(series):
        evidence, carry = LOUDNESS.weigh(piece, EBU, carry)
        for part in evidence:
            state, some = track(state, part, LOUDNESS.timing)
            if some and opened is None:
                opened = float(piece.end_s[-1])
    # 10 LU louder for a quarter of the window makes it 5 LU louder.
    assert opened == pytest.approx(60.0 + 8.5, abs=1.5)


@pytest.mark.parametrize(
    "steps",
    [
        [(-23.0, 200.0)],
        [(-23.0, 60.0), (-10.0, 1.0), (-23.0, 60.0)],  # a shout
        [(-23.0, 60.0), (-45.0, 20.0), (-23.0, 60.0)],  # a quiet moment
        [(-23.0, 60.0), (-np.inf, 90.0), (-23.0, 60.0)],  # silence is another kind
        [(-19.0, 60.0), (-30.0, 60.0)],  # within the limits
        [(-8.0, 25.0)],  # shorter than the window
    ],
)
def test_what_varies_as_programmes_do_is_not_told(steps: list[tuple[float, float]]) -> None:
    assert closed(in_series(sound(*steps, spread_lu=4.0))) == []


def test_pauses_do_not_end_it_and_do_not_move_its_start() -> None:
    speech = [(-12.0, 4.0), (-np.inf, 2.0)] * 8
    (event,) = closed(in_series(sound((-23.0, 60.0), *speech, (-23.0, 60.0))))
    assert event.start_s == pytest.approx(60.0, abs=0.5)
    assert event.end_s == pytest.approx(106.0, abs=0.6)


def test_without_a_target_nothing_is_judged() -> None:
    series = in_series(sound((-5.0, 90.0)))
    assert closed(series, LoudnessLimits(), whole=True) == []
    assert LOUDNESS.weigh(series[0], LOUDNESS.limits, None) == ([], None)


@pytest.mark.parametrize(
    ("lufs", "is_told"), [(-23.0, False), (-22.55, False), (-22.4, True), (-23.45, False), (-23.6, True)]
)
def test_a_whole_programme_is_judged_at_its_end(lufs: float, is_told: bool) -> None:
    series = sound((-np.inf, 2.0), (lufs, 120.0), (-60.0, 10.0), start_s=5.0)
    assert closed(in_series(series)) == []
    events = closed(in_series(series), whole=True)
    assert bool(events) == is_told
    if is_told:
        (event,) = events
        assert (event.start_s, event.end_s) == (5.0, pytest.approx(137.0))  # type: ignore[comparison-overlap]
        assert event.value == pytest.approx(lufs, abs=0.05)
        assert event.limit == (-22.5 if lufs > -23 else -23.5)
        assert f"the programme is too {'loud' if lufs > -23 else 'quiet'}" in event.message
        assert event.details["measure"] == "programme"


def test_the_tolerance_is_a_setting() -> None:
    series = in_series(sound((-22.2, 40.0)))
    assert closed(series, dataclasses.replace(EBU, tolerance_lu=1.0), whole=True) == []
    assert len(closed(series, dataclasses.replace(EBU, target_lufs=-24.0, tolerance_lu=1.0), whole=True)) == 1


def test_silence_is_no_programme() -> None:
    assert closed(in_series(sound((-np.inf, 60.0))), whole=True) == []
    assert closed([], whole=True) == []


def test_a_long_programme_misses_its_target_without_being_critical() -> None:
    (event,) = closed([sound((-21.0, 600.0))], whole=True)
    assert event.severity == "major"


def test_short_term_loudness_has_a_limit_of_its_own() -> None:
    limits = LoudnessLimits(max_short_term_lufs=-18.0)
    series = sound((-23.0, 20.0), (-15.0, 5.0), (-23.0, 20.0))
    (event,) = closed(in_series(series), limits, whole=True)
    assert event.id.startswith("s-audio.loudness:1:short_term-")
    assert event.value == pytest.approx(-15.0, abs=0.05)
    assert event.limit == -18.0
    assert 20.0 < event.start_s < 23.0
    assert 25.0 < event.end_s < 28.0 if event.end_s else False
    assert closed(in_series(series), dataclasses.replace(limits, max_short_term_lufs=-14.9)) == []


def test_mono_on_two_loudspeakers_is_louder() -> None:
    series = in_series(sound((-23.0, 60.0)))
    assert closed(series, dataclasses.replace(EBU, target_lufs=-20.0), whole=True) != []
    assert closed(series, dataclasses.replace(EBU, target_lufs=-20.0, dual_mono=True), whole=True) == []
    # Both channels of a stereo track already count.
    both = [audio_series(60.0, channels=STEREO, rms_dbfs=-26.0 - FULL_SCALE_LUFS)]
    assert closed(both, dataclasses.replace(EBU, dual_mono=True), whole=True) == []


def test_tracks_are_judged_apart() -> None:
    right, wrong = sound((-23.0, 60.0), track=1), sound((-12.0, 60.0), track=2)
    pieces = [piece for both in zip(in_series(right), in_series(wrong), strict=True) for piece in both]
    events = closed(pieces, whole=True)
    assert {event.details["track"] for event in events} == {2}
    assert {event.details["measure"] for event in events} == {"window", "programme"}


def test_sound_as_it_is_measured() -> None:
    """A tone 9 LU above the target for 20 s, through filters and windows."""
    pieces = measured(tones((-23.0, 40.0), (-14.0, 20.0), (-23.0, 40.0)))
    (event,) = closed(pieces)
    assert event.start_s == pytest.approx(40.0, abs=0.3)
    assert event.end_s == pytest.approx(60.0, abs=0.5)


def test_limits_are_checked() -> None:
    for wrong in (
        {"tolerance_lu": -1.0},
        {"window_over_lu": 0.0},
        {"window_under_lu": float("nan")},
        {"window_s": 0.5},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            LoudnessLimits(**wrong)  # type: ignore[arg-type]


def test_nothing_in_nothing_out() -> None:
    assert LOUDNESS.weigh(audio_series(0.0), EBU, None) == ([], None)
    evidence, carry = LOUDNESS.weigh(audio_series(1.0, channels=()), EBU, None)
    assert evidence == []
    assert carry is not None


def gappy(levels: np.ndarray, gaps: Sequence[int]) -> AudioSeries:
    """Hops of one channel, whose windows begin anew at the hops `gaps`."""
    series = audio_series(len(levels) / 100, channels=MONO, rms_dbfs=levels[:, None])
    parts = np.split(series.k_power, sorted(gaps))
    slid = [sliding_lufs(part, channel_weights(MONO), NO_HOPS)[:2] for part in parts]
    momentary, short_term = (np.concatenate(values) for values in zip(*slid, strict=True))
    return dataclasses.replace(series, momentary_lufs=momentary, short_term_lufs=short_term)


@given(
    st.integers(0, 2**32 - 1), st.lists(st.integers(0, 1500), max_size=12), st.lists(st.integers(1, 1499), max_size=3)
)
@settings(max_examples=30, deadline=None)
def test_any_cut_gives_the_same_evidence(seed: int, at: list[int], gaps: list[int]) -> None:
    rng = np.random.default_rng(seed)
    levels = np.repeat(rng.uniform(-45, -5, 15), 100) + rng.normal(0, 3, 1500)
    levels[rng.random(1500) < 0.1] = -np.inf
    whole = gappy(levels, gaps)
    limits = LoudnessLimits(target_lufs=-23.0, window_s=3.0, max_short_term_lufs=-18.0)
    assert_same_evidence(weighed(LOUDNESS, cut(whole, at), limits), weighed(LOUDNESS, [whole], limits))
    carries = []
    for pieces in (cut(whole, at), [whole]):
        carry: Any = None
        for piece in pieces:
            _, carry = LOUDNESS.weigh(piece, limits, carry)
        carries.append(carry)
    assert LOUDNESS.conclude is not None
    assert_same_evidence(*(LOUDNESS.conclude(limits, carry) for carry in carries))


def test_what_is_carried_does_not_grow() -> None:
    carry: Any = None
    for _ in range(20):
        _, carry = LOUDNESS.weigh(sound((-23.0, 60.0)), EBU, carry)
    state = carry.tracks[1]
    assert (len(state.blocks), len(state.ends_s)) == (300, 300)


@pytest.fixture
def wave_file(tmp_path: Path) -> str:
    """12 s of a tone of −20 LUFS whose true peak is −20 dBTP."""
    codes = np.rint(tones((-20.0, 12.0)) * 32_767).astype("<i2")
    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(codes.repeat(2).tobytes())
    return str(tmp_path / "tone.wav")


def profile(name: str) -> gpu_qa.Settings:
    return override(gpu_qa.Settings(), {"profile": name})


def told(report: gpu_qa.Report) -> list[gpu_qa.Event]:
    return [event for event in report.events if event.kind == "audio.loudness"]


def test_a_file_is_judged_by_its_profile(wave_file: str) -> None:
    by_default = gpu_qa.analyze(wave_file)
    assert by_default.measurements["integrated_lufs"] == pytest.approx(-20.0, abs=0.05)
    assert by_default.measurements["true_peak_dbtp"] == pytest.approx(-20.0, abs=0.05)
    assert told(by_default) == []
    for name, is_told in (("ebu", True), ("atsc", True), ("streaming", False)):
        events = told(gpu_qa.analyze(wave_file, profile(name)))
        assert [event.state for event in events] == ["closed"] * is_told
        assert [event.end_s for event in events] == [pytest.approx(12.0, abs=0.02)] * is_told


def test_what_is_not_a_whole_programme_is_not_judged_as_one(wave_file: str) -> None:
    settings = profile("ebu")
    part = gpu_qa.Analysis(wave_file, settings, duration_s=5.0)
    live = gpu_qa.Analysis(wave_file, dataclasses.replace(settings, source=gpu_qa.SourceSettings(live=True)))
    for analysis in (part, live):
        list(analysis)
        report = analysis.report()
        assert report.measurements["integrated_lufs"] == pytest.approx(-20.0, abs=0.05)
        assert told(report) == []
