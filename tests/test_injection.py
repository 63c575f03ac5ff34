"""The command `gpu-qa inject`: what it prints, writes, lists and refuses, and the page on its faults."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gpu_qa.config import known_detectors
from gpu_qa.inject import FAULTS, parse_planting
from gpu_qa.inject.registry import is_told
from tests.clips import make_clip
from tests.inject_clips import base_clip

ROOT = Path(__file__).parent.parent


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gpu_qa", "inject", *arguments],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip


def test_the_command_prints_the_truth(tmp_path: Path) -> None:
    out = str(tmp_path / "a.ts")
    faults = ["--fault", "flash:area=0.3,start=0.5", "--fault", "hum:strength=-35"]
    done = command(str(base_clip()), out, *faults, "--start", "1", "--duration", "1", "--strength", "4", "--seed", "8")

    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    flash, hum = document["faults"]
    assert (flash["kind"], flash["start_s"], flash["end_s"], flash["strength"]) == ("video.flash", 0.52, 1.52, 4.0)
    assert (hum["kind"], hum["start_s"], hum["strength"], hum["unit"]) == ("audio.hum", 1.0, -35.0, "dBFS")
    assert hum["seed"] == 8
    assert Path(out).stat().st_size > 1000


def test_the_command_lists_and_refuses(tmp_path: Path) -> None:
    listed = json.loads(command("--list", "--format", "json").stdout)
    assert [entry["fault"] for entry in listed] == list(FAULTS)
    kinds = {kind for detector in known_detectors().values() for kind in detector.kinds}
    assert [entry["told"] for entry in listed] == [fault.kind in kinds for fault in FAULTS.values()]
    marks = command("--list").stdout.count("(untold)")
    assert marks == sum(not entry["told"] for entry in listed)
    wrong = command(str(base_clip()), str(tmp_path / "a.mp4"), "--fault", "freez")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("gpu-qa: unknown fault 'freez' (did you mean freeze?)")
    truth = tmp_path / "truth.json"
    short = ["--length", "0.5", "--truth", str(truth), "--video-codec", "mpeg2video", "--audio-codec", "mp2"]
    quiet = command(str(base_clip()), str(tmp_path / "a.ts"), *short)
    assert (quiet.returncode, quiet.stdout) == (0, "")
    assert json.loads(truth.read_text(encoding="utf-8"))["video_codec"] == "mpeg2video"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gop", "inf"], "--gop inf: must be more than 0 seconds"),
        (["--length", "inf"], "--length inf: must be more than 0 seconds"),
        (["--length", "nan"], "--length nan: must be more than 0 seconds"),
        (["--start", "-1", "--fault", "black"], "--start -1: must be 0 seconds or more"),
        (["--duration", "0", "--fault", "black"], "--duration 0: must be more than 0 seconds"),
        (["--strength", "3", "--fault", "freeze"], "--strength 3: no fault that has a strength"),
        (["--strength", "3"], "--strength 3: no fault that has a strength"),
        (["--strength", "3", "--fault", "hum"], "hum: strength 3: must be -80 to -6 dBFS"),
    ],
)
def test_options_that_are_refused(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = command(str(base_clip()), str(tmp_path / "a.mp4"), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"gpu-qa: {said}")
    assert list(tmp_path.iterdir()) == []


def test_a_strength_of_its_own_comes_first() -> None:
    assert parse_planting("hum: strength =-35", strength=-20.0).strength == -35.0
    assert parse_planting("hum", strength=-20.0).strength == -20.0
    assert parse_planting("freeze", strength=-20.0).strength == 0.0


def test_the_truth_overwrites_no_clip(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "own.mp4", seconds=0.5)
    (tmp_path / "link.json").hardlink_to(clip)
    before, new = clip.read_bytes(), str(tmp_path / "new.mp4")
    for truth, said in ((str(clip), "the clip itself"), ("link.json", "the clip itself"), (new, "the new clip")):
        done = command(str(clip), new, "--truth", str(tmp_path / truth))
        assert done.returncode == 2
        assert f"is {said}" in done.stderr
    assert clip.read_bytes() == before
    assert not Path(new).exists()


def test_the_page_lists_all_faults() -> None:
    page = (ROOT / "docs" / "inject.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \|(.*)$", page, re.MULTILINE)
    assert [(name, kind) for name, kind, _ in rows] == [(fault.name, fault.kind) for fault in FAULTS.values()]
    untold = re.findall(r"^- No detector tells (.*):", page, re.MULTILINE)
    named = re.findall(r"`(\w+)`", " ".join(untold))
    assert named == [name for name, fault in FAULTS.items() if not is_told(fault)]
    for name, _, rest in rows:
        fault = FAULTS[name]
        assert fault.summary in rest
        if fault.strength:
            allowed = fault.strength
            assert f"{allowed.low:g} … {allowed.high:g} {allowed.unit} ({allowed.default:g})" in rest, name
        assert all(f"`{option.name}`" in rest for option in fault.options), name
