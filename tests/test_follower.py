"""The reference way of one stream: its answers, whatever the thread beside takes."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gpu_qa.sync import follower as module
from gpu_qa.sync.follower import Follower
from gpu_qa.sync.schedule import lay
from gpu_qa.sync.side import Reference
from tests.strips import Programme

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_qa.series import SyncSeries

REFERENCE, PROBE = Programme(), Programme(later_s=2.0, skew_s=0.2)
Told = list[tuple[float, "SyncSeries"]]


def followed(probe: Programme, seconds: int, *, threaded: bool = True) -> tuple[Told, dict[str, Any]]:
    """Answers of a file, and how far it had been read with each; it is held back as the engine would."""
    reference = Reference()
    reference.name = "studio"
    one = Follower(reference.add(), threaded=threaded)
    one.begin(live=False)
    ours, theirs = probe.pieces(seconds, range(1, seconds)), REFERENCE.pieces(seconds, range(1, seconds))
    told: Told = []
    read = given = 0
    while read < seconds:
        if given < seconds and not reference.is_ahead(given):
            video, audio = theirs[given]
            given += 1
            reference.extend([video], [audio], ended=given == seconds)
        if one.is_ahead(float(read), ended=False):
            time.sleep(0.001)
            continue
        video, audio = ours[read]
        read += 1
        told += [(float(read), answer) for answer in one.take([video], [audio], until_s=float(read), now_s=0.0)]
    while one.is_ahead(float(read), ended=True):
        time.sleep(0.001)
    told += [(float(read), answer) for answer in one.take([], [], until_s=float(read), now_s=0.0, finished=True)]
    return told, one.measurements()


def slowed(monkeypatch: pytest.MonkeyPatch, pauses_s: list[float]) -> None:
    pauses = iter(pauses_s * 100)

    def slow(*arguments: Any) -> Any:
        time.sleep(next(pauses))
        return lay(*arguments)

    monkeypatch.setattr(module, "lay", slow)


@pytest.mark.parametrize("pauses_s", [[0.0], [0.4], [0.0, 0.0, 0.6, 0.1]])
def test_a_slow_thread_beside_changes_no_answer_nor_where_it_is_told(
    monkeypatch: pytest.MonkeyPatch, pauses_s: list[float]
) -> None:
    wanted, measured = followed(PROBE, 60, threaded=False)
    assert len(wanted) >= 9
    slowed(monkeypatch, pauses_s)
    told, known = followed(PROBE, 60)
    assert known == measured
    assert [at_s for at_s, _ in told] == [at_s for at_s, _ in wanted]
    for (_, here), (_, there) in zip(told, wanted, strict=True):
        for name in ("start_s", "end_s", "offset_s", "sigma_s", "confidence"):
            np.testing.assert_array_equal(getattr(here, name), getattr(there, name))


def live(
    programme: Programme, seconds: int, before_end: Callable[[], object] = lambda: None, *, keeps_pace: bool = True
) -> tuple[list[tuple[float, SyncSeries]], Follower, list[int]]:
    """Answers of a live probe, when each was told, and how many series both sides kept at each second."""
    reference = Reference()
    reference.live = True
    one = Follower(reference.add())
    one.begin(live=True)
    pieces = zip(
        programme.pieces(seconds, range(1, seconds)), REFERENCE.pieces(seconds, range(1, seconds)), strict=True
    )
    told: list[tuple[float, SyncSeries]] = []
    kept = []
    for second, ((our_video, our_audio), (video, audio)) in enumerate(pieces):
        now_s = second + 1.0
        reference.extend([video], [audio], now_s=now_s)
        answers = one.take([our_video], [our_audio], until_s=now_s, now_s=now_s)
        if keeps_pace and second % 5 == 0:
            one._beside.wait(0)
        told += [(now_s, answer) for answer in answers]
        kept.append(len(one._probe.strip.pictures) + len(reference.strip.pictures))
    before_end()
    answers = one.take([], [], until_s=float(seconds), now_s=float(seconds), finished=True)
    return told + [(math.inf, answer) for answer in answers], one, kept


def test_a_live_stream_is_not_held_up_and_what_is_too_much_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()

    def stuck(*arguments: Any) -> Any:
        goes_on.wait(60)
        return lay(*arguments)

    monkeypatch.setattr(module, "lay", stuck)
    told, one, _ = live(Programme(later_s=3.0, skew_s=-0.1), 120, goes_on.set, keeps_pace=False)
    # One is being laid over and eight wait; what follows is passed over, but for the last, which the end waits for.
    assert {at_s for at_s, _ in told} == {math.inf}
    assert 8 <= len(told) < 15
    assert all(answer.offset_s[0] == pytest.approx(-0.1, abs=0.003) for _, answer in told)
    assert one.known_s == math.inf


@pytest.mark.parametrize("later_s", [-58.0, -31.0, -4.0, 40.0])
def test_a_live_stream_is_found_up_to_a_minute_to_either_side(later_s: float) -> None:
    """The reference is kept for three minutes at most, the stream for less than one."""
    told, one, kept = live(Programme(later_s=later_s, skew_s=-0.1), 240)
    while_live = [(at_s, answer) for at_s, answer in told if math.isfinite(at_s)]
    assert len(while_live) >= 18
    for at_s, answer in told:
        assert answer.offset_s[0] == pytest.approx(-0.1, abs=0.003)
        assert at_s >= answer.end_s[0] + (60 if later_s < -5 else 5)
    assert one.measurements()["picture_delay_s"] == pytest.approx(later_s, abs=0.002)
    assert max(kept) <= 235
    assert kept[-1] <= kept[120] + 30


def test_measurements_tell_delays_drift_and_what_was_lost() -> None:
    _, measured = followed(PROBE, 60)
    assert measured["stream"] == "studio"
    assert measured["reason"] is None
    assert measured["picture_delay_s"] == pytest.approx(2.0, abs=0.002)
    assert measured["sound_delay_s"] == pytest.approx(1.8, abs=0.002)
    assert measured["drift_ppm"] == pytest.approx(0.0, abs=10)
    assert measured["drift_sigma_ppm"] < 20
    assert (measured["frames_lost"], measured["frames_repeated"]) == (0, 0)

    _, other = followed(Programme(seed=2), 30)
    assert "other content" in other["reason"]
    assert other["offset_s"] is None
    assert (other["drift_ppm"], other["frames_lost"]) == (None, None)


@pytest.mark.parametrize("probe", [PROBE, Programme(seed=2)])
def test_of_every_stretch_it_is_told_what_its_pictures_lack(probe: Programme) -> None:
    """Also where the reference has ended, and of other content."""
    reference = Reference()
    reference.name = "studio"
    one = Follower(reference.add(), threaded=False)
    one.begin(live=False)
    reference.extend([REFERENCE.video(0, 30)], [REFERENCE.audio(0, 30)], ended=True)
    one.take([probe.video(0, 60)], [probe.audio(0, 60)], until_s=60.0, now_s=0.0)
    one.take([], [], until_s=60.0, now_s=0.0, finished=True)
    spans = [(fact.start_s, fact.end_s) for fact in one.facts() if fact.kind == "frames"]
    assert spans == [(0.0, 10.0), *((5.0 * n, 5.0 * n + 5.0) for n in range(2, 12))]
