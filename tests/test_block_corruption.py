"""Block corruption: told where blocks are broken, by the picture or by the decoder; not for what looks like it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpu_qa
from gpu_qa.detectors.block_corruption import BLOCK_CORRUPTION
from gpu_qa.media import Note
from tests.broken_pictures import broken, concealed, events
from tests.clips import flip_bits, make_clip
from tests.picture_series import measured, scene
from tests.series_builder import assert_same_evidence, cut, joined, weighed

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_qa.series import Event


# --- what the picture shows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame_rate", [24, 25, 30, 50, 60])
def test_displaced_blocks_are_told_from_the_first_to_the_last(frame_rate: int) -> None:
    pictures = broken(scene(3 * frame_rate), frame_rate, 2 * frame_rate)
    (event,) = events(measured(pictures, frame_rate=frame_rate))
    assert event.start_s == pytest.approx(1.0, abs=0.1)
    assert event.end_s == pytest.approx(2.0, abs=0.1)
    assert event.details["cause"] == "upstream"
    assert event.value is not None
    assert event.value > 0.1
    assert event.confidence > 0.7


def test_damage_that_changes_as_much_as_cuts_do_is_told() -> None:
    flickering = [np.clip(picture + 15.0 * (-1) ** n, 16, 235) for n, picture in enumerate(scene(75))]
    hit = broken([picture.astype(np.uint8) for picture in flickering], 25, 50, share=0.5)
    series = measured(hit)
    changed = (series.coarse_change > 0.04).mean(axis=(1, 2))
    assert np.median(changed[25:50]) > 0.6, "every picture must change as with a cut"
    (event,) = events(series)
    assert event.start_s == pytest.approx(1.0, abs=0.2)
    assert event.end_s == pytest.approx(2.0, abs=0.1)


def test_damage_that_sets_in_with_a_cut_is_told() -> None:
    """What stands out after a cut is that shot's own, but not how much more restless it may be for that."""
    shot, other = scene(100, (640, 360)), [255 - picture for picture in scene(25, (640, 360))]
    pictures = [*other, *broken(shot, 0, 50, share=0.05)]
    series = measured(pictures)
    assert (series.coarse_change[25] > 0.04).mean() > 0.6, "it must look like a cut"
    (event,) = events(series)
    assert event.start_s == pytest.approx(1.4, abs=0.45)
    assert event.end_s == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("size", [(176, 144), (426, 240), (640, 360), (1280, 720)])
def test_any_size_and_range(size: tuple[int, int], full_range: bool) -> None:
    pictures = broken(scene(60, size), 20, 45)
    (event,) = events(measured(pictures, full_range=full_range))
    assert event.start_s == pytest.approx(0.8, abs=0.1)
    assert event.end_s == pytest.approx(1.8, abs=0.1)


def test_blocks_that_stay_are_damage_for_as_long_as_they_stay() -> None:
    """Until a key frame comes they may lie on the screen for longer than what else stands out is looked at."""
    pictures = scene(275, speed=0.05)
    rng = np.random.default_rng(3)
    moves = 16 * rng.integers(0, [15, 20, 15, 20], (30, 4))
    intact = pictures[25].copy()
    for n in range(25, 250):
        for y, x, from_y, from_x in moves.tolist():
            pictures[n][y : y + 16, x : x + 16] = intact[from_y : from_y + 16, from_x : from_x + 16]
    (event,) = events(measured(pictures))
    assert event.start_s == pytest.approx(1.0, abs=0.2)
    assert event.end_s == pytest.approx(10.0, abs=0.1)


def test_the_details_show_where() -> None:
    pictures = scene(60, (640, 360))
    hit = [picture.copy() for picture in pictures]
    rng = np.random.default_rng(1)
    for n in range(25, 50):
        # Everything happens in the lower left quarter.
        for y, x in 16 * rng.integers([12, 0], [22, 20], (60, 2)):
            hit[n][y : y + 16, x : x + 16] = pictures[n][int(rng.integers(0, 160)) :, 400:][:16, :16]
    (event,) = events(measured(hit))
    rows = event.details["tile_map"]
    assert [len(row) for row in rows] == [21] * 12
    marked = {(y, x) for y, row in enumerate(rows) for x, mark in enumerate(row) if mark == "#"}
    assert len(marked) >= 20
    assert all(y >= 5 and x <= 11 for y, x in marked)
    assert event.details["corrupted_area"] == pytest.approx(len(marked) / 252, abs=0.001)
    assert 1.0 <= event.details["picture_s"] < 2.0


def test_a_stream_that_is_joined_in_the_middle() -> None:
    series = measured(broken(scene(100), 50, 75))
    (evidence,) = weighed(BLOCK_CORRUPTION, cut(series, [20])[1:])
    assert evidence.verdict[:30].max() == -1
    assert (evidence.verdict[35:55] == 1).all()


# --- what only looks like it ----------------------------------------------------------------------------------------


def graphics(pictures: list[np.ndarray], first: int) -> list[np.ndarray]:
    """From `first` on a table of boxes that lie on the grid."""
    out = [picture.copy() for picture in pictures]
    for picture in out[first:]:
        picture[64:192, 64:256] = 60
        picture[80:176:32, 80:240] = 200
    return out


def pixelated(pictures: list[np.ndarray], first: int, side: int = 16) -> list[np.ndarray]:
    """From `first` on an area is of blocks of one colour, which lie on the grid."""
    out = [picture.copy() for picture in pictures]
    for n in range(first, len(out)):
        area = out[n][48:144, 64:160]
        means = area.reshape(96 // side, side, 96 // side, side).mean(axis=(1, 3))
        area[:] = np.kron(means, np.ones((side, side))).astype(np.uint8)
    return out


def coarse(pictures: list[np.ndarray], first: int) -> list[np.ndarray]:
    """From `first` on blocks of 16 are told apart by their means, all over the picture, as at a low bit rate."""
    out = list(pictures)
    for n in range(first, len(out)):
        rows, columns = out[n].shape[0] // 16, out[n].shape[1] // 16
        means = out[n].reshape(rows, 16, columns, 16).mean(axis=(1, 3))
        out[n] = (0.8 * out[n] + 0.2 * np.kron(means, np.ones((16, 16)))).astype(np.uint8)
    return out


def flashing(pictures: list[np.ndarray]) -> list[np.ndarray]:
    return [
        np.minimum(picture.astype(int) + 80 * (n // 3 % 2), 235).astype(np.uint8) for n, picture in enumerate(pictures)
    ]


def ticker(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """Letters in a line that lies on the grid run through the lower edge."""
    letters = np.kron(np.random.default_rng(5).random((4, 400)) > 0.5, np.ones((4, 4))) * 190 + 30
    out = [picture.copy() for picture in pictures]
    for n, picture in enumerate(out):
        picture[208:224] = np.roll(letters, -3 * n, axis=1)[:, : picture.shape[1]]
    return out


ALIKE = {
    "a moving picture": scene(100),
    "fast motion": scene(100, speed=15.0),
    "a cut": [*scene(50), *scene(50, seed=9)],
    "cuts every half second": [one for seed in range(8) for one in scene(12, seed=seed)],
    "a cut to coarse compression": [*scene(50), *coarse(scene(50, seed=9), 0)],
    "coarse compression throughout": coarse(scene(100), 0),
    "graphics on the grid": graphics(scene(100), 0),
    "graphics on the grid that appear": graphics(scene(100), 40),
    "a pixelated face": pixelated(scene(100), 0),
    "a pixelated face that appears": pixelated(scene(100), 40),
    "a face pixelated finely": pixelated(scene(100), 40, side=8),
    "flashes": flashing(scene(100)),
    "a ticker": ticker(scene(100)),
    "a still": scene(1) * 100,
    "black": [np.full((240, 320), 16, np.uint8)] * 100,
    "one broken picture": broken(scene(100), 40, 41),
}


@pytest.mark.parametrize("name", ALIKE)
def test_what_only_looks_like_it_is_not_told(name: str) -> None:
    assert events(measured(ALIKE[name])) == []


# --- what the decoder and the transport report ----------------------------------------------------------------------


def test_reported_damage_that_shows_lasts_until_a_key_frame() -> None:
    pictures = broken(scene(125), 30, 75)
    series = measured(pictures, keys=(0, 75), corrupt=(30, 31, 45))
    (event,) = events(series)
    assert (event.start_s, event.end_s) == (1.2, 3.0)
    assert event.details["cause"] == "decode"
    assert event.details["reported_pictures"] == 3
    assert event.severity == "warn"
    assert event.confidence > 0.9


def test_damage_that_the_picture_hardly_shows_is_told_from_its_report_on() -> None:
    pictures = scene(125)
    for n in range(40, 75):
        pictures[n][128:144, 96:112] = pictures[n][32:48, 200:216]
        pictures[n][128:144, 144:160] = pictures[n][32:48, 40:56]
    shown = measured(pictures, keys=(0, 75), corrupt=(36, 40))
    (event,) = events(shown)
    assert (event.start_s, event.end_s) == (1.44, 3.0)
    assert event.severity == "warn"
    unreported = replace(shown, damaged=np.zeros(125, bool), is_corrupt=np.zeros(125, bool))
    assert events(unreported) == []


def test_reports_of_which_nothing_shows_are_information() -> None:
    (event,) = events(measured(scene(125), keys=(0, 75), corrupt=(30, 36, 48, 60)))
    assert (event.start_s, event.end_s) == (1.2, 3.0)
    assert (event.severity, event.confidence) == ("info", 0.5)


@pytest.mark.parametrize("corrupt", [(30,), (30, 40), (30, 31, 32)])
def test_few_reports_of_which_nothing_shows_are_not_told(corrupt: tuple[int, ...]) -> None:
    keys = (0, 33) if len(corrupt) == 3 else (0, 75)
    assert events(measured(scene(125), keys=keys, corrupt=corrupt)) == []


def test_without_key_frames_damage_ends_a_while_after_its_last_report() -> None:
    (event,) = events(measured(scene(250), corrupt=(30, 36, 48)))
    assert event.start_s == 1.2
    assert event.end_s == pytest.approx(48 / 25 + 3.0, abs=0.1)


def test_whoever_tunes_in_in_mid_gop_gets_no_alarm() -> None:
    pictures = broken(scene(75), 0, 40)
    (event,) = events(measured(pictures, keys=(40,), corrupt=range(0, 40, 4)))
    assert (event.severity, event.start_s, event.end_s) == ("info", 0.0, 1.6)


def test_what_only_the_transport_has_seen_says_so() -> None:
    pictures = broken(scene(100), 30, 60)
    note = Note("transport_error", "video", 29, Fraction(1, 25), "packets missing", {})
    (event,) = events(measured(pictures, keys=(0, 60), notes=[note]))
    assert event.details["cause"] == "transport"
    assert (event.start_s, event.end_s) == (1.2, 2.4)


def test_a_smear_counts_as_seen() -> None:
    pictures = scene(100)
    for n in range(30, 60):
        pictures[n][96:] = pictures[30][95]
    (event,) = events(measured(pictures, keys=(0, 60), corrupt=(30,)))
    assert event.severity == "warn"
    assert sum(row.count("#") for row in event.details["tile_map"]) / 252 > 0.4


def test_a_damaged_file_is_told_through_all_stages(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "damaged.ts", seconds=4, size=(320, 240), gop=50, audio=None)

    def told() -> list[Event]:
        return [event for event in gpu_qa.analyze(str(clip)).events if event.kind == "video.block_corruption"]

    assert told() == []
    flip_bits(clip, 2000, seed=1, skip=20_000)
    assert {event.details["cause"] for event in told()} & {"decode", "transport"}


def test_damage_that_comes_and_goes_with_the_pictures_is_told() -> None:
    pictures = scene(150)
    hit = broken(pictures, 30, 110, share=0.3)
    flickering = [hit[n] if n % 4 < 2 else pictures[n] for n in range(150)]
    (event,) = events(measured(flickering))
    assert event.start_s == pytest.approx(1.2, abs=0.5)
    assert event.end_s == pytest.approx(4.4, abs=0.5)


# --- streams in pieces ----------------------------------------------------------------------------------------------

_LONG = joined(
    measured(broken(scene(120), 30, 60), keys=(0, 80, 100), corrupt=(70, 71, 90)),
    measured(concealed(scene(100, speed=0.3), 40, 75), keys=(0, 75)),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 220), max_size=9))
def test_any_cut_gives_the_same_evidence(at: list[int]) -> None:
    assert_same_evidence(weighed(BLOCK_CORRUPTION, cut(_LONG, at)), weighed(BLOCK_CORRUPTION, [_LONG]))


def test_what_is_carried_is_bounded() -> None:
    carry = None
    series = measured(broken(scene(60), 10, 60), corrupt=range(30, 60))
    sizes = []
    for _ in range(6):
        _, carry = BLOCK_CORRUPTION.weigh(series, BLOCK_CORRUPTION.limits, carry)
        sizes.append(len(carry.flats))
    assert max(sizes) <= 16
