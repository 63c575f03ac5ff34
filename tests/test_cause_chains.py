"""Causes of the stream and of the sound: which defects explain which, and what waits for whom."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gpu_qa.detectors import DETECTORS
from gpu_qa.events import CauseState, TrackerState, awaiting, explain, track
from gpu_qa.series import Event
from tests.cause_evidence import AT_ONCE, cut, evidence, final, told


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
