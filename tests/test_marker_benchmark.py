"""The benchmark of the marker way: what it plants, how it counts, and that the page says what was measured."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from benchmarks import marker
from benchmarks.marker import Chain, MarkerClip

if TYPE_CHECKING:
    from pathlib import Path


def clip(error_s: float | None, worst_s: float = 0.0, *, made_rate: str = "25", rate: str = "25") -> MarkerClip:
    pairs = 0 if error_s is None else 7
    return MarkerClip("chain", made_rate, rate, 0.1, False, 8, pairs, pairs, error_s, worst_s)


def test_offsets_fill_the_range_and_follow_from_the_seed() -> None:
    found = marker.offsets_s(2.0, 9, 7)
    assert found == marker.offsets_s(2.0, 9, 7) != marker.offsets_s(2.0, 9, 8)
    assert [int((one + 2.0) * 9 / 4) for one in found] == list(range(9))


def test_clips_are_counted_against_half_a_frame_and_a_millisecond() -> None:
    (row,) = marker.rows([clip(0.0), clip(-0.0209, 0.0439), clip(0.0211, 0.0441), clip(None)])
    assert (row.clips, row.within, row.wrong) == (4, 2, 1)
    assert (row.planted, row.sure) == (32, 21)
    assert (row.median_s, row.largest_s, row.worst_s) == (0.0209, 0.0211, 0.0441)
    within, wrong = marker.targets([row])
    assert (within.met, wrong.met) == (False, False)
    (nothing,) = marker.rows([clip(None)])
    assert nothing.median_s is None


def test_the_longer_frame_counts_where_the_rate_was_converted() -> None:
    down, up = marker.rows([clip(0.02, made_rate="60", rate="24"), clip(0.02, made_rate="24", rate="60")])
    assert (down.within, up.within) == (1, 1)


@pytest.mark.needs_ffmpeg
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
@pytest.mark.parametrize("is_leader", [False, True])
def test_clips_are_made_coded_and_measured(tmp_path: Path, is_leader: bool) -> None:
    options = ("-c:v", "mpeg2video", "-b:v", "400k", "-c:a", "mp2", "-b:a", "64k")
    chain = Chain("chain", ".ts", options, (("25", "25"),), is_leader)
    (one,) = marker.clips(chain, 1, 3, tmp_path)
    assert one.pairs == one.sure > 0
    assert one.error_s == pytest.approx(0.0, abs=0.001)
    assert abs(one.offset_s) <= (0.2 if is_leader else 2.0)


def test_the_page_says_what_was_measured() -> None:
    document = marker.load()
    page = marker.PAGE.read_text(encoding="utf-8")
    assert marker.filled(page, document) == page
    assert marker.rows(document.clips) == document.rows
    assert marker.targets(document.rows) == document.targets
    assert len(document.clips) >= 200
