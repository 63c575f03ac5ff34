from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.errors import ConfigError
from gpu_qa.sync.content import (
    ContentCarry,
    Heard,
    content_windows,
    own_weights,
    scorable,
    shipped_weights,
    told,
    window_evidence,
    window_scores,
)
from gpu_qa.sync.evidence import NEWS_S, Evidence, answer_of, gathered, is_news
from gpu_qa.sync.listener import Listener
from gpu_qa.sync.shots import Window
from gpu_qa.sync_training.scene import impact_scene
from gpu_qa.sync_training.take import rendered_take
from gpu_qa_kernels.motion_tiles import Motion
from gpu_qa_kernels.speech_bands import BANDS
from gpu_qa_kernels.sync_net import AUDIO_MARGIN, LAGS
from tests.series_builder import audio_series, cut, video_series
from tests.sync_windows import packed

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_qa.series import AudioSeries, SyncSeries, VideoSeries


def impacts(number: int, lag_s: float) -> Heard:
    """Two seconds of a scene that no weights were trained on, its sound advanced by so much."""
    take = rendered_take(impact_scene(9000 + number, 9.0), 0.5)
    first = take.first_row + 4 * 50 + round(100 * lag_s) - AUDIO_MARGIN
    rows = np.full((4 * 50 + 2 * AUDIO_MARGIN, BANDS), np.nan, np.float32)
    low, high = max(first, 0), min(first + len(rows), len(take.rows))
    rows[low - first : high - first] = take.rows[low:high]
    return Heard(Window(50, packed(take.motion[50:100].astype(np.float32))), rows, track=1)


def evidence_of(heard: Heard) -> np.ndarray | None:
    sound = scorable(heard)
    if sound is None:
        return None
    return window_evidence(window_scores(heard.window.motion[None], sound[None], shipped_weights())[0])


@pytest.mark.parametrize("lag_s", [-0.4, 0.0, 0.25])
def test_the_offset_of_impacts_is_found(lag_s: float) -> None:
    evidence = None
    for number in range(12):
        fresh = evidence_of(impacts(number, lag_s))
        assert fresh is not None
        assert np.exp(fresh).sum() == pytest.approx(1.0)
        evidence = gathered(evidence, fresh, 2.0 * number, 2.0)
    assert evidence is not None
    answer = answer_of(evidence)
    assert answer.offset_s == pytest.approx(lag_s, abs=0.06)
    assert answer.sigma_s < 0.06


def test_nothing_is_said_of_silence_stills_and_missing_sound() -> None:
    heard = impacts(0, 0.0)
    still = Window(50, packed(np.zeros(heard.window.motion.shape, np.float32)))
    assert scorable(dataclasses.replace(heard, window=still)) is None
    for rows in (np.full_like(heard.rows, -9.0), np.full_like(heard.rows, np.nan)):
        assert scorable(dataclasses.replace(heard, rows=rows)) is None


def programme(seconds: float = 9.0) -> tuple[VideoSeries, AudioSeries]:
    """Noise that is seen and heard."""
    rng = np.random.default_rng(0)
    video, audio = video_series(int(25 * seconds)), audio_series(seconds)
    motion = np.abs(rng.normal(20, 5, (len(video), len(Motion), 24, 42))).astype(np.float32)
    motion[:, Motion.LUMA], motion[:, Motion.SQUARES] = 100 * 64, 100**2 * 64 + 50
    speech = rng.normal(-5, 1, (len(audio), BANDS)).astype(np.float32)
    return dataclasses.replace(video, motion=motion), dataclasses.replace(audio, speech=speech)


VIDEO, AUDIO = programme()


def windows(order: list[tuple[str, int, int]]) -> list[Heard]:
    carry, found = ContentCarry(), list[Heard]()
    for what, first, until in order:
        video = [cut(VIDEO, (first, until))[1]] if what == "video" else []
        audio = [cut(AUDIO, (first, until))[1]] if what == "audio" else []
        heard, carry = content_windows(carry, video, audio)
        found += heard
    heard, _ = content_windows(carry, finished=True)
    return found + heard


@settings(max_examples=20, deadline=None)
@given(
    pictures=st.lists(st.integers(1, 224), max_size=5, unique=True),
    hops=st.lists(st.integers(1, 899), max_size=5, unique=True),
    late=st.booleans(),
)
def test_any_cut_and_order_gives_the_same_windows(pictures: list[int], hops: list[int], late: bool) -> None:
    parts = [
        (what, first, until, until / rate + (late and what == "audio"))
        for what, cuts, count, rate in (("video", pictures, 225, 25), ("audio", hops, 900, 100))
        for first, until in zip([0, *sorted(cuts)], [*sorted(cuts), count], strict=True)
    ]
    order = [part[:3] for part in sorted(parts, key=lambda part: part[3])]
    got, wanted = windows(order), windows([("audio", 0, 900), ("video", 0, 225)])
    assert [one.window.first for one in got] == [one.window.first for one in wanted]
    for here, there in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(here.rows, there.rows)
        np.testing.assert_array_equal(here.window.motion, there.window.motion)


def test_sound_without_a_picture_is_not_kept_for_ever() -> None:
    carry = ContentCarry()
    for number in range(20):
        by_s = 9.0 * number
        part = dataclasses.replace(AUDIO, pts_s=AUDIO.pts_s + by_s, end_s=AUDIO.end_s + by_s)
        _, carry = content_windows(carry, [], [part])
    assert carry.rows.rows is not None
    assert len(carry.rows.rows) <= 6000


def answers(listener: Listener) -> list[SyncSeries]:
    found = []
    for second in range(9):
        found += listener.take([cut(VIDEO, (25 * second, 25 * second + 25))[1]])
        found += listener.take([], [cut(AUDIO, (100 * second, 100 * second + 100))[1]])
    return found + listener.take(finished=True)


def test_a_thread_beside_gives_the_same_answers() -> None:
    beside, alone = answers(Listener(shipped_weights())), answers(Listener(shipped_weights(), threaded=False))
    assert [float(one.start_s[0]) for one in beside] == [float(one.start_s[0]) for one in alone] != []
    for here, there in zip(beside, alone, strict=True):
        np.testing.assert_array_equal(here.offset_s, there.offset_s)
        np.testing.assert_array_equal(here.confidence, there.confidence)


def test_without_a_further_thread_the_answers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    wanted = answers(Listener(shipped_weights(), threaded=False))
    monkeypatch.setattr(threading.Thread, "start", refused)
    got = answers(Listener(shipped_weights()))
    assert [one.offset_s.tolist() for one in got] == [one.offset_s.tolist() for one in wanted] != []


@pytest.mark.parametrize("threaded", [False, True])
def test_what_was_known_is_forgotten_where_the_clock_jumps(threaded: bool) -> None:
    listener = Listener(shipped_weights(), threaded=threaded)
    found = listener.take([VIDEO], [AUDIO], jumps_s=[6.0], finished=True)
    alone = Listener(shipped_weights(), threaded=threaded).take([VIDEO], [AUDIO], finished=True)
    assert found[0].confidence[0] == alone[0].confidence[0]
    assert found[-1].lags is not None
    assert alone[-1].lags is not None
    assert not np.array_equal(found[-1].lags.evidence, alone[-1].lags.evidence)


def test_a_loop_says_nothing_new_the_second_time() -> None:
    later = [dataclasses.replace(one, pts_s=one.pts_s + 9.0, end_s=one.end_s + 9.0) for one in (VIDEO, AUDIO)]
    listener = Listener(shipped_weights(), threaded=False)
    found = listener.take([VIDEO, later[0]], [AUDIO, later[1]], finished=True)  # type: ignore[list-item]
    assert listener.material.used_s == pytest.approx(9.0, abs=0.2)
    assert listener.material.repeated_s == pytest.approx(9.0, abs=0.2)
    assert found[-1].confidence[0] == found[len(found) // 2 - 1].confidence[0]


def test_a_fault_in_the_thread_beside_comes_out() -> None:
    with pytest.raises(KeyError):
        answers(Listener(({},)))


def test_an_array_is_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "ours.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ConfigError, match=r"ours\.npz: holds no weights"):
        own_weights(str(path))


def test_the_answer_of_a_window_says_where_it_lies() -> None:
    lags = -((np.arange(LAGS) - 55) ** 2) / 4.0
    series = told(impacts(0, 0.0), Evidence(lags, 4.0, before_s=0.25, since_s=1.0))
    assert series.lags is not None
    assert series.lags.lag_s[np.argmax(series.lags.evidence)] == pytest.approx(series.lags.offset_s, abs=0.011)
    assert (series.way, series.track) == ("content", 1)
    assert (series.start_s[0], series.end_s[0], series.offset_s[0]) == (2.0, 4.0, pytest.approx(0.1))
    assert series.before_s is not None
    assert series.since_s is not None
    assert (series.before_s[0], series.since_s[0]) == (0.25, 1.0)


def test_a_sure_answer_is_not_told_on_where_nothing_speaks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    peaked, flat = np.full((1, LAGS), -12.0), np.full((1, LAGS), -np.log(LAGS))
    peaked[0, 65] = 0.0
    scores = iter([*[peaked] * 12, *[flat] * 100])
    monkeypatch.setattr("gpu_qa.sync.listener.window_scores", lambda *_: next(scores))
    monkeypatch.setattr("gpu_qa.sync.listener.is_repeat", lambda _window, _rows, known: (False, known))
    video, audio = programme(80.0)
    told = Listener(shipped_weights(), threaded=False).take([video], [audio], finished=True)
    sure = [float(one.end_s[0]) for one in told if one.confidence[0] >= 0.9]
    assert 36 <= max(sure) <= 36 + NEWS_S
    assert len(sure) >= 9
    assert np.isnan(told[17].offset_s[0])


def test_a_short_pause_does_not_end_what_is_news() -> None:
    peaked, flat = np.full(LAGS, -7.0), np.full(LAGS, -np.log(LAGS))
    peaked[65] = -0.2
    evidence, said = None, []
    for number, lags in enumerate([*[peaked] * 8, *[flat] * 3, *[peaked] * 8]):
        evidence = gathered(evidence, lags, 3.0 * number, 3.0)
        said.append(is_news(evidence, answer_of(evidence).offset_s, 3.0 * number + 3.0))
    assert all(said[1:])
