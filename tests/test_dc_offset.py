"""DC offset: the middle of the sound is not at zero."""

from __future__ import annotations

import pytest

from gpu_qa.detectors.dc_offset import DC_OFFSET
from tests.series_builder import assert_same_evidence, cut, weighed
from tests.sounds import audio_of, events, tone, voice


@pytest.mark.parametrize("offset", [0.05, -0.2])
def test_an_offset_is_told_where_it_is(offset: float) -> None:
    sound = voice(12.0)
    sound[:, 3 * 48_000 : 7 * 48_000] += offset
    (event,) = events(DC_OFFSET, audio_of(sound))
    assert (event.start_s, event.end_s) == pytest.approx((3.0, 7.0), abs=0.5)
    assert abs(event.value or 0.0) == pytest.approx(abs(offset), rel=0.2)


def test_voices_bass_and_small_offsets_are_none() -> None:
    assert not events(DC_OFFSET, audio_of(voice(12.0)))
    assert not events(DC_OFFSET, audio_of(tone(6.0, 30.0, level_dbfs=-9.0)))
    assert not events(DC_OFFSET, audio_of(voice(8.0) + 0.005))


def test_any_cut_gives_the_same_evidence() -> None:
    sound = voice(8.0)
    sound[:, 3 * 48_000 : 6 * 48_000] += 0.05
    series = audio_of(sound)
    assert_same_evidence(weighed(DC_OFFSET, cut(series, [2, 310, 311, 600])), weighed(DC_OFFSET, [series]))
