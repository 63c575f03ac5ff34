"""The command: what it prints where, and how it exits. Signals and pipes are in test_session.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gpu_qa
from gpu_qa import cli, session
from tests.clips import cached_clip
from tests.command import Ran, clean_clip, frozen_clip

ROOT = Path(__file__).parents[1]
HEAVY = ("numpy", "av", "numba", "torch", "plotly", "jinja2")
"""Modules that take long to import; pydantic is typer's own for options with types."""


def loaded_by(*arguments: str) -> list[str]:
    """Which heavy modules a run in a process of its own has imported by its end."""
    program = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print(*[m for m in {HEAVY} if m in sys.modules], file=sys.stderr))\n"
        "from gpu_qa.cli import main\n"
        f"main({list(arguments)!r})"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return answer.stderr.split()


@pytest.mark.parametrize("arguments", [("--help",), ("analyze", "--help"), ("--version",)])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert loaded_by(*arguments) == []


def test_help_shows_examples_and_every_option(gpu_qa_command: Any) -> None:
    text = gpu_qa_command("analyze", "--help").out
    for words in ("gpu-qa analyze film.mp4", "--format", "--read-timeout", "Exit code"):
        assert words in text
    overview = gpu_qa_command("--help").out
    for command in cli._COMMANDS:
        assert f" {command} " in overview


def test_version() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "gpu_qa", "--version"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert answer.stdout == f"gpu-qa {gpu_qa.__version__}\n"


def test_a_clean_file_exits_0(gpu_qa_command: Any) -> None:
    ran = gpu_qa_command("analyze", clean_clip())
    assert (ran.code, ran.err) == (0, "")
    assert "Clean" in ran.out


def test_a_defect_exits_1_and_stands_in_the_table(gpu_qa_command: Any) -> None:
    ran = gpu_qa_command("analyze", frozen_clip())
    assert (ran.code, ran.err) == (1, "")
    assert "video.freeze" in ran.out
    assert "0:00:01.000" in ran.out
    assert "1 defect" in ran.out


def test_verbose_tells_events_and_decoders_and_quiet_nothing(gpu_qa_command: Any) -> None:
    lines = gpu_qa_command("analyze", frozen_clip(), "--verbose", "--device", "cpu").err.splitlines()
    assert lines[0].startswith("gpu-qa: 0:00:01.000 open warn video.freeze: picture unchanged")
    assert lines[1].startswith("gpu-qa: 0:00:01.000 closed warn video.freeze")
    assert lines[2:] == [f"gpu-qa: {frozen_clip()}: decoded by pyav aac, pyav h264"]
    assert gpu_qa_command("analyze", frozen_clip(), "--quiet").err == ""


def test_json_is_one_document_per_input(gpu_qa_command: Any) -> None:
    ran = gpu_qa_command("analyze", frozen_clip(), clean_clip(), "--format", "json")
    assert ran.code == 1
    frozen, clean = ran.documents()
    assert set(frozen) == {"stream", "media", "events", "measurements"}
    assert frozen["stream"] == str(frozen_clip())
    [event] = frozen["events"]
    assert (event["kind"], event["state"]) == ("video.freeze", "closed")
    assert event["start_s"] == pytest.approx(1.0, abs=0.05)
    assert event["end_s"] == pytest.approx(4.0, abs=0.05)
    assert clean["events"] == []
    assert clean["measurements"]["frames_decoded"] == 75


def test_jsonl_tells_each_event_opening_and_closing(gpu_qa_command: Any) -> None:
    ran = gpu_qa_command("analyze", frozen_clip(), "--format", "jsonl")
    opened, closed = (json.loads(line) for line in ran.out.splitlines())
    assert (opened["state"], opened["end_s"], closed["state"]) == ("open", None, "closed")
    assert opened["id"] == closed["id"]


def test_a_missing_file_exits_2_with_one_line(gpu_qa_command: Any) -> None:
    ran = gpu_qa_command("analyze", "not-there.mp4", "--format", "jsonl")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "gpu-qa: not-there.mp4: no such file.\n"


def test_output_goes_to_a_file_instead(gpu_qa_command: Any, tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    target.write_text("old")
    ran = gpu_qa_command("analyze", clean_clip(), "--format", "json", "-o", target)
    assert (ran.code, ran.out) == (0, "")
    assert json.loads(target.read_text())["events"] == []
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_json_in_a_file_is_what_standard_output_would_get(gpu_qa_command: Any, tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    ran = gpu_qa_command("analyze", frozen_clip(), clean_clip(), "--format", "json", "-o", target)
    assert (ran.code, ran.out) == (1, "")
    first, second = Ran(0, target.read_text(encoding="utf-8"), "").documents()
    assert (len(first["events"]), second["events"]) == (1, [])
    shown = " ".join(gpu_qa_command("analyze", "--help").out.replace("│", " ").split())
    assert "one document per input, one after another" in shown


def test_a_report_is_written_beside_the_result(gpu_qa_command: Any, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    ran = gpu_qa_command("analyze", frozen_clip(), clean_clip(), "--report", page, "--format", "json")
    assert len(ran.documents()) == 2
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "frozen.ts" in text
    assert "clean.ts" in text


@pytest.mark.parametrize("option", ["--output", "--report"])
def test_where_nothing_can_be_written_is_found_out_first(gpu_qa_command: Any, tmp_path: Path, option: str) -> None:
    ran = gpu_qa_command("analyze", "not-there.mp4", option, tmp_path)
    assert (ran.code, ran.err) == (2, f"gpu-qa: {tmp_path}: is a folder; give the name of a file in it\n")
    ran = gpu_qa_command("analyze", "not-there.mp4", option, tmp_path / "no" / "file")
    assert ran.err == f"gpu-qa: {tmp_path / 'no' / 'file'}: there is no folder {tmp_path / 'no'}\n"


def test_weights_that_cannot_be_read_are_told_once_before_any_input_opens(gpu_qa_command: Any, tmp_path: Path) -> None:
    missing, result = tmp_path / "missing.npz", tmp_path / "result.json"
    config = tmp_path / "own.toml"
    config.write_text(f"[detectors.av_offset]\nweights = '{missing}'\n")
    inputs = ("not-there.mp4", clean_clip(), frozen_clip())
    ran = gpu_qa_command("analyze", *inputs, "--config", config, "--output", result)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"gpu-qa: {missing}: cannot be read: No such file or directory\n"
    assert not result.exists()
    streams = tmp_path / "streams.toml"
    streams.write_text(
        f"[[streams]]\nname = 'a'\ninput = '{clean_clip()}'\n"
        f"[[streams]]\nname = 'b'\ninput = '{clean_clip()}'\ndetectors.av_offset.weights = '{config}'\n"
    )
    ran = gpu_qa_command("analyze", "--streams", streams)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"gpu-qa: {config}: holds no weights that gpu-qa sync-train wrote\n"
    # A detector that does not run needs none.
    assert gpu_qa_command("analyze", clean_clip(), "--config", config, "--detectors", "freeze").code == 0


def test_only_chosen_detectors_run(gpu_qa_command: Any) -> None:
    assert gpu_qa_command("analyze", frozen_clip(), "--detectors", "black, audio.silence").code == 0
    assert gpu_qa_command("analyze", frozen_clip(), "--detectors", "video.freeze").code == 1


def test_a_profile_is_an_option(gpu_qa_command: Any) -> None:
    ran = gpu_qa_command("analyze", clean_clip(), "--profile", "ebu", "--detectors", "loudness", "--format", "json")
    told = [event for event in json.loads(ran.out)["events"] if event["kind"] == "audio.loudness"]
    assert ran.code == (1 if told else 0)
    assert all(event["details"]["target_lufs"] == -23.0 for event in told)
    assert told


def test_settings_come_from_a_file_and_options_win(gpu_qa_command: Any, tmp_path: Path) -> None:
    path = tmp_path / "lenient.toml"
    path.write_text("[decode]\ndevice = 'cuda'\n[detectors.freeze]\nraise_after_s = 3.5\n")
    assert gpu_qa_command("analyze", frozen_clip(), "--config", path, "--device", "cpu").code == 0


def test_duration_ends_the_analysis(gpu_qa_command: Any) -> None:
    ran = gpu_qa_command("analyze", frozen_clip(), "--duration", "2", "--format", "json")
    [document] = ran.documents()
    assert ran.code == 0
    assert 2.0 <= document["measurements"]["analyzed_s"] < 3.0


def test_tracks_can_be_chosen(gpu_qa_command: Any) -> None:
    clip = cached_clip("two.mkv", seconds=1, audio_tracks=2)

    def tracks(value: str) -> list[str]:
        ran = gpu_qa_command("analyze", clip, "--format", "json", "--audio-tracks", value)
        return [track["kind"] for track in ran.documents()[0]["media"]["tracks"]]

    assert tracks("first") == ["video", "audio"]
    assert tracks("all") == ["video", "audio", "audio"]
    assert tracks("2") == ["video", "audio"]
    assert tracks("1,2") == ["video", "audio", "audio"]
    assert tracks("none") == ["video"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no input: give paths or URLs, or --streams FILE"),
        (("x", "--jobs", "0"), "Invalid value for '--jobs'"),
        (("x", "--streams", "missing.toml"), "missing.toml: cannot be read"),
        (("x", "--format", "xml"), "'xml' is not one of"),
        (("x", "--colour"), "No such option: --colour"),
        (("x", "--video-track", "one"), "Invalid value for '--video-track'"),
        (("x", "--open-timeout", "-1"), "--open-timeout -1.0: open_timeout_s must be a positive number"),
        (("x", "--audio-tracks", "some"), "--audio-tracks \"some\": must be 'first' or 'all' or a list"),
        (("x", "--duration", "0"), "--duration 0.0: must be more than 0 seconds"),
        (("x", "--detectors", "freez"), "did you mean freeze?"),
        (("x", "--detectors", ","), "no detector is chosen"),
        (("x", "--profile", "ebo"), "did you mean ebu?"),
        (("x", "--config", "missing.toml"), "missing.toml: cannot be read"),
    ],
)
def test_wrong_use_exits_2_with_one_line(gpu_qa_command: Any, arguments: tuple[str, ...], words: str) -> None:
    ran = gpu_qa_command("analyze", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("gpu-qa: ")
    assert ran.err.count("\n") == 1
    assert words in ran.err


def test_credentials_are_shown_nowhere(gpu_qa_command: Any, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    for arguments in ((), ("--format", "json"), ("--verbose", "--report", page)):
        ran = gpu_qa_command("analyze", "rtmp://user:hunter2@127.0.0.1:1/live", *arguments)
        assert ran.code == 2
        assert "127.0.0.1" in ran.out + ran.err
        assert "hunter2" not in ran.out + ran.err
    assert "hunter2" not in page.read_text(encoding="utf-8")


def test_a_fault_outside_of_an_analysis_is_one_line_too(gpu_qa_command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **keywords: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(session, "Session", fail)
    ran = gpu_qa_command("analyze", "x")
    assert ran.code == 2
    assert ran.err == "gpu-qa: internal error: RuntimeError: two lines; run with --verbose for the traceback\n"


def test_a_full_disk_is_told(gpu_qa_command: Any) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    for output_format in ("json", "jsonl", "table"):
        ran = gpu_qa_command("analyze", frozen_clip(), "--format", output_format, "-o", "/dev/full")
        assert ran.code == 2
        assert ran.err == "gpu-qa: /dev/full: cannot be written: No space left on device\n"


def test_detectors_are_listed(gpu_qa_command: Any) -> None:
    entries = json.loads(gpu_qa_command("detectors", "--format", "json").out)
    names = [entry["name"] for entry in entries]
    assert names[:2] == ["freeze", "black"]
    freeze = entries[0]
    assert freeze["kinds"] == ["video.freeze"]
    for item in freeze["limits"] + freeze["timing"]:
        assert item["description"], item["name"]
    assert {"name", "default", "description"} == set(freeze["limits"][0])
    table = gpu_qa_command("detectors").out
    for entry in entries:
        assert entry["summary"][:40] in table
        assert all(item["name"] in table for item in entry["limits"])


def test_settings_are_printed_as_a_file_that_reads_back(gpu_qa_command: Any, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[detectors.freeze]\nnoise_floor = 0.004\n[detectors.black]\nenabled = false\n")
    shown = gpu_qa_command("settings", "--config", path).out
    assert "noise_floor = 0.004" in shown
    again = tmp_path / "again.toml"
    again.write_text(shown, encoding="utf-8")
    assert gpu_qa.load_settings(again) == gpu_qa.load_settings(path)
