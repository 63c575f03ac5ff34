"""Overload: what is left out when this machine does not keep up with a live input, and how that is told."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest

from gpu_qa.detectors.overload import OVERLOAD, OverloadLimits
from gpu_qa.events import TrackerState, finish, track
from gpu_qa.media import Packet, Track
from gpu_qa.overload import LIVE_PATIENCE_S, Overload, Turn
from tests.series_builder import fact, stream_series

TICKS = 90_000
VIDEO = Track(0, "video", "h264", Fraction(1, TICKS))
AUDIO = Track(1, "audio", "aac", Fraction(1, 48_000))
FRAME = TICKS // 25
ORDER = (0, 3, 1, 2)
"""Presentation order of four packets in decoding order, as with B pictures."""


@dataclass(frozen=True)
class _Native:
    pts: int | None
    dts: int | None
    duration: int
    is_keyframe: bool


def packet(number: int, *, gop: int = 12) -> Packet:
    shown = number // 4 * 4 + ORDER[number % 4]
    return Packet(VIDEO, _Native(shown * FRAME, number * FRAME, FRAME, number % gop == 0))


def run(overload: Overload, numbers: range, *, takes_s: float, at_s: float = 0.0, waited_s: float = 0.0) -> list[Turn]:
    """What becomes of packets each of which takes so long."""
    return [
        overload.next(packet(number), waited_s, at_s + index * takes_s) for index, number in enumerate(numbers, start=1)
    ]


def left_out(turns: list[Turn]) -> list[int | None]:
    return [skipped.pts for turn in turns for skipped in turn.left_out]


def test_a_burst_that_is_worked_off_faster_than_it_plays_is_no_overload() -> None:
    overload = Overload()
    assert all(turn == Turn(decode=True) for turn in run(overload, range(500), takes_s=0.039))
    assert overload.behind_s < 0.1


def test_a_live_input_that_waits_for_us_is_left_out_up_to_a_key_frame() -> None:
    overload = Overload()
    # Twice as long as it plays: 50 packets later it is 2 s behind.
    slow = run(overload, range(60), takes_s=0.08)
    decoded = [turn.decode for turn in slow]
    begin = decoded.index(False)
    assert begin == pytest.approx(50, abs=2)
    assert not any(decoded[begin:])
    assert [turn.begins for turn in slow].count(True) == 1
    assert overload.behind_s > LIVE_PATIENCE_S
    # Skipping costs nothing, so it catches up within a second, and goes on with a key frame only.
    fast = run(overload, range(60, 180), takes_s=0.001, at_s=60 * 0.08)
    resumed = next(index for index, turn in enumerate(fast) if turn.decode) + 60
    assert resumed % 12 == 0
    assert all(turn.decode for turn in fast[resumed - 60 :])
    skipped = left_out(slow + fast)
    assert skipped == sorted(skipped, key=lambda pts: pts or 0), "in the order in which they would be shown"
    assert len(skipped) == resumed - begin
    told = [note.details["frames"] for turn in slow + fast for note in turn.notes]
    assert told[0] == 1
    assert told[-1] == resumed - begin
    assert told == sorted(told)


def test_waiting_for_the_input_is_having_caught_up() -> None:
    overload = Overload()
    run(overload, range(40), takes_s=0.08)
    assert overload.behind_s > 1
    overload.next(packet(40), 0.02, 40 * 0.08 + 0.08)
    assert overload.behind_s == 0


def test_a_jump_of_the_clock_is_not_time_played() -> None:
    overload = Overload()
    run(overload, range(20), takes_s=0.08)
    behind_s = overload.behind_s
    run(overload, range(100_000, 100_001), takes_s=0.08, at_s=20 * 0.08)
    assert overload.behind_s == pytest.approx(behind_s + 0.08)


def test_sound_is_never_left_out_and_the_end_gives_all_back() -> None:
    overload = Overload()
    turns = run(overload, range(60), takes_s=0.1)
    assert not turns[-1].decode
    assert overload.next(Packet(AUDIO, _Native(0, 0, 1024, is_keyframe=True)), 0.0, 6.1).decode
    end = overload.next(Packet(VIDEO, None), 0.0, 6.1)
    assert not end.decode
    assert len(left_out([*turns, end])) == sum(not turn.decode for turn in turns)


def test_it_is_told_once_as_long_as_it_goes_on_and_never_as_a_fault_of_the_stream() -> None:
    facts = [fact("overload", at_s, frames=frames, behind_s=2.0) for at_s, frames in ((5.0, 1), (6.0, 26), (7.0, 51))]
    state, told = TrackerState("s"), []
    carry: Any = None
    for part in (stream_series(8.0, *facts), stream_series(20.0)):
        evidence, carry = OVERLOAD.weigh(part, OverloadLimits(), carry)
        for found in evidence:
            state, more = track(state, found, OVERLOAD.timing)
            told += more
    told += finish(state, 20.0)[1]
    assert [event.state for event in told][-1] == "closed"
    assert len({event.id for event in told}) == 1
    assert {event.severity for event in told} == {"warn"}
    assert told[-1].value == 51
    assert told[-1].message == "51 pictures in a row were not analyzed: this machine does not keep up"


def test_a_stream_without_key_frames_is_not_left_out_for_ever() -> None:
    overload = Overload()
    turns = []
    for number in range(700):
        native = _Native(number * FRAME, number * FRAME, FRAME, is_keyframe=False)
        turns.append(overload.next(Packet(VIDEO, native), 0.0, min(number, 60) * 0.1 + number * 0.001))
    assert not all(turn.decode for turn in turns[:60])
    resumed = max(index for index, turn in enumerate(turns) if not turn.decode) + 1
    assert 300 < resumed < 400
    assert len(left_out(turns)) == sum(not turn.decode for turn in turns)


def test_times_of_presentation_stand_in_for_those_of_decoding() -> None:
    overload = Overload()
    for number in range(500):
        shown = number // 4 * 4 + ORDER[number % 4]
        native = _Native(shown * FRAME, None, FRAME, number % 12 == 0)
        assert overload.next(Packet(VIDEO, native), 0.0, number * 0.039).decode
    assert overload.behind_s < 0.2


def test_pictures_without_any_time_are_counted_too() -> None:
    overload = Overload()
    turns = [
        overload.next(Packet(VIDEO, _Native(None, None, FRAME, number % 12 == 0)), 0.0, number * 0.1)
        for number in range(60)
    ]
    turns.append(overload.next(Packet(VIDEO, None), 0.0, 6.0))
    lost = sum(not turn.decode for turn in turns[:-1])
    assert lost > 20
    assert left_out(turns) == [None] * lost
    first = next(turn for turn in turns if turn.begins)
    assert first.left_out == (), "what the decoder still holds is shown before it"


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="frames must be 1 or more"):
        OverloadLimits(frames=0)
    few = stream_series(8.0, fact("overload", 5.0, frames=9, behind_s=2.0))
    assert OVERLOAD.weigh(few, OverloadLimits(frames=10), None)[0] == []
