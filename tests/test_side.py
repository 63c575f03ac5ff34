"""Sides of a comparison: what is waited for, what is kept, and when live streams came."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gpu_qa.sync.reference import ReferenceLimits
from gpu_qa.sync.side import PATIENCE_S, Probe, Reference
from tests.series_builder import audio_series, video_series

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries, VideoSeries
    from gpu_qa.sync.reference import Stretch

LIMITS = ReferenceLimits(max_delay_s=12.0, max_lead_s=12.0)
LENGTH_S = 180
"""Of a file."""
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


def played(
    seconds: int,
    live_s: dict[int, tuple[float, float]],
    *,
    files: int = 0,
    limits: ReferenceLimits = LIMITS,
    together: bool = False,
) -> tuple[list[list[Stretch]], list[int], list[float]]:
    """A reference that is a file, live probes that run from one second of the wall clock to another, and files.

    Gives the stretches of each probe, how many series each side kept at most, and when each ended by the wall clock.
    """
    reference = Reference(limits)
    probes = [reference.add() for _ in range(len(live_s) + files)]
    read, most = [0] * (1 + len(probes)), [0] * (1 + len(probes))
    found: list[list[Stretch]] = [[] for _ in probes]
    ended_s = [math.inf] * len(probes)
    for now_s in range(seconds):
        for number, (from_s, until_s) in live_s.items():
            probes[number].live = probes[number].live or now_s >= from_s
            if from_s <= now_s < until_s:
                extend(probes[number], read[1 + number], float(now_s))
                read[1 + number] += 1
        for _ in range(20):
            if read[0] < LENGTH_S and not reference.is_ahead(float(read[0]), float(now_s)):
                extend(reference, read[0])
                read[0] += 1
                reference.extend(ended=read[0] == LENGTH_S)
            for number in range(len(live_s), len(probes)):
                if read[1 + number] < LENGTH_S and not probes[number].is_ahead(float(read[1 + number])):
                    extend(probes[number], read[1 + number])
                    read[1 + number] += 1
                    probes[number].extend(ended=read[1 + number] == LENGTH_S)
        for side, stretch in reference.align() if together else ():
            found[probes.index(side)].append(stretch)
        for number, probe in enumerate(probes):
            found[number] += [] if together else probe.align()
            if probe.carry.done:
                ended_s[number] = min(ended_s[number], now_s)
        reference.forget()
        most = [max(one, len(side.strip.pictures)) for one, side in zip(most, [reference, *probes], strict=True)]
    return found, most, ended_s


def test_probes_are_laid_over_together_as_one_by_one() -> None:
    live_s: dict[int, tuple[float, float]] = {0: (0, 90), 1: (10, 100)}
    found, _, ended_s = played(110, live_s, files=2)
    assert played(110, live_s, files=2, together=True)[::2] == (found, ended_s)
    assert all(len(each) >= 9 for each in found)


def test_a_live_probe_that_stalls_holds_no_other_one_up() -> None:
    (going, stalled), most, _ = played(150, {0: (0, 150), 1: (0, 20)})
    assert [one.end_s for one in going] == [10.0 + 5 * number for number in range(29)]
    assert all(one.skew_s == pytest.approx(0.0, abs=0.01) for one in going)
    assert len(stalled) == 3
    assert most[0] <= 85
    assert max(most[1:]) <= 25


def test_a_live_probe_that_lags_is_laid_over_the_reference_as_well() -> None:
    (first, second), most, _ = played(100, {0: (0, 100), 1: (15, 100)})
    assert len(first) == 19
    assert len(second) == 16
    assert all(one.skew_s == pytest.approx(0.0, abs=0.01) for one in [*first, *second])
    assert most[0] <= 85


@pytest.mark.parametrize("from_s", [0, 1000], ids=["stalls", "does not open"])
def test_a_stalled_live_probe_holds_files_up_no_longer_than_patience(from_s: int) -> None:
    (_, copy), most, ended_s = played(100, {0: (from_s, 20)}, files=1)
    assert len(copy) == LENGTH_S / 5 - 1
    assert all(one.skew_s == pytest.approx(0.0, abs=0.01) for one in copy)
    assert ended_s[1] <= 20 + PATIENCE_S + 10
    assert most[0] <= 85


def test_what_comes_when_its_reference_is_gone_is_not_called_other_content() -> None:
    (_, stalled), _, _ = played(110, {0: (0, 110), 1: (65, 110)})
    assert len(stalled) >= 6
    assert {(one.picture.state, one.sound.state) for one in stalled} == {("outside", "outside")}
    assert stalled[0].picture.reason == "the reference was let go of before this came"


def test_a_reference_does_not_run_away_from_probes_of_which_all_stand_still() -> None:
    (_, _), most, _ = played(200, {0: (0, 20), 1: (0, 10)})
    assert most[0] <= 55


def test_a_clock_that_loses_time_moves_along() -> None:
    reference = Reference()
    for at_s in range(40):
        extend(reference, at_s, float(at_s))
    assert reference.zero_s == pytest.approx(-1.0)
    for at_s in range(40, 110):
        extend(reference, at_s, at_s + 20.0)
    assert reference.zero_s == pytest.approx(19.0)
