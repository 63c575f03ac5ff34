"""Causes: one thing that went wrong is one event, and what follows from it is named in it."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpu_qa.detectors import DETECTORS
from gpu_qa.events import CauseState, TrackerState, awaiting, explain, finish, settle, track
from gpu_qa.events.cause_table import CAUSES
from gpu_qa.series import Event, EventTiming, Evidence

TIMING = EventTiming(raise_after_s=1.0, clear_after_s=0.2, major_after_s=5.0, critical_after_s=15.0)


def evidence(
    kind: str,
    *raised: tuple[float, float],
    scope: str = "",
    until_s: float = 10.0,
    channels: list[str] | None = None,
) -> Evidence:
    """Steps of 0.1 s that raise within stretches and clear outside of them."""
    start_s = np.arange(round(until_s * 10)) / 10
    verdict = np.full(len(start_s), -1, np.int8)
    for from_s, to_s in raised:
        verdict[(start_s >= from_s - 1e-9) & (start_s < to_s - 1e-9)] = 1
    named = np.empty(len(start_s), object)
    named[:] = [channels] * len(start_s)
    return Evidence(
        kind,
        scope,
        start_s,
        start_s + 0.1,
        verdict,
        np.ones(len(start_s), np.float32),
        1.0,
        "share",
        details={} if channels is None else {"channels": named},
        message="for {duration_s:.1f} s",
    )


def cut(whole: Evidence, first: int, last: int) -> Evidence:
    """Some of its steps."""
    steps = slice(first, last)
    arrays = {name: getattr(whole, name)[steps] for name in ("start_s", "end_s", "verdict", "value")}
    return replace(whole, **arrays, details={name: values[steps] for name, values in whole.details.items()})


def told(
    *of: Evidence,
    steps: int = 12,
    timings: dict[str, EventTiming] | None = None,
    lead_s: float = 0.0,
    clock: dict[str, float] | None = None,
) -> list[Event]:
    """All events, with the evidence of all kinds given so many steps at a time.

    Args:
        of: The evidence.
        steps: How many of it at a time.
        timings: By kind; `TIMING` for all others.
        lead_s: How far the stream's clock is ahead of the evidence.
        clock: Gets how far the evidence had come when an event was told first, by kind.
    """
    tracker, causes, events = TrackerState("s"), CauseState(), []
    length = max(len(one) for one in of)
    for first in range(0, length, steps):
        found: list[tuple[Evidence, EventTiming]] = []
        fresh: list[Event] = []
        for whole in of:
            part = cut(whole, first, first + steps)
            timing = (timings or {}).get(whole.kind, TIMING)
            tracker, more = track(tracker, part, timing)
            found.append((part, timing))
            fresh += more
        now_s = min(first + steps, length) / 10
        causes, tracker, shown = explain(causes, tracker, found, fresh, now_s + lead_s)
        events += shown
        for event in shown:
            (clock if clock is not None else {}).setdefault(event.kind, now_s)
    tracker, closed = finish(tracker, length / 10)
    return events + settle(causes, tracker, closed, length / 10)


def final(events: list[Event]) -> dict[str, tuple[float, float | None, Any]]:
    """Kind → start, end and consequences, as last told."""
    return {
        event.kind: (round(event.start_s, 3), event.end_s and round(event.end_s, 3), event.details.get("consequences"))
        for event in events
    }


@pytest.mark.parametrize("steps", [1, 3, 12, 1000])
def test_a_consequence_is_named_by_its_cause_and_not_told(steps: int) -> None:
    events = told(evidence("video.freeze", (2, 6)), evidence("video.black", (2, 6)), steps=steps)
    assert final(events) == {"video.black": (2.0, 6.0, ["video.freeze"])}


def test_the_order_of_the_detectors_does_not_matter() -> None:
    of = [evidence("video.freeze", (2, 6)), evidence("video.black", (2, 6)), evidence("video.blur", (2.2, 6.1))]
    expected = {"video.black": (2.0, 6.0, ["video.blur", "video.freeze"])}
    for order in itertools.permutations(of):
        assert final(told(*order)) == expected


@pytest.mark.parametrize("what", ["levels", "wrap"])
def test_distortion_explains_what_is_heard_in_the_whole_track(what: str) -> None:
    broken = evidence("audio.distortion", (2, 6), scope=f"1:{what}", channels=["FL", "FR"])
    events = told(broken, evidence("audio.dropout", (2, 6), scope="1"))
    assert final(events) == {"audio.distortion": (2.0, 6.0, ["audio.dropout"])}


def witnessed(whole: Evidence, *, from_s: float, by: list[str]) -> Evidence:
    """With witnesses besides the picture from a time on."""
    named = np.empty(len(whole), object)
    named[:] = [["grid", *by] if start_s >= from_s - 1e-9 else ["grid"] for start_s in whole.start_s.tolist()]
    return replace(whole, details={"evidence": named})


@pytest.mark.parametrize("steps", [1, 3, 12, 1000])
@pytest.mark.parametrize("cause", ["video.flash", "video.black", "video.solid_color"])
@pytest.mark.parametrize("witness", ["decoder", "transport"])
@pytest.mark.parametrize("from_s", [0.0, 3.5], ids=["from the beginning", "later"])
def test_what_decoder_or_transport_bear_out_follows_from_no_picture(
    steps: int, cause: str, witness: str, from_s: float
) -> None:
    lost = witnessed(evidence("video.block_corruption", (2, 5)), from_s=from_s, by=[witness])
    events = told(evidence(cause, (1, 8)), lost, steps=steps)
    assert final(events) == {cause: (1.0, 8.0, None), "video.block_corruption": (2.0, 5.0, None)}
    alone = told(evidence(cause, (1, 8)), witnessed(lost, from_s=0.0, by=[]), steps=steps)
    assert final(alone) == {cause: (1.0, 8.0, ["video.block_corruption"])}


def test_what_is_alone_is_told_at_once() -> None:
    events = told(evidence("video.freeze", (2, 6)), evidence("video.black", (20, 21)))
    assert [(event.kind, event.state) for event in events] == [("video.freeze", "open"), ("video.freeze", "closed")]


def test_another_time_is_another_thing() -> None:
    events = told(evidence("video.freeze", (5, 9)), evidence("video.black", (0, 3)))
    assert final(events) == {"video.black": (0.0, 3.0, None), "video.freeze": (5.0, 9.0, None)}


def test_what_began_long_before_its_cause_is_told() -> None:
    events = told(evidence("video.freeze", (1, 9)), evidence("video.black", (5, 9)))
    assert final(events)["video.freeze"] == (1.0, 9.0, None)


def test_what_outlasts_its_cause_is_told_from_there() -> None:
    events = told(evidence("video.freeze", (1, 9.5)), evidence("video.black", (1, 4)))
    assert final(events) == {"video.black": (1.0, 4.0, ["video.freeze"]), "video.freeze": (4.0, 9.5, None)}


def test_a_cause_that_comes_to_nothing_explains_nothing() -> None:
    """Black that is too short to be told does not hide a freeze."""
    slow = EventTiming(raise_after_s=4.0, clear_after_s=0.2, major_after_s=5.0, critical_after_s=15.0)
    events = told(evidence("video.freeze", (2, 5)), evidence("video.black", (2, 5)), timings={"video.black": slow})
    assert [(event.kind, event.state) for event in events] == [("video.freeze", "open"), ("video.freeze", "closed")]
    assert final(events) == {"video.freeze": (2.0, 5.0, None)}


def test_tracks_are_kept_apart() -> None:
    silent = evidence("audio.silence", (2, 6), scope="1:main")
    events = told(silent, evidence("audio.dropout", (2, 6), scope="2"))
    assert set(final(events)) == {"audio.silence", "audio.dropout"}
    events = told(silent, evidence("audio.dropout", (2, 6), scope="1"))
    assert final(events) == {"audio.silence": (2.0, 6.0, ["audio.dropout"])}


AT_ONCE = EventTiming(raise_after_s=0.0, clear_after_s=0.2, major_after_s=5.0, critical_after_s=15.0)


def test_evidence_that_flickers_and_is_never_told_holds_nothing_back() -> None:
    """Holes in running sound are a little silence each; they are told while they last, not afterwards."""
    holes = [(at, at + 0.1) for at in np.arange(4.0, 34.0, 0.4)]
    clock: dict[str, float] = {}
    events = told(
        evidence("audio.dropout", (4, 34), scope="0", until_s=40.0),
        evidence("audio.silence", *holes, scope="0:main", until_s=40.0),
        timings={"audio.dropout": AT_ONCE},
        steps=4,
        clock=clock,
    )
    assert set(final(events)) == {"audio.dropout"}
    assert clock["audio.dropout"] <= 4.0 + 1.2


def test_a_cause_that_neither_ends_nor_is_told_is_not_waited_for() -> None:
    """Steps that leave things as they are keep a cause undecided for as long as they last."""
    never = evidence("audio.silence", (4, 4.3), scope="0:main", until_s=40.0)
    never = replace(never, verdict=np.where(never.start_s > 4.2, 0, never.verdict).astype(np.int8))
    clock: dict[str, float] = {}
    told(evidence("audio.hum", (4, 38), scope="0", until_s=40.0), never, clock=clock)
    assert clock["audio.hum"] <= 5.0 + 6.2


def test_only_what_a_cause_speaks_of_follows_from_it() -> None:
    """Silent surround channels explain nothing that is heard in front."""
    surround = evidence("audio.silence", (1, 9), scope="0:surround", channels=["SL", "SR"])
    lost = evidence("audio.channel_loss", (2, 6), scope="0:FR", channels=["FR"])
    hollow = evidence("audio.phase_inversion", (2, 6), scope="0:SL", channels=["SL", "SR"])
    hole = evidence("audio.dropout", (2, 6), scope="0")
    events = final(told(surround, lost, hollow, hole))
    assert set(events) == {"audio.silence", "audio.channel_loss", "audio.dropout"}
    assert events["audio.silence"][2] == ["audio.phase_inversion"]
    everything = evidence("audio.silence", (1, 9), scope="0:main", channels=["FL", "FR"])
    assert set(final(told(everything, lost, hollow, hole))) == {"audio.silence"}


def test_what_outlasts_its_cause_is_as_long_and_as_severe_as_its_rest() -> None:
    freeze = evidence("video.freeze", (1, 9.5), until_s=14.0)
    for steps in (1, 12, 1000):
        events = told(freeze, evidence("video.black", (1, 5), until_s=14.0), steps=steps)
        rest = [event for event in events if event.kind == "video.freeze"]
        assert [event.state for event in rest][-1] == "closed"
        assert {event.severity for event in rest} == {"warn"}
        assert rest[-1].message == "for 4.5 s"
    black = evidence("video.black", (1, 4), until_s=30.0)
    events = told(evidence("video.freeze", (1, 28), until_s=30.0), black, steps=3)
    severities = [event.severity for event in events if event.kind == "video.freeze"]
    assert severities == ["warn", "major", "critical", "critical"]


def test_sound_that_lags_behind_the_picture_is_explained_all_the_same() -> None:
    silent = evidence("audio.silence", (2, 8), scope="1:main", until_s=20.0)
    events = told(silent, evidence("audio.dropout", (2, 8), scope="1", until_s=20.0), lead_s=4.0)
    assert final(events) == {"audio.silence": (2.0, 8.0, ["audio.dropout"])}


def test_no_cut_changes_what_is_told() -> None:
    rng = np.random.default_rng(11)
    kinds = ["video.black", "video.freeze", "video.blur", "video.flash", "video.block_corruption", "video.stutter"]
    timings = {"video.flash": AT_ONCE, "video.block_corruption": AT_ONCE, "video.black": replace(TIMING)}
    for _ in range(40):
        of = []
        for kind in kinds:
            stretches = []
            for _ in range(int(rng.integers(1, 4))):
                start_s = float(rng.integers(0, 250)) / 10
                stretches.append((start_s, start_s + float(rng.integers(1, 60)) / 10))
            of.append(evidence(kind, *stretches, until_s=32.0))

        def spans(steps: int, of: list[Evidence] = of) -> set[tuple[str, float, float | None, str]]:
            last = {event.id: event for event in told(*of, steps=steps, timings=timings)}
            return {(one.kind, round(one.start_s, 3), one.end_s, one.severity) for one in last.values()}

        assert spans(1) == spans(5) == spans(12) == spans(1000)


def test_a_click_just_before_a_hole_is_the_same_in_any_cut() -> None:
    click = evidence("audio.click", (3.0, 3.1), scope="0")
    holes = evidence("audio.dropout", (3.3, 3.4), (3.7, 3.8), (4.1, 4.2), scope="0")
    timings = {"audio.click": AT_ONCE, "audio.dropout": AT_ONCE}
    found = [final(told(click, holes, steps=steps, timings=timings)) for steps in (1, 4, 12, 1000)]
    assert all(one == found[0] for one in found)


def test_what_runs_at_the_end_is_settled() -> None:
    events = told(evidence("video.freeze", (7, 10)), evidence("video.black", (7, 10)))
    assert final(events) == {"video.black": (7.0, 10.0, ["video.freeze"])}


def test_open_and_closed_come_in_pairs() -> None:
    """Whatever is told as open is told as closed, and nothing is closed that was not open."""
    rng = np.random.default_rng(5)
    kinds = ["video.black", "video.freeze", "video.blur", "video.flash", "video.block_corruption", "video.stutter"]
    for _ in range(60):
        of = []
        for kind in kinds:
            start = float(rng.integers(0, 70)) / 10
            of.append(evidence(kind, (start, start + float(rng.integers(2, 50)) / 10)))
        events = told(*of, steps=int(rng.integers(1, 15)))
        states: dict[str, list[str]] = {}
        for event in events:
            states.setdefault(event.id, []).append(event.state)
        assert all(seen[-1] == "closed" and seen.count("closed") == 1 and seen[0] == "open" for seen in states.values())


def test_causes_and_consequences_are_kinds_that_are_told() -> None:
    kinds = {kind for detector in DETECTORS for kind in detector.kinds}
    names = set(CAUSES) | {cause for causes in CAUSES.values() for cause in causes}
    assert {name.partition(":")[0] for name in names} <= kinds


def test_the_page_lists_them() -> None:
    page = (Path(__file__).parent.parent / "docs" / "events.md").read_text(encoding="utf-8")
    rows = page.split("<!-- causes: begin -->")[1].split("<!-- causes: end -->")[0].strip().splitlines()[2:]
    names = [re.findall(r"`([a-z_.:]+)`", row) for row in rows]
    assert {first: tuple(others) for first, *others in names} == dict(CAUSES)


def test_nothing_explains_itself() -> None:
    """No kind is, through others, a cause of its own: else each would hide the other."""

    def explained_by(kind: str, seen: frozenset[str] = frozenset()) -> set[str]:
        found: set[str] = set()
        for cause in set(CAUSES.get(kind, ())) - seen:
            found |= {cause} | explained_by(cause, seen | {cause})
        return found

    assert not [kind for kind in CAUSES if kind in explained_by(kind)]


@pytest.mark.parametrize("steps", [1, 3, 12, 1000])
def test_a_gap_in_the_picture_explains_the_sound_that_is_missing_with_it(steps: int) -> None:
    of = [
        evidence("stream.gap", (2, 5), scope="video"),
        evidence("stream.gap", (2.1, 5.1), scope="audio"),
        evidence("audio.missing", (2.1, 5.0), scope="1"),
    ]
    events = told(*of, steps=steps, timings={"stream.gap": AT_ONCE})
    assert final(events) == {"stream.gap": (2.0, 5.0, ["audio.missing", "stream.gap"])}
    assert {event.scope for event in events} == {"video"}


def test_a_gap_in_the_sound_explains_none_in_the_picture() -> None:
    sound = evidence("stream.gap", (2, 5), scope="audio")
    picture = evidence("stream.gap", (4.5, 5), scope="video")
    events = told(sound, picture, evidence("video.stutter", (2, 3.5)), timings={"stream.gap": AT_ONCE})
    assert {(event.kind, event.scope) for event in events} == {
        ("stream.gap", "video"),
        ("stream.gap", "audio"),
        ("video.stutter", ""),
    }


def test_a_gap_in_the_sound_waits_for_the_picture_to_come_as_far() -> None:
    """Sound is decoded ahead of the picture, whose gap is known only when it ends."""
    sound = evidence("stream.gap", (2, 5), scope="audio", until_s=20.0)
    picture = evidence("stream.gap", (2, 5), scope="video", until_s=20.0)
    tracker, causes, events = TrackerState("s"), CauseState(), list[Event]()
    for part in [
        cut(picture, 0, 20),
        cut(sound, 0, 70),
        cut(picture, 20, 70),
        cut(sound, 70, 200),
        cut(picture, 70, 200),
    ]:
        tracker, fresh = track(tracker, part, AT_ONCE)
        causes, tracker, shown = explain(causes, tracker, [(part, AT_ONCE)], fresh, 7.0)
        events += shown
    assert {event.scope for event in events} == {"video"}
    assert events[-1].details["consequences"] == ["stream.gap"]


def test_what_is_for_information_hides_no_damage() -> None:
    for kind, scope, of in [
        ("video.block_corruption", "", evidence("stream.decode_error", (2, 6), scope="video")),
        ("stream.gap", "video", evidence("stream.gap", (2, 6), scope="audio")),
    ]:
        cause = evidence(kind, (2, 6), scope=scope)
        for cap, count in ((0, 2), (3, 1)):
            capped = replace(cause, severity_cap=np.full(len(cause), cap, np.int8))
            events = told(capped, of, timings={"stream.decode_error": AT_ONCE, "stream.gap": AT_ONCE})
            assert len({event.id for event in events}) == count


def test_errors_of_the_picture_follow_from_its_damage_and_those_of_the_sound_do_not() -> None:
    seen = evidence("video.block_corruption", (2, 8))
    picture = evidence("stream.decode_error", (2, 3), (5, 6), scope="video")
    sound = evidence("stream.decode_error", (2, 3), scope="audio")
    for steps in (1, 12, 1000):
        events = told(seen, picture, sound, steps=steps, timings={"stream.decode_error": AT_ONCE})
        assert {(event.kind, event.scope) for event in events} == {
            ("video.block_corruption", ""),
            ("stream.decode_error", "audio"),
        }
        (closed,) = (one for one in events if one.kind == "video.block_corruption" and one.state == "closed")
        assert closed.details["consequences"] == ["stream.decode_error"]


def test_errors_wait_for_the_first_picture() -> None:
    errors, seen = evidence("stream.decode_error", (0, 1), scope="video"), evidence("video.block_corruption", (0, 4))
    causes, tracker, events = awaiting(DETECTORS), TrackerState("s"), list[Event]()
    for part in (errors, seen):
        tracker, fresh = track(tracker, part, AT_ONCE)
        causes, tracker, shown = explain(causes, tracker, [(part, AT_ONCE)], fresh, 2.0)
        events += shown
    assert {event.kind for event in events} == {"video.block_corruption"}


def test_damage_that_is_explained_itself_hides_no_errors() -> None:
    dark = evidence("video.black", (2, 9))
    seen = evidence("video.block_corruption", (2, 8))
    errors = evidence("stream.decode_error", (2, 6), scope="video")
    for steps in (1, 12, 1000):
        events = told(dark, seen, errors, steps=steps, timings={"stream.decode_error": AT_ONCE})
        assert {event.kind for event in events} == {"video.black", "stream.decode_error"}


def test_a_wave_that_wraps_around_explains_what_is_cut_off() -> None:
    clipped = evidence("audio.clipping", (2.2, 6), scope="1", channels=["FL", "FR"])
    wrap = evidence("audio.distortion", (2, 6), scope="1:wrap", channels=["FL", "FR"])
    click = evidence("audio.click", (2.4, 2.6), scope="1")
    events = told(wrap, clipped, click, timings={"audio.click": AT_ONCE})
    assert final(events) == {"audio.distortion": (2.0, 6.0, ["audio.click", "audio.clipping"])}
    levels = replace(wrap, scope="1:levels")
    assert final(told(levels, clipped)) == {"audio.clipping": (2.2, 6.0, ["audio.distortion"])}


def test_what_follows_from_a_consequence_is_named_by_its_cause() -> None:
    of = [
        evidence("stream.gap", (2, 8), scope="video"),
        evidence("audio.missing", (2, 8), scope="1"),
        evidence("audio.click", (2.2, 2.4), scope="1"),
    ]
    for steps in (1, 12, 1000):
        events = told(*of, steps=steps, timings={"stream.gap": AT_ONCE, "audio.click": AT_ONCE})
        assert final(events) == {"stream.gap": (2.0, 8.0, ["audio.click", "audio.missing"])}
