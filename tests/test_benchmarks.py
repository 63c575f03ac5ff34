"""The benchmarks' harness: material, schema and sanity on a tiny clip. Never speed."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from benchmarks import clips, judging, memory, page, pipeline, result
from benchmarks.result import MemoryResult, PipelineResult, Software, Spread, Target
from gpu_qa.bench.usage import Elsewhere
from gpu_qa.detectors import DETECTORS


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


def luma(path: Path, at_s: float) -> np.ndarray:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= at_s:
                return frame.to_ndarray(format="gray8").astype(float)
    raise AssertionError(f"no frame at {at_s} s")


@pytest.mark.timeout(300)
def test_pipeline_measures_every_side(films: Path, tmp_path: Path) -> None:
    sides = ["decode", "analyze", "analyze without av_offset", "first result"]
    if shutil.which("ffmpeg"):
        sides += ["ffmpeg", "ffmpeg small"]
    output = tmp_path / "pipeline.json"
    tiny = ["--film", "tiny", "--warm-up", "tiny", "--short", "tiny", "--films", str(films)]

    assert pipeline.main(["--rounds", "1", "--sides", ",".join(sides), *tiny, "--output", str(output)]) == 0

    document = result.read(PipelineResult, json.loads(output.read_text(encoding="utf-8")))
    assert document.clip.frames == 75
    assert document.clip.synthesised
    assert [side.name for side in document.sides] == [side for side in sides if side != "first result"]
    by_name = {side.name: side for side in document.sides}
    for side in document.sides:
        assert side.wall_s.median > 0
        assert side.cpu_s.median > 0
        assert side.frames_per_s == pytest.approx(75 / side.wall_s.median, rel=0.1)
    assert by_name["analyze"].peak_mb.median > by_name["decode"].peak_mb.median > 10
    targets = {target.name: target for target in document.targets}
    ratio = targets["CPU time, analyze / decode"]
    assert ratio.value.median == pytest.approx(
        by_name["analyze"].cpu_s.median / by_name["decode"].cpu_s.median, rel=0.1
    )
    assert ratio.met == (ratio.value.median <= pipeline.MAX_CPU_RATIO)
    assert targets["CPU ms of av_offset per second of stream"].limit == pipeline.MAX_AV_OFFSET_MS
    assert targets["first JSON line of a 10 s clip, s"].value.median > 0
    assert ("wall time, ffmpeg at full size / analyze" in targets) == ("ffmpeg" in sides)


@pytest.mark.timeout(300)
def test_memory_measures_a_looped_film(films: Path, tmp_path: Path) -> None:
    output = tmp_path / "memory.json"
    tiny = ["--film", "tiny", "--large", "tiny", "--large-warm-up", "tiny", "--films", str(films)]

    assert memory.main([*tiny, "--loops", "40", "--settled-s", "20", "--output", str(output)]) == 0

    document = result.read(MemoryResult, json.loads(output.read_text(encoding="utf-8")))
    assert document.clip.frames == 40 * 75
    assert document.events >= 40
    growth, peak, large = (target.value.median for target in document.targets)
    assert 0 <= growth < peak
    assert large > 10
    assert max(sample.resident_mb for sample in document.samples) <= peak + 1
    assert document.samples[-1].position_s == pytest.approx(120, abs=0.5)


@pytest.mark.timeout(300)
def test_judging_measures_every_stage(tmp_path: Path) -> None:
    output = tmp_path / "judging.json"

    assert judging.main(["--seconds", "4", "--rounds", "1", "--output", str(output)]) == 0

    document = result.read(judging.JudgingResult, json.loads(output.read_text(encoding="utf-8")))
    us = {(stage.content, stage.stage): stage.us.median for stage in document.stages}
    for content in judging.CONTENTS:
        for name in [f"detector {one.name}" for one in DETECTORS if one.consumes != "sync"] + [
            "curves",
            "events",
            "series of pictures",
        ]:
            assert 0 < us[content, name] < us[content, "whole"], name
    # Black raises events, and the first picture of one becomes its thumbnail.
    assert us["black", "thumbnails taken"] > 0
    assert ("moving", "thumbnails taken") not in us
    targets = {target.name: target.value.median for target in document.targets}
    assert 0.2 < targets["work of two threads in the time of one"] < 4.0
    assert 1.0 < targets["memory of a stream after 4 s, MB"] < judging.MAX_MB


@pytest.mark.parametrize("name", page.KINDS)
def test_committed_results_follow_the_schema_and_are_on_the_page(name: str) -> None:
    document = page.load(name)
    text = page.PAGE.read_text(encoding="utf-8")
    assert document.schema == result.SCHEMA
    assert page.filled(text, name, document) == text


def test_page_is_filled_in_its_places() -> None:
    document = page.load("memory")
    text = page.filled("a <!-- memory -->old<!-- /memory --> z", "memory", document)
    assert text.startswith("a <!-- memory -->\n|")
    assert text.endswith("<!-- /memory --> z")
    assert "old" not in text
    assert f"{document.targets[0].value.median:.2f}" in text
    with pytest.raises(ValueError, match="no <!-- memory -->"):
        page.filled("nothing", "memory", document)


def test_films_are_the_same_each_time_and_hold_their_faults(films: Path, tmp_path: Path) -> None:
    film = dataclasses.replace(clips.TINY, faults=(clips.Fault("black", 1.0, 2.0), clips.Fault("freeze", 2.2, 2.8)))
    path = clips.cached(film, films)
    clips.write(film, tmp_path / "again.mp4")

    again = luma(tmp_path / "again.mp4", 0.4)
    np.testing.assert_array_equal(luma(path, 0.4), again)
    assert again.std() > 10
    assert luma(path, 1.5).max() <= 20
    frozen, later, moving = luma(path, 2.3), luma(path, 2.7), luma(path, 2.88)
    assert np.abs(frozen - later).mean() < 2 < np.abs(frozen - moving).mean()
    assert clips.cached(film, films) == path


def test_looped_film_has_no_seam(films: Path, tmp_path: Path) -> None:
    # 3.2 s are a whole number of AAC frames.
    film = dataclasses.replace(clips.TINY, seconds=3.2, suffix=".ts")
    clips.loop(clips.cached(film, films), 3, tmp_path / "looped.ts")
    for kind, step in (("video", 3600), ("audio", 1920)):
        with av.open(str(tmp_path / "looped.ts")) as container:
            stream = next(stream for stream in container.streams if stream.type == kind)
            dts = [packet.dts for packet in container.demux(stream) if packet.dts is not None]
        assert set(np.diff(dts)) == {step}
    facts = clips.describe(tmp_path / "looped.ts", synthesised=True)
    assert facts.frames == 240
    assert facts.seconds == pytest.approx(9.6)


def test_a_run_that_saw_other_frames_is_refused(films: Path) -> None:
    tiny = str(clips.cached(clips.TINY, films))
    with pytest.raises(RuntimeError, match="saw 75 frames of 74"):
        pipeline.run_python(["decode", tiny, tiny], frames=74)
    assert pipeline.run_python(["decode", tiny, tiny], frames=75).wall_s > 0


def test_a_failing_run_says_why() -> None:
    with pytest.raises(RuntimeError, match="nothing-there"):
        pipeline.run_python(["decode", "/nothing-there.mp4", "/nothing-there.mp4"], frames=1)


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs /proc")
def test_other_work_on_the_machine_is_noticed() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        with Elsewhere() as elsewhere, pytest.raises(subprocess.TimeoutExpired):
            busy.wait(1.0)
    finally:
        busy.kill()
        busy.wait()
    assert elsewhere.processors > 0.2


def test_spread_is_median_and_quartiles() -> None:
    assert Spread.of([4.0, 1.0, 2.0, 3.0, 5.0]) == Spread(3.0, 2.0, 4.0, (4.0, 1.0, 2.0, 3.0, 5.0))
    assert Spread.of([2.5]) == Spread(2.5, 2.5, 2.5, (2.5,))
    with pytest.raises(ValueError, match="nothing was measured"):
        Spread.of([])


def test_target_weighs_the_median() -> None:
    assert Target.of("ratio", [1.0, 1.2, 9.0], "at most", 1.25).met is True
    assert Target.of("ratio", [1.0, 1.3, 9.0], "at most", 1.25).met is False
    assert Target.of("ratio", [1.0, 12.0, 13.0], "at least", 10.0).met is True
    assert Target.of("ratio", [1.0, 2.0]) == Target("ratio", Spread.of([1.0, 2.0]), None, "shown", None)


def test_memory_growth_is_what_came_after() -> None:
    flat = [(0.0, 90.0), (100.0, 200.0), (299.0, 180.0), (301.0, 199.0), (3600.0, 195.0)]
    assert memory.growth_mb(flat, 300.0) == 0.0
    assert memory.growth_mb([*flat, (3601.0, 230.0)], 300.0) == 30.0
    with pytest.raises(ValueError, match="no sample"):
        memory.growth_mb(flat[:3], 300.0)


def test_samples_are_thinned_to_the_largest_of_each_stretch() -> None:
    samples = [(float(i), 100.0 + i % 10) for i in range(101)]
    thinned = memory.thinned(samples, stretches=10)
    assert [sample.position_s for sample in thinned] == [10.0 * (i + 1) for i in range(10)]
    assert {sample.resident_mb for sample in thinned} == {109.0}


def software(**changes: Any) -> dict[str, Any]:
    return {"python": "3.11.7", "packages": {"av": "18.1.0"}, "ffmpeg": None, "commit": "abc"} | changes


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"python": "3.11.7"}, "Software: found"),
        (software(surplus=1), "surplus"),
        (software(commit=None), "Software.commit = None"),
        (software(packages={"av": 18}), "Software.packages.av = 18"),
        ([], "found list"),
    ],
)
def test_schema_refuses(value: Any, named: str) -> None:
    assert result.read(Software, software()).packages == {"av": "18.1.0"}
    with pytest.raises(ValueError, match=named):
        result.read(Software, value)


@pytest.mark.parametrize("number", [math.nan, math.inf, True, "1.0", None])
def test_schema_wants_finite_numbers(number: Any) -> None:
    value = {"median": 1, "q1": 1.0, "q3": 1.0, "values": [1.0]}
    assert result.read(Spread, value) == Spread.of([1.0])
    with pytest.raises(ValueError, match=r"Spread\.values\[1\]"):
        result.read(Spread, value | {"values": [1.0, number]})
