"""The examples run, and the demonstration finds every fault that it plants."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.clips import cached_clip

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")]), "COLUMNS": "140"}


def run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False, timeout=110)


def demo_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo", ROOT / "examples" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["demo"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.timeout(300)
def test_the_demonstration_finds_what_it_plants_and_nothing_else(tmp_path: Path) -> None:
    import gpu_qa

    demo = demo_module()
    demo.make_clip(tmp_path / "clip.ts")
    report = gpu_qa.analyze(str(tmp_path / "clip.ts"))
    unexplained = list(report.events)
    # Broken blocks stay until the next key frame, and name the errors that they come from.
    (broken,) = (event for event in unexplained if event.kind == demo.DAMAGE.kind)
    assert broken.start_s == pytest.approx(demo.DAMAGE.start_s, abs=0.3)
    assert "stream.decode_error" in broken.details["consequences"]
    unexplained.remove(broken)
    for fault in set(demo.FAULTS) - {demo.DAMAGE}:
        matching = [
            event
            for event in unexplained
            if event.kind == fault.kind and abs(event.start_s - fault.start_s) < 0.1 and event.end_s is not None
        ]
        assert matching, f"{fault} was not found"
        for event in matching:
            assert event.end_s == pytest.approx(fault.end_s, abs=0.1)
            unexplained.remove(event)
    assert unexplained == []
    assert report.measurements["integrated_lufs"] == pytest.approx(-25, abs=2)  # as loud as television is


def test_analyze_file() -> None:
    answer = run("analyze_file.py", cached_clip("frozen.ts", seconds=5, freeze=(1, 4)))
    assert answer.returncode == 1, answer.stderr
    assert "1.000 s  warn      video.freeze" in answer.stdout
    assert "25.0 frames/s" in answer.stdout


def test_watch_live() -> None:
    answer = run("watch_live.py", cached_clip("frozen.ts", seconds=5, freeze=(1, 4)))
    assert answer.returncode == 1, answer.stderr
    lines = answer.stdout.splitlines()
    assert lines[0].startswith("open        1.000 s  warn      video.freeze: picture unchanged for ")
    assert lines[1].startswith("closed      1.000 s")
    assert lines[-1].startswith("watched 5.")
