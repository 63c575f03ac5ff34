"""The bench: what it measures of a tiny format, the costs that it writes, and its commands. Never speed."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from benchmarks import page
from gpu_qa import cli
from gpu_qa.bench import peers, result, run, usage
from gpu_qa.bench.costs import BenchResult, RealTime, load_costs
from gpu_qa.bench.formats import parse_format
from gpu_qa.bench.run import Bench, BenchSettings, MeasurementError
from gpu_qa.bench.table import render
from gpu_qa.bench.weigh import sum_ms
from gpu_qa.config import default_detectors
from gpu_qa.errors import ConfigError
from gpu_qa.fleet import DEFAULT_COSTS, price
from gpu_qa.fleet.machine import load_prices
from gpu_qa.fleet.plan import Headroom
from tests.clips import cached_clip
from tests.costs_builder import costs, format_cost

if TYPE_CHECKING:
    from pathlib import Path

TINY = parse_format("h264:128x72p25")


def text_of(renderable: Any) -> str:
    console = Console(file=io.StringIO(), width=240)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


# --- the whole bench ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> BenchResult:
    folder = tmp_path_factory.mktemp("films")
    words: list[str] = []
    settings = BenchSettings((TINY,), rounds=1, seconds=1.5, max_streams=2, folder=folder)
    found = Bench(settings, words.append).run()
    assert any("2 streams in real time" in one for one in words)
    return found


@pytest.mark.timeout(300)
def test_the_bench_measures_every_side_and_part(measured: BenchResult, tmp_path: Path) -> None:
    assert measured.complete
    (one,) = measured.formats
    assert (one.codec, one.width, one.height, one.frame_rate) == ("h264", 128, 72, 25.0)
    sides = [side.name for side in one.sides]
    assert sides[:3] == ["decode", "features", "everything"]
    assert ("ffmpeg small" in sides) == peers.has_ffmpeg()
    assert all(side.cpu_ms_per_frame > 0 and side.frames_per_s > 0 for side in one.sides)
    parts = one.parts
    for spread in (parts.demux_ms, parts.decode_ms, parts.measure_ms, parts.series_ms, parts.record_ms):
        assert spread.median > 0
    assert parts.sound_decode_ms.median > 0
    assert {cost.name for cost in parts.detectors} == set(default_detectors())
    per = {cost.name: cost.per for cost in parts.detectors}
    assert (per["freeze"], per["silence"], per["gap"]) == ("picture", "second", "second")
    everything = next(side for side in one.sides if side.name == "everything")
    assert one.overhead == pytest.approx(everything.cpu_ms_per_frame / sum_ms(parts, 25.0), rel=0.02)
    assert one.real_time is not None
    assert [probe.streams for probe in one.real_time.probes] == [1, 2]
    assert one.memory_mb is not None
    assert measured.base_mb > 10

    path = tmp_path / "costs.json"
    path.write_text(result.to_text(measured), encoding="utf-8")
    assert load_costs(path) == measured


@pytest.mark.timeout(300)
def test_the_result_is_shown(measured: BenchResult) -> None:
    text = text_of(render(measured))
    assert "h264 128×72 at 25/s" in text
    assert "streams in real time: at most 1 s behind" in text
    assert "everything" in text
    rows = price.price_rows(measured, load_prices(), Headroom(), "c7i.xlarge")
    assert {row.machine for row in rows} == set(load_prices().machines)
    ((here, *others),) = [sorted(rows, key=lambda row: not row.measured)]
    assert (here.machine, here.measured) == ("c7i.xlarge", True)
    assert not any(row.measured for row in others)
    text = text_of(price.render(rows, measured, Headroom(), "c7i.xlarge"))
    assert "projection" in text
    assert "this machine is c7i.xlarge" in text


def test_prices_are_cheapest_first_and_measured_streams_keep_headroom() -> None:
    real_time = RealTime(10, False, 1.0, 8.0, (), None)
    found = costs(format_cost(real_time=real_time))
    rows = price.price_rows(found, load_prices(), Headroom(), "c7i.xlarge")
    (here,) = [row for row in rows if row.measured]
    assert here.streams == 7
    assert here.usd_per_stream_hour == pytest.approx(0.1785 / 7)
    per_stream = [row.usd_per_stream_hour for row in rows if row.usd_per_stream_hour is not None]
    assert per_stream == sorted(per_stream)
    assert not any(row.measured for row in price.price_rows(found, load_prices(), Headroom(), None))


def test_an_interrupted_bench_keeps_what_is_finished(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    formats = (TINY, parse_format("h264:128x72p50"))

    def one(self: Bench, wanted: Any, *rest: Any) -> Any:
        if wanted != TINY:
            raise KeyboardInterrupt
        return format_cost()

    monkeypatch.setattr(run, "_child", lambda task: {"proportional_mb": 100.0})
    monkeypatch.setattr(Bench, "_material", lambda self, wanted, where: run._Material("", "", format_cost().clip, None))
    monkeypatch.setattr(Bench, "_format", one)
    found = Bench(BenchSettings(formats), lambda _: None).run()
    assert not found.complete
    assert len(found.formats) == 1
    assert "Interrupted" in text_of(render(found))
    with pytest.raises(KeyboardInterrupt):
        Bench(BenchSettings(formats[1:]), lambda _: None).run()


def test_a_measurement_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"nothing")
    with pytest.raises(MeasurementError, match=r"measuring cut failed: .*[Ii]nvalid data"):
        Bench(BenchSettings((), clip=tmp_path / "no.mp4", folder=tmp_path), lambda _: None).run()


# --- FFmpeg and memory ----------------------------------------------------------------------------------------------


@pytest.mark.needs_ffmpeg
@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_ffmpeg_runs_once_per_stream(tmp_path: Path) -> None:
    clip = str(cached_clip("peer.mp4", seconds=1, size=(96, 64)))
    ran = peers.run_peers(peers.SCALED, clip, 2, sound=True)
    assert ran.cpu_s > 0
    assert ran.peak_mb > 10
    with pytest.raises(RuntimeError, match="ffmpeg ended with"):
        peers.run_peers(peers.FULL_SIZE, str(tmp_path / "missing.mp4"), 1, sound=False)


def test_memory_of_a_process_is_told() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        assert 0 < usage.proportional_mb(other.pid) <= usage.resident_mb(other.pid)
        other.communicate(b"\n")
    assert usage.resident_mb() <= usage.peak_mb() + 1


# --- costs ----------------------------------------------------------------------------------------------------------


def test_the_costs_that_come_with_the_package_cover_every_detector() -> None:
    found = load_costs(DEFAULT_COSTS)
    assert found.device == "cpu"
    assert found.complete
    assert found.software.commit
    assert {one.codec for one in found.formats} == {"h264", "hevc", "av1"}
    assert found.detectors == set(default_detectors())


def test_the_page_on_cost_has_the_prices_of_the_package() -> None:
    text = page.COST_PAGE.read_text(encoding="utf-8")
    assert page.with_prices(text) == text
    with pytest.raises(ValueError, match="no <!-- prices -->"):
        page.with_prices("nothing")


def test_what_is_no_cost_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    with pytest.raises(ConfigError, match="cannot be read"):
        load_costs(path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match="is no result of `gpu-qa bench --output`"):
        load_costs(path)
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_costs(path)
    path.write_text(result.to_text(replace(costs(), schema=99)), encoding="utf-8")
    with pytest.raises(ConfigError, match="has schema 99"):
        load_costs(path)
    path.write_text(result.to_text(replace(costs(), formats=())), encoding="utf-8")
    with pytest.raises(ConfigError, match="holds no measured format"):
        load_costs(path)


# --- the commands ---------------------------------------------------------------------------------------------------


def command(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ending:
        cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert isinstance(ending.value.code, int)
    return ending.value.code, captured.out, captured.err


@pytest.fixture
def measured_quickly(monkeypatch: pytest.MonkeyPatch) -> list[BenchSettings]:
    asked: list[BenchSettings] = []

    def ran(self: Bench) -> BenchResult:
        asked.append(self.settings)
        self.say("measuring")
        return costs()

    monkeypatch.setattr(Bench, "run", ran)
    monkeypatch.setenv("COLUMNS", "200")
    return asked


def test_bench_writes_shows_and_prices(
    capsys: pytest.CaptureFixture[str], measured_quickly: list[BenchSettings], tmp_path: Path
) -> None:
    path = tmp_path / "costs.json"
    code, out, err = command(
        capsys, "bench", "--device", "cpu", "--price", "--machine", "g6.xlarge", "--output", path, "--rounds", "2"
    )
    assert code == 0
    assert "measuring" in err
    assert "$ per stream-hour" in out
    assert load_costs(path) == costs()
    (settings,) = measured_quickly
    assert (settings.rounds, settings.seconds, str(settings.formats[0])) == (2, 8.0, "h264:1920x1080p25")
    code, out, err = command(capsys, "bench", "--device", "cpu", "--full", "--format", "json", "--quiet")
    assert json.loads(out)["benchmark"] == "bench"
    assert err == ""
    assert measured_quickly[1].seconds == 60
    assert {one.codec for one in measured_quickly[1].formats} == {"h264", "hevc", "av1"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--formats", "1080p"], "is no format"),
        (["--seconds", "0.5"], "--seconds 0.5: must be 1 to 3600"),
        (["--rounds", "0"], "--rounds must be 1 or more"),
        (["--clip", "missing.mp4"], "missing.mp4: is no file"),
        (["--clip", "missing.mp4", "--full"], "leave out --formats and --full"),
        (["--machine", "nowhere"], "unknown machine 'nowhere'"),
        (["--output", "missing/costs.json"], "missing"),
    ],
)
def test_bench_refuses_what_it_cannot_do(
    capsys: pytest.CaptureFixture[str], measured_quickly: list[BenchSettings], arguments: list[str], message: str
) -> None:
    code, _, err = command(capsys, "bench", *arguments)
    assert code == 2
    assert message in err
    assert measured_quickly == []


STREAMS = """
[defaults]
codec = "h264"
width = 1920
height = 1080
frame_rate = 25

[[streams]]
name = "news"
input = "srt://studio:9000"

[[streams]]
name = "sport"
input = "srt://arena:9000"
frame_rate = 50
"""


@pytest.fixture
def planning(tmp_path: Path) -> list[str | Path]:
    listed, measured = tmp_path / "channels.toml", tmp_path / "costs.json"
    listed.write_text(STREAMS, encoding="utf-8")
    measured.write_text(result.to_text(costs()), encoding="utf-8")
    return ["plan", "--streams", listed, "--costs", measured, "--detectors", "freeze,black,silence"]


def test_plan_says_how_many_machines_and_what_they_cost(
    capsys: pytest.CaptureFixture[str], planning: list[str | Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, out, err = command(capsys, *planning, "--machine", "g6.xlarge")
    assert (code, err) == (0, "")
    assert "a projection" in out
    assert "1 × h264 1920×1080 at 50/s" in out
    code, out, _ = command(capsys, *planning, "--machine", "g6.xlarge", "--format", "json", "--cpu-only")
    document = json.loads(out)
    assert code == 0
    assert document["projected"] is False
    assert document["machines"] == 1
    assert document["usd_per_stream_hour"] == pytest.approx(0.4024)
    streams = [one for process in document["placed"][0]["processes"] for one in process["streams"]]
    assert {one["stream"] for one in streams} == {"news", "sport"}
    assert all(one["engines"] == 0 for one in streams)


def test_plan_tells_what_fits_nowhere(capsys: pytest.CaptureFixture[str], planning: list[str | Path]) -> None:
    code, out, _ = command(capsys, *planning, "--machine", "c7i.xlarge", "--cpu-load", "0.05", "--format", "json")
    assert code == 1
    reasons = {one["stream"]: one["reason"] for one in json.loads(out)["unplaced"]}
    assert set(reasons) == {"news", "sport"}
    assert "decoding and measuring it alone needs 0.202 cores" in reasons["news"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--machine", "c8i.xlarge"], "unknown machine 'c8i.xlarge' (did you mean c7i.xlarge?)"),
        (["--machine", "c7i.xlarge", "--cpu-load", "1.5"], "--cpu-load must be more than 0 and at most 1"),
        (["--machine", "c7i.xlarge", "--engine-load", "0"], "--engine-load must be more than 0 and at most 1"),
        (["--machine", "c7i.xlarge", "--device-memory-load", "2"], "--device-memory-load must be more than 0"),
        (["--machine", "c7i.xlarge", "--cpu-speed", "0"], "--cpu-speed 0: must be more than 0"),
        (["--machine", "c7i.xlarge", "--assume", "1080p"], "is no format"),
        (["--machine", "c7i.xlarge", "--detectors", "frieze"], "did you mean freeze?"),
        (["--machine", "c7i.xlarge", "--detectors", "gap"], "no cost was measured for the detector gap"),
    ],
)
def test_plan_refuses_what_it_cannot_do(
    capsys: pytest.CaptureFixture[str], planning: list[str | Path], arguments: list[str], message: str
) -> None:
    code, out, err = command(capsys, *planning, *arguments)
    assert (code, out) == (2, "")
    assert message in err
