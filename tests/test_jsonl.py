from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpu_qa.sinks.jsonl import JsonlWriter, line
from tests.report_builder import event


def test_one_line_per_event() -> None:
    odd = event(message="line one\nline two\u2028three", value=-math.inf)
    text = line(odd)
    assert len(text.splitlines()) == 1 or "\u2028" in text
    assert "\n" not in text
    assert json.loads(text)["message"] == "line one\nline two\u2028three"
    assert json.loads(text)["value"] is None


class CountingStream(io.StringIO):
    flushed = 0

    def flush(self) -> None:
        self.flushed = len(self.getvalue())
        super().flush()


def test_every_line_is_flushed_at_once() -> None:
    stream = CountingStream()
    writer = JsonlWriter(stream)
    for number in range(3):
        assert writer.write(event(start_s=float(number)))
        assert stream.flushed == len(stream.getvalue())
        assert len(stream.getvalue().splitlines()) == number + 1
    assert not writer.gone


def test_outputs_that_are_not_utf8_get_escapes() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1")
    JsonlWriter(stream).write(event(message="−∞ dBFS ü"))
    assert json.loads(raw.getvalue().decode("ascii"))["message"] == "−∞ dBFS ü"


def test_a_reader_that_has_gone_ends_the_writing_quietly() -> None:
    read, write = os.pipe()
    with os.fdopen(write, "w") as stream:
        writer = JsonlWriter(stream)
        assert writer.write(event())
        os.close(read)
        assert not writer.write(event())
        assert writer.gone
        assert not writer.write(event())


def test_other_errors_are_not_swallowed() -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        JsonlWriter(Full()).write(event())


def test_a_program_whose_reader_leaves_prints_no_traceback() -> None:
    program = """
import sys
from tests.report_builder import event
from gpu_qa.sinks.jsonl import JsonlWriter
writer = JsonlWriter(sys.stdout)
written = 0
while writer.write(event(start_s=float(written))) and written < 100_000:
    written += 1
print("gone" if writer.gone else "never noticed", file=sys.stderr)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert json.loads(child.stdout.readline())["start_s"] == 0
        child.stdout.close()
        complaint = child.stderr.read().decode()
    assert complaint == "gone\n"
    assert child.returncode == 0
