"""Many streams in one process: each as if it were alone, whatever happens to the others."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import gpu_qa
from gpu_qa import reader
from gpu_qa.decode import DecodeSettings, open_decoder
from gpu_qa.stream import StreamAnalysis
from tests.clips import cached_clip, flip_bits, make_clip
from tests.engine_run import CPU, LIVE, PACED, alone, content, run
from tests.faulty_clip import threads_of_ours

if TYPE_CHECKING:
    from collections.abc import Iterator


def clips() -> list[Path]:
    """Different sizes, rates, depths and faults."""
    return [
        cached_clip("one.ts", seconds=7, size=(160, 90), gop=12, freeze=(1, 5), silence=(3, 6)),
        cached_clip("two.mp4", seconds=6, size=(96, 64), gop=12, black=(1, 4), rate=50),
        cached_clip("three.mkv", seconds=6, size=(130, 98), pixel_format="yuv420p10le", freeze=(2, 5), audio=None),
        cached_clip("four.mp4", seconds=5, size=(64, 48), codec=None, silence=(1, 4)),
    ]


@pytest.mark.parametrize("files_at_once", [0, 1, 4])
def test_many_streams_are_each_as_if_alone(files_at_once: int) -> None:
    engine = gpu_qa.Engine(gpu_qa.EngineSettings(files_at_once=files_at_once))
    for path in clips():
        engine.add(str(path), CPU)
    reports = run(engine)
    assert list(reports) != []
    assert {name: content(report) for name, report in reports.items()} == {str(path): alone(path) for path in clips()}
    assert all(report.events for report in reports.values())
    assert engine.load.frames == sum(report.measurements["frames_decoded"] for report in reports.values())
    assert engine.load.lag_p99_s is None, "files wait for us as long as it takes"


class _Pipe:
    """A pipe that is fed by and by."""

    def __init__(self) -> None:
        read, self._write = os.pipe()
        self.file = os.fdopen(read, "rb")

    def feed(self, data: bytes) -> None:
        os.write(self._write, data)

    def end(self) -> None:
        os.close(self._write)


def test_one_that_stalls_one_that_is_garbage_one_that_is_missing_and_one_that_ends_disturb_nobody(
    tmp_path: Path,
) -> None:
    garbage = tmp_path / "garbage.ts"
    garbage.write_bytes(bytes(range(256)) * 400)
    broken = flip_bits(make_clip(tmp_path / "broken.ts", seconds=4, size=(160, 90), gop=12), 400, seed=3, skip=20_000)
    short = cached_clip("short.ts", seconds=1, size=(64, 48), gop=12)
    stalling, data = _Pipe(), cached_clip("stalls.ts", seconds=4, size=(64, 48), gop=12).read_bytes()
    first, second = clips()[:2]

    engine = gpu_qa.Engine(gpu_qa.EngineSettings(files_at_once=8))
    engine.add(str(first), CPU)
    engine.add(str(garbage), CPU)
    stalled = engine.add(stalling.file, LIVE, name="stalls")
    engine.add(str(broken), CPU)
    engine.add(str(tmp_path / "missing.ts"), CPU)
    engine.add(str(short), CPU)
    engine.add(str(second), CPU)
    threading.Thread(target=stalling.feed, args=(data[: len(data) // 2],)).start()
    reports: dict[str, gpu_qa.Report] = {}
    quiet = 0
    for update in engine:
        if update.event is not None:
            quiet += update.event.kind == "stream.stalled"
            continue
        reports[update.stream.name] = update.stream.report()
        if len(reports) == 6:
            # All others have ended while this one waited.
            assert not stalled.ended
            stalling.end()
    assert len(reports) == 7
    assert content(reports[str(first)]) == alone(first)
    assert content(reports[str(second)]) == alone(second)
    # How libavcodec conceals damage depends on its threads.
    one_thread = dataclasses.replace(CPU, decode=DecodeSettings(device="cpu", threads=1))
    assert content(reports[str(broken)]) == alone(broken, one_thread)
    assert content(reports[str(short)]) == alone(short)
    for path in (garbage, tmp_path / "missing.ts"):
        assert reports[str(path)].exit_code == 2
        assert str(path) in (reports[str(path)].error or "")
    assert reports["stalls"].measurements["frames_decoded"] > 10
    stalling.file.close()


def test_a_change_of_size_is_its_own_streams_business(tmp_path: Path) -> None:
    small = make_clip(tmp_path / "a.ts", seconds=2, size=(96, 64), audio=None)
    large = make_clip(tmp_path / "b.ts", seconds=2, size=(160, 90), audio=None, start_s=2)
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    other = clips()[0]
    engine = gpu_qa.Engine(gpu_qa.EngineSettings(files_at_once=2))
    engine.add(str(both), CPU)
    engine.add(str(other), CPU)
    reports = run(engine)
    assert content(reports[str(other)]) == alone(other)
    assert content(reports[str(both)]) == alone(both)
    assert [event.kind for event in reports[str(both)].events] == ["stream.format_change"]


@pytest.mark.parametrize("where", ["decoder", "judgement"])
def test_a_fault_of_ours_ends_one_stream(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    victim, *others = clips()
    expected = {str(path): alone(path) for path in others}
    if where == "decoder":
        monkeypatch.setattr(reader, "open_decoder", _dying_for(160, open_decoder))
    else:
        take = StreamAnalysis.take

        def breaking(self: StreamAnalysis, *arguments: Any) -> Iterator[gpu_qa.Event]:
            if self.name == str(victim) and self.progress.frames > 60:
                raise MemoryError("of the decoder")
            return take(self, *arguments)

        monkeypatch.setattr(StreamAnalysis, "take", breaking)
    engine = gpu_qa.Engine(gpu_qa.EngineSettings(files_at_once=4))
    streams = {str(path): engine.add(str(path), CPU) for path in clips()}
    reports = run(engine)
    assert {name: content(reports[name]) for name in expected} == expected
    assert reports[str(victim)].error == "internal error: MemoryError: of the decoder"
    assert isinstance(streams[str(victim)].failure, MemoryError)
    assert reports[str(victim)].measurements["frames_decoded"] > 30


def _dying_for(width: int, open_inner: Any) -> Any:
    """Opens decoders of which the one for pictures of this width dies after a while."""

    class Dying:
        def __init__(self, inner: Any) -> None:
            self._inner = inner
            self._calls = 0

        def decode(self, packet: Any) -> Any:
            self._calls += 1
            if self._calls > 60:
                raise MemoryError("of the decoder")
            return self._inner.decode(packet)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

    def opened(track: Any, settings: Any) -> Any:
        decoder = open_inner(track, settings)
        return Dying(decoder) if track.width == width else decoder

    return opened


def test_streams_join_and_leave_while_others_run() -> None:
    steady = cached_clip("steady.ts", seconds=5, size=(160, 90), gop=12, black=(1, 4))
    guest = cached_clip("guest.ts", seconds=30, size=(64, 48), gop=12)
    engine = gpu_qa.Engine()
    stays = engine.add(str(steady), PACED, name="stays")
    problems: list[BaseException] = []

    def come_and_go() -> None:
        try:
            for number in range(6):
                joined = engine.add(str(guest), PACED, name=f"guest {number}")
                time.sleep(0.4)
                engine.remove(joined)
        except BaseException as error:  # noqa: BLE001 - told below
            problems.append(error)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    reports = run(engine)
    thread.join()
    assert problems == []
    assert stays.ended
    assert set(reports) == {"stays", *(f"guest {number}" for number in range(6))}
    paced = gpu_qa.analyze(str(steady), PACED)
    assert content(reports["stays"])["events"] == content(paced)["events"] != []
    for number in range(6):
        report = reports[f"guest {number}"]
        assert report.error in (None, "stopped before anything was known")
        assert report.measurements["analyzed_s"] < 3


def test_who_has_seen_enough_leaves_no_thread_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reader may be waiting for room in a mailbox that nobody empties any more."""
    path = str(cached_clip("guest.ts", seconds=30, size=(64, 48), gop=12))
    take = StreamAnalysis.take

    def slowly(self: StreamAnalysis, *arguments: Any) -> Iterator[gpu_qa.Event]:
        time.sleep(0.01)
        return take(self, *arguments)

    monkeypatch.setattr(StreamAnalysis, "take", slowly)
    engine = gpu_qa.Engine()
    engine.add(path, CPU, name="short", duration_s=0.5)
    for update in engine:
        if update.event is None:
            until_s = time.monotonic() + 30
            while threads_of_ours() and time.monotonic() < until_s:
                time.sleep(0.01)
            assert threads_of_ours() == []


def test_a_system_without_threads_costs_one_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(cached_clip("short.ts", seconds=1, size=(64, 48), gop=12))
    expected = alone(cached_clip("short.ts", seconds=1, size=(64, 48), gop=12))
    start = threading.Thread.start
    refused: list[str] = []

    def first_refused(self: threading.Thread) -> None:
        if not refused:
            refused.append(self.name)
            raise RuntimeError("can't start new thread")
        start(self)

    engine = gpu_qa.Engine(gpu_qa.EngineSettings(files_at_once=2))
    engine.add(path, CPU, name="refused")
    engine.add(path, CPU, name="other")
    monkeypatch.setattr(threading.Thread, "start", first_refused)
    reports = run(engine)
    assert reports["refused"].error == "internal error: RuntimeError: can't start new thread"
    assert content(reports["other"]) == expected


def test_stopping_ends_all_with_what_is_known() -> None:
    path = cached_clip("guest.ts", seconds=30, size=(64, 48), gop=12)
    engine = gpu_qa.Engine(gpu_qa.EngineSettings(files_at_once=1))
    live = [engine.add(str(path), PACED, name=f"live {number}") for number in range(3)]
    for number in range(3):
        engine.add(str(path), CPU, name=f"file {number}")
    stopped_s = []

    def stop_once_all_run() -> None:
        while not all(stream.progress.frames for stream in live):
            time.sleep(0.05)
        stopped_s.append(time.monotonic())
        engine.stop()

    threading.Thread(target=stop_once_all_run, daemon=True).start()
    reports = run(engine)
    assert time.monotonic() - stopped_s[0] < 8
    assert len(reports) == 6
    for number in range(3):
        report = reports[f"live {number}"]
        assert report.error is None
        assert 0 < report.measurements["frames_decoded"] < 700


def test_an_engine_runs_once() -> None:
    engine = gpu_qa.Engine()
    assert list(engine) == []
    with pytest.raises(RuntimeError, match="runs once"):
        list(engine)
    for values in ({"files_at_once": -1}, {"max_streams": -1}, {"max_lag_s": 0.0}):
        with pytest.raises(ValueError, match="must be"):
            gpu_qa.EngineSettings(**values)


def test_a_decoder_among_many_has_one_thread_and_one_alone_has_what_it_likes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    seen: list[int] = []

    def noting(track: Any, settings: Any) -> Any:
        if track.kind == "video":
            seen.append(settings.threads)
        return open_decoder(track, settings)

    monkeypatch.setattr(reader, "open_decoder", noting)
    path = str(cached_clip("short.ts", seconds=1, size=(64, 48), gop=12))
    gpu_qa.analyze(path, CPU)
    engine = gpu_qa.Engine()
    engine.add(path, CPU)
    engine.add(path, CPU)
    run(engine)
    chosen = dataclasses.replace(CPU, decode=DecodeSettings(device="cpu", threads=3))
    gpu_qa.analyze(path, chosen)
    assert seen == [0, 1, 1, 3]


def test_hundreds_that_come_and_go_leave_nothing_behind() -> None:
    """However they end: by themselves, when enough was seen, removed, missing."""
    path = str(cached_clip("short.ts", seconds=1, size=(64, 48), gop=12))
    gpu_qa.analyze(path, CPU)
    before = _held()
    engine = gpu_qa.Engine()
    for number in range(150):
        if number % 4 == 0:
            engine.add(path, CPU)
        elif number % 4 == 1:
            engine.add(path, CPU, duration_s=0.3)
        elif number % 4 == 2:
            engine.remove(engine.add(path, PACED))
        else:
            engine.add(f"{path}.missing", CPU)
    ended = sum(update.event is None for update in engine)
    assert ended == 150
    assert _held() == before
    assert not engine._names
    assert not engine._leaving


def _held() -> tuple[int, int]:
    """Threads, and open files where the system tells."""
    files = Path("/proc/self/fd")
    return len(threading.enumerate()), len(list(files.iterdir())) if files.exists() else 0
