"""Inputs by standard input, pipes and Python file objects."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from gpu_qa.errors import SourceError, SourceTimeout
from gpu_qa.sources import open_source
from gpu_qa.sources.feed import PipeFeed
from tests.clips import cached_clip, make_clip
from tests.source_checks import (  # noqa: F401 - fixtures are found by their names
    IMPATIENT,
    PATIENT,
    QUICK,
    assert_both_tracks,
    interrupted_after,
    no_child_stays,
    no_proxy,
    notes_of,
    read_until_stall,
    transport_clip,
)

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from gpu_qa.sources import Source


pytestmark = [pytest.mark.timeout(30), pytest.mark.usefixtures("no_proxy", "no_child_stays")]


def pipe_from(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("name", ["clip.ts", "clip.mkv", "clip.flv"])
def test_a_pipe_is_read_to_its_end(name: str) -> None:
    with pipe_from("cat", str(cached_clip(name, seconds=1, size=(96, 64)))) as child:
        with open_source(cast("Any", child.stdout), QUICK) as source:
            assert not source.facts.live
            packets = list(source.packets())
            assert_both_tracks(source, packets)
            assert source.complete
        assert child.stdout is not None
        assert not child.stdout.closed


@pytest.mark.parametrize("unbuffered", [True, False])
def test_a_pipe_that_falls_silent(unbuffered: bool) -> None:
    script = f"head -c 60000 '{transport_clip()}'; exec sleep 20"
    child = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, bufsize=0 if unbuffered else -1)
    with child:
        try:
            with open_source(cast("Any", child.stdout), QUICK) as source:
                _, error, waited_s = read_until_stall(source, lambda: None, after=0)
                assert "is the program that feeds it running" in str(error)
                assert 0.8 < waited_s < 2.5
        finally:
            child.kill()


def test_a_pipe_that_never_says_a_word() -> None:
    with pipe_from("sleep", "20") as child:
        started = time.monotonic()
        with pytest.raises(SourceTimeout, match=r"did not open within 0.8 s"):
            open_source(cast("Any", child.stdout), IMPATIENT)
        assert time.monotonic() - started < 2
        child.kill()


def test_mp4_by_a_pipe_needs_its_index_in_front(tmp_path: Path) -> None:
    for options, told in (({"movflags": "faststart"}, None), (None, "cannot come by a pipe")):
        clip = make_clip(tmp_path / f"{told}.mp4", seconds=2, container_options=options)
        with pipe_from("cat", str(clip)) as child:
            expected = pytest.raises(SourceError, match=told) if told else contextlib.nullcontext()
            with expected, open_source(cast("Any", child.stdout), QUICK) as source:
                assert_both_tracks(source, list(source.packets()))


def test_standard_input() -> None:
    code = (
        "from gpu_qa.sources import open_source\n"
        "with open_source('-') as source:\n"
        "    print(source.name, len(list(source.packets())), source.facts.container)\n"
    )
    clip = cached_clip("clip.ts", seconds=1, size=(96, 64))
    with clip.open("rb") as file:
        as_file = subprocess.run([sys.executable, "-c", code], stdin=file, capture_output=True, check=True, text=True)
    piped = subprocess.run([sys.executable, "-c", code], input=clip.read_bytes(), capture_output=True, check=True)
    assert as_file.stdout == piped.stdout.decode()
    assert as_file.stdout.startswith("stdin 7")
    assert as_file.stderr == ""


def test_control_c_while_waiting_for_a_pipe(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom gpu_qa.sources import open_source\n"
        "with open_source('-') as source:\n"
        "    for number, packet in enumerate(source.packets()):\n"
        "        if number == 20: print('reading', flush=True)\n"
    )
    read_end, write_end = os.pipe()
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=read_end, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        os.close(read_end)
        os.write(write_end, transport_clip().read_bytes()[:60_000])
        assert child.stdout is not None
        assert child.stdout.readline() == b"reading\n"
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        _, words = child.communicate(timeout=15)
        os.close(write_end)
    assert words.strip().endswith(b"KeyboardInterrupt")
    assert child.returncode != 0


def test_a_fifo(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe %d.ts"
    os.mkfifo(fifo)
    with pytest.raises(SourceTimeout, match=r"did not open within 0.8 s"):
        open_source(fifo, IMPATIENT)
    writer = subprocess.Popen(["sh", "-c", 'sleep 0.2; exec cat "$0" > "$1"', str(transport_clip()), str(fifo)])
    with writer, open_source(fifo, QUICK) as source:
        assert_both_tracks(source, list(source.packets()))
        assert source.complete


def test_file_objects() -> None:
    clip = cached_clip("clip.mp4", seconds=1, size=(96, 64))
    memory = io.BytesIO(clip.read_bytes())
    memory_ts = io.BytesIO(cached_clip("clip.ts", seconds=1, size=(96, 64)).read_bytes())
    with clip.open("rb") as buffered, clip.open("rb", buffering=0) as raw:
        for file in (memory, memory_ts, buffered, raw):
            with open_source(file, QUICK) as source:
                assert not source.facts.live
                assert source.facts.duration_s == pytest.approx(1, abs=0.1)
                packets = list(source.packets())
                assert_both_tracks(source, packets)
                assert notes_of(packets) == []
            assert not file.closed
    memory.close()
    with pytest.raises(SourceError, match="is closed"):
        open_source(memory, QUICK)
    with clip.open("r", errors="replace") as text, pytest.raises(SourceError, match="binary mode"):
        open_source(cast("Any", text), QUICK)


class Drip:
    """A file object of which nothing is known but `read`."""

    def __init__(self, data: bytes, then: str) -> None:
        self._file = io.BytesIO(data)
        self._then = then
        self.released = threading.Event()

    def read(self, size: int) -> bytes:
        data = self._file.read(min(size, 4096))
        if not data and self._then == "hang":
            self.released.wait(20)
        if not data and self._then == "fail":
            raise RuntimeError("the dog ate it")
        return data


def test_an_object_that_can_only_read(capfd: pytest.CaptureFixture[str]) -> None:
    data = transport_clip().read_bytes()
    with open_source(cast("Any", Drip(data, "end")), QUICK) as source:
        assert_both_tracks(source, list(source.packets()))
        assert source.complete
    source = open_source(cast("Any", Drip(data, "fail")), QUICK)
    with source, pytest.raises(SourceError, match="the dog ate it"):
        list(source.packets())
    hanging = Drip(data, "hang")
    started = time.monotonic()
    with open_source(cast("Any", hanging), QUICK) as source, pytest.raises(SourceTimeout):
        list(source.packets())
    hanging.released.set()
    assert time.monotonic() - started < 5
    # PyAV prints exceptions that a file object raises where nobody can catch them.
    assert capfd.readouterr().err == ""


def test_interrupting_a_pipe() -> None:
    script = f"head -c 60000 '{transport_clip()}'; exec sleep 20"
    with pipe_from("sh", "-c", script) as child:
        with open_source(cast("Any", child.stdout), PATIENT) as source:
            assert interrupted_after(source, 20) < 1
        child.kill()


def nested_interruptions(source: Source) -> int:
    """Interrupt and close a source while every line of that is interrupted itself, as signals can do; the lines."""
    lines = 0
    inside = False

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines, inside
        ours = frame.f_globals.get("__name__", "").startswith(("gpu_qa.sources", "threading"))
        if inside or not ours:
            return None
        if event == "line":
            lines += 1
            inside = True
            source.interrupt()
            inside = False
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        source.interrupt()
        source.close()
    finally:
        sys.settrace(before)
    return lines


def test_a_signal_may_interrupt_an_interruption() -> None:
    with pipe_from("sh", "-c", f"cat '{transport_clip()}'; exec sleep 20") as child:
        with open_source(cast("Any", child.stdout), QUICK) as source:
            packets = source.packets()
            next(packets)
            # A lock taken twice by this thread would never come free: the test would time out.
            assert nested_interruptions(source) > 5
            assert all(packet.native is None for packet in packets)
            assert not source.complete
        child.kill()


def test_interruptions_without_number_do_not_wait() -> None:
    with pipe_from("sleep", "20") as child:
        assert child.stdout is not None
        feed = PipeFeed("pipe", child.stdout.fileno())
        for _ in range(70_000):
            feed.interrupt()
        assert feed.read(1) == b""
        feed.close()
        feed.interrupt()
        child.kill()


def descriptors() -> list[bool]:
    """Which of the first descriptors are open."""

    def is_open(fd: int) -> bool:
        try:
            os.fstat(fd)
        except OSError:
            return False
        return True

    return [is_open(fd) for fd in range(200)]


def test_a_feed_leaves_no_descriptors_behind() -> None:
    before = descriptors()
    feed = PipeFeed("pipe", os.open(os.devnull, os.O_RDONLY), owns_fd=True)
    feed.interrupt()
    feed.close()
    del feed
    assert descriptors() == before
