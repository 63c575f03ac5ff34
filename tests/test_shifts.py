"""Shifts: timestamps of one track that step against its content are told, with the amount; all else is not."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.detectors.discontinuity import DISCONTINUITY
from gpu_qa.events import TrackerState, track
from gpu_qa.features import Heard, MeasuredSound, StreamFeatures
from gpu_qa.features.shifts import LONGEST_S, ShiftWatch, Unit
from gpu_qa.features.timeline import MPEG_WRAP_S, Timeline
from gpu_qa.media import Note, SkippedFrame, Track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gpu_qa.series import Event, StreamFact

VIDEO, AUDIO = 0, 1
PICTURE_S, SOUND_S = 0.04, 1024 / 48_000
AT_S, UNTIL_S = 10.0, 20.0


def steady(at_s: float) -> float:
    return at_s


def facts_of(
    sound: Callable[[float], float | None] = steady,
    picture: Callable[[float], float | None] = steady,
    *,
    until_s: float = UNTIL_S,
    order: float | None = None,
    damage_s: float | None = None,
    picture_s: float = PICTURE_S,
) -> list[StreamFact]:
    """The shifts that a timeline finds in two tracks, each a function from a unit's content to its timestamp.

    Args:
        sound: Null is a unit that is missing.
        picture: Likewise.
        until_s: Length of both.
        order: Sound comes this much before the picture beside it, by its content; null leaves the order unknown.
        damage_s: The sound is damaged there.
        picture_s: Length of a picture as it says itself.
    """
    timeline, facts = Timeline(), []
    timeline.start(picture(0.0) or 0.0)
    shown = [(n * PICTURE_S, VIDEO) for n in range(round(until_s / PICTURE_S))]
    heard = [(n * SOUND_S, AUDIO) for n in range(round(until_s / SOUND_S))]
    hurt = False
    for at_s, number in sorted([*shown, *heard]):
        raw_s = (picture if number == VIDEO else sound)(at_s)
        if damage_s is not None and at_s >= damage_s and not hurt:
            hurt = True
            timeline.shifts.hurt(AUDIO, damage_s)
        if raw_s is None:
            continue
        if number == VIDEO:
            facts += timeline.place(VIDEO, "video", raw_s, picture_s)[1]
        else:
            beside_s = None if order is None else picture(at_s - order)
            lead_s = None if beside_s is None else raw_s - beside_s
            facts += timeline.place(AUDIO, "audio", raw_s, SOUND_S, lead_s)[1]
    facts += timeline.shifts.finish()
    return [fact for fact in facts if fact.kind == "shift"]


def stepped(by_s: float, at_s: float = AT_S) -> Callable[[float], float]:
    return lambda content_s: content_s + (by_s if content_s >= at_s else 0.0)


def lost(length_s: float, at_s: float = AT_S) -> Callable[[float], float | None]:
    return lambda content_s: None if at_s <= content_s < at_s + length_s else content_s


@pytest.mark.parametrize("order", [None, -0.6, 0.02])
@pytest.mark.parametrize("by_s", [-0.45, -0.12, -0.06, 0.06, 0.12, 0.3, 1.0, 9.5])
def test_sound_that_steps_alone_is_told_with_the_amount(by_s: float, order: float | None) -> None:
    (fact,) = facts_of(stepped(by_s), order=order, until_s=30.0)
    assert fact.track == "audio"
    assert fact.start_s == pytest.approx(AT_S, abs=SOUND_S)
    assert fact.details["jump_s"] == pytest.approx(by_s, abs=1e-6)
    assert fact.details["track"] == AUDIO
    assert fact.details["borne_out"] == (order is not None)


@pytest.mark.parametrize("by_s", [-0.45, -0.12, 0.12, 1.0, 5.0])
def test_a_picture_that_steps_alone_is_told_where_the_order_of_packets_shows_it(by_s: float) -> None:
    (fact,) = facts_of(picture=stepped(by_s), order=-0.6, until_s=30.0)
    assert (fact.track, fact.details["borne_out"]) == ("video", True)
    assert fact.start_s == pytest.approx(AT_S, abs=PICTURE_S)
    assert fact.details["jump_s"] == pytest.approx(by_s, abs=1e-6)
    doubtful = facts_of(picture=stepped(by_s), until_s=30.0)
    assert [fact.details["borne_out"] for fact in doubtful] == [False] * (by_s < 0)


@pytest.mark.parametrize("order", [-0.6, 0.02])
@pytest.mark.parametrize("length_s", [0.2, 0.5, 2.0])
def test_what_is_missing_is_not_taken_for_a_shift_for_certain(length_s: float, order: float) -> None:
    (fact,) = facts_of(lost(length_s), order=order)
    assert not fact.details["borne_out"]
    assert "unless" in fact.message
    assert facts_of(picture=lost(length_s), order=order) == []


def test_sound_that_comes_twice_is_not_taken_for_a_shift_for_certain() -> None:
    """As at a join whose first part has more sound than pictures."""
    timeline, facts = Timeline(), []
    timeline.start(0.0)
    for n in range(500):
        facts += timeline.place(VIDEO, "video", n * PICTURE_S, PICTURE_S)[1]
    times = [n * SOUND_S for n in range(480)] + [10.0 + n * SOUND_S for n in range(450)]
    for at_s in times:
        # Both parts come with the pictures that they are shown with.
        facts += timeline.place(AUDIO, "audio", at_s, SOUND_S, at_s % PICTURE_S)[1]
    (fact,) = (fact for fact in facts if fact.kind == "shift")
    assert fact.details["jump_s"] == pytest.approx(10.0 - 480 * SOUND_S)
    assert not fact.details["borne_out"]
    assert fact.message.endswith("sound is early from here on, unless 0.24 s of it come twice")


@pytest.mark.parametrize("by_s", [-0.3, 0.12, 1.0, 5.0])
@pytest.mark.parametrize("later_s", [0.0, 0.5])
def test_what_both_tracks_do_is_no_shift(by_s: float, later_s: float) -> None:
    sound = stepped(by_s, AT_S + later_s)
    assert facts_of(sound, stepped(by_s), order=-0.6) == []
    assert facts_of(stepped(by_s + 0.04), stepped(by_s)) == []


@pytest.mark.parametrize("damage_s", [AT_S - 0.9, AT_S + 0.9])
def test_beside_damage_it_is_a_loss(damage_s: float) -> None:
    assert facts_of(stepped(0.3), damage_s=damage_s) == []
    assert len(facts_of(stepped(0.3), damage_s=AT_S - 3)) == 1


@pytest.mark.parametrize("by_s", [-0.4, 0.4, 3.0, -3.0, 50_000.0])
def test_timestamps_that_come_back_are_no_shift(by_s: float) -> None:
    assert facts_of(lambda at_s: at_s + (by_s if AT_S <= at_s < AT_S + 0.9 * SOUND_S else 0.0)) == []


@pytest.mark.parametrize("by_s", [3600.0, -3600.0, 20.0, -0.7])
def test_another_time_base_is_a_discontinuity_and_no_shift(by_s: float) -> None:
    assert facts_of(stepped(by_s)) == []
    assert facts_of(stepped(by_s, AT_S + 0.1), stepped(by_s + 0.15)) == []


def test_a_wrap_is_no_shift() -> None:
    wrapped = lambda at_s: (at_s + MPEG_WRAP_S - AT_S) % MPEG_WRAP_S  # noqa: E731
    assert facts_of(wrapped, wrapped) == []


def test_jitter_and_rounding_and_drift_are_no_shift() -> None:
    assert facts_of(lambda at_s: at_s + 0.07 * (round(at_s / SOUND_S) * 7 % 5 - 2) / 2) == []
    assert facts_of(lambda at_s: round(at_s * 1000) / 1000) == []
    assert facts_of(lambda at_s: at_s * 1.002) == []


def test_the_start_may_be_as_it_likes() -> None:
    assert facts_of(stepped(0.155, SOUND_S / 2)) == []
    assert facts_of(stepped(0.96, 0.8)) == []


def test_pictures_that_come_when_they_like_are_no_shift() -> None:
    slides = lambda at_s: at_s if round(at_s / PICTURE_S) % 7 in (0, 2, 3) else None  # noqa: E731
    assert facts_of(picture=slides, order=-0.6) == []
    assert facts_of(picture=slides, order=-0.6, picture_s=0.2) == []


def test_of_sound_that_lacks_time_and_again_the_first_time_is_told() -> None:
    pauses = lambda at_s: at_s + 0.2 * (at_s // 5)  # noqa: E731
    assert [fact.start_s for fact in facts_of(pauses, until_s=34.0)] == [pytest.approx(5.0, abs=SOUND_S)]
    told = facts_of(pauses, until_s=34.0, order=-0.6)
    assert [round(fact.details["jump_s"], 3) for fact in told] == [0.2] * 6


def test_two_shifts_are_told_one_by_one() -> None:
    told = facts_of(lambda at_s: stepped(-0.2, 8.0)(at_s) + stepped(0.3, 13.0)(at_s) - at_s, order=-0.6)
    assert [round(fact.details["jump_s"], 6) for fact in told] == [-0.2, 0.3]


def test_sound_alone_has_nothing_to_shift_against() -> None:
    timeline = Timeline()
    times = (n * SOUND_S + (0.3 if n > 500 else 0.0) for n in range(1000))
    facts = [fact for at_s in times for fact in timeline.place(AUDIO, "audio", at_s, SOUND_S)[1]]
    assert [fact.kind for fact in (*facts, *timeline.shifts.finish())] == ["gap"]


TICKS = Fraction(1, 90_000)
TRACKS = (Track(VIDEO, "video", "h264", TICKS, frame_rate=Fraction(25)), Track(AUDIO, "audio", "aac", TICKS))
NOTHING = Heard(AUDIO)


def deliveries(by_s: float, damage_s: float) -> list[tuple[SkippedFrame | MeasuredSound, tuple[Note, ...]]]:
    """Half a minute of both tracks, the sound a second behind, that shifts twice, the second time beside damage."""
    found: list[tuple[float, SkippedFrame | MeasuredSound, tuple[Note, ...]]] = [
        (n * PICTURE_S, SkippedFrame(round(n * 3600), 3600, TICKS), ()) for n in range(round(30.0 / PICTURE_S))
    ]
    for n in range(round(29.0 / SOUND_S)):
        at_s = n * SOUND_S
        raw_s = at_s + by_s * ((at_s >= 8.0) + (at_s >= damage_s))
        notes = (Note("transport_error", "audio", round(raw_s * 90_000), TICKS, "lost"),)
        is_damaged = damage_s - 0.4 <= at_s < damage_s - 0.4 + SOUND_S
        sound = MeasuredSound(AUDIO, round(raw_s * 90_000), TICKS, 48_000, 1024, False, NOTHING, NOTHING, by_s - 1.0)
        found.append((at_s + 1.0, sound, notes if is_damaged else ()))
    return [(unit, notes) for _, unit, notes in sorted(found, key=lambda one: one[0])]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([-0.3, 0.3]))
def test_any_cut_of_what_is_delivered_gives_the_same(seed: int, by_s: float) -> None:
    def shifts(sizes: Iterator[int]) -> list[StreamFact]:
        features = StreamFeatures(TRACKS)
        facts: list[StreamFact] = []
        waiting = deliveries(by_s, 18.0)
        while waiting:
            size = next(sizes)
            batch, waiting = waiting[:size], waiting[size:]
            pictures = [unit for unit, _ in batch if isinstance(unit, SkippedFrame)]
            sounds = [unit for unit, _ in batch if isinstance(unit, MeasuredSound)]
            features.take(pictures, sounds, [note for _, notes in batch for note in notes])
            facts += features.stream_series().facts
        features.flush(ended=True)
        return [fact for fact in (*facts, *features.stream_series().facts) if fact.kind == "shift"]

    chance = random.Random(seed)
    whole = shifts(itertools.repeat(10_000))
    assert [(round(fact.start_s, 1), fact.details["jump_s"]) for fact in whole] == [
        (8.0, pytest.approx(by_s, abs=1e-4))
    ]
    assert shifts(iter(lambda: chance.choice((1, 2, 5, 40, 200)), None)) == whole


def jumps_of(
    sound: Callable[[float], float | None], picture: Callable[[float], float], size: int
) -> list[tuple[Event, float]]:
    """The closed jumps in two minutes of both tracks, and how far the stream had come when each was closed."""
    shown = [(n * PICTURE_S, VIDEO) for n in range(round(120.0 / PICTURE_S))]
    heard = [(n * SOUND_S, AUDIO) for n in range(round(120.0 / SOUND_S)) if sound(n * SOUND_S) is not None]
    units = sorted([*shown, *heard])
    features, state, carry = StreamFeatures(TRACKS), TrackerState("s"), None
    closed: list[tuple[Event, float]] = []
    for first in range(0, len(units), size):
        batch = units[first : first + size]
        pictures = [SkippedFrame(round(picture(at_s) * 90_000), 3600, TICKS) for at_s, one in batch if one == VIDEO]
        sounds = [
            MeasuredSound(
                AUDIO, round((sound(at_s) or 0.0) * 90_000), TICKS, 48_000, 1024, False, NOTHING, NOTHING, None
            )
            for at_s, one in batch
            if one == AUDIO
        ]
        features.take(pictures, sounds)
        series = features.stream_series()
        found, carry = DISCONTINUITY.weigh(series, DISCONTINUITY.limits, carry)
        for evidence in found:
            state, told = track(state, evidence, DISCONTINUITY.timing)
            closed += [(event, series.until_s) for event in told if event.state == "closed"]
    return closed


@pytest.mark.parametrize("back_s", [None, 19.0, 70.0])
def test_a_track_that_says_no_more_after_a_step_holds_no_event_open(back_s: float | None) -> None:
    """The sound steps at 10 s and stops at 10.5, for good or for a while; the picture jumps twice."""

    def sound(at_s: float) -> float | None:
        if at_s >= 10.5 and (back_s is None or at_s < back_s):
            return None
        return stepped(0.2)(at_s)

    picture = lambda at_s: at_s + 3600.0 * ((at_s >= 30.0) + (at_s >= 100.0))  # noqa: E731
    for size in (1, 50, 400):
        jumps = [one for one in jumps_of(sound, picture, size) if one[0].details["track"] == "video"]
        assert [round(event.start_s, 2) for event, _ in jumps] == [30.0, 100.0]
        assert all(until_s - event.start_s < 3.0 + size * PICTURE_S for event, until_s in jumps)


@pytest.mark.parametrize("back_s", [None, 70.0])
def test_its_own_events_are_held_open_until_it_is_given_up(back_s: float | None) -> None:
    """The sound jumps at 10 s, steps soon after, and says no more."""

    def sound(at_s: float) -> float | None:
        if at_s >= 11.5 and (back_s is None or at_s < back_s):
            return None
        return at_s + 3600.0 + 0.2 * (at_s >= 10.95) if at_s >= AT_S else at_s

    for size in (1, 50, 400):
        event, until_s = jumps_of(sound, steady, size)[0]
        assert (event.details["track"], round(event.start_s, 1)) == ("audio", 10.0)
        assert until_s < 28.0 + size * PICTURE_S


def test_where_a_step_lies_is_undecided_for_so_long_only() -> None:
    watch = ShiftWatch()
    open_until_s = 0.0
    for n in range(1000):
        watch.see(VIDEO, "video", Unit(n * PICTURE_S, PICTURE_S))
        at_s = n * PICTURE_S
        if at_s < 10.5:
            for part in range(2):
                watch.see(AUDIO, "audio", Unit(stepped(0.2)(at_s + part * 0.02), 0.02))
        if watch.undecided_s:
            assert watch.undecided_s == {"audio": pytest.approx(AT_S)}
            open_until_s = at_s
    assert open_until_s == pytest.approx(AT_S + LONGEST_S + 5.2, abs=0.1)


# --- files -----------------------------------------------------------------------------------------------------------
