"""How a session ends: Ctrl-C, SIGTERM, a reader that goes away, and inputs that go on while results are read."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.clips import cached_clip

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PATIENCE_S = 60.0
"""A machine under load starts Python and numba slowly."""


def frozen_stream() -> bytes:
    """A transport stream whose picture stands still from 1 s to its end, 6 s in."""
    return cached_clip("stands.ts", seconds=6, freeze=(1, 6)).read_bytes()


@contextlib.contextmanager
def running(*arguments: str, stdout: int = subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
    """`gpu-qa analyze` in a process of its own, with pipes; killed if the test leaves it running."""
    command = [sys.executable, "-m", "gpu_qa", "analyze", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE, cwd=ROOT, env=environment
    )
    try:
        yield process
    finally:
        process.kill()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        process.wait()


def feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    """Write to standard input without closing it: more may come, as far as the command knows."""
    assert process.stdin is not None
    process.stdin.write(data)
    process.stdin.flush()


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    """Exit code, and what was still to be read."""
    assert process.stdout is not None
    assert process.stderr is not None
    code = process.wait(PATIENCE_S)
    return code, process.stdout.read(), process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_event_is_told_at_once_and_a_signal_ends_with_what_is_known(number: signal.Signals) -> None:
    with running("-", "--format", "jsonl", "--read-timeout", str(PATIENCE_S)) as process:
        feed(process, frozen_stream())
        assert process.stdout is not None
        opened = json.loads(process.stdout.readline())  # the input has not ended: its pipe is open
        assert (opened["kind"], opened["state"], opened["end_s"]) == ("video.freeze", "open", None)
        process.send_signal(number)
        code, out, err = ended(process)
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert (events[-1]["id"], events[-1]["state"]) == (opened["id"], "closed")
    assert err.startswith(b"gpu-qa: stdin: stopped after 0:00:0")
    assert b"Traceback" not in err


def test_a_signal_ends_the_opening_too() -> None:
    with running("-", "never.ts", "--jobs", "1", "--format", "json", "--open-timeout", str(PATIENCE_S)) as process:
        time.sleep(3.0)  # nothing comes on its standard input
        began_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        code, out, err = ended(process)
    assert time.monotonic() - began_s < PATIENCE_S / 4
    assert code == 2
    assert json.loads(out)["error"] == "stopped before anything was known"
    assert err.decode().splitlines() == [
        "gpu-qa: stdin: stopped before anything was known",
        "gpu-qa: 1 input left out: stopped before their turn",
    ]


def test_a_second_signal_kills() -> None:
    """Even where the analysis does not stop: it may hang in a driver."""
    program = """
import os, signal, time
from gpu_qa.session import _Stop
class Engine:
    def stop(self): print("asked", flush=True)
class Board: stopping = False
class Run: engine, board = Engine(), Board()
stop = _Stop(hidden_cursor=False)
with stop.caught(), stop.watching(Run()):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
    assert stop.requested and Run.board.stopping
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
print("survived")
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])}
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment
    )
    assert (answer.returncode, answer.stdout) == (-signal.SIGINT, "asked\n")


def test_a_session_leaves_the_signals_as_they_were() -> None:
    from gpu_qa.session import _Stop

    before = signal.getsignal(signal.SIGINT)
    with _Stop(hidden_cursor=False).caught():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    """As `gpu-qa analyze - --format jsonl | head -1` does."""
    with running("-", "--format", "jsonl", "--read-timeout", str(PATIENCE_S)) as process:
        stream = frozen_stream()
        feed(process, stream)
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        process.stdout.close()
        process.stdin.close()
        code = process.wait(PATIENCE_S)
        assert process.stderr is not None
        assert (code, process.stderr.read()) == (1, b"")


def test_nobody_reads_at_all() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with running("missing.ts", "also-missing.ts", "--jobs", "1", stdout=writer) as process:
            assert process.stderr is not None
            code = process.wait(PATIENCE_S)
            # The first input's result could not be told; the second one was not begun.
            assert (code, process.stderr.read()) == (2, b"gpu-qa: missing.ts: no such file.\n")
    finally:
        os.close(writer)


def test_jsonl_in_a_file_can_be_followed(tmp_path: Path) -> None:
    target = tmp_path / "events.jsonl"
    with running("-", "--format", "jsonl", "-o", str(target), "--read-timeout", str(PATIENCE_S)) as process:
        feed(process, frozen_stream())
        until_s = time.monotonic() + PATIENCE_S
        while not (target.exists() and target.read_text().count("\n")):
            assert time.monotonic() < until_s
            time.sleep(0.1)
        assert json.loads(target.read_text().splitlines()[0])["state"] == "open"
        assert process.poll() is None
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE_S) == 1
    assert json.loads(target.read_text().splitlines()[-1])["state"] == "closed"


def test_a_finished_file_is_told_while_a_live_input_goes_on(tmp_path: Path) -> None:
    """Though the live input was named first, and a file behind it."""
    live = tmp_path / "live.toml"
    live.write_text("[[streams]]\nname = 'studio'\ninput = '-'\nsource.live = true\n")
    clip = str(cached_clip("done.ts", seconds=2))
    with running("missing.ts", clip, "--streams", str(live), "--format", "json", "--read-timeout", "60") as process:
        feed(process, frozen_stream())
        assert process.stdout is not None
        told = b""
        while told.count(b"\n}\n") < 2:
            told += process.stdout.readline()
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        code, out, err = ended(process)
    names = [json.loads(document + b"}")["stream"] for document in (told + out).split(b"\n}\n")[:-1]]
    assert names == ["missing.ts", clip, "studio"]
    assert code == 2
    assert b"gpu-qa: missing.ts: no such file." in err
    assert b"gpu-qa: studio: stopped after 0:00:0" in err


def test_a_signal_ends_all_with_what_is_known() -> None:
    clip = str(cached_clip("long.ts", seconds=30, size=(64, 48), freeze=(0, 30)))
    names = {clip, *(f"{clip} ({number})" for number in range(2, 10))}
    with running(*[clip] * len(names), "--real-time", "--format", "jsonl") as process:
        assert process.stdout is not None
        assert {json.loads(process.stdout.readline())["stream"] for _ in names} == names
        process.send_signal(signal.SIGTERM)
        code, out, err = ended(process)
    closed = [event for line in out.splitlines() if (event := json.loads(line))["state"] == "closed"]
    assert code == 1
    assert {event["stream"] for event in closed} == names
    assert all(event["end_s"] < 29 for event in closed)
    assert err == b"gpu-qa: stopped; the results cover what was read until then\n"
