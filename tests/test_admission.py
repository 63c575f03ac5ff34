"""Who comes into an engine: the names that streams get, whose turn it is, and who is refused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

import gpu_qa
from gpu_qa.config import override
from gpu_qa.stream import StreamAnalysis
from tests.clips import cached_clip
from tests.engine_run import CPU, PACED, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_live_inputs_wait_for_nobody_and_files_take_their_turn() -> None:
    path = cached_clip("turn.ts", seconds=3, size=(64, 48), gop=12)
    engine = gpu_qa.Engine(gpu_qa.EngineSettings(files_at_once=1))
    order = [engine.add(str(path), CPU, name=f"file {number}") for number in range(3)]
    live = engine.add(str(path), PACED, name="live")
    assert engine.load.waiting == 3
    ended = [update.stream.name for update in engine if update.event is None]
    assert [name for name in ended if name != "live"] == [stream.name for stream in order]
    assert live.name == "live"
    assert "live" in ended


def test_streams_of_one_name_get_numbers() -> None:
    path = str(cached_clip("short.ts", seconds=1, size=(64, 48), gop=12))
    engine = gpu_qa.Engine(gpu_qa.EngineSettings(files_at_once=3))
    for name in (None, None, "a", "a"):
        engine.add(path, CPU, name=name)
    assert set(run(engine)) == {path, f"{path} (2)", "a", "a (2)"}


def test_names_are_nobody_elses_from_the_start_and_free_again_at_the_end(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.ts")
    engine = gpu_qa.Engine(gpu_qa.EngineSettings(files_at_once=1))
    names = [engine.add(missing, CPU).name for _ in range(3)]
    engine.remove(engine.add(missing, CPU, name="never begun"))
    again: list[StreamAnalysis] = []
    for update in engine:
        if update.stream.name == "never begun" and not again:
            again.append(engine.add(missing, CPU, name="never begun"))
    assert names == [missing, f"{missing} (2)", f"{missing} (3)"]
    assert [stream.name for stream in again] == ["never begun"]


def test_files_wait_where_no_more_streams_may_run() -> None:
    path = str(cached_clip("short.ts", seconds=1, size=(64, 48), gop=12))
    engine = gpu_qa.Engine(gpu_qa.EngineSettings(files_at_once=4, max_streams=1))
    for _ in range(3):
        engine.add(path, CPU)
    assert [engine.load.waiting for update in engine if update.event is None] == [2, 1, 0]


@pytest.mark.timeout(60)
def test_what_is_laid_over_a_reference_takes_no_place_from_it() -> None:
    path = str(cached_clip("short.ts", seconds=1, size=(64, 48), gop=12))
    engine = gpu_qa.Engine(gpu_qa.EngineSettings(max_streams=1))
    engine.add(path, CPU, name="before")
    reference = engine.add(path, CPU, name="reference")
    engine.add(path, CPU, name="copy", reference=reference)
    ended = [update.stream.name for update in engine if update.event is None]
    assert (ended[0], set(ended[1:])) == ("before", {"reference", "copy"})


def test_a_copy_that_cannot_begin_is_not_waited_for_and_has_no_name(tmp_path: Path) -> None:
    path = str(cached_clip("short.ts", seconds=1, size=(64, 48), gop=12))
    engine = gpu_qa.Engine()
    reference = engine.add(path, CPU, name="reference")
    wrong = override(CPU, {"detectors": {"av_offset": {"weights": str(tmp_path / "missing.npz")}}})
    with pytest.raises(gpu_qa.ConfigError, match="cannot be read"):
        engine.add(path, wrong, name="copy", reference=reference)
    assert not reference.lend().is_ahead(1e6)
    assert engine.add(path, CPU, name="copy", reference=reference).name == "copy"
    assert reference.lend().is_ahead(1e6)


def test_admission() -> None:
    path = str(cached_clip("guest.ts", seconds=30, size=(64, 48), gop=12))
    engine = gpu_qa.Engine(gpu_qa.EngineSettings(max_streams=2))
    engine.add(path, PACED, name="one")
    engine.add(path, PACED, name="two")
    with pytest.raises(gpu_qa.AdmissionError, match="three is refused: 2 streams run, max_streams allows no more"):
        engine.add(path, PACED, name="three")
    engine.stop()
    assert set(run(engine)) == {"one", "two"}


def test_a_machine_without_headroom_refuses_a_further_live_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is judged slowly makes what is decoded wait."""
    take = StreamAnalysis.take

    def slowly(self: StreamAnalysis, *arguments: Any) -> Iterator[gpu_qa.Event]:
        time.sleep(0.02)
        return take(self, *arguments)

    monkeypatch.setattr(StreamAnalysis, "take", slowly)
    path = str(cached_clip("short.ts", seconds=1, size=(64, 48), gop=12))
    engine = gpu_qa.Engine(gpu_qa.EngineSettings(max_lag_s=0.05))
    live = engine.add(path, PACED)
    refused = 0
    for update in engine:
        if update.event is None and update.stream is live:
            with pytest.raises(gpu_qa.AdmissionError, match=r"late is refused: .* is \d+\.\d s behind"):
                engine.add(path, PACED, name="late")
            refused += 1
            engine.add(path, CPU)  # a file can wait
    assert refused
    with pytest.raises(RuntimeError, match="the engine has ended"):
        engine.add(path, CPU)
