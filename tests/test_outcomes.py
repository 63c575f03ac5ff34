"""The sweep over a folder: how every file ended, whatever the program did with it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import outcomes
from benchmarks.outcomes import TIMED_OUT, Outcome, markdown, read_outcome
from tests.clips import make_clip

if TYPE_CHECKING:
    from pathlib import Path


def document(**more: Any) -> bytes:
    events = [
        {"kind": "video.black", "severity": "warn"},
        {"kind": "video.black", "severity": "major"},
        {"kind": "video.freeze", "severity": "info"},
    ]
    measured = {"analyzed_s": 4.0, "real_time_factor": 8.0, "frames_decoded": 100}
    return json.dumps({"events": events, "measurements": measured} | more).encode()


def test_a_document_is_summed_up() -> None:
    one = read_outcome("a.ts", 1, 1.234, document(), b"")
    assert one == Outcome("a.ts", 1, 1.23, 4.0, 8.0, 100, {"video.black": 2, "video.freeze (info)": 1}, None)
    assert not one.broken
    failed = read_outcome("a.ts", 2, 1.0, document(error="no such file"), b"gpu-qa: no such file\n")
    assert (failed.error, failed.broken) == ("no such file", False)


@pytest.mark.parametrize(
    ("code", "out", "err"),
    [
        (1, document(), b"Traceback (most recent call last):\nValueError: x\n"),
        (2, document(error="internal error: KeyError"), b""),
        (-11, b"", b""),
        (0, b"", b""),
        (1, document()[:-20], b""),
        (TIMED_OUT, b"", b"reading"),
    ],
)
def test_failures_of_the_program_are_told_from_those_of_the_file(code: int, out: bytes, err: bytes) -> None:
    assert read_outcome("a.ts", code, 1.0, out, err).broken


def test_the_table_holds_any_name_and_any_error() -> None:
    text = markdown(
        [
            Outcome("a|b\n.ts", 1, 2.0, 4.0, 8.25, 100, {"video.black": 2, "stream.gap": 1}),
            Outcome("slow.ts", TIMED_OUT, 300.0, None, None, None, error="killed | at\nthe limit"),
        ]
    )
    lines = text.splitlines()
    assert lines[2] == "| a\\|b .ts | 1 | 2.0 | 8.2 | 100 | video.black × 2, stream.gap |  |"
    assert lines[3] == "| slow.ts | time limit | 300.0 |  |  |  | killed \\| at the limit |"
    assert lines[-1] == "Exit codes: time limit: 1, 1: 1. Failures of the program itself: 1."


def test_a_folder_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "films"
    (folder / "below" / ".hidden").mkdir(parents=True)
    (folder / "below" / ".hidden" / "skipped.ts").touch()
    (folder / "below" / "empty.ts").touch()
    make_clip(folder / "-dark.ts", seconds=3, size=(64, 48), audio=None, black=(0, 3))
    monkeypatch.setattr(sys, "argv", ["outcomes", str(folder), "--output", str(tmp_path / "result")])

    assert outcomes.main() == 0

    dark, empty = json.loads((tmp_path / "result.json").read_text())
    assert (dark["file"], dark["exit_code"], dark["frames"], dark["events"]) == ("-dark.ts", 1, 75, {"video.black": 1})
    assert (empty["file"], empty["exit_code"], empty["events"]) == ("below/empty.ts", 2, {})
    assert "is empty" in empty["error"]
    assert "Exit codes: 1: 1, 2: 1." in (tmp_path / "result.md").read_text()
    assert "Failures of the program itself: 0." in capsys.readouterr().out


def test_a_process_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.ts", seconds=1, size=(64, 48))
    one = outcomes.outcome(clip, "clip.ts", ("--device", "cpu"), limit_s=0.05)
    assert one.exit_code == TIMED_OUT
    assert one.wall_s < 20
    assert one.broken
