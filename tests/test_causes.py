"""Causes: one thing that went wrong is one event, and what follows from it is named in it."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gpu_qa.detectors import DETECTORS
from gpu_qa.events.cause_table import CAUSES
from gpu_qa.series import EventTiming, Evidence
from tests.cause_evidence import AT_ONCE, TIMING, evidence, final, told


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
