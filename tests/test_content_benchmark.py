"""The benchmark of the content way: how clips are joined and moved, what counts, and that the page says it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks import result
from benchmarks.content import __main__ as command
from benchmarks.content import measure, page
from benchmarks.content.material import Clip, drawn, halves, heard, joined, measured, moved, wrong_sound
from benchmarks.content.measure import Answered, Said, StepTold
from benchmarks.content.run import JoinTask
from benchmarks.content.schema import ContentResult
from benchmarks.content.summary import demands_of, joins_of, steps_of
from gpu_qa.sync.content import Heard
from gpu_qa.sync.evidence import LAGS_S
from gpu_qa.sync.shots import Window
from gpu_qa_kernels.speech_bands import BANDS
from gpu_qa_kernels.sync_net import AUDIO_MARGIN
from tests.clips import cached_clip

if TYPE_CHECKING:
    from pathlib import Path


def clip(name: str, steps: int, level: float) -> Clip:
    """Rows count on from `level`, 0.01 a row; its one window begins two steps in."""
    motion = np.full((steps - 2, 7, 24, 42), int(level), np.uint8)
    rows = np.repeat((level + 0.01 * np.arange(4 * steps, dtype=np.float32))[:, None], BANDS, 1)
    return Clip(name, (Window(2, motion),), rows)


def test_a_join_keeps_pictures_and_sound_of_each_clip_together() -> None:
    programme = joined([clip("a", 30, 10.0), clip("b", 40, 20.0), clip("c", 30, 30.0)], 2.4)
    assert [(one.first, len(one), int(one.motion[0, 0, 0, 0])) for one in programme.windows] == [
        (2, 28, 10),
        (32, 28, 20),
    ]
    assert programme.rows.shape == (240, BANDS)
    assert sum(map(len, programme.windows)) == 56
    second = list(heard(programme, programme.rows))[1]
    inside = second.rows[AUDIO_MARGIN:-AUDIO_MARGIN, 0]
    np.testing.assert_allclose(inside, 20.0 + 0.01 * np.arange(8, 8 + 4 * 28), atol=1e-4)
    assert np.isnan(second.rows[-1]).all()
    assert len(list(heard(programme, programme.rows, 32))) == 1


def test_a_positive_move_is_sound_that_comes_earlier() -> None:
    rows = np.repeat(np.arange(100, dtype=np.float32)[:, None], BANDS, 1)
    assert moved(rows, 0.2)[30, 0] == 50
    assert moved(rows, -0.2)[30, 0] == 10
    assert np.isnan(moved(rows, 0.2)[80:]).all()
    assert np.isnan(moved(rows, -0.2)[:20]).all()
    np.testing.assert_array_equal(moved(rows, 0.0), rows)


def test_sources_are_in_one_half_each_and_none_is_drawn_twice() -> None:
    clips = [clip(f"{source}_{number}", 30, 10 * index) for index, source in enumerate("abcde") for number in (1, 2)]
    first, other = halves(clips)
    assert {one.source for one in first} | {one.source for one in other} == set("abcde")
    assert not {one.source for one in first} & {one.source for one in other}
    assert len({one.source for one in first}) == 3
    programme = drawn(clips, 100.0, np.random.default_rng(1))
    assert sum(map(len, programme.windows)) == len(clips) * 28


def test_wrong_sound_is_backwards_or_of_others() -> None:
    clips = [clip("a", 200, 10.0), clip("b", 200, 30.0)]
    programme = joined(clips[:1], 8.0)
    backwards = wrong_sound(programme, clips, 0, np.random.default_rng(1))
    np.testing.assert_array_equal(backwards[::-1], programme.rows)
    others = wrong_sound(programme, clips, 1, np.random.default_rng(1))
    assert others.shape == programme.rows.shape
    assert (others >= 30).all()


def said_of(peaks_s: list[float], sure: float = 9.0) -> list[Said]:
    """Windows of 3 s, each with a peak at a lag."""
    out = []
    for number, peak_s in enumerate(peaks_s):
        lags = sure * np.exp(-0.5 * ((LAGS_S - peak_s) / 0.03) ** 2)
        window = Window(75 * number, np.zeros((75, 1), np.uint8))
        out.append(Said(Heard(window, np.zeros((0, BANDS), np.float32), track=1), lags))
    return out


def test_an_answer_is_held_against_what_was_planted() -> None:
    answer = measure.answered(said_of([0.2] * 10), 0.15)
    assert answer.error_s == pytest.approx(0.05, abs=1e-6)
    assert answer.confidence > 0.99
    assert measure.answered([], 0.1).confidence == 0


@pytest.mark.parametrize(("step_ms", "is_told"), [(300.0, True), (-300.0, True), (0.0, False)])
def test_a_step_is_told_on_its_side_within_a_minute(step_ms: float, is_told: bool) -> None:
    windows = said_of([0.0] * 30 + [step_ms / 1000] * 22)
    told = measure.told_of(windows, 90.0, step_ms)
    assert not told.false_before
    assert told.told_after == is_told
    assert (told.delay_s is not None) == is_told
    if told.delay_s is not None:
        assert 10 <= told.delay_s <= 60
        assert measure.told_of(windows, 90.0, -step_ms).delay_s is None
    early = measure.told_of(said_of([0.3] * 10 + [0.0] * 22), 30.0, step_ms)
    assert early.false_before


def task(number: int, half: str = "first") -> JoinTask:
    return JoinTask(0, half, number)


def test_shares_count_sure_answers_alone() -> None:
    nothing = Answered(np.nan, 0.2)
    found = [
        (task(0), Answered(0.01, 0.95), nothing),
        (task(1), Answered(-0.1, 0.91), Answered(np.nan, 0.9)),
        (task(2), Answered(0.5, 0.6), nothing),
        (task(3, "other"), Answered(0.2, 0.99), nothing),
    ]
    first, other = joins_of(found, [("talking", 30.0)])
    assert (first.joins, first.answered, first.within_80_ms, first.within_120_ms, first.wrong_answered) == (
        3,
        2,
        1,
        2,
        1,
    )
    assert first.median_ms == pytest.approx(55.0)
    assert (other.joins, other.answered, other.within_120_ms) == (1, 1, 0)
    demands = {(one.is_talking, one.confidence): one for one in demands_of(found, [("talking", 30.0)])}
    assert demands[True, 0.5].answered == 4
    assert demands[True, 0.9].answered == 3
    assert demands[True, 0.95].wrong_answered == 0
    assert demands[False, 0.5].joins == 0
    told = [[StepTold(20.0, False, True)], [StepTold(None, True, True)]]
    (row,) = steps_of(told, (150.0,))
    assert (row.joins, row.told, row.median_s, row.false_before) == (2, 1, 20.0, 1)
    assert steps_of(told, (0.0,))[0].told == 2


def test_clips_are_read_and_others_left_out(tmp_path: Path) -> None:
    good = cached_clip(seconds=3.0)
    (tmp_path / "notes.txt").write_text("no clip")
    with pytest.warns(UserWarning, match="notes"):
        (one,) = measured([good, tmp_path / "notes.txt"])
    assert one.name == good.stem
    assert len(one.rows) == pytest.approx(300, abs=8)
    assert max(window.first + len(window) for window in one.windows) <= len(one.rows) // 4


def test_the_command_names_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main([])
    assert "--talking and --strikes are needed" in capsys.readouterr().err


def test_the_page_says_what_was_measured() -> None:
    document = result.read(ContentResult, json.loads(command.RESULT.read_text()))
    text = page.PAGE.read_text(encoding="utf-8")
    for table in page.tables(document).values():
        assert table in text
