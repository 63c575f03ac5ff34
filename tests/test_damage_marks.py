"""Damage marks: which picture shows what decoder and transport have complained of."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gpu_qa.features import HostPictures, StreamFeatures
from gpu_qa.media import Note, Plane, Track, VideoFormat, VideoFrame

if TYPE_CHECKING:
    from gpu_qa.features import MeasuredPicture

_BASE = Fraction(1, 25)
_TRACK = Track(0, "video", "h264", _BASE, frame_rate=Fraction(25))
_FORMAT = VideoFormat(64, 48, 8, 0, "limited", "gray")


def pictures(count: int, *, corrupt: tuple[int, ...] = (), pts: list[int | None] | None = None) -> list[Any]:
    host = HostPictures()
    luma = Plane(np.full(64 * 48, 90, np.uint8), 0, 64, 1, 64, 48)
    return [
        host.measure(
            VideoFrame(n if pts is None else pts[n], 1, _BASE, _FORMAT, luma, None, n in corrupt, n == 0, None)
        )
        for n in range(count)
    ]


def note(kind: Any, pts: int | None, track: Any = "video") -> Note:
    return Note(kind, track, pts, _BASE, "broken", {})


def damaged(steps: list[tuple[list[MeasuredPicture], list[Note]]]) -> list[int]:
    """Numbers of the pictures that are marked when they and their notes come in these steps."""
    features = StreamFeatures([_TRACK])
    series = [one for step in steps for one in features.take(step[0], (), step[1]).video]
    series += features.flush(ended=True).video
    return np.flatnonzero(np.concatenate([one.damaged for one in series])).tolist()


def test_a_decoders_note_marks_the_picture_with_its_time_however_early_it_comes() -> None:
    shown = pictures(6)
    assert damaged([([], [note("decode_error", 4)]), (shown[:2], []), (shown[2:], [])]) == [4]


def test_where_that_picture_never_comes_the_next_one_is_marked() -> None:
    shown = pictures(4, pts=[0, 1, 3, 4])
    assert damaged([(shown, [note("decode_error", 2)])]) == [2]


def test_the_transports_note_is_about_what_follows_on_a_packet() -> None:
    shown = pictures(6)
    assert damaged([([one], [note("transport_error", 2)] if n == 3 else []) for n, one in enumerate(shown)]) == [3]
    assert damaged([(shown, [note("transport_error", 2)])]) == [3]


def test_a_note_without_a_time_marks_the_next_picture() -> None:
    shown = pictures(4)
    assert damaged([(shown[:2], []), (shown[2:], [note("decode_error", None)])]) == [2]


def test_pictures_that_the_decoder_mended_are_marked_without_a_note() -> None:
    assert damaged([(pictures(5, corrupt=(1, 3)), [])]) == [1, 3]


def test_the_sounds_damage_and_what_is_no_damage_mark_nothing() -> None:
    notes = [note("decode_error", 1, "audio"), note("format_change", 1), note("discontinuity", 2), note("gap", 2)]
    assert damaged([(pictures(5), notes)]) == []


def test_a_note_of_a_time_base_that_has_ended_does_not_wait_for_ever() -> None:
    shown = pictures(4, pts=[10_000, 10_001, 5, 6])
    assert damaged([(shown[:2], []), ([], [note("decode_error", 10_090)]), (shown[2:], [])]) == [2]


@pytest.mark.parametrize("together", [1, 2, 3, 7])
def test_any_grouping_of_what_comes_marks_the_same(together: int) -> None:
    shown = pictures(30, corrupt=(17,))
    notes = {3: note("decode_error", 5), 9: note("transport_error", 8), 20: note("decode_error", 20)}
    steps = [
        (shown[at : at + together], [notes[n] for n in range(at, min(at + together, 30)) if n in notes])
        for at in range(0, 30, together)
    ]
    assert damaged(steps) == [5, 9, 17, 20]


def test_notes_whose_pictures_never_come_are_forgotten() -> None:
    features = StreamFeatures([_TRACK])
    features.take((), (), [note("decode_error", 1000 + n) for n in range(1000)])
    waiting = features._damage._waiting
    assert len(waiting) <= 256
    first = dataclasses.replace(pictures(1)[0], pts=2000)
    assert [bool(one.damaged[0]) for one in (*features.take([first]).video, *features.flush().video)] == [True]
