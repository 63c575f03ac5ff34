"""Sides of a comparison: what is waited for, what is kept, and when live streams came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from gpu_qa.sync.side import Probe, Reference
from tests.series_builder import audio_series, video_series

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries, VideoSeries

RNG = np.random.default_rng(5)
LUMA = RNG.uniform(0.2, 0.8, (400, 24, 42)).cumsum(axis=0) % 1
LEVEL_DBFS = RNG.uniform(-50, -10, 4000)


def second(at_s: int, later_s: int = 0, sound_later_s: int = 0) -> tuple[VideoSeries, AudioSeries]:
    """A second of a programme that comes so much later on this clock; five pictures in it."""
    first, hop = 5 * (at_s - later_s + 100) % 400, 10 * (at_s - sound_later_s + 100) % 4000
    return (
        video_series(5, start_s=at_s, frame_rate=5, luma=LUMA[first : first + 5]),
        audio_series(1.0, start_s=at_s, rms_dbfs=np.repeat(LEVEL_DBFS[hop : hop + 10], 10)[:, None]),
    )


def extend(side: Reference | Probe, at_s: int, now_s: float | None = None, later_s: int = 0) -> None:
    video, audio = second(at_s, later_s)
    side.extend([video], [audio], until_s=at_s + 1.0, now_s=now_s)


def test_files_wait_for_one_another_and_nothing_is_kept_for_ever() -> None:
    reference = Reference()
    probe = reference.add()
    sides: tuple[Reference | Probe, ...] = (reference, probe)
    read = [0, 0]
    most = [0, 0]
    while read[1] < 200:
        before = list(read)
        for index, side in enumerate(sides):
            if not side.is_ahead(float(read[index])):
                extend(side, read[index])
                read[index] += 1
        probe.align()
        reference.forget()
        assert read != before, "both wait"
        most = [max(one, len(side.strip.pictures)) for one, side in zip(most, sides, strict=True)]
    assert most[0] <= 165
    assert most[1] <= 50
    reference.remove(probe)
    assert not reference.strip.pictures
    assert not reference.is_ahead(1e6)


def test_a_live_probe_does_not_wait_for_ever_for_a_reference_that_stands_still() -> None:
    reference = Reference()
    probe = reference.add()
    reference.live = probe.live = True
    found = []
    for at_s in range(200):
        if at_s < 30:
            extend(reference, at_s, float(at_s))
        extend(probe, at_s, float(at_s))
        found += probe.align()
        reference.forget()
        assert len(probe.strip.pictures) < 70
    assert found[0].skew_s == pytest.approx(0.0, abs=0.01)
    assert found[-1].picture.state == "outside"
    assert found[-1].end_s > 140


def test_live_streams_are_compared_by_when_they_came() -> None:
    """The probe began ten minutes after the reference, and comes 3 s later than it."""
    reference = Reference()
    probe = reference.add()
    reference.live = probe.live = True
    found = []
    for now_s in range(660):
        if now_s >= 0:
            extend(reference, now_s, float(now_s))
        if now_s >= 600:
            extend(probe, now_s - 600, float(now_s), later_s=-597)
        found += probe.align()
        reference.forget()
        assert len(reference.strip.pictures) < 200
    assert found
    assert all(one.picture.delay_s == pytest.approx(3.0, abs=0.05) for one in found[1:])


def test_a_clock_that_loses_time_moves_along() -> None:
    reference = Reference()
    for at_s in range(40):
        extend(reference, at_s, float(at_s))
    assert reference.zero_s == pytest.approx(-1.0)
    for at_s in range(40, 110):
        extend(reference, at_s, at_s + 20.0)
    assert reference.zero_s == pytest.approx(19.0)
