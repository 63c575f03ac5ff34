"""Where results go: streams whose readers leave, and files that appear whole."""

from __future__ import annotations

import io
import json
import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_qa.errors import ConfigError, OutputError
from gpu_qa.output import Format, InOrder, Output, check_writable, opened
from tests.report_builder import event, report

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_file_is_not_there_before_its_end(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    target.write_text("old")
    with opened(str(target), whole=True) as file:
        file.write("new – ü")
        file.flush()
        assert target.read_text() == "old"
    assert target.read_text(encoding="utf-8") == "new – ü"
    assert names(tmp_path) == ["result.json"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~umask


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    target.write_text("old")

    def write_half() -> None:
        with opened(str(target), whole=True) as file:
            file.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["result.json"]


def test_a_growing_file_is_there_at_once(tmp_path: Path) -> None:
    target = tmp_path / "events.jsonl"
    with opened(str(target), whole=False) as file:
        file.write("line\n")
        file.flush()
        assert target.read_text() == "line\n"


def test_a_link_is_followed_and_a_device_or_pipe_is_not_replaced(tmp_path: Path) -> None:
    target, link, pipe = tmp_path / "target", tmp_path / "link", tmp_path / "pipe"
    target.write_text("old")
    link.symlink_to(target)
    with opened(str(link), whole=True) as file:
        file.write("new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    with opened(str(pipe), whole=True) as file:
        file.write("through")
    reader.join(10)
    assert read == ["through"]
    assert pipe.is_fifo()


def test_what_may_not_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        check_writable(str(tmp_path))
    with pytest.raises(ConfigError, match="there is no folder"):
        check_writable(str(tmp_path / "no" / "file"))
    check_writable(str(tmp_path / "file"))
    assert names(tmp_path) == []
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(ConfigError, match="may not be written"):
            check_writable(str(tmp_path / "file"))
        tmp_path.chmod(0o700)


class Leaving(io.StringIO):
    """A stream whose reader leaves after so many writes."""

    def __init__(self, writes: int, error: type[OSError] = BrokenPipeError) -> None:
        super().__init__()
        self.writes = writes
        self.error = error

    def write(self, text: str) -> int:
        if self.writes == 0:
            raise self.error(28, "No space left on device")
        self.writes -= 1
        return super().write(text)


@pytest.mark.parametrize("output_format", ["table", "json", "jsonl"])
def test_a_reader_that_leaves_is_no_error(output_format: Format) -> None:
    stream = Leaving(0)
    output = Output(stream, output_format)
    output.event(event())
    output.report(report(event()))
    assert output.gone
    output.event(event())
    output.report(report(event()))
    output.total(["clean", "clean"])
    assert stream.getvalue() == ""


@pytest.mark.parametrize("output_format", ["table", "json", "jsonl"])
def test_any_other_failure_is_told(output_format: Format) -> None:
    output = Output(Leaving(0, OSError), output_format)
    tell = output.event if output_format == "jsonl" else lambda told: output.report(report(told))
    with pytest.raises(OutputError, match="standard output: cannot be written: No space left on device"):
        tell(event())


def test_json_documents_follow_one_another() -> None:
    stream = io.StringIO()
    output = Output(stream, "json")
    output.event(event())
    for name in ("one", "two"):
        output.report(report(stream=name))
    output.total(["clean", "clean"])
    first, end = json.JSONDecoder().raw_decode(stream.getvalue())
    second = json.loads(stream.getvalue()[end:])
    assert (first["stream"], second["stream"]) == ("one", "two")


def test_json_is_ascii_where_the_stream_is() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Output(stream, "json").report(report(stream="Fünf"))
    assert json.loads(raw.getvalue())["stream"] == "Fünf"


def test_tables_follow_one_another_and_end_with_a_total(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    stream = io.StringIO()
    output = Output(stream, "table")
    reports = [report(event(), stream="one"), report(stream="two")]
    for each in reports:
        output.report(each)
    output.total(["defects", "clean"])
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("one")
    assert lines[lines.index("") + 1 :]
    assert any("Start" in line and "Message" in line and "Limit" in line for line in lines)  # a column for each
    assert lines[-1].startswith("2 inputs · 1 clean · 1 with defects")


def test_results_come_in_the_order_of_their_inputs() -> None:
    order: InOrder[str] = InOrder([True] * 5)
    assert order.put(1, "b") == []
    assert order.put(3, "d") == []
    assert order.put(0, "a") == ["a", "b"]
    assert order.put(4, "e") == []
    assert order.put(2, "c") == ["c", "d", "e"]
    assert order.rest() == []


def test_a_live_input_holds_nobody_back_and_waits_for_nobody() -> None:
    order: InOrder[str] = InOrder([False, True, False, True, False])
    assert order.put(1, "file") == ["file"]
    assert order.put(4, "live, last") == ["live, last"]
    assert order.put(3, "file too") == ["file too"]
    assert order.put(0, "live, first") == ["live, first"]
    assert order.rest() == []


def test_what_is_held_back_is_not_lost() -> None:
    order: InOrder[str] = InOrder([True] * 4)
    order.put(3, "d")
    order.put(1, "b")
    assert order.rest() == ["b", "d"]
    assert order.rest() == []


@given(st.lists(st.booleans(), max_size=12), st.randoms(use_true_random=False), st.integers(0, 12))
def test_every_result_is_told_once_and_files_in_order(holds: list[bool], random: Random, ended: int) -> None:
    order: InOrder[int] = InOrder(holds)
    indices = list(range(len(holds)))
    random.shuffle(indices)
    told = [index for ending in indices[:ended] for index in order.put(ending, ending)]
    assert sorted([*told, *order.rest()]) == sorted(indices[:ended])
    files = [index for index in told if holds[index]]
    assert files == [index for index, waits in enumerate(holds) if waits][: len(files)]
