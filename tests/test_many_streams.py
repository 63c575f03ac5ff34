"""The harness of the many-stream benchmark on a tiny film. Never speed."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks import clips, many_streams, one_process, processes, result
from benchmarks.many_streams import ManyStreamsResult

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


@pytest.mark.timeout(300)
def test_every_part_is_measured(films: Path, tmp_path: Path) -> None:
    output = tmp_path / "many.json"
    tiny = ["--film", "tiny", "--warm-up", "tiny", "--small", "tiny", "--films", str(films)]
    small = ["--rounds", "1", "--streams", "2", "--live-s", "1", "--churn-s", "4"]

    assert many_streams.main([*tiny, *small, "--output", str(output)]) == 0

    document = result.read(ManyStreamsResult, json.loads(output.read_text(encoding="utf-8")))
    assert document.clip.frames == 3 * 75
    assert document.streams == 2
    targets = {target.name: target for target in document.targets}
    asked = {target.name.split(",")[0] for target in document.targets if target.limit is not None}
    assert {"CPU time", "memory (PSS)", "growth with streams joining and leaving"} <= asked
    # One process needs less than two, whatever else the machine does.
    assert 0 < targets["memory (PSS), 2 live streams, one process / 2 processes"].value.median < 1
    assert targets["streams that joined and left"].value.median >= many_streams.CHURN_STREAMS
    assert document.churn[-1].position_s <= 10
    assert all(sample.resident_mb > 10 for sample in document.churn)


def test_both_sides_of_the_engine_do_the_same_work(films: Path) -> None:
    clip = str(clips.cached(clips.TINY, films))
    assert one_process.in_engine(clip) == one_process.in_plain_loop(clip) == 75
    assert one_process.in_parallel(clip) == 75 * one_process.FILES_PER_CORE_TEST


def test_growth_is_what_comes_after_the_first_quarter() -> None:
    rising = [(float(at_s), 100.0 + at_s) for at_s in range(101)]
    assert many_streams.growth_mb(rising) == 75
    assert many_streams.growth_mb([(at_s, 200.0 - mb) for at_s, mb in rising]) == 0
    with pytest.raises(ValueError, match="too few"):
        many_streams.growth_mb([(1.0, 100.0)])
    thinned = many_streams.thinned(rising, stretches=10)
    assert [sample.resident_mb for sample in thinned] == [*range(109, 199, 10), 200]
    assert many_streams.thinned([]) == ()


def test_a_command_that_fails_is_told(tmp_path: Path) -> None:
    missing = processes.analyze_command([str(tmp_path / "missing.mp4")])
    with pytest.raises(RuntimeError, match="ended with 2"):
        processes.run_to_end([missing])
    with pytest.raises(RuntimeError, match="before the watch was over"):
        processes.watch_live([[sys.executable, "-c", "pass"]], 2.0, 0.2)
