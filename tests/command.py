"""The command run in the test's own process, and two clips to run it on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gpu_qa import cli
from tests.clips import cached_clip

if TYPE_CHECKING:
    from pathlib import Path


def clean_clip() -> Path:
    return cached_clip("clean.ts", seconds=3)


def frozen_clip() -> Path:
    return cached_clip("frozen.ts", seconds=5, freeze=(1, 4))


class Ran:
    """What one run of the command gave."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def documents(self) -> list[dict[str, Any]]:
        """The JSON documents on standard output, one after another."""
        decoder, text, found = json.JSONDecoder(), self.out.strip(), []
        while text:
            document, end = decoder.raw_decode(text)
            found.append(document)
            text = text[end:].lstrip()
        return found


@pytest.fixture
def gpu_qa_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command in this process."""
    monkeypatch.setenv("COLUMNS", "140")

    def run(*arguments: str | Path) -> Ran:
        with pytest.raises(SystemExit) as ending:
            cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err or "--verbose" in arguments
        assert isinstance(ending.value.code, int)
        return Ran(ending.value.code, captured.out, captured.err)

    return run
