"""One analysis: its events while they last, how it is stopped, left and ended, and what outlives a fault of ours."""

from __future__ import annotations

import dataclasses
import os
import threading
import time

import pytest

import gpu_qa
from gpu_qa.sinks.curves import CurveRecorder
from gpu_qa.sources import SourceSettings
from tests.clips import cached_clip
from tests.faulty_clip import CPU, FREEZE, SIZE, faulty, found, threads_of_ours


def test_events_are_told_while_they_last() -> None:
    """Black begins after 2 s and lasts to the end, which the writer holds back."""
    data = cached_clip("dark.ts", seconds=8, size=SIZE, gop=12, black=(2, 8)).read_bytes()
    read, write = os.pipe()
    told = threading.Event()
    released_early: list[bool] = []

    def feed() -> None:
        with open(write, "wb", buffering=0) as end:  # noqa: PTH123 - a descriptor has no path
            held = len(data) * 9 // 10
            end.write(data[:held])
            released_early.append(told.wait(20))
            end.write(data[held:])

    thread = threading.Thread(target=feed)
    thread.start()
    states: list[tuple[str, str]] = []
    with open(read, "rb") as file:  # noqa: PTH123
        for event in gpu_qa.Analysis(file, CPU):
            states.append((event.kind, event.state))
            if event.kind == "video.black":
                told.set()
    thread.join()

    assert released_early == [True]
    assert states[0] == ("video.black", "open")
    assert states[-1] == ("video.black", "closed")


def test_one_event_keeps_its_id_from_open_to_closed() -> None:
    analysis = gpu_qa.Analysis(str(faulty()), CPU)
    history: dict[str, list[gpu_qa.Event]] = {}
    for event in analysis:
        history.setdefault(event.id, []).append(event)
        assert analysis.progress.open_events <= 3
    for events in history.values():
        assert [event.state for event in events] == ["open"] * (len(events) - 1) + ["closed"]
        assert all(event.start_s == events[0].start_s for event in events)
    assert [events[-1] for events in history.values()] == list(analysis.report().events)
    progress = analysis.progress
    assert (progress.frames, progress.open_events, progress.live) == (300, 0, False)
    assert progress.position_s == pytest.approx(12, abs=0.1)
    assert progress.duration_s == pytest.approx(12, abs=0.1)


def test_callbacks_see_what_the_iteration_sees() -> None:
    events: list[gpu_qa.Event] = []
    progress: list[gpu_qa.Progress] = []
    report = gpu_qa.analyze(str(faulty()), CPU, on_event=events.append, on_progress=progress.append)
    assert events == list(gpu_qa.Analysis(str(faulty()), CPU))
    assert [event for event in events if event.state == "closed"] == list(report.events)
    assert len(progress) == len(events) + 1
    assert progress[-1].frames == 300


def test_stopping_half_way_keeps_what_is_known() -> None:
    analysis = gpu_qa.Analysis(str(faulty()), CPU)
    states = []
    for event in analysis:
        if event.kind == "video.black":
            states.append(event.state)
            analysis.stop()
            analysis.stop()
    assert states == ["open", "closed"]
    report = analysis.report()
    assert report.error is None
    assert report.exit_code == 1
    assert report.measurements["frames_decoded"] < 300
    assert found(report)["video.freeze"] == FREEZE
    (black,) = found(report)["video.black"]
    assert black[0] == pytest.approx(5, abs=0.06)
    assert black[1] == pytest.approx(report.measurements["analyzed_s"], abs=0.5)
    assert not threads_of_ours()


def test_stopping_before_the_start_ends_at_once() -> None:
    analysis = gpu_qa.Analysis(str(faulty()), CPU)
    analysis.stop()
    assert list(analysis) == []
    report = analysis.report()
    assert (report.error, report.exit_code) == ("stopped before anything was known", 2)
    assert report.measurements["frames_decoded"] == 0


def test_leaving_the_iteration_ends_the_reader() -> None:
    for event in gpu_qa.Analysis(str(faulty()), CPU):
        assert event.state == "open"
        break
    assert not threads_of_ours()


def test_a_source_that_waits_can_be_stopped_from_another_thread() -> None:
    read, write = os.pipe()
    with open(read, "rb") as file, open(write, "wb", buffering=0) as end:  # noqa: PTH123
        data = cached_clip("short.ts", seconds=2, size=SIZE, gop=12).read_bytes()
        threading.Thread(target=lambda: end.write(data)).start()
        settings = dataclasses.replace(CPU, source=SourceSettings(read_timeout_s=60, analyze_s=0.5))
        analysis = gpu_qa.Analysis(file, settings)
        threading.Timer(1.5, analysis.stop).start()
        began_s = time.monotonic()
        assert list(analysis) == []
        assert time.monotonic() - began_s < 10
    assert analysis.report().error is None


@pytest.mark.parametrize("breaks_after", [0, 10])
def test_what_is_known_outlives_a_fault_of_ours(breaks_after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    add = CurveRecorder.add_video
    calls = iter(range(10_000))

    def breaking(self: CurveRecorder, series: gpu_qa.VideoSeries) -> None:
        if next(calls) >= breaks_after:
            raise ZeroDivisionError("of ours")
        add(self, series)

    monkeypatch.setattr(CurveRecorder, "add_video", breaking)
    analysis = gpu_qa.Analysis(str(faulty()), CPU)
    told = list(analysis)
    report = analysis.report()
    assert report.error == "internal error: ZeroDivisionError: of ours"
    assert isinstance(analysis.failure, ZeroDivisionError)
    assert {event.state for event in report.events} <= {"closed"}
    assert {event.id for event in told} == {event.id for event in report.events}
    assert bool(report.events) == (breaks_after > 0)
    assert threads_of_ours() == []


def test_an_analysis_runs_once() -> None:
    analysis = gpu_qa.Analysis(str(cached_clip("short.ts", seconds=2, size=SIZE, gop=12)), CPU)
    assert list(analysis) == []
    with pytest.raises(RuntimeError, match="runs once"):
        list(analysis)
    failed = gpu_qa.Analysis("/nowhere/film.mp4", CPU)
    assert list(failed) == []
    with pytest.raises(RuntimeError, match="runs once"):
        list(failed)


def test_only_so_much_is_analyzed() -> None:
    report = gpu_qa.analyze(str(faulty()), CPU, duration_s=6)
    assert report.measurements["analyzed_s"] == pytest.approx(6, abs=1)
    assert set(found(report)) <= {"video.freeze", "video.black"}
    assert "video.freeze" in found(report)
