"""The benchmark of `gpu-qa compare`: what is drawn, that it answers as the command does, and that the page says it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import result
from benchmarks.compare import __main__ as command
from benchmarks.compare import page
from benchmarks.compare.material import Clip, Piece, Programme, clips_of, halves, made, programmes, reference_of
from benchmarks.compare.plan import NotEnoughError, half_orders, hard_orders, is_related, orders
from benchmarks.compare.run import Row, coded_ones, rows_of
from benchmarks.compare.schema import CompareResult
from benchmarks.compare.strips import laid_over, reversed_in_time, strip_of
from benchmarks.compare.summary import copies_of, interval, others_of
from benchmarks.compare.treatment import SINGLE
from gpu_qa.comparison import Comparison
from tests.clips import make_clip
from tests.test_compare import clip as moving_clip


def some_clip(name: str, seconds: float) -> Clip:
    return Clip(Path(name), name, seconds, "25", "content")


def some_programme(start_s: int, *clips: str) -> Programme:
    return Programme(tuple(Piece(some_clip(one, 10.0), float(start_s), 10.0) for one in clips), "25")


def row(kind: str, *, told_s: float | None, picture: str = "matches", ways: tuple[str, ...] = ("half",)) -> Row:
    matching = int(picture == "matches")
    return Row(
        "1-000", kind, ways[0] if len(ways) == 1 else "combined", ways, "black", ("a",), ("b",), 1.0, 0.5, told_s, 1.0,
        picture, picture, matching, matching, (), 2, 100.0, "method",
    )  # fmt: skip


def test_programmes_are_parts_of_long_clips_and_joins_of_short_ones() -> None:
    import random

    clips = [some_clip("long", 64.0), some_clip("ten", 9.95), *(some_clip(f"s{n}", 3.0) for n in range(9))]
    found = programmes(clips, random.Random(1))
    parts = [one for one in found if one.clips == {"long"}]
    assert [piece.start_s for one in parts for piece in one.pieces] == [0.0, 16.0, 32.0, 48.0]
    assert [one.clips for one in found if "ten" in one.clips] == [{"ten"}]
    joined = [one for one in found if len(one.pieces) > 1]
    assert [len(one.pieces) for one in joined] == [4, 4]
    assert not joined[0].clips & joined[1].clips


def test_takes_are_halves_of_clips_too_short_for_two_programmes() -> None:
    (pair,) = halves([some_clip("short", 7.0), some_clip("middle", 12.0), some_clip("long", 30.0)])
    (first,), (second,) = (one.pieces for one in pair)
    assert first.clip.name == second.clip.name == "middle"
    assert first.start_s + first.seconds < second.start_s
    assert second.start_s + second.seconds <= 12.0


def test_each_treatment_has_its_share_and_other_content_is_other() -> None:
    alike = [frozenset({"a", "b"})]
    material = [some_programme(10 * n, name) for name in "abcdefg" for n in range(3)]
    drawn = orders(material, 200, 1, alike)
    assert drawn == orders(material, 200, 1, alike) != orders(material, 200, 2, alike)
    ways = Counter(one.way for one in drawn)
    assert {ways[one.name] for one in SINGLE} == {20}
    assert ways["combined"] == 60
    assert max(Counter(one.programme.name for one in drawn).values()) <= 10
    assert {one.lead for one in drawn} == {"black", "held", "other"}
    for one in drawn:
        assert 0 <= one.delay_s <= 20
        assert -1 <= one.skew_s <= 1
        kinds = Counter(kind for kind, _ in one.pairs)
        assert kinds == {"copy": 1, "other": 1, "reversed": 1, "part": 2}
        for kind, other in one.pairs:
            assert is_related(one.programme, other, alike) == (kind != "other")
            assert kind in ("copy", "reversed") or other is not one.programme
            # What comes before it is no copy of what it is laid over either.
            assert not is_related(one.other, other, alike)
    takes = half_orders([(material[0], material[1])], material, 1)
    assert [(one.programme, one.pairs[0][1]) for one in takes] == [tuple(material[:2]), (material[1], material[0])]
    assert len({one.name for one in material}) == len(material)


@pytest.mark.parametrize("clips", ["", "a", "ab", "aab"])
def test_too_few_programmes_are_refused(clips: str) -> None:
    material = [some_programme(10 * number, name) for number, name in enumerate(clips)]
    with pytest.raises(NotEnoughError, match="three programmes"):
        orders(material, 2, 1, [])
    with pytest.raises(NotEnoughError, match="three programmes"):
        orders([*material, some_programme(0, "c"), some_programme(0, "d")], 2, 1, [frozenset("abcd")])
    if len(set(clips)) < 2:
        with pytest.raises(NotEnoughError, match="programmes"):
            hard_orders(material, 2, 1, [])


def test_the_command_says_what_is_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(tmp_path), "--work", str(tmp_path / "work")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("compare: at least three programmes")


def test_shares_have_their_interval() -> None:
    assert interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert interval(398, 400) == pytest.approx((0.9820, 0.9986), abs=1e-4)


def test_rows_are_summed_up() -> None:
    rows = [
        row("copy", told_s=0.501),
        row("copy", told_s=0.475, ways=("half", "rate_25_50")),
        row("copy", told_s=None, picture="unknown: the picture is still"),
        row("other", told_s=None, picture="differs"),
        row("other", told_s=None, picture="unknown: the picture is still"),
        row("reversed", told_s=0.1),
    ]
    half, combined, same, other, whole = copies_of(rows)
    assert (half.way, half.copies, half.answered, half.within_20_ms) == ("half", 2, 1, 1)
    assert half.median_ms == pytest.approx(1.0)
    assert combined.way == "combined"
    assert combined.largest_ms == pytest.approx(25.0)
    assert (same.copies, other.copies, whole.copies, whole.within_20_ms) == (2, 1, 3, 1)
    wrong, backwards, every = others_of(rows)
    assert (wrong.pairs, wrong.recognised, wrong.unknown, wrong.with_skew) == (2, 1, 1, 0)
    assert (backwards.recognised, backwards.picture_matched, backwards.with_skew) == (0, 1, 1)
    assert (every.pairs, every.recognised) == (3, 1)


def test_strips_say_what_the_command_says(tmp_path: Path) -> None:
    reference = moving_clip(tmp_path / "reference.mp4")
    copy = moving_clip(tmp_path / "copy.mp4", picture_s=2.0, sound_s=1.85)
    comparison = Comparison(str(reference), [str(copy)])
    assert list(comparison)
    (wanted,) = comparison.results()
    first, ours = strip_of(reference), strip_of(copy)
    found = laid_over(first, ours).compared
    assert found.summary == wanted.summary
    assert found.stretches == wanted.stretches
    again = reversed_in_time(reversed_in_time(first))
    np.testing.assert_allclose(again.pictures[0].pts_s, first.pictures[0].pts_s, atol=1e-9)
    backwards = laid_over(first, reversed_in_time(first)).compared.summary
    assert backwards is not None
    assert backwards.picture.verdict == "differs"
    assert backwards.sound.delay_s is None


@pytest.mark.needs_ffmpeg
def test_a_run_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    folder, work = tmp_path / "clips", tmp_path / "work"
    for path in (folder, work):
        path.mkdir()
    for seed in (1, 2, 3):
        moving_clip(folder / f"{seed}.mp4", seed=seed)
    make_clip(folder / "mute.mp4", seconds=11, audio=None)
    (folder / "notes.txt").write_text("no clip")
    clips = clips_of([folder])
    assert [one.name for one in clips] == ["clips/1.mp4", "clips/2.mp4", "clips/3.mp4"]
    material = coded_ones([Programme((Piece(one, 0.0, 10.0),), one.rate) for one in clips], work)
    planned = [replace(one, delay_s=2.0) for one in orders(material, 2, 1, [])]
    rows = list(rows_of(planned, work))
    assert [one.kind for one in rows] == ["copy", "other", "reversed"] * 2
    kept = work / "rows.jsonl"
    lines = kept.read_bytes().splitlines(keepends=True)
    # What is laid over again never takes so long.
    marked = [json.loads(line) for line in lines[:4]]
    for number, (_, one) in enumerate(marked):
        one["cpu_ms"] = 1e6 + number
    before = "".join(json.dumps(one) + "\n" for one in marked).encode()
    kept.write_bytes(before)
    again = list(rows_of(planned, work))
    assert again[:4] == [replace(one, cpu_ms=1e6 + number) for number, one in enumerate(rows[:4])]
    assert [replace(one, cpu_ms=0.0) for one in again[4:]] == [replace(one, cpu_ms=0.0) for one in rows[4:]]
    assert kept.read_bytes()[: len(before)] == before
    assert len(kept.read_bytes().splitlines()) == len(lines)


@pytest.mark.needs_ffmpeg
def test_what_is_kept_is_of_the_clips_and_of_what_is_done_to_them(tmp_path: Path) -> None:
    folder, work = tmp_path / "clips", tmp_path / "work"
    for path in (folder, work):
        path.mkdir()
    references = []
    for seed in (1, 2):
        moving_clip(folder / "1.mp4", seed=seed)
        (clip,) = clips_of([folder])
        reference = reference_of(Programme((Piece(clip, 0.0, 2.0),), clip.rate), clip.rate, work)
        assert reference is not None
        references.append(reference)
    assert references[0] != references[1]
    assert references[0].read_bytes() != references[1].read_bytes()
    first, again, shorter, other = (
        made(work, "copy", "-i", source, "-t", seconds, "-c", "copy")
        for source, seconds in (
            (references[0], "1"),
            (references[0], "1"),
            (references[0], "0.5"),
            (references[1], "1"),
        )
    )
    assert first == again
    assert len({first, shorter, other}) == 3
    assert made(work, "none", "-i", work / "none.mp4") is None


def test_committed_result_follows_the_schema_and_is_on_the_page() -> None:
    document = result.read(CompareResult, json.loads(command.RESULT.read_text(encoding="utf-8")))
    text = page.PAGE.read_text(encoding="utf-8")
    assert document.schema == result.SCHEMA
    for table in page.tables(document).values():
        assert table in text
