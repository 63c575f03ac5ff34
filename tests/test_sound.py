"""Sound measured ahead of the stream's clock: runs, their rests, and where they lie once the clock is known."""

from __future__ import annotations

import dataclasses
import itertools
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.features import HostSound, Measured, StreamFeatures
from gpu_qa.media import AudioSamples, SkippedFrame, Track
from tests.series_builder import joined
from tests.sounds import RATE, noise

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BASE = Fraction(1, RATE)
VIDEO = Track(0, "video", "h264", BASE, frame_rate=Fraction(25))
TRACK = Track(1, "audio", "pcm_s16le", BASE)


def samples(sound: np.ndarray, pts: int | None, *, track: Track = TRACK, rate: int = RATE) -> AudioSamples:
    return AudioSamples(track, pts, track.time_base, rate, ("FL", "FR"), np.ascontiguousarray(sound))


def pieces(sound: np.ndarray, cuts: Iterable[int]) -> list[AudioSamples]:
    edges = sorted({0, sound.shape[1], *(cut % sound.shape[1] for cut in cuts)})
    return [samples(sound[:, low:high], low) for low, high in itertools.pairwise(edges)]


def elsewhere(
    sounds: Sequence[AudioSamples], *, rest_after: Iterable[int] = (), tracks: Sequence[Track] = (TRACK,)
) -> tuple[list[Measured], StreamFeatures]:
    """What a stream makes of sound measured before it is taken; after some sounds the rest is fetched."""
    host, features, found = HostSound(), StreamFeatures(tracks), list[Measured]()
    for number, sound in enumerate(sounds):
        found.append(features.take((), (host.measure(sound),)))
        if number in rest_after:
            found.append(features.flush(host.rest()))
    return [*found, features.flush(host.rest(ended=True), ended=True)], features


def series(found: Sequence[Measured], what: str) -> Any:
    return joined(*(one for measured in found for one in getattr(measured, what)))


@given(st.lists(st.integers(0, 200_000), max_size=40), st.sets(st.integers(0, 40)))
@settings(max_examples=15, deadline=None)
def test_any_cut_and_any_rest_gives_the_same_bits(cuts: list[int], rest_after: set[int]) -> None:
    sound = noise(2.7)
    parts, _ = elsewhere(pieces(sound, cuts), rest_after=rest_after)
    features = StreamFeatures([TRACK])
    whole = [features.take((), [samples(sound, 0)]), features.flush(ended=True)]
    for what in ("audio", "spectrum"):
        one, other = series(parts, what), series(whole, what)
        for item in dataclasses.fields(one):
            np.testing.assert_array_equal(getattr(one, item.name), getattr(other, item.name), item.name)


def test_a_gap_begins_a_run_where_the_clock_says() -> None:
    found, _ = elsewhere([samples(noise(1.0), 0), samples(noise(1.0), 4 * RATE)])
    for what, step_s in (("audio", 0.01), ("spectrum", 0.1)):
        count = round(1 / step_s)
        expected = np.concatenate([np.arange(count), np.arange(count) + 4 * count]) * step_s
        np.testing.assert_allclose(series(found, what).pts_s, expected, atol=1e-9)


@pytest.mark.parametrize("jump_s", [3600, -20])
def test_through_a_discontinuity_the_clock_runs_on(jump_s: int) -> None:
    found, features = elsewhere([samples(noise(1.0), 100 * RATE), samples(noise(1.0), (101 + jump_s) * RATE)])
    np.testing.assert_allclose(series(found, "audio").pts_s, np.arange(200) / 100, atol=1e-9)
    assert [fact.kind for fact in features.stream_series().facts] == ["discontinuity"]


def test_timestamps_that_waver_do_not_break_a_run() -> None:
    sound, wander = noise(2.0), (0, 900, -900, 1500)
    cut = [samples(sound[:, at : at + 4800], at + wander[at // 4800 % 4]) for at in range(0, sound.shape[1], 4800)]
    found, _ = elsewhere(cut)
    np.testing.assert_allclose(series(found, "audio").pts_s, np.arange(200) / 100, atol=1e-9)


def test_sound_without_timestamps_follows_what_came_before() -> None:
    found, _ = elsewhere([samples(noise(0.5), 0), samples(noise(0.5), None), samples(noise(0.5), RATE)])
    np.testing.assert_allclose(series(found, "audio").pts_s, np.arange(150) / 100, atol=1e-9)


def test_before_the_first_picture_measures_wait_the_rest_too() -> None:
    host, features = HostSound(), StreamFeatures([VIDEO, TRACK])
    for at in range(0, 2 * RATE, RATE // 4):
        assert features.take((), (host.measure(samples(noise(0.25), RATE + at)),)) == Measured()
    assert features.flush(host.rest()) == Measured()
    found = [features.take((SkippedFrame(RATE * 3 // 2, RATE // 25, BASE),)), features.flush(host.rest(ended=True))]
    np.testing.assert_allclose(series(found, "audio").pts_s, -0.5 + np.arange(200) / 100, atol=1e-9)


def test_tracks_are_measured_each_by_itself() -> None:
    other = Track(2, "audio", "aac", BASE)
    sounds = [
        samples(noise(0.5, seed=track.index), at, track=track)
        for at in range(0, 2 * RATE, RATE // 2)
        for track in (TRACK, other)
    ]
    found, _ = elsewhere(sounds, tracks=(TRACK, other))
    heard = [one for measured in found for one in measured.audio]
    assert {track: sum(len(one) for one in heard if one.track == track) for track in (1, 2)} == {1: 200, 2: 200}


def test_a_new_format_begins_a_run() -> None:
    host = HostSound()
    assert host.measure(samples(noise(0.5), 0)).begins
    assert not host.measure(samples(noise(0.1), RATE // 2)).begins
    changed = host.measure(samples(noise(0.5, rate=16_000), round(0.6 * RATE), rate=16_000))
    assert changed.begins
    assert sum(len(one) for one in changed.before.audio) == 60
    assert sum(len(one) for one in changed.before.spectrum) == 6


def test_without_spectra_none_are_measured() -> None:
    host = HostSound(spectra=False)
    measured = host.measure(samples(noise(2.0), 0))
    assert measured.heard.audio
    assert not measured.heard.spectrum
    assert all(not rest.spectrum for rest in host.rest(ended=True))


def test_the_bands_of_speech_are_measured_of_the_first_track_alone() -> None:
    host = HostSound(speech=True)
    for track, has_speech in ((TRACK, True), (dataclasses.replace(TRACK, index=2), False)):
        heard = host.measure(samples(noise(2.0), 0, track=track)).heard.audio
        assert heard
        assert all((one.speech is not None) == has_speech for one in heard)
